//! The limit on password attempts.
//!
//! Only wrong attempts count: the attempt of a right password is given back. There are two limits: one for each address, and one for
//! all strangers together, so that many addresses do not get many times as far. Loopback, and an address from which the right
//! password has come, have only their own limit, so that others cannot lock them out. Tokens and login links are not limited: 256
//! bits cannot be guessed. Time is a parameter.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::server::ProvenAddresses;

/// Five attempts at once, then one every twelve seconds.
const PER_ADDRESS: AttemptRate = AttemptRate {
    burst: 5,
    every: Duration::from_secs(12),
};
/// Twenty attempts at once, then one every three seconds.
const ALL_ADDRESSES: AttemptRate = AttemptRate {
    burst: 20,
    every: Duration::from_secs(3),
};

#[derive(Debug, Clone, Copy)]
struct AttemptRate {
    burst: u32,
    every: Duration,
}

/// Time at which a bucket is full again, as in the generic cell rate algorithm.
#[derive(Debug, Clone, Copy)]
struct Bucket(Instant);

impl Bucket {
    /// Returns the time until the next attempt; zero when one is allowed now.
    fn wait(self, rate: AttemptRate, now: Instant) -> Duration {
        let spent = self.0.saturating_duration_since(now);
        (spent + rate.every).saturating_sub(rate.every * rate.burst)
    }

    fn spend(&mut self, rate: AttemptRate, now: Instant) {
        self.0 = self.0.max(now) + rate.every;
    }

    fn take_back(&mut self, rate: AttemptRate, now: Instant) {
        self.0 = self.0.checked_sub(rate.every).unwrap_or(now).max(now);
    }

    fn is_full(self, now: Instant) -> bool {
        self.0 <= now
    }
}

/// Recent attempts.
#[derive(Debug, Default)]
pub(super) struct LoginLimiter {
    all: Option<Bucket>,
    addresses: HashMap<IpAddr, Bucket>,
    proven: ProvenAddresses,
}

impl LoginLimiter {
    /// Counts an attempt, before the password is checked.
    ///
    /// # Errors
    ///
    /// The time until the next attempt is allowed.
    pub(super) fn try_now(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let is_strange = !self.proven.has(address, now);
        let address = self.proven.counted(address, now);
        self.addresses.retain(|_, bucket| !bucket.is_full(now));
        let mut own = self.addresses.get(&address).copied().unwrap_or(Bucket(now));
        let mut all = self.all.unwrap_or(Bucket(now));
        let mut wait = own.wait(PER_ADDRESS, now);
        if is_strange {
            wait = wait.max(all.wait(ALL_ADDRESSES, now));
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        own.spend(PER_ADDRESS, now);
        self.addresses.insert(address, own);
        if is_strange {
            all.spend(ALL_ADDRESSES, now);
            self.all = Some(all);
        }
        Ok(())
    }

    /// Gives an attempt back, since its password was right.
    pub(super) fn take_back(&mut self, address: IpAddr, now: Instant) {
        let counted = self.proven.counted(address, now);
        if let Some(own) = self.addresses.get_mut(&counted) {
            own.take_back(PER_ADDRESS, now);
        }
        let is_strange = !self.proven.has(address, now);
        if let Some(all) = self.all.as_mut().filter(|_| is_strange) {
            all.take_back(ALL_ADDRESSES, now);
        }
        self.proven.add(address, now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn five_tries_then_one_every_twelve_seconds() {
        let (mut login_limit, mut now) = (LoginLimiter::default(), Instant::now());
        let who = address("192.168.1.7");
        for _ in 0..5 {
            assert_eq!(login_limit.try_now(who, now), Ok(()));
        }
        assert_eq!(login_limit.try_now(who, now), Err(Duration::from_secs(12)));
        now += Duration::from_secs(11);
        assert_eq!(login_limit.try_now(who, now), Err(Duration::from_secs(1)));
        now += Duration::from_secs(1);
        assert_eq!(login_limit.try_now(who, now), Ok(()));
        assert!(login_limit.try_now(who, now).is_err());
        // After a minute of peace it is as in the beginning.
        now += Duration::from_secs(60);
        for _ in 0..5 {
            assert_eq!(login_limit.try_now(who, now), Ok(()));
        }
        assert!(login_limit.try_now(who, now).is_err());
    }

    #[test]
    fn right_passwords_are_not_too_many_and_help_no_wrong_one() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let who = address("192.168.1.7");
        for _ in 0..100 {
            assert_eq!(login_limit.try_now(who, now), Ok(()));
            login_limit.take_back(who, now);
        }
        for _ in 0..5 {
            assert_eq!(login_limit.try_now(who, now), Ok(()));
        }
        assert_eq!(login_limit.try_now(who, now), Err(Duration::from_secs(12)));
        // One that is given back long after is worth no more than it was.
        login_limit.take_back(who, now + Duration::from_secs(600));
        for _ in 0..5 {
            let later = now + Duration::from_secs(600);
            assert_eq!(login_limit.try_now(who, later), Ok(()));
        }
        assert!(
            login_limit
                .try_now(who, now + Duration::from_secs(600))
                .is_err()
        );
    }

    #[test]
    fn many_addresses_do_not_get_further() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let tries = (0..=255)
            .filter(|last| {
                login_limit
                    .try_now(address(&format!("10.0.0.{last}")), now)
                    .is_ok()
            })
            .count();
        assert_eq!(tries, 20);
        // Who sits at the machine still gets in.
        assert_eq!(login_limit.try_now(address("127.0.0.1"), now), Ok(()));
        assert_eq!(login_limit.try_now(address("::1"), now), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let tries = (0..100)
            .filter(|last| {
                login_limit
                    .try_now(address(&format!("2001:db8::{last:x}")), now)
                    .is_ok()
            })
            .count();
        assert_eq!(tries, 5);
    }

    #[test]
    fn an_owner_is_not_locked_out_by_strangers() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        for owner in ["10.0.0.7", "2001:db8::7"].map(address) {
            assert_eq!(login_limit.try_now(owner, now), Ok(()));
            login_limit.take_back(owner, now);
        }
        for last in 0..=255 {
            let _ = login_limit.try_now(address(&format!("10.0.1.{last}")), now);
            let _ = login_limit.try_now(address(&format!("2001:db8::1:{last:x}")), now);
        }
        assert!(login_limit.try_now(address("10.0.2.1"), now).is_err());
        assert_eq!(login_limit.try_now(address("10.0.0.7"), now), Ok(()));
        assert_eq!(login_limit.try_now(address("2001:db8::7"), now), Ok(()));
    }

    proptest! {
        /// For all times and addresses, no window has more attempts than the limit, and memory stays bounded.
        #[test]
        fn never_more_than_the_bound(steps in prop::collection::vec((0_u64..4_000, any::<u8>()), 1..600)) {
            let (mut login_limit, start) = (LoginLimiter::default(), Instant::now());
            let mut now = start;
            let mut allowed: Vec<(Duration, u8)> = Vec::new();
            for (millis, last) in steps {
                now += Duration::from_millis(millis);
                if login_limit.try_now(address(&format!("10.0.0.{last}")), now).is_ok() {
                    allowed.push((now - start, last));
                }
                prop_assert!(login_limit.addresses.len() <= 20 + 20);
            }
            let holds = |times: Vec<Duration>, rate: AttemptRate| {
                let burst = rate.burst as usize;
                times.windows(burst + 1).all(|w| w[burst] - w[0] >= rate.every)
                    && times.last().zip(times.first()).is_none_or(|(last, first)| {
                        let span = (*last - *first).as_secs_f64() / rate.every.as_secs_f64();
                        times.len() as f64 <= f64::from(rate.burst) + span + 1.0
                    })
            };
            prop_assert!(holds(allowed.iter().map(|(at, _)| *at).collect(), ALL_ADDRESSES));
            for who in 0..=255 {
                let own = allowed.iter().filter(|(_, last)| *last == who).map(|(at, _)| *at).collect();
                prop_assert!(holds(own, PER_ADDRESS));
            }
        }
    }
}

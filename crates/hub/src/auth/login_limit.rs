//! The limit on password attempts.
//!
//! Only wrong attempts count: the attempt of a right password is given back. There are two limits: one for each address, and one for
//! all strangers together, so that many addresses do not get many times as far. An address from which the right password has come
//! has only its own limit, so that others cannot lock it out. The users of this machine have a limit each, and wait for their turn
//! instead of being refused, so that a wrong attempt locks nobody out of the own machine. Tokens and login links are not limited:
//! 256 bits cannot be guessed. Time is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::client::LoginClient;
use crate::server::ProvenAddresses;

/// Five attempts at once, then one every three seconds.
const PER_LOCAL_USER: AttemptRate = AttemptRate {
    burst: 5,
    every: Duration::from_secs(3),
};
/// Maximum time that an attempt of a local user waits for its turn; only who tries at the same time many times over is refused.
const MAX_LOCAL_DELAY: Duration = Duration::from_secs(12);
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
    clients: HashMap<LoginClient, Bucket>,
    proven: ProvenAddresses,
}

impl LoginLimiter {
    /// Counts an attempt, before the password is checked. Returns the delay after which it may be checked; zero but for local users.
    ///
    /// # Errors
    ///
    /// The time until the next attempt is allowed.
    pub(super) fn try_now(
        &mut self,
        client: LoginClient,
        now: Instant,
    ) -> Result<Duration, Duration> {
        let is_strange = self.is_strange(client, now);
        let (client, rate, max_delay) = self.counted(client, now);
        self.clients.retain(|_, bucket| !bucket.is_full(now));
        let mut own = self.clients.get(&client).copied().unwrap_or(Bucket(now));
        let mut all = self.all.unwrap_or(Bucket(now));
        let mut wait = own.wait(rate, now);
        if is_strange {
            wait = wait.max(all.wait(ALL_ADDRESSES, now));
        }
        if wait > max_delay {
            return Err(wait - max_delay);
        }
        own.spend(rate, now);
        self.clients.insert(client, own);
        if is_strange {
            all.spend(ALL_ADDRESSES, now);
            self.all = Some(all);
        }
        Ok(wait)
    }

    /// Gives an attempt back, since its password was right.
    pub(super) fn take_back(&mut self, client: LoginClient, now: Instant) {
        let (counted, rate, _) = self.counted(client, now);
        if let Some(own) = self.clients.get_mut(&counted) {
            own.take_back(rate, now);
        }
        let is_strange = self.is_strange(client, now);
        if let Some(all) = self.all.as_mut().filter(|_| is_strange) {
            all.take_back(ALL_ADDRESSES, now);
        }
        if let LoginClient::Remote(address) = client {
            self.proven.add(address, now);
        }
    }

    /// Returns true for a client that counts among all strangers, too.
    fn is_strange(&self, client: LoginClient, now: Instant) -> bool {
        match client {
            LoginClient::Local(_) => false,
            // A reverse proxy on this machine.
            LoginClient::Remote(address) if address.is_loopback() => true,
            LoginClient::Remote(address) => !self.proven.has(address, now),
        }
    }

    /// Returns the client by which an attempt is counted, its rate, and the maximum delay of an attempt.
    fn counted(&self, client: LoginClient, now: Instant) -> (LoginClient, AttemptRate, Duration) {
        match client {
            LoginClient::Local(_) => (client, PER_LOCAL_USER, MAX_LOCAL_DELAY),
            LoginClient::Remote(address) => {
                let counted = LoginClient::Remote(self.proven.counted(address, now));
                (counted, PER_ADDRESS, Duration::ZERO)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> LoginClient {
        LoginClient::Remote(text.parse().unwrap())
    }

    /// Tries without a delay.
    fn try_now(limiter: &mut LoginLimiter, who: LoginClient, now: Instant) -> Result<(), Duration> {
        let delay = limiter.try_now(who, now)?;
        assert_eq!(delay, Duration::ZERO);
        Ok(())
    }

    #[test]
    fn five_tries_then_one_every_twelve_seconds() {
        let (mut login_limit, mut now) = (LoginLimiter::default(), Instant::now());
        let who = address("192.168.1.7");
        for _ in 0..5 {
            assert_eq!(try_now(&mut login_limit, who, now), Ok(()));
        }
        assert_eq!(
            try_now(&mut login_limit, who, now),
            Err(Duration::from_secs(12))
        );
        now += Duration::from_secs(11);
        assert_eq!(
            try_now(&mut login_limit, who, now),
            Err(Duration::from_secs(1))
        );
        now += Duration::from_secs(1);
        assert_eq!(try_now(&mut login_limit, who, now), Ok(()));
        assert!(try_now(&mut login_limit, who, now).is_err());
        // After a minute of peace it is as in the beginning.
        now += Duration::from_secs(60);
        for _ in 0..5 {
            assert_eq!(try_now(&mut login_limit, who, now), Ok(()));
        }
        assert!(try_now(&mut login_limit, who, now).is_err());
    }

    #[test]
    fn right_passwords_are_not_too_many_and_help_no_wrong_one() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let who = address("192.168.1.7");
        for _ in 0..100 {
            assert_eq!(try_now(&mut login_limit, who, now), Ok(()));
            login_limit.take_back(who, now);
        }
        for _ in 0..5 {
            assert_eq!(try_now(&mut login_limit, who, now), Ok(()));
        }
        assert_eq!(
            try_now(&mut login_limit, who, now),
            Err(Duration::from_secs(12))
        );
        // One that is given back long after is worth no more than it was.
        login_limit.take_back(who, now + Duration::from_secs(600));
        for _ in 0..5 {
            let later = now + Duration::from_secs(600);
            assert_eq!(try_now(&mut login_limit, who, later), Ok(()));
        }
        assert!(try_now(&mut login_limit, who, now + Duration::from_secs(600)).is_err());
    }

    #[test]
    fn many_addresses_do_not_get_further() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let tries = (0..=255)
            .filter(|last| {
                try_now(&mut login_limit, address(&format!("10.0.0.{last}")), now).is_ok()
            })
            .count();
        assert_eq!(tries, 20);
        // Who sits at the machine still gets in; a reverse proxy there may pass on what anybody sends.
        let local = LoginClient::Local(Some(1000));
        assert_eq!(try_now(&mut login_limit, local, now), Ok(()));
        assert!(login_limit.try_now(address("127.0.0.1"), now).is_err());
    }

    #[test]
    fn who_sits_at_the_machine_waits_a_moment_and_is_never_locked_out() {
        let (mut login_limit, mut now) = (LoginLimiter::default(), Instant::now());
        let [other, owner] = [Some(33), Some(1000)].map(LoginClient::Local);
        // Another user guesses all the time.
        let mut wrong = 0;
        while login_limit.try_now(other, now).is_ok() {
            wrong += 1;
        }
        assert_eq!(wrong, 9);
        assert_eq!(try_now(&mut login_limit, owner, now), Ok(()));
        login_limit.take_back(owner, now);
        // A program of the same user tries wrong passwords one after the other, for a day.
        let mut tries = 0;
        let end = now + Duration::from_secs(24 * 3600);
        while now < end {
            let delay = login_limit.try_now(owner, now).unwrap();
            assert!(delay <= Duration::from_secs(3), "{delay:?}");
            now += delay;
            tries += 1;
        }
        assert!((28_800..28_810).contains(&tries), "{tries}");
        let delay = login_limit.try_now(owner, now).unwrap();
        assert!(delay <= Duration::from_secs(3), "{delay:?}");
    }

    #[test]
    fn a_proxy_of_this_machine_is_a_stranger_with_the_right_password_too() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let proxy = address("127.0.0.1");
        assert_eq!(try_now(&mut login_limit, proxy, now), Ok(()));
        login_limit.take_back(proxy, now);
        for last in 0..=255 {
            let _ = login_limit.try_now(address(&format!("10.0.1.{last}")), now);
        }
        assert!(login_limit.try_now(proxy, now).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        let tries = (0..100)
            .filter(|last| {
                try_now(
                    &mut login_limit,
                    address(&format!("2001:db8::{last:x}")),
                    now,
                )
                .is_ok()
            })
            .count();
        assert_eq!(tries, 5);
    }

    #[test]
    fn an_owner_is_not_locked_out_by_strangers() {
        let (mut login_limit, now) = (LoginLimiter::default(), Instant::now());
        for owner in ["10.0.0.7", "2001:db8::7"].map(address) {
            assert_eq!(try_now(&mut login_limit, owner, now), Ok(()));
            login_limit.take_back(owner, now);
        }
        for last in 0..=255 {
            let _ = try_now(&mut login_limit, address(&format!("10.0.1.{last}")), now);
            let _ = try_now(
                &mut login_limit,
                address(&format!("2001:db8::1:{last:x}")),
                now,
            );
        }
        assert!(try_now(&mut login_limit, address("10.0.2.1"), now).is_err());
        assert_eq!(try_now(&mut login_limit, address("10.0.0.7"), now), Ok(()));
        assert_eq!(
            try_now(&mut login_limit, address("2001:db8::7"), now),
            Ok(())
        );
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
                if try_now(&mut login_limit, address(&format!("10.0.0.{last}")), now).is_ok() {
                    allowed.push((now - start, last));
                }
                prop_assert!(login_limit.clients.len() <= 20 + 20);
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

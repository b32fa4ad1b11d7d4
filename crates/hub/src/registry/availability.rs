//! The availability of a plug, as a function of the times at which it was heard. No clock and no sockets.
//!
//! The broadcast probes all plugs once in a scan interval, so a plug that has not been heard for one and a half intervals is probed
//! on its own, every second. If it does not reply to a dozen such probes, it is gone. A plug that is gone is probed less and less
//! often, down to a rate that the caller sets, because the broadcast finds it too. All intervals vary a little, so that many plugs
//! that were lost together are not probed together.

use std::time::{Duration, Instant};

/// Interval of probes to a missed plug.
const MISSED_INTERVAL: Duration = Duration::from_secs(1);
/// Time for which a plug is missed before it is gone: long enough that one datagram in three may be lost.
const MISSED_TIMEOUT: Duration = Duration::from_millis(12_500);
/// First interval of probes to a plug that is gone. Doubled each time.
const FIRST_GONE_INTERVAL: Duration = Duration::from_secs(2);

/// The availability of one plug.
#[derive(Debug, Clone)]
pub(super) struct Availability {
    state: AvailabilityState,
    /// Time of the next probe, if it is not heard before.
    ask: Instant,
    random: fastrand::Rng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AvailabilityState {
    /// Not heard yet, since this time.
    Unheard(Instant),
    /// Last heard at this time.
    Here(Instant),
    /// Probed on its own without a reply; the interval until the next probe.
    Gone(Duration),
}

/// The timing of probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PresenceTiming {
    /// Interval of the broadcast that probes all plugs.
    pub(super) scan: Duration,
    /// Maximum interval of probes to a plug that is gone.
    pub(super) max_gone_interval: Duration,
}

impl PresenceTiming {
    /// Returns the time without a report after which a plug is probed on its own.
    pub(super) fn quiet(self) -> Duration {
        self.scan + self.scan / 2
    }
}

/// A change of availability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AvailabilityChange {
    /// It is heard for the first time.
    First,
    /// It is heard again after it was gone.
    Back,
    /// It no longer replies.
    Gone,
}

impl Availability {
    /// Makes the availability of a plug that has not been heard yet. The seed sets its intervals apart from those of others.
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        let mut presence = Self {
            state: AvailabilityState::Unheard(now),
            ask: now,
            random: fastrand::Rng::with_seed(seed),
        };
        // A thousand plugs that a hub knows at its start are not all asked at once.
        let first = presence.vary(MISSED_INTERVAL);
        presence.ask += first;
        presence
    }

    /// Returns `true` if it replies.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.state, AvailabilityState::Here(_))
    }

    /// Returns `true` if it was missed and did not reply.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, AvailabilityState::Gone(_))
    }

    /// Records that it was heard.
    pub(super) fn heard(
        &mut self,
        now: Instant,
        timing: PresenceTiming,
    ) -> Option<AvailabilityChange> {
        let turn = match self.state {
            AvailabilityState::Here(_) => None,
            AvailabilityState::Unheard(_) => Some(AvailabilityChange::First),
            AvailabilityState::Gone(_) => Some(AvailabilityChange::Back),
        };
        self.state = AvailabilityState::Here(now);
        self.ask = now + timing.quiet();
        turn
    }

    /// Advances the time. The second value is `true` if a probe is due now.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        timing: PresenceTiming,
    ) -> (Option<AvailabilityChange>, bool) {
        let turn = self.lapse(now, timing);
        if now < self.ask {
            return (turn, false);
        }
        let gap = match &mut self.state {
            AvailabilityState::Unheard(_) | AvailabilityState::Here(_) => MISSED_INTERVAL,
            AvailabilityState::Gone(gap) => {
                *gap = (*gap * 2).min(timing.max_gone_interval);
                *gap
            }
        };
        self.ask = now + self.vary(gap);
        (turn, true)
    }

    fn lapse(&mut self, now: Instant, timing: PresenceTiming) -> Option<AvailabilityChange> {
        let (AvailabilityState::Here(since) | AvailabilityState::Unheard(since)) = self.state
        else {
            return None;
        };
        if now.saturating_duration_since(since) < timing.quiet() + MISSED_TIMEOUT {
            return None;
        }
        self.state = AvailabilityState::Gone(FIRST_GONE_INTERVAL / 2);
        Some(AvailabilityChange::Gone)
    }

    /// Returns an interval that is up to a fifth shorter.
    fn vary(&mut self, gap: Duration) -> Duration {
        gap.mul_f64(1.0 - 0.2 * self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCAN: Duration = Duration::from_secs(5);
    const TIMING: PresenceTiming = PresenceTiming {
        scan: SCAN,
        max_gone_interval: SCAN,
    };
    const STEP: Duration = Duration::from_millis(250);

    /// A plug on a network that loses this share of all probes and replies, followed by the scanner.
    struct World {
        start: Instant,
        now: Instant,
        presence: Availability,
        random: fastrand::Rng,
        loss: f64,
        /// `true` if the broadcast reaches it.
        broadcast: bool,
        turns: Vec<(f64, AvailabilityChange)>,
        asked: u32,
    }

    impl World {
        fn new(seed: u64, loss: f64, broadcast: bool) -> Self {
            let start = Instant::now();
            Self {
                start,
                now: start,
                presence: Availability::new(start, seed),
                random: fastrand::Rng::with_seed(seed ^ 0x55),
                loss,
                broadcast,
                turns: Vec::new(),
                asked: 0,
            }
        }

        fn answers(&mut self) -> bool {
            self.random.f64() >= self.loss && self.random.f64() >= self.loss
        }

        fn note(&mut self, turn: Option<AvailabilityChange>) {
            let at = (self.now - self.start).as_secs_f64();
            self.turns.extend(turn.map(|turn| (at, turn)));
        }

        fn run(&mut self, seconds: u64, alive: bool) {
            let end = self.now + Duration::from_secs(seconds);
            while self.now < end {
                let scans = (self.now - self.start)
                    .as_millis()
                    .is_multiple_of(SCAN.as_millis());
                if scans && alive && self.broadcast && self.answers() {
                    let turn = self.presence.heard(self.now, TIMING);
                    self.note(turn);
                }
                let (turn, ask) = self.presence.pass(self.now, TIMING);
                self.note(turn);
                self.asked += u32::from(ask);
                if ask && alive && self.answers() {
                    let turn = self.presence.heard(self.now, TIMING);
                    self.note(turn);
                }
                self.now += STEP;
            }
        }
    }

    #[test]
    fn nobody_is_asked_alone_while_the_broadcast_is_answered() {
        let mut world = World::new(1, 0.0, true);
        world.run(600, true);
        assert_eq!(world.turns, [(0.0, AvailabilityChange::First)]);
        assert_eq!(world.asked, 0);
    }

    #[test]
    fn one_that_was_never_heard_is_gone_once() {
        let mut world = World::new(1, 0.0, true);
        world.run(3600, false);
        let [(at, AvailabilityChange::Gone)] = world.turns[..] else {
            panic!("{:?}", world.turns)
        };
        assert!((19.0..30.0).contains(&at), "{at}");
        // About twenty while it is missed, then one in five seconds and a little more.
        assert!((700..950).contains(&world.asked), "{}", world.asked);
    }

    proptest! {
        /// The bounds of the contract, with and without the broadcast, on a network that loses a tenth each way.
        #[test]
        fn gone_within_30_s_and_back_within_15_s(
            seed: u64,
            up in 30_u64..200,
            down in 35_u64..4000,
            broadcast: bool,
        ) {
            let mut world = World::new(seed, 0.0, broadcast);
            world.run(up, true);
            let dead = up as f64;
            world.run(down, false);
            let alive = dead + down as f64;
            world.run(60, true);
            let [(_, AvailabilityChange::First), (gone, AvailabilityChange::Gone), (back, AvailabilityChange::Back)] = world.turns[..] else {
                return Err(TestCaseError::fail(format!("{:?}", world.turns)));
            };
            prop_assert!((dead..dead + 30.0).contains(&gone), "gone at {gone} after {dead}");
            prop_assert!((alive..alive + 15.0).contains(&back), "back at {back} after {alive}");
        }

        #[test]
        fn loss_is_not_absence(seed: u64, broadcast: bool) {
            let mut world = World::new(seed, 0.1, broadcast);
            world.run(3600, true);
            let [(_, AvailabilityChange::First)] = world.turns[..] else {
                return Err(TestCaseError::fail(format!("{:?}", world.turns)));
            };
        }

        /// The changes alternate and nothing overflows, for any sequence of events.
        #[test]
        fn turns_alternate(seed: u64, events in prop::collection::vec((any::<bool>(), 0_u64..100_000), 0..300)) {
            let mut now = Instant::now();
            let mut presence = Availability::new(now, seed);
            let mut last = None;
            for (is_heard, gap) in events {
                now += Duration::from_millis(gap);
                let turn = if is_heard { presence.heard(now, TIMING) } else { presence.pass(now, TIMING).0 };
                if let Some(turn) = turn {
                    let fits = matches!(
                        (last, turn),
                        (None, AvailabilityChange::First | AvailabilityChange::Gone) | (Some(AvailabilityChange::First | AvailabilityChange::Back), AvailabilityChange::Gone) | (Some(AvailabilityChange::Gone), AvailabilityChange::Back)
                    );
                    prop_assert!(fits, "{last:?} and then {turn:?}");
                    prop_assert_eq!(presence.is_here(), turn != AvailabilityChange::Gone);
                    prop_assert_eq!(presence.is_gone(), turn == AvailabilityChange::Gone);
                    last = Some(turn);
                }
            }
        }
    }
}

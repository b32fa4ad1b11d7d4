//! Whether a plug answers, as a function of when it was heard. No clock and no sockets.
//!
//! The broadcast asks everybody once in a scan interval, so a plug that has not been heard for one and a half is asked on its
//! own, every second. One that stays silent through a dozen such questions is gone. Whoever is gone is asked less and less
//! often, down to a rate that the caller sets, because the broadcast finds it, too. All gaps vary a little, so that many
//! plugs that were lost together are not asked together.

use std::time::{Duration, Instant};

/// How often a plug that is missed is asked.
const MISSED_GAP: Duration = Duration::from_secs(1);
/// How long a plug is missed before it is gone: long enough that one datagram in three may be lost.
const MISSED_FOR: Duration = Duration::from_millis(12_500);
/// How soon a plug that is gone is asked again at first. Doubled each time.
const GONE_GAP: Duration = Duration::from_secs(2);

/// Whether one plug answers.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    state: State,
    /// When it is asked next, if it is not heard.
    ask: Instant,
    random: fastrand::Rng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not heard yet, since then.
    Unheard(Instant),
    /// Heard then.
    Here(Instant),
    /// Asked on its own and silent; the gap to the next question.
    Gone(Duration),
}

/// How patient to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// How often everybody is asked.
    pub(super) scan: Duration,
    /// How often one that is gone is asked at least.
    pub(super) longest_gap: Duration,
}

impl Patience {
    /// How long a plug may be silent before it is asked on its own.
    pub(super) fn quiet(self) -> Duration {
        self.scan + self.scan / 2
    }
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is heard for the first time.
    First,
    /// It is heard again after it was gone.
    Back,
    /// It does not answer any longer.
    Gone,
}

impl Presence {
    /// One that has not been heard yet. The seed sets its gaps apart from those of others.
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        let mut presence = Self {
            state: State::Unheard(now),
            ask: now,
            random: fastrand::Rng::with_seed(seed),
        };
        // A thousand plugs that a hub knows at its start are not all asked at once.
        let first = presence.vary(MISSED_GAP);
        presence.ask += first;
        presence
    }

    /// Tells whether it answers.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.state, State::Here(_))
    }

    /// Tells whether it was missed, and did not answer.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone(_))
    }

    /// Notes that it was heard.
    pub(super) fn heard(&mut self, now: Instant, patience: Patience) -> Option<Turn> {
        let turn = match self.state {
            State::Here(_) => None,
            State::Unheard(_) => Some(Turn::First),
            State::Gone(_) => Some(Turn::Back),
        };
        self.state = State::Here(now);
        self.ask = now + patience.quiet();
        turn
    }

    /// Notes that time has passed. The second value tells whether it is to be asked now.
    pub(super) fn pass(&mut self, now: Instant, patience: Patience) -> (Option<Turn>, bool) {
        let turn = self.lapse(now, patience);
        if now < self.ask {
            return (turn, false);
        }
        let gap = match &mut self.state {
            State::Unheard(_) | State::Here(_) => MISSED_GAP,
            State::Gone(gap) => {
                *gap = (*gap * 2).min(patience.longest_gap);
                *gap
            }
        };
        self.ask = now + self.vary(gap);
        (turn, true)
    }

    fn lapse(&mut self, now: Instant, patience: Patience) -> Option<Turn> {
        let (State::Here(since) | State::Unheard(since)) = self.state else {
            return None;
        };
        if now.saturating_duration_since(since) < patience.quiet() + MISSED_FOR {
            return None;
        }
        self.state = State::Gone(GONE_GAP / 2);
        Some(Turn::Gone)
    }

    /// A gap that is up to a fifth shorter.
    fn vary(&mut self, gap: Duration) -> Duration {
        gap.mul_f64(1.0 - 0.2 * self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCAN: Duration = Duration::from_secs(5);
    const PATIENCE: Patience = Patience {
        scan: SCAN,
        longest_gap: SCAN,
    };
    const STEP: Duration = Duration::from_millis(250);

    /// A plug on a network that loses this share of all questions and answers, watched by the scanner.
    struct World {
        start: Instant,
        now: Instant,
        presence: Presence,
        random: fastrand::Rng,
        loss: f64,
        /// Whether the broadcast reaches it.
        broadcast: bool,
        turns: Vec<(f64, Turn)>,
        asked: u32,
    }

    impl World {
        fn new(seed: u64, loss: f64, broadcast: bool) -> Self {
            let start = Instant::now();
            Self {
                start,
                now: start,
                presence: Presence::new(start, seed),
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

        fn note(&mut self, turn: Option<Turn>) {
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
                    let turn = self.presence.heard(self.now, PATIENCE);
                    self.note(turn);
                }
                let (turn, ask) = self.presence.pass(self.now, PATIENCE);
                self.note(turn);
                self.asked += u32::from(ask);
                if ask && alive && self.answers() {
                    let turn = self.presence.heard(self.now, PATIENCE);
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
        assert_eq!(world.turns, [(0.0, Turn::First)]);
        assert_eq!(world.asked, 0);
    }

    #[test]
    fn one_that_was_never_heard_is_gone_once() {
        let mut world = World::new(1, 0.0, true);
        world.run(3600, false);
        let [(at, Turn::Gone)] = world.turns[..] else {
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
            let [(_, Turn::First), (gone, Turn::Gone), (back, Turn::Back)] = world.turns[..] else {
                return Err(TestCaseError::fail(format!("{:?}", world.turns)));
            };
            prop_assert!((dead..dead + 30.0).contains(&gone), "gone at {gone} after {dead}");
            prop_assert!((alive..alive + 15.0).contains(&back), "back at {back} after {alive}");
        }

        #[test]
        fn loss_is_not_absence(seed: u64, broadcast: bool) {
            let mut world = World::new(seed, 0.1, broadcast);
            world.run(3600, true);
            let [(_, Turn::First)] = world.turns[..] else {
                return Err(TestCaseError::fail(format!("{:?}", world.turns)));
            };
        }

        /// Whatever happens and when, the turns alternate, and nothing overflows.
        #[test]
        fn turns_alternate(seed: u64, events in prop::collection::vec((any::<bool>(), 0_u64..100_000), 0..300)) {
            let mut now = Instant::now();
            let mut presence = Presence::new(now, seed);
            let mut last = None;
            for (is_heard, gap) in events {
                now += Duration::from_millis(gap);
                let turn = if is_heard { presence.heard(now, PATIENCE) } else { presence.pass(now, PATIENCE).0 };
                if let Some(turn) = turn {
                    let fits = matches!(
                        (last, turn),
                        (None, Turn::First | Turn::Gone) | (Some(Turn::First | Turn::Back), Turn::Gone) | (Some(Turn::Gone), Turn::Back)
                    );
                    prop_assert!(fits, "{last:?} and then {turn:?}");
                    prop_assert_eq!(presence.is_here(), turn != Turn::Gone);
                    prop_assert_eq!(presence.is_gone(), turn == Turn::Gone);
                    last = Some(turn);
                }
            }
        }
    }
}

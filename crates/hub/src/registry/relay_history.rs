//! The moves of a plug's relay: their causes, and the position to restore after an outage. No clock and no sockets.
//!
//! A plug only reports the position of its relay. A move that the hub commanded is attributed to the cause of the command. Any
//! other move was a person's, at the button or through another program, unless the plug has had no power. A long outage shows as
//! missing replies; after a short one, the plug has lost its connection.

use std::time::{Duration, Instant};

use api::{Cause, PowerOn};
use jiff::Timestamp;
use plugs::RelayState;

use super::power_on::{self, OutageKind};

/// Time for which a move of the relay is attributed to the last command.
const INTENT_TIMEOUT: Duration = Duration::from_secs(15);

/// The last move of a relay, with its time and cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayMove {
    /// The new position.
    pub relay: RelayState,
    /// The cause. Without a command of the hub it was a person, at the plug's button or through another program; but for a relay
    /// whose position has changed after an outage, it is [`Cause::PowerOn`].
    pub cause: Cause,
    /// Time of the report.
    pub at: Timestamp,
    /// Number of moves since the hub started, with this one.
    pub count: u64,
}

/// The history of one relay.
#[derive(Debug)]
pub(super) struct RelayHistory {
    /// Time at which the plug last reported its position.
    told: Option<Instant>,
    intent: Option<SwitchIntent>,
    /// The outage since which the plug has not reported its position.
    silence: Option<OutageKind>,
    /// Time at which the plug was last found to have lost its connection.
    broken: Option<Instant>,
    doubt: Option<UnexplainedMove>,
    moved: Option<RelayMove>,
    /// `true` until the last move is logged.
    is_news: bool,
    restore: Option<RelayState>,
}

#[derive(Debug)]
struct SwitchIntent {
    relay: RelayState,
    cause: Cause,
    until: Instant,
}

/// A move that is attributed to a person, unless the plug has just had no power.
#[derive(Debug, Clone, Copy)]
struct UnexplainedMove {
    before: RelayState,
    /// Time of the last report of the previous position.
    since: Instant,
}

/// A report of the relay's position.
#[derive(Debug, Clone, Copy)]
pub(super) struct RelayReport {
    pub(super) now: Instant,
    pub(super) at: Timestamp,
    /// The position of the last report.
    pub(super) before: Option<RelayState>,
    pub(super) relay: RelayState,
    pub(super) policy: Option<PowerOn>,
}

impl RelayHistory {
    /// Makes the history of a plug that was not heard yet.
    pub(super) fn new() -> Self {
        Self {
            told: None,
            intent: None,
            silence: Some(OutageKind::Hub),
            broken: None,
            doubt: None,
            moved: None,
            is_news: false,
            restore: None,
        }
    }

    pub(super) fn moved(&self) -> Option<&RelayMove> {
        self.moved.as_ref()
    }

    /// Returns the last move once, when its cause is certain.
    pub(super) fn take_news(&mut self) -> Option<RelayMove> {
        let is_news = self.doubt.is_none() && std::mem::take(&mut self.is_news);
        self.moved.clone().filter(|_| is_news)
    }

    /// Returns `true` if the plug has not reported its position since the hub started.
    pub(super) fn is_first_report(&self) -> bool {
        self.silence == Some(OutageKind::Hub)
    }

    /// Returns the position to which it has to be moved after an outage.
    pub(super) fn to_restore(&self) -> Option<RelayState> {
        self.restore
    }

    /// Returns `true` if the connection has to be checked to determine the cause of the last move.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Attributes the next move to `relay` to `cause`.
    pub(super) fn intend(&mut self, now: Instant, relay: RelayState, cause: Cause) {
        // Any other cause decides; the position before an outage no longer matters.
        if cause != Cause::PowerOn {
            self.restore = None;
        }
        self.doubt = None;
        self.intent = Some(SwitchIntent {
            relay,
            cause,
            until: now + INTENT_TIMEOUT,
        });
    }

    /// Records that the position was restored, or cannot be.
    pub(super) fn restored(&mut self) {
        self.restore = None;
    }

    /// Records that the plug no longer replies.
    pub(super) fn gone(&mut self) {
        self.silence = Some(OutageKind::Plug);
    }

    /// Records that the plug has lost or closed its connection.
    pub(super) fn broke(&mut self, now: Instant) {
        self.broken = Some(now);
    }

    /// Applies a report of the position.
    pub(super) fn tells(&mut self, told: RelayReport) {
        let last = self.told.replace(told.now);
        let silence = self.silence.take();
        if let Some(silence) = silence {
            self.restore = power_on::restore(told.policy, silence, told.before, told.relay);
        }
        let Some(before) = told.before.filter(|before| *before != told.relay) else {
            return;
        };
        let cause = match self.intended(told.now, told.relay) {
            Some(cause) => cause,
            None if silence.is_some() => Cause::PowerOn,
            None => {
                let since = last.unwrap_or(told.now);
                self.doubt = told.policy.map(|_| UnexplainedMove { before, since });
                Cause::Person
            }
        };
        let earlier = self.moved.as_ref().map_or(0, |moved| moved.count);
        self.moved = Some(RelayMove {
            relay: told.relay,
            cause,
            at: told.at,
            count: earlier + 1,
        });
        self.is_news = true;
    }

    /// Determines the cause of the last move, now that the connection has been checked; the relay is at `relay`. Returns whether
    /// the plug has had no power.
    pub(super) fn settle(&mut self, relay: Option<RelayState>, policy: Option<PowerOn>) -> bool {
        let Some(doubt) = self.doubt.take() else {
            return false;
        };
        if self.broken.is_none_or(|broken| broken < doubt.since) {
            return false;
        }
        if let Some(moved) = &mut self.moved {
            moved.cause = Cause::PowerOn;
        }
        let before = Some(doubt.before);
        self.restore =
            relay.and_then(|now| power_on::restore(policy, OutageKind::Plug, before, now));
        true
    }

    /// Returns the cause of the command to move to `relay`, if there was one.
    fn intended(&mut self, now: Instant, relay: RelayState) -> Option<Cause> {
        let intent = self
            .intent
            .take_if(|intent| intent.relay == relay || intent.until <= now)?;
        (intent.until > now).then_some(intent.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RelayState::{Off, On};

    /// One relay and its time.
    struct RelayBench {
        relay: RelayHistory,
        now: Instant,
        position: Option<RelayState>,
        policy: Option<PowerOn>,
    }

    impl RelayBench {
        fn new(policy: Option<PowerOn>, position: RelayState) -> Self {
            let mut bench = Self {
                relay: RelayHistory::new(),
                now: Instant::now(),
                position: Some(position),
                policy,
            };
            bench.tells(position);
            assert_eq!(bench.relay.moved(), None);
            bench
        }

        fn tells(&mut self, relay: RelayState) {
            self.now += Duration::from_secs(5);
            self.relay.tells(RelayReport {
                now: self.now,
                at: Timestamp::UNIX_EPOCH,
                before: self.position.replace(relay),
                relay,
                policy: self.policy,
            });
        }

        fn intend(&mut self, relay: RelayState, cause: Cause) {
            self.relay.intend(self.now, relay, cause);
        }

        fn settle(&mut self) -> bool {
            self.relay.settle(self.position, self.policy)
        }

        fn cause(&self) -> Cause {
            self.relay.moved().unwrap().cause.clone()
        }
    }

    fn rule() -> Cause {
        Cause::Rule {
            id: "r-00000001".parse().unwrap(),
            name: "a".to_owned(),
            why: "b".to_owned(),
        }
    }

    #[test]
    fn a_move_is_put_down_to_who_ordered_it_and_others_to_a_person() {
        let mut bench = RelayBench::new(None, Off);
        bench.intend(On, rule());
        bench.tells(Off);
        assert_eq!(bench.relay.moved(), None);
        bench.tells(On);
        assert_eq!(bench.cause(), rule());
        bench.tells(Off);
        assert_eq!(bench.cause(), Cause::Person);
        // An order that came to nothing does not answer for what happens later.
        bench.intend(On, rule());
        for _ in 0..3 {
            bench.tells(Off);
        }
        bench.tells(On);
        assert_eq!(bench.cause(), Cause::Person);
        assert!(!bench.relay.is_in_doubt(), "nothing depends on it");
    }

    #[test]
    fn a_press_of_the_button_stays_one_while_the_connection_holds() {
        let mut bench = RelayBench::new(Some(PowerOn::Last), On);
        bench.relay.broke(bench.now);
        bench.tells(On);
        bench.tells(Off);
        assert!(bench.relay.is_in_doubt());
        assert!(!bench.settle(), "it broke before it was last heard");
        assert_eq!(bench.cause(), Cause::Person);
        assert_eq!(bench.relay.to_restore(), None);
        assert!(!bench.relay.is_in_doubt() && !bench.settle());
    }

    #[test]
    fn a_lost_connection_makes_it_a_short_outage() {
        let mut bench = RelayBench::new(Some(PowerOn::Last), On);
        bench.relay.broke(bench.now + Duration::from_secs(1));
        bench.tells(Off);
        assert!(bench.settle());
        assert_eq!(bench.cause(), Cause::PowerOn);
        assert_eq!(bench.relay.to_restore(), Some(On));
        bench.relay.restored();
        assert_eq!(bench.relay.to_restore(), None);
    }

    #[test]
    fn who_switches_meanwhile_decides() {
        let mut bench = RelayBench::new(Some(PowerOn::On), On);
        bench.relay.gone();
        bench.tells(Off);
        assert_eq!(bench.relay.to_restore(), Some(On));
        bench.intend(Off, Cause::Person);
        assert_eq!(bench.relay.to_restore(), None);

        let mut bench = RelayBench::new(Some(PowerOn::On), On);
        bench.tells(Off);
        bench.intend(Off, Cause::Person);
        bench.relay.broke(bench.now);
        assert!(!bench.settle());
        assert_eq!(bench.relay.to_restore(), None);
    }

    #[test]
    fn an_outage_is_nobodys_wish() {
        let mut bench = RelayBench::new(None, On);
        bench.relay.gone();
        bench.tells(Off);
        assert_eq!(bench.cause(), Cause::PowerOn);
        assert_eq!(bench.relay.to_restore(), None);
        // It counts once.
        bench.tells(On);
        assert_eq!(bench.cause(), Cause::Person);
    }
}

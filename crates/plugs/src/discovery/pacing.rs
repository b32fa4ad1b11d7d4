//! The pace of rounds of probes.

use std::time::Duration;

/// The delay after the first round, its growth from round to round, and its bound. Faster would lose replies in
/// a crowd of plugs and several probes in one burst of interference; slower would make a lossy network take too long.
const FIRST_ROUND_DELAY: Duration = Duration::from_millis(60);
const ROUND_DELAY_STEP: Duration = Duration::from_millis(8);
const MAX_ROUND_DELAY: Duration = Duration::from_millis(100);
/// Maximum delay while nothing has replied: there is no hurry, but a lossy network needs its twenty rounds too.
const MAX_UNHEARD_DELAY: Duration = Duration::from_millis(250);
/// Maximum delay for plugs that reply slowly, such as those that sleep between beacons of their access point.
const MAX_SLOW_DELAY: Duration = Duration::from_millis(300);

/// The phase of a search, as far as it matters for the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchPhase {
    /// Nothing has replied.
    Unheard,
    /// Plugs reply; there may be more of them.
    Curious,
    /// All plugs have been found as far as can be known, but the caller continues the search.
    Resting(Duration),
}

/// The pace of one family's rounds.
///
/// A delay should be long enough for slow plugs to reply in it. Otherwise a reply to one round is counted for the next, and the
/// round to which it belongs is counted as a loss.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundPacing {
    gap: Duration,
    stretch: Duration,
    answers: u32,
    late: u32,
}

impl RoundPacing {
    /// Records a reply that came this long after the latest probe.
    pub(super) fn note_answer(&mut self, after: Duration) {
        self.answers += 1;
        if after > self.gap * 3 / 5 {
            self.late += 1;
        }
    }

    /// Records the delay of the very first reply after the first probe, where later probes were sent before it.
    pub(super) fn note_slow_start(&mut self, after: Duration) {
        self.stretch = (after * 6 / 5).min(MAX_SLOW_DELAY);
    }

    /// Returns the delay after the round with this number, counted from 1.
    pub(super) fn next_gap(&mut self, round: u32, mood: SearchPhase) -> Duration {
        let usual = (FIRST_ROUND_DELAY + ROUND_DELAY_STEP * round.saturating_sub(1).min(100))
            .min(MAX_ROUND_DELAY);
        // A few stragglers are no reason to slow down.
        if self.late * 10 > self.answers {
            self.stretch = (self.stretch.max(self.gap) * 3 / 2).min(MAX_SLOW_DELAY);
        } else {
            self.stretch = self.stretch * 4 / 5;
        }
        self.answers = 0;
        self.late = 0;
        self.gap = match mood {
            SearchPhase::Unheard => (self.gap * 6 / 5).clamp(FIRST_ROUND_DELAY, MAX_UNHEARD_DELAY),
            SearchPhase::Curious => usual.max(self.stretch),
            SearchPhase::Resting(gap) => gap,
        };
        self.gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn usual_pace() {
        let mut pace = RoundPacing::default();
        let gaps: Vec<Duration> = (1..=7)
            .map(|round| {
                let gap = pace.next_gap(round, SearchPhase::Curious);
                pace.note_answer(ms(20));
                gap
            })
            .collect();
        assert_eq!(gaps, [60, 68, 76, 84, 92, 100, 100].map(ms));
    }

    #[test]
    fn slow_answers_stretch_it_and_quick_ones_bring_it_back() {
        let mut pace = RoundPacing::default();
        pace.next_gap(1, SearchPhase::Curious);
        for round in 2..8 {
            pace.note_answer(ms(150));
            pace.next_gap(round, SearchPhase::Curious);
        }
        let stretched = pace.gap;
        assert!(
            stretched >= ms(250) && stretched <= MAX_SLOW_DELAY,
            "{stretched:?}"
        );
        for round in 8..16 {
            pace.note_answer(ms(5));
            pace.next_gap(round, SearchPhase::Curious);
        }
        assert_eq!(pace.gap, MAX_ROUND_DELAY);
    }

    #[test]
    fn silence_slows_down() {
        let mut pace = RoundPacing::default();
        let total: Duration = (1..=20)
            .map(|round| pace.next_gap(round, SearchPhase::Unheard))
            .sum();
        assert!(total > ms(3000) && total < ms(4000), "{total:?}");
        assert_eq!(pace.gap, MAX_UNHEARD_DELAY);
    }
}

//! Moments in the past as people type them, for `mains history` and `mains energy`.

use std::str::FromStr;

use api::text::LocalClock;
use api::{Moment, RangeRequest, duration};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::context::Context;
use crate::ui::{DIM, clean, paint};

/// A moment as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PastMoment {
    /// A date or a time, which the hub reads in its own time zone.
    Written(Moment),
    /// A duration before now.
    Ago(SignedDuration),
    /// A day relative to today.
    Day(i64),
}

impl FromStr for PastMoment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "now" => return Ok(Self::Ago(SignedDuration::ZERO)),
            "today" => return Ok(Self::Day(0)),
            "yesterday" => return Ok(Self::Day(-1)),
            _ => {}
        }
        let is_time = text.parse::<Timestamp>().is_ok()
            || DateTime::strptime("%Y-%m-%dT%H:%M", text).is_ok()
            || DateTime::strptime("%Y-%m-%dT%H:%M:%S", text).is_ok();
        if is_time || Date::strptime("%Y-%m-%d", text).is_ok() {
            return text.parse().map(Self::Written);
        }
        let ago = duration::parse(text)
            .ok()
            .and_then(|ago| SignedDuration::try_from(ago).ok());
        ago.map(Self::Ago).ok_or_else(|| {
            "not a moment; write a date (2026-11-22), a time (2026-11-22T18:00, 2026-11-22T17:00:00Z), a duration before \
             now (24h, 7d), or `yesterday`, `today`, `now`"
                .to_owned()
        })
    }
}

impl PastMoment {
    /// Returns the moment that the hub reads.
    pub(super) fn moment(&self, clock: &LocalClock) -> Moment {
        match self {
            Self::Written(moment) => *moment,
            Self::Ago(ago) => Moment::Instant(clock.now().timestamp() - *ago),
            Self::Day(days) => Moment::Day(clock.now().date() + days.days()),
        }
    }
}

/// Says whose time zone days and times are of, where it is not this computer's.
pub(super) fn name_zone(context: &Context, clock: &LocalClock) {
    if let Some(zone) = clock.foreign_zone() {
        let note = format!("days and times are the hub's ({})", clean(zone));
        context.ui.status(paint(DIM, note));
    }
}

/// Returns the range between two moments.
pub(super) fn range(
    from: Option<&PastMoment>,
    to: Option<&PastMoment>,
    clock: &LocalClock,
) -> RangeRequest {
    RangeRequest {
        from: from.map(|moment| moment.moment(clock)),
        to: to.map(|moment| moment.moment(clock)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::tests::clock;

    #[test]
    fn moments_become_those_of_the_hub() {
        for (text, expected) in [
            ("2026-11-22", "2026-11-22"),
            ("2026-11-22T18:00", "2026-11-22T18:00:00"),
            ("2026-11-22T18:00:30", "2026-11-22T18:00:30"),
            ("2026-11-22T17:00:00Z", "2026-11-22T17:00:00Z"),
            ("2026-11-22T18:00:00+01:00", "2026-11-22T17:00:00Z"),
            ("24h", "2026-11-21T12:00:00Z"),
            ("7d", "2026-11-15T12:00:00Z"),
            ("now", "2026-11-22T12:00:00Z"),
            ("today", "2026-11-22"),
            ("yesterday", "2026-11-21"),
        ] {
            let moment: PastMoment = text.parse().unwrap();
            assert_eq!(moment.moment(&clock()).to_string(), expected, "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "18:00",
            "2026-02-30",
            "22.11.2026",
            "-7d",
            "7",
            "2026-11-22 18:00 ",
        ] {
            assert!(text.parse::<PastMoment>().is_err(), "{text}");
        }
    }
}

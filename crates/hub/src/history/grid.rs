//! Division of a time range into steps.
//!
//! Pure: the time zone is a parameter.

use api::{Period, RequestError, TimeRange};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::store::HistoryStep;

/// Maximum number of points in a response.
pub(super) const MAX_POINTS: i64 = 10_000;
/// Maximum number of points if no step is given.
const DEFAULT_POINTS: i64 = 1_500;
const DAY: i64 = 24 * 60 * 60;

/// Steps that make readable axes, in seconds.
const LADDER: [i64; 14] = [
    1,
    5,
    10,
    30,
    60,
    5 * 60,
    15 * 60,
    60 * 60,
    6 * 60 * 60,
    DAY,
    7 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
];

/// The steps of a range; for steps of whole days also the beginning of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) seconds: i64,
    pub(super) step: HistoryStep,
    pub(super) edges: Vec<Timestamp>,
}

impl Grid {
    /// Divides a range into steps of a length, or chooses one for a readable graph.
    pub(super) fn new(
        range: TimeRange,
        step: Option<Period>,
        zone: &TimeZone,
    ) -> Result<Self, RequestError> {
        let length = range.seconds();
        let seconds = match step {
            Some(step) => whole_seconds(step)?,
            None => rung(length, DEFAULT_POINTS),
        };
        let points = length.div_euclid(seconds) + 1;
        if points > MAX_POINTS {
            let finest = Period::seconds(rung(length, MAX_POINTS).unsigned_abs());
            let message =
                format!("step: that makes {points} points; there are at most {MAX_POINTS}");
            let hint = format!("take `{finest}` or longer, or less time at once");
            return Err(RequestError::usage(message).hint(hint).at("step"));
        }
        let (step, edges) = if seconds < DAY {
            let step = u32::try_from(seconds).expect("a day has fewer seconds than 32 bits count");
            (HistoryStep::Seconds(step), Vec::new())
        } else {
            let edges = days(range, seconds.div_euclid(DAY), zone)?;
            (HistoryStep::Edges, edges)
        };
        Ok(Self {
            seconds,
            step,
            edges,
        })
    }
}

/// Returns the finest step of the ladder that divides a length in seconds into at most `points` points.
fn rung(length: i64, points: i64) -> i64 {
    let fits = |step: &&i64| length.div_euclid(**step) < points;
    LADDER.iter().find(fits).copied().unwrap_or(365 * DAY)
}

/// Returns the start of every `count`th local day in the range, and the end of the last.
fn days(range: TimeRange, count: i64, zone: &TimeZone) -> Result<Vec<Timestamp>, RequestError> {
    let mut day = zone.to_datetime(range.from).date();
    let mut edges = vec![midnight(day, zone)?];
    loop {
        day = day.checked_add(count.days()).map_err(|_| outside())?;
        let edge = midnight(day, zone)?;
        edges.push(edge);
        if edge >= range.to {
            return Ok(edges);
        }
    }
}

fn midnight(date: Date, zone: &TimeZone) -> Result<Timestamp, RequestError> {
    zone.to_timestamp(date.into()).map_err(|_| outside())
}

/// Returns the error for a range that leaves the years that are known.
pub(super) fn outside() -> RequestError {
    RequestError::usage("to: not between the years 1970 and 2200").at("to")
}

fn whole_seconds(step: Period) -> Result<i64, RequestError> {
    let wrong = |what: &str| RequestError::usage(format!("step: {what}")).at("step");
    if step.get().subsec_nanos() != 0 {
        return Err(wrong("it has to be whole seconds"));
    }
    let seconds = i64::try_from(step.get().as_secs()).map_err(|_| wrong("it is too long"))?;
    if seconds > DAY && seconds % DAY != 0 {
        return Err(wrong("from a day on it has to be whole days"));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use api::RangeRequest;
    use jiff::SignedDuration;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Divides a range that ends at noon of 22 November 2026 unless `to` is given, and is a day long unless `from` is given.
    fn grid(from: &str, to: &str, step: Option<&str>) -> Result<Grid, RequestError> {
        let moment = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let request = RangeRequest {
            from: moment(from),
            to: moment(to),
        };
        let day_before = |to: Timestamp| Ok(to - SignedDuration::from_hours(24));
        let range = request.resolve(time("2026-11-22T12:00:00Z"), &berlin(), day_before);
        let step = step.map(|step| step.parse().unwrap());
        Grid::new(range.unwrap(), step, &berlin())
    }

    #[test]
    fn a_good_picture_without_a_step() {
        for (from, to, seconds) in [
            ("", "", 60),
            ("2026-11-22T11:59:00Z", "", 1),
            ("2026-11-22T11:00:00Z", "", 5),
            ("2026-11-15", "", 15 * 60),
            ("2026-01-01", "", 6 * 3600),
            ("2023-01-01", "", DAY),
            ("2022-01-01", "", 7 * DAY),
            ("1970-01-01", "2199-12-31", 90 * DAY),
        ] {
            let grid = grid(from, to, None).unwrap();
            assert_eq!(grid.seconds, seconds, "{from} {to}");
        }
    }

    #[test]
    fn too_many_points_are_refused_before_they_are_read() {
        assert!(grid("2026-11-22T10:00:00Z", "", Some("1s")).is_ok());
        let error = grid("2026-11-01", "", Some("10s")).unwrap_err();
        assert_eq!(error.field(), Some("step"));
        assert!(error.hint_text().unwrap().contains("`5m`"), "{error:?}");
        assert!(grid("1970-01-01", "2199-12-31", Some("1d")).is_err());
        for step in ["1500ms", "25h", "1d1s"] {
            let error = grid("", "", Some(step)).unwrap_err();
            assert_eq!(error.field(), Some("step"), "{step}");
        }
    }

    #[test]
    fn days_are_local_and_as_long_as_they_are() {
        let edges = grid("2026-10-24", "2026-10-26", Some("1d")).unwrap().edges;
        let expected = [
            "2026-10-23T22",
            "2026-10-24T22",
            "2026-10-25T23",
            "2026-10-26T23",
        ];
        let expected: Vec<_> = expected.map(|hour| time(&format!("{hour}:00:00Z"))).into();
        assert_eq!(edges, expected);
        let week = grid("2026-10-24", "2026-10-26", Some("7d")).unwrap();
        assert_eq!((week.edges.len(), week.seconds), (2, 7 * DAY));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_for_is_bounded(from in 0_i64..7_258_118_400, length in 1_i64..7_258_118_400, step in proptest::option::of(1_u64..40_000_000)) {
            let at = |second| Timestamp::from_second(second).unwrap();
            let range = TimeRange { from: at(from), to: at(from + length) };
            let step = step.map(Period::seconds);
            if let Ok(grid) = Grid::new(range, step, &berlin()) {
                proptest::prop_assert!(length / grid.seconds < MAX_POINTS);
                if grid.step == HistoryStep::Edges {
                    proptest::prop_assert!(grid.edges.len() as i64 <= MAX_POINTS + 2);
                    proptest::prop_assert!(grid.edges[0] <= range.from);
                    proptest::prop_assert!(grid.edges[grid.edges.len() - 1] >= range.to);
                    proptest::prop_assert!(grid.edges.is_sorted());
                }
            }
        }
    }
}

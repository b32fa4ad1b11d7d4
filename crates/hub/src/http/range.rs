//! Time ranges of requests: two moments and a step, checked before anything is read.
//!
//! Pure: now and the time zone are parameters.

use std::str::FromStr;

use api::{Period, RequestError, excerpt};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::query::Params;
use crate::store::HistoryStep;

/// Maximum number of points in a response.
pub(crate) const MAX_POINTS: i64 = 10_000;
/// Maximum number of points if no step is given.
const DEFAULT_POINTS: i64 = 1_500;
const DAY: i64 = 24 * 60 * 60;
/// The first second of 2200.
const END: i64 = 7_258_118_400;

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

/// A time range: includes its start, excludes its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// The steps of a range; for steps of whole days also the beginning of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) seconds: i64,
    pub(crate) step: HistoryStep,
    pub(crate) edges: Vec<Timestamp>,
}

impl Range {
    /// Reads `from` and `to`. Without `to` the range ends now; without `from` it starts at the moment that `default` returns.
    pub(crate) fn read(
        params: &Params,
        now: Timestamp,
        zone: &TimeZone,
        default: impl Fn(Timestamp) -> Result<Timestamp, RequestError>,
    ) -> Result<Self, RequestError> {
        let to = match params.text("to")? {
            Some(text) => moment("to", text, zone, Edge::End)?,
            None => now,
        };
        let from = match params.text("from")? {
            Some(text) => moment("from", text, zone, Edge::Begin)?,
            None => default(to)?,
        };
        if from >= to {
            let message = format!("from: it is {from:.0}, which is not before `to`, {to:.0}");
            return Err(RequestError::usage(message).at("from"));
        }
        Ok(Self { from, to })
    }

    /// Returns the length in seconds, rounded up.
    fn seconds(self) -> i64 {
        let length = self.from.duration_until(self.to);
        length.as_secs() + i64::from(length.subsec_nanos() > 0)
    }

    /// Reads `step`, or chooses one for a readable graph.
    pub(crate) fn grid(self, step: Option<Period>, zone: &TimeZone) -> Result<Grid, RequestError> {
        let seconds = match step {
            Some(step) => whole_seconds(step)?,
            None => self.default_step(),
        };
        let points = self.seconds().div_euclid(seconds) + 1;
        if points > MAX_POINTS {
            let finest = Period::seconds(self.finest().unsigned_abs());
            let message =
                format!("step: that makes {points} points; there are at most {MAX_POINTS}");
            let hint = format!("take `{finest}` or longer, or less time at once");
            return Err(RequestError::usage(message).hint(hint).at("step"));
        }
        if seconds < DAY {
            let step = HistoryStep::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX));
            return Ok(Grid {
                seconds,
                step,
                edges: Vec::new(),
            });
        }
        Ok(Grid {
            seconds,
            step: HistoryStep::Edges,
            edges: self.days(seconds.div_euclid(DAY), zone)?,
        })
    }

    fn default_step(self) -> i64 {
        self.rung(DEFAULT_POINTS)
    }

    fn finest(self) -> i64 {
        self.rung(MAX_POINTS)
    }

    /// Returns the finest step of the ladder that results in at most `points` points.
    fn rung(self, points: i64) -> i64 {
        let fits = |step: &&i64| self.seconds().div_euclid(**step) < points;
        LADDER.iter().find(fits).copied().unwrap_or(365 * DAY)
    }

    /// Returns the start of every `count`th local day in the range, and the end of the last.
    fn days(self, count: i64, zone: &TimeZone) -> Result<Vec<Timestamp>, RequestError> {
        let mut day = zone.to_datetime(self.from).date();
        let mut edges = vec![midnight(day, zone)?];
        loop {
            day = day.checked_add(count.days()).map_err(|_| outside("to"))?;
            let edge = midnight(day, zone)?;
            edges.push(edge);
            if edge >= self.to {
                return Ok(edges);
            }
        }
    }
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

/// A moment between 1970 and 2200: RFC 3339, or a local date with or without a time.
#[derive(Debug)]
pub(crate) enum Moment {
    /// An instant.
    Instant(Timestamp),
    /// A local date and time.
    Local(DateTime),
    /// A local day as a whole.
    Day(Date),
}

/// The edge of a local day that a bare date stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "A moment between 1970 and 2200: RFC 3339, or a local date with or without a time.",
            ))
            .pattern(Some(r"^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])?)?)?$"))
            // One that can stand at both ends.
            .examples(["2026-11-22"])
            .into()
    }
}

impl ToSchema for Moment {}

impl FromStr for Moment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains(['T', 't', ' ', ':'])
            && let Ok(date) = text.parse()
        {
            return Ok(Self::Day(date));
        }
        let instant = text.parse().map(Self::Instant);
        instant
            .or_else(|_| text.parse().map(Self::Local))
            .map_err(drop)
    }
}

/// Parses one end of a range.
fn moment(name: &str, text: &str, zone: &TimeZone, edge: Edge) -> Result<Timestamp, RequestError> {
    let moment = match text.parse().map_err(|()| unreadable(name, text))? {
        Moment::Day(date) => return day(name, date, zone, edge),
        Moment::Instant(moment) => moment,
        Moment::Local(time) => zone.to_timestamp(time).map_err(|_| outside(name))?,
    };
    if moment < Timestamp::UNIX_EPOCH || moment.as_second() >= END {
        return Err(outside(name));
    }
    Ok(moment)
}

fn day(name: &str, date: Date, zone: &TimeZone, edge: Edge) -> Result<Timestamp, RequestError> {
    if !(1970..2200).contains(&date.year()) {
        return Err(outside(name));
    }
    let date = match edge {
        Edge::Begin => date,
        Edge::End => date.tomorrow().map_err(|_| outside(name))?,
    };
    // East of Greenwich the first day of 1970 begins before 1970.
    Ok(midnight(date, zone)?.max(Timestamp::UNIX_EPOCH))
}

fn midnight(date: Date, zone: &TimeZone) -> Result<Timestamp, RequestError> {
    // Where clocks go forward at midnight, the day begins at the first time that exists.
    zone.to_timestamp(date.into()).map_err(|_| outside("from"))
}

fn outside(name: &str) -> RequestError {
    RequestError::usage(format!("{name}: not between the years 1970 and 2200")).at(name)
}

fn unreadable(name: &str, text: &str) -> RequestError {
    let shown = excerpt(text);
    let error =
        RequestError::usage(format!("{name}: \u{2018}{shown}\u{2019} is not a time")).at(name);
    // `+02:00` in a query that was not escaped.
    if text.contains(' ') {
        return error.hint("in a URL a + is written %2B; times in UTC end in Z");
    }
    error.hint("write it like 2026-11-22T12:00:00Z, or a local date like 2026-11-22")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::query::tests::params;
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(query: &str) -> Result<Range, RequestError> {
        let day_before = |to: Timestamp| Ok(to - SignedDuration::from_hours(24));
        Range::read(
            &params(query),
            time("2026-11-22T12:00:00Z"),
            &berlin(),
            day_before,
        )
    }

    #[test]
    fn the_last_day_unless_told_otherwise() {
        let range = read("").unwrap();
        assert_eq!(range.from, time("2026-11-21T12:00:00Z"));
        assert_eq!(range.to, time("2026-11-22T12:00:00Z"));
        let range = read("to=2026-01-02T00:00:00Z").unwrap();
        assert_eq!(range.from, time("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn times_as_people_and_programs_write_them() {
        for (query, from, to) in [
            (
                "from=2026-11-22&to=2026-11-22",
                "2026-11-21T23:00:00Z",
                "2026-11-22T23:00:00Z",
            ),
            (
                "from=2026-03-29&to=2026-03-29",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                "from=2026-11-22T10:00&to=2026-11-22T11:00:30",
                "2026-11-22T09:00:00Z",
                "2026-11-22T10:00:30Z",
            ),
            (
                "from=2026-11-22T10:00:00%2B02:00&to=2026-11-22T10:00:00Z",
                "2026-11-22T08:00:00Z",
                "2026-11-22T10:00:00Z",
            ),
            (
                "from=1970-01-01&to=2199-12-31",
                "1970-01-01T00:00:00Z",
                "2199-12-31T23:00:00Z",
            ),
        ] {
            let expected = Range {
                from: time(from),
                to: time(to),
            };
            assert_eq!(read(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn times_that_make_no_sense_are_named() {
        for (query, field) in [
            ("from=yesterday", "from"),
            ("to=", "to"),
            ("from=2026-02-30", "from"),
            ("from=1969-12-31", "from"),
            ("from=1969-12-31T23:59:59Z", "from"),
            ("from=1969-12-31T23:59:59.999Z", "from"),
            ("to=2200-01-01", "to"),
            ("to=2200-01-01T00:00:00Z", "to"),
            ("to=9999-12-31", "to"),
            ("from=-009999-01-01", "from"),
            ("to=9999-12-31T23:59:59Z", "to"),
            ("from=2026-11-23", "from"),
            ("from=2026-11-22T12:00:00Z", "from"),
            ("from=2026-11-02&to=2026-11-01", "from"),
            ("from=2026-11-22T10:00:00+02:00", "from"),
            ("from=2026-11-22&from=2026-11-22", "from"),
            ("from=99999999999999999999", "from"),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!(error.field(), Some(field), "{query}: {error}");
        }
        let error = read("from=2026-11-22T10:00:00+02:00").unwrap_err();
        assert!(error.hint_text().unwrap().contains("%2B"));
    }

    fn grid(query: &str, step: Option<&str>) -> Result<Grid, RequestError> {
        let step = step.map(|step| step.parse().unwrap());
        read(query).unwrap().grid(step, &berlin())
    }

    #[test]
    fn a_good_picture_without_a_step() {
        for (query, seconds) in [
            ("", 60),
            ("from=2026-11-22T11:59:00Z", 1),
            ("from=2026-11-22T11:00:00Z", 5),
            ("from=2026-11-15", 15 * 60),
            ("from=2026-01-01", 6 * 3600),
            ("from=2023-01-01", DAY),
            ("from=2022-01-01", 7 * DAY),
            ("from=1970-01-01&to=2199-12-31", 90 * DAY),
        ] {
            let grid = grid(query, None).unwrap();
            assert_eq!(grid.seconds, seconds, "{query}");
        }
    }

    #[test]
    fn too_many_points_are_refused_before_they_are_read() {
        assert!(grid("from=2026-11-22T10:00:00Z", Some("1s")).is_ok());
        let error = grid("from=2026-11-01", Some("10s")).unwrap_err();
        assert_eq!(error.field(), Some("step"));
        assert!(error.hint_text().unwrap().contains("`5m`"), "{error:?}");
        assert!(grid("from=1970-01-01&to=2199-12-31", Some("1d")).is_err());
        for step in ["1500ms", "25h", "1d1s"] {
            assert_eq!(
                grid("", Some(step)).unwrap_err().field(),
                Some("step"),
                "{step}"
            );
        }
    }

    #[test]
    fn days_are_local_and_as_long_as_they_are() {
        let edges = grid("from=2026-10-24&to=2026-10-26", Some("1d"))
            .unwrap()
            .edges;
        let expected = [
            "2026-10-23T22",
            "2026-10-24T22",
            "2026-10-25T23",
            "2026-10-26T23",
        ];
        let expected: Vec<_> = expected.map(|hour| time(&format!("{hour}:00:00Z"))).into();
        assert_eq!(edges, expected);
        let week = grid("from=2026-10-24&to=2026-10-26", Some("7d")).unwrap();
        assert_eq!((week.edges.len(), week.seconds), (2, 7 * DAY));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(from in "\\PC*", to in "\\PC*") {
            let zone = berlin();
            let _ = moment("from", &from, &zone, Edge::Begin);
            let _ = moment("to", &to, &zone, Edge::End);
        }

        #[test]
        fn whatever_is_asked_for_is_bounded(from in 0_i64..7_258_118_400, length in 1_i64..7_258_118_400, step in proptest::option::of(1_u64..40_000_000)) {
            let at = |second| Timestamp::from_second(second).unwrap();
            let range = Range { from: at(from), to: at(from + length) };
            let step = step.map(Period::seconds);
            if let Ok(grid) = range.grid(step, &berlin()) {
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

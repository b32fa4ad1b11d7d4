//! Answers history queries by sums over steps: from the coarsest rows that are fine enough; where those are already removed,
//! the steps become as long as the rows that are left.

use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;

use super::scale::from_thousandths;
use super::spread::{MINUTE, QUARTER, floor};
use super::steps::{
    ConsumptionRow, SecondRange, StepBoundaries, StepSums, TierExtent, TierRanges, add_to,
};
use super::sum::SpanSum;
use super::{HistoryPoint, HistoryQuery, HistorySteps, Quarter, Tier};

/// Number of steps, readings or quarters of an hour that one query returns.
const ROWS_PER_QUERY: usize = 10_000;

/// (readings, power, low, high, energy)
pub(super) type SumRow = (i64, Option<i64>, Option<i64>, Option<i64>, i64);

/// The queries by which history is read from a database. Ranges are without their end.
#[async_trait]
pub(super) trait HistoryReader: Sync {
    /// Returns the series of a plug, if it has history.
    async fn series_of(&self, plug: Mac) -> Result<Option<i64>, sqlx::Error>;

    /// Returns the series of one plug or all, by plug.
    async fn series(&self, plug: Option<Mac>) -> Result<Vec<(Mac, i64)>, sqlx::Error>;

    /// Returns the first reading (in milliseconds), the first and last minute, and the first and last quarter (in seconds).
    async fn extent(&self, series: i64) -> Result<[Option<i64>; 5], sqlx::Error>;

    /// Returns the sum of the rows of a tier, minutes or quarters, in each range of seconds.
    async fn sums(
        &self,
        tier: Tier,
        series: i64,
        ranges: &[(i64, i64)],
    ) -> Result<Vec<SumRow>, sqlx::Error>;

    /// Returns readings of a range of milliseconds, by time.
    async fn consumption(
        &self,
        series: i64,
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<ConsumptionRow>, sqlx::Error>;

    /// Returns readings from a millisecond on whose energy was partly used before it. That need not be the next one alone: where a plug
    /// continues another's history, the gaps of both lie side by side.
    async fn across(&self, series: i64, at: i64) -> Result<Vec<ConsumptionRow>, sqlx::Error>;

    /// Returns time and energy of the quarters in a range of seconds, by time.
    async fn energies(
        &self,
        series: i64,
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<(i64, i64)>, sqlx::Error>;
}

/// Answers a query.
pub(super) async fn history(
    database: &impl HistoryReader,
    query: &HistoryQuery,
) -> Result<HistorySteps, sqlx::Error> {
    let Some(plug) = database.series_of(query.plug).await? else {
        return Ok(HistorySteps {
            step: query.step,
            points: Vec::new(),
        });
    };
    let extent = extent(database, plug).await?;
    let steps = StepBoundaries::of(query).coarsened(query, extent);
    let range = steps.widened(query);
    let parts = TierRanges::of(steps.tier(), range, extent);
    let mut sums = StepSums::new();
    for (tier, size, part) in [
        (
            Tier::Quarters,
            QUARTER,
            parts.quarters.within(extent.quarters),
        ),
        (Tier::Minutes, MINUTE, parts.minutes.within(extent.minutes)),
    ] {
        let pairs = steps.pairs(size, part);
        add_sums(database, &mut sums, (tier, plug), pairs, query.limit).await?;
    }
    if sums.len() < query.limit {
        add_readings(database, &mut sums, plug, parts.readings, &steps).await?;
    }
    let points = sums.into_iter().filter_map(|(t, sum)| point(t, &sum));
    Ok(HistorySteps {
        step: steps.step(),
        points: points.take(query.limit).collect(),
    })
}

async fn extent(database: &impl HistoryReader, plug: i64) -> Result<TierExtent, sqlx::Error> {
    let [
        readings,
        first_minute,
        last_minute,
        first_quarter,
        last_quarter,
    ] = database.extent(plug).await?;
    // Rows are removed up to a quarter of an hour, so that is where whole data begin.
    let begins = |t: Option<i64>| t.map_or(i64::MAX, |t| floor(t, QUARTER));
    let ends = |t: Option<i64>, size| t.map_or(i64::MIN, |t| t + size);
    Ok(TierExtent {
        readings_from: begins(readings.map(|at| at.div_euclid(1000))),
        minutes: SecondRange {
            from: begins(first_minute),
            to: ends(last_minute, MINUTE),
        },
        quarters: SecondRange {
            from: begins(first_quarter),
            to: ends(last_quarter, QUARTER),
        },
    })
}

async fn add_sums(
    database: &impl HistoryReader,
    sums: &mut StepSums,
    (tier, plug): (Tier, i64),
    mut pairs: impl Iterator<Item = (i64, SecondRange)> + Send,
    limit: usize,
) -> Result<(), sqlx::Error> {
    while sums.len() < limit {
        let steps: Vec<_> = pairs.by_ref().take(ROWS_PER_QUERY).collect();
        if steps.is_empty() {
            break;
        }
        let ranges: Vec<_> = steps
            .iter()
            .map(|(_, range)| (range.from, range.to))
            .collect();
        let rows = database.sums(tier, plug, &ranges).await?;
        for ((t, _), row) in steps.iter().zip(rows) {
            add_to(sums, *t, sum(row));
        }
    }
    Ok(())
}

async fn add_readings(
    database: &impl HistoryReader,
    sums: &mut StepSums,
    plug: i64,
    range: SecondRange,
    steps: &StepBoundaries,
) -> Result<(), sqlx::Error> {
    if range.is_empty() {
        return Ok(());
    }
    let end = range.to.saturating_mul(1000);
    let mut from = range.from.saturating_mul(1000);
    loop {
        let rows = database
            .consumption(plug, (from, end), ROWS_PER_QUERY)
            .await?;
        for row in &rows {
            steps.add_reading(sums, row, range);
        }
        match rows.last() {
            Some(last) if rows.len() == ROWS_PER_QUERY => from = last.0 + 1,
            _ => break,
        }
    }
    for row in &database.across(plug, end).await? {
        steps.add_reading(sums, row, range);
    }
    Ok(())
}

/// Returns the quarter-hours of one plug or all, by plug and time.
pub(super) async fn quarters(
    database: &impl HistoryReader,
    plug: Option<Mac>,
    range: SecondRange,
) -> Result<Vec<Quarter>, sqlx::Error> {
    let series = database.series(plug).await?;
    let mut quarters = Vec::new();
    for (mac, id) in series {
        add_quarters(database, &mut quarters, (mac, id), range).await?;
    }
    Ok(quarters)
}

async fn add_quarters(
    database: &impl HistoryReader,
    quarters: &mut Vec<Quarter>,
    (plug, id): (Mac, i64),
    range: SecondRange,
) -> Result<(), sqlx::Error> {
    let mut from = range.from;
    loop {
        let rows = database
            .energies(id, (from, range.to), ROWS_PER_QUERY)
            .await?;
        let whole = rows.iter().filter_map(|(t, energy)| {
            Some(Quarter {
                plug,
                t: Timestamp::from_second(*t).ok()?,
                energy_wh: from_thousandths(*energy),
            })
        });
        quarters.extend(whole);
        match rows.last() {
            Some((last, _)) if rows.len() == ROWS_PER_QUERY => from = last + 1,
            _ => return Ok(()),
        }
    }
}

fn sum((readings, power, low, high, energy): SumRow) -> SpanSum {
    SpanSum {
        readings,
        // SQL has no sum over no rows.
        power: power.unwrap_or(0),
        low,
        high,
        energy,
    }
}

fn point(t: i64, sum: &SpanSum) -> Option<HistoryPoint> {
    Some(HistoryPoint {
        t: Timestamp::from_second(t).ok()?,
        power_w: sum.mean().map(|mean| mean / 1e3),
        power_min_w: sum.low.map(from_thousandths),
        power_max_w: sum.high.map(from_thousandths),
        energy_wh: from_thousandths(sum.energy),
    })
}

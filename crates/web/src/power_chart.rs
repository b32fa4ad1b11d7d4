//! The chart of a plug's power with its figures as a table.

use api::{
    History, HistoryPoint, HistoryRequest, Metering, Moment, PlugView, RangeRequest, RequestError,
};
use hub::Hub;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::chart::{self, Chart, PowerPoint};
use crate::format;
use crate::span::{Span, SpanKind};

/// A chart of power.
pub(crate) struct PowerChart {
    /// The range.
    pub(crate) span: Span,
    /// The chart.
    pub(crate) chart: Chart,
    /// The range in words: lowest, mean and highest power, energy; `None` if nothing is recorded in it.
    pub(crate) summary: Option<String>,
    /// True if data is missing in it.
    pub(crate) has_gaps: bool,
    /// The figures.
    pub(crate) rows: Vec<PowerRow>,
    /// Start of the first point in seconds since 1970.
    pub(crate) start_s: i64,
    /// End of the last step in seconds since 1970.
    pub(crate) end_s: i64,
    /// Time of the hub in seconds since 1970.
    pub(crate) now_s: i64,
    /// Seconds between two points, from which on data is missing between them.
    pub(crate) gap_s: u64,
    /// Length of a step in seconds.
    pub(crate) step_s: i64,
    /// Length of a step in words.
    pub(crate) step: String,
    /// Mean, lowest and highest of each step for the cursor, separated by commas; empty without data.
    pub(crate) figures: String,
}

/// A row of the table.
pub(crate) struct PowerRow {
    /// Start with offset.
    pub(crate) datetime: String,
    /// Start in words.
    pub(crate) time: String,
    /// Lowest, mean and highest power in watts; `None` without data.
    pub(crate) figures: Option<[String; 3]>,
}

/// Reads the power of a plug in a range.
pub(crate) async fn read(
    hub: &Hub,
    view: &PlugView,
    span: Span,
) -> Result<PowerChart, RequestError> {
    let (plug, name) = (view.plug.mac, format::title(view));
    let zone = &hub.clock().timezone;
    let now = plugs::now();
    let request = HistoryRequest {
        range: RangeRequest {
            from: Some(Moment::Instant(span.range.from)),
            to: Some(Moment::Instant(span.range.to)),
        },
        step: Some(span.kind.step()),
    };
    let history = hub.site_history().history(plug, &request).await?;
    let starts = starts(&span, &history, zone);
    let points = place(&starts, &history);
    let end = starts.iter().take_while(|start| **start <= now).count();
    let gap_s = match view.metering {
        // A reading that comes late is no gap.
        Metering::Every(interval) => interval.get().as_secs().saturating_mul(5) / 2,
        Metering::Off => 0,
    };
    let step_s = history.step_s.max(1);
    let bridge = usize::try_from(gap_s / step_s.unsigned_abs()).unwrap_or(usize::MAX);
    let bridge = bridge.clamp(1, points.len().max(1));
    let gaps = chart::gaps(&points, bridge, end);
    let summary = summary(&points, &history);
    let step = format::duration(step_s);
    let words = match &summary {
        Some(summary) => format!("in steps of {step}; {summary}"),
        None => "no data".to_owned(),
    };
    let label = format!("Power of {name}, {}: {words}", span.title);
    Ok(PowerChart {
        chart: chart::power(&points, bridge, &gaps, &span.labels(zone), &label),
        summary,
        has_gaps: !gaps.is_empty(),
        rows: rows(&span, &starts, &points, end, zone),
        start_s: starts.first().map_or(0, |start| start.as_second()),
        end_s: match (span.kind, starts.last()) {
            (SpanKind::Year, _) | (_, None) => span.range.to.as_second(),
            (_, Some(last)) => last.as_second() + step_s,
        },
        now_s: now.as_second(),
        gap_s,
        step_s,
        step,
        figures: figures(points.get(..end).unwrap_or(&points)),
        span,
    })
}

fn summary(points: &[Option<PowerPoint>], history: &History) -> Option<String> {
    let known = points.iter().flatten();
    let min = known.clone().map(|point| point.min).reduce(f64::min)?;
    let max = known.clone().map(|point| point.max).reduce(f64::max)?;
    let count = u32::try_from(known.clone().count()).map_or(1.0, f64::from);
    let mean = known.map(|point| point.mean).sum::<f64>() / count;
    let energy_wh: f64 = history.points.iter().map(|point| point.energy_wh).sum();
    Some(format!(
        "{} on average, between {} and {}; {} used",
        format::watts(mean),
        format::watts_number(min),
        format::watts(max),
        format::kwh(energy_wh)
    ))
}

/// Returns the start of each step of a range; those of a day are local midnights.
fn starts(span: &Span, history: &History, zone: &TimeZone) -> Vec<Timestamp> {
    let step = history.step_s.max(1);
    let mut starts = Vec::new();
    if span.kind == SpanKind::Year {
        let mut day = Zoned::new(span.range.from, zone.clone()).date();
        while let Ok(start) = zone.to_timestamp(day.into()) {
            if start >= span.range.to {
                break;
            }
            starts.push(start);
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        return starts;
    }
    let mut second = span.range.from.as_second().div_euclid(step) * step;
    while second < span.range.to.as_second() {
        let Ok(start) = Timestamp::from_second(second) else {
            break;
        };
        starts.push(start);
        second += step;
    }
    starts
}

/// Returns the point of each step, if there is one.
fn place(starts: &[Timestamp], history: &History) -> Vec<Option<PowerPoint>> {
    let mut points = vec![None; starts.len()];
    for point in &history.points {
        let index = starts.partition_point(|start| *start <= point.t);
        let slot = index.checked_sub(1).and_then(|index| points.get_mut(index));
        if let (Some(slot), Some(power)) = (slot, power(point)) {
            *slot = Some(power);
        }
    }
    points
}

fn power(point: &HistoryPoint) -> Option<PowerPoint> {
    let mean = point.power_w?;
    Some(PowerPoint {
        mean,
        min: point.power_min_w.unwrap_or(mean),
        max: point.power_max_w.unwrap_or(mean),
    })
}

/// Sums steps up to the rows of the table.
fn rows(
    span: &Span,
    starts: &[Timestamp],
    points: &[Option<PowerPoint>],
    end: usize,
    zone: &TimeZone,
) -> Vec<PowerRow> {
    let kind = span.kind;
    let format = span.row_format(zone);
    let mut groups: Vec<(DateTime, Zoned, Vec<PowerPoint>)> = Vec::new();
    for (start, point) in starts.iter().zip(points).take(end) {
        let at = Zoned::new(*start, zone.clone());
        let row = kind.row_start(&at);
        // In the hour that a change of the clock repeats, the local time goes back.
        let is_new = groups
            .last()
            .is_none_or(|(last, first, _)| *last != row || first.offset() != at.offset());
        if is_new {
            groups.push((row, at, Vec::new()));
        }
        if let Some((.., known)) = groups.last_mut() {
            known.extend(point);
        }
    }
    let row = |(_, at, known): (DateTime, Zoned, Vec<PowerPoint>)| {
        let count = u32::try_from(known.len()).map_or(1.0, f64::from);
        let sum: f64 = known.iter().map(|point| point.mean).sum();
        let min = known.iter().map(|point| point.min).reduce(f64::min);
        let max = known.iter().map(|point| point.max).reduce(f64::max);
        let figures = min
            .zip(max)
            .map(|(min, max)| [min, sum / count, max].map(format::watts_number));
        PowerRow {
            datetime: at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            time: at.strftime(format).to_string(),
            figures,
        }
    };
    groups.into_iter().map(row).collect()
}

fn figures(points: &[Option<PowerPoint>]) -> String {
    let texts: Vec<_> = points
        .iter()
        .map(|point| match point {
            Some(point) => format!("{:.1} {:.1} {:.1}", point.mean, point.min, point.max),
            None => String::new(),
        })
        .collect();
    texts.join(",")
}

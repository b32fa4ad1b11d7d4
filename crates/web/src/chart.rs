//! Charts as SVG, drawn by the server: they need no script, print, and follow the theme. Words stand in HTML beside them.
//!
//! An SVG is as wide as its number of steps and 100 high, and is stretched to its box.

use std::fmt::Write as _;

use crate::format;

/// Maximum number of labels of an axis of time of which every second has no place on a phone. With more, most are empty.
const MAX_PARTS: usize = 13;
/// Begin of lines, whose points lie in the middle of their steps.
const MIDDLE_BEGIN: &str = "<g transform=\"translate(.5)\">";
/// End of the same.
const MIDDLE_END: &str = "</g>";

/// A chart with its axes.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// The markup; every text in it is escaped.
    pub(crate) html: String,
}

/// A scale from 0 to a round number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// The upper end.
    top: f64,
    /// Number of parts into which lines divide it.
    parts: u8,
}

impl Scale {
    /// Returns the scale on which `max` has a place: 1, 1.5, 2, 3 or 5 times a power of ten.
    pub(crate) fn for_max(max: f64) -> Self {
        let max = if max.is_finite() { max.max(1e-3) } else { 1.0 };
        let power = 10_f64.powf(max.log10().floor());
        let steps = [(1.0, 4), (1.5, 3), (2.0, 4), (3.0, 3), (5.0, 5), (10.0, 4)];
        let fits = |(step, _): &&(f64, u8)| step * power >= max * 0.999_999;
        let (step, parts) = steps.iter().find(fits).copied().unwrap_or((10.0, 4));
        Self {
            top: step * power,
            parts,
        }
    }

    /// Returns the distance of a value from the top, in hundredths of the height.
    fn y(self, value: f64) -> f64 {
        (100.0 - 100.0 * (value / self.top).clamp(0.0, 1.0) + 0.0)
            .mul_add(10.0, 0.0)
            .round()
            / 10.0
    }

    /// Returns the labels from the top to 0; the first has the unit.
    fn labels(self, unit: &str) -> Vec<String> {
        let step = self.top / f64::from(self.parts);
        let decimals = decimals(step);
        (0..=self.parts)
            .rev()
            .map(|part| {
                let value =
                    format::number(step * f64::from(part), if part == 0 { 0 } else { decimals });
                let is_top = part == self.parts;
                if is_top {
                    format!("{value} {unit}")
                } else {
                    value
                }
            })
            .collect()
    }

    fn grid(self, width: usize) -> String {
        let mut svg = String::new();
        for part in 0..=self.parts {
            let y = 100.0 * f64::from(part) / f64::from(self.parts);
            let zero = if part == self.parts { " zero" } else { "" };
            let _ = write!(svg, "<path class=\"gl{zero}\" d=\"M0 {y:.1}H{width}\"/>");
        }
        svg
    }
}

/// Returns the number of decimals that a step of an axis needs. Two digits are enough: it is a half, third, quarter or fifth of a
/// round number.
fn decimals(step: f64) -> usize {
    // A third of 0.3 is a little less than 0.1.
    let first = -(step * 1.000_001).log10().floor();
    let scaled = step * 10_f64.powf(first);
    let second = (scaled - scaled.round()).abs() > 1e-6;
    // From 0 to 5: no axis ends below a thousandth.
    (first + f64::from(second)).clamp(0.0, 5.0) as usize
}

/// Steps with data as points `x,y`, divided where more than `bridge` steps lie between two of them.
fn runs(values: &[Option<f64>], bridge: usize, scale: Scale) -> Vec<Vec<(usize, f64)>> {
    let known = values.iter().enumerate();
    let known: Vec<_> = known
        .filter_map(|(x, value)| Some((x, scale.y((*value)?))))
        .collect();
    known
        .chunk_by(|(a, _), (b, _)| b - a <= bridge)
        .map(<[_]>::to_vec)
        .collect()
}

/// Returns the steps without data before `end`, from and to, where more than `bridge` lie between two with data.
pub(crate) fn gaps<T>(points: &[Option<T>], bridge: usize, end: usize) -> Vec<(usize, usize)> {
    let known = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.is_some());
    let mut next = 0;
    let mut gaps = Vec::new();
    for x in known.map(|(x, _)| x).chain([end]) {
        if x + 1 > next + bridge && x > next {
            gaps.push((next, x));
        }
        next = x + 1;
    }
    gaps
}

fn points_of(run: &[(usize, f64)]) -> String {
    let mut text = String::new();
    for (x, y) in run {
        let _ = write!(text, "{x},{y} ");
    }
    // A single point is a short line, else it would not be seen.
    if let [(x, y)] = run {
        let _ = write!(text, "{x}.4,{y} ");
    }
    text.truncate(text.trim_end().len());
    text
}

fn gap_fields(gaps: &[(usize, usize)]) -> String {
    let field = |(from, to): &(usize, usize)| {
        let width = to - from;
        format!("<rect class=\"gap\" x=\"{from}\" y=\"0\" width=\"{width}\" height=\"100\"/>")
    };
    gaps.iter().map(field).collect()
}

/// Draws a line and the area below it; where data is missing the line stops.
fn area(values: &[Option<f64>], bridge: usize, scale: Scale) -> String {
    let mut svg = String::new();
    for run in runs(values, bridge, scale) {
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else {
            continue;
        };
        let line = points_of(&run);
        let _ = write!(
            svg,
            "<polygon class=\"ar\" points=\"{first},100 {line} {last},100\"/><polyline class=\"ln\" points=\"{line}\"/>"
        );
    }
    svg
}

/// Draws the power of the house today, with gaps, and yesterday for comparison. `width` is the number of steps of the day.
pub(crate) fn house(
    today: &[Option<f64>],
    yesterday: &[Option<f64>],
    width: usize,
    xs: &[String],
    label: &str,
) -> Chart {
    let max = today
        .iter()
        .chain(yesterday)
        .flatten()
        .copied()
        .fold(0.0, f64::max);
    let scale = Scale::for_max(max);
    let mut svg = gap_fields(&gaps(today, 1, today.len())) + &scale.grid(width) + MIDDLE_BEGIN;
    for run in runs(yesterday, 1, scale) {
        let _ = write!(
            svg,
            "<polyline class=\"was\" points=\"{}\"/>",
            points_of(&run)
        );
    }
    svg += &area(today, 1, scale);
    svg += MIDDLE_END;
    Chart {
        html: plot(&svg, &power_labels(scale), xs, " hours", width, label),
    }
}

/// A point of a chart of power: mean, lowest and highest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PowerPoint {
    /// Mean in watts.
    pub(crate) mean: f64,
    /// Lowest in watts.
    pub(crate) min: f64,
    /// Highest in watts.
    pub(crate) max: f64,
}

/// Draws power with its range; the steps of `gaps` are marked, and up to `bridge` steps without data are drawn over.
pub(crate) fn power(
    points: &[Option<PowerPoint>],
    bridge: usize,
    gaps: &[(usize, usize)],
    xs: &[String],
    label: &str,
) -> Chart {
    let width = points.len().max(1);
    let max = points
        .iter()
        .flatten()
        .map(|point| point.max)
        .fold(0.0, f64::max);
    let scale = Scale::for_max(max.max(1.0));
    let mut svg = gap_fields(gaps) + &scale.grid(width) + MIDDLE_BEGIN;
    let of = |value: fn(&PowerPoint) -> f64| -> Vec<Option<f64>> {
        points
            .iter()
            .map(|point| point.as_ref().map(value))
            .collect()
    };
    let upper = runs(&of(|point| point.max), bridge, scale);
    let lower = runs(&of(|point| point.min), bridge, scale);
    for (upper, mut lower) in upper.into_iter().zip(lower) {
        lower.reverse();
        let _ = write!(
            svg,
            "<polygon class=\"bd\" points=\"{} {}\"/>",
            points_of(&upper),
            points_of(&lower)
        );
    }
    svg += &area(&of(|point| point.mean), bridge, scale);
    svg += MIDDLE_END;
    let class = if xs.len() > MAX_PARTS { " hours" } else { "" };
    Chart {
        html: plot(&svg, &power_labels(scale), xs, class, width, label),
    }
}

/// A bar of energy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EnergyBar {
    /// Short label; empty for none.
    pub(crate) label: String,
    /// Title with the figure.
    pub(crate) title: String,
    /// Watt-hours; `None` without data.
    pub(crate) energy_wh: Option<f64>,
    /// Watt-hours of the period before, to compare with.
    pub(crate) before_wh: Option<f64>,
    /// True if its time is not over.
    pub(crate) is_open: bool,
}

/// Draws energy as bars; a period that is not over is drawn open, the one before hollow behind it.
pub(crate) fn bars(bars: &[EnergyBar], label: &str) -> Chart {
    let values = bars
        .iter()
        .flat_map(|bar| [bar.energy_wh, bar.before_wh])
        .flatten();
    let scale = Scale::for_max(values.fold(0.0, f64::max).max(10.0) / 1000.0);
    let width = bars.len().max(1) * 10;
    let mut svg = scale.grid(width);
    for (place, bar) in bars.iter().enumerate() {
        let mut rect = |class: &str, x: usize, wide: usize, wh: f64| {
            let y = scale.y(wh / 1000.0);
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{wide}\" height=\"{:.1}\"><title>{}</title></rect>",
                place * 10 + x,
                100.0 - y,
                escape(&bar.title)
            );
        };
        if let Some(wh) = bar.before_wh {
            rect("wb", 1, 4, wh);
        }
        if let Some(wh) = bar.energy_wh {
            let class = if bar.is_open { "br now" } else { "br" };
            let (x, wide) = if bar.before_wh.is_some() {
                (5, 4)
            } else {
                (2, 6)
            };
            rect(class, x, wide, wh);
        }
    }
    let labels: Vec<_> = bars.iter().map(|bar| bar.label.clone()).collect();
    Chart {
        html: plot(&svg, &scale.labels("kWh"), &labels, " bars", width, label),
    }
}

/// Returns the labels of an axis of power; from a kilowatt on in kilowatts.
fn power_labels(scale: Scale) -> Vec<String> {
    if scale.top >= 1000.0 {
        let top = scale.top / 1000.0;
        Scale { top, ..scale }.labels("kW")
    } else {
        scale.labels("W")
    }
}

fn plot(svg: &str, ys: &[String], xs: &[String], class: &str, width: usize, label: &str) -> String {
    let spans = |texts: &[String]| -> String {
        texts
            .iter()
            .map(|text| format!("<span>{}</span>", escape(text)))
            .collect()
    };
    format!(
        "<div class=\"plot\"><div class=\"ys\" aria-hidden=\"true\">{}</div><div class=\"area\"><svg viewBox=\"0 0 {width} 100\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{svg}</svg></div><div class=\"xs{class}\" aria-hidden=\"true\">{}</div></div>",
        spans(ys),
        escape(label),
        spans(xs),
    )
}

/// Draws the last 24 hours of a plug, small: the shape, on its own scale.
pub(crate) fn spark(values: &[Option<f64>]) -> String {
    let max = values.iter().flatten().copied().fold(0.0, f64::max);
    let top = max.max(10.0) * 1.04;
    let y = |value: f64| (40.0 - 40.0 * value / top).round();
    let mut svg = String::new();
    let mut x = 0;
    for run in values.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let end = x + run.len();
        if run.first().is_some_and(Option::is_some) {
            let mut line = String::new();
            for (place, value) in run.iter().flatten().enumerate() {
                let _ = write!(line, "{},{} ", x + place, y(*value));
            }
            if run.len() == 1
                && let Some(Some(value)) = run.first()
            {
                let _ = write!(line, "{x}.4,{} ", y(*value));
            }
            let line = line.trim_end();
            let _ = write!(
                svg,
                "<polygon class=\"ar\" points=\"{x},40 {line} {},40\"/><polyline class=\"ln\" points=\"{line}\"/>",
                end - 1
            );
        } else {
            let _ = write!(svg, "<path class=\"base\" d=\"M{x} 40H{end}\"/>");
        }
        x = end;
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 47 40\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Last 24 hours, highest {}\">{svg}</svg>",
        format::watts(max)
    )
}

/// Escapes a text for markup.
fn escape(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html).map_or_else(
        |error: std::convert::Infallible| match error {},
        |text| text.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_an_axis_is_round() {
        for (max, top, labels) in [
            (
                0.0,
                0.001,
                vec!["0.00100 kWh", "0.00075", "0.00050", "0.00025", "0"],
            ),
            (
                0.01,
                0.01,
                vec!["0.0100 kWh", "0.0075", "0.0050", "0.0025", "0"],
            ),
            (0.15, 0.15, vec!["0.15 kWh", "0.10", "0.05", "0"]),
            (84.0, 100.0, vec!["100 kWh", "75", "50", "25", "0"]),
            (101.0, 150.0, vec!["150 kWh", "100", "50", "0"]),
            (2652.0, 3000.0, vec!["3,000 kWh", "2,000", "1,000", "0"]),
            (0.9, 1.0, vec!["1.00 kWh", "0.75", "0.50", "0.25", "0"]),
            (f64::NAN, 1.0, vec!["1.00 kWh", "0.75", "0.50", "0.25", "0"]),
        ] {
            let scale = Scale::for_max(max);
            assert!((scale.top - top).abs() < 1e-9, "{max}: {scale:?}");
            assert_eq!(scale.labels("kWh"), labels, "{max}");
        }
    }

    #[test]
    fn a_gap_in_the_data_is_a_gap_in_the_line() {
        let values = [Some(0.0), Some(50.0), None, Some(100.0)];
        let svg = area(&values, 1, Scale::for_max(100.0));
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(
            svg.contains("points=\"0,100 1,50\"") && svg.contains("points=\"3,0 3.4,0\""),
            "{svg}"
        );
        // A plug that is metered every second step has none.
        let svg = area(&values, 2, Scale::for_max(100.0));
        assert_eq!(svg.matches("<polyline").count(), 1);
    }

    #[test]
    fn gaps_are_longer_than_the_interval_of_metering() {
        let point = PowerPoint {
            mean: 1.0,
            min: 1.0,
            max: 1.0,
        };
        let known = [0, 1, 0, 1, 0, 0, 1, 0, 0, 0].map(|known| (known == 1).then_some(point));
        assert_eq!(gaps(&known, 1, 8), [(0, 1), (2, 3), (4, 6), (7, 8)]);
        assert_eq!(gaps(&known, 2, 8), [(4, 6)]);
        assert_eq!(gaps(&known, 2, 10), [(4, 6), (7, 10)]);
        assert_eq!(gaps(&known, 3, 9), []);
        assert_eq!(gaps(&[None::<PowerPoint>; 3], 1, 3), [(0, 3)]);
        assert_eq!(gaps(&[None::<PowerPoint>; 3], 1, 0), []);
    }

    #[test]
    fn texts_are_escaped() {
        let chart = house(&[Some(1.0)], &[], 1, &[], "<b> & \"c\"");
        assert!(!chart.html.contains("<b>"), "{}", chart.html);
    }
}

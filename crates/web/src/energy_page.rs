//! The page of energy: what all plugs used by day or month, what it cost, and how that compares with the period before.

use std::collections::BTreeMap;

use api::{EnergyPeriod, EnergyRequest, EnergyRow, Moment, RangeRequest, RequestError};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hub::Hub;
use jiff::Zoned;
use jiff::civil::Date;

use crate::PagesState;
use crate::chart::{self, Chart, EnergyBar};
use crate::energy_view::{EnergyQuery, EnergyView};
use crate::format::{self, DASH};
use crate::frame::{ENERGY, Frame};
use crate::page_error::PageError;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "energy.html")]
struct EnergyPage {
    frame: Frame,
    view: EnergyView,
    is_empty: bool,
    total: Figures,
    before: Figures,
    change: Option<(bool, String)>,
    chart: Chart,
    periods: Vec<PeriodRow>,
    parts: [PartTable; 2],
    has_price: bool,
}

/// Energy and cost in words.
struct Figures {
    energy: String,
    cost: String,
}

/// A period in the table.
struct PeriodRow {
    datetime: String,
    title: String,
    figures: Figures,
    before: String,
    change: Option<(bool, String)>,
}

/// The parts of plugs or rooms.
struct PartTable {
    id: &'static str,
    title: &'static str,
    rows: Vec<PartRow>,
}

/// The part of a plug or a room.
struct PartRow {
    path: Option<String>,
    title: String,
    figures: Figures,
    percent: u32,
}

/// Sums of energy and cost.
#[derive(Debug, Clone, Default)]
struct EnergySum {
    energy_wh: Option<f64>,
    costs: BTreeMap<String, f64>,
}

impl EnergySum {
    fn add(&mut self, row: &EnergyRow) {
        *self.energy_wh.get_or_insert(0.0) += row.energy_wh;
        if let (Some(currency), Some(cost)) = (&row.currency, row.cost) {
            *self.costs.entry(currency.clone()).or_default() += cost;
        }
    }

    fn of<'a>(rows: impl IntoIterator<Item = &'a EnergyRow>) -> Self {
        let mut sum = Self::default();
        rows.into_iter().for_each(|row| sum.add(row));
        sum
    }

    fn figures(&self) -> Figures {
        Figures {
            energy: self
                .energy_wh
                .map_or_else(|| DASH.to_owned(), format::kwh_number),
            cost: format::amounts(
                self.costs
                    .iter()
                    .map(|(currency, cost)| (currency.as_str(), *cost)),
            ),
        }
    }
}

/// Shows the page.
pub(crate) async fn energy_page(
    State(state): State<PagesState>,
    Query(query): Query<EnergyQuery>,
    visit: Visit,
) -> Result<Response, PageError> {
    let hub = &state.hub;
    let zone = &hub.clock().timezone;
    let now = Zoned::new(plugs::now(), zone.clone());
    let view = EnergyView::read(&query, now.date())?;
    let rows = read(hub, view.by, Moment::Day(view.first), day_before(view.end)).await?;
    let (before, until_now) = compared(hub, &view, &now).await?;
    let total = EnergySum::of(&rows);
    let periods = view.periods();
    let sums: Vec<_> = periods
        .iter()
        .map(|day| sum_of(&rows, view.by, *day))
        .collect();
    let olds: Vec<_> = periods
        .iter()
        .map(|day| {
            day.checked_sub(view.back).map_or_else(
                |_| EnergySum::default(),
                |day| sum_of(&before, view.by, day),
            )
        })
        .collect();
    let today = view.by.first_day(now.date());
    let page = EnergyPage {
        frame: Frame::new(&visit, ENERGY, "Energy"),
        is_empty: total.energy_wh.is_none(),
        change: change(total.energy_wh, until_now.energy_wh).filter(|_| {
            // A period of which a part is known would look like less.
            olds.first().is_some_and(|old| old.energy_wh.is_some())
        }),
        total: total.figures(),
        before: until_now.figures(),
        chart: chart(&view, &periods, &sums, &olds, today),
        periods: period_rows(&view, &periods, &sums, &olds, &now),
        parts: [
            PartTable {
                id: "h-plugs",
                title: "By plug",
                rows: plug_rows(hub, &rows),
            },
            PartTable {
                id: "h-rooms",
                title: "By room",
                rows: room_rows(hub, &rows),
            },
        ],
        has_price: !hub.tariffs().all().is_empty(),
        view,
    };
    Ok(page.frame.send(&page))
}

fn day_before(end: Date) -> Moment {
    Moment::Day(end.yesterday().unwrap_or(end))
}

async fn read(
    hub: &Hub,
    by: EnergyPeriod,
    from: Moment,
    to: Moment,
) -> Result<Vec<EnergyRow>, RequestError> {
    let request = EnergyRequest {
        range: RangeRequest {
            from: Some(from),
            to: Some(to),
        },
        by,
        plugs: Vec::new(),
    };
    hub.priced_history().energy(&request).await
}

/// Returns the rows of the range before, and its sum up to the same time if the range is not over.
async fn compared(
    hub: &Hub,
    view: &EnergyView,
    now: &Zoned,
) -> Result<(Vec<EnergyRow>, EnergySum), RequestError> {
    let outside = |_| RequestError::usage("from: not between the years 1970 and 2200").at("from");
    let first = view.first.checked_sub(view.back).map_err(outside)?;
    if first.year() < 1970 {
        return Ok((Vec::new(), EnergySum::default()));
    }
    let rows = read(hub, view.by, Moment::Day(first), day_before(view.first)).await?;
    if view.end <= now.date() {
        let sum = EnergySum::of(&rows);
        return Ok((rows, sum));
    }
    let until = now.datetime().checked_sub(view.back).map_err(outside)?;
    let start = first.at(0, 0, 0, 0);
    let sum = match until > start {
        true => EnergySum::of(&read(hub, view.by, Moment::Day(first), Moment::Local(until)).await?),
        false => EnergySum::default(),
    };
    Ok((rows, sum))
}

fn sum_of(rows: &[EnergyRow], by: EnergyPeriod, day: Date) -> EnergySum {
    let period = by.period(day);
    EnergySum::of(rows.iter().filter(|row| row.period == period))
}

/// Returns the change in words, and true if it is less.
fn change(now: Option<f64>, before: Option<f64>) -> Option<(bool, String)> {
    let (now, before) = (now?, before.filter(|before| *before >= 1.0)?);
    let percent = (now / before - 1.0) * 100.0;
    let rounded = percent.abs().round();
    if rounded == 0.0 {
        return Some((false, "as much".to_owned()));
    }
    let word = if percent < 0.0 { "less" } else { "more" };
    Some((
        percent < 0.0,
        format!("{}% {word}", format::number(rounded, 0)),
    ))
}

fn chart(
    view: &EnergyView,
    periods: &[Date],
    sums: &[EnergySum],
    olds: &[EnergySum],
    today: Date,
) -> Chart {
    let bar = |((day, sum), old): ((&Date, &EnergySum), &EnergySum)| {
        let is_labelled = match view.by {
            EnergyPeriod::Day => day.day() % 2 == 1 || periods.len() <= 16,
            EnergyPeriod::Week => day.iso_week_date().week() % 4 == 1,
            EnergyPeriod::Month | EnergyPeriod::Year => true,
        };
        let label = match view.by {
            _ if !is_labelled => String::new(),
            EnergyPeriod::Day => day.day().to_string(),
            EnergyPeriod::Week => day.iso_week_date().week().to_string(),
            EnergyPeriod::Month => day.strftime("%b").to_string(),
            EnergyPeriod::Year => day.year().to_string(),
        };
        let title = period_title(view.by, *day);
        let figure = sum
            .energy_wh
            .map_or_else(|| "no data".to_owned(), format::kwh);
        EnergyBar {
            label,
            title: format!("{title}: {figure}"),
            energy_wh: sum.energy_wh,
            before_wh: old.energy_wh,
            is_open: *day == today,
        }
    };
    let bars: Vec<_> = periods.iter().zip(sums).zip(olds).map(bar).collect();
    let highest = sums.iter().filter_map(|sum| sum.energy_wh).reduce(f64::max);
    let label = match highest {
        Some(highest) => format!("Energy in {}, highest {}", view.title, format::kwh(highest)),
        None => format!("Energy in {}: no data", view.title),
    };
    chart::bars(&bars, &label)
}

fn period_title(by: EnergyPeriod, day: Date) -> String {
    let format = match by {
        EnergyPeriod::Day => "%a %-d %b",
        EnergyPeriod::Week => "Week %-V, from %-d %b",
        EnergyPeriod::Month => "%B %Y",
        EnergyPeriod::Year => "%Y",
    };
    day.strftime(format).to_string()
}

fn period_rows(
    view: &EnergyView,
    periods: &[Date],
    sums: &[EnergySum],
    olds: &[EnergySum],
    now: &Zoned,
) -> Vec<PeriodRow> {
    let today = view.by.first_day(now.date());
    let row = |((day, sum), old): ((&Date, &EnergySum), &EnergySum)| {
        let is_open = *day == today;
        let so_far = if is_open { " so far" } else { "" };
        PeriodRow {
            datetime: format::day_start(*day, now.time_zone()),
            title: format!("{}{so_far}", period_title(view.by, *day)),
            figures: sum.figures(),
            before: old
                .energy_wh
                .map_or_else(|| DASH.to_owned(), format::kwh_number),
            // What is not over is not compared with what is.
            change: change(sum.energy_wh, old.energy_wh).filter(|_| !is_open),
        }
    };
    let mut rows: Vec<_> = periods
        .iter()
        .zip(sums)
        .zip(olds)
        .filter(|((day, _), _)| **day <= now.date())
        .map(row)
        .collect();
    rows.reverse();
    rows
}

fn plug_rows(hub: &Hub, rows: &[EnergyRow]) -> Vec<PartRow> {
    let views = hub.registry().views();
    let parts = views.iter().map(|view| {
        let mac = view.plug.mac;
        let sum = EnergySum::of(rows.iter().filter(|row| row.mac == mac));
        (Some(format!("/plugs/{mac:x}")), format::title(view), sum)
    });
    part_rows(parts.chain([removed(rows)]).collect())
}

/// Returns the part of plugs that are no longer adopted.
fn removed(rows: &[EnergyRow]) -> (Option<String>, String, EnergySum) {
    let sum = EnergySum::of(rows.iter().filter(|row| row.removed));
    (None, "Removed plugs".to_owned(), sum)
}

fn room_rows(hub: &Hub, rows: &[EnergyRow]) -> Vec<PartRow> {
    let mut rooms: BTreeMap<String, EnergySum> = BTreeMap::new();
    for view in hub.registry().views() {
        let room = view.room.clone().unwrap_or_else(|| "No room".to_owned());
        let sum = rooms.entry(room).or_default();
        rows.iter()
            .filter(|row| row.mac == view.plug.mac)
            .for_each(|row| sum.add(row));
    }
    let parts = rooms.into_iter().map(|(room, sum)| (None, room, sum));
    part_rows(parts.chain([removed(rows)]).collect())
}

/// Returns the rows with data, the largest first.
fn part_rows(parts: Vec<(Option<String>, String, EnergySum)>) -> Vec<PartRow> {
    let mut known: Vec<_> = parts
        .into_iter()
        .filter_map(|(path, title, sum)| Some((sum.energy_wh?, path, title, sum)))
        .collect();
    known.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let most = known.first().map_or(1.0, |(most, ..)| most.max(1.0));
    let row = |(energy, path, title, sum): (f64, Option<String>, String, EnergySum)| PartRow {
        path,
        title,
        figures: sum.figures(),
        // From 0 to 100.
        percent: (energy / most * 100.0).round().clamp(0.0, 100.0) as u32,
    };
    known.into_iter().map(row).collect()
}

/// Sends the rows of the page as CSV.
pub(crate) async fn energy_csv(
    State(state): State<PagesState>,
    Query(query): Query<EnergyQuery>,
) -> Result<Response, PageError> {
    let hub = &state.hub;
    let today = Zoned::new(plugs::now(), hub.clock().timezone.clone()).date();
    let view = EnergyView::read(&query, today)?;
    let rows = read(hub, view.by, Moment::Day(view.first), day_before(view.end)).await?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: &dyn std::fmt::Display| {
        RequestError::new(
            api::ErrorKind::Failed,
            format!("the energy cannot be written: {error}"),
        )
    };
    let site = Some(hub.config().site.as_str()).filter(|site| !site.is_empty());
    let columns = ["period", "plug", "name", "energy_wh", "cost", "currency"];
    writer
        .write_record(columns.into_iter().chain(site.map(|_| "site")))
        .map_err(|error| failed(&error))?;
    for row in rows {
        let name = hub
            .registry()
            .view(row.mac)
            .and_then(|view| view.plug.name.clone());
        let record = [
            row.period,
            row.mac.to_string(),
            name.map_or_else(String::new, |name| harmless(&name)),
            row.energy_wh.to_string(),
            row.cost.map_or_else(String::new, |cost| cost.to_string()),
            row.currency
                .map_or_else(String::new, |currency| harmless(&currency)),
        ];
        writer
            .write_record(record.into_iter().chain(site.map(str::to_owned)))
            .map_err(|error| failed(&error))?;
    }
    let text = writer.into_inner().map_err(|error| failed(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"energy-{}.csv\"", view.first),
        ),
    ];
    Ok((headers, text).into_response())
}

/// Returns a text that a spreadsheet does not take for a formula.
fn harmless(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_words() {
        assert_eq!(
            change(Some(91.0), Some(100.0)),
            Some((true, "9% less".to_owned()))
        );
        assert_eq!(
            change(Some(100.2), Some(100.0)),
            Some((false, "as much".to_owned()))
        );
        assert_eq!(change(Some(2.0), Some(0.0)), None);
        assert_eq!(change(None, Some(5.0)), None);
    }
}

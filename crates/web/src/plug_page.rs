//! The page of one plug: live values, its power and energy over time, timer, schedules and rules, settings.

use std::sync::Arc;

use api::text::{LocalClock, Tone};
use api::{
    EnergyPeriod, EnergyRequest, HardenStep, Moment, PlugView, PowerOn, RangeRequest, RequestError,
    SwitchTarget, WeaknessId,
};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use hub::Hub;
use jiff::{Timestamp, ToSpan, Zoned};
use plugs::Minutes;
use serde::Deserialize;

use crate::PagesState;
use crate::chart::{self, Chart, EnergyBar};
use crate::format::{self, DASH};
use crate::frame::{Frame, HOME};
use crate::names::KnownNames;
use crate::note::{FailedSwitch, FormNote};
use crate::page_error::{PageError, sentence};
use crate::plug_card::PlugCard;
use crate::power_chart::{self, PowerChart};
use crate::schedules::{ComingRun, Upcoming, upcoming};
use crate::span::{Span, SpanKind};
use crate::switch::plug_of;
use crate::visit::Visit;

/// Number of days of the bars of energy.
const BAR_DAYS: i64 = 14;

#[derive(Template)]
#[template(path = "plug.html")]
struct PlugPage {
    frame: Frame,
    failed: Option<FailedSwitch>,
    timer: Option<String>,
    plug: PlugCard,
    tiles: Tiles,
    power: Option<PowerChart>,
    energy: Option<EnergyChart>,
    automation: Vec<Automation>,
    rooms: Vec<String>,
    edit: Edit,
    details: Vec<(&'static str, String)>,
    /// The longest delay of its own timer in minutes, as a number and as text; `None` without a timer.
    max_delay: Option<(u16, String)>,
    /// The timer that was set here and is not due yet.
    pending_timer: Option<String>,
    weaknesses: Option<Vec<Weakness>>,
}

/// A weakness in a plug's settings.
struct Weakness {
    title: &'static str,
    state: &'static str,
    reason: String,
}

/// Returns a number of minutes, and its text.
fn counted(minutes: Minutes) -> (u16, String) {
    let count = minutes.count();
    (count, format::number(f64::from(count), 0))
}

/// Present figures besides power.
struct Tiles {
    month: String,
    month_energy: String,
    month_cost: String,
    voltage: String,
    current: String,
    frequency: String,
    total: String,
}

/// Energy by day.
struct EnergyChart {
    chart: Chart,
    rows: Vec<EnergyDay>,
}

/// A day in the table of energy.
struct EnergyDay {
    datetime: String,
    day: String,
    energy: String,
    cost: String,
}

/// A schedule or rule of the plug.
struct Automation {
    path: String,
    name: String,
    sentence: String,
    word: &'static str,
    state: &'static str,
    /// The next times of a schedule.
    runs: Vec<ComingRun>,
}

/// Fields of the forms, as they are or as they were entered.
pub(crate) struct Edit {
    /// Name.
    pub(crate) name: String,
    /// Room.
    pub(crate) room: String,
    /// Interval of metering.
    pub(crate) metering: String,
    /// Position after an outage; empty leaves it to the plug.
    pub(crate) power_on: String,
    /// True if it is often unplugged.
    pub(crate) often_unplugged: bool,
    /// Revision on which the form is based.
    pub(crate) revision: u64,
    /// Field that was refused, with the reason.
    pub(crate) problem: Option<(String, String)>,
}

impl Edit {
    /// Returns the fields of a plug.
    pub(crate) fn new(view: &PlugView, revision: u64) -> Self {
        let power_on = match view.power_on {
            None => "",
            Some(PowerOn::On) => "on",
            Some(PowerOn::Off) => "off",
            Some(PowerOn::Last) => "last",
        };
        let text = |text: &Option<String>| text.as_deref().unwrap_or("").to_owned();
        Self {
            name: text(&view.plug.name),
            room: text(&view.room),
            metering: view.metering.to_string(),
            power_on: power_on.to_owned(),
            often_unplugged: view.often_unplugged,
            revision,
            problem: None,
        }
    }

    /// Returns true for the chosen position after an outage.
    fn is_power_on(&self, value: &str) -> bool {
        self.power_on == value
    }

    /// Returns the problem of a field.
    fn problem_at(&self, field: &str) -> Option<&str> {
        let (at, problem) = self.problem.as_ref()?;
        (at == field).then_some(problem)
    }

    /// Returns the problem of no field of the form.
    fn further_problem(&self) -> Option<&str> {
        let (at, problem) = self.problem.as_ref()?;
        let is_field = ["name", "room", "metering", "power_on"].contains(&at.as_str());
        (!is_field).then_some(problem)
    }
}

/// The range of the chart.
#[derive(Debug, Deserialize)]
pub(crate) struct PlugQuery {
    range: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// Shows the page of a plug.
pub(crate) async fn plug_page(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    Query(query): Query<PlugQuery>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let view = state.hub.registry().one(mac)?;
    let edit = Edit::new(&view, state.hub.registry().revision(mac)?);
    Ok(draw(&state, &visit, mac, &query, edit).await?)
}

/// Shows the page of a plug again, with what was entered and the reason why it was refused.
pub(crate) async fn refused(
    state: &PagesState,
    visit: &Visit,
    mac: Mac,
    edit: Edit,
    status: StatusCode,
) -> Result<Response, RequestError> {
    let query = PlugQuery {
        range: None,
        from: None,
        to: None,
    };
    let page = draw(state, visit, mac, &query, edit).await?;
    Ok((status, page).into_response())
}

async fn draw(
    state: &PagesState,
    visit: &Visit,
    mac: Mac,
    query: &PlugQuery,
    edit: Edit,
) -> Result<Response, RequestError> {
    let hub = &state.hub;
    let now = plugs::now();
    let view = hub.registry().one(mac)?;
    let recent = state.recent.get();
    let plug = PlugCard::new(hub, &view, &recent, now);
    let (power, energy) = match plug.has_meter {
        true => (
            Some(power(hub, &view, query, now).await?),
            Some(energy(hub, mac, &plug.title, now).await?),
        ),
        false => (None, None),
    };
    let frame = Frame::new(visit, HOME, plug.title.clone());
    let page = PlugPage {
        failed: crate::home::failed(hub, visit.note, now),
        timer: timer(hub, visit.note, &plug.title),
        tiles: tiles(hub, &view, &plug, now).await?,
        power,
        energy,
        automation: automation(hub, mac),
        rooms: rooms(hub),
        edit,
        details: details(hub, &view, now),
        weaknesses: weaknesses(hub, mac),
        max_delay: hub.registry().max_delay(mac).map(counted),
        pending_timer: hub.registry().timer(mac)?.map(|timer| {
            let due = format::coming(timer.due, now, &hub.clock().timezone);
            format!("It goes {} {due}.", timer.relay)
        }),
        plug,
        frame,
    };
    Ok(page.frame.send(&page))
}

async fn power(
    hub: &Hub,
    view: &PlugView,
    query: &PlugQuery,
    now: Timestamp,
) -> Result<PowerChart, RequestError> {
    let kind = query.range.as_deref().and_then(SpanKind::parse);
    let moment = |name: &str, text: &Option<String>| -> Result<Option<Moment>, RequestError> {
        let error = |_| RequestError::usage(format!("{name}: it is not a time")).at(name);
        text.as_deref()
            .map(|text| text.parse().map_err(error))
            .transpose()
    };
    let (from, to) = (moment("from", &query.from)?, moment("to", &query.to)?);
    let zone = &hub.clock().timezone;
    let span = match (kind, to) {
        (None, Some(_)) if from.is_some() => Span::between(RangeRequest { from, to }, now, zone)?,
        (kind, _) => Span::at(kind.unwrap_or(SpanKind::Day), from, now, zone)?,
    };
    power_chart::read(hub, view, span).await
}

async fn energy(
    hub: &Hub,
    mac: Mac,
    name: &str,
    now: Timestamp,
) -> Result<EnergyChart, RequestError> {
    let today = Zoned::new(now, hub.clock().timezone.clone()).date();
    let outside = |_| RequestError::unavailable("the clock of the hub is set to no usable date");
    let first = today.checked_sub((BAR_DAYS - 1).days()).map_err(outside)?;
    let request = EnergyRequest {
        range: RangeRequest {
            from: Some(Moment::Day(first)),
            to: None,
        },
        by: EnergyPeriod::Day,
        plugs: vec![mac],
    };
    let rows = hub.priced_history().energy(&request).await?;
    let mut bars = Vec::new();
    let mut days = Vec::new();
    let mut day = first;
    while day <= today {
        let of_day = || rows.iter().filter(|row| row.period == day.to_string());
        let energy_wh = of_day().map(|row| row.energy_wh).reduce(|a, b| a + b);
        let costs = of_day().filter_map(|row| Some((row.currency.as_deref()?, row.cost?)));
        let is_today = day == today;
        let energy = energy_wh.map_or_else(|| "no data".to_owned(), format::kwh);
        let so_far = if is_today { " (so far)" } else { "" };
        bars.push(EnergyBar {
            label: if day.day() % 2 == today.day() % 2 {
                day.day().to_string()
            } else {
                String::new()
            },
            title: format!("{}{so_far}: {energy}", day.strftime("%-d %B")),
            energy_wh,
            before_wh: None,
            is_open: is_today,
        });
        days.push(EnergyDay {
            datetime: format::day_start(day, &hub.clock().timezone),
            day: format!("{}{so_far}", day.strftime("%a %-d %b")),
            energy: energy_wh.map_or_else(|| DASH.to_owned(), format::kwh_number),
            cost: format::amounts(costs),
        });
        day = day.tomorrow().map_err(outside)?;
    }
    days.reverse();
    let label = format!("Energy of {name} by day, the last {BAR_DAYS} days");
    Ok(EnergyChart {
        chart: chart::bars(&bars, &label),
        rows: days,
    })
}

async fn tiles(
    hub: &Hub,
    view: &PlugView,
    plug: &PlugCard,
    now: Timestamp,
) -> Result<Tiles, RequestError> {
    let month = Zoned::new(now, hub.clock().timezone.clone())
        .date()
        .first_of_month();
    let request = EnergyRequest {
        range: RangeRequest {
            from: Some(Moment::Day(month)),
            to: None,
        },
        by: EnergyPeriod::Month,
        plugs: vec![view.plug.mac],
    };
    let rows = match plug.has_meter {
        true => hub.priced_history().energy(&request).await?,
        false => Vec::new(),
    };
    let costs = rows
        .iter()
        .filter_map(|row| Some((row.currency.as_deref()?, row.cost?)));
    let energy = rows.iter().map(|row| row.energy_wh).reduce(|a, b| a + b);
    // As old as the power, which says whether the reading is the present one.
    let reading = view.reading.as_ref().filter(|_| plug.power_w.is_some());
    let figure = |value: Option<f64>, decimals| {
        value.map_or_else(|| DASH.to_owned(), |value| format::number(value, decimals))
    };
    Ok(Tiles {
        month: month.strftime("%B").to_string(),
        month_energy: energy.map_or_else(|| DASH.to_owned(), format::kwh_number),
        month_cost: format::amounts(costs),
        voltage: figure(reading.and_then(|reading| reading.voltage_v), 1),
        current: figure(reading.and_then(|reading| reading.current_a), 2),
        frequency: figure(reading.and_then(|reading| reading.frequency_hz), 2),
        total: view
            .energy_total_wh
            .map_or_else(|| DASH.to_owned(), |wh| format::kwh_number(wh as f64)),
    })
}

/// Returns the note about a timer that was set.
fn timer(hub: &Hub, note: Option<FormNote>, title: &str) -> Option<String> {
    let Some(FormNote::TimerSet { goal, due }) = note else {
        return None;
    };
    let due = Zoned::new(due, hub.clock().timezone.clone());
    Some(format!(
        "Timer started. {title} goes {goal} at {}.",
        due.strftime("%H:%M")
    ))
}

/// Returns the schedules and rules that concern a plug.
fn automation(hub: &Hub, mac: Mac) -> Vec<Automation> {
    let names = KnownNames(hub);
    let (now, timezone) = (plugs::now(), &hub.clock().timezone);
    let clock = LocalClock::at(now, timezone.clone());
    let concerns =
        |target: &SwitchTarget| hub.members(target).is_ok_and(|plugs| plugs.contains(&mac));
    let mut found = Vec::new();
    for schedule in hub.schedules().all() {
        if !schedule.body.targets.iter().any(concerns) {
            continue;
        }
        let view = hub.view(&schedule);
        let next = view.next_sentence(&clock);
        found.push(Automation {
            path: format!("/schedules#{}", schedule.id),
            name: schedule.body.name.to_string(),
            sentence: sentence(&schedule.body.sentence(&names)),
            word: "Schedule",
            state: tone_word(next.tone),
            runs: match upcoming(&view, now, timezone) {
                Upcoming::Runs(runs) => runs,
                Upcoming::None(_) => Vec::new(),
            },
        });
    }
    for rule in hub.rules().all() {
        if !rule.body.plugs().any(|(_, plug)| plug == mac) {
            continue;
        }
        let view = hub.view(&rule);
        found.push(Automation {
            path: format!("/rules#{}", rule.id),
            name: rule.body.name.to_string(),
            sentence: sentence(&rule.body.kind.sentence(&names)),
            word: "Rule",
            state: tone_word(view.state_word().tone),
            runs: Vec::new(),
        });
    }
    found
}

/// Returns the word for a schedule or rule that does not run.
fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "Stopped",
        Tone::Dim => "Off",
        _ => "",
    }
}

fn rooms(hub: &Hub) -> Vec<String> {
    let views = hub.registry().views();
    let mut rooms: Vec<_> = views.iter().filter_map(|view| view.room.clone()).collect();
    rooms.sort();
    rooms.dedup();
    rooms
}

/// Returns what was found when the plug was last looked at; `None` if it was not since the hub started.
fn weaknesses(hub: &Hub, mac: Mac) -> Option<Vec<Weakness>> {
    let report = hub.findings(mac)?;
    let weakness = |step: &HardenStep| Weakness {
        title: match step.id {
            WeaknessId::DiscoveryWord => "Discovery word",
            WeaknessId::WebPassword => "Web password",
            WeaknessId::AccessPoint => "Access point",
            WeaknessId::CloudSocket => "Connection to a server",
        },
        state: step.state.as_str(),
        reason: step.reason.as_deref().map_or_else(String::new, sentence),
    };
    Some(report.steps.iter().map(weakness).collect())
}

fn details(hub: &Hub, view: &Arc<PlugView>, now: Timestamp) -> Vec<(&'static str, String)> {
    let plug = &view.plug;
    let seen = format::since(plug.seen, now, &hub.clock().timezone);
    let kind = match plug.family.as_str() {
        "reco" => "Maginon SP-2 / Reco4life",
        "orvibo" => "Orvibo S20",
        "lumitek" => "Lumitek",
        "ghoma" => "G-Homa",
        other => other,
    };
    let mut details = vec![
        ("Answered", seen),
        ("Address", plug.address.to_string()),
        ("MAC", plug.mac.to_string()),
    ];
    details.extend(plug.serial.clone().map(|serial| ("Serial number", serial)));
    details.push(("Kind", kind.to_owned()));
    details.extend(plug.model.clone().map(|model| ("Model", model)));
    if hub.registry().can(plug.mac, plugs::Capability::Label) {
        details.extend(plug.extra.clone().map(|label| ("Name in the plug", label)));
    }
    details
}

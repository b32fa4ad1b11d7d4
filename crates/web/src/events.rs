//! The page of events: open problems, then the log by day, with links to older entries.

use api::{LogEntry, LogKind, RequestError, Scope};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use hiflying::Mac;
use hub::store::LogQuery;
use jiff::Zoned;
use plugs::RelayState;
use serde::Deserialize;

use crate::PagesState;
use crate::format;
use crate::frame::{EVENTS, Frame};
use crate::page_error::{PageError, sentence};
use crate::problems::{self, OpenProblem};
use crate::visit::Visit;

/// Number of entries on one page.
const PAGE_LENGTH: usize = 100;

/// Choices of the page: their value in the address, their words, and the kinds of entries.
const CHOICES: [(&str, &str, &[LogKind]); 6] = [
    ("all", "All", &[]),
    ("problems", "Problems", &[]),
    ("switched", "Switched", &[LogKind::Switch]),
    ("timed", "Timed", &[LogKind::Schedule]),
    ("rules", "Rules", &[LogKind::Rule]),
    (
        "other",
        "Other",
        &[
            LogKind::Availability,
            LogKind::Plug,
            LogKind::Group,
            LogKind::Tariff,
            LogKind::Takeover,
            LogKind::Problem,
            LogKind::Access,
            LogKind::Hub,
        ],
    ),
];

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    timezone: String,
    choices: Vec<EventChoice>,
    /// Value of the choice that is not `all`.
    kind: Option<&'static str>,
    plugs: Vec<PlugChoice>,
    damages: Vec<String>,
    open: Vec<OpenProblem>,
    days: Vec<DayOfEvents>,
    older: Option<String>,
    newest: Option<String>,
}

/// A choice of kinds.
struct EventChoice {
    path: String,
    words: &'static str,
    is_chosen: bool,
}

/// A plug whose events can be chosen.
struct PlugChoice {
    mac: String,
    title: String,
    is_chosen: bool,
}

/// The events of one day.
struct DayOfEvents {
    title: String,
    events: Vec<EventRow>,
}

/// An event in the list.
struct EventRow {
    id: u64,
    datetime: String,
    time: String,
    text: String,
    cause: Option<String>,
    path: Option<String>,
    icon: &'static str,
    class: &'static str,
}

/// The choices in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventsAddress {
    kind: String,
    plug: String,
    before: Option<u64>,
}

impl EventsAddress {
    fn path(&self, kind: &str, before: Option<u64>) -> String {
        let plug = (!self.plug.is_empty()).then(|| format!("plug={}", self.plug));
        let kind = (kind != "all").then(|| format!("kind={kind}"));
        let before = before.map(|id| format!("before={id}"));
        let parts: Vec<String> = kind.into_iter().chain(plug).chain(before).collect();
        match parts.is_empty() {
            true => "/events".to_owned(),
            false => format!("/events?{}", parts.join("&")),
        }
    }
}

/// Shows what happened. Who may change something has then seen it.
pub(crate) async fn events(
    State(state): State<PagesState>,
    visit: Visit,
    Query(mut address): Query<EventsAddress>,
) -> Result<Response, PageError> {
    let plug: Option<Mac> = match address.plug.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|error| RequestError::usage(format!("plug: {error}")).at("plug"))?,
        ),
    };
    address.plug = plug.map_or_else(String::new, |plug| format!("{plug:x}"));
    let chosen = CHOICES.iter().find(|choice| choice.0 == address.kind);
    let (kind, _, kinds) = *chosen.unwrap_or(&CHOICES[0]);
    let query = LogQuery {
        before: address.before,
        kinds: kinds.to_vec(),
        plugs: plug.into_iter().collect(),
        problems: kind == "problems",
        limit: PAGE_LENGTH + 1,
        ..LogQuery::default()
    };
    let log = state.hub.log();
    let mut entries = log.entries(&query).await?;
    let is_more = entries.len() > PAGE_LENGTH;
    entries.truncate(PAGE_LENGTH);
    if visit.scope >= Scope::Switch && address.before.is_none() && kind == "all" && plug.is_none() {
        log.mark_read();
    }
    let mut frame = Frame::new(&visit, EVENTS, "Events");
    frame.attention = log.unread();
    let last = entries.last().map(|entry| entry.id).filter(|_| is_more);
    let choices = CHOICES.iter().map(|(value, words, _)| EventChoice {
        path: address.path(value, None),
        words,
        is_chosen: *value == kind,
    });
    let page = EventsPage {
        timezone: format::zone(&state.hub.clock().timezone),
        choices: choices.collect(),
        kind: Some(kind).filter(|kind| *kind != "all"),
        plugs: plug_choices(&state, plug),
        damages: problems::damages(&state.hub),
        open: problems::gone_plugs(&state.hub)
            .into_iter()
            .chain(problems::further(&state.hub))
            .collect(),
        older: last.map(|id| address.path(kind, Some(id))),
        newest: address.before.map(|_| address.path(kind, None)),
        days: days(&state, &entries),
        frame,
    };
    Ok(page.frame.send(&page))
}

fn plug_choices(state: &PagesState, chosen: Option<Mac>) -> Vec<PlugChoice> {
    let views = state.hub.registry().views();
    let mut choices: Vec<_> = views
        .iter()
        .map(|view| PlugChoice {
            mac: format!("{:x}", view.plug.mac),
            title: format::title(view),
            is_chosen: Some(view.plug.mac) == chosen,
        })
        .collect();
    choices.sort_by_cached_key(|choice| choice.title.to_lowercase());
    // A plug that was removed has a past, too.
    if let Some(mac) = chosen.filter(|_| !choices.iter().any(|choice| choice.is_chosen)) {
        choices.push(PlugChoice {
            mac: format!("{mac:x}"),
            title: mac.to_string(),
            is_chosen: true,
        });
    }
    choices
}

fn days(state: &PagesState, entries: &[LogEntry]) -> Vec<DayOfEvents> {
    let zone = &state.hub.clock().timezone;
    let now = plugs::now().to_zoned(zone.clone());
    let mut days: Vec<DayOfEvents> = Vec::new();
    for entry in entries {
        let at = Zoned::new(entry.at, zone.clone());
        let title = day_title(&at, &now);
        let row = row(state, entry, &at);
        match days.last_mut().filter(|day| day.title == title) {
            Some(day) => day.events.push(row),
            None => days.push(DayOfEvents {
                title,
                events: vec![row],
            }),
        }
    }
    days
}

fn day_title(at: &Zoned, now: &Zoned) -> String {
    let day = match at.year() == now.year() {
        true => at.strftime("%-d %B").to_string(),
        false => at.strftime("%-d %B %Y").to_string(),
    };
    let is_yesterday = now.date().yesterday().is_ok_and(|day| day == at.date());
    match (at.date() == now.date(), is_yesterday) {
        (true, _) => format!("Today, {day}"),
        (_, true) => format!("Yesterday, {day}"),
        _ => day,
    }
}

fn row(state: &PagesState, entry: &LogEntry, at: &Zoned) -> EventRow {
    let icon = match (entry.kind, entry.problem) {
        (LogKind::Availability, true) => "gone",
        // Of a plug that is often unplugged it is no problem that it does not answer.
        (LogKind::Availability, false) if !entry.text.contains("is back") => "gone",
        (_, true) => "alert",
        (LogKind::Switch, _) => "power",
        (LogKind::Availability, _) => "check",
        (LogKind::Schedule, _) => "clock",
        (LogKind::Rule, _) => "rules",
        _ => "info",
    };
    let class = match (entry.problem, entry.relay) {
        (true, _) => "bad",
        (false, Some(RelayState::On)) => "on",
        (false, _) => "",
    };
    let plug = entry
        .plug
        .filter(|plug| state.hub.registry().view(*plug).is_some());
    EventRow {
        id: entry.id,
        datetime: at.timestamp().to_string(),
        time: at.strftime("%H:%M").to_string(),
        text: sentence(&entry.text),
        cause: entry
            .cause
            .as_ref()
            .map(|cause| sentence(&format!("by {cause}"))),
        path: plug.map(|plug| format!("/plugs/{plug:x}")),
        icon,
        class,
    }
}

//! The page of events: open problems, then the events of the last days.

use api::text::Tone;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::{Timestamp, Zoned};

use crate::PagesState;
use crate::event_log::LoggedEvent;
use crate::format;
use crate::frame::{EVENTS, Frame};
use crate::page_error::sentence;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    timezone: String,
    open: Vec<OpenProblem>,
    days: Vec<DayOfEvents>,
}

/// A problem that lasts.
struct OpenProblem {
    path: String,
    title: String,
    text: String,
}

/// The events of one day.
struct DayOfEvents {
    title: String,
    events: Vec<EventRow>,
}

/// An event in the list.
struct EventRow {
    datetime: String,
    time: String,
    title: String,
    text: String,
    icon: &'static str,
    class: &'static str,
}

/// Shows what happened.
pub(crate) async fn events(State(state): State<PagesState>, visit: Visit) -> Response {
    let zone = &state.hub.clock().timezone;
    let now = Zoned::now().with_time_zone(zone.clone());
    let mut days: Vec<DayOfEvents> = Vec::new();
    for event in state.events.all() {
        let at = Zoned::new(event.at, zone.clone());
        let title = day_title(&at, &now);
        let row = row(&event, &at);
        match days.last_mut().filter(|day| day.title == title) {
            Some(day) => day.events.push(row),
            None => days.push(DayOfEvents {
                title,
                events: vec![row],
            }),
        }
    }
    let open = open_problems(&state);
    let mut frame = Frame::new(&visit, EVENTS, "Events");
    frame.attention = open.len();
    let page = EventsPage {
        timezone: zone.iana_name().unwrap_or("local time").to_owned(),
        open,
        days,
        frame,
    };
    page.frame.send(&page)
}

fn day_title(at: &Zoned, now: &Zoned) -> String {
    let day = at.strftime("%-d %B").to_string();
    let is_yesterday = now.date().yesterday().is_ok_and(|day| day == at.date());
    match (at.date() == now.date(), is_yesterday) {
        (true, _) => format!("Today, {day}"),
        (_, true) => format!("Yesterday, {day}"),
        _ => day,
    }
}

fn row(event: &LoggedEvent, at: &Zoned) -> EventRow {
    let (class, icon) = match (event.tone, event.kind) {
        (Tone::Bad, "availability") => ("bad", "gone"),
        (Tone::Bad, _) => ("bad", "alert"),
        (Tone::On, _) => ("on", "power"),
        (_, "plug") => ("", "power"),
        (_, "availability") => ("", "check"),
        (_, "schedule") => ("", "clock"),
        (_, "rule") => ("", "rules"),
        _ => ("", "info"),
    };
    let kind = match event.kind {
        kind @ ("schedule" | "rule" | "group" | "tariff") => format!(" ({kind})"),
        _ => String::new(),
    };
    EventRow {
        datetime: at.timestamp().to_string(),
        time: at.strftime("%H:%M").to_string(),
        title: format!("{}{kind}", event.subject),
        text: sentence(&event.what),
        icon,
        class,
    }
}

/// Returns the plugs that do not answer, and the schedules and rules that were stopped.
fn open_problems(state: &PagesState) -> Vec<OpenProblem> {
    let hub = &state.hub;
    let (now, zone) = (Timestamp::now(), &hub.clock().timezone);
    let mut open = Vec::new();
    for view in hub.registry().views().iter().filter(|view| !view.available) {
        open.push(OpenProblem {
            path: format!("/plugs/{:x}", view.plug.mac),
            title: format::title(view),
            text: format!(
                "no answer since {}.",
                format::since(view.plug.seen, now, zone)
            ),
        });
    }
    for stored in hub.schedules().all() {
        let view = hub.view(&stored);
        if let Some(halted) = view.status.halted {
            open.push(OpenProblem {
                path: format!("/schedules#{}", stored.id),
                title: stored.body.name.to_string(),
                text: format!("stopped. {}", sentence(&halted.why)),
            });
        }
    }
    for stored in hub.rules().all() {
        let view = hub.view(&stored);
        if let Some(halted) = view.status.halted {
            open.push(OpenProblem {
                path: format!("/rules#{}", stored.id),
                title: stored.body.name.to_string(),
                text: format!("stopped. {}", sentence(&halted.why)),
            });
        }
    }
    open
}

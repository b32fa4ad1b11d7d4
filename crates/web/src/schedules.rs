//! Schedules: switching by the clock and the sun.

use api::text::LocalClock;
use api::{Id, RequestError, Schedule, ScheduleView};
use askama::Template;
use axum::response::Response;
use hub::schedule::next_due;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value};

use crate::PagesState;
use crate::documents::{DocumentPage, Editor, filled};
use crate::fields::Fields;
use crate::format;
use crate::frame::{Frame, NavItem, SCHEDULES};
use crate::groups::{PlugChoice, WEEKDAYS, plug_choices};
use crate::names::KnownNames;
use crate::page_error::sentence;
use crate::visit::Visit;

/// Number of coming runs that an editor shows.
const COMING_RUNS: usize = 3;
/// Fields of the editor that show what is wrong with them.
const SHOWN: [&str; 10] = [
    "name", "targets", "action", "at", "days", "sun", "offset", "once", "cron", "random",
];

#[derive(Template)]
#[template(path = "schedules.html")]
struct SchedulesPage {
    frame: Frame,
    timezone: String,
    rows: Vec<ScheduleRow>,
    plugs: Vec<PlugChoice>,
    groups: Vec<(String, String)>,
    editor: Option<Editor>,
    preview: Option<Preview>,
    days: [(&'static str, &'static str); 7],
}

/// A schedule in the list.
struct ScheduleRow {
    id: String,
    name: String,
    sentence: String,
    is_enabled: bool,
    runs: Upcoming,
    trouble: Option<(&'static str, String)>,
}

/// The coming runs of a schedule: their times, or the reason why there is none.
pub(crate) enum Upcoming {
    Runs(Vec<ComingRun>),
    None(&'static str),
}

/// A coming run.
pub(crate) struct ComingRun {
    /// Its time with the offset.
    pub(crate) datetime: String,
    /// Its time in words.
    pub(crate) time: String,
}

impl ComingRun {
    fn new(at: Timestamp, now: Timestamp, timezone: &TimeZone) -> Self {
        let local = Zoned::new(at, timezone.clone());
        Self {
            datetime: local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            time: format::coming(at, now, timezone),
        }
    }
}

/// Returns the coming runs of a schedule.
pub(crate) fn upcoming(view: &ScheduleView, now: Timestamp, timezone: &TimeZone) -> Upcoming {
    let runs = view.status.upcoming.iter();
    let runs: Vec<_> = runs.map(|at| ComingRun::new(*at, now, timezone)).collect();
    match (view.document.enabled, runs.is_empty()) {
        (false, _) => Upcoming::None("Paused"),
        (true, true) => Upcoming::None("No further run"),
        (true, false) => Upcoming::Runs(runs),
    }
}

/// A schedule in words, while it is edited.
struct Preview {
    sentence: String,
    runs: Vec<ComingRun>,
    problem: Option<String>,
}

impl DocumentPage for Schedule {
    const PLACE: NavItem = SCHEDULES;

    fn words(&self, state: &PagesState) -> String {
        sentence(&self.sentence(&KnownNames(&state.hub)))
    }

    fn json(fields: &Fields) -> Result<Value, RequestError> {
        let mut json = Map::from_iter([
            ("name".to_owned(), fields.needed("name")?.trim().into()),
            ("targets".to_owned(), fields.all("targets").into()),
            ("action".to_owned(), fields.needed("action")?.into()),
            ("when".to_owned(), when(fields)?),
        ]);
        for name in ["random", "catch_up"] {
            if let Some(text) = filled(fields, name) {
                json.insert(name.to_owned(), text.into());
            }
        }
        // Without a script, a paused schedule stays paused when it is saved.
        if fields.get("enabled") == Some("false") {
            json.insert("enabled".to_owned(), false.into());
        }
        Ok(json.into())
    }

    fn with_enabled(&self, enabled: bool) -> Option<Self> {
        Some(Self {
            enabled,
            ..self.clone()
        })
    }

    fn page(state: &PagesState, visit: &Visit, editor: Option<Editor>) -> Response {
        let hub = &state.hub;
        let zone = &hub.clock().timezone;
        let clock = LocalClock::at(plugs::now(), zone.clone());
        let views = hub.schedules().all();
        let rows = views
            .iter()
            .map(|stored| row(state, &clock, &hub.view(stored)));
        let groups = hub.groups().all().into_iter();
        let page = SchedulesPage {
            frame: Frame::new(visit, Self::PLACE, "Schedules"),
            timezone: zone.iana_name().unwrap_or("local time").to_owned(),
            rows: rows.collect(),
            plugs: plug_choices(state),
            groups: groups
                .map(|group| (group.id.to_string(), group.body.name.to_string()))
                .collect(),
            preview: editor.as_ref().and_then(|editor| preview(state, editor)),
            editor,
            days: WEEKDAYS,
        };
        page.frame.send(&page)
    }
}

/// Returns the kind of time that a form means: the chosen one, else the first that is filled in.
pub(crate) fn kind_of(fields: &Fields) -> &str {
    const KINDS: [&str; 4] = ["at", "sun", "once", "cron"];
    let chosen = filled(fields, "kind").filter(|kind| KINDS.contains(kind));
    let first = || {
        KINDS
            .into_iter()
            .find(|kind| filled(fields, kind).is_some())
    };
    chosen.or_else(first).unwrap_or("at")
}

fn when(fields: &Fields) -> Result<Value, RequestError> {
    let kind = kind_of(fields);
    let missing = || RequestError::usage(format!("{kind}: it is missing")).at(kind);
    let mut when = Map::new();
    when.insert(
        kind.to_owned(),
        filled(fields, kind).ok_or_else(missing)?.into(),
    );
    if let ("sun", Some(offset)) = (kind, filled(fields, "offset")) {
        when.insert("offset".to_owned(), offset.into());
    }
    let days = fields.all("days");
    if matches!(kind, "at" | "sun") && !days.is_empty() {
        when.insert("days".to_owned(), days.into());
    }
    Ok(when.into())
}

fn row(state: &PagesState, clock: &LocalClock, view: &ScheduleView) -> ScheduleRow {
    let schedule = &view.document;
    let status = &view.status;
    let failed = status.last.as_ref().filter(|last| last.error.is_some());
    let trouble = match (&status.halted, failed) {
        (Some(halted), _) => Some(("Stopped", sentence(&halted.why))),
        (None, Some(last)) => {
            let error = last.error.as_deref().unwrap_or_default();
            let at = clock.moment(last.at);
            Some(("Missed", sentence(&format!("{at}: {error}"))))
        }
        (None, None) => None,
    };
    ScheduleRow {
        id: view.id.to_string(),
        name: schedule.name.to_string(),
        sentence: schedule.words(state),
        is_enabled: schedule.enabled,
        runs: upcoming(view, clock.now().timestamp(), clock.now().time_zone()),
        trouble,
    }
}

/// Returns the schedule of a form in words, with its coming runs; `None` while it is not complete.
fn preview(state: &PagesState, editor: &Editor) -> Option<Preview> {
    let mut schedule: Schedule = editor.read().ok()?;
    // A paused one is shown as if it ran.
    schedule.enabled = true;
    let clock = state.hub.clock();
    let now = plugs::now();
    // A random delay depends on the id.
    let id = editor.id.clone().unwrap_or_else(|| Id::random('s'));
    let mut runs = Vec::new();
    let mut after = now;
    let mut problem = None;
    while runs.len() < COMING_RUNS {
        match next_due(&schedule, clock, after, &id) {
            Ok(Some(at)) => {
                runs.push(ComingRun::new(at, now, &clock.timezone));
                after = at;
            }
            Ok(None) => break,
            Err(error) => {
                problem = Some(sentence(error.message()));
                break;
            }
        }
    }
    Some(Preview {
        sentence: schedule.words(state),
        runs,
        problem,
    })
}

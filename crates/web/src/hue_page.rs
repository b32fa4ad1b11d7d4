//! Hue bridges: those that are paired and found, their lights, and takeovers of bulbs with their progress.

use std::time::Duration;

use api::text::LocalClock;
use api::{Id, RequestError, TakeoverJob, TakeoverState};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hub::bridges::bridge_error;
use hub::http::TakeoverOrder;
use hue::{BridgeId, CertificateProblem, HueError, Light, PairedBridge};

use crate::PagesState;
use crate::documents::{Editor, filled, saved};
use crate::fields::Fields;
use crate::frame::{Frame, SETTINGS};
use crate::page_error::{PageError, sentence, status};
use crate::removal::RemovalQuestion;
use crate::visit::Visit;

/// Duration of a search that a person starts.
const SEARCH_DURATION: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "hue.html")]
struct HuePage {
    frame: Frame,
    paired: Vec<BridgeRow>,
    /// The bridges that a search has found; `None` before one.
    found: Option<Vec<BridgeRow>>,
    /// The form that pairs by address.
    editor: Editor,
    /// Fingerprint of a certificate that the owner is asked to accept.
    certificate: Option<String>,
}

#[derive(Template)]
#[template(path = "hue-bridge.html")]
struct BridgePage {
    frame: Frame,
    bridge: BridgeRow,
    /// The lights, or the reason why they are unknown; `None` if they were not asked for.
    lights: Option<Result<Vec<Light>, String>>,
    jobs: Vec<JobRow>,
    editor: Editor,
}

#[derive(Template)]
#[template(path = "hue-takeover.html")]
struct TakeoverPage {
    frame: Frame,
    bridge: BridgeRow,
    job: JobRow,
    steps: Vec<(String, String)>,
    lights: Vec<String>,
    notes: Vec<String>,
    problem: Option<String>,
}

/// A bridge in a list.
struct BridgeRow {
    id: String,
    title: String,
    address: String,
    details: String,
    is_paired: bool,
}

/// A takeover in a list.
struct JobRow {
    id: String,
    state: &'static str,
    icon: &'static str,
    class: &'static str,
    started: String,
    is_running: bool,
}

impl BridgeRow {
    fn paired(bridge: &PairedBridge) -> Self {
        let software = bridge
            .software
            .as_deref()
            .map(|version| format!("firmware {version}"));
        let details = [Some(bridge.model.as_str().to_owned()), software];
        Self {
            id: bridge.id.to_string(),
            title: bridge.name.clone().unwrap_or_else(|| bridge.id.to_string()),
            address: bridge.address.to_string(),
            details: details
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" · "),
            is_paired: true,
        }
    }
}

impl JobRow {
    fn new(job: &TakeoverJob, clock: &LocalClock) -> Self {
        let (state, icon, class) = match job.state {
            TakeoverState::Running => ("Working…", "timer", ""),
            TakeoverState::Done => ("Taken over", "check", " good"),
            TakeoverState::Failed => ("Failed", "alert", " bad"),
        };
        Self {
            id: job.id.to_string(),
            state,
            icon,
            class,
            started: sentence(&clock.moment(job.started)),
            is_running: job.state == TakeoverState::Running,
        }
    }
}

/// Returns the routes of the pages of bridges.
pub(crate) fn routes() -> Router<PagesState> {
    Router::new()
        .route("/hue", get(bridges).post(pair))
        .route("/hue/search", post(search))
        .route("/hue/{id}", get(bridge))
        .route("/hue/{id}/lights", get(lights))
        .route("/hue/{id}/takeovers", post(take_over))
        .route("/hue/{id}/takeovers/{job}", get(takeover))
        .route("/hue/{id}/delete", get(ask_removal).post(remove))
}

fn clock(state: &PagesState) -> LocalClock {
    LocalClock::at(plugs::now(), state.hub.clock().timezone.clone())
}

fn bridge_of(state: &PagesState, id: &str) -> Result<PairedBridge, RequestError> {
    let unknown = |_| RequestError::not_found("there is no such bridge");
    let id: BridgeId = id.parse().map_err(unknown)?;
    state.hub.bridges().one(&id)
}

/// Shows the bridges.
pub(crate) async fn bridges(
    State(state): State<PagesState>,
    visit: Visit,
) -> Result<Response, PageError> {
    Ok(list(&state, &visit, None, Editor::default(), None)?)
}

fn list(
    state: &PagesState,
    visit: &Visit,
    found: Option<Vec<BridgeRow>>,
    editor: Editor,
    certificate: Option<String>,
) -> Result<Response, RequestError> {
    let paired = state.hub.bridges().all()?;
    let page = HuePage {
        frame: Frame::new(visit, SETTINGS, "Hue bridges"),
        paired: paired.iter().map(BridgeRow::paired).collect(),
        found,
        editor,
        certificate,
    };
    Ok(page.frame.send(&page))
}

/// Searches for bridges, and shows those that have answered.
pub(crate) async fn search(
    State(state): State<PagesState>,
    visit: Visit,
) -> Result<Response, PageError> {
    let found = state.hub.bridges().discover(SEARCH_DURATION).await?;
    let paired = state.hub.bridges().all()?;
    let row = |found: hue::net::FoundBridge| {
        let id = found.identity.id.as_ref();
        let address = found.address.to_string();
        BridgeRow {
            id: id.map_or_else(|| address.clone(), ToString::to_string),
            title: found.identity.name.unwrap_or_else(|| address.clone()),
            details: found.identity.model.as_str().to_owned(),
            is_paired: paired.iter().any(|bridge| Some(&bridge.id) == id),
            address,
        }
    };
    let found = found.into_iter().map(row).collect();
    Ok(list(&state, &visit, Some(found), Editor::default(), None)?)
}

/// Pairs with a bridge whose button was pressed. A certificate that is not known yet is shown to its owner first.
pub(crate) async fn pair(
    State(state): State<PagesState>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let (error, certificate) = match paired(&state, &fields).await {
        Ok(bridge) => return Ok(saved(&visit, &format!("hue/{}", bridge.id))),
        Err(refused) => refused,
    };
    let editor = Editor::blank(fields).refused(&error);
    // A question is no failure of the bridge; the API answers the same.
    let status = match certificate {
        Some(_) => StatusCode::CONFLICT,
        None => status(&error),
    };
    let page = list(&state, &visit, None, editor, certificate)?;
    Ok((status, page).into_response())
}

async fn paired(
    state: &PagesState,
    fields: &Fields,
) -> Result<PairedBridge, (RequestError, Option<String>)> {
    let usage = |text: String, field: &str| (RequestError::usage(text).at(field), None);
    let address = fields.needed("address").map_err(|error| (error, None))?;
    let address = address.trim().parse();
    let address = address.map_err(|error| usage(format!("this is {error}"), "address"))?;
    let certificate = filled(fields, "certificate").map(str::parse).transpose();
    let certificate =
        certificate.map_err(|_| usage("this is no fingerprint".to_owned(), "certificate"))?;
    let paired = state.hub.bridges().pair(address, certificate).await;
    paired.map(|(bridge, _)| bridge).map_err(|error| {
        let unknown = match &error {
            HueError::Certificate {
                problem: CertificateProblem::Unknown { fingerprint },
                ..
            } => Some(fingerprint.to_string()),
            _ => None,
        };
        (bridge_error(error), unknown)
    })
}

/// Shows a bridge, and the takeovers that it has made.
pub(crate) async fn bridge(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let bridge = bridge_of(&state, &id)?;
    Ok(bridge_page(
        &state,
        &visit,
        &bridge,
        None,
        Editor::default(),
    )?)
}

/// Shows a bridge and its lights.
pub(crate) async fn lights(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let bridge = bridge_of(&state, &id)?;
    let lights = state.hub.bridges().lights(&bridge.id).await;
    let lights = lights.map_err(|error| sentence(error.message()));
    let editor = Editor::default();
    Ok(bridge_page(&state, &visit, &bridge, Some(lights), editor)?)
}

fn bridge_page(
    state: &PagesState,
    visit: &Visit,
    bridge: &PairedBridge,
    lights: Option<Result<Vec<Light>, String>>,
    editor: Editor,
) -> Result<Response, RequestError> {
    let clock = clock(state);
    let jobs = state.hub.bridges().takeovers(&bridge.id)?;
    let bridge = BridgeRow::paired(bridge);
    let page = BridgePage {
        frame: Frame::new(visit, SETTINGS, bridge.title.clone()),
        bridge,
        lights,
        jobs: jobs.iter().map(|job| JobRow::new(job, &clock)).collect(),
        editor,
    };
    Ok(page.frame.send(&page))
}

/// Starts a takeover, and leads to its progress.
pub(crate) async fn take_over(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let bridge = bridge_of(&state, &id)?;
    let order = TakeoverOrder {
        via: filled(&fields, "via").map(str::to_owned),
        serial: filled(&fields, "serial").map(str::to_owned),
        nearby_lamps_are_mine: fields.get("nearby_lamps_are_mine").is_some(),
    };
    let bridges = state.hub.bridges();
    let started = order
        .checked()
        .and_then(|options| bridges.take_over(&bridge.id, options));
    match started {
        Ok(job) => {
            let path = format!("/hue/{}/takeovers/{}", bridge.id, job.id);
            Ok(visit.prefix.redirect(&path))
        }
        Err(error) => {
            let editor = Editor::blank(fields).refused(&error);
            let page = bridge_page(&state, &visit, &bridge, None, editor)?;
            Ok((status(&error), page).into_response())
        }
    }
}

/// Shows the progress of a takeover.
pub(crate) async fn takeover(
    State(state): State<PagesState>,
    Path((id, job)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    let bridge = bridge_of(&state, &id)?;
    let unknown = |_| RequestError::not_found("there is no such takeover");
    let job: Id = job.parse().map_err(unknown)?;
    let job = state.hub.bridges().takeover(&bridge.id, &job)?;
    let zone = &state.hub.clock().timezone;
    let step = |step: &api::TakeoverStep| {
        let at = step
            .at
            .to_zoned(zone.clone())
            .strftime("%H:%M:%S")
            .to_string();
        (at, sentence(&step.text))
    };
    let problem = job.error.as_ref().map(|error| {
        let hint = error.hint.as_deref().map(sentence).unwrap_or_default();
        format!("{} {hint}", sentence(&error.message))
    });
    let bridge = BridgeRow::paired(&bridge);
    let page = TakeoverPage {
        frame: Frame::new(&visit, SETTINGS, "Take over a bulb"),
        bridge,
        job: JobRow::new(&job, &clock(&state)),
        steps: job.steps.iter().map(step).collect(),
        lights: job
            .new_lights
            .iter()
            .map(|light| light.name.clone())
            .collect(),
        notes: job.notes.iter().map(|note| sentence(note)).collect(),
        problem,
    };
    Ok(page.frame.send(&page))
}

/// Asks whether a bridge is to be forgotten.
pub(crate) async fn ask_removal(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let bridge = bridge_of(&state, &id)?;
    let question = RemovalQuestion {
        title: BridgeRow::paired(&bridge).title,
        words: "Mains forgets its key and its takeovers. Its lights stay as they are.".to_owned(),
        effects: vec![
            "The bridge keeps the key until you remove it in the vendor's app.".to_owned(),
        ],
        action: format!("/hue/{}/delete", bridge.id),
        back: format!("/hue/{}", bridge.id),
        asks_current: false,
        verb: "Forget",
    };
    Ok(question.page(&visit, SETTINGS))
}

/// Forgets a bridge.
pub(crate) async fn remove(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let bridge = bridge_of(&state, &id)?;
    state.hub.bridges().forget(&bridge.id)?;
    Ok(saved(&visit, "hue"))
}

//! The naming walk: one plug without a name after the other. A click of its relay tells which one it is.

use std::time::Duration;

use api::text::not_switched;
use api::{Cause, Name, PlugSettings, PlugView, RelayCommand, RequestError};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use hub::auth::local_path;
use plugs::RelayState;
use tokio::time::sleep;

use crate::PagesState;
use crate::documents::{Editor, filled};
use crate::fields::Fields;
use crate::format;
use crate::frame::{ADD, Frame, HOME};
use crate::note::FormNote;
use crate::page_error::{PageError, status};
use crate::removal::RemovalQuestion;
use crate::switch::plug_of;
use crate::visit::Visit;

/// Time between the two moves of a relay that clicks.
const CLICK_INTERVAL: Duration = Duration::from_millis(700);

#[derive(Template)]
#[template(path = "naming.html")]
struct NamingPage {
    frame: Frame,
    /// The plug that is to be named; `None` at the end.
    plug: Option<PlugInWalk>,
    editor: Editor,
    rooms: Vec<String>,
}

/// The plug that is to be named.
struct PlugInWalk {
    mac: String,
    title: String,
    address: String,
    state: String,
    is_on: bool,
    is_available: bool,
    /// Number of plugs without a name that follow.
    further: usize,
}

/// Returns the plugs without a name, by their MAC.
pub(crate) fn unnamed(state: &PagesState) -> Vec<std::sync::Arc<PlugView>> {
    let mut plugs = state.hub.registry().views();
    plugs.retain(|view| view.plug.name.is_none());
    plugs.sort_by_key(|view| view.plug.mac);
    plugs
}

/// Shows the next plug without a name, after the one in the query.
pub(crate) async fn walk(
    State(state): State<PagesState>,
    Query(query): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Response {
    let query = Fields::from(query);
    let mac = |name: &str| query.get(name)?.parse::<Mac>().ok();
    let (after, at) = (mac("after"), mac("plug"));
    let plugs = unnamed(&state);
    let is_next = |view: &std::sync::Arc<PlugView>| match (at, after) {
        (Some(at), _) => view.plug.mac == at,
        (None, after) => after.is_none_or(|after| view.plug.mac > after),
    };
    let next = plugs.iter().position(is_next);
    page(
        &state,
        &visit,
        next.and_then(|next| plugs.get(next)),
        Editor::default(),
    )
}

fn page(
    state: &PagesState,
    visit: &Visit,
    view: Option<&std::sync::Arc<PlugView>>,
    editor: Editor,
) -> Response {
    let plug = view.map(|view| PlugInWalk {
        mac: format!("{:x}", view.plug.mac),
        title: match &view.plug.serial {
            Some(serial) => format!("Plug {serial}"),
            None => format::title(view),
        },
        address: view.plug.address.to_string(),
        state: match view.plug.relay.filter(|_| view.available) {
            Some(relay) => format!("It is {relay}."),
            None => "It does not answer.".to_owned(),
        },
        is_on: view.plug.relay == Some(RelayState::On),
        is_available: view.available,
        further: unnamed(state)
            .iter()
            .filter(|other| other.plug.mac > view.plug.mac)
            .count(),
    });
    let mut rooms: Vec<String> = state
        .hub
        .registry()
        .views()
        .iter()
        .filter_map(|view| view.room.clone())
        .collect();
    rooms.sort();
    rooms.dedup();
    let page = NamingPage {
        frame: Frame::new(visit, ADD, "Name your plugs"),
        plug,
        editor,
        rooms,
    };
    page.frame.send(&page)
}

/// Names a plug, and goes on to the next one.
pub(crate) async fn name(
    State(state): State<PagesState>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, fields.needed("plug")?)?;
    match named(&state, mac, &fields).await {
        Ok(()) => Ok(visit.prefix.redirect(&format!("/add/names?after={mac:x}"))),
        Err(error) => {
            let view = state.hub.registry().one(mac)?;
            let editor = Editor::blank(fields).refused(&error);
            let page = page(&state, &visit, Some(&view), editor);
            Ok((status(&error), page).into_response())
        }
    }
}

async fn named(state: &PagesState, mac: Mac, fields: &Fields) -> Result<(), RequestError> {
    let name = filled(fields, "name");
    let name = name.ok_or_else(|| RequestError::usage("give it a name, or skip it").at("name"))?;
    let room = filled(fields, "room").map(str::parse::<Name>).transpose();
    let room = room.map_err(|problem| RequestError::usage(problem).at("room"))?;
    let edit = |settings: &PlugSettings| {
        Ok(PlugSettings {
            name: Some(name.to_owned()),
            room: room.map(String::from).or_else(|| settings.room.clone()),
            ..settings.clone()
        })
    };
    state.hub.change_plug(mac, None, edit).await.map(drop)
}

/// Asks whether the relay of a plug is to click. Only one that is on is asked for.
pub(crate) async fn ask_identify(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let view = state.hub.registry().one(mac)?;
    let words = match view.plug.relay {
        Some(RelayState::On) => "It is on: what it feeds loses power for a moment.",
        _ => "Its relay clicks twice.",
    };
    let question = RemovalQuestion {
        title: format::title(&view),
        words: words.to_owned(),
        effects: Vec::new(),
        action: format!("/plugs/{mac:x}/identify?agreed=1"),
        back: back(&view),
        asks_current: false,
        verb: "Identify",
    };
    Ok(question.page(&visit, HOME))
}

/// Returns the page from which a plug is identified: the walk as long as it has no name.
fn back(view: &PlugView) -> String {
    let mac = view.plug.mac;
    match view.plug.name {
        None => format!("/add/names?plug={mac:x}"),
        Some(_) => format!("/plugs/{mac:x}"),
    }
}

/// Lets the relay of a plug click, and returns to the page. One that is on is switched off for a moment only if the query agrees.
pub(crate) async fn identify(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let view = state.hub.registry().one(mac)?;
    let unknown = || RequestError::unavailable("the plug does not answer, and cannot click");
    let relay = view
        .plug
        .relay
        .filter(|_| view.available)
        .ok_or_else(unknown)?;
    if relay == RelayState::On && Fields::from(query).get("agreed").is_none() {
        return Ok(visit.prefix.redirect(&format!("/plugs/{mac:x}/identify")));
    }
    click(&state, &view, relay).await?;
    let back = back(&view);
    Ok(visit.redirect(local_path(&back), FormNote::Clicked.cookie(&visit.prefix)))
}

/// Moves the relay and back. It goes back also when the first move was not confirmed: the plug may have carried it out.
async fn click(state: &PagesState, view: &PlugView, relay: RelayState) -> Result<(), RequestError> {
    let away = move_to(state, view, relay.toggled()).await;
    sleep(CLICK_INTERVAL).await;
    if move_to(state, view, relay).await.is_err() {
        let back = move_to(state, view, relay).await;
        back.map_err(|error| error.hint("the plug may be left in the other position"))?;
    }
    away
}

async fn move_to(
    state: &PagesState,
    view: &PlugView,
    relay: RelayState,
) -> Result<(), RequestError> {
    let command = RelayCommand::from(relay);
    let registry = state.hub.registry();
    let switched = registry.switch(view.plug.mac, command, Cause::Page).await?;
    match switched.confirmed {
        true => Ok(()),
        false => Err(not_switched(&format::title(view), command, switched.relay)),
    }
}

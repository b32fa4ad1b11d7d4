//! Switching by the forms of the pages. A switch that fails leaves a note for the page that follows.

use api::{Cause, ErrorKind, Id, RelayCommand, RequestError, SwitchTarget, Switched};
use axum::extract::{Path, State};
use axum::response::Response;
use hiflying::Mac;
use hub::auth::local_path;
use plugs::RelayState;

use crate::PagesState;
use crate::fields::Fields;
use crate::note::FormNote;
use crate::page_error::PageError;
use crate::visit::Visit;

/// Switches a plug, and returns to its card or to the page that the form names.
pub(crate) async fn plug(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let goal: RelayState = fields.parse("state")?;
    let command = RelayCommand::from(goal);
    let result = state.hub.registry().switch(mac, command, Cause::Page).await;
    let back = match fields.get("next") {
        Some(next) => local_path(next).to_owned(),
        None => format!("/#plug-{mac:x}"),
    };
    Ok(returned(&visit, &back, [(mac, result)], goal))
}

/// Switches a group, and returns to the home page.
pub(crate) async fn group(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let id: Id = id
        .parse()
        .map_err(|_| RequestError::not_found("there is no such group"))?;
    let goal: RelayState = fields.parse("state")?;
    let back = format!("/#group-{id}");
    let target = SwitchTarget::Group(id);
    let results = state
        .hub
        .switch_target(&target, RelayCommand::from(goal), &Cause::Page)
        .await?;
    Ok(returned(&visit, &back, results, goal))
}

/// Returns the plug that a path names.
pub(crate) fn plug_of(state: &PagesState, mac: &str) -> Result<Mac, RequestError> {
    let unknown = || RequestError::not_found("there is no such plug; it may have been removed");
    let mac: Mac = mac.parse().map_err(|_| unknown())?;
    state
        .hub
        .registry()
        .view(mac)
        .map(|_| mac)
        .ok_or_else(unknown)
}

/// Leads back to a page, with a note about the first plug that was not switched.
fn returned(
    visit: &Visit,
    back: &str,
    results: impl IntoIterator<Item = (Mac, Result<Switched, RequestError>)>,
    goal: RelayState,
) -> Response {
    let failure = |(plug, result): (Mac, Result<Switched, RequestError>)| {
        let kind = match result {
            Ok(switched) if switched.confirmed => return None,
            Ok(switched) if switched.relay.is_none() => ErrorKind::NoAnswer,
            Ok(_) => ErrorKind::Refused,
            Err(error) => error.kind(),
        };
        Some(FormNote::NotSwitched { plug, goal, kind })
    };
    let note = results.into_iter().find_map(failure);
    visit.redirect(back, note.and_then(|note| note.cookie(&visit.prefix)))
}

//! Switching groups.

use api::text::not_switched;
use api::{
    ErrorDocument, GroupRelay, Id, RelayCommand, RequestError, SwitchRequest, SwitchTarget,
    Switched,
};
use axum::Json;
use axum::extract::State;
use hiflying::Mac;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::path::DocumentPath;
use super::problem::JsonResult;
use super::{Api, body};
use crate::event::caller_cause;
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(switch))
}

/// Switches all plugs of a group at the same time. All are attempted; the response contains the result of each.
#[utoipa::path(put, path = "/api/v1/groups/{id}/relay", tag = "groups", operation_id = "switch_group",
    params(("id" = Id, Path, description = "The group's id")),
    request_body = SwitchRequest,
    responses((status = 200, description = "The result for each plug, in the order of the group", body = Vec<GroupRelay>)))]
async fn switch(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    body::Json(order): body::Json<SwitchRequest>,
) -> JsonResult<Vec<GroupRelay>> {
    let results = hub
        .switch_target(&SwitchTarget::Group(id), order.state, &caller_cause())
        .await?;
    let told = results
        .into_iter()
        .map(|(plug, result)| told(plug, order.state, result));
    Ok(Json(told.collect()))
}

fn told(plug: Mac, wanted: RelayCommand, result: Result<Switched, RequestError>) -> GroupRelay {
    let (relay, error) = match result {
        Ok(switched) if switched.confirmed => (switched.relay, None),
        Ok(switched) => {
            let error = not_switched(&plug.to_string(), wanted, switched.relay);
            (switched.relay, Some(error))
        }
        Err(error) => (None, Some(error)),
    };
    GroupRelay {
        plug,
        relay,
        confirmed: error.is_none(),
        error: error.map(ErrorDocument::from),
    }
}

//! Switching groups.

use api::{Cause, ErrorDocument, RelayCommand, RequestError, SwitchTarget, Switched};
use axum::Json;
use axum::extract::State;
use hiflying::Mac;
use plugs::RelayState;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::path::DocumentPath;
use super::plugs::{RelayOrder, unmoved};
use super::problem::Problem;
use super::{Api, body, schema};
use crate::hub::Hub;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(switch))
}

/// What came of an order to one plug of a group.
#[derive(Debug, Serialize, ToSchema)]
struct GroupRelay {
    /// The plug.
    #[schema(value_type = schema::Mac)]
    plug: Mac,
    /// The relay as it was last read.
    #[schema(value_type = Option<schema::Relay>, required)]
    relay: Option<RelayState>,
    /// Whether it was read back as wanted.
    confirmed: bool,
    /// Why it is not as wanted.
    #[schema(required)]
    error: Option<ErrorDocument>,
}

/// Switches every plug of a group at the same time. All are tried; what came of each is in the answer.
#[utoipa::path(put, path = "/api/v1/groups/{id}/relay", tag = "groups", operation_id = "switch_group",
    params(("id" = schema::Id, Path, description = "The group's id")),
    request_body = RelayOrder,
    responses((status = 200, description = "What came of it, for each plug of the group in its order", body = Vec<GroupRelay>)))]
async fn switch(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    body::Json(order): body::Json<RelayOrder>,
) -> Result<Json<Vec<GroupRelay>>, Problem> {
    let results = hub
        .switch_target(&SwitchTarget::Group(id), order.state, &Cause::Person)
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
            let error = unmoved(&plug.to_string(), wanted, &switched);
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

//! Setting the password.

use api::{ErrorKind, RequestError};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::super::gate::Caller;
use super::super::sessions::Origin;
use super::super::{Secret, Trust, check_listen, password, settings};
use super::login::remote;
use super::{Input, LARGEST_BODY};
use crate::http::problem::{Problem, ProblemJson};
use crate::server::Peer;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The new password; null takes it away, so that only tokens and links let anybody in.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, required)]
    password: Option<Secret>,
    /// The password until now; needed in a session that began with it.
    #[schema(value_type = Option<String>)]
    current: Option<Secret>,
}

/// May be null, but not left out.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::deserialize(deserializer)
}

/// Set the password
///
/// All browsers but the one that asks are logged out.
#[utoipa::path(put, path = "/api/v1/password", tag = "trust", request_body = NewPassword, responses(
    (status = 204, description = "Set, or taken away"),
    (status = 403, description = "The current password is wrong", body = ProblemJson, content_type = "application/problem+json"),
    (status = 409, description = "A hub that others can reach needs a password", body = ProblemJson, content_type = "application/problem+json"),
    (status = 429, body = ProblemJson, content_type = "application/problem+json"),
))]
pub(super) async fn set_password(
    State(trust): State<Trust>,
    Extension(caller): Extension<Caller>,
    peer: Option<Extension<Peer>>,
    Input(new): Input<NewPassword, LARGEST_BODY>,
) -> Result<StatusCode, Problem> {
    let is_set = trust.state().password.is_some();
    match new.current {
        Some(current) if is_set => {
            let checked = trust.check_password(current, remote(peer)).await;
            checked.map_err(|problem| match problem.kind() {
                ErrorKind::Unauthenticated => wrong_current().into(),
                _ => problem,
            })?;
        }
        None if is_set && caller.origin() == Origin::Password => return Err(wrong_current().into()),
        _ => {}
    }
    trust.set_password(new.password, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wrong_current() -> RequestError {
    RequestError::new(ErrorKind::Forbidden, "the current password is another").at("current")
}

impl Trust {
    async fn set_password(&self, new: Option<Secret>, caller: &Caller) -> Result<(), Problem> {
        let kept = match new {
            Some(new) => {
                password::check(&new)?;
                Some(password::hash(new).await?)
            }
            None => {
                check_listen(self.0.listening, false)
                    .map_err(|error| RequestError::conflict(error.message()))?;
                None
            }
        };
        let _turn = self.0.changing.lock().await;
        self.write(settings::PASSWORD, kept.as_ref().map(Secret::reveal))
            .await?;
        let mut state = self.state();
        tracing::info!(is_set = kept.is_some(), "the password was changed");
        state.password = kept;
        state.sessions.end_others(caller.session());
        state.links.end_all();
        Ok(())
    }
}

//! Setting the password.

use api::{ErrorKind, ProblemDocument, RequestError};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::super::middleware::Caller;
use super::super::sessions::LoginOrigin;
use super::super::{AccessControl, Credential, check_listen, password, settings};
use super::login::remote;
use super::{Input, MAX_BODY_BYTES};
use crate::http::problem::Problem;
use crate::server::PeerAddresses;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The new password; null removes it, so that only tokens and links give access.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, required)]
    password: Option<Credential>,
    /// The current password; required in a session that began with it.
    #[schema(value_type = Option<String>)]
    current: Option<Credential>,
}

/// Reads a field that can be null but must be present.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Credential>, D::Error> {
    Option::deserialize(deserializer)
}

/// Set the password
///
/// All other browsers are logged out.
#[utoipa::path(put, path = "/api/v1/password", tag = "trust", request_body = NewPassword, responses(
    (status = 204, description = "Set or removed"),
    (status = 403, description = "The current password is wrong", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "A hub that is reachable from other machines needs a password", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn set_password(
    State(auth): State<AccessControl>,
    Extension(caller): Extension<Caller>,
    peer: Option<Extension<PeerAddresses>>,
    Input(new): Input<NewPassword, MAX_BODY_BYTES>,
) -> Result<StatusCode, Problem> {
    let is_set = auth.state().password.is_some();
    match new.current {
        Some(current) if is_set => {
            let checked = auth.check_password(current, remote(peer)).await;
            checked.map_err(|problem| match problem.kind() {
                ErrorKind::Unauthenticated => wrong_current().into(),
                _ => problem,
            })?;
        }
        None if is_set && caller.origin() == LoginOrigin::Password => {
            return Err(wrong_current().into());
        }
        _ => {}
    }
    auth.set_password(new.password, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wrong_current() -> RequestError {
    RequestError::new(ErrorKind::Forbidden, "the current password is wrong").at("current")
}

impl AccessControl {
    async fn set_password(&self, new: Option<Credential>, caller: &Caller) -> Result<(), Problem> {
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
        self.write(settings::PASSWORD, kept.as_ref().map(Credential::reveal))
            .await?;
        let mut state = self.state();
        tracing::info!(is_set = kept.is_some(), "the password was changed");
        state.password = kept;
        state.sessions.end_others(caller.session());
        state.links.end_all();
        Ok(())
    }
}

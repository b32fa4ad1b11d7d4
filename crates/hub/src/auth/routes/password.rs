//! Setting the password.

use api::{ErrorKind, ProblemDocument, RequestError, Scope, SiteName};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::super::middleware::Caller;
use super::super::sessions::LoginOrigin;
use super::super::stored_password::{StoredPassword, check_differs, password_keys};
use super::super::{AccessControl, AuthState, Credential, check_listen, password};
use super::{Input, MAX_BODY_BYTES};
use crate::guest::LoginProblem;
use crate::http::problem::Problem;

/// Sets or removes a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The new password; null removes it, so that only tokens and links give access.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, required)]
    pub password: Option<Credential>,
    /// The current password; required in a session that began with it.
    #[schema(value_type = Option<String>)]
    pub current: Option<Credential>,
    /// Scope of the logins with the new password: `admin`, or `read` for logins that change nothing. There is one password for
    /// each; `admin` unless given.
    #[serde(default)]
    pub scope: Scope,
    /// Sites that its logins may see; `[]` is all. Unless given, those of the password before.
    #[serde(default)]
    pub sites: Option<Vec<SiteName>>,
}

/// Reads a field that can be null but must be present.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Credential>, D::Error> {
    Option::deserialize(deserializer)
}

/// Set the password
///
/// All other browsers that are logged in with it are logged out; with the password of the scope `admin`, all.
#[utoipa::path(put, path = "/api/v1/password", tag = "trust", request_body = NewPassword, responses(
    (status = 204, description = "Set or removed"),
    (status = 403, description = "The current password is wrong", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "A hub that is reachable from other machines needs a password", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn set_password(
    State(auth): State<AccessControl>,
    Extension(caller): Extension<Caller>,
    Input(new): Input<NewPassword, MAX_BODY_BYTES>,
) -> Result<StatusCode, Problem> {
    auth.change_password(new, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wrong_current() -> RequestError {
    RequestError::new(ErrorKind::Forbidden, "the current password is wrong").at("current")
}

impl AccessControl {
    /// Returns true if there is a password of this scope.
    pub fn has_password(&self, scope: Scope) -> bool {
        self.state().password_of(scope).is_some()
    }

    /// Returns the sites that logins with the password of this scope may see; all if empty.
    pub fn password_sites(&self, scope: Scope) -> Vec<SiteName> {
        let state = self.state();
        let password = state.password_of(scope).as_ref();
        password.map_or_else(Vec::new, |password| password.sites.clone())
    }

    /// Sets or removes a password.
    ///
    /// # Errors
    ///
    /// [`Problem`] with the field that is wrong; of kind `forbidden` if the current password is needed and wrong, also after too many attempts,
    /// and for the sites of others.
    pub async fn change_password(&self, new: NewPassword, caller: &Caller) -> Result<(), Problem> {
        let sites = self.granted_sites(&new, caller).await?;
        let is_set = self.has_password(Scope::Admin);
        match new.current {
            Some(current) if is_set => {
                match self.check_password(current, caller.connection()).await {
                    Ok((login, _)) if login.origin == LoginOrigin::Password => {}
                    Err(problem) if problem != LoginProblem::WrongPassword => {
                        return Err(problem.into());
                    }
                    _ => return Err(wrong_current().into()),
                }
            }
            None if is_set && *caller.origin() == LoginOrigin::Password => {
                return Err(wrong_current().into());
            }
            _ => {}
        }
        self.set_password(new.password, new.scope, sites, caller)
            .await
    }

    /// Returns the sites of a new password.
    async fn granted_sites(
        &self,
        new: &NewPassword,
        caller: &Caller,
    ) -> Result<Vec<SiteName>, RequestError> {
        let before = self.password_sites(new.scope);
        if self.has_password(new.scope) && !caller.sees_all_of(&before) {
            let message = "this password is for sites that this login does not see";
            return Err(RequestError::new(ErrorKind::Forbidden, message)
                .hint("change it with a login for all of its sites"));
        }
        match &new.sites {
            Some(sites) => self.granted(caller, sites).await,
            None if before.is_empty() => self.granted(caller, &[]).await,
            // They may be gone from the database by now.
            None => Ok(before),
        }
    }

    async fn set_password(
        &self,
        new: Option<Credential>,
        scope: Scope,
        sites: Vec<SiteName>,
        caller: &Caller,
    ) -> Result<(), Problem> {
        let (key, _) = password_keys(scope)?;
        let is_view = scope == Scope::Read;
        let kept = match new {
            Some(new) => {
                password::check(&new)?;
                let other = if is_view { Scope::Admin } else { Scope::Read };
                let other = self.state().password_of(other).clone();
                check_differs(&new, other).await?;
                let hash = password::hash(new).await?;
                Some(StoredPassword { hash, sites })
            }
            None if is_view => None,
            None => {
                check_listen(self.0.listening, self.0.web.logs_users_in())
                    .map_err(|error| RequestError::conflict(error.message()))?;
                None
            }
        };
        let turn = self.0.changing.lock().await;
        let text = kept.as_ref().map(StoredPassword::to_text);
        self.write(&[(key, text.as_ref().map(Credential::reveal))])
            .await?;
        tracing::info!(is_set = kept.is_some(), %scope, "the password was changed");
        let change = if kept.is_some() { "set" } else { "removed" };
        self.log(format!("the password for the scope {scope} was {change}"));
        {
            let mut state = self.state();
            if is_view {
                state.view_password = kept;
                state.end_from(&LoginOrigin::ViewPassword);
            } else {
                state.password = kept;
                state.sessions.end_others(caller.session());
                state.links.end_all();
            }
        }
        drop(turn);
        self.save_sessions().await;
        Ok(())
    }
}

impl AuthState {
    /// Returns the password of a scope.
    fn password_of(&self, scope: Scope) -> &Option<StoredPassword> {
        match scope {
            Scope::Admin => &self.password,
            _ => &self.view_password,
        }
    }
}

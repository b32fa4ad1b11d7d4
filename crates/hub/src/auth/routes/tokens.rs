//! Lists, makes and revokes tokens.

use api::{NewToken, ProblemDocument, RequestError, TokenInfo, TokenRequest, excerpt};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::middleware::Caller;
use super::super::sessions::LoginOrigin;
use super::super::{AccessControl, Credential, admin};
use super::{Input, MAX_BODY_BYTES};
use crate::http::problem::Problem;

/// List the tokens
///
/// A login that is bound to sites lists and revokes those that see no more than it does.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "trust", responses(
    (status = 200, body = [TokenInfo]),
))]
pub(super) async fn list_tokens(
    State(auth): State<AccessControl>,
    Extension(caller): Extension<Caller>,
) -> Json<Vec<TokenInfo>> {
    Json(auth.tokens(&caller))
}

/// Make a token
#[utoipa::path(post, path = "/api/v1/tokens", tag = "trust", request_body = TokenRequest, responses(
    (status = 201, description = "Made; the token itself is shown only once", body = NewToken),
    (status = 409, description = "The name is taken, or there are too many tokens", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn make_token(
    State(auth): State<AccessControl>,
    Extension(caller): Extension<Caller>,
    Input(new): Input<TokenRequest, MAX_BODY_BYTES>,
) -> Result<Response, Problem> {
    let made = auth.make_token(&caller, &new).await?;
    let location = format!("/api/v1/tokens/{}", made.info.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(made),
    )
        .into_response())
}

/// Revoke a token
///
/// Its event streams end, browsers that were logged in with it are logged out, and tokens that were made with it are revoked unless
/// they are independent. The admin token is replaced by a new one in its file.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "trust", params(("id" = String, Path,)), responses(
    (status = 204, description = "Revoked"),
))]
pub(super) async fn revoke_token(
    State(auth): State<AccessControl>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = path?;
    auth.revoke_token(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl AccessControl {
    /// Returns the tokens that see no more sites than the caller, oldest first.
    pub fn tokens(&self, caller: &Caller) -> Vec<TokenInfo> {
        self.sweep();
        let mut tokens = self.state().tokens.list();
        tokens.retain(|info| caller.sees_all_of(&info.sites));
        tokens
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// [`RequestError`] at the field; of kind `conflict` if the name is taken or there are too many tokens.
    pub async fn make_token(
        &self,
        caller: &Caller,
        new: &TokenRequest,
    ) -> Result<NewToken, RequestError> {
        let token = Credential::random()?;
        let digest = token.digest();
        let new = TokenRequest {
            sites: self.granted(caller, &new.sites).await?,
            ..new.clone()
        };
        let info = self
            .change_tokens(|tokens| tokens.add(&new, digest, caller.origin(), plugs::now()))
            .await?;
        tracing::info!(id = %info.id, name = info.name, scope = %info.scope, "a token was made");
        let (name, scope) = (&info.name, info.scope);
        self.log(format!(
            "the token \u{2018}{name}\u{2019} with the scope {scope} was made"
        ));
        Ok(NewToken {
            info,
            token: token.reveal().to_owned(),
        })
    }

    /// Returns one of the [`tokens`](Self::tokens) of a caller.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn token_info(&self, caller: &Caller, id: &str) -> Result<TokenInfo, RequestError> {
        let info = self.state().tokens.one(id).cloned();
        let info = info.filter(|info| caller.sees_all_of(&info.sites));
        info.ok_or_else(|| {
            let shown = excerpt(id);
            RequestError::not_found(format!("no token '{shown}'"))
        })
    }

    /// Revokes one of the [`tokens`](Self::tokens) of a caller, and those that were made with it.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`; `unavailable` when the change cannot be written.
    pub async fn revoke_token(&self, caller: &Caller, id: &str) -> Result<(), RequestError> {
        let info = self.token_info(caller, id)?;
        self.revoke(&info).await?;
        tracing::info!(id = %info.id, name = info.name, "a token was revoked");
        let name = &info.name;
        self.log(format!("the token \u{2018}{name}\u{2019} was revoked"));
        Ok(())
    }

    async fn revoke(&self, info: &TokenInfo) -> Result<(), RequestError> {
        let fresh = if info.admin {
            Some(self.renew_admin_token().await?.digest())
        } else {
            None
        };
        let changed = self.change_tokens(|tokens| {
            let old = tokens.clone();
            let ending = tokens.with_children(&info.id);
            *tokens = tokens.without(&ending);
            if let Some(fresh) = fresh {
                tokens.set_admin(fresh, self.0.lease.hub(), plugs::now());
            }
            Ok((old, ending))
        });
        let changed = changed.await;
        if let (Err(_), Some(fresh)) = (&changed, fresh) {
            // The file has the new token already, by which the owner's programs get in.
            let hub = self.0.lease.hub();
            self.state().tokens.set_admin(fresh, hub, plugs::now());
        }
        let (old, ending) = changed?;
        old.end(&ending);
        for id in ending {
            self.state().end_from(&LoginOrigin::Token(id));
        }
        self.save_sessions().await;
        Ok(())
    }

    async fn renew_admin_token(&self) -> Result<Credential, RequestError> {
        let path = self.0.admin_token.clone();
        let made = tokio::task::spawn_blocking(move || admin::make(&path)).await;
        made.map_err(|_| RequestError::unavailable("the hub is about to end"))?
    }
}

//! Tokens: listed, made, revoked.

use api::{RequestError, excerpt};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::sessions::Origin;
use super::super::tokens::TokenInfo;
use super::super::{Secret, Trust, admin};
use super::{Input, LARGEST_BODY};
use crate::http::problem::{Problem, ProblemJson};

/// List the tokens
#[utoipa::path(get, path = "/api/v1/tokens", tag = "trust", responses(
    (status = 200, body = [TokenInfo]),
))]
pub(super) async fn list_tokens(State(trust): State<Trust>) -> Json<Vec<TokenInfo>> {
    Json(trust.state().tokens.list())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What it is for.
    name: String,
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeToken {
    #[serde(flatten)]
    info: TokenInfo,
    /// The token itself. It is never shown again.
    token: String,
}

/// Make a token
#[utoipa::path(post, path = "/api/v1/tokens", tag = "trust", request_body = NewToken, responses(
    (status = 201, description = "Made; this is the only time that the token itself is shown", body = MadeToken),
    (status = 409, description = "The name is taken, or there are too many", body = ProblemJson, content_type = "application/problem+json"),
))]
pub(super) async fn make_token(
    State(trust): State<Trust>,
    Input(new): Input<NewToken, LARGEST_BODY>,
) -> Result<Response, Problem> {
    let token = Secret::random()?;
    let digest = token.digest();
    let info = trust
        .change_tokens(|tokens| tokens.add(&new.name, digest, Timestamp::now()))
        .await?;
    tracing::info!(id = %info.id, name = info.name, "a token was made");
    let location = format!("/api/v1/tokens/{}", info.id);
    let made = MadeToken {
        info,
        token: token.reveal().to_owned(),
    };
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(made),
    )
        .into_response())
}

/// Revoke a token
///
/// What it is being answered is cut off, and browsers that were logged in with it are logged out. In place of the admin token a
/// new one is made in its file.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "trust", params(("id" = String, Path,)), responses(
    (status = 204, description = "Revoked"),
))]
pub(super) async fn revoke_token(
    State(trust): State<Trust>,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = path?;
    let info = trust.state().tokens.one(&id).cloned();
    let info = info.ok_or_else(|| {
        let shown = excerpt(&id);
        RequestError::not_found(format!("there is no token '{shown}'"))
    })?;
    trust.revoke(&info).await?;
    tracing::info!(id = %info.id, name = info.name, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

impl Trust {
    async fn revoke(&self, info: &TokenInfo) -> Result<(), RequestError> {
        let fresh = if info.admin {
            Some(self.renew_admin_token().await?.digest())
        } else {
            None
        };
        let old = self.state().tokens.clone();
        self.change_tokens(|tokens| {
            *tokens = tokens.without(&info.id);
            if let Some(fresh) = fresh {
                tokens.set_admin(fresh, Timestamp::now());
            }
            Ok(())
        })
        .await?;
        old.end(&info.id);
        let origin = Origin::Token(info.id.clone());
        let mut state = self.state();
        state.sessions.end_from(&origin);
        state.links.end_from(&origin);
        Ok(())
    }

    async fn renew_admin_token(&self) -> Result<Secret, RequestError> {
        let path = self.0.admin_token.clone();
        let made = tokio::task::spawn_blocking(move || admin::make(&path)).await;
        made.map_err(|_| RequestError::unavailable("the hub is about to end"))?
    }
}

//! Forms of the settings that change who has access: passwords and tokens.

use api::{RequestError, Scope, SiteName, TokenRequest};
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hub::auth::{AccessControl, Caller, Credential, NewPassword};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::PagesState;
use crate::documents::{Editor, filled, saved};
use crate::fields::Fields;
use crate::frame::SETTINGS;
use crate::page_error::{PageError, status};
use crate::removal::RemovalQuestion;
use crate::settings::{SettingsForms, access_words, page};
use crate::visit::Visit;

/// Returns the routes of these forms.
pub(crate) fn routes() -> Router<PagesState> {
    Router::new()
        .route("/settings/password", post(set_password))
        .route(
            "/settings/view-password/delete",
            get(ask_password_removal).post(remove_view_password),
        )
        .route("/settings/tokens", post(make_token))
        .route(
            "/settings/tokens/{id}/delete",
            get(ask_token_removal).post(remove_token),
        )
}

/// Sets a password.
pub(crate) async fn set_password(
    State(state): State<PagesState>,
    Extension(auth): Extension<AccessControl>,
    Extension(caller): Extension<Caller>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let scope: Scope = fields.parse("scope")?;
    let secret = |name: &str| fields.get(name).filter(|text| !text.is_empty());
    let Some(password) = secret("password") else {
        let error = RequestError::usage("type the new password").at("password");
        let page = password_refused(&state, &visit, scope, &error).await;
        return Ok((status(&error), page).into_response());
    };
    let new = NewPassword {
        password: Some(Credential::new(password)),
        current: secret("current").map(Credential::new),
        scope,
        // Where there is one site, the form has no such field.
        sites: visit.has_sites.then(|| sites(&fields)).transpose()?,
    };
    Ok(match auth.change_password(new, &caller).await {
        Ok(()) => saved(&visit, "settings"),
        Err(problem) => {
            let page = password_refused(&state, &visit, scope, problem.error()).await;
            (problem.status_code(), page).into_response()
        }
    })
}

async fn password_refused(
    state: &PagesState,
    visit: &Visit,
    scope: Scope,
    error: &RequestError,
) -> Response {
    // What was typed is a secret, and is not sent back.
    let forms = SettingsForms {
        password: Some((scope, Editor::default().refused(error))),
        ..SettingsForms::default()
    };
    page(state, visit, forms).await
}

/// Asks whether the password of view-only logins is to be removed.
pub(crate) async fn ask_password_removal(visit: Visit) -> Response {
    let question = RemovalQuestion {
        title: "the view-only password".to_owned(),
        words: "Browsers that are logged in with it are logged out.".to_owned(),
        effects: Vec::new(),
        action: "/settings/view-password/delete".to_owned(),
        back: "/settings".to_owned(),
        asks_current: visit.asks_current_password(),
        verb: "Remove",
    };
    question.page(&visit, SETTINGS)
}

/// Removes the password of view-only logins.
pub(crate) async fn remove_view_password(
    Extension(auth): Extension<AccessControl>,
    Extension(caller): Extension<Caller>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let new = NewPassword {
        password: None,
        current: fields.get("current").map(Credential::new),
        scope: Scope::Read,
        sites: None,
    };
    let removed = auth.change_password(new, &caller).await;
    removed.map_err(|problem| problem.error().clone())?;
    Ok(saved(&visit, "settings"))
}

/// Makes a token, and shows it once.
pub(crate) async fn make_token(
    State(state): State<PagesState>,
    Extension(auth): Extension<AccessControl>,
    Extension(caller): Extension<Caller>,
    visit: Visit,
    fields: Fields,
) -> Response {
    let made = match token_request(&state, &fields) {
        Ok(request) => auth.make_token(&caller, &request).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let forms = SettingsForms {
                new_token: Some((made.info.name, made.token)),
                ..SettingsForms::default()
            };
            page(&state, &visit, forms).await
        }
        Err(error) => {
            let forms = SettingsForms {
                token: Editor::blank(fields).refused(&error),
                ..SettingsForms::default()
            };
            let page = page(&state, &visit, forms).await;
            (status(&error), page).into_response()
        }
    }
}

fn token_request(state: &PagesState, fields: &Fields) -> Result<TokenRequest, RequestError> {
    fields.check_sent()?;
    let timezone = &state.hub.clock().timezone;
    let expires = filled(fields, "expires").map(|day| end_of(day, timezone));
    Ok(TokenRequest {
        name: fields.needed("name")?.trim().to_owned(),
        scope: fields.parse("scope")?,
        sites: sites(fields)?,
        expires: expires.transpose()?,
        // Made by a person, it does not end with the link or token that has logged the browser in.
        independent: true,
    })
}

/// Returns the sites that are chosen; none for all that the login sees.
fn sites(fields: &Fields) -> Result<Vec<SiteName>, RequestError> {
    let names = fields.all("sites").into_iter().map(str::parse);
    let wrong = |error| RequestError::usage(format!("sites: {error}")).at("sites");
    names.collect::<Result<_, _>>().map_err(wrong)
}

/// Returns the end of a local day.
fn end_of(day: &str, timezone: &TimeZone) -> Result<jiff::Timestamp, RequestError> {
    let day = day.parse::<Date>().ok();
    let end = day.and_then(|day| {
        day.checked_add(1.day())
            .ok()?
            .to_zoned(timezone.clone())
            .ok()
    });
    let wrong = || RequestError::usage("expires: must be a date").at("expires");
    end.map(|end| end.timestamp()).ok_or_else(wrong)
}

/// Asks whether a token is to be deleted.
pub(crate) async fn ask_token_removal(
    Extension(auth): Extension<AccessControl>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let token = auth.token_info(&caller, &id)?;
    let ended = auth.tokens(&caller);
    let ended = ended.iter().filter(|other| {
        !other.independent && other.created_by.as_deref() == Some(token.id.as_str())
    });
    let ended: Vec<&str> = ended.map(|other| other.name.as_str()).collect();
    let mut effects = vec!["Programs that use it are refused from then on.".to_owned()];
    if !ended.is_empty() {
        effects.push(format!(
            "Tokens that it has made end with it: {}.",
            ended.join(", ")
        ));
    }
    if token.admin {
        effects.push("The hub makes a new one for this computer at once.".to_owned());
    }
    let question = RemovalQuestion {
        title: token.name.clone(),
        words: format!("{}.", access_words(token.scope)),
        effects,
        action: format!("/settings/tokens/{id}/delete"),
        back: "/settings".to_owned(),
        asks_current: false,
        verb: "Delete",
    };
    Ok(question.page(&visit, SETTINGS))
}

/// Deletes a token.
pub(crate) async fn remove_token(
    Extension(auth): Extension<AccessControl>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    auth.revoke_token(&caller, &id).await?;
    Ok(saved(&visit, "settings"))
}

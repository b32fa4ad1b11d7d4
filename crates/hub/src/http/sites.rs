//! The sites in the hub's database, and the sites that a request is about.

use api::{SiteName, SiteView};
use axum::Json;
use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::problem::Problem;
use super::query::Params;
use crate::auth::Caller;
use crate::hub::Hub;
use crate::sites::SiteSelection;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(sites))
}

/// Name of the parameter that names a site.
pub(super) const SITE: &str = "site";

/// Returns the sites in the hub's database, its own first; a hub whose database holds no other has itself alone.
#[utoipa::path(get, path = "/api/v1/sites", tag = "hub", operation_id = "sites",
    responses((status = 200, description = "The sites that the caller may see", body = [SiteView])))]
async fn sites(
    State(hub): State<Hub>,
    selection: SiteSelection,
    params: Params,
) -> Result<Json<Vec<SiteView>>, Problem> {
    params.only(&[])?;
    let mut sites = Vec::new();
    if selection.has_own {
        sites.push(hub.own_site().await);
    }
    sites.extend(selection.others.iter().map(|other| other.view()));
    Ok(Json(sites))
}

impl<S> FromRequestParts<S> for SiteSelection
where
    S: Send + Sync,
    Hub: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = Params::from_request_parts(parts, state).await?;
        let wanted = params.value::<SiteName>(SITE)?;
        let caller = parts.extensions.get::<Caller>();
        let sees = |site: &SiteName| caller.is_none_or(|caller| caller.sees(site));
        Ok(Self::new(&Hub::from_ref(state), wanted.as_ref(), sees)?)
    }
}

/// Refuses what only the hub of another site can do, with the address of that hub.
pub(super) async fn own_alone(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // These are answered by the plug itself.
    let is_of_plug = path.ends_with("/delay") || path.ends_with("/version");
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && !is_of_plug;
    if is_read || hub.sites().others().is_empty() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    if let Err(problem) = check_own(&hub, &mut parts).await {
        return problem.into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn check_own(hub: &Hub, parts: &mut Parts) -> Result<(), Problem> {
    let path = parts.uri.path().to_owned();
    let mut segments = path.split('/').skip(3);
    let selection = SiteSelection::from_request_parts(parts, hub).await?;
    selection.need_own("this")?;
    let (Some(collection), Some(id)) = (segments.next(), segments.next()) else {
        return Ok(());
    };
    // What is nowhere else is refused by its handler, and so is all else while the database cannot be read.
    let other = match selection.site_of(hub, collection, id).await {
        Ok(Some(other)) => other,
        Ok(None) | Err(_) => return Ok(()),
    };
    let what = format!("{} {}", collection.trim_end_matches('s'), api::excerpt(id));
    Err(other.refusal(&what).into())
}

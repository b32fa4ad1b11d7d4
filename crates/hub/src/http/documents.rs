//! Groups, schedules, rules and tariffs: four collections with the same operations.

use std::marker::PhantomData;
use std::sync::Arc;

use api::{
    Collection, DocumentView, Group, Id, OfSite, RequestError, Rule, Schedule, Stored, Tariff,
    unknown_field,
};
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;

use super::body::{self, ORDINARY, PRICES};
use super::etag::{IfMatch, IfNoneMatch, Tagged, not_modified};
use super::path::DocumentPath;
use super::problem::{JsonResult, Problem};
use super::query::Params;
use super::sites::SITE;
use super::{Api, describe};
use crate::documents::HubDocument;
use crate::hub::Hub;
use crate::sites::{OtherSite, SiteSelection};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(collection::<Group>())
        .merge(collection::<Schedule>())
        .merge(collection::<Rule>())
        .merge(collection::<Tariff>())
}

/// Returns the routes of one collection, with their description.
fn collection<T: HubDocument>() -> OpenApiRouter<Api> {
    let all = get(list::<T>).post(create::<T>);
    let each = get(one::<T>)
        .put(replace::<T>)
        .patch(change::<T>)
        .delete(remove::<T>);
    let [all_paths, each_paths] = describe::paths(T::COLLECTION);
    OpenApiRouter::new()
        .routes((Vec::new(), all_paths, all))
        .routes((Vec::new(), each_paths, each))
}

async fn list<T: HubDocument>(
    State(hub): State<Hub>,
    sites: SiteSelection,
    params: Params,
) -> JsonResult<Vec<OfSite<DocumentView<T>>>> {
    params.only(&[SITE])?;
    let of_own = async {
        let all = T::repository(&hub).all();
        Ok(all.iter().map(|stored| hub.view(stored)).collect())
    };
    let of_other = |other: Arc<OtherSite>| async move { other.documents::<T>().await };
    Ok(Json(sites.collect(of_own, of_other).await?))
}

async fn create<T: HubDocument>(
    State(hub): State<Hub>,
    DocumentFields(json, _): DocumentFields<T>,
) -> Result<Response, Problem> {
    let before = T::repository(&hub).all();
    let stored = hub.create_document(read::<T>(json.into())?).await?;
    let location = format!("/api/v1/{}/{}", T::COLLECTION.as_str(), stored.id);
    let created = changed(&hub, &stored, &before).await;
    Ok((StatusCode::CREATED, [(LOCATION, location)], created).into_response())
}

async fn one<T: HubDocument>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_none_match: IfNoneMatch,
    sites: SiteSelection,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[SITE])?;
    if let Some((body, revision)) = sites.find_document::<T>(&hub, &id).await? {
        return Ok(Tagged { revision, body }.into_response());
    }
    sites.look_here(format_args!("{} {id}", T::COLLECTION.singular()))?;
    let stored = T::repository(&hub).one(&id)?;
    // What the hub adds changes without a new revision.
    let is_whole = matches!(T::COLLECTION, Collection::Groups | Collection::Tariffs);
    if is_whole && if_none_match.has(stored.revision) {
        return Ok(not_modified(stored.revision));
    }
    let Tagged { revision, body } = tagged(&hub, &stored);
    let body = sites.of_own(body);
    Ok(Tagged { revision, body }.into_response())
}

async fn replace<T: HubDocument>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    DocumentFields(json, _): DocumentFields<T>,
) -> Result<Tagged<DocumentView<T>>, Problem> {
    let revision = held::<T>(&hub, &id, &if_match)?;
    let before = T::repository(&hub).all();
    let body = read::<T>(json.into())?;
    let stored = hub.replace_document(&id, body, revision).await?;
    Ok(changed(&hub, &stored, &before).await)
}

async fn change<T: HubDocument>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    DocumentFields(patch, _): DocumentFields<T>,
) -> Result<Tagged<DocumentView<T>>, Problem> {
    let revision = held::<T>(&hub, &id, &if_match)?;
    let edit = |document: &T| body::patched(document, patch.clone(), read::<T>);
    let before = T::repository(&hub).all();
    let stored = hub.edit_document(&id, revision, edit).await?;
    Ok(changed(&hub, &stored, &before).await)
}

async fn remove<T: HubDocument>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let revision = held::<T>(&hub, &id, &if_match)?;
    let before = T::repository(&hub).all();
    hub.remove_document::<T>(&id, revision).await?;
    let removed = before.iter().find(|stored| stored.id == id);
    if let (Some(removed), Collection::Tariffs) = (removed, T::COLLECTION) {
        let status = T::changed_status(&hub, removed, &before).await;
        if status != T::status(&hub, removed) {
            return Ok(Json(removed.view(status)).into_response());
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Returns the revision that a change requires.
pub(super) fn held<T: HubDocument>(
    hub: &Hub,
    id: &Id,
    if_match: &IfMatch,
) -> Result<Option<u64>, RequestError> {
    let present = T::repository(hub).one(id)?;
    let what = T::COLLECTION.singular();
    let name = present.body.name();
    if_match.against(
        present.revision,
        &format!("the {what} \u{2018}{name}\u{2019}"),
    )
}

/// The fields of a document in a request, without those that the hub adds, so that a response can be sent back.
struct DocumentFields<T>(Map<String, Value>, PhantomData<T>);

impl<S: Sync, T: HubDocument> FromRequest<S> for DocumentFields<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (limit, added): (_, &[&str]) = match T::COLLECTION {
            Collection::Groups => (ORDINARY, &["id"]),
            Collection::Tariffs => (PRICES, &["id", "repriced"]),
            Collection::Rules => (
                ORDINARY,
                &["id", "last", "halted", "missing", "reacts_within_s"],
            ),
            Collection::Schedules => (
                ORDINARY,
                &["id", "next", "upcoming", "last", "halted", "missing"],
            ),
        };
        let mut fields: Map<String, Value> = body::json(request, limit).await?;
        fields.retain(|name, _| name != SITE && !added.contains(&name.as_str()));
        Ok(Self(fields, PhantomData))
    }
}

/// Deserialises a document from the input.
fn read<T: HubDocument>(json: Value) -> Result<T, RequestError> {
    // A number would be taken for the place of a kind in the list of all.
    if json.get("kind").is_some_and(|kind| !kind.is_string()) {
        return Err(RequestError::usage("kind: must be a string").at("kind"));
    }
    let fields: Vec<String> = json
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let document: T = body::from_value(json)?;
    match unknown_field(&document, &fields) {
        Some(field) => Err(RequestError::usage(format!("{field}: unknown field")).at(field)),
        None => Ok(document),
    }
}

/// Returns the response to a change, given all documents before it.
pub(super) async fn changed<T: HubDocument>(
    hub: &Hub,
    stored: &Stored<T>,
    before: &[Stored<T>],
) -> Tagged<DocumentView<T>> {
    Tagged {
        revision: stored.revision,
        body: stored.view(T::changed_status(hub, stored, before).await),
    }
}

fn tagged<T: HubDocument>(hub: &Hub, stored: &Stored<T>) -> Tagged<DocumentView<T>> {
    Tagged {
        revision: stored.revision,
        body: hub.view(stored),
    }
}

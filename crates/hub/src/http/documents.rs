//! Groups, schedules, rules and tariffs: four collections with the same life.

use api::{Collection, Document, Group, Id, RequestError, Rule, Schedule, Stored, Tariff};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;

use super::body::{self, PRICES};
use super::etag::{IfMatch, IfNoneMatch, Tagged, not_modified};
use super::path::DocumentPath;
use super::problem::Problem;
use super::query::Params;
use super::{Api, describe};
use crate::event::News;
use crate::hub::Hub;
use crate::repository::Repository;

/// A document that the API serves.
pub(super) trait Served: Document {
    /// What the hub adds to its JSON beside the id, each with its schema where it is not null. It is ignored in what comes in,
    /// so that what was read can be sent back.
    const ADDED: &[(&str, &str)];

    /// Where it is kept.
    fn shelf(hub: &Hub) -> &Repository<Self>;

    /// Says whether what it names exists.
    fn check_references(&self, hub: &Hub) -> Result<(), RequestError>;

    /// Its JSON with the id and what the hub adds.
    fn view(hub: &Hub, document: &Stored<Self>) -> Value;

    /// The event that tells of it, where there is one.
    fn news(view: Value) -> Option<News>;
}

impl Served for Group {
    const ADDED: &[(&str, &str)] = &[];

    fn shelf(hub: &Hub) -> &Repository<Self> {
        hub.groups()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_group(self)
    }

    fn view(hub: &Hub, document: &Stored<Self>) -> Value {
        hub.group_view(document)
    }

    fn news(_: Value) -> Option<News> {
        None
    }
}

impl Served for Schedule {
    const ADDED: &[(&str, &str)] = &[("next", "Time"), ("last", "Last"), ("halted", "Halted")];

    fn shelf(hub: &Hub) -> &Repository<Self> {
        hub.schedules()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_schedule(self)
    }

    fn view(hub: &Hub, document: &Stored<Self>) -> Value {
        hub.schedule_view(document)
    }

    fn news(view: Value) -> Option<News> {
        Some(News::Schedule(view.into()))
    }
}

impl Served for Rule {
    const ADDED: &[(&str, &str)] = &[("last", "Last"), ("halted", "Halted")];

    fn shelf(hub: &Hub) -> &Repository<Self> {
        hub.rules()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_rule(self)
    }

    fn view(hub: &Hub, document: &Stored<Self>) -> Value {
        hub.rule_view(document)
    }

    fn news(view: Value) -> Option<News> {
        Some(News::Rule(view.into()))
    }
}

impl Served for Tariff {
    const ADDED: &[(&str, &str)] = &[];

    fn shelf(hub: &Hub) -> &Repository<Self> {
        hub.tariffs()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_tariff(self)
    }

    fn view(hub: &Hub, document: &Stored<Self>) -> Value {
        hub.tariff_view(document)
    }

    fn news(_: Value) -> Option<News> {
        None
    }
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(collection::<Group>())
        .merge(collection::<Schedule>())
        .merge(collection::<Rule>())
        .merge(collection::<Tariff>())
}

/// [`Served::ADDED`] of a collection, for its description.
pub(super) fn added(collection: Collection) -> &'static [(&'static str, &'static str)] {
    match collection {
        Collection::Groups => Group::ADDED,
        Collection::Schedules => Schedule::ADDED,
        Collection::Rules => Rule::ADDED,
        Collection::Tariffs => Tariff::ADDED,
    }
}

/// The routes of one collection, with their description.
fn collection<T: Served>() -> OpenApiRouter<Api> {
    let all = get(list::<T>).post(create::<T>);
    let each = get(one::<T>).put(replace::<T>).delete(remove::<T>);
    let [all_paths, each_paths] = describe::paths(T::COLLECTION);
    OpenApiRouter::new()
        .routes((Vec::new(), all_paths, all))
        .routes((Vec::new(), each_paths, each))
}

async fn list<T: Served>(
    State(hub): State<Hub>,
    params: Params,
) -> Result<Json<Vec<Value>>, Problem> {
    params.only(&[])?;
    let all = T::shelf(&hub).all();
    Ok(Json(
        all.iter().map(|document| T::view(&hub, document)).collect(),
    ))
}

async fn create<T: Served>(
    State(hub): State<Hub>,
    body::Json(json): body::Json<Map<String, Value>, PRICES>,
) -> Result<Response, Problem> {
    let body = read::<T>(json, &hub)?;
    let stored = T::shelf(&hub).create(body).await?;
    let location = format!("/api/v1/{}/{}", T::COLLECTION.as_str(), stored.id);
    let created = told(&hub, &stored);
    Ok((StatusCode::CREATED, [(LOCATION, location)], created).into_response())
}

async fn one<T: Served>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_none_match: IfNoneMatch,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let stored = T::shelf(&hub).one(&id)?;
    // What the hub adds changes without a new revision.
    if T::ADDED.is_empty() && if_none_match.has(stored.revision) {
        return Ok(not_modified(stored.revision));
    }
    Ok(tagged(&hub, &stored).into_response())
}

async fn replace<T: Served>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    body::Json(json): body::Json<Map<String, Value>, PRICES>,
) -> Result<Tagged<Value>, Problem> {
    let revision = held::<T>(&hub, &id, &if_match)?;
    let body = read::<T>(json, &hub)?;
    let stored = T::shelf(&hub).replace(&id, body, revision).await?;
    Ok(told(&hub, &stored))
}

async fn remove<T: Served>(
    State(hub): State<Hub>,
    DocumentPath(id): DocumentPath,
    if_match: IfMatch,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    let revision = held::<T>(&hub, &id, &if_match)?;
    T::shelf(&hub).remove(&id, revision).await?;
    if let Some(news) = T::news(json!({"id": id, "removed": true})) {
        hub.bus().publish(news);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the revision that a change insists on.
pub(super) fn held<T: Served>(
    hub: &Hub,
    id: &Id,
    if_match: &IfMatch,
) -> Result<Option<u64>, RequestError> {
    let present = T::shelf(hub).one(id)?;
    let what = T::COLLECTION.singular();
    let name = present.body.name();
    if_match.against(
        present.revision,
        &format!("the {what} \u{2018}{name}\u{2019}"),
    )
}

/// Reads a document from what came in, and checks it.
fn read<T: Served>(mut json: Map<String, Value>, hub: &Hub) -> Result<T, RequestError> {
    json.remove("id");
    for (added, _) in T::ADDED {
        json.remove(*added);
    }
    // A number would be taken for the place of a kind in the list of all.
    if json.get("kind").is_some_and(|kind| !kind.is_string()) {
        return Err(RequestError::usage("kind: it is a word in quotes").at("kind"));
    }
    let document: T = body::from_value(Value::Object(json))?;
    document.check()?;
    document.check_references(hub)?;
    Ok(document)
}

fn tagged<T: Served>(hub: &Hub, stored: &Stored<T>) -> Tagged<Value> {
    Tagged {
        revision: stored.revision,
        body: T::view(hub, stored),
    }
}

/// Tells everybody who listens, and returns the answer for who made the change.
pub(super) fn told<T: Served>(hub: &Hub, stored: &Stored<T>) -> Tagged<Value> {
    let tagged = tagged(hub, stored);
    if let Some(news) = T::news(tagged.body.clone()) {
        hub.bus().publish(news);
    }
    tagged
}

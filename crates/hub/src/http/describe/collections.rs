//! Groups, schedules, rules and tariffs: the four have the same paths, and what the hub adds to each is known to its routes.

use api::Collection;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{PathItem, Paths};

use super::{problem, reference};
use crate::http::documents;

/// Returns the paths of a collection, for the router; what they do is described by [`describe`].
pub(crate) fn paths(collection: Collection) -> [Paths; 2] {
    let plural = collection.as_str();
    [
        format!("/api/v1/{plural}"),
        format!("/api/v1/{plural}/{{id}}"),
    ]
    .map(|path| {
        let mut paths = Paths::new();
        paths.paths.insert(path, PathItem::default());
        paths
    })
}

/// Returns the name of a collection's schema.
fn schema_name(collection: Collection) -> &'static str {
    match collection {
        Collection::Groups => "Group",
        Collection::Schedules => "Schedule",
        Collection::Rules => "Rule",
        Collection::Tariffs => "Tariff",
    }
}

/// Describes the paths of a collection.
pub(super) fn describe(paths: &mut Value, collection: Collection) {
    let (plural, singular) = (collection.as_str(), collection.singular());
    let name = schema_name(collection);
    let tagged = |status: &str, description: &str, is_new: bool| {
        let mut headers =
            json!({"ETag": {"description": "Its revision", "schema": {"type": "string"}}});
        if is_new {
            headers["Location"] = json!({"description": "Its path", "schema": {"type": "string"}});
        }
        let content = json!({"application/json": {"schema": reference(name)}});
        json!({status: {"description": description, "headers": headers, "content": content}})
    };
    let body = json!({
        "required": true,
        "content": {"application/json": {"schema": reference(&format!("{name}Input"))}},
    });
    let id = json!({"name": "id", "in": "path", "required": true, "schema": reference("Id"),
        "description": format!("The {singular}'s id")});
    let if_match = json!({"name": "If-Match", "in": "header", "schema": reference("Tags"),
        "description": "Revision that the change is based on"});
    let taken = problem(&format!(
        "Another {singular} has that name, or there is no room for more"
    ));

    let all = json!({"type": "array", "items": reference(name)});
    let mut create = json!({"tags": [plural], "operationId": format!("create_{singular}"), "summary": format!("Makes a {singular}."),
        "requestBody": body, "responses": tagged("201", "It is made", true)});
    let id_of_it = json!({"id": "$response.body#/id"});
    create["responses"]["201"]["links"] = ["", "replace_", "change_", "remove_"]
        .into_iter()
        .map(|verb| {
            (
                format!("{verb}{singular}"),
                json!({"operationId": format!("{verb}{singular}"), "parameters": id_of_it}),
            )
        })
        .collect();
    create["responses"]["409"] = taken.clone();
    paths[format!("/api/v1/{plural}")] = json!({
        "get": {"tags": [plural], "operationId": plural, "summary": format!("All {plural}, by name."),
            "responses": {"200": {"description": "All of them", "content": {"application/json": {"schema": all}}}}},
        "post": create,
    });

    let mut one = json!({"tags": [plural], "operationId": singular, "summary": format!("One {singular}."),
        "parameters": [id], "responses": tagged("200", "It", false)});
    if documents::added(collection).is_empty() {
        let parameters = one["parameters"].as_array_mut();
        parameters.into_iter().for_each(|parameters| {
            parameters.push(
                json!({"name": "If-None-Match", "in": "header", "schema": reference("Tags"),
                "description": "The revision that is known already"}),
            );
        });
        one["responses"]["304"] =
            json!({"description": "It is the revision that is known already"});
    }
    let mut replace = json!({"tags": [plural], "operationId": format!("replace_{singular}"),
        "summary": format!("Puts another {singular} in its place. What the hub adds is ignored, so that what was read can be sent back."),
        "parameters": [id, if_match], "requestBody": body, "responses": tagged("200", &format!("The updated {singular}"), false)});
    replace["responses"]["409"] = taken.clone();
    let mut change = json!({"tags": [plural], "operationId": format!("change_{singular}"),
        "summary": format!("Updates a {singular} by a JSON merge patch (RFC 7396): omitted fields keep their value, `null` resets them."),
        "parameters": [id, if_match], "responses": tagged("200", &format!("The updated {singular}"), false),
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}}});
    change["responses"]["409"] = taken;
    let remove = json!({"tags": [plural], "operationId": format!("remove_{singular}"), "summary": format!("Removes a {singular}."),
        "parameters": [id, if_match], "responses": {"204": {"description": "It is gone"}}});
    paths[format!("/api/v1/{plural}/{{id}}")] =
        json!({"get": one, "put": replace, "patch": change, "delete": remove});
}

/// Makes the two schemas of a collection: of what is sent in, and of what is answered.
pub(super) fn make_schemas(schemas: &mut Value, collection: Collection) {
    let name = schema_name(collection);
    let base = schemas[name].take();
    let variants = schemas[format!("{name}Kind")].take();
    let variants: Vec<Value> = match variants["oneOf"].as_array() {
        Some(variants) => variants
            .iter()
            .map(|variant| merged(&base, variant))
            .collect(),
        None => vec![base],
    };
    let added = added(collection);
    let input = variants
        .iter()
        .map(|variant| input(variant, &added))
        .collect();
    let answer = variants
        .iter()
        .map(|variant| answer(variant, &added))
        .collect();
    schemas[format!("{name}Input")] = one_of(input);
    schemas[name] = one_of(answer);
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.remove(&format!("{name}Kind"));
    }
}

fn one_of(mut schemas: Vec<Value>) -> Value {
    match schemas.len() {
        1 => schemas.remove(0),
        _ => json!({"oneOf": schemas}),
    }
}

/// Puts the fields of two objects together; what is said of the whole is the second's.
fn merged(base: &Value, variant: &Value) -> Value {
    let mut whole = variant.clone();
    let mut properties = base["properties"].as_object().cloned().unwrap_or_default();
    properties.extend(
        variant["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    whole["properties"] = Value::Object(properties);
    let required = [base, variant].map(|object| object["required"].as_array().cloned());
    whole["required"] = required.into_iter().flatten().flatten().collect();
    whole
}

/// What the hub adds to a document's JSON.
fn added(collection: Collection) -> Map<String, Value> {
    let nullable = |schema: &str| json!({"oneOf": [{"type": "null"}, reference(schema)]});
    let others = documents::added(collection).iter();
    let others = others.map(|(name, schema)| ((*name).to_owned(), nullable(schema)));
    let id = ("id".to_owned(), reference("Id"));
    std::iter::once(id).chain(others).collect()
}

/// What is sent in: nothing that is unknown, and what the hub adds is ignored.
fn input(schema: &Value, added: &Map<String, Value>) -> Value {
    let mut input = schema.clone();
    for name in added.keys() {
        input["properties"][name] = json!({"description": "Ignored; it is the hub's"});
    }
    input["additionalProperties"] = false.into();
    input
}

/// What is answered: every field, and what the hub adds.
fn answer(schema: &Value, added: &Map<String, Value>) -> Value {
    let mut answer = schema.clone();
    for (name, schema) in added {
        answer["properties"][name] = schema.clone();
    }
    let names = answer["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    answer["required"] = names.keys().cloned().collect();
    answer
}

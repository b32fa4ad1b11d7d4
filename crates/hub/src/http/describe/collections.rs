//! Description of groups, schedules, rules and tariffs: all four have the same paths, and each route declares the added fields.

use api::Collection;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{PathItem, Paths};

use super::{problem, reference};

/// Returns the paths of a collection for the router; [`describe`] describes them.
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
    let taken = problem("The name is taken, or the maximum number is reached");

    let all = json!({"type": "array", "items": reference(name)});
    let mut create = json!({"tags": [plural], "operationId": format!("create_{singular}"), "summary": format!("Creates a {singular}."),
        "requestBody": body, "responses": tagged("201", &format!("The created {singular}"), true)});
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
        "get": {"tags": [plural], "operationId": plural, "summary": format!("Lists all {plural} by name."),
            "responses": {"200": {"description": &format!("All {plural}"), "content": {"application/json": {"schema": all}}}}},
        "post": create,
    });

    let mut one = json!({"tags": [plural], "operationId": singular, "summary": format!("Returns a {singular}."),
        "parameters": [id], "responses": tagged("200", &format!("The {singular}"), false)});
    if matches!(collection, Collection::Groups | Collection::Tariffs) {
        let parameters = one["parameters"].as_array_mut();
        parameters.into_iter().for_each(|parameters| {
            parameters.push(
                json!({"name": "If-None-Match", "in": "header", "schema": reference("Tags"),
                "description": "Revision that the client has"}),
            );
        });
        one["responses"]["304"] = json!({"description": "The client has this revision"});
    }
    let mut replace = json!({"tags": [plural], "operationId": format!("replace_{singular}"),
        "summary": format!("Replaces a {singular}. Fields that the hub adds are ignored, so that a response can be sent back."),
        "parameters": [id, if_match], "requestBody": body, "responses": tagged("200", &format!("The updated {singular}"), false)});
    replace["responses"]["409"] = taken.clone();
    let mut change = json!({"tags": [plural], "operationId": format!("change_{singular}"),
        "summary": format!("Updates a {singular} by a JSON merge patch (RFC 7396): omitted fields keep their value, `null` resets them."),
        "parameters": [id, if_match], "responses": tagged("200", &format!("The updated {singular}"), false),
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}}});
    change["responses"]["409"] = taken;
    let remove = json!({"tags": [plural], "operationId": format!("remove_{singular}"), "summary": format!("Removes a {singular}."),
        "parameters": [id, if_match], "responses": {"204": {"description": &format!("The {singular} is removed")}}});
    paths[format!("/api/v1/{plural}/{{id}}")] =
        json!({"get": one, "put": replace, "patch": change, "delete": remove});
}

/// Creates the response schema from the input schema: adds the id and the fields that the hub adds.
pub(super) fn make_schemas(schemas: &mut Value, collection: Collection) {
    let name = schema_name(collection);
    let base = schemas[format!("{name}Input")].take();
    let status = match collection {
        Collection::Schedules => schemas["ScheduleStatus"]["properties"].take(),
        Collection::Rules => schemas["RuleStatus"]["properties"].take(),
        Collection::Tariffs => schemas["TariffStatus"]["properties"].take(),
        Collection::Groups => Value::Null,
    };
    let mut added = status.as_object().cloned().unwrap_or_default();
    added.insert("id".to_owned(), reference("Id"));
    let each = |change: &dyn Fn(&Value) -> Value| match base["oneOf"].as_array() {
        Some(kinds) => {
            let mut schema = base.clone();
            schema["oneOf"] = kinds.iter().map(change).collect();
            schema
        }
        None => change(&base),
    };
    schemas[format!("{name}Input")] = each(&|schema| input(schema, &added));
    schemas[name] = each(&|schema| answer(schema, &added));
}

/// Returns the input schema: unknown fields are rejected, fields that the hub adds are ignored.
fn input(schema: &Value, added: &Map<String, Value>) -> Value {
    let mut input = schema.clone();
    for name in added.keys() {
        input["properties"][name] = json!({"description": "Ignored; added by the hub"});
    }
    input["additionalProperties"] = false.into();
    accept_any_mac(&mut input);
    input
}

/// Accepts both spellings of a MAC in input; responses have only one.
fn accept_any_mac(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("$ref") == reference("Mac").get("$ref") {
                object.extend(
                    reference("MacPath")
                        .as_object()
                        .cloned()
                        .unwrap_or_default(),
                );
            }
            object.values_mut().for_each(accept_any_mac);
        }
        Value::Array(values) => values.iter_mut().for_each(accept_any_mac),
        _ => {}
    }
}

/// Fields that the hub adds only where they apply.
const OPTIONAL: [&str; 3] = ["missing", "reacts_within_s", "repriced"];

/// Returns the response schema: all fields, and those that the hub adds.
fn answer(schema: &Value, added: &Map<String, Value>) -> Value {
    let mut answer = schema.clone();
    for (name, schema) in added {
        answer["properties"][name] = schema.clone();
    }
    let names = answer["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let always = names
        .keys()
        .filter(|name| !OPTIONAL.contains(&name.as_str()));
    answer["required"] = always.cloned().collect();
    answer
}

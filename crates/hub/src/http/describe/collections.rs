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

/// The words and the common parts of the description of one collection.
struct CollectionDescription {
    collection: Collection,
    name: &'static str,
    /// Parameters `id` and `If-Match`.
    id: Value,
    if_match: Value,
    body: Value,
    taken: Value,
}

/// Describes the paths of a collection.
pub(super) fn describe(paths: &mut Value, collection: Collection) {
    let name = schema_name(collection);
    let singular = collection.singular();
    let description = CollectionDescription {
        collection,
        name,
        id: json!({"name": "id", "in": "path", "required": true, "schema": reference("Id"),
            "description": format!("The {singular}'s id")}),
        if_match: json!({"name": "If-Match", "in": "header", "schema": reference("Tags"),
            "description": "Revision that the change is based on"}),
        body: json!({"required": true,
            "content": {"application/json": {"schema": reference(&format!("{name}Input"))}}}),
        taken: problem(
            "The name is taken, the document contradicts another, or the maximum number is reached",
        ),
    };
    let plural = collection.as_str();
    paths[format!("/api/v1/{plural}")] = description.all();
    paths[format!("/api/v1/{plural}/{{id}}")] = description.each();
}

impl CollectionDescription {
    /// Returns a response with a document.
    fn tagged(&self, status: &str, description: &str, is_new: bool) -> Value {
        let mut headers =
            json!({"ETag": {"description": "Its revision", "schema": {"type": "string"}}});
        if is_new {
            headers["Location"] = json!({"description": "Its path", "schema": {"type": "string"}});
        }
        let content = json!({"application/json": {"schema": reference(self.name)}});
        json!({status: {"description": description, "headers": headers, "content": content}})
    }

    /// Describes the list, and the creation of a document.
    fn all(&self) -> Value {
        let (plural, singular) = (self.collection.as_str(), self.collection.singular());
        let all = json!({"type": "array", "items": reference(self.name)});
        let mut create = json!({"tags": [plural], "operationId": format!("create_{singular}"), "summary": format!("Creates a {singular}."),
            "requestBody": self.body, "responses": self.tagged("201", &format!("The created {singular}"), true)});
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
        create["responses"]["409"] = self.taken.clone();
        json!({
            "get": {"tags": [plural], "operationId": plural, "summary": format!("Lists all {plural} by name."),
                "responses": {"200": {"description": format!("All {plural}"), "content": {"application/json": {"schema": all}}}}},
            "post": create,
        })
    }

    /// Describes the operations on one document.
    fn each(&self) -> Value {
        let (plural, singular) = (self.collection.as_str(), self.collection.singular());
        let mut one = json!({"tags": [plural], "operationId": singular, "summary": format!("Returns a {singular}."),
            "parameters": [self.id], "responses": self.tagged("200", &format!("The {singular}"), false)});
        if matches!(self.collection, Collection::Groups | Collection::Tariffs) {
            one["parameters"] = json!([self.id, {"name": "If-None-Match", "in": "header", "schema": reference("Tags"),
                "description": "Revision that the client has"}]);
            one["responses"]["304"] = json!({"description": "The client has this revision"});
        }
        let edit = |verb: &str, summary: String, body: Value| {
            let mut edit = json!({"tags": [plural], "operationId": format!("{verb}_{singular}"), "summary": summary,
                "parameters": [self.id, self.if_match], "requestBody": body,
                "responses": self.tagged("200", &format!("The updated {singular}"), false)});
            edit["responses"]["409"] = self.taken.clone();
            edit
        };
        let replace = format!(
            "Replaces a {singular}. Fields that the hub adds are ignored, so that a response can be sent back."
        );
        let change = format!(
            "Updates a {singular} by a JSON merge patch (RFC 7396): omitted fields keep their value, `null` resets them."
        );
        let patch = json!({"required": true, "content": {"application/json": {"schema": {"type": "object"}}}});
        let mut remove = json!({"tags": [plural], "operationId": format!("remove_{singular}"), "summary": format!("Removes a {singular}."),
            "parameters": [self.id, self.if_match], "responses": {"204": {"description": format!("The {singular} is removed")}}});
        if self.collection == Collection::Tariffs {
            let removed = "The tariff is removed, and costs of the past are different: the tariff with `repriced`";
            remove["responses"]["200"] = json!({"description": removed, "content": {"application/json": {"schema": reference(self.name)}}});
        }
        json!({"get": one, "put": edit("replace", replace, self.body.clone()), "patch": edit("change", change, patch), "delete": remove})
    }
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
    added.insert("site".to_owned(), site());
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
const OPTIONAL: [&str; 5] = ["missing", "reacts_within_s", "repriced", "site", "upcoming"];

/// Returns the schema of the site of an object.
pub(super) fn site() -> Value {
    let description = "Its site; omitted where the database holds only one";
    json!({"allOf": [reference("SiteName")], "description": description})
}

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

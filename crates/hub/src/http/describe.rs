//! The OpenAPI description of the API, generated from the routes.
//!
//! A handler describes itself; common parts are added here, so that no route can omit them: authentication, and the errors of any
//! path, query, header or body.
#![expect(
    clippy::indexing_slicing,
    reason = "it edits its own tree, where reading a key that is not there gives null and writing it makes it"
)]

use api::{
    Collection, Cost, EnergyPeriod, Group, Halted, Id, LastRun, Moment, Period, ProblemDocument,
    Repricing, Rule, RuleStatus, Schedule, ScheduleStatus, SiteName, Tariff, TariffStatus,
};
use serde_json::{Value, json};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::etag::IfMatch;
use super::path::{BridgePath, PlugPath};
use super::problem;
use crate::auth;

pub(super) use collections::paths;

mod collections;

/// Common parts of the description.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Mains",
        description = "Keeps contact with Wi-Fi plugs, remembers what each used, and switches by the clock, by the sun and by rules. \
            Times are RFC 3339 in UTC, durations are written `10s`, `15m`, `1d`, and what is not known is null.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "plugs", description = "Find, adopt and switch plugs"),
        (name = "history", description = "Energy and its cost"),
        (name = "groups", description = "Plugs that are switched together"),
        (name = "schedules", description = "Switching by the clock and the sun"),
        (name = "rules", description = "Switching by what plugs do"),
        (name = "tariffs", description = "Prices of energy"),
        (name = "bridges", description = "Hue bridges, and bulbs that they take over"),
        (name = "events", description = "Events as they happen"),
        (name = "hub", description = "The hub itself"),
        (name = "trust", description = "Authentication")
    ),
    components(schemas(
        Cost, EnergyPeriod, Group, Halted, Id, IfMatch, LastRun, Moment, Period, ProblemDocument, Repricing, Rule, RuleStatus,
        Schedule, ScheduleStatus, SiteName, Tariff, TariffStatus, BridgePath, PlugPath
    ))
)]
struct Whole;

/// Returns the description to which the routes are added.
pub(super) fn base() -> OpenApi {
    let mut whole = Whole::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut whole.info.version);
    // The crate has authors for the registry; the API has none.
    whole.info.contact = None;
    whole.merge_from(auth::openapi())
}

/// Completes the description of the routes with the common parts.
pub(super) fn whole(routes: &OpenApi) -> Value {
    let mut json = serde_json::to_value(routes).unwrap_or_default();
    flatten(&mut json["components"]["schemas"]);
    // `deny_unknown_fields` of the type that it is read through.
    let kinds = json["components"]["schemas"]["When"]["oneOf"].as_array_mut();
    for kind in kinds.into_iter().flatten() {
        kind["additionalProperties"] = false.into();
    }
    for collection in Collection::ALL {
        collections::describe(&mut json["paths"], collection);
        collections::make_schemas(&mut json["components"]["schemas"], collection);
    }
    add_sites(&mut json);
    for (_, name, description) in COMMON {
        json["components"]["responses"][name] = problem(description);
    }
    json["security"] = json!([{"token": []}, {"session": []}]);
    let paths = json["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        let operations = item.as_object_mut().into_iter().flatten();
        for (method, operation) in operations.filter(|(method, _)| *method != "parameters") {
            errors(method, path, operation);
            // Not by index, which would make what is not there.
            let parameters = operation
                .get_mut("parameters")
                .and_then(Value::as_array_mut);
            parameters.into_iter().flatten().for_each(never_null);
        }
    }
    drop_unused(&mut json);
    json
}

/// Operations that take `site`.
const OF_SITES: [&str; 17] = [
    "plugs",
    "plugs/{mac}",
    "plugs/{mac}/history",
    "plugs/{mac}/history.csv",
    "plugs/{mac}/export",
    "energy",
    "energy/household",
    "energy/quarters",
    "groups",
    "groups/{id}",
    "schedules",
    "schedules/{id}",
    "rules",
    "rules/{id}",
    "tariffs",
    "tariffs/{id}",
    "log",
];

/// Adds the parameter `site` to what can be read of other sites, and the field to what is read.
fn add_sites(json: &mut Value) {
    let parameter = json!({"name": "site", "in": "query", "required": false, "schema": reference("SiteName"),
        "description": "A site in the hub's database; by default all that the caller may see"});
    for path in OF_SITES {
        let operation = &mut json["paths"][format!("/api/v1/{path}")]["get"];
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(parameter.clone()),
            None => operation["parameters"] = json!([parameter]),
        }
    }
    for name in [
        "Plug",
        "EnergyRow",
        "HouseholdRow",
        "HouseQuarter",
        "LogEntry",
        "FoundPlug",
    ] {
        json["components"]["schemas"][name]["properties"]["site"] = collections::site();
    }
}

/// Removes schemas that are not referenced, because they were merged into others.
fn drop_unused(json: &mut Value) {
    loop {
        let text = json.to_string();
        let schemas = json["components"]["schemas"].as_object_mut();
        let Some(schemas) = schemas else { return };
        let before = schemas.len();
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if schemas.len() == before {
            return;
        }
    }
}

/// Rewrites each composed schema (a flattened field) as a single object, or as one object for each variant.
fn flatten(schemas: &mut Value) {
    let all = schemas.clone();
    let schemas = schemas.as_object_mut().into_iter().flatten();
    for (_, schema) in schemas.filter(|(_, schema)| schema["allOf"].is_array()) {
        *schema = merged(&all, schema);
    }
}

/// Returns one object with the properties of all parts. A part with several variants produces as many objects.
fn merged(all: &Value, schema: &Value) -> Value {
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let mut kinds = vec![json!({"type": "object", "properties": {}, "required": []})];
    let description = &schema["description"];
    for part in parts {
        let part = resolved(all, part);
        let variants = part["oneOf"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![part]);
        let with = |kind: &Value, variant: &Value| {
            let mut kind = kind.clone();
            for (name, property) in variant["properties"].as_object().into_iter().flatten() {
                kind["properties"][name] = property.clone();
            }
            if let (Some(required), Some(more)) = (
                kind["required"].as_array_mut(),
                variant["required"].as_array(),
            ) {
                required.extend(more.iter().cloned());
            }
            if let Some(further) = variant.get("additionalProperties") {
                kind["additionalProperties"] = further.clone();
            }
            if variants.len() > 1 {
                kind["description"] = variant["description"].clone();
            }
            kind
        };
        kinds = kinds
            .iter()
            .flat_map(|kind| variants.iter().map(|variant| with(kind, variant)))
            .collect();
    }
    match kinds.len() {
        1 => {
            let mut only = kinds.remove(0);
            if !description.is_null() {
                only["description"] = description.clone();
            }
            only
        }
        _ => json!({"oneOf": kinds, "description": description}),
    }
}

/// Returns the merged target of a reference.
fn resolved(all: &Value, schema: &Value) -> Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let schema = name.map_or(schema, |name| &all[name]);
    match schema["allOf"].is_array() {
        true => merged(all, schema),
        false => schema.clone(),
    }
}

/// Removes null from a parameter's schema: a parameter can be omitted, but a path or a header cannot express null.
fn never_null(parameter: &mut Value) {
    let schema = &mut parameter["schema"];
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(ways) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        ways.retain(|way| way["type"] != "null");
        if let [only] = ways.as_slice() {
            *schema = only.clone();
        }
    }
}

/// Adds the error responses of an operation, derived from its input.
fn errors(method: &str, path: &str, operation: &mut Value) {
    let is_open = operation["security"]
        .as_array()
        .is_some_and(|ways| ways.iter().all(|way| *way == json!({})));
    let parameters: Vec<(String, String)> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| (text(&parameter["in"]), text(&parameter["name"])))
        .collect();
    let has = |place: &str| parameters.iter().any(|(found, _)| found == place);
    let has_body = !operation["requestBody"].is_null();
    let responses = operation["responses"].as_object_mut();
    for response in responses
        .into_iter()
        .flatten()
        .map(|(_, response)| response)
    {
        if response["$ref"].is_null() && text(&response["description"]).is_empty() {
            response["description"] = "The result".into();
        }
    }
    let can_be = |status: &str| match status {
        "401" => !is_open,
        "404" => has("path") || parameters.iter().any(|(_, name)| name == "site"),
        // Only the hub of that site can do it.
        "409" => {
            method != "get" && !is_open || path.ends_with("/delay") || path.ends_with("/version")
        }
        "408" | "413" | "415" => has_body,
        "412" => parameters.iter().any(|(_, name)| name == "If-Match"),
        _ => true,
    };
    if path == "/healthz" {
        return;
    }
    for (status, name, _) in COMMON.into_iter().filter(|row| can_be(row.0)) {
        let known = &mut operation["responses"][status];
        if known.is_null() || known["description"] == "The result" {
            *known = json!({"$ref": format!("#/components/responses/{name}")});
        }
    }
}

/// Error responses that many operations share: status, name, description.
const COMMON: [(&str, &str, &str); 11] = [
    ("400", "Usage", "Invalid input; `field` names the part"),
    ("401", "Unauthenticated", "Authentication required"),
    ("403", "Forbidden", "Not allowed, or not from this origin"),
    ("404", "NotFound", "No such object"),
    ("408", "TooSlow", "The body did not arrive in time"),
    (
        "409",
        "Elsewhere",
        "It belongs to another site; `hint` has the address of that site's hub",
    ),
    ("412", "Stale", "The object has changed since it was read"),
    ("413", "TooLarge", "The body is too large"),
    ("415", "Unsupported", "Unsupported content type"),
    ("500", "Failed", "Failed"),
    (
        "503",
        "Unavailable",
        "The database or another local resource is unavailable",
    ),
];

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": {problem::CONTENT_TYPE: {"schema": reference("ProblemDocument")}},
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Map;

    use super::super::{OPENAPI, description};
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    /// Calls `see` for every object in a tree.
    fn walk<'a>(json: &'a Value, see: &mut impl FnMut(&'a Map<String, Value>)) {
        match json {
            Value::Object(object) => {
                see(object);
                object.values().for_each(|value| walk(value, see));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, see)),
            _ => {}
        }
    }

    fn operations(description: &Value) -> Vec<(String, &Value)> {
        let mut all = Vec::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                all.push((format!("{method} {path}"), operation));
            }
        }
        all
    }

    #[test]
    fn the_file_is_what_the_routes_say() {
        let text = format!("{:#}\n", description());
        if std::env::var_os("MAINS_RENEW").is_some() {
            std::fs::write(FILE, text).unwrap();
            return;
        }
        assert!(
            text == OPENAPI,
            "the API has changed; renew its description with `MAINS_RENEW=1 cargo test -p hub describe`"
        );
    }

    #[test]
    fn every_reference_leads_somewhere_and_no_schema_is_left_over() {
        let description = description();
        let mut used = BTreeSet::new();
        walk(&description, &mut |object| {
            if let Some(reference) = object.get("$ref") {
                used.insert(reference.as_str().unwrap().to_owned());
            }
        });
        let schemas = description["components"]["schemas"].as_object().unwrap();
        let responses = description["components"]["responses"].as_object().unwrap();
        let there = schemas
            .keys()
            .map(|name| format!("#/components/schemas/{name}"));
        let there = there.chain(
            responses
                .keys()
                .map(|name| format!("#/components/responses/{name}")),
        );
        assert_eq!(used, there.collect());
    }

    #[test]
    fn every_operation_says_what_can_come_of_it() {
        let description = description();
        let mut ids = BTreeSet::new();
        let operations = operations(&description);
        assert!(operations.len() >= 45, "{}", operations.len());
        for (name, operation) in operations {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} is there twice");
            assert!(
                !text(&operation["summary"]).is_empty(),
                "{name} has no summary"
            );
            assert!(operation["tags"].is_array(), "{name} has no tag");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status < &"400".to_owned()),
                "{name}"
            );
            for (status, response) in responses {
                let response = match response["$ref"].as_str() {
                    Some(reference) => description.pointer(&reference[1..]).unwrap(),
                    None => response,
                };
                assert!(
                    !text(&response["description"]).is_empty(),
                    "{name} {status}"
                );
                let content = response["content"].as_object();
                let is_problem =
                    content.is_some_and(|content| content.contains_key(problem::CONTENT_TYPE));
                assert_eq!(is_problem, status.as_str() >= "400", "{name} {status}");
            }
            let is_open =
                name == "get /healthz" || name == "get /login" || name == "post /api/v1/login";
            assert_eq!(
                responses.contains_key("401"),
                name != "get /healthz",
                "{name}"
            );
            assert_eq!(operation["security"].is_null(), !is_open, "{name}");
        }
    }

    #[test]
    fn every_way_to_say_who_one_is_is_described() {
        let description = description();
        let ways = description["security"].as_array().unwrap();
        let named: BTreeSet<_> = ways
            .iter()
            .flat_map(|way| way.as_object().unwrap().keys())
            .collect();
        let schemes = description["components"]["securitySchemes"]
            .as_object()
            .unwrap();
        assert_eq!(named, schemes.keys().collect());
        assert_eq!(named.len(), 2);
    }

    #[test]
    fn no_parameter_can_be_null() {
        for (name, operation) in operations(&description()) {
            assert!(
                !operation.as_object().unwrap().values().any(Value::is_null),
                "{name}"
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let schema = parameter["schema"].to_string();
                assert!(!schema.contains("null"), "{name}: {schema}");
            }
        }
    }

    #[test]
    fn every_schema_is_one() {
        let description = description();
        assert_eq!(description["openapi"], "3.1.0");
        for name in description["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
        {
            let mut schema = description.clone();
            schema["$ref"] = format!("#/components/schemas/{name}").into();
            jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

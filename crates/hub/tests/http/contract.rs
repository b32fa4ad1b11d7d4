//! Checks responses against the OpenAPI description: status, headers, content type and every field.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use jsonschema::Validator;
use serde_json::Value;

pub static DESCRIPTION: LazyLock<Value> = LazyLock::new(hub::http::description);

/// Cached validators, because creating one takes longer than using it.
static KNOWN: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// Returns the operation that matches a request, as its place in the description.
fn operation(method: &Method, path: &str) -> Option<String> {
    let path = path.split('?').next().unwrap();
    let matches = |template: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        wanted.len() == given.len()
            && wanted
                .iter()
                .zip(&given)
                .all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
    };
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let mut found: Vec<_> = paths.keys().filter(|path| matches(path)).collect();
    // A word is meant before a parameter.
    found.sort_by_key(|path| path.matches('{').count());
    let pointer = format!(
        "/paths/{}/{}",
        found.first()?.replace('~', "~0").replace('/', "~1"),
        method.as_str().to_lowercase()
    );
    DESCRIPTION.pointer(&pointer).map(|_| pointer)
}

/// Panics if the description does not have this response to this request.
pub fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let Some(mut at) = operation(method, path) else {
        assert!(
            status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path} is not described, and answers {status}"
        );
        return;
    };
    let what = format!("{method} {path}: {status}");
    at += &format!("/responses/{}", status.as_str());
    let mut response = DESCRIPTION
        .pointer(&at)
        .unwrap_or_else(|| panic!("{what} is not described"));
    if let Some(reference) = response["$ref"].as_str() {
        at = reference[1..].to_owned();
        response = DESCRIPTION.pointer(&at).unwrap();
    }
    for (name, _) in response["headers"].as_object().into_iter().flatten() {
        assert!(headers.contains_key(name.as_str()), "{what} has no {name}");
    }
    let Some(content) = response["content"].as_object() else {
        assert!(body.is_empty(), "{what} has a body");
        return;
    };
    let media = headers[CONTENT_TYPE].to_str().unwrap();
    let media = media.split(';').next().unwrap();
    assert!(content.contains_key(media), "{what} is {media}");
    if media.ends_with("json") {
        let json: Value = serde_json::from_slice(body).unwrap();
        let schema = format!("{at}/content/{}/schema", media.replace('/', "~1"));
        validate(&schema, &json, &what);
    }
}

/// Panics if the JSON does not match the schema at this place.
pub fn validate(schema: &str, json: &Value, what: &str) {
    let mut known = KNOWN.lock().unwrap();
    let validator = known
        .entry(schema.to_owned())
        .or_insert_with(|| validator(schema));
    let errors: Vec<_> = validator
        .iter_errors(json)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    drop(known);
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{json:#}");
}

fn validator(schema: &str) -> Validator {
    let mut whole = DESCRIPTION.clone();
    let schema = schema.replace('{', "%7B").replace('}', "%7D");
    whole["$ref"] = format!("#{schema}").into();
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&whole)
        .unwrap()
}

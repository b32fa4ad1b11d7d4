//! A hang-up on each route that can change something: the list is that of the API's description, so that none is forgotten.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::hang_up::{GuardedHouse, documents};
use crate::twins::{Plugs, in_network};
use crate::world::{and, at, bare, hex, mac, plug, with};

/// Numbers of polls after which a client hangs up.
const POLLS: [usize; 7] = [0, 1, 2, 3, 5, 8, 16];

/// Routes that have a test of their own: a change there takes long, or needs more than one house.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "set_password",
        "credentials_are_the_same_in_memory_and_on_disk",
    ),
    (
        "replace_plug",
        "a_replacement_is_the_same_in_memory_and_on_disk",
    ),
];

/// An operation of the API's description that can change something.
#[derive(Debug)]
struct Operation {
    method: Method,
    path: String,
    id: String,
}

fn changing_operations() -> Vec<Operation> {
    let description: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            if [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(&method) {
                let (path, id) = (
                    path.clone(),
                    operation["operationId"].as_str().unwrap().to_owned(),
                );
                operations.push(Operation { method, path, id });
            }
        }
    }
    operations
}

/// Makes sure that the plug is there, and returns the path of an operation on it.
async fn plug_path(guarded: &GuardedHouse, operation: &Operation) -> String {
    let adopted = guarded
        .house
        .post("/api/v1/plugs", json!({"address": at(1)}))
        .await;
    assert!(adopted.status.is_success(), "{adopted:?}");
    operation.path.replace("{mac}", &hex(1))
}

/// Makes sure that there is a document, and returns the path of an operation on it.
async fn document_path(guarded: &GuardedHouse, operation: &Operation) -> String {
    let collection = operation.path.split('/').nth(3).unwrap();
    let all = format!("/api/v1/{collection}");
    let list = guarded.house.get(&all).await.expect(200);
    let id = match list[0]["id"].as_str() {
        Some(id) => id.to_owned(),
        None => {
            let (_, made, _) = of_collection(collection);
            let made = guarded.house.post(&all, made).await.expect(201);
            made["id"].as_str().unwrap().to_owned()
        }
    };
    operation.path.replace("{id}", &id)
}

fn of_collection(collection: &str) -> (&'static str, Value, Value) {
    let found = documents()
        .into_iter()
        .find(|(name, ..)| *name == collection);
    found.unwrap_or_else(|| panic!("no document for {collection}"))
}

fn json_to(operation: &Operation, path: &str, body: Value) -> Request<Body> {
    with(operation.method.clone(), path, body)
}

async fn on_document(
    guarded: &GuardedHouse,
    operation: &Operation,
    number: usize,
) -> Request<Body> {
    let collection = operation.path.split('/').nth(3).unwrap();
    let (verb, _) = operation.id.split_once('_').unwrap();
    // They refer to the plug.
    plug_path(guarded, operation).await;
    let (_, made, edited) = of_collection(collection);
    match (verb, operation.id.as_str()) {
        ("create", _) => {
            let named = json!({"name": format!("made {number}")});
            let mut body = made.as_object().unwrap().clone();
            body.extend(named.as_object().unwrap().clone());
            json_to(operation, &operation.path, body.into())
        }
        (_, "put_prices") => {
            let path = document_path(guarded, operation).await;
            let prices = json!([{"t": "2026-11-22T00:00:00Z", "price": number}]);
            json_to(operation, &path, prices)
        }
        (_, "switch_group") => {
            let path = document_path(guarded, operation).await;
            json_to(operation, &path, json!({"state": "on"}))
        }
        ("remove", _) => {
            let path = document_path(guarded, operation).await;
            bare(operation.method.clone(), &path)
        }
        ("change", _) => {
            let path = document_path(guarded, operation).await;
            json_to(
                operation,
                &path,
                json!({"name": format!("changed {number}")}),
            )
        }
        ("replace", _) => {
            let path = document_path(guarded, operation).await;
            let body = if number.is_multiple_of(2) {
                edited
            } else {
                made
            };
            json_to(operation, &path, body)
        }
        _ => panic!("{operation:?} is new: say here how it is called"),
    }
}

async fn on_plug(guarded: &GuardedHouse, operation: &Operation, number: usize) -> Request<Body> {
    let path = plug_path(guarded, operation).await;
    match operation.id.as_str() {
        "adopt_plug" => {
            guarded
                .house
                .delete(&format!("{path}/{}", hex(1)))
                .await
                .expect(204);
            json_to(operation, &path, json!({"address": at(1)}))
        }
        "remove_plug" => bare(Method::DELETE, &path),
        "change_plug" => {
            let settings = json!({"name": format!("lamp {number}"), "room": format!("room {number}"), "power_on": "last"});
            json_to(operation, &path, settings)
        }
        "delay_plug" => json_to(operation, &path, json!({"state": "off", "minutes": 30})),
        "meter_plug" => bare(Method::POST, &path),
        "harden_plug" => json_to(operation, &path, json!({"only": ["web-password"]})),
        "switch_plug" => json_to(operation, &path, json!({"state": "toggle"})),
        "import" => {
            let mut request = bare(Method::POST, &path);
            *request.body_mut() = Body::from(format!(
                "kind,time,power_w,energy_wh,readings\nquarter,2026-11-22T{number:02}:00:00Z,60,15,90\n"
            ));
            and(request, "content-type", "text/csv")
        }
        _ => panic!("{operation:?} is new: say here how it is called"),
    }
}

async fn request(guarded: &GuardedHouse, operation: &Operation, number: usize) -> Request<Body> {
    let to = |body: Value| json_to(operation, &operation.path, body);
    // There is no bridge: what is written of one is a file that is read each time.
    let bridge = operation.path.replace("{id}", "001788fffe000001");
    match operation.id.as_str() {
        "pair_bridge" => to(json!({"address": "127.74.9.9"})),
        "forget_bridge" => bare(Method::DELETE, &bridge),
        "take_over" => json_to(operation, &bridge, json!({"serials": ["ABC123"]})),
        "discover" | "discover_bridges" | "log_out" => bare(Method::POST, &operation.path),
        "log_in" => to(json!({"password": "wrong horse"})),
        "make_link" => to(json!({"scope": "read"})),
        "make_token" => to(json!({"name": format!("token {number}")})),
        "revoke_token" => {
            let id = guarded.spare_token().await;
            bare(Method::DELETE, &operation.path.replace("{id}", &id))
        }
        _ if operation.path.starts_with("/api/v1/plugs") => {
            on_plug(guarded, operation, number).await
        }
        _ => on_document(guarded, operation, number).await,
    }
}

#[test]
fn every_route_leaves_memory_and_disk_the_same() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let guarded = GuardedHouse::open().await;
        let operations = changing_operations();
        assert!(operations.len() > 30, "{operations:?}");
        for (id, test) in ELSEWHERE {
            assert!(
                operations.iter().any(|operation| operation.id == id),
                "{id}"
            );
            assert!(include_str!("hang_up.rs").contains(test), "{test}");
        }
        for polls in POLLS {
            for operation in &operations {
                if ELSEWHERE.iter().any(|(id, _)| operation.id == *id) {
                    continue;
                }
                let request = request(&guarded, operation, polls).await;
                guarded.hang_up(request, polls).await;
                guarded.settled(&format!("{}, {polls}", operation.id)).await;
            }
        }
        // None of the routes was left with a lock.
        let name = json!({"name": "works"});
        let path = format!("/api/v1/plugs/{}", hex(1));
        guarded
            .house
            .post("/api/v1/plugs", json!({"address": at(1)}))
            .await;
        guarded.house.patch(&path, name).await.expect(200);
        let group = json!({"name": "all", "plugs": [mac(1)]});
        guarded
            .house
            .post("/api/v1/groups", group)
            .await
            .expect(201);
        guarded.house.close().await;
        plugs.stop().await;
    });
}

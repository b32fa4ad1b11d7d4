//! A client that hangs up in the middle of a change: memory and disk hold the same afterwards.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use api::{Document, Group, Rule, Schedule, Tariff};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hub::auth::{AccessControl, protect};
use hub::lease::Lease;
use hub::store::{PlugStore as _, SettingStore};
use hub::{EventBus, Hub, Repository};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::twins::{Plugs, in_network};
use crate::world::{House, and, at, bare, hex, mac, plug, with};

/// More than any change has to wait for.
const MAX_POLLS: usize = 24;

/// A hub with access control.
pub struct GuardedHouse {
    pub house: House,
    router: Router,
    token: String,
}

async fn guarded(house: &House) -> Router {
    let settings = Arc::clone(&house.store) as Arc<dyn SettingStore>;
    let address = ([127, 0, 0, 1], 8480).into();
    let config = house.hub.config();
    let auth = AccessControl::load(
        settings,
        config,
        address,
        Vec::new(),
        EventBus::new(),
        Lease::default(),
    )
    .await;
    protect(hub::http::router(house.hub.clone()), auth.unwrap())
}

impl GuardedHouse {
    pub async fn open() -> Self {
        let house = House::open().await;
        let router = guarded(&house).await;
        let file = house.state.path().join("admin-token");
        let token = std::fs::read_to_string(file).unwrap().trim().to_owned();
        Self {
            house,
            router,
            token,
        }
    }

    fn signed(&self, request: Request<Body>) -> Request<Body> {
        let request = and(request, "host", "127.0.0.1:8480");
        and(request, "authorization", &format!("Bearer {}", self.token))
    }

    /// Sends a request, and hangs up after this number of polls. Returns true if it was answered before.
    pub async fn hang_up(&self, request: Request<Body>, polls: usize) -> bool {
        let mut answer = Box::pin(self.router.clone().oneshot(self.signed(request)));
        for _ in 0..polls {
            let polled = std::future::poll_fn(|context| {
                Poll::Ready(answer.as_mut().poll(context).is_ready())
            });
            if polled.await {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        false
    }

    /// Waits until memory and disk hold the same.
    pub async fn settled(&self, what: &str) {
        let (mut memory, mut disk) = (Value::Null, Value::Null);
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let hub = &self.house.hub;
            memory = json!([
                shown(hub.groups()),
                shown(hub.schedules()),
                shown(hub.rules()),
                shown(hub.tariffs()),
                plugs_in_memory(hub),
                tokens(&self.router, &self.token).await,
            ]);
            disk = json!([
                self.stored::<Group>().await,
                self.stored::<Schedule>().await,
                self.stored::<Rule>().await,
                self.stored::<Tariff>().await,
                plugs_on_disk(&self.house).await,
                tokens(&guarded(&self.house).await, &self.token).await,
            ]);
            if memory == disk {
                return;
            }
        }
        panic!("{what}: in memory {memory}\non the disk {disk}");
    }

    async fn stored<T: Document>(&self) -> Value {
        let store = Arc::clone(&self.house.store);
        shown(&Repository::<T>::load(store).await.unwrap())
    }
}

fn shown<T: Document>(documents: &Repository<T>) -> Value {
    let all = documents.all().into_iter();
    json!(
        all.map(|stored| (stored.id, stored.revision, stored.body))
            .collect::<Vec<_>>()
    )
}

fn plugs_in_memory(hub: &Hub) -> Value {
    let views = hub.registry().views();
    json!(
        views
            .iter()
            .map(|view| (view.plug.mac, &view.plug.name, &view.room, view.power_on))
            .collect::<Vec<_>>()
    )
}

async fn plugs_on_disk(house: &House) -> Value {
    let plugs = house.store.plugs().await.unwrap();
    json!(
        plugs
            .iter()
            .map(|plug| (plug.mac, &plug.name, &plug.room, plug.power_on))
            .collect::<Vec<_>>()
    )
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let request = and(request, "host", "127.0.0.1:8480");
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

impl GuardedHouse {
    /// Returns the id of the last token but the admin's, which is made if there is none.
    pub async fn spare_token(&self) -> String {
        let list = tokens(&self.router, &self.token).await;
        if let Some(token) = list.as_array().unwrap().get(1) {
            return token[0].as_str().unwrap().to_owned();
        }
        let token = self.signed(with(
            Method::POST,
            "/api/v1/tokens",
            json!({"name": "spare"}),
        ));
        let (status, made) = answer(&self.router, token).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }
}

/// Returns ids and names of the tokens.
async fn tokens(router: &Router, token: &str) -> Value {
    let request = bare(Method::GET, "/api/v1/tokens");
    let request = and(request, "authorization", &format!("Bearer {token}"));
    let (status, list) = answer(router, request).await;
    assert_eq!(status, 200, "{list}");
    let list = list.as_array().unwrap().iter();
    json!(
        list.map(|token| (&token["id"], &token["name"]))
            .collect::<Vec<_>>()
    )
}

async fn accepts(router: &Router, password: &str) -> bool {
    let login = with(Method::POST, "/api/v1/login", json!({"password": password}));
    answer(router, login).await.0 == 204
}

/// The documents of each collection, as they are made and as they are edited.
pub fn documents() -> [(&'static str, Value, Value); 4] {
    let schedule =
        |at: &str| json!({"name": "s", "targets": [mac(1)], "action": "on", "when": {"at": at}});
    let rule =
        |after: &str| json!({"name": "r", "plug": mac(1), "kind": "auto_off", "after": after});
    let tariff =
        |price: f64| json!({"name": "t", "currency": "EUR", "kind": "flat", "price": price});
    [
        (
            "groups",
            json!({"name": "g", "plugs": []}),
            json!({"name": "g", "plugs": [mac(1)]}),
        ),
        ("schedules", schedule("07:00"), schedule("08:00")),
        ("rules", rule("1d"), rule("2d")),
        ("tariffs", tariff(0.5), tariff(0.25)),
    ]
}

#[test]
fn documents_plugs_and_tokens_are_the_same_in_memory_and_on_disk() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let guarded = GuardedHouse::open().await;
        guarded.house.adopt(1).await;
        let first = |path: &str| {
            let house = &guarded.house;
            let path = path.to_owned();
            async move {
                house.get(&path).await.expect(200)[0]["id"]
                    .as_str()
                    .map(str::to_owned)
            }
        };
        for polls in 0..MAX_POLLS {
            for (collection, made, edited) in documents() {
                let path = format!("/api/v1/{collection}");
                guarded
                    .hang_up(with(Method::POST, &path, made.clone()), polls)
                    .await;
                guarded.settled(&format!("POST {path}, {polls}")).await;
                if first(&path).await.is_none() {
                    let answer = guarded.house.post(&path, made).await;
                    // On a busy machine, what was hung up on is done after a look.
                    if answer.status.as_u16() != 409 {
                        answer.expect(201);
                    }
                }
                let one = format!("{path}/{}", first(&path).await.unwrap());
                guarded
                    .hang_up(with(Method::PUT, &one, edited), polls)
                    .await;
                guarded.settled(&format!("PUT {path}, {polls}")).await;
                guarded.hang_up(bare(Method::DELETE, &one), polls).await;
                guarded.settled(&format!("DELETE {path}, {polls}")).await;
            }
            let one = format!("/api/v1/plugs/{}", hex(1));
            let name = json!({"name": format!("lamp {polls}")});
            guarded
                .hang_up(with(Method::PATCH, &one, name), polls)
                .await;
            guarded.settled(&format!("PATCH plug, {polls}")).await;
            let token = json!({"name": format!("t{polls}")});
            guarded
                .hang_up(with(Method::POST, "/api/v1/tokens", token), polls)
                .await;
            guarded.settled(&format!("POST token, {polls}")).await;
            let list = tokens(&guarded.router, &guarded.token).await;
            if let Some(last) = list.as_array().unwrap().get(1) {
                let one = format!("/api/v1/tokens/{}", last[0].as_str().unwrap());
                guarded.hang_up(bare(Method::DELETE, &one), polls).await;
                guarded.settled(&format!("DELETE token, {polls}")).await;
            }
        }
        guarded.house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_replacement_is_the_same_in_memory_and_on_disk() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[]), plug(2, &[])]).await;
        let guarded = GuardedHouse::open().await;
        guarded.house.adopt(2).await;
        for (collection, _, edited) in documents() {
            let path = format!("/api/v1/{collection}");
            guarded.house.post(&path, edited).await.expect(201);
        }
        for polls in 0..MAX_POLLS {
            let (old, new) =
                if guarded.house.hub.registry().views()[0].plug.mac.to_string() == mac(1) {
                    (1, 2)
                } else {
                    (2, 1)
                };
            let path = format!("/api/v1/plugs/{}/replace", hex(old));
            guarded
                .hang_up(with(Method::POST, &path, json!({"by": mac(new)})), polls)
                .await;
            guarded.settled(&format!("replace, {polls}")).await;
            let shown = shown(guarded.house.hub.rules()).to_string();
            let views = guarded.house.hub.registry().views();
            assert!(
                views
                    .iter()
                    .any(|view| shown.contains(&view.plug.mac.to_string())),
                "{shown}"
            );
            // The old one was removed, unless the replacement did not begin.
            let again = json!({"address": at(old)});
            guarded.house.post("/api/v1/plugs", again).await;
        }
        guarded.house.close().await;
        plugs.stop().await;
    });
}

/// The admin token in its file and the password on the disk are those that the hub takes.
#[test]
fn credentials_are_the_same_in_memory_and_on_disk() {
    in_network(async {
        let mut guarded = GuardedHouse::open().await;
        let mut passwords = vec![None];
        for polls in 0..4 {
            let new = format!("correct horse {polls}");
            let change = with(Method::PUT, "/api/v1/password", json!({"password": new}));
            guarded.hang_up(change, polls).await;
            passwords.push(Some(new));
            // Hashing takes long on a busy machine, and a try that is repeated counts.
            tokio::time::sleep(Duration::from_secs(4)).await;
            let disk = self::guarded(&guarded.house).await;
            for password in passwords.iter().rev().take(2).flatten() {
                let (there, here) = (
                    accepts(&disk, password).await,
                    accepts(&guarded.router, password).await,
                );
                assert_eq!(here, there, "{polls}");
            }
            let list = tokens(&guarded.router, &guarded.token).await;
            let admin = format!("/api/v1/tokens/{}", list[0][0].as_str().unwrap());
            guarded.hang_up(bare(Method::DELETE, &admin), polls).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            let file = guarded.house.state.path().join("admin-token");
            guarded.token = std::fs::read_to_string(file).unwrap().trim().to_owned();
            guarded
                .settled(&format!("DELETE admin token, {polls}"))
                .await;
        }
        guarded.house.close().await;
    });
}

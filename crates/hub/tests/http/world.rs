//! A whole hub, emulated plugs, and requests through the router.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api::Period;
use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use emulator::PlugConfig;
use hiflying::net::Interface;
use http_body_util::BodyExt;
use hub::bridges::HueBridges;
use hub::config::Place;
use hub::lease::Lease;
use hub::log::EventLog;
use hub::recorder::Recorder;
use hub::registry::{Interfaces, Registry, RegistryConfig, RegistryContext};
use hub::store::{Retention, Store};
use hub::{Config, EventBus, Hub, Parts, Repository};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::contract;
use crate::database::{self, TestStore};

/// Returns the address of a plug.
pub fn at(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 74, 1, number)
}

/// Returns the MAC of a plug as written in JSON.
pub fn mac(number: u8) -> String {
    PlugConfig::at(at(number)).mac.to_string()
}

/// Returns the MAC of a plug as written in paths.
pub fn hex(number: u8) -> String {
    format!("{:x}", PlugConfig::at(at(number)).mac)
}

/// Returns a plug with faults.
pub fn plug(number: u8, faults: &[&str]) -> PlugConfig {
    PlugConfig {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        load: emulator::Load::Constant(60.0),
        ..PlugConfig::at(at(number))
    }
}

/// A hub without access control.
pub struct House<S = TestStore> {
    pub hub: Hub,
    pub store: Arc<S>,
    pub state: TempDir,
    router: Router,
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl House {
    /// Starts a hub that meters every second.
    pub async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    /// The same with other settings.
    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let config = Config::in_state(state.path());
        let retention = Retention {
            readings: config.keep_readings,
            minutes: config.keep_minutes,
        };
        let store = database::open(state.path(), retention).await;
        Self::on_with(store, state, change).await
    }

    pub async fn close(self) {
        self.end().await;
        self.store.close().await;
    }

    /// Ends the hub, and starts another one on its database.
    pub async fn restarted(self) -> Self {
        self.end().await;
        self.store.close().await;
        let Self {
            hub, router, state, ..
        } = self;
        // They hold the sockets.
        drop((hub, router));
        let store = database::open(state.path(), Retention::default()).await;
        Self::on_with(store, state, |_| ()).await
    }
}

impl<S: Store + 'static> House<S> {
    /// Starts a hub on a store, with other settings.
    pub async fn on_with(store: S, state: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        Self::on_address(store, state, Ipv4Addr::new(127, 74, 0, 1), change).await
    }

    /// The same at another address of the network.
    pub async fn on_address(
        store: S,
        state: TempDir,
        address: Ipv4Addr,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::in_state(state.path());
        config.interfaces = vec!["127.0.0.1".into()];
        config.timezone = TimeZone::get("Europe/Berlin").unwrap();
        config.place = Some(Place {
            latitude: 52.52,
            longitude: 13.40,
        });
        change(&mut config);
        let kept = Arc::new(store);
        let store: Arc<dyn Store> = Arc::clone(&kept) as _;
        let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (samples, waiting) = mpsc::channel(1_000);
        let recorder = Recorder::start(store.clone(), waiting, None, cancel.clone(), &tracker);
        let log = EventLog::load(store.clone()).await.unwrap();
        tracker.spawn(log.clone().run(cancel.clone()));
        let bus = EventBus::with_log(log.clone());
        let surroundings = RegistryContext {
            bus: bus.clone(),
            samples,
            store: store.clone(),
            settings: store.clone(),
            permit: Arc::new(Lease::default()),
            cancel: cancel.clone(),
            tracker: tracker.clone(),
        };
        let registry =
            Registry::start(keeping(address), Vec::new(), Vec::new(), surroundings).await;
        let ends = (cancel.clone(), tracker.clone());
        let hub = Hub::new(Parts {
            guests: Vec::new(),
            log,
            bridges: HueBridges::new(&config, bus.clone(), ends.0, ends.1),
            groups: Repository::load(store.clone()).await.unwrap(),
            schedules: Repository::load(store.clone()).await.unwrap(),
            rules: Repository::load(store.clone()).await.unwrap(),
            tariffs: Repository::load(store.clone()).await.unwrap(),
            registry: registry.unwrap(),
            lease: Lease::default(),
            cancel: cancel.clone(),
            config,
            store,
            bus,
            recorder,
        });
        Self {
            router: hub::http::router(hub.clone()),
            store: kept,
            hub,
            state,
            cancel,
            tracker,
        }
    }

    /// Ends the hub, which must not take long.
    pub async fn end(&self) {
        self.cancel.cancel();
        self.tracker.close();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.tracker.wait()).await;
        ended.expect("the hub does not end");
    }

    /// Adopts the first `count` plugs.
    pub async fn adopt(&self, count: u8) {
        for number in 1..=count {
            let body = json!({"address": at(number)});
            self.post("/api/v1/plugs", body).await.expect(201);
        }
    }

    pub async fn send(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request, and checks the response against the description.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let response = self.send(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        contract::check(&method, &path, parts.status, &parts.headers, &body);
        Answer {
            what: format!("{method} {path}"),
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(bare(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(bare(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(with(Method::POST, path, body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(with(Method::PUT, path, body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(with(Method::PATCH, path, body)).await
    }
}

fn keeping(address: Ipv4Addr) -> RegistryConfig {
    RegistryConfig {
        families: plugs::families::all(),
        interfaces: Interfaces::Fixed(vec![Interface {
            name: "lo".into(),
            address,
            prefix: 8,
            peer: None,
            broadcast: Ipv4Addr::new(127, 255, 255, 255),
            loopback: true,
            up: true,
            index: 1,
        }]),
        adopt: false,
        adopts_named: false,
        metering: Period::seconds(1),
        scan: Period::seconds(1),
        names: std::collections::HashMap::new(),
    }
}

pub fn bare(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(Body::empty()).unwrap()
}

pub fn with(method: Method, path: &str, body: Value) -> Request<Body> {
    let mut request = bare(method, path);
    let json = "application/json".parse().unwrap();
    request.headers_mut().insert(CONTENT_TYPE, json);
    *request.body_mut() = Body::from(body.to_string());
    request
}

/// Adds a header to a request.
pub fn and(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    what: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Checks the status; returns the JSON, or null if there is none.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{}: {text}", self.what);
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Checks that the response is a problem with this status and kind, at this field.
    #[track_caller]
    pub fn problem(&self, status: u16, kind: &str, field: Option<&str>) -> Value {
        let json = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(json["kind"], kind, "{}: {json}", self.what);
        assert_eq!(json["field"].as_str(), field, "{}: {json}", self.what);
        assert_eq!(json["status"], status);
        json
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

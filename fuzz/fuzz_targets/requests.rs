//! Arbitrary requests to a hub, its API and its pages, with the administrator's token or without: no panic, and no internal error.
#![no_main]

use std::sync::{Arc, Mutex};

use api::Collection;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt as _;
use hub::auth::{AccessControl, protect};
use hub::bridges::HueBridges;
use hub::log::EventLog;
use hub::recorder::Recorder;
use hub::registry::{Interfaces, Registry, RegistryConfig, RegistryContext};
use hub::store::{DocumentStore as _, Retention, Sqlite, Store, StoredDocument};
use hub::{Config, EventBus, Guest, Hub, Parts, Repository};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Number of requests after which a new hub is made, because each can add something to it.
const MAX_REQUESTS: u32 = 5_000;
const METHODS: [Method; 5] = [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE];
const MEDIA: [&str; 4] =
    ["application/json", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
/// Paths without an end (events) and those that search the network are left out.
const PATHS: [&str; 48] = [
    "/", "/add/names", "/api/v1/energy", "/api/v1/energy/household", "/api/v1/energy/quarters", "/api/v1/groups",
    "/api/v1/groups/g-00000001", "/api/v1/groups/g-00000001/relay", "/api/v1/hub", "/api/v1/hub/backup", "/api/v1/log",
    "/api/v1/login", "/api/v1/login-url", "/api/v1/logout", "/api/v1/openapi.json", "/api/v1/password",
    "/api/v1/plugs/accf23000001", "/api/v1/plugs/accf23000001/export", "/api/v1/plugs/accf23000001/history",
    "/api/v1/plugs/accf23000001/history.csv", "/api/v1/plugs/accf23000001/import", "/api/v1/rules",
    "/api/v1/rules/r-00000001", "/api/v1/schedules", "/api/v1/schedules/s-00000001", "/api/v1/tariffs",
    "/api/v1/tariffs/t-00000001", "/api/v1/tariffs/t-00000001/prices", "/api/v1/tokens", "/assets/x", "/energy",
    "/energy.csv", "/groups", "/groups/g-00000001", "/healthz", "/login", "/logout", "/metrics", "/plugs/accf23000001",
    "/rules", "/rules/r-00000001", "/schedules", "/schedules/s-00000001", "/settings", "/settings/tokens",
    "/tariffs", "/tariffs/t-00000001", "/tariffs/t-00000001/prices",
];

struct FuzzedHub {
    runtime: Runtime,
    router: Router,
    token: String,
    requests: u32,
    cancel: CancellationToken,
    _state: TempDir,
}

static HUB: Mutex<Option<FuzzedHub>> = Mutex::new(None);

impl FuzzedHub {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let state = tempfile::Builder::new().prefix("fuzz").tempdir_in("/dev/shm");
        let state = state.or_else(|_| tempfile::tempdir()).expect("a directory for the state");
        let cancel = CancellationToken::new();
        let router = runtime.block_on(router(Config::in_state(state.path()), cancel.clone()));
        let token = std::fs::read_to_string(state.path().join("admin-token"));
        Self {
            runtime,
            router,
            token: token.expect("it was made").trim().to_owned(),
            requests: 0,
            cancel,
            _state: state,
        }
    }
}

/// Returns the router of a hub with one of each document.
async fn router(mut config: Config, cancel: CancellationToken) -> Router {
    config.interfaces = vec!["127.0.0.1".to_owned()];
    let opened = Sqlite::open(&config.database, Retention::default()).await;
    let store = Arc::new(opened.expect("a new file").store);
    let flat = json!({"name": "flat", "kind": "flat", "currency": "EUR", "price": 0.3, "valid_from": "2026-01-01"});
    let daily = json!({"name": "daily", "targets": [], "action": "on", "when": {"at": "07:00"}});
    let off = json!({"name": "off", "kind": "auto_off", "plug": "accf23000001", "after": "30s"});
    for (collection, id, body) in [
        (Collection::Groups, "g-00000001", json!({"name": "lamps", "plugs": []})),
        (Collection::Schedules, "s-00000001", daily),
        (Collection::Rules, "r-00000001", off),
        (Collection::Tariffs, "t-00000001", flat),
    ] {
        let (id, state) = (id.parse().expect("an id"), Value::Null);
        let document = StoredDocument { id, revision: 1, body, state };
        store.save_document(collection, &document).await.expect("a sound file can be written");
    }
    let store: Arc<dyn Store> = store;
    let tracker = TaskTracker::new();
    let (samples, waiting) = tokio::sync::mpsc::channel(1_000);
    let recorder = Recorder::start(store.clone(), waiting, cancel.clone(), &tracker);
    let log = EventLog::load(store.clone()).await.expect("it is empty");
    tracker.spawn(log.clone().run(cancel.clone()));
    let bus = EventBus::with_log(log.clone());
    let context = RegistryContext {
        bus: bus.clone(),
        samples,
        store: store.clone(),
        settings: store.clone(),
        cancel: cancel.clone(),
        tracker: tracker.clone(),
    };
    let keeping = RegistryConfig {
        families: plugs::families::all(),
        interfaces: Interfaces::Fixed(Vec::new()),
        adopt: false,
        adopts_named: false,
        metering: config.metering,
        scan: config.scan,
        names: Default::default(),
    };
    let registry = Registry::start(keeping, Vec::new(), Vec::new(), context).await;
    let pages = Arc::new(web::Pages::default()) as Arc<dyn Guest>;
    let guests = vec![pages];
    let hub = Hub::new(Parts {
        guests: guests.clone(),
        log,
        bridges: HueBridges::new(&config, bus.clone(), cancel.clone(), tracker),
        groups: Repository::load(store.clone()).await.expect("a sound document"),
        schedules: Repository::load(store.clone()).await.expect("a sound document"),
        rules: Repository::load(store.clone()).await.expect("a sound document"),
        tariffs: Repository::load(store.clone()).await.expect("a sound document"),
        registry: registry.expect("no network is no error"),
        cancel,
        config: config.clone(),
        store: store.clone(),
        bus: bus.clone(),
        recorder,
    });
    let address = ([127, 0, 0, 1], 8480).into();
    let auth = AccessControl::load(store, &config, address, guests.clone(), bus).await;
    let mut router = hub::http::router(hub.clone());
    for guest in &guests {
        router = router.merge(guest.router(&hub));
    }
    protect(router, auth.expect("no password is no error"))
}

/// Makes a request of these bytes, if they are one.
fn request(token: &str, bytes: &[u8]) -> Option<Request<Body>> {
    let (&[method, path, kind], rest) = bytes.split_first_chunk()?;
    let method = METHODS.get(usize::from(method) % METHODS.len())?.clone();
    let path = PATHS.get(usize::from(path) % PATHS.len())?;
    let mut parts = rest.splitn(4, |&byte| byte == 0xff);
    let query = std::str::from_utf8(parts.next()?).ok()?;
    let uri: Uri = format!("{path}{query}").parse().ok()?;
    if uri.path().starts_with("/events") || uri.path().contains("/hue") || uri.path().starts_with("/api/v1/events") {
        return None;
    }
    let mut request = Request::builder().method(method).uri(uri).header(header::HOST, "127.0.0.1:8480");
    if kind & 1 == 0 {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(media) = MEDIA.get(usize::from(kind >> 1) & 7) {
        request = request.header(header::CONTENT_TYPE, *media);
    }
    let value = HeaderValue::from_bytes(parts.next()?).ok()?;
    let name = [header::COOKIE, header::IF_MATCH, header::ORIGIN, header::ACCEPT][usize::from(kind >> 4) & 3].clone();
    request.header(name, value).body(Body::from(parts.next()?.to_vec())).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let mut hub = HUB.lock().expect("a failure ends the process");
    if hub.as_ref().is_none_or(|hub| hub.requests >= MAX_REQUESTS) {
        if let Some(old) = hub.take() {
            old.cancel.cancel();
        }
        *hub = Some(FuzzedHub::new());
    }
    let hub = hub.as_mut().expect("it was just made");
    let Some(request) = request(&hub.token, bytes) else {
        return;
    };
    hub.requests += 1;
    let what = format!("{request:?}");
    hub.runtime.block_on(async {
        let response = hub.router.clone().oneshot(request).await;
        let response = response.expect("a router has no error");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map(|body| body.to_bytes());
        assert!(status != 500 && status != 502, "{what}: {status} {body:?}");
    });
});

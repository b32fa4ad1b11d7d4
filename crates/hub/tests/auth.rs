//! Access control the whole way, over a real socket and with a real database: what is logged, and what is not.
//!
//! A test binary of its own, because what is logged is decided for a whole process.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by a panic")]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use api::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::Level;

use hub::auth::{AccessControl, Credential, protect, set_password};
use hub::lease::Lease;
use hub::store::{Retention, Sqlite, Store};
use hub::{Config, EventBus, server};

async fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Asks with these further lines in the head; the body is JSON.
async fn ask(address: SocketAddr, line: &str, head: &str, body: &str) -> String {
    let length = body.len();
    let text = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{head}\r\n{body}"
    );
    say(address, &text).await
}

fn cookie(answer: &str) -> &str {
    let (_, rest) = answer.split_once("set-cookie: ").unwrap();
    rest.split(';').next().unwrap()
}

/// Says this, and demands that status.
async fn expect(address: SocketAddr, status: u16, line: &str, head: &str, body: &str) -> String {
    let answer = ask(address, line, head, body).await;
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status}")),
        "{line}: {answer}"
    );
    answer
}

/// Gets in by every way there is, rightly and wrongly; returns every secret that was shown or made.
async fn by_every_way(address: SocketAddr, link: &str, token: String) -> Vec<String> {
    let (right, wrong) = ("correct horse battery", "wrong horse battery");
    let body = |password: &str| serde_json::json!({ "password": password }).to_string();
    let secret = |text: &str| text.split_once('=').unwrap().1.to_owned();
    let admin = format!("Authorization: Bearer {token}\r\n");
    let follow = link.replace(&format!("http://{address}"), "GET ");

    let by_link = expect(address, 303, &follow, "", "").await;
    expect(address, 401, &follow, "", "").await;
    let session = cookie(&by_link);
    expect(address, 200, "GET /", &format!("Cookie: {session}\r\n"), "").await;
    expect(address, 204, "PUT /api/v1/password", &admin, &body(right)).await;
    expect(address, 401, "POST /api/v1/login", "", &body(wrong)).await;
    let by_password = expect(address, 204, "POST /api/v1/login", "", &body(right)).await;
    let garbled = format!("{{\"password\": [\"{right}\"");
    expect(address, 400, "POST /api/v1/login", "", &garbled).await;
    let name = "{\"name\":\"Home Assistant\"}";
    let made = expect(address, 201, "POST /api/v1/tokens", &admin, name).await;
    let foreign = "Authorization: Bearer mains_wrongwrongwrong\r\n";
    expect(address, 401, "GET /api/v1/tokens", foreign, "").await;
    let elsewhere =
        format!("GET / HTTP/1.1\r\nHost: evil.example\r\n{admin}Connection: close\r\n\r\n");
    assert!(say(address, &elsewhere).await.starts_with("HTTP/1.1 403"));

    let (_, made) = made.split_once("\"token\":\"").unwrap();
    let made = made.split('"').next().unwrap().to_owned();
    let (right, wrong, foreign) = (
        right.to_owned(),
        wrong.to_owned(),
        "mains_wrongwrong".to_owned(),
    );
    vec![
        token,
        secret(link),
        secret(session),
        secret(cookie(&by_password)),
        made,
        right,
        wrong,
        foreign,
    ]
}

#[tokio::test]
async fn no_secret_is_logged_or_kept() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_writer(Arc::new(log.reopen().unwrap()))
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let state = tempfile::tempdir().unwrap();
    let config = Config::in_state(state.path());
    let opened = Sqlite::open(&config.database, Retention::default())
        .await
        .unwrap();
    let store: Arc<dyn Store> = Arc::new(opened.store);
    let listener = server::bind("127.75.6.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let auth = AccessControl::load(
        store.clone(),
        &config,
        address,
        Vec::new(),
        EventBus::new(),
        Lease::default(),
    )
    .await
    .unwrap();
    let cancel = CancellationToken::new();
    let page = axum::routing::get(async || "a page");
    let router = protect(axum::Router::new().route("/", page), auth.clone());
    let serving = tokio::spawn(server::serve(listener, router, None, cancel.clone()));
    let token = fs::read_to_string(state.path().join("admin-token")).unwrap();
    let link = auth.login_url().unwrap();
    let secrets = by_every_way(address, &link, token.trim().to_owned()).await;
    cancel.cancel();
    serving.await.unwrap();

    let text = fs::read_to_string(log.path()).unwrap();
    // The log was listening: what people need to know is in it.
    for told in [
        "a wrong password was tried",
        "logged in with the password",
        "a token was made",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let shown = format!("{auth:?}");
    assert!(!format!("{text}{shown}").contains("$argon2id$"), "{text}");
    for secret in &secrets {
        assert!(!text.contains(secret), "{secret} is in the log: {text}");
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    for file in fs::read_dir(state.path()).unwrap().map(Result::unwrap) {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file:?}");
        let bytes = fs::read(file.path()).unwrap();
        let has = |secret: &String| {
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        };
        let found: Vec<_> = secrets.iter().filter(|secret| has(secret)).collect();
        let expected = if file.file_name() == "admin-token" {
            &secrets[..1]
        } else {
            &[]
        };
        assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{file:?}");
    }
}

#[tokio::test]
async fn a_password_can_be_set_before_there_is_a_hub() {
    let state = tempfile::tempdir().unwrap();
    let config = Config::in_state(state.path());
    let opened = Sqlite::open(&config.database, Retention::default())
        .await
        .unwrap();
    let store: Arc<dyn Store> = Arc::new(opened.store);
    // Nothing is served here: only what would be is decided.
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 8480));
    let load = || {
        AccessControl::load(
            store.clone(),
            &config,
            everywhere,
            Vec::new(),
            EventBus::new(),
            Lease::default(),
        )
    };
    assert_eq!(load().await.unwrap_err().kind(), ErrorKind::Usage);
    let short = set_password(&*store, Credential::new("short"), api::Scope::Admin, None).await;
    assert_eq!(short.unwrap_err().field(), Some("password"));
    assert_eq!(load().await.unwrap_err().kind(), ErrorKind::Usage);
    set_password(
        &*store,
        Credential::new("correct horse"),
        api::Scope::Admin,
        None,
    )
    .await
    .unwrap();
    assert_eq!(load().await.unwrap().url(), "http://127.0.0.1:8480");
}

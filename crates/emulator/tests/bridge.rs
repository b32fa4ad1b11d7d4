//! Bridges in one room, on real sockets of loopback addresses, asked by hand-written bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by a panic"
)]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use emulator::bridge::server::{self, BridgeReady, RoomHandle};
use emulator::bridge::{BridgeConfig, TwinModel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const KEY: &str = "KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0";

/// Bridges that are served until the test ends.
struct BridgeLab {
    room: RoomHandle,
    ready: Vec<BridgeReady>,
    _serving: tokio::task::JoinHandle<()>,
}

fn config(model: TwinModel, host: u8, faults: &[&str]) -> BridgeConfig {
    let mut config = BridgeConfig::new(model, Ipv4Addr::new(127, 93, 1, host));
    (config.http_port, config.https_port, config.touchlink_port) = (0, 0, 0);
    config.keys = vec![KEY.to_owned()];
    config.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    config
}

fn lab(configs: Vec<BridgeConfig>, bulbs: &[&str]) -> BridgeLab {
    let bulbs: Vec<_> = bulbs.iter().map(|bulb| bulb.parse().unwrap()).collect();
    let room = RoomHandle::new(configs, &bulbs).unwrap();
    let server = server::open(room.clone(), None).unwrap();
    BridgeLab {
        room,
        ready: server.ready(),
        _serving: tokio::spawn(server.run(std::future::pending())),
    }
}

/// Sends bytes, and returns all that comes until the bridge closes.
async fn exchange(address: SocketAddrV4, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut reply));
    read.await.expect("the bridge closes").unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

async fn ask(lab: &BridgeLab, method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    exchange(lab.ready[0].http.unwrap(), &request).await
}

/// Waits until something holds.
async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it comes to that");
}

#[tokio::test]
async fn touchlink_by_the_bytes_of_the_protocol_page() {
    let lab = lab(vec![config(TwinModel::Square, 1, &[])], &["near:foreign"]);
    let request = format!(
        "PUT /api/{KEY}/config HTTP/1.1\r\nHost: 192.0.2.10\r\nContent-Type: application/json\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{{\"touchlink\":true}}"
    );
    assert_eq!(request.len(), 176);
    let reply = exchange(lab.ready[0].http.unwrap(), &request).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(
        reply.ends_with("\r\n\r\n[{\"success\":{\"/config/touchlink\":true}}]"),
        "{reply:?}"
    );
    assert_eq!(
        lab.room.bulbs()[0].owner.as_deref(),
        Some("foreign"),
        "not before its time is over"
    );
    eventually(|| lab.room.bulbs()[0].owner.as_deref() == Some("001788fffe5d0101")).await;
}

#[tokio::test]
async fn the_button_and_a_key() {
    let lab = lab(vec![config(TwinModel::Square, 2, &[])], &[]);
    let body = r#"{"devicetype":"a#b","generateclientkey":true}"#;
    assert!(
        ask(&lab, "POST", "/api", body)
            .await
            .contains("\"type\":101")
    );
    lab.room.press_all();
    let reply = ask(&lab, "POST", "/api", body).await;
    assert!(
        reply.contains("username") && reply.contains("clientkey"),
        "{reply}"
    );
}

#[tokio::test]
async fn port_30000() {
    let lab = lab(
        vec![config(TwinModel::Round, 3, &["touchlink-eof"])],
        &["near"],
    );
    let address = lab.ready[0].touchlink.unwrap();
    assert_eq!(
        exchange(address, "[Link,Touchlink]\n").await,
        "[Link,Touchlink]\n"
    );
    lab.room
        .replace_faults(0, vec!["touchlink-time=100ms".parse().unwrap()]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"[Link,Touchlink]\r\n").await.unwrap();
    let mut reply = [0; 24 + 17];
    timeout(Duration::from_secs(5), stream.read_exact(&mut reply))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&reply),
        "[Link,Touchlink]\n[Link,Touchlink,failed]\n",
        "the only bulb was captured a moment ago"
    );
}

#[tokio::test]
async fn spoilt_replies_arrive_spoilt() {
    let lab = lab(vec![config(TwinModel::Round, 4, &[])], &[]);
    let whole = ask(&lab, "GET", "/api/config", "").await;
    for (fault, part) in [
        ("half", "content-length: 1"),
        ("chunked", "transfer-encoding: chunked"),
        ("charset", "charset=utf-8"),
        ("garbage", "SSH"),
    ] {
        lab.room.replace_faults(0, vec![fault.parse().unwrap()]);
        let reply = ask(&lab, "GET", "/api/config", "").await;
        assert!(reply.contains(part) && reply != whole, "{fault}: {reply}");
    }
    lab.room
        .replace_faults(0, vec!["silent=*1".parse().unwrap()]);
    assert_eq!(ask(&lab, "GET", "/api/config", "").await, "");
    assert!(
        ask(&lab, "GET", "/api/config", "")
            .await
            .contains("bridgeid")
    );
    lab.room.replace_faults(0, vec!["giant".parse().unwrap()]);
    assert!(ask(&lab, "GET", "/api/config", "").await.len() > 16 << 20);
}

#[tokio::test]
async fn more_than_three_requests_at_a_time_are_denied_but_by_the_round_one() {
    for (model, host, denied) in [(TwinModel::Square, 5, 2), (TwinModel::Round, 6, 0)] {
        let lab = lab(vec![config(model, host, &["slow=3s"])], &[]);
        let asks = (0..5).map(|_| ask(&lab, "GET", "/api/config", ""));
        let replies = futures_util::future::join_all(asks).await;
        let is_denied = |reply: &&String| reply.starts_with("HTTP/1.1 503 ");
        assert_eq!(replies.iter().filter(is_denied).count(), denied, "{model}");
        assert!(
            ask(&lab, "GET", "/api/config", "")
                .await
                .starts_with("HTTP/1.1 200 "),
            "{model}: later"
        );
    }
}

#[tokio::test]
async fn a_reply_that_hangs_leaves_the_connection_open() {
    let lab = lab(vec![config(TwinModel::Square, 7, &["hang"])], &["near"]);
    let mut stream = TcpStream::connect(lab.ready[0].http.unwrap())
        .await
        .unwrap();
    let request =
        format!("POST /api/{KEY}/lights HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0];
    let silence = timeout(Duration::from_millis(500), stream.read(&mut byte)).await;
    assert!(silence.is_err(), "{silence:?}");
    // The search runs.
    eventually(|| lab.room.bulbs()[0].owner.is_some()).await;
}

#[tokio::test]
async fn two_bridges_cannot_share_an_address() {
    let twice = vec![
        config(TwinModel::Square, 8, &[]),
        config(TwinModel::Round, 8, &[]),
    ];
    let room = RoomHandle::new(twice, &[]).unwrap();
    let error = server::open(room, None).unwrap_err().to_string();
    assert!(error.contains("127.93.1.8"), "{error}");
}

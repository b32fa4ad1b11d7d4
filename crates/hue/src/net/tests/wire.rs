//! HTTP as bridges and their imitations speak it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{ScriptedHttpReply, ScriptedServer};
use super::*;
use crate::error::HueNoReplyReason;
use crate::request::{HueRequest, Method};
use crate::transport::{BridgeReply, HueTransport};

/// A round bridge whose answers to everything but the identification are given.
fn bridge(answer: impl Fn(&str) -> ScriptedHttpReply + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::http(move |request| match request {
        "GET /api/config HTTP/1.1" => ScriptedHttpReply::json(ROUND),
        other => answer(other),
    })
}

async fn ask(server: &ScriptedServer, request: &HueRequest) -> Result<BridgeReply, HueError> {
    let connection = connect(&network(), &server.address("http://")).await?;
    connection.send(request, Some(&key())).await
}

fn lights() -> HueRequest {
    HueRequest::keyed(Method::Get, "/lights")
}

#[tokio::test]
async fn a_request_is_the_bytes_of_the_protocol_page() {
    let call =
        HueRequest::keyed(Method::Put, "/config").with(&serde_json::json!({"touchlink": true}));
    let request = http::build(&call, Some(&key()), "192.0.2.10").unwrap();
    let (near, mut far) = tokio::io::duplex(4096);
    let bridge = async {
        let mut request = vec![0; 176];
        far.read_exact(&mut request).await.unwrap();
        let success = br#"[{"success":{"/config/touchlink":true}}]"#;
        far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
            .await
            .unwrap();
        far.write_all(success).await.unwrap();
        request
    };
    let (reply, request) = tokio::join!(http::exchange(near, request), bridge);
    // V1.
    assert_eq!(
        String::from_utf8(request).unwrap(),
        "PUT /api/KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0/config HTTP/1.1\r\nHost: 192.0.2.10\r\nContent-Type: application/json\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{\"touchlink\":true}"
    );
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(reply.unwrap().reply.body.len(), 40);
}

#[tokio::test]
async fn the_second_interface_has_the_key_in_a_header() {
    let server = bridge(|_| ScriptedHttpReply::json("{}"));
    let call = HueRequest {
        method: Method::Get,
        target: crate::request::RequestTarget::V2("/clip/v2/resource".to_owned()),
        body: None,
    };
    ask(&server, &call).await.unwrap();
    let requests = server.requests();
    let last = requests.last().unwrap();
    assert!(
        last.starts_with("GET /clip/v2/resource HTTP/1.1\r\nHost: 127.91.0.2:"),
        "{last}"
    );
    assert!(last.to_ascii_lowercase().contains(&format!(
        "\r\nhue-application-key: {}\r\n",
        key().expose().to_ascii_lowercase()
    )));
    let post = HueRequest::keyed(Method::Post, "/lights");
    ask(&server, &post).await.unwrap();
    assert!(
        server
            .requests()
            .last()
            .unwrap()
            .contains("\r\nContent-Length: 0\r\n")
    );
}

#[tokio::test]
async fn an_answer_in_every_shape() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\":17}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 8\r\n\r\n{\"a\":17}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n5\r\n\":17}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"a\":17}",
        "HTTP/1.0 200 OK\r\n\r\n{\"a\":17}",
        "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 8\n\n{\"a\":17}",
        "HTTP/1.1 200\r\ncontent-length: 8\r\n\r\n{\"a\":17}",
        "HTTP/1.1 200 OK\nConnection: close\n\n{\"a\":17}",
    ] {
        let server = bridge(move |_| ScriptedHttpReply::bytes(head));
        let answer = ask(&server, &lights())
            .await
            .unwrap_or_else(|error| panic!("{head:?}: {error}"));
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"{\"a\":17}"[..]),
            "{head:?}"
        );
    }
}

#[tokio::test]
async fn half_and_giant_and_foreign_answers_are_shown_and_end() {
    let giant = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n{}",
        "x".repeat(2 << 20)
    );
    let long_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: x\r\n".repeat(1000));
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        format!("10000\r\n{}\r\n", "x".repeat(1 << 16)).repeat(20)
    );
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Le", 200),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"succ",
            200,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            200,
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", 0),
        ("\0\u{1}\u{2}\u{3}", 0),
        (giant.as_str(), 200),
        (long_head.as_str(), 200),
        (many.as_str(), 200),
        (chunks.as_str(), 200),
    ] {
        let bytes = answer.as_bytes().to_vec();
        let shown = &answer[..answer.len().min(40)];
        let server = bridge(move |_| ScriptedHttpReply::Bytes(bytes.clone()));
        let error = ask(&server, &lights()).await.unwrap_err();
        let HueError::BadReply { reply, .. } = &error else {
            panic!("{shown:?}: {error:?}");
        };
        assert_eq!(reply.status, status, "{shown:?}");
        assert!(error.to_string().len() < 400, "{error}");
    }
}

#[tokio::test]
async fn silence_is_told_apart() {
    let hang =
        |bytes: &'static str| bridge(move |_| ScriptedHttpReply::Hang(bytes.as_bytes().to_vec()));
    for (server, expected) in [
        (
            bridge(|_| ScriptedHttpReply::bytes("")),
            HueNoReplyReason::Closed,
        ),
        (hang(""), HueNoReplyReason::TimedOut),
        (
            hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
            HueNoReplyReason::TimedOut,
        ),
    ] {
        let begun = Instant::now();
        let error = ask(&server, &lights()).await.unwrap_err();
        assert!(
            matches!(error, HueError::NoReply { reason, .. } if reason == expected),
            "{error:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert_eq!(server.requests().len(), 2, "nothing is repeated");
    }
    let nobody = std::net::TcpListener::bind("127.91.0.4:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for scheme in ["http://", "https://", ""] {
        let address = format!("{scheme}{nobody}").parse().unwrap();
        let error = connect(&network(), &address).await.unwrap_err();
        let refused = matches!(
            error,
            HueError::NoReply {
                reason: HueNoReplyReason::Refused,
                ..
            }
        );
        assert!(refused, "{error:?}");
    }
    let nowhere = "no-such-host.invalid".parse().unwrap();
    let error = connect(&network(), &nowhere).await.unwrap_err();
    assert!(matches!(error, HueError::NoReply { .. }), "{error:?}");
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_again() {
    for method in [Method::Post, Method::Put, Method::Delete] {
        let server = bridge(|_| ScriptedHttpReply::bytes(""));
        let call = HueRequest::keyed(method, "/lights");
        ask(&server, &call).await.unwrap_err();
        assert_eq!(server.requests().len(), 2);
    }
}

/// Says that it is busy so often, then answers.
fn busy(times: usize, status: u16) -> ScriptedServer {
    let count = AtomicUsize::new(0);
    bridge(
        move |_| match count.fetch_add(1, Ordering::SeqCst) < times {
            true => ScriptedHttpReply::status(status, ""),
            false => ScriptedHttpReply::json("{}"),
        },
    )
}

#[tokio::test]
async fn an_overloaded_bridge_is_asked_again_with_growing_pauses() {
    for status in [429, 503] {
        let server = busy(2, status);
        let begun = Instant::now();
        assert_eq!(ask(&server, &lights()).await.unwrap().status, 200);
        assert!(begun.elapsed() >= Duration::from_millis(250 + 500));
        assert_eq!(server.requests().len(), 1 + 3);
    }
    let server = busy(usize::MAX, 429);
    let begun = Instant::now();
    let error = ask(&server, &lights()).await.unwrap_err();
    assert!(
        matches!(error, HueError::Busy { status: 429, .. }),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn one_call_at_a_time() {
    let (running, most) = (
        std::sync::Arc::new(AtomicUsize::new(0)),
        std::sync::Arc::new(AtomicUsize::new(0)),
    );
    let (inside, seen) = (running.clone(), most.clone());
    let server = bridge(move |_| {
        seen.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        inside.fetch_sub(1, Ordering::SeqCst);
        ScriptedHttpReply::json("{}")
    });
    // Two parts of a program have each their own.
    let (network, address) = (network(), server.address("http://"));
    let (one, other) = tokio::join!(connect(&network, &address), connect(&network, &address));
    let both = [one.unwrap(), other.unwrap()];
    let (call, key) = (lights(), key());
    let calls = both.iter().cycle().take(6);
    let calls = calls.map(|connection| connection.send(&call, Some(&key)));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_page_that_repeats_the_path_does_not_give_the_key_away() {
    let page = format!("<html>Cannot GET /api/{}/lights</html>", key().expose());
    let half = format!("HTTP/1.1 404 X\r\nContent-Length: 999\r\n\r\n{page}");
    let foreign = format!("what is /api/{}/lights ?", key().expose());
    for answer in [half, foreign] {
        let server = bridge(move |_| ScriptedHttpReply::bytes(&answer));
        let error = ask(&server, &lights()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("/api/<key>/lights") && !shown.contains("KEY0"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn what_is_no_bridge_is_said() {
    for answer in [
        ScriptedHttpReply::json("[]"),
        ScriptedHttpReply::json("{}"),
        ScriptedHttpReply::json("{\"name\":\"x\"}"),
        ScriptedHttpReply::status(404, "<html>not found</html>"),
        ScriptedHttpReply::status(200, "<html>router</html>"),
    ] {
        let ScriptedHttpReply::Bytes(bytes) = answer else {
            unreachable!()
        };
        let server = ScriptedServer::http(move |_| ScriptedHttpReply::Bytes(bytes.clone()));
        for scheme in ["http://", ""] {
            let error = connect(&network(), &server.address(scheme))
                .await
                .unwrap_err();
            assert!(matches!(error, HueError::NotABridge { .. }), "{error:?}");
        }
    }
    // Takes `config` for a key, and answers to a key that it does not know.
    let server = ScriptedServer::http(|request| match request.contains("/api/nouser/config") {
        true => ScriptedHttpReply::json(ROUND),
        false => ScriptedHttpReply::json("[]"),
    });
    connect(&network(), &server.address("http://"))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_oldest_firmware_tells_its_id_in_its_description() {
    let oldest = |request: &str| match request.contains("description.xml") {
        true => ScriptedHttpReply::bytes(
            "HTTP/1.1 200 OK\r\n\r\n<root><device><serialNumber>0017880a0b0c</serialNumber></device></root>",
        ),
        false => ScriptedHttpReply::json(r#"{"name":"Philips hue","swversion":"01003542"}"#),
    };
    let server = ScriptedServer::http(oldest);
    let connection = connect(&network(), &server.address("http://"))
        .await
        .unwrap();
    assert_eq!(connection.label(), ROUND_ID);
    let server =
        ScriptedServer::http(|_| ScriptedHttpReply::json(r#"{"name":"x","swversion":"01003542"}"#));
    let connection = connect(&network(), &server.address("http://"))
        .await
        .unwrap();
    assert_eq!(connection.label(), server.address("http://").to_string());
    let paired = "2026-11-23T10:00:00Z".parse().unwrap();
    assert!(matches!(
        connection.to_paired(key(), paired),
        Err(HueError::Usage(_))
    ));
}

#[tokio::test]
async fn a_touchlink_is_tried_once() {
    use crate::tcp30000::TouchlinkOutcome;
    use std::io::{Read, Write};
    for (answer, expected) in [
        (
            "[Link,Touchlink]\n[Link,Touchlink,success,NwkAddr=2,pan=3]\n",
            Some(TouchlinkOutcome::Captured("NwkAddr=2,pan=3".to_owned())),
        ),
        (
            "[Link,Touchlink]\r\n[Link,Touchlink,failed]\r\n",
            Some(TouchlinkOutcome::Failed("failed".to_owned())),
        ),
        ("[Link,Touchlink]\n", Some(TouchlinkOutcome::Unknown)),
        ("", Some(TouchlinkOutcome::Unknown)),
    ] {
        let listener = std::net::TcpListener::bind("127.91.0.2:0").unwrap();
        let touchlink_port = listener.local_addr().unwrap().port();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            drop(stream);
            listener.set_nonblocking(true).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            (request[..length].to_vec(), listener.accept().is_err())
        });
        let server = bridge(|_| ScriptedHttpReply::json("{}"));
        let network = NetworkConfig {
            touchlink_port,
            ..network()
        };
        let connection = connect(&network, &server.address("http://")).await.unwrap();
        assert_eq!(connection.touchlink().await.ok(), expected);
        assert_eq!(
            asked.join().unwrap(),
            (b"[Link,Touchlink]\n".to_vec(), true)
        );
    }
    let server = bridge(|_| ScriptedHttpReply::json("{}"));
    let nobody = std::net::TcpListener::bind("127.91.0.2:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let network = NetworkConfig {
        touchlink_port: nobody.port(),
        ..network()
    };
    let connection = connect(&network, &server.address("http://")).await.unwrap();
    let error = connection.touchlink().await.unwrap_err();
    assert!(
        matches!(
            error,
            HueError::NoReply {
                reason: HueNoReplyReason::Refused,
                ..
            }
        ),
        "{error:?}"
    );
}

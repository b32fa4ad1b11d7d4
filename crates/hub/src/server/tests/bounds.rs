//! Limits on what one client can hold, and for how long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{LIMITS, TEST_TIMEOUT, TestServer, all, until};
use crate::server::Limits;

/// Sends a byte now and then until the connection ends; returns how long that took.
async fn trickle(stream: &mut TcpStream, byte: u8) -> Duration {
    let start = Instant::now();
    let mut buffer = [0; 64];
    while start.elapsed() < TEST_TIMEOUT {
        let _ = stream.write_all(&[byte]).await;
        if let Ok(Ok(0) | Err(_)) =
            timeout(Duration::from_millis(50), stream.read(&mut buffer)).await
        {
            return start.elapsed();
        }
    }
    panic!("it is still listening");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends() {
    let served = TestServer::new("127.75.2.1").await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        .await
        .unwrap();
    let took = trickle(&mut slow, b'x').await;
    assert!(took >= LIMITS.head_timeout / 2, "{took:?}");
    assert!(served.ask("/").await.ends_with("hello"));
}

/// A client that sends more than its handler reads still gets the response.
#[tokio::test]
async fn a_body_that_is_not_read_does_not_lose_the_response() {
    let served = TestServer::new("127.75.2.9").await;
    let body = vec![b'x'; 24 * 1024 * 1024];
    for path in ["/length", "/nowhere"] {
        let mut stream = served.connect().await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let expected = if path == "/length" { "413" } else { "404" };
        let start = format!("HTTP/1.1 {expected} ");
        assert!(answer.starts_with(&start), "{path}: {answer}");
    }
}

#[tokio::test]
async fn many_slow_ones_keep_nobody_else_waiting() {
    let served = TestServer::new("127.75.2.2").await;
    let mut slow = Vec::new();
    for _ in 0..LIMITS.max_connections_per_address {
        let mut stream = served.connect_from("127.75.2.3").await;
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    let start = Instant::now();
    assert!(served.ask("/").await.ends_with("hello"));
    assert!(
        start.elapsed() < LIMITS.head_timeout,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn who_says_nothing_more_is_let_go() {
    let served = TestServer::new("127.75.2.4").await;
    let mut silent = served.connect().await;
    assert_eq!(all(&mut silent).await, "");
    let mut kept = served.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    until(&mut kept, "hello").await;
    assert_eq!(all(&mut kept).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_ends() {
    let served = TestServer::new("127.75.2.5").await;
    for head in [
        "Content-Length: 100\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n64\r\nx",
    ] {
        let mut stream = served.connect().await;
        let request = format!("POST /length HTTP/1.1\r\nHost: localhost\r\n{head}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = all(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 4") || answer.is_empty(),
            "{answer}"
        );
    }
    assert!(served.ask("/").await.ends_with("hello"));
}

#[tokio::test]
async fn huge_heads_are_refused() {
    let served = TestServer::new("127.75.2.6").await;
    let long = "x".repeat(1 << 20);
    for (head, statuses) in [
        (
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
            ["431", "431"],
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ["414", "431"],
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65)),
            ["431", "431"],
        ),
    ] {
        let mut stream = served.connect().await;
        // The refusal may come before all is sent.
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = all(&mut stream).await;
        let is_refused = statuses
            .iter()
            .any(|status| answer.starts_with(&format!("HTTP/1.1 {status}")));
        // What was not read when it ended can swallow the answer on its way; what it was not is a success.
        assert!(
            is_refused || answer.is_empty(),
            "{}",
            &answer[..answer.len().min(100)]
        );
    }
    assert!(served.ask("/").await.ends_with("hello"));
}

#[tokio::test]
async fn one_address_does_not_get_all_connections() {
    let limits = Limits {
        head_timeout: TEST_TIMEOUT,
        max_connections_per_address: 3,
        ..LIMITS
    };
    let served = TestServer::with("127.75.2.7", limits, None).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = served.connect_from("127.75.2.8").await;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        until(&mut stream, "hello").await;
        held.push(stream);
    }
    let start = Instant::now();
    let mut one_more = served.connect_from("127.75.2.8").await;
    assert_eq!(all(&mut one_more).await, "");
    assert!(start.elapsed() < TEST_TIMEOUT / 2);
    assert!(served.ask("/").await.ends_with("hello"));
    drop(held);
    // Given back as soon as the server has noticed.
    let again = async {
        loop {
            let stream = served.connect_from("127.75.2.8").await;
            let mut stream = stream;
            let _ = stream
                .write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                .await;
            if all(&mut stream).await.ends_with("hello") {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(TEST_TIMEOUT, again).await.unwrap();
}

#[tokio::test]
async fn who_takes_nothing_of_what_he_asked_for_is_let_go() {
    let served = TestServer::new("127.75.2.9").await;
    let mut stuck = Vec::new();
    for _ in 0..5 {
        let mut stream = served.connect().await;
        stream
            .write_all(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        stuck.push(stream);
    }
    let begun = async {
        while served.endless.load(Ordering::SeqCst) < 5 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TEST_TIMEOUT, begun).await.unwrap();
    let start = Instant::now();
    assert!(served.ask("/").await.ends_with("hello"));
    assert!(
        start.elapsed() < LIMITS.write_timeout,
        "{:?}",
        start.elapsed()
    );
    let ended = async {
        while served.endless.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TEST_TIMEOUT, ended).await.unwrap();
    drop(stuck);
}

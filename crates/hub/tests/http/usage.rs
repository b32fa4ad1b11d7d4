//! Invalid requests, and requests about the hub itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::contract::DESCRIPTION;
use crate::twins::{Plugs, in_network};
use crate::world::{House, and, bare, hex, plug, with};

#[test]
fn every_wrong_path_and_method_is_a_problem() {
    in_network(async {
        let house = House::open().await;
        for path in [
            "/",
            "/api",
            "/api/v1",
            "/api/v1/",
            "/api/v1/plugs/",
            "/api/v2/plugs",
            "/API/V1/plugs",
            "//api/v1/plugs",
            "/api/v1/../v1/plugs",
            "/api/v1/plugs/..",
            "/api/v1/plugs/%2e%2e",
            "/api/v1/plugs/..%2f..%2fetc%2fpasswd",
            "/api/v1/plugs/%00",
            "/api/v1/plugs/accf2312345",
            "/api/v1/plugs/accf23123456789",
            "/api/v1/plugs/accf2312345g",
            "/api/v1/plugs/kitchen",
            "/api/v1/groups/g-0000000",
            "/api/v1/groups/accf23123456",
            "/api/v1/groups/G-00000000",
            "/api/v1/groups/s-00000000",
            "/healthz/",
            "/metrics/../healthz",
        ] {
            house.get(path).await.problem(404, "not_found", None);
        }
        house
            .get("/api/v1/plugs/%ff")
            .await
            .problem(400, "usage", None);
        let long = format!("/api/v1/plugs/{}", "a".repeat(10_000));
        assert!(
            house.get(&long).await.problem(404, "not_found", None)["detail"]
                .as_str()
                .unwrap()
                .len()
                < 300
        );
        for (method, path, allowed) in [
            (Method::PUT, "/api/v1/plugs", "GET,HEAD,POST"),
            (Method::POST, "/healthz", "GET,HEAD"),
            (
                Method::POST,
                "/api/v1/groups/g-00000000",
                "GET,HEAD,PUT,PATCH,DELETE",
            ),
            (Method::GET, "/api/v1/discover", "POST"),
            (Method::TRACE, "/api/v1/plugs", "GET,HEAD,POST"),
        ] {
            let answer = house.ask(bare(method, path)).await;
            answer.problem(405, "usage", None);
            assert_eq!(answer.header("allow"), allowed, "{path}");
        }
        house.close().await;
    });
}

/// A line without an end is refused at once, before it fills the memory.
#[test]
fn an_endless_line_is_not_read_to_its_end() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        let pieces = Arc::new(AtomicUsize::new(0));
        let sent = Arc::clone(&pieces);
        let endless = stream::repeat_with(move || {
            sent.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024]))
        });
        let path = format!("/api/v1/plugs/{}/import", hex(1));
        let mut request = and(bare(Method::POST, &path), "content-type", "text/csv");
        *request.body_mut() = Body::from_stream(endless.take(1 << 16));
        let refused = house.ask(request).await.problem(400, "usage", None);
        assert!(
            refused["detail"].as_str().unwrap().contains("line 1"),
            "{refused}"
        );
        assert!(pieces.load(Ordering::Relaxed) < 10);
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn a_body_is_bounded_and_strict() {
    in_network(async {
        let house = House::open().await;
        let send = async |path: &str, media: Option<&str>, body: Vec<u8>| {
            let mut request = Request::builder().method(Method::POST).uri(path);
            if let Some(media) = media {
                request = request.header(CONTENT_TYPE, media);
            }
            house.ask(request.body(Body::from(body)).unwrap()).await
        };
        let json = Some("application/json");
        for path in [
            "/api/v1/plugs",
            "/api/v1/discover",
            "/api/v1/groups",
            "/api/v1/schedules",
            "/api/v1/rules",
            "/api/v1/tariffs",
        ] {
            for body in [
                "{",
                "nul",
                "[]",
                "7",
                "\"x\"",
                "{}x",
                "{\"a\":1}",
                "\u{feff}{}",
                "{'a':1}",
            ] {
                let answer = send(path, json, body.as_bytes().to_vec()).await;
                assert_eq!(answer.expect(400)["kind"], "usage", "{path} {body}");
            }
            send(path, json, b"{\"name\":\"\xff\"}".to_vec())
                .await
                .expect(400);
            let deep = "[".repeat(100_000).into_bytes();
            send(path, json, deep).await.problem(400, "usage", None);
            let kilobytes = if path.ends_with("tariffs") {
                16_385
            } else {
                257
            };
            let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(kilobytes << 10)).into_bytes();
            send(path, json, huge).await.problem(413, "usage", None);
            for media in [
                None,
                Some("text/plain"),
                Some("application/x-www-form-urlencoded"),
            ] {
                let answer = send(path, media, b"{\"name\":\"x\"}".to_vec()).await;
                answer.problem(415, "usage", Some("Content-Type"));
            }
        }
        house
            .post("/api/v1/discover", json!({"wait": "31s"}))
            .await
            .problem(400, "usage", Some("wait"));
        let many = house
            .get(&format!("/api/v1/plugs?{}", "a=1&".repeat(300)))
            .await;
        many.problem(400, "usage", None);
        house
            .get("/api/v1/plugs?room=x")
            .await
            .problem(400, "usage", Some("room"));
        house.close().await;
    });
}

#[test]
fn names_in_every_script() {
    in_network(async {
        let house = House::open().await;
        for name in [
            "Küche",
            "台所",
            "مطبخ",
            "кухня",
            "🍳",
            "a b",
            "'; DROP TABLE documents; --",
            "<b>",
            "x".repeat(64).as_str(),
        ] {
            let made = house
                .post("/api/v1/groups", json!({"name": name, "plugs": []}))
                .await;
            assert_eq!(made.expect(201)["name"], name);
            let again = house
                .post(
                    "/api/v1/groups",
                    json!({"name": name.to_uppercase(), "plugs": []}),
                )
                .await;
            if name.to_uppercase().to_lowercase() == name.to_lowercase() {
                again.problem(409, "conflict", Some("name"));
            }
        }
        for name in [
            "",
            " ",
            " x",
            "x ",
            "a\nb",
            "a\u{0}b",
            "a\u{7f}",
            "x".repeat(65).as_str(),
        ] {
            let made = house
                .post("/api/v1/groups", json!({"name": name, "plugs": []}))
                .await;
            made.problem(400, "usage", Some("name"));
        }
        house.close().await;
    });
}

#[test]
fn the_hub_tells_how_it_is() {
    in_network(async {
        let plugs = Plugs::start(vec![plug(1, &[])]).await;
        let house = House::open().await;
        house.adopt(1).await;
        // A total begins with two readings that agree.
        for _ in 0..2 {
            house
                .post(&format!("/api/v1/plugs/{}/meter", hex(1)), Value::Null)
                .await
                .expect(200);
        }
        let info = house.get("/api/v1/hub").await.expect(200);
        assert_eq!(info["timezone"], "Europe/Berlin");
        assert_eq!(info["plugs"]["adopted"], 1);
        assert_eq!(info["plugs"]["available"], 1);
        assert!(info["database"]["bytes"].as_u64().unwrap() > 0);
        // No paths of this machine.
        assert!(
            !info
                .to_string()
                .contains(house.state.path().to_str().unwrap())
        );

        let health = house.get("/healthz").await;
        health.expect(200);
        assert_eq!(health.body, b"ok\n");
        let served = house.get("/api/v1/openapi.json").await.expect(200);
        assert_eq!(&served, &*DESCRIPTION);
        let metrics = house.get("/metrics").await;
        metrics.expect(200);
        assert_eq!(
            metrics.header("content-type"),
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let text = String::from_utf8(metrics.body).unwrap();
        for line in [
            format!("mains_plug_available{{mac=\"{}\",name=\"\"}} 1.0", hex(1)),
            format!(
                "mains_plug_energy_joules_total{{mac=\"{}\",name=\"\"}} 0.0",
                hex(1)
            ),
            "mains_hub_plugs 1.0".to_owned(),
            "# TYPE mains_plug_power_watts gauge".to_owned(),
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        house.close().await;
        plugs.stop().await;
    });
}

#[test]
fn who_asks_for_the_head_gets_no_body() {
    in_network(async {
        let house = House::open().await;
        let answer = house.send(bare(Method::HEAD, "/api/v1/plugs")).await;
        assert_eq!(answer.status(), 200);
        let request = with(Method::HEAD, "/api/v1/plugs/kitchen", Value::Null);
        assert_eq!(house.send(request).await.status(), 404);
        house.close().await;
    });
}

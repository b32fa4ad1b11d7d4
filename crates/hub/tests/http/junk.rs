//! Random requests to every operation: no undescribed response, and no internal error, may occur.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::contract::DESCRIPTION;
use crate::twins::in_network;
use crate::world::{House, mac};

const ROUNDS: usize = 40;

/// Returns a random value, often a nearly valid one.
fn value(random: &mut fastrand::Rng, depth: usize) -> Value {
    let words = [
        "",
        "on",
        "off",
        "toggle",
        "5s",
        "1d",
        "-15m",
        "07:00",
        "mon",
        "sunset",
        "flat",
        "hourly",
        "standby_kill",
        "follow",
        "keep_on",
        "accf23123456",
        "AC:CF:23:12:34:56",
        "g-00000000",
        "2026-11-22",
        "2026-11-22T12:00:00Z",
        "EUR",
        "127.74.9.9",
        "* * * * *",
        "\u{0}",
        "🍳",
        "null",
        "9999-12-31T23:59:59Z",
        "-1",
    ];
    match random.u8(..if depth > 2 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => random.bool().into(),
        2 => json!(random.i64(..)),
        3 => json!(random.f64() * 1e4 - 1e3),
        4 | 5 => words[random.usize(..words.len())].into(),
        6 => (0..random.usize(..3))
            .map(|_| value(random, depth + 1))
            .collect(),
        _ => object(random, depth),
    }
}

fn object(random: &mut fastrand::Rng, depth: usize) -> Value {
    let names = [
        "name",
        "plugs",
        "enabled",
        "targets",
        "action",
        "when",
        "at",
        "days",
        "sun",
        "offset",
        "once",
        "cron",
        "random",
        "catch_up",
        "plug",
        "kind",
        "below_w",
        "above_w",
        "for",
        "after",
        "leader",
        "state",
        "minutes",
        "address",
        "wait",
        "price",
        "prices",
        "currency",
        "valid_from",
        "t",
        "by",
        "room",
        "metering",
        "power_on",
        "id",
        "next",
        "x",
    ];
    let fields = (0..random.usize(..8)).map(|_| {
        let name = names[random.usize(..names.len())].to_owned();
        (name, value(random, depth + 1))
    });
    Value::Object(fields.collect())
}

/// Returns a path with existing, unknown and malformed ids.
fn path(random: &mut fastrand::Rng, template: &str) -> String {
    let ids = [
        mac(1),
        "g-00000000".into(),
        "%00".into(),
        "..%2f".into(),
        "x".into(),
        "%ff".into(),
        "0".repeat(12),
    ];
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        path += "/";
        match part.starts_with('{') {
            true => path += &ids[random.usize(..ids.len())],
            false => path += part,
        }
    }
    let queries = [
        "",
        "?",
        "?from=2026-11-22",
        "?from=x",
        "?to=1970-01-01",
        "?step=1d",
        "?step=1s",
        "?by=month",
        "?by=%00",
        "?purge=true",
        "?%ff=%ff",
        "?from=2199-01-01&to=2026-01-01",
        "?a=1&a=2",
        "?plug=accf23123456",
        "?replace=yes",
    ];
    path + queries[random.usize(..queries.len())]
}

#[test]
fn nothing_that_is_asked_is_our_fault() {
    in_network(async {
        let house = House::open().await;
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        println!("seed {seed}");
        let own = |tag: &str| tag != "trust";
        for (template, item) in DESCRIPTION["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                // A stream has no end, and a search takes its time; both have tests of their own.
                let is_long = template == "/api/v1/events" || template == "/api/v1/discover";
                if is_long || !own(operation["tags"][0].as_str().unwrap()) {
                    continue;
                }
                for _ in 0..ROUNDS {
                    let method: Method = method.to_uppercase().parse().unwrap();
                    let mut request = Request::builder()
                        .method(method)
                        .uri(path(&mut random, template));
                    if random.u8(..8) > 0 {
                        let media =
                            ["application/json", "text/csv"][usize::from(random.u8(..8) == 0)];
                        request = request.header("content-type", media);
                    }
                    let tags = ["\"1\"", "*", "W/\"1\"", "\"x\"", "1", "\u{e9}"];
                    if random.u8(..4) == 0 {
                        let tag = tags[random.usize(..tags.len())];
                        request = request.header("if-match", tag).header("if-none-match", tag);
                    }
                    let body = match random.u8(..4) {
                        0 => value(&mut random, 0).to_string(),
                        1 => object(&mut random, 0).to_string().split_off(1),
                        _ => object(&mut random, 0).to_string(),
                    };
                    let answer = house.ask(request.body(Body::from(body)).unwrap()).await;
                    // Nobody is at the addresses that are asked, so `no_answer` is right, and nothing else of that sort.
                    let status = answer.status.as_u16();
                    assert!(status < 500 || status == 504, "{answer:?}");
                }
            }
        }
        house.close().await;
    });
}

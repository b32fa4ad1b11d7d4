//! Rooms in made-up time: no socket, no sleep.

mod errors;
mod faults;
mod moving;
mod newer;
mod radio;
mod talk;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::*;

const KEY: &str = "KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0";
/// A search and a touchlink with the usual pace.
const SEARCH: Duration = Duration::from_secs(5);
const TOUCHLINK: Duration = Duration::from_secs(1);

/// A room and its time.
struct RoomBench {
    room: Room,
    now: Instant,
}

fn config(model: TwinModel, api: &str, faults: &[&str]) -> BridgeConfig {
    let mut config = BridgeConfig::new(model, Ipv4Addr::new(127, 1, 2, 3));
    if !api.is_empty() {
        config.api = api.parse().unwrap();
    }
    config.keys = vec![KEY.to_owned()];
    config.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    config
}

impl RoomBench {
    fn of(bridges: Vec<BridgeConfig>, bulbs: &[&str]) -> Self {
        let bulbs: Vec<BulbSpec> = bulbs.iter().map(|bulb| bulb.parse().unwrap()).collect();
        // Far from the start of the machine, so that a bulb can have been on for long.
        let now = Instant::now() + Duration::from_secs(100_000);
        let wall: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let room = Room::new(now, wall, bridges, &bulbs).unwrap();
        Self { room, now }
    }

    /// One square bridge.
    fn square(faults: &[&str], bulbs: &[&str]) -> Self {
        Self::of(vec![config(TwinModel::Square, "", faults)], bulbs)
    }

    /// Two square bridges.
    fn pair(bulbs: &[&str]) -> Self {
        let second = BridgeConfig {
            keys: vec![KEY.to_owned()],
            ..BridgeConfig::new(TwinModel::Square, Ipv4Addr::new(127, 1, 2, 4))
        };
        Self::of(vec![config(TwinModel::Square, "", &[]), second], bulbs)
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn send(&mut self, bridge: usize, request: &RoomRequest<'_>) -> BridgeAnswer {
        self.room.request(self.now, bridge, request)
    }

    /// Sends a request by HTTP, or by HTTPS to the Pro; `K` in the path is the key.
    fn answer(&mut self, bridge: usize, method: &str, path: &str, body: &str) -> BridgeAnswer {
        let path = path.replace("/K", &format!("/{KEY}"));
        let is_secure = self.room.bridges().nth(bridge).unwrap().model == TwinModel::Pro;
        let request = RoomRequest {
            method,
            path: &path,
            key: None,
            body: body.as_bytes(),
            is_secure,
        };
        self.send(bridge, &request)
    }

    fn text(&mut self, method: &str, path: &str, body: &str) -> String {
        let answer = self.answer(0, method, path, body);
        assert_eq!(
            (answer.status, answer.content_type),
            (200, "application/json")
        );
        String::from_utf8(answer.body).unwrap()
    }

    fn ask_at(&mut self, bridge: usize, method: &str, path: &str, body: &str) -> Value {
        serde_json::from_slice(&self.answer(bridge, method, path, body).body).unwrap()
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Value {
        self.ask_at(0, method, path, body)
    }

    /// The numbers of the errors in a reply.
    fn errors(&mut self, method: &str, path: &str, body: &str) -> Vec<u64> {
        let reply = self.ask(method, path, body);
        let items = reply.as_array().cloned().unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item["error"]["type"].as_u64())
            .collect()
    }

    /// The unique ids in a bridge's list.
    fn lights(&mut self, bridge: usize) -> Vec<String> {
        let lights = self.ask_at(bridge, "GET", "/api/K/lights", "");
        let lights = lights.as_object().unwrap().values();
        lights
            .map(|light| light["uniqueid"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Searches to the end; returns how many lights are new by the bridge's own word.
    fn search(&mut self, bridge: usize, body: &str) -> usize {
        self.ask_at(bridge, "POST", "/api/K/lights", body);
        self.wait(SEARCH);
        let new = self.ask_at(bridge, "GET", "/api/K/lights/new", "");
        assert_ne!(new["lastscan"], "active");
        new.as_object().unwrap().len() - 1
    }

    fn touchlink(&mut self, bridge: usize) {
        let reply = self.ask_at(bridge, "PUT", "/api/K/config", r#"{"touchlink":true}"#);
        assert_eq!(reply[0]["success"]["/config/touchlink"], true);
        self.wait(TOUCHLINK);
    }

    fn bulb(&mut self, index: usize) -> BulbView {
        self.room.bulbs(self.now)[index].clone()
    }

    fn owner(&mut self, index: usize) -> Option<String> {
        self.bulb(index).owner
    }
}

/// The ids of the bridges in [`RoomBench::pair`].
const FIRST: &str = "001788fffe010203";
const SECOND: &str = "001788fffe010204";

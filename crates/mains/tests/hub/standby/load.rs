//! Requests of other people meanwhile: edits of a group and switching of a plug, through both hubs by turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::model::Model;
use crate::house::eventually;
use crate::site;

/// Delay after an edit and a switch.
const DELAY: Duration = Duration::from_millis(200);

/// Requests that are sent until it is ended.
pub struct RequestLoad {
    group: String,
    mac: String,
    is_over: Arc<AtomicBool>,
    sending: JoinHandle<Acknowledged>,
}

/// Edits and switches that the hubs have acknowledged.
#[derive(Default)]
struct Acknowledged {
    edits: u64,
    switches: u64,
    /// Number in the last name of the group that was acknowledged, and in the last that was sent.
    name: u64,
    sent: u64,
    /// The position that the last switch confirmed; `None` if it was not acknowledged.
    relay: Option<&'static str>,
}

impl RequestLoad {
    /// Begins to send.
    pub fn start(model: &Model) -> Self {
        let body = json!({"name": "load 0", "plugs": []});
        let reply = model
            .site
            .ask(model.active, "POST", "/api/v1/groups", Some(&body));
        let group = reply.unwrap().1["id"].as_str().unwrap().to_owned();
        let mac = model.macs[3].clone();
        let credentials =
            [0, 1].map(|hub| format!("Authorization: Bearer {}", model.site.token(hub)));
        let is_over = Arc::new(AtomicBool::new(false));
        let paths = [
            format!("/api/v1/groups/{group}"),
            format!("/api/v1/plugs/{mac}/relay"),
        ];
        let is_ended = Arc::clone(&is_over);
        let sending = std::thread::spawn(move || {
            let mut acknowledged = Acknowledged::default();
            while !is_ended.load(Ordering::Relaxed) {
                acknowledged.send(&credentials, &paths);
                std::thread::sleep(DELAY);
            }
            acknowledged
        });
        Self {
            group,
            mac,
            is_over,
            sending,
        }
    }

    /// Ends it, and compares the site with what was acknowledged. Returns how much that was.
    pub fn end(self, model: &Model) -> String {
        self.is_over.store(true, Ordering::Relaxed);
        let told = self.sending.join().unwrap();
        let hub = model.standby();
        let group = model
            .site
            .get(hub, &format!("/api/v1/groups/{}", self.group));
        let name = group["name"].as_str().unwrap();
        let number: u64 = name.strip_prefix("load ").unwrap().parse().unwrap();
        assert!(
            (told.name..=told.sent).contains(&number),
            "{number} after {} was acknowledged",
            told.name
        );
        if let Some(relay) = told.relay {
            eventually("the relay is where it was put", || {
                let plug = model.site.get(hub, &format!("/api/v1/plugs/{}", self.mac));
                plug["available"] == true && plug["relay"] == relay
            });
        }
        format!(
            "{} edits and {} switches acknowledged",
            told.edits, told.switches
        )
    }
}

impl Acknowledged {
    fn send(&mut self, credentials: &[String; 2], [group, relay]: &[String; 2]) {
        self.sent += 1;
        let hub = usize::from(self.sent.is_multiple_of(2));
        let body = json!({"name": format!("load {}", self.sent)});
        let reply = site::request(hub, "PATCH", group, &credentials[hub], Some(&body));
        if reply.is_some_and(|(status, ..)| status == 200) {
            self.edits += 1;
            self.name = self.sent;
        }
        let state = if self.sent % 4 < 2 { "on" } else { "off" };
        let body = json!({"state": state});
        let reply = site::request(hub, "PUT", relay, &credentials[hub], Some(&body));
        let is_confirmed = reply.is_some_and(|(status, _, body)| {
            let reply: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
            status == 200 && reply["confirmed"] == true
        });
        self.relay = is_confirmed.then_some(state);
        self.switches += u64::from(is_confirmed);
    }
}

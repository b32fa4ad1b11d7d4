//! The answers of a hub on standby beside those of the active hub.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::model::Model;
use crate::house::eventually;
use crate::site;

/// Fields of `/api/v1/hub` that are about the process which is asked.
const OF_PROCESS: [&str; 6] = [
    "version",
    "uptime_s",
    "interfaces",
    "recorder",
    "spool",
    "role",
];
/// Beginnings of the names of the metrics that are about the process which is asked.
const PROCESS_METRICS: [&str; 6] = [
    "mains_hub_uptime_seconds",
    "mains_hub_active",
    "mains_hub_lease_",
    "mains_hub_other_hubs",
    "mains_hub_recorder_",
    "mains_hub_spool_",
];
/// Requests that are refused on both: a backup is of a file, and there is no bridge.
const REFUSED: [&str; 5] = [
    "/api/v1/hub/backup",
    "/api/v1/bridges/{id}",
    "/api/v1/bridges/{id}/lights",
    "/api/v1/bridges/{id}/takeovers",
    "/api/v1/bridges/{id}/takeovers/{takeover}",
];
const PAGES: [&str; 9] = [
    "/",
    "/plugs/{mac}",
    "/energy",
    "/schedules",
    "/rules",
    "/groups",
    "/add",
    "/events",
    "/settings",
];
/// Bound on figures that move with time to be the same once.
const WITHIN: Duration = Duration::from_secs(20);

impl Model {
    /// Compares the answers of both hubs to each GET of the description, and to each page.
    pub fn compare_answers(&self) {
        let ids = self.fill();
        let paths = self.site.get(self.active, "/api/v1/openapi.json");
        let paths = paths["paths"].as_object().unwrap().iter();
        let gets = paths.filter(|(_, methods)| methods.get("get").is_some());
        let gets: Vec<&str> = gets.map(|(path, _)| path.as_str()).collect();
        assert!(gets.len() > 30, "{gets:?}");
        let unending = "/api/v1/events";
        for path in gets.into_iter().filter(|path| *path != unending) {
            let status = self.compare(path, &ids);
            let is_refused = REFUSED.contains(&path);
            assert_eq!(status != 200, is_refused, "{path}: {status}");
        }
        for path in PAGES {
            assert_eq!(self.compare(path, &ids), 200, "{path}");
        }
        self.compare_silent_plug();
        self.compare_logins();
        self.compare_events();
        self.compare_status();
    }

    /// Creates one document of each kind. Returns what stands for `{id}` in their paths.
    fn fill(&self) -> Vec<(&'static str, String)> {
        let mac = &self.macs[3];
        let documents = [
            ("groups", json!({"name": "same", "plugs": [mac]})),
            (
                "schedules",
                json!({"name": "same", "targets": [mac], "action": "on", "when": {"at": "07:00"}}),
            ),
            (
                "rules",
                json!({"name": "same", "plug": mac, "kind": "auto_off", "after": "10h"}),
            ),
            (
                "tariffs",
                json!({"name": "same", "kind": "flat", "price": 0.3, "currency": "EUR"}),
            ),
        ];
        let create = |(kind, body): (&'static str, Value)| {
            let path = format!("/api/v1/{kind}");
            let reply = self.site.ask(self.standby(), "POST", &path, Some(&body));
            let (status, document) = reply.unwrap();
            assert_eq!(status, 201, "{document}");
            (kind, document["id"].as_str().unwrap().to_owned())
        };
        documents.into_iter().map(create).collect()
    }

    /// Waits until both hubs answer a request in the same way. Returns the status.
    fn compare(&self, template: &str, ids: &[(&str, String)]) -> u16 {
        let kind = template.split('/').nth(3).unwrap_or_default();
        let id = ids.iter().find(|(of, _)| *of == kind);
        let id = id.map_or("0017880000000001", |(_, id)| id.as_str());
        let path = template
            .replace("{mac}", &self.macs[0])
            .replace("{id}", id)
            .replace("{takeover}", "t-00000001");
        let credentials = format!(
            "Authorization: Bearer {}\r\nAccept: text/html, application/json",
            self.site.token(self.active)
        );
        let ask = |hub| {
            let reply = site::request(hub, "GET", &path, &credentials, None);
            let (status, head, body) = reply.unwrap_or_else(|| panic!("no reply: {path}"));
            let mut lines = head.lines();
            let kind = lines.find(|line| line.to_ascii_lowercase().starts_with("content-type:"));
            let kind = kind.unwrap_or_default().to_owned();
            (status, kind, comparable(template, &body))
        };
        let ends = Instant::now() + WITHIN;
        loop {
            let before = ask(self.active);
            let passed_on = ask(self.standby());
            let after = ask(self.active);
            if [&before, &after].contains(&&passed_on) {
                return passed_on.0;
            }
            let differing = after
                .2
                .lines()
                .zip(passed_on.2.lines())
                .find(|(a, b)| a != b);
            assert!(
                Instant::now() < ends,
                "{path}: {} and {}: {differing:?}",
                after.0,
                passed_on.0
            );
        }
    }

    /// Logs browsers in with the password, each through one hub, and uses their sessions at both; ends one at the other hub.
    fn compare_logins(&self) {
        let body = json!({"password": site::PASSWORD});
        let hubs = [self.active, self.standby()];
        for (hub, other) in [(hubs[0], hubs[1]), (hubs[1], hubs[0])] {
            let login = site::request(hub, "POST", "/api/v1/login", "X-None: 1", Some(&body));
            let (status, head, text) = login.unwrap();
            assert_eq!(status, 204, "{text}");
            let mut lines = head.lines();
            let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
            let cookie = format!("Cookie: {}", cookie.unwrap().split(';').next().unwrap());
            let asks = |method: &str, hub, path: &str| {
                let reply = site::request(hub, method, path, &cookie, None);
                reply.map(|(status, ..)| status)
            };
            assert_eq!(
                hubs.map(|hub| asks("GET", hub, "/api/v1/plugs")),
                [Some(200); 2]
            );
            assert_eq!(asks("POST", other, "/api/v1/logout"), Some(204));
            assert_eq!(
                hubs.map(|hub| asks("GET", hub, "/api/v1/plugs")),
                [Some(401); 2]
            );
        }
    }

    /// Asks a plug that does not reply through both hubs.
    fn compare_silent_plug(&self) {
        let path = format!("/api/v1/plugs/{}/version", self.macs[3]);
        let path = path.as_str();
        self.site.signal_plug(3, Signal::SIGSTOP);
        let answers = std::thread::scope(|scope| {
            let asked = [self.active, self.standby()]
                .map(|hub| scope.spawn(move || self.site.ask(hub, "GET", path, None)));
            asked.map(|asked| asked.join().unwrap().unwrap())
        });
        self.site.signal_plug(3, Signal::SIGCONT);
        let statuses = answers.each_ref().map(|(status, _)| *status);
        assert_eq!(statuses, [504, 504], "{answers:?}");
        let plug = format!("/api/v1/plugs/{}", self.macs[3]);
        let shown = self.site.get(self.standby(), &plug);
        assert_eq!(shown["available"], true, "from the database: {shown}");
    }

    /// Reads the streams of events of both hubs until both have told of a new group.
    fn compare_events(&self) {
        let token = self.site.token(self.active);
        let stream = |hub| {
            let mut stream = TcpStream::connect((site::address(hub), 8480)).unwrap();
            stream.set_read_timeout(Some(WITHIN)).unwrap();
            write!(
                stream,
                "GET /api/v1/events?kinds=group HTTP/1.1\r\nHost: {}:8480\r\nAuthorization: Bearer {token}\r\n\r\n",
                site::address(hub)
            )
            .unwrap();
            let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
            assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
            assert!(lines.any(|line| line.is_empty()));
            lines
        };
        let mut streams = [self.active, self.standby()].map(stream);
        let body = json!({"name": "seen", "plugs": []});
        let reply = self
            .site
            .ask(self.standby(), "POST", "/api/v1/groups", Some(&body));
        assert_eq!(reply.unwrap().0, 201);
        let event = |lines: &mut dyn Iterator<Item = String>| {
            let mut event =
                lines.filter(|line| line.starts_with("id:") || line.starts_with("data:"));
            let mut id = String::new();
            let data = event.find(|line| {
                if line.starts_with("id:") {
                    id.clone_from(line);
                }
                line.contains("\"seen\"")
            });
            (id, data.unwrap())
        };
        let [active, passed_on] = streams.each_mut().map(|lines| event(lines));
        assert_eq!(active, passed_on);
    }

    /// Compares what each hub tells of its own process.
    fn compare_status(&self) {
        let standby = self.standby();
        let told = [self.active, standby].map(|hub| self.site.get(hub, "/api/v1/hub"));
        assert_eq!([&told[0]["role"], &told[1]["role"]], ["active", "standby"]);
        assert_eq!(
            told[1]["plugs"]["available"],
            self.macs.len(),
            "{}",
            told[1]
        );
        let metrics = self.text(standby, "/metrics");
        assert_eq!(metrics.matches("\n# TYPE mains_hub_active ").count(), 1);
        for line in ["mains_hub_active 0.0", "mains_hub_other_hubs 1.0"] {
            assert!(metrics.contains(&format!("\n{line}\n")), "{metrics}");
        }
        assert!(!metrics.contains("mains_hub_lease_seconds"), "{metrics}");
        let credentials = format!("Authorization: Bearer {}", self.site.token(standby));
        let head = site::request(standby, "HEAD", "/metrics", &credentials, None).unwrap();
        assert_eq!((head.0, head.2.as_str()), (200, ""));
        self.site.cut(self.active, "hub");
        let alone = self.text(standby, "/metrics");
        assert!(alone.contains("\nmains_hub_active 0.0\n"), "{alone}");
        assert!(!alone.contains("mains_plug_"), "{alone}");
        let status = self.site.get(standby, "/api/v1/hub");
        assert_eq!(
            (&status["role"], &status["plugs"]["available"]),
            (&json!("standby"), &json!(0))
        );
        self.site.mend(self.active);
        eventually("the standby passes on again", || {
            self.text(standby, "/metrics")
                .contains("mains_plug_power_watts{")
        });
    }
}

/// Returns a body without what is about the process which is asked, and without the time of the request itself.
fn comparable(template: &str, body: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else {
        let is_own = |line: &&str| {
            let name = line
                .trim_start_matches("# HELP ")
                .trim_start_matches("# TYPE ");
            PROCESS_METRICS.iter().any(|own| name.starts_with(own))
        };
        let is_of_request = |line: &&str| {
            let marks = ["This is the hub on standby", " data-now="];
            line.is_empty() || marks.iter().any(|mark| line.contains(mark))
        };
        let lines = body.lines();
        let lines = lines.filter(|line| !is_own(line) && !is_of_request(line));
        return lines.collect::<Vec<_>>().join("\n");
    };
    match template {
        "/api/v1/hub" => {
            let status = json.as_object_mut().unwrap();
            for field in OF_PROCESS {
                assert!(status.remove(field).is_some(), "{field}");
            }
        }
        "/api/v1/tokens" => {
            for token in json.as_array_mut().unwrap() {
                token.as_object_mut().unwrap().remove("last_used");
            }
        }
        _ => {}
    }
    json.to_string()
}

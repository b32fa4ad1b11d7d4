//! A year of a home that moves from its file to a server and back: the API has every figure as before.

#![allow(
    clippy::print_stdout,
    reason = "the durations of a whole year are in docs/performance.md"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};
use strum::VariantArray as _;

use crate::clock;
use crate::home::{Home, finish};
use crate::house::Hub;
use crate::needs;
use crate::server::PostgresServer;
use crate::year::{self, Density};

/// Its value `whole` makes as many readings as a hub has after a year.
const YEAR: &str = "MAINS_TEST_YEAR";
const TIMEZONE: &str = "Europe/Berlin";

/// Paths that are not asked: of the moment alone, with nothing in them from the database.
const NOT_ASKED: [(&str, &str); 9] = [
    (
        "/api/v1/bridges/{id}",
        "bridges are searched on the network",
    ),
    ("/api/v1/bridges/{id}/lights", "as above"),
    ("/api/v1/bridges/{id}/takeovers", "as above"),
    ("/api/v1/bridges/{id}/takeovers/{takeover}", "as above"),
    ("/api/v1/events", "a stream of what happens from now on"),
    (
        "/api/v1/hub/backup",
        "a file of SQLite; PostgreSQL has none",
    ),
    ("/api/v1/plugs/{mac}/delay", "the plug is asked"),
    ("/api/v1/plugs/{mac}/version", "the plug is asked"),
    ("/login", "the login page"),
];

/// Members of `GET /api/v1/hub` that are of the process or the kind of database.
const OF_THE_PROCESS: [&str; 4] = ["uptime_s", "spool", "lease", "hubs"];

/// Beginnings of the metrics that come from the database; the others count what the process has done.
const METRICS_OF_THE_DATABASE: [&str; 4] = [
    "mains_plug_",
    "mains_hub_plugs",
    "mains_hub_rules_",
    "mains_hub_schedules_",
];

/// Starts a hub of the year on a database, with a clock that stands still at its end.
fn start(home: &Home, library: &Path, database: &str, density: Density) -> Hub {
    let retention = density.retention();
    let mut command = home.command();
    command
        .arg("serve")
        .env("LD_PRELOAD", library)
        .env(
            "FAKETIME",
            year::END.replace('T', " ").trim_end_matches('Z'),
        )
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("MAINS_HUB_DATABASE", database)
        .env("MAINS_HUB_KEEP_READINGS", retention.readings.to_string())
        .env("MAINS_HUB_KEEP_MINUTES", retention.minutes.to_string())
        .env("MAINS_PLACE_TIMEZONE", TIMEZONE);
    Hub::run(command)
}

/// A client of a hub with its admin token.
struct HubReader {
    client: Client,
    url: String,
    token: String,
}

impl HubReader {
    fn of(home: &Home, hub: &Hub) -> Self {
        let token = fs::read_to_string(home.state().join("admin-token")).unwrap();
        // Another test of this program may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            client: Client::new(),
            url: hub.url.clone(),
            token: token.trim().to_owned(),
        }
    }

    async fn get(&self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.url));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    async fn create(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}/api/v1/{path}", self.url));
        let request = request.bearer_auth(&self.token).json(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 201, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sets up what people set up: of each collection several documents, and tokens.
    async fn furnish(&self) {
        let macs: Vec<String> = (0..year::PLUGS)
            .map(|plug| year::mac(plug).to_string())
            .collect();
        let lights = json!({"name": "Lights", "plugs": macs[..3]});
        let lights = self.create("groups", &lights).await["id"].clone();
        let empty = json!({"name": "Leer", "plugs": []});
        self.create("groups", &empty).await;
        for schedule in [
            json!({"name": "Good night", "targets": [lights], "action": "off", "when": {"at": "23:15"}}),
            json!({"name": "Warm", "targets": [macs[4]], "action": "on", "catch_up": "10m",
                "when": {"at": "06:30", "days": ["mon", "sat"]}}),
            json!({"name": "Off", "enabled": false, "targets": [macs[5]], "action": "toggle", "when": {"at": "02:30"}}),
        ] {
            self.create("schedules", &schedule).await;
        }
        for rule in [
            json!({"name": "Stays on", "plug": macs[6], "kind": "keep_on", "after": "30s"}),
            json!({"name": "Too strong", "plug": macs[7], "kind": "over_power", "above_w": 2000.0, "for": "30s"}),
            json!({"name": "Standby", "enabled": false, "plug": macs[8], "kind": "standby_kill", "below_w": 5.0,
                "for": "30m", "restore_at": "18:00"}),
        ] {
            self.create("rules", &rule).await;
        }
        for tariff in [
            json!({"name": "Until spring", "currency": "EUR", "kind": "flat", "price": 0.31}),
            json!({"name": "From spring", "currency": "EUR", "kind": "day_night", "day": 0.34, "night": 0.27,
                "valid_from": "2026-03-29", "day_begins": "06:00", "night_begins": "22:00",
                "standing_charge": {"price": 9.9, "per": "month"}}),
            json!({"name": "Camper", "currency": "CHF", "kind": "flat", "price": 0.29, "plugs": macs[9..11]}),
        ] {
            self.create("tariffs", &tariff).await;
        }
        for token in [
            json!({"name": "grafana", "scope": "read"}),
            json!({"name": "door", "scope": "switch", "expires": "2027-01-01T00:00:00Z"}),
        ] {
            self.create("tokens", &token).await;
        }
    }

    /// Asks for everything, and writes each answer into a file of a folder.
    async fn ask_everything(&self, density: Density, folder: &Path) -> BTreeMap<String, PathBuf> {
        fs::create_dir(folder).unwrap();
        let mut answers = BTreeMap::new();
        for path in self.questions(density).await {
            let answer = comparable(&path, self.get(&path).await);
            let file = folder.join(answers.len().to_string());
            fs::write(&file, answer).unwrap();
            answers.insert(path, file);
        }
        answers
    }

    /// Returns the paths of all resources that can be read, each with the queries that it knows.
    async fn questions(&self, density: Density) -> Vec<String> {
        let description = self.json("/api/v1/openapi.json").await;
        let paths = description["paths"].as_object().unwrap();
        let mut questions = vec!["/api/v1/openapi.json".to_owned()];
        for (template, _) in paths.iter().filter(|(_, path)| path.get("get").is_some()) {
            if NOT_ASKED.iter().any(|(path, _)| path == template) {
                continue;
            }
            let queries = queries(template, density);
            for path in self.paths(template).await {
                questions.extend(queries.iter().map(|query| format!("{path}{query}")));
            }
        }
        questions.extend(self.pages_of_the_log().await);
        questions
    }

    /// Returns the paths that a template stands for.
    async fn paths(&self, template: &str) -> Vec<String> {
        let (list, parameter) = match template.split_once("/{") {
            None => return vec![template.to_owned()],
            Some((list, parameter)) => (list, format!("{{{parameter}")),
        };
        let (parameter, rest) = parameter.split_once('/').unwrap_or((&parameter, ""));
        let names: Vec<String> = if parameter == "{mac}" {
            // The removed one has history and is no plug any more.
            let has_removed = !rest.is_empty();
            let plugs = year::PLUGS - u8::from(!has_removed);
            (0..plugs)
                .map(|plug| format!("{:x}", year::mac(plug)))
                .collect()
        } else {
            let objects = self.json(list).await;
            let objects = objects.as_array().unwrap();
            assert!(!objects.is_empty(), "{list} has nothing to compare");
            let id = |object: &Value| object["id"].as_str().unwrap().to_owned();
            objects.iter().map(id).collect()
        };
        let whole = |name: &String| template.replace(parameter, name);
        names.iter().map(whole).collect()
    }

    /// Returns the requests for the pages of the log, each after the one before.
    async fn pages_of_the_log(&self) -> Vec<String> {
        let mut pages = Vec::new();
        let mut page = format!("/api/v1/log?to={}&limit=700", year::LOG_END);
        loop {
            let entries = self.json(&page).await;
            pages.push(page);
            let Some(last) = entries.as_array().unwrap().last() else {
                assert!(pages.len() > 2, "{pages:?}");
                return pages;
            };
            page = format!("/api/v1/log?limit=700&before={}", last["id"]);
        }
    }
}

/// Returns the queries that are asked of a path; panics for one that is not known here, so that none is forgotten.
fn queries(template: &str, density: Density) -> Vec<String> {
    let around = |days: i64, steps: &[&str]| -> Vec<String> {
        let ranges = year::CLOCK_CHANGES.map(|change| {
            let change: jiff::Timestamp = change.parse().unwrap();
            let side = jiff::SignedDuration::from_hours(12 * days);
            format!("?from={}&to={}", change - side, change + side)
        });
        let with = |range: &String| {
            let steps = steps.iter().map(|step| format!("{range}{step}"));
            steps.collect::<Vec<_>>()
        };
        ranges.iter().flat_map(with).collect()
    };
    let queries = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let last = match density {
        Density::Coarse => "",
        Density::Whole => "from=2026-11-21&to=2026-11-21",
    };
    match template.trim_start_matches("/api/v1") {
        "/plugs" | "/groups" | "/schedules" | "/rules" | "/tariffs" => queries(&["", "?site="]),
        "/bridges" | "/sites" | "/tokens" | "/hub" | "/healthz" | "/metrics" => queries(&[""]),
        "/openapi.json" => Vec::new(),
        "/plugs/{mac}" | "/groups/{id}" | "/schedules/{id}" | "/rules/{id}" | "/tariffs/{id}" => {
            queries(&[""])
        }
        "/plugs/{mac}/history" => {
            let steps = [
                "",
                "&step=10s",
                "&step=1m",
                "&step=15m",
                "&step=1h",
                "&step=1d",
            ];
            let year = [
                "",
                "?step=10s",
                "?from=2025-11-22",
                "?from=2025-11-22&step=1h",
                "?from=2025-11-22&step=1d",
                "?from=2025-11-22&step=7d",
                "?from=2026-10-24&to=2026-10-26&step=15m",
            ];
            [queries(&year), around(1, &steps), around(20, &["&step=1d"])].concat()
        }
        // The same points in another form.
        "/plugs/{mac}/history.csv" => queries(&["", "?from=2025-11-22&step=1d"]),
        "/plugs/{mac}/export" => queries(&[
            "",
            &format!("?{last}"),
            "?from=2026-10-25T00:30:00Z&to=2026-10-25",
        ]),
        "/energy" | "/energy/household" => {
            let by = ["", "&by=day", "&by=week", "&by=month", "&by=year"];
            let year = by.map(|by| format!("?from=2025-11-22{by}"));
            let now = by.map(|by| by.replace('&', "?"));
            let mut all = [year.to_vec(), now.to_vec(), around(3, &by)].concat();
            if template.ends_with("energy") {
                all.extend(
                    (0..year::PLUGS).map(|plug| format!("?by=month&plug={:x}", year::mac(plug))),
                );
            }
            all
        }
        "/energy/quarters" => {
            let months =
                (1..=11).map(|month| format!("?from=2026-{month:02}-01&to=2026-{month:02}-28"));
            months
                .chain([String::new()])
                .chain(around(1, &[""]))
                .collect()
        }
        "/log" => {
            let plug = year::mac(3);
            let to = format!("to={}", year::LOG_END);
            let mut all = vec![
                format!("?{to}"),
                format!("?{to}&problems=true"),
                format!("?{to}&plugs={plug:x}"),
                format!("?{to}&from=2026-10-25&kinds=switch,rule&limit=1000"),
            ];
            all.extend(
                api::LogKind::VARIANTS
                    .iter()
                    .map(|kind| format!("?{to}&kinds={}", kind.as_str())),
            );
            all
        }
        _ => {
            panic!("{template} is not compared: say here how it is asked, or in NOT_ASKED why not")
        }
    }
}

/// Returns an answer without what is of the process or of the kind of database.
fn comparable(path: &str, answer: String) -> String {
    match path {
        "/api/v1/hub" => {
            let mut json: Value = serde_json::from_str(&answer).unwrap();
            let members = json.as_object_mut().unwrap();
            members.retain(|name, _| !OF_THE_PROCESS.contains(&name.as_str()));
            json["database"].as_object_mut().unwrap().remove("bytes");
            json.to_string()
        }
        "/metrics" => {
            let is_kept = |line: &&str| {
                let mut names = METRICS_OF_THE_DATABASE.iter();
                names.any(|name| line.starts_with(name))
            };
            let kept: Vec<&str> = answer.lines().filter(is_kept).collect();
            assert!(kept.len() > usize::from(year::PLUGS), "{answer}");
            kept.join("\n")
        }
        _ => answer,
    }
}

/// Panics at the first answers that differ.
fn compare(what: &str, before: &BTreeMap<String, PathBuf>, after: &BTreeMap<String, PathBuf>) {
    assert!(before.keys().eq(after.keys()), "other resources {what}");
    let mut differing = Vec::new();
    for (path, file) in before {
        let (old, new) = (fs::read(file).unwrap(), fs::read(&after[path]).unwrap());
        if old == new {
            continue;
        }
        let lines = |text: &[u8]| String::from_utf8_lossy(text).replace("},{", "},\n{");
        let (old, new) = (lines(&old), lines(&new));
        let pair = old.lines().zip(new.lines()).find(|(old, new)| old != new);
        differing.push(format!("{path}: {pair:#?}"));
    }
    assert!(differing.is_empty(), "{what}: {}", differing.join("\n"));
}

/// Runs `mains hub migrate` from one database into another; returns the number of rows.
fn migrate(home: &Home, from: &str, to: &str) -> u64 {
    let begin = Instant::now();
    let mut command = home.command();
    command.env("MAINS_HUB_DATABASE", from);
    command.args(["--json", "hub", "migrate", "--to", to]);
    let told = finish(command.output()).ends_with(0).json();
    assert_eq!(told["verified"], true, "{told}");
    let rows = told["rows"].as_u64().unwrap();
    println!("{rows} rows from {from} to {to} in {:.1?}", begin.elapsed());
    rows
}

#[test]
fn every_figure_of_a_year_is_the_same_on_the_server_and_back() {
    let (Some(library), Some(server)) = (
        needs::met(clock::library()),
        needs::met(PostgresServer::start()),
    ) else {
        return;
    };
    let density = match std::env::var(YEAR).as_deref() {
        Ok("whole") => Density::Whole,
        _ => Density::Coarse,
    };
    let home = Home::with_network();
    let url = server.config(&server.database()).url.to_string();
    let file = home.state().join("mains.sqlite");
    fs::create_dir_all(home.state()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let begin = Instant::now();
    runtime.block_on(year::write(&file, density, year::PLUGS));
    println!("the year is written in {:.1?}", begin.elapsed());
    let hub = start(&home, &library, "", density);
    runtime.block_on(HubReader::of(&home, &hub).furnish());
    hub.end(Signal::SIGTERM);

    let ask = |database: &str, name: &str| {
        let hub = start(&home, &library, database, density);
        let begin = Instant::now();
        let asking = async {
            HubReader::of(&home, &hub)
                .ask_everything(density, &home.path(name))
                .await
        };
        let answers = runtime.block_on(asking);
        println!(
            "{name}: {} answers in {:.1?}",
            answers.len(),
            begin.elapsed()
        );
        hub.end(Signal::SIGTERM);
        answers
    };
    let on_file = ask("", "on-file");
    let rows = migrate(&home, "", &url);
    let on_server = ask(&url, "on-server");
    compare("on the server", &on_file, &on_server);
    let back = home.path("back.sqlite");
    let back = back.to_str().unwrap();
    // With the entries of the log that the hub on the server wrote at its start and its end.
    assert!(migrate(&home, &url, back) > rows);
    let on_copy = ask(back, "on-copy");
    compare("back in a file", &on_file, &on_copy);
}

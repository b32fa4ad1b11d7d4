//! Two hubs of a site: which one acts when the other is killed, stopped or cut off, and what of the plugs, edits and schedules that
//! costs.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::house::eventually;
use crate::site::{self, Site};
use crate::{clock, needs};

/// Bound on a takeover. On a quiet machine it takes less than 15 seconds (docs/performance.md); beside other tests it can be more.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(30);
/// Interval of the schedules that run meanwhile; more often would be too often for a plug.
const SCHEDULE_INTERVAL: i64 = 12;

/// The site with a model of what it was told.
struct Model {
    site: Site,
    macs: Vec<String>,
    active: usize,
    /// Names of groups whose creation was acknowledged.
    groups: Vec<String>,
    /// Schedules that are due one after the other.
    schedules: Vec<String>,
    takeovers: Vec<(&'static str, Duration)>,
}

impl Model {
    /// Starts two hubs with three plugs, of which the first is switched by schedules.
    fn start(environment: [Vec<(String, String)>; 2]) -> Option<Self> {
        let mut site = Site::build(3)?;
        site.environment = environment;
        site.start(0);
        site.until_active(0);
        for plug in 0..3 {
            let body = json!({"address": format!("10.77.0.{}", 101 + plug)});
            let reply = site.ask(0, "POST", "/api/v1/plugs", Some(&body));
            assert!(
                reply.as_ref().is_some_and(|(status, _)| *status < 300),
                "{reply:?}"
            );
        }
        site.start(1);
        eventually("the active hub knows of the other", || {
            site.get(0, "/api/v1/hub")["hubs"].as_array().unwrap().len() == 2
        });
        let plugs = site.get(1, "/api/v1/plugs");
        let mac = |plug: &Value| {
            plug["mac"]
                .as_str()
                .unwrap()
                .replace(':', "")
                .to_lowercase()
        };
        let mut macs: Vec<String> = plugs.as_array().unwrap().iter().map(mac).collect();
        macs.sort();
        assert_eq!(macs.len(), 3, "{plugs}");
        assert_eq!(site.role(1).as_deref(), Some("standby"));
        Some(Self {
            site,
            macs,
            active: 0,
            groups: Vec::new(),
            schedules: Vec::new(),
            takeovers: Vec::new(),
        })
    }

    fn standby(&self) -> usize {
        1 - self.active
    }

    /// Creates schedules that switch the first plug on and off by turns during the next seconds.
    fn schedule(&mut self, seconds: i64) {
        let now = Timestamp::now();
        for second in (5..seconds).step_by(usize::try_from(SCHEDULE_INTERVAL).unwrap()) {
            let due = now + SignedDuration::from_secs(second);
            let once = due.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            let number = self.schedules.len();
            let action = if number.is_multiple_of(2) {
                "on"
            } else {
                "off"
            };
            let body = json!({
                "name": format!("turn {number}"), "enabled": true, "targets": [self.macs[0]],
                "action": action, "when": {"once": once}, "catch_up": "10m",
            });
            let reply = self
                .site
                .ask(self.standby(), "POST", "/api/v1/schedules", Some(&body));
            let (status, json) = reply.unwrap();
            assert_eq!(status, 201, "{json}");
            self.schedules.push(json["id"].as_str().unwrap().to_owned());
        }
    }

    /// Creates a group through a hub; what is acknowledged is remembered.
    fn create(&mut self, hub: usize) -> bool {
        let name = format!("group {}", self.groups.len());
        let body = json!({"name": name, "plugs": [self.macs[1]]});
        let reply = self.site.ask(hub, "POST", "/api/v1/groups", Some(&body));
        let is_kept = matches!(reply, Some((201 | 409, _)));
        if is_kept {
            self.groups.push(name);
        }
        is_kept
    }

    /// Waits for the other hub to take over, and counts the time.
    fn succeed(&mut self, how: &'static str, begin: Instant) {
        let next = self.standby();
        self.site.until_active(next);
        let time = begin.elapsed();
        self.takeovers.push((how, time));
        assert!(
            time < TAKEOVER_TIMEOUT,
            "{how}: {time:?}: {}",
            self.site.log(next)
        );
        self.active = next;
        self.site.switch(next, &self.macs[1].clone(), "on");
        self.site.switch(next, &self.macs[1].clone(), "off");
        assert!(self.create(next));
    }

    /// Waits until the hub that is not active is on standby, and passes on what it is asked.
    fn settle(&mut self) {
        let standby = self.standby();
        eventually("the other one is on standby", || {
            self.site.role(standby).as_deref() == Some("standby")
        });
        let (site, mac) = (&self.site, self.macs[1].clone());
        site.switch(standby, &mac, "on");
        let begin = Instant::now();
        while !self.create(standby) {
            assert!(
                begin.elapsed() < TAKEOVER_TIMEOUT,
                "{}",
                self.site.log(standby)
            );
        }
    }

    fn kill(&mut self) {
        let before = self.active;
        assert!(self.create(self.standby()));
        let begin = Instant::now();
        self.site.signal(before, Signal::SIGKILL);
        self.succeed("kill -9", begin);
        self.site.start(before);
        self.settle();
    }

    fn cut(&mut self, from: &'static str) {
        let before = self.active;
        let begin = Instant::now();
        self.site.cut(before, from);
        self.succeed(
            if from == "db" {
                "cut off from the database"
            } else {
                "cut off from the plugs"
            },
            begin,
        );
        self.site.mend(before);
        self.settle();
    }

    /// Stops the active hub with a command on its way, and lets it go on when another one has the lease.
    fn pause(&mut self) {
        let (before, mac) = (self.active, self.macs[2].clone());
        self.site.switch(before, &mac, "off");
        let begin = Instant::now();
        self.site.signal(before, Signal::SIGSTOP);
        let mut stream = TcpStream::connect((site::address(before), 8480)).unwrap();
        let token = self.site.token(before);
        write!(
            stream,
            "PUT /api/v1/plugs/{mac}/relay HTTP/1.1\r\nHost: {}:8480\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{{\"state\":\"on\"}}",
            site::address(before)
        )
        .unwrap();
        self.succeed("SIGSTOP", begin);
        let own = format!("10.77.0.{}", 11 + before);
        let told = |site: &Site| {
            let all = (0..3).flat_map(|plug| site.switches(plug));
            all.filter(|(_, peer)| *peer == own).count()
        };
        let count = told(&self.site);
        self.site.signal(before, Signal::SIGCONT);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(told(&self.site), count, "{}", self.site.log(before));
        self.settle();
        assert_eq!(told(&self.site), count, "{}", self.site.log(before));
    }

    /// Hubs that cannot reach each other: the standby answers what only reads.
    fn part(&mut self) {
        let (active, standby) = (self.active, self.standby());
        self.site.cut(active, "hub");
        let plugs = self.site.get(standby, "/api/v1/plugs");
        assert_eq!(plugs.as_array().unwrap().len(), 3);
        assert!(plugs[0]["available"] == false, "{plugs}");
        let (path, body) = (
            format!("/api/v1/plugs/{}/relay", self.macs[1]),
            json!({"state": "off"}),
        );
        let (status, problem) = self.site.ask(standby, "PUT", &path, Some(&body)).unwrap();
        assert_eq!(
            (status, &problem["kind"]),
            (503, &json!("unavailable")),
            "{problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("cannot be reached"),
            "{problem}"
        );
        // What the active hub is told shows on the other within a second or so.
        assert!(self.create(active));
        let name = self.groups.last().unwrap().clone();
        eventually("the edit shows", || {
            let groups = self.site.get(standby, "/api/v1/groups");
            groups
                .as_array()
                .unwrap()
                .iter()
                .any(|group| group["name"] == *name)
        });
        self.site.mend(active);
        assert_eq!(self.site.role(active).as_deref(), Some("active"));
        self.settle();
    }

    fn restart_database(&mut self) {
        let active = self.active;
        self.site.server.tell("stop");
        self.site.switch(active, &self.macs[1].clone(), "off");
        self.site.server.tell("start");
        eventually("an edit is kept", || {
            let body = json!({"name": "after the restart", "plugs": []});
            let reply = self.site.ask(active, "POST", "/api/v1/groups", Some(&body));
            matches!(reply, Some((201 | 409, _)))
        });
        assert_eq!(self.site.role(active).as_deref(), Some("active"));
        self.settle();
    }

    /// Logs a browser in at a hub on standby by the link that it has printed. Returns its cookie.
    fn log_in(&self) -> String {
        let standby = self.standby();
        let link = &self.site.links[standby];
        let (status, head, _) =
            site::request(standby, "GET", link, "Accept: text/html", None).unwrap();
        assert_eq!(status, 303, "{head}");
        let again = site::request(standby, "GET", link, "Accept: text/html", None).unwrap();
        assert_eq!(again.0, 401, "a link works once");
        let cookie = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        cookie.unwrap().split(';').next().unwrap().to_owned()
    }

    /// Compares the site with what it was told.
    fn check(&self) {
        let hub = self.standby();
        let groups = self.site.get(hub, "/api/v1/groups");
        let names: Vec<_> = groups
            .as_array()
            .unwrap()
            .iter()
            .map(|group| &group["name"])
            .collect();
        for name in &self.groups {
            assert!(names.contains(&&json!(name)), "{name} is lost: {names:?}");
        }
        for id in &self.schedules {
            let schedule = || self.site.get(hub, &format!("/api/v1/schedules/{id}"));
            let ends = Instant::now() + TAKEOVER_TIMEOUT;
            while schedule()["last"]["confirmed"] != true {
                let logs = || format!("{}\n---\n{}", self.site.log(0), self.site.log(1));
                assert!(Instant::now() < ends, "{}\n{}", schedule(), logs());
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        let mut relay = String::from("OFF");
        let mut moves = 0;
        for (state, _) in self.site.switches(0) {
            moves += usize::from(state != relay);
            relay = state;
        }
        let count = self.schedules.len();
        assert!(moves <= count, "{moves} moves by {count} schedules");
    }
}

#[test]
fn the_other_hub_takes_over_and_nothing_is_lost_or_done_twice() {
    let Some(mut model) = Model::start(Default::default()) else {
        return;
    };
    let cookie = format!("Cookie: {}", model.log_in());
    let sees = |hub| {
        site::request(hub, "GET", "/api/v1/plugs", &cookie, None)
            .unwrap()
            .0
    };
    assert_eq!([sees(0), sees(1)], [200, 200]);
    let page = |hub| site::request(hub, "GET", "/", &cookie, None).unwrap().2;
    let is_told = [0, 1].map(|hub| page(hub).contains("This is the hub on standby at http://"));
    assert_eq!(is_told, [false, true]);
    model.schedule(50);
    model.kill();
    assert_eq!(
        [sees(0), sees(1)],
        [200, 200],
        "a session outlives a takeover"
    );
    model.pause();
    model.cut("db");
    model.cut("plugs");
    model.part();
    model.restart_database();
    model.check();
    for (how, time) in &model.takeovers {
        println!("{how}: {time:.1?}");
    }
}

#[test]
fn clocks_that_differ_and_a_lease_that_is_edited_cost_no_run() {
    let Some(library) = needs::met(clock::library()) else {
        return;
    };
    let ahead = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME", "+120s"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let ahead = ahead.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let Some(mut model) = Model::start([Vec::new(), ahead.to_vec()]) else {
        return;
    };
    model.schedule(40);
    model.kill();
    assert_eq!(model.active, 1, "the one whose clock is ahead");
    model.kill();
    for edit in [
        "UPDATE lease SET holder = 'nobody', number = -3, until = 'infinity'",
        "DELETE FROM lease",
    ] {
        model.site.execute(edit);
        // The holder finds it at its next renewal.
        std::thread::sleep(Duration::from_secs(3));
        eventually("a hub is active again", || {
            let roles = [0, 1].map(|hub| model.site.role(hub));
            let acts = |role: &&Option<String>| role.as_deref() == Some("active");
            roles.iter().filter(acts).count() == 1
        });
        let acting = model.site.role(0).as_deref() == Some("active");
        model.active = usize::from(!acting);
        model.settle();
    }
    model.check();
}

#[test]
fn a_hub_that_is_alone_goes_on_without_the_database() {
    let Some(mut site) = Site::build(1) else {
        return;
    };
    site.start(0);
    site.until_active(0);
    let body = json!({"address": "10.77.0.101"});
    let (_, plug) = site.ask(0, "POST", "/api/v1/plugs", Some(&body)).unwrap();
    let mac = plug["mac"]
        .as_str()
        .unwrap()
        .replace(':', "")
        .to_lowercase();
    std::thread::sleep(Duration::from_secs(3));
    site.cut(0, "db");
    std::thread::sleep(Duration::from_secs(11));
    site.switch(0, &mac, "on");
    // One that joins asks it first, and passes on to it.
    site.start(1);
    site.switch(1, &mac, "off");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(site.role(1).as_deref(), Some("standby"), "{}", site.log(1));
    assert_eq!(site.role(0).as_deref(), Some("active"), "{}", site.log(0));
    site.mend(0);
    site.switch(1, &mac, "on");
    assert_eq!(site.role(0).as_deref(), Some("active"), "{}", site.log(0));
}

/// For docs/performance.md: `scripts/measure-standby [ROUNDS]`.
#[test]
#[ignore = "twenty minutes; scripts/measure-standby runs it"]
fn a_hundred_takeovers_after_kill_9() {
    let rounds = std::env::var("MAINS_STANDBY_ROUNDS").ok();
    let rounds: usize = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(100);
    let Some(mut model) = Model::start(Default::default()) else {
        return;
    };
    for round in 0..rounds {
        if round.is_multiple_of(10) {
            model.schedule(60);
        }
        model.kill();
        println!("round {round}: {:.1?}", model.takeovers[round].1);
    }
    model.check();
    let mut times: Vec<Duration> = model.takeovers.iter().map(|(_, time)| *time).collect();
    times.sort();
    let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{rounds} takeovers: p50 {middle:.1?}, max {most:.1?}");
    println!(
        "{} edits acknowledged, {} schedules, each once",
        model.groups.len(),
        model.schedules.len()
    );
}

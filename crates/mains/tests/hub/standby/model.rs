//! The site with a model of what it was told, and what happens to it.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::clock;
use crate::house::eventually;
use crate::needs;
use crate::site::{self, Site};

/// Bound on a takeover. On a quiet machine it takes less than 15 seconds (docs/performance.md); beside other tests it can be more.
pub const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(30);
/// Interval of the schedules that run meanwhile; more often would be too often for a plug.
const SCHEDULE_INTERVAL: i64 = 12;
/// Plugs, in the order of [`Model::macs`]: of the schedules, of the model, of a rule, of other people.
const PLUGS: u8 = 4;
/// Place of the plug of the rule.
const RULED: usize = 2;
/// Seconds by which the clock of the second hub can be ahead.
const AHEAD_S: i64 = 120;

/// Plugs whose history has more or less than their counters have counted.
const MISCOUNTED: &str = "SELECT mac, id, total_wh, sums.* FROM series JOIN lifetimes ON plug = id, LATERAL (SELECT \
    (SELECT sum(energy) FROM minutes WHERE plug = id) AS minutes, (SELECT sum(energy) FROM quarters WHERE plug = id) AS quarters, \
    (SELECT min(counter_wh) FROM readings WHERE plug = id) AS first, \
    (SELECT max(counter_wh) FROM readings WHERE plug = id) AS last) AS sums \
    WHERE (minutes, quarters, total_wh) IS DISTINCT FROM ((last - first) * 1000, (last - first) * 1000, last)";

/// The site with a model of what it was told.
pub struct Model {
    pub site: Site,
    pub macs: Vec<String>,
    pub active: usize,
    /// Seconds by which the clock of each hub is ahead.
    ahead: [i64; 2],
    /// Names of groups whose creation was acknowledged.
    pub groups: Vec<String>,
    /// Schedules that are due one after the other.
    pub schedules: Vec<String>,
    pub takeovers: Vec<(&'static str, Duration)>,
}

impl Model {
    /// Starts two hubs with their plugs, of which the first is switched by schedules.
    pub fn start() -> Option<Self> {
        Self::start_with([Vec::new(), Vec::new()], 0)
    }

    /// Starts them with clocks two minutes apart.
    pub fn start_with_clocks_apart() -> Option<Self> {
        let library = needs::met(clock::library())?;
        let offset = format!("+{AHEAD_S}s");
        let ahead = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME", &offset),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let ahead = ahead.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::start_with([Vec::new(), ahead.to_vec()], AHEAD_S)
    }

    fn start_with(environment: [Vec<(String, String)>; 2], ahead: i64) -> Option<Self> {
        let mut site = Site::build(PLUGS)?;
        site.environment = environment;
        site.start(0);
        site.until_active(0);
        for plug in 0..PLUGS {
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
        assert_eq!(macs.len(), usize::from(PLUGS), "{plugs}");
        assert_eq!(site.role(1).as_deref(), Some("standby"));
        Some(Self {
            site,
            macs,
            active: 0,
            ahead: [0, ahead],
            groups: Vec::new(),
            schedules: Vec::new(),
            takeovers: Vec::new(),
        })
    }

    pub fn standby(&self) -> usize {
        1 - self.active
    }

    /// Creates schedules that switch the first plug on and off by turns during the next seconds.
    pub fn schedule(&mut self, seconds: i64) {
        let now = Timestamp::now() + SignedDuration::from_secs(self.ahead[self.active]);
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
    pub fn create(&mut self, hub: usize) -> bool {
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
    pub fn succeed(&mut self, how: &'static str, begin: Instant) {
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

    /// Creates a rule that switches a plug off some seconds after it was switched on.
    pub fn make_rule(&self) {
        let mac = &self.macs[RULED];
        let body = json!({"name": "off again", "enabled": true, "plug": mac, "kind": "auto_off", "after": "10s"});
        let reply = self
            .site
            .ask(self.active, "POST", "/api/v1/rules", Some(&body));
        let (status, rule) = reply.unwrap();
        assert_eq!(status, 201, "{rule}");
    }

    /// Switches the plug of the rule on.
    pub fn turn_ruled_on(&self) {
        self.site.switch(self.active, &self.macs[RULED], "on");
    }

    /// Waits for the rule to switch its plug off.
    pub fn await_rule(&self) {
        let path = format!("/api/v1/plugs/{}", self.macs[RULED]);
        let ends = Instant::now() + TAKEOVER_TIMEOUT;
        loop {
            let plug = self.site.get(self.active, &path);
            if plug["relay"] == "off" {
                return;
            }
            let rules = || self.site.get(self.active, "/api/v1/rules");
            let log = || self.site.log(self.active);
            assert!(Instant::now() < ends, "{plug}\n{}\n{}", rules(), log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Returns the text of a path of a hub.
    pub fn text(&self, hub: usize, path: &str) -> String {
        let credentials = format!(
            "Authorization: Bearer {}\r\nAccept: text/html",
            self.site.token(hub)
        );
        let (status, _, text) = site::request(hub, "GET", path, &credentials, None).unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Waits until the hub that is not active is on standby, and passes on what it is asked.
    pub fn settle(&mut self) {
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

    pub fn kill(&mut self) {
        let before = self.active;
        assert!(self.create(self.standby()));
        let begin = Instant::now();
        self.site.signal(before, Signal::SIGKILL);
        self.succeed("kill -9", begin);
        self.site.start(before);
        self.settle();
    }

    pub fn cut(&mut self, from: &'static str) {
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
    pub fn pause(&mut self) {
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
            let all = (0..PLUGS).flat_map(|plug| site.switches(plug));
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
    pub fn part(&mut self) {
        let (active, standby) = (self.active, self.standby());
        self.site.cut(active, "hub");
        let plugs = self.site.get(standby, "/api/v1/plugs");
        assert_eq!(plugs.as_array().unwrap().len(), self.macs.len());
        // Stale is shown as stale: not available, with the last reading and its time.
        let plug = &plugs[0];
        assert_eq!(plug["available"], false, "{plug}");
        assert!(plug["reading"]["power_w"].is_number(), "{plug}");
        let time = |text: &Value| text.as_str().unwrap().parse::<Timestamp>().unwrap();
        let (seen, read) = (time(&plug["seen"]), time(&plug["reading"]["at"]));
        assert!(seen.as_second() >= read.as_second(), "{plug}");
        let page = self.text(standby, "/");
        assert!(
            page.contains("the active hub at http://") && page.contains("No answer"),
            "{page}"
        );
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

    pub fn restart_database(&mut self) {
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
    pub fn log_in(&self) -> String {
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
    pub fn check(&self) {
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
            let ahead = Duration::from_secs(self.ahead[1].unsigned_abs());
            let ends = Instant::now() + TAKEOVER_TIMEOUT + ahead;
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
        self.check_energy();
    }

    /// Compares the sums of the history with the counters of the plugs, once what waits in the hubs is written.
    fn check_energy(&self) {
        let ends = Instant::now() + TAKEOVER_TIMEOUT;
        loop {
            let miscounted = self.site.execute(MISCOUNTED);
            if miscounted.is_empty() {
                return;
            }
            assert!(Instant::now() < ends, "{miscounted}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Returns how long takeovers took, by what happened.
    pub fn report(&self) -> String {
        let mut lines = Vec::new();
        let mut kinds: Vec<_> = self.takeovers.iter().map(|(how, _)| *how).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let of_kind = self.takeovers.iter().filter(|(how, _)| *how == kind);
            let mut times: Vec<Duration> = of_kind.map(|(_, time)| *time).collect();
            times.sort();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100];
            lines.push(format!(
                "{kind}: {} takeovers, p50 {:.1?}, p99 {:.1?}, max {:.1?}",
                times.len(),
                at(50),
                at(99),
                at(100)
            ));
        }
        lines.push(format!(
            "{} groups acknowledged, {} schedules, each once",
            self.groups.len(),
            self.schedules.len()
        ));
        lines.join("\n")
    }
}

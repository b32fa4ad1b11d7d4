//! Bridges, bulbs and a clock, as a table in memory.
//!
//! It knows as much of the radio as the protocol page tells: touchlink takes the bulb that is held to a bridge, a search finds who
//! belongs to nobody, to the bridge itself, or is called by its serial number, and a bulb that is deleted while it has power is
//! reset.

mod served;
mod sim;

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hue::tcp30000::Outcome;
use hue::{
    Answer, AppKey, Bridge, Call, HueError, Identity, Journal, MoveRecord, Silence, Target,
    Transport,
};
use serde_json::json;

pub(crate) use sim::{Port, Sim};

pub(crate) const KEY: &str = "KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0KEY0";
/// The network is open for so long after a search was started.
const WINDOW: Duration = Duration::from_secs(40);
/// A bulb needs so long to join an open network.
const JOINING: Duration = Duration::from_secs(3);

/// The EUI-64 of bulb number `n`.
pub(crate) fn unique_id(bulb: usize) -> String {
    format!("00:17:88:01:00:00:00:{bulb:02x}-0b")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    Foreign,
    Bridge(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Bulb {
    pub(crate) owner: Owner,
    pub(crate) serial: String,
    pub(crate) has_power: bool,
    /// The bridge that it is held to.
    pub(crate) near: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Light {
    pub(crate) bulb: usize,
    pub(crate) name: String,
}

/// What goes wrong instead of, or after, a call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Reply(u16, String),
    /// It never arrived.
    Lost(Silence),
    /// It arrived, and the answer was lost.
    AnswerLost(Silence),
    Busy,
}

impl Fault {
    pub(crate) fn error(number: u32) -> Self {
        Self::Reply(200, error(number, "/x"))
    }

    pub(crate) fn is_invalid_value(&self) -> bool {
        matches!(self, Self::Reply(_, body) if body.contains("\"type\":7,") || body.contains("\"type\":7}"))
    }

    /// One of each kind that a bridge, or what stands before it, brings about.
    pub(crate) fn each() -> Vec<Self> {
        let mut all: Vec<Self> = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 101, 201, 203, 901]
            .into_iter()
            .map(Self::error)
            .collect();
        for silence in [Silence::TimedOut, Silence::Closed, Silence::Refused] {
            all.push(Self::Lost(silence));
        }
        all.push(Self::AnswerLost(Silence::TimedOut));
        all.push(Self::AnswerLost(Silence::Closed));
        all.push(Self::Busy);
        for (status, body) in [
            (200, "[]"),
            (200, "{}"),
            (200, ""),
            (200, "<html>no bridge</html>"),
            (200, r#"[{"success":{"/li"#),
            (404, "<html>Not Found</html>"),
            (405, ""),
            (400, "null"),
        ] {
            all.push(Self::Reply(status, body.to_owned()));
        }
        all
    }
}

pub(crate) fn error(number: u32, address: &str) -> String {
    json!([{"error": {"type": number, "address": address, "description": format!("error of kind {number}")}}])
        .to_string()
}

struct State {
    now: Duration,
    bridges: Vec<Sim>,
    bulbs: Vec<Bulb>,
    records: Vec<MoveRecord>,
    /// Faults by the beginning of the call, `0 PUT /config`; each is met once.
    faults: Vec<(String, Fault)>,
    /// Faults for the calls of these numbers.
    nth: Vec<(usize, Fault)>,
    calls: Vec<String>,
    /// The number of things that have happened, and after how many the run is cut short.
    happened: usize,
    ends_after: Option<usize>,
    journal_fails: bool,
}

pub(crate) struct World {
    begin: Instant,
    state: Mutex<State>,
}

impl World {
    /// Two square bridges and no bulb.
    pub(crate) fn new() -> Self {
        let bridges = (0..2).map(Sim::square).collect();
        Self {
            begin: Instant::now(),
            state: Mutex::new(State {
                now: Duration::ZERO,
                bridges,
                bulbs: Vec::new(),
                records: Vec::new(),
                faults: Vec::new(),
                nth: Vec::new(),
                calls: Vec::new(),
                happened: 0,
                ends_after: None,
                journal_fails: false,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Adds a bulb and returns its number. One that belongs to a bridge is listed there.
    pub(crate) fn bulb(&self, owner: Owner, near: Option<usize>) -> usize {
        let mut state = self.state();
        let bulb = state.bulbs.len();
        state.bulbs.push(Bulb {
            owner,
            serial: format!("45AF{bulb:02X}"),
            has_power: true,
            near,
        });
        if let Owner::Bridge(at) = owner {
            state.bridges[at].list(bulb, &format!("Lamp {bulb}"));
        }
        bulb
    }

    /// Lets a bridge list a bulb.
    pub(crate) fn list(&self, bridge: usize, bulb: usize) {
        self.state().bridges[bridge].list(bulb, "");
    }

    pub(crate) fn change_bulb(&self, bulb: usize, change: impl FnOnce(&mut Bulb)) {
        change(&mut self.state().bulbs[bulb]);
    }

    pub(crate) fn change(&self, bridge: usize, change: impl FnOnce(&mut Sim)) {
        change(&mut self.state().bridges[bridge]);
    }

    pub(crate) fn owner(&self, bulb: usize) -> Owner {
        self.state().bulbs[bulb].owner
    }

    /// The number and the name of a bulb at a bridge.
    pub(crate) fn listed(&self, bridge: usize, bulb: usize) -> Option<(u32, String)> {
        let state = self.state();
        let mut lights = state.bridges[bridge].lights.iter();
        lights
            .find(|(_, light)| light.bulb == bulb)
            .map(|(id, light)| (*id, light.name.clone()))
    }

    /// Starts a search that somebody else wants.
    pub(crate) fn somebody_searches(&self, bridge: usize) {
        let mut state = self.state();
        let now = state.now;
        state.bridges[bridge].open(now, Vec::new());
    }

    pub(crate) fn fail(&self, call: &str, fault: Fault) {
        self.state().faults.push((call.to_owned(), fault));
    }

    pub(crate) fn fail_nth(&self, number: usize, fault: Fault) {
        self.state().nth.push((number, fault));
    }

    pub(crate) fn clear_faults(&self) {
        let mut state = self.state();
        state.nth.clear();
        state.faults.clear();
    }

    pub(crate) fn fail_journal(&self, fails: bool) {
        self.state().journal_fails = fails;
    }

    /// The calls so far, `0 PUT /config {"touchlink":true}`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    pub(crate) fn count(&self, beginning: &str) -> usize {
        let calls = self.calls();
        calls
            .iter()
            .filter(|call| call.starts_with(beginning))
            .count()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.state().now
    }

    pub(crate) fn records(&self) -> Vec<MoveRecord> {
        self.state().records.clone()
    }

    /// Lets the next run end after so many things have happened, as if the power was cut.
    pub(crate) fn end_after(&self, things: Option<usize>) {
        let mut state = self.state();
        state.happened = 0;
        state.ends_after = things;
    }

    pub(crate) fn happened(&self) -> usize {
        self.state().happened
    }

    pub(crate) fn way(&self, bridge: usize) -> Way<'_> {
        Way {
            world: self,
            number: bridge,
        }
    }
}

/// Runs a flow to its end, or until it is cut short.
pub(crate) fn run<F: Future>(flow: F) -> Option<F::Output> {
    match pin!(flow).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The way to one bridge.
pub(crate) struct Way<'w> {
    world: &'w World,
    number: usize,
}

impl Way<'_> {
    pub(crate) fn bridge(&self) -> Bridge<'_, Self> {
        let config = self.world.state().bridges[self.number].config.to_string();
        let identity = Identity::parse(config.as_bytes()).unwrap();
        let key: AppKey = KEY.parse().unwrap();
        let address = format!("192.0.2.{}", self.number + 10);
        Bridge::new(self, identity, address, Some(key))
    }

    fn silent(&self, how: Silence) -> HueError {
        HueError::NoAnswer {
            at: format!("192.0.2.{}", self.number + 10),
            how,
        }
    }
}

impl Transport for Way<'_> {
    async fn call(&self, call: &Call, key: Option<&AppKey>) -> Result<Answer, HueError> {
        if !self.world.state().happens() {
            return pending().await;
        }
        let path = match &call.target {
            Target::Open(path) | Target::Keyed(path) | Target::Second(path) => path.clone(),
        };
        let body = call.body.clone().unwrap_or_default();
        let line = format!("{} {} {path} {body}", self.number, call.method);
        let fault = self.world.state().note(line.trim_end());
        let is_known =
            matches!(call.target, Target::Open(_)) || key.is_some_and(|key| key.expose() == KEY);
        let reply = match fault {
            Some(Fault::Reply(status, body)) => Ok((status, body)),
            Some(Fault::Lost(how)) => Err(self.silent(how)),
            Some(Fault::Busy) => Err(HueError::Busy {
                at: "192.0.2.10".to_owned(),
                status: 503,
            }),
            Some(Fault::AnswerLost(how)) => {
                let _ = self
                    .world
                    .state()
                    .serve(self.number, call.method, &path, &body);
                Err(self.silent(how))
            }
            None if !is_known => Ok((200, error(1, &path))),
            None => Ok((
                200,
                self.world
                    .state()
                    .serve(self.number, call.method, &path, &body),
            )),
        };
        if !self.world.state().happens() {
            return pending().await;
        }
        reply.map(|(status, body)| Answer {
            status,
            body: body.into_bytes(),
        })
    }

    async fn touchlink(&self) -> Result<Outcome, HueError> {
        if !self.world.state().happens() {
            return pending().await;
        }
        let fault = self
            .world
            .state()
            .note(&format!("{} [Link,Touchlink]", self.number));
        if let Some(Fault::Lost(how)) = fault {
            return Err(self.silent(how));
        }
        let port = self.world.state().bridges[self.number].port_30000;
        let outcome = match port {
            None => Err(self.silent(Silence::Refused)),
            Some(Port::Failing) => Ok(Outcome::Failed("failed".to_owned())),
            Some(Port::Boasting) => Ok(Outcome::Captured(String::new())),
            Some(Port::Silent) => {
                self.world.state().touchlink(self.number);
                Ok(Outcome::Unknown)
            }
            Some(Port::Honest) => Ok(match self.world.state().touchlink(self.number) {
                true => Outcome::Captured("NwkAddr=0x0002,pan=0x1234".to_owned()),
                false => Outcome::Failed("failed".to_owned()),
            }),
        };
        if !self.world.state().happens() {
            return pending().await;
        }
        outcome
    }

    async fn sleep(&self, time: Duration) {
        if !self.world.state().happens() {
            return pending().await;
        }
        let mut state = self.world.state();
        // Radio does not wait for who asks.
        let end = state.now + time;
        while state.now < end {
            state.now = end.min(state.now + Duration::from_secs(1));
            state.join();
        }
    }

    fn now(&self) -> Instant {
        self.world.begin + self.world.elapsed()
    }
}

impl Journal for World {
    fn records(&self) -> io::Result<Vec<MoveRecord>> {
        Ok(self.state().records.clone())
    }

    fn keep(&self, record: &MoveRecord) -> io::Result<()> {
        let mut state = self.state();
        if state.journal_fails {
            return Err(io::Error::other(
                "/state/hue-move.json: no space left on device",
            ));
        }
        if state.happens() {
            state
                .records
                .retain(|old| old.unique_id != record.unique_id);
            state.records.push(record.clone());
            state.happens();
        }
        Ok(())
    }

    fn forget(&self, record: &MoveRecord) -> io::Result<()> {
        let mut state = self.state();
        if state.happens() {
            state
                .records
                .retain(|old| old.unique_id != record.unique_id);
            state.happens();
        }
        Ok(())
    }
}

impl State {
    /// Counts, and tells whether the run still goes on.
    fn happens(&mut self) -> bool {
        self.happened += 1;
        self.ends_after.is_none_or(|last| self.happened <= last)
    }

    /// Writes the call down and returns what goes wrong with it.
    fn note(&mut self, line: &str) -> Option<Fault> {
        let number = self.calls.len();
        self.calls.push(line.to_owned());
        if let Some(at) = self.nth.iter().position(|(nth, _)| *nth == number) {
            return Some(self.nth.remove(at).1);
        }
        let at = self
            .faults
            .iter()
            .position(|(call, _)| line.starts_with(call))?;
        Some(self.faults.remove(at).1)
    }
}

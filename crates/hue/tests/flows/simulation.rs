//! Bridges, bulbs and a clock, as a table in memory.
//!
//! It knows as much of the radio as the protocol page tells: touchlink takes the bulb that is held to a bridge, a search finds who
//! belongs to nobody, to the bridge itself, or is called by its serial number, and a bulb that is deleted while it has power is
//! reset.

mod bridge;
mod replies;

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hue::tcp30000::TouchlinkOutcome;
use hue::{
    AppKey, BridgeClient, BridgeIdentity, BridgeReply, HueError, HueNoReplyReason, HueRequest,
    HueTransport, Journal, MoveRecord, RequestTarget,
};
use serde_json::json;

pub(crate) use bridge::{SimulatedBridge, TouchlinkPort};

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
pub(crate) enum BulbOwner {
    Nobody,
    Foreign,
    Bridge(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct SimulatedBulb {
    pub(crate) owner: BulbOwner,
    pub(crate) serial: String,
    pub(crate) has_power: bool,
    /// The bridge that it is held to.
    pub(crate) near: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct SimulatedLight {
    pub(crate) bulb: usize,
    pub(crate) name: String,
}

/// A fault instead of, or after, a request.
#[derive(Debug, Clone)]
pub(crate) enum CallFault {
    Reply(u16, String),
    /// It never arrived.
    Lost(HueNoReplyReason),
    /// It arrived, and the answer was lost.
    AnswerLost(HueNoReplyReason),
    Busy,
}

impl CallFault {
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
        for silence in [
            HueNoReplyReason::TimedOut,
            HueNoReplyReason::Closed,
            HueNoReplyReason::Refused,
        ] {
            all.push(Self::Lost(silence));
        }
        all.push(Self::AnswerLost(HueNoReplyReason::TimedOut));
        all.push(Self::AnswerLost(HueNoReplyReason::Closed));
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

struct SimulationState {
    now: Duration,
    bridges: Vec<SimulatedBridge>,
    bulbs: Vec<SimulatedBulb>,
    records: Vec<MoveRecord>,
    /// Faults by the beginning of the call, `0 PUT /config`; each is met once.
    faults: Vec<(String, CallFault)>,
    /// Faults for the calls of these numbers.
    nth: Vec<(usize, CallFault)>,
    calls: Vec<String>,
    /// The number of things that have happened, and after how many the run is cut short.
    happened: usize,
    ends_after: Option<usize>,
    journal_fails: bool,
}

pub(crate) struct Simulation {
    begin: Instant,
    state: Mutex<SimulationState>,
}

impl Simulation {
    /// Two square bridges and no bulb.
    pub(crate) fn new() -> Self {
        let bridges = (0..2).map(SimulatedBridge::square).collect();
        Self {
            begin: Instant::now(),
            state: Mutex::new(SimulationState {
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

    fn state(&self) -> MutexGuard<'_, SimulationState> {
        self.state.lock().unwrap()
    }

    /// Adds a bulb and returns its number. One that belongs to a bridge is listed there.
    pub(crate) fn bulb(&self, owner: BulbOwner, near: Option<usize>) -> usize {
        let mut state = self.state();
        let bulb = state.bulbs.len();
        state.bulbs.push(SimulatedBulb {
            owner,
            serial: format!("45AF{bulb:02X}"),
            has_power: true,
            near,
        });
        if let BulbOwner::Bridge(at) = owner {
            state.bridges[at].list(bulb, &format!("Lamp {bulb}"));
        }
        bulb
    }

    /// Lets a bridge list a bulb.
    pub(crate) fn list(&self, bridge: usize, bulb: usize) {
        self.state().bridges[bridge].list(bulb, "");
    }

    pub(crate) fn change_bulb(&self, bulb: usize, change: impl FnOnce(&mut SimulatedBulb)) {
        change(&mut self.state().bulbs[bulb]);
    }

    pub(crate) fn change(&self, bridge: usize, change: impl FnOnce(&mut SimulatedBridge)) {
        change(&mut self.state().bridges[bridge]);
    }

    pub(crate) fn owner(&self, bulb: usize) -> BulbOwner {
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

    pub(crate) fn fail(&self, call: &str, fault: CallFault) {
        self.state().faults.push((call.to_owned(), fault));
    }

    pub(crate) fn fail_nth(&self, number: usize, fault: CallFault) {
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

    pub(crate) fn transport(&self, bridge: usize) -> SimulatedTransport<'_> {
        SimulatedTransport {
            simulation: self,
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
pub(crate) struct SimulatedTransport<'w> {
    simulation: &'w Simulation,
    number: usize,
}

impl SimulatedTransport<'_> {
    pub(crate) fn bridge(&self) -> BridgeClient<'_, Self> {
        let config = self.simulation.state().bridges[self.number]
            .config
            .to_string();
        let identity = BridgeIdentity::parse(config.as_bytes()).unwrap();
        let key: AppKey = KEY.parse().unwrap();
        let address = format!("192.0.2.{}", self.number + 10);
        BridgeClient::new(self, identity, address, Some(key))
    }

    fn silent(&self, reason: HueNoReplyReason) -> HueError {
        HueError::NoReply {
            at: format!("192.0.2.{}", self.number + 10),
            reason,
        }
    }
}

impl HueTransport for SimulatedTransport<'_> {
    async fn send(
        &self,
        request: &HueRequest,
        key: Option<&AppKey>,
    ) -> Result<BridgeReply, HueError> {
        if !self.simulation.state().happens() {
            return pending().await;
        }
        let path = match &request.target {
            RequestTarget::Public(path) | RequestTarget::Keyed(path) | RequestTarget::V2(path) => {
                path.clone()
            }
        };
        let body = request.body.clone().unwrap_or_default();
        let line = format!("{} {} {path} {body}", self.number, request.method);
        let fault = self.simulation.state().note(line.trim_end());
        let is_known = matches!(request.target, RequestTarget::Public(_))
            || key.is_some_and(|key| key.expose() == KEY);
        let reply = match fault {
            Some(CallFault::Reply(status, body)) => Ok((status, body)),
            Some(CallFault::Lost(reason)) => Err(self.silent(reason)),
            Some(CallFault::Busy) => Err(HueError::Busy {
                at: "192.0.2.10".to_owned(),
                status: 503,
            }),
            Some(CallFault::AnswerLost(reason)) => {
                let _ = self
                    .simulation
                    .state()
                    .serve(self.number, request.method, &path, &body);
                Err(self.silent(reason))
            }
            None if !is_known => Ok((200, error(1, &path))),
            None => Ok((
                200,
                self.simulation
                    .state()
                    .serve(self.number, request.method, &path, &body),
            )),
        };
        if !self.simulation.state().happens() {
            return pending().await;
        }
        reply.map(|(status, body)| BridgeReply {
            status,
            body: body.into_bytes(),
        })
    }

    async fn touchlink(&self) -> Result<TouchlinkOutcome, HueError> {
        if !self.simulation.state().happens() {
            return pending().await;
        }
        let fault = self
            .simulation
            .state()
            .note(&format!("{} [Link,Touchlink]", self.number));
        if let Some(CallFault::Lost(reason)) = fault {
            return Err(self.silent(reason));
        }
        let port = self.simulation.state().bridges[self.number].port_30000;
        let outcome = match port {
            None => Err(self.silent(HueNoReplyReason::Refused)),
            Some(TouchlinkPort::Failing) => Ok(TouchlinkOutcome::Failed("failed".to_owned())),
            Some(TouchlinkPort::Boasting) => Ok(TouchlinkOutcome::Captured(String::new())),
            Some(TouchlinkPort::Silent) => {
                self.simulation.state().touchlink(self.number);
                Ok(TouchlinkOutcome::Unknown)
            }
            Some(TouchlinkPort::Honest) => {
                Ok(match self.simulation.state().touchlink(self.number) {
                    true => TouchlinkOutcome::Captured("NwkAddr=0x0002,pan=0x1234".to_owned()),
                    false => TouchlinkOutcome::Failed("failed".to_owned()),
                })
            }
        };
        if !self.simulation.state().happens() {
            return pending().await;
        }
        outcome
    }

    async fn sleep(&self, time: Duration) {
        if !self.simulation.state().happens() {
            return pending().await;
        }
        let mut state = self.simulation.state();
        // Radio does not wait for who asks.
        let end = state.now + time;
        while state.now < end {
            state.now = end.min(state.now + Duration::from_secs(1));
            state.join();
        }
    }

    fn now(&self) -> Instant {
        self.simulation.begin + self.simulation.elapsed()
    }
}

impl Journal for Simulation {
    fn records(&self) -> io::Result<Vec<MoveRecord>> {
        Ok(self.state().records.clone())
    }

    fn save(&self, record: &MoveRecord) -> io::Result<()> {
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

    fn remove(&self, record: &MoveRecord) -> io::Result<()> {
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

impl SimulationState {
    /// Counts, and tells whether the run still goes on.
    fn happens(&mut self) -> bool {
        self.happened += 1;
        self.ends_after.is_none_or(|last| self.happened <= last)
    }

    /// Writes the call down and returns what goes wrong with it.
    fn note(&mut self, line: &str) -> Option<CallFault> {
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

//! A proxy between a command and a bridge, which counts the requests and can kill the command at one of them.
//!
//! It is for a bridge in the clear (bsb001): each call has a connection of its own, so a connection is a call.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The moment at which the command is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillPoint {
    /// Before the bridge has seen the call.
    Before,
    /// After the bridge has done it, before the command knows.
    After,
}

/// The shared state of the proxies of a test.
#[derive(Debug, Default)]
pub struct Interceptor {
    state: Mutex<InterceptorState>,
}

#[derive(Debug, Default)]
struct InterceptorState {
    calls: Vec<String>,
    /// At which call, when, and whom.
    end: Option<(usize, KillPoint)>,
    victim: Option<Pid>,
    /// Addresses that no longer reply.
    away: Vec<String>,
    /// True if nothing is passed on after a `DELETE`.
    holds: bool,
}

impl InterceptorState {
    fn is_behind_the_delete(&self) -> bool {
        let mut behind = self
            .calls
            .iter()
            .skip_while(|call| !call.starts_with("DELETE"));
        behind.nth(1).is_some()
    }
}

impl Interceptor {
    /// Ends the command at the call of this number, counted from now on.
    pub fn end_at(&self, call: usize, when: KillPoint) {
        let mut state = self.state.lock().unwrap();
        state.calls.clear();
        state.end = Some((call, when));
    }

    /// Says who is to be ended.
    pub fn victim(&self, process: u32) {
        self.state.lock().unwrap().victim = Some(Pid::from_raw(i32::try_from(process).unwrap()));
    }

    /// Keeps the command waiting at its first call behind a `DELETE`.
    pub fn hold_behind_the_delete(&self) {
        self.state.lock().unwrap().holds = true;
    }

    /// Tells whether there was a request after a `DELETE`, whose result is known and recorded then.
    pub fn is_behind_the_delete(&self) -> bool {
        self.state.lock().unwrap().is_behind_the_delete()
    }

    fn holds(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.holds && state.is_behind_the_delete()
    }

    /// Lets everything through again but what was held.
    pub fn relent(&self) {
        let mut state = self.state.lock().unwrap();
        state.holds = false;
        state.end = None;
        state.victim = None;
    }

    /// Lets nobody through at this place any more, as a bridge that was sold.
    pub fn leave(&self, here: &str) {
        self.state.lock().unwrap().away.push(here.to_owned());
    }

    fn is_away(&self, here: &str) -> bool {
        self.state
            .lock()
            .unwrap()
            .away
            .iter()
            .any(|away| away == here)
    }

    /// The calls so far, `METHOD /path`, without the key.
    pub fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    /// Notes a call, and returns when to end the command at it.
    fn count(&self, call: String) -> Option<KillPoint> {
        let mut state = self.state.lock().unwrap();
        state.calls.push(call);
        let number = state.calls.len() - 1;
        let end = state.end.filter(|(at, _)| *at == number);
        end.map(|(_, when)| when)
    }

    fn strike(&self) {
        for _ in 0..1000 {
            let victim = self.state.lock().unwrap().victim;
            if let Some(victim) = victim {
                kill(victim, Signal::SIGKILL).unwrap();
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nobody to end");
    }
}

/// Stands at `here` for the bridge at `there`. It ends with the test's process; its network goes with the test's thread.
pub fn stand(here: &str, there: &str, interceptor: &Arc<Interceptor>) {
    let listener = TcpListener::bind(here).unwrap();
    let (here, there) = (here.to_owned(), there.to_owned());
    let interceptor = Arc::clone(interceptor);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            if interceptor.is_away(&here) {
                continue;
            }
            let (interceptor, there) = (Arc::clone(&interceptor), there.clone());
            // The bridge may be gone by then.
            std::thread::spawn(move || drop(pass(client, &there, &interceptor)));
        }
    });
}

fn pass(mut client: TcpStream, there: &str, interceptor: &Interceptor) -> io::Result<()> {
    let request = request(&mut client)?;
    let when = interceptor.count(line(&request));
    if when == Some(KillPoint::Before) {
        interceptor.strike();
        return Ok(());
    }
    if interceptor.holds() {
        while interceptor.holds() {
            std::thread::sleep(Duration::from_millis(5));
        }
        return Ok(());
    }
    let mut bridge = TcpStream::connect(there)?;
    bridge.write_all(&request)?;
    let mut reply = Vec::new();
    bridge.read_to_end(&mut reply)?;
    if when == Some(KillPoint::After) {
        interceptor.strike();
        return Ok(());
    }
    client.write_all(&reply)?;
    client.shutdown(Shutdown::Both)
}

/// One whole request, which the bridge is asked to close after.
fn request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    client.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, length)| length.trim().parse().unwrap());
            if body.len() >= length {
                return Ok(closing(head, body).into_bytes());
            }
        }
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend(&buffer[..read]),
        }
    }
}

fn closing(head: &str, body: &str) -> String {
    let lines = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: Vec<&str> = lines.collect();
    format!("{}\r\nConnection: close\r\n\r\n{body}", head.join("\r\n"))
}

/// The method and the path behind the key.
fn line(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let mut words = text.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let parts: Vec<&str> = path.splitn(4, '/').collect();
    match parts.as_slice() {
        ["", "api", _, rest] => format!("{method} /{rest}"),
        _ => format!("{method} {path}"),
    }
}

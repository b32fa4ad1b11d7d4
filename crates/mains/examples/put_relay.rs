//! Measures the time from `PUT relay` until the relay has moved, beside a bare TCP exchange with the same plug. `scripts/measure`
//! runs it while a thousand plugs are metered.
//!
//! Usage: `put_relay <HUB ADDRESS:PORT> <TOKEN FILE> <MAC> <PLUG ADDRESS> <RUNS>`
//!
//! Prints one line: the median and the 99th percentile of both, in microseconds, and their ratio.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);
const USAGE: &str = "usage: put_relay <HUB ADDRESS:PORT> <TOKEN FILE> <MAC> <PLUG ADDRESS> <RUNS>";

#[expect(clippy::print_stdout, reason = "the line is what the program is for")]
fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [hub, token, mac, plug, runs] = words.as_slice() else {
        return Err(Error::new(ErrorKind::InvalidInput, USAGE));
    };
    let usage = |_| Error::new(ErrorKind::InvalidInput, USAGE);
    let plug: Ipv4Addr = plug.parse().map_err(|_| usage(()))?;
    let runs: usize = runs.parse().map_err(|_| usage(()))?;
    let address: SocketAddr = hub.parse().map_err(|_| usage(()))?;
    let token = std::fs::read_to_string(token)?;
    let mut hub = Hub::connect(address, token.trim(), mac)?;
    let (mut put, mut bare) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let state = if run % 2 == 0 { "on" } else { "off" };
        put.push(timed(|| hub.put(state))?);
        // A person does not switch a thousand times a second either.
        std::thread::sleep(Duration::from_millis(5));
        bare.push(timed(|| exchange(plug, state))?);
        std::thread::sleep(Duration::from_millis(5));
    }
    let (put, bare) = (Spread::of(put), Spread::of(bare));
    println!(
        "PUT relay: p50 {} us, p99 {} us; bare TCP exchange: p50 {} us, p99 {} us; ratio of the medians {:.2}",
        put.median.as_micros(),
        put.late.as_micros(),
        bare.median.as_micros(),
        bare.late.as_micros(),
        put.median.as_secs_f64() / bare.median.as_secs_f64(),
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<Duration> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

struct Spread {
    median: Duration,
    late: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: usize| {
            let index = times.len() * share / 100;
            times.get(index).copied().unwrap_or_default()
        };
        Self {
            median: at(50),
            late: at(99),
        }
    }
}

/// A connection to the hub that is kept open, as by a browser or a home automation.
struct Hub {
    stream: TcpStream,
    head: String,
}

impl Hub {
    fn connect(address: SocketAddr, token: &str, mac: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let head = format!(
            "PUT /api/v1/plugs/{mac}/relay HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\n"
        );
        Ok(Self { stream, head })
    }

    fn put(&mut self, state: &str) -> std::io::Result<()> {
        let body = format!("{{\"state\":\"{state}\"}}");
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.write_all(request.as_bytes())?;
        let answer = self.answer()?;
        let is_done = answer.starts_with("HTTP/1.1 200") && answer.contains("\"confirmed\":true");
        is_done
            .then_some(())
            .ok_or_else(|| Error::other(format!("not switched: {answer}")))
    }

    /// Reads the whole reply; the hub states its length.
    fn answer(&mut self) -> std::io::Result<String> {
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let length = self.stream.read(&mut chunk)?;
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend(chunk.iter().take(length));
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let announced = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if announced.is_some_and(|length| body.len() >= length) {
                return Ok(text.into_owned());
            }
        }
    }
}

/// The minimum that moves the relay: one connection, one command, one reply.
fn exchange(plug: Ipv4Addr, state: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((plug, 8899))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let state = state.to_ascii_uppercase();
    stream.write_all(format!("AT+YZSWITCH=1,{state},201410292146\r\n").as_bytes())?;
    let mut reply = Vec::new();
    let mut chunk = [0; 256];
    while !reply.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        reply.extend(chunk.iter().take(length));
    }
    if reply.starts_with(b"+ok") {
        Ok(())
    } else {
        Err(Error::other("refused"))
    }
}

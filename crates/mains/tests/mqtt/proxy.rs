//! A socket between hub and broker that delays, swallows or replaces what passes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::broker::PORT;

/// Port on which the hub finds it.
pub const PROXY_PORT: u16 = 1884;

/// The lines in `[mqtt]` for a hub that connects through it.
pub const THROUGH_PROXY: &str = "url = \"mqtt://127.0.0.1:1884\"";

/// The faults of a proxy.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// Passes a few bytes at a time to the broker, with a pause after each.
    pub is_slow: AtomicBool,
    /// Keeps back all that the broker sends.
    pub swallows_replies: AtomicBool,
    /// Refuses MQTT 5 as a broker of 3.1.1 does.
    pub refuses_5: AtomicBool,
    /// Number of connections so far.
    pub connections: AtomicUsize,
}

/// Starts a proxy to the broker; it ends with the test's process.
pub fn start(behaviour: Arc<Behaviour>) {
    let listener = TcpListener::bind(("127.0.0.1", PROXY_PORT)).unwrap();
    // The thread stays in the network of the test.
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            behaviour.connections.fetch_add(1, Ordering::Relaxed);
            let behaviour = Arc::clone(&behaviour);
            std::thread::spawn(move || pass(stream, &behaviour));
        }
    });
}

fn pass(mut hub: TcpStream, behaviour: &Arc<Behaviour>) {
    let mut first = [0; 1024];
    let Ok(length) = hub.read(&mut first) else {
        return;
    };
    // After the fixed header of two bytes: the protocol's name, then its level.
    if behaviour.refuses_5.load(Ordering::Relaxed) && first.get(8) == Some(&5) {
        let _ = hub.write_all(&[0x20, 2, 0, 1]);
        return;
    }
    let Ok(mut broker) = TcpStream::connect(("127.0.0.1", PORT)) else {
        return;
    };
    broker.write_all(&first[..length]).unwrap();
    let (mut from_broker, mut to_hub) = (broker.try_clone().unwrap(), hub.try_clone().unwrap());
    let other = Arc::clone(behaviour);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = from_broker.read(&mut buffer)
            && length > 0
        {
            if !other.swallows_replies.load(Ordering::Relaxed)
                && to_hub.write_all(&buffer[..length]).is_err()
            {
                break;
            }
        }
        let _ = to_hub.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 4096];
    loop {
        let is_slow = behaviour.is_slow.load(Ordering::Relaxed);
        let part = if is_slow { 64 } else { buffer.len() };
        match hub.read(&mut buffer[..part]) {
            Ok(length) if length > 0 && broker.write_all(&buffer[..length]).is_ok() => {}
            _ => break,
        }
        if is_slow {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let _ = broker.shutdown(Shutdown::Both);
}

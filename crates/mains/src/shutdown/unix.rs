//! SIGINT, SIGTERM and SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Failure;

/// Receiver of SIGINT, SIGTERM and SIGHUP from the moment of its creation.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where hang-ups are ignored, as `nohup` asks for.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Begins to listen; from now on these signals do not end the process by themselves.
    pub fn listen() -> Result<Self, Failure> {
        Self::listen_to(!ignores_hang_up())
    }

    /// Begins to listen, to hang-ups also where they are ignored.
    pub fn listen_to_all() -> Result<Self, Failure> {
        Self::listen_to(true)
    }

    fn listen_to(hang_ups: bool) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::local("signals cannot be listened to").caused_by(&error))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: hang_ups.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for the first of them, and returns its name.
    pub async fn next(&mut self) -> &'static str {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            () = hang_up => "the closing of the terminal",
        }
    }
}

/// Returns true if the process was started with hang-ups ignored.
fn ignores_hang_up() -> bool {
    // The mask of ignored signals, of which SIGHUP is the first.
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    async fn a_hang_up_ends_like_the_others() {
        if ignores_hang_up() {
            return;
        }
        let mut signals = Signals::listen().unwrap();
        raise(Signal::SIGHUP).unwrap();
        let received = tokio::time::timeout(Duration::from_secs(20), signals.received());
        received.await.unwrap();
    }
}

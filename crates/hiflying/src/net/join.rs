//! A join over a socket.

use std::net::Ipv4Addr;
use std::time::Instant;

use super::Port;
use super::drive::Line;
use crate::join::{Join, JoinConfig, JoinEvent, JoinFailure, JoinOutcome};

/// How to go on after an event of a join.
#[derive(Debug)]
pub enum Resume {
    /// On the same port.
    Here,
    /// On another one, because the address on the module's access point is a new one.
    On(Port),
    /// Not at all: the module's access point cannot be joined again.
    GiveUp,
}

/// Puts the module at `target` on a network.
///
/// `on_event` hears everything that happens; the last, [`JoinEvent::Done`] or
/// [`JoinEvent::Failed`], is the result instead. At a [`JoinEvent::Rejoin`] it must connect to the
/// module's access point again before it returns; nothing is sent meanwhile. What it returns
/// matters then only.
///
/// Once `cancel` is done, the join writes back what was there before and ends with
/// [`JoinError::Cancelled`](crate::join::JoinError::Cancelled). Dropping the future instead leaves
/// the module as it is, but for a last `AT+Q`.
///
/// ```no_run
/// use hiflying::join::{JoinConfig, JoinEvent};
/// use hiflying::net::{Port, Resume, join};
/// use hiflying::{ACCESS_POINT_ADDRESS, Key, Ssid};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let port = Port::bind([10, 10, 100, 150].into()).await?;
/// let config = JoinConfig::new(Ssid::new("home")?, Some(Key::new("secret12")));
/// let outcome = join(port, ACCESS_POINT_ADDRESS, config, std::future::pending(), async |event| {
///     if let JoinEvent::Step(step) = event {
///         println!("{}", step.name);
///     }
///     Resume::Here
/// })
/// .await?;
/// println!("look for {}", outcome.mac);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`JoinFailure`] tells why, and in which state the module is left.
pub async fn join(
    port: Port,
    target: Ipv4Addr,
    config: JoinConfig,
    cancel: impl Future<Output = ()>,
    mut on_event: impl AsyncFnMut(JoinEvent) -> Resume,
) -> Result<JoinOutcome, JoinFailure> {
    let mut driver = Driver {
        line: Line::new(port, target),
        join: Join::new(config, target, Instant::now()),
    };
    let mut cancel = std::pin::pin!(cancel);
    let mut cancelled = false;
    loop {
        let event = tokio::select! {
            biased;
            () = &mut cancel, if !cancelled => None,
            event = driver.next() => Some(event),
        };
        match event {
            None => {
                cancelled = true;
                driver.join.cancel(Instant::now());
            }
            Some(JoinEvent::Done(outcome)) => return Ok(*outcome),
            Some(JoinEvent::Failed(failure)) => return Err(*failure),
            Some(event @ JoinEvent::Rejoin(_)) => {
                let resume = on_event(event).await;
                driver.resume(resume, target);
            }
            Some(event) => {
                on_event(event).await;
            }
        }
    }
}

/// Leaves command mode however it ends.
struct Driver {
    line: Line,
    join: Join,
}

impl Driver {
    async fn next(&mut self) -> JoinEvent {
        loop {
            match self.line.drive(&mut self.join, Join::poll_event).await {
                Ok(event) => return event,
                Err(error) => {
                    tracing::warn!(%error, "the socket is gone");
                    self.join.give_up(Instant::now());
                }
            }
        }
    }

    fn resume(&mut self, resume: Resume, target: Ipv4Addr) {
        let now = Instant::now();
        match resume {
            Resume::Here => self.join.resume(now),
            Resume::On(port) => {
                self.line = Line::new(port, target);
                self.join.resume(now);
            }
            Resume::GiveUp => self.join.give_up(now),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.join.abandon(Instant::now());
        self.line.flush_now(&mut self.join);
    }
}

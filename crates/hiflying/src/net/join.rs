//! A join over a socket.

use std::net::Ipv4Addr;
use std::time::Instant;

use super::UdpPort;
use super::drive::PeerSocket;
use crate::join::{Join, JoinConfig, JoinEvent, JoinFailure, JoinOutcome};

/// Continuation after a [`JoinEvent::Rejoin`].
#[derive(Debug)]
pub enum Resume {
    /// Continue on the same port.
    SamePort,
    /// Continue on another port, because this computer has a new address on the module's access point.
    NewPort(UdpPort),
    /// Give up: the module's access point cannot be joined again.
    GiveUp,
}

/// Puts the module at `target` on a network.
///
/// `on_event` gets every event but the last, [`JoinEvent::Done`] or [`JoinEvent::Failed`], which is the
/// result instead. On a [`JoinEvent::Rejoin`] it must connect to the module's access point again before
/// it returns; nothing is sent meanwhile. Its result counts for that event only.
///
/// Once `cancel` is ready, the join writes back the previous settings and ends with
/// [`JoinError::Cancelled`](crate::join::JoinError::Cancelled). Dropping the future instead leaves
/// the module as it is, but for a last `AT+Q`.
///
/// ```no_run
/// use hiflying::join::{JoinConfig, JoinEvent};
/// use hiflying::net::{UdpPort, Resume, join};
/// use hiflying::{ACCESS_POINT_ADDRESS, WifiKey, Ssid};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let port = UdpPort::bind([10, 10, 100, 150].into()).await?;
/// let config = JoinConfig::new(Ssid::new("home")?, Some(WifiKey::new("secret12")));
/// let outcome = join(port, ACCESS_POINT_ADDRESS, config, std::future::pending(), async |event| {
///     if let JoinEvent::Step(step) = event {
///         println!("{}", step.name);
///     }
///     Resume::SamePort
/// })
/// .await?;
/// println!("look for {}", outcome.mac);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`JoinFailure`], with the state in which the module is left.
pub async fn join(
    port: UdpPort,
    target: Ipv4Addr,
    config: JoinConfig,
    cancel: impl Future<Output = ()>,
    mut on_event: impl AsyncFnMut(JoinEvent) -> Resume,
) -> Result<JoinOutcome, JoinFailure> {
    let mut driver = JoinDriver {
        line: PeerSocket::new(port, target),
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

/// A join and its socket, which leaves command mode when dropped.
struct JoinDriver {
    line: PeerSocket,
    join: Join,
}

impl JoinDriver {
    async fn next(&mut self) -> JoinEvent {
        loop {
            match self.line.drive(&mut self.join, Join::poll_event).await {
                Ok(event) => return event,
                Err(error) => {
                    tracing::warn!(%error, "the socket failed");
                    self.join.give_up(Instant::now());
                }
            }
        }
    }

    fn resume(&mut self, resume: Resume, target: Ipv4Addr) {
        let now = Instant::now();
        match resume {
            Resume::SamePort => self.join.resume(now),
            Resume::NewPort(port) => {
                self.line = PeerSocket::new(port, target);
                self.join.resume(now);
            }
            Resume::GiveUp => self.join.give_up(now),
        }
    }
}

impl Drop for JoinDriver {
    fn drop(&mut self) {
        self.join.abandon(Instant::now());
        self.line.flush_now(&mut self.join);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::net::UdpSocket;

    use super::*;
    use crate::PORT;
    use crate::join::{JoinError, ModuleState, RejoinReason};
    use crate::testing::{ScriptedModule, ms};
    use crate::wifi::{Ssid, WifiKey, WifiSecurity};

    fn config(key: &str) -> JoinConfig {
        JoinConfig {
            security: WifiSecurity::Wpa2,
            link_timeout: Duration::from_millis(700),
            ..JoinConfig::new(Ssid::new("home").unwrap(), Some(WifiKey::new(key)))
        }
    }

    /// Puts the scripted module on a real socket; it answers port 48899 of the sender.
    async fn serve(address: Ipv4Addr) -> Arc<Mutex<ScriptedModule>> {
        let module = Arc::new(Mutex::new(ScriptedModule::with(|module| {
            module.restart_takes = ms(700);
            module.link_takes = ms(200);
        })));
        let socket = UdpSocket::bind((address, PORT)).await.unwrap();
        let served = Arc::clone(&module);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let replies = served
                    .lock()
                    .unwrap()
                    .handle(Instant::now(), &buffer[..length]);
                for (_, reply) in replies {
                    socket.send_to(&reply, (from.ip(), PORT)).await.unwrap();
                }
            }
        });
        module
    }

    #[tokio::test]
    async fn over_real_sockets_and_a_new_address_on_the_way() {
        let target = Ipv4Addr::new(127, 62, 1, 2);
        let module = serve(target).await;
        let port = UdpPort::bind(Ipv4Addr::new(127, 62, 1, 1)).await.unwrap();
        let mut rejoins = Vec::new();
        let outcome = join(
            port,
            target,
            config("secret12"),
            std::future::pending(),
            async |event| {
                let JoinEvent::Rejoin(reason) = event else {
                    return Resume::SamePort;
                };
                rejoins.push(reason);
                Resume::NewPort(UdpPort::bind(Ipv4Addr::new(127, 62, 1, 3)).await.unwrap())
            },
        )
        .await
        .unwrap();
        assert_eq!(
            outcome.lease.unwrap().address,
            Ipv4Addr::new(192, 168, 1, 123)
        );
        assert_eq!(rejoins, [RejoinReason::Proof]);
        assert_eq!(module.lock().unwrap().mode(), "STA");
    }

    #[tokio::test]
    async fn a_wrong_key_and_the_way_back() {
        let target = Ipv4Addr::new(127, 62, 2, 2);
        let module = serve(target).await;
        let port = UdpPort::bind(Ipv4Addr::new(127, 62, 2, 1)).await.unwrap();
        let never = std::future::pending();
        let failure = join(port, target, config("wrongkey"), never, async |_| {
            Resume::SamePort
        })
        .await
        .unwrap_err();
        assert!(
            matches!(failure.error, JoinError::WrongKey { .. }),
            "{failure:?}"
        );
        assert_eq!(failure.left, ModuleState::Restored);
        assert_eq!(module.lock().unwrap().mode(), "AP");
    }

    #[tokio::test]
    async fn stopped_in_the_middle() {
        let target = Ipv4Addr::new(127, 62, 3, 2);
        let module = serve(target).await;
        let port = UdpPort::bind(Ipv4Addr::new(127, 62, 3, 1)).await.unwrap();
        let cancel = tokio::time::sleep(ms(300));
        let failure = join(port, target, config("secret12"), cancel, async |_| {
            Resume::SamePort
        })
        .await
        .unwrap_err();
        assert_eq!(failure.error, JoinError::Cancelled);
        assert_eq!(failure.left, ModuleState::Restored);
        // The module's task has still to hear the last command.
        let has_ended = || {
            let module = module.lock().unwrap();
            let last = module.log.last();
            last.is_some_and(|last| last.starts_with("AT+Q"))
        };
        let heard = async {
            while !has_ended() {
                tokio::time::sleep(ms(5)).await;
            }
        };
        tokio::time::timeout(ms(10_000), heard).await.unwrap();
        let module = module.lock().unwrap();
        assert_eq!(
            (module.mode().as_str(), module.setting("WSSSID").as_str()),
            ("AP", "factory")
        );
    }

    #[tokio::test]
    async fn a_caller_that_cannot_come_back() {
        let target = Ipv4Addr::new(127, 62, 4, 2);
        let _module = serve(target).await;
        let port = UdpPort::bind(Ipv4Addr::new(127, 62, 4, 1)).await.unwrap();
        let never = std::future::pending();
        let failure = join(port, target, config("secret12"), never, async |_| {
            Resume::GiveUp
        })
        .await
        .unwrap_err();
        assert_eq!(
            (failure.error, failure.left),
            (JoinError::NotBack, ModuleState::Unknown)
        );
    }
}

//! Automatic adoption. Anyone on the network can make up plugs, so it is bounded: by address, by the minute, and more narrowly for
//! what does not reply over TCP.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use plugs::Plug;
use plugs::exchange::PlugTransport;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::state::RegistryState;

/// Maximum number of adoptions in a minute of plugs that reply over TCP.
const MAX_REPLYING: u32 = 1_200;
/// Maximum number of adoptions in a minute of plugs that do not.
const MAX_SILENT: u32 = 2;
const MINUTE: Duration = Duration::from_secs(60);
/// Maximum number of plugs checked at the same time.
const MAX_CHECKS: usize = 64;
/// Maximum time for a plug to accept a connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of addresses that are remembered as checked.
const MAX_CHECKED: usize = 4_096;

/// Number of adoptions that are left in this minute.
#[derive(Debug)]
struct AdoptionBudget {
    max: u32,
    left: u32,
    since: Instant,
}

impl AdoptionBudget {
    fn new(max: u32, now: Instant) -> Self {
        Self {
            max,
            left: max,
            since: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        if now - self.since >= MINUTE {
            *self = Self::new(self.max, now);
        }
        let has_room = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_room
    }
}

/// Adopts the plugs that are heard.
pub(super) struct Newcomers {
    inner: Arc<RegistryState>,
    /// Checks in progress, with their results.
    checks: JoinSet<(Plug, bool)>,
    /// Addresses that were checked, and the time.
    checked: HashMap<Ipv4Addr, Instant>,
    replying: AdoptionBudget,
    silent: AdoptionBudget,
}

impl Newcomers {
    pub(super) fn new(inner: Arc<RegistryState>) -> Self {
        let now = Instant::now();
        Self {
            inner,
            checks: JoinSet::new(),
            checked: HashMap::new(),
            replying: AdoptionBudget::new(MAX_REPLYING, now),
            silent: AdoptionBudget::new(MAX_SILENT, now),
        }
    }

    /// Adopts until the hub ends.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Plug>) {
        let cancel = self.inner.cancel.clone();
        let taking = async {
            loop {
                tokio::select! {
                    Some(checked) = self.checks.join_next() => {
                        if let Ok((plug, replies)) = checked {
                            self.adopt_checked(plug, replies).await;
                        }
                    }
                    Some(plug) = waiting.recv(), if self.checks.len() < MAX_CHECKS => {
                        self.consider(plug).await;
                    }
                    else => break,
                }
            }
        };
        cancel.run_until_cancelled(taking).await;
    }

    /// Adopts a plug that the owner has named; checks any other.
    async fn consider(&mut self, plug: Plug) {
        if self.inner.names.contains_key(&plug.mac) {
            return self.adopt(plug).await;
        }
        let now = Instant::now();
        let last = self.checked.get(&plug.address);
        if last.is_some_and(|last| now - *last < MINUTE) {
            return;
        }
        if self.checked.len() >= MAX_CHECKED {
            self.checked.retain(|_, last| now - *last < MINUTE);
        }
        if self.checked.len() >= MAX_CHECKED {
            return;
        }
        self.checked.insert(plug.address, now);
        let family = self.inner.lan.families().get(plug.family);
        let port = match family.and_then(plugs::Family::transport) {
            Some(PlugTransport::Tcp { port }) => Some(port),
            _ => None,
        };
        self.checks.spawn(async move {
            let replies = match port {
                Some(port) => {
                    let connect = TcpStream::connect((plug.address, port));
                    matches!(timeout(CHECK_TIMEOUT, connect).await, Ok(Ok(_)))
                }
                // It has connected to us, or uses UDP alone.
                None => true,
            };
            (plug, replies)
        });
    }

    async fn adopt_checked(&mut self, plug: Plug, replies: bool) {
        let budget = match replies {
            true => &mut self.replying,
            false => &mut self.silent,
        };
        let entries = self.inner.entries();
        let mut others = entries
            .iter()
            .filter(|entry| entry.address() == plug.address);
        let is_taken = others.any(|entry| entry.is_here());
        if is_taken || !budget.take(Instant::now()) {
            tracing::debug!(plug = %plug.mac, is_taken, replies, "not adopted now");
            return;
        }
        self.adopt(plug).await;
    }

    async fn adopt(&self, plug: Plug) {
        let mac = plug.mac;
        if let Err(error) = self.inner.take_in(plug).await {
            tracing::warn!(plug = %mac, %error, "cannot be adopted");
        }
    }
}

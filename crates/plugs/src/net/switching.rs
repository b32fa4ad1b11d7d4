//! Switching and confirming.
//!
//! A plug's `+ok` acknowledges the command. Only a report of the plug shows whether the relay moved; so the plug is probed
//! until it reports the commanded position, long enough for slow relays. The command is idempotent and repeated once, unless it was
//! confirmed: a report that contradicts it later is a move of its own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hiflying::Mac;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::handle::SharedPlug;
use super::presence::{AddressProbe, DEAF_TIMEOUT};
use super::task::{Identity, PlugTask};
use super::{ContactError, Lan, SwitchObserver, end_of};
use crate::command::{PlugCommand, PlugReply, Switched};
use crate::exchange::NoReplyReason;
use crate::plug::UNKNOWN_MAC;
use crate::{FamilyId, Plug, RelayCommand, RelayState};

/// Time after which the command is repeated, if the relay has not moved; long, because a repetition may make a slow plug start
/// over.
const REPEAT_DELAY: Duration = Duration::from_millis(2200);
/// Time that the relay may take after the command was repeated.
const RELAY_TIMEOUT: Duration = Duration::from_millis(2300);
/// Time without a reply to the command after which the relay is probed: only the reply may have been lost.
const DOUBT_DELAY: Duration = Duration::from_millis(400);
/// Time for which the relay is probed when the command was sent and no reply came.
const LAST_PROBE_TIMEOUT: Duration = Duration::from_millis(600);
/// Time for which a plug without a reply to a command is probed, to learn whether it is there.
const EXPLAIN_TIMEOUT: Duration = Duration::from_millis(600);
/// Time for which the relay is probed before it is toggled.
const STATE_TIMEOUT: Duration = Duration::from_millis(1500);
/// Maximum age of a reported state that is used without another probe.
const MAX_STATE_AGE: Duration = Duration::from_millis(250);
/// The delay after the first probe, and its bound; it doubles from probe to probe.
const FIRST_PROBE_INTERVAL: Duration = Duration::from_millis(10);
const MAX_PROBE_INTERVAL: Duration = Duration::from_millis(250);

impl PlugTask {
    /// Switches the plug, and reads its relay back until it is in the commanded position.
    pub(super) async fn switch(
        &mut self,
        action: RelayCommand,
        budget: Duration,
        observer: &mut dyn SwitchObserver,
    ) -> Result<Switched, ContactError> {
        let (start, deadline) = (Instant::now(), end_of(budget));
        self.identify(deadline, super::task::BLIND_DELAY).await?;
        self.allow(PlugCommand::Switch(RelayState::On))?;
        let mut relay = RelayWatch::begin(self).await?;
        self.require_hearing(&mut relay, deadline).await?;
        let wanted = match action {
            RelayCommand::On => RelayState::On,
            RelayCommand::Off => RelayState::Off,
            // Read once, so that a lost reply never toggles twice.
            RelayCommand::Toggle => relay.current(deadline).await?.toggled(),
        };
        relay.wanted = Some(wanted);
        if !observer.starting(wanted) {
            let address = relay.address();
            return Err(ContactError::Withdrawn { address });
        }
        if let Err(error) = self.send_and_confirm(&mut relay, wanted, deadline).await {
            return Err(relay.explained(error).await);
        }
        if let Identity::Silent(plug) = &mut self.identity
            && let Some(heard) = relay.heard.take()
        {
            **plug = heard;
        }
        Ok(Switched {
            relay: relay.state,
            confirmed: relay.is_confirmed(),
            elapsed: start.elapsed(),
        })
    }

    /// Runs a command, and tells a plug that takes no commands from one that is gone.
    pub(super) async fn run_explained(
        &mut self,
        command: PlugCommand,
        budget: Duration,
    ) -> Result<(Plug, PlugReply), ContactError> {
        match self.run_command(command, budget).await {
            Err(error) if matches!(self.identity, Identity::Known(_)) => {
                Err(RelayWatch::begin(self).await?.explained(error).await)
            }
            outcome => outcome,
        }
    }

    /// Ensures that the plug's relay can be read back, before it is switched.
    async fn require_hearing(
        &mut self,
        relay: &mut RelayWatch,
        deadline: Instant,
    ) -> Result<(), ContactError> {
        let address = relay.address();
        let network = self.lan.network(address);
        let family = self.lan.families().get(relay.family);
        let (Some(network), Some(family)) = (network, family) else {
            return Ok(());
        };
        let Some(error) = network.deaf_to(family) else {
            return Ok(());
        };
        // An odd one replies to the source port.
        match relay
            .until(deadline.min(Instant::now() + DEAF_TIMEOUT), |_| true)
            .await
        {
            true => Ok(()),
            false => Err(ContactError::PortTaken { address, error }),
        }
    }

    async fn send_and_confirm(
        &mut self,
        relay: &mut RelayWatch,
        wanted: RelayState,
        deadline: Instant,
    ) -> Result<(), ContactError> {
        let command = PlugCommand::Switch(wanted);
        let is_there = |state| state == wanted;
        let sent = self.connection.sent();
        let outcome = tokio::select! {
            biased;
            outcome = self.send(command, deadline) => Some(outcome),
            () = relay.in_doubt(sent, wanted) => None,
        };
        match outcome {
            None => return Ok(()),
            // A report that contradicts it shows a later move, e.g. by the plug's button. The reports get a moment to arrive, so that
            // those who follow them know of the switch before it is announced.
            Some(Ok(PlugReply::Confirmed)) => {
                let end = deadline.min(Instant::now() + MAX_PROBE_INTERVAL);
                relay.until(end, is_there).await;
                relay.state = Some(wanted);
                return Ok(());
            }
            Some(Ok(_)) => {}
            Some(Err(error))
                if self.connection.has_sent() && !matches!(error, ContactError::Refused { .. }) =>
            {
                // The reply got lost or cannot be understood, but perhaps not the command.
                let end = deadline.min(Instant::now() + LAST_PROBE_TIMEOUT);
                return match relay.until(end, is_there).await {
                    true => Ok(()),
                    false => Err(error),
                };
            }
            Some(Err(error)) => return Err(error),
        }
        let repeat = deadline.min(Instant::now() + REPEAT_DELAY);
        if relay.until(repeat, is_there).await || repeat >= deadline {
            return Ok(());
        }
        tracing::debug!(plug = %relay.mac, "accepted but not switched yet: repeated");
        let end = deadline.min(repeat + RELAY_TIMEOUT);
        let again = async {
            if let Err(error) = self.send(command, end).await {
                tracing::debug!(%error, "a repeated command failed");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = relay.until(end, is_there) => {}
            () = again => {}
        }
        Ok(())
    }
}

/// The relay of one plug, according to its reports from now on.
struct RelayWatch {
    lan: Lan,
    shared: Arc<SharedPlug>,
    family: FamilyId,
    mac: Mac,
    reports: RelayReports,
    begin: Instant,
    wanted: Option<RelayState>,
    state: Option<RelayState>,
    /// The last report.
    heard: Option<Plug>,
    /// `true` if another device was heard from the address.
    is_replaced: bool,
}

/// The source of reports.
enum RelayReports {
    /// Datagrams from the plug's address.
    Listened(AddressProbe),
    /// Reports that are passed in.
    Fed(watch::Receiver<Option<(Plug, Option<Instant>)>>),
}

impl RelayWatch {
    async fn begin(task: &mut PlugTask) -> Result<Self, ContactError> {
        let plug = task.identity.plug();
        let mut fed = task.shared.report.subscribe();
        fed.mark_unchanged();
        let reports = match task.is_fed {
            true => RelayReports::Fed(fed),
            false => {
                let families = task.lan.families().beside(plug.family);
                let probe = AddressProbe::new(&task.lan, plug.address, &families).await?;
                RelayReports::Listened(probe)
            }
        };
        Ok(Self {
            lan: task.lan.clone(),
            shared: Arc::clone(&task.shared),
            family: plug.family,
            mac: plug.mac,
            reports,
            begin: Instant::now(),
            wanted: None,
            state: None,
            heard: None,
            is_replaced: false,
        })
    }

    fn address(&self) -> Ipv4Addr {
        self.shared.last_address()
    }

    fn is_confirmed(&self) -> bool {
        self.wanted.is_some() && self.state == self.wanted
    }

    /// Returns the present state, probed unless it was just reported.
    async fn current(&mut self, deadline: Instant) -> Result<RelayState, ContactError> {
        let address = self.address();
        let last = self.shared.report.borrow().clone();
        let fresh = last.filter(|(plug, at)| {
            let age = at.map(|at| self.begin.saturating_duration_since(at));
            plug.mac == self.mac && age.is_some_and(|age| age <= MAX_STATE_AGE)
        });
        if let Some(relay) = fresh.and_then(|(plug, _)| plug.relay) {
            return Ok(relay);
        }
        self.until(deadline.min(Instant::now() + STATE_TIMEOUT), |_| true)
            .await;
        match (self.state, &self.heard) {
            (Some(state), _) => Ok(state),
            (None, Some(_)) => Err(ContactError::BadAnswer {
                address,
                reply: "no relay state".to_owned(),
            }),
            (None, None) => Err(ContactError::NoAnswer {
                address,
                how: match self.is_replaced {
                    true => NoReplyReason::Replaced,
                    false => NoReplyReason::NoReply,
                },
            }),
        }
    }

    /// Probes until the state is right, at the latest until `end`: often at first, then less often. Returns whether it is.
    async fn until(&mut self, end: Instant, is_right: impl Fn(RelayState) -> bool) -> bool {
        let mut interval = FIRST_PROBE_INTERVAL;
        loop {
            self.lan.probe(self.family, self.address()).await;
            let next = end.min(Instant::now() + interval);
            while let Ok(plug) = timeout_at(next, self.reports.next()).await {
                self.take(plug);
                if self.state.is_some_and(&is_right) {
                    return true;
                }
            }
            if next >= end {
                return false;
            }
            interval = (interval * 2).min(MAX_PROBE_INTERVAL);
        }
    }

    fn take(&mut self, plug: Plug) {
        // Another plug may have got this address just now.
        if plug.mac == self.mac || self.mac == UNKNOWN_MAC {
            // The reply of its module to another search has no relay, and says nothing of it.
            self.state = plug.relay.or(self.state);
            if let RelayReports::Listened(_) = self.reports {
                self.shared.note(plug.clone());
            }
            self.heard = Some(plug);
        } else {
            self.is_replaced = true;
        }
    }

    /// Returns the error of a command without a reply: a plug that is heard all the same is there, and only takes no commands.
    async fn explained(&mut self, error: ContactError) -> ContactError {
        match error {
            ContactError::NoAnswer { address, how } if self.is_heard_again().await => {
                ContactError::NoCommands { address, how }
            }
            error => error,
        }
    }

    /// Probes the plug once more, for a short time. Returns whether it has reported.
    async fn is_heard_again(&mut self) -> bool {
        if self.is_replaced || self.mac == UNKNOWN_MAC {
            return false;
        }
        self.heard = None;
        self.until(Instant::now() + EXPLAIN_TIMEOUT, |_| true).await;
        self.heard.is_some() && !self.is_replaced
    }

    /// Waits until a command without a reply turns out to have been carried out; possibly forever.
    async fn in_doubt(&mut self, mut sent: watch::Receiver<bool>, wanted: RelayState) {
        if sent.wait_for(|sent| *sent).await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(DOUBT_DELAY).await;
        while !self
            .until(Instant::now() + MAX_PROBE_INTERVAL, |state| state == wanted)
            .await
        {}
    }
}

impl RelayReports {
    async fn next(&mut self) -> Plug {
        match self {
            Self::Listened(probe) => probe.report().await,
            Self::Fed(reports) => loop {
                if reports.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                let report = reports.borrow_and_update().clone();
                if let Some((plug, _)) = report {
                    return plug;
                }
            },
        }
    }
}

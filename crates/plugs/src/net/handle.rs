//! The handle on one plug.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::ContactError;
use crate::command::{Minutes, PlugCommand, PlugReply, Switched};
use crate::{Plug, Reading, RelayCommand, RelayState};

/// Maximum number of commands that wait for one plug.
pub(super) const MAX_WAITING_COMMANDS: usize = 16;

/// Commands one plug, through the [`PlugTask`](super::PlugTask) that owns its connection. Clones command the same plug, one command
/// after the other.
///
/// A command that only reads is abandoned when its future is dropped; one that switches is completed once it has begun.
#[derive(Debug, Clone)]
pub struct PlugHandle {
    requests: mpsc::Sender<PlugRequest>,
    shared: Arc<SharedPlug>,
}

/// The target of commands.
#[derive(Debug, Clone)]
pub enum PlugTarget {
    /// A plug that was just heard.
    Heard(Box<Plug>),
    /// A plug that was heard at an address before; another device may now have it.
    Remembered(Box<Plug>),
    /// Any plug at an address.
    Address(Ipv4Addr),
}

impl PlugTarget {
    /// Returns the address.
    pub fn address(&self) -> Ipv4Addr {
        match self {
            Self::Heard(plug) | Self::Remembered(plug) => plug.address,
            Self::Address(address) => *address,
        }
    }
}

impl From<Plug> for PlugTarget {
    fn from(plug: Plug) -> Self {
        Self::Heard(Box::new(plug))
    }
}

impl From<Ipv4Addr> for PlugTarget {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address)
    }
}

/// Follows the connection to a plug. The methods return at once.
pub trait PlugObserver: fmt::Debug + Send + Sync {
    /// Notifies that the plug replied over its connection.
    fn replied(&self) {}

    /// Notifies that a connection was opened or closed.
    fn connection_changed(&self, _is_open: bool) {}

    /// Notifies that the plug has lost or closed its connection; it loses it when it restarts.
    fn connection_lost(&self) {}
}

impl PlugObserver for () {}

/// Follows one switch. The methods return at once.
pub trait SwitchObserver: fmt::Debug + Send {
    /// Notifies that the command's turn has come, before it is sent. Returns whether it still applies.
    fn starting(&mut self, relay: RelayState) -> bool;

    /// Notifies of the outcome, even when the caller is gone.
    fn finished(&mut self, _outcome: &Result<Switched, ContactError>) {}
}

impl SwitchObserver for () {
    fn starting(&mut self, _relay: RelayState) -> bool {
        true
    }
}

/// A request to a plug's task.
#[derive(Debug)]
pub(super) enum PlugRequest {
    /// Identifies the device, and opens the connection meanwhile.
    Identify {
        budget: Duration,
        reply: oneshot::Sender<Result<Plug, ContactError>>,
    },
    Switch {
        action: RelayCommand,
        budget: Duration,
        observer: Box<dyn SwitchObserver>,
        reply: oneshot::Sender<Result<Switched, ContactError>>,
    },
    Run {
        command: PlugCommand,
        budget: Duration,
        /// `true` if it yields to other requests when it takes long.
        is_background: bool,
        reply: oneshot::Sender<Result<(Plug, PlugReply), ContactError>>,
    },
    /// Checks whether the connection, if there is one, is still open.
    CheckConnection {
        budget: Duration,
        reply: oneshot::Sender<Result<(), ContactError>>,
    },
    Disconnect,
    /// Renews the plug's unsolicited reports.
    Resubscribe,
}

/// State that handles and the task of a plug share.
#[derive(Debug)]
pub(super) struct SharedPlug {
    /// The plug's last address, and `true` if it is still there.
    pub(super) place: watch::Sender<(Ipv4Addr, bool)>,
    /// The last report of the plug, and its time unless it is older than the task.
    pub(super) report: watch::Sender<Option<(Plug, Option<Instant>)>>,
}

impl PlugHandle {
    pub(super) fn new(requests: mpsc::Sender<PlugRequest>, shared: Arc<SharedPlug>) -> Self {
        Self { requests, shared }
    }

    /// Returns the plug's last address.
    pub fn address(&self) -> Ipv4Addr {
        self.shared.last_address()
    }

    /// Returns the plug as it was last heard; `None` when it was not heard yet.
    pub fn plug(&self) -> Option<Plug> {
        let report = self.shared.report.borrow();
        report.as_ref().map(|(plug, _)| plug.clone())
    }

    /// Identifies the device, and meanwhile opens the connection for the command that follows.
    ///
    /// # Errors
    ///
    /// [`ContactError`]; when another device has the plug's address, the connection is closed again.
    pub async fn identify(&self, budget: Duration) -> Result<Plug, ContactError> {
        self.request(|reply| PlugRequest::Identify { budget, reply })
            .await
    }

    /// Switches the plug, and reads its relay back until it is in the commanded position.
    ///
    /// # Errors
    ///
    /// [`ContactError`]; [`ContactError::PortTaken`] before the switch, when the relay could not be read back. An accepted command
    /// that was not carried out is not an error here but [`Switched::confirmed`].
    pub async fn switch(
        &self,
        action: RelayCommand,
        budget: Duration,
    ) -> Result<Switched, ContactError> {
        self.switch_observed(action, budget, Box::new(())).await
    }

    /// Switches the plug as [`PlugHandle::switch`] does, and reports to an observer.
    ///
    /// # Errors
    ///
    /// As [`PlugHandle::switch`]; [`ContactError::Withdrawn`] when the observer reports that the command no longer applies.
    pub async fn switch_observed(
        &self,
        action: RelayCommand,
        budget: Duration,
        observer: Box<dyn SwitchObserver>,
    ) -> Result<Switched, ContactError> {
        self.request(|reply| PlugRequest::Switch {
            action,
            budget,
            observer,
            reply,
        })
        .await
    }

    /// Sets the plug's own timer. The plug only acknowledges the command.
    pub async fn delay(
        &self,
        state: RelayState,
        minutes: Minutes,
        budget: Duration,
    ) -> Result<Plug, ContactError> {
        let command = PlugCommand::Delay(state, minutes);
        Ok(self.run(command, budget, false).await?.0)
    }

    /// Reads the firmware's version.
    pub async fn version(&self, budget: Duration) -> Result<(Plug, String), ContactError> {
        match self.run(PlugCommand::Version, budget, false).await? {
            (plug, PlugReply::Version(text)) => Ok((plug, text)),
            (plug, other) => Err(mismatch(&plug, &other)),
        }
    }

    /// Reads the name that the plug stores, and yields to other commands when that takes long.
    ///
    /// # Errors
    ///
    /// [`ContactError`]; [`ContactError::Withdrawn`] when it yielded.
    pub async fn label(&self, budget: Duration) -> Result<Option<String>, ContactError> {
        match self.run(PlugCommand::Label, budget, true).await? {
            (_, PlugReply::Label(label)) => Ok(label),
            (plug, other) => Err(mismatch(&plug, &other)),
        }
    }

    /// Reads the meter.
    pub async fn meter(&self, budget: Duration) -> Result<Reading, ContactError> {
        reading(self.run(PlugCommand::Meter, budget, false).await?)
    }

    /// Reads the meter, and yields to other commands when that takes long.
    ///
    /// # Errors
    ///
    /// As [`PlugHandle::meter`]; [`ContactError::Withdrawn`] when it yielded.
    pub async fn meter_in_background(&self, budget: Duration) -> Result<Reading, ContactError> {
        reading(self.run(PlugCommand::Meter, budget, true).await?)
    }

    /// Checks whether the connection, if there is one, is still open; its observer is notified.
    ///
    /// # Errors
    ///
    /// [`ContactError::Ended`].
    pub async fn check_connection(&self, budget: Duration) -> Result<(), ContactError> {
        self.request(|reply| PlugRequest::CheckConnection { budget, reply })
            .await
    }

    /// Closes the connection, if there is one.
    pub fn disconnect(&self) {
        // Where too many commands wait, each finds out by itself.
        let _ = self.requests.try_send(PlugRequest::Disconnect);
    }

    /// Renews the plug's unsolicited reports now, which it has forgotten when it had no power.
    pub fn resubscribe(&self) {
        // Where too many commands wait, the next interval does.
        let _ = self.requests.try_send(PlugRequest::Resubscribe);
    }

    /// Passes on a report of this plug, for a switch that waits for it.
    pub fn report(&self, plug: &Plug) {
        self.shared.note(plug.clone());
    }

    /// Sets the plug's address; `None` means that another device has it, and nothing is sent there. A connection to the previous
    /// address is closed.
    pub fn locate(&self, address: Option<Ipv4Addr>) {
        self.shared.locate(address);
    }

    async fn run(
        &self,
        command: PlugCommand,
        budget: Duration,
        is_background: bool,
    ) -> Result<(Plug, PlugReply), ContactError> {
        self.request(|reply| PlugRequest::Run {
            command,
            budget,
            is_background,
            reply,
        })
        .await
    }

    async fn request<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ContactError>>) -> PlugRequest,
    ) -> Result<T, ContactError> {
        let (reply, outcome) = oneshot::channel();
        let address = self.shared.last_address();
        self.requests
            .try_send(request(reply))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ContactError::Busy { address },
                mpsc::error::TrySendError::Closed(_) => ContactError::Ended { address },
            })?;
        outcome.await.map_err(|_| ContactError::Ended { address })?
    }
}

impl SharedPlug {
    pub(super) fn new(address: Ipv4Addr, heard: Option<Plug>) -> Self {
        Self {
            place: watch::Sender::new((address, true)),
            report: watch::Sender::new(heard.map(|plug| (plug, None))),
        }
    }

    /// Stores a report; the owner's name, the model and the rest are kept when it lacks them.
    pub(super) fn note(&self, report: Plug) {
        self.report.send_modify(|last| {
            let last_plug = last.take().map(|(plug, _)| plug);
            let kept = |field: fn(Plug) -> Option<String>| last_plug.clone().and_then(field);
            let plug = Plug {
                name: report.name.clone().or_else(|| kept(|plug| plug.name)),
                model: report.model.clone().or_else(|| kept(|plug| plug.model)),
                extra: report.extra.clone().or_else(|| kept(|plug| plug.extra)),
                ..report
            };
            *last = Some((plug, Some(Instant::now())));
        });
    }

    pub(super) fn locate(&self, address: Option<Ipv4Addr>) {
        self.place.send_if_modified(|place| {
            let new = address.map_or((place.0, false), |address| (address, true));
            std::mem::replace(place, new) != new
        });
    }

    pub(super) fn last_address(&self) -> Ipv4Addr {
        self.place.borrow().0
    }
}

fn reading((plug, reply): (Plug, PlugReply)) -> Result<Reading, ContactError> {
    match reply {
        PlugReply::Measured(measurement) => Ok(measurement.reading(plug.mac, crate::now())),
        other => Err(mismatch(&plug, &other)),
    }
}

/// Returns the error for a reply of the wrong type. No family's exchange causes it; if one did, an error is better than an invented
/// value.
fn mismatch(plug: &Plug, reply: &PlugReply) -> ContactError {
    ContactError::BadAnswer {
        address: plug.address,
        reply: format!("{reply:?}"),
    }
}

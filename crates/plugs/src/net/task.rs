//! The task that owns a plug's connection, and executes commands one after the other.

use std::collections::VecDeque;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::connection::PlugConnection;
use super::handle::{MAX_WAITING_COMMANDS, PlugRequest, SharedPlug};
use super::presence::AddressProbe;
use super::{ContactError, Lan, PlugHandle, PlugObserver, PlugTarget, end_of};
use crate::command::{PlugCommand, PlugReply};
use crate::exchange::{NoReplyReason, PlugTransport};
use crate::family::Family;
use crate::plug::UNKNOWN_MAC;
use crate::{FamilyId, Plug};

/// Time for identifying the device at an address: some fifteen probes, enough for 40 % loss each way.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(3);
/// Time after which a command is sent to an address without a reply on UDP, for example because of a firewall on this side.
pub(super) const BLIND_DELAY: Duration = Duration::from_secs(1);
/// Time for which a background command may delay another one.
const BACKGROUND_LIMIT: Duration = Duration::from_millis(300);

/// The owner of one plug's connection. Its [`PlugHandle`]s send it commands.
#[derive(Debug)]
pub struct PlugTask {
    pub(super) lan: Lan,
    pub(super) identity: Identity,
    pub(super) connection: PlugConnection,
    pub(super) shared: Arc<SharedPlug>,
    pub(super) observer: Arc<dyn PlugObserver>,
    /// `true` if reports come through [`PlugHandle::report`]; otherwise the task listens itself.
    pub(super) is_fed: bool,
    requests: mpsc::Receiver<PlugRequest>,
    /// Requests that came while a background command was in progress.
    waiting: VecDeque<PlugRequest>,
    was_open: bool,
}

/// The known identity of the device at the plug's address.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    /// The plug was heard there.
    Known(Box<Plug>),
    /// The plug was there before.
    Remembered(Box<Plug>),
    /// No report from the address yet.
    Unknown(Ipv4Addr),
    /// No reports arrive from the address, but commands may reach it.
    Silent(Box<Plug>),
}

impl Lan {
    /// Starts a task for one plug, and returns the handle on it. The task ends with its last handle.
    pub fn plug(&self, target: impl Into<PlugTarget>) -> PlugHandle {
        let identity = match target.into() {
            PlugTarget::Heard(plug) => Identity::Known(plug),
            PlugTarget::Remembered(plug) => Identity::Remembered(plug),
            PlugTarget::Address(address) => Identity::Unknown(address),
        };
        let (task, handle) = PlugTask::new(self.clone(), identity, false);
        tokio::spawn(task.run());
        handle
    }

    /// Makes the task of a plug whose reports and addresses are passed in through its handle. [`PlugTask::run`] runs it.
    pub fn reported_plug(&self, plug: Plug) -> (PlugTask, PlugHandle) {
        let identity = Identity::Known(Box::new(plug));
        PlugTask::new(self.clone(), identity, true)
    }
}

impl PlugTask {
    fn new(lan: Lan, identity: Identity, is_fed: bool) -> (Self, PlugHandle) {
        let (sender, requests) = mpsc::channel(MAX_WAITING_COMMANDS);
        let heard = match &identity {
            Identity::Known(plug) if !is_fed => Some(Plug::clone(plug)),
            _ => None,
        };
        let shared = Arc::new(SharedPlug::new(identity.address(), heard));
        let handle = PlugHandle::new(sender, Arc::clone(&shared));
        let task = Self {
            lan,
            identity,
            connection: PlugConnection::new(),
            shared,
            observer: Arc::new(()),
            is_fed,
            requests,
            waiting: VecDeque::new(),
            was_open: false,
        };
        (task, handle)
    }

    /// Lets an observer follow the connection.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn PlugObserver>) -> Self {
        self.observer = observer;
        self
    }

    /// Serves the plug until the last handle is dropped.
    pub async fn run(mut self) {
        let mut place = self.shared.place.subscribe();
        let mut renewal = self.renewal();
        loop {
            if let Some(request) = self.waiting.pop_front() {
                self.carry_out(request).await;
                self.observe_connection();
                continue;
            }
            tokio::select! {
                biased;
                request = self.requests.recv() => match request {
                    Some(request) => self.carry_out(request).await,
                    None => return,
                },
                Ok(()) = place.changed() => self.follow(&mut place),
                () = self.connection.closed() => {}
                () = tick(&mut renewal) => self.renew_subscription().await,
            }
            self.observe_connection();
        }
    }

    /// Follows the plug to another address.
    fn follow(&mut self, place: &mut watch::Receiver<(Ipv4Addr, bool)>) {
        let (address, is_there) = *place.borrow_and_update();
        if address != self.identity.address() || !is_there {
            self.connection.close();
        }
        if let Identity::Known(plug) = &mut self.identity {
            plug.address = address;
        }
    }

    async fn carry_out(&mut self, request: PlugRequest) {
        match request {
            // Nothing waits for it any longer: it would come as a surprise.
            PlugRequest::Identify { reply, .. } if reply.is_closed() => {}
            PlugRequest::Switch { reply, .. } if reply.is_closed() => {}
            PlugRequest::Run { reply, .. } if reply.is_closed() => {}
            PlugRequest::CheckConnection { reply, .. } if reply.is_closed() => {}
            PlugRequest::Identify { budget, reply } => {
                abandonable(reply, async {
                    let plug = self.identify(end_of(budget), IDENTIFY_TIMEOUT).await;
                    plug.map(|()| self.identity.plug())
                })
                .await;
            }
            PlugRequest::Switch {
                action,
                budget,
                mut observer,
                reply,
            } => {
                let outcome = self.switch(action, budget, observer.as_mut()).await;
                self.observe_connection();
                observer.finished(&outcome);
                let _ = reply.send(outcome);
            }
            PlugRequest::Run {
                command: command @ PlugCommand::Delay(..),
                budget,
                reply,
                ..
            } => {
                let outcome = self.run_explained(command, budget).await;
                let _ = reply.send(outcome);
            }
            PlugRequest::Run {
                command,
                budget,
                is_background: false,
                reply,
            } => abandonable(reply, self.run_explained(command, budget)).await,
            PlugRequest::Run {
                command,
                budget,
                is_background: true,
                reply,
            } => {
                let outcome = self.run_in_background(command, budget).await;
                self.observe_connection();
                let _ = reply.send(outcome);
            }
            PlugRequest::CheckConnection { budget, reply } => {
                self.check_connection(budget).await;
                self.observe_connection();
                let _ = reply.send(Ok(()));
            }
            PlugRequest::Disconnect => self.connection.close(),
            PlugRequest::Resubscribe => self.renew_subscription().await,
        }
    }

    /// Runs a command until it is done, or has delayed another request for too long.
    async fn run_in_background(
        &mut self,
        command: PlugCommand,
        budget: Duration,
    ) -> Result<(Plug, PlugReply), ContactError> {
        let (_, mut none) = mpsc::channel(1);
        std::mem::swap(&mut self.requests, &mut none);
        let mut requests = none;
        let mut arrived = VecDeque::new();
        let hold_up = async {
            match requests.recv().await {
                Some(request) => arrived.push_back(request),
                None => std::future::pending().await,
            }
            sleep(BACKGROUND_LIMIT).await;
        };
        let outcome = tokio::select! {
            biased;
            outcome = self.run_command(command, budget) => Some(outcome),
            () = hold_up => None,
        };
        self.requests = requests;
        self.waiting.append(&mut arrived);
        outcome.unwrap_or(Err(ContactError::Withdrawn {
            address: self.identity.address(),
        }))
    }

    pub(super) async fn run_command(
        &mut self,
        command: PlugCommand,
        budget: Duration,
    ) -> Result<(Plug, PlugReply), ContactError> {
        let deadline = end_of(budget);
        let start = Instant::now();
        self.identify(deadline, BLIND_DELAY).await?;
        self.allow(command)?;
        let outcome = self.send(command, deadline).await;
        if let Identity::Silent(_) = self.identity
            && outcome
                .as_ref()
                .map_or_else(ContactError::is_no_answer, |_| true)
        {
            // It is worth waiting for who it was; and a lossy network may have swallowed the probes so far.
            let identified = self
                .listen_for(deadline.min(start + IDENTIFY_TIMEOUT))
                .await;
            return match (identified, outcome) {
                (Ok(()), Ok(reply)) => Ok((self.identity.plug(), reply)),
                (Ok(()), Err(_)) => {
                    let reply = self.send(command, deadline).await?;
                    Ok((self.identity.plug(), reply))
                }
                (Err(_), Ok(reply)) => Ok((self.identity.plug(), reply)),
                (Err(silence), Err(_)) => Err(silence),
            };
        }
        Ok((self.identity.plug(), outcome?))
    }

    /// Sends a command to the plug at its present address.
    pub(super) async fn send(
        &mut self,
        command: PlugCommand,
        deadline: Instant,
    ) -> Result<PlugReply, ContactError> {
        let plug = self.identity.plug();
        let outcome = self
            .connection
            .run(&self.lan, &plug, command, deadline)
            .await;
        if let Ok(_) | Err(ContactError::Refused { .. } | ContactError::BadAnswer { .. }) = outcome
        {
            self.observer.replied();
        }
        outcome
    }

    /// Refuses a command that the plug cannot execute.
    pub(super) fn allow(&self, command: PlugCommand) -> Result<(), ContactError> {
        let plug = self.identity.plug();
        let family = self.lan.families().get(plug.family);
        let Some(family) = family.filter(|it| it.capabilities().contains(&command.capability()))
        else {
            return Err(ContactError::unsupported(&plug, command));
        };
        match command {
            PlugCommand::Delay(_, minutes) if minutes > family.max_delay() => {
                Err(ContactError::DelayTooLong {
                    address: plug.address,
                    max: family.max_delay(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Ensures that a command reaches the plug and no other device, and opens the connection meanwhile.
    ///
    /// Commands may also be sent to an address without a reply for `blind_after`, unless replies are known not to reach this side.
    pub(super) async fn identify(
        &mut self,
        deadline: Instant,
        blind_after: Duration,
    ) -> Result<(), ContactError> {
        let (address, is_there) = *self.shared.place.borrow();
        match &mut self.identity {
            Identity::Known(plug) if is_there => {
                if plug.address != address {
                    plug.address = address;
                    self.connection.close();
                }
                return Ok(());
            }
            Identity::Known(_) => {
                return Err(ContactError::NoAnswer {
                    address,
                    how: NoReplyReason::Replaced,
                });
            }
            Identity::Remembered(_) | Identity::Unknown(_) | Identity::Silent(_) => {}
        }
        if let Some(port) = self.port_ahead() {
            self.connection.open_ahead(&self.lan, address, port);
        }
        let end = deadline.min(Instant::now() + IDENTIFY_TIMEOUT);
        let first = end.min(Instant::now() + blind_after);
        let is_blind_allowed = matches!(self.identity, Identity::Unknown(_) | Identity::Silent(_))
            && self.lan.taken().is_empty();
        let first = if is_blind_allowed { first } else { end };
        match self.listen_for(first).await {
            Err(error) if error.is_no_answer() && is_blind_allowed && first < end => {
                let family = self.lan.families().of_plugs().next();
                let family = family.ok_or(error)?;
                let silent = Plug::new(UNKNOWN_MAC, family.id(), address, crate::now());
                self.identity = Identity::Silent(Box::new(silent));
                Ok(())
            }
            result => {
                if result.is_err() {
                    self.connection.close();
                }
                result
            }
        }
    }

    /// Probes the address until the device is identified, at the latest until `end`.
    pub(super) async fn listen_for(&mut self, end: Instant) -> Result<(), ContactError> {
        let address = self.identity.address();
        let families = match &self.identity {
            Identity::Known(plug) | Identity::Remembered(plug) => {
                self.lan.families().beside(plug.family)
            }
            Identity::Unknown(_) | Identity::Silent(_) => self.lan.families().clone(),
        };
        let mut probe = AddressProbe::new(&self.lan, address, &families).await?;
        let heard = self.lan.presence_by(&mut probe, end).await?;
        match &self.identity {
            // It is closed at once: the few connections of that device are for others.
            Identity::Known(plug) | Identity::Remembered(plug) if plug.mac != heard.mac => {
                self.connection.close();
                Err(ContactError::NoAnswer {
                    address,
                    how: NoReplyReason::Replaced,
                })
            }
            _ => {
                let family = self.lan.families().get(heard.family);
                let transport = family.and_then(Family::transport);
                self.connection.keep_if_to(transport);
                self.shared.note(heard.clone());
                self.identity = Identity::Known(Box::new(heard));
                Ok(())
            }
        }
    }

    /// Returns the TCP port to which a connection is opened ahead: that of the plug's family, or that of most plugs.
    fn port_ahead(&self) -> Option<u16> {
        let port = |family: &'static dyn Family| match family.transport() {
            Some(PlugTransport::Tcp { port }) => Some(port),
            _ => None,
        };
        match &self.identity {
            Identity::Known(plug) | Identity::Remembered(plug) | Identity::Silent(plug) => {
                self.lan.families().get(plug.family).and_then(port)
            }
            Identity::Unknown(_) => self.lan.families().iter().find_map(port),
        }
    }

    async fn check_connection(&mut self, budget: Duration) {
        let command = [PlugCommand::Meter, PlugCommand::Version]
            .into_iter()
            .find(|command| self.allow(*command).is_ok());
        if let Some(command) = command.filter(|_| self.connection.is_open()) {
            // Only the end of the connection matters.
            let _ = self.send(command, end_of(budget)).await;
        }
    }

    /// Returns the timer of the datagram that keeps the plug's unasked reports coming.
    fn renewal(&self) -> Option<tokio::time::Interval> {
        let plug = self.identity.plug();
        let family = self.lan.families().get(plug.family)?;
        let subscription = family.subscription(plug.mac).filter(|_| self.is_fed)?;
        let mut renewal = interval(subscription.interval);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(renewal)
    }

    async fn renew_subscription(&mut self) {
        let (address, is_there) = *self.shared.place.borrow();
        let plug = self.identity.plug();
        let (families, network) = (self.lan.families(), self.lan.network(address));
        if let (Some(family), Some(network), true) = (families.get(plug.family), network, is_there)
            && let Some(subscription) = family.subscription(plug.mac)
            && let Some(socket) = network.socket_of(family).await
        {
            socket.send(&subscription.probe, address).await;
        }
    }

    fn observe_connection(&mut self) {
        if self.connection.take_lost() {
            self.observer.connection_lost();
        }
        let is_open = self.connection.is_open();
        if is_open != self.was_open {
            self.was_open = is_open;
            self.observer.connection_changed(is_open);
        }
    }
}

impl Drop for PlugTask {
    fn drop(&mut self) {
        self.connection.close();
        self.observe_connection();
    }
}

impl Identity {
    pub(super) fn address(&self) -> Ipv4Addr {
        match self {
            Self::Known(plug) | Self::Remembered(plug) | Self::Silent(plug) => plug.address,
            Self::Unknown(address) => *address,
        }
    }

    /// Returns the known properties of the plug.
    pub(super) fn plug(&self) -> Plug {
        match self {
            Self::Known(plug) | Self::Remembered(plug) | Self::Silent(plug) => Plug::clone(plug),
            Self::Unknown(address) => {
                Plug::new(UNKNOWN_MAC, FamilyId::MODULE, *address, crate::now())
            }
        }
    }
}

/// Sends the outcome of some work, unless the caller is gone before it is done.
async fn abandonable<T>(
    mut reply: oneshot::Sender<Result<T, ContactError>>,
    work: impl Future<Output = Result<T, ContactError>>,
) {
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        () = reply.closed() => return,
    };
    let _ = reply.send(outcome);
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

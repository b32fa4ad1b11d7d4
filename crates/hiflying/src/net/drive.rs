//! The loop that carries datagrams between a state machine and a socket until something has
//! happened.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::UdpPort;
use super::port::Datagram;
use crate::PORT;
use crate::machine::Machine;

/// A module's end of a port: what it sends, and only that.
#[derive(Debug)]
pub(super) struct Line {
    port: UdpPort,
    target: Ipv4Addr,
    datagrams: broadcast::Receiver<Datagram>,
}

impl Line {
    pub(super) fn new(port: UdpPort, target: Ipv4Addr) -> Self {
        let datagrams = port.subscribe();
        Self {
            port,
            target,
            datagrams,
        }
    }

    /// Runs the machine until `event` gives something.
    ///
    /// # Errors
    ///
    /// When the socket is gone. That a datagram cannot be sent, as while Wi-Fi is away, is loss
    /// like any other: the machine's timers deal with it, and the last reason is told if
    /// nothing comes of it.
    pub(super) async fn drive<M: Machine, E>(
        &mut self,
        machine: &mut M,
        mut event: impl FnMut(&mut M) -> Option<E>,
    ) -> io::Result<E> {
        loop {
            self.flush(machine).await;
            if let Some(event) = event(machine) {
                self.flush(machine).await;
                return Ok(event);
            }
            self.flush(machine).await;
            let timer = machine.poll_timeout();
            tokio::select! {
                biased;
                datagram = self.receive() => machine.handle_datagram(Instant::now(), &datagram?.bytes),
                () = sleep_until(timer) => machine.handle_timeout(Instant::now()),
            }
        }
    }

    /// Sends what the machine has to say.
    pub(super) async fn flush(&self, machine: &mut impl Machine) {
        while let Some(bytes) = machine.poll_transmit() {
            if let Err(error) = self.port.send_to(&bytes, self.destination()).await {
                tracing::debug!(target_address = %self.target, %error, "cannot send");
            }
        }
    }

    /// Sends what can be sent without waiting.
    pub(super) fn flush_now(&self, machine: &mut impl Machine) {
        while let Some(bytes) = machine.poll_transmit() {
            let _ = self.port.try_send_to(&bytes, self.destination());
        }
    }

    fn destination(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.target, PORT)
    }

    async fn receive(&mut self) -> io::Result<Datagram> {
        loop {
            match self.datagrams.recv().await {
                // Strangers on the same port are none of this session's business.
                Ok(datagram) if *datagram.from.ip() == self.target => return Ok(datagram),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

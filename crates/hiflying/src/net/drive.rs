//! The loop that carries datagrams between a state machine and a socket until an event.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::UdpPort;
use super::datagram::Datagram;
use crate::PORT;
use crate::machine::SessionMachine;

/// A socket that receives from one module only.
#[derive(Debug)]
pub(super) struct PeerSocket {
    port: UdpPort,
    target: Ipv4Addr,
    datagrams: broadcast::Receiver<Datagram>,
}

impl PeerSocket {
    pub(super) fn new(port: UdpPort, target: Ipv4Addr) -> Self {
        let datagrams = port.subscribe();
        Self {
            port,
            target,
            datagrams,
        }
    }

    /// Runs the machine until `event` returns one.
    ///
    /// # Errors
    ///
    /// When the socket is gone. A datagram that cannot be sent, as while Wi-Fi is away, is loss like any
    /// other: the machine's timers deal with it.
    pub(super) async fn drive<M: SessionMachine, E>(
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

    /// Sends all datagrams of the machine.
    pub(super) async fn flush(&self, machine: &mut impl SessionMachine) {
        while let Some(bytes) = machine.poll_transmit() {
            if let Err(error) = self.port.send_to(&bytes, self.destination()).await {
                tracing::debug!(target_address = %self.target, %error, "datagram not sent");
            }
        }
    }

    /// Sends the datagrams that can be sent without waiting.
    pub(super) fn flush_now(&self, machine: &mut impl SessionMachine) {
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
                // Other devices reply to the same port.
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

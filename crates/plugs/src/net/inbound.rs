//! Our TCP ports to which plugs connect.
//!
//! A connection is worth nothing until its session has identified the plug: time and bytes until then are bounded, and so is the
//! number of connections. A plug that connects again replaces its previous connection.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::Plug;
use crate::family::Family;
use crate::inbound::{InboundEvent, InboundSession};

/// Maximum number of connections to one port; of those whose plug is not identified yet, and of these from one address.
const MAX_CONNECTIONS: usize = 256;
const MAX_UNIDENTIFIED: usize = 64;
const MAX_UNIDENTIFIED_PER_ADDRESS: usize = 4;
/// Maximum number of bytes, and maximum time, until the plug is identified.
const MAX_UNIDENTIFIED_BYTES: usize = 4096;
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without any byte after which a connection is closed. Plugs send heartbeats several times a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Time for the plug to accept the bytes of one message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval of attempts to listen on a port that another program has.
const LISTEN_RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// Delay after a connection could not be accepted, for example for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);
/// Number of reports and messages that a slow reader may be behind, and of requests that wait for one connection.
const EVENT_CAPACITY: usize = 1024;
const REQUEST_CAPACITY: usize = 16;
/// Size of the read buffer in bytes.
const CHUNK: usize = 1024;

/// A TCP port of ours to which the plugs of one family connect. Clones share it; it is closed with the last one.
#[derive(Debug, Clone)]
pub(super) struct InboundPort {
    pub(super) local_port: u16,
    shared: Arc<InboundShared>,
    _listener: Arc<AbortOnDrop>,
}

/// A message, and the address of the plug that sent it.
pub(super) type InboundMessage = (Ipv4Addr, Vec<u8>);

#[derive(Debug)]
struct InboundShared {
    family: &'static dyn Family,
    /// The connections of identified plugs.
    links: watch::Sender<HashMap<Ipv4Addr, InboundLink>>,
    reports: broadcast::Sender<Plug>,
    messages: broadcast::Sender<InboundMessage>,
}

/// The connection of an identified plug.
#[derive(Debug, Clone)]
pub(super) struct InboundLink {
    /// Distinguishes the connections to a port.
    number: u64,
    requests: mpsc::Sender<InboundRequest>,
}

#[derive(Debug)]
enum InboundRequest {
    Send(Vec<u8>),
    Probe,
}

#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl InboundPort {
    /// Listens on a port. Where another program has it, it is tried again until it is free.
    pub(super) async fn open(
        family: &'static dyn Family,
        address: Ipv4Addr,
        local_port: u16,
    ) -> Self {
        let shared = Arc::new(InboundShared {
            family,
            links: watch::Sender::default(),
            reports: broadcast::Sender::new(EVENT_CAPACITY),
            messages: broadcast::Sender::new(EVENT_CAPACITY),
        });
        let listener = TcpListener::bind((address, local_port))
            .await
            .inspect_err(|error| {
                tracing::warn!(%address, local_port, %error, "plugs that connect to this TCP port are not heard");
            })
            .ok();
        let serving = serve(Arc::clone(&shared), (address, local_port), listener);
        Self {
            local_port,
            shared,
            _listener: Arc::new(AbortOnDrop(tokio::spawn(serving))),
        }
    }

    /// Returns the reports from now on.
    pub(super) fn reports(&self) -> broadcast::Receiver<Plug> {
        self.shared.reports.subscribe()
    }

    /// Returns the messages from now on, with the address of each plug.
    pub(super) fn messages(&self) -> broadcast::Receiver<InboundMessage> {
        self.shared.messages.subscribe()
    }

    /// Waits until the plug at an address is connected.
    pub(super) async fn link(&self, address: Ipv4Addr) -> InboundLink {
        let mut links = self.shared.links.subscribe();
        loop {
            if let Some(link) = links.borrow_and_update().get(&address) {
                return link.clone();
            }
            links
                .changed()
                .await
                .expect("the sender lives as long as this port");
        }
    }

    /// Requests a report from the plug at an address, or from each if there is no address.
    pub(super) fn probe(&self, address: Option<Ipv4Addr>) {
        let links = self.shared.links.borrow();
        for (from, link) in links.iter() {
            if address.is_none_or(|address| address == *from) {
                // A connection that does not take more requests will report anyway, or is dead.
                let _ = link.requests.try_send(InboundRequest::Probe);
            }
        }
    }
}

impl InboundLink {
    /// Sends a message; fails when the connection has ended.
    pub(super) async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let request = InboundRequest::Send(bytes.to_vec());
        let sent = self.requests.send(request).await;
        sent.map_err(|_| io::ErrorKind::NotConnected.into())
    }

    /// Waits until the connection has ended.
    pub(super) async fn closed(&self) {
        self.requests.closed().await;
    }
}

async fn serve(
    shared: Arc<InboundShared>,
    place: (Ipv4Addr, u16),
    mut listener: Option<TcpListener>,
) {
    let (mut unidentified, mut connections) = (Vec::new(), JoinSet::new());
    for number in 0.. {
        let Some(open) = &listener else {
            sleep(LISTEN_RETRY_INTERVAL).await;
            listener = TcpListener::bind(place).await.ok();
            continue;
        };
        while connections.try_join_next().is_some() {}
        match open.accept().await {
            Ok((stream, SocketAddr::V4(from))) => {
                let from = *from.ip();
                let is_full =
                    connections.len() >= MAX_CONNECTIONS || is_crowded(&mut unidentified, from);
                let session = shared.family.inbound_session(from);
                let Some(session) = session.filter(|_| !is_full) else {
                    tracing::debug!(%from, "too many connections: this one is closed");
                    continue;
                };
                let place = Arc::new(());
                unidentified.push((from, Arc::downgrade(&place)));
                let connection = InboundConnection {
                    shared: Arc::clone(&shared),
                    from,
                    number,
                    stream,
                    session,
                };
                connections.spawn(connection.run(place));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection cannot be accepted");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Returns whether too many devices are not identified yet for another one from this address.
fn is_crowded(unidentified: &mut Vec<(Ipv4Addr, Weak<()>)>, from: Ipv4Addr) -> bool {
    unidentified.retain(|(_, place)| place.strong_count() > 0);
    let same = unidentified.iter().filter(|(address, _)| *address == from);
    unidentified.len() >= MAX_UNIDENTIFIED || same.count() >= MAX_UNIDENTIFIED_PER_ADDRESS
}

/// One connection that a plug has opened.
struct InboundConnection {
    shared: Arc<InboundShared>,
    from: Ipv4Addr,
    number: u64,
    stream: TcpStream,
    session: Box<dyn InboundSession>,
}

impl InboundConnection {
    /// Serves the connection until it ends; `unidentified` is dropped as soon as the plug is identified.
    async fn run(mut self, unidentified: Arc<()>) {
        let from = self.from;
        // A command must not wait for the acknowledgement of the one before.
        let _ = self.stream.set_nodelay(true);
        let end = Instant::now() + IDENTIFY_TIMEOUT;
        let first = match timeout_at(end, self.identify()).await {
            Ok(Ok(Some(plug))) => plug,
            Ok(Ok(None)) => return tracing::debug!(%from, "an unidentified device sent too much"),
            Ok(Err(error)) => return tracing::debug!(%from, %error, "it did not identify itself"),
            Err(_) => return tracing::debug!(%from, "it did not identify itself in time"),
        };
        drop(unidentified);
        let (requests, received) = mpsc::channel(REQUEST_CAPACITY);
        let (shared, number) = (Arc::clone(&self.shared), self.number);
        shared.links.send_modify(|links| {
            links.insert(from, InboundLink { number, requests });
        });
        self.publish(InboundEvent::Report(first));
        let mut links = shared.links.subscribe();
        let is_latest = |links: &HashMap<Ipv4Addr, InboundLink>| {
            links.get(&from).is_some_and(|link| link.number == number)
        };
        tokio::select! {
            end = self.serve(received) => tracing::debug!(%from, %end, "the connection of a plug has ended"),
            _ = links.wait_for(|links| !is_latest(links)) => tracing::debug!(%from, "a plug has connected again"),
        }
        shared.links.send_if_modified(|links| {
            let is_latest = is_latest(links);
            if is_latest {
                links.remove(&from);
            }
            is_latest
        });
    }

    /// Reads until the first report; `None` when there are too many bytes before it.
    async fn identify(&mut self) -> io::Result<Option<Plug>> {
        let mut received = 0;
        loop {
            self.transmit().await?;
            while let Some(event) = self.session.poll_event() {
                if let InboundEvent::Report(plug) = event {
                    return Ok(Some(plug));
                }
            }
            if received > MAX_UNIDENTIFIED_BYTES {
                return Ok(None);
            }
            received += self.read().await?;
        }
    }

    /// Serves an identified plug; returns the reason of the end.
    async fn serve(&mut self, mut requests: mpsc::Receiver<InboundRequest>) -> io::Error {
        let mut end = Instant::now() + IDLE_TIMEOUT;
        loop {
            let step = async {
                self.transmit().await?;
                while let Some(event) = self.session.poll_event() {
                    self.publish(event);
                }
                tokio::select! {
                    read = timeout_at(end, self.read()) => {
                        read??;
                        end = Instant::now() + IDLE_TIMEOUT;
                    }
                    Some(request) = requests.recv() => match request {
                        InboundRequest::Send(bytes) => self.write(&bytes).await?,
                        InboundRequest::Probe => self.session.handle_probe(crate::now()),
                    },
                }
                io::Result::Ok(())
            };
            if let Err(error) = step.await {
                return error;
            }
        }
    }

    fn publish(&self, event: InboundEvent) {
        // Without a listener there is nothing to pass on.
        match event {
            InboundEvent::Report(plug) => drop(self.shared.reports.send(plug)),
            InboundEvent::Message(bytes) => drop(self.shared.messages.send((self.from, bytes))),
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; CHUNK];
        let length = self.stream.read(&mut buffer).await?;
        let bytes = buffer.get(..length).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.session.handle_input(crate::now(), bytes);
        Ok(length)
    }

    async fn transmit(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.session.poll_transmit() {
            self.write(&bytes).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(WRITE_TIMEOUT, self.stream.write_all(bytes)).await?
    }
}

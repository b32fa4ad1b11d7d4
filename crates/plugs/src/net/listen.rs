//! Datagrams from several shared sockets, and reports over connections of plugs, as one stream.

use futures_util::stream::{BoxStream, SelectAll, unfold};
use futures_util::{Stream, StreamExt};
use hiflying::net::Datagram;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::network::LanSource;
use crate::Plug;
use crate::family::Families;

/// All that arrives from some sources.
///
/// Datagrams that arrived before its creation are not included; so create it before sending anything.
pub(super) struct LanListener(SelectAll<BoxStream<'static, LanArrival>>);

/// An arrival from the local network.
#[derive(Debug)]
pub(super) enum LanArrival {
    /// A datagram, and our port.
    Datagram(u16, Datagram),
    /// A report over a connection that the plug has opened.
    Report(Plug),
}

impl LanArrival {
    /// Returns the report of a member of these families, if it is one.
    pub(super) fn report(self, families: &Families) -> Option<Plug> {
        match self {
            Self::Report(plug) => Some(plug),
            Self::Datagram(local_port, Datagram { from, bytes, .. }) => {
                families.parse_report(local_port, *from.ip(), &bytes, crate::now())
            }
        }
    }
}

impl LanListener {
    pub(super) fn on(sources: impl IntoIterator<Item = LanSource>) -> Self {
        Self(sources.into_iter().map(arrivals).collect())
    }

    /// Waits for an arrival; forever when the sources are gone.
    pub(super) async fn next(&mut self) -> LanArrival {
        match self.0.next().await {
            Some(arrival) => arrival,
            None => std::future::pending().await,
        }
    }
}

fn arrivals(source: LanSource) -> BoxStream<'static, LanArrival> {
    match source {
        LanSource::Socket(socket) => {
            let local_port = socket.local_port;
            let datagrams = stream_of(socket.port.subscribe());
            let arrival = move |datagram: Datagram| {
                socket.heard.note(*datagram.from.ip());
                LanArrival::Datagram(local_port, datagram)
            };
            datagrams.map(arrival).boxed()
        }
        LanSource::Inbound(port) => stream_of(port.reports()).map(LanArrival::Report).boxed(),
    }
}

fn stream_of<T: Clone + Send + 'static>(receiver: Receiver<T>) -> impl Stream<Item = T> + Send {
    unfold(receiver, async |mut receiver| {
        Some((next_of(&mut receiver).await?, receiver))
    })
}

/// Waits for the next item of a channel; `None` when its sender is gone.
pub(super) async fn next_of<T: Clone>(receiver: &mut Receiver<T>) -> Option<T> {
    loop {
        match receiver.recv().await {
            Ok(item) => return Some(item),
            Err(RecvError::Lagged(count)) => {
                // As good as lost on the way: probes are repeated.
                tracing::debug!(count, "datagrams arrived faster than they were read");
            }
            Err(RecvError::Closed) => return None,
        }
    }
}

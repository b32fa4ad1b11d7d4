//! Datagrams from several shared sockets as one stream.

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll, unfold};
use hiflying::net::Datagram;
use tokio::sync::broadcast::error::RecvError;

use super::network::LanSocket;

/// All datagrams that arrive on some sockets, with the local port of each.
///
/// Datagrams that arrived before its creation are not included; so create it before sending anything.
pub(super) struct LanListener(SelectAll<BoxStream<'static, (u16, Datagram)>>);

impl LanListener {
    pub(super) fn on(sockets: impl IntoIterator<Item = LanSocket>) -> Self {
        Self(sockets.into_iter().map(arrivals).collect())
    }

    /// Waits for a datagram; forever when the sockets are gone.
    pub(super) async fn next(&mut self) -> (u16, Datagram) {
        match self.0.next().await {
            Some(arrival) => arrival,
            None => std::future::pending().await,
        }
    }
}

fn arrivals(socket: LanSocket) -> BoxStream<'static, (u16, Datagram)> {
    let local_port = socket.local_port;
    unfold(socket.port.subscribe(), move |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(datagram) => return Some(((local_port, datagram), receiver)),
                Err(RecvError::Lagged(count)) => {
                    // As good as lost on the way: probes are repeated.
                    tracing::debug!(count, "datagrams arrived faster than they were read");
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
    .boxed()
}

//! Datagrams from several shared sockets as one stream.

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll, unfold};
use hiflying::net::Datagram;
use tokio::sync::broadcast::error::RecvError;

use super::{Network, Socket};

/// All that arrives on some sockets, with the local port that it came to.
///
/// What arrives before it is made is not in it; so make it before anything is sent.
pub(super) struct Listener(SelectAll<BoxStream<'static, (u16, Datagram)>>);

impl Listener {
    pub(super) fn on<'a>(networks: impl IntoIterator<Item = &'a Network>) -> Self {
        let sockets = networks.into_iter().flat_map(|network| &network.sockets);
        Self(sockets.map(arrivals).collect())
    }

    /// Waits for a datagram; for ever when the sockets are gone.
    pub(super) async fn next(&mut self) -> (u16, Datagram) {
        match self.0.next().await {
            Some(arrival) => arrival,
            None => std::future::pending().await,
        }
    }
}

fn arrivals(socket: &Socket) -> BoxStream<'static, (u16, Datagram)> {
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

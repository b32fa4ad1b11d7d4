//! One connection to TCP port 30000.

use std::net::SocketAddrV4;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::super::touchlink::TouchlinkSession;
use super::host::{BridgeHost, RecordedTransport};
use crate::record::Direction;

/// Time after which an idle client is disconnected.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Obeys orders until the client leaves.
pub(super) async fn serve(mut stream: TcpStream, peer: SocketAddrV4, host: BridgeHost) {
    let mut session = TouchlinkSession::default();
    let mut buffer = [0; 512];
    while let Ok(Ok(length @ 1..)) = timeout(IDLE_TIMEOUT, stream.read(&mut buffer)).await {
        let bytes = buffer.get(..length).unwrap_or_default();
        host.note(RecordedTransport::Touchlink, peer, Direction::In, bytes);
        for _ in 0..session.handle_input(bytes) {
            if obey(&mut stream, peer, &host).await.is_none() {
                return;
            }
        }
    }
}

/// Does touchlink once; none when the connection is over.
async fn obey(stream: &mut TcpStream, peer: SocketAddrV4, host: &BridgeHost) -> Option<()> {
    let script = host.room.touchlink(host.bridge);
    for line in script.lines {
        sleep(line.after).await;
        host.note(
            RecordedTransport::Touchlink,
            peer,
            Direction::Out,
            &line.bytes,
        );
        timeout(IDLE_TIMEOUT, stream.write_all(&line.bytes))
            .await
            .ok()?
            .ok()?;
    }
    (!script.closes).then_some(())
}

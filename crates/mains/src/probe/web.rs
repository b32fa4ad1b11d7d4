//! The web page on TCP port 80, and whether it still takes the password of the factory.
//!
//! An SP-2 asks for a login (401), takes ADMIN/ADMIN, and then has no page to show (404). Only status lines matter, so
//! no body is read; header and waits are bounded, whatever the other end sends.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The port of the web page.
pub(super) const PORT: u16 = 80;
/// One request, from connecting to the end of the header. Such modules are slow.
const REQUEST_WAIT: Duration = Duration::from_secs(3);
const LONGEST_HEADER: usize = 16 * 1024;

/// Logins of the factory: the plug's, then the plain module's.
const DEFAULTS: [(&str, &str); 2] = [("ADMIN", "ADMIN"), ("admin", "admin")];

/// What is known of the web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Web {
    /// It is there, but what it says is no HTTP, or it says nothing.
    Unclear,
    /// Its pages need no login.
    Unprotected,
    /// It asks for a login; the factory's are refused, or it did not say.
    Protected,
    /// This user with the password of the same name gets in.
    DefaultLogin(&'static str),
}

/// Looks at the page without a login, then with those of the factory.
pub(super) async fn look(address: Ipv4Addr) -> Web {
    match status(address, None).await {
        None => Web::Unclear,
        Some(StatusCode::UNAUTHORIZED) => try_defaults(address).await,
        Some(status) if status.is_success() || status.is_redirection() => Web::Unprotected,
        Some(_) => Web::Unclear,
    }
}

async fn try_defaults(address: Ipv4Addr) -> Web {
    for login in DEFAULTS {
        match status(address, Some(login)).await {
            // "Forbidden" is a no as well, and a server that stumbles has not said yes.
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {}
            Some(status) if status.is_server_error() => {}
            Some(_) => return Web::DefaultLogin(login.0),
            None => return Web::Protected,
        }
    }
    Web::Protected
}

async fn status(address: Ipv4Addr, login: Option<(&str, &str)>) -> Option<StatusCode> {
    let answer = timeout(REQUEST_WAIT, ask(address, login)).await;
    match answer {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "the web page cannot be read");
            None
        }
        Err(_) => None,
    }
}

async fn ask(
    address: Ipv4Addr,
    login: Option<(&str, &str)>,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(SocketAddrV4::new(address, PORT)).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_HEADER)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut request = Request::get("/")
        .header(HOST, address.to_string())
        .header(CONNECTION, "close");
    if let Some((user, password)) = login {
        let token = BASE64_STANDARD.encode(format!("{user}:{password}"));
        request = request.header(AUTHORIZATION, format!("Basic {token}"));
    }
    let mut exchange = std::pin::pin!(sender.send_request(request.body(Empty::<Bytes>::new())?));
    // The connection does the work. It is dropped with the body unread; where it ends first, the answer may have come
    // with its last bytes.
    let response = tokio::select! {
        biased;
        response = &mut exchange => response,
        _ = connection => exchange.await,
    };
    Ok(response?.status())
}

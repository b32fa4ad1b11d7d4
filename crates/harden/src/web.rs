//! Access to the web page on TCP port 80: without a login, or with the factory's.
//!
//! An SP-2 asks for a login (401), takes ADMIN/ADMIN, and then has no page to show (404). Only status lines matter, so
//! no body is read; header and waits are bounded, whatever the device sends.

use std::net::Ipv4Addr;
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
pub const PORT: u16 = 80;
/// Time for one HTTP request, from connecting to the end of the header. Such modules are slow.
const HTTP_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum size of a header.
const MAX_HEADER: usize = 16 * 1024;

/// Factory logins: the plug's, then the plain module's.
pub(crate) const FACTORY_LOGINS: [(&str, &str); 2] = [("ADMIN", "ADMIN"), ("admin", "admin")];

/// Access to the web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebAccess {
    /// The port is open, but the reply is not HTTP, or there is none.
    Unclear,
    /// Its pages need no login.
    Unprotected,
    /// It needs a login; the factory's are refused, or got no reply.
    Protected,
    /// This factory user is accepted, with the password of the same name.
    DefaultLogin(&'static str),
}

/// Requests the page of the device at `address` without a login, then with the factory's. `connect` opens a connection.
pub async fn check<C: AsyncFn() -> std::io::Result<TcpStream>>(
    address: Ipv4Addr,
    connect: C,
) -> WebAccess {
    match status(address, connect(), None).await {
        None => WebAccess::Unclear,
        Some(StatusCode::UNAUTHORIZED) => try_factory_logins(address, connect).await,
        Some(status) if status.is_success() || status.is_redirection() => WebAccess::Unprotected,
        Some(_) => WebAccess::Unclear,
    }
}

async fn try_factory_logins<C: AsyncFn() -> std::io::Result<TcpStream>>(
    address: Ipv4Addr,
    connect: C,
) -> WebAccess {
    for login in FACTORY_LOGINS {
        match status(address, connect(), Some(login)).await {
            Some(status) if accepts(status) => return WebAccess::DefaultLogin(login.0),
            Some(_) => {}
            None => return WebAccess::Protected,
        }
    }
    WebAccess::Protected
}

/// Tells whether a status means that the login was accepted. "Forbidden" is a refusal as well, and a server error is not an
/// acceptance.
pub(crate) fn accepts(status: StatusCode) -> bool {
    !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && !status.is_server_error()
}

/// Requests the page over a connection and returns the status.
pub(crate) async fn status(
    address: Ipv4Addr,
    stream: impl Future<Output = std::io::Result<TcpStream>>,
    login: Option<(&str, &str)>,
) -> Option<StatusCode> {
    match timeout(HTTP_TIMEOUT, request(address, stream, login)).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "cannot read the web page");
            None
        }
        Err(_) => None,
    }
}

async fn request(
    address: Ipv4Addr,
    stream: impl Future<Output = std::io::Result<TcpStream>>,
    login: Option<(&str, &str)>,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = stream.await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
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
    // The connection drives the exchange. It is dropped with the body unread; if it ends first, the response may have
    // come with its last bytes.
    let response = tokio::select! {
        biased;
        response = &mut exchange => response,
        _ = connection => exchange.await,
    };
    Ok(response?.status())
}

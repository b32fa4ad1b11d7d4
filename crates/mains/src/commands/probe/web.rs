//! Access to the web page on TCP port 80: without a login, or with the factory's.
//!
//! An SP-2 asks for a login (401), takes ADMIN/ADMIN, and then has no page to show (404). Only status lines matter, so
//! no body is read; header and waits are bounded, whatever the device sends.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::timing::HTTP_TIMEOUT;
use crate::resolve::interfaces::TcpRoute;

/// The port of the web page.
pub(super) const PORT: u16 = 80;
/// Maximum size of a header.
const MAX_HEADER: usize = 16 * 1024;

/// Factory logins: the plug's, then the plain module's.
const FACTORY_LOGINS: [(&str, &str); 2] = [("ADMIN", "ADMIN"), ("admin", "admin")];

/// Access to the web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WebAccess {
    /// The port is open, but the reply is not HTTP, or there is none.
    Unclear,
    /// Its pages need no login.
    Unprotected,
    /// It needs a login; the factory's are refused, or got no reply.
    Protected,
    /// This factory user is accepted, with the password of the same name.
    DefaultLogin(&'static str),
}

/// Requests the page without a login, then with the factory's.
pub(super) async fn check(route: &TcpRoute) -> WebAccess {
    match status(route, None).await {
        None => WebAccess::Unclear,
        Some(StatusCode::UNAUTHORIZED) => try_factory_logins(route).await,
        Some(status) if status.is_success() || status.is_redirection() => WebAccess::Unprotected,
        Some(_) => WebAccess::Unclear,
    }
}

async fn try_factory_logins(route: &TcpRoute) -> WebAccess {
    for login in FACTORY_LOGINS {
        match status(route, Some(login)).await {
            // "Forbidden" is a refusal as well, and a server error is not an acceptance.
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {}
            Some(status) if status.is_server_error() => {}
            Some(_) => return WebAccess::DefaultLogin(login.0),
            None => return WebAccess::Protected,
        }
    }
    WebAccess::Protected
}

async fn status(route: &TcpRoute, login: Option<(&str, &str)>) -> Option<StatusCode> {
    match timeout(HTTP_TIMEOUT, request(route, login)).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(address = %route.address, %error, "cannot read the web page");
            None
        }
        Err(_) => None,
    }
}

async fn request(
    route: &TcpRoute,
    login: Option<(&str, &str)>,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = route.connect(PORT).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut request = Request::get("/")
        .header(HOST, route.address.to_string())
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

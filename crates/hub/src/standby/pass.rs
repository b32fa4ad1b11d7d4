//! Passes requests on to the active hub, and its responses back, without holding either whole.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::RequestError;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::problem::away;
use crate::auth::PassingGate;
use crate::lease::{Lease, MAX_LAG};
use crate::pinned;
use crate::store::HubRecord;

/// Bound on the head of a response to what only reads, which the database can answer as well.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for an active hub that has not been seen in the database for some seconds, or has just not replied.
const DOUBTFUL_READ_TIMEOUT: Duration = Duration::from_secs(1);
/// Time for which a hub that has not replied is in doubt.
const DOUBT_DURATION: Duration = Duration::from_secs(15);
/// Bound on the head of a response to a change, or to what asks a device; a search takes a minute.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(90);

/// Header of the response of a hub that is not the active one.
pub(crate) const NOT_ACTIVE: HeaderName = HeaderName::from_static("x-mains-not-active");

/// Headers that belong to one connection.
const OF_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Reason why a request was not answered by the active hub.
#[derive(Debug)]
pub(super) enum PassError {
    /// It must not be passed on.
    Refused(RequestError),
    /// The active hub cannot be reached.
    Away(String),
}

/// Passes requests on.
#[derive(Debug)]
pub(super) struct Passer {
    lease: Lease,
    pub(super) gate: PassingGate,
    /// The client for the active hub, with the certificate that it knows.
    client: Mutex<Option<(Option<String>, reqwest::Client)>>,
    /// Time at which it did not reply.
    doubted: Mutex<Option<Instant>>,
}

impl Passer {
    pub(super) fn new(lease: Lease, gate: PassingGate) -> Self {
        Self {
            lease,
            gate,
            client: Mutex::default(),
            doubted: Mutex::default(),
        }
    }

    /// Passes a request on. `is_stored` is true for one that the database can answer as well.
    pub(super) async fn pass(
        &self,
        request: Request,
        body: Body,
        is_stored: bool,
    ) -> Result<Response, PassError> {
        let (Some(site), Some(active)) = (self.lease.site(), self.lease.active_hub()) else {
            return Err(PassError::Away("no hub of this site is active".to_owned()));
        };
        let own = site.hubs.iter().find(|hub| hub.id == self.lease.hub());
        let own_url = own.map_or("", |hub| hub.url.as_str());
        let headers = self.gate.headers(&request, &site.secret.0, own_url);
        let headers = headers.map_err(PassError::Refused)?;
        let client = self
            .client_of(&active)
            .map_err(|error| PassError::Away(error.to_string()))?;
        let path = request.uri().path_and_query();
        let path = path.map_or("/", |path| path.as_str());
        let mut sending = client
            .request(request.method().clone(), format!("{}{path}", active.url))
            .headers(without_connection(headers));
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            sending = sending.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let limit = match is_stored {
            true if active.lag > MAX_LAG || self.is_doubted() => DOUBTFUL_READ_TIMEOUT,
            true => READ_TIMEOUT,
            false => CHANGE_TIMEOUT,
        };
        let mut changes = self.lease.changes();
        let number = site.lease.number;
        let is_succeeded = changes.wait_for(|standing| {
            let site = standing.site.as_ref();
            site.is_some_and(|site| site.lease.number != number)
        });
        let lost = format!(
            "the active hub at {} was lost before it replied",
            active.url
        );
        let reply = tokio::select! {
            reply = timeout(limit, sending.send()) => reply,
            _ = is_succeeded => return Err(PassError::Away(lost)),
        };
        let has_replied = matches!(&reply, Ok(Ok(_)));
        *self.doubt() = (!has_replied).then(Instant::now);
        match reply {
            Ok(Ok(reply)) if reply.headers().contains_key(NOT_ACTIVE) => Err(PassError::Away(
                format!("the hub at {} is not the active one any longer", active.url),
            )),
            Ok(Ok(reply)) => Ok(response(reply)),
            Ok(Err(error)) if error.is_connect() => Err(PassError::Away(format!(
                "the active hub at {} cannot be reached from this hub",
                active.url
            ))),
            Ok(Err(_)) | Err(_) => Err(PassError::Away(lost)),
        }
    }

    fn doubt(&self) -> MutexGuard<'_, Option<Instant>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_doubted(&self) -> bool {
        self.doubt().is_some_and(|at| at.elapsed() < DOUBT_DURATION)
    }

    fn client_of(&self, hub: &HubRecord) -> Result<reqwest::Client, reqwest::Error> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((certificate, client)) = &*kept
            && *certificate == hub.certificate
        {
            return Ok(client.clone());
        }
        let made = pinned::client(hub.certificate.as_deref())?;
        *kept = Some((hub.certificate.clone(), made.clone()));
        Ok(made)
    }
}

/// Returns the response of a hub that is not active to a request that was passed on to it.
pub(super) fn not_active() -> Response {
    let problem = away("this hub is not the active one of its site");
    problem
        .header(NOT_ACTIVE, HeaderValue::from_static("1"))
        .into_response()
}

fn response(reply: reqwest::Response) -> Response {
    let (status, headers) = (reply.status(), reply.headers().clone());
    let mut response = Response::new(Body::from_stream(reply.bytes_stream()));
    *response.status_mut() = status;
    *response.headers_mut() = without_connection(headers);
    response
}

fn without_connection(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

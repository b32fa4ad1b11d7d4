//! A typed client of a hub's API.
//!
//! A [`Client`] is one hub, reached over HTTP or HTTPS with a token. Each path of the API is a method that takes and returns the
//! documents of this crate. Replies are bounded in size and time; a request that fails is a [`ClientError`], whose kind is that
//! of the hub's own error where there is one.
//!
//! ```no_run
//! # async fn example() -> Result<(), api::client::ClientError> {
//! use api::client::{Client, HubEndpoint};
//!
//! let url = "http://127.0.0.1:8480".parse().expect("a valid address");
//! let hub = Client::new(HubEndpoint::new(url))?;
//! for view in hub.plugs().await? {
//!     println!("{} is at {}", view.plug.mac, view.plug.address);
//! }
//! # Ok(()) }
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use error::{ClientError, Refusal};
pub use events::{EventStream, ReceivedEvent};
pub use plug::MAX_SEARCH;
pub use request::{Download, Versioned};
pub use url::HubUrl;

use crate::OfSite;
use request::Request;

mod admin;
mod documents;
mod error;
mod events;
mod plug;
mod request;
mod tls;
mod url;

/// Maximum time for opening a connection; short, because a hub is usually on the local network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The secret that a hub grants access by. Wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes over a token, without the blanks and line ends around it that files have.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    fn header(&self) -> Result<HeaderValue, ClientError> {
        let text = Zeroizing::new(format!("Bearer {}", *self.0));
        let mut value = HeaderValue::from_str(&text).map_err(|_| ClientError::InvalidToken)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The address of a hub and the means of access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubEndpoint {
    /// The address.
    pub url: HubUrl,
    /// The address to connect to instead of one that the name in the URL resolves to.
    pub address: Option<SocketAddr>,
    /// The token.
    pub token: Option<Token>,
    /// A PEM file with the certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `true` if that file is the hub's own certificate, valid by whatever name the hub is reached.
    pub is_pinned: bool,
}

impl HubEndpoint {
    /// Makes an endpoint without a token that trusts the system's certificates.
    pub fn new(url: HubUrl) -> Self {
        Self {
            url,
            address: None,
            token: None,
            ca_file: None,
            is_pinned: false,
        }
    }
}

/// One hub, reached over HTTP.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: HubUrl,
}

impl Client {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the token or the certificate file is unusable.
    pub fn new(endpoint: HubEndpoint) -> Result<Self, ClientError> {
        // Fails where a provider is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(token) = &endpoint.token {
            headers.insert(AUTHORIZATION, token.header()?);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            // The token is meant for this hub, not for the target of a redirect or for a proxy.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("mains/", env!("CARGO_PKG_VERSION")));
        match &endpoint.ca_file {
            Some(file) => {
                let config = tls::config(file, endpoint.is_pinned)?;
                builder = builder.tls_backend_preconfigured(config);
            }
            // Reading the system's certificates takes longer than switching a plug.
            None if !endpoint.url.is_https() => builder = builder.tls_certs_only([]),
            None => {}
        }
        if let (Some(name), Some(address)) = (endpoint.url.name(), endpoint.address) {
            builder = builder.resolve(name, address);
        }
        Ok(Self {
            http: builder.build().map_err(ClientError::Setup)?,
            url: endpoint.url,
        })
    }

    /// Returns the address of the hub.
    pub fn url(&self) -> &HubUrl {
        &self.url
    }

    /// Listens to the hub's events, all or those of kinds that commas separate: those after the event `last`, else from now on. The stream ends with the connection;
    /// [`EventStream::last_id`] is where to resume.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the hub cannot be reached or refuses.
    pub async fn events(
        &self,
        last: Option<&str>,
        kinds: Option<&str>,
    ) -> Result<EventStream, ClientError> {
        let kinds = kinds.map(|kinds| ("kinds", kinds));
        let request = self.request(Method::GET, "events").query(&kinds.as_slice());
        Ok(EventStream::new(request.listen(last).await?, last))
    }

    /// Returns the objects of a list that belong to the hub's own site, which are all where there is only one.
    async fn of_own_site<'a, T: DeserializeOwned>(
        &'a self,
        list: impl Fn() -> Request<'a>,
    ) -> Result<Vec<T>, ClientError> {
        let mut objects: Vec<OfSite<T>> = list().reply().await?;
        if objects.iter().any(|object| object.site.is_some()) {
            let sites = self.sites().await?.into_iter();
            let own = sites.filter(|site| site.is_own).map(|site| site.site);
            let own: Vec<_> = own.map(|site| ("site", site)).collect();
            objects = list().query(&own).reply().await?;
        }
        Ok(objects.into_iter().map(|object| object.object).collect())
    }

    /// Begins a request for a path below `/api/v1/`, e.g. `plugs/accf23123456`.
    fn request(&self, method: Method, path: &str) -> Request<'_> {
        Request::new(&self.url, self.http.request(method, self.url.api(path)))
    }

    fn get(&self, path: &str) -> Request<'_> {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str) -> Request<'_> {
        self.request(Method::POST, path)
    }

    fn put(&self, path: &str) -> Request<'_> {
        self.request(Method::PUT, path)
    }

    fn patch(&self, path: &str) -> Request<'_> {
        self.request(Method::PATCH, path)
    }

    fn delete(&self, path: &str) -> Request<'_> {
        self.request(Method::DELETE, path)
    }
}

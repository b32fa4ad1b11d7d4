//! Talking to a hub: which one, and how a request and its answer look.
//!
//! A verb asks its [`Context`](crate::context::Context) for a [`Client`]: `context.hub()` for the hub that was named, else
//! the one that runs on this computer, else none; `context.need_hub()` where nothing goes without. The module owns HTTP,
//! TLS, the token and what the hub's errors become here; it knows no verb. Answers are bounded in size and time.
//!
//! ```no_run
//! # async fn example(context: &mains::context::Context) -> Result<(), mains::error::Failure> {
//! let hub = context.need_hub()?;
//! let plugs: Vec<api::PlugView> = hub.get("plugs").answer().await?;
//! let group = hub.get("groups/g-3f9a02c1").versioned::<serde_json::Value>().await?;
//! hub.put("groups/g-3f9a02c1").if_match(group.etag.as_deref()).json(&group.body).done().await?;
//! # Ok(()) }
//! ```

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::error::Failure;

pub use address::HubUrl;
pub use call::{Answer, Call, Download, Versioned};
pub use events::{EventStream, ServerEvent};
pub use local::running;

mod address;
mod call;
mod error;
mod events;
mod local;

/// A hub is near; who has not taken the connection by then is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// Longer than any token.
const LONGEST_TOKEN: u64 = 4 * 1024;

/// What opens the hub's door. Wiped when dropped; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes over a token; blanks around it, as files end with, do not belong to it.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// Reads a file that holds a token.
    ///
    /// # Errors
    ///
    /// `usage` when it cannot be read.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let mut text = String::new();
        File::open(file)
            .and_then(|file| file.take(LONGEST_TOKEN).read_to_string(&mut text))
            .map_err(|error| {
                let file = file.display();
                Failure::usage(format!("the token file {file} cannot be read")).caused_by(&error)
            })?;
        Ok(Self::new(text))
    }

    fn header(&self) -> Result<HeaderValue, Failure> {
        let text = Zeroizing::new(format!("Bearer {}", *self.0));
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Failure::usage("the token has characters that no token has")
                .hint("MAINS_TOKEN takes the token alone, on one line")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where a hub is, and how to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub url: HubUrl,
    /// What opens its door.
    pub token: Option<Token>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// That file is the hub's own certificate, by whatever name it is called here.
    pub is_pinned: bool,
    /// Whether the user named it; otherwise it is just there, on this computer.
    pub is_named: bool,
}

/// One hub, spoken to over HTTP.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
}

impl Client {
    /// Gets ready to speak to a hub. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// `usage` for a token or a certificate file that cannot be one.
    pub fn new(endpoint: Endpoint) -> Result<Self, Failure> {
        // A second one in the same process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(token) = &endpoint.token {
            headers.insert(AUTHORIZATION, token.header()?);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT)
            // The token is for this hub and nobody that it points to; and a proxy is not on the way to a neighbour.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("mains/", env!("CARGO_PKG_VERSION")));
        match &endpoint.ca_file {
            Some(file) => {
                builder = builder
                    .tls_certs_only(certificates(file)?)
                    .tls_danger_accept_invalid_hostnames(endpoint.is_pinned);
            }
            // To read the system's certificates takes longer than switching a plug.
            None if !endpoint.url.is_https() => builder = builder.tls_certs_only([]),
            None => {}
        }
        let http = builder.build().map_err(|error| {
            Failure::local("HTTP cannot be spoken here").caused_by(&error.without_url())
        })?;
        Ok(Self { http, endpoint })
    }

    /// Returns where the hub is, for people.
    pub fn url(&self) -> &HubUrl {
        &self.endpoint.url
    }

    /// Tells whether the user named this hub; otherwise it was found running on this computer.
    pub fn is_named(&self) -> bool {
        self.endpoint.is_named
    }

    /// Begins to read `path`, which is below `/api/v1/`, e.g. `plugs/accf23123456`.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// Begins to create or to do something.
    pub fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    /// Begins to replace something.
    pub fn put(&self, path: &str) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    /// Begins to change something.
    pub fn patch(&self, path: &str) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    /// Begins to remove something.
    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// Listens to the hub's events: those after `last`, or from now on. The stream ends when the connection does; its
    /// [`EventStream::last_id`] is where to go on.
    ///
    /// # Errors
    ///
    /// As [`Call::answer`].
    pub async fn events(&self, last: Option<&str>) -> Result<EventStream, Failure> {
        EventStream::open(self.get("events"), last).await
    }

    fn call(&self, method: Method, path: &str) -> Call<'_> {
        let url = self.endpoint.url.api(path);
        Call::new(self, self.http.request(method, url))
    }
}

/// Reads a file of PEM certificates.
fn certificates(file: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let failure = |problem: &str| {
        Failure::usage(format!("the certificate file {} {problem}", file.display()))
    };
    let pem = std::fs::read(file).map_err(|error| failure("cannot be read").caused_by(&error))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|error| failure("is not PEM").caused_by(&error))?;
    if certificates.is_empty() {
        return Err(failure("has no certificate in it"));
    }
    Ok(certificates)
}

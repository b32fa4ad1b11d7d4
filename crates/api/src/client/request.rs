//! One request to a hub and its reply.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ClientError;
use super::url::HubUrl;

/// Maximum time for a whole reply; the hub itself waits for a plug for at most half of this.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum time between two pieces of a download.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum time between two signs of life of an event stream; a hub sends one every five seconds.
const EVENT_STREAM_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of a reply that is kept in memory.
const MAX_REPLY_LEN: usize = 64 * 1024 * 1024;

/// A reply and the version that it is of.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// The reply.
    pub body: T,
    /// Its ETag, for a change that must not overwrite another.
    pub etag: Option<String>,
}

/// A request under construction.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub(super) struct Request<'a> {
    url: &'a HubUrl,
    builder: RequestBuilder,
    timeout: Duration,
}

impl<'a> Request<'a> {
    pub(super) fn new(url: &'a HubUrl, builder: RequestBuilder) -> Self {
        Self {
            url,
            builder,
            timeout: REPLY_TIMEOUT,
        }
    }

    /// Adds parameters to the query; those that are `None` are left out.
    pub(super) fn query(mut self, parameters: &(impl Serialize + ?Sized)) -> Self {
        self.builder = self.builder.query(parameters);
        self
    }

    /// Applies the request only to the version with this ETag.
    pub(super) fn if_match(mut self, etag: Option<&str>) -> Self {
        if let Some(etag) = etag {
            self.builder = self.builder.header(IF_MATCH, etag);
        }
        self
    }

    /// Sets a JSON body.
    pub(super) fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// Sets a body of another content type.
    pub(super) fn body(mut self, content_type: &'static str, bytes: Vec<u8>) -> Self {
        self.builder = self.builder.header(CONTENT_TYPE, content_type).body(bytes);
        self
    }

    /// Replaces the default timeout of the reply.
    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it and reads the JSON of the reply.
    pub(super) async fn reply<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        Ok(self.versioned().await?.body)
    }

    /// Sends it and reads the JSON of the reply and its ETag.
    pub(super) async fn versioned<T: DeserializeOwned>(self) -> Result<Versioned<T>, ClientError> {
        let url = self.url;
        let (response, body) = self.send().await?;
        let body = serde_json::from_slice(&body)
            .map_err(|error| url.not_a_hub(response.status(), Some(error)))?;
        let etag = response
            .headers()
            .get(ETAG)
            .and_then(|etag| etag.to_str().ok());
        Ok(Versioned {
            body,
            etag: etag.map(str::to_owned),
        })
    }

    /// Sends it; the reply carries nothing of interest.
    pub(super) async fn done(self) -> Result<(), ClientError> {
        self.send().await.map(drop)
    }

    /// Sends it and reads the JSON of the reply, if it has a body.
    pub(super) async fn reply_if_any<T: DeserializeOwned>(self) -> Result<Option<T>, ClientError> {
        let url = self.url;
        let (response, body) = self.send().await?;
        if body.is_empty() {
            return Ok(None);
        }
        let body = serde_json::from_slice(&body);
        body.map(Some)
            .map_err(|error| url.not_a_hub(response.status(), Some(error)))
    }

    /// Sends it and returns the bytes of the reply as they arrive.
    pub(super) async fn download(self) -> Result<Download, ClientError> {
        let Self {
            url,
            builder,
            timeout,
        } = self;
        // Bounds the head alone: the body may take long.
        let mut response = tokio::time::timeout(timeout, builder.send())
            .await
            .map_err(|_| url.timed_out())?
            .map_err(|error| url.unreachable(error))?;
        if !response.status().is_success() {
            let body = tokio::time::timeout(REPLY_TIMEOUT, collect(url, &mut response))
                .await
                .map_err(|_| url.timed_out())??;
            return Err(url.refused(response.status(), &body));
        }
        Ok(Download {
            url: url.clone(),
            response,
            timeout: PIECE_TIMEOUT,
        })
    }

    /// As [`Request::download`], for the event stream after the event `last`.
    pub(super) async fn listen(mut self, last: Option<&str>) -> Result<Download, ClientError> {
        self.builder = self.builder.header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            self.builder = self.builder.header("last-event-id", last);
        }
        Ok(Download {
            timeout: EVENT_STREAM_TIMEOUT,
            ..self.download().await?
        })
    }

    /// Sends it and reads the whole reply, which must be a success.
    async fn send(self) -> Result<(Response, Vec<u8>), ClientError> {
        let url = self.url;
        let mut response = self
            .builder
            .timeout(self.timeout)
            .send()
            .await
            .map_err(|error| url.unreachable(error))?;
        let body = collect(url, &mut response).await?;
        if response.status().is_success() {
            Ok((response, body))
        } else {
            Err(url.refused(response.status(), &body))
        }
    }
}

async fn collect(url: &HubUrl, response: &mut Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| url.unreachable(error))?
    {
        if body.len() + chunk.len() > MAX_REPLY_LEN {
            return Err(url.too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A reply of any length, in pieces.
#[derive(Debug)]
pub struct Download {
    url: HubUrl,
    response: Response,
    /// Maximum time between two pieces.
    timeout: Duration,
}

impl Download {
    /// Returns the next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the hub sends nothing in time or the connection breaks.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, ClientError> {
        tokio::time::timeout(self.timeout, self.response.chunk())
            .await
            .map_err(|_| self.url.timed_out())?
            .map_err(|error| self.url.unreachable(error))
    }

    pub(super) fn too_long(&self) -> ClientError {
        self.url.too_long()
    }
}

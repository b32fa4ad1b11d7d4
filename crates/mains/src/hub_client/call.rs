//! One request and its answer.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Client, error};
use crate::error::{Failure, Kind};

/// How long the hub may take for an answer. It waits for plugs itself, at most half of this.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the hub may be silent within a download.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest answer that is kept in memory.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A request that is being put together.
#[derive(Debug)]
#[must_use = "nothing is sent before it is asked for its answer"]
pub struct Call<'a> {
    client: &'a Client,
    request: RequestBuilder,
    patience: Duration,
    /// A body that could not be written as JSON.
    unwritable: Option<Failure>,
}

/// An answer, and the version that it is of.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// What the hub said.
    pub body: T,
    /// For `If-Match`, when it is sent back changed.
    pub etag: Option<String>,
}

/// What the hub said: yes, or no and why.
#[derive(Debug, Clone)]
pub enum Answer<T> {
    /// It did it.
    Yes(T),
    /// It did not.
    No {
        /// As a failure.
        failure: Failure,
        /// The whole problem document; null when there is none.
        problem: Value,
    },
}

impl<'a> Call<'a> {
    pub(super) fn new(client: &'a Client, request: RequestBuilder) -> Self {
        Self {
            client,
            request,
            patience: PATIENCE,
            unwritable: None,
        }
    }

    /// Adds to the query; `None` is left out.
    pub fn query(mut self, name: &str, value: Option<impl Serialize>) -> Self {
        if let Some(value) = value {
            self.request = self.request.query(&[(name, value)]);
        }
        self
    }

    /// Does it only to the version that was read.
    pub fn if_match(mut self, etag: Option<&str>) -> Self {
        if let Some(etag) = etag {
            self.request = self.request.header(IF_MATCH, etag);
        }
        self
    }

    /// Sends this as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(text) => self.body("application/json", text),
            Err(error) => {
                let failure = Failure::failed("the request cannot be written as JSON");
                self.unwritable = Some(failure.caused_by(&error));
                self
            }
        }
    }

    /// Sends these bytes.
    pub fn body(mut self, content_type: &'static str, bytes: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.header(CONTENT_TYPE, content_type).body(bytes);
        self
    }

    /// Gives the hub so long, instead of half a minute.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends it and returns the JSON that comes back.
    ///
    /// # Errors
    ///
    /// `unavailable` when the hub cannot be reached, what the hub itself says, `bad_answer` for what is not the API of a
    /// hub.
    pub async fn answer<T: DeserializeOwned>(self) -> Result<T, Failure> {
        Ok(self.versioned().await?.body)
    }

    /// As [`Call::answer`], with the version.
    ///
    /// # Errors
    ///
    /// As [`Call::answer`].
    pub async fn versioned<T: DeserializeOwned>(self) -> Result<Versioned<T>, Failure> {
        let client = self.client;
        let (response, body) = self.whole().await?;
        let body = serde_json::from_slice(&body)
            .map_err(|error| error::not_a_hub(client).caused_by(&error))?;
        let etag = response
            .headers()
            .get(ETAG)
            .and_then(|etag| etag.to_str().ok())
            .map(str::to_owned);
        Ok(Versioned { body, etag })
    }

    /// As [`Call::answer`], for who wants to know more of a no than its sentence.
    ///
    /// # Errors
    ///
    /// As [`Call::answer`], but for what the hub itself says.
    pub async fn answer_or_problem<T: DeserializeOwned>(self) -> Result<Answer<T>, Failure> {
        let client = self.client;
        let patience = self.patience;
        let mut response = self.respond().await?;
        let body = tokio::time::timeout(patience, collect(client, &mut response))
            .await
            .map_err(|_| error::silent(client))??;
        if response.status().is_success() {
            let body = serde_json::from_slice(&body)
                .map_err(|error| error::not_a_hub(client).caused_by(&error))?;
            return Ok(Answer::Yes(body));
        }
        Ok(Answer::No {
            failure: error::refused(client, response.status(), &body),
            problem: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// Sends it; that it was done is all there is to know.
    ///
    /// # Errors
    ///
    /// As [`Call::answer`].
    pub async fn done(self) -> Result<(), Failure> {
        self.whole().await.map(drop)
    }

    /// Sends it and returns the answer's bytes as they come.
    ///
    /// # Errors
    ///
    /// As [`Call::answer`].
    pub async fn download(self) -> Result<Download, Failure> {
        let client = self.client.clone();
        let response = self.send().await?;
        Ok(Download { client, response })
    }

    pub(super) fn listening(mut self, last: Option<&str>) -> Self {
        self.request = self.request.header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            self.request = self.request.header("last-event-id", last);
        }
        self
    }

    /// The response, as soon as its head is there and says yes.
    async fn send(self) -> Result<Response, Failure> {
        let client = self.client;
        let response = self.respond().await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(client, response).await)
    }

    /// The response, as soon as its head is there.
    async fn respond(self) -> Result<Response, Failure> {
        if let Some(failure) = self.unwritable {
            return Err(failure);
        }
        tokio::time::timeout(self.patience, self.request.send())
            .await
            .map_err(|_| error::silent(self.client))?
            .map_err(|error| error::unreachable(self.client, error))
    }

    async fn whole(self) -> Result<(Response, Vec<u8>), Failure> {
        let (client, patience) = (self.client, self.patience);
        let mut response = self.send().await?;
        let body = tokio::time::timeout(patience, collect(client, &mut response))
            .await
            .map_err(|_| error::silent(client))??;
        Ok((response, body))
    }
}

/// What the hub says when it says no.
async fn refusal(client: &Client, mut response: Response) -> Failure {
    let status = response.status();
    match tokio::time::timeout(PATIENCE, collect(client, &mut response)).await {
        Ok(Ok(body)) => error::refused(client, status, &body),
        Ok(Err(failure)) => failure,
        Err(_) => error::silent(client),
    }
}

async fn collect(client: &Client, response: &mut Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error::unreachable(client, error))?
    {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(Failure::new(
                Kind::BadAnswer,
                format!("the answer of the hub at {} is too long", client.url()),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An answer of any length, piece by piece.
#[derive(Debug)]
pub struct Download {
    client: Client,
    response: Response,
}

impl Download {
    /// Returns the next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// `unavailable` when the hub falls silent or goes away in the middle.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        self.next_within(SILENCE).await
    }

    /// As [`Download::next`], waiting for as long as `patience`; for a stream in which the hub can be silent.
    pub(super) async fn next_within(
        &mut self,
        patience: Duration,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        tokio::time::timeout(patience, self.response.chunk())
            .await
            .map_err(|_| error::silent(&self.client))?
            .map_err(|error| error::unreachable(&self.client, error))
    }
}

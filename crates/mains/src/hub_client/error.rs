//! What the hub's errors, and those of the way to it, become on the command line.

use reqwest::StatusCode;
use serde::Deserialize;

use super::Client;
use crate::error::{Failure, Kind};

/// The longest message that is shown; a hub says less.
const LONGEST_MESSAGE: usize = 2_000;

/// `application/problem+json`, as far as a person needs it.
#[derive(Debug, Deserialize)]
struct Problem {
    kind: Kind,
    title: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    field: Option<String>,
}

/// The failure of a hub that said no.
pub(super) fn refused(client: &Client, status: StatusCode, body: &[u8]) -> Failure {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return unclear(client, status);
    };
    let message = problem
        .detail
        .or(problem.title)
        .filter(|message| !message.trim().is_empty())
        .unwrap_or_else(|| format!("the hub at {} answers {status}", client.url()));
    let message = match problem.field {
        Some(field) if !message.contains(&field) => format!("{field}: {message}"),
        _ => message,
    };
    let kind = match (problem.kind, status) {
        // Somebody else's edit is nobody's mistake.
        (Kind::Conflict, StatusCode::PRECONDITION_FAILED) => Kind::Failed,
        (kind, _) => kind,
    };
    let failure = Failure::new(
        kind,
        message.chars().take(LONGEST_MESSAGE).collect::<String>(),
    );
    match (problem.kind, problem.hint) {
        // What the hub says is for whoever speaks HTTP.
        (Kind::Unauthenticated, _) => failure
            .about(&format!("the hub at {}", client.url()))
            .hint("set MAINS_TOKEN to a token of this hub; `mains hub token add` on its computer makes one"),
        (_, Some(hint)) => failure.hint(hint),
        (_, None) => failure,
    }
}

/// A status without a problem document: somebody on the way, or no hub at all.
fn unclear(client: &Client, status: StatusCode) -> Failure {
    let url = client.url();
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Failure::new(
                Kind::Unavailable,
                format!("the hub at {url} is not there ({status})"),
            )
        }
        _ => not_a_hub(client).about(&format!("status {status}")),
    }
}

/// The failure of an answer that no hub gives.
pub(super) fn not_a_hub(client: &Client) -> Failure {
    Failure::new(
        Kind::BadAnswer,
        format!("what answers at {} is not the API of a hub", client.url()),
    )
    .hint("is this the address of a hub, and is it of the same version? `mains serve` prints its address")
}

/// The failure of a hub that took the request and says nothing.
pub(super) fn silent(client: &Client) -> Failure {
    Failure::new(
        Kind::Unavailable,
        format!("the hub at {} does not answer", client.url()),
    )
}

/// The failure of a hub that is not there, or goes away in the middle.
pub(super) fn unreachable(client: &Client, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let message = format!("the hub at {} cannot be reached", client.url());
    let failure = Failure::new(Kind::Unavailable, message).caused_by(&error);
    if client.url().is_https() && failure.to_string().contains("certificate") {
        failure.hint(
            "`ca_file` in [hub] of the configuration (or MAINS_HUB_CA_FILE) names the certificate file to trust",
        )
    } else {
        failure.hint("is it running, and is this its address? `mains serve` starts one, and prints where it is")
    }
}

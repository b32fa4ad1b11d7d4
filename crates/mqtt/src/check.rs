//! Checks the settings of MQTT step by step: connects, publishes, and reads back.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use crate::bridge::client_id;
use crate::config::MqttConfig;
use crate::error::{CheckStep, MqttError};
use crate::link;
use crate::protocol::ProtocolEvent;
use crate::protocol::packet::{Filter, MqttVersion};
use crate::session::{Session, SessionError};

/// Time for the broker to acknowledge and to deliver a message.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The step.
    pub step: CheckStep,
    /// True if it succeeded.
    pub ok: bool,
    /// Finding of a step that succeeded, or the reason for the failure.
    pub detail: String,
}

/// The results of all steps up to the first that failed, and its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The results, in order.
    pub steps: Vec<CheckResult>,
    /// The error of the last step, if it failed.
    pub error: Option<MqttError>,
}

/// Connects with the settings of the hub but a client id of its own, publishes a message that the broker does not keep, and reads
/// it back. It disturbs no hub that runs with the same settings.
///
/// # Errors
///
/// [`MqttError::Settings`] when a file cannot be used; what fails later is in the report.
pub async fn check(config: &MqttConfig) -> Result<CheckReport, MqttError> {
    let random = format!("{:012x}", fastrand::u64(..1 << 48));
    let login = link::login(config, &client_id(config, &random))?;
    let mut steps = Vec::new();
    let mut done = |step, detail| {
        // A second version of MQTT needs a second connection.
        if !steps.iter().any(|known: &CheckResult| known.step == step) {
            let ok = true;
            steps.push(CheckResult { step, ok, detail });
        }
    };
    let opened = link::open(config, &login, MqttVersion::V5, &mut done).await;
    let failed = match opened {
        Err((_, MqttError::Settings(reason))) => return Err(MqttError::Settings(reason)),
        Err(failed) => Some(failed),
        Ok(open) => {
            let user = config.username.as_deref();
            let user = user.map_or_else(String::new, |user| format!(", user {user}"));
            done(
                CheckStep::Login,
                format!("MQTT {}{user}", open.version.as_str()),
            );
            let topic = format!("{}/bridge/check", config.topics.base());
            exchange(open.session, &login.client_id, &topic, &mut done)
                .await
                .err()
        }
    };
    let error = failed.map(|(step, error)| {
        let detail = error.to_string();
        steps.push(CheckResult {
            step,
            ok: false,
            detail,
        });
        error
    });
    Ok(CheckReport { steps, error })
}

/// The replies of the broker to one message.
#[derive(Debug, Default)]
struct Replies {
    published: Option<u8>,
    subscribed: Option<u8>,
    is_delivered: bool,
}

impl Replies {
    /// Returns true if no further reply matters.
    fn are_complete(&self) -> bool {
        let is_refused = |code: Option<u8>| code.is_some_and(is_refusal);
        is_refused(self.published)
            || is_refused(self.subscribed)
            || (self.published.is_some() && self.is_delivered)
    }
}

/// Publishes a message and waits until it comes back.
async fn exchange(
    mut session: Session,
    client_id: &str,
    topic: &str,
    done: link::StepReport<'_>,
) -> Result<(), (CheckStep, MqttError)> {
    let lost = |step, error: SessionError| (step, MqttError::of_session(&error, client_id));
    let filters = [Filter {
        topics: topic.to_owned(),
        keeps_retain: false,
    }];
    session
        .subscribe(&filters)
        .map_err(|error| lost(CheckStep::ReadBack, error))?;
    let payload = fastrand::u64(..).to_string();
    let id = session.publish(topic, payload.as_bytes(), false);
    let mut replies = Replies::default();
    let waiting = async {
        while !replies.are_complete() {
            match session.next().await? {
                ProtocolEvent::Published(acked, code) if Some(acked) == id => {
                    replies.published = Some(code);
                }
                ProtocolEvent::Subscribed(_, codes) => replies.subscribed = codes.first().copied(),
                ProtocolEvent::Message(message) => {
                    let is_it = message.topic == topic && message.payload == payload.as_bytes();
                    replies.is_delivered |= is_it;
                }
                _ => {}
            }
        }
        Ok::<(), SessionError>(())
    };
    let ended = timeout(DELIVERY_TIMEOUT, waiting).await.unwrap_or(Ok(()));
    let topic = topic.to_owned();
    match (replies.published, ended) {
        (None, Err(error)) => return Err(lost(CheckStep::Publish, error)),
        (Some(code), _) if is_refusal(code) => {
            return Err((CheckStep::Publish, MqttError::NotPublished { topic, code }));
        }
        (published, Ok(())) if replies.subscribed.is_some_and(is_refusal) => {
            if published.is_some() {
                done(CheckStep::Publish, topic.clone());
            }
            let filter = topic;
            return Err((CheckStep::ReadBack, MqttError::NotSubscribed { filter }));
        }
        (None, Ok(())) => return Err((CheckStep::Publish, MqttError::NoReply)),
        (Some(_), _) if session.limits().is_some_and(|limits| !limits.retains) => {
            return Err((CheckStep::Publish, MqttError::NotRetained));
        }
        (Some(_), Err(error)) if !replies.is_delivered => {
            return Err(lost(CheckStep::ReadBack, error));
        }
        (Some(_), _) => done(CheckStep::Publish, topic.clone()),
    }
    if !replies.is_delivered {
        return Err((CheckStep::ReadBack, MqttError::NotDelivered { topic }));
    }
    done(CheckStep::ReadBack, "the message came back".to_owned());
    if let Err(error) = session.end().await {
        tracing::debug!(%error, "the MQTT broker closed the connection first");
    }
    Ok(())
}

/// Returns true for a reason code that is a refusal.
fn is_refusal(code: u8) -> bool {
    code >= 0x80
}

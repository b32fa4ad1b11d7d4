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
    /// What was found, or the reason for the failure.
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

/// Publishes a message and waits until it comes back.
async fn exchange(
    mut session: Session,
    client_id: &str,
    topic: &str,
    done: link::StepReport<'_>,
) -> Result<(), (CheckStep, MqttError)> {
    let lost = |step| move |error: SessionError| (step, MqttError::of_session(&error, client_id));
    let read_back = CheckStep::ReadBack;
    let filters = [Filter {
        topics: topic.to_owned(),
        keeps_retain: false,
    }];
    session.subscribe(&filters).map_err(lost(read_back))?;
    let mut subscribed = None;
    let mut delivered = false;
    let mut published = None;
    let payload = fastrand::u64(..).to_string();
    let limits = session.limits().copied();
    let exchanging = async {
        let id = session.publish(topic, payload.as_bytes(), false);
        while published.is_none() || !delivered {
            match session.next().await? {
                ProtocolEvent::Published(acked, code) if Some(acked) == id => {
                    published = Some(code)
                }
                ProtocolEvent::Subscribed(_, codes) => subscribed = codes.first().copied(),
                ProtocolEvent::Message(message) => {
                    delivered |= message.topic == topic && message.payload == payload.as_bytes();
                }
                _ => {}
            }
            if published.is_some_and(is_refusal) || subscribed.is_some_and(is_refusal) {
                break;
            }
        }
        Ok(())
    };
    let ended = timeout(DELIVERY_TIMEOUT, exchanging).await;
    match published {
        None => {
            let error = match ended {
                Ok(Err(error)) => return Err(lost(CheckStep::Publish)(error)),
                _ => MqttError::NoReply,
            };
            if !subscribed.is_some_and(is_refusal) {
                return Err((CheckStep::Publish, error));
            }
        }
        Some(code) if is_refusal(code) => {
            let topic = topic.to_owned();
            return Err((CheckStep::Publish, MqttError::NotPublished { topic, code }));
        }
        Some(_) if limits.is_some_and(|limits| !limits.retains) => {
            return Err((CheckStep::Publish, MqttError::NotRetained));
        }
        Some(_) => done(CheckStep::Publish, topic.to_owned()),
    }
    if subscribed.is_some_and(is_refusal) {
        let filter = topic.to_owned();
        return Err((read_back, MqttError::NotSubscribed { filter }));
    }
    if let Ok(Err(error)) = ended {
        return Err(lost(read_back)(error));
    }
    if !delivered {
        let topic = topic.to_owned();
        return Err((read_back, MqttError::NotDelivered { topic }));
    }
    done(read_back, "the message came back".to_owned());
    if let Err(error) = session.end().await {
        tracing::debug!(%error, "the MQTT broker closed the connection first");
    }
    Ok(())
}

/// Returns true for a reason code that is a refusal.
fn is_refusal(code: u8) -> bool {
    code >= 0x80
}

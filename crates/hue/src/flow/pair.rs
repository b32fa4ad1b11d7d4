//! The first meeting with a bridge: its owner presses the button, and the bridge gives a key.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bridge, INTERNAL_ERROR_PAUSE};
use crate::call::{Call, Method, Target};
use crate::error::HueError;
use crate::guide::{Guide, Progress};
use crate::identity::BridgeId;
use crate::key::AppKey;
use crate::reply::{self, BadReply, Meaning};
use crate::transport::{Answer, Transport};

/// A bridge is asked so often whether its button was pressed.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// What a bridge takes for the two halves of the name of a program.
const LONGEST_APP: usize = 20;
const LONGEST_DEVICE: usize = 19;

/// How to pair.
#[derive(Debug, Clone)]
pub struct PairOptions {
    /// What the bridge calls the program in its list: see [`device_type`].
    pub device_type: String,
    /// How long the button is waited for. Zero asks once, for a button that was pressed just now.
    pub wait: Duration,
}

impl PairOptions {
    /// How long a person gets to walk to the bridge.
    pub const WAIT: Duration = Duration::from_secs(60);
}

/// What a bridge gave. `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct Paired {
    /// The key for everything.
    pub key: AppKey,
    /// The key for its entertainment stream, from bridges that have one.
    pub client_key: Option<AppKey>,
    /// The bridge's id. The oldest firmware tells it only to who has a key.
    pub id: Option<BridgeId>,
}

/// Makes the name under which a bridge lists a program, `mains#kitchen-pc`: at most 20 and 19 characters, what could be
/// misread left out.
///
/// ```
/// assert_eq!(hue::flow::device_type("mains", "kitchen-pc"), "mains#kitchen-pc");
/// ```
pub fn device_type(app: &str, device: &str) -> String {
    let part = |text: &str, longest: usize| -> String {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
            .take(longest)
            .collect()
    };
    let (app, device) = (part(app, LONGEST_APP), part(device, LONGEST_DEVICE));
    match device.as_str() {
        "" => app,
        device => format!("{app}#{device}"),
    }
}

/// Asks a bridge for a key once a second, until its button was pressed or the time is over.
///
/// # Errors
///
/// [`HueError::Refused`] with error 101 when the button was not pressed in time, with others at once; no answer; a reply that
/// cannot be understood. No error carries what could be a key.
pub async fn pair<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
    options: &PairOptions,
) -> Result<Paired, HueError> {
    let begin = bridge.transport.now();
    let left = || {
        options
            .wait
            .saturating_sub(bridge.transport.now().duration_since(begin))
    };
    let mut is_internal_error_forgiven = false;
    loop {
        let pause = match ask(bridge, &options.device_type).await {
            Ok((key, client_key)) => return Ok(with_id(bridge, key, client_key).await),
            Err(HueError::Refused { error, .. })
                if error.meaning() == Meaning::Internal && !is_internal_error_forgiven =>
            {
                is_internal_error_forgiven = true;
                INTERNAL_ERROR_PAUSE
            }
            Err(HueError::Refused { error, .. })
                if error.meaning() == Meaning::ButtonNotPressed && !left().is_zero() =>
            {
                guide.tell(Progress::PressTheButton { left: left() });
                POLL_EVERY.min(left())
            }
            Err(error) => return Err(error),
        };
        bridge.transport.sleep(pause).await;
    }
}

/// Asks once.
async fn ask<T: Transport>(
    bridge: &Bridge<'_, T>,
    device_type: &str,
) -> Result<(AppKey, Option<AppKey>), HueError> {
    let body = match bridge.identity.has_client_key() {
        true => json!({ "devicetype": device_type, "generateclientkey": true }),
        false => json!({ "devicetype": device_type }),
    };
    let call = Call {
        method: Method::Post,
        target: Target::Open("/api".to_owned()),
        body: Some(body.to_string()),
    };
    let answer = bridge.transport.call(&call, None).await?;
    let successes = bridge
        .read(&answer, reply::changes)
        .map_err(|error| without_excerpt(error, &answer))?;
    let key = |name: &str| successes.iter().find_map(|told| told.get(name)?.as_str());
    let Some(Ok(app_key)) = key("username").map(str::parse) else {
        return Err(HueError::BadReply {
            at: bridge.name.clone(),
            reply: not_shown(answer.status),
        });
    };
    // It is of no use for lights, so one that cannot be read is no reason to fail.
    let client_key = key("clientkey").and_then(|key| key.parse().ok());
    Ok((app_key, client_key))
}

/// A reply that breaks off behind a key is not quoted.
fn without_excerpt(error: HueError, answer: &Answer) -> HueError {
    let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    match error {
        HueError::BadReply { at, .. }
            if text.contains("username") || text.contains("clientkey") =>
        {
            HueError::BadReply {
                at,
                reply: not_shown(answer.status),
            }
        }
        error => error,
    }
}

fn not_shown(status: u16) -> BadReply {
    BadReply {
        status,
        excerpt: "it is not shown, for there may be a key in it".to_owned(),
    }
}

/// Learns the id of a bridge that tells it only to who has a key. That it does not is no failure: the key is won.
async fn with_id<T: Transport>(
    bridge: &Bridge<'_, T>,
    key: AppKey,
    client_key: Option<AppKey>,
) -> Paired {
    let id = match &bridge.identity.id {
        Some(id) => Some(id.clone()),
        None => {
            let known = Bridge {
                transport: bridge.transport,
                identity: bridge.identity.clone(),
                name: bridge.name.clone(),
                key: Some(key.clone()),
            };
            let config = known.ask("/config").await.unwrap_or_default();
            let text = |name: &str| config.get(name).and_then(Value::as_str);
            let told = text("bridgeid").and_then(|id| id.parse().ok());
            told.or_else(|| BridgeId::from_mac(text("mac")?))
        }
    };
    Paired {
        key,
        client_key,
        id,
    }
}

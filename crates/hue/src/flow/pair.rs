//! Pairing: the owner presses the link button, and the bridge issues a key.

use std::time::Duration;

use serde_json::json;

use super::client::{BridgeClient, INTERNAL_ERROR_DELAY};
use crate::error::HueError;
use crate::key::AppKey;
use crate::operator::{FlowProgress, Operator};
use crate::reply::{self, BadReply, BridgeErrorKind};
use crate::request::{HueRequest, Method, RequestTarget};
use crate::transport::{BridgeReply, HueTransport};

/// Interval between two requests while the flow waits for the button.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum length of the program's name, the first half of the device type.
const MAX_PROGRAM: usize = 20;
/// Maximum length of the device's name, the second half.
const MAX_DEVICE: usize = 19;

/// Options of [`pair`].
#[derive(Debug, Clone)]
pub struct PairOptions {
    /// The name under which the bridge lists the program: see [`device_type`].
    pub device_type: String,
    /// Time to wait for the button. Zero asks once, for a button that was just pressed.
    pub wait: Duration,
}

impl PairOptions {
    /// Default time for a person to walk to the bridge.
    pub const BUTTON_TIMEOUT: Duration = Duration::from_secs(60);
}

/// Returns the name under which a bridge lists a program, such as `mains#kitchen-pc`. Each half is truncated, and characters that
/// could be misread are left out.
///
/// ```
/// assert_eq!(hue::flow::device_type("mains", "kitchen-pc"), "mains#kitchen-pc");
/// ```
pub fn device_type(program: &str, device: &str) -> String {
    let part = |text: &str, max: usize| -> String {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
            .take(max)
            .collect()
    };
    let (program, device) = (part(program, MAX_PROGRAM), part(device, MAX_DEVICE));
    match device.as_str() {
        "" => program,
        device => format!("{program}#{device}"),
    }
}

/// Asks a bridge for a key once a second, until its button is pressed or the time is up.
///
/// # Errors
///
/// [`HueError::Refused`] with error 101 when the button was not pressed in time, with others at once; no reply; an unintelligible
/// reply. No error contains what could be a key.
pub async fn pair<T: HueTransport, O: Operator>(
    bridge: &BridgeClient<'_, T>,
    operator: &O,
    options: &PairOptions,
) -> Result<AppKey, HueError> {
    let begin = bridge.transport.now();
    let left = || {
        let elapsed = bridge.transport.now().duration_since(begin);
        options.wait.saturating_sub(elapsed)
    };
    let mut is_retried = false;
    loop {
        let delay = match request_key(bridge, &options.device_type).await {
            Err(HueError::Refused { error, .. })
                if error.kind() == BridgeErrorKind::Internal && !is_retried =>
            {
                is_retried = true;
                INTERNAL_ERROR_DELAY
            }
            Err(HueError::Refused { error, .. })
                if error.kind() == BridgeErrorKind::ButtonNotPressed && !left().is_zero() =>
            {
                operator.report(FlowProgress::PressTheButton { left: left() });
                POLL_INTERVAL.min(left())
            }
            result => return result,
        };
        bridge.transport.sleep(delay).await;
    }
}

async fn request_key<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    device_type: &str,
) -> Result<AppKey, HueError> {
    // The vendor's documentation has newer bridges asked for the key of their entertainment stream as well; it is not used here.
    let body = match bridge.identity.has_client_key() {
        true => json!({ "devicetype": device_type, "generateclientkey": true }),
        false => json!({ "devicetype": device_type }),
    };
    let request = HueRequest {
        method: Method::Post,
        target: RequestTarget::Public("/api".to_owned()),
        body: Some(body.to_string()),
    };
    let reply = bridge.transport.send(&request, None).await?;
    let successes = bridge
        .parse(&reply, reply::changes)
        .map_err(|error| without_excerpt(error, &reply))?;
    let key = successes
        .iter()
        .find_map(|success| success.get("username")?.as_str());
    match key.map(str::parse) {
        Some(Ok(key)) => Ok(key),
        _ => Err(HueError::BadReply {
            at: bridge.name.clone(),
            reply: not_quoted(reply.status),
        }),
    }
}

/// Removes the quotation of a reply that is truncated behind a key.
fn without_excerpt(error: HueError, reply: &BridgeReply) -> HueError {
    let text = String::from_utf8_lossy(&reply.body).to_ascii_lowercase();
    match error {
        HueError::BadReply { at, .. }
            if text.contains("username") || text.contains("clientkey") =>
        {
            let reply = not_quoted(reply.status);
            HueError::BadReply { at, reply }
        }
        error => error,
    }
}

fn not_quoted(status: u16) -> BadReply {
    BadReply {
        status,
        excerpt: "not shown because it may contain a key".to_owned(),
    }
}

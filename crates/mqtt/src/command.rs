//! Commands: what comes in on a command topic.

use api::{DelayRequest, RelayCommand, SwitchTarget, excerpt};
use hiflying::Mac;
use plugs::{Minutes, RelayState};

use crate::protocol::packet::Message;
use crate::topic::{CommandKind, Topics};

/// Maximum length of a command's payload in bytes.
const MAX_PAYLOAD_LENGTH: usize = 256;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MqttCommand {
    /// Switches a plug, or all plugs of a group.
    Switch(SwitchTarget, RelayCommand),
    /// Sets a plug's own timer.
    Delay(Mac, RelayState, Minutes),
    /// Makes a plug identify itself.
    Identify(Mac),
}

/// Returns the command of a message.
///
/// # Errors
///
/// The reason why it is none, in one clause.
pub(crate) fn parse(topics: &Topics, message: &Message) -> Result<MqttCommand, String> {
    let (target, kind) = topics.command(&message.topic)?;
    if message.is_retained {
        return Err("it is retained, so it may be old; publish commands without the retain flag, and an empty retained message to clear it".to_owned());
    }
    if message.is_repeated {
        return Err("the broker has sent it before".to_owned());
    }
    if message.payload.len() > MAX_PAYLOAD_LENGTH {
        let length = message.payload.len();
        return Err(format!(
            "a payload of {length} bytes is too long for a command"
        ));
    }
    let text = std::str::from_utf8(&message.payload)
        .map_err(|_| "the payload is not UTF-8".to_owned())?
        .trim();
    match (kind, target) {
        (CommandKind::Relay, target) => relay(text).map(|it| MqttCommand::Switch(target, it)),
        (CommandKind::Delay, SwitchTarget::Plug(plug)) => delay(plug, text),
        (CommandKind::Identify, SwitchTarget::Plug(plug)) if text == "PRESS" => {
            Ok(MqttCommand::Identify(plug))
        }
        (CommandKind::Identify, SwitchTarget::Plug(_)) => {
            Err(format!("the payload is `PRESS`, not '{}'", excerpt(text)))
        }
        (CommandKind::Delay | CommandKind::Identify, SwitchTarget::Group(_)) => {
            Err("a group has no command but `relay/set`".to_owned())
        }
    }
}

/// Parses the payload of each command.
#[cfg(fuzzing)]
pub fn parse_payload(topics: &Topics, payload: &[u8]) {
    for leaf in ["relay", "delay", "identify"] {
        let message = Message {
            topic: format!("{}/accf23123456/{leaf}/set", topics.base()),
            payload: bytes::Bytes::copy_from_slice(payload),
            is_retained: false,
            is_repeated: false,
            packet_id: None,
        };
        let _ = parse(topics, &message);
    }
}

fn relay(text: &str) -> Result<RelayCommand, String> {
    match text.to_ascii_uppercase().as_str() {
        "ON" => Ok(RelayCommand::On),
        "OFF" => Ok(RelayCommand::Off),
        "TOGGLE" => Ok(RelayCommand::Toggle),
        _ => Err(format!(
            "the payload is `ON`, `OFF` or `TOGGLE`, not '{}'",
            excerpt(text)
        )),
    }
}

fn delay(plug: Mac, text: &str) -> Result<MqttCommand, String> {
    let wrong = |reason: String| {
        format!("the payload is like `{{\"state\":\"OFF\",\"minutes\":30}}`: {reason}")
    };
    // The API has the state in lower case.
    let request: DelayRequest = serde_json::from_str(&text.to_ascii_lowercase())
        .map_err(|error| wrong(error.to_string()))?;
    let minutes = Minutes::new(request.minutes).map_err(|error| wrong(error.to_string()))?;
    Ok(MqttCommand::Delay(plug, request.state, minutes))
}

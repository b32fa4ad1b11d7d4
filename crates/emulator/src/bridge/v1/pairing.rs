//! `POST /api`: an application asks for a key.

use serde::Serialize;
use serde_json::Value;

use super::super::reply::{BridgeAnswer, ReplyItem};
use super::BridgeCall;

/// The longest name of an application.
const MAX_NAME: usize = 40;

#[derive(Serialize)]
struct PairingSuccess {
    success: IssuedKey,
}

#[derive(Serialize)]
struct IssuedKey {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    clientkey: Option<String>,
}

impl BridgeCall<'_> {
    pub(super) fn pair(&mut self) -> BridgeAnswer {
        match self.wanted() {
            Ok((devicetype, wants_client_key)) => self.admit(&devicetype, wants_client_key),
            Err(error) => self.items(vec![error]),
        }
    }

    /// Reads the name of the application; `true` asks for a client key as well.
    fn wanted(&self) -> Result<(String, bool), ReplyItem> {
        let Ok(Value::Object(parameters)) = serde_json::from_slice(self.body) else {
            return Err(ReplyItem::invalid_json("/"));
        };
        let Some(devicetype) = parameters.get("devicetype") else {
            return Err(ReplyItem::missing("/"));
        };
        let fits = |text: &&str| (1..=MAX_NAME).contains(&text.chars().count());
        let Some(name) = devicetype.as_str().filter(fits) else {
            return Err(ReplyItem::invalid_value("", "devicetype", devicetype));
        };
        // Applications could choose their key themselves once; now that is refused.
        if let Some(username) = parameters.get("username") {
            return Err(ReplyItem::invalid_value("", "username", username));
        }
        let wants_client_key = parameters.get("generateclientkey").is_some();
        if wants_client_key && !self.bridge.config.model.has_https() {
            return Err(ReplyItem::no_parameter("", "generateclientkey"));
        }
        Ok((
            name.to_owned(),
            parameters.get("generateclientkey") == Some(&Value::Bool(true)),
        ))
    }

    fn admit(&mut self, devicetype: &str, wants_client_key: bool) -> BridgeAnswer {
        if !self.bridge.is_pressed(self.now) {
            return self.items(vec![ReplyItem::error(101, "", "link button not pressed")]);
        }
        let (username, clientkey) = self.bridge.admit(self.now, devicetype, wants_client_key);
        let success = IssuedKey {
            username,
            clientkey,
        };
        BridgeAnswer::json(200, &[PairingSuccess { success }])
    }
}

//! `POST /api`: an application asks for a key.

use serde::Serialize;
use serde_json::Value;

use super::super::reply::{Answer, Item};
use super::Call;

/// The longest name of an application.
const LONGEST: usize = 40;

#[derive(Serialize)]
struct Admitted {
    success: Key,
}

#[derive(Serialize)]
struct Key {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    clientkey: Option<String>,
}

impl Call<'_> {
    pub(super) fn pair(&mut self) -> Answer {
        match self.wanted() {
            Ok((devicetype, wants_client_key)) => self.admit(&devicetype, wants_client_key),
            Err(error) => self.items(vec![error]),
        }
    }

    /// The name of the application, and whether it wants a client key as well.
    fn wanted(&self) -> Result<(String, bool), Item> {
        let Ok(Value::Object(parameters)) = serde_json::from_slice(self.body) else {
            return Err(Item::invalid_json("/"));
        };
        let Some(devicetype) = parameters.get("devicetype") else {
            return Err(Item::missing("/"));
        };
        let fits = |text: &&str| (1..=LONGEST).contains(&text.chars().count());
        let Some(name) = devicetype.as_str().filter(fits) else {
            return Err(Item::invalid_value("", "devicetype", devicetype));
        };
        // Applications could choose their key themselves once; now that is refused.
        if let Some(username) = parameters.get("username") {
            return Err(Item::invalid_value("", "username", username));
        }
        let wants_client_key = parameters.get("generateclientkey").is_some();
        if wants_client_key && !self.bridge.config.model.has_https() {
            return Err(Item::no_parameter("", "generateclientkey"));
        }
        Ok((
            name.to_owned(),
            parameters.get("generateclientkey") == Some(&Value::Bool(true)),
        ))
    }

    fn admit(&mut self, devicetype: &str, wants_client_key: bool) -> Answer {
        if !self.bridge.is_pressed(self.now) {
            return self.items(vec![Item::error(101, "", "link button not pressed")]);
        }
        let (username, clientkey) = self.bridge.admit(self.now, devicetype, wants_client_key);
        let success = Key {
            username,
            clientkey,
        };
        Answer::json(200, &[Admitted { success }])
    }
}

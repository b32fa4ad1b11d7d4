//! `/config`: who the bridge is, and touchlink.

use std::net::Ipv4Addr;

use hiflying::Mac;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::config::{InterfaceVersion, TwinModel};
use super::super::reply::{BridgeAnswer, ReplyItem};
use super::BridgeCall;

const RESOURCE: &str = "/config";
/// The link button was given to the cloud then, and the list of applications with it.
const CLOUD_ONLY_SINCE: u32 = 31;
const TOUCHLINK_SINCE: u32 = 9;

/// Configuration for every client, in the order of real bridges.
#[derive(Serialize)]
struct PublicConfig {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    datastoreversion: Option<&'static str>,
    swversion: String,
    #[serde(flatten)]
    versioned: Option<VersionedConfig>,
}

#[derive(Serialize)]
struct VersionedConfig {
    apiversion: String,
    mac: String,
    bridgeid: String,
    factorynew: bool,
    replacesbridgeid: Value,
    modelid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    starterkitid: Option<&'static str>,
}

impl BridgeCall<'_> {
    pub(super) fn public_config(&self) -> BridgeAnswer {
        BridgeAnswer::json(200, &self.public())
    }

    fn public(&self) -> PublicConfig {
        let (config, quirks) = (&self.bridge.config, &self.bridge.quirks);
        let is_square = config.model != TwinModel::Round;
        let told = match config.api {
            // The interface of 2012 reports next to nothing.
            InterfaceVersion::Untold | InterfaceVersion::Version { minor: 0, .. } => None,
            version => Some(version.to_string()),
        };
        let [a, b, c, d, e, f] = config.mac.octets();
        let mac = Mac::new([a, b, c, d, e, if quirks.other_id { f ^ 0x55 } else { f }]);
        let id = super::super::BridgeConfig {
            mac,
            ..config.clone()
        }
        .bridge_id();
        PublicConfig {
            name: self.bridge.name.clone(),
            datastoreversion: is_square.then_some("99"),
            swversion: config.api.software(config.model),
            versioned: told.map(|apiversion| VersionedConfig {
                apiversion,
                mac: mac.to_string().to_ascii_lowercase(),
                bridgeid: id.to_ascii_uppercase(),
                factorynew: false,
                replacesbridgeid: Value::Null,
                modelid: quirks
                    .told_model
                    .clone()
                    .unwrap_or_else(|| config.model.id().to_owned()),
                starterkitid: is_square.then_some(""),
            }),
        }
    }

    pub(super) fn full_config(&self) -> BridgeAnswer {
        BridgeAnswer::json(200, &self.described_config())
    }

    /// Returns the configuration for an application that the bridge knows.
    pub(super) fn described_config(&self) -> Value {
        let mut all = json!(self.public());
        let user = |(key, user): (&String, &super::super::twin::RegisteredApp)| {
            let entry = json!({
                "name": user.devicetype,
                "create date": self.clock.text(user.created),
                "last use date": self.clock.text(user.used),
            });
            (key.clone(), entry)
        };
        let more = json!({
            "whitelist": self.bridge.users.iter().map(user).collect::<Map<_, _>>(),
            "ipaddress": self.bridge.config.listen,
            "netmask": Ipv4Addr::new(255, 255, 255, 0),
            "gateway": self.bridge.config.listen,
            "dhcp": true,
            "zigbeechannel": 25,
            "proxyaddress": "none",
            "proxyport": 0,
            "UTC": self.clock.text(self.now),
            "localtime": self.clock.text(self.now),
            "timezone": "UTC",
            "linkbutton": self.bridge.is_pressed(self.now),
            "portalservices": false,
            "swupdate": {"updatestate": 0, "url": "", "text": "", "notify": false},
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    }

    pub(super) fn change_config(&mut self) -> BridgeAnswer {
        self.change(RESOURCE, Self::set_config)
    }

    fn set_config(&mut self, name: &str, value: &Value) -> ReplyItem {
        let api = self.bridge.config.api;
        match name {
            "touchlink" if api.has(TOUCHLINK_SINCE) => self.touchlink(value),
            "name" => self.rename(value),
            "linkbutton" if api.has(CLOUD_ONLY_SINCE) => ReplyItem::read_only(RESOURCE, name),
            "linkbutton" => self.press_by_order(value),
            _ if READ_ONLY.contains(&name) => ReplyItem::read_only(RESOURCE, name),
            _ => ReplyItem::no_parameter(RESOURCE, name),
        }
    }

    /// Begins touchlink, whose result is not reported.
    fn touchlink(&mut self, value: &Value) -> ReplyItem {
        let Some(wanted) = value.as_bool() else {
            return ReplyItem::invalid_value(RESOURCE, "touchlink", value);
        };
        if wanted {
            let rules = &self.bridge.quirks.touchlink;
            self.radio
                .begin_capture(self.now, self.index, rules.time.0, rules.fails);
        }
        ReplyItem::set("/config/touchlink".to_owned(), json!(wanted))
    }

    fn rename(&mut self, value: &Value) -> ReplyItem {
        match value.as_str() {
            Some(name) if (4..=16).contains(&name.chars().count()) => {
                self.bridge.name = name.to_owned();
                ReplyItem::set("/config/name".to_owned(), value.clone())
            }
            _ => ReplyItem::invalid_value(RESOURCE, "name", value),
        }
    }

    fn press_by_order(&mut self, value: &Value) -> ReplyItem {
        match value.as_bool() {
            Some(pressed) => {
                if pressed {
                    self.bridge.press(self.now);
                }
                ReplyItem::set("/config/linkbutton".to_owned(), value.clone())
            }
            None => ReplyItem::invalid_value(RESOURCE, "linkbutton", value),
        }
    }

    pub(super) fn forget_user(&mut self, key: &str, resource: &str) -> BridgeAnswer {
        if self.bridge.config.api.has(CLOUD_ONLY_SINCE) {
            return self.items(vec![ReplyItem::unauthorized(resource)]);
        }
        let item = match self.bridge.users.remove(key) {
            Some(_) => ReplyItem::Success(json!(format!("{resource} deleted."))),
            None => ReplyItem::no_resource(resource),
        };
        self.items(vec![item])
    }

    pub(super) fn capabilities(&self) -> BridgeAnswer {
        let capacity = self.bridge.capacity();
        let lights = json!({"available": capacity.saturating_sub(self.bridge.lights.len()), "total": capacity});
        let empty = json!({"available": 64, "total": 64});
        BridgeAnswer::json(
            200,
            &json!({"lights": lights, "sensors": empty, "groups": empty, "scenes": empty, "rules": empty}),
        )
    }
}

/// Entries that no client can set, or not on this twin.
const READ_ONLY: [&str; 14] = [
    "mac",
    "swversion",
    "apiversion",
    "bridgeid",
    "modelid",
    "datastoreversion",
    "factorynew",
    "replacesbridgeid",
    "starterkitid",
    "whitelist",
    "ipaddress",
    "zigbeechannel",
    "UTC",
    "localtime",
];

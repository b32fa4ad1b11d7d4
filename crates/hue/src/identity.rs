//! Which bridge answers at an address, and what it can do.
//!
//! `GET /api/config` needs no key and is answered by every bridge since 2012, by the oldest with two fields only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// The name of a bridge that never changes: its MAC with `fffe` in the middle, 16 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(String);

/// The text is not the id of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bridge id (16 hex digits, e.g. 001788fffe010203)")]
pub struct BridgeIdError;

impl BridgeId {
    /// Returns the 16 lower-case digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes the id from a bridge's MAC in any notation, as old firmware tells only that.
    pub fn from_mac(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let (first, second) = (digits.get(..6)?, digits.get(6..12)?);
        (digits.len() == 12).then(|| Self(format!("{first}fffe{second}").to_ascii_lowercase()))
    }
}

impl FromStr for BridgeId {
    type Err = BridgeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or(BridgeIdError)
    }
}

impl fmt::Display for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for BridgeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BridgeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The version of a bridge's interface; its parts compare as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// The first part.
    pub major: u32,
    /// The second part, which alone has ever changed.
    pub minor: u32,
    /// The third part; 0 where the bridge tells none.
    pub patch: u32,
}

impl ApiVersion {
    /// The first with `touchlink` in the configuration.
    pub const TOUCHLINK: Self = Self::new(1, 9);
    /// The first that can delete a light.
    pub const DELETE: Self = Self::new(1, 7);

    const fn new(major: u32, minor: u32) -> Self {
        Self {
            major,
            minor,
            patch: 0,
        }
    }

    /// Reads `1.43.0`; anything behind the second part may be missing or strange.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        Some(Self {
            major: parts.next()?.parse().ok()?,
            minor: parts.next()?.parse().ok()?,
            patch: parts.next().and_then(|part| part.parse().ok()).unwrap_or(0),
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Which bridge it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// BSB001, round, 2012. HTTP only.
    Round,
    /// BSB002, square, 2015.
    Square,
    /// BSB003, the Pro, 2025. HTTPS only.
    Pro,
    /// Something that speaks like a bridge, with what it says of itself.
    Other(String),
}

impl Model {
    /// Returns the vendor's model id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Round => "BSB001",
            Self::Square => "BSB002",
            Self::Pro => "BSB003",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for Model {
    fn from(text: &str) -> Self {
        [Self::Round, Self::Square, Self::Pro]
            .into_iter()
            .find(|model| text.eq_ignore_ascii_case(model.as_str()))
            .unwrap_or_else(|| Self::Other(text.chars().take(32).collect()))
    }
}

/// A way to make a bridge take over a bulb that belongs to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// `PUT …/config {"touchlink":true}`: starts it and says no more.
    Rest,
    /// TCP port 30000, `[Link,Touchlink]`: says whether a bulb was captured.
    Tcp30000,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rest => "rest",
            Self::Tcp30000 => "tcp30000",
        })
    }
}

/// What a bridge says of itself to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id; old firmware tells only the MAC, and the oldest neither.
    pub id: Option<BridgeId>,
    /// Which bridge it is.
    pub model: Model,
    /// The name that its owner gave.
    pub name: Option<String>,
    /// The version of its firmware.
    pub software: Option<String>,
    /// The version of its interface; the oldest firmware does not tell.
    pub api: Option<ApiVersion>,
}

/// What answers is not a bridge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what answers there is no Hue bridge: {0}")]
pub struct NotABridge(pub String);

impl Identity {
    /// Reads the answer to `GET /api/config`.
    ///
    /// # Errors
    ///
    /// [`NotABridge`] when it is no JSON object, or one with neither `bridgeid` nor `swversion`: some emulators answer
    /// everything with something.
    pub fn parse(body: &[u8]) -> Result<Self, NotABridge> {
        let json: Value = serde_json::from_slice(body)
            .map_err(|_| NotABridge("its answer is not JSON".to_owned()))?;
        let text = |key: &str| {
            let value = json.get(key)?.as_str()?;
            let short: String = value.chars().filter(|c| !c.is_control()).take(64).collect();
            (!short.is_empty()).then_some(short)
        };
        let software = text("swversion");
        let told = text("bridgeid").and_then(|id| id.parse().ok());
        let id = told.or_else(|| BridgeId::from_mac(&text("mac")?));
        if software.is_none() && id.is_none() {
            return Err(NotABridge(
                "it tells neither a bridge id nor a version".to_owned(),
            ));
        }
        // Only the round one was ever sold with firmware that does not name its model.
        let model = text("modelid").map_or(Model::Round, |text| Model::from(text.as_str()));
        Ok(Self {
            id,
            model,
            name: text("name"),
            software,
            api: text("apiversion").and_then(|text| ApiVersion::parse(&text)),
        })
    }

    /// Tells whether its interface knows `touchlink` in the configuration. Where the version is not told, it is older.
    pub fn has_rest_touchlink(&self) -> bool {
        match self.model {
            Model::Square | Model::Pro => true,
            Model::Round | Model::Other(_) => {
                self.api.is_some_and(|api| api >= ApiVersion::TOUCHLINK)
            }
        }
    }

    /// Returns the ways to take a bulb over, the better first. The second is a fall-back that may not be offered.
    pub fn ways(&self) -> &'static [Via] {
        match self.model {
            // Nothing but the round bridge ever had the port.
            Model::Square | Model::Pro => &[Via::Rest],
            Model::Round | Model::Other(_) if self.has_rest_touchlink() => {
                &[Via::Rest, Via::Tcp30000]
            }
            Model::Round | Model::Other(_) => &[Via::Tcp30000, Via::Rest],
        }
    }

    /// Tells whether a light can be deleted.
    pub fn can_delete(&self) -> bool {
        match self.model {
            Model::Square | Model::Pro => true,
            Model::Round | Model::Other(_) => self.api.is_some_and(|api| api >= ApiVersion::DELETE),
        }
    }

    /// Tells whether it gives a client key with the application key.
    pub fn has_client_key(&self) -> bool {
        matches!(self.model, Model::Square | Model::Pro)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = r#"{"name":"Hue Bridge","datastoreversion":"99","swversion":"1943185030","apiversion":"1.43.0","mac":"00:17:88:01:02:03","bridgeid":"001788FFFE010203","factorynew":false,"replacesbridgeid":null,"modelid":"BSB002","starterkitid":""}"#;
    const ROUND: &str = r#"{"name":"Philips hue","swversion":"01032318","apiversion":"1.13.0","mac":"00:17:88:0a:0b:0c","bridgeid":"001788FFFE0A0B0C","factorynew":false,"replacesbridgeid":null,"modelid":"BSB001"}"#;
    const OLDEST: &str = r#"{"name":"Philips hue","swversion":"01003542"}"#;

    fn parse(text: &str) -> Identity {
        Identity::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_square_one() {
        let bridge = parse(SQUARE);
        assert_eq!(bridge.id.as_ref().unwrap().as_str(), "001788fffe010203");
        assert_eq!(bridge.model, Model::Square);
        assert_eq!(bridge.api.unwrap().to_string(), "1.43.0");
        assert_eq!(bridge.ways(), [Via::Rest]);
        assert!(bridge.can_delete() && bridge.has_client_key());
    }

    #[test]
    fn the_round_one() {
        let bridge = parse(ROUND);
        assert_eq!(bridge.model, Model::Round);
        assert_eq!(bridge.ways(), [Via::Rest, Via::Tcp30000]);
        assert!(bridge.can_delete() && !bridge.has_client_key());
    }

    #[test]
    fn the_oldest_one_tells_next_to_nothing() {
        let bridge = parse(OLDEST);
        assert_eq!((bridge.id.clone(), bridge.api), (None, None));
        assert_eq!(bridge.model, Model::Round);
        assert_eq!(bridge.ways(), [Via::Tcp30000, Via::Rest]);
        assert!(!bridge.can_delete());
    }

    #[test]
    fn versions_compare_as_numbers() {
        let parse = |text| ApiVersion::parse(text).unwrap();
        assert!(parse("1.16.0") > parse("1.9.0"));
        assert!(parse("1.8.0") < ApiVersion::TOUCHLINK);
        assert!(
            ["", "1", "a.b", "1.", ".1"]
                .iter()
                .all(|text| ApiVersion::parse(text).is_none())
        );
    }

    #[test]
    fn what_is_no_bridge() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            "null",
            r#"{"name":"x"}"#,
            r#"{"swversion":1}"#,
        ] {
            assert!(Identity::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn ids_in_any_case() {
        let id: BridgeId = "001788FFFE010203".parse().unwrap();
        assert_eq!(Some(id), BridgeId::from_mac("00:17:88:01:02:03"));
        for text in [
            "",
            "001788fffe01020",
            "001788fffe0102030",
            "001788fffe01020g",
        ] {
            assert!(text.parse::<BridgeId>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = Identity::parse(&bytes);
        }
    }
}

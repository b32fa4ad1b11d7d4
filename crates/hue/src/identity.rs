//! The public identity of a bridge, and what its model and firmware support.
//!
//! `GET /api/config` needs no key. Every bridge since 2012 answers it, the oldest with two fields only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// The permanent id of a bridge: its MAC with `fffe` in the middle, 16 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(String);

/// Parse error of a [`BridgeId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bridge id (16 hex digits, e.g. 001788fffe010203)")]
pub struct BridgeIdError;

impl BridgeId {
    /// Returns the 16 lower-case digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Derives the id from a bridge's MAC in any notation; old firmware reports only that.
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

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for BridgeId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("The id of a Hue bridge."))
            .pattern(Some("^[0-9a-f]{16}$"))
            .examples(["001788fffe010203"])
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for BridgeId {}

json_is_text!(BridgeId);

/// The version of a bridge's API; its parts compare as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// The first part.
    pub major: u32,
    /// The second part, the only one that has ever changed.
    pub minor: u32,
    /// The third part; 0 where the bridge reports none.
    pub patch: u32,
}

impl ApiVersion {
    /// The first version with `touchlink` in the configuration.
    pub const TOUCHLINK: Self = Self::new(1, 9);

    const fn new(major: u32, minor: u32) -> Self {
        Self {
            major,
            minor,
            patch: 0,
        }
    }

    /// Parses `1.43.0`. Anything behind the second part may be missing or malformed.
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

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a version"))
    }
}

/// The model of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HueModel {
    /// BSB001, round, 2012. HTTP only.
    Round,
    /// BSB002, square, 2015.
    Square,
    /// BSB003, the Pro, 2025. HTTPS only.
    Pro,
    /// Another device with a bridge's API, and the model that it reports.
    Other(String),
}

impl HueModel {
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

impl From<&str> for HueModel {
    fn from(text: &str) -> Self {
        [Self::Round, Self::Square, Self::Pro]
            .into_iter()
            .find(|model| text.eq_ignore_ascii_case(model.as_str()))
            .unwrap_or_else(|| Self::Other(text.chars().take(32).collect()))
    }
}

impl Serialize for HueModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HueModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

/// A method to start a touchlink, by which a bridge takes over a bulb that belongs to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TouchlinkMethod {
    /// `PUT …/config {"touchlink":true}`, which does not report the outcome.
    Rest,
    /// `[Link,Touchlink]` on TCP port 30000, which reports whether a bulb was captured.
    Tcp30000,
}

impl fmt::Display for TouchlinkMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rest => "rest",
            Self::Tcp30000 => "tcp30000",
        })
    }
}

/// The public description of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BridgeIdentity {
    /// Its id; old firmware reports only the MAC, the oldest neither.
    #[cfg_attr(feature = "schema", schema(required))]
    pub id: Option<BridgeId>,
    /// Its model: BSB001 is the round bridge, BSB002 the square bridge, BSB003 the Bridge Pro.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub model: HueModel,
    /// The name that the owner gave it.
    #[cfg_attr(feature = "schema", schema(required))]
    pub name: Option<String>,
    /// The firmware version.
    #[cfg_attr(feature = "schema", schema(required))]
    pub software: Option<String>,
    /// The API version; the oldest firmware does not report it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, required))]
    pub api: Option<ApiVersion>,
}

/// The reply of a device that is not a bridge, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Hue bridge: {0}")]
pub struct NotABridge(pub String);

impl BridgeIdentity {
    /// Parses the reply to `GET /api/config`.
    ///
    /// # Errors
    ///
    /// [`NotABridge`] unless it is a JSON object with `bridgeid` or `swversion`. Some emulators have a reply to everything.
    pub fn parse(body: &[u8]) -> Result<Self, NotABridge> {
        let json: Value = serde_json::from_slice(body)
            .map_err(|_| NotABridge("the reply is not JSON".to_owned()))?;
        let text = |key: &str| {
            let value = json.get(key)?.as_str()?;
            let short: String = value.chars().filter(|c| !c.is_control()).take(64).collect();
            (!short.is_empty()).then_some(short)
        };
        let software = text("swversion");
        let id = text("bridgeid").and_then(|id| id.parse().ok());
        let id = id.or_else(|| BridgeId::from_mac(&text("mac")?));
        if software.is_none() && id.is_none() {
            return Err(NotABridge(
                "the reply has neither a bridge id nor a version".to_owned(),
            ));
        }
        // Only the round bridge was ever sold with firmware that does not report its model.
        let model = text("modelid").map_or(HueModel::Round, |text| HueModel::from(text.as_str()));
        Ok(Self {
            id,
            model,
            name: text("name"),
            software,
            api: text("apiversion").and_then(|text| ApiVersion::parse(&text)),
        })
    }

    /// Tells whether the API has `touchlink` in the configuration. A bridge without a version is too old.
    pub fn has_rest_touchlink(&self) -> bool {
        match self.model {
            HueModel::Square | HueModel::Pro => true,
            HueModel::Round | HueModel::Other(_) => {
                self.api.is_some_and(|api| api >= ApiVersion::TOUCHLINK)
            }
        }
    }

    /// Returns the method to start a touchlink with, and the fall-back, which the bridge may not offer.
    pub fn touchlink_methods(&self) -> (TouchlinkMethod, Option<TouchlinkMethod>) {
        use TouchlinkMethod::{Rest, Tcp30000};
        match self.model {
            // Only the round bridge ever had the port.
            HueModel::Square | HueModel::Pro => (Rest, None),
            HueModel::Round | HueModel::Other(_) if self.has_rest_touchlink() => {
                (Rest, Some(Tcp30000))
            }
            HueModel::Round | HueModel::Other(_) => (Tcp30000, Some(Rest)),
        }
    }

    /// Tells whether the bridge has an entertainment stream, with a key of its own.
    pub fn has_client_key(&self) -> bool {
        matches!(self.model, HueModel::Square | HueModel::Pro)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = r#"{"name":"Hue Bridge","datastoreversion":"99","swversion":"1943185030","apiversion":"1.43.0","mac":"00:17:88:01:02:03","bridgeid":"001788FFFE010203","factorynew":false,"replacesbridgeid":null,"modelid":"BSB002","starterkitid":""}"#;
    const ROUND: &str = r#"{"name":"Philips hue","swversion":"01032318","apiversion":"1.13.0","mac":"00:17:88:0a:0b:0c","bridgeid":"001788FFFE0A0B0C","factorynew":false,"replacesbridgeid":null,"modelid":"BSB001"}"#;
    const OLDEST: &str = r#"{"name":"Philips hue","swversion":"01003542"}"#;

    fn parse(text: &str) -> BridgeIdentity {
        BridgeIdentity::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_square_one() {
        let bridge = parse(SQUARE);
        assert_eq!(bridge.id.as_ref().unwrap().as_str(), "001788fffe010203");
        assert_eq!(bridge.model, HueModel::Square);
        assert_eq!(bridge.api.unwrap().to_string(), "1.43.0");
        assert_eq!(bridge.touchlink_methods(), (TouchlinkMethod::Rest, None));
        assert!(bridge.has_client_key());
    }

    #[test]
    fn the_round_one() {
        let bridge = parse(ROUND);
        assert_eq!(bridge.model, HueModel::Round);
        assert_eq!(
            bridge.touchlink_methods(),
            (TouchlinkMethod::Rest, Some(TouchlinkMethod::Tcp30000))
        );
        assert!(!bridge.has_client_key());
    }

    #[test]
    fn the_oldest_one_tells_next_to_nothing() {
        let bridge = parse(OLDEST);
        assert_eq!((bridge.id.clone(), bridge.api), (None, None));
        assert_eq!(bridge.model, HueModel::Round);
        assert_eq!(
            bridge.touchlink_methods(),
            (TouchlinkMethod::Tcp30000, Some(TouchlinkMethod::Rest))
        );
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
            assert!(BridgeIdentity::parse(body.as_bytes()).is_err(), "{body}");
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
            let _ = BridgeIdentity::parse(&bytes);
        }
    }
}

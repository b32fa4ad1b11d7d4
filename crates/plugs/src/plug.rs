//! A plug and a reading, as all interfaces of Mains show them: the command's JSON, the hub's API, MQTT.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use hiflying::Mac;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The position of a relay.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
#[strum(parse_err_ty = String, parse_err_fn = no_state)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RelayState {
    /// The load has power.
    On,
    /// The load has none.
    Off,
}

impl RelayState {
    /// Returns the other position.
    pub const fn toggled(self) -> Self {
        match self {
            Self::On => Self::Off,
            Self::Off => Self::On,
        }
    }

    /// Returns `on` or `off`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A command to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(strum::EnumString, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
#[strum(parse_err_ty = String, parse_err_fn = no_command)]
pub enum RelayCommand {
    /// Switch on.
    On,
    /// Switch off.
    Off,
    /// Switch to the other position.
    Toggle,
}

impl From<RelayState> for RelayCommand {
    fn from(state: RelayState) -> Self {
        match state {
            RelayState::On => Self::On,
            RelayState::Off => Self::Off,
        }
    }
}

impl RelayCommand {
    /// Returns the position that it leads to from `relay`.
    pub const fn from_here(self, relay: RelayState) -> RelayState {
        match self {
            Self::On => RelayState::On,
            Self::Off => RelayState::Off,
            Self::Toggle => relay.toggled(),
        }
    }

    /// Returns the word in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_command(_: &str) -> String {
    "a relay action is 'on', 'off' or 'toggle'".to_owned()
}

fn no_state(_: &str) -> String {
    "a relay is 'on' or 'off'".to_owned()
}

/// The family of a device, and so its protocol: a word of up to twelve lower-case letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId([u8; FamilyId::MAX_LENGTH]);

impl FamilyId {
    /// Reco4life and Maginon SP-2.
    pub const RECO: Self = Self::new("reco");
    /// Orvibo S20.
    pub const ORVIBO: Self = Self::new("orvibo");
    /// A Hi-Flying module of unknown purpose.
    pub const MODULE: Self = Self::new("module");

    const MAX_LENGTH: usize = 12;

    /// Makes the id of a family in a constant.
    ///
    /// # Panics
    ///
    /// When the name is invalid; use [`str::parse`] for text from outside.
    pub const fn new(name: &str) -> Self {
        match Self::checked(name.as_bytes()) {
            Some(id) => id,
            #[expect(clippy::panic, reason = "a wrong constant does not compile")]
            None => panic!("a family's name has one to twelve lower-case letters and digits"),
        }
    }

    const fn checked(name: &[u8]) -> Option<Self> {
        let mut text = [0; Self::MAX_LENGTH];
        let (mut rest, mut place) = (name, text.as_mut_slice());
        if name.is_empty() {
            return None;
        }
        while let [byte, tail @ ..] = rest {
            let [free, free_tail @ ..] = place else {
                return None;
            };
            if !byte.is_ascii_lowercase() && !byte.is_ascii_digit() {
                return None;
            }
            *free = *byte;
            (rest, place) = (tail, free_tail);
        }
        Some(Self(text))
    }

    /// Returns the word in JSON.
    pub fn as_str(&self) -> &str {
        let padded = std::str::from_utf8(&self.0).expect("made of ASCII letters and digits");
        padded.trim_end_matches('\0')
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not the name of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a family is named by up to twelve lower-case letters and digits")]
pub struct FamilyIdError;

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for FamilyId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("The family of a device, and so its protocol."))
            .enum_values(Some(
                [Self::RECO, Self::ORVIBO, Self::MODULE].map(|id| id.to_string()),
            ))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for FamilyId {
    fn name() -> Cow<'static, str> {
        "Family".into()
    }
}

impl FromStr for FamilyId {
    type Err = FamilyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::checked(text.as_bytes()).ok_or(FamilyIdError)
    }
}

impl Serialize for FamilyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FamilyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Stands for the MAC of a plug that has not reported it.
pub const UNKNOWN_MAC: Mac = Mac::new([0; 6]);

/// One device and its last report.
///
/// Its JSON form has every field, in this order, `null` where nothing is known.
///
/// ```
/// use plugs::{FamilyId, Plug, RelayState};
///
/// let plug = Plug {
///     serial: Some("900000621".to_owned()),
///     relay: Some(RelayState::On),
///     ..Plug::new("ACCF23123456".parse()?, FamilyId::RECO, [192, 168, 1, 107].into(), "2026-11-22T12:00:00Z".parse()?)
/// };
/// let json = serde_json::to_string(&plug)?;
/// assert!(json.starts_with(r#"{"mac":"AC:CF:23:12:34:56","family":"reco","serial":"900000621","address":"192.168.1.107","relay":"on","#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Device))]
pub struct Plug {
    /// Its hardware address, the only name that never changes.
    pub mac: Mac,
    /// The family of the device.
    pub family: FamilyId,
    /// The maker's serial number; text, because it may start with 0.
    #[cfg_attr(feature = "schema", schema(required))]
    pub serial: Option<String>,
    /// The address from which it replied.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = Ipv4, examples("192.168.1.107")))]
    pub address: Ipv4Addr,
    /// The relay's position according to the last report.
    #[cfg_attr(feature = "schema", schema(required))]
    pub relay: Option<RelayState>,
    /// The module id or the maker's model, e.g. `HF-LPB100`.
    #[cfg_attr(feature = "schema", schema(required))]
    pub model: Option<String>,
    /// The name that its owner gave; it is in the inventory, not in the plug.
    #[cfg_attr(feature = "schema", schema(required))]
    pub name: Option<String>,
    /// The scan reply's fourth field as received. Probably 1 = connected to the maker's server.
    #[cfg_attr(feature = "schema", schema(required))]
    pub res: Option<String>,
    /// The rest of the scan reply after the fifth field, as received, whose meaning is unknown; of an Orvibo S20 the name from the
    /// vendor's app.
    #[cfg_attr(feature = "schema", schema(required))]
    pub extra: Option<String>,
    /// Time at which it was last heard; whole seconds in JSON.
    #[serde(serialize_with = "to_second")]
    pub seen: Timestamp,
}

impl Plug {
    /// Makes a plug with only these properties known.
    pub fn new(mac: Mac, family: FamilyId, address: Ipv4Addr, seen: Timestamp) -> Self {
        Self {
            mac,
            family,
            serial: None,
            address,
            relay: None,
            model: None,
            name: None,
            res: None,
            extra: None,
            seen,
        }
    }
}

/// One reading of a plug's meter. A value that the plug left empty is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reading {
    /// The plug whose meter was read.
    pub plug: Mac,
    /// Time of the reply; with three decimals in JSON.
    #[serde(serialize_with = "to_millisecond")]
    pub at: Timestamp,
    /// Voltage in volts.
    #[cfg_attr(feature = "schema", schema(required))]
    pub voltage_v: Option<f64>,
    /// Current in amperes.
    #[cfg_attr(feature = "schema", schema(required))]
    pub current_a: Option<f64>,
    /// Mains frequency in hertz.
    #[cfg_attr(feature = "schema", schema(required))]
    pub frequency_hz: Option<f64>,
    /// Active power in watts. A small load can read 0 W while its current does not.
    #[cfg_attr(feature = "schema", schema(required))]
    pub power_w: Option<f64>,
    /// The plug's own counter in watt-hours; it can go back to 0.
    #[cfg_attr(feature = "schema", schema(required, minimum = 0))]
    pub energy_wh: Option<u64>,
}

/// Writes a time with whole seconds, `2026-11-22T12:00:00Z`: milliseconds are of no use for the time at which a plug was last heard.
fn to_second<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.0}"))
}

/// Writes a time with three decimals, `2026-11-22T12:00:00.123Z`, so that texts sort as times do.
fn to_millisecond<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac() -> Mac {
        Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56])
    }

    #[test]
    fn plug_as_the_contract_shows_it() {
        let mut plug = Plug::new(
            mac(),
            FamilyId::RECO,
            Ipv4Addr::new(192, 168, 1, 107),
            "2026-11-22T12:00:00.987Z".parse().unwrap(),
        );
        plug.serial = Some("900000621".into());
        plug.relay = Some(RelayState::On);
        plug.name = Some("kitchen".into());
        plug.res = Some("0".into());
        let json = r#"{"mac":"AC:CF:23:12:34:56","family":"reco","serial":"900000621","address":"192.168.1.107","relay":"on","model":null,"name":"kitchen","res":"0","extra":null,"seen":"2026-11-22T12:00:00Z"}"#;
        assert_eq!(serde_json::to_string(&plug).unwrap(), json);
        plug.seen = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(serde_json::from_str::<Plug>(json).unwrap(), plug);
    }

    #[test]
    fn unknown_fields_are_null() {
        let seen = "2026-11-22T12:00:00Z".parse().unwrap();
        let plug = Plug::new(mac(), FamilyId::MODULE, Ipv4Addr::LOCALHOST, seen);
        assert_eq!(
            serde_json::to_string(&plug).unwrap(),
            r#"{"mac":"AC:CF:23:12:34:56","family":"module","serial":null,"address":"127.0.0.1","relay":null,"model":null,"name":null,"res":null,"extra":null,"seen":"2026-11-22T12:00:00Z"}"#
        );
    }

    #[test]
    fn reading_as_the_contract_shows_it() {
        let mut reading = Reading {
            plug: mac(),
            at: "2026-11-22T12:00:00.1239Z".parse().unwrap(),
            voltage_v: Some(226.94),
            current_a: Some(0.03),
            frequency_hz: Some(50.07),
            power_w: Some(0.0),
            energy_wh: Some(3548),
        };
        assert_eq!(
            serde_json::to_string(&reading).unwrap(),
            r#"{"plug":"AC:CF:23:12:34:56","at":"2026-11-22T12:00:00.123Z","voltage_v":226.94,"current_a":0.03,"frequency_hz":50.07,"power_w":0.0,"energy_wh":3548}"#
        );
        reading.at = "2026-11-22T12:00:00Z".parse().unwrap();
        reading.power_w = None;
        reading.energy_wh = None;
        assert_eq!(
            serde_json::to_string(&reading).unwrap(),
            r#"{"plug":"AC:CF:23:12:34:56","at":"2026-11-22T12:00:00.000Z","voltage_v":226.94,"current_a":0.03,"frequency_hz":50.07,"power_w":null,"energy_wh":null}"#
        );
    }

    #[test]
    fn relay_actions() {
        assert_eq!("TOGGLE".parse(), Ok(RelayCommand::Toggle));
        assert_eq!("1".parse::<RelayCommand>(), Err(no_command("1")));
        assert_eq!(
            serde_json::to_string(&RelayCommand::Toggle).unwrap(),
            r#""toggle""#
        );
        assert_eq!(
            RelayCommand::Toggle.from_here(RelayState::On),
            RelayState::Off
        );
        assert_eq!(RelayCommand::On.from_here(RelayState::On), RelayState::On);
    }

    #[test]
    fn family_names() {
        for name in ["reco", "s20", "twelvelonger"] {
            assert_eq!(name.parse::<FamilyId>().unwrap().as_str(), name);
        }
        for name in ["", "Reco", "thirteenlong1", "a b", "gr\u{fc}n"] {
            assert_eq!(name.parse::<FamilyId>(), Err(FamilyIdError), "{name}");
        }
        assert!(serde_json::from_str::<FamilyId>(r#""RECO""#).is_err());
    }

    #[test]
    fn relay_words() {
        assert_eq!("ON".parse(), Ok(RelayState::On));
        assert_eq!("off".parse(), Ok(RelayState::Off));
        assert_eq!("1".parse::<RelayState>(), Err(no_state("1")));
        assert_eq!(RelayState::On.toggled(), RelayState::Off);
        assert_eq!(format!("{:>4}", RelayState::On), "  on");
        for family in [FamilyId::RECO, FamilyId::ORVIBO, FamilyId::MODULE] {
            assert_eq!(
                serde_json::to_string(&family).unwrap(),
                format!("\"{family}\"")
            );
        }
    }
}

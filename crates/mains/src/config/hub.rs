//! `[hub]` and `[place]`: where a hub is for who uses one, and how it is to be for who runs one.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use api::Period;
use hub::config::{Config, Place, Tls};
use jiff::tz::TimeZone;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use crate::hub_client::HubUrl;

/// Which hub is to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubChoice {
    /// This one.
    At(HubUrl),
    /// None, not even one that runs here: `none`.
    None,
}

impl FromStr for HubChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "none" => Ok(Self::None),
            text => text.parse().map(Self::At),
        }
    }
}

/// What one source says in `[hub]`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubLayer {
    /// The hub that verbs use: its address, or `none`.
    #[serde(deserialize_with = "parsed")]
    pub url: Option<HubChoice>,
    /// A file with the token for that hub.
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for that hub instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Where `serve` listens.
    #[serde(deserialize_with = "parsed")]
    pub listen: Option<Listen>,
    /// Further names by which browsers may call it.
    pub hosts: Option<Vec<String>>,
    /// Its certificate and those that lead to its root (PEM): HTTPS instead of HTTP.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    pub key: Option<PathBuf>,
    /// Local interfaces that it scans from.
    pub interfaces: Option<Vec<String>>,
    /// Take in every plug that is found.
    pub adopt: Option<bool>,
    /// How often a plug is metered.
    #[serde(deserialize_with = "parsed")]
    pub metering: Option<Bounded<1, 86_400>>,
    /// How often the network is asked who is there.
    #[serde(deserialize_with = "parsed")]
    pub scan: Option<Bounded<1, 600>>,
    /// The database file.
    #[serde(deserialize_with = "parsed")]
    pub database: Option<Database>,
    /// How long raw readings are kept.
    #[serde(deserialize_with = "parsed")]
    pub keep_readings: Option<Period>,
    /// How long minute means are kept.
    #[serde(deserialize_with = "parsed")]
    pub keep_minutes: Option<Period>,
}

impl HubLayer {
    /// This layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            url: self.url.or(below.url),
            token_file: self.token_file.or(below.token_file),
            ca_file: self.ca_file.or(below.ca_file),
            listen: self.listen.or(below.listen),
            hosts: self.hosts.or(below.hosts),
            certificate: self.certificate.or(below.certificate),
            key: self.key.or(below.key),
            interfaces: self.interfaces.or(below.interfaces),
            adopt: self.adopt.or(below.adopt),
            metering: self.metering.or(below.metering),
            scan: self.scan.or(below.scan),
            database: self.database.or(below.database),
            keep_readings: self.keep_readings.or(below.keep_readings),
            keep_minutes: self.keep_minutes.or(below.keep_minutes),
        }
    }

    /// What a configuration file says of other files is relative to where it is itself.
    pub(super) fn beside(&mut self, file: &Path) {
        let Some(folder) = file.parent() else { return };
        let database = self
            .database
            .as_mut()
            .and_then(|database| database.0.as_mut());
        [
            &mut self.token_file,
            &mut self.ca_file,
            &mut self.certificate,
            &mut self.key,
        ]
        .into_iter()
        .filter_map(Option::as_mut)
        .chain(database)
        .for_each(|path| *path = folder.join(&*path));
    }
}

/// `hub = "http://nas:8480"` is short for a table with nothing but `url`.
pub(super) fn address_or_table<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<HubLayer, D::Error> {
    struct AddressOrTable;
    impl<'de> Visitor<'de> for AddressOrTable {
        type Value = HubLayer;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the address of a hub, or a table")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<HubLayer, E> {
            Ok(HubLayer {
                url: Some(text.parse().map_err(E::custom)?),
                ..HubLayer::default()
            })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HubLayer, A::Error> {
            HubLayer::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_any(AddressOrTable)
}

/// Reads a text by its `FromStr`.
fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

/// What one source says in `[place]`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlaceLayer {
    /// Degrees north.
    pub latitude: Option<Degrees<90>>,
    /// Degrees east.
    pub longitude: Option<Degrees<180>>,
    /// The time zone, e.g. `Europe/Berlin`.
    #[serde(deserialize_with = "parsed")]
    pub timezone: Option<Zone>,
}

impl PlaceLayer {
    /// This layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            latitude: self.latitude.or(below.latitude),
            longitude: self.longitude.or(below.longitude),
            timezone: self.timezone.or(below.timezone),
        }
    }
}

/// Where the hub listens: an IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        text.parse().map(Self).map_err(|_| {
            if text.parse::<std::net::IpAddr>().is_ok() {
                "the port is missing; write it like `127.0.0.1:8480`"
            } else {
                "not an IP address with a port; write it like `127.0.0.1:8480` or `[::1]:8480`"
            }
        })
    }
}

/// A period within bounds, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const LEAST: u64, const MOST: u64>(pub Period);

impl<const LEAST: u64, const MOST: u64> FromStr for Bounded<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (least, most) = (Period::seconds(LEAST), Period::seconds(MOST));
        let period: Period = text.parse()?;
        if (least..=most).contains(&period) {
            Ok(Self(period))
        } else {
            Err(format!("it goes from `{least}` to `{most}`"))
        }
    }
}

/// The database: a file, or where it always is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database(Option<PathBuf>);

impl FromStr for Database {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err("only a SQLite file is understood; write its path");
        }
        Ok(Self((!text.is_empty()).then(|| text.into())))
    }
}

#[cfg(test)]
impl From<&str> for Database {
    fn from(path: &str) -> Self {
        Self(Some(path.into()))
    }
}

/// Degrees up to a bound, to both sides of zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degrees<const MOST: u8>(pub f64);

impl<'de, const MOST: u8> Deserialize<'de> for Degrees<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let degrees = f64::deserialize(deserializer)?;
        // Not a number is not within either.
        if (-f64::from(MOST)..=f64::from(MOST)).contains(&degrees) {
            Ok(Self(degrees))
        } else {
            let problem = format!("{degrees} is no place on Earth: it goes from -{MOST} to {MOST}");
            Err(de::Error::custom(problem))
        }
    }
}

/// A time zone by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(pub TimeZone);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TimeZone::get(text)
            .map(Self)
            .map_err(|_| format!("there is no time zone `{text}`; write it like `Europe/Berlin`"))
    }
}

/// Puts together what a hub needs.
///
/// # Errors
///
/// Every key that another one needs, and what is wrong with it.
pub(super) fn config(
    hub: &HubLayer,
    place: &PlaceLayer,
    state: PathBuf,
) -> Result<Config, Vec<(&'static str, String)>> {
    let mut problems = Vec::new();
    let tls = match (&hub.certificate, &hub.key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        (None, None) => None,
        (Some(_), None) => {
            problems.push((
                "hub.certificate",
                "it needs `hub.key`, its private key".to_owned(),
            ));
            None
        }
        (None, Some(_)) => {
            problems.push(("hub.key", "it needs `hub.certificate`".to_owned()));
            None
        }
    };
    let place_on_earth = match (place.latitude, place.longitude) {
        (Some(Degrees(latitude)), Some(Degrees(longitude))) => Some(Place {
            latitude,
            longitude,
        }),
        (None, None) => None,
        (Some(_), None) => {
            problems.push(("place.latitude", "it needs `place.longitude`".to_owned()));
            None
        }
        (None, Some(_)) => {
            problems.push(("place.longitude", "it needs `place.latitude`".to_owned()));
            None
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let defaults = Config::in_state(state);
    Ok(Config {
        listen: hub.listen.map_or(defaults.listen, |listen| listen.0),
        hosts: hub.hosts.clone().unwrap_or_default(),
        tls,
        interfaces: hub.interfaces.clone().unwrap_or_default(),
        adopt: hub.adopt.unwrap_or(defaults.adopt),
        metering: hub.metering.map_or(defaults.metering, |period| period.0),
        scan: hub.scan.map_or(defaults.scan, |period| period.0),
        database: hub
            .database
            .as_ref()
            .and_then(|database| database.0.clone())
            .unwrap_or(defaults.database),
        keep_readings: hub.keep_readings.unwrap_or(defaults.keep_readings),
        keep_minutes: hub.keep_minutes.unwrap_or(defaults.keep_minutes),
        place: place_on_earth,
        timezone: place
            .timezone
            .as_ref()
            .map_or(defaults.timezone, |zone| zone.0.clone()),
        state: defaults.state,
    })
}

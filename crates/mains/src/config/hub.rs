//! `[hub]` and `[place]`: the address of the hub to use, and the configuration of a hub to run.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use api::{Period, SiteName};
use jiff::tz::TimeZone;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use api::client::HubUrl;
use hub::store::PostgresUrl;

/// The hub that does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubChoice {
    /// The hub at this address.
    At(HubUrl),
    /// No hub, not even one that runs on this computer: `none`.
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

/// Values of one source in `[hub]`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubLayer {
    /// Hub that verbs use: its address, or `none`.
    #[serde(deserialize_with = "parsed")]
    pub url: Option<HubChoice>,
    /// File with the token for that hub.
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for that hub instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The site that a hub belongs to.
    #[serde(deserialize_with = "parsed")]
    pub site: Option<SiteName>,
    /// Address on which `serve` listens.
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
    /// Interval between two readings of a plug.
    #[serde(deserialize_with = "parsed")]
    pub metering: Option<PeriodWithin<1, 86_400>>,
    /// Interval between two scans of the network.
    #[serde(deserialize_with = "parsed")]
    pub scan: Option<PeriodWithin<1, 600>>,
    /// The database: a file or a PostgreSQL database.
    #[serde(deserialize_with = "parsed")]
    pub database: Option<DatabaseChoice>,
    /// File with the password for the PostgreSQL database.
    pub database_password_file: Option<PathBuf>,
    /// Certificates (PEM) by which its server has to prove its name.
    pub database_ca_file: Option<PathBuf>,
    /// Maximum size of the file in which readings wait for the PostgreSQL database.
    #[serde(deserialize_with = "parsed")]
    pub spool: Option<SpoolSize>,
    /// Period for which raw readings are kept.
    #[serde(deserialize_with = "parsed")]
    pub keep_readings: Option<Period>,
    /// Period for which minute means are kept.
    #[serde(deserialize_with = "parsed")]
    pub keep_minutes: Option<Period>,
    /// Interval between two backups.
    #[serde(deserialize_with = "parsed")]
    pub backup: Option<BackupInterval>,
    /// Directory of the backups.
    pub backup_directory: Option<PathBuf>,
    /// Number of backups that are kept.
    pub keep_backups: Option<NonZeroU32>,
}

impl HubLayer {
    /// Returns the site; the only one, without a name, unless it is set.
    pub fn site(&self) -> SiteName {
        let site = self.site.as_ref();
        site.map_or_else(SiteName::default, Clone::clone)
    }

    /// Puts this layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            url: self.url.or(below.url),
            token_file: self.token_file.or(below.token_file),
            ca_file: self.ca_file.or(below.ca_file),
            site: self.site.or(below.site),
            listen: self.listen.or(below.listen),
            hosts: self.hosts.or(below.hosts),
            certificate: self.certificate.or(below.certificate),
            key: self.key.or(below.key),
            interfaces: self.interfaces.or(below.interfaces),
            adopt: self.adopt.or(below.adopt),
            metering: self.metering.or(below.metering),
            scan: self.scan.or(below.scan),
            database: self.database.or(below.database),
            database_password_file: self.database_password_file.or(below.database_password_file),
            database_ca_file: self.database_ca_file.or(below.database_ca_file),
            spool: self.spool.or(below.spool),
            keep_readings: self.keep_readings.or(below.keep_readings),
            keep_minutes: self.keep_minutes.or(below.keep_minutes),
            backup: self.backup.or(below.backup),
            backup_directory: self.backup_directory.or(below.backup_directory),
            keep_backups: self.keep_backups.or(below.keep_backups),
        }
    }

    /// Makes the paths of other files relative to the directory of the configuration file.
    pub(super) fn beside(&mut self, file: &Path) {
        let Some(folder) = file.parent() else { return };
        let database = match &mut self.database {
            Some(DatabaseChoice::File(path)) => Some(path),
            _ => None,
        };
        [
            &mut self.token_file,
            &mut self.ca_file,
            &mut self.database_password_file,
            &mut self.database_ca_file,
            &mut self.certificate,
            &mut self.key,
            &mut self.backup_directory,
        ]
        .into_iter()
        .filter_map(Option::as_mut)
        .filter(|path| !path.as_os_str().is_empty())
        .chain(database)
        .for_each(|path| *path = folder.join(&*path));
    }
}

/// Reads `hub = "http://nas:8480"` as short for a table with nothing but `url`.
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
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

/// Values of one source in `[place]`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlaceLayer {
    /// Degrees north.
    pub latitude: Option<Degrees<90>>,
    /// Degrees east.
    pub longitude: Option<Degrees<180>>,
    /// The time zone, e.g. `Europe/Berlin`.
    #[serde(deserialize_with = "parsed")]
    pub timezone: Option<ZoneName>,
}

impl PlaceLayer {
    /// Puts this layer on top of another.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            latitude: self.latitude.or(below.latitude),
            longitude: self.longitude.or(below.longitude),
            timezone: self.timezone.or(below.timezone),
        }
    }
}

/// Address on which the hub listens: an IP address and a port.
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
pub struct PeriodWithin<const MIN_SECONDS: u64, const MAX_SECONDS: u64>(pub Period);

impl<const MIN_SECONDS: u64, const MAX_SECONDS: u64> FromStr
    for PeriodWithin<MIN_SECONDS, MAX_SECONDS>
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (least, most) = (Period::seconds(MIN_SECONDS), Period::seconds(MAX_SECONDS));
        let period: Period = text.parse()?;
        if (least..=most).contains(&period) {
            Ok(Self(period))
        } else {
            Err(format!("it goes from `{least}` to `{most}`"))
        }
    }
}

/// Interval between two backups; `off` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupInterval(pub Option<Period>);

impl FromStr for BackupInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let period: PeriodWithin<60, 31_536_000> = text.parse()?;
        Ok(Self(Some(period.0)))
    }
}

/// Maximum size of the spool in bytes; 0 for none. Written in decimal units: `500MB`, `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolSize(pub u64);

impl SpoolSize {
    /// Below this there is no room for one reading of each of a few thousand plugs.
    const MIN_BYTES: u64 = 16_000_000;
    const MAX_BYTES: u64 = 1_000_000_000_000;
}

impl FromStr for SpoolSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "0" {
            return Ok(Self(0));
        }
        let units = [("MB", 1_000_000), ("GB", 1_000_000_000)];
        let size = units.into_iter().find_map(|(unit, bytes)| {
            let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            Some(number.saturating_mul(bytes))
        });
        let bytes =
            size.ok_or("not a size; write it like `1GB` or `500MB`, or `0` for no spool")?;
        if (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes) {
            Ok(Self(bytes))
        } else {
            Err("it goes from `16MB` to `1000GB`, or is `0` for no spool".to_owned())
        }
    }
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// The file in the state directory.
    Default,
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
}

impl FromStr for DatabaseChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return text.parse().map(Self::Postgres);
        }
        Ok(match text {
            "" => Self::Default,
            path => Self::File(path.into()),
        })
    }
}

/// Degrees up to a bound, to both sides of zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degrees<const MAX: u8>(pub f64);

impl<'de, const MAX: u8> Deserialize<'de> for Degrees<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let degrees = f64::deserialize(deserializer)?;
        // Not a number is not within either.
        if (-f64::from(MAX)..=f64::from(MAX)).contains(&degrees) {
            Ok(Self(degrees))
        } else {
            let problem = format!("{degrees} is out of range: it goes from -{MAX} to {MAX}");
            Err(de::Error::custom(problem))
        }
    }
}

/// A time zone by name.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneName(pub TimeZone);

impl FromStr for ZoneName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TimeZone::get(text)
            .map(Self)
            .map_err(|_| format!("there is no time zone `{text}`; write it like `Europe/Berlin`"))
    }
}

/// Returns two keys that need each other, or `None` where neither is set.
pub(crate) fn both<A, B>(
    (first, a): (&'static str, Option<A>),
    (second, b): (&'static str, Option<B>),
) -> Result<Option<(A, B)>, (&'static str, String)> {
    let needs = |key| format!("it needs `{key}`");
    match (a, b) {
        (Some(a), Some(b)) => Ok(Some((a, b))),
        (None, None) => Ok(None),
        (Some(_), None) => Err((first, needs(second))),
        (None, Some(_)) => Err((second, needs(first))),
    }
}

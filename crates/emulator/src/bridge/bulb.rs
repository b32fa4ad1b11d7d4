//! Description and state of a bulb.

use std::fmt;
use std::str::FromStr;

use super::config::{BridgeConfig, RoomError};

/// Distance of a bulb from the bridges. The radio covers the whole room, touchlink only a hand's breadth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum BulbPlace {
    /// Less than 30 cm from whichever bridge is asked.
    Near,
    /// In the next room.
    Far,
}

/// Place and owner of a bulb, written `near|far[:OWNER]`.
///
/// Without an owner, or with `none`, it is as from the shop. A number is the bridge of this room with that number, from 1; so are its
/// address, its id and its MAC. Any other word is a network that is not here, such as `foreign` or `dimmer`.
///
/// ```
/// use emulator::bridge::{BulbSpec, BulbPlace};
///
/// let kit: BulbSpec = "near:foreign".parse()?;
/// assert_eq!((kit.place, kit.owner.as_deref()), (BulbPlace::Near, Some("foreign")));
/// # Ok::<(), emulator::bridge::BulbSpecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulbSpec {
    /// Its distance from the bridges.
    pub place: BulbPlace,
    /// The bridge or network that it belongs to, if any.
    pub owner: Option<String>,
}

/// Text that describes no bulb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid bulb {0:?}; write near or far, and after a colon the number of its bridge or `foreign`"
)]
pub struct BulbSpecError(String);

impl FromStr for BulbSpec {
    type Err = BulbSpecError;

    fn from_str(text: &str) -> Result<Self, BulbSpecError> {
        let error = || BulbSpecError(text.to_owned());
        let (place, owner) = match text.split_once(':') {
            Some((place, owner)) => (place, Some(owner.trim())),
            None => (text, None),
        };
        let place = place.trim().parse().map_err(|_| error())?;
        let is_word = |owner: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || ".:_-".contains(c);
            (1..=64).contains(&owner.len()) && owner.chars().all(fits)
        };
        if !owner.is_none_or(is_word) {
            return Err(error());
        }
        let owner = owner.map(str::to_owned);
        Ok(Self { place, owner })
    }
}

impl fmt::Display for BulbSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)?;
        match &self.owner {
            Some(owner) => write!(f, ":{owner}"),
            None => Ok(()),
        }
    }
}

/// Owner of a bulb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BulbNetwork {
    /// As from the shop.
    None,
    /// A bridge of this room.
    Bridge(usize),
    /// A bridge or dimmer that is not here.
    Foreign(String),
    /// A bridge that has forgotten it while it could not hear.
    Lost,
}

impl BulbSpec {
    /// Finds the network that the owner stands for.
    pub(super) fn network(&self, bridges: &[BridgeConfig]) -> Result<BulbNetwork, RoomError> {
        let Some(owner) = self.owner.as_ref().filter(|owner| *owner != "none") else {
            return Ok(BulbNetwork::None);
        };
        if let Ok(number) = owner.parse::<usize>().map_err(drop)
            && owner.len() < 5
        {
            let count = bridges.len();
            return match number.checked_sub(1).filter(|index| *index < count) {
                Some(index) => Ok(BulbNetwork::Bridge(index)),
                None => Err(RoomError { number, count }),
            };
        }
        let is_meant = |config: &BridgeConfig| {
            owner.eq_ignore_ascii_case(&config.bridge_id())
                || *owner == config.listen.to_string()
                || owner.parse() == Ok(config.mac)
        };
        Ok(match bridges.iter().position(is_meant) {
            Some(index) => BulbNetwork::Bridge(index),
            None => BulbNetwork::Foreign(owner.clone()),
        })
    }
}

/// Visible state of a bulb, and what is printed on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulbView {
    /// Its unique id in a bridge's list, e.g. `00:17:88:01:0c:3a:11:00-0b`.
    pub unique_id: String,
    /// The six hex digits on its body. They cannot be worked out from the unique id.
    pub serial: String,
    /// Its product number.
    pub model: &'static str,
    /// Its distance from the bridges.
    pub place: BulbPlace,
    /// Its owner: the id of a bridge of this room, the word for a network that is not here, or `lost` when its bridge has
    /// forgotten it without its knowledge.
    pub owner: Option<String>,
    /// Has mains power.
    pub powered: bool,
    /// Is lit.
    pub on: bool,
    /// Number of blinks since the start: when captured, and when asked to identify itself.
    pub blinked: u32,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::config::TwinModel;
    use super::*;

    #[test]
    fn descriptions() {
        for text in [
            "near",
            "far",
            "near:1",
            "far:foreign",
            "near:001788fffe010203",
            "far:00:17:88:01:02:03",
        ] {
            assert_eq!(text.parse::<BulbSpec>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "nearby",
            "near:",
            "near: ",
            ":1",
            "near:a b",
            "near:a\nb",
        ] {
            assert!(text.parse::<BulbSpec>().is_err(), "{text}");
        }
    }

    #[test]
    fn owners() {
        let bridges =
            [3, 4].map(|last| BridgeConfig::new(TwinModel::Square, Ipv4Addr::new(127, 1, 2, last)));
        let network = |text: &str| text.parse::<BulbSpec>().unwrap().network(&bridges);
        assert_eq!(network("near"), Ok(BulbNetwork::None));
        assert_eq!(network("far:none"), Ok(BulbNetwork::None));
        for text in [
            "near:2",
            "far:127.1.2.4",
            "near:001788FFFE010204",
            "far:00:17:88:01:02:04",
            "far:001788010204",
        ] {
            assert_eq!(network(text), Ok(BulbNetwork::Bridge(1)), "{text}");
        }
        assert_eq!(
            network("near:foreign"),
            Ok(BulbNetwork::Foreign("foreign".to_owned()))
        );
        for (text, number) in [("near:3", 3), ("near:0", 0)] {
            assert_eq!(network(text), Err(RoomError { number, count: 2 }));
        }
    }
}

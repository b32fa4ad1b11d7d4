//! What the hub's plugs and groups are called, so that people never type or read an id.

use std::net::Ipv4Addr;

use hiflying::Mac;
use plugs::{FamilyId, Plug};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Failure, Kind};
use crate::hub_client::Client;
use crate::inventory::{folded, names_near};
use crate::resolve::{self, Target};

/// A plug of the hub, as far as it takes to know it by what people call it. Everything else may change with the hub's
/// version.
#[derive(Debug, Clone, Deserialize)]
struct Known {
    mac: Mac,
    name: Option<String>,
    serial: Option<String>,
    address: Ipv4Addr,
}

#[derive(Debug, Clone, Deserialize)]
struct Group {
    id: String,
    name: String,
}

/// What the hub's plugs and groups are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    plugs: Vec<Known>,
    groups: Vec<Group>,
}

impl Names {
    /// Asks the hub.
    pub(crate) async fn load(hub: &Client) -> Result<Self, Failure> {
        let (plugs, groups) =
            tokio::try_join!(hub.get("plugs").answer(), hub.get("groups").answer())?;
        Self::of(plugs, groups)
    }

    /// From what the hub lists.
    pub(crate) fn of(plugs: Value, groups: Value) -> Result<Self, Failure> {
        let read = serde_json::from_value(plugs).and_then(|plugs| {
            let groups = serde_json::from_value(groups)?;
            Ok(Self { plugs, groups })
        });
        read.map_err(|error| {
            Failure::new(
                Kind::BadAnswer,
                "the hub's list of plugs and groups cannot be understood",
            )
            .caused_by(&error)
        })
    }

    /// Finds the plug that is meant.
    pub(crate) fn plug(&self, text: &str) -> Result<Mac, Failure> {
        let target = resolve::parse(text)
            .map_err(|problem| Failure::usage(format!("`{text}` cannot be a plug: {problem}")))?;
        self.find(&target)?
            .ok_or_else(|| self.unknown(text, "plug", self.plug_names()))
    }

    /// Finds all plugs that are meant, each once; returns their ids. Several can stand in one text, between commas.
    pub(crate) fn plugs(&self, texts: &[String]) -> Result<Value, Failure> {
        each(texts, |text| self.plug(text).map(|plug| plug.to_string()))
    }

    /// Finds all plugs and groups that are meant, each once; returns their ids. Several can stand in one text, between
    /// commas.
    pub(crate) fn targets(&self, texts: &[String]) -> Result<Value, Failure> {
        each(texts, |text| self.target(text))
    }

    /// Finds the plug or group that is meant; returns its id.
    fn target(&self, text: &str) -> Result<String, Failure> {
        let group = self.groups.iter().find(|group| group.id == text);
        let group = group.or_else(|| {
            let wanted = folded(text);
            self.groups
                .iter()
                .find(|group| folded(&group.name) == wanted)
        });
        let plug = match resolve::parse(text) {
            Ok(target) => self.find(&target)?,
            Err(_) => None,
        };
        match (plug, group) {
            (Some(_), Some(group)) => Err(Failure::usage(format!(
                "both a plug and a group are called \u{2018}{text}\u{2019}"
            ))
            .hint(format!(
                "name the plug by its MAC, or the group by its id {}",
                group.id
            ))),
            (Some(mac), None) => Ok(mac.to_string()),
            (None, Some(group)) => Ok(group.id.clone()),
            (None, None) => {
                let groups = self.groups.iter().map(|group| group.name.as_str());
                Err(self.unknown(text, "plug or group", self.plug_names().chain(groups)))
            }
        }
    }

    fn find(&self, target: &Target) -> Result<Option<Mac>, Failure> {
        let wanted = folded(target.as_given());
        let named = |plug: &&Known| {
            plug.name
                .as_deref()
                .is_some_and(|name| folded(name) == wanted)
        };
        if let Some(plug) = self.plugs.iter().find(named) {
            return Ok(Some(plug.mac));
        }
        let meant: Vec<Mac> = self
            .plugs
            .iter()
            .filter(|plug| target.is(&plug.as_plug()))
            .map(|plug| plug.mac)
            .collect();
        match meant.as_slice() {
            [] => Ok(None),
            [mac] => Ok(Some(*mac)),
            several => Err(resolve::ambiguous(target, several)),
        }
    }

    fn plug_names(&self) -> impl Iterator<Item = &str> {
        self.plugs.iter().filter_map(|plug| plug.name.as_deref())
    }

    fn unknown<'a>(&self, text: &str, what: &str, names: impl Iterator<Item = &'a str>) -> Failure {
        let failure = Failure::new(
            Kind::NotFound,
            format!("the hub has no {what} \u{2018}{text}\u{2019}"),
        );
        match names_near(text, names).as_slice() {
            [] => failure.hint("`mains hub plugs` shows its plugs, `mains group list` its groups, `mains hub adopt` takes a plug in"),
            near => failure.hint(format!("did you mean {}?", near.join(" or "))),
        }
    }

    /// Returns what people call a plug or group; an id that nobody knows stays as it is.
    pub(crate) fn show(&self, id: &str) -> String {
        let plug = id.parse::<Mac>().ok().and_then(|mac| {
            let known = self.plugs.iter().find(|plug| plug.mac == mac);
            Some(known?.name.clone().unwrap_or_else(|| mac.to_string()))
        });
        let group = || self.groups.iter().find(|group| group.id == id);
        plug.or_else(|| group().map(|group| group.name.clone()))
            .unwrap_or_else(|| id.to_owned())
    }

    /// Returns what people call all of them, with commas.
    pub(crate) fn list(&self, ids: &Value) -> String {
        let ids = ids.as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> = ids
            .iter()
            .filter_map(Value::as_str)
            .map(|id| self.show(id))
            .collect();
        names.join(", ")
    }

    /// Takes note of a plug that the hub tells of while somebody listens.
    pub(crate) fn learn(&mut self, plug: &Value) {
        let Ok(plug) = Known::deserialize(plug) else {
            return;
        };
        match self.plugs.iter_mut().find(|known| known.mac == plug.mac) {
            Some(known) => *known = plug,
            None => self.plugs.push(plug),
        }
    }
}

/// Finds each text as a whole, else its parts between commas: a name may hold a comma.
fn each(
    texts: &[String],
    find: impl Fn(&str) -> Result<String, Failure>,
) -> Result<Value, Failure> {
    let mut ids: Vec<String> = Vec::new();
    let mut take = |id| {
        if !ids.contains(&id) {
            ids.push(id);
        }
    };
    for text in texts {
        match find(text) {
            Ok(id) => take(id),
            Err(_) if text.contains(',') => {
                for part in text.split(',') {
                    take(find(part.trim())?);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(ids.into())
}

impl Known {
    /// As a target is compared with it: only what identifies it counts.
    fn as_plug(&self) -> Plug {
        Plug {
            mac: self.mac,
            family: FamilyId::RECO,
            serial: self.serial.clone(),
            address: self.address,
            relay: None,
            model: None,
            name: None,
            res: None,
            extra: None,
            seen: jiff::Timestamp::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// Three plugs and a group, as a hub lists them.
    pub(crate) fn names() -> Names {
        let plug = |last: u8, name: Value, serial: &str| {
            json!({
                "mac": format!("AC:CF:23:00:00:{last:02X}"), "family": "reco", "serial": serial, "name": name,
                "address": format!("127.77.0.{last}"), "relay": "on", "available": true, "metering": "10s", "new": 1,
            })
        };
        let plugs = json!([
            plug(1, json!("lamp"), "900000001"),
            plug(2, json!("K\u{fc}che"), "900000002"),
            plug(3, Value::Null, "900000002"),
        ]);
        let groups = json!([{"id": "g-00000001", "name": "Lights", "plugs": ["accf23000001"]}]);
        Names::of(plugs, groups).unwrap()
    }

    #[test]
    fn plugs_by_everything_they_are_called() {
        let names = names();
        for text in [
            "lamp",
            "LAMP",
            "accf23000001",
            "AC-CF-23-00-00-01",
            "900000001",
            "127.77.0.1",
        ] {
            assert_eq!(
                names.plug(text).unwrap().to_string(),
                "AC:CF:23:00:00:01",
                "{text}"
            );
        }
        assert_eq!(
            names.plug("k\u{dc}CHE").unwrap().to_string(),
            "AC:CF:23:00:00:02"
        );
        let near = names.plug("lam").unwrap_err();
        assert_eq!(
            (near.kind(), near.hint_text()),
            (Kind::NotFound, Some("did you mean lamp?"))
        );
        for (text, kind) in [
            ("900000002", Kind::Usage),
            ("127.77.0.9", Kind::NotFound),
            ("g-00000001", Kind::NotFound),
            ("::1", Kind::Usage),
        ] {
            assert_eq!(names.plug(text).unwrap_err().kind(), kind, "{text}");
        }
    }

    #[test]
    fn targets_are_plugs_or_groups() {
        let names = names();
        assert_eq!(names.target("lights").unwrap(), "g-00000001");
        assert_eq!(names.target("g-00000001").unwrap(), "g-00000001");
        assert_eq!(names.target("lamp").unwrap(), "AC:CF:23:00:00:01");
        assert_eq!(
            names.target("g-00000002").unwrap_err().kind(),
            Kind::NotFound
        );
        let hint = names.target("Light").unwrap_err();
        assert_eq!(hint.hint_text(), Some("did you mean Lights?"));

        let both = Names::of(
            json!([{"mac": "AC:CF:23:00:00:01", "name": "Lights", "serial": null, "address": "127.0.0.2"}]),
            json!([{"id": "g-00000001", "name": "lights", "plugs": []}]),
        );
        let several = [
            "lamp,Lights".to_owned(),
            "k\u{fc}che".to_owned(),
            "lamp".to_owned(),
        ];
        let ids = json!(["AC:CF:23:00:00:01", "g-00000001", "AC:CF:23:00:00:02"]);
        assert_eq!(names.targets(&several).unwrap(), ids);
        assert_eq!(names.plugs(&several).unwrap_err().kind(), Kind::NotFound);

        assert_eq!(
            both.unwrap().target("lights").unwrap_err().kind(),
            Kind::Usage
        );
    }

    #[test]
    fn shown_as_people_call_them() {
        let mut names = names();
        let ids = json!(["accf23000001", "accf23000003", "g-00000001", "accf23999999"]);
        assert_eq!(
            names.list(&ids),
            "lamp, AC:CF:23:00:00:03, Lights, accf23999999"
        );
        names.learn(&json!({"mac": "AC:CF:23:00:00:03", "name": "tv", "serial": null, "address": "127.0.0.3"}));
        names.learn(&json!({"mac": "AC:CF:23:00:00:04", "removed": true}));
        assert_eq!(names.show("AC:CF:23:00:00:03"), "tv");
        assert_eq!(names.show("accf23000004"), "accf23000004");
    }

    #[test]
    fn an_answer_that_makes_no_sense() {
        for (plugs, groups) in [
            (json!({}), json!([])),
            (json!([{}]), json!([])),
            (json!([]), json!([1])),
        ] {
            assert_eq!(
                Names::of(plugs, groups).unwrap_err().kind(),
                Kind::BadAnswer
            );
        }
    }
}

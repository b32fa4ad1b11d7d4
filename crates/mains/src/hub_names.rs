//! The names of a hub's plugs and groups, so that people never type or read an id.

use api::client::{Client, ClientError};
use api::text::{LocalClock, Names};
use api::{Group, GroupView, Id, PlugView, SwitchTarget};
use hiflying::Mac;

use crate::error::{Failure, Kind};
use crate::inventory::{folded, names_near};
use crate::resolve::{self, Target};

/// The plugs and groups of a hub, and its time zone.
#[derive(Debug, Clone, Default)]
pub(crate) struct HubNames {
    plugs: Vec<PlugView>,
    groups: Vec<GroupView>,
    /// The time zone of schedules, tariffs and days.
    timezone: Option<String>,
}

impl Names for HubNames {
    fn plug_name(&self, plug: Mac) -> Option<String> {
        let view = self.plugs.iter().find(|view| view.plug.mac == plug);
        view.and_then(|view| view.plug.name.clone())
    }

    fn group_name(&self, group: &Id) -> Option<String> {
        let view = self.groups.iter().find(|view| view.id == *group);
        view.map(|view| view.document.name.to_string())
    }
}

impl HubNames {
    /// Reads the names from the hub.
    pub(crate) async fn load(hub: &Client) -> Result<Self, ClientError> {
        let (plugs, groups, status) =
            tokio::try_join!(hub.plugs(), hub.documents::<Group>(), hub.status())?;
        let timezone = status.get("timezone").and_then(|name| name.as_str());
        Ok(Self {
            plugs,
            groups,
            timezone: timezone.map(str::to_owned),
        })
    }

    /// Returns the clock in the hub's time zone.
    pub(crate) fn clock(&self) -> LocalClock {
        LocalClock::in_zone(self.timezone.as_deref())
    }

    /// Updates the name of a plug.
    pub(crate) fn update(&mut self, plug: PlugView) {
        match self
            .plugs
            .iter_mut()
            .find(|known| known.plug.mac == plug.plug.mac)
        {
            Some(known) => *known = plug,
            None => self.plugs.push(plug),
        }
    }

    /// Finds a plug by name, MAC, serial number or address.
    pub(crate) fn find_plug(&self, text: &str) -> Result<Mac, Failure> {
        let target = resolve::parse(text)
            .map_err(|problem| Failure::usage(format!("`{text}` is not a plug: {problem}")))?;
        self.find(&target)?
            .ok_or_else(|| self.unknown(text, "plug", self.plug_names()))
    }

    /// Finds a plug that is adopted, or by its MAC one that was removed and has a history.
    pub(crate) fn find_recorded(&self, text: &str) -> Result<Mac, Failure> {
        self.find_plug(text)
            .or_else(|failure| text.parse().map_err(|_| failure))
    }

    /// As [`Self::find_recorded`], several plugs, each once. A text can name several, separated by commas.
    pub(crate) fn find_all_recorded(&self, texts: &[String]) -> Result<Vec<Mac>, Failure> {
        each(texts, |text| self.find_recorded(text))
    }

    /// Finds plugs, each once. A text can name several, separated by commas.
    pub(crate) fn find_plugs(&self, texts: &[String]) -> Result<Vec<Mac>, Failure> {
        each(texts, |text| self.find_plug(text))
    }

    /// Finds plugs and groups, each once. A text can name several, separated by commas.
    pub(crate) fn find_targets(&self, texts: &[String]) -> Result<Vec<SwitchTarget>, Failure> {
        each(texts, |text| self.find_target(text))
    }

    /// Finds a plug, or the plugs of a group.
    pub(crate) fn find_members(&self, text: &str) -> Result<Vec<Mac>, Failure> {
        Ok(match self.find_target(text)? {
            SwitchTarget::Plug(plug) => vec![plug],
            SwitchTarget::Group(id) => {
                let group = self.groups.iter().find(|view| view.id == id);
                group.map_or_else(Vec::new, |view| view.document.plugs.clone())
            }
        })
    }

    fn find_target(&self, text: &str) -> Result<SwitchTarget, Failure> {
        let wanted = folded(text);
        let by_id = self.groups.iter().find(|view| view.id.as_str() == text);
        let group = by_id.or_else(|| {
            let mut groups = self.groups.iter();
            groups.find(|view| folded(&view.document.name) == wanted)
        });
        let plug = match resolve::parse(text) {
            Ok(target) => self.find(&target)?,
            Err(_) => None,
        };
        match (plug, group) {
            (Some(_), Some(group)) => Err(Failure::usage(format!(
                "\u{2018}{text}\u{2019} is the name of both a plug and a group"
            ))
            .hint(format!(
                "pass the MAC of the plug, or the id of the group, {}",
                group.id
            ))),
            (Some(plug), None) => Ok(SwitchTarget::Plug(plug)),
            (None, Some(group)) => Ok(SwitchTarget::Group(group.id.clone())),
            (None, None) => {
                let groups = self.groups.iter().map(|view| &*view.document.name);
                Err(self.unknown(text, "plug or group", self.plug_names().chain(groups)))
            }
        }
    }

    fn find(&self, target: &Target) -> Result<Option<Mac>, Failure> {
        let wanted = folded(target.as_given());
        let by_name = self
            .plugs
            .iter()
            .find(|view| view.plug.name.as_deref().map(folded).as_ref() == Some(&wanted));
        if let Some(view) = by_name {
            return Ok(Some(view.plug.mac));
        }
        let macs: Vec<_> = self
            .plugs
            .iter()
            .filter(|view| target.is(&view.plug))
            .map(|view| view.plug.mac)
            .collect();
        match macs.as_slice() {
            [] => Ok(None),
            [mac] => Ok(Some(*mac)),
            several => Err(resolve::ambiguous(target, several)),
        }
    }

    fn plug_names(&self) -> impl Iterator<Item = &str> {
        let plugs = self.plugs.iter();
        plugs.filter_map(|view| view.plug.name.as_deref())
    }

    fn unknown<'a>(&self, text: &str, what: &str, names: impl Iterator<Item = &'a str>) -> Failure {
        let message = format!("the hub has no {what} \u{2018}{text}\u{2019}");
        let failure = Failure::new(Kind::NotFound, message);
        match names_near(text, names).as_slice() {
            [] => failure.hint(
                "`mains hub plugs` lists its plugs and `mains group list` its groups; `mains hub adopt` adds a plug",
            ),
            near => failure.hint(format!("did you mean {}?", near.join(" or "))),
        }
    }
}

/// Finds each text as a whole, else its parts between commas: a name may contain a comma.
fn each<T: PartialEq>(
    texts: &[String],
    find: impl Fn(&str) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    let mut take = |item| {
        if !found.contains(&item) {
            found.push(item);
        }
    };
    for text in texts {
        match find(text) {
            Ok(item) => take(item),
            Err(_) if text.contains(',') => {
                for part in text.split(',') {
                    take(find(part.trim())?);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn view(last: u8, name: Value, serial: &str) -> PlugView {
        serde_json::from_value(json!({
            "mac": format!("AC:CF:23:00:00:{last:02X}"), "family": "reco", "serial": serial, "name": name,
            "address": format!("127.77.0.{last}"), "relay": "on", "model": null, "res": null, "extra": null,
            "seen": "2026-11-22T12:00:00Z", "available": true, "reading": null, "energy_total_wh": null, "room": null,
            "metering": "10s", "power_on": null,
        }))
        .unwrap()
    }

    fn group(name: &str) -> GroupView {
        let group = json!({"id": "g-00000001", "name": name, "plugs": ["accf23000001"]});
        serde_json::from_value(group).unwrap()
    }

    /// Three plugs and a group of a hub.
    pub(crate) fn names() -> HubNames {
        HubNames {
            plugs: vec![
                view(1, json!("lamp"), "900000001"),
                view(2, json!("K\u{fc}che"), "900000002"),
                view(3, Value::Null, "900000002"),
            ],
            groups: vec![group("Lights")],
            timezone: None,
        }
    }

    fn id(text: &str) -> Mac {
        text.parse().unwrap()
    }

    #[test]
    fn plugs_are_found_by_name_mac_serial_and_address() {
        let names = names();
        for text in [
            "lamp",
            "LAMP",
            "accf23000001",
            "AC-CF-23-00-00-01",
            "900000001",
            "127.77.0.1",
        ] {
            assert_eq!(names.find_plug(text).unwrap(), id("accf23000001"), "{text}");
        }
        assert_eq!(names.find_plug("k\u{dc}CHE").unwrap(), id("accf23000002"));
        let near = names.find_plug("lam").unwrap_err();
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
            assert_eq!(names.find_plug(text).unwrap_err().kind(), kind, "{text}");
        }
    }

    #[test]
    fn targets_are_plugs_or_groups() {
        let names = names();
        let group = SwitchTarget::Group("g-00000001".parse().unwrap());
        let plug = |text| SwitchTarget::Plug(id(text));
        assert_eq!(names.find_target("lights").unwrap(), group);
        assert_eq!(names.find_target("g-00000001").unwrap(), group);
        assert_eq!(names.find_target("lamp").unwrap(), plug("accf23000001"));
        assert_eq!(
            names.find_target("g-00000002").unwrap_err().kind(),
            Kind::NotFound
        );
        let near = names.find_target("Light").unwrap_err();
        assert_eq!(near.hint_text(), Some("did you mean Lights?"));

        let several = ["lamp,Lights", "k\u{fc}che", "lamp"].map(str::to_owned);
        assert_eq!(
            names.find_targets(&several).unwrap(),
            [plug("accf23000001"), group, plug("accf23000002")]
        );
        assert_eq!(
            names.find_plugs(&several).unwrap_err().kind(),
            Kind::NotFound
        );

        let both = HubNames {
            groups: vec![self::group("LAMP")],
            ..names
        };
        assert_eq!(both.find_target("lamp").unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn names_follow_the_plugs() {
        let mut names = names();
        assert_eq!(names.plug(id("accf23000003")), "AC:CF:23:00:00:03");
        names.update(view(3, json!("tv"), "900000003"));
        names.update(view(4, json!("fan"), "900000004"));
        assert_eq!(names.plug(id("accf23000003")), "tv");
        assert_eq!(names.plug(id("accf23000004")), "fan");
    }
}

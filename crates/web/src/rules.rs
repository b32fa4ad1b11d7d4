//! Rules: switching by the behaviour of plugs.

use api::text::LocalClock;
use api::{Period, RequestError, Rule, RuleView, TimeOfDay};
use askama::Template;
use axum::response::Response;
use hiflying::Mac;
use serde_json::{Map, Value, json};

use crate::PagesState;
use crate::documents::{DocumentPage, Editor, checked, filled, number};
use crate::fields::Fields;
use crate::frame::{Frame, NavItem, RULES};
use crate::groups::{PlugChoice, plug_choices};
use crate::names::KnownNames;
use crate::page_error::sentence;
use crate::visit::Visit;

/// The kinds of rules: their word in JSON, their name and their use.
const KINDS: [(&str, &str, &str); 6] = [
    (
        "standby_kill",
        "No standby",
        "Off when it uses next to nothing",
    ),
    ("auto_off", "Off after a time", "However it was turned on"),
    ("over_power", "Too much power", "Off above a limit"),
    ("follow", "Follow another plug", "On while the other works"),
    ("keep_on", "Always on", "On again when it goes off"),
    ("power_on", "After a power cut", "On, off or as before"),
];
/// Fields of the editor that show what is wrong with them.
const SHOWN: [&str; 10] = [
    "name",
    "plug",
    "below_w",
    "above_w",
    "for",
    "after",
    "leader",
    "hysteresis_w",
    "delay",
    "restore_at",
];

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    rows: Vec<RuleRow>,
    plugs: Vec<PlugChoice>,
    editor: Option<Editor>,
    preview: Option<String>,
    kinds: [(&'static str, &'static str, &'static str); 6],
}

/// A rule in the list.
struct RuleRow {
    id: String,
    name: String,
    sentence: String,
    is_enabled: bool,
    last: Option<String>,
    stopped: Option<String>,
}

impl DocumentPage for Rule {
    const PLACE: NavItem = RULES;

    fn words(&self, state: &PagesState) -> String {
        sentence(&self.sentence(&KnownNames(&state.hub)))
    }

    fn json(fields: &Fields) -> Result<Value, RequestError> {
        let mut rule = Map::new();
        rule.insert("name".to_owned(), fields.needed("name")?.trim().into());
        rule.insert("kind".to_owned(), fields.needed("kind")?.into());
        let (texts, numbers): (&[&str], &[&str]) = match fields.needed("kind")? {
            "standby_kill" => (&["for", "restore_at"], &["below_w"]),
            "over_power" => (&["for"], &["above_w"]),
            "follow" => (&["leader", "delay"], &["above_w", "hysteresis_w"]),
            "auto_off" | "keep_on" => (&["after"], &[]),
            "power_on" => (&["state"], &[]),
            _ => (&[], &[]),
        };
        for name in ["plug"].iter().chain(texts) {
            let text = match *name {
                "plug" | "leader" => checked::<Mac>(fields, name)?,
                "restore_at" => checked::<TimeOfDay>(fields, name)?,
                "state" => filled(fields, name),
                _ => checked::<Period>(fields, name)?,
            };
            let is_needed = !matches!(*name, "restore_at" | "delay")
                && (*name, fields.get("kind")) != ("after", Some("keep_on"));
            match text {
                Some(text) => {
                    rule.insert((*name).to_owned(), text.into());
                }
                None if is_needed => {
                    return Err(RequestError::usage(format!("{name}: it is missing")).at(*name));
                }
                None => {}
            }
        }
        for name in numbers {
            match number(fields, name)? {
                Some(value) => {
                    rule.insert((*name).to_owned(), value.into());
                }
                None if *name != "hysteresis_w" => {
                    return Err(RequestError::usage(format!("{name}: it is missing")).at(*name));
                }
                None => {}
            }
        }
        if let (Some(every), Some(period)) = (
            filled(fields, "test_pulse.every"),
            filled(fields, "test_pulse.for"),
        ) {
            rule.insert(
                "test_pulse".to_owned(),
                json!({"every": every, "for": period}),
            );
        }
        if fields.get("enabled") == Some("false") {
            rule.insert("enabled".to_owned(), false.into());
        }
        Ok(rule.into())
    }

    fn with_enabled(&self, enabled: bool) -> Option<Self> {
        Some(Self {
            enabled,
            ..self.clone()
        })
    }

    fn page(state: &PagesState, visit: &Visit, editor: Option<Editor>) -> Response {
        let hub = &state.hub;
        let clock = LocalClock::at(plugs::now(), hub.clock().timezone.clone());
        let rules = hub.rules().all();
        let preview = editor.as_ref().and_then(|editor| {
            let rule: Rule = editor.read().ok()?;
            Some(rule.words(state))
        });
        let page = RulesPage {
            frame: Frame::new(visit, Self::PLACE, "Rules"),
            rows: rules
                .iter()
                .map(|stored| row(state, &clock, &hub.view(stored)))
                .collect(),
            plugs: plug_choices(state),
            editor,
            preview,
            kinds: KINDS,
        };
        page.frame.send(&page)
    }
}

fn row(state: &PagesState, clock: &LocalClock, view: &RuleView) -> RuleRow {
    let status = &view.status;
    RuleRow {
        id: view.id.to_string(),
        name: view.document.name.to_string(),
        sentence: view.document.words(state),
        is_enabled: view.document.enabled,
        last: status
            .last
            .as_ref()
            .map(|last| sentence(&last.sentence(clock))),
        stopped: status.halted.as_ref().map(|halted| sentence(&halted.why)),
    }
}

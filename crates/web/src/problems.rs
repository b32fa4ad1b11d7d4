//! Present problems of plugs, schedules, rules, and parts of the hub.

use api::DatabaseDamage;
use api::text::LocalClock;
use hub::Hub;
use jiff::Timestamp;
use serde::Deserialize;

use crate::format;
use crate::page_error::sentence;

/// A problem that lasts.
pub(crate) struct OpenProblem {
    /// Path of the page that has more about it.
    pub(crate) path: String,
    /// Name of what has it.
    pub(crate) title: String,
    /// The problem in words that follow the name.
    pub(crate) text: String,
}

/// State of the connection to an MQTT broker.
#[derive(Deserialize)]
pub(crate) struct BrokerStatus {
    /// `connected`, or another word.
    pub(crate) state: String,
    /// Its address.
    pub(crate) broker: String,
    /// Time since which it is in this state.
    pub(crate) since: Timestamp,
    error: Option<String>,
    hint: Option<String>,
}

impl OpenProblem {
    /// Returns the MAC of the plug that has it, as it stands in paths.
    pub(crate) fn plug(&self) -> &str {
        self.path.trim_start_matches("/plugs/")
    }
}

/// Returns what the owner should know about the database.
pub(crate) fn damages(hub: &Hub) -> Vec<String> {
    let damages = hub.store().damage();
    damages.iter().map(DatabaseDamage::sentence).collect()
}

/// Returns the plugs that do not answer, without those that are often unplugged.
pub(crate) fn gone_plugs(hub: &Hub) -> Vec<OpenProblem> {
    let (now, zone) = (plugs::now(), &hub.clock().timezone);
    let views = hub.registry().views();
    let gone = views
        .iter()
        .filter(|view| !view.available && !view.often_unplugged);
    gone.map(|view| OpenProblem {
        path: format!("/plugs/{:x}", view.plug.mac),
        title: format::title(view),
        text: format!(
            "no answer since {}.",
            format::since(view.plug.seen, now, zone)
        ),
    })
    .collect()
}

/// Returns the plugs whose relay conducts while it is off, the schedules and rules that were stopped, and the parts of the hub that
/// fail.
pub(crate) fn further(hub: &Hub) -> Vec<OpenProblem> {
    let clock = LocalClock::at(plugs::now(), hub.clock().timezone.clone());
    let mut open = Vec::new();
    let mut add = |path: &str, title: &str, text: String| {
        open.push(OpenProblem {
            path: path.to_owned(),
            title: title.to_owned(),
            text,
        });
    };
    for view in hub.registry().views() {
        if let Some(watts) = view.still_drawing_w {
            let watts = format::watts(watts);
            let text =
                format!("off, but it still draws {watts}. Its relay may be welded: unplug it.");
            let path = format!("/plugs/{:x}", view.plug.mac);
            add(&path, &format::title(&view), text);
        }
    }
    let halted = |halted: api::Halted| sentence(&halted.sentence(&clock));
    for stored in hub.schedules().all() {
        if let Some(why) = hub.view(&stored).status.halted {
            let path = format!("/schedules#{}", stored.id);
            add(&path, &stored.body.name, halted(why));
        }
    }
    for stored in hub.rules().all() {
        if let Some(why) = hub.view(&stored).status.halted {
            let path = format!("/rules#{}", stored.id);
            add(&path, &stored.body.name, halted(why));
        }
    }
    if let Some(error) = hub.recorder().status().last_error {
        let text = format!("not being saved. {} Switching works.", sentence(&error));
        add("/settings#backup", "History", text);
    }
    if let Some(error) = hub.backups().status().last_error {
        let text = format!("the last one failed. {}", sentence(&error));
        add("/settings#backup", "Backup", text);
    }
    if let Some(problem) = broker(hub).and_then(|broker| broker.problem()) {
        add(
            "/settings#mqtt",
            "MQTT",
            format!("not connected. {problem}"),
        );
    }
    open
}

/// Returns the state of the connection to an MQTT broker, if there is to be one.
pub(crate) fn broker(hub: &Hub) -> Option<BrokerStatus> {
    let mut guests = hub.guests().iter().filter_map(|guest| guest.status());
    let (_, status) = guests.find(|(name, _)| *name == "mqtt")?;
    serde_json::from_value(status).ok()
}

impl BrokerStatus {
    /// Returns true if it is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.state == "connected"
    }

    /// Returns the reason why it is not connected.
    pub(crate) fn problem(&self) -> Option<String> {
        let problem = [&self.error, &self.hint].into_iter().flatten();
        let problem: Vec<String> = problem.map(|text| sentence(text)).collect();
        (!problem.is_empty()).then(|| problem.join(" "))
    }
}

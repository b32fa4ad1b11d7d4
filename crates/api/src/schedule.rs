//! A schedule as people write it.

mod cron;
mod weekdays;
mod when;

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use cron::Cron;
pub use weekdays::Weekdays;
pub use when::{LocalDateTime, Offset, SunEvent, When};

use crate::document::{Collection, Document};
use crate::duration::Period;
use crate::error::RequestError;
use crate::id::SwitchTarget;
use crate::name::Name;
use crate::status::ScheduleStatus;
use plugs::RelayCommand;

/// Maximum number of targets; more plugs go into a group.
const MAX_TARGETS: usize = 1_000;
/// Maximum random delay.
const MAX_RANDOM_DELAY: Duration = Duration::from_secs(12 * 3600);

/// Switches plugs by the clock or the sun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ScheduleInput)]
pub struct Schedule {
    /// Unique among schedules.
    pub name: Name,
    /// `false` suspends it.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Plugs and groups to switch, each once.
    #[schema(min_items = 1, max_items = 1000)]
    pub targets: Vec<SwitchTarget>,
    /// Command for the targets.
    pub action: RelayCommand,
    /// When it runs.
    pub when: When,
    /// Delays each run by a random time below this, at most 12 hours.
    #[serde(default)]
    pub random: Option<Period>,
    /// A run that was missed while the hub was down is made up for when it is not older than this.
    #[serde(default)]
    pub catch_up: Option<Period>,
}

fn enabled() -> bool {
    true
}

impl Document for Schedule {
    const COLLECTION: Collection = Collection::Schedules;
    type Status = ScheduleStatus;

    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), RequestError> {
        if self.targets.is_empty() {
            return Err(RequestError::usage("a schedule needs a plug or a group").at("targets"));
        }
        if self.targets.len() > MAX_TARGETS {
            let message = format!("a schedule has at most {MAX_TARGETS} targets");
            return Err(RequestError::usage(message)
                .hint("put the plugs into a group")
                .at("targets"));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.targets.iter().find(|target| !seen.insert(*target)) {
            return Err(RequestError::usage(format!("{twice} is listed twice")).at("targets"));
        }
        if self
            .random
            .is_some_and(|window| window.get() > MAX_RANDOM_DELAY)
        {
            return Err(RequestError::usage("a random delay is at most 12 hours").at("random"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"name":"evening","enabled":true,"targets":["AC:CF:23:12:34:56","g-3f9a02c1"],"action":"on","when":{"at":"07:00","days":["mon"]},"random":"10m","catch_up":null}"#;

    fn read(json: &str) -> Schedule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_form_of_the_contract() {
        let schedule = read(JSON);
        assert_eq!(schedule.check(), Ok(()));
        assert_eq!(serde_json::to_string(&schedule).unwrap(), JSON);
        let short = r#"{"name":"x","targets":["AC:CF:23:12:34:56"],"action":"toggle","when":{"cron":"0 7 * * *"}}"#;
        let short = read(short);
        assert!(short.enabled && short.random.is_none() && short.catch_up.is_none());
        for json in [
            JSON.replace("\"on\"", "\"blink\""),
            JSON.replace("\"enabled\":true", "\"enabled\":1"),
            JSON.replace("\"10m\"", "\"-10m\""),
            JSON.replace("catch_up", "catchup"),
            JSON.replace("g-3f9a02c1", "lamps"),
            JSON.replace("evening", " "),
        ] {
            assert!(crate::document::read::<Schedule>(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (from, to, field) in [
            ("\"AC:CF:23:12:34:56\",\"g-3f9a02c1\"", "", "targets"),
            ("g-3f9a02c1", "AC-CF-23-12-34-56", "targets"),
            ("10m", "13h", "random"),
        ] {
            let error = read(&JSON.replace(from, to)).check().unwrap_err();
            assert_eq!(error.field(), Some(field));
        }
    }
}

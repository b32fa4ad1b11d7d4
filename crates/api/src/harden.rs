//! Locking a plug down: what stands open, and what was closed.

use hiflying::Mac;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ErrorDocument;

/// A way into a plug that its settings can close.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
#[strum(parse_err_ty = String, parse_err_fn = no_weakness)]
pub enum WeaknessId {
    /// The module replies to a discovery word that everybody knows.
    DiscoveryWord,
    /// The web page accepts the factory's password.
    WebPassword,
    /// The plug's own Wi-Fi network is on although the plug is on yours.
    AccessPoint,
    /// The module connects to a server of its maker.
    CloudSocket,
}

impl WeaknessId {
    /// All of them, in the order in which they are closed.
    pub const ALL: [Self; 4] = [
        Self::DiscoveryWord,
        Self::WebPassword,
        Self::AccessPoint,
        Self::CloudSocket,
    ];

    /// Returns the word in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_weakness(_: &str) -> String {
    "give discovery-word, web-password, access-point or cloud-socket".to_owned()
}

/// State of a weakness after a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum HardenState {
    /// It stands open.
    Open,
    /// It is closed.
    Closed,
    /// It was left as it is, for the given reason.
    Skipped,
    /// It could not be closed, or not be restored.
    Failed,
}

impl HardenState {
    /// Returns the word in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One weakness: how it was found and how it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HardenStep {
    /// The weakness.
    pub id: WeaknessId,
    /// Its state at the end of the run; of a dry run, its present state.
    pub state: HardenState,
    /// The setting as it was found; null where it is a secret or unknown.
    #[schema(required)]
    pub before: Option<String>,
    /// The setting at the end of the run; of a dry run, as it would be. Null where it is a secret or unknown.
    #[schema(required)]
    pub after: Option<String>,
    /// An explanation in one sentence.
    #[schema(required)]
    pub reason: Option<String>,
}

/// Result of locking a plug down, of taking that back, or of a dry run of either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HardenReport {
    /// The plug.
    pub plug: Mac,
    /// `true` when nothing was written.
    pub dry_run: bool,
    /// The weaknesses that were looked at, in order.
    pub steps: Vec<HardenStep>,
    /// Present when a step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDocument>,
}

impl HardenReport {
    /// Returns the step of a weakness.
    pub fn step(&self, id: WeaknessId) -> Option<&HardenStep> {
        self.steps.iter().find(|step| step.id == id)
    }
}

/// Locks a plug down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HardenRequest {
    /// The weaknesses to close; all unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<WeaknessId>,
    /// `true` to write nothing and report what would be done.
    pub dry_run: bool,
    /// `true` to restore the settings that stood before.
    pub undo: bool,
}

impl HardenRequest {
    /// Returns the weaknesses to look at, each once and in order.
    pub fn ids(&self) -> impl Iterator<Item = WeaknessId> {
        let all = WeaknessId::ALL.into_iter();
        all.filter(|id| self.only.is_empty() || self.only.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        for id in WeaknessId::ALL {
            assert_eq!(serde_json::to_value(id).unwrap(), id.as_str());
            assert_eq!(id.as_str().parse(), Ok(id));
        }
        assert!("wifi".parse::<WeaknessId>().is_err());
        let all: HardenRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(all.ids().collect::<Vec<_>>(), WeaknessId::ALL);
        let some = r#"{"only":["cloud-socket","discovery-word","cloud-socket"],"dry_run":true}"#;
        let some: HardenRequest = serde_json::from_str(some).unwrap();
        let ids: Vec<_> = some.ids().collect();
        assert_eq!(ids, [WeaknessId::DiscoveryWord, WeaknessId::CloudSocket]);
        assert!(serde_json::from_str::<HardenRequest>(r#"{"all":true}"#).is_err());
    }

    #[test]
    fn unknown_values_are_null_and_an_error_is_there_only_after_a_failure() {
        let report = HardenReport {
            plug: Mac::new([0xac, 0xcf, 0x23, 1, 2, 3]),
            dry_run: false,
            steps: vec![HardenStep {
                id: WeaknessId::DiscoveryWord,
                state: HardenState::Closed,
                before: None,
                after: None,
                reason: None,
            }],
            error: None,
        };
        let json = r#"{"plug":"AC:CF:23:01:02:03","dry_run":false,"steps":[{"id":"discovery-word","state":"closed","before":null,"after":null,"reason":null}]}"#;
        assert_eq!(serde_json::to_string(&report).unwrap(), json);
        assert_eq!(serde_json::from_str::<HardenReport>(json).unwrap(), report);
    }
}

//! Damage of the hub's database.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Damage of the database, or its loss, which the hub has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseDamage {
    /// Time of the finding.
    pub found: Timestamp,
    /// The finding, in one clause.
    pub problem: String,
    /// Name of the damaged file, beside the database; null if there was none. The damage is shown for as long as the file is there,
    /// or else until the hub ends.
    #[schema(required)]
    pub kept_as: Option<String>,
    /// Rows that could not be copied into the new database.
    pub lost: Vec<LostRows>,
}

/// Rows of one table that could not be copied from a damaged database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LostRows {
    /// The table: `plugs`, `documents`, `settings`, `series`, `lifetimes`, `log`, `quarters`, `minutes`, `readings`, or `all`.
    pub table: String,
    /// Their number; null if it is unknown.
    #[schema(required)]
    pub rows: Option<u64>,
}

impl LostRows {
    /// Returns the loss of everything.
    pub fn all() -> Self {
        Self {
            table: "all".to_owned(),
            rows: None,
        }
    }
}

impl DatabaseDamage {
    /// Returns the damage as sentences for its owner.
    pub fn sentence(&self) -> String {
        let lost: Vec<String> = self.lost.iter().map(LostRows::words).collect();
        let lost = match lost.as_slice() {
            [] if self.kept_as.is_none() => "a new one is used".to_owned(),
            [] => "nothing in it was lost".to_owned(),
            lost => format!("lost: {}", lost.join(", ")),
        };
        let kept = self.kept_as.as_ref().map_or_else(String::new, |file| {
            format!(
                " The damaged file is kept as {file}; remove it when you do not need it any more."
            )
        });
        format!("The database was damaged ({}): {lost}.{kept}", self.problem)
    }
}

impl LostRows {
    fn words(&self) -> String {
        let what = match self.table.as_str() {
            "all" => return "everything".to_owned(),
            "documents" => "groups, schedules, rules or tariffs",
            "settings" => "settings and passwords",
            "series" => "histories of plugs",
            "lifetimes" => "lifetime totals",
            "quarters" => "a part of the history",
            "minutes" => "a part of the minutes",
            "log" => "past events",
            other => other,
        };
        match self.rows {
            Some(rows) => format!("{rows} {what}"),
            None => what.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_read_what_is_lost() {
        let mut damage = DatabaseDamage {
            found: Timestamp::UNIX_EPOCH,
            problem: "missing".to_owned(),
            kept_as: None,
            lost: Vec::new(),
        };
        let sentence = "The database was damaged (missing): a new one is used.";
        assert_eq!(damage.sentence(), sentence);
        damage.kept_as = Some("mains.sqlite.damaged-1".to_owned());
        assert!(
            damage
                .sentence()
                .contains("nothing in it was lost. The damaged file")
        );
        let lost = |table: &str, rows| LostRows {
            table: table.to_owned(),
            rows,
        };
        damage.lost = vec![lost("plugs", Some(2)), lost("quarters", None)];
        let sentence = damage.sentence();
        assert!(
            sentence.contains("lost: 2 plugs, a part of the history."),
            "{sentence}"
        );
    }
}

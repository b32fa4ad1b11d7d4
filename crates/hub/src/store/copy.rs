//! Copies everything from one database into another, and compares both.

use std::sync::Arc;

use api::Collection;
use async_trait::async_trait;
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};

use super::{EnergyState, HistoryRow, LogQuery, Store, StoreError, Tier};

/// Rows that are written and compared together.
const ROWS_PER_STEP: usize = 10_000;

/// A store whose whole content can be copied.
#[async_trait]
pub trait CopiedStore: Store {
    /// Returns all settings, by key.
    async fn settings(&self) -> Result<Vec<(String, String)>, StoreError>;

    /// Writes lifetime totals. A total never decreases.
    async fn save_totals(&self, totals: &[(Mac, EnergyState)]) -> Result<(), StoreError>;
}

/// Error of a copy. What was copied stays; the copy can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The new database has something that the old one has not, or something else in its place.
    #[error("{0} differ in the new database")]
    Different(String),
}

/// Copies plugs, documents, the log, history, totals and settings, and reads everything back. Rows that are there already are not
/// written again, so that a copy that was interrupted can be repeated. Returns the number of rows.
///
/// # Errors
///
/// [`CopyError`] if a database fails, or if the new one then holds anything else.
pub async fn copy(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<u64, CopyError> {
    let mut count = copy_plugs(from, to).await?;
    count += copy_documents(from, to).await?;
    count += copy_log(from, to).await?;
    for plug in from.recorded().await? {
        for tier in [Tier::Readings, Tier::Minutes, Tier::Quarters] {
            count += copy_history(from, to, plug, tier).await?;
        }
    }
    same(
        sorted(from.recorded().await?),
        sorted(to.recorded().await?),
        || "the plugs with history".to_owned(),
    )?;
    let totals = from.energy().await?;
    to.save_totals(&totals).await?;
    count += total(&totals);
    same(by_plug(totals), by_plug(to.energy().await?), || {
        "the lifetime totals".to_owned()
    })?;
    // Last, so that an interrupted copy has no password.
    let settings = from.settings().await?;
    for (key, value) in &settings {
        to.save_setting(key, Some(value)).await?;
    }
    count += total(&settings);
    same(sorted(settings), sorted(to.settings().await?), || {
        "the settings".to_owned()
    })?;
    Ok(count)
}

async fn copy_plugs(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<u64, CopyError> {
    let plugs = from.plugs().await?;
    for plug in &plugs {
        to.save_plug(plug).await?;
    }
    let count = total(&plugs);
    same(plugs, to.plugs().await?, || "the plugs".to_owned())?;
    Ok(count)
}

async fn copy_documents(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<u64, CopyError> {
    let mut count = 0;
    for collection in Collection::ALL {
        let mut documents = from.documents(collection).await?;
        for document in &documents {
            to.save_document(collection, document).await?;
        }
        count += total(&documents);
        let mut copied = to.documents(collection).await?;
        // Databases sort texts in different ways.
        documents.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        copied.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        same(documents, copied, || format!("the {}", collection.as_str()))?;
    }
    Ok(count)
}

async fn copy_log(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<u64, CopyError> {
    let mut query = LogQuery {
        limit: ROWS_PER_STEP,
        ..LogQuery::default()
    };
    let mut count = 0;
    loop {
        let entries = from.log(&query).await?;
        let shared: Vec<_> = entries.iter().cloned().map(Arc::new).collect();
        to.append_log(&shared).await?;
        count += total(&entries);
        let last = entries.last().map(|entry| entry.id);
        let is_whole = entries.len() == ROWS_PER_STEP;
        same(entries, to.log(&query).await?, || {
            "the entries of the log".to_owned()
        })?;
        match last {
            Some(last) if is_whole => query.before = Some(last),
            _ => return Ok(count),
        }
    }
}

async fn copy_history(
    from: &dyn CopiedStore,
    to: &dyn CopiedStore,
    plug: Mac,
    tier: Tier,
) -> Result<u64, CopyError> {
    let (mut begin, end) = (Timestamp::MIN, Timestamp::MAX);
    let mut count = 0;
    loop {
        let rows = from.rows(plug, tier, begin, end, ROWS_PER_STEP).await?;
        to.import(plug, &rows).await?;
        count += total(&rows);
        let next = rows.last().and_then(|row| {
            let millisecond = SignedDuration::from_millis(1);
            at(row).checked_add(millisecond).ok()
        });
        let is_whole = rows.len() == ROWS_PER_STEP;
        let copied = to.rows(plug, tier, begin, end, ROWS_PER_STEP).await?;
        same(rows, copied, || {
            let tier = match tier {
                Tier::Readings => "readings",
                Tier::Minutes => "minutes",
                Tier::Quarters => "quarter-hours",
            };
            format!("the {tier} of the plug {plug}")
        })?;
        match next {
            Some(next) if is_whole => begin = next,
            _ => return Ok(count),
        }
    }
}

fn at(row: &HistoryRow) -> Timestamp {
    match row {
        HistoryRow::Reading(reading, _) => reading.at,
        HistoryRow::Minute(span) | HistoryRow::Quarter(span) => span.t,
    }
}

fn same<T: PartialEq>(
    old: Vec<T>,
    new: Vec<T>,
    name: impl FnOnce() -> String,
) -> Result<(), CopyError> {
    match old == new {
        true => Ok(()),
        false => Err(CopyError::Different(name())),
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

fn by_plug(mut totals: Vec<(Mac, EnergyState)>) -> Vec<(Mac, EnergyState)> {
    totals.sort_by_key(|(plug, _)| *plug);
    totals
}

fn total<T>(values: &[T]) -> u64 {
    values.len() as u64
}

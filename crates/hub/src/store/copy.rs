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

    /// Puts minutes and quarters of an hour in the place of those that exist.
    async fn refresh(&self, plug: Mac, rows: &[HistoryRow]) -> Result<(), StoreError>;
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

/// Copies plugs, documents, the log, history, totals and settings, and reads everything back. Returns the number of rows.
///
/// What is there already is not written again, so that a copy that was interrupted can be repeated, also after the old database
/// has gone on: what has changed there since is brought over. A new database that a hub has used since holds more than the old one,
/// which is an error.
///
/// # Errors
///
/// [`CopyError`] if a database fails, or if the new one then holds anything else.
pub async fn copy(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<u64, CopyError> {
    // The log first: a hub that uses a database writes to it, so that where it is the same everything else is a copy, of which what
    // the old one no longer has can be removed.
    let is_repeated = to.last_log_id().await? > 0;
    let mut count = copy_log(from, to).await?;
    if is_repeated {
        remove_old(from, to).await?;
    }
    count += copy_plugs(from, to).await?;
    count += copy_documents(from, to).await?;
    let recorded = sorted(from.recorded().await?);
    for plug in recorded.iter().copied() {
        for tier in [Tier::Readings, Tier::Minutes, Tier::Quarters] {
            count += copy_history(from, to, plug, tier).await?;
        }
    }
    same(recorded, sorted(to.recorded().await?), || {
        "the plugs with history".to_owned()
    })?;
    let totals = from.energy().await?;
    to.save_totals(&totals).await?;
    count += total(&totals);
    same(by_plug(totals), by_plug(to.energy().await?), || {
        "the lifetime totals".to_owned()
    })?;
    // Last, so that an interrupted copy has no password.
    count += copy_settings(from, to).await?;
    Ok(count)
}

/// Removes from a copy what the old database no longer has, or has changed.
async fn remove_old(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<(), CopyError> {
    let plugs = from.plugs().await?;
    for old in to.plugs().await? {
        // Changed ones as well, because another plug can have the name by now.
        if !plugs.contains(&old) {
            to.delete_plug(old.mac, false).await?;
        }
    }
    let recorded = from.recorded().await?;
    for gone in to.recorded().await? {
        if !recorded.contains(&gone) {
            to.delete_plug(gone, true).await?;
        }
    }
    for collection in Collection::ALL {
        let documents = from.documents(collection).await?;
        for old in to.documents(collection).await? {
            // A changed one is only replaced by its next revision.
            if !documents.contains(&old) {
                to.delete_document(collection, &old.id).await?;
            }
        }
    }
    let settings = from.settings().await?;
    for (key, _) in to.settings().await? {
        if !settings.iter().any(|(known, _)| *known == key) {
            to.save_setting(&key, None).await?;
        }
    }
    Ok(())
}

async fn copy_settings(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<u64, CopyError> {
    let settings = sorted(from.settings().await?);
    for (key, value) in &settings {
        to.save_setting(key, Some(value)).await?;
    }
    let count = total(&settings);
    same(settings, sorted(to.settings().await?), || {
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
    let name = || "the entries of the log".to_owned();
    if !continues_log(from, to).await? {
        return Err(CopyError::Different(name()));
    }
    let mut count = 0;
    loop {
        let entries = from.log(&query).await?;
        let shared: Vec<_> = entries.iter().cloned().map(Arc::new).collect();
        to.append_log(&shared).await?;
        count += total(&entries);
        let last = entries.last().map(|entry| entry.id);
        let is_whole = entries.len() == ROWS_PER_STEP;
        // What the old one has removed since as too old can still be in the new one.
        let mut copied = to.log(&query).await?;
        copied.truncate(entries.len());
        same(entries, copied, name)?;
        match last {
            Some(last) if is_whole => query.before = Some(last),
            _ => return Ok(count),
        }
    }
}

/// Returns true if the log of the new database is the beginning of the old one's; otherwise it is that of another home.
async fn continues_log(from: &dyn CopiedStore, to: &dyn CopiedStore) -> Result<bool, CopyError> {
    let newest = LogQuery {
        limit: 1,
        ..LogQuery::default()
    };
    let Some(last) = to.log(&newest).await?.pop() else {
        return Ok(to.last_log_id().await? <= from.last_log_id().await?);
    };
    let query = LogQuery {
        before: Some(last.id.saturating_add(1)),
        ..newest
    };
    let same = from.log(&query).await?.pop();
    // The old one removes entries that are too old.
    let is_removed = same.is_none() && last.id <= from.last_log_id().await?;
    Ok(is_removed || same == Some(last))
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
        let Some(first) = rows.first().map(at) else {
            return Ok(count);
        };
        to.import(plug, &rows).await?;
        count += total(&rows);
        let next = rows.last().and_then(|row| {
            let millisecond = SignedDuration::from_millis(1);
            at(row).checked_add(millisecond).ok()
        });
        let is_whole = rows.len() == ROWS_PER_STEP;
        // What the old one has removed since as too old can still be in the new one.
        let begun = begin.max(first);
        let mut copied = to.rows(plug, tier, begun, end, ROWS_PER_STEP).await?;
        let grown = grown(&rows, &copied);
        if !grown.is_empty() {
            to.refresh(plug, &grown).await?;
            copied = to.rows(plug, tier, begun, end, ROWS_PER_STEP).await?;
        }
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

/// Returns minutes and quarters of an hour to which readings were added since they were copied.
fn grown(rows: &[HistoryRow], copied: &[HistoryRow]) -> Vec<HistoryRow> {
    let span = |row: &HistoryRow| match row {
        HistoryRow::Minute(span) | HistoryRow::Quarter(span) => Some(*span),
        HistoryRow::Reading(..) => None,
    };
    let has_grown = |(row, copied): &(&HistoryRow, &HistoryRow)| match (span(row), span(copied)) {
        (Some(now), Some(then)) => {
            now.t == then.t
                && now != then
                && now.readings >= then.readings
                && now.energy_wh >= then.energy_wh
        }
        _ => false,
    };
    let pairs = rows.iter().zip(copied).filter(has_grown);
    pairs.map(|(row, _)| row.clone()).collect()
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

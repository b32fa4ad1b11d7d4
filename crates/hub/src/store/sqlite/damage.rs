//! Damage that was found, kept in the new database for as long as the damaged file is beside it.

use std::path::Path;

use api::DatabaseDamage;

use super::database::{self, QueryError, SqliteDatabase};

/// Setting that holds the damages, as JSON.
const SETTING: &str = "damage";
/// Maximum number of damages that are kept.
const MAX_DAMAGES: usize = 10;

/// Adds damage to that of before.
pub(super) async fn keep(
    database: &SqliteDatabase,
    damage: DatabaseDamage,
) -> Result<(), QueryError> {
    let mut damages = read(database).await?;
    damages.push(damage);
    damages.drain(..damages.len().saturating_sub(MAX_DAMAGES));
    let text = serde_json::to_string(&damages).expect("plain structures can be written as JSON");
    let mut transaction = database.edit().await?;
    sqlx::query("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
        .bind(SETTING)
        .bind(text)
        .execute(transaction.connection())
        .await?;
    transaction.commit().await
}

/// Returns the damages whose files are still there; none if they cannot be read.
pub(super) async fn load(database: &SqliteDatabase) -> Vec<DatabaseDamage> {
    read(database).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "earlier damage of the database cannot be read");
        Vec::new()
    })
}

async fn read(database: &SqliteDatabase) -> Result<Vec<DatabaseDamage>, sqlx::Error> {
    let query = sqlx::query_scalar(database::SETTING).bind(SETTING);
    let text: Option<Vec<u8>> = query.fetch_optional(database.readers()).await?;
    let damages: Vec<DatabaseDamage> = match text.map(|text| serde_json::from_slice(&text)) {
        Some(Ok(damages)) => damages,
        Some(Err(error)) => {
            tracing::warn!(%error, "earlier damage of the database cannot be read");
            Vec::new()
        }
        None => Vec::new(),
    };
    let is_there = |damage: &DatabaseDamage| is_kept(database.path(), damage);
    Ok(damages.into_iter().filter(is_there).collect())
}

/// Returns true if the damaged file is still beside the database.
pub(super) fn is_kept(database: &Path, damage: &DatabaseDamage) -> bool {
    let file = damage.kept_as.as_ref();
    file.is_some_and(|file| database.with_file_name(file).exists())
}

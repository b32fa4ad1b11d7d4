//! Plugs, documents and settings, which are on the server's disk when the call returns.

use api::{Collection, Id};
use async_trait::async_trait;
use hiflying::Mac;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::Postgres;
use super::transfer::{continue_history, delete_history};
use crate::store::query_error::QueryError;
use crate::store::records::{
    DELETE_DOCUMENT, DELETE_PLUG, DELETE_SETTING, DOCUMENTS, LIFETIMES, PLUGS, SAVE_DOCUMENT,
    SAVE_PLUG, SAVE_SETTING, SAVE_STATE, bind_plug, document, energy, plug, readable, word,
};
use crate::store::scale::signed;
use crate::store::{
    DocumentStore, EnergyState, PlugRecord, PlugStore, SettingStore, SiteRecord, StoreError,
    StoredDocument,
};

/// A setting by its key.
pub(super) const SETTING: &str = "SELECT value FROM settings WHERE key = $1";

#[async_trait]
impl PlugStore for Postgres {
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError> {
        self.read(|pool| async move {
            let rows = sqlx::query(PLUGS).fetch_all(&pool).await?;
            Ok(readable(rows, "plug", plug))
        })
        .await
    }

    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError> {
        self.execute(bind_plug!(sqlx::query(SAVE_PLUG), plug)).await
    }

    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError> {
        self.write(|pool| async move {
            let mut transaction = pool.begin().await?;
            remove_plug(&mut transaction, plug).await?;
            if purge {
                delete_history(&mut transaction, plug).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn replace_plug(
        &self,
        old: Mac,
        record: &PlugRecord,
        documents: &[(Collection, StoredDocument)],
    ) -> Result<(), StoreError> {
        self.write(|pool| async move {
            let mut transaction = pool.begin().await?;
            // The old one first, because the new one may take its name.
            remove_plug(&mut transaction, old).await?;
            let query = bind_plug!(sqlx::query(SAVE_PLUG), record);
            query.execute(&mut *transaction).await?;
            continue_history(&mut transaction, old, record.mac).await?;
            for (collection, document) in documents {
                insert_document(&mut transaction, *collection, document).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError> {
        self.read(|pool| async move {
            let rows = sqlx::query(LIFETIMES).fetch_all(&pool).await?;
            Ok(readable(rows, "lifetime total", energy))
        })
        .await
    }
}

#[async_trait]
impl DocumentStore for Postgres {
    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError> {
        self.read(|pool| async move {
            let query = sqlx::query(DOCUMENTS).bind(collection.as_str());
            let rows = query.fetch_all(&pool).await?;
            Ok(readable(rows, collection.singular(), document))
        })
        .await
    }

    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError> {
        self.write(|pool| async move {
            let mut connection = pool.acquire().await?;
            insert_document(&mut connection, collection, document).await
        })
        .await
    }

    async fn save_state(
        &self,
        collection: Collection,
        id: &Id,
        state: &Value,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(SAVE_STATE)
            .bind(state.to_string())
            .bind(collection.as_str())
            .bind(id.as_str());
        self.execute(query).await
    }

    async fn delete_document(&self, collection: Collection, id: &Id) -> Result<(), StoreError> {
        let query = sqlx::query(DELETE_DOCUMENT)
            .bind(collection.as_str())
            .bind(id.as_str());
        self.execute(query).await
    }
}

#[async_trait]
impl SettingStore for Postgres {
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|pool| async move {
            let query = sqlx::query_scalar(SETTING).bind(key);
            Ok(query.fetch_optional(&pool).await?)
        })
        .await
    }

    async fn save_settings(&self, values: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
        self.write(|pool| async move {
            let mut transaction = pool.begin().await?;
            for (key, value) in values {
                let query = match value {
                    Some(value) => sqlx::query(SAVE_SETTING).bind(*key).bind(*value),
                    None => sqlx::query(DELETE_SETTING).bind(*key),
                };
                query.execute(&mut *transaction).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn other_sites(&self) -> Result<Vec<SiteRecord>, StoreError> {
        self.read_other_sites().await
    }
}

impl Postgres {
    /// Executes one statement, on the server's disk when this returns.
    async fn execute(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
    ) -> Result<(), StoreError> {
        self.write(|pool| async move {
            query.execute(&pool).await?;
            Ok(())
        })
        .await
    }
}

async fn remove_plug(connection: &mut PgConnection, plug: Mac) -> Result<(), sqlx::Error> {
    let query = sqlx::query(DELETE_PLUG).bind(format!("{plug:x}"));
    query.execute(connection).await?;
    Ok(())
}

async fn insert_document(
    connection: &mut PgConnection,
    collection: Collection,
    document: &StoredDocument,
) -> Result<(), QueryError> {
    let written = sqlx::query(SAVE_DOCUMENT)
        .bind(collection.as_str())
        .bind(document.id.as_str())
        .bind(signed(document.revision))
        .bind(document.body.to_string())
        .bind(document.state.to_string())
        .execute(connection)
        .await?;
    if written.rows_affected() == 0 {
        return Err(StoreError::changed(collection, &document.id).into());
    }
    Ok(())
}

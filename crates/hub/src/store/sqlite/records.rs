//! Plugs, documents and settings, which are on the disk when the call returns.

use api::{Collection, Id};
use async_trait::async_trait;
use hiflying::Mac;
use serde_json::Value;
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::Sqlite;
use super::database::{QueryError, SETTING};
use super::transfer::{continue_history, delete_history};
use crate::store::records::{
    DELETE_DOCUMENT, DELETE_PLUG, DELETE_SETTING, DOCUMENTS, LIFETIMES, PLUGS, SAVE_DOCUMENT,
    SAVE_PLUG, SAVE_SETTING, SAVE_STATE, bind_plug, document, energy, plug, readable, word,
};
use crate::store::scale::signed;
use crate::store::{
    DocumentStore, EnergyState, PlugRecord, PlugStore, SettingStore, StoreError, StoredDocument,
};

#[async_trait]
impl PlugStore for Sqlite {
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError> {
        self.read(|database| async move {
            let query = sqlx::query(PLUGS);
            let rows = query.fetch_all(database.readers()).await?;
            Ok(readable(rows, "plug", plug))
        })
        .await
    }

    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            insert_plug(transaction.connection(), plug).await?;
            transaction.commit().await
        })
        .await
    }

    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            remove_plug(transaction.connection(), plug).await?;
            if purge {
                delete_history(transaction.connection(), plug).await?;
            }
            transaction.commit().await
        })
        .await
    }

    async fn replace_plug(
        &self,
        old: Mac,
        record: &PlugRecord,
        documents: &[(Collection, StoredDocument)],
    ) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            let connection = transaction.connection();
            // The old one first, because the new one may take its name.
            remove_plug(connection, old).await?;
            insert_plug(connection, record).await?;
            continue_history(connection, old, record.mac).await?;
            for (collection, document) in documents {
                insert_document(connection, *collection, document).await?;
            }
            transaction.commit().await
        })
        .await
    }

    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError> {
        self.read(|database| async move {
            let rows = sqlx::query(LIFETIMES).fetch_all(database.readers()).await?;
            Ok(readable(rows, "lifetime total", energy))
        })
        .await
    }
}

#[async_trait]
impl DocumentStore for Sqlite {
    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError> {
        self.read(|database| async move {
            let query = sqlx::query(DOCUMENTS).bind(collection.as_str());
            let rows = query.fetch_all(database.readers()).await?;
            Ok(readable(rows, collection.singular(), document))
        })
        .await
    }

    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            insert_document(transaction.connection(), collection, document).await?;
            transaction.commit().await
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
impl SettingStore for Sqlite {
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let value = self.read(|database| async move {
            let query = sqlx::query_scalar(SETTING).bind(key);
            Ok(query.fetch_optional(database.readers()).await?)
        });
        let value: Option<Vec<u8>> = value.await?;
        Ok(value.and_then(|value| {
            let text = String::from_utf8(value);
            text.inspect_err(|_| self.note_unreadable_setting(key)).ok()
        }))
    }

    async fn save_settings(&self, values: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            for (key, value) in values {
                let query = match value {
                    Some(value) => sqlx::query(SAVE_SETTING).bind(*key).bind(*value),
                    None => sqlx::query(DELETE_SETTING).bind(*key),
                };
                query.execute(transaction.connection()).await?;
            }
            transaction.commit().await
        })
        .await
    }
}

impl Sqlite {
    /// Executes one statement, on the disk when this returns.
    async fn execute(
        &self,
        query: Query<'_, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            query.execute(transaction.connection()).await?;
            transaction.commit().await
        })
        .await
    }
}

async fn remove_plug(connection: &mut SqliteConnection, plug: Mac) -> Result<(), sqlx::Error> {
    sqlx::query(DELETE_PLUG)
        .bind(format!("{plug:x}"))
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_plug(
    connection: &mut SqliteConnection,
    plug: &PlugRecord,
) -> Result<(), sqlx::Error> {
    bind_plug!(sqlx::query(SAVE_PLUG), plug)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_document(
    connection: &mut SqliteConnection,
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

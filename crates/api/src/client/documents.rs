//! Groups, schedules, rules and tariffs.

use serde::Serialize;
use serde_json::json;

use super::{Client, ClientError, Versioned};
use crate::GroupRelay;
use crate::{Document, DocumentView, Id, RelayCommand, TariffView};

impl Client {
    /// Returns all documents of a collection of the hub's own site.
    pub async fn documents<D: Document>(&self) -> Result<Vec<DocumentView<D>>, ClientError> {
        self.of_own_site(|| self.get(D::COLLECTION.as_str())).await
    }

    /// Returns a document and its version.
    pub async fn document<D: Document>(
        &self,
        id: &Id,
    ) -> Result<Versioned<DocumentView<D>>, ClientError> {
        self.get(&path::<D>(id)).versioned().await
    }

    /// Creates a document.
    pub async fn create<D: Document>(&self, document: &D) -> Result<DocumentView<D>, ClientError> {
        self.post(D::COLLECTION.as_str())
            .json(document)
            .reply()
            .await
    }

    /// Changes a document by a JSON merge patch, if it still has the version `etag`.
    pub async fn patch_document<D: Document>(
        &self,
        id: &Id,
        etag: Option<&str>,
        patch: &impl Serialize,
    ) -> Result<DocumentView<D>, ClientError> {
        let request = self.patch(&path::<D>(id)).if_match(etag);
        request.json(patch).reply().await
    }

    /// Removes a document. Returns it if that has changed costs of the past.
    pub async fn remove<D: Document>(
        &self,
        id: &Id,
    ) -> Result<Option<DocumentView<D>>, ClientError> {
        self.delete(&path::<D>(id)).reply_if_any().await
    }

    /// Switches all plugs of a group; returns the result of each.
    pub async fn switch_group(
        &self,
        group: &Id,
        wanted: RelayCommand,
    ) -> Result<Vec<GroupRelay>, ClientError> {
        let request = self.put(&format!("groups/{group}/relay"));
        request.json(&json!({"state": wanted})).reply().await
    }

    /// Adds prices to an hourly tariff, from CSV or JSON.
    pub async fn put_prices(
        &self,
        tariff: &Id,
        prices: Vec<u8>,
    ) -> Result<TariffView, ClientError> {
        // JSON begins with a bracket, and no line of CSV does.
        let content_type = match prices.trim_ascii_start().first() {
            Some(b'[' | b'{') => "application/json",
            _ => "text/csv",
        };
        let request = self.put(&format!("tariffs/{tariff}/prices"));
        request.body(content_type, prices).reply().await
    }
}

fn path<D: Document>(id: &Id) -> String {
    format!("{}/{id}", D::COLLECTION.as_str())
}

//! Errors of queries, before the database is named.

use super::StoreError;

/// The operations that an error can name.
pub(super) const OPENED: &str = "opened";
pub(super) const READ: &str = "read";
pub(super) const WRITTEN: &str = "written";

/// Error of an operation on the database, before it is named.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

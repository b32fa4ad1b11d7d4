//! An empty database of either kind, for tests of all that the stores have in common.

use std::sync::Arc;

use hub::store::{Postgres, PostgresConfig, Retention, Sqlite, Store};

use crate::fixture::TestDatabase;
use crate::needs;
use crate::server::PostgresServer;

/// Runs tests, functions of a [`StorePlace`], with each kind of database.
macro_rules! for_each_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($crate::place::StorePlace::file()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(place) = $crate::place::StorePlace::server() {
                        super::$test(place).await;
                    }
                }
            )+
        }
    };
}
pub(crate) use for_each_store;

/// A database that is empty at first.
pub enum StorePlace {
    File(TestDatabase),
    Server(PostgresConfig),
}

impl StorePlace {
    pub fn file() -> Self {
        Self::File(TestDatabase::new())
    }

    /// A database on a server; `None`, and the test is skipped, where there is none.
    pub fn server() -> Option<Self> {
        let server = needs::met(PostgresServer::shared())?;
        Some(Self::Server(server.config(&server.database())))
    }

    /// Another database of the same kind.
    pub fn another(&self) -> Self {
        match self {
            Self::File(_) => Self::file(),
            Self::Server(_) => Self::server().unwrap(),
        }
    }

    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    pub async fn store(&self) -> Arc<dyn Store> {
        self.store_with(Retention::default()).await
    }

    pub async fn store_with(&self, retention: Retention) -> Arc<dyn Store> {
        match self {
            Self::File(database) => {
                let opened = Sqlite::open(&database.file(), retention).await.unwrap();
                assert!(!opened.read_only);
                assert_eq!(opened.set_aside, None);
                Arc::new(opened.store)
            }
            Self::Server(config) => {
                Arc::new(Postgres::open(config.clone(), retention).await.unwrap())
            }
        }
    }
}

//! Writes what is remembered, so that a slow or full disk never holds a switch up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{Collection, Id};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Switchboard;

/// So long the end of the hub waits for the disk.
const AT_THE_END: Duration = Duration::from_secs(2);

/// Collects which documents' states are to be written. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Saver(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Bounded by the documents there are: only the newest state of each is written.
    dirty: Mutex<BTreeSet<(Collection, Id)>>,
    bell: Notify,
}

impl Saver {
    /// Has a document's state written soon.
    pub(super) fn save(&self, collection: Collection, id: &Id) {
        let mut dirty = self.0.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.insert((collection, id.clone()));
        self.0.bell.notify_one();
    }

    /// Writes until `ended`, and then what is left.
    pub(super) async fn run<S: Switchboard>(&self, board: &S, ended: &CancellationToken) {
        let writing = async {
            loop {
                self.0.bell.notified().await;
                self.write(board).await;
            }
        };
        if ended.run_until_cancelled(writing).await.is_none()
            && tokio::time::timeout(AT_THE_END, self.write(board))
                .await
                .is_err()
        {
            tracing::warn!(
                "the database is too slow; what schedules and rules did last is not kept"
            );
        }
    }

    async fn write<S: Switchboard>(&self, board: &S) {
        while let Some((collection, id)) = self.next() {
            match collection {
                Collection::Schedules => board.schedules().keep_state(&id).await,
                Collection::Rules => board.rules().keep_state(&id).await,
                Collection::Groups | Collection::Tariffs => {}
            }
        }
    }

    fn next(&self) -> Option<(Collection, Id)> {
        let mut dirty = self.0.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.pop_first()
    }
}

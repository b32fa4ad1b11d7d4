//! Writes states of documents in the background, so that a slow or full disk never delays a switch.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::{Collection, Id};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::context::AutomationContext;

/// Bound on writing the last states when the hub ends.
const FINAL_WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Queue of documents whose state is to be written. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct StateWriter(Arc<UnwrittenStates>);

#[derive(Debug, Default)]
struct UnwrittenStates {
    /// Documents whose state is unwritten. Bounded by their number: only the newest state of each is written.
    dirty: Mutex<BTreeSet<(Collection, Id)>>,
    wakeup: Notify,
}

impl StateWriter {
    /// Queues a document's state.
    pub(super) fn save(&self, collection: Collection, id: &Id) {
        let mut dirty = self.0.dirty.lock();
        dirty.insert((collection, id.clone()));
        self.0.wakeup.notify_one();
    }

    /// Writes until `ended`, then the rest.
    pub(super) async fn run<S: AutomationContext>(&self, context: &S, ended: &CancellationToken) {
        let writing = async {
            loop {
                self.0.wakeup.notified().await;
                self.write(context).await;
            }
        };
        if ended.run_until_cancelled(writing).await.is_none()
            && tokio::time::timeout(FINAL_WRITE_TIMEOUT, self.write(context))
                .await
                .is_err()
        {
            tracing::warn!(
                "the database is too slow; the last states of schedules and rules are lost"
            );
        }
    }

    async fn write<S: AutomationContext>(&self, context: &S) {
        while let Some((collection, id)) = self.next() {
            match collection {
                Collection::Schedules => context.schedules().keep_state(&id).await,
                Collection::Rules => context.rules().keep_state(&id).await,
                Collection::Groups | Collection::Tariffs => {}
            }
        }
    }

    fn next(&self) -> Option<(Collection, Id)> {
        let mut dirty = self.0.dirty.lock();
        dirty.pop_first()
    }
}

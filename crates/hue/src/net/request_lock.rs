//! One request at a time to each bridge from this program: a bridge rejects a fourth connection, and other programs use some.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

type RequestLock = tokio::sync::Mutex<()>;
type RequestLocks = HashMap<(String, u16), Weak<RequestLock>>;

/// The locks in use.
static LOCKS: LazyLock<Mutex<RequestLocks>> = LazyLock::new(Mutex::default);

/// Returns the lock to hold during a request.
pub(super) fn of(host: &str, port: u16) -> Arc<RequestLock> {
    let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    locks.retain(|_, lock| lock.strong_count() > 0);
    let at = (host.to_owned(), port);
    if let Some(lock) = locks.get(&at).and_then(Weak::upgrade) {
        return lock;
    }
    let lock = Arc::new(RequestLock::default());
    locks.insert(at, Arc::downgrade(&lock));
    lock
}

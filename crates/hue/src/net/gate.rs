//! One call at a time to each bridge, whoever in this program makes it: a bridge turns away what is more than three, and other
//! programs have some of them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

type Gate = tokio::sync::Mutex<()>;
type Gates = HashMap<(String, u16), Weak<Gate>>;

/// The gates that somebody holds or waits at.
static GATES: LazyLock<Mutex<Gates>> = LazyLock::new(Mutex::default);

/// Returns the gate to lock for a call.
pub(super) fn of(host: &str, port: u16) -> Arc<Gate> {
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    gates.retain(|_, gate| gate.strong_count() > 0);
    let at = (host.to_owned(), port);
    if let Some(gate) = gates.get(&at).and_then(Weak::upgrade) {
        return gate;
    }
    let gate = Arc::new(Gate::default());
    gates.insert(at, Arc::downgrade(&gate));
    gate
}

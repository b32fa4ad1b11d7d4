//! One scan that all targets of a command share: begun by the first that needs it, given up with the last.

use std::future::Future;

use plugs::Plug;
use tokio::sync::{Notify, watch};

/// The results of the scan so far.
#[derive(Debug, Default)]
struct Progress {
    found: Vec<Plug>,
    over: bool,
}

/// A scan that may be needed.
#[derive(Debug, Default)]
pub(super) struct Scan {
    needed: Notify,
    progress: watch::Sender<Progress>,
}

impl Scan {
    /// Runs `scan` once somebody needs it, which reports to [`Scan::found`]. Never ends by itself.
    pub(super) async fn drive(&self, scan: impl Future<Output = ()>) {
        self.needed.notified().await;
        scan.await;
        self.progress.send_modify(|progress| progress.over = true);
        std::future::pending::<()>().await;
    }

    /// Takes in a plug that answered.
    pub(super) fn found(&self, plug: Plug) {
        self.progress.send_modify(|progress| {
            progress.found.retain(|known| known.mac != plug.mac);
            progress.found.push(plug);
        });
    }

    /// Waits for the first plug that matches; `None` when the scan is over without one.
    pub(super) async fn first(&self, matches: impl Fn(&Plug) -> bool) -> Option<Plug> {
        self.needed.notify_one();
        let mut progress = self.progress.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let state = progress
            .wait_for(|state| state.over || state.found.iter().any(&matches))
            .await
            .ok()?;
        state.found.iter().find(|plug| matches(plug)).cloned()
    }

    /// Waits until the scan is over and returns all plugs that match.
    pub(super) async fn all(&self, matches: impl Fn(&Plug) -> bool) -> Vec<Plug> {
        self.needed.notify_one();
        let mut progress = self.progress.subscribe();
        match progress.wait_for(|state| state.over).await {
            Ok(state) => state
                .found
                .iter()
                .filter(|plug| matches(plug))
                .cloned()
                .collect(),
            Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::inventory::tests::plug;

    #[tokio::test(flavor = "current_thread")]
    async fn one_scan_serves_all_who_wait() {
        let scan = Scan::default();
        let (one, two) = (plug(1, [127, 0, 0, 2], 0), plug(2, [127, 0, 0, 3], 0));
        let work = async {
            scan.found(one.clone());
            tokio::time::sleep(Duration::from_millis(5)).await;
            scan.found(two.clone());
        };
        let asked = async {
            tokio::join!(
                scan.first(|plug| plug.mac == one.mac),
                scan.first(|plug| plug.mac == two.mac),
                scan.first(|_| false),
                scan.all(|_| true),
            )
        };
        let (first, second, none, all) = tokio::select! {
            () = scan.drive(work) => unreachable!("it never ends by itself"),
            results = asked => results,
        };
        assert_eq!(
            (first.as_ref(), second.as_ref(), none),
            (Some(&one), Some(&two), None)
        );
        assert_eq!(all.len(), 2);
    }
}

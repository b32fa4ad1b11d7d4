//! The sockets of many twins: one task for each twin, shared sockets for broadcasts, thousands in one process.
//!
//! A socket that is bound to a unicast address receives no broadcast. So each twin has sockets on its own addresses, and each
//! prefix one shared socket on its broadcast address for each UDP port, which passes every datagram to the twins of that prefix.

pub(crate) mod bind;
mod broadcast;
mod connection;
mod driver;

use std::future::Future;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::config::PlugConfig;
use crate::orvibo::{OrviboConfig, OrviboTwin};
use crate::reco::RecoTwin;
use crate::record::RecordWriter;
use crate::twin::Twin;
use driver::TwinDriver;

pub use bind::ServerError;
pub use driver::TwinReady;

impl From<OrviboConfig> for Box<dyn Twin> {
    fn from(config: OrviboConfig) -> Self {
        Box::new(OrviboTwin::new(config, Instant::now()))
    }
}

impl From<PlugConfig> for Box<dyn Twin> {
    fn from(config: PlugConfig) -> Self {
        Box::new(RecoTwin::new(config, Instant::now()))
    }
}

/// Serves twins until `shutdown` completes.
///
/// Calls `on_ready` for each twin in order as soon as the sockets of all are open.
///
/// # Errors
///
/// [`ServerError`] when a port cannot be opened; then nothing is served. A web page that cannot be served is only a warning.
pub async fn run<T: Into<Box<dyn Twin>>>(
    twins: impl IntoIterator<Item = T>,
    record: Option<RecordWriter>,
    mut on_ready: impl FnMut(TwinReady),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    bind::allow_many_descriptors();
    let twins: Vec<Box<dyn Twin>> = twins.into_iter().map(Into::into).collect();
    bind::refuse_duplicates(twins.iter().flat_map(|twin| twin.addresses()))?;
    let interfaces = hiflying::net::interfaces().map_err(ServerError::Interfaces)?;
    let drivers = twins
        .into_iter()
        .map(|twin| TwinDriver::open(twin, record.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    warn_of_missing_pages(&drivers);
    let mut tasks = JoinSet::new();
    for socket in broadcast::open(&interfaces, &drivers) {
        tasks.spawn(socket.run());
    }
    for driver in drivers {
        on_ready(driver.ready());
        tasks.spawn(driver.run());
    }
    tokio::select! {
        () = shutdown => {}
        () = watch(&mut tasks) => {}
    }
    tasks.shutdown().await;
    Ok(())
}

/// Logs tasks that end, which none does but by a bug; the others go on.
pub(crate) async fn watch(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task of an emulated device has ended");
        }
    }
    std::future::pending::<()>().await;
}

/// Warns once for all twins: thousands lack the same privilege.
fn warn_of_missing_pages(drivers: &[TwinDriver]) {
    let mut missing = drivers.iter().filter_map(|driver| driver.no_web.as_ref());
    if let Some(error) = missing.next() {
        let count = 1 + missing.count();
        tracing::info!(
            "{}; the web page of {count} plugs is not served",
            error.with_cause()
        );
    }
}

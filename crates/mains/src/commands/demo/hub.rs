//! The demo's hub: in this process, with its state in the demo's own directory.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::hub::config::Place;
use ::hub::{Config, Guest, HubReady};
use api::Period;
use api::client::Client;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use web::Pages;

use crate::error::Failure;
use crate::hub_endpoint::running;
use crate::inventory::InventoryFile;

/// Time for the hub to find and meter the home; plugs that are late are shown as they are.
const FIND_TIMEOUT: Duration = Duration::from_secs(15);
/// Interval at which the hub's plugs are asked for meanwhile.
const FIND_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the hub until the demo is over.
pub(super) async fn serve(
    state: PathBuf,
    guests: Vec<Arc<dyn Guest>>,
    ready: oneshot::Sender<HubReady>,
    over: CancellationToken,
) -> Result<(), Failure> {
    let config = config(state.clone()).await;
    let names = names(state)?;
    let pages: Arc<dyn Guest> = Arc::new(Pages::default());
    let guests = std::iter::once(pages).chain(guests).collect();
    ::hub::run(config, names, guests, |it| drop(ready.send(it)), over).await?;
    Ok(())
}

/// Waits until the hub keeps and has metered `count` plugs.
pub(super) async fn wait_for_plugs(state: &Path, count: usize) -> Result<(), Failure> {
    let endpoint =
        running(state)?.ok_or_else(|| Failure::failed("the demo's hub is not running"))?;
    let hub = Client::new(endpoint)?;
    let _ = tokio::time::timeout(FIND_TIMEOUT, found(&hub, count)).await;
    Ok(())
}

async fn found(hub: &Client, count: usize) -> Result<(), Failure> {
    loop {
        let views = hub.plugs().await?;
        let metered = views.iter().filter(|view| view.reading.is_some()).count();
        if metered >= count {
            return Ok(());
        }
        tokio::time::sleep(FIND_INTERVAL).await;
    }
}

/// Configures the hub at the default address, unless another hub has it.
async fn config(state: PathBuf) -> Config {
    let defaults = Config::in_state(state);
    let listen = match TcpListener::bind(defaults.listen).await {
        Ok(_) => defaults.listen,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };
    Config {
        listen,
        interfaces: vec![Ipv4Addr::LOCALHOST.to_string()],
        adopt: true,
        metering: Period::seconds(2),
        scan: Period::seconds(1),
        place: Some(Place {
            latitude: 52.52,
            longitude: 13.40,
        }),
        ..defaults
    }
}

fn names(state: PathBuf) -> Result<HashMap<hiflying::Mac, String>, Failure> {
    let inventory = InventoryFile::new(state).load()?.inventory;
    Ok(inventory.names())
}

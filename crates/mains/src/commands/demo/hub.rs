//! The demo's hub: in this process, with its state in the demo's own directory.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::hub::schedule::Clock;
use ::hub::{Config, Guest, HubReady};
use api::Period;
use api::client::Client;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use web::Pages;

use super::network::DemoNetwork;
use crate::error::Failure;
use crate::hub_endpoint::running;
use crate::inventory::InventoryFile;

/// Time for the hub to find and meter the home; plugs that are late are shown as they are.
const FIND_TIMEOUT: Duration = Duration::from_secs(15);
/// Interval at which the hub's plugs are asked for meanwhile.
const FIND_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the hub until the demo is over.
pub(super) async fn serve(
    config: Config,
    guests: Vec<Arc<dyn Guest>>,
    ready: oneshot::Sender<HubReady>,
    over: CancellationToken,
) -> Result<(), Failure> {
    let names = names(config.state.clone())?;
    let pages: Arc<dyn Guest> = Arc::new(Pages::default());
    let guests = std::iter::once(pages).chain(guests).collect();
    ::hub::run(config, names, guests, |it| drop(ready.send(it)), over).await?;
    Ok(())
}

/// Returns the client of the hub that runs with this state directory.
pub(super) fn client(state: &Path) -> Result<Client, Failure> {
    let endpoint =
        running(state)?.ok_or_else(|| Failure::failed("the demo's hub is not running"))?;
    Ok(Client::new(endpoint)?)
}

/// Waits until the hub keeps and has metered `count` plugs.
pub(super) async fn wait_for_plugs(hub: &Client, count: usize) {
    let _ = tokio::time::timeout(FIND_TIMEOUT, found(hub, count)).await;
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

/// Configures the hub at the default address, unless another program has it.
pub(super) async fn config(state: PathBuf, network: &DemoNetwork, clock: Clock) -> Config {
    let defaults = Config::in_state(state);
    let listen = match TcpListener::bind(defaults.listen).await {
        Ok(_) => defaults.listen,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };
    Config {
        listen,
        interfaces: vec![network.client().to_string()],
        metering: Period::seconds(2),
        scan: Period::seconds(1),
        place: clock.place,
        timezone: clock.timezone,
        is_simulated: true,
        ..defaults
    }
}

fn names(state: PathBuf) -> Result<HashMap<hiflying::Mac, String>, Failure> {
    let inventory = InventoryFile::new(state).load()?.inventory;
    Ok(inventory.names())
}

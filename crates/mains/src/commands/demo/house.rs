//! The demo's hub: in this process, with everything it keeps in the demo's own folder.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use api::{Period, PlugView};
use hub::config::Place;
use hub::{Config, Ready};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::hub_client::{Client, running};
use crate::inventory::InventoryFile;

/// How long the hub has to find the home.
const FIND_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A hub that is yet to be started.
pub(super) struct House {
    state: PathBuf,
    start: oneshot::Receiver<()>,
    ready: oneshot::Sender<Ready>,
    over: CancellationToken,
}

/// Starts it.
pub(super) struct Switch {
    state: PathBuf,
    start: oneshot::Sender<()>,
    ready: oneshot::Receiver<Ready>,
}

impl House {
    pub(super) fn new(state: PathBuf, over: &CancellationToken) -> (Self, Switch) {
        let (start, started) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let house = Self {
            state: state.clone(),
            start: started,
            ready,
            over: over.clone(),
        };
        let switch = Switch {
            state,
            start,
            ready: is_ready,
        };
        (house, switch)
    }

    /// Runs the hub from its start until the demo is over.
    pub(super) async fn serve(self) -> Result<(), Failure> {
        if self.start.await.is_err() {
            return Ok(());
        }
        let config = config(self.state.clone()).await;
        let names = names(self.state)?;
        let on_ready = |ready| drop(self.ready.send(ready));
        hub::run(config, names, on_ready, self.over).await?;
        Ok(())
    }
}

impl Switch {
    /// Starts the hub and waits until it keeps and has metered `count` plugs; `None` when it cannot start, which it says
    /// itself.
    pub(super) async fn on(self, count: usize) -> Result<Option<Ready>, Failure> {
        if self.start.send(()).is_err() {
            return Ok(None);
        }
        let Ok(ready) = self.ready.await else {
            return Ok(None);
        };
        let endpoint = running(&self.state)
            .ok_or_else(|| Failure::failed("the demo's hub cannot be found"))?;
        let hub = Client::new(endpoint)?;
        // What is late is shown as it is.
        let _ = tokio::time::timeout(FIND_WITHIN, found(&hub, count)).await;
        Ok(Some(ready))
    }
}

async fn found(hub: &Client, count: usize) -> Result<(), Failure> {
    loop {
        let views: Vec<PlugView> = hub.get("plugs").answer().await?;
        let metered = views.iter().filter(|view| view.reading.is_some()).count();
        if metered >= count {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The usual address, unless the user's own hub has it.
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

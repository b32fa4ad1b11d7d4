//! The demo's twins: four plugs at home, and a fifth that is fresh from the factory.

use std::net::Ipv4Addr;

use emulator::{HomeNetwork, Load, Mode, PlugConfig, server};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;

/// Where the fresh plug's own access point stands, and where it turns up after its setup.
pub(super) const FRESH: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 5);
pub(super) const FRESH_AT_HOME: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 105);

/// The plugs that are on the home network.
pub(super) fn home(network: &HomeNetwork) -> Vec<PlugConfig> {
    vec![
        plug(network, 1, Load::Kettle, false),
        plug(network, 2, Load::Constant(78.0), true),
        plug(network, 3, Load::Tv, true),
        plug(network, 4, Load::Constant(60.0), false),
    ]
}

/// The plug that comes out of its box in the course of the tour.
pub(super) fn fresh(network: &HomeNetwork) -> PlugConfig {
    PlugConfig {
        mode: Mode::Ap,
        home_address: Some(FRESH_AT_HOME),
        energy_wh: 0,
        ..plug(network, 5, Load::Constant(11.0), false)
    }
}

fn plug(network: &HomeNetwork, last: u8, load: Load, relay_on: bool) -> PlugConfig {
    PlugConfig {
        load,
        relay_on,
        seed: last.into(),
        energy_wh: 12_345 * u64::from(last),
        home_networks: vec![network.clone()],
        ..PlugConfig::at(Ipv4Addr::new(127, 77, 0, last))
    }
}

/// Twins that are yet to be plugged in.
pub(super) struct Plugs {
    configs: Vec<PlugConfig>,
    plugged_in: oneshot::Receiver<()>,
    ready: oneshot::Sender<()>,
    over: CancellationToken,
}

/// Plugs twins in.
pub(super) struct Socket {
    plug_in: oneshot::Sender<()>,
    ready: oneshot::Receiver<()>,
}

impl Socket {
    /// Waits until the twins answer; `false` when they cannot, which they say themselves.
    pub(super) async fn plug_in(self) -> bool {
        self.plug_in.send(()).is_ok() && self.ready.await.is_ok()
    }
}

impl Plugs {
    pub(super) fn new(configs: Vec<PlugConfig>, over: &CancellationToken) -> (Self, Socket) {
        let (plug_in, plugged_in) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let plugs = Self {
            configs,
            plugged_in,
            ready,
            over: over.clone(),
        };
        let socket = Socket {
            plug_in,
            ready: is_ready,
        };
        (plugs, socket)
    }

    pub(super) async fn serve(self) -> Result<(), Failure> {
        if self.plugged_in.await.is_err() {
            return Ok(());
        }
        let mut left = self.configs.len();
        let mut ready = Some(self.ready);
        let on_ready = |_| {
            left = left.saturating_sub(1);
            if left == 0
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(());
            }
        };
        let served = server::run(self.configs, None, on_ready, self.over.cancelled_owned()).await;
        served.map_err(|error| {
            Failure::from(error)
                .hint("is another `mains demo` running? The home needs 127.77.0.1 to 127.77.0.5")
        })
    }
}

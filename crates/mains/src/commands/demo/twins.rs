//! The demo's twins: four plugs at home, and a fifth that is fresh from the factory.

use std::net::Ipv4Addr;

use emulator::{HomeNetwork, Load, Mode, PlugConfig, server};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;

/// Addresses of the fresh plug: of its access point, and after its setup.
pub(super) const FRESH: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 5);
pub(super) const FRESH_AT_HOME: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 105);

/// Returns the plugs that are on the home network.
pub(super) fn home(network: &HomeNetwork) -> Vec<PlugConfig> {
    vec![
        plug(network, 1, Load::Kettle, false),
        plug(network, 2, Load::Constant(78.0), true),
        plug(network, 3, Load::Tv, true),
        plug(network, 4, Load::Constant(60.0), false),
    ]
}

/// Returns the plug that is unboxed during the tour.
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

/// Serves twins until the demo is over; reports when all of them answer.
pub(super) async fn serve(
    configs: Vec<PlugConfig>,
    ready: oneshot::Sender<()>,
    over: CancellationToken,
) -> Result<(), Failure> {
    let mut left = configs.len();
    let mut ready = Some(ready);
    let on_ready = |_| {
        left = left.saturating_sub(1);
        if let Some(ready) = ready.take_if(|_| left == 0) {
            let _ = ready.send(());
        }
    };
    let served = server::run(configs, None, on_ready, over.cancelled_owned()).await;
    served.map_err(|error| {
        Failure::from(error)
            .hint("is another `mains demo` running? The home needs 127.77.0.1 to 127.77.0.5")
    })
}

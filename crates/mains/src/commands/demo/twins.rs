//! The demo's twins, served until the demo ends.

use emulator::{HomeNetwork, Load, Mode, PlugConfig, server};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::network::{DemoNetwork, FRESH_AT_HOME, PREFIX};
use crate::error::Failure;

/// Last byte of the fresh plug's address: that of its access point.
pub(super) const FRESH: u8 = 5;

/// Returns the plugs of the tour that are on the home network.
pub(super) fn of_tour(network: &DemoNetwork, home: &HomeNetwork) -> Vec<PlugConfig> {
    vec![
        plug(network, home, 1, Load::Kettle, false),
        plug(network, home, 2, Load::Constant(78.0), true),
        plug(network, home, 3, Load::Tv, true),
        plug(network, home, 4, Load::Constant(60.0), false),
    ]
}

/// Returns a plug that is fresh from the factory.
pub(super) fn fresh(network: &DemoNetwork, home: &HomeNetwork, last: u8) -> PlugConfig {
    PlugConfig {
        mode: Mode::Ap,
        home_address: Some(network.address(FRESH_AT_HOME)),
        energy_wh: 0,
        ..plug(network, home, last, Load::Constant(11.0), false)
    }
}

/// Returns a plug on the home network.
pub(super) fn plug(
    network: &DemoNetwork,
    home: &HomeNetwork,
    last: u8,
    load: Load,
    relay_on: bool,
) -> PlugConfig {
    PlugConfig {
        load,
        relay_on,
        energy_wh: 12_345 * u64::from(last),
        home_networks: vec![home.clone()],
        prefix: Some(PREFIX),
        ..PlugConfig::at(network.address(last))
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
    Ok(served?)
}

//! Carries out commands, in the order in which they came for each plug.

use std::time::Duration;

use api::{Cause, RelayCommand, SwitchTarget, Switched};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hiflying::Mac;
use hub::Hub;
use plugs::RelayState;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::command::MqttCommand;
use crate::status::Counters;

/// Maximum number of commands that wait or are under way; further ones are refused.
pub(crate) const MAX_COMMANDS: usize = 1_024;
/// Time between the two clicks by which a plug identifies itself.
const CLICK_INTERVAL: Duration = Duration::from_secs(1);

/// Carries out commands until cancelled. Targets whose commands failed go to `failed`.
pub(crate) async fn run(
    hub: &Hub,
    mut commands: mpsc::Receiver<MqttCommand>,
    failed: mpsc::Sender<SwitchTarget>,
    counters: &Counters,
    cancel: &CancellationToken,
) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            Some(command) = commands.recv(), if under_way.len() < MAX_COMMANDS => {
                // Commands reach a plug's queue in the order in which these futures are polled first: that of their coming.
                under_way.push(execute(hub, command));
            }
            Some((target, result)) = under_way.next(), if !under_way.is_empty() => {
                counters.commands.up();
                if let Err(error) = result {
                    counters.failed_commands.up();
                    tracing::warn!(%target, "a command over MQTT failed: {error}");
                    // Without a connection there is nobody to correct.
                    let _ = failed.try_send(target);
                }
            }
        }
    }
}

async fn execute(hub: &Hub, command: MqttCommand) -> (SwitchTarget, Result<(), String>) {
    match command {
        MqttCommand::Switch(target, relay) => {
            let result = switch(hub, &target, relay).await;
            (target, result)
        }
        MqttCommand::Delay(plug, relay, minutes) => {
            let result = hub.registry().delay(plug, relay, minutes).await;
            let result = result.map(drop).map_err(|error| error.to_string());
            (SwitchTarget::Plug(plug), result)
        }
        MqttCommand::Identify(plug) => (SwitchTarget::Plug(plug), identify(hub, plug).await),
    }
}

async fn switch(hub: &Hub, target: &SwitchTarget, relay: RelayCommand) -> Result<(), String> {
    let results = hub.switch_target(target, relay, &Cause::Mqtt).await;
    let results = results.map_err(|error| error.to_string())?;
    let failures: Vec<String> = results
        .into_iter()
        .filter_map(|(plug, result)| match result {
            Ok(Switched {
                confirmed: true, ..
            }) => None,
            Ok(_) => Some(format!("{plug} accepted it, but its relay did not move")),
            Err(error) => Some(error.to_string()),
        })
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("; "))
    }
}

/// Clicks the relay twice. Only of a plug that is off: nobody is asked here, and it could be a computer that loses its power.
async fn identify(hub: &Hub, plug: Mac) -> Result<(), String> {
    let view = hub.registry().view(plug);
    let view = view.ok_or_else(|| format!("there is no plug {plug}"))?;
    if view.plug.relay != Some(RelayState::Off) {
        return Err("a plug identifies itself only while it is off: the clicks would interrupt what it supplies".to_owned());
    }
    let target = SwitchTarget::Plug(plug);
    let on = switch(hub, &target, RelayCommand::On).await;
    tokio::time::sleep(CLICK_INTERVAL).await;
    on.and(switch(hub, &target, RelayCommand::Off).await)
}

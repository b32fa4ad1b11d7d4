//! Access to the plug's own network: through NetworkManager, or by hand.

use std::time::Duration;

use hiflying::Ssid;
use tokio::time::{Instant, sleep};

use super::args::{SetupArgs, WifiArg};
use super::keys;
use super::options::{SetupOptions, network_name};
use super::steps::StepLog;
use super::timing::{
    MAX_KEY_ENTRIES, PLUG_NETWORK_TIMEOUT, WIFI_JOIN_TIMEOUT, WIFI_REJOIN_DELAY,
    WIFI_REJOIN_TIMEOUT,
};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::hints;
use crate::ui::{SecretText, Ui};
use crate::wifi::{self, NetworkManager, Opener, Protection, RESTORE_TIMEOUT, Seen, WifiError};

const PLUG_KEY_FLAG: &str = "pass the key from the back of the plug with `--plug-key-file`";

/// Access to the plug's network.
pub(super) enum WifiAccess {
    /// The user has joined it, or the plug is on a network of this computer.
    Manual,
    /// NetworkManager joins it.
    NetworkManager(Box<NetworkManager>),
}

impl WifiAccess {
    /// Chooses the access by the arguments and by what this computer has.
    pub(super) async fn choose(context: &Context, args: &SetupArgs) -> Result<Self, Failure> {
        let asked = match (args.wifi, args.module) {
            (Some(WifiArg::Manual), _) => return Ok(Self::Manual),
            (None, Some(_)) => {
                if args.plug_ssid.is_some() || args.plug_key_file.is_some() {
                    return Err(Failure::usage(
                        "`--plug-ssid` and `--plug-key-file` have no effect with `--module`, which does not join the plug's own network",
                    )
                    .hint("add `--wifi networkmanager` to join it"));
                }
                return Ok(Self::Manual);
            }
            (Some(WifiArg::Networkmanager), _) => true,
            (None, None) => false,
        };
        let state = context.state_directory()?;
        if let Some(restored) = wifi::undo(&state).await? {
            context.ui.status(restored);
        }
        match NetworkManager::open(&state, wifi_interface(context)).await {
            Ok(manager) => Ok(Self::NetworkManager(Box::new(manager))),
            Err(error) if error.is_absence() && !asked => by_hand(context, args, &error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Restores this computer's Wi-Fi, if it was changed.
    pub(super) async fn restore(&mut self, steps: &mut StepLog<'_>) -> Result<(), Failure> {
        let Self::NetworkManager(manager) = self else {
            return Ok(());
        };
        if !manager.is_touched() {
            return Ok(());
        }
        steps.progress("restoring this computer's Wi-Fi");
        let restored = steps.ui().waiting_at_most(
            "waiting for this computer's Wi-Fi",
            RESTORE_TIMEOUT,
            manager.restore(),
        );
        match restored.await {
            Ok(Some(restored)) => steps.succeeded("wifi-back", restored.to_string()),
            Ok(None) => {}
            Err(error) => {
                steps.failed("wifi-back", error.to_string());
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// Returns the Wi-Fi adapter that `--interface` names, if it names one; it selects one of several.
fn wifi_interface(context: &Context) -> Option<&str> {
    context
        .settings
        .interfaces
        .iter()
        .map(String::as_str)
        .find(|name| {
            std::path::Path::new("/sys/class/net")
                .join(name)
                .join("wireless")
                .exists()
        })
}

/// Asks the user to join the plug's network by hand, where there is no NetworkManager.
async fn by_hand(
    context: &Context,
    args: &SetupArgs,
    error: &WifiError,
) -> Result<WifiAccess, Failure> {
    if args.plug_ssid.is_some() || args.plug_key_file.is_some() || args.all {
        return Err(error.into());
    }
    context
        .ui
        .status(format_args!("{error}: {}", hints::JOIN_PLUG));
    if context.ui.can_ask() && !context.ui.agrees() {
        context
            .ui
            .line(
                "Press Enter when this computer has joined it",
                "add `--wifi manual`",
            )
            .await?;
    }
    Ok(WifiAccess::Manual)
}

/// A plug's own network, and its key.
pub(super) struct PlugNetwork {
    pub(super) seen: Seen,
    pub(super) key: Option<SecretText>,
    /// True if the key was typed, and can be typed again.
    typed: bool,
}

impl PlugNetwork {
    /// Finds the named network, or asks the user to choose a plug's network, and gets its key.
    pub(super) async fn choose(
        ui: &Ui,
        manager: &NetworkManager,
        args: &SetupArgs,
        options: &SetupOptions,
    ) -> Result<Self, Failure> {
        let has_key = options.plug_key.is_some();
        let seen = match &args.plug_ssid {
            Some(name) => {
                find_named(
                    ui,
                    manager,
                    &network_name(name.as_encoded_bytes())?,
                    has_key,
                )
                .await?
            }
            None => choose_network(ui, manager, has_key).await?,
        };
        Self::with_key(ui, seen, options).await
    }

    /// Gets the key of a plug's network. An open one where a key is expected may be a stranger's, so it is asked about.
    pub(super) async fn with_key(
        ui: &Ui,
        seen: Seen,
        options: &SetupOptions,
    ) -> Result<Self, Failure> {
        if seen.is_doubtful(options.plug_key.is_some()) {
            let name = seen.name();
            let question = format!(
                "'{name}' is open, but the network of a plug has a key: it may be a stranger's, who would learn the key of your Wi-Fi. Join it"
            );
            if !ui.confirm(&question).await? {
                return Err(
                    Failure::failed(format!("the open network '{name}' was not joined"))
                        .hint("move nearer to the plug, or switch it off and on, then try again"),
                );
            }
        }
        let (key, typed) = match (&options.plug_key, seen.protection) {
            (_, Protection::Open) => (None, false),
            (Some(key), _) => (Some(key.clone()), false),
            (None, _) => (Some(ask_key(ui, &seen).await?), true),
        };
        Ok(Self { seen, key, typed })
    }

    /// Joins the plug's network with this computer. A typed key that is refused can be typed again.
    pub(super) async fn join(
        &mut self,
        ui: &Ui,
        manager: &mut NetworkManager,
        steps: &mut StepLog<'_>,
    ) -> Result<(), Failure> {
        let name = self.seen.name();
        for attempt in 1.. {
            steps.progress(format_args!(
                "joining '{name}' with {}",
                manager.interface(&self.seen)
            ));
            let key = self.key.as_ref().map(|key| key.as_str());
            let join = manager.join(&self.seen, key, WIFI_JOIN_TIMEOUT);
            let what = "waiting for the plug's network";
            match ui.waiting_at_most(what, WIFI_JOIN_TIMEOUT, join).await {
                Ok(()) => break,
                Err(error) if error.is_about_key() && self.typed && attempt < MAX_KEY_ENTRIES => {
                    ui.warn(&error);
                    self.key = Some(ask_key(ui, &self.seen).await?);
                }
                Err(error) => {
                    steps.failed("wifi", error.to_string());
                    return Err(error.into());
                }
            }
        }
        steps.succeeded("wifi", format!("this computer is on '{name}'"));
        Ok(())
    }

    /// Joins the plug's network again after the plug's restart. NetworkManager lists an access point for a while after it
    /// has gone, so a few tries can fail first.
    pub(super) async fn rejoin(
        &mut self,
        manager: &mut NetworkManager,
        steps: &StepLog<'_>,
    ) -> Result<(), Failure> {
        steps.progress(format_args!(
            "waiting for '{}' to come back",
            self.seen.name()
        ));
        let what = "waiting for the plug's network";
        let again = self.join_again(manager);
        steps
            .ui()
            .waiting_at_most(what, WIFI_REJOIN_TIMEOUT, again)
            .await
    }

    async fn join_again(&mut self, manager: &mut NetworkManager) -> Result<(), Failure> {
        let deadline = Instant::now() + WIFI_REJOIN_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.try_rejoin(manager, left).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if Instant::now() >= deadline {
                return Err(error.into());
            }
            tracing::debug!(%error, "the plug's network is not back yet");
            sleep(WIFI_REJOIN_DELAY).await;
        }
    }

    async fn try_rejoin(
        &mut self,
        manager: &mut NetworkManager,
        left: Duration,
    ) -> Result<(), WifiError> {
        self.seen = manager.look_again(&self.seen, left).await?;
        let key = self.key.as_ref().map(|key| key.as_str());
        manager
            .join(&self.seen, key, WIFI_JOIN_TIMEOUT.min(left))
            .await
    }
}

/// Waits for the named network.
async fn find_named(
    ui: &Ui,
    manager: &NetworkManager,
    ssid: &Ssid,
    has_key: bool,
) -> Result<Seen, Failure> {
    ui.status(format_args!("looking for the network '{ssid}'"));
    let look = manager.look_for(ssid.as_bytes(), has_key, PLUG_NETWORK_TIMEOUT);
    let what = "waiting for the plug's network";
    Ok(ui.waiting_at_most(what, PLUG_NETWORK_TIMEOUT, look).await?)
}

/// Asks the user to choose one of several plugs' networks.
async fn choose_network(ui: &Ui, manager: &NetworkManager, has_key: bool) -> Result<Seen, Failure> {
    let mut plugs = plug_networks(ui, manager, has_key).await?;
    if plugs.len() > 1 {
        let lines: Vec<String> = plugs.iter().map(describe).collect();
        let how_else = "name one with `--plug-ssid`, or use `--all`";
        let index = ui.choose("Which plug", &lines, how_else).await?;
        return Ok(plugs.swap_remove(index));
    }
    match plugs.pop() {
        Some(only) => {
            ui.status(format_args!("found {}", describe(&only)));
            Ok(only)
        }
        None => Err(no_plug_network(manager)),
    }
}

/// Returns the networks that plugs have opened, the strongest first.
pub(super) async fn plug_networks(
    ui: &Ui,
    manager: &NetworkManager,
    has_key: bool,
) -> Result<Vec<Seen>, Failure> {
    ui.status(format_args!(
        "looking for Wi-Fi networks of plugs with {}",
        manager.interfaces()
    ));
    let seen = ui
        .waiting("waiting for the scan", manager.scan(has_key))
        .await?;
    Ok(seen
        .into_iter()
        .filter(|network| network.opener().is_some())
        .collect())
}

pub(super) fn no_plug_network(manager: &NetworkManager) -> Failure {
    let interfaces = manager.interfaces();
    Failure::new(
        Kind::NotFound,
        format!("no plug access point found by {interfaces} (looked for SSID Reco and nine digits, and WiWo-S20)"),
    )
    .hint(
        "plug the plug in near this computer; if it was on a Wi-Fi network before, hold its button until its light changes; \
         pass a network of another name with `--plug-ssid`, another Wi-Fi adapter with `--interface`",
    )
}

fn describe(network: &Seen) -> String {
    let label = network.opener().map_or("", Opener::label);
    format!("{}  {} %  {label}", network.name(), network.strength)
}

async fn ask_key(ui: &Ui, network: &Seen) -> Result<SecretText, Failure> {
    let prompt = format!(
        "Key of '{}' (on the back of the plug; not shown)",
        network.name()
    );
    loop {
        let text = ui.secret(&prompt, PLUG_KEY_FLAG).await?;
        match keys::from_text(&text, "the key") {
            Ok(_) => return Ok(text),
            Err(failure) => ui.warn(failure),
        }
    }
}

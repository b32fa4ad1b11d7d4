//! How this computer gets to the plug's own network and back: by NetworkManager, or by the user's own hand.

use std::time::Duration;

use hiflying::Ssid;
use tokio::time::{Instant, sleep};

use super::keys;
use super::steps::Steps;
use super::wish::{Wish, network_name};
use crate::commands::setup::{SetupArgs, Wifi};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::ui::{SecretText, Ui};
use crate::wifi::{self, NetworkManager, Opener, Protection, Seen, WifiError};

/// A plug that has just been put into a socket opens its network within this time.
const LOOK: Duration = Duration::from_secs(20);
/// How long joining the plug's network may take: a scan, the handshake, an address.
const JOIN: Duration = Duration::from_secs(40);
/// How long the plug's network may be away for its restart, and joining it again may take.
const REJOIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);
/// How often a mistyped key may be corrected.
const TRIES: u32 = 3;
const PLUG_KEY_FLAG: &str = "give the key from the back of the plug with `--plug-key-file`";

/// Who joins the plug's network.
pub(super) enum Way {
    /// The user has done it, or the plug is on a network that this computer is on anyway.
    Manual,
    /// NetworkManager does it.
    NetworkManager(Box<NetworkManager>),
}

impl Way {
    /// Chooses by what was asked for and what is there.
    pub(super) async fn choose(context: &Context, args: &SetupArgs) -> Result<Self, Failure> {
        let asked = match (args.wifi, args.module) {
            (Some(Wifi::Manual), _) => return Ok(Self::Manual),
            (None, Some(_)) => {
                if args.plug_ssid.is_some() || args.plug_key_file.is_some() {
                    return Err(Failure::usage(
                        "with `--module` nobody joins the plug's own network, so `--plug-ssid` and `--plug-key-file` do nothing",
                    )
                    .hint("add `--wifi networkmanager` to have it joined"));
                }
                return Ok(Self::Manual);
            }
            (Some(Wifi::Networkmanager), _) => true,
            (None, None) => false,
        };
        let state = context.state_directory()?;
        if let Some(restored) = wifi::undo(&state).await? {
            context.ui.status(restored);
        }
        match NetworkManager::open(&state, wifi_interface(context)).await {
            Ok(manager) => Ok(Self::NetworkManager(Box::new(manager))),
            Err(error @ (WifiError::NoBus(_) | WifiError::NotRunning)) if !asked => {
                by_hand(context, args, &error).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts this computer's Wi-Fi back; nothing, where nothing was touched.
    pub(super) async fn home(&mut self, steps: &mut Steps<'_>) -> Result<(), Failure> {
        let Self::NetworkManager(manager) = self else {
            return Ok(());
        };
        if !manager.is_touched() {
            return Ok(());
        }
        steps.doing("putting this computer's Wi-Fi back");
        match manager.restore().await {
            Ok(Some(restored)) => steps.done("wifi-back", restored.to_string()),
            Ok(None) => {}
            Err(error) => {
                steps.missed("wifi-back", error.to_string());
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// `--interface` names where to scan from; it also picks one of several Wi-Fi adapters, if it names one.
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

/// Without NetworkManager the user has to join the plug's network; in a terminal he is told when.
async fn by_hand(context: &Context, args: &SetupArgs, error: &WifiError) -> Result<Way, Failure> {
    if args.plug_ssid.is_some() || args.plug_key_file.is_some() || args.all {
        return Err(error.into());
    }
    context.ui.status(format_args!(
        "{error}: join the plug's Wi-Fi network (Reco and nine digits, key on its back) by hand"
    ));
    if context.ui.can_ask() && !context.ui.agrees() {
        context
            .ui
            .line(
                "Press Enter when this computer is on it",
                "add `--wifi manual`",
            )
            .await?;
    }
    Ok(Way::Manual)
}

/// A plug's own network, and its key.
pub(super) struct PlugNetwork {
    pub(super) seen: Seen,
    pub(super) key: Option<SecretText>,
    /// Whether the key was typed, and can be typed again.
    typed: bool,
}

impl PlugNetwork {
    /// Finds the plug's network that was named, or has the user choose one, and gets its key.
    pub(super) async fn choose(
        ui: &Ui,
        manager: &NetworkManager,
        args: &SetupArgs,
        wish: &Wish,
    ) -> Result<Self, Failure> {
        let seen = match &args.plug_ssid {
            Some(name) => {
                use std::os::unix::ffi::OsStrExt as _;
                named(ui, manager, &network_name(name.as_bytes())?).await?
            }
            None => pick(ui, manager).await?,
        };
        Self::with_key(ui, seen, wish).await
    }

    /// Gets the key of a plug's network.
    pub(super) async fn with_key(ui: &Ui, seen: Seen, wish: &Wish) -> Result<Self, Failure> {
        let (key, typed) = match (&wish.plug_key, seen.protection) {
            (_, Protection::Open) => (None, false),
            (Some(key), _) => (Some(key.clone()), false),
            (None, _) => (Some(ask_key(ui, &seen).await?), true),
        };
        Ok(Self { seen, key, typed })
    }

    /// Puts this computer on the plug's network. A typed key that is refused can be typed again.
    pub(super) async fn join(
        &mut self,
        ui: &Ui,
        manager: &mut NetworkManager,
        steps: &mut Steps<'_>,
    ) -> Result<(), Failure> {
        let name = self.seen.name();
        for attempt in 1.. {
            steps.doing(format_args!(
                "joining '{name}' with {}",
                manager.interface()
            ));
            let key = self.key.as_ref().map(|key| key.as_str());
            match manager.join(&self.seen, key, JOIN).await {
                Ok(()) => break,
                Err(error @ (WifiError::WrongKey { .. } | WifiError::KeyUnfit { .. }))
                    if self.typed && attempt < TRIES =>
                {
                    ui.warn(&error);
                    self.key = Some(ask_key(ui, &self.seen).await?);
                }
                Err(error) => {
                    steps.missed("wifi", error.to_string());
                    return Err(error.into());
                }
            }
        }
        steps.done("wifi", format!("this computer is on '{name}'"));
        Ok(())
    }

    /// Puts this computer on the plug's network again, after the plug's restart took it away. NetworkManager goes on
    /// listing an access point for a while after it has gone, so an attempt can fail a few times first.
    pub(super) async fn rejoin(
        &mut self,
        manager: &mut NetworkManager,
        steps: &Steps<'_>,
    ) -> Result<(), Failure> {
        steps.doing(format_args!(
            "waiting for '{}' to come back",
            self.seen.name()
        ));
        let deadline = Instant::now() + REJOIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.attempt(manager, left).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if Instant::now() >= deadline {
                return Err(error.into());
            }
            tracing::debug!(%error, "not back yet");
            sleep(PAUSE).await;
        }
    }

    async fn attempt(
        &mut self,
        manager: &mut NetworkManager,
        left: Duration,
    ) -> Result<(), WifiError> {
        self.seen = manager.look_for(&self.seen.ssid, left).await?;
        let key = self.key.as_ref().map(|key| key.as_str());
        manager.join(&self.seen, key, JOIN.min(left)).await
    }
}

/// Waits for the network that was named.
async fn named(ui: &Ui, manager: &NetworkManager, ssid: &Ssid) -> Result<Seen, Failure> {
    ui.status(format_args!("looking for the network '{ssid}'"));
    Ok(manager.look_for(ssid.as_bytes(), LOOK).await?)
}

/// Has the user choose among the plugs' networks in reach; a single one is no question.
async fn pick(ui: &Ui, manager: &NetworkManager) -> Result<Seen, Failure> {
    let mut plugs = plugs_in_reach(ui, manager).await?;
    if plugs.len() > 1 {
        let lines: Vec<String> = plugs.iter().map(describe).collect();
        let how_else = "name one with `--plug-ssid`, or take `--all`";
        let index = ui.choose("Which plug", &lines, how_else).await?;
        return Ok(plugs.swap_remove(index));
    }
    match plugs.pop() {
        Some(only) => {
            ui.status(format_args!("found {}", describe(&only)));
            Ok(only)
        }
        None => Err(nothing_in_reach()),
    }
}

/// The networks that plugs have opened, strongest first.
pub(super) async fn plugs_in_reach(
    ui: &Ui,
    manager: &NetworkManager,
) -> Result<Vec<Seen>, Failure> {
    ui.status(format_args!(
        "looking for the Wi-Fi networks of plugs with {}",
        manager.interface()
    ));
    let seen = manager.scan().await?;
    Ok(seen
        .into_iter()
        .filter(|network| network.opener().is_some())
        .collect())
}

pub(super) fn nothing_in_reach() -> Failure {
    Failure::new(Kind::NotFound, "no plug's Wi-Fi network (Reco and nine digits) is to be seen").hint(
        "put the plug into a socket near this computer; if it was on a Wi-Fi network before, hold its button until its light changes; \
         a network of another name is given with `--plug-ssid`",
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

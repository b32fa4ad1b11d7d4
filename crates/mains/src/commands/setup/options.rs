//! Options of a setup, checked as far as possible before anything is changed.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::wifi::ScanSecurity;
use hiflying::{Ssid, WifiKey, WifiSecurity};

use super::args::SetupArgs;
use super::keys;
use crate::error::Failure;
use crate::inventory::PlugName;
use crate::resolve::device_address;
use crate::ui::{SecretText, Ui};

/// Hint on the home network's key without a terminal.
const KEY_FLAGS: &str =
    "pass it with `--key-file` or `--key-stdin`; for an open network, use `--security open`";

/// Options that hold for each plug of a setup.
#[derive(Debug)]
pub(super) struct SetupOptions {
    /// Home network, unless it is still to be chosen.
    pub(super) ssid: Option<Ssid>,
    pub(super) key: HomeKey,
    /// True if the key was typed, and can be typed again.
    pub(super) has_typed_key: bool,
    pub(super) security: WifiSecurity,
    /// Security of the home network in the plug's scan.
    pub(super) scanned: Option<ScanSecurity>,
    /// Key of the plug's own network, if it was given.
    pub(super) plug_key: Option<SecretText>,
    pub(super) name: Option<PlugName>,
    pub(super) to: Vec<Ipv4Addr>,
    pub(super) verify: bool,
    pub(super) wait: Duration,
}

/// Key of the home network.
#[derive(Debug)]
pub(super) enum HomeKey {
    /// The key.
    Known(WifiKey),
    /// No key: the network is open.
    Open,
    /// Still to be asked for.
    Missing,
}

impl SetupOptions {
    /// Reads and checks the arguments, and asks for missing ones if there is a terminal.
    pub(super) async fn read(ui: &Ui, args: &SetupArgs) -> Result<Self, Failure> {
        let given = args.ssid.as_ref().or(args.to_ssid.as_ref());
        let ssid = given
            .map(|text| network_name(text.as_encoded_bytes()))
            .transpose()?;
        if ssid.is_none() && !ui.can_ask() {
            return Err(Failure::usage("the name of your Wi-Fi network is missing")
                .hint("pass it with `--ssid`"));
        }
        for address in args.to.iter().chain(&args.module) {
            device_address(*address)
                .map_err(|problem| Failure::usage(format!("{address}: {problem}")))?;
        }
        let mut options = Self {
            ssid,
            key: HomeKey::Missing,
            has_typed_key: false,
            security: args.security.into(),
            scanned: None,
            plug_key: plug_key(ui, args).await?,
            name: args.name.as_deref().map(name).transpose()?,
            to: args.to.clone(),
            verify: !args.no_verify,
            wait: args.wait,
        };
        options.key = options.given_key(ui, args).await?;
        if options.ssid.is_some() && matches!(options.key, HomeKey::Missing) {
            options.type_key(ui).await?;
        }
        options.warn_of_separators(ui);
        Ok(options)
    }

    async fn given_key(&self, ui: &Ui, args: &SetupArgs) -> Result<HomeKey, Failure> {
        let key = match (&args.key_file, args.key_stdin) {
            (Some(file), _) => keys::from_file(ui, file).await?,
            (None, true) => keys::from_stdin().await?,
            (None, false) if self.security == WifiSecurity::Open => return Ok(HomeKey::Open),
            (None, false) if ui.can_ask() => return Ok(HomeKey::Missing),
            (None, false) => {
                return Err(
                    Failure::usage("the key of your Wi-Fi network is missing").hint(KEY_FLAGS)
                );
            }
        };
        self.check_key(&key)?;
        Ok(HomeKey::Known(key))
    }

    /// Sets the key to one that is typed.
    pub(super) async fn type_key(&mut self, ui: &Ui) -> Result<(), Failure> {
        self.key = self.ask_key(ui).await?;
        self.has_typed_key = true;
        Ok(())
    }

    /// Asks for the key of a network; Enter alone means that it is open.
    async fn ask_key(&self, ui: &Ui) -> Result<HomeKey, Failure> {
        let network = match &self.ssid {
            Some(ssid) => format!("'{ssid}'"),
            None => "your network".to_owned(),
        };
        let prompt = format!("Key of {network} (not shown; press Enter if it is open)");
        loop {
            let text = ui.secret(&prompt, KEY_FLAGS).await?;
            if text.is_empty() && matches!(self.security, WifiSecurity::Auto) {
                return Ok(HomeKey::Open);
            }
            let key = keys::from_text(&text, "the key").and_then(|key| {
                self.check_key(&key)?;
                Ok(key)
            });
            match key {
                Ok(key) => return Ok(HomeKey::Known(key)),
                Err(failure) => ui.warn(failure),
            }
        }
    }

    /// Refuses a key that no module can take for this kind of network.
    fn check_key(&self, key: &WifiKey) -> Result<(), Failure> {
        self.security
            .candidates(Some(key), self.scanned)
            .map(drop)
            .map_err(|error| Failure::usage(error.to_string()))
    }

    /// Warns of a comma or `=`, at which some firmware cuts a value. Setup reads it back before it counts.
    fn warn_of_separators(&self, ui: &Ui) {
        if self.ssid.as_ref().is_some_and(Ssid::has_separator) {
            ui.warn("the network's name contains a comma or '=', which some modules cannot take");
        }
        if let HomeKey::Known(key) = &self.key
            && key.has_separator()
        {
            ui.warn("the key contains a comma or '=', which some modules cannot take");
        }
    }

    /// Returns the key for the module; `None` for an open network.
    pub(super) fn home_key(&self) -> Option<WifiKey> {
        match &self.key {
            HomeKey::Known(key) => Some(key.clone()),
            HomeKey::Open | HomeKey::Missing => None,
        }
    }
}

/// Checks the name of a network.
pub(super) fn network_name(bytes: &[u8]) -> Result<Ssid, Failure> {
    Ssid::new(bytes).map_err(|error| Failure::usage(error.to_string()))
}

/// Reads the key of the plug's network, as the text that NetworkManager takes.
async fn plug_key(ui: &Ui, args: &SetupArgs) -> Result<Option<SecretText>, Failure> {
    let Some(file) = &args.plug_key_file else {
        return Ok(None);
    };
    let key = keys::from_file(ui, file).await?;
    let text = std::str::from_utf8(key.as_bytes())
        .map_err(|_| Failure::usage("the key of the plug's network is not text"))?;
    Ok(Some(SecretText::new(text.to_owned())))
}

fn name(text: &str) -> Result<PlugName, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format!("invalid name '{text}': {error}")))
}

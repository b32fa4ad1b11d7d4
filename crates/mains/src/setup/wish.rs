//! What the user wants, checked as far as it can be before anything is touched.

use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use hiflying::wifi::ScanSecurity;
use hiflying::{Ssid, WifiKey, WifiSecurity};

use super::keys;
use crate::commands::setup::SetupArgs;
use crate::error::Failure;
use crate::inventory::PlugName;
use crate::resolve::device_address;
use crate::ui::{SecretText, Ui};

/// How to give the home network's key without a terminal.
pub(super) const KEY_FLAGS: &str =
    "give it with `--key-file` or `--key-stdin`; an open network is `--security open`";

/// What the user wants of each plug.
#[derive(Debug)]
pub(super) struct Wish {
    /// The home network, where it was named.
    pub(super) ssid: Option<Ssid>,
    /// Its key, where it was given.
    pub(super) key: HomeKey,
    pub(super) security: WifiSecurity,
    /// How the home network is protected, where the plug has seen it.
    pub(super) scanned: Option<ScanSecurity>,
    /// The key of the plug's own network, where it was given.
    pub(super) plug_key: Option<SecretText>,
    pub(super) name: Option<PlugName>,
    pub(super) to: Vec<Ipv4Addr>,
    pub(super) verify: bool,
    pub(super) wait: Duration,
}

/// The home network's key, as far as it is known.
#[derive(Debug)]
pub(super) enum HomeKey {
    /// This one.
    Is(WifiKey),
    /// There is none.
    Open,
    /// Still to be asked for.
    Ask,
}

impl Wish {
    /// Reads and checks what was given; what is missing is asked for, where there is a terminal to ask on.
    pub(super) async fn read(ui: &Ui, args: &SetupArgs) -> Result<Self, Failure> {
        let ssid = args
            .ssid
            .as_ref()
            .map(|text| network_name(text.as_bytes()))
            .transpose()?;
        if ssid.is_none() && !ui.can_ask() {
            return Err(Failure::usage("the name of your Wi-Fi network is missing")
                .hint("give it with `--ssid`"));
        }
        for address in args.to.iter().chain(&args.module) {
            device_address(*address)
                .map_err(|problem| Failure::usage(format!("{address}: {problem}")))?;
        }
        let mut wish = Self {
            ssid,
            key: HomeKey::Ask,
            security: args.security.into(),
            scanned: None,
            plug_key: plug_key(ui, args).await?,
            name: args.name.as_deref().map(name).transpose()?,
            to: args.to.clone(),
            verify: !args.no_verify,
            wait: args.wait,
        };
        wish.key = wish.given_key(ui, args).await?;
        if wish.ssid.is_some() && matches!(wish.key, HomeKey::Ask) {
            wish.key = wish.ask_key(ui).await?;
        }
        wish.warn_of_separators(ui);
        Ok(wish)
    }

    async fn given_key(&self, ui: &Ui, args: &SetupArgs) -> Result<HomeKey, Failure> {
        let key = match (&args.key_file, args.key_stdin) {
            (Some(file), _) => keys::from_file(ui, file).await?,
            (None, true) => keys::from_stdin().await?,
            (None, false) if self.security == WifiSecurity::Open => return Ok(HomeKey::Open),
            (None, false) => {
                return if ui.can_ask() {
                    Ok(HomeKey::Ask)
                } else {
                    Err(Failure::usage("the key of your Wi-Fi network is missing").hint(KEY_FLAGS))
                };
            }
        };
        self.fits(&key)?;
        Ok(HomeKey::Is(key))
    }

    /// Asks for the key of a network that may be open: plain Enter says so.
    pub(super) async fn ask_key(&self, ui: &Ui) -> Result<HomeKey, Failure> {
        let network = self
            .ssid
            .as_ref()
            .map_or_else(|| "your network".to_owned(), |ssid| format!("'{ssid}'"));
        loop {
            let prompt = format!("Key of {network} (not shown; Enter alone if it is open)");
            let text = ui.secret(&prompt, KEY_FLAGS).await?;
            if text.is_empty() && matches!(self.security, WifiSecurity::Auto) {
                return Ok(HomeKey::Open);
            }
            let key = keys::from_text(&text, "the key").and_then(|key| {
                self.fits(&key)?;
                Ok(key)
            });
            match key {
                Ok(key) => return Ok(HomeKey::Is(key)),
                Err(failure) => ui.warn(failure),
            }
        }
    }

    /// Refuses a key that no module could take for this kind of network.
    fn fits(&self, key: &WifiKey) -> Result<(), Failure> {
        self.security
            .candidates(Some(key), self.scanned)
            .map(drop)
            .map_err(|error| Failure::usage(error.to_string()))
    }

    /// Some firmware cuts at a comma or `=`; it is read back before anything counts, but the owner should know why.
    fn warn_of_separators(&self, ui: &Ui) {
        if self.ssid.as_ref().is_some_and(Ssid::has_separator) {
            ui.warn("the network's name contains a comma or '='; some modules cannot take that");
        }
        if let HomeKey::Is(key) = &self.key
            && key.has_separator()
        {
            ui.warn("the key contains a comma or '='; some modules cannot take that");
        }
    }

    /// The key for the module; nothing for an open network.
    pub(super) fn home_key(&self) -> Option<WifiKey> {
        match &self.key {
            HomeKey::Is(key) => Some(key.clone()),
            HomeKey::Open | HomeKey::Ask => None,
        }
    }
}

/// Checks a network's name.
pub(super) fn network_name(bytes: &[u8]) -> Result<Ssid, Failure> {
    Ssid::new(bytes).map_err(|error| Failure::usage(error.to_string()))
}

/// NetworkManager takes keys as text.
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
        .map_err(|error| Failure::usage(format!("the name '{text}' will not do: {error}")))
}

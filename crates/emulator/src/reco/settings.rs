//! Settings of the module: a value for each settable verb, by default that of the factory.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::config::{Mode, PlugConfig, Profile};
use crate::network::HomeNetwork;
use crate::reco::behaviour::RecoBehaviour;

/// TCP port of the plug's own commands, unless `AT+NETP` moves it.
const DATA_PORT: u16 = 8899;

/// The values that differ from those of the factory.
#[derive(Clone, Default)]
pub(super) struct ModuleSettings(BTreeMap<&'static str, Zeroizing<Vec<u8>>>);

impl ModuleSettings {
    /// The settings with which a twin starts.
    ///
    /// In station mode these are the keys of the first home network; a plug that was given none gets one of its own.
    pub(super) fn initial(config: &mut PlugConfig, behaviour: &RecoBehaviour) -> Self {
        let mut settings = Self::default();
        if config.mode == Mode::Ap {
            return settings;
        }
        if config.home_networks.is_empty() {
            config
                .home_networks
                .extend("Home:emulated home".parse::<HomeNetwork>());
        }
        let mode: &[u8] = match behaviour.engine.access_point_stays {
            true => b"APSTA",
            false => b"STA",
        };
        settings.set("WMODE", mode);
        if let Some(home) = config.home_networks.first() {
            settings.set("WSSSID", home.ssid().as_bytes());
            settings.set(
                "WSKEY",
                &home.key_setting(behaviour.joining.security).emit(),
            );
        }
        settings
    }

    /// The value that a query reports.
    pub(super) fn get(
        &self,
        verb: &str,
        config: &PlugConfig,
        behaviour: &RecoBehaviour,
    ) -> Zeroizing<Vec<u8>> {
        match self.0.get(verb) {
            Some(value) => value.clone(),
            None => Zeroizing::new(factory(verb, config, behaviour).into_bytes()),
        }
    }

    pub(super) fn set(&mut self, verb: &'static str, value: &[u8]) {
        self.0.insert(verb, Zeroizing::new(value.to_vec()));
    }

    /// Takes back the values of some verbs.
    pub(super) fn keep(&mut self, earlier: &Self, verbs: &[&'static str]) {
        for verb in verbs {
            match earlier.0.get(verb) {
                Some(value) => self.0.insert(verb, value.clone()),
                None => self.0.remove(verb),
            };
        }
    }

    /// Tells whether some verb of these has another value.
    pub(super) fn differs(&self, other: &Self, verbs: &[&'static str]) -> bool {
        verbs
            .iter()
            .any(|verb| self.0.get(verb) != other.0.get(verb))
    }

    pub(super) fn is(&self, verb: &str, value: &[u8]) -> bool {
        self.0
            .get(verb)
            .is_some_and(|stored| stored.as_slice() == value)
    }
}

/// Names only: there are keys among the values.
impl fmt::Debug for ModuleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn factory(verb: &str, config: &PlugConfig, behaviour: &RecoBehaviour) -> String {
    let (listen, serial) = (config.listen, &config.serial);
    match verb {
        "WMODE" => "AP".to_owned(),
        "WSSSID" => "HF-AP".to_owned(),
        "WSKEY" => "OPEN,NONE".to_owned(),
        "WANN" => "DHCP".to_owned(),
        "LANN" => format!("{listen},255.255.255.0"),
        "WADHCP" => "on".to_owned(),
        "WAP" if config.profile == Profile::S20 => "11BGN,WiWo-S20,CH1".to_owned(),
        "WAKEY" if config.profile == Profile::S20 => "OPEN,NONE".to_owned(),
        // `Reco` and the serial number; the key is printed on the back of the plug.
        "WAP" => format!("11BGN,Reco{serial},CH1"),
        "WAKEY" => format!("WPA2PSK,AES,{serial:0>8}"),
        "WSDNS" => listen.to_string(),
        "NETP" => match &behaviour.engine.client_socket {
            Some(socket) => socket.clone(),
            None => format!("TCP,Server,{DATA_PORT},{listen}"),
        },
        "SOCKB" => behaviour
            .engine
            .cloud_socket
            .as_deref()
            .unwrap_or("")
            .to_owned(),
        "TCPTO" => "300".to_owned(),
        "TCPDIS" => "on".to_owned(),
        "MAXSK" => behaviour.stream.clients.unwrap_or(5).to_string(),
        "TMODE" => "throughput".to_owned(),
        "UART" => "115200,8,1,None,NFC".to_owned(),
        "ASWD" => match &behaviour.discovery.word {
            Some(word) => String::from_utf8_lossy(word).into_owned(),
            None => "HF-A11ASSISTHREAD".to_owned(),
        },
        "WEBU" if behaviour.web.other_password => "ADMIN,not the default".to_owned(),
        // The web page of the SP-2 lets ADMIN/ADMIN in, whatever other units of the family have.
        "WEBU" => "ADMIN,ADMIN".to_owned(),
        "PLANG" => "EN".to_owned(),
        "EPHY" => "on".to_owned(),
        "FAPSTA" => "off".to_owned(),
        "MID" => behaviour
            .discovery
            .module
            .clone()
            .unwrap_or_else(|| "HF-LPB100".to_owned()),
        _ => String::new(),
    }
}

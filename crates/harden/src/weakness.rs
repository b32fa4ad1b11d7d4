//! The weaknesses: which settings each is made of, how it is recognised, and the values that close it.

use api::WeaknessId;
use hiflying::settings::{LinkStatus, Mode, OnOff, SocketSettings, Wan, WebLogin, WireValue};
use hiflying::{DiscoveryWord, ErrorCode};
use zeroize::Zeroizing;

use crate::web::FACTORY_LOGINS;

/// Letters of generated secrets: 32 that are hard to confuse, because words are compared without regard to case.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of a generated word, the longest that modules take.
const WORD_LENGTH: usize = 20;
/// Length of a generated password; sixty bits, and short enough for modules with small buffers.
const PASSWORD_LENGTH: usize = 12;

/// Returns the AT verbs of the settings of a weakness.
pub(crate) const fn verbs(id: WeaknessId) -> &'static [&'static str] {
    match id {
        WeaknessId::DiscoveryWord => &["ASWD"],
        WeaknessId::WebPassword => &["WEBU"],
        WeaknessId::AccessPoint => &["WMODE", "FAPSTA"],
        WeaknessId::CloudSocket => &["SOCKB", "NETP"],
    }
}

/// Tells whether the settings of a weakness are secrets, which no document shows.
pub(crate) const fn is_secret(id: WeaknessId) -> bool {
    matches!(id, WeaknessId::DiscoveryWord | WeaknessId::WebPassword)
}

/// Value of a setting, as read.
pub(crate) type Value = Zeroizing<String>;

/// A value to be written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum NewValue {
    Text(Value),
    /// None at all, which modules spell differently.
    Empty,
}

impl NewValue {
    pub(crate) fn of(text: &str) -> Self {
        match is_none(text) {
            true => Self::Empty,
            false => Self::Text(Zeroizing::new(text.to_owned())),
        }
    }

    /// Returns the spellings to try. `NONE` is documented of the second socket alone.
    pub(crate) fn spellings(&self, verb: &str) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text.as_str()],
            Self::Empty if verb == "SOCKB" => vec!["NONE", ""],
            Self::Empty => vec!["", "NONE"],
        }
    }

    /// Tells whether a setting that reads `value` has this value.
    pub(crate) fn is_in(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => text.as_str() == value,
            Self::Empty => is_none(value),
        }
    }

    pub(crate) fn shown(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Empty => "",
        }
    }
}

fn is_none(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("NONE")
}

/// A change of one setting.
#[derive(Clone)]
pub(crate) struct SettingChange {
    pub(crate) verb: &'static str,
    pub(crate) old: Value,
    pub(crate) new: NewValue,
}

impl SettingChange {
    pub(crate) fn new(verb: &'static str, old: &str, new: NewValue) -> Self {
        let old = Zeroizing::new(old.to_owned());
        Self { verb, old, new }
    }

    /// Returns the change that takes this one back.
    pub(crate) fn reversed(&self) -> Self {
        Self {
            verb: self.verb,
            old: Zeroizing::new(self.new.shown().to_owned()),
            new: NewValue::of(&self.old),
        }
    }
}

/// Reply to a query.
#[derive(Clone)]
pub(crate) enum SettingReply {
    Value(Value),
    Refused(ErrorCode),
    Unintelligible,
}

impl SettingReply {
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Refused(_) | Self::Unintelligible => None,
        }
    }

    /// Returns the value if the setting exists and has one.
    fn some(&self) -> Option<&str> {
        self.value()
            .map(|value| value.as_str())
            .filter(|value| !is_none(value))
    }

    fn parsed<T: WireValue>(&self) -> Option<T> {
        T::parse(self.value()?.as_bytes())
    }

    /// Returns the reason why nothing can be concluded from the reply.
    fn reason(&self, verb: &str) -> String {
        match self {
            Self::Refused(code) => format!("the module refuses AT+{verb}: {code}"),
            Self::Unintelligible | Self::Value(_) => {
                format!("the module's reply to AT+{verb} is not understood")
            }
        }
    }
}

/// Conclusion from the settings of a weakness.
pub(crate) struct WeaknessFinding {
    /// The setting as people read it; `None` for a secret.
    pub(crate) before: Option<String>,
    pub(crate) verdict: WeaknessVerdict,
}

pub(crate) enum WeaknessVerdict {
    Closed,
    Skipped(String),
    /// Skipped, because the plug has not joined a network, or not yet.
    NotJoined(String),
    Open {
        changes: Vec<SettingChange>,
        /// The setting afterwards; `None` for a secret.
        after: Option<String>,
        /// The weakness, and the change in words.
        reason: String,
    },
}

impl WeaknessFinding {
    fn secret(verdict: WeaknessVerdict) -> Self {
        Self {
            before: None,
            verdict,
        }
    }
}

/// Judges the discovery word; `pending` is one that an interrupted run was about to give.
pub(crate) fn discovery_word(
    word: &SettingReply,
    pending: Option<DiscoveryWord>,
) -> WeaknessFinding {
    let Some(old) = word.some() else {
        return WeaknessFinding::secret(WeaknessVerdict::Skipped(word.reason("ASWD")));
    };
    if !DiscoveryWord::FACTORY
        .iter()
        .any(|factory| factory.matches(old.as_bytes()))
    {
        return WeaknessFinding::secret(WeaknessVerdict::Closed);
    }
    let new = match pending {
        Some(word) => Zeroizing::new(word.to_string()),
        None => random(WORD_LENGTH),
    };
    WeaknessFinding::secret(WeaknessVerdict::Open {
        changes: vec![SettingChange::new("ASWD", old, NewValue::Text(new))],
        after: None,
        reason: "the module replies to the factory's discovery word; it gets a random one, which this computer keeps"
            .to_owned(),
    })
}

/// Judges the web login; `pending` is one that an interrupted run was about to give.
pub(crate) fn web_password(login: &SettingReply, pending: Option<&Value>) -> WeaknessFinding {
    let (Some(old), Some(read)) = (login.some(), login.parsed::<WebLogin>()) else {
        return WeaknessFinding::secret(WeaknessVerdict::Skipped(login.reason("WEBU")));
    };
    let is_factory = FACTORY_LOGINS
        .iter()
        .any(|(user, password)| read.user == *user && read.password.as_str() == *password);
    if !is_factory {
        return WeaknessFinding::secret(WeaknessVerdict::Closed);
    }
    let new = match pending {
        Some(login) => login.clone(),
        None => Zeroizing::new(format!("{},{}", read.user, *random(PASSWORD_LENGTH))),
    };
    WeaknessFinding::secret(WeaknessVerdict::Open {
        changes: vec![SettingChange::new("WEBU", old, NewValue::Text(new))],
        after: None,
        reason: "the web page accepts the factory's password; it gets a random one, which this computer keeps"
            .to_owned(),
    })
}

/// Settings from which the access point is judged.
pub(crate) struct RadioSettings {
    pub(crate) mode: SettingReply,
    /// The HF-A11's own setting.
    pub(crate) both: SettingReply,
    pub(crate) link: SettingReply,
    pub(crate) wan: SettingReply,
    /// Address at which the module is reached.
    pub(crate) reached_at: std::net::Ipv4Addr,
}

/// Judges the access point. It is the only way to a plug that is not joined.
pub(crate) fn access_point(radio: &RadioSettings) -> WeaknessFinding {
    let Some(mode) = radio.mode.parsed::<Mode>() else {
        return WeaknessFinding::secret(WeaknessVerdict::Skipped(radio.mode.reason("WMODE")));
    };
    let both = radio.both.parsed::<OnOff>() == Some(OnOff::On);
    let before = Some(match both {
        true => format!("{mode}, FAPSTA=on"),
        false => mode.to_string(),
    });
    let mut changes = Vec::new();
    if let (Mode::ApSta, Some(old)) = (mode, radio.mode.value()) {
        let station = NewValue::Text(Zeroizing::new(Mode::Sta.to_string()));
        changes.push(SettingChange::new("WMODE", old, station));
    }
    if let (true, Some(old)) = (both, radio.both.value()) {
        let off = NewValue::Text(Zeroizing::new(OnOff::Off.to_string()));
        changes.push(SettingChange::new("FAPSTA", old, off));
    }
    let verdict = match (mode, not_joined(radio)) {
        (Mode::Ap, _) => WeaknessVerdict::Skipped(
            "the plug is not on your Wi-Fi, so its access point is the only way to it; run `mains setup` first"
                .to_owned(),
        ),
        _ if changes.is_empty() => WeaknessVerdict::Closed,
        (_, Some(verdict)) => verdict,
        (_, None) => WeaknessVerdict::Open {
            changes,
            after: Some(Mode::Sta.to_string()),
            reason: "the plug's own Wi-Fi network is on although it is on yours; it is switched off".to_owned(),
        },
    };
    WeaknessFinding { before, verdict }
}

/// Returns the verdict on a plug that might not be reached without its access point.
fn not_joined(radio: &RadioSettings) -> Option<WeaknessVerdict> {
    let linked = match radio.link.parsed::<LinkStatus>() {
        Some(LinkStatus::Connected { .. }) => true,
        Some(LinkStatus::Disconnected | LinkStatus::RadioOff) => false,
        // A module without this verb; its address decides.
        None => true,
    };
    let lease = radio.wan.parsed::<Wan>().filter(Wan::has_lease);
    match lease {
        Some(lease) if linked && lease.address == radio.reached_at => None,
        Some(lease) if linked => Some(WeaknessVerdict::Skipped(format!(
            "the plug is reached over its own access point; run this from your network, where it is {}",
            lease.address
        ))),
        _ => Some(WeaknessVerdict::NotJoined(
            "the plug has not joined your Wi-Fi, so its access point is the only way to it"
                .to_owned(),
        )),
    }
}

/// Judges the sockets by which the module calls a server.
pub(crate) fn cloud_socket(second: &SettingReply, data: &SettingReply) -> WeaknessFinding {
    let mut changes = Vec::new();
    if let Some(old) = second.some() {
        changes.push(SettingChange::new("SOCKB", old, NewValue::Empty));
    }
    if let Some(old) = data.some().filter(|_| is_client(data)) {
        changes.push(SettingChange::new("NETP", old, NewValue::Empty));
    }
    if second.value().is_none() && data.value().is_none() {
        return WeaknessFinding::secret(WeaknessVerdict::Skipped(second.reason("SOCKB")));
    }
    let olds: Vec<&str> = changes.iter().map(|change| change.old.as_str()).collect();
    let before = olds.join("; ");
    let verdict = match changes.is_empty() {
        true => WeaknessVerdict::Closed,
        false => WeaknessVerdict::Open {
            reason: format!(
                "the module calls a server by itself ({before}); the connection is removed"
            ),
            changes,
            after: Some(String::new()),
        },
    };
    WeaknessFinding {
        before: Some(before),
        verdict,
    }
}

/// Tells whether data socket A calls a server. One that listens is the plug's own and stays.
fn is_client(data: &SettingReply) -> bool {
    let role = data
        .parsed::<SocketSettings>()
        .and_then(|socket| socket.role);
    role.is_some_and(|role| role.eq_ignore_ascii_case("client"))
}

/// Returns a random text.
fn random(length: usize) -> Value {
    let mut bytes = Zeroizing::new(vec![0_u8; length]);
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let letters = bytes.iter().map(|byte| {
        let index = usize::from(*byte) % ALPHABET.len();
        char::from(*ALPHABET.get(index).expect("the index is below the length"))
    });
    Zeroizing::new(letters.collect())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 107);

    fn read(text: &str) -> SettingReply {
        SettingReply::Value(Zeroizing::new(text.to_owned()))
    }

    fn radio(mode: &str, link: &str, lease: &str) -> WeaknessFinding {
        access_point(&RadioSettings {
            mode: read(mode),
            both: SettingReply::Refused(ErrorCode::Verb),
            link: read(link),
            wan: read(lease),
            reached_at: HERE,
        })
    }

    fn word(finding: &WeaknessFinding) -> &'static str {
        match finding.verdict {
            WeaknessVerdict::Closed => "closed",
            WeaknessVerdict::Skipped(_) | WeaknessVerdict::NotJoined(_) => "skipped",
            WeaknessVerdict::Open { .. } => "open",
        }
    }

    #[test]
    fn words_of_the_factory_are_open_in_any_case() {
        for (text, expected) in [
            ("HF-A11ASSISTHREAD", "open"),
            ("hf-a11assisthread", "open"),
            ("WIFIKIT-214028-READ", "open"),
            ("www.usr.cn", "open"),
            ("K2J7WQ", "closed"),
            ("", "skipped"),
        ] {
            assert_eq!(word(&discovery_word(&read(text), None)), expected, "{text}");
        }
        let refused = SettingReply::Refused(ErrorCode::Verb);
        assert_eq!(word(&discovery_word(&refused, None)), "skipped");
    }

    #[test]
    fn logins_of_the_factory_are_open_and_keep_their_user() {
        let WeaknessVerdict::Open { changes, .. } =
            web_password(&read("ADMIN,ADMIN"), None).verdict
        else {
            panic!("it is open");
        };
        assert!(changes[0].new.shown().starts_with("ADMIN,"));
        assert_eq!(word(&web_password(&read("admin,admin"), None)), "open");
        assert_eq!(word(&web_password(&read("ADMIN,mine"), None)), "closed");
        assert_eq!(word(&web_password(&read("ADMIN"), None)), "skipped");
    }

    #[test]
    fn the_access_point_goes_only_from_a_plug_that_is_reached_without_it() {
        let lease = "DHCP,192.168.1.107,255.255.255.0,192.168.1.1";
        let link = "Home(3CE5A6000000)";
        for (mode, link, lease, expected) in [
            ("APSTA", link, lease, "open"),
            ("STA", link, lease, "closed"),
            ("AP", link, lease, "skipped"),
            ("APSTA", "Disconnected", lease, "skipped"),
            ("APSTA", "RF Off", lease, "skipped"),
            ("APSTA", link, "DHCP,0.0.0.0,0.0.0.0,0.0.0.0", "skipped"),
            (
                "APSTA",
                link,
                "DHCP,192.168.1.9,255.255.255.0,192.168.1.1",
                "skipped",
            ),
            ("?", link, lease, "skipped"),
        ] {
            assert_eq!(
                word(&radio(mode, link, lease)),
                expected,
                "{mode} {link} {lease}"
            );
        }
        assert_eq!(radio("APSTA", link, lease).before.as_deref(), Some("APSTA"));
    }

    #[test]
    fn a_listening_socket_is_never_touched() {
        let server = "TCP,Server,8899,10.10.100.254";
        for (second, data, before, verbs) in [
            ("", server, "", &[][..]),
            ("NONE", server, "", &[]),
            (
                "TCP,8816,cloud.example",
                server,
                "TCP,8816,cloud.example",
                &["SOCKB"],
            ),
            (
                "TCP,8816,a.example",
                "tcp,client,17000,b.example",
                "TCP,8816,a.example; tcp,client,17000,b.example",
                &["SOCKB", "NETP"],
            ),
            (
                "",
                "UDP,Client,17000,b.example",
                "UDP,Client,17000,b.example",
                &["NETP"],
            ),
        ] {
            let finding = cloud_socket(&read(second), &read(data));
            assert_eq!(finding.before.as_deref(), Some(before));
            let changed = match finding.verdict {
                WeaknessVerdict::Open { changes, .. } => {
                    changes.iter().map(|change| change.verb).collect()
                }
                _ => Vec::new(),
            };
            assert_eq!(changed, verbs, "{second} {data}");
        }
        let refused = || SettingReply::Refused(ErrorCode::Verb);
        assert_eq!(word(&cloud_socket(&refused(), &refused())), "skipped");
    }

    #[test]
    fn nothing_is_spelt_in_two_ways() {
        assert_eq!(NewValue::of("none").spellings("SOCKB"), ["NONE", ""]);
        assert_eq!(NewValue::of("").spellings("NETP"), ["", "NONE"]);
        assert!(NewValue::Empty.is_in("None") && NewValue::Empty.is_in(""));
        assert!(!NewValue::Empty.is_in("TCP,1,a"));
    }

    #[test]
    fn generated_words_are_words_and_differ() {
        let (one, other) = (random(WORD_LENGTH), random(WORD_LENGTH));
        assert!(DiscoveryWord::new(one.as_bytes()).is_ok());
        assert_ne!(one, other);
    }

    proptest! {
        #[test]
        fn a_change_and_its_reverse_end_where_they_began(old in "[ -~]{0,30}", new in "[ -~]{0,30}") {
            let change = SettingChange::new("NETP", &old, NewValue::of(&new));
            let back = change.reversed();
            prop_assert!(back.new.is_in(&old));
            prop_assert!(change.new.is_in(&back.old) );
        }

        #[test]
        fn settings_of_strangers_never_panic(a in ".{0,60}", b in ".{0,60}", c in ".{0,60}", d in ".{0,60}") {
            let _ = discovery_word(&read(&a), None);
            let _ = web_password(&read(&a), None);
            let _ = cloud_socket(&read(&a), &read(&b));
            let _ = access_point(&RadioSettings {
                mode: read(&a), both: read(&b), link: read(&c), wan: read(&d), reached_at: HERE,
            });
        }
    }
}

//! The table of AT verbs: the forms of each, its timeout, the reply to expect and the harm that it can do.

use std::time::Duration;

/// Form of a verb that can do harm which Mains cannot undo, with the consequence in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Danger {
    /// Harmless.
    None,
    /// Setting a value is dangerous; querying it is harmless.
    Set(&'static str),
    /// Every form is dangerous.
    Always(&'static str),
}

/// Reply that a command gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedReply {
    /// One reply.
    One,
    /// Several datagrams, which end with a blank one or with silence.
    Many,
    /// One reply or none: silence is success.
    Optional,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerbInfo {
    /// Verb in upper case; empty for the null command.
    pub name: &'static str,
    /// Form of the value that follows the name, for people.
    pub usage: &'static str,
    /// True if `AT+<VERB>` queries a value.
    pub query: bool,
    /// True if `AT+<VERB>=<value>` is understood.
    pub set: bool,
    /// True if sending it twice has the same effect as sending it once.
    pub retry: bool,
    /// Time limit of one try.
    pub timeout: Duration,
    /// Reply to expect.
    pub reply: ExpectedReply,
    /// True if its value is a secret.
    pub secret: bool,
    /// Form that can do harm.
    pub danger: Danger,
    /// One line for people.
    pub summary: &'static str,
}

/// Returns the row of a module's verb, in any case.
///
/// ```
/// use hiflying::AtRequest;
/// use hiflying::verb::{self, Danger};
///
/// let netp = verb::lookup("netp").ok_or("no such verb")?;
/// assert!(matches!(netp.danger, Danger::Set(_)));
/// assert_eq!(AtRequest::query("NETP").danger(), None);
/// assert!(AtRequest::set("NETP", "TCP,Server,23,10.10.100.254").danger().is_some());
/// # Ok::<(), &str>(())
/// ```
pub fn lookup(name: &str) -> Option<&'static VerbInfo> {
    VERBS
        .iter()
        .find(|info| info.name.eq_ignore_ascii_case(name))
}

/// Tells whether a verb is that of a module or of a plug.
pub fn is_known(name: &str) -> bool {
    let is_it = |info: &VerbInfo| info.name.eq_ignore_ascii_case(name);
    VERBS.iter().chain(PLUG_VERBS).any(is_it)
}

/// Tells whether the value of a verb is a secret: by the table, or by the name of a maker's own verb, such as `SMTLKKEY`.
pub fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    lookup(name).is_some_and(|info| info.secret)
        || ["KEY", "PW", "PASS"]
            .iter()
            .any(|part| upper.contains(part))
}

/// Time limit of one try of an ordinary command: typical replies take well under a second.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

const fn row(name: &'static str, query: bool, set: bool, summary: &'static str) -> VerbInfo {
    VerbInfo {
        name,
        usage: match (query, set) {
            (true, true) => "[=…]",
            (false, true) => "=…",
            (_, false) => "",
        },
        query,
        set,
        retry: true,
        timeout: DEFAULT_TIMEOUT,
        reply: ExpectedReply::One,
        secret: false,
        danger: Danger::None,
        summary,
    }
}

const fn value(name: &'static str, summary: &'static str) -> VerbInfo {
    row(name, true, false, summary)
}

const fn setting(name: &'static str, summary: &'static str) -> VerbInfo {
    row(name, true, true, summary)
}

const fn secret(name: &'static str, summary: &'static str) -> VerbInfo {
    VerbInfo {
        secret: true,
        ..setting(name, summary)
    }
}

const fn action(name: &'static str, summary: &'static str) -> VerbInfo {
    VerbInfo {
        retry: false,
        ..row(name, false, false, summary)
    }
}

const fn session_action(name: &'static str, timeout: Duration, summary: &'static str) -> VerbInfo {
    VerbInfo {
        reply: ExpectedReply::Optional,
        timeout,
        ..action(name, summary)
    }
}

const fn dangerous(danger: Danger, info: VerbInfo) -> VerbInfo {
    VerbInfo { danger, ..info }
}

/// Every verb of the module's AT engine that Mains knows, in the order of the reference.
pub const VERBS: &[VerbInfo] = &[
    VerbInfo {
        retry: true,
        ..action("", "check that the module replies")
    },
    VerbInfo {
        reply: ExpectedReply::Many,
        timeout: Duration::from_secs(5),
        ..value("H", "list of commands")
    },
    VerbInfo {
        set: true,
        usage: "=…",
        ..action("E", "toggle the echo, or set it on or off (serial)")
    },
    value("VER", "firmware version"),
    value(
        "LVER",
        "version of the maker's own firmware part (S20, lamps)",
    ),
    value("MID", "module id"),
    row("WRMID", false, true, "set module id and DHCP host name"),
    dangerous(
        Danger::Set("it changes the hardware address of the module"),
        setting("WSMAC", "hardware address as a station"),
    ),
    value("WAMAC", "hardware address as an access point"),
    setting("WMODE", "AP, STA or APSTA; takes effect after Z"),
    setting("WSSSID", "name of the network to join"),
    secret("WSKEY", "security and key of the network to join"),
    value("WSLK", "link to the joined network"),
    value("WSLQ", "link quality"),
    VerbInfo {
        reply: ExpectedReply::Many,
        timeout: Duration::from_secs(12),
        ..value("WSCAN", "networks that the module sees")
    },
    setting("WANN", "address on the joined network: DHCP or static"),
    setting("LANN", "address on the module's own access point"),
    setting("WADHCP", "DHCP server of the access point"),
    setting("WAP", "the access point: standard, name, channel"),
    secret("WAKEY", "security and key of the access point"),
    setting("WSDNS", "name server for a static address"),
    dangerous(
        Danger::Set("it can move TCP port 8899, and then no client reaches the plug"),
        setting("NETP", "data socket A; a plug expects TCP,Server,8899"),
    ),
    value("TCPLK", "whether a client is connected to socket A"),
    setting("TCPTO", "idle timeout of socket A in seconds"),
    setting("TCPDIS", "whether socket A connects by itself"),
    setting("MAXSK", "simultaneous clients of socket A"),
    setting("SOCKB", "second socket, often the maker's cloud"),
    setting("TMODE", "throughput or cmd"),
    setting("UART", "serial line of the module"),
    action("ENTM", "leave command mode on a serial line"),
    VerbInfo {
        timeout: Duration::from_secs(6),
        ..row("PING", false, true, "ping an address from the module")
    },
    secret(
        "ASWD",
        "discovery word; changing it hides the module from other clients",
    ),
    secret("WEBU", "user and password of the web page"),
    value("WEBVER", "version of the web page"),
    setting("PLANG", "language of the web page"),
    setting("EPHY", "Ethernet port (HF-A11 only)"),
    setting("FAPSTA", "access point and station at once (HF-A11 only)"),
    action("SMTLK", "listen for SmartLink; many modules restart first"),
    dangerous(
        Danger::Always("it overwrites the factory settings"),
        action("CFGTF", "save the settings as factory settings"),
    ),
    dangerous(
        Danger::Always("it erases the factory settings"),
        action("FCLR", "clear the factory settings"),
    ),
    value("CFGRD", "read the factory settings"),
    dangerous(
        Danger::Always("it writes new firmware, and the module may never start again"),
        VerbInfo {
            retry: false,
            ..row("UPURL", false, true, "replace the firmware")
        },
    ),
    dangerous(
        Danger::Always("it is a factory reset, and the module forgets your Wi-Fi"),
        VerbInfo {
            timeout: Duration::from_secs(10),
            ..action("RELD", "factory reset")
        },
    ),
    session_action(
        "Z",
        Duration::from_millis(500),
        "restart; often without a reply",
    ),
    session_action("W", Duration::from_millis(300), "keep command mode alive"),
    session_action("Q", Duration::from_millis(300), "leave command mode"),
];

/// Verbs of the plug maker's own parser, which an SP-2 has on TCP port 8899 and on its serial header.
pub const PLUG_VERBS: &[VerbInfo] = &[
    VerbInfo {
        usage: "=1,ON|OFF,yyyyMMddHHmm",
        ..row("YZSWITCH", false, true, "switch the relay")
    },
    VerbInfo {
        usage: "=1,ON|OFF,MINUTES,yyyyMMddHHmm",
        ..row(
            "YZDELAY",
            false,
            true,
            "switch later, after 1 to 2000 minutes",
        )
    },
    value(
        "YZOUT",
        "read the meter: 0.01 A, 0.01 V, 0.01 Hz, 0.1 W, -, Wh, -",
    ),
    value("VER", "firmware version of the plug"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AtRequest;

    #[test]
    fn every_row_of_the_reference_is_there_once() {
        let reference = "H E VER LVER MID WRMID WSMAC WAMAC WMODE WSSSID WSKEY WSLK WSLQ WSCAN WANN LANN WADHCP WAP WAKEY \
            WSDNS NETP TCPLK TCPTO TCPDIS MAXSK SOCKB TMODE UART ENTM PING ASWD WEBU WEBVER PLANG EPHY FAPSTA SMTLK \
            CFGTF FCLR CFGRD UPURL RELD Z W Q";
        let mut expected: Vec<&str> = reference.split_whitespace().collect();
        expected.push("");
        expected.sort_unstable();
        let mut names: Vec<&str> = VERBS.iter().map(|info| info.name).collect();
        names.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn dangerous_forms() {
        for verb in ["RELD", "UPURL", "CFGTF", "FCLR"] {
            assert!(AtRequest::query(verb).danger().is_some(), "{verb}");
            assert!(AtRequest::set(verb, "x").danger().is_some(), "{verb}");
        }
        for verb in ["NETP", "WSMAC"] {
            assert!(AtRequest::query(verb).danger().is_none(), "{verb}");
            assert!(AtRequest::set(verb, "x").danger().is_some(), "{verb}");
        }
        assert!(AtRequest::set("WMODE", "STA").danger().is_none());
        assert!(AtRequest::query("YZOUT").danger().is_none());
    }

    #[test]
    fn what_an_unknown_verb_sets_is_masked() {
        for (verb, masked) in [
            ("SMTLKKEY", true),
            ("WIFIPW", true),
            ("webpasswd", true),
            ("OEM", true),
            ("WSSSID", false),
            ("YZSWITCH", false),
        ] {
            let line = AtRequest::set(verb, "geheim").to_string();
            assert_eq!(line.contains("***"), masked, "{line}");
            assert_eq!(line.contains("geheim"), !masked, "{line}");
        }
        // A reply is masked by the name of the verb alone.
        let reply = |verb| crate::AtReply::parse(b"+ok=geheim\r\n\r\n").masked(verb);
        assert_eq!(reply("SMTLKKEY"), "+ok=***");
        assert_eq!(reply("OEM"), "+ok=geheim");
    }

    #[test]
    fn verbs_that_must_not_be_repeated() {
        for verb in ["RELD", "Z", "E", "SMTLK", "CFGTF", "FCLR", "UPURL"] {
            assert!(!lookup(verb).unwrap().retry, "{verb}");
        }
        assert!(lookup("WSKEY").unwrap().retry);
    }
}

//! The table of AT verbs: what each is for, which forms it has, how long it may take, and which
//! ones can do harm.

use std::time::Duration;

use crate::AtRequest;

/// Which form of a verb can do harm that Mains cannot undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Danger {
    /// None.
    None,
    /// Only setting it: asking is harmless.
    Set,
    /// Every form.
    Always,
}

/// What comes back after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
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
    /// The verb in upper case; empty for the null command.
    pub name: &'static str,
    /// Whether `AT+<VERB>` asks for a value.
    pub query: bool,
    /// Whether `AT+<VERB>=<value>` is understood.
    pub set: bool,
    /// Whether sending it twice does the same as sending it once.
    pub retry: bool,
    /// How long one try may take.
    pub budget: Duration,
    /// What comes back.
    pub answer: Answer,
    /// Whether its value is a secret.
    pub secret: bool,
    /// Which form can do harm.
    pub danger: Danger,
    /// One line for people.
    pub summary: &'static str,
}

impl VerbInfo {
    /// Tells whether a request of this verb needs `--dangerous`.
    pub fn is_dangerous(&self, request: &AtRequest) -> bool {
        match self.danger {
            Danger::None => false,
            Danger::Set => request.value().is_some(),
            Danger::Always => true,
        }
    }
}

/// Returns the row of a verb, in any case.
///
/// ```
/// use hiflying::AtRequest;
/// use hiflying::verb;
///
/// let netp = verb::lookup("netp").ok_or("no such verb")?;
/// assert!(!netp.is_dangerous(&AtRequest::query("NETP")));
/// assert!(netp.is_dangerous(&AtRequest::set("NETP", "TCP,Server,23,10.10.100.254")));
/// # Ok::<(), &str>(())
/// ```
pub fn lookup(name: &str) -> Option<&'static VerbInfo> {
    VERBS
        .iter()
        .find(|info| info.name.eq_ignore_ascii_case(name))
}

/// Tells whether a request can do harm that cannot be undone: its verb is on the list, or it sets a
/// verb that is.
pub fn is_dangerous(request: &AtRequest) -> bool {
    lookup(request.verb()).is_some_and(|info| info.is_dangerous(request))
}

/// One try of an ordinary command: typical answers take well under a second.
pub(crate) const NORMAL: Duration = Duration::from_secs(2);

const fn row(name: &'static str, query: bool, set: bool, summary: &'static str) -> VerbInfo {
    VerbInfo {
        name,
        query,
        set,
        retry: true,
        budget: NORMAL,
        answer: Answer::One,
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

const fn leaving(name: &'static str, budget: Duration, summary: &'static str) -> VerbInfo {
    VerbInfo {
        answer: Answer::Optional,
        budget,
        ..action(name, summary)
    }
}

const fn dangerous(danger: Danger, info: VerbInfo) -> VerbInfo {
    VerbInfo { danger, ..info }
}

/// Every verb that Mains knows, in the order of the reference.
pub const VERBS: &[VerbInfo] = &[
    VerbInfo {
        retry: true,
        ..action("", "is anybody there")
    },
    VerbInfo {
        answer: Answer::Many,
        budget: Duration::from_secs(5),
        ..value("H", "list of commands")
    },
    VerbInfo {
        set: true,
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
        Danger::Set,
        setting("WSMAC", "hardware address as a station"),
    ),
    value("WAMAC", "hardware address as an access point"),
    setting("WMODE", "AP, STA or APSTA; takes effect after Z"),
    setting("WSSSID", "name of the network to join"),
    secret("WSKEY", "security and key of the network to join"),
    value("WSLK", "link to the joined network"),
    value("WSLQ", "link quality"),
    VerbInfo {
        answer: Answer::Many,
        budget: Duration::from_secs(12),
        ..value("WSCAN", "networks that the module sees")
    },
    setting("WANN", "address on the joined network: DHCP or static"),
    setting("LANN", "address on the module's own access point"),
    setting("WADHCP", "DHCP server of the access point"),
    setting("WAP", "the access point: standard, name, channel"),
    secret("WAKEY", "security and key of the access point"),
    setting("WSDNS", "name server for a static address"),
    dangerous(
        Danger::Set,
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
        budget: Duration::from_secs(6),
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
        Danger::Always,
        action("CFGTF", "save the settings as factory settings"),
    ),
    dangerous(Danger::Always, action("FCLR", "clear the factory settings")),
    value("CFGRD", "read the factory settings"),
    dangerous(
        Danger::Always,
        VerbInfo {
            retry: false,
            ..row("UPURL", false, true, "replace the firmware")
        },
    ),
    dangerous(
        Danger::Always,
        VerbInfo {
            budget: Duration::from_secs(10),
            ..action("RELD", "factory reset")
        },
    ),
    leaving(
        "Z",
        Duration::from_millis(500),
        "restart; often without an answer",
    ),
    leaving("W", Duration::from_millis(300), "keep command mode alive"),
    leaving("Q", Duration::from_millis(300), "leave command mode"),
];

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(is_dangerous(&AtRequest::query(verb)), "{verb}");
            assert!(is_dangerous(&AtRequest::set(verb, "x")), "{verb}");
        }
        for verb in ["NETP", "WSMAC"] {
            assert!(!is_dangerous(&AtRequest::query(verb)), "{verb}");
            assert!(is_dangerous(&AtRequest::set(verb, "x")), "{verb}");
        }
        assert!(!is_dangerous(&AtRequest::set("WMODE", "STA")));
        assert!(!is_dangerous(&AtRequest::query("YZOUT")));
    }

    #[test]
    fn what_must_not_be_repeated() {
        for verb in ["RELD", "Z", "E", "SMTLK", "CFGTF", "FCLR", "UPURL"] {
            assert!(!lookup(verb).unwrap().retry, "{verb}");
        }
        assert!(lookup("WSKEY").unwrap().retry);
    }
}

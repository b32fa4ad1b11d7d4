//! What a person types into the console, and what is refused before anything is sent.

use hiflying::at::{MAX_COMMAND, masked_value};
use hiflying::verb;
use hiflying::{AtRequest, Terminator};

use crate::error::Failure;

/// Where a command was typed; the command line of a process is readable by everybody on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An argument of the process.
    Arguments,
    /// A line of input.
    Input,
}

/// What a user may do in this run.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// `--dangerous` was given.
    pub dangerous: bool,
    /// Where commands come from.
    pub origin: Origin,
}

/// Reads one command, with or without `AT+`, and refuses what must not be sent.
///
/// No message repeats the value, because it may be a key.
pub fn parse(text: &str, rules: Rules) -> Result<AtRequest, Failure> {
    let request = read(text)?;
    refuse_danger(&request, rules)?;
    if rules.origin == Origin::Arguments && holds_secret(&request) {
        return Err(Failure::usage(format!(
            "AT+{} with a key or password is not taken from the command line, where everybody on this machine can read it",
            request.verb()
        ))
        .hint("give `-` as the command and the line on stdin, or leave the command away and type it"));
    }
    Ok(request)
}

/// Reads the grammar alone.
pub fn read(text: &str) -> Result<AtRequest, Failure> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(Failure::usage("a command is one line without NUL"));
    }
    let text = text.trim_start();
    let bare = strip_prefix(text);
    let verb = bare
        .split_once('=')
        .map_or(bare, |(verb, _)| verb)
        .trim_end();
    if let Some(asked) = verb.strip_suffix('?') {
        return Err(
            Failure::usage(format!("there is no `?` form: {asked:?} alone asks"))
                .hint(format!("send `AT+{}`", asked.to_ascii_uppercase())),
        );
    }
    if !verb
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return Err(Failure::usage(format!("{verb:?} cannot be a verb"))
            .hint("a command is VERB or VERB=VALUE, for example MID or AT+WMODE=STA"));
    }
    if verb.is_empty() && bare.contains('=') {
        return Err(Failure::usage("the verb is missing before the `=`"));
    }
    let request = match bare.split_once('=') {
        Some((_, value)) => AtRequest::set(verb, value),
        None => AtRequest::query(verb),
    };
    let length = request.emit(Terminator::None).len();
    if length > MAX_COMMAND {
        return Err(Failure::usage(format!(
            "the command has {length} bytes; a module takes at most {MAX_COMMAND}"
        )));
    }
    Ok(request)
}

/// `AT` and `AT+` alone are the null command.
fn strip_prefix(text: &str) -> &str {
    match text.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("AT+") => text.get(3..).unwrap_or_default(),
        _ if text.trim_end().eq_ignore_ascii_case("AT") => "",
        _ => text,
    }
}

fn refuse_danger(request: &AtRequest, rules: Rules) -> Result<(), Failure> {
    match request.danger() {
        Some(harm) if !rules.dangerous => {
            let message = format!("AT+{} was not sent: {harm}", request.verb());
            Err(Failure::usage(message).hint("add `--dangerous` to send it all the same"))
        }
        _ => Ok(()),
    }
}

/// Whether the line carries a key or a password.
pub fn holds_secret(request: &AtRequest) -> bool {
    request
        .value()
        .is_some_and(|value| masked_value(request.verb(), value).as_bytes() != value)
}

/// A secret that is to be asked for: `AT+WSKEY=WPA2PSK,AES,?`, or a line of the history, whose
/// secrets were replaced by `***`.
pub fn missing_secret(request: &AtRequest) -> Option<&[u8]> {
    let secret = verb::lookup(request.verb()).is_some_and(|info| info.secret);
    let value = request.value().filter(|_| secret)?;
    let start = ["***", "?"]
        .iter()
        .find_map(|mark| value.strip_suffix(mark.as_bytes()))?;
    (start.is_empty() || start.ends_with(b",")).then_some(start)
}

/// Puts the secret where it was missing.
pub fn with_secret(request: &AtRequest, secret: &str) -> AtRequest {
    let start = missing_secret(request).unwrap_or_default();
    let mut value = zeroize::Zeroizing::new(Vec::with_capacity(start.len() + secret.len()));
    value.extend_from_slice(start);
    value.extend_from_slice(secret.as_bytes());
    AtRequest::set(request.verb(), value.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const TYPED: Rules = Rules {
        dangerous: false,
        origin: Origin::Input,
    };
    const ARGUMENT: Rules = Rules {
        dangerous: false,
        origin: Origin::Arguments,
    };

    fn sent(text: &str) -> String {
        let request = parse(text, TYPED).unwrap();
        String::from_utf8(request.emit(Terminator::None).to_vec()).unwrap()
    }

    #[test]
    fn commands_are_given_with_or_without_the_prefix() {
        for (typed, on_the_wire) in [
            ("MID", "AT+MID"),
            ("at+mid", "AT+MID"),
            ("  AT+wmode=Sta", "AT+WMODE=Sta"),
            ("AT", "AT+"),
            ("at+", "AT+"),
            ("", "AT+"),
            ("WSSSID=a=b, c ", "AT+WSSSID=a=b, c "),
            (
                "YZSWITCH=1,ON,201410292146",
                "AT+YZSWITCH=1,ON,201410292146",
            ),
            ("ATX", "AT+ATX"),
        ] {
            assert_eq!(sent(typed), on_the_wire, "{typed:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_command_is_refused() {
        let long = format!("WSSSID={}", "x".repeat(256));
        for text in [
            "MID?",
            "VER\rAT+RELD",
            "VER\nRELD",
            "W\0",
            "=1",
            "+ok",
            "a b",
            "WSSSÏD=1",
            &long,
        ] {
            assert_eq!(
                parse(text, TYPED).unwrap_err().kind(),
                Kind::Usage,
                "{text:?}"
            );
        }
    }

    #[test]
    fn dangerous_verbs_need_the_flag() {
        for text in [
            "RELD",
            "at+reld",
            " AT+RELD ",
            "UPURL=http://x",
            "CFGTF",
            "FCLR",
            "NETP=TCP,Client,1,x",
            "WSMAC=8888,ACCF23000000",
        ] {
            let failure = parse(text, TYPED).unwrap_err();
            assert_eq!(failure.kind(), Kind::Usage, "{text:?}");
            assert!(failure.hint_text().unwrap().contains("--dangerous"));
            assert!(
                parse(
                    text,
                    Rules {
                        dangerous: true,
                        ..TYPED
                    }
                )
                .is_ok()
            );
        }
        for text in ["NETP", "WSMAC", "Z", "WMODE=AP"] {
            assert!(parse(text, TYPED).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn keys_are_not_taken_from_the_command_line() {
        for text in [
            "WSKEY=WPA2PSK,AES,correct horse",
            "AT+WAKEY=WPA2PSK,AES,12345678",
            "wskey=secret99",
            "WEBU=admin,secret99",
            "ASWD=secret99",
            "WSKEYY=WPA2PSK,AES,secret99",
        ] {
            let failure = parse(text, ARGUMENT).unwrap_err();
            assert_eq!(failure.kind(), Kind::Usage, "{text:?}");
            assert!(!failure.to_string().contains("secret99"));
            assert!(parse(text, TYPED).is_ok());
        }
        for text in [
            "WSKEY",
            "WSKEY=OPEN,NONE",
            "WAKEY=OPEN,NONE,",
            "WSSSID=home",
        ] {
            assert!(parse(text, ARGUMENT).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_masked_line_of_the_history_asks_for_its_secret() {
        for (text, filled) in [
            ("WSKEY=WPA2PSK,AES,***", "AT+WSKEY=WPA2PSK,AES,new key"),
            ("WAKEY=WPA2PSK,AES,?", "AT+WAKEY=WPA2PSK,AES,new key"),
            ("ASWD=***", "AT+ASWD=new key"),
        ] {
            let request = read(text).unwrap();
            assert!(missing_secret(&request).is_some());
            let request = with_secret(&request, "new key");
            assert_eq!(request.emit(Terminator::None).as_slice(), filled.as_bytes());
        }
        for text in [
            "WSKEY",
            "WSKEY=OPEN,NONE",
            "WSKEY=WPA2PSK,AES,what?",
            "WSSSID=?",
        ] {
            assert_eq!(missing_secret(&read(text).unwrap()), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_never_sends_two_lines(text: String) {
            if let Ok(request) = read(&text) {
                let bytes = request.emit(Terminator::Cr);
                let ends = bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n' | 0)).count();
                proptest::prop_assert_eq!(ends, 1);
                let _ = missing_secret(&request);
            }
        }
    }
}

//! Parsing of typed commands, and refusal of those that must not be sent.

use hiflying::at::{MAX_COMMAND, masked_value};
use hiflying::verb;
use hiflying::{AtRequest, Terminator};

use crate::error::Failure;

/// Source of a command. All users of the machine can read the command line of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOrigin {
    /// An argument of the process.
    Arguments,
    /// A line of input.
    Input,
}

/// Rules for the commands of one run.
#[derive(Debug, Clone, Copy)]
pub struct CommandRules {
    /// True with `--dangerous`.
    pub dangerous: bool,
    /// Source of the commands.
    pub origin: CommandOrigin,
}

/// Parses one command, with or without `AT+`, and refuses it if it must not be sent.
///
/// No message repeats the value, because it may be a key.
pub fn parse(text: &str, rules: CommandRules) -> Result<AtRequest, Failure> {
    let request = parse_grammar(text)?;
    refuse_danger(&request, rules)?;
    let has_secret = holds_secret(&request) && missing_secret(&request).is_none();
    if rules.origin == CommandOrigin::Arguments && has_secret {
        return Err(Failure::usage(format!(
            "AT+{} with a key or password is not accepted on the command line, where all users of this machine can read it",
            request.verb()
        ))
        .hint("pass `-` as the command and the line on standard input, or leave out the command and type it"));
    }
    Ok(request)
}

/// Parses one command by the grammar alone.
pub fn parse_grammar(text: &str) -> Result<AtRequest, Failure> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(Failure::usage("a command must be one line without NUL"));
    }
    let text = text.trim_start();
    let bare = strip_prefix(text);
    let verb = bare
        .split_once('=')
        .map_or(bare, |(verb, _)| verb)
        .trim_end();
    if let Some(asked) = verb.strip_suffix('?') {
        return Err(
            Failure::usage(format!("no `?` form; {asked:?} alone is the query"))
                .hint(format!("send `AT+{}`", asked.to_ascii_uppercase())),
        );
    }
    if !verb
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return Err(Failure::usage(format!("invalid verb {verb:?}"))
            .hint("a command is VERB or VERB=VALUE, for example MID or AT+WMODE=STA"));
    }
    if verb.is_empty() && bare.contains('=') {
        return Err(Failure::usage("the verb before the `=` is missing"));
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

/// Strips `AT+`; `AT` and `AT+` alone are the null command.
fn strip_prefix(text: &str) -> &str {
    match text.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("AT+") => text.split_at(3).1,
        _ if text.trim_end().eq_ignore_ascii_case("AT") => "",
        _ => text,
    }
}

fn refuse_danger(request: &AtRequest, rules: CommandRules) -> Result<(), Failure> {
    match request.danger() {
        Some(harm) if !rules.dangerous => {
            let message = format!("AT+{} was not sent: {harm}", request.verb());
            Err(Failure::usage(message).hint("add `--dangerous` to send it all the same"))
        }
        _ => Ok(()),
    }
}

/// Tells whether the line contains a key or a password.
pub fn holds_secret(request: &AtRequest) -> bool {
    request
        .value()
        .is_some_and(|value| masked_value(request.verb(), value).as_bytes() != value)
}

/// Returns the value before a missing secret: `AT+WSKEY=WPA2PSK,AES,?`, or a line of the history, whose secrets are
/// `***`.
pub fn missing_secret(request: &AtRequest) -> Option<&[u8]> {
    let value = request.value()?;
    // The history masks what an unknown verb sets; its `?` may be a question of its own.
    let marks: &[&str] = match verb::is_secret(request.verb()) {
        true => &["***", "?"],
        false if verb::is_known(request.verb()) => &[],
        false => &["***"],
    };
    let mut marks = marks.iter();
    let start = marks.find_map(|mark| value.strip_suffix(mark.as_bytes()))?;
    (start.is_empty() || start.ends_with(b",")).then_some(start)
}

/// Returns the request with the secret after `start`, the result of [`missing_secret`].
pub fn with_secret(request: &AtRequest, start: &[u8], secret: &str) -> AtRequest {
    let mut value = zeroize::Zeroizing::new(Vec::with_capacity(start.len() + secret.len()));
    value.extend_from_slice(start);
    value.extend_from_slice(secret.as_bytes());
    AtRequest::set(request.verb(), value.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const TYPED: CommandRules = CommandRules {
        dangerous: false,
        origin: CommandOrigin::Input,
    };
    const ARGUMENT: CommandRules = CommandRules {
        dangerous: false,
        origin: CommandOrigin::Arguments,
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
    fn invalid_commands_are_refused() {
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
                    CommandRules {
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
            "SMTLKKEY=secret99",
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
            // These ask for it.
            "WSKEY=WPA2PSK,AES,?",
            "WEBU=?",
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
            ("SMTLKKEY=?", "AT+SMTLKKEY=new key"),
            ("OEM=***", "AT+OEM=new key"),
        ] {
            let request = parse_grammar(text).unwrap();
            let start = missing_secret(&request).unwrap();
            let request = with_secret(&request, start, "new key");
            assert_eq!(request.emit(Terminator::None).as_slice(), filled.as_bytes());
        }
        for text in [
            "WSKEY",
            "WSKEY=OPEN,NONE",
            "WSKEY=WPA2PSK,AES,what?",
            "WSSSID=?",
            "WSSSID=***",
            "OEM=?",
        ] {
            assert_eq!(
                missing_secret(&parse_grammar(text).unwrap()),
                None,
                "{text:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_never_sends_two_lines(text: String) {
            if let Ok(request) = parse_grammar(&text) {
                let bytes = request.emit(Terminator::Cr);
                let ends = bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n' | 0)).count();
                proptest::prop_assert_eq!(ends, 1);
                let _ = missing_secret(&request);
            }
        }
    }
}

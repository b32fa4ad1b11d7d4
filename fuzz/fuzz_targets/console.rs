//! Arbitrary lines at the AT console: no panic, and no value of an unknown verb or of a key is shown.
#![no_main]

use hiflying::{AtReply, verb};
use libfuzzer_sys::fuzz_target;
use mains::console::line;

/// A secret that stands in no verb and no sentence.
const SECRET: &str = "hunter22";

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(request) = line::parse_grammar(text) else {
        return;
    };
    let _ = (line::holds_secret(&request), request.masked());
    if let Some(start) = line::missing_secret(&request) {
        let whole = line::with_secret(&request, start, SECRET);
        assert!(!whole.masked().contains(SECRET), "{}", whole.masked());
        // What a verb that nobody knows sets is only masked, in case that it is one.
        let is_known = !verb::is_secret(request.verb()) || line::holds_secret(&whole);
        assert!(is_known, "{}", whole.masked());
    }
    let name = request.verb().to_string();
    if ["KEY", "PW", "PASS"].iter().any(|part| name.to_ascii_uppercase().contains(part)) {
        if let Ok(set) = line::parse_grammar(&format!("AT+{name}={SECRET}")) {
            assert!(!set.masked().contains(SECRET), "{}", set.masked());
        }
        let reply = format!("+ok={SECRET}\r\n\r\n");
        let masked = AtReply::parse(reply.as_bytes()).masked(&name);
        assert!(!masked.contains(SECRET), "{name}: {masked}");
    }
});

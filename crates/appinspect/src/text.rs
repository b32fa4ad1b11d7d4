//! Telling values in one string.

use std::net::Ipv4Addr;

use crate::finding::FindingKind;
use crate::known::KnownProtocol;

/// Origin of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// A whole constant or value, as its author wrote it.
    Constant,
    /// A run of printable characters, which may begin and end with something else.
    Run,
}

/// Top-level domains of host names. Without a list, every dotted name of a class or file would be one.
const TOP_DOMAINS: [&str; 64] = [
    "ai", "app", "at", "au", "be", "biz", "br", "ca", "cc", "ch", "cloud", "club", "cn", "co",
    "com", "cz", "de", "dev", "dk", "edu", "es", "eu", "fi", "fr", "gov", "hk", "hu", "in", "info",
    "io", "it", "jp", "kr", "lan", "link", "live", "local", "me", "mobi", "name", "net", "nl",
    "no", "nz", "online", "org", "pl", "pro", "pt", "ru", "se", "sg", "shop", "site", "tech",
    "top", "tv", "tw", "uk", "us", "vip", "wang", "xin", "xyz",
];

/// First labels of names of packages and files rather than hosts.
const PACKAGE_LABELS: [&str; 12] = [
    "android", "androidx", "cn", "com", "de", "io", "java", "javax", "kotlin", "me", "net", "org",
];

/// Schemes of URLs.
const SCHEMES: [&str; 10] = [
    "http", "https", "ws", "wss", "mqtt", "mqtts", "tcp", "udp", "ssl", "ftp",
];

/// Parts of unknown discovery words.
const WORD_STEMS: [&str; 7] = [
    "ASSIS", "SCAN", "READ", "FIND", "SEARCH", "DISCOVER", "LINK_WI",
];

/// Maximum length of an AT command, with what its author put into it to be replaced.
const MAX_COMMAND: usize = 300;

/// Maximum length of a discovery word that `AT+ASWD` can set.
const MAX_WORD: usize = 20;

/// Reports every telling value of a text.
pub(crate) fn classify(
    text: &str,
    kind: TextKind,
    known: &KnownProtocol,
    found: &mut dyn FnMut(FindingKind, &str),
) {
    let whole = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if whole.len() < 3 {
        return;
    }
    if is_discovery_word(whole, known) {
        found(FindingKind::DiscoveryWord, whole);
        return;
    }
    if let Ok(port) = whole.parse::<u16>() {
        if known.ports.contains(&port) {
            found(FindingKind::Port, whole);
        }
        return;
    }
    at_commands(text, kind, found);
    if text.contains("://") {
        urls(text, found);
    }
    if text.contains('.') {
        for token in tokens(text, whole, kind) {
            endpoint(token, found);
        }
    }
}

fn is_discovery_word(whole: &str, known: &KnownProtocol) -> bool {
    if known
        .words
        .iter()
        .any(|word| word.eq_ignore_ascii_case(whole))
    {
        return true;
    }
    let is_allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    (8..=MAX_WORD).contains(&whole.len())
        && whole.contains('-')
        && whole.chars().all(is_allowed)
        && WORD_STEMS.iter().any(|stem| whole.contains(stem))
}

/// Finds `AT+VERB…` up to the end of the line; the bare `AT+`, to which a verb is added, only as a whole constant.
fn at_commands(text: &str, kind: TextKind, found: &mut dyn FnMut(FindingKind, &str)) {
    let is_constant = kind == TextKind::Constant;
    if is_constant && matches!(text.trim(), "AT+" | "at+") {
        found(FindingKind::AtCommand, text.trim());
        return;
    }
    let Some(first) = text.as_bytes().first() else {
        return;
    };
    let lower = is_constant && *first == b'a' && text.starts_with("at+");
    let pattern = if lower { "at+" } else { "AT+" };
    for (start, _) in text.match_indices(pattern) {
        let (before, command) = text.split_at(start);
        let command = beginning(command, MAX_COMMAND);
        let follows_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '+' || c == '/');
        if follows_word {
            continue;
        }
        let is_end = |c: char| {
            // Beside other text a blank is more likely the end than part of a name.
            c.is_control() || "\"'`\\<>".contains(c) || (c == ' ' && !is_constant)
        };
        let end = command.find(is_end);
        let command = command.split_at(end.unwrap_or(command.len())).0.trim_end();
        let (_, verb) = command.split_at(pattern.len());
        let is_verb = |c: char| {
            c.is_ascii_digit()
                || c == '_'
                || (c.is_ascii_uppercase() && !lower)
                || (c.is_ascii_lowercase() && lower)
        };
        let rest = verb.trim_start_matches(is_verb);
        let has_verb =
            rest.len() < verb.len() && verb.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_ended = match rest.chars().next() {
            None | Some('=') => true,
            Some(' ' | '?' | ',' | ':' | '%' | '{') => is_constant,
            Some(_) => false,
        };
        if has_verb && is_ended {
            found(FindingKind::AtCommand, command);
        }
    }
}

/// Returns the beginning of a text, at most so many bytes.
fn beginning(text: &str, length: usize) -> &str {
    text.split_at(text.floor_char_boundary(length)).0
}

fn urls(text: &str, found: &mut dyn FnMut(FindingKind, &str)) {
    let mut end_of_last = 0;
    for (middle, separator) in text.match_indices("://") {
        if middle < end_of_last {
            continue;
        }
        let (before, after) = text.split_at(middle);
        let (_, after) = after.split_at(separator.len());
        let start = before
            .trim_end_matches(|c: char| c.is_ascii_alphanumeric())
            .len();
        let (_, scheme) = before.split_at(start);
        // In a run, a byte of something else may stand before.
        let lower = scheme.to_ascii_lowercase();
        let Some(scheme) = SCHEMES
            .iter()
            .filter(|known| lower.ends_with(**known))
            .max_by_key(|known| known.len())
        else {
            continue;
        };
        let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>\\|^".contains(c);
        let rest = after.split_at(after.find(is_end).unwrap_or(after.len())).0;
        end_of_last = text.len() - after.len() + rest.len();
        let rest = rest.trim_end_matches(['.', ',', ';', ':', ')', ']', '}', '!']);
        let (host, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !host
            .starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '[' | '%' | '{' | '$'))
        {
            continue;
        }
        let typed = before.get(middle - scheme.len()..).unwrap_or(scheme);
        found(FindingKind::Url, &format!("{typed}://{rest}"));
        if let Some((_, port)) = host.rsplit_once(':') {
            port_number(port, found);
        }
    }
}

/// Returns the parts of a text that may be an address or a host: words, or in a run only what is quoted or assigned.
fn tokens<'a>(text: &'a str, whole: &'a str, kind: TextKind) -> Vec<&'a str> {
    let is_boundary =
        |c: char| c.is_whitespace() || c.is_control() || "\"'`<>,;()[]{}|=\\".contains(c);
    if !whole.contains(is_boundary) {
        return vec![whole];
    }
    let mut tokens = Vec::new();
    let mut before = None;
    let mut start = 0;
    let ends = text.char_indices().filter(|(_, c)| is_boundary(*c));
    for (end, boundary) in ends.chain([(text.len(), '\n')]) {
        let token = text
            .get(start..end)
            .expect("boundaries are whole characters");
        let is_quoted = matches!(before, Some('"' | '\'' | '`' | '=' | '>'));
        let is_address = token.starts_with(|c: char| c.is_ascii_digit());
        if !token.is_empty() && (kind == TextKind::Constant || is_quoted || is_address) {
            tokens.push(token);
        }
        before = Some(boundary);
        start = end + boundary.len_utf8();
    }
    tokens
}

/// Reports an address or a host, with or without a port.
fn endpoint(token: &str, found: &mut dyn FnMut(FindingKind, &str)) {
    let token = token.trim_end_matches(['/', ':']);
    let (host, port) = match token.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (token, None),
    };
    let kind = if is_address(host) {
        FindingKind::Address
    } else if is_host(host) {
        FindingKind::Host
    } else {
        return;
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return;
    }
    found(kind, host);
    if let Some(port) = port {
        port_number(port, found);
    }
}

fn port_number(text: &str, found: &mut dyn FnMut(FindingKind, &str)) {
    if text.parse::<u16>().is_ok_and(|port| port > 0) {
        found(FindingKind::Port, text);
    }
}

/// Tells whether a text is an IPv4 address, or the beginning of a private one to which the rest is added.
pub(crate) fn is_address(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv4Addr>() else {
        return is_private_prefix(text);
    };
    let octets = address.octets();
    // What looks like an address may be a version or an object identifier.
    let is_version =
        octets.iter().all(|octet| *octet < 20) && octets != [1, 1, 1, 1] && octets != [8, 8, 8, 8];
    let is_mask = address.is_broadcast() || octets.first().is_some_and(|first| *first != 255);
    !address.is_unspecified() && octets.first() != Some(&0) && !is_version && is_mask
}

fn is_private_prefix(text: &str) -> bool {
    let octets: Option<Vec<u8>> = text
        .strip_suffix('.')
        .and_then(|text| text.split('.').map(|octet| octet.parse().ok()).collect());
    let Some(octets) = octets else {
        return false;
    };
    octets.len() < 4
        && (octets.starts_with(&[192, 168])
            || octets.starts_with(&[10, 10])
            || octets.starts_with(&[172, 16]))
}

fn is_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let (Some(first), Some(last)) = (labels.first(), labels.last()) else {
        return false;
    };
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_package = PACKAGE_LABELS.contains(first);
    let is_lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    labels.len() >= 2
        && text.len() >= 6
        && labels.iter().all(is_label)
        && (is_lower || labels.len() > 2)
        && first.bytes().any(|byte| byte.is_ascii_alphabetic())
        && TOP_DOMAINS.contains(&last.to_ascii_lowercase().as_str())
        && !is_package
}

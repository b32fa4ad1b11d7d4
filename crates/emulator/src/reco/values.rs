//! The values that settable verbs accept, and their spelling when they are reported.

use std::net::Ipv4Addr;

use super::behaviour::CommandBehaviour;
use crate::wskey::KeySetting;

pub(super) fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().map(str::trim)
}

/// One of some words in any case, spelt as in the list.
pub(super) fn one_of(value: &[u8], words: &[&str]) -> Option<Vec<u8>> {
    let text = text(value)?;
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(text))
        .map(|word| word.as_bytes().to_vec())
}

pub(super) fn number(value: &[u8], range: std::ops::RangeInclusive<u32>) -> Option<Vec<u8>> {
    let number = text(value)?.parse::<u32>().ok()?;
    range
        .contains(&number)
        .then(|| number.to_string().into_bytes())
}

fn addresses(text: &str) -> bool {
    text.split(',')
        .all(|field| field.trim().parse::<Ipv4Addr>().is_ok())
}

pub(super) fn mode(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let mode = one_of(value, &["AP", "STA", "APSTA"])?;
    let refused =
        (engine.exact_case && mode != value) || (engine.refuse_station_and_ap && mode == b"APSTA");
    (!refused).then_some(mode)
}

pub(super) fn ssid(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let comma = value.iter().position(|&byte| byte == b',');
    let value = match comma {
        Some(_) if engine.strict_commas => return None,
        Some(at) if engine.cut_ssid => value.get(..at)?,
        _ => value,
    };
    is_ssid(value).then(|| value.to_vec())
}

fn is_ssid(value: &[u8]) -> bool {
    (1..=32).contains(&value.len())
}

pub(super) fn station_key(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let commas = value.iter().filter(|&&byte| byte == b',').count();
    let setting = KeySetting::parse(value)?;
    let spelt = setting.emit();
    let refused =
        (engine.strict_commas && commas > 2) || (engine.exact_case && !value.starts_with(&spelt));
    let fits = setting.is_valid() || (engine.hex_key && setting.is_hex_psk());
    (fits && !refused).then(|| spelt.to_vec())
}

/// The access point takes `OPEN,NONE` or `WPA2PSK,AES` only.
pub(super) fn access_point_key(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    let spelt = station_key(value, engine)?;
    (spelt == b"OPEN,NONE" || spelt.starts_with(b"WPA2PSK,AES,")).then_some(spelt)
}

/// `DHCP`, alone or padded with addresses, or `static,<ip>,<mask>,<gateway>`.
pub(super) fn wan(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let text = text(value)?;
    let (word, rest) = text.split_once(',').unwrap_or((text, ""));
    let fits = rest.split(',').count() == 3 && addresses(rest);
    match word.to_ascii_uppercase().as_str() {
        "DHCP" if rest.is_empty() || fits => Some(b"DHCP".to_vec()),
        "STATIC" if fits => Some(format!("static,{rest}").into_bytes()),
        _ => None,
    }
}

pub(super) fn lan(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let text = text(value)?;
    (text.split(',').count() == 2 && addresses(text)).then(|| text.as_bytes().to_vec())
}

/// `on`, `off`, or `on,<first>,<last>` with the host numbers of the pool.
pub(super) fn dhcp_server(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let text = text(value)?.to_ascii_lowercase();
    let fields: Vec<&str> = text.split(',').collect();
    let fits = match *fields.as_slice() {
        ["on" | "off"] => true,
        ["on", first, last] => [first, last].iter().all(|host| host.parse::<u8>().is_ok()),
        _ => false,
    };
    fits.then(|| text.into_bytes())
}

/// `<protocol>,<ssid>,<channel>`; the SSID is what lies between the first comma and the last.
pub(super) fn access_point(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let first = value.iter().position(|&byte| byte == b',')?;
    let last = value.iter().rposition(|&byte| byte == b',')?;
    let channel = text(value.get(last + 1..)?)?.to_ascii_uppercase();
    let number = channel
        .strip_prefix("CH")
        .and_then(|number| number.parse::<u8>().ok());
    let fits = channel == "AUTO" || number.is_some_and(|number| (1..=14).contains(&number));
    let named = is_ssid(value.get(first + 1..last)?);
    (fits && named && value.starts_with(b"11")).then(|| value.to_vec())
}

/// `<TCP|UDP>,<Server|Client>,<port>,<host>`, or nothing for none; the role is reported in mixed case.
pub(super) fn socket(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    if text(value)?.is_empty() {
        return Some(Vec::new());
    }
    let fields: Vec<&str> = text(value)?.split(',').collect();
    let [protocol, role, port, host] = *fields.as_slice() else {
        return None;
    };
    let protocol = String::from_utf8(one_of(protocol.as_bytes(), &["TCP", "UDP"])?).ok()?;
    let role = String::from_utf8(one_of(role.as_bytes(), &["Server", "Client"])?).ok()?;
    let port = port.parse::<u16>().ok().filter(|&port| port > 0)?;
    (!host.is_empty()).then(|| format!("{protocol},{role},{port},{host}").into_bytes())
}

/// `TCP,<port>,<host>`, or `NONE` for none.
pub(super) fn second_socket(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let text = text(value)?;
    if text.eq_ignore_ascii_case("NONE") {
        return Some(Vec::new());
    }
    let fields: Vec<&str> = text.split(',').collect();
    let [protocol, port, host] = *fields.as_slice() else {
        return None;
    };
    let fits = one_of(protocol.as_bytes(), &["TCP", "UDP"]).is_some()
        && port.parse::<u16>().is_ok()
        && !host.is_empty();
    fits.then(|| value.to_vec())
}

/// A discovery word.
pub(super) fn word(value: &[u8], engine: &CommandBehaviour) -> Option<Vec<u8>> {
    const MAX_WORD: usize = 20;
    let length = if engine.cut_word { 17 } else { MAX_WORD };
    let kept = value.get(..length).unwrap_or(value);
    (1..=MAX_WORD).contains(&value.len()).then(|| kept.to_vec())
}

pub(super) fn uart(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let fields: Vec<&str> = text(value)?.split(',').collect();
    let [baud, bits, stop, parity, flow] = *fields.as_slice() else {
        return None;
    };
    let fits = baud
        .parse::<u32>()
        .is_ok_and(|baud| (300..=460_800).contains(&baud))
        && matches!(bits, "5" | "6" | "7" | "8")
        && matches!(stop, "1" | "2")
        && one_of(parity.as_bytes(), &["None", "Even", "Odd"]).is_some()
        && one_of(flow.as_bytes(), &["NFC", "FC"]).is_some();
    fits.then(|| value.to_vec())
}

pub(super) fn web_user(value: &[u8], _: &CommandBehaviour) -> Option<Vec<u8>> {
    let (user, password) = text(value)?.split_once(',')?;
    (!user.is_empty() && password.len() <= 32 && user.len() <= 32).then(|| value.to_vec())
}

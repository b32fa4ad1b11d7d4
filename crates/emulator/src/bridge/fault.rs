//! The catalogue of the faults of a bridge.
//!
//! Adding a fault means a switch in [`super::behaviour`], a row here and the line that reads the switch.

use super::behaviour::{BridgeBehaviour, Deviation, Mangle, Replacement, Scope};
use crate::catalogue::{Catalogue, FaultEffect, catalogue, fault_type};

fault_type! {
    /// One deviation of a bridge with its parameter, as given to `--fault`.
    ///
    /// Where the catalogue has `WHERE`, it takes `[METHOD][/RESOURCE][*TIMES]`: `GET/lights*1` is the first `GET /lights`. The
    /// resource is the path after the application key, `/` for pairing; without it all are meant.
    pub struct BridgeFault: BridgeBehaviour = CATALOGUE;
}

type Result<T> = std::result::Result<T, &'static str>;

fn deviate(quirks: &mut BridgeBehaviour, place: &str, what: Replacement) -> Result<()> {
    let scope = Scope::parse(place)?;
    quirks.deviations.push(Deviation { scope, what });
    Ok(())
}

fn mangle(quirks: &mut BridgeBehaviour, place: &str, how: Mangle) -> Result<()> {
    deviate(quirks, place, Replacement::Mangled(how))
}

fn numbered(
    quirks: &mut BridgeBehaviour,
    text: &str,
    what: fn(u32) -> Result<Replacement>,
) -> Result<()> {
    let (number, place) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let number = number
        .parse()
        .map_err(|_| "give a number, and where behind it: 901POST/lights*1")?;
    deviate(quirks, place.trim_start_matches(':'), what(number)?)
}

fn status(number: u32) -> Result<Replacement> {
    match u16::try_from(number) {
        Ok(status @ 400..=599) => Ok(Replacement::Status(status)),
        _ => Err("give a status from 400 to 599"),
    }
}

const HTML: Replacement = Replacement::Body(
    "text/html",
    "<html><head><title>Not here</title></head><body><h1>It works!</h1></body></html>",
);
const EMPTY_LIST: Replacement = Replacement::Body("application/json", "[]");
const EMPTY_OBJECT: Replacement = Replacement::Body("application/json", "{}");

use FaultEffect::{Count, Flag, Text, Time, Words};

#[rustfmt::skip]
static CATALOGUE: &Catalogue<BridgeBehaviour> = &[catalogue! {
    // Instead of a reply.
    "error=N[WHERE]" Text(|q, text| numbered(q, text, |number| Ok(Replacement::Error(number)))), "Hue error N instead of what was asked, e.g. error=901POST/lights*1";
    "status=N[WHERE]" Text(|q, text| numbered(q, text, status)), "HTTP status N instead of what was asked";
    "busy[=WHERE]" Words(|q, at| deviate(q, at, Replacement::Error(901))), "error 901, Internal error, 404";
    "key-revoked[=WHERE]" Words(|q, at| deviate(q, at, Replacement::Error(1))), "error 1, unauthorized user, also with a good key";
    "429[=WHERE]" Words(|q, at| deviate(q, at, Replacement::Status(429))), "too many requests";
    "503[=WHERE]" Words(|q, at| deviate(q, at, Replacement::Status(503))), "overloaded";
    "html[=WHERE]" Words(|q, at| deviate(q, at, HTML)), "a web page instead of JSON";
    "empty-list[=WHERE]" Words(|q, at| deviate(q, at, EMPTY_LIST)), "[] and nothing done (as hue-simulator)";
    "empty-object[=WHERE]" Words(|q, at| deviate(q, at, EMPTY_OBJECT)), "{} and nothing done";
    "redirect-elsewhere[=WHERE]" Words(|q, at| deviate(q, at, Replacement::Elsewhere)), "301 to another host";

    // The true reply, spoilt on its way.
    "half[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Half)), "half a reply, then the connection ends; the order is carried out";
    "giant[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Giant)), "16 MiB of blanks before the reply";
    "chunked[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Chunked)), "the body comes in chunks";
    "close-delimited[=WHERE]" Words(|q, at| mangle(q, at, Mangle::CloseDelimited)), "no length: the body ends with the connection";
    "lf-only[=WHERE]" Words(|q, at| mangle(q, at, Mangle::LfOnly)), "header lines end in LF";
    "charset[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Charset)), "the content type names a charset";
    "no-content-type[=WHERE]" Words(|q, at| mangle(q, at, Mangle::NoContentType)), "no content type";
    "trickle[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Trickle)), "one byte after the other";
    "hang[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Hang)), "no reply, and the connection stays open; the order is carried out";
    "silent[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Silent)), "no reply, and the connection is closed; the order is carried out";
    "garbage[=WHERE]" Words(|q, at| mangle(q, at, Mangle::Garbage)), "bytes that are no HTTP";
    "slow=D" Time(|q, d| q.slow = d), "every reply comes D late";
    "text-numbers" Flag(|q| q.text_numbers = true), "the number of an error is text (as Home Assistant's emulator)";

    // Identity and doors.
    "other-id" Flag(|q| q.other_id = true), "reports the id and MAC of another bridge";
    "told-model=TEXT" Text(|q, text| match text.len() {
        1..=32 if text.bytes().all(|byte| byte.is_ascii_graphic()) => { q.told_model = Some(text.to_owned()); Ok(()) }
        _ => Err("give 1 to 32 characters"),
    }), "another model id";
    "no-http" Flag(|q| q.no_http = true), "the HTTP port refuses connections";
    "no-https" Flag(|q| q.tls.closed = true), "the HTTPS port refuses connections";
    "no-mdns" Flag(|q| q.no_mdns = true), "is not announced by mDNS";
    "no-ssdp" Flag(|q| q.no_ssdp = true), "does not answer SSDP";
    "cert-wrong-name" Flag(|q| q.tls.wrong_name = true), "the certificate is another bridge's";
    "cert-expired" Flag(|q| q.tls.expired = true), "the certificate has expired";
    "cert-changed" Flag(|q| q.tls.changed = true), "another certificate than without this fault, with the right name";
    "cert-upper-case" Flag(|q| q.tls.upper_case = true), "the name in the certificate is in capitals";

    // Touchlink.
    "touchlink-failed" Flag(|q| q.touchlink.fails = true), "touchlink captures nothing";
    "touchlink-time=D" Time(|q, d| q.touchlink.time.0 = d), "touchlink takes D instead of 1 s (really up to 10 s)";
    "touchlink-closed" Flag(|q| q.touchlink.no_port = true), "TCP port 30000 refuses connections";
    "touchlink-silence" Flag(|q| q.touchlink.silent = true), "nothing comes after the echo of port 30000";
    "touchlink-eof" Flag(|q| q.touchlink.eof = true), "port 30000 closes after the echo";
    "touchlink-no-echo" Flag(|q| q.touchlink.no_echo = true), "port 30000 gives the result without an echo";
    "touchlink-split" Flag(|q| q.touchlink.split = true), "the result of port 30000 comes in pieces";
    "touchlink-joined" Flag(|q| q.touchlink.joined = true), "echo and result of port 30000 come at once";
    "touchlink-crlf" Flag(|q| q.touchlink.crlf = true), "lines of port 30000 end in CR LF";
    "touchlink-word=TEXT" Text(|q, text| match text.len() {
        1..=32 if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => { q.touchlink.word = Some(text.to_owned()); Ok(()) }
        _ => Err("give a word of letters and digits"),
    }), "the result of port 30000 is this word, and nothing is captured";

    // Searching, adding, deleting.
    "search-time=D" Time(|q, d| q.search.time.0 = d), "a search takes D instead of 5 s (really 40 s)";
    "search-finds-nothing" Flag(|q| q.search.finds_nothing = true), "a search finds nothing";
    "late-search" Flag(|q| q.search.late = true), "bulbs are found just before the search ends";
    "endless-search" Flag(|q| q.search.endless = true), "lastscan stays active for ever";
    "unlisted" Flag(|q| q.search.unlisted = true), "a bulb that was found is among the lights, not among the new ones";
    "capacity=N" Count(0..=63, |q, n| q.capacity = usize::try_from(n).ok()), "N lights fit in instead of 63";
    "full" Flag(|q| q.capacity = Some(0)), "no light fits in: error 203";
    "delete-orphans" Flag(|q| q.delete_orphans = true), "a deleted bulb is not reset, although it is powered";
    "dotted" Flag(|q| q.dotted = true), "a dot stands behind `deleted`";

    // The bulbs of the room; given for any bridge, it counts for all.
    "powered-for=D" Time(|q, d| q.powered_for = d), "all bulbs have been on for D already; after 30 min they take no touchlink";
    "unpowered" Flag(|q| q.unpowered = true), "all bulbs are without power until `p` is pressed";
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::check;

    #[test]
    fn the_catalogue_is_sound() {
        check(CATALOGUE, |name| match name {
            "error" | "status" => "503",
            _ => "foo",
        });
    }

    #[test]
    fn a_place_narrows_a_fault_down() {
        for text in ["error=901POST/lights*1", "error=901:POST/lights*1"] {
            let quirks = BridgeFault::together(&[text.parse().unwrap()]);
            let deviation = &quirks.deviations[0];
            assert_eq!(deviation.what, Replacement::Error(901));
            assert_eq!(deviation.scope, Scope::parse("POST/lights*1").unwrap());
        }
        for wrong in [
            "error",
            "error=",
            "error=x",
            "status=200",
            "html=*0",
            "half=GET lights",
            "full=1",
        ] {
            assert!(wrong.parse::<BridgeFault>().is_err(), "{wrong}");
        }
    }
}

//! `mains hue clip`: call a bridge by hand.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use hue::flow::{Clip, ClipTarget, check_body, clip};
use hue::net::{self, Trust};
use hue::{BridgeName, Method};

use super::bridge::{key_ring, lan, open};
use super::keys::Given;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::secret;

/// No bridge takes so much.
const LARGEST_BODY: u64 = 1 << 20;

/// Options of `mains hue clip`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A PATH without a leading slash is below /api/<key>/; one with a leading slash is sent as it is, below /clip/v2 with the key in its \
header. What the bridge answers is printed; an error in it is explained on stderr. BODY is checked before anything is sent: \
typographic quotes, as web pages and word processors make them of \", are what bridges answer \"body contains invalid json\" to.

What a bridge answers can hold keys: `config` lists the programs that it knows. Nothing of it is kept.

Examples:
  mains hue clip 192.168.1.20 get lights
  mains hue clip 192.168.1.20 put lights/7/state '{\"on\": true, \"bri\": 127}'
  mains hue clip 192.168.1.20 get /api/config
  mains hue clip 192.168.1.20 get /clip/v2/resource/device
  mains hue clip 192.168.1.20 put groups/1/action @scene.json
  jq -n '{name: \"Desk\"}' | mains hue clip 192.168.1.20 put lights/7 -

Exit codes: 0 done, 2 a path or body that cannot be sent, or not paired, 3 no such bridge, 4 no answer, 5 an error of the bridge \
(stdout carries its answer all the same), 6 an answer that is not JSON, or an empty list where something was to change.")]
pub(super) struct HueClipArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// get, put, post or delete
    #[arg(value_name = "METHOD")]
    method: Method,
    /// What about, e.g. lights/7/state
    #[arg(value_name = "PATH")]
    path: String,
    /// JSON that goes with it; @FILE from a file, - from standard input
    #[arg(value_name = "BODY", allow_hyphen_values = true)]
    body: Option<OsString>,
}

/// Makes the call and prints what the bridge says to it.
pub(super) async fn run(context: &Context, args: HueClipArgs, given: &Given) -> Outcome {
    let target = ClipTarget::read(&args.path)?;
    let body = match args.body {
        Some(body) => Some(secret::aside(move || read(body)).await?),
        None => None,
    };
    let body = body.as_deref();
    // What is wrong with the body is said before the bridge is looked for.
    check_body(args.method, body)?;
    let told = if is_open(&args.path) {
        let (lan, ring) = (lan(context)?, key_ring(context)?);
        let connection = net::reach(&lan, &ring, &args.bridge, &Trust::default()).await?;
        // Not sent, but not to be shown either: a person can have typed it anywhere.
        let own = given.key(&context.ui).await.unwrap_or_default();
        let kept = connection.kept_in(&ring).unwrap_or_default();
        let key = own.or(kept.map(|entry| entry.key));
        clip(&connection.bridge(key), args.method, &target, body).await?
    } else {
        let opened = open(context, &args.bridge, given).await?;
        clip(&opened.bridge(), args.method, &target, body).await?
    };
    conclude(context, told)
}

/// Tells whether a path is sent as it is, with no key of ours anywhere.
fn is_open(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("/clip/")
}

fn conclude(context: &Context, told: Clip) -> Outcome {
    let ui = &context.ui;
    let text = laid_out(&told.body, ui.is_json())
        .map_err(|error| Failure::failed("the answer cannot be printed").caused_by(&error))?;
    ui.data_raw(&text)?;
    let Some(problem) = told.problem else {
        return Ok(Exit::DONE);
    };
    let failure = Failure::from(problem);
    ui.error(&failure);
    Ok(Exit::with(failure.kind()))
}

/// The bridge's own JSON in its own order: one line for a program, laid out for a person.
fn laid_out(body: &[u8], in_one_line: bool) -> Result<String, serde_json::Error> {
    let mut from = serde_json::Deserializer::from_slice(body);
    let mut text = Vec::with_capacity(body.len());
    if in_one_line {
        serde_transcode::transcode(&mut from, &mut serde_json::Serializer::new(&mut text))?;
    } else {
        serde_transcode::transcode(&mut from, &mut serde_json::Serializer::pretty(&mut text))?;
    }
    from.end()?;
    text.push(b'\n');
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Reads the body: from standard input, from a file, or as it stands.
fn read(body: OsString) -> Result<Vec<u8>, Failure> {
    match body.as_bytes() {
        b"-" => read_from(&mut io::stdin().lock(), "standard input"),
        [b'@', name @ ..] => {
            let name = Path::new(std::ffi::OsStr::from_bytes(name));
            let what = name.display().to_string();
            let mut file = File::open(name).map_err(|error| unreadable(&what, &error))?;
            read_from(&mut file, &what)
        }
        _ => Ok(body.into_vec()),
    }
}

fn read_from(stream: &mut dyn Read, what: &str) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    stream
        .take(LARGEST_BODY + 1)
        .read_to_end(&mut body)
        .map_err(|error| unreadable(what, &error))?;
    match u64::try_from(body.len()) {
        Ok(length) if length <= LARGEST_BODY => Ok(body),
        _ => Err(Failure::usage(format!("{what} is too large for a body"))),
    }
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::usage(format!("{what} cannot be read")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_its_order() {
        let body = br#"{"b":1, "a":{"c":[1.5,"\u00e4"]}}"#;
        assert_eq!(
            laid_out(body, true).unwrap(),
            "{\"b\":1,\"a\":{\"c\":[1.5,\"\u{e4}\"]}}\n"
        );
        assert!(
            laid_out(body, false)
                .unwrap()
                .starts_with("{\n  \"b\": 1,\n")
        );
        assert!(laid_out(b"[1] 2", true).is_err());
    }

    #[test]
    fn a_body_from_a_file_is_bounded() {
        let giant = vec![b' '; (1 << 20) + 1];
        let failure = read_from(&mut giant.as_slice(), "it").unwrap_err();
        assert!(failure.message().contains("too large"), "{failure}");
        assert_eq!(read_from(&mut &giant[1..], "it").unwrap().len(), 1 << 20);
        assert_eq!(read("{}".into()).unwrap(), b"{}");
        assert!(read("@/nowhere/at/all".into()).is_err());
    }
}

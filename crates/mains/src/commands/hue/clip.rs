//! `mains hue clip`: send a request to a bridge.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clap_lex::OsStrExt as _;
use hue::flow::{ClipReply, ClipTarget, check_body, clip};
use hue::net::{self, CertificateTrust};
use hue::{BridgeName, Method};

use super::bridge::{key_ring, network, open};
use super::keys::GivenKey;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::secret;

/// Maximum size of a body.
const MAX_BODY: u64 = 1 << 20;

/// Options of `mains hue clip`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A PATH without a leading slash is below /api/<key>/; one with a leading slash is sent unchanged, below /clip/v2 with the key in its \
header. The bridge's reply is printed; an error in it is explained on stderr. BODY is checked before anything is sent: web pages \
and word processors turn \" into typographic quotes, to which bridges reply \"body contains invalid json\".

A reply can contain keys: `config` lists the paired programs. Nothing of it is saved.

Examples:
  mains hue clip 192.168.1.20 get lights
  mains hue clip 192.168.1.20 put lights/7/state '{\"on\": true, \"bri\": 127}'
  mains hue clip 192.168.1.20 get /api/config
  mains hue clip 192.168.1.20 get /clip/v2/resource/device
  mains hue clip 192.168.1.20 put groups/1/action @scene.json
  jq -n '{name: \"Desk\"}' | mains hue clip 192.168.1.20 put lights/7 -

Exit codes: 0 done, 2 a path or body that cannot be sent, or not paired, 3 no such bridge, 4 no reply, 5 an error of the bridge \
(its reply is printed all the same), 6 a reply that is not JSON, or an empty list in reply to a change.")]
pub(super) struct HueClipArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// get, put, post or delete
    #[arg(value_name = "METHOD")]
    method: Method,
    /// Path of the resource, e.g. lights/7/state
    #[arg(value_name = "PATH")]
    path: String,
    /// JSON body; @FILE reads it from a file, - from standard input
    #[arg(value_name = "BODY", allow_hyphen_values = true)]
    body: Option<OsString>,
}

/// Sends the request and prints the reply.
pub(super) async fn run(context: &Context, args: HueClipArgs, given: &GivenKey) -> Outcome {
    let target = ClipTarget::parse(&args.path)?;
    let body = match args.body {
        Some(body) => Some(secret::aside(move || read(body)).await?),
        None => None,
    };
    let body = body.as_deref();
    // A wrong body is reported before the bridge is contacted.
    check_body(args.method, body)?;
    let reply = if is_public(&args.path) {
        let (network, ring) = (network(context)?, key_ring(context)?);
        let trust = CertificateTrust::default();
        let connection = net::connect(&network, &ring, &args.bridge, &trust).await?;
        // The key is not sent, only masked in errors, because it may have been typed into the path. Without one there is nothing to
        // mask, so a key that cannot be read does not matter.
        let given = given.key(&context.ui).await.unwrap_or(None);
        let paired = connection.paired_bridge(&ring).unwrap_or(None);
        let key = given.or(paired.map(|bridge| bridge.key));
        clip(&connection.client(key), args.method, &target, body).await?
    } else {
        let opened = open(context, &args.bridge, given).await?;
        clip(&opened.client(), args.method, &target, body).await?
    };
    conclude(context, reply)
}

/// Tells whether a path is sent unchanged and without a key.
fn is_public(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("/clip/")
}

fn conclude(context: &Context, reply: ClipReply) -> Outcome {
    let ui = &context.ui;
    let text = lay_out(&reply.body, ui.is_json())?;
    ui.data_raw(&text)?;
    let Some(problem) = reply.problem else {
        return Ok(Exit::DONE);
    };
    let failure = Failure::from(problem);
    ui.error(&failure);
    Ok(Exit::with(failure.kind()))
}

/// Formats the bridge's JSON without reordering it: on one line for programs, indented for people.
fn lay_out(body: &[u8], in_one_line: bool) -> Result<String, Failure> {
    let laid_out = transcode(body, in_one_line);
    laid_out.map_err(|error| {
        Failure::new(Kind::BadAnswer, "the bridge's reply cannot be printed").caused_by(&error)
    })
}

fn transcode(body: &[u8], in_one_line: bool) -> Result<String, serde_json::Error> {
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

/// Reads the body from standard input, from a file, or from the argument itself.
fn read(body: OsString) -> Result<Vec<u8>, Failure> {
    match body.strip_prefix("@") {
        _ if body == "-" => read_from(&mut io::stdin().lock(), "standard input"),
        Some(name) => {
            let name = Path::new(name);
            let what = name.display().to_string();
            let mut file = File::open(name).map_err(|error| unreadable(&what, &error))?;
            read_from(&mut file, &what)
        }
        None => Ok(body.into_encoded_bytes()),
    }
}

fn read_from(stream: &mut dyn Read, what: &str) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    stream
        .take(MAX_BODY + 1)
        .read_to_end(&mut body)
        .map_err(|error| unreadable(what, &error))?;
    match u64::try_from(body.len()) {
        Ok(length) if length <= MAX_BODY => Ok(body),
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
            lay_out(body, true).unwrap(),
            "{\"b\":1,\"a\":{\"c\":[1.5,\"\u{e4}\"]}}\n"
        );
        assert!(
            lay_out(body, false)
                .unwrap()
                .starts_with("{\n  \"b\": 1,\n")
        );
        assert!(lay_out(b"[1] 2", true).is_err());
        let deep = ["[".repeat(129), "]".repeat(129)].concat();
        let failure = lay_out(deep.as_bytes(), true).unwrap_err();
        assert_eq!(failure.kind(), Kind::BadAnswer);
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

//! From an address to a [`Connection`]: which way answers, which bridge it is, and whether its certificate is its own.

use super::Lan;
use super::certificate::{Accept, Known, Policy, Trust};
use super::connection::Connection;
use super::line::Line;
use crate::address::{Address, Scheme};
use crate::call::Call;
use crate::error::{CertificateProblem, HueError, Silence};
use crate::identity::{BridgeId, Identity, Model, NotABridge};
use crate::keyring::Entry;

/// What every bridge tells everybody; the second is for software that takes the first for a key.
const PUBLIC: [&str; 2] = ["/api/config", "/api/nouser/config"];
/// Where the oldest firmware tells its MAC.
const DESCRIPTION: &str = "/description.xml";

/// Connects to the bridge at an address.
pub(super) async fn connect(
    lan: &Lan,
    address: &Address,
    expected: Option<&BridgeId>,
    entries: &[Entry],
    trust: &Trust,
) -> Result<Connection, HueError> {
    let policy = Policy {
        roots: lan.roots.clone(),
        expected: expected.cloned(),
        known: entries.iter().map(Known::of).collect(),
        trust: trust.clone(),
    };
    let (line, identity) = match reach(lan, address, Some(&policy)).await {
        Err(error) if is_unknown(&error) => return Err(worse(lan, address, policy, error).await),
        reached => reached?,
    };
    let identity = admit(&line, identity, &policy, address)?;
    Connection::new(lan, &line, identity)
}

fn is_unknown(error: &HueError) -> bool {
    let HueError::Certificate { problem, .. } = error else {
        return false;
    };
    matches!(problem, CertificateProblem::Unknown { .. })
}

/// Looks at what a bridge says of itself before a person is asked about its certificate: nobody is to agree to one that is for
/// another bridge. Returns what is wrong, and that is `unknown` when it is nothing else.
async fn worse(lan: &Lan, address: &Address, policy: Policy, unknown: HueError) -> HueError {
    let trust = Trust {
        accept: Accept::Any,
        ..policy.trust
    };
    let policy = Policy { trust, ..policy };
    let admitted = match reach(lan, address, Some(&policy)).await {
        Ok((line, identity)) => admit(&line, identity, &policy, address).map(drop),
        Err(_) => Ok(()),
    };
    admitted.err().unwrap_or(unknown)
}

/// Asks whoever is at an address which bridge it is. No certificate is judged, so nothing secret may follow.
pub(super) async fn look(lan: &Lan, address: &Address) -> Result<(Address, Identity), HueError> {
    let (line, identity) = reach(lan, address, None).await?;
    Ok((line.address(), identity))
}

/// Finds the way on which a bridge answers.
///
/// Without a scheme HTTPS is tried first. The round bridge refuses 443, the newest sends from 80 to 443 or refuses it.
async fn reach(
    lan: &Lan,
    address: &Address,
    policy: Option<&Policy>,
) -> Result<(Line, Identity), HueError> {
    let secure = || async {
        let line = Line::secure(address, policy.cloned(), lan.bounds)?;
        identify(line).await
    };
    match address.scheme {
        Some(Scheme::Https) => secure().await,
        Some(Scheme::Http) => match plain(lan, address, policy).await {
            Err(HueError::NoAnswer {
                how: Silence::Refused,
                ..
            }) if address.port.is_none() => secure().await,
            done => done,
        },
        None => match secure().await {
            Err(first) if may_be_plain(&first) => {
                let second = plain(lan, address, policy).await;
                second.map_err(|second| match second {
                    HueError::NoAnswer { .. } => first,
                    second => second,
                })
            }
            done => done,
        },
    }
}

/// Tells whether what came of HTTPS leaves the hope that HTTP is spoken. A certificate that is wrong does not.
fn may_be_plain(error: &HueError) -> bool {
    matches!(
        error,
        HueError::NoAnswer { .. } | HueError::NotABridge { .. }
    )
}

async fn plain(
    lan: &Lan,
    address: &Address,
    policy: Option<&Policy>,
) -> Result<(Line, Identity), HueError> {
    let line = Line::plain(address, lan.bounds);
    let location = match ask(&line).await? {
        Said::Bridge(identity) => return Ok((line, identity)),
        Said::Elsewhere(location) => location,
    };
    let target = location.and_then(|location| same_host(address, &location));
    let target = target.ok_or_else(|| sends_away(address))?;
    identify(Line::secure(&target, policy.cloned(), lan.bounds)?).await
}

fn sends_away(address: &Address) -> HueError {
    HueError::NotABridge {
        at: address.to_string(),
        problem: NotABridge("it sends us to another host".to_owned()),
    }
}

/// Returns where a redirection leads if that is the same host over HTTPS.
pub(super) fn same_host(address: &Address, location: &str) -> Option<Address> {
    let (scheme, rest) = location.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let target: Address = format!("{scheme}://{authority}").parse().ok()?;
    let is_same = target.scheme == Some(Scheme::Https) && target.host == address.host;
    is_same.then_some(target)
}

async fn identify(line: Line) -> Result<(Line, Identity), HueError> {
    match ask(&line).await? {
        Said::Bridge(identity) => Ok((line, identity)),
        Said::Elsewhere(_) => Err(sends_away(&line.address())),
    }
}

/// What somebody says who is asked which bridge it is.
enum Said {
    Bridge(Identity),
    /// Ask there, if at all.
    Elsewhere(Option<String>),
}

async fn ask(line: &Line) -> Result<Said, HueError> {
    let address = line.address();
    let mut first = None;
    for path in PUBLIC {
        let called = line.call(&Call::open(path), None).await;
        let reply = called.map_err(|trouble| trouble.at(&address))?;
        let parsed = match reply.answer.status {
            200 => Identity::parse(&reply.answer.body),
            301 | 302 | 307 | 308 => return Ok(Said::Elsewhere(reply.location)),
            status @ (429 | 503) => {
                let at = address.to_string();
                return Err(HueError::Busy { at, status });
            }
            status => Err(NotABridge(format!("it answers with status {status}"))),
        };
        match parsed {
            Ok(mut identity) => {
                if identity.id.is_none() {
                    identity.id = described(line).await;
                }
                return Ok(Said::Bridge(identity));
            }
            Err(problem) => {
                first.get_or_insert(problem);
            }
        }
    }
    Err(HueError::NotABridge {
        at: address.to_string(),
        problem: first.unwrap_or_else(|| NotABridge("it says nothing".to_owned())),
    })
}

/// Reads the id of a bridge with the oldest firmware out of the description that it gives to other devices.
async fn described(line: &Line) -> Option<BridgeId> {
    let reply = line.call(&Call::open(DESCRIPTION), None).await.ok()?;
    serial_number(&String::from_utf8_lossy(&reply.answer.body))
}

fn serial_number(description: &str) -> Option<BridgeId> {
    let (_, rest) = description.split_once("<serialNumber>")?;
    let (serial, _) = rest.split_once("</serialNumber>")?;
    BridgeId::from_mac(serial)
}

/// Lets a bridge in that is the one that is meant, and that shows a certificate where it has one.
fn admit(
    line: &Line,
    mut identity: Identity,
    policy: &Policy,
    asked: &Address,
) -> Result<Identity, HueError> {
    let at = line.address().to_string();
    if let Some((certified, _)) = line.verdict() {
        // Old firmware does not say who it is; its certificate does.
        let id = identity.id.get_or_insert_with(|| certified.clone());
        if *id != certified {
            let problem = CertificateProblem::WrongName {
                found: certified.to_string(),
            };
            return Err(HueError::Certificate { at, problem });
        }
    }
    match (&policy.expected, &identity.id) {
        (Some(expected), Some(found)) if expected != found => {
            return Err(HueError::OtherBridge {
                at,
                found: found.clone(),
                expected: expected.clone(),
            });
        }
        (Some(expected), None) => return Err(HueError::NoSuchBridge(expected.clone())),
        _ => {}
    }
    if line.scheme == Scheme::Http && is_missing_certificate(&identity, policy, asked) {
        let problem = CertificateProblem::Missing;
        return Err(HueError::Certificate { at, problem });
    }
    Ok(identity)
}

/// Tells whether a bridge that answers in the clear ought to show a certificate: it had one before, or its model has one.
fn is_missing_certificate(identity: &Identity, policy: &Policy, asked: &Address) -> bool {
    let known = policy
        .known
        .iter()
        .find(|known| Some(&known.id) == identity.id.as_ref());
    if known.is_some_and(|known| known.root_signed) {
        return true;
    }
    let is_known = known.is_some_and(Known::has_certificate);
    match asked.scheme {
        // To pair again without a certificate takes a person's explicit word.
        Some(Scheme::Http) => is_known && !policy.trust.pairing,
        // Who names the port has chosen what is spoken there.
        None if asked.port.is_some() => is_known,
        _ => is_known || matches!(identity.model, Model::Square | Model::Pro),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &[u8] =
        br#"{"swversion":"1943185030","bridgeid":"001788FFFE010203","modelid":"BSB002"}"#;

    /// Whether the square bridge, never seen before, is refused in the clear.
    fn is_refused(address: &str) -> bool {
        let policy = Policy {
            roots: super::super::Roots::default(),
            expected: None,
            known: Vec::new(),
            trust: Trust::default(),
        };
        let identity = Identity::parse(SQUARE).unwrap();
        is_missing_certificate(&identity, &policy, &address.parse().unwrap())
    }

    #[test]
    fn nobody_chooses_plain_http_by_leaving_something_out() {
        assert!(is_refused("192.0.2.10"));
        assert!(is_refused("https://192.0.2.10:8443"));
        assert!(!is_refused("192.0.2.10:8080"));
        assert!(!is_refused("http://192.0.2.10"));
    }
}

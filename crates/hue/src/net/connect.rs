//! From an address to a [`BridgeConnection`]: finds the endpoint that replies, identifies the bridge and verifies its certificate.

use super::certificate::{
    AcceptCertificate, CertificatePolicy, CertificateTrust, KnownCertificate,
};
use super::config::NetworkConfig;
use super::connection::BridgeConnection;
use super::endpoint::HueEndpoint;
use crate::address::{Address, Scheme};
use crate::error::{CertificateProblem, HueError, HueNoReplyReason};
use crate::identity::{BridgeId, BridgeIdentity, HueModel, NotABridge};
use crate::keyring::PairedBridge;
use crate::request::HueRequest;

/// The path that every bridge answers without a key.
const CONFIG: &str = "/api/config";
/// The same for emulators that take `config` for a key.
const CONFIG_OF_EMULATORS: &str = "/api/nouser/config";
/// The path where the oldest firmware reports its MAC.
const DESCRIPTION: &str = "/description.xml";

/// Connects to the bridge at an address.
pub(super) async fn connect_to(
    network: &NetworkConfig,
    address: &Address,
    expected: Option<&BridgeId>,
    paired: &[PairedBridge],
    trust: &CertificateTrust,
) -> Result<BridgeConnection, HueError> {
    let policy = CertificatePolicy {
        roots: network.roots.clone(),
        expected: expected.cloned(),
        known: paired.iter().map(KnownCertificate::new).collect(),
        trust: trust.clone(),
    };
    let (endpoint, identity) = match identify(network, address, Some(&policy)).await {
        Err(error) if is_unknown_certificate(&error) => {
            return Err(more_serious(network, address, policy)
                .await
                .unwrap_or(error));
        }
        result => result?,
    };
    let identity = verify_identity(&endpoint, identity, &policy, address)?;
    Ok(BridgeConnection::new(network, &endpoint, identity))
}

fn is_unknown_certificate(error: &HueError) -> bool {
    let HueError::Certificate { problem, .. } = error else {
        return false;
    };
    matches!(problem, CertificateProblem::Unknown { .. })
}

/// Returns the problem with the bridge that rules out its unknown certificate: a person must not be asked to accept one that is for
/// another bridge than the one that replies.
async fn more_serious(
    network: &NetworkConfig,
    address: &Address,
    mut policy: CertificatePolicy,
) -> Option<HueError> {
    policy.trust.accept = AcceptCertificate::Any;
    let (endpoint, identity) = identify(network, address, Some(&policy)).await.ok()?;
    verify_identity(&endpoint, identity, &policy, address).err()
}

/// Identifies the bridge at an address without verifying its certificate, so nothing secret may be sent to it.
pub(super) async fn identify_unverified(
    network: &NetworkConfig,
    address: &Address,
) -> Result<(Address, BridgeIdentity), HueError> {
    let (endpoint, identity) = identify(network, address, None).await?;
    Ok((endpoint.address(), identity))
}

/// Finds the endpoint at which a bridge replies.
///
/// Without a scheme HTTPS is tried first. The round bridge refuses port 443; the newest redirects from port 80 to 443 or refuses it.
async fn identify(
    network: &NetworkConfig,
    address: &Address,
    policy: Option<&CertificatePolicy>,
) -> Result<(HueEndpoint, BridgeIdentity), HueError> {
    match address.scheme {
        Some(Scheme::Https) => identify_secure(network, address, policy).await,
        Some(Scheme::Http) => match identify_plain(network, address, policy).await {
            Err(HueError::NoReply {
                reason: HueNoReplyReason::Refused,
                ..
            }) if address.port.is_none() => identify_secure(network, address, policy).await,
            result => result,
        },
        None => match identify_secure(network, address, policy).await {
            // A wrong certificate rules out plain HTTP.
            Err(first @ (HueError::NoReply { .. } | HueError::NotABridge { .. })) => {
                match identify_plain(network, address, policy).await {
                    Err(HueError::NoReply { .. }) => Err(first),
                    result => result,
                }
            }
            result => result,
        },
    }
}

async fn identify_secure(
    network: &NetworkConfig,
    address: &Address,
    policy: Option<&CertificatePolicy>,
) -> Result<(HueEndpoint, BridgeIdentity), HueError> {
    let endpoint = HueEndpoint::secure(address, policy.cloned(), network);
    match request_identity(&endpoint).await? {
        IdentityReply::Bridge(identity) => Ok((endpoint, identity)),
        IdentityReply::Redirect(_) => Err(wrong_redirect(&endpoint.address())),
    }
}

async fn identify_plain(
    network: &NetworkConfig,
    address: &Address,
    policy: Option<&CertificatePolicy>,
) -> Result<(HueEndpoint, BridgeIdentity), HueError> {
    let endpoint = HueEndpoint::plain(address, network);
    let location = match request_identity(&endpoint).await? {
        IdentityReply::Bridge(identity) => return Ok((endpoint, identity)),
        IdentityReply::Redirect(location) => location,
    };
    let target = location.and_then(|location| same_host(address, &location));
    let target = target.ok_or_else(|| wrong_redirect(address))?;
    identify_secure(network, &target, policy).await
}

fn wrong_redirect(address: &Address) -> HueError {
    HueError::NotABridge {
        at: address.to_string(),
        problem: NotABridge("it redirects to another host".to_owned()),
    }
}

/// Returns the target of a redirection if that is the same host over HTTPS.
pub(super) fn same_host(address: &Address, location: &str) -> Option<Address> {
    let (scheme, rest) = location.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let target: Address = format!("{scheme}://{authority}").parse().ok()?;
    let is_same = target.scheme == Some(Scheme::Https) && target.host == address.host;
    is_same.then_some(target)
}

/// The reply to the request for a bridge's identity.
enum IdentityReply {
    Bridge(BridgeIdentity),
    /// A redirection, with its target.
    Redirect(Option<String>),
}

async fn request_identity(endpoint: &HueEndpoint) -> Result<IdentityReply, HueError> {
    match request_identity_at(endpoint, CONFIG).await? {
        Ok(reply) => Ok(reply),
        Err(first) => {
            let second = request_identity_at(endpoint, CONFIG_OF_EMULATORS).await?;
            second.map_err(|_| HueError::NotABridge {
                at: endpoint.address().to_string(),
                problem: first,
            })
        }
    }
}

async fn request_identity_at(
    endpoint: &HueEndpoint,
    path: &str,
) -> Result<Result<IdentityReply, NotABridge>, HueError> {
    let address = endpoint.address();
    let sent = endpoint.send(&HueRequest::public(path), None).await;
    let response = sent.map_err(|error| error.at(&address))?;
    let parsed = match response.reply.status {
        200 => BridgeIdentity::parse(&response.reply.body),
        301 | 302 | 307 | 308 => return Ok(Ok(IdentityReply::Redirect(response.location))),
        status @ (429 | 503) => {
            let at = address.to_string();
            return Err(HueError::Busy { at, status });
        }
        status => Err(NotABridge(format!("it replies with status {status}"))),
    };
    let mut identity = match parsed {
        Ok(identity) => identity,
        Err(problem) => return Ok(Err(problem)),
    };
    if identity.id.is_none() {
        identity.id = id_in_description(endpoint).await;
    }
    Ok(Ok(IdentityReply::Bridge(identity)))
}

/// Reads the id of a bridge with the oldest firmware from its UPnP description.
async fn id_in_description(endpoint: &HueEndpoint) -> Option<BridgeId> {
    let request = HueRequest::public(DESCRIPTION);
    let response = endpoint.send(&request, None).await.ok()?;
    let description = String::from_utf8_lossy(&response.reply.body);
    let (_, rest) = description.split_once("<serialNumber>")?;
    let (serial, _) = rest.split_once("</serialNumber>")?;
    BridgeId::from_mac(serial)
}

/// Checks that the bridge is the requested one, and that it shows a certificate if it has one.
fn verify_identity(
    endpoint: &HueEndpoint,
    mut identity: BridgeIdentity,
    policy: &CertificatePolicy,
    requested: &Address,
) -> Result<BridgeIdentity, HueError> {
    let at = endpoint.address().to_string();
    if let Some(certificate) = endpoint.certificate() {
        // Old firmware does not report its id, but has it in the certificate.
        let id = identity
            .id
            .get_or_insert_with(|| certificate.bridge.clone());
        if *id != certificate.bridge {
            let problem = CertificateProblem::WrongName {
                found: certificate.bridge.to_string(),
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
    if endpoint.scheme == Scheme::Http && is_missing_certificate(&identity, policy, requested) {
        let problem = CertificateProblem::Missing;
        return Err(HueError::Certificate { at, problem });
    }
    Ok(identity)
}

/// Tells whether a bridge that replies over plain HTTP should have a certificate: it had one before, or its model has one.
fn is_missing_certificate(
    identity: &BridgeIdentity,
    policy: &CertificatePolicy,
    requested: &Address,
) -> bool {
    let mut known = policy.known.iter();
    let known = known.find(|known| Some(&known.bridge) == identity.id.as_ref());
    if known.is_some_and(|known| known.root_signed) {
        return true;
    }
    let had_certificate = known.is_some_and(KnownCertificate::exists);
    match requested.scheme {
        // The owner may explicitly pair again without a certificate.
        Some(Scheme::Http) => had_certificate && !policy.trust.pairing,
        // An explicit port is a choice of what is spoken there.
        None if requested.port.is_some() => had_certificate,
        _ => had_certificate || matches!(identity.model, HueModel::Square | HueModel::Pro),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &[u8] =
        br#"{"swversion":"1943185030","bridgeid":"001788FFFE010203","modelid":"BSB002"}"#;

    /// Tells whether a new square bridge is refused over plain HTTP.
    fn is_refused(address: &str) -> bool {
        let policy = CertificatePolicy {
            roots: super::super::RootCertificates::default(),
            expected: None,
            known: Vec::new(),
            trust: CertificateTrust::default(),
        };
        let identity = BridgeIdentity::parse(SQUARE).unwrap();
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

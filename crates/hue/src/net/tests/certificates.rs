//! Certificates, good and bad, in real handshakes. Whatever is wrong, nothing that holds a key may reach the server.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;

use super::server::{ScriptedHttpReply, ScriptedServer};
use super::*;
use crate::error::CertificateProblem;
use crate::keyring::PairedBridge;
use crate::request::{HueRequest, Method};
use crate::transport::HueTransport;

/// A root of our own.
pub(in crate::net) struct TestRoot {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl TestRoot {
    pub(in crate::net) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    pub(in crate::net) fn network(&self) -> NetworkConfig {
        NetworkConfig {
            roots: RootCertificates::new([self.certificate.clone()]).unwrap(),
            ..network()
        }
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "NL");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Philips Hue");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2017, 1, 1);
    params.not_after = date_time_ymd(2038, 1, 19);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A bridge's certificate; without a root it signs itself.
pub(in crate::net) fn leaf(
    root: Option<&TestRoot>,
    params: CertificateParams,
) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = match root {
        Some(root) => params.signed_by(&key, &root.issuer),
        None => params.self_signed(&key),
    };
    config(vec![certificate.unwrap().der().clone()], &key)
}

fn config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(certificate::provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

pub(in crate::net) fn own(name: &str) -> Arc<ServerConfig> {
    leaf(None, named(name))
}

pub(in crate::net) fn square(config: Arc<ServerConfig>) -> ScriptedServer {
    ScriptedServer::https(config, |request| match request {
        "GET /api/config HTTP/1.1" => ScriptedHttpReply::json(SQUARE),
        _ => ScriptedHttpReply::json("{}"),
    })
}

fn accept(accept: AcceptCertificate) -> CertificateTrust {
    CertificateTrust {
        accept,
        pairing: false,
    }
}

/// Connects as to a bridge whose id is known, with what is known of it.
async fn meet(
    server: &ScriptedServer,
    network: &NetworkConfig,
    known: &[PairedBridge],
    trust: &CertificateTrust,
) -> Result<BridgeConnection, CertificateProblem> {
    let id = SQUARE_ID.parse().unwrap();
    let address = server.address("https://");
    let connected = connect::connect_to(network, &address, Some(&id), known, trust).await;
    connected.map_err(|error| match error {
        HueError::Certificate { problem, .. } => problem,
        other => panic!("{other:?}"),
    })
}

/// Returns the entry of a bridge after pairing.
fn paired(connection: &BridgeConnection) -> PairedBridge {
    connection
        .to_paired(key(), "2026-11-23T10:00:00Z".parse().unwrap())
        .unwrap()
}

fn refuses_without_a_request(server: &ScriptedServer) {
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}

/// Before a person is asked about a certificate, the bridge is asked what anybody may know.
fn was_asked_only_who_it_is(server: &ScriptedServer) {
    let is_public = |request: &String| request.starts_with("GET /api/config ");
    let requests = server.requests();
    assert!(requests.iter().all(is_public), "{requests:?}");
}

#[test]
fn the_roots_are_the_two_of_the_protocol_page() {
    use rustls::pki_types::pem::PemObject;
    use sha2::{Digest, Sha256};
    let pems = [
        include_bytes!("../roots/root-bridge.pem").as_slice(),
        include_bytes!("../roots/hue-root-ca-01.pem"),
    ];
    for (pem, certificate, point) in [
        (
            pems[0],
            "F0BD8E6509E82F774D63BC009D5388C969FE3DCF7D6D541D6351B72B898D8ACF",
            "048cdc36b71d80a6539ff71f3a69376f11c2f5154eb9403c7388abc1a56f575d221c89b01e4222b17a0a6af04c5bafdbfa2c19d86e76b655c68ad06db68ce2a44e",
        ),
        (
            pems[1],
            "D8B89448B2AF8E1676185AC07219EE9DCBC8F01C122A026A2A4B7B5CFE0328B8",
            "0457ce3b48df480517190f648c40f3c81adc310dc8b7203992b13e732bdbd58df116d8bb2a501a77c50e9c0c741412e7ec766b9662309b54275f47cadcb3ccd779",
        ),
    ] {
        let der = CertificateDer::from_pem_slice(pem).unwrap();
        let digest: [u8; 32] = Sha256::digest(&der).into();
        assert_eq!(
            crate::Fingerprint::new(digest),
            certificate.parse().unwrap()
        );
        let hex: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(hex.contains(point));
    }
    // Both can be used as roots.
    assert!(format!("{:?}", RootCertificates::default()).contains("2 roots"));
}

#[tokio::test]
async fn a_certificate_of_the_vendor_needs_nobodys_word() {
    let root = TestRoot::new("root-bridge");
    for name in ["001788fffe010203", "001788FFFE010203"] {
        let server = square(leaf(Some(&root), named(name)));
        let connection = meet(&server, &root.network(), &[], &CertificateTrust::default())
            .await
            .unwrap();
        assert!(connection.certificate().unwrap().root_signed);
        let entry = paired(&connection);
        assert_eq!((entry.root_signed, entry.pin), (true, None));
        let call = HueRequest::keyed(Method::Get, "/lights");
        assert_eq!(
            connection.send(&call, Some(&key())).await.unwrap().status,
            200
        );
        // Another one of the vendor's for the same bridge is as good.
        server.change(leaf(Some(&root), named(name)));
        connection.send(&call, Some(&key())).await.unwrap();
        meet(
            &server,
            &root.network(),
            &[entry],
            &CertificateTrust::default(),
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_certificate_between_root_and_bridge() {
    let root = TestRoot::new("root-bridge");
    let middle_key = KeyPair::generate().unwrap();
    let mut params = named("middle");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let middle = params
        .signed_by(&middle_key, &root.issuer)
        .unwrap()
        .der()
        .clone();
    let issuer = Issuer::new(params, middle_key);
    let key = KeyPair::generate().unwrap();
    let own = named(SQUARE_ID)
        .signed_by(&key, &issuer)
        .unwrap()
        .der()
        .clone();
    let server = square(config(vec![own, middle], &key));
    let connection = meet(&server, &root.network(), &[], &CertificateTrust::default())
        .await
        .unwrap();
    assert!(connection.certificate().unwrap().root_signed);
}

#[tokio::test]
async fn the_older_tls_will_do() {
    let builder = ServerConfig::builder_with_provider(Arc::new(certificate::provider()));
    let builder = builder
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap();
    let key = KeyPair::generate().unwrap();
    let own = named(SQUARE_ID).self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder
        .with_no_client_auth()
        .with_single_cert(vec![own], key)
        .unwrap();
    let server = square(Arc::new(config));
    meet(&server, &network(), &[], &accept(AcceptCertificate::Any))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_certificate_of_its_own_needs_a_persons_word_once() {
    let server = square(own(SQUARE_ID));
    let problem = meet(&server, &network(), &[], &CertificateTrust::default())
        .await
        .unwrap_err();
    let CertificateProblem::Unknown { fingerprint } = problem else {
        panic!("{problem:?}");
    };
    was_asked_only_who_it_is(&server);
    let other = crate::Fingerprint::new([7; 32]);
    let refused = meet(
        &server,
        &network(),
        &[],
        &accept(AcceptCertificate::Only(other)),
    )
    .await;
    assert!(matches!(refused, Err(CertificateProblem::Unknown { .. })));
    was_asked_only_who_it_is(&server);

    let connection = meet(
        &server,
        &network(),
        &[],
        &accept(AcceptCertificate::Only(fingerprint)),
    )
    .await
    .unwrap();
    let entry = paired(&connection);
    assert_eq!((entry.root_signed, entry.pin), (false, Some(fingerprint)));
    // From then on it is known.
    let known = [entry];
    let connection = meet(&server, &network(), &known, &CertificateTrust::default())
        .await
        .unwrap();
    let call = HueRequest::keyed(Method::Get, "/lights");
    connection.send(&call, Some(&key())).await.unwrap();
    assert!(server.requests().last().unwrap().contains("KEY0"));
}

/// Old firmware calls itself an authority, as `openssl req -x509` does.
#[tokio::test]
async fn a_certificate_of_its_own_may_call_itself_an_authority() {
    let mut params = named(SQUARE_ID);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.extended_key_usages.clear();
    let server = square(leaf(None, params));
    let connection = meet(&server, &network(), &[], &accept(AcceptCertificate::Any))
        .await
        .unwrap();
    assert!(!connection.certificate().unwrap().root_signed);
}

#[tokio::test]
async fn another_certificate_of_its_own_is_refused_unless_it_is_paired_again() {
    let server = square(own(SQUARE_ID));
    let connection = meet(&server, &network(), &[], &accept(AcceptCertificate::Any))
        .await
        .unwrap();
    let known = [paired(&connection)];
    let before = server.requests().len();
    server.change(own(SQUARE_ID));
    for trust in [CertificateTrust::default(), accept(AcceptCertificate::Any)] {
        let refused = meet(&server, &network(), &known, &trust).await;
        assert_eq!(refused.unwrap_err(), CertificateProblem::Changed);
    }
    // In the middle of its use, too.
    let call = HueRequest::keyed(Method::Get, "/lights");
    let error = connection.send(&call, Some(&key())).await.unwrap_err();
    let changed = matches!(
        error,
        HueError::Certificate {
            problem: CertificateProblem::Changed,
            ..
        }
    );
    assert!(changed, "{error:?}");
    assert_eq!(server.requests().len(), before);

    let again = |accept| CertificateTrust {
        accept,
        pairing: true,
    };
    let refused = meet(&server, &network(), &known, &again(AcceptCertificate::None)).await;
    assert!(matches!(refused, Err(CertificateProblem::Unknown { .. })));
    let connection = meet(&server, &network(), &known, &again(AcceptCertificate::Any))
        .await
        .unwrap();
    assert_ne!(paired(&connection).pin, known[0].pin);
}

#[tokio::test]
async fn what_the_vendor_signed_once_stays_signed() {
    let root = TestRoot::new("root-bridge");
    let server = square(own(SQUARE_ID));
    let connection = meet(
        &server,
        &root.network(),
        &[],
        &accept(AcceptCertificate::Any),
    )
    .await
    .unwrap();
    let mut known = [paired(&connection)];
    // New firmware brings a certificate of the vendor's.
    server.change(leaf(Some(&root), named(SQUARE_ID)));
    let connection = meet(
        &server,
        &root.network(),
        &known,
        &CertificateTrust::default(),
    )
    .await
    .unwrap();
    assert!(connection.update_bridge(&mut known[0]));
    assert_eq!((known[0].root_signed, known[0].pin), (true, None));
    let before = server.requests().len();
    server.change(own(SQUARE_ID));
    for pairing in [false, true] {
        let trust = CertificateTrust {
            accept: AcceptCertificate::Any,
            pairing,
        };
        let refused = meet(&server, &root.network(), &known, &trust).await;
        assert_eq!(refused.unwrap_err(), CertificateProblem::NoLongerSigned);
    }
    assert_eq!(server.requests().len(), before);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let root = TestRoot::new("root-bridge");
    for name in [
        "001788fffe0a0b0c",
        "root-bridge",
        "",
        "127.91.0.3",
        "001788fffe010203x",
    ] {
        for by in [None, Some(&root)] {
            let server = square(leaf(by, named(name)));
            let refused = meet(
                &server,
                &root.network(),
                &[],
                &accept(AcceptCertificate::Any),
            )
            .await;
            let expected = CertificateProblem::WrongName {
                found: name.to_owned(),
            };
            assert_eq!(refused.unwrap_err(), expected);
            refuses_without_a_request(&server);
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_bridge_than_answers_is_refused() {
    let server = square(own(ROUND_ID));
    let trust = accept(AcceptCertificate::Any);
    let error =
        connect::connect_to(&network(), &server.address("https://"), None, &[], &trust).await;
    let wrong = CertificateProblem::WrongName {
        found: ROUND_ID.to_owned(),
    };
    assert!(matches!(error, Err(HueError::Certificate { problem, .. }) if problem == wrong));
    assert!(
        server
            .requests()
            .iter()
            .all(|request| !request.contains("KEY0"))
    );
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_today_is_refused() {
    let root = TestRoot::new("root-bridge");
    for (from, to) in [(2010, 2020), (2100, 2120)] {
        for by in [None, Some(&root)] {
            let mut params = named(SQUARE_ID);
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
            let server = square(leaf(by, params));
            let refused = meet(
                &server,
                &root.network(),
                &[],
                &accept(AcceptCertificate::Any),
            )
            .await;
            assert_eq!(refused.unwrap_err(), CertificateProblem::Expired);
            refuses_without_a_request(&server);
        }
    }
}

#[tokio::test]
async fn a_root_of_the_same_name_signs_nothing() {
    let (root, impostor) = (TestRoot::new("root-bridge"), TestRoot::new("root-bridge"));
    let server = square(leaf(Some(&impostor), named(SQUARE_ID)));
    let refused = meet(
        &server,
        &root.network(),
        &[],
        &accept(AcceptCertificate::Any),
    )
    .await;
    assert_eq!(refused.unwrap_err(), CertificateProblem::Broken);
    // One of another name is as good as none.
    let stranger = TestRoot::new("a stranger");
    let server = square(leaf(Some(&stranger), named(SQUARE_ID)));
    let refused = meet(&server, &root.network(), &[], &CertificateTrust::default()).await;
    assert!(matches!(refused, Err(CertificateProblem::Unknown { .. })));
    was_asked_only_who_it_is(&server);
}

#[tokio::test]
async fn a_copy_of_the_certificate_is_no_use_without_its_key() {
    let real = KeyPair::generate().unwrap();
    let copied = named(SQUARE_ID).self_signed(&real).unwrap().der().clone();
    let thief = KeyPair::generate().unwrap();
    let thief = PrivateKeyDer::try_from(thief.serialize_der()).unwrap();
    let provider = certificate::provider();
    let signing = provider.key_provider.load_private_key(thief).unwrap();
    let stolen = CertifiedKey::new(vec![copied], signing);
    #[derive(Debug)]
    struct FixedCertificate(Arc<CertifiedKey>);
    impl rustls::server::ResolvesServerCert for FixedCertificate {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }
    }
    let builder = ServerConfig::builder_with_provider(Arc::new(provider));
    let builder = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let server = square(Arc::new(
        builder.with_cert_resolver(Arc::new(FixedCertificate(Arc::new(stolen)))),
    ));
    let refused = meet(&server, &network(), &[], &accept(AcceptCertificate::Any)).await;
    assert_eq!(refused.unwrap_err(), CertificateProblem::Broken);
    refuses_without_a_request(&server);
}

#[tokio::test]
async fn a_wrong_certificate_is_never_answered_with_plain_http() {
    let server = square(own("someone-else"));
    let error = connect(&network(), &server.address("")).await.unwrap_err();
    assert!(matches!(error, HueError::Certificate { .. }), "{error:?}");
    refuses_without_a_request(&server);
}

#[tokio::test]
async fn a_server_without_any_certificate_is_no_bridge() {
    let builder = ServerConfig::builder_with_provider(Arc::new(certificate::provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let none = ResolvesServerCertUsingSni::new();
    let server = square(Arc::new(builder.with_cert_resolver(Arc::new(none))));
    let error = connect(&network(), &server.address("https://"))
        .await
        .unwrap_err();
    assert!(matches!(error, HueError::NotABridge { .. }), "{error:?}");
}

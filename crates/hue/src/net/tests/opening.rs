//! Which way is taken to a bridge, and what is kept of it.

use std::sync::Arc;

use super::certificates::{TestRoot, own, square};
use super::server::{ScriptedHttpReply, ScriptedServer};
use super::*;
use crate::error::CertificateProblem;
use crate::keyring::PairedBridge;

fn round() -> ScriptedServer {
    ScriptedServer::http(|_| ScriptedHttpReply::json(ROUND))
}

fn ring() -> (tempfile::TempDir, KeyRing) {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(folder.path());
    (folder, ring)
}

fn any() -> CertificateTrust {
    CertificateTrust {
        accept: AcceptCertificate::Any,
        pairing: true,
    }
}

async fn pair(network: &NetworkConfig, ring: &KeyRing, address: Address) -> PairedBridge {
    let name = BridgeName::Address(address);
    let connection = super::super::connect(network, ring, &name, &any())
        .await
        .unwrap();
    let entry = connection
        .to_paired(key(), "2026-11-23T10:00:00Z".parse().unwrap())
        .unwrap();
    ring.save(entry.clone()).unwrap();
    entry
}

#[tokio::test]
async fn a_round_bridge_is_reached_in_the_clear() {
    let server = round();
    for scheme in ["", "http://"] {
        let connection = connect(&network(), &server.address(scheme)).await.unwrap();
        assert_eq!(connection.address(), server.address("http://"));
        assert_eq!(
            (connection.label().as_str(), connection.certificate()),
            (ROUND_ID, None)
        );
    }
    let error = connect(&network(), &server.address("https://"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            HueError::NotABridge { .. } | HueError::NoReply { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_square_bridge_in_the_clear_needs_a_word_or_a_port() {
    let server = ScriptedServer::http(|_| ScriptedHttpReply::json(SQUARE));
    connect(&network(), &server.address("http://"))
        .await
        .unwrap();
    connect(&network(), &server.address("")).await.unwrap();
}

#[tokio::test]
async fn a_bridge_that_had_a_certificate_is_not_believed_without() {
    let (_folder, ring) = ring();
    let secure = square(own(SQUARE_ID));
    pair(&network(), &ring, secure.address("https://")).await;
    let plain = ScriptedServer::http(|_| ScriptedHttpReply::json(SQUARE));
    for scheme in ["http://", ""] {
        let name = BridgeName::Address(plain.address(scheme));
        let error = open(&network(), &ring, &name, None, &CertificateTrust::default())
            .await
            .unwrap_err();
        let missing = matches!(
            error,
            HueError::Certificate {
                problem: CertificateProblem::Missing,
                ..
            }
        );
        assert!(missing, "{error:?}");
    }
    assert!(
        plain
            .requests()
            .iter()
            .all(|request| !request.contains("KEY0"))
    );
    // PairResult again with a person's word.
    pair(&network(), &ring, plain.address("http://")).await;
}

#[tokio::test]
async fn the_newest_bridge_sends_to_https_on_the_same_host_only() {
    let secure = square(own(SQUARE_ID));
    let target = format!("https://{}/api/config", secure.at);
    let redirect = move |target: String| {
        ScriptedServer::http(move |_| {
            ScriptedHttpReply::bytes(format!(
                "HTTP/1.1 301 X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
            ))
        })
    };
    // The servers have two addresses, which are two hosts.
    let elsewhere = redirect(target);
    let error = super::super::connect(
        &network(),
        &ring().1,
        &BridgeName::Address(elsewhere.address("http://")),
        &any(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, HueError::NotABridge { .. }), "{error:?}");
    assert!(secure.requests().is_empty());
    for nowhere in [
        "http://127.91.0.2/",
        "ftp://127.91.0.2/",
        "/api",
        "",
        "https://127.91.0.2@x/",
    ] {
        let server = redirect(nowhere.to_owned());
        let error = connect(&network(), &server.address("http://"))
            .await
            .unwrap_err();
        assert!(
            matches!(error, HueError::NotABridge { .. }),
            "{nowhere}: {error:?}"
        );
        assert_eq!(server.requests().len(), 1);
    }
    let same = connect::same_host(
        &"http://bridge.local".parse().unwrap(),
        "https://Bridge.local/api/config",
    );
    assert_eq!(same, Some("https://bridge.local".parse().unwrap()));
}

#[tokio::test]
async fn a_bridge_is_opened_by_its_id_with_the_key_of_the_ring() {
    let (_folder, ring) = ring();
    let server = round();
    let entry = pair(&network(), &ring, server.address("")).await;
    let name = BridgeName::Id(entry.id.clone());
    let opened = open(&network(), &ring, &name, None, &CertificateTrust::default())
        .await
        .unwrap();
    assert_eq!(opened.key, key());
    let other: AppKey = "OTHER".parse().unwrap();
    let opened = open(
        &network(),
        &ring,
        &name,
        Some(other.clone()),
        &CertificateTrust::default(),
    )
    .await
    .unwrap();
    assert_eq!(opened.key, other);
    assert_eq!(
        ring.bridge(&entry.id).unwrap().unwrap().key,
        key(),
        "another key is not kept"
    );
}

#[tokio::test]
async fn where_a_bridge_is_now_and_what_it_says_is_kept() {
    let (_folder, ring) = ring();
    let before = round();
    let entry = pair(&network(), &ring, before.address("http://")).await;
    let renamed = ROUND
        .replace("Philips hue", "Attic")
        .replace("01032318", "01040000");
    let after = ScriptedServer::http(move |_| ScriptedHttpReply::json(&renamed));
    let name = BridgeName::Address(after.address("http://"));
    open(&network(), &ring, &name, None, &CertificateTrust::default())
        .await
        .unwrap();
    let now = ring.bridge(&entry.id).unwrap().unwrap();
    assert_eq!(now.address, after.address("http://"));
    assert_eq!(
        (now.name.as_deref(), now.software.as_deref()),
        (Some("Attic"), Some("01040000"))
    );
    assert_eq!((&now.key, now.paired_at), (&entry.key, entry.paired_at));
}

#[tokio::test]
async fn a_bridge_that_was_never_paired_with() {
    let (_folder, ring) = ring();
    let server = round();
    let name = BridgeName::Address(server.address("http://"));
    let error = open(&network(), &ring, &name, None, &CertificateTrust::default())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, HueError::NotPaired(label) if label == ROUND_ID),
        "{error:?}"
    );
    open(
        &network(),
        &ring,
        &name,
        Some(key()),
        &CertificateTrust::default(),
    )
    .await
    .unwrap();
    assert!(ring.bridges().unwrap().is_empty());
    let unknown = BridgeName::Id(SQUARE_ID.parse().unwrap());
    let error = open(
        &network(),
        &ring,
        &unknown,
        Some(key()),
        &CertificateTrust::default(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, HueError::NoSuchBridge(_)), "{error:?}");
}

#[tokio::test]
async fn nobody_is_asked_to_agree_to_a_certificate_for_another_bridge() {
    let (_folder, ring) = ring();
    let there = square(own(ROUND_ID));
    let name = BridgeName::Address(there.address("https://"));
    for trust in [CertificateTrust::default(), any()] {
        let error = super::super::connect(&network(), &ring, &name, &trust)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                HueError::Certificate {
                    problem: CertificateProblem::WrongName { .. },
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn another_bridge_at_the_old_address_gets_no_key() {
    let (_folder, ring) = ring();
    let root = TestRoot::new("root-bridge");
    let there = square(own(SQUARE_ID));
    let mut entry = pair(&root.network(), &ring, there.address("https://")).await;
    // Now another one has the address.
    entry.id = ROUND_ID.parse().unwrap();
    ring.save(entry.clone()).unwrap();
    let before = there.requests().len();
    let error = open(
        &network(),
        &ring,
        &BridgeName::Id(entry.id.clone()),
        None,
        &CertificateTrust::default(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            error,
            HueError::Certificate {
                problem: CertificateProblem::WrongName { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(there.requests().len(), before);

    let plain = ScriptedServer::http(|_| ScriptedHttpReply::json(SQUARE));
    entry.address = plain.address("http://");
    entry.pin = None;
    ring.save(entry.clone()).unwrap();
    let error = open(
        &network(),
        &ring,
        &BridgeName::Id(entry.id),
        None,
        &CertificateTrust::default(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, HueError::OtherBridge { .. }), "{error:?}");
    assert!(
        plain
            .requests()
            .iter()
            .all(|request| !request.contains("KEY0"))
    );
}

#[tokio::test]
async fn a_ring_that_cannot_be_read_stops_before_anything_is_asked() {
    let (folder, ring) = ring();
    std::fs::write(ring.path(), "not json").unwrap();
    let server = round();
    let name = BridgeName::Address(server.address("http://"));
    let error = open(
        &network(),
        &ring,
        &name,
        Some(key()),
        &CertificateTrust::default(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, HueError::Local { .. }), "{error:?}");
    assert!(server.requests().is_empty());
    drop(folder);
}

#[tokio::test]
async fn a_ring_that_cannot_be_written_does_not_stop_the_work() {
    let (folder, ring) = ring();
    let server = round();
    let mut entry = pair(&network(), &ring, server.address("http://")).await;
    entry.name = None;
    ring.save(entry).unwrap();
    // Somebody holds the lock for ever.
    let lock = std::fs::File::open(folder.path().join("hue.lock")).unwrap();
    lock.lock().unwrap();
    let name = BridgeName::Address(server.address("http://"));
    let network = Arc::new(network());
    open(&network, &ring, &name, None, &CertificateTrust::default())
        .await
        .unwrap();
}

//! HTTPS with certificates of a root of our own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::ErrorKind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{LIMITS, TEST_TIMEOUT, TestServer, all, ask, until};
use crate::config::TlsFiles;
use crate::server::{Limits, acceptor};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root() -> Issuer {
    Issuer::self_signed(authority("a root"), KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `nas.local`, the one between it and the root, and the key, as files.
struct Files {
    directory: TempDir,
    root: Issuer,
}

impl Files {
    fn new() -> Self {
        let (directory, root) = (tempfile::tempdir().unwrap(), root());
        let between =
            Issuer::signed_by(authority("between"), KeyPair::generate().unwrap(), &root).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["nas.local".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &between).unwrap();
        let files = Self { directory, root };
        let chain = format!("{}{}", certificate.pem(), between.pem());
        files.write("chain.pem", chain.as_bytes());
        files.write("key.pem", key.serialize_pem().as_bytes());
        files
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tls(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("chain.pem"),
            key: self.path("key.pem"),
        }
    }

    async fn served(&self, host: &str, limits: Limits) -> TestServer {
        TestServer::with(host, limits, Some(acceptor(&self.tls()).unwrap())).await
    }
}

/// Begins TLS as a client that trusts this root.
async fn secured(
    stream: TcpStream,
    root: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("nas.local").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[tokio::test]
async fn the_whole_chain_is_shown() {
    let files = Files::new();
    let served = files.served("127.75.5.1", LIMITS).await;
    // The client knows the root alone, so what is between must come from the server.
    let stream = secured(served.connect().await, files.root.der())
        .await
        .unwrap();
    assert!(ask(stream, "/").await.ends_with("hello"));
}

#[tokio::test]
async fn who_trusts_another_root_does_not_speak_and_disturbs_nobody() {
    let files = Files::new();
    let served = files.served("127.75.5.2", LIMITS).await;
    assert!(secured(served.connect().await, root().der()).await.is_err());
    let stream = secured(served.connect().await, files.root.der())
        .await
        .unwrap();
    assert!(ask(stream, "/").await.ends_with("hello"));
}

#[tokio::test]
async fn who_does_not_begin_is_let_go_and_holds_nobody_up() {
    let files = Files::new();
    let served = files.served("127.75.5.3", LIMITS).await;
    let mut silent = served.connect().await;
    let mut plain = served.connect().await;
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let stream = secured(served.connect().await, files.root.der())
        .await
        .unwrap();
    assert!(ask(stream, "/").await.ends_with("hello"));
    assert!(!all(&mut plain).await.contains("hello"));
    assert_eq!(all(&mut silent).await, "");
}

#[tokio::test]
async fn the_end_does_not_wait_for_who_does_not_begin() {
    let files = Files::new();
    let limits = Limits {
        handshake_timeout: TEST_TIMEOUT,
        shutdown_timeout: TEST_TIMEOUT,
        ..LIMITS
    };
    let served = files.served("127.75.5.4", limits).await;
    let _silent = served.connect().await;
    let mut events = secured(served.connect().await, files.root.der())
        .await
        .unwrap();
    events
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    until(&mut events, "first").await;
    assert!(served.end().await < TEST_TIMEOUT / 2);
    assert!(all(&mut events).await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn who_takes_nothing_is_let_go_here_too() {
    let files = Files::new();
    let served = files.served("127.75.5.5", LIMITS).await;
    let mut stuck = secured(served.connect().await, files.root.der())
        .await
        .unwrap();
    stuck
        .write_all(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let count = || served.endless.load(std::sync::atomic::Ordering::SeqCst);
    let start = Instant::now();
    for wanted in [1, 0] {
        let reached = async {
            while count() != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TEST_TIMEOUT, reached).await.unwrap();
    }
    assert!(start.elapsed() >= LIMITS.write_timeout / 2);
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let files = Files::new();
    let other = Files::new();
    let key = fs::read_to_string(files.path("key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let cut = &key[..key.len() - 20];
    let empty = files.write("empty.pem", b"");
    let cut = files.write("cut.pem", cut.as_bytes());
    let noise = files.write("noise.pem", b"\xff\xfe\x00noise");
    let broken = files.write(
        "broken.pem",
        key.replace(&secret[8..16], "????????").as_bytes(),
    );
    let (chain, key) = (files.path("chain.pem"), files.path("key.pem"));
    let missing = files.path("missing.pem");
    let directory = files.directory.path().to_owned();
    for (certificate, key, named, kind) in [
        (&missing, &key, "missing.pem", ErrorKind::Local),
        (&chain, &missing, "missing.pem", ErrorKind::Local),
        (
            &directory,
            &key,
            directory.to_str().unwrap(),
            ErrorKind::Local,
        ),
        (&empty, &key, "empty.pem", ErrorKind::Usage),
        (&chain, &empty, "empty.pem", ErrorKind::Usage),
        (&key, &key, "key.pem", ErrorKind::Usage),
        (&chain, &chain, "chain.pem", ErrorKind::Usage),
        (&noise, &key, "noise.pem", ErrorKind::Usage),
        (&chain, &noise, "noise.pem", ErrorKind::Usage),
        (&chain, &cut, "cut.pem", ErrorKind::Usage),
        (&chain, &broken, "broken.pem", ErrorKind::Usage),
        (
            &chain,
            &other.path("key.pem"),
            "cannot be used together",
            ErrorKind::Usage,
        ),
    ] {
        let error = acceptor(&tls(certificate, key)).err().unwrap();
        assert!(error.message().contains(named), "{named}: {error}");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!format!("{error:?}").contains(&secret[20..40]), "{error}");
    }
    assert!(acceptor(&files.tls()).is_ok());
}

fn tls(certificate: &Path, key: &Path) -> TlsFiles {
    TlsFiles {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    }
}

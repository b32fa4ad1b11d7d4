//! Access to a broker: passwords, certificates, access control lists.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

use crate::broker::{Broker, PORT, configure, connected, home_with_plugs, mosquitto, status};
use crate::home::{FinishedRun, Home, finish};
use crate::house::{Hub, eventually};
use crate::needs::{met, succeed};

/// Port of a broker with TLS.
const TLS_PORT: u16 = 8883;

/// Writes a password file for the broker; returns its path.
fn passwords(home: &Home) -> PathBuf {
    let file = home.path("passwords");
    succeed(
        Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&file)
            .args(["mains", "only for this test"]),
    );
    file
}

/// A password file of the hub.
fn password_file(home: &Home, password: &str, mode: u32) -> PathBuf {
    let file = home.write(".config/mains/password", &format!("{password}\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    file
}

/// A broker with one user; `more` are further settings.
fn broker_with_user(home: &Home, more: &str) -> Broker {
    let file = passwords(home);
    let settings = format!(
        "allow_anonymous false\npassword_file {}\n{more}",
        file.display()
    );
    Broker::start(home, PORT, &settings)
}

const WITH_PASSWORD: &str =
    "url = \"mqtt://127.0.0.1\"\nusername = \"mains\"\npassword_file = \"password\"";

fn check(home: &Home) -> FinishedRun {
    home.json(&["mqtt", "check"])
}

/// The first step that failed, and the message.
#[track_caller]
fn failed(run: FinishedRun) -> (String, String) {
    let document = run.ends_with(8).json();
    let last = document["steps"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(last["ok"], false, "{document}");
    assert_eq!(document["error"]["kind"], "unavailable");
    assert!(document["error"].get("hint").is_some());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&last["step"]), text(&document["error"]["message"]))
}

#[test]
fn a_user_with_a_password() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(WITH_PASSWORD);
    let _broker = broker_with_user(&home, "");
    password_file(&home, "only for this test", 0o600);
    check(&home).ends_with(0);
    let hub = Hub::start(&home, &[]);
    connected(&home);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", hub.id())).unwrap();
    let (_, _, log) = hub.end(Signal::SIGTERM);
    assert!(!log.contains("only for this test"), "{log}");
    assert!(!String::from_utf8_lossy(&arguments).contains("only for this test"));

    // From the environment instead of a file.
    configure(&home, "url = \"mqtt://127.0.0.1\"\nusername = \"mains\"");
    let mut command = home.command();
    command.args(["--json", "mqtt", "check"]);
    command.env("MAINS_MQTT_PASSWORD", "only for this test");
    finish(command.output()).ends_with(0);
    let (step, message) = failed(check(&home));
    assert_eq!(step, "login");
    assert!(message.contains("not authorised"), "{message}");
}

#[test]
fn a_wrong_password_stops_nothing_but_mqtt() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(WITH_PASSWORD);
    let _broker = broker_with_user(&home, "");
    password_file(&home, "wrong", 0o600);
    let (step, message) = failed(check(&home));
    assert_eq!(
        (step.as_str(), message.contains("refused the login")),
        ("login", true)
    );
    let hub = Hub::start(&home, &[]);
    eventually("the reason is shown", || {
        let status = status(&home);
        status["state"] == "disconnected"
            && status["error"]
                .as_str()
                .is_some_and(|it| it.contains("refused the login"))
            && status["hint"]
                .as_str()
                .is_some_and(|it| it.contains("password_file"))
    });
    home.json(&["on", "127.77.0.1"]).ends_with(0);
    let (status, _, log) = hub.end(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("refused the login"), "{log}");
}

#[test]
fn a_password_file_that_is_missing_or_open_to_all() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(WITH_PASSWORD);
    let _broker = broker_with_user(&home, "");
    let run = check(&home).ends_with(2);
    assert_eq!(run.error_kind(), "usage");
    assert!(run.stdout.contains("password"), "{run:?}");
    home.json(&["hub", "check"]).ends_with(2);
    let hub = Hub::start(&home, &[]);
    eventually("the reason is shown", || {
        status(&home)["error"]
            .as_str()
            .is_some_and(|it| it.contains("cannot be read"))
    });
    // It is read at each attempt.
    password_file(&home, "only for this test", 0o644);
    connected(&home);
    let status = status(&home);
    assert!(
        status["error"]
            .as_str()
            .unwrap()
            .contains("read by everybody"),
        "{status}"
    );
    assert!(
        status["hint"].as_str().unwrap().contains("chmod 600"),
        "{status}"
    );
    let log = hub.end(Signal::SIGTERM).2;
    assert!(
        log.contains("cannot be read") && log.contains("read by everybody"),
        "{log}"
    );
}

#[test]
fn a_topic_that_the_broker_forbids() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs(WITH_PASSWORD);
    let list = home.write(
        "acl",
        "user mains\ntopic readwrite mains/#\ntopic read homeassistant/#\n",
    );
    let _broker = broker_with_user(&home, &format!("acl_file {}\n", list.display()));
    password_file(&home, "only for this test", 0o600);
    check(&home).ends_with(0);
    let hub = Hub::start(&home, &[]);
    eventually("the refusal is shown", || {
        let status = status(&home);
        status["state"] == "connected"
            && status["error"]
                .as_str()
                .is_some_and(|it| it.contains("`homeassistant/"))
    });
    let log = hub.end(Signal::SIGTERM).2;
    assert!(log.contains("MQTT is limited"), "{log}");
    // The base topic itself.
    configure(&home, &format!("{WITH_PASSWORD}\nbase = \"other\""));
    let (step, message) = failed(check(&home));
    assert_eq!(step, "publish");
    assert!(message.contains("other/bridge/check"), "{message}");
}

/// An authority, a broker's certificate for `localhost`, and a client's.
struct Certificates {
    ca: PathBuf,
}

fn certificates(home: &Home) -> Certificates {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Names that differ: OpenSSL takes a certificate with its issuer's name for one that signed itself.
    ca.distinguished_name.push(DnType::CommonName, "authority");
    let file = home.write("tls/ca.pem", &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    for (name, host, usage) in [
        ("broker", "localhost", ExtendedKeyUsagePurpose::ServerAuth),
        ("client", "hub.example", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        home.write(&format!("tls/{name}.pem"), &certificate.pem());
        home.write(&format!("tls/{name}.key"), &key.serialize_pem());
    }
    Certificates { ca: file }
}

fn tls_broker(home: &Home, certificates: &Certificates, more: &str) -> Broker {
    let tls = certificates.ca.parent().unwrap().display();
    let settings = format!(
        "cafile {tls}/ca.pem\ncertfile {tls}/broker.pem\nkeyfile {tls}/broker.key\nallow_anonymous true\n{more}"
    );
    Broker::start(home, TLS_PORT, &settings)
}

fn with_tls(host: &str, ca: &Path, more: &str) -> String {
    format!(
        "url = \"mqtts://{host}\"\nca_file = \"{}\"\n{more}",
        ca.display()
    )
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs("");
    let certificates = certificates(&home);
    let _broker = tls_broker(&home, &certificates, "");
    configure(&home, &with_tls("localhost", &certificates.ca, ""));
    check(&home).ends_with(0);
    let hub = Hub::start(&home, &[]);
    connected(&home);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));

    let wrong_name = with_tls("127.0.0.1", &certificates.ca, "");
    configure(&home, &wrong_name);
    let (step, message) = failed(check(&home));
    assert_eq!(step, "tls");
    assert!(
        message.contains("not for the name `127.0.0.1`"),
        "{message}"
    );
    let hub = Hub::start(&home, &[]);
    eventually("the wrong name is shown", || {
        status(&home)["error"]
            .as_str()
            .is_some_and(|it| it.contains("not for the name"))
    });
    drop(hub);
    // The system trusts no such authority.
    configure(&home, "url = \"mqtts://localhost\"");
    assert_eq!(failed(check(&home)).0, "tls");
    // Without TLS on a port with TLS, and the other way round.
    configure(&home, "url = \"mqtt://127.0.0.1:8883\"");
    assert_eq!(failed(check(&home)).0, "login");
    let empty = home.write("empty.pem", "");
    configure(&home, &with_tls("localhost", &empty, ""));
    assert_eq!(check(&home).ends_with(2).error_kind(), "usage");
}

#[test]
fn a_client_certificate() {
    let Some(()) = met(mosquitto()) else { return };
    let home = home_with_plugs("");
    let certificates = certificates(&home);
    let _broker = tls_broker(&home, &certificates, "require_certificate true\n");
    configure(&home, &with_tls("localhost", &certificates.ca, ""));
    let (step, message) = failed(check(&home));
    assert!(step == "tls" || step == "login", "{step}");
    assert!(message.contains("TLS"), "{message}");
    let tls = certificates.ca.parent().unwrap().display();
    let files = format!("certificate_file = \"{tls}/client.pem\"\nkey_file = \"{tls}/client.key\"");
    configure(&home, &with_tls("localhost", &certificates.ca, &files));
    check(&home).ends_with(0);
    let hub = Hub::start(&home, &[]);
    connected(&home);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}

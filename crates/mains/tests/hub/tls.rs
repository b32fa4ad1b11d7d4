//! HTTPS: a hub with a certificate of its owner's, and who trusts it.

use nix::sys::signal::Signal;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::home::{Home, finish};
use crate::house::Hub;
use crate::needs;

/// A home whose configuration names a certificate for these names.
fn with_certificate(names: &[&str]) -> Home {
    let home = Home::with_network();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    home.write(".config/mains/hub.pem", &cert.pem());
    home.write(".config/mains/hub.key", &signing_key.serialize_pem());
    home.write(
        ".config/mains/mains.toml",
        "[hub]\ncertificate = \"hub.pem\"\nkey = \"hub.key\"\n",
    );
    home
}

#[test]
fn its_own_computer_needs_no_more() {
    // The certificate is for a name that leads nowhere here.
    let home = with_certificate(&["hub.example"]);
    home.json(&["hub", "check"]).ends_with(0);
    let hub = Hub::start(&home, &[]);
    assert!(hub.url.starts_with("https://"), "{}", hub.url);
    home.json(&["hub", "plugs"]).ends_with(0);
    home.json(&["--hub", &hub.url, "hub", "plugs"]).ends_with(0);
    home.json(&["discover"]).ends_with(0);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}

/// The hub is known by the name of its certificate, which can lead elsewhere; its own computer connects to where it listens.
#[test]
fn a_configured_name_is_reached_without_looking_it_up() {
    let home = with_certificate(&["hub.example"]);
    let path = ".config/mains/mains.toml";
    let config = std::fs::read_to_string(home.path(path)).unwrap();
    home.write(path, &format!("{config}hosts = [\"hub.example\"]\n"));
    let hub = Hub::start(&home, &[]);
    assert!(hub.url.starts_with("https://hub.example:"), "{}", hub.url);
    home.json(&["hub", "plugs"]).ends_with(0);
    home.json(&["--hub", &hub.url, "hub", "plugs"]).ends_with(0);
    assert_eq!(hub.end(Signal::SIGTERM).0.code(), Some(0));
}

#[test]
fn others_need_its_certificate() {
    let home = with_certificate(&["localhost", "127.0.0.1"]);
    let hub = Hub::start(&home, &[]);
    let token = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let certificate = home.path(".config/mains/hub.pem");
    let empty = home.write("empty.pem", "");
    let ask = |url: &str, ca_file: Option<&std::path::Path>| {
        let mut command = home.command();
        command
            .env("MAINS_CONFIG", "/dev/null")
            .env("MAINS_STATE", home.path("elsewhere"))
            .env("MAINS_TOKEN", token.trim())
            .args(["--json", "--hub", url, "hub", "plugs"]);
        if let Some(file) = ca_file {
            command.env("MAINS_HUB_CA_FILE", file);
        }
        finish(command.output())
    };
    ask(&hub.url, Some(&certificate)).ends_with(0);
    let by_name = hub.url.replace("127.0.0.1", "localhost");
    ask(&by_name, Some(&certificate)).ends_with(0);
    let run = ask(&hub.url, None).ends_with(8);
    assert!(run.stdout.contains("ca_file"), "{run:?}");
    ask(&hub.url, Some(&empty)).ends_with(2);
    ask(&hub.url, Some(&home.path("missing.pem"))).ends_with(2);
    // Without encryption nobody is let in.
    ask(&hub.url.replace("https:", "http:"), None).ends_with(8);
}

/// The certificate that people make by hand: an authority that signs itself, without a name that browsers would accept.
#[test]
fn a_certificate_of_openssl_is_trusted_when_it_is_the_one_in_the_file() {
    if needs::met(needs::tool("openssl", "version", "openssl")).is_none() {
        return;
    }
    let home = with_certificate(&["unused"]);
    let make = |name: &str, days: &str| {
        let (key, certificate) = (
            home.path(&format!("{name}.key")),
            home.path(&format!("{name}.pem")),
        );
        let made = std::process::Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=nas", "-days", days,
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        (key, certificate)
    };
    let (key, certificate) = make("own", "30");
    let (_, other) = make("other", "30");
    std::fs::copy(key, home.path(".config/mains/hub.key")).unwrap();
    std::fs::copy(&certificate, home.path(".config/mains/hub.pem")).unwrap();
    let hub = Hub::start(&home, &[]);
    let token = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let ask = |ca_file: &std::path::Path| {
        let mut command = home.command();
        command
            .env("MAINS_CONFIG", "/dev/null")
            .env("MAINS_STATE", home.path("elsewhere"))
            .env("MAINS_TOKEN", token.trim())
            .env("MAINS_HUB_CA_FILE", ca_file)
            .args(["--json", "--hub", &hub.url, "hub", "plugs"]);
        finish(command.output())
    };
    ask(&certificate).ends_with(0);
    ask(&other).ends_with(8);
    // And by the programs of this computer.
    home.json(&["hub", "plugs"]).ends_with(0);
}

#[test]
fn a_certificate_that_is_none_is_told() {
    let home = with_certificate(&["localhost"]);
    home.write(".config/mains/hub.key", "nonsense");
    let run = home.json(&["--timeout", "5s", "serve"]).ends_with(2);
    assert!(run.stdout.contains("hub.key"), "{run:?}");
    let run = home.run(&["hub", "check"]).ends_with(2);
    assert!(run.stdout.contains("mains.toml:"), "{run:?}");
}

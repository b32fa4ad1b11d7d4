//! HTTPS: a hub with a certificate of its owner's, and who trusts it.

use nix::sys::signal::Signal;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::home::{Home, finish};
use crate::house::Hub;

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

#[test]
fn a_certificate_that_is_none_is_told() {
    let home = with_certificate(&["localhost"]);
    home.write(".config/mains/hub.key", "nonsense");
    let run = home.json(&["--timeout", "5s", "serve"]).ends_with(2);
    assert!(run.stdout.contains("hub.key"), "{run:?}");
    let run = home.run(&["hub", "check"]).ends_with(2);
    assert!(run.stdout.contains("mains.toml:"), "{run:?}");
}

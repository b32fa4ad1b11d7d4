//! Verbs that reach devices directly, on a computer where a hub has the port to which plugs reply.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::home::{Home, finish};
use crate::house::{Hub, eventually};

/// A plug's own network and the network of the home, over a cable to another computer.
struct Cable(Child);

impl Cable {
    /// Lays it, and plugs in at its other end what `mains` with these words emulates.
    fn to(home: &Home, words: &str) -> Self {
        ip("link add near type veth peer name far");
        let far = "ip link set lo up; until ip link show far; do sleep 0.05; done; \
                   ip address add 10.10.100.254/24 dev far; ip address add 10.20.0.55/24 dev far; ip link set far up";
        let program = home.command().get_program().to_owned();
        let script = format!("{far}; exec '{}' {words}", program.display());
        let child = Command::new("unshare")
            .args(["--net", "bash", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let there = format!("link set far netns {}", child.id());
        // It takes a moment until it has a network of its own.
        eventually("its own network", || {
            let network =
                |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
            network(&child.id().to_string()) != network("thread-self")
        });
        ip(&there);
        ip("address add 10.10.100.100/24 dev near");
        ip("address add 10.20.0.1/24 dev near");
        ip("link set near up");
        Self(child)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "ip {words}");
}

/// The plug answers to the port that the hub has: only it hears that the plug has come home.
#[test]
fn a_fresh_plug_can_be_set_up() {
    let home = Home::with_network();
    let _cable = Cable::to(
        &home,
        "emulate plug --listen 10.10.100.254 --ap --home-network 'Home:a long key' --home-address 10.20.0.55",
    );
    let mut command = home.command();
    command
        .arg("serve")
        .env("MAINS_HUB_INTERFACES", "10.20.0.1");
    let _hub = Hub::run(command);
    let key = home.write("key", "a long key\n");
    let run = finish(
        home.command()
            .env_remove("MAINS_INTERFACE")
            .args([
                "--json", "--yes", "setup", "--wifi", "manual", "--wait", "30s",
            ])
            .args(["--module", "10.10.100.254", "--ssid", "Home", "--key-file"])
            .arg(key)
            .output(),
    )
    .ends_with(0);
    assert_eq!(run.json()["confirmed"], true, "{run:?}");
    home.json(&["hub", "adopt", "10.20.0.55"]).ends_with(0);
    home.json(&["on", "10.20.0.55"]).ends_with(0);
}

#[test]
fn the_verbs_that_need_the_hubs_port_share_it() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let _hub = Hub::start(&home, &[]);
    home.json(&["hub", "adopt", "127.0.0.2"]).ends_with(0);
    home.json(&["at", "--tcp", "127.0.0.2", "AT+YZOUT"])
        .ends_with(0);
    let run = home
        .json(&["at", "--udp", "127.0.0.2", "AT+VER"])
        .ends_with(0);
    assert!(
        run.json()[0]["reply"].as_str().unwrap().starts_with("+ok="),
        "{run:?}"
    );
    let probe = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert!(probe["mac"].is_string(), "{probe}");
    assert_eq!(probe["family"], "reco", "{probe}");
    for verb in ["on", "status", "off"] {
        home.json(&["--hub", "none", verb, "127.0.0.2"])
            .ends_with(0);
    }
    // The hub hears its plug all the time.
    let status = home.json(&["status", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(status[0]["relay"], "off", "{status}");
}

/// A hub that starts beside a command shares the command's port, and has it when the command ends.
#[test]
fn a_hub_takes_the_port_over() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let mut watch = home
        .command()
        .args(["--json", "watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let _hub = Hub::start(&home, &[]);
    home.json(&["hub", "adopt", "127.0.0.2"]).ends_with(0);
    home.json(&["on", "127.0.0.2"]).ends_with(0);
    let _ = watch.kill();
    let _ = watch.wait();
    home.json(&["off", "127.0.0.2"]).ends_with(0);
    let run = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(run["family"], "reco", "{run}");
}

#[test]
fn a_probe_knows_the_plug_by_what_the_hub_hears() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let _hub = Hub::start(&home, &[]);
    let probe = home.json(&["probe", "127.0.0.2"]).ends_with(0).json();
    assert_eq!(probe["mac"], "AC:CF:23:00:00:02", "{probe}");
    assert_eq!(probe["family"], "reco");
}

#[test]
fn by_hand_a_plug_is_found_by_the_name_that_the_hub_has() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", "127.0.0.2"], 1);
    let hub = Hub::start(&home, &[]);
    home.json(&["hub", "adopt", "127.0.0.2"]).ends_with(0);
    // A hub that is named keeps its names to itself.
    home.json(&["--hub", &hub.url, "name", "127.0.0.2", "kitchen"])
        .ends_with(0);
    home.json(&["at", "--tcp", "kitchen", "AT+YZOUT"])
        .ends_with(0);
}

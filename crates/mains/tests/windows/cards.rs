//! Computers without a network, and with two of them.

use std::process::{Child, Command, Stdio};

use crate::bench::{WindowsBench, eventually, run, twin};
use crate::needs;

/// A network card of this computer, and the network behind it.
struct Card {
    address: String,
    /// Address of the plug behind it.
    plug: String,
    network: Child,
}

impl Card {
    /// Makes a card with the first address of a network of 254.
    fn new(number: u8) -> Self {
        let network = Command::new("unshare")
            .args(["--net", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let card = Self {
            address: format!("192.168.{number}.1"),
            plug: format!("192.168.{number}.2"),
            network,
        };
        let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let pid = card.network.id().to_string();
        eventually("a network", || of(&pid) != of("thread-self"));
        let near = format!("card{number}");
        ip(&[
            "link", "add", &near, "type", "veth", "peer", "name", "far", "netns", &pid,
        ]);
        ip(&[
            "address",
            "add",
            &format!("{}/24", card.address),
            "dev",
            &near,
        ]);
        ip(&["link", "set", &near, "up"]);
        let far = format!("{}/24", card.plug);
        needs::succeed(
            card.behind("ip")
                .args(["address", "add", &far, "dev", "far"]),
        );
        needs::succeed(card.behind("ip").args(["link", "set", "far", "up"]));
        card
    }

    /// A command in the network behind the card.
    fn behind(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.network.id()))
            .arg(program);
        command
    }

    /// Starts a twin behind the card; returns its address and MAC.
    fn emulate(&self, bench: &mut WindowsBench) -> (String, String) {
        let native = bench.native(&["emulate", "plug", "--listen", &self.plug]);
        let mut command = self.behind(&native.get_program().to_string_lossy());
        let set = native
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command
            .args(native.get_args())
            .env_clear()
            .envs(set)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        twin(&bench.start(command, 1)[0])
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        let _ = self.network.kill();
        let _ = self.network.wait();
    }
}

fn ip(words: &[&str]) {
    needs::succeed(Command::new("ip").args(words));
}

#[test]
fn plugs_of_two_networks_are_found() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let cards = [Card::new(71), Card::new(72)];
    let plugs: Vec<_> = cards.iter().map(|card| card.emulate(&mut bench)).collect();
    let mut command = bench.windows(&["--json", "discover", "--expect", "2"]);
    let found = run(command.env_remove("MAINS_INTERFACE"))
        .ends_with(0)
        .json();
    for (address, mac) in &plugs {
        let is_it = |plug: &serde_json::Value| plug["address"] == **address && plug["mac"] == **mac;
        assert!(found.as_array().unwrap().iter().any(is_it), "{found}");
    }
    let mut command = bench.windows(&["--json", "discover", "--wait", "2s"]);
    let found = run(command.env("MAINS_INTERFACE", &cards[1].address))
        .ends_with(0)
        .json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["mac"], plugs[1].1);
    let mut command = bench.windows(&["--json", "on", &plugs[1].1]);
    let switched = run(command.env_remove("MAINS_INTERFACE"))
        .ends_with(0)
        .json();
    assert_eq!(switched[0]["confirmed"], true);
}

#[test]
fn without_a_network_both_programs_say_the_same() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    for words in [&["--json", "discover"][..], &["--json", "on", "kitchen"]] {
        let native = run(bench.native(words).env_remove("MAINS_INTERFACE"));
        let windows = run(bench.windows(words).env_remove("MAINS_INTERFACE"));
        assert_eq!(
            (windows.code, windows.failure().0),
            (native.code, native.failure().0),
            "{words:?}: {windows:#?}"
        );
        assert_ne!(windows.code, 0);
    }
}

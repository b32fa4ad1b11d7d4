//! A network with the plugs of the examples at their addresses.

use std::process::{Child, Command, Stdio};

use crate::home::Home;
use crate::house::eventually;
use crate::{OWN, PLUGS, run};

/// The network of the examples: this computer, and over a cable the plugs, which another network namespace emulates.
pub struct ExampleNetwork {
    pub home: Home,
    plugs: Child,
}

impl ExampleNetwork {
    pub fn start() -> Self {
        let home = Home::with_network();
        let ip = |words: &str| {
            let status = Command::new("ip").args(words.split(' ')).status().unwrap();
            assert!(status.success(), "ip {words}");
        };
        ip("link add near type veth peer name far");
        let program = home.command().get_program().to_owned();
        let mut script =
            "ip link set lo up; until ip link show far; do sleep 0.05; done; ip link set far up"
                .to_owned();
        for (address, mac, _) in PLUGS {
            let serial = format!("9000006{}", &address[address.len() - 2..]);
            let serial = if address.ends_with(".107") {
                "900000621"
            } else {
                &serial
            };
            script += &format!(
                "; ip address add {address}/24 dev far; '{}' emulate plug --listen {address} --mac {mac} --serial {serial} \
                 --load 60 &",
                program.display()
            );
        }
        script += "\nwait";
        // The plugs end with their network.
        let plugs = Command::new("unshare")
            .args([
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "bash",
                "-c",
                &script.replace("&;", "&"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It takes a moment until it has a network of its own.
        eventually("its own network", || {
            let network =
                |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
            network(&plugs.id().to_string()) != network("thread-self")
        });
        ip(&format!("link set far netns {}", plugs.id()));
        ip(&format!("address add {OWN}/24 dev near"));
        // A second one, for `mains record`.
        ip("address add 192.168.1.9/24 dev near");
        ip("link set near up");
        let network = Self { home, plugs };
        eventually("the plugs", || {
            let all = format!("mains --json discover --wait 2s --expect {}", PLUGS.len());
            run(&network.home, &all).code == 0
        });
        network
    }
}

impl Drop for ExampleNetwork {
    fn drop(&mut self) {
        let _ = self.plugs.kill();
        let _ = self.plugs.wait();
    }
}

//! `mains serve` on Windows: pages, API, and what is left after it was killed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::bench::{StartedProgram, WindowsBench, WineRun, eventually, run};
use crate::needs;

/// A hub of Windows.
struct WindowsHub {
    running: StartedProgram,
    url: String,
    login_url: String,
}

impl WindowsHub {
    fn start(bench: &WindowsBench) -> Self {
        Self::start_with(bench, &[])
    }

    fn start_with(bench: &WindowsBench, variables: &[(&str, &str)]) -> Self {
        let listen = format!("{}:8480", bench.address(9));
        let words = ["serve", "--listen", &listen];
        // Plain HTTP leaves loopback only with a password; this address is on loopback.
        let mut command = bench.windows(&words);
        let running = StartedProgram::start(command.envs(variables.iter().copied()), 1);
        let login_url = running.lines[0].clone();
        let url = login_url.split("/login?token=").next().unwrap().to_owned();
        Self {
            running,
            url,
            login_url,
        }
    }
}

/// The program of this machine as a client of the hub of Windows.
fn client(bench: &WindowsBench, hub: &WindowsHub, words: &[&str]) -> WineRun {
    let token = std::fs::read_to_string(bench.state().join("admin-token")).unwrap();
    let mut command: Command = bench.native(&[&["--json", "--hub", &hub.url], words].concat());
    run(command.env("MAINS_TOKEN", token.trim()))
}

/// Sends a request without a body; returns the whole reply.
fn get(url: &str, cookie: &str) -> String {
    let (host, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn pages_and_api_are_served() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = bench
        .emulate(2, 1, &["--load", "60", "--relay", "on"])
        .remove(0);
    let hub = WindowsHub::start(&bench);
    let adopted = client(&bench, &hub, &["hub", "adopt", &address])
        .ends_with(0)
        .json();
    assert_eq!(adopted[0]["mac"], mac, "{adopted}");
    eventually("a reading", || {
        let plugs = client(&bench, &hub, &["hub", "plugs"]).ends_with(0).json();
        plugs[0]["reading"]["power_w"].is_number()
    });
    let switched = client(&bench, &hub, &["off", &mac]).ends_with(0).json();
    assert_eq!(switched[0]["confirmed"], true);
    // The program of Windows finds the hub of its user by itself.
    let found = bench.json(&["status", &mac]).ends_with(0).json();
    assert_eq!(
        (&found[0]["mac"], &found[0]["relay"]),
        (&mac.clone().into(), &"off".into())
    );
    let replies = bench.json(&["at", &address, "VER"]).ends_with(0).json();
    assert!(
        replies[0]["reply"].is_string(),
        "the port is shared: {replies}"
    );

    assert!(get(&format!("{}/healthz", hub.url), "").starts_with("HTTP/1.1 200"));
    assert!(get(&format!("{}/api/v1/plugs", hub.url), "").starts_with("HTTP/1.1 401"));
    assert!(get(&format!("{}/", hub.url), "").starts_with("HTTP/1.1 303"));
    let login = get(&hub.login_url, "");
    assert!(login.starts_with("HTTP/1.1 303"), "{login}");
    let cookie = login
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .and_then(|line| line.split(';').next())
        .unwrap_or_else(|| panic!("{login}"));
    let page = get(&format!("{}/", hub.url), cookie);
    let id = mac.replace(':', "").to_lowercase();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains(&format!("data-mac=\"{id}\"")),
        "{page}"
    );
    let (code, log) = hub.running.end(Signal::SIGINT);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = bench.emulate(2, 1, &[]).remove(0);
    let hub = WindowsHub::start(&bench);
    client(&bench, &hub, &["hub", "adopt", &address]).ends_with(0);
    for number in 0..20 {
        let name = format!("group {number}");
        client(&bench, &hub, &["group", "add", &name, &mac]).ends_with(0);
    }
    hub.running.end(Signal::SIGKILL);
    let hub = WindowsHub::start(&bench);
    let groups = client(&bench, &hub, &["group", "list"]).ends_with(0).json();
    assert_eq!(groups.as_array().unwrap().len(), 20, "{groups}");
    let plugs = client(&bench, &hub, &["hub", "plugs"]).ends_with(0).json();
    assert_eq!(plugs[0]["mac"], mac);
}

#[test]
fn closing_the_window_ends_the_hub_in_order() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let hub = WindowsHub::start(&bench);
    bench.close_windows();
    let (code, log) = hub.running.wait();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_second_hub_of_the_same_state_ends_with_7() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let hub = WindowsHub::start(&bench);
    let (kind, message) = bench.json(&["serve"]).ends_with(7).failure();
    assert_eq!(kind, "local");
    assert!(message.contains(&hub.url), "{message}");
}

#[test]
fn the_hub_is_a_service_until_it_is_removed() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    // Wine ends services when no other program runs.
    let words = ["emulate", "plug", "--listen", &bench.address(5)];
    let company = bench.windows(&words);
    bench.start(company, 1);
    // What a test that was interrupted has left.
    bench.json(&["serve", "--uninstall-service"]);
    let listen = format!("{}:8490", bench.address(1));
    let install = ["serve", "--listen", &listen, "--install-service"];
    let installed = bench.json(&install).ends_with(0).json();
    assert_eq!(installed["installed"], true, "{installed}");
    let is_serving = || TcpStream::connect(&listen).is_ok();
    eventually("the service serves", is_serving);
    let health = get(&format!("http://{listen}/healthz"), "");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let (kind, message) = bench.json(&install).ends_with(7).failure();
    assert_eq!(kind, "local");
    assert!(message.contains("installed already"), "{message}");
    let removed = bench.json(&["serve", "--uninstall-service"]).ends_with(0);
    assert_eq!(removed.json()["installed"], false);
    eventually("the service has ended", || !is_serving());
    let again = bench.json(&["serve", "--uninstall-service"]).ends_with(3);
    assert_eq!(again.failure().0, "not_found");
}

#[test]
fn after_a_sleep_the_hub_knows_what_has_happened_meanwhile() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, mac) = bench.emulate(2, 1, &["--load", "60"]).remove(0);
    let hub = WindowsHub::start(&bench);
    client(&bench, &hub, &["hub", "adopt", &address]).ends_with(0);
    let plug = || {
        let plugs = client(&bench, &hub, &["hub", "plugs"]).ends_with(0).json();
        plugs[0].clone()
    };
    eventually("the first reading", || plug()["reading"]["at"].is_string());
    let before = plug();
    hub.running.sleep_during(Duration::from_secs(40), || {
        // By the plug's own console: the port of the others is the sleeper's.
        let switch = "YZSWITCH=1,ON,202611301200";
        bench
            .native_json(&["at", "--tcp", &address, switch])
            .ends_with(0);
    });
    eventually("the relay and a new reading", || {
        let now = plug();
        now["relay"] == "on"
            && now["available"] == true
            && now["reading"]["at"].as_str() > before["reading"]["at"].as_str()
    });
    let switched = client(&bench, &hub, &["off", &mac]).ends_with(0).json();
    assert_eq!(switched[0]["confirmed"], true);
    let (code, log) = hub.running.end(Signal::SIGINT);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_real_broker_sees_and_switches_plugs() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let tools = [
        ("mosquitto_sub", "mosquitto-clients"),
        ("/usr/sbin/mosquitto", "mosquitto"),
    ];
    for (tool, package) in tools {
        if needs::met(needs::tool(tool, "-h", package)).is_none() {
            return;
        }
    }
    let settings = "user root\npersistence false\nlistener 1883 127.0.0.1\nallow_anonymous true\n";
    bench.write("mosquitto.conf", settings);
    let mut broker = Command::new("/usr/sbin/mosquitto");
    broker
        .arg("-c")
        .arg(bench.path("mosquitto.conf"))
        .stdout(Stdio::piped());
    bench.start(broker, 0);
    eventually("the broker listens", || {
        TcpStream::connect("127.0.0.1:1883").is_ok()
    });
    let (address, mac) = bench.emulate(2, 1, &[]).remove(0);
    let variables = [("MAINS_MQTT_URL", "mqtt://127.0.0.1:1883")];
    let hub = WindowsHub::start_with(&bench, &variables);
    client(&bench, &hub, &["hub", "adopt", &address]).ends_with(0);
    let topic = format!("mains/{}/relay", mac.replace(':', "").to_lowercase());
    let relay = || {
        let words = ["-h", "127.0.0.1", "-C", "1", "-W", "5", "-t", &topic];
        let output = Command::new("mosquitto_sub").args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    eventually("the plug's state", || relay() == "OFF");
    let set = format!("{topic}/set");
    needs::succeed(Command::new("mosquitto_pub").args(["-h", "127.0.0.1", "-t", &set, "-m", "ON"]));
    eventually("the switch", || relay() == "ON");
    let mut check = bench.windows(&["--json", "mqtt", "check"]);
    let checked = run(check.envs(variables)).ends_with(0).json();
    let steps = checked["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["ok"] == true), "{checked}");
    let (code, log) = hub.running.end(Signal::SIGINT);
    assert_eq!(code, Some(0), "{log}");
}

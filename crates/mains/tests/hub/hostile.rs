//! Files, disks and neighbours that mean harm.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, geteuid, mkfifo};
use statefile::StateFile;

use crate::home::{Home, finish};
use crate::house::{Hub, adopt, plugs};
use crate::needs;

const PAGE: usize = 4096;

/// Gets a page or a path of the API with the admin token.
fn get(home: &Home, hub: &Hub, path: &str) -> String {
    let token = fs::read_to_string(home.state().join("admin-token")).unwrap();
    let address = hub.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let token = token.trim();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_fifo_in_place_of_a_file_holds_up_neither_start_nor_end() {
    let mode = Mode::from_bits_truncate(0o600);
    let home = Home::with_network();
    fs::create_dir(home.state()).unwrap();
    mkfifo(&home.state().join("admin-token"), mode).unwrap();
    let hub = Hub::start(&home, &[]);
    let (status, took, log) = hub.end(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(log.contains("not a regular file"), "{log}");

    // A certificate can be a pipe, and is waited for; a signal ends that.
    let certificate = home.write("state/hub.pem", "");
    fs::remove_file(&certificate).unwrap();
    mkfifo(&certificate, mode).unwrap();
    let mut command = home.command();
    command
        .arg("serve")
        .env("MAINS_HUB_CERTIFICATE", &certificate)
        .env("MAINS_HUB_KEY", &certificate)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None);
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it hangs");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All in the directory is its owner's alone, under any mask, and also if others could write to it before.
#[test]
fn the_state_directory_is_private() {
    for was_open in [false, true] {
        let mut home = Home::with_network();
        home.emulate(&[], 1);
        if was_open {
            fs::create_dir(home.state()).unwrap();
            fs::set_permissions(home.state(), Permissions::from_mode(0o777)).unwrap();
        }
        let unmasked = |words: &[&str]| {
            let plain = home.command();
            let mut command = Command::new("sh");
            command.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
            command.arg(plain.get_program()).args(words).env_clear();
            command.envs(
                plain
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            command
        };
        finish(unmasked(&["discover"]).output()).ends_with(0);
        let check = || {
            let files = fs::read_dir(home.state()).unwrap();
            let files = files.map(|file| file.unwrap().path());
            for path in files.chain([home.state()]) {
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
            }
        };
        check();
        let _hub = Hub::run(unmasked(&["serve"]));
        adopt(&home, &["127.0.0.2"]);
        check();
    }
}

/// In a directory that others can write to, the address of the hub can be anybody's.
#[test]
fn the_admin_token_goes_to_no_stranger() {
    let home = Home::with_network();
    let hub = Hub::start(&home, &[]);
    hub.end(Signal::SIGTERM);
    let stranger = TcpListener::bind("127.0.0.66:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let announcement = StateFile::new(home.state().join("hub.json"), 4096);
    let _lock = announcement.lock(Duration::ZERO).unwrap();
    let forge = |url: &str| {
        let text = format!("{{\"pid\":1,\"url\":\"{url}\"}}");
        announcement.write(text.as_bytes()).unwrap();
    };
    for elsewhere in [
        "http://192.0.2.1:8480",
        // Its holder could have a certificate for it.
        "https://hub.example:8480",
        "https://hub.example:8480\",\"address\":\"192.0.2.1:8480",
    ] {
        forge(elsewhere);
        let run = home.json(&["hub", "status"]).ends_with(7);
        assert!(run.stdout.contains("not on this machine"), "{run:?}");
    }
    if !geteuid().is_root() {
        return needs::skip("only root can give files away");
    }
    forge(&format!("http://{}", stranger.local_addr().unwrap()));
    chown(announcement.path(), Some(4711), None).unwrap();
    let run = home.json(&["hub", "status"]).ends_with(7);
    assert!(run.stdout.contains("another user"), "{run:?}");
    assert!(stranger.accept().is_err(), "it was called");
}

fn add_groups(home: &Home, number: usize) {
    for number in 0..number {
        let name = format!("group {number} {}", "x".repeat(40));
        home.json(&["group", "add", &name, "lamp"]).ends_with(0);
    }
}

/// Damages a page of documents after the first, with which everything else can be found; the log tells of them, too.
fn damage(database: &Path) {
    let mut bytes = fs::read(database).unwrap();
    let at = bytes
        .windows(10)
        .rposition(|found| found == b":\"group 2 ")
        .unwrap();
    let begin = at / PAGE * PAGE;
    bytes[begin] ^= 0xff;
    fs::write(database, bytes).unwrap();
}

/// A damaged database is told of in status, metrics and pages, for as long as its file is kept; so is one that was lost.
#[test]
fn damage_of_the_database_is_told() {
    let mut home = Home::with_network();
    home.emulate(&[], 1);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    add_groups(&home, 4);
    let status = home.json(&["hub", "status"]).ends_with(0).json();
    assert_eq!(status["damage"], serde_json::json!([]));
    hub.end(Signal::SIGTERM);
    let database = home.state().join("mains.sqlite");
    damage(&database);
    let hub = Hub::start(&home, &[]);
    assert_eq!(plugs(&home)[0]["name"], "lamp");
    let status = home.json(&["hub", "status"]).ends_with(0).json();
    let told = &status["damage"][0];
    let kept = home.state().join(told["kept_as"].as_str().unwrap());
    assert!(kept.is_file(), "{status}");
    assert_eq!(told["lost"][0]["table"], "documents", "{status}");
    let metrics = get(&home, &hub, "/metrics");
    assert!(
        metrics.contains("\nmains_hub_database_damages 1.0\n"),
        "{metrics}"
    );
    for page in ["/", "/settings", "/events"] {
        let page = get(&home, &hub, page);
        assert!(page.contains("The database was damaged"), "{page}");
    }
    // In the log of past events once, and not again after another start.
    let logged = |hub: &Hub| {
        let past = get(&home, hub, "/api/v1/log?kinds=problem");
        let (_, past) = past.split_once("\r\n\r\n").unwrap();
        let past: serde_json::Value = serde_json::from_str(past).unwrap();
        let entries = past.as_array().unwrap().iter();
        let told = entries.filter(|entry| {
            let text = entry["text"].as_str().unwrap();
            entry["problem"] == true && text.starts_with("The database was damaged (")
        });
        told.count()
    };
    assert_eq!(logged(&hub), 1);
    let past = home
        .run(&["events", "--since", "1h", "--no-follow"])
        .ends_with(0);
    assert!(
        past.stdout.contains("The database was damaged ("),
        "{past:?}"
    );
    hub.end(Signal::SIGTERM);
    let hub = Hub::start(&home, &[]);
    assert_eq!(logged(&hub), 1);
    fs::remove_file(kept).unwrap();
    let page = get(&home, &hub, "/");
    assert!(!page.contains("The database was damaged"), "{page}");
    hub.end(Signal::SIGTERM);

    // Of 0 bytes, or missing, beside an admin token.
    for is_there in [true, false] {
        match is_there {
            true => fs::write(&database, "").unwrap(),
            false => fs::remove_file(&database).unwrap(),
        }
        // On the network, too, though the password is lost with it.
        let hub = Hub::start(&home, &["--listen", "0.0.0.0:8480"]);
        let status = home.json(&["hub", "status"]).ends_with(0).json();
        let problem = status["damage"][0]["problem"].as_str().unwrap();
        assert!(problem.contains("missing or empty"), "{status}");
        assert!(get(&home, &hub, "/").contains("missing or empty"));
        hub.end(Signal::SIGTERM);
    }
}

/// A flipped bit in the password's hash does not keep a hub on the network from starting.
#[test]
fn a_damaged_password_does_not_keep_the_hub_from_starting() {
    let home = Home::with_network();
    let hub = Hub::start(&home, &[]);
    let token = fs::read_to_string(home.state().join("admin-token")).unwrap();
    let address = hub.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = r#"{"password":"correct horse"}"#;
    write!(
        stream,
        "PUT /api/v1/password HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        token.trim(),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    hub.end(Signal::SIGTERM);
    let database = home.state().join("mains.sqlite");
    let mut bytes = fs::read(&database).unwrap();
    let hash = bytes.windows(10).position(|part| part == b"$argon2id$");
    bytes[hash.unwrap() + 40] ^= 0x80;
    fs::write(&database, bytes).unwrap();
    let hub = Hub::start(&home, &["--listen", "0.0.0.0:8480"]);
    let status = home.json(&["hub", "status"]).ends_with(0).json();
    let problem = status["damage"][0]["problem"].as_str().unwrap();
    assert_eq!(
        problem, "the setting `trust.password` cannot be read",
        "{status}"
    );
    hub.end(Signal::SIGTERM);
}

/// A network on which a stranger makes up plugs faster than they are read.
#[test]
fn a_search_among_made_up_plugs_ends_in_time() {
    let home = Home::with_network();
    let ends = Arc::new(AtomicBool::new(false));
    let stranger = UdpSocket::bind("127.0.0.99:0").unwrap();
    let flood = std::thread::spawn({
        let ends = Arc::clone(&ends);
        move || {
            for number in (0..20_000_u32).cycle() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let [_, a, b, c] = number.to_be_bytes();
                let report = format!("127.0.0.99,ACCF23{a:02X}{b:02X}{c:02X},,,1");
                // Before there is a listener it is refused.
                let _ = stranger.send_to(report.as_bytes(), "127.0.0.1:48899");
            }
        }
    });
    let begun = Instant::now();
    let run = home.json(&["--timeout", "3s", "discover"]).ends_with(0);
    let took = begun.elapsed();
    ends.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    let found = run.json().as_array().unwrap().len();
    assert!((100..=16_384).contains(&found), "{found}");
    assert!(took < Duration::from_secs(15), "{found} in {took:?}");
}

/// Returns the peak of a hub's memory since it was reset, in kilobytes.
fn peak(hub: &Hub) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", hub.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Files and bodies that are too long fill no memory, and their sender learns why they are refused.
#[test]
fn long_files_and_bodies_are_refused_before_they_fill_the_memory() {
    let mut home = Home::with_network();
    home.emulate(&[], 1);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    let mac = plugs(&home)[0]["mac"]
        .as_str()
        .unwrap()
        .replace(':', "")
        .to_lowercase();
    let token = fs::read_to_string(home.state().join("admin-token")).unwrap();
    let address = hub.url.strip_prefix("http://").unwrap();
    let before = peak(&hub);
    let line = vec![b'x'; 100 * 1024 * 1024];
    for (path, media, status) in [
        (format!("/api/v1/plugs/{mac}/import"), "text/csv", "400"),
        ("/api/v1/groups".to_owned(), "application/json", "413"),
        ("/api/v1/nowhere".to_owned(), "application/json", "404"),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        let length = line.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: {media}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n",
            token.trim()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // On a busy machine it can end before all is sent.
        let _ = stream.write_all(&line);
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        let expected = format!("HTTP/1.1 {status} ");
        assert!(
            read.is_err() || answer.starts_with(&expected),
            "{path}: {answer}"
        );
    }
    let grown = peak(&hub) - before;
    assert!(grown < 32 * 1024, "{grown} kB for bodies of 100 MB");
    let endless = home
        .json(&["hub", "import", "127.0.0.2", "/dev/zero"])
        .ends_with(2);
    let message = endless.json()["error"]["message"].clone();
    assert_eq!(message, "/dev/zero has more than 128 MB");
}

//! Every example of the help, the README and the documentation is run; every command in a hint of the program is understood.
//!
//! A program of its own: the examples take a minute, and the network of their addresses is theirs alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/home.rs"]
mod home;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../hub/house.rs"]
mod house;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/needs.rs"]
mod needs;
mod network;
#[path = "../cli/sample_app.rs"]
mod sample_app;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mains::cli::{ParsedArguments, parse};
use mains::ui::Colour;

use crate::home::{FinishedRun, Home, finish};
use crate::house::{Hub, eventually, plugs};
use crate::network::ExampleNetwork;

/// Address of the computer on the network of the examples.
const OWN: &str = "192.168.1.1";
/// The plugs of the examples: address, MAC and name.
const PLUGS: [(&str, &str, &str); 12] = [
    ("192.168.1.107", "AC:CF:23:12:34:56", "kitchen"),
    ("192.168.1.108", "AC:CF:23:12:34:57", "spare"),
    ("192.168.1.111", "AC:CF:23:12:34:61", "fridge"),
    ("192.168.1.112", "AC:CF:23:12:34:62", "tv"),
    ("192.168.1.113", "AC:CF:23:12:34:63", "heater"),
    ("192.168.1.114", "AC:CF:23:12:34:64", "lamp"),
    ("192.168.1.115", "AC:CF:23:12:34:65", "porch"),
    ("192.168.1.116", "AC:CF:23:12:34:66", "iron"),
    ("192.168.1.117", "AC:CF:23:12:34:67", "hall"),
    ("192.168.1.118", "AC:CF:23:12:34:68", "washing-machine"),
    ("192.168.1.119", "AC:CF:23:12:34:69", "old heater"),
    ("192.168.1.120", "AC:CF:23:12:34:70", "desk"),
];
/// Examples that are only understood here, and where they are run: they need a bridge, an access point, a serial port, a person, or
/// are a hub themselves.
const ELSEWHERE: [(&str, &str); 21] = [
    ("discover --to ", "tests/cli/discovering.rs, without a hub"),
    ("hue ", "tests/hue"),
    ("setup", "tests/setup, tests/networkmanager"),
    ("demo --tour", "tests/cli/terminal.rs"),
    ("demo", "tests/hub/demo.rs, tests/mqtt"),
    ("serve", "tests/hub/serving.rs"),
    ("emulate ", "tests/cli/emulating.rs"),
    ("at --serial ", "tests/cli/at_serial.rs"),
    ("at 10.10.100.254 ", "tests/cli/at.rs"),
    ("probe 10.10.100.254", "tests/cli/probe.rs"),
    (
        "at kitchen \"WSKEY=WPA2PSK,AES,?\"",
        "tests/cli/at_typing.rs",
    ),
    ("name --walk", "tests/cli/terminal.rs"),
    ("hub password", "tests/hub/owner.rs"),
    ("hub token add office ", "tests/hub/postgres.rs"),
    ("hub login-url --site ", "tests/hub/postgres.rs"),
    ("hub restore", "tests/hub"),
    ("hub migrate", "tests/hub/postgres.rs"),
    ("hub check /etc", "tests/hub/check.rs"),
    ("mqtt check", "tests/hub"),
    ("help ", "tests/cli/help.rs"),
    ("man", "tests/cli/help.rs"),
];
/// Verbs that do not end by themselves.
const ENDLESS: [&str; 5] = ["watch", "events", "discover --watch", "record", "replay"];
/// Options that only the program for Windows has, which tests/windows runs.
const ON_WINDOWS: [&str; 2] = ["--install-service", "--uninstall-service"];

/// An example, and the verb in whose help it stands.
struct Example {
    group: String,
    line: String,
}

impl Example {
    /// The words after `mains`, without options that stand before the verb.
    fn verb(&self) -> &str {
        let words = self.line.split("mains ").nth(1).unwrap_or("");
        let mut rest = words.trim_start();
        while rest.starts_with("--") {
            let has_value = ["--timeout", "--hub", "--interface"];
            let (option, after) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = match has_value.contains(&option) {
                true => after.split_once(' ').map_or("", |(_, after)| after),
                false => after,
            };
        }
        rest
    }

    fn is_run_elsewhere(&self) -> bool {
        let verb = self.verb();
        let starts =
            |(start, _): &(&str, &str)| verb.starts_with(start) || verb == start.trim_end();
        ELSEWHERE.iter().any(starts)
    }

    /// The line with the files and addresses of the test.
    fn runnable(&self, hub: Option<&Hub>) -> String {
        let url = hub.map_or("", |hub| hub.url.as_str());
        let line = [
            ("http://nas:8480", url),
            ("http://192.168.1.5:8480", url),
            ("/media/", "./"),
            ("/run/secrets/mains", "password"),
            ("xdg-open", "echo"),
        ]
        .iter()
        .fold(self.line.clone(), |line, (from, to)| line.replace(from, to));
        match ENDLESS.iter().any(|verb| self.verb().starts_with(verb)) {
            true => format!("export MAINS_TIMEOUT=3s; {line}"),
            false => line,
        }
    }
}

fn words(line: &str) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let script = format!("mains() {{ printf '%s\\0' mains \"$@\"; exit; }}; {line}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = output.stdout.split(|byte| *byte == 0);
    let mut words: Vec<OsString> = words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    words.pop();
    words
}

/// Returns why a command line is not understood.
fn misunderstood(line: &str) -> Option<String> {
    // A command that feeds or is fed by another one stands alone.
    let begin = line.find("mains ").unwrap();
    let end = line
        .find([';', '|', '>', '<', '#'])
        .filter(|end| *end > begin);
    let alone = line[begin..end.unwrap_or(line.len())].trim_end_matches([')', ' ']);
    // A quotation may have begun before the command.
    let alone = match alone.matches('"').count() % 2 {
        0 => alone,
        _ => alone.trim_end_matches(['"', ')', ' ']),
    };
    if ON_WINDOWS.iter().any(|option| alone.ends_with(option)) {
        return None;
    }
    match parse(&words(alone), Colour::Never) {
        ParsedArguments::Run(_) | ParsedArguments::Print(_) => None,
        // A verb that is only named lacks what it requires.
        ParsedArguments::Refused { failure, .. } => Some(format!("{line}: {failure}"))
            .filter(|problem| !problem.contains("arguments were not provided")),
    }
}

/// The examples in the help of every verb.
fn examples_of_help(home: &Home) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut todo = vec![Vec::new()];
    while let Some(path) = todo.pop() {
        let help = home.run(
            &[&["help".to_owned()], path.as_slice()]
                .concat()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        let text = help.ends_with(0).stdout;
        for heading in ["Verbs:\n", "Commands:\n"] {
            let list = text
                .split(heading)
                .nth(1)
                .and_then(|rest| rest.split("\n\n").next());
            let below = list.iter().flat_map(|list| list.lines());
            let below = below.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
            let names = below.filter_map(|line| line.split_whitespace().next());
            todo.extend(names.filter(|name| *name != "help").map(|name| {
                let mut longer = path.clone();
                longer.push(name.to_owned());
                longer
            }));
        }
        let lines = text
            .lines()
            .filter(|line| line.starts_with("  ") && line.contains("mains "));
        let is_example = |line: &&str| {
            let line = line.trim_start();
            ["mains ", "jq ", "xdg-open "]
                .iter()
                .any(|start| line.starts_with(start))
        };
        examples.extend(lines.filter(is_example).map(|line| Example {
            group: path.join(" "),
            line: without_remark(line),
        }));
    }
    examples
}

/// Cuts the remark after two blanks, which need not be a comment of the shell.
fn without_remark(line: &str) -> String {
    let line = line.trim();
    line.split("  ").next().unwrap_or(line).to_owned()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The examples of README and documentation: lines of code, and code within a sentence.
fn examples_of_documents() -> Vec<Example> {
    let mut files = vec![repository().join("README.md")];
    let documents = std::fs::read_dir(repository().join("docs")).unwrap();
    files.extend(documents.map(|entry| entry.unwrap().path()));
    files.retain(|file| file.extension().is_some_and(|end| end == "md"));
    files.sort();
    let mut examples = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let group = file.file_name().unwrap().to_string_lossy().into_owned();
        let mut add = |line: &str| {
            let line = without_remark(line);
            examples.push(Example {
                group: group.clone(),
                line,
            });
        };
        for line in text.lines() {
            match line.trim_start().strip_prefix("$ ") {
                Some(code) if code.starts_with("mains ") => add(code),
                _ => {
                    let quoted = line.split('`').skip(1).step_by(2);
                    quoted
                        .filter(|code| code.starts_with("mains "))
                        .for_each(&mut add);
                }
            }
        }
    }
    examples
}

fn run(home: &Home, script: &str) -> FinishedRun {
    let program = home.command().get_program().to_owned();
    let tools = home.path("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let link = tools.join("mains");
    if !link.exists() {
        std::os::unix::fs::symlink(&program, &link).unwrap();
    }
    let mut command = home.command();
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let path = std::env::var("PATH").unwrap();
    command = Command::new("bash");
    command
        .args(["-o", "pipefail", "-c", script])
        .env_clear()
        .envs(environment)
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("MAINS_INTERFACE", OWN)
        .env("MAINS_HUB_METERING", "2s")
        // Nobody is there to be asked.
        .env("MAINS_CONFIG", home.write("yes.toml", "yes = true\n"))
        .current_dir(home.path("."))
        .stdin(Stdio::null());
    finish(command.output())
}

/// Starts a hub with the documents that the examples speak of. It adopts the plugs because they have names.
fn hub_of_examples(home: &Home, inventory: &[u8], group: &str) -> Hub {
    // A plug that was hardened keeps its word, and so must who wants to reach it.
    let entries = std::fs::read_dir(home.state()).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let records = paths.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("harden-") && name.ends_with(".json")
    });
    let records: Vec<_> = records
        .map(|path| (std::fs::read(&path).unwrap(), path))
        .collect();
    let _ = std::fs::remove_dir_all(home.state());
    std::fs::create_dir_all(home.state()).unwrap();
    std::fs::write(home.state().join("inventory.json"), inventory).unwrap();
    for (record, path) in records {
        std::fs::write(path, record).unwrap();
    }
    for written in [
        "mains.sqlite",
        "mains-backup.sqlite",
        "heater.csv",
        "january.csv",
    ] {
        let _ = std::fs::remove_file(home.path(written));
    }
    let mut command = home.command();
    command
        .arg("serve")
        .env("MAINS_INTERFACE", OWN)
        .env("MAINS_PLACE_LATITUDE", "52.52")
        .env("MAINS_PLACE_LONGITUDE", "13.40");
    let hub = Hub::run(command);
    eventually("adopted", || plugs(home).len() == PLUGS.len());
    if group == "on" {
        run(home, "mains group add lamps lamp porch").ends_with(0);
    }
    if group == "hub import" {
        run(home, "mains hub export heater heater.csv").ends_with(0);
    }
    hub
}

/// A transcript of an SP-2, as `mains record` writes it.
const TRANSCRIPT: &str = r#"{"at":"2026-11-22T12:00:00.123Z","transport":"tcp","direction":"to_plug","peer":"192.168.1.50:40312","hex":"41542b595a4f55540d0a","text":"AT+YZOUT\r\n"}
{"at":"2026-11-22T12:00:00.173Z","transport":"tcp","direction":"from_plug","peer":"192.168.1.50:40312","hex":"2b6f6b3d332c32323639342c353030372c302c302c333534382c300d0a0d0a","text":"+ok=3,22694,5007,0,0,3548,0\r\n\r\n"}
"#;

fn files_of_examples(home: &Home) {
    if needs::met(sample_app::tools()).is_some() {
        let app = sample_app::build(&home.path("app"));
        std::fs::rename(app, home.path("maginon-sp2.apk")).unwrap();
    }
    home.write("sp2.jsonl", TRANSCRIPT);
    home.write("commands.txt", "VER\nMID\n");
    home.write("password", "a long password\n");
    home.write(
        "tomorrow.csv",
        "time,price\n2026-12-01T00:00:00+01:00,0.31\n",
    );
    for folder in [
        ".local/share/bash-completion/completions",
        ".zfunc",
        ".config/fish/completions",
        ".local/share/man/man1",
    ] {
        std::fs::create_dir_all(home.path(folder)).unwrap();
    }
}

#[test]
fn every_example_of_help_and_documents_works() {
    if needs::met(needs::namespaces(&[("ip", "iproute2")])).is_none() {
        return;
    }
    let network = ExampleNetwork::start();
    let home = &network.home;
    let mut examples = examples_of_help(home);
    examples.extend(examples_of_documents());
    assert!(examples.len() > 150, "{}", examples.len());
    files_of_examples(home);
    for (_, mac, name) in PLUGS {
        run(home, &format!("mains name {mac} '{name}'")).ends_with(0);
    }
    let inventory = std::fs::read(home.state().join("inventory.json")).unwrap();
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    let mut failed: Vec<String> = Vec::new();
    let mut group = String::new();
    let mut hub = None;
    for example in &examples {
        // `mains hub replace OLD NEW` stands for what its reader writes.
        let is_form = example.line.split(' ').any(|word| {
            word.len() > 1
                && word.bytes().all(|byte| byte.is_ascii_uppercase())
                && !["MID", "VER", "WMODE", "YZOUT", "WSCAN", "EUR"].contains(&word)
        }) || example.line.contains(['<', '…'])
            && !example.line.contains("< commands");
        let is_named_only = !example.verb().contains(' ') && example.group.ends_with(".md");
        if example.is_run_elsewhere() {
            if !is_form && !is_named_only {
                failed.extend(misunderstood(&example.line));
            }
            continue;
        }
        if is_form || is_named_only || example.verb().starts_with('-') {
            continue;
        }
        let lacks_app = example.line.contains(".apk") && !home.path("maginon-sp2.apk").exists();
        if lacks_app || example.line.contains("jq ") && !has_jq {
            failed.extend(misunderstood(&example.line));
            continue;
        }
        // The hub has the port to which a module replies.
        let is_by_udp = example.verb().starts_with("at ") && !example.verb().contains("--tcp");
        if is_by_udp {
            drop(hub.take());
        } else if group != example.group || hub.is_none() {
            drop(hub.take());
            group.clone_from(&example.group);
            hub = Some(hub_of_examples(home, &inventory, &group));
        }
        let line = example.runnable(hub.as_ref());
        let result = run(home, &line);
        if result.code != 0 {
            failed.push(format!(
                "[{}] {}\n    {} {}{}",
                example.group, line, result.code, result.stdout, result.stderr
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {}:\n{}",
        failed.len(),
        examples.len(),
        failed.join("\n")
    );
}

/// Commands that the program's own sentences name, with something in the place of what is filled in.
#[test]
fn every_command_in_a_hint_is_understood() {
    let mut hints = BTreeSet::new();
    let mut folders = vec![repository().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["tests", "examples", "target", "node_modules"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && !name.contains("tests") {
                let text = std::fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]").next().unwrap();
                let lines = product
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                for line in lines {
                    let quoted = line.split('`').skip(1).step_by(2);
                    hints.extend(
                        quoted
                            .filter(|code| code.starts_with("mains "))
                            .map(str::to_owned),
                    );
                }
            }
        }
    }
    assert!(hints.len() > 30, "{hints:?}");
    let mut failed = Vec::new();
    for hint in hints {
        let words: Vec<&str> = hint.split(' ').collect();
        // A verb that is only named takes more than its name.
        if words.len() <= 2 || hint.contains('…') || hint.ends_with(['.', ',']) {
            continue;
        }
        let mut line = hint.clone();
        for (form, filled) in [
            ("<PLUG>", "kitchen"),
            ("<NAME>", "lamp"),
            ("<verb>", "on"),
            ("{verb}", "on"),
            ("{one}", "schedule"),
            ("URL", "http://nas:8480"),
        ] {
            line = line.replace(form, filled);
        }
        while let Some(begin) = line.find('{') {
            let end = line[begin..]
                .find('}')
                .map_or(line.len(), |end| begin + end + 1);
            line.replace_range(begin..end, "192.168.1.107");
        }
        failed.extend(misunderstood(&line).filter(|_| !line.contains('\\')));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

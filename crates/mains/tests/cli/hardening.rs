//! `mains harden`: what stands open is closed, proven and restored; no secret is seen; every exit code.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::home::{FinishedRun, Home, finish};

const PLUG: &str = "127.0.0.2";
const IDS: [&str; 4] = [
    "discovery-word",
    "web-password",
    "access-point",
    "cloud-socket",
];

/// A plug on which everything stands open, and a quick one.
fn plug(home: &mut Home, faults: &[&str]) -> String {
    device(home, "plug", faults)
}

/// The same for another kind of plug.
fn device(home: &mut Home, kind: &str, faults: &[&str]) -> String {
    let mut words = vec!["--listen", PLUG];
    let always = [
        "restart=300ms",
        "association=100ms",
        "ap-stays",
        "sockb=TCP,8816,cloud.example",
    ];
    for fault in always.iter().chain(faults) {
        words.extend(["--fault", fault]);
    }
    let ready = home.emulate_device(kind, &words, 1).remove(0);
    ready.split(' ').nth(2).unwrap().to_owned()
}

fn harden(home: &Home, words: &[&str]) -> FinishedRun {
    home.json(&[&["--yes", "harden", PLUG], words].concat())
}

fn states(report: &Value) -> Vec<(&str, &str)> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            (
                step["id"].as_str().unwrap(),
                step["state"].as_str().unwrap(),
            )
        })
        .collect()
}

fn all(state: &'static str) -> Vec<(&'static str, &'static str)> {
    IDS.iter().map(|id| (*id, state)).collect()
}

fn record(home: &Home, mac: &str) -> std::path::PathBuf {
    let mac = mac.replace(':', "").to_lowercase();
    home.state().join(format!("harden-{mac}.json"))
}

/// Texts that must not be seen: the new word and the new password.
fn secrets(home: &Home, mac: &str) -> Vec<String> {
    let text = std::fs::read_to_string(record(home, mac)).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let word = json["words"][0].as_str().unwrap().to_owned();
    let login = json["login"].as_str().unwrap();
    vec![word, login.split_once(',').unwrap().1.to_owned()]
}

#[test]
fn everything_is_closed_and_restored_and_no_secret_is_seen() {
    let mut home = Home::with_network();
    let mac = plug(&mut home, &[]);
    let plan = home
        .json(&["harden", PLUG, "--dry-run"])
        .ends_with(0)
        .json();
    assert_eq!(states(&plan), all("open"));
    assert_eq!(plan["plug"], mac);
    assert_eq!(plan["dry_run"], true);
    assert!(!record(&home, &mac).exists(), "a dry run writes nothing");
    let order: Vec<_> = ["\"plug\"", "\"dry_run\"", "\"steps\""].into();
    let text = plan.to_string();
    assert!(order.iter().all(|key| text.contains(key)));

    let run = finish(
        home.command()
            .args(["--json", "--yes", "-vv", "harden", PLUG])
            .output(),
    );
    let report = run.json();
    assert_eq!((run.code, states(&report)), (0, all("closed")), "{run:?}");
    assert!(report.get("error").is_none());
    let step = |id: usize| &report["steps"][id];
    for secret in [0, 1] {
        assert_eq!(
            (&step(secret)["before"], &step(secret)["after"]),
            (&Value::Null, &Value::Null)
        );
    }
    assert_eq!(
        (&step(2)["before"], &step(2)["after"]),
        (&json!("APSTA"), &json!("STA"))
    );
    let cloud = (&step(3)["before"], &step(3)["after"]);
    assert_eq!(cloud, (&json!("TCP,8816,cloud.example"), &json!("")));
    let mode = record(&home, &mac).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for secret in secrets(&home, &mac) {
        assert!(
            !run.stdout.contains(&secret) && !run.stderr.contains(&secret),
            "{run:?}"
        );
    }

    // All verbs use the new word, and do not tell it.
    let [word, _] = &secrets(&home, &mac)[..] else {
        panic!("two secrets")
    };
    let name = home.json(&["at", PLUG, "MID"]).ends_with(0);
    assert_eq!(name.json()[0]["reply"], "+ok=HF-LPB100");
    let probe = home.json(&["probe", PLUG]).ends_with(0);
    assert_eq!(probe.json()["module"], "HF-LPB100");
    assert_eq!(probe.json()["words"], json!([]));
    assert!(!probe.stdout.contains(word.as_str()));
    let login = ["--json", "at", PLUG, "WEBU"];
    assert!(
        !home
            .run(&login)
            .stdout
            .contains(secrets(&home, &mac)[1].as_str())
    );

    // Who does not have the state directory is not let in.
    let stranger = finish(
        home.command()
            .env("MAINS_STATE", home.path("other"))
            .args(["--json", "at", PLUG, "MID"])
            .output(),
    );
    assert_eq!(
        (stranger.code, stranger.error_kind().as_str()),
        (4, "no_answer")
    );

    assert_eq!(
        states(&harden(&home, &[]).ends_with(0).json()),
        all("closed")
    );
    let undone = harden(&home, &["--undo"]).ends_with(0).json();
    assert_eq!(states(&undone), all("open"));
    assert!(!record(&home, &mac).exists());
    let before = home
        .json(&["harden", PLUG, "--dry-run"])
        .ends_with(0)
        .json();
    assert_eq!(before, plan);
}

#[test]
fn an_s20_is_closed_and_restored_and_stays_a_plug() {
    let mut home = Home::with_network();
    let mac = device(&mut home, "s20", &["reverts=SOCKB"]);
    home.json(&["name", PLUG, "lamp"]).ends_with(0);
    home.json(&["on", "lamp"]).ends_with(0);
    let plan = home
        .json(&["harden", "lamp", "--dry-run"])
        .ends_with(0)
        .json();
    assert_eq!((&plan["plug"], states(&plan)), (&json!(mac), all("open")));
    let report = harden(&home, &[]).ends_with(5).json();
    let found: Vec<_> = states(&report)
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(found, ["closed", "closed", "closed", "failed"], "{report}");
    let reason = report["steps"][3]["reason"].as_str().unwrap();
    assert!(reason.ends_with("the old value is back"), "{reason}");
    // Its commands need no word; the relay has stayed as it was.
    let status = home.json(&["status", "lamp"]).ends_with(0).json();
    let seen = (&status[0]["family"], &status[0]["relay"]);
    assert_eq!(seen, (&json!("orvibo"), &json!("on")));
    home.json(&["off", "lamp"]).ends_with(0);
    home.json(&["version", "lamp"]).ends_with(0);
    let module = home.json(&["at", PLUG, "MID"]).ends_with(0).json();
    assert_eq!(module[0]["reply"], "+ok=HF-LPB100");
    let probe = home.json(&["probe", PLUG]).ends_with(0).json();
    assert_eq!(
        (&probe["family"], &probe["words"]),
        (&json!("orvibo"), &json!([]))
    );

    let undone = harden(&home, &["--undo"]).ends_with(0).json();
    assert_eq!(states(&undone), all("open"));
    assert!(!record(&home, &mac).exists());
    let after = home
        .json(&["harden", "lamp", "--dry-run"])
        .ends_with(0)
        .json();
    assert_eq!(after, plan);
}

#[test]
fn an_export_restores_from_another_state_directory() {
    let mut home = Home::with_network();
    let mac = plug(&mut home, &[]);
    let file = home.path("plug.json");
    let file = file.to_str().unwrap();
    harden(&home, &["--export", file]).ends_with(0);
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let stored = std::fs::read(record(&home, &mac)).unwrap();
    assert_eq!(std::fs::read(file).unwrap(), stored);
    let elsewhere = |words: &[&str]| {
        let mut command = home.command();
        command.env("MAINS_STATE", home.path("elsewhere"));
        finish(
            command
                .args(["--json", "harden", PLUG])
                .args(words)
                .output(),
        )
    };
    assert_eq!(
        elsewhere(&["--undo"]).ends_with(4).error_kind(),
        "no_answer"
    );
    let undone = elsewhere(&["--undo", "--from", file]).ends_with(0).json();
    assert_eq!(states(&undone), all("open"));
    let plan = elsewhere(&["--dry-run"]).ends_with(0).json();
    assert_eq!(states(&plan), all("open"));
}

#[test]
fn only_what_is_named_is_touched() {
    let mut home = Home::with_network();
    plug(&mut home, &[]);
    let one = harden(&home, &["--only", "web-password"])
        .ends_with(0)
        .json();
    assert_eq!(states(&one), [("web-password", "closed")]);
    let plan = home.json(&["harden", PLUG, "--dry-run"]).json();
    let open: Vec<_> = states(&plan).into_iter().map(|(_, state)| state).collect();
    assert_eq!(open, ["open", "closed", "open", "open"]);
    let undone = harden(
        &home,
        &["--undo", "--only", "web-password", "--only", "access-point"],
    )
    .ends_with(0)
    .json();
    assert_eq!(
        states(&undone),
        [("web-password", "open"), ("access-point", "skipped")]
    );
}

#[test]
fn a_step_that_fails_is_taken_back_and_has_code_5() {
    let mut home = Home::with_network();
    plug(&mut home, &["forgets=SOCKB", "reverts=WEBU"]);
    let run = harden(&home, &[]).ends_with(5);
    let report = run.json();
    let expected = ["closed", "failed", "closed", "failed"];
    let found: Vec<_> = states(&report)
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(report["error"]["kind"], "refused");
    let reason = report["steps"][3]["reason"].as_str().unwrap();
    assert!(
        reason.contains("did not keep it") && reason.ends_with("the old value is back"),
        "{reason}"
    );
    let person = home
        .run(&["--yes", "harden", PLUG, "--only", "cloud-socket"])
        .ends_with(5);
    assert!(
        person.stdout.contains("failed") && person.stderr.contains("error:"),
        "{person:?}"
    );
}

#[test]
fn a_plug_that_is_reached_over_its_access_point_keeps_it() {
    let mut home = Home::with_network();
    home.emulate(&["--listen", PLUG, "--ap"], 1);
    let plan = home
        .json(&["harden", PLUG, "--dry-run"])
        .ends_with(0)
        .json();
    assert_eq!(plan["steps"][2]["state"], "skipped");
    assert_eq!(plan["steps"][2]["before"], "AP");
    assert_eq!(plan["steps"][3]["state"], "closed");
}

#[test]
fn without_agreement_nothing_is_written() {
    let mut home = Home::with_network();
    let mac = plug(&mut home, &[]);
    let run = home.json(&["harden", PLUG]).ends_with(2);
    assert_eq!(run.error_kind(), "usage");
    assert!(!record(&home, &mac).exists());
    assert_eq!(
        states(&home.json(&["harden", PLUG, "--dry-run"]).json()),
        all("open")
    );
}

#[test]
fn wrong_usage_and_wrong_files() {
    let mut home = Home::with_network();
    plug(&mut home, &[]);
    for words in [
        &["harden"][..],
        &["harden", PLUG, "--only", "wifi-key"],
        &["harden", PLUG, "--from", "x.json"],
        &["harden", PLUG, "--undo", "--export", "x.json"],
    ] {
        home.run(words).ends_with(2);
    }
    let diary = home.write("diary.txt", "Dear diary");
    let diary = diary.to_str().unwrap();
    let run = harden(&home, &["--undo", "--from", diary]).ends_with(2);
    assert!(!run.stdout.contains("Dear"), "{run:?}");
    harden(&home, &["--export", diary]).ends_with(2);
    assert_eq!(std::fs::read_to_string(diary).unwrap(), "Dear diary");
    harden(&home, &["--undo", "--from", "/nonexistent.json"]).ends_with(7);
    let foreign = r#"{"version":1,"plug":"AC:CF:23:00:00:01","words":[],"old":{"WEBU":"ADMIN,ADMIN"},"login":null}"#;
    let foreign = home.write("foreign.json", foreign);
    let run = harden(&home, &["--undo", "--from", foreign.to_str().unwrap()]).ends_with(2);
    assert!(run.stdout.contains("AC:CF:23:00:00:01"), "{run:?}");
    // Nothing is stored, so there is nothing to copy; nothing was changed either.
    let run = home.json(&[
        "harden",
        PLUG,
        "--dry-run",
        "--export",
        home.path("new.json").to_str().unwrap(),
    ]);
    assert_eq!(run.json()["error"]["kind"], "failed");
    assert_eq!(run.code, 1);
}

#[test]
fn nobody_there_and_a_taken_port() {
    let home = Home::with_network();
    let run = home
        .json(&["--timeout", "4s", "harden", PLUG, "--dry-run"])
        .ends_with(4);
    assert_eq!(run.error_kind(), "no_answer");
    home.json(&["harden", "AC:CF:23:99:99:99", "--dry-run"])
        .ends_with(3);
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 48899)).unwrap();
    let run = home
        .json(&["--timeout", "4s", "harden", PLUG, "--dry-run"])
        .ends_with(7);
    assert_eq!(run.error_kind(), "local");
}

#[test]
fn a_state_directory_that_cannot_be_written_stops_it_before_anything_is_changed() {
    let mut home = Home::with_network();
    plug(&mut home, &[]);
    let file = home.write("file", "");
    let mut command = home.command();
    command.env("MAINS_STATE", file.join("state"));
    let run = finish(command.args(["--json", "--yes", "harden", PLUG]).output());
    assert_eq!(
        (run.code, run.error_kind().as_str()),
        (7, "local"),
        "{run:?}"
    );
    assert_eq!(
        states(&home.json(&["harden", PLUG, "--dry-run"]).json()),
        all("open")
    );
}

#[test]
fn a_signal_ends_it_after_the_step_in_progress() {
    let mut home = Home::with_network();
    plug(&mut home, &["restart=1500ms"]);
    let child = home
        .command()
        .args(["--json", "--yes", "harden", PLUG])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first step restarts the plug for longer than this.
    std::thread::sleep(Duration::from_millis(1200));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let run = finish(child.wait_with_output());
    assert_eq!(run.code, 1, "{run:?}");
    let report = run.json();
    let found = states(&report);
    assert_eq!(found[0], ("discovery-word", "closed"), "{report}");
    assert_eq!(found[3], ("cloud-socket", "skipped"), "{report}");
}

#[test]
fn killed_in_the_middle_it_can_be_restored() {
    for after in [300, 700, 1200, 2000, 3000] {
        let mut home = Home::with_network();
        plug(&mut home, &[]);
        let mut child = home
            .command()
            .args(["--yes", "harden", PLUG])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after));
        child.kill().unwrap();
        child.wait().unwrap();
        let undone = harden(&home, &["--undo"]).ends_with(0).json();
        assert!(undone.get("error").is_none(), "{after}: {undone}");
        let plan = home
            .json(&["harden", PLUG, "--dry-run"])
            .ends_with(0)
            .json();
        assert_eq!(states(&plan), all("open"), "{after}");
    }
}

#[test]
fn probe_names_where_the_client_socket_points() {
    let mut home = Home::with_network();
    plug(&mut home, &["netp=TCP,Client,17000,other.example"]);
    let run = home.json(&["probe", PLUG]).ends_with(0);
    let report = run.json();
    let findings = report["findings"].as_array().unwrap();
    let server = findings
        .iter()
        .find(|one| one["id"] == "calls-a-server")
        .unwrap();
    let text = server["text"].as_str().unwrap();
    assert!(
        text.contains("8816 of cloud.example") && text.contains("17000 of other.example"),
        "{text}"
    );
    let report = harden(&home, &["--only", "cloud-socket"])
        .ends_with(0)
        .json();
    let before = report["steps"][0]["before"].as_str().unwrap();
    assert!(before.contains("cloud.example") && before.contains("other.example"));
    let after = home.json(&["probe", PLUG]).ends_with(0).json();
    let findings = after["findings"].as_array().unwrap();
    assert!(
        !findings.iter().any(|one| one["id"] == "calls-a-server"),
        "{after}"
    );
}

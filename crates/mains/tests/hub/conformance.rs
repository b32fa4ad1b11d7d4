//! The running hub against its own description, by schemathesis, which we did not write.
//! It is installed from PyPI by `scripts/test` into the folder that `MAINS_TEST_CLIENTS` names.

use std::process::Command;

use crate::home::Home;
use crate::house::{Hub, adopt};
use crate::needs;

/// A plug that does not answer, or a relay that does not move, is no fault of the hub. What is well-formed can still name a plug that
/// does not exist. The stream of events never ends, a search takes seconds, and who revokes the token that he asks with learns no more.
const SETTINGS: &str = r#"
headers = { Authorization = "Bearer ${MAINS_TOKEN}" }

[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "428", "429", "5xx"]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502", "503", "504"]

[[operations]]
include-path-regex = "^/login$|/api/v1/(events|(bridges/)?discover|logout|password|tokens/.id.)$"
enabled = false
"#;

/// Documents of all kinds, so that their ids and their answers are those of a hub in use.
fn fill(home: &Home) {
    home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    home.json(&["name", "127.0.0.3", "heater"]).ends_with(0);
    for words in [
        "hub set lamp --room hall --metering 1s --power-on last",
        "group add all lamp heater",
        "schedule add morning --targets heater --action on --at 06:30 --days weekdays --random 10m --catch-up 1h",
        "schedule add feast --targets lamp --action on --once 2030-12-24T18:00",
        "rule add iron --plug lamp --kind auto-off --after 45m",
        "rule add standby --plug heater --kind standby-kill --below 10W --for 5m --restore-at 17:00",
        "rule add cut --plug heater --kind over-power --above 2kW --for 30s",
        "tariff add flat --price 0.32 --currency EUR",
        "hub token add program --scope read --expires 30d",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        home.json(&words).ends_with(0);
    }
    let half_hours = "*/30 * * * *";
    let words = [
        "schedule",
        "add",
        "rhythm",
        "--targets",
        "all",
        "--action",
        "toggle",
    ];
    home.json(&[&words[..], &["--cron", half_hours]].concat())
        .ends_with(0);
    home.json(&["on", "lamp"]).ends_with(0);
}

#[test]
fn every_answer_is_as_the_description_says() {
    let Some(program) = needs::met(needs::client("bin/schemathesis")) else {
        return;
    };
    let mut home = Home::with_network();
    home.emulate(
        &[
            "--listen",
            "127.0.0.2",
            "--count",
            "3",
            "--mac",
            "AC:CF:23:00:00:01",
        ],
        3,
    );
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2", "127.0.0.3"]);
    fill(&home);
    let settings = home.write("schemathesis.toml", SETTINGS);
    let token = std::fs::read_to_string(home.state().join("admin-token")).unwrap();
    let output = Command::new(program)
        .current_dir(home.path(""))
        .env("MAINS_TOKEN", token.trim())
        .arg("--config-file")
        .arg(settings)
        .args(["run", "--phases", "examples,coverage,fuzzing", "-n", "10"])
        .args(["--max-time", "60", "--seed", "1", "--continue-on-failure"])
        .args(["--suppress-health-check", "all"])
        .arg(format!("{}/api/v1/openapi.json", hub.url))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("Test cases:"), "{report}");
    // A list of all plugs is refused to nobody but strangers.
    assert!(!report.contains("- GET /api/v1/plugs\n"), "{report}");
}

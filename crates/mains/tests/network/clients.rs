//! Published clients that we did not write, against the emulator, in namespaces.
//! They are installed from PyPI by `scripts/test` into the folder that `MAINS_TEST_CLIENTS` names.

use std::collections::BTreeSet;

use crate::lab::NetworkLab;
use crate::needs;

const SCAN: &str = "
from flux_led.scanner import BulbScanner
for bulb in BulbScanner().scan(timeout=4):
    print(bulb['ipaddr'], bulb['id'], bulb['model'])
";

#[test]
fn the_flux_led_scanner_finds_each_twin() {
    let Some(python) = needs::met(needs::python("flux_led")) else {
        return;
    };
    let Some(mut lab) = NetworkLab::new() else {
        return;
    };
    lab.emulate(
        &[
            "--listen",
            "10.77.0.1",
            "--count",
            "5",
            "--mac",
            "AC:CF:23:00:00:01",
        ],
        5,
    );
    let output = lab
        .client(python.to_str().unwrap())
        .args(["-c", SCAN])
        .output()
        .unwrap();
    let found: BTreeSet<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    let expected: BTreeSet<String> = (1..=5)
        .map(|host| format!("10.77.0.{host} ACCF2300000{host} HF-LPB100"))
        .collect();
    assert_eq!(
        found,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

//! `mains at --serial` on a serial port of Windows, which wine takes from a pseudo-terminal.

use crate::bench::{WindowsBench, run};
use crate::needs;
use crate::serial_line::SerialLine;

/// Gives a serial port its name on Windows; holds from the next start of wine.
fn name_port(bench: &WindowsBench, name: &str, device: &str) {
    let key = "HKLM\\Software\\Wine\\Ports";
    let words = ["add", key, "/v", name, "/t", "REG_SZ", "/d", device, "/f"];
    needs::succeed(&mut bench.other("reg", &words));
    bench.restart();
}

#[test]
fn a_silent_module_on_com3_hears_all_and_is_no_answer() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    // Nothing is replied: wine passes on no byte that comes from a pseudo-terminal.
    let line = SerialLine::with(|module| {
        module.expect(b"+++");
        module.expect(b"+++");
        module.expect(b"AT+VER\r\n");
        module.expect(b"AT+ENTM\r");
    });
    name_port(&bench, "COM3", &line.name);
    let run = bench.json(&["at", "--serial", "COM3", "MID"]).ends_with(4);
    assert_eq!(run.failure().0, "no_answer");
    line.end();
}

#[test]
fn what_is_no_serial_port_is_named() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let (kind, message) = bench
        .json(&["at", "--serial", "COM9", "VER"])
        .ends_with(7)
        .failure();
    assert_eq!(kind, "local");
    assert!(message.contains("no serial port COM9"), "{message}");
    let file = bench.write("file.txt", "");
    let refused = run(&mut bench.windows(&["at", "--serial", &file, "VER"])).ends_with(7);
    assert!(
        refused.stderr.contains("is not a serial port") && refused.stderr.contains("COM3"),
        "{refused:#?}"
    );
}

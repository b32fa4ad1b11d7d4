//! A factory-fresh Orvibo S20: its module replies to the source port, its access point is open, and `AT+Z` is silent.

use crate::bench::{HOME, KEY, SetupBench};

fn fresh(bench: &mut SetupBench, faults: &[&str]) -> (String, String) {
    let home = format!("{HOME}:{KEY}");
    let mut words = vec![
        "--ap",
        "--home-network",
        &home,
        "--plug-name",
        "Coffee maker",
    ];
    for fault in faults {
        words.extend(["--fault", fault]);
    }
    bench.emulate_device("s20", 2, &words).remove(0)
}

#[test]
fn it_joins_and_is_a_plug_afterwards() {
    for (number, fault) in [
        (80, "restart=1s"),
        (81, "z-answers"),
        (82, "lost=20%"),
        (83, "late=200ms"),
    ] {
        let mut bench = SetupBench::new(number);
        let (address, mac) = fresh(&mut bench, &[fault]);
        let key = bench.file("key", KEY);
        let run = bench.setup_on(HOME, &key, &address, &["--name", "coffee"]);
        run.confirmed(&mac);
        let output = bench.mains(&["--json", "on", "coffee"]).output().unwrap();
        assert!(output.status.success(), "{fault}: {output:?}");
        let status = bench
            .mains(&["--json", "status", "coffee"])
            .output()
            .unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(
            (&status[0]["family"], &status[0]["relay"]),
            (&"orvibo".into(), &"on".into()),
            "{fault}"
        );
        // Where datagrams get lost or are late, its name may not come in time.
        if !fault.starts_with('l') {
            assert_eq!(status[0]["extra"], "Coffee maker", "{fault}");
        }
    }
}

#[test]
fn a_wrong_key_leaves_it_reachable() {
    let mut bench = SetupBench::new(84);
    let (address, _) = fresh(&mut bench, &[]);
    let key = bench.file("key", "wrong horse!");
    let run = bench.setup_on(HOME, &key, &address, &[]);
    run.failed(5, "refused");
    assert!(bench.answers(&address));
}

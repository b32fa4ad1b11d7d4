//! Figures for `docs/performance.md`, printed and never asserted: run by `scripts/measure`.

use std::time::Instant;

use crate::lab::NetworkLab;

const RUNS: usize = 20;

/// Discovery of 50 plugs: how many are found, how long it takes, how many datagrams it sends.
#[test]
#[ignore = "a measurement, run by scripts/measure"]
fn discovery_of_fifty_plugs() {
    println!("| loss each way | runs | all 50 found | median | slowest | datagrams sent, median |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for loss in [0, 20, 40] {
        let Some(mut lab) = NetworkLab::new() else {
            return;
        };
        lab.emulate(&["--listen", "10.77.0.1", "--count", "50"], 50);
        if loss > 0 {
            lab.lose(loss);
        }
        println!("{}", row(&lab, loss));
    }
}

fn row(lab: &NetworkLab, loss: u8) -> String {
    let (mut complete, mut times, mut datagrams) = (0, Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let before = lab.sent();
        let start = Instant::now();
        let (_, plugs) = lab.mains(&["discover", "--interface", "lan0"]);
        times.push(start.elapsed().as_millis());
        datagrams.push(lab.sent() - before);
        complete += usize::from(plugs.as_array().is_some_and(|plugs| plugs.len() == 50));
        // Each run starts from nothing, as on the first day.
        lab.forget();
    }
    times.sort_unstable();
    datagrams.sort_unstable();
    let (median, slowest) = (times[RUNS / 2], times[RUNS - 1]);
    format!(
        "| {loss} % | {RUNS} | {complete} | {median} ms | {slowest} ms | {} |",
        datagrams[RUNS / 2]
    )
}

//! Failures of all kinds, one after the other, under load and with clocks that differ.

use std::time::{Duration, Instant};

use super::load::RequestLoad;
use super::model::Model;

/// Seconds for which schedules are created at a time.
const SCHEDULED_S: i64 = 36;

/// Number of cuts between hub and plugs within a time. Each leaves a connection that the plug keeps so long; it serves five, and hubs
/// have one each.
const MAX_CUTS: usize = 3;
const CUT_WINDOW: Duration = Duration::from_secs(320);

/// A failure of the active hub, or of something around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SiteFailure {
    Killed,
    Paused,
    CutOffDatabase,
    CutOffPlugs,
    Parted,
    DatabaseRestarted,
}

const FAILURES: [SiteFailure; 6] = [
    SiteFailure::Killed,
    SiteFailure::Paused,
    SiteFailure::CutOffDatabase,
    SiteFailure::CutOffPlugs,
    SiteFailure::Parted,
    SiteFailure::DatabaseRestarted,
];

impl SiteFailure {
    fn happen(self, model: &mut Model) {
        match self {
            Self::Killed => model.kill(),
            Self::Paused => model.pause(),
            Self::CutOffDatabase => model.cut("db"),
            Self::CutOffPlugs => model.cut("plugs"),
            Self::Parted => model.part(),
            Self::DatabaseRestarted => model.restart_database(),
        }
    }
}

/// For docs/performance.md: `MIX=1 scripts/measure-standby [ROUNDS]`.
#[test]
#[ignore = "half an hour; scripts/measure-standby runs it"]
fn rounds_of_mixed_failures() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds: u64 = number("MAINS_STANDBY_ROUNDS").unwrap_or(100);
    let seed: u64 = number("MAINS_STANDBY_SEED").unwrap_or(1);
    let Some(mut model) = Model::start_with_clocks_apart() else {
        return;
    };
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    model.make_rule();
    let load = RequestLoad::start(&model);
    let (mut scheduled, mut cuts) = (Instant::now(), Vec::new());
    for round in 0..rounds {
        if scheduled <= Instant::now() {
            model.schedule(SCHEDULED_S);
            scheduled = Instant::now() + Duration::from_secs(SCHEDULED_S.unsigned_abs());
        }
        let mut failure = FAILURES[random.usize(0..FAILURES.len())];
        cuts.retain(|cut: &Instant| cut.elapsed() < CUT_WINDOW);
        if failure == SiteFailure::CutOffPlugs {
            match cuts.len() < MAX_CUTS {
                true => cuts.push(Instant::now()),
                false => failure = SiteFailure::CutOffDatabase,
            }
        }
        model.turn_ruled_on();
        let begin = Instant::now();
        failure.happen(&mut model);
        model.await_rule();
        println!("round {round}: {failure:?}, {:.1?}", begin.elapsed());
    }
    println!("{}", load.end(&model));
    println!("{}", model.report());
    model.check();
}

//! Locking a twin down: every weakness closed, proven and restored; every way in which that goes wrong taken back; and no moment at
//! which the client may die and lose the plug.

mod module;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::{HardenReport, HardenRequest, HardenState, HardenStep, WeaknessId};
use futures_util::FutureExt as _;
use harden::record::{self, HardenRecord, RecordFile};
use harden::{HardenError, HardenModule as _, HardenOptions};
use hiflying::{AtReply, AtRequest, DiscoveryWord, Mac};

use crate::seeds;
use crate::world::{SimWorld, Weather};
use module::SimModule;

const CLOUD: &str = "TCP,8816,cloud.example";

fn world(seed: u64, weather: Weather, faults: &[&str]) -> SimWorld {
    SimWorld::with(seed, weather, |config| {
        let always = ["ap-stays".to_owned(), format!("sockb={CLOUD}")];
        let faults = always
            .iter()
            .map(String::as_str)
            .chain(faults.iter().copied());
        config.faults = faults.map(|fault| fault.parse().unwrap()).collect();
    })
}

fn plug(world: &SimWorld) -> Mac {
    emulator::Twin::mac(world.twin())
}

fn run_with(
    module: &mut SimModule<'_>,
    directory: &Path,
    request: HardenRequest,
    record: Option<HardenRecord>,
) -> Result<HardenReport, HardenError> {
    let plug = plug(module.world);
    let options = HardenOptions {
        request,
        directory,
        record,
        stop: &|| None,
        on_progress: &|_| {},
    };
    harden::harden(module, plug, options)
        .now_or_never()
        .expect("a simulation never waits")
}

fn run(world: &mut SimWorld, directory: &Path, request: HardenRequest) -> HardenReport {
    run_with(&mut SimModule::new(world), directory, request, None).unwrap()
}

fn all() -> HardenRequest {
    HardenRequest::default()
}

fn undo() -> HardenRequest {
    HardenRequest {
        undo: true,
        ..all()
    }
}

fn states(report: &HardenReport) -> Vec<HardenState> {
    report.steps.iter().map(|step| step.state).collect()
}

fn step(report: &HardenReport, id: WeaknessId) -> &HardenStep {
    report.step(id).unwrap()
}

/// Values of the settings, read by whatever word works; panics if none does.
fn settings(world: &mut SimWorld, directory: &Path) -> [String; 5] {
    let mut words = record::words(directory);
    words.extend(DiscoveryWord::FACTORY);
    let mut module = SimModule::new(world);
    let opened = module.open(&words, Duration::from_secs(20));
    opened.now_or_never().unwrap().expect("the plug is lost");
    let values = ["ASWD", "WEBU", "WMODE", "SOCKB", "NETP"].map(|verb| {
        let reply = module.send(AtRequest::query(verb)).now_or_never().unwrap();
        match AtReply::parse(&reply.unwrap_or_else(|| panic!("no reply to AT+{verb}"))) {
            AtReply::Ok(value) => value.map_or_else(String::new, |value| value.text().into_owned()),
            other => panic!("{verb}: {other:?}"),
        }
    });
    module.leave();
    values
}

fn answers_to(world: &mut SimWorld, word: DiscoveryWord) -> bool {
    let mut module = SimModule::new(world);
    let words = [word];
    let opened = module.open(&words, Duration::from_secs(3));
    let is_open = opened.now_or_never().unwrap().is_some();
    module.leave();
    is_open
}

const FACTORY: [&str; 4] = ["HF-A11ASSISTHREAD", "ADMIN,ADMIN", "APSTA", CLOUD];

#[test]
fn all_is_closed_proven_and_restored() {
    let home = tempfile::tempdir().unwrap();
    let mut world = world(1, Weather::FAIR, &[]);
    let dry = HardenRequest {
        dry_run: true,
        ..all()
    };
    let before = settings(&mut world, home.path());
    let plan = run(&mut world, home.path(), dry.clone());
    assert_eq!(states(&plan), [HardenState::Open; 4]);
    assert_eq!(settings(&mut world, home.path()), before);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);

    let report = run(&mut world, home.path(), all());
    assert_eq!(states(&report), [HardenState::Closed; 4], "{report:?}");
    assert_eq!(report.error, None);
    let cloud = step(&report, WeaknessId::CloudSocket);
    assert_eq!(
        (cloud.before.as_deref(), cloud.after.as_deref()),
        (Some(CLOUD), Some(""))
    );
    let radio = step(&report, WeaknessId::AccessPoint);
    assert_eq!(
        (radio.before.as_deref(), radio.after.as_deref()),
        (Some("APSTA"), Some("STA"))
    );
    assert!(!answers_to(&mut world, DiscoveryWord::HF_A11));
    let closed = settings(&mut world, home.path());
    assert!(
        before
            .iter()
            .zip(&closed)
            .take(4)
            .all(|(old, new)| old != new),
        "{closed:?}"
    );
    assert_eq!(closed[4], before[4], "the plug's own socket stays");
    let json = serde_json::to_string(&report).unwrap();
    assert!(
        !json.contains(&closed[0]) && !json.contains("ADMIN"),
        "{json}"
    );

    // What is closed is left alone.
    let datagrams = world.sent.len();
    let again = run(&mut world, home.path(), all());
    assert_eq!(states(&again), [HardenState::Closed; 4]);
    assert!(
        !world.sent[datagrams..]
            .iter()
            .any(|line| line.starts_with(b"AT+Z"))
    );

    let undone = run(&mut world, home.path(), undo());
    assert_eq!(states(&undone), [HardenState::Open; 4], "{undone:?}");
    assert_eq!(settings(&mut world, home.path()), before);
    assert!(record::words(home.path()).is_empty());
    let nothing = run(&mut world, home.path(), undo());
    assert_eq!(states(&nothing), [HardenState::Skipped; 4]);
}

#[test]
fn an_export_restores_on_another_computer() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut world = world(2, Weather::FAIR, &[]);
    let before = settings(&mut world, here.path());
    run(&mut world, here.path(), all());
    let copy = there.path().join("plug.json");
    RecordFile::new(here.path(), plug(&world))
        .export(&copy)
        .unwrap();
    let state = there.path().join("state");
    let strange = run_with(&mut SimModule::new(&mut world), &state, undo(), None);
    assert!(matches!(strange, Err(HardenError::NoReply { .. })));
    let record = HardenRecord::read(&copy).unwrap();
    let undone = run_with(
        &mut SimModule::new(&mut world),
        &state,
        undo(),
        Some(record),
    );
    assert_eq!(states(&undone.unwrap()), [HardenState::Open; 4]);
    assert_eq!(settings(&mut world, &state), before);
    assert!(copy.exists());
}

#[test]
fn what_is_not_kept_is_a_failure_and_the_rest_is_closed() {
    for (kind, ids) in [("forgets", WeaknessId::ALL), ("reverts", WeaknessId::ALL)] {
        for (id, verb) in ids.into_iter().zip(["ASWD", "WEBU", "WMODE", "SOCKB"]) {
            let home = tempfile::tempdir().unwrap();
            let mut world = world(3, Weather::FAIR, &[&format!("{kind}={verb}")]);
            let before = settings(&mut world, home.path());
            let report = run(&mut world, home.path(), all());
            for one in &report.steps {
                let expected = if one.id == id {
                    HardenState::Failed
                } else {
                    HardenState::Closed
                };
                assert_eq!(one.state, expected, "{kind} {verb}: {report:?}");
            }
            let reason = step(&report, id).reason.as_deref().unwrap();
            assert!(reason.ends_with("the old value is back"), "{reason}");
            assert!(report.error.is_some());
            let place = WeaknessId::ALL.iter().position(|one| *one == id).unwrap();
            assert_eq!(settings(&mut world, home.path())[place], before[place]);
        }
    }
}

#[test]
fn a_plug_that_falls_silent_ends_the_run_in_bounded_time() {
    for (place, verb) in ["ASWD", "WEBU", "WMODE", "SOCKB"].into_iter().enumerate() {
        let home = tempfile::tempdir().unwrap();
        let mut world = world(4, Weather::FAIR, &[&format!("silent-after={verb}")]);
        let before = settings(&mut world, home.path());
        let start = world.now;
        let report = run(&mut world, home.path(), all());
        assert!(world.now - start < Duration::from_secs(180));
        for (index, one) in report.steps.iter().enumerate() {
            let expected = match index.cmp(&place) {
                std::cmp::Ordering::Less => HardenState::Closed,
                std::cmp::Ordering::Equal => HardenState::Failed,
                std::cmp::Ordering::Greater => HardenState::Skipped,
            };
            assert_eq!(one.state, expected, "{verb}: {report:?}");
        }
        // Its owner pulls the plug out and puts it back: the stored values restore it.
        world.restart();
        world.wait(Duration::from_secs(5));
        run(&mut world, home.path(), undo());
        world.restart();
        world.wait(Duration::from_secs(5));
        assert_eq!(settings(&mut world, home.path()), before, "{verb}");
    }
}

#[test]
fn a_word_that_is_cut_is_taken_back() {
    let home = tempfile::tempdir().unwrap();
    let mut world = world(5, Weather::FAIR, &["cut-word"]);
    let report = run(&mut world, home.path(), all());
    let word = step(&report, WeaknessId::DiscoveryWord);
    assert_eq!(word.state, HardenState::Failed, "{report:?}");
    assert_eq!(settings(&mut world, home.path())[0], FACTORY[0]);
}

#[test]
fn a_module_that_needs_no_word_is_closed_and_restored_like_others() {
    let home = tempfile::tempdir().unwrap();
    let mut world = world(5, Weather::FAIR, &["no-handshake"]);
    let report = run(&mut world, home.path(), all());
    assert_eq!(states(&report), [HardenState::Closed; 4], "{report:?}");
    run(&mut world, home.path(), undo());
    assert_eq!(&settings(&mut world, home.path())[..4], FACTORY);
}

#[test]
fn restarts_in_the_middle_lose_nothing() {
    let closed = AtomicUsize::new(0);
    for command in 1..60 {
        let home = tempfile::tempdir().unwrap();
        let mut world = world(6, Weather::FAIR, &[&format!("reboot={command}")]);
        let report = run(&mut world, home.path(), all());
        let failed = report
            .steps
            .iter()
            .filter(|one| one.state == HardenState::Failed);
        for one in failed {
            let reason = one.reason.as_deref().unwrap();
            assert!(
                reason.ends_with("the old value is back"),
                "{command}: {report:?}"
            );
        }
        if report.error.is_none() {
            closed.fetch_add(1, Ordering::Relaxed);
        }
        run(&mut world, home.path(), undo());
        assert_eq!(
            &settings(&mut world, home.path())[..4],
            FACTORY,
            "{command}"
        );
    }
    assert!(
        closed.load(Ordering::Relaxed) > 50,
        "{closed:?} of 59 runs closed everything"
    );
}

#[test]
fn a_client_that_dies_at_any_moment_leaves_a_plug_that_can_be_restored() {
    for calls in 1..90 {
        let home = tempfile::tempdir().unwrap();
        let mut world = world(7, Weather::FAIR, &[]);
        let mut module = SimModule::new(&mut world);
        module.dies_after = calls;
        let _ = run_with(&mut module, home.path(), all(), None);
        drop(module);
        // The session that was left open ends by itself.
        world.wait(Duration::from_secs(61));
        if calls % 2 == 0 {
            let report = run(&mut world, home.path(), all());
            assert_eq!(
                states(&report),
                [HardenState::Closed; 4],
                "{calls}: {report:?}"
            );
        }
        let undone = run(&mut world, home.path(), undo());
        assert!(undone.error.is_none(), "{calls}: {undone:?}");
        assert_eq!(&settings(&mut world, home.path())[..4], FACTORY, "{calls}");
    }
}

#[test]
fn on_a_bad_network_it_is_closed_or_taken_back() {
    let (mut runs, mut closed) = (0, 0);
    for loss in [0.1, 0.25, 0.4] {
        for seed in seeds(12) {
            let home = tempfile::tempdir().unwrap();
            let mut world = world(seed, Weather::foul(loss), &[]);
            let mut module = SimModule::new(&mut world);
            let Ok(report) = run_with(&mut module, home.path(), all(), None) else {
                continue;
            };
            runs += 1;
            for one in report
                .steps
                .iter()
                .filter(|one| one.state == HardenState::Failed)
            {
                println!("{seed} {loss}: {}: {:?}", one.id, one.reason);
            }
            closed += u32::from(report.error.is_none());
            // Later, on a better day.
            world.weather = Weather::FAIR;
            world.wait(Duration::from_secs(61));
            let undone = run(&mut world, home.path(), undo());
            assert!(
                undone.error.is_none(),
                "{seed} {loss}: {report:?} {undone:?}"
            );
            assert_eq!(
                &settings(&mut world, home.path())[..4],
                FACTORY,
                "{seed} {loss}"
            );
        }
    }
    println!("{closed} of {runs} runs closed everything");
    assert!(closed * 10 >= runs * 8, "{closed} of {runs}");
}

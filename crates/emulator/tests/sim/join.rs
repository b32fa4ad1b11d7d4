//! Putting a plug on a network, over a bad network of the kind that a plug's access point is.
//!
//! What must never happen: a join that claims proof and did not join; a plug that is out of reach after a wrong key on the
//! verified path; settings that differ from before where the join says that it left them alone or put them back.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use emulator::{Mode, PlugConfig, Twin};
use hiflying::join::{
    Join, JoinConfig, JoinError, JoinEvent, JoinFailure, JoinOutcome, JoinPath, ModuleState,
    StepName,
};
use hiflying::{PORT, Ssid, WifiKey};

use crate::seeds;
use crate::world::{FIRST, SimWorld, Weather, WorldEvent};

/// Address of the plug after it has joined.
const LEASE: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 200);
/// Bound of every join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(600);

type Ended = Result<JoinOutcome, JoinFailure>;

/// A fresh plug that can join `Home` and others.
fn fresh(seed: u64, weather: Weather, faults: &[&str], network: &str) -> SimWorld {
    SimWorld::with(seed, weather, |config: &mut PlugConfig| {
        config.mode = Mode::Ap;
        config.home_address = Some(LEASE);
        config.home_networks = vec![network.parse().unwrap()];
        config.faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
    })
}

fn wants(ssid: &str, key: &str) -> JoinConfig {
    let key = (!key.is_empty()).then(|| WifiKey::new(key));
    JoinConfig::new(Ssid::new(ssid).unwrap(), key)
}

/// Runs a join to its end, with the client's way back to the access point taking its time.
fn join(world: &mut SimWorld, config: JoinConfig) -> Ended {
    let mut join = Join::new(config, FIRST, world.now);
    let mut back_at = None;
    loop {
        while let Some(bytes) = join.poll_transmit() {
            world.send(SocketAddrV4::new(FIRST, PORT), &bytes);
        }
        let mut ended = None;
        while let Some(event) = join.poll_event() {
            match event {
                JoinEvent::Rejoin(_) => {
                    let absence = if world.chance(0.5) { 1 } else { 6 };
                    back_at = Some(world.now + Duration::from_secs(absence));
                }
                JoinEvent::Done(outcome) => ended = Some(Ok(*outcome)),
                JoinEvent::Failed(failure) => ended = Some(Err(*failure)),
                JoinEvent::Identified { .. } | JoinEvent::Step(_) => {}
            }
        }
        while let Some(bytes) = join.poll_transmit() {
            world.send(SocketAddrV4::new(FIRST, PORT), &bytes);
        }
        if let Some(ended) = ended {
            assert_last_is_quit(world);
            return ended;
        }
        assert!(world.elapsed() < JOIN_TIMEOUT, "the join goes on for ever");
        let due = back_at.or(join.poll_timeout());
        match world.next(due) {
            // While the client is not on the access point, nothing reaches it.
            WorldEvent::Datagram { .. } if back_at.is_some() => {}
            WorldEvent::Datagram { bytes, .. } => join.handle_datagram(world.now, &bytes),
            WorldEvent::Due if back_at.take().is_some() => join.resume(world.now),
            WorldEvent::Due => join.handle_timeout(world.now),
            other => panic!("{other:?}"),
        }
    }
}

fn assert_last_is_quit(world: &SimWorld) {
    let last = String::from_utf8_lossy(world.sent.last().unwrap()).into_owned();
    assert_eq!(last.trim_end(), "AT+Q");
}

/// Tells whether the plug is on the network after a while.
fn has_arrived(world: &mut SimWorld, ssid: &str) -> bool {
    world.wait(Duration::from_secs(30));
    let twin = world.twin();
    twin.network() == Some(ssid.as_bytes()) && twin.is_reachable(LEASE)
}

/// Tells whether the plug is in its factory state, also after a power cut.
fn is_as_before(world: &mut SimWorld) -> bool {
    world.wait(Duration::from_secs(30));
    world.restart();
    world.wait(Duration::from_secs(30));
    let twin = world.twin();
    twin.is_reachable(FIRST) && !twin.is_reachable(LEASE) && twin.network().is_none()
}

#[derive(Debug, Default)]
struct JoinTally {
    verified: u64,
    direct: u64,
    failed: u64,
    /// Joined, but its own access point is still there: the last restart got lost, and silence looked like it.
    two_faced: u64,
    total: u64,
    slowest: Duration,
}

/// Joins with the right key, and checks each claim that is made.
fn with_the_right_key(runs: u64, weather: Weather, faults: &[&str]) -> JoinTally {
    let mut tally = JoinTally::default();
    for seed in seeds(runs) {
        let mut world = fresh(seed, weather, faults, "Home:secret-key");
        let ended = join(&mut world, wants("Home", "secret-key"));
        let context = format!("seed {seed} {faults:?} {ended:?}");
        tally.total += 1;
        tally.slowest = tally.slowest.max(world.elapsed());
        match ended {
            Ok(outcome) => {
                assert_eq!(outcome.mac, world.twin().mac(), "{context}");
                let arrived = has_arrived(&mut world, "Home");
                match outcome.path {
                    JoinPath::Verified => {
                        assert!(arrived, "{context}");
                        tally.verified += 1;
                    }
                    JoinPath::Direct => tally.direct += u64::from(arrived),
                }
                tally.two_faced += u64::from(world.twin().is_reachable(FIRST));
            }
            Err(failure) => {
                tally.failed += 1;
                println!("{context}");
                check_what_is_left(&mut world, &failure, &context);
            }
        }
    }
    println!("{weather:?} {faults:?}: {tally:?}");
    tally
}

fn check_what_is_left(world: &mut SimWorld, failure: &JoinFailure, context: &str) {
    if failure.left != ModuleState::Unknown {
        assert!(is_as_before(world), "{context}");
        assert_eq!(failure.remains, [], "{context}");
    }
}

#[test]
fn on_a_good_day_every_join_is_verified() {
    let tally = with_the_right_key(200, Weather::FAIR, &[]);
    assert_eq!(tally.verified, tally.total);
    assert!(tally.slowest < Duration::from_secs(20), "{tally:?}");
}

#[test]
fn loss_delays_a_join_and_seldom_prevents_it() {
    for (loss, least) in [(0.0, 1000), (0.2, 995), (0.4, 980)] {
        let tally = with_the_right_key(300, Weather::foul(loss), &[]);
        let joined = tally.verified + tally.direct;
        assert!(joined * 1000 >= tally.total * least, "{tally:?} at {loss}");
    }
}

#[test]
fn other_firmwares_are_joined_as_well() {
    for faults in [
        &["z-answers"][..],
        &["cr-only"],
        &["no-terminator"],
        &["lower-err"],
        &["empty-ok"],
        &["split"],
        &["doubled"],
        &["ok-answers-ok"],
        &["ok-answers-err"],
        &["deaf=cr"],
        &["one-datagram"],
        &["wscan-lf"],
        &["wscan-refused"],
        &["wscan-nine-columns"],
        &["wslk-bare"],
        &["wslk-colons"],
        &["wslk-no-prefix"],
        &["wslk-parens"],
        &["wslk-bssid"],
        &["rf-off"],
        &["open-comma"],
        &["exact-case"],
        &["strict-commas"],
        &["ethernet-verbs"],
        &["query-only-unknown"],
        &["no-router"],
        &["security=wpa"],
        &["security=mixed"],
        &["restart=8s"],
        &["association=6s"],
        &["source-port"],
        &["q-silent"],
        &["no-handshake"],
        &["echo"],
    ] {
        let tally = with_the_right_key(5, Weather::FAIR, faults);
        assert_eq!(tally.verified, tally.total, "{faults:?}: {tally:?}");
    }
}

#[test]
fn a_module_without_both_modes_is_joined_directly() {
    let tally = with_the_right_key(100, Weather::foul(0.1), &["no-apsta"]);
    assert_eq!(tally.verified, 0);
    assert!(tally.direct * 100 >= tally.total * 99, "{tally:?}");
}

#[test]
fn a_restart_in_mid_session_is_survived_or_admitted() {
    for command in 1..25 {
        let fault = format!("reboot={command}");
        let tally = with_the_right_key(10, Weather::foul(0.1), &[&fault]);
        assert!(
            tally.verified + tally.direct >= tally.total * 7 / 10,
            "{fault}: {tally:?}"
        );
    }
}

#[test]
fn any_legal_name_and_key_arrives() {
    for (ssid, key) in [
        ("Home, sweet = home", "p,a=ss word"),
        ("Ünïcödé ☕ network", "schlüssel ☕"),
        ("(brackets)", "(brackets)"),
        ("Disconnected", "secret-key"),
        ("+ok", "+ERR=-4\""),
        ("\"quoted\" \\ 'name'", "\"quoted\" 'key' \\"),
        (" leading and trailing ", " leading and trailing "),
        (
            "12345678901234567890123456789012",
            "123456789012345678901234567890123456789012345678901234567890123",
        ),
        ("a", "12345678"),
        ("Cafe", ""),
        ("Old", "abcde"),
    ] {
        for seed in seeds(10) {
            let mut world = fresh(seed, Weather::foul(0.1), &[], &format!("{ssid}:{key}"));
            let outcome = join(&mut world, wants(ssid, key))
                .unwrap_or_else(|failure| panic!("{ssid}: {failure:?}"));
            assert_eq!(outcome.path, JoinPath::Verified, "{ssid}");
            assert!(has_arrived(&mut world, ssid), "{ssid}");
        }
    }
}

#[test]
fn a_wrong_key_leaves_the_plug_as_it_was() {
    for (ssid, key) in [("Home", "wrong-key"), ("Hame", "secret-key")] {
        for (loss, least) in [(0.0, 1000), (0.2, 980), (0.4, 940)] {
            let (mut told, mut total) = (0, 0);
            for seed in seeds(50) {
                let mut world = fresh(seed, Weather::foul(loss), &[], "Home:secret-key");
                let failure = match join(&mut world, wants(ssid, key)) {
                    Err(failure) => failure,
                    Ok(outcome) => panic!("joined with {ssid} {key}, seed {seed}: {outcome:?}"),
                };
                let context = format!("seed {seed} {failure:?}");
                total += 1;
                told += u64::from(
                    matches!(failure.error, JoinError::WrongKey { .. })
                        && failure.left == ModuleState::Restored,
                );
                check_what_is_left(&mut world, &failure, &context);
                assert!(world.twin().is_reachable(FIRST), "out of reach: {context}");
            }
            println!("{ssid} {key} {loss}: told {told} of {total}");
            assert!(told * 1000 >= total * least, "{told} of {total} at {loss}");
        }
    }
}

#[test]
fn what_a_module_refuses_or_mangles_ends_before_anything_happens() {
    for (fault, ssid, key) in [
        ("strict-commas", "Home, sweet", "secret-key"),
        ("strict-commas", "Home", "one,two,three"),
        ("cut-ssid", "Home, sweet", "secret-key"),
        ("busy-at", "Home", "secret-key"),
    ] {
        let mut world = fresh(7, Weather::FAIR, &[fault], &format!("{ssid}:{key}"));
        let failure = join(&mut world, wants(ssid, key)).unwrap_err();
        assert!(
            matches!(
                failure.error,
                JoinError::Refused { .. } | JoinError::Mangled(_) | JoinError::BadReply(_)
            ),
            "{fault}: {failure:?}"
        );
        assert!(is_as_before(&mut world), "{fault}");
    }
}

#[test]
fn a_network_that_does_not_take_the_plug_is_told_from_a_wrong_key() {
    let mut world = fresh(7, Weather::FAIR, &["no-lease"], "Home:secret-key");
    let failure = join(&mut world, wants("Home", "secret-key")).unwrap_err();
    assert!(
        matches!(failure.error, JoinError::NoLease(_)),
        "{failure:?}"
    );
    assert!(is_as_before(&mut world));
    let mut world = fresh(7, Weather::FAIR, &["fail-join"], "Home:secret-key");
    let failure = join(&mut world, wants("Home", "secret-key")).unwrap_err();
    assert!(
        matches!(failure.error, JoinError::WrongKey { seen: true, .. }),
        "{failure:?}"
    );
    assert!(is_as_before(&mut world));
}

#[test]
fn silence_is_no_answer() {
    let mut world = fresh(7, Weather::foul(1.0), &[], "Home:secret-key");
    let failure = join(&mut world, wants("Home", "secret-key")).unwrap_err();
    assert_eq!(
        (failure.error, failure.left),
        (JoinError::NoReply, ModuleState::Untouched)
    );
}

#[test]
fn a_router_that_answers_no_ping_is_a_step_that_failed_in_a_join_that_did_not() {
    let mut world = fresh(7, Weather::FAIR, &["no-router"], "Home:secret-key");
    let outcome = join(&mut world, wants("Home", "secret-key")).unwrap();
    let ping = outcome
        .steps
        .iter()
        .find(|step| step.name == StepName::Ping)
        .unwrap();
    assert!(!ping.ok);
}

#[test]
fn no_step_shows_the_key() {
    for faults in [
        &[][..],
        &["strict-commas"],
        &["fail-join"],
        &["doubled", "split"],
    ] {
        let mut world = fresh(7, Weather::foul(0.1), faults, "Home:Tr0ub4dor, and 3");
        let ended = join(&mut world, wants("Home", "Tr0ub4dor, and 3"));
        assert!(!format!("{ended:?}").contains("Tr0ub4dor"), "{ended:?}");
    }
}

//! The AT session with a twin: replies belong to their commands, lost sessions are opened again, `AT+Q` is always last.

use std::net::SocketAddrV4;
use std::time::Duration;

use hiflying::command::{AtCommand, Mid, Ver, Wscan};
use hiflying::session::{AtSession, AtSessionConfig, AtSessionEvent, CommandId, NoReply};
use hiflying::{AtReply, AtRequest, PORT};

use crate::seeds;
use crate::world::{FIRST, SimWorld, Weather, WorldEvent};

/// A client in the middle of a session.
struct SessionClient {
    session: AtSession,
}

impl SessionClient {
    fn open(world: &SimWorld) -> Self {
        Self {
            session: AtSession::new(AtSessionConfig::default(), world.now),
        }
    }

    fn send(&mut self, world: &mut SimWorld) {
        while let Some(bytes) = self.session.poll_transmit() {
            world.send(SocketAddrV4::new(FIRST, PORT), &bytes);
        }
    }

    /// Runs one command to its end.
    fn run(&mut self, world: &mut SimWorld, request: AtRequest) -> Result<Vec<u8>, NoReply> {
        let wanted: CommandId = self.session.submit(world.now, request);
        loop {
            self.send(world);
            while let Some(event) = self.session.poll_event() {
                match event {
                    AtSessionEvent::Reply { id, raw } if id == wanted => return Ok(raw.to_vec()),
                    AtSessionEvent::Failed { id, error } if id == wanted => return Err(error),
                    _ => {}
                }
            }
            match world.next(self.session.poll_timeout()) {
                WorldEvent::Datagram { bytes, .. } => {
                    self.session.handle_datagram(world.now, &bytes);
                }
                WorldEvent::Due => self.session.handle_timeout(world.now),
                other => panic!("{other:?}"),
            }
        }
    }

    fn ask<C: AtCommand>(&mut self, world: &mut SimWorld, command: &C) -> Option<C::Reply> {
        let raw = self.run(world, command.request()).ok()?;
        command.parse(&raw).ok()
    }

    fn write_name(&mut self, world: &mut SimWorld, name: &str) -> bool {
        let reply = self.run(world, AtRequest::set("WRMID", name));
        reply.is_ok_and(|raw| matches!(AtReply::parse(&raw), AtReply::Ok(_)))
    }

    /// Leaves, and checks that the last datagram of all was `AT+Q`.
    fn close(mut self, world: &mut SimWorld) {
        self.session.close(world.now);
        self.send(world);
        world.wait(Duration::from_secs(90));
        self.session.handle_timeout(world.now);
        self.send(world);
        let last = String::from_utf8(world.sent.last().unwrap().clone()).unwrap();
        assert_eq!(last.trim_end(), "AT+Q");
        assert_eq!(self.session.poll_timeout(), None);
    }
}

#[derive(Debug, Default)]
struct SessionTally {
    asked: u64,
    answered: u64,
    /// A late copy of a bare `+ok` can pass for the reply to a later command that got lost: nothing in it tells them
    /// apart. That is why a join reads back what it has written; here it may happen seldom.
    stale: u64,
}

/// Writes a name and reads it back, again and again, each time another one.
fn write_and_read(
    runs: u64,
    weather: Weather,
    faults: &[&str],
    disturb: fn(&mut SimWorld),
) -> SessionTally {
    let mut tally = SessionTally::default();
    for seed in seeds(runs) {
        let mut world = SimWorld::with(seed, weather, |config| {
            config.faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
        });
        let mut client = SessionClient::open(&world);
        for round in 0..5 {
            let name = format!("name {seed}-{round}");
            let written = client.write_name(&mut world, &name);
            disturb(&mut world);
            let read = client.ask(&mut world, &Mid);
            tally.asked += 1;
            tally.answered += u64::from(written && read.is_some());
            tally.stale += u64::from(written && read.is_some_and(|read| read != name));
        }
        client.close(&mut world);
    }
    println!("{weather:?} {faults:?}: {tally:?}");
    tally
}

fn undisturbed(_: &mut SimWorld) {}

#[test]
fn on_a_good_day_everything_is_answered_and_nothing_is_stale() {
    let tally = write_and_read(200, Weather::FAIR, &[], undisturbed);
    assert_eq!((tally.answered, tally.stale), (tally.asked, 0));
}

#[test]
fn loss_copies_and_reordering_mix_no_replies_up() {
    for (loss, least) in [(0.0, 999), (0.2, 995), (0.4, 900)] {
        let tally = write_and_read(300, Weather::foul(loss), &[], undisturbed);
        assert!(
            tally.answered * 1000 >= tally.asked * least,
            "{tally:?} at {loss}"
        );
        assert!(tally.stale * 50 <= tally.asked, "{tally:?} at {loss}");
    }
}

#[test]
fn other_firmwares_are_understood() {
    for faults in [
        &["cr-only"][..],
        &["lf-only"],
        &["no-terminator"],
        &["split"],
        &["lower-err", "upper-ok"],
        &["empty-ok"],
        &["echo"],
        &["source-port"],
        &["no-handshake"],
        &["ok-answers-ok"],
        &["ok-answers-err"],
        &["session-by-port"],
        &["deaf=cr"],
        &["deaf=cr", "deaf=lf"],
        &["q-silent"],
        &["w-silent"],
        &["four-fields"],
        &["module="],
        &["trailing-crlf"],
        &["nul-padding"],
        &["wrong-address=10.0.0.9"],
        &["copies=10"],
        &["doubled"],
        &["garbage=50%"],
        &["delayed=250ms"],
        &["reordered"],
    ] {
        let tally = write_and_read(10, Weather::FAIR, faults, undisturbed);
        assert_eq!(
            (tally.answered, tally.stale),
            (tally.asked, 0),
            "{faults:?}"
        );
    }
}

#[test]
fn a_module_that_restarts_in_mid_session_is_opened_again() {
    for faults in [&["reboot=3"][..], &["reboot-every=7"]] {
        let tally = write_and_read(100, Weather::foul(0.1), faults, undisturbed);
        assert!(tally.answered * 100 >= tally.asked * 97, "{tally:?}");
        assert!(tally.stale * 50 <= tally.asked, "{tally:?}");
    }
}

#[test]
fn a_module_that_was_switched_off_and_on_is_opened_again() {
    let pull_the_plug = |world: &mut SimWorld| {
        world.restart();
        world.wait(Duration::from_millis(700));
    };
    let tally = write_and_read(100, Weather::foul(0.1), &[], pull_the_plug);
    assert!(tally.answered * 100 >= tally.asked * 97, "{tally:?}");
    assert!(tally.stale * 50 <= tally.asked, "{tally:?}");
}

#[test]
fn an_idle_session_is_kept_alive() {
    for seed in seeds(50) {
        let mut world = SimWorld::with(seed, Weather::FAIR, |_| {});
        let mut client = SessionClient::open(&world);
        assert!(client.ask(&mut world, &Mid).is_some());
        let end = world.now + Duration::from_secs(600);
        while world.now < end {
            client.send(&mut world);
            match world.next(
                client
                    .session
                    .poll_timeout()
                    .map(|due| due.min(end))
                    .or(Some(end)),
            ) {
                WorldEvent::Datagram { bytes, .. } => {
                    client.session.handle_datagram(world.now, &bytes);
                }
                _ => client.session.handle_timeout(world.now),
            }
        }
        let before = world.sent.len();
        assert_eq!(
            client.ask(&mut world, &Ver).as_deref(),
            Some("1.0.06a-14 (2014-10-29 21:46 1M)")
        );
        assert_eq!(world.sent.len(), before + 1, "the session was still open");
        client.close(&mut world);
    }
}

#[test]
fn the_list_of_networks_is_whole_on_a_good_day_and_never_wrong() {
    for faults in [
        &[][..],
        &["one-datagram"],
        &["wscan-lf"],
        &["wscan-crlf"],
        &["wscan-nine-columns"],
    ] {
        let mut world = SimWorld::with(3, Weather::FAIR, |config| {
            config.faults = faults
                .iter()
                .map(|spec: &&str| spec.parse().unwrap())
                .collect();
            config.home_networks = vec!["Home, sweet:secret-key".parse().unwrap()];
        });
        let mut client = SessionClient::open(&world);
        let networks = client.ask(&mut world, &Wscan).unwrap();
        let names: Vec<_> = networks
            .iter()
            .map(|network| String::from_utf8_lossy(&network.ssid).into_owned())
            .collect();
        assert_eq!(
            names,
            ["Home, sweet", "TP-LINK_qiandan", "Cafe, free", ""],
            "{faults:?}"
        );
        client.close(&mut world);
    }
    let (mut rows, mut runs) = (0, 0);
    for seed in seeds(100) {
        let mut world = SimWorld::with(seed, Weather::foul(0.2), |_| {});
        let mut client = SessionClient::open(&world);
        let networks = client.ask(&mut world, &Wscan).unwrap_or_default();
        assert!(
            networks
                .iter()
                .all(|network| network.bssid.is_some() && network.security.is_some())
        );
        rows += networks.len();
        runs += 1;
        client.close(&mut world);
    }
    assert!(rows * 10 > runs * 4 * 7, "{rows} rows in {runs} lists");
}

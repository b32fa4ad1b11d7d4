//! SmartLink to a twin that listens: the right key is learned through loss, copies and frames in the wrong order; a wrong one is not.

use std::net::SocketAddrV4;
use std::time::Duration;

use emulator::{Mode, Twin};
use hiflying::smartlink::{SMARTLINK_PORT, SmartLink};
use hiflying::{Mac, WifiKey};

use crate::seeds;
use crate::world::{BROADCAST, FIRST, SimWorld, Weather, WorldEvent};

const KEY: &str = "s3cret-K3y!";
/// Time that `mains setup` takes for it.
const TIMEOUT: Duration = Duration::from_secs(120);

fn world(seed: u64, weather: Weather, key: &str, faults: &[&str]) -> SimWorld {
    SimWorld::with(seed, weather, |config| {
        config.mode = Mode::Ap;
        config.smart_link = true;
        config.home_networks = vec![format!("Home:{key}").parse().unwrap()];
        config.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    })
}

/// Sends a key until a module confirms or the time is over.
fn teach(world: &mut SimWorld, key: &str) -> Option<Mac> {
    let key = (!key.is_empty()).then(|| WifiKey::new(key));
    let mut sender = SmartLink::new(key.as_ref(), world.now);
    let deadline = world.now + TIMEOUT;
    while world.now < deadline {
        while let Some(transmit) = sender.poll_transmit() {
            world.send(SocketAddrV4::new(BROADCAST, transmit.port), &transmit.bytes);
        }
        match world.next(Some(sender.poll_timeout())) {
            WorldEvent::Datagram { from, bytes } => {
                sender.handle_datagram(*from.ip(), &bytes);
                if let Some((mac, address)) = sender.poll_confirmation() {
                    assert_eq!((address, from.port()), (FIRST, hiflying::PORT));
                    return Some(mac);
                }
            }
            _ => sender.handle_timeout(world.now),
        }
    }
    None
}

#[test]
fn a_key_is_learned_and_the_plug_is_silent_until_then() {
    for key in [
        KEY,
        "password",
        "40824082",
        "",
        &"k".repeat(63),
        "schlüssel",
    ] {
        let mut world = world(1, Weather::FAIR, key, &[]);
        assert!(!world.twin().is_reachable(FIRST), "it only listens");
        let mac = teach(&mut world, key);
        assert_eq!(mac, Some(world.twin().mac()), "{key}");
        assert_eq!(world.twin().network(), Some(&b"Home"[..]));
        assert!(
            world.elapsed() < Duration::from_secs(15),
            "{:?}",
            world.elapsed()
        );
        // Frames that go on change nothing.
        world.send(SocketAddrV4::new(BROADCAST, SMARTLINK_PORT), &[5; 89]);
        assert!(world.twin().is_reachable(FIRST));
    }
}

#[test]
fn a_wrong_key_is_not_taken_and_the_right_one_afterwards_is() {
    let mut world = world(2, Weather::FAIR, KEY, &[]);
    assert_eq!(teach(&mut world, "another key"), None);
    assert_eq!(world.twin().network(), None);
    assert!(teach(&mut world, KEY).is_some());
}

#[test]
fn loss_copies_and_disorder_only_take_longer() {
    let mut taught = [0_u32; 3];
    let losses = [0.05, 0.1, 0.2];
    let runs = seeds(20);
    for (place, loss) in losses.into_iter().enumerate() {
        for seed in runs.clone() {
            let mut world = world(seed, Weather::foul(loss), KEY, &[]);
            taught[place] += u32::from(teach(&mut world, KEY).is_some());
        }
    }
    let count = u32::try_from(runs.count()).unwrap();
    println!("{taught:?} of {count} runs at {losses:?} loss each way");
    assert_eq!(taught[0], count);
    assert!(
        taught[1] * 10 >= count * 9 && taught[2] * 10 >= count * 5,
        "{taught:?}"
    );
}

#[test]
fn confirmations_that_are_lost_are_asked_for() {
    for seed in seeds(10) {
        let mut world = world(seed, Weather::FAIR, KEY, &["lost-out=80%"]);
        assert!(teach(&mut world, KEY).is_some(), "{seed}");
    }
}

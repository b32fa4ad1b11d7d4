//! A thousand plugs, a third of which fail in every known way: the others keep their pace, and nothing leaks.
//!
//! The pace is compared with that of the other plugs in the same run, so that the load of the machine does not matter.
//!
//! The plugs live in a separate process, as in reality: their cost is not the registry's.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api::{Cause, RelayCommand};
use futures_util::future::join_all;
use hub::store::PlugRecord;
use jiff::Timestamp;
use plugs::FamilyId;

use crate::twins::{Plugs, in_network};
use crate::world::{House, Memory, Wishes, at, connections, eventually, mac, plug};

/// Environment variable that is set in the process that only serves plugs; holds their number.
const HOME: &str = "MAINS_TEST_HOME";

/// Returns the fault of the `number`-th plug, if it has one. Plugs without power have no twin at all.
fn fault(number: u16) -> Option<&'static str> {
    match number % 9 {
        0 => Some("half-open"),
        3 => Some("busy"),
        _ => None,
    }
}

fn has_no_power(number: u16) -> bool {
    number % 9 == 6
}

fn is_alive(number: u16) -> bool {
    !number.is_multiple_of(3)
}

/// The process with the plugs, not a test of its own.
#[test]
#[ignore = "the other half of the tests of this file"]
fn home() {
    let Some(count) = std::env::var(HOME)
        .ok()
        .and_then(|count| count.parse::<u16>().ok())
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let numbers = (1..=count).filter(|number| !has_no_power(*number));
        let configs = numbers.map(|number| plug(number, fault(number).as_slice()));
        let _plugs = Plugs::start(configs.collect()).await;
        println!("ready");
        std::future::pending::<()>().await;
    });
}

/// A process with plugs, which lose their power when this is dropped.
struct Home(Child);

impl Home {
    /// Starts it in the network of this thread.
    fn start(count: u16) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crowd::home", "--ignored", "--nocapture"])
            .env(HOME, count.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        // The rest must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns a store that has these plugs already.
fn store_with(numbers: impl Iterator<Item = u16>) -> std::sync::Arc<Memory> {
    let store = std::sync::Arc::<Memory>::default();
    for number in numbers {
        let record = PlugRecord {
            mac: mac(number),
            family: FamilyId::RECO,
            serial: None,
            address: at(number),
            model: None,
            name: Some(format!("plug {number}")),
            room: None,
            metering: None,
            power_on: None,
            often_unplugged: false,
            relay: None,
            relay_since: None,
            adopted: Timestamp::UNIX_EPOCH,
            seen: Timestamp::UNIX_EPOCH,
            revision: 1,
        };
        store.plugs.lock().unwrap().insert(record.mac, record);
    }
    store
}

#[test]
fn a_third_of_a_thousand_is_dead_and_the_others_keep_their_pace() {
    const COUNT: u16 = 1000;
    in_network(async {
        allow_many_descriptors();
        let _home = Home::start(COUNT);
        let wishes = Wishes {
            scan: "5s",
            metering: "4s",
            ..Wishes::default()
        };
        let mut house = House::open_again(store_with(1..=COUNT), wishes).await;
        let without_power = (1..=COUNT).filter(|number| has_no_power(*number)).count() as u64;
        let expected = u64::from(COUNT) - without_power;
        eventually(120, || house.registry.stats().available == expected).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        house.take_samples();
        let start = Timestamp::now();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut times: HashMap<_, Vec<f64>> = HashMap::new();
        for sample in house.take_samples() {
            let at = sample.reading.at.duration_since(start).as_secs_f64();
            times.entry(sample.reading.plug).or_default().push(at);
        }
        let (dead, alive): (Vec<_>, Vec<_>) = (1..=COUNT).partition(|number| !is_alive(*number));
        for number in dead {
            assert!(!times.contains_key(&mac(number)), "plug {number}");
        }
        let of_plug = |number: &u16| times.remove(&mac(*number)).unwrap_or_default();
        let times: Vec<Vec<f64>> = alive.iter().map(of_plug).collect();
        let usual = median(times.iter().map(|times| times.len() as f64));
        assert!(usual >= 2.0, "hardly anything was metered");
        for (number, times) in alive.iter().zip(&times) {
            let count = times.len() as f64;
            assert!(
                (count - usual).abs() <= 1.0,
                "plug {number}: {times:?}, others {usual}"
            );
        }
        let gaps = times
            .iter()
            .flat_map(|times| times.windows(2))
            .map(|pair| pair[1] - pair[0]);
        let gaps: Vec<f64> = gaps.collect();
        let (usual, widest) = (
            median(gaps.iter().copied()),
            gaps.iter().copied().fold(0.0, f64::max),
        );
        assert!(
            widest < 2.0 * usual,
            "one waited {widest} s, others {usual} s"
        );
        let stats = house.registry.stats();
        assert_eq!(stats.available, expected, "{stats:?}");
        let connections = connections();
        assert!(connections.values().all(|count| *count == 1));
        assert!(connections.len() as u64 <= expected);

        // Beside all that, plugs are switched.
        for number in (1..=COUNT).filter(|number| is_alive(*number)).step_by(33) {
            let switched = house
                .registry
                .switch(mac(number), RelayCommand::On, Cause::Person)
                .await;
            assert!(switched.unwrap().confirmed);
        }
        // And all of them at once.
        let alive = (1..=COUNT).filter(|number| is_alive(*number));
        let off = alive.map(|number| {
            house
                .registry
                .switch(mac(number), RelayCommand::Off, Cause::Person)
        });
        let results = join_all(off).await;
        assert!(
            results
                .iter()
                .all(|result| result.as_ref().is_ok_and(|switched| switched.confirmed))
        );
        house.close().await;
    });
}

/// Each further plug costs the registry this much, with its connection, its reading and its place in the store's memory.
#[test]
fn a_plug_costs_less_than_32_kb() {
    const COUNT: u16 = 1000;
    if !alone("crowd::a_plug_costs_less_than_32_kb") {
        return;
    }
    in_network(async {
        allow_many_descriptors();
        let _home = Home::start(COUNT);
        let house = House::open_again(store_with(1..=20), Wishes::default()).await;
        eventually(120, || house.registry.stats().readings > 20).await;
        house.close().await;
        let before = resident_kb();
        let house = House::open_again(store_with(1..=COUNT), Wishes::default()).await;
        eventually(240, || {
            let stats = house.registry.stats();
            stats.connections > 600 && stats.readings > 3000
        })
        .await;
        let each = (resident_kb() - before) as f64 / f64::from(COUNT - 20);
        println!("{each:.1} KB for each plug");
        assert!(each < 32.0, "{each} KB");
        house.close().await;
    });
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs a test of this name in a process of its own. Returns `true` there; here `false`, after it has succeeded.
fn alone(name: &str) -> bool {
    const ALONE: &str = "MAINS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "yes")
        .status();
    assert!(status.unwrap().success());
    false
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_ascii_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

fn allow_many_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

//! Metrics in the text format of Prometheus.

use std::time::Duration;

use hiflying::Mac;
use plugs::{FamilyId, Plug};

use super::hub::{LeaseFigures, RunFigures};
use super::*;
use crate::guest::MetricKind;
use crate::recorder::RecorderStatus;
use api::{Metering, Period};

fn view(octet: u8, name: Option<&str>, available: bool) -> Arc<PlugView> {
    let mac = Mac::new([0xac, 0xcf, 0x23, 0, 0, octet]);
    let seen = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut plug = Plug::new(mac, FamilyId::RECO, [127, 74, 0, octet].into(), seen);
    plug.name = name.map(str::to_owned);
    plug.relay = Some(RelayState::On);
    let reading = Reading {
        plug: mac,
        at: seen,
        voltage_v: Some(226.94),
        current_a: Some(0.03),
        frequency_hz: None,
        power_w: Some(0.0),
        energy_wh: Some(3548),
    };
    Arc::new(PlugView {
        plug,
        available,
        reading: Some(reading),
        energy_total_wh: Some(3548),
        room: None,
        metering: Metering::Every(Period::seconds(10)),
        power_on: None,
        relay_since: None,
        still_drawing_w: None,
        often_unplugged: false,
    })
}

fn snapshot() -> Snapshot {
    let process = ProcessFigures {
        uptime: Duration::from_millis(61_500),
        acts: true,
        recorder: RecorderStatus {
            dropped: 1,
            ..RecorderStatus::default()
        },
        lost_readings: 2,
        ..ProcessFigures::default()
    };
    let hub = HubFigures {
        failed_backups: 3,
        damages: 1,
        rules: RunFigures {
            halted: 1,
            ..RunFigures::default()
        },
        ..HubFigures::default()
    };
    let plugs = vec![
        view(1, Some("say \"hi\"\\\nK\u{fc}che"), true),
        view(2, None, false),
    ];
    let guests = vec![GuestMetric {
        name: "mains_guest_connected",
        help: "1 while it is connected.",
        kind: MetricKind::Gauge,
        value: 1,
    }];
    Snapshot {
        process,
        plugs,
        hub: Some(hub),
        guests,
    }
}

#[test]
fn every_line_has_the_site_of_a_hub_that_has_one() {
    let text = text(snapshot(), &"berlin".parse().unwrap()).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.contains("{site=\"berlin\""), "{line}");
    }
    let alone = super::text(snapshot(), &SiteName::default()).unwrap();
    assert!(!alone.contains("site"), "{alone}");
    assert_eq!(alone.lines().count(), text.lines().count());
}

#[test]
fn a_standby_without_the_active_hub_tells_of_itself_alone() {
    let process = ProcessFigures {
        lease: Some(LeaseFigures {
            number: 7,
            left: None,
            is_current: true,
            others: 1,
        }),
        ..ProcessFigures::default()
    };
    let snapshot = Snapshot {
        process,
        ..Snapshot::default()
    };
    let text = text(snapshot, &SiteName::default()).unwrap();
    for expected in [
        "active 0.0",
        "lease_number 7.0",
        "lease_up 1.0",
        "other_hubs 1.0",
    ] {
        assert!(
            text.contains(&format!("\nmains_hub_{expected}\n")),
            "{text}"
        );
    }
    for missing in [
        "mains_plug_",
        "mains_hub_plugs",
        "mains_hub_rules",
        "mains_hub_lease_seconds",
    ] {
        let is_there = text.lines().any(|line| line.starts_with(missing));
        assert!(!is_there, "{missing}: {text}");
    }
}

#[test]
fn in_the_names_and_units_of_the_contract() {
    let text = text(snapshot(), &SiteName::default()).unwrap();
    let (of_plugs, of_hub) = text.split_once("# HELP mains_hub_plugs ").unwrap();
    for expected in [
        "# HELP mains_hub_uptime_seconds Time since the hub started.\n# TYPE mains_hub_uptime_seconds gauge\nmains_hub_uptime_seconds 61.0\n",
        "# TYPE mains_hub_recorder_dropped_total counter\nmains_hub_recorder_dropped_total 3.0\n",
        "mains_hub_active 1.0\n",
        "mains_hub_recorder_up 1.0\n",
        "mains_hub_rules_halted 1.0\n",
        "mains_hub_failed_backups_total 3.0\n",
        "mains_hub_schedules_failing 0.0\n",
        "# TYPE mains_guest_connected gauge\nmains_guest_connected 1.0\n",
    ] {
        assert!(of_hub.contains(expected), "{of_hub}");
    }
    assert!(!of_hub.contains("mains_hub_database_bytes"), "{of_hub}");
    insta::assert_snapshot!(of_plugs, @r#"
    # HELP mains_plug_power_watts Active power of the load.
    # TYPE mains_plug_power_watts gauge
    mains_plug_power_watts{mac="accf23000001",name="say \"hi\"\\\nKüche"} 0.0
    # HELP mains_plug_voltage_volts Mains voltage.
    # TYPE mains_plug_voltage_volts gauge
    mains_plug_voltage_volts{mac="accf23000001",name="say \"hi\"\\\nKüche"} 226.94
    # HELP mains_plug_current_amperes Current of the load.
    # TYPE mains_plug_current_amperes gauge
    mains_plug_current_amperes{mac="accf23000001",name="say \"hi\"\\\nKüche"} 0.03
    # HELP mains_plug_frequency_hertz Mains frequency.
    # TYPE mains_plug_frequency_hertz gauge
    # HELP mains_plug_energy_joules_total Energy that the plug ever used.
    # TYPE mains_plug_energy_joules_total counter
    mains_plug_energy_joules_total{mac="accf23000001",name="say \"hi\"\\\nKüche"} 12772800.0
    mains_plug_energy_joules_total{mac="accf23000002",name=""} 12772800.0
    # HELP mains_plug_relay_on 1 if the relay is on.
    # TYPE mains_plug_relay_on gauge
    mains_plug_relay_on{mac="accf23000001",name="say \"hi\"\\\nKüche"} 1.0
    # HELP mains_plug_available 1 if the plug replies.
    # TYPE mains_plug_available gauge
    mains_plug_available{mac="accf23000001",name="say \"hi\"\\\nKüche"} 1.0
    mains_plug_available{mac="accf23000002",name=""} 0.0
    # HELP mains_plug_drawing_while_off_watts Power that it draws although its relay is off, as with welded contacts.
    # TYPE mains_plug_drawing_while_off_watts gauge
    mains_plug_drawing_while_off_watts{mac="accf23000001",name="say \"hi\"\\\nKüche"} 0.0
    "#);
}

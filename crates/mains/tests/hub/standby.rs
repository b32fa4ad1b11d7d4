//! Two hubs of a site: which one acts when the other is killed, stopped or cut off, and what of the plugs, edits and schedules that
//! costs.
//!
//! * `model`: the site with a model of what it was told. `load`: requests of other people meanwhile. `mixed`: failures of all kinds,
//!   one after the other. `same`: their answers side by side.

mod load;
mod mixed;
mod model;
mod same;

use std::time::Duration;

use serde_json::json;

use crate::house::eventually;
use crate::site::{self, Site};
use model::Model;

#[test]
fn the_other_hub_takes_over_and_nothing_is_lost_or_done_twice() {
    let Some(mut model) = Model::start() else {
        return;
    };
    let cookie = format!("Cookie: {}", model.log_in());
    let sees = |hub| {
        site::request(hub, "GET", "/api/v1/plugs", &cookie, None)
            .unwrap()
            .0
    };
    assert_eq!([sees(0), sees(1)], [200, 200]);
    let page = |hub| site::request(hub, "GET", "/", &cookie, None).unwrap().2;
    let is_told = [0, 1].map(|hub| page(hub).contains("This is the hub on standby at http://"));
    assert_eq!(is_told, [false, true]);
    model.compare_answers();
    model.schedule(50);
    model.kill();
    assert_eq!(
        [sees(0), sees(1)],
        [200, 200],
        "a session outlives a takeover"
    );
    model.pause();
    model.cut("db");
    model.cut("plugs");
    model.part();
    model.restart_database();
    model.check();
    println!("{}", model.report());
}

#[test]
fn clocks_that_differ_and_a_lease_that_is_edited_cost_no_run() {
    let Some(mut model) = Model::start_with_clocks_apart() else {
        return;
    };
    model.schedule(40);
    model.kill();
    assert_eq!(model.active, 1, "the one whose clock is ahead");
    model.make_rule();
    model.turn_ruled_on();
    model.kill();
    model.await_rule();
    for edit in [
        "UPDATE lease SET holder = 'nobody', number = -3, until = 'infinity'",
        "DELETE FROM lease",
    ] {
        model.site.execute(edit);
        // The holder finds it at its next renewal.
        std::thread::sleep(Duration::from_secs(3));
        eventually("a hub is active again", || {
            let roles = [0, 1].map(|hub| model.site.role(hub));
            let acts = |role: &&Option<String>| role.as_deref() == Some("active");
            roles.iter().filter(acts).count() == 1
        });
        let acting = model.site.role(0).as_deref() == Some("active");
        model.active = usize::from(!acting);
        model.settle();
    }
    model.check();
}

#[test]
fn a_hub_that_is_alone_goes_on_without_the_database() {
    let Some(mut site) = Site::build(1) else {
        return;
    };
    site.start(0);
    site.until_active(0);
    let body = json!({"address": "10.77.0.101"});
    let (_, plug) = site.ask(0, "POST", "/api/v1/plugs", Some(&body)).unwrap();
    let mac = plug["mac"]
        .as_str()
        .unwrap()
        .replace(':', "")
        .to_lowercase();
    std::thread::sleep(Duration::from_secs(3));
    site.cut(0, "db");
    std::thread::sleep(Duration::from_secs(11));
    site.switch(0, &mac, "on");
    // One that joins asks it first, and passes on to it.
    site.start(1);
    site.switch(1, &mac, "off");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(site.role(1).as_deref(), Some("standby"), "{}", site.log(1));
    assert_eq!(site.role(0).as_deref(), Some("active"), "{}", site.log(0));
    site.mend(0);
    site.switch(1, &mac, "on");
    assert_eq!(site.role(0).as_deref(), Some("active"), "{}", site.log(0));
}

/// For docs/performance.md: `scripts/measure-standby [ROUNDS]`.
#[test]
#[ignore = "twenty minutes; scripts/measure-standby runs it"]
fn a_hundred_takeovers_after_kill_9() {
    let rounds = std::env::var("MAINS_STANDBY_ROUNDS").ok();
    let rounds: usize = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(100);
    let Some(mut model) = Model::start() else {
        return;
    };
    for round in 0..rounds {
        if round.is_multiple_of(10) {
            model.schedule(60);
        }
        model.kill();
        println!("round {round}: {:.1?}", model.takeovers[round].1);
    }
    model.check();
    println!("{}", model.report());
}

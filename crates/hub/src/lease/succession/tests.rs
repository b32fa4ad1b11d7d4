//! Sequences of what a hub on standby sees.

use api::HubRole;
use jiff::SignedDuration;
use serde_json::Value;

use super::*;
use crate::store::LeaseRecord;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn hub(id: &str, seen_s: i64, reaches: Option<bool>) -> HubRecord {
    HubRecord {
        id: id.to_owned(),
        url: format!("http://{id}"),
        version: "1".to_owned(),
        role: HubRole::Standby,
        seen: START + SignedDuration::from_secs(seen_s),
        lag: Duration::ZERO,
        reaches,
        certificate: None,
        summary: Value::Null,
    }
}

/// A site of the hubs `a` and `b`, of which `b` looks.
fn site(holder: Option<&str>, version: &str, is_over: bool) -> SiteState {
    SiteState {
        lease: LeaseRecord {
            holder: holder.map(str::to_owned),
            number: 7,
            until: START,
            is_over,
            version: version.to_owned(),
        },
        is_renewed: false,
        seen_before: Some(START),
        hubs: vec![hub("a", 100, None), hub("b", 0, None)],
        secret: Default::default(),
    }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(1_000 + seconds)
}

fn decide(succession: &mut Succession, site: &SiteState, at: u64) -> LeaseDecision {
    succession.decide("b", site, None, s(at))
}

#[test]
fn a_lease_that_was_given_up_or_is_its_own_is_taken_at_once() {
    for holder in [None, Some("b")] {
        let mut succession = Succession::default();
        let site = site(holder, "1", false);
        assert_eq!(decide(&mut succession, &site, 0), LeaseDecision::Take);
    }
}

#[test]
fn a_lease_that_has_run_out_is_taken_and_no_other() {
    let mut succession = Succession::default();
    for at in 0..5 {
        let site = site(Some("a"), &at.to_string(), false);
        assert_eq!(decide(&mut succession, &site, at), LeaseDecision::Leave);
    }
    // The database's clock was set: it was renewed a moment ago.
    let over = site(Some("a"), "4", true);
    assert_eq!(decide(&mut succession, &over, 5), LeaseDecision::Leave);
    assert_eq!(decide(&mut succession, &over, 11), LeaseDecision::Leave);
    assert_eq!(decide(&mut succession, &over, 12), LeaseDecision::Take);
    // A hub that has just started has only the database's word.
    let mut newcomer = Succession::default();
    assert_eq!(decide(&mut newcomer, &over, 0), LeaseDecision::Take);
}

#[test]
fn a_lease_that_nobody_renews_ends_whatever_time_it_names() {
    let mut succession = Succession::default();
    let odd = site(Some("nobody"), "1", false);
    for at in [0, 5, 11] {
        assert_eq!(decide(&mut succession, &odd, at), LeaseDecision::Leave);
    }
    assert_eq!(decide(&mut succession, &odd, 12), LeaseDecision::Take);
}

#[test]
fn a_holder_that_may_not_know_of_this_hub_is_asked_first() {
    let mut succession = Succession::default();
    let mut over = site(Some("a"), "1", true);
    over.seen_before = None;
    over.hubs[1].seen = START + SignedDuration::from_secs(100);
    let ask = LeaseDecision::Ask {
        url: "http://a".to_owned(),
        certificate: None,
    };
    assert_eq!(decide(&mut succession, &over, 0), ask);
    assert_eq!(decide(&mut succession, &over, 29), ask);
    succession.replied();
    assert_eq!(decide(&mut succession, &over, 31), ask);
    assert_eq!(decide(&mut succession, &over, 60), ask);
    assert_eq!(decide(&mut succession, &over, 61), LeaseDecision::Take);
    // It has written once more since this hub is there, and so has seen it.
    let mut succession = Succession::default();
    assert_eq!(decide(&mut succession, &over, 0), ask);
    over.hubs[0].seen = START + SignedDuration::from_secs(101);
    assert_eq!(decide(&mut succession, &over, 1), LeaseDecision::Take);
}

#[test]
fn a_hub_that_reaches_no_plug_leaves_it_to_one_that_does() {
    let mut succession = Succession::default();
    let mut free = site(None, "1", true);
    free.hubs[0].reaches = Some(true);
    let decision = succession.decide("b", &free, Some(false), s(0));
    assert_eq!(decision, LeaseDecision::Leave);
    free.hubs[0].lag = Duration::from_secs(6);
    let decision = succession.decide("b", &free, Some(false), s(1));
    assert_eq!(decision, LeaseDecision::Take, "that one is gone");
}

#[test]
fn a_lease_that_was_handed_over_is_left_to_the_other_hub_for_a_while() {
    let mut succession = Succession::default();
    succession.give_up(s(0));
    // On standby it does not know any longer that it is cut off, and the other one has not looked yet.
    let free = site(None, "1", true);
    assert_eq!(decide(&mut succession, &free, 1), LeaseDecision::Leave);
    assert_eq!(decide(&mut succession, &free, 5), LeaseDecision::Take);
}

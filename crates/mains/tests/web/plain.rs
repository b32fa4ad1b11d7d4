//! The pages without JavaScript: forms, and the notes that they leave.

use serde_json::json;

use crate::browser::Look;
use crate::house::{eventually, plugs};
use crate::live::house;

#[test]
fn switching_and_settings_work_by_forms() {
    let look = Look {
        has_script: false,
        ..Look::default()
    };
    let Some((mut home, hub, browser)) = house(look) else {
        return;
    };
    browser.go("data:text/html,<title>off</title><script>document.title='on'</script>");
    assert_eq!(browser.js("return document.title"), "off");
    browser.go(&hub.url);
    let switch = "button[role=switch]";
    browser.click(switch);
    browser.arrives(&format!("{}/#plug-accf23000001", hub.url));
    assert_eq!(browser.attribute(switch, "aria-checked"), json!("false"));
    assert_eq!(plugs(&home)[0]["relay"], "off");
    browser.click("article h3 a");
    browser.arrives(&format!("{}/plugs/accf23000001", hub.url));
    browser.enter("#name", "K\u{fc}che & <i>Co</i>");
    browser.enter("#room", "Kitchen");
    browser.click("form:has(#name) button");
    browser.shows("h1", "K\u{fc}che & <i>Co</i>");
    browser.shows(".note.good", "Saved.");
    assert_eq!(plugs(&home)[0]["room"], "Kitchen");
    // What was refused is there still, with the reason.
    browser.enter("#metering", "2 weeks");
    browser.click("form:has(#metering) button");
    assert!(!browser.text("#metering-e").is_empty());
    assert_eq!(browser.js_value("#metering"), "2 weeks");
    browser.go(&format!("{}/plugs/accf23000001", hub.url));
    browser.click("[type=checkbox][name=often_unplugged]");
    browser.click("form:has(#metering) button");
    browser.shows(".note.good", "Saved.");
    assert_eq!(plugs(&home)[0]["often_unplugged"], true);
    browser.click("[type=checkbox][name=often_unplugged]");
    browser.click("form:has(#metering) button");
    eventually("the mark is taken off", || {
        plugs(&home)[0]["often_unplugged"] == false
    });
    home.end_emulators();
    browser.click(switch);
    let alert = browser.text("#notes [role=alert]");
    assert!(alert.contains("did not"), "{alert}");
}

#[test]
fn a_plug_is_removed_after_a_question() {
    let look = Look {
        has_script: false,
        ..Look::default()
    };
    let Some((mut home, hub, browser)) = house(look) else {
        return;
    };
    home.end_emulators();
    browser.go(&format!("{}/plugs/accf23000001", hub.url));
    browser.click("a[href$='/remove']");
    browser.click("button.danger");
    browser.arrives(&format!("{}/", hub.url));
    assert_eq!(plugs(&home).len(), 0);
    browser.shows("h1", "Your first plug goes here");
}

#[test]
fn every_form_is_sent_without_a_script() {
    let look = Look {
        has_script: false,
        ..Look::default()
    };
    let Some((home, hub, browser)) = house(look) else {
        return;
    };
    let save = "#form button:not([name])";
    let target = "input[value='AC:CF:23:00:00:01']";
    let list = |verb: &str| home.json(&[verb, "list"]).ends_with(0).json();

    browser.go(&format!("{}/groups?new=1", hub.url));
    browser.enter("#name", "lamps");
    browser.click(target);
    browser.click(save);
    browser.shows(".note.good", "Saved.");
    browser.go(&format!("{}/schedules?new=1&action=off&at=23:30", hub.url));
    browser.click(target);
    browser.enter("#name", "night");
    browser.click("label:has(input[value=fri])");
    browser.click(save);
    browser.shows(".note.good", "Saved.");
    assert_eq!(
        list("schedule")[0]["when"],
        json!({"at": "23:30", "days": ["fri"]})
    );
    browser.click("li form button[role=switch]");
    browser.until("return document.querySelector('#main li').innerText.includes('Paused')");
    browser.go(&format!("{}/rules?new=1&kind=over_power", hub.url));
    browser.enter("#name", "too much");
    browser.enter("#above_w", "a lot");
    browser.enter("#for", "10s");
    browser.click(save);
    assert_eq!(browser.text("#above_w-e"), "Must be a number.");
    assert_eq!(
        browser.js("return document.activeElement.id"),
        json!("above_w")
    );
    browser.enter("#above_w", "2000");
    browser.click(save);
    browser.shows(".note.good", "Saved.");
    browser.go(&format!(
        "{}/tariffs?new=1&kind=hourly&currency=EUR",
        hub.url
    ));
    browser.enter("#name", "market");
    browser.click(save);
    browser.shows(".note.good", "Saved.");
    browser.click("#main li h3 a");
    let file = home.write("prices.csv", "time,price\n2026-11-23T00:00,0.25\n");
    // A file field is not cleared first.
    browser.attach("#file", file.to_str().unwrap());
    browser.click("#import button");
    browser.until("return document.querySelector('#main').innerText.includes('1 known')");
    assert_eq!(list("tariff")[0]["prices"][0]["price"], 0.25);
    browser.go(&format!("{}/settings", hub.url));
    browser.click("#tokens summary");
    browser.enter("#name", "hall");
    browser.click("#tokens form button");
    assert!(browser.text("#new-token .cmd").starts_with("mains_"));
    for (page, verb) in [
        ("groups", "group"),
        ("schedules", "schedule"),
        ("rules", "rule"),
        ("tariffs", "tariff"),
    ] {
        browser.go(&format!("{}/{page}", hub.url));
        browser.click("#main li h3 a");
        browser.click("a[data-dialog]");
        browser.shows("button.danger", "Delete");
        browser.click("button.danger");
        browser.shows(".note.good", "Saved.");
        assert_eq!(list(verb), json!([]), "{verb}");
    }
}

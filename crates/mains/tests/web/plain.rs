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

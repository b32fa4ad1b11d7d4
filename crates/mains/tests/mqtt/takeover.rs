//! Two hubs of a site, which are one hub at the broker.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::broker::{Broker, PORT, mosquitto, retained};
use crate::home::Home;
use crate::house::eventually;
use crate::needs::met;
use crate::site::Site;

#[test]
fn the_next_hub_goes_on_where_the_first_one_ended() {
    let Some(()) = met(mosquitto()) else { return };
    let Some(mut site) = Site::build(2) else {
        return;
    };
    let home = Home::new();
    let store = home.path("store");
    std::fs::create_dir(&store).unwrap();
    let settings = format!(
        "listener {PORT} 10.79.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_interval 1\nautosave_on_changes true\n",
        store.display()
    );
    let mut broker = Broker::start(&home, PORT, &settings);
    for environment in &mut site.environment {
        let url = format!("mqtt://10.79.0.1:{PORT}");
        environment.push(("MAINS_MQTT_URL".to_owned(), url));
    }
    let client_id = |site: &Site, hub| {
        let mqtt = site.get(hub, "/api/v1/hub")["mqtt"].clone();
        let is_connected = mqtt["state"] == "connected";
        is_connected.then(|| mqtt["client_id"].as_str().unwrap().to_owned())
    };
    site.start(0);
    site.until_active(0);
    let adopt = |address: &str| {
        let body = json!({"address": address});
        let (_, plug) = site.ask(0, "POST", "/api/v1/plugs", Some(&body)).unwrap();
        plug["mac"]
            .as_str()
            .unwrap()
            .replace(':', "")
            .to_lowercase()
    };
    let (id, _) = (adopt("10.77.0.101"), adopt("10.77.0.102"));
    let of_plug = || retained().into_keys().filter(|it| it.contains(&id)).count();
    eventually("announced", || of_plug() > 10);
    eventually("the other hub can know", || {
        let topics = site.execute("SELECT value FROM settings WHERE key = 'mqtt.topics'");
        topics.contains(&id)
    });
    let first = client_id(&site, 0).unwrap();
    site.start(1);
    eventually("the active hub knows of the other", || {
        site.get(0, "/api/v1/hub")["hubs"].as_array().unwrap().len() == 2
    });

    // A plug that is deleted while the broker is away, by a hub that does not come back.
    broker.kill();
    let path = format!("/api/v1/plugs/{id}");
    let (status, told) = site.ask(0, "DELETE", &path, None).unwrap();
    assert_eq!(status, 204, "{told}");
    site.signal(0, Signal::SIGKILL);
    broker.restart();
    assert!(of_plug() > 10, "the broker has kept it");
    site.until_active(1);
    eventually("it is gone", || of_plug() == 0);

    // The broker closes the connection of one that was paused, and Home Assistant knows one hub.
    eventually("connected", || client_id(&site, 1).is_some());
    assert_eq!(client_id(&site, 1).unwrap(), first);
    eventually("online", || {
        retained()
            .get("mains/bridge/state")
            .is_some_and(|it| it == "online")
    });
    let kept = retained().into_keys();
    let hubs: Vec<String> = kept.filter(|it| it.contains("_connection/")).collect();
    assert_eq!(hubs.len(), 1, "{hubs:?}");
}

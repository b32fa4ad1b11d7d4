//! Arbitrary datagrams of responders for bridges, arbitrary packets and commands of an MQTT broker, and arbitrary files of history:
//! no panic.
#![no_main]

use std::net::Ipv4Addr;

use api::client::HubUrl;
use hiflying::Mac;
use libfuzzer_sys::fuzz_target;
use mqtt::config::BrokerUrl;
use mqtt::topic::{TopicPrefix, Topics};

fuzz_target!(|bytes: &[u8]| {
    let _ = hue::net::parse_replies(bytes, Ipv4Addr::LOCALHOST);
    if let Some((header, body)) = bytes.split_first() {
        mqtt::parse_packet(*header, body);
    }
    let topics = Topics::new("mains".parse().expect("the default"));
    mqtt::parse_payload(&topics, bytes);
    let now = "2026-11-22T12:00:00Z".parse().expect("a time");
    let _ = hub::store::csv::read(Mac::new([1; 6]), bytes, now);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(url) = text.parse::<HubUrl>() {
            assert_eq!(url.to_string().parse::<HubUrl>(), Ok(url));
        }
        let _ = (text.parse::<BrokerUrl>(), text.parse::<TopicPrefix>(), topics.command(text));
    }
});

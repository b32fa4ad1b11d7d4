//! `description.xml`, which SSDP points at.

use super::config::{BridgeConfig, TwinModel};
use super::reply::BridgeAnswer;

/// Returns the description of a round or square bridge.
pub(super) fn xml(config: &BridgeConfig) -> BridgeAnswer {
    let (year, number, maker) = match config.model {
        TwinModel::Round => ("2012", "929000226503", "Royal Philips Electronics"),
        TwinModel::Square | TwinModel::Pro => ("2015", "BSB002", "Signify"),
    };
    let (mac, port, address) = (config.compact_mac(), config.http_port, config.listen);
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8" ?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion>
<URLBase>http://{address}:{port}/</URLBase>
<device>
<deviceType>urn:schemas-upnp-org:device:Basic:1</deviceType>
<friendlyName>{name} ({address})</friendlyName>
<manufacturer>{maker}</manufacturer>
<manufacturerURL>http://www.philips-hue.com</manufacturerURL>
<modelDescription>Philips hue Personal Wireless Lighting</modelDescription>
<modelName>Philips hue bridge {year}</modelName>
<modelNumber>{number}</modelNumber>
<modelURL>http://www.philips-hue.com</modelURL>
<serialNumber>{mac}</serialNumber>
<UDN>uuid:2f402f80-da50-11e1-9b23-{mac}</UDN>
<presentationURL>index.html</presentationURL>
</device>
</root>
"#,
        name = escaped(&config.name),
    );
    BridgeAnswer::new(200, "text/xml", body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

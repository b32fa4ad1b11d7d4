//! Bridge, lights and services as resources of the interface.

use serde_json::{Value, json};

use super::config::TwinModel;
use super::radio::{MODEL, Radio};
use super::twin::BridgeTwin;

/// Actions of `zigbee_device_discovery`.
pub(super) const SEARCHES: [&str; 2] = ["search", "search_allow_default_link_key"];

/// The kinds of resources that a twin has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub(super) enum ResourceKind {
    Bridge,
    Device,
    Light,
    #[strum(serialize = "zigbee_connectivity")]
    Connectivity,
    #[strum(serialize = "zigbee_device_discovery")]
    Discovery,
}

/// The id of a resource: the same at every start, another for each bridge, kind and light. Light 0 is the bridge itself.
fn id(bridge: &BridgeTwin, kind: ResourceKind, light: u32) -> String {
    let [a, b, c, d, e, f] = bridge.config.mac.octets();
    let mut random =
        fastrand::Rng::with_seed(u64::from_be_bytes([kind as u8, 1, a, b, c, d, e, f]));
    let own = random.u64(..);
    let number = fastrand::Rng::with_seed(own ^ u64::from(light)).u128(..);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

fn reference(bridge: &BridgeTwin, kind: ResourceKind, light: u32) -> Value {
    json!({"rid": id(bridge, kind, light), "rtype": kind.into_str()})
}

/// The bridge itself, as a device, and its services.
pub(super) fn of_bridge(bridge: &BridgeTwin) -> Vec<Value> {
    let config = &bridge.config;
    let id = |kind| id(bridge, kind, 0);
    let owner = reference(bridge, ResourceKind::Device, 0);
    let services: Vec<Value> = [
        ResourceKind::Bridge,
        ResourceKind::Connectivity,
        ResourceKind::Discovery,
    ]
    .map(|kind| reference(bridge, kind, 0))
    .to_vec();
    let archetype = if config.model == TwinModel::Pro {
        "bridge_v3"
    } else {
        "bridge_v2"
    };
    let is_searching = bridge.search.is_some();
    vec![
        json!({"type": "bridge", "id": id(ResourceKind::Bridge), "id_v1": "", "owner": owner,
            "bridge_id": config.bridge_id(), "time_zone": {"time_zone": "UTC"}}),
        json!({"type": "device", "id": id(ResourceKind::Device), "id_v1": "", "services": services,
            "metadata": {"archetype": archetype, "name": bridge.name},
            "product_data": {"model_id": config.model.id(), "manufacturer_name": "Signify Netherlands B.V.",
                "product_name": "Hue BridgeTwin", "product_archetype": archetype, "certified": true,
                "software_version": config.api.software(config.model)}}),
        json!({"type": "zigbee_connectivity", "id": id(ResourceKind::Connectivity), "owner": owner, "status": "connected",
            "mac_address": config.mac.to_string().to_ascii_lowercase()}),
        json!({"type": "zigbee_device_discovery", "id": id(ResourceKind::Discovery), "owner": owner,
            "status": if is_searching { "active" } else { "ready" }, "action": {"action_type_values": SEARCHES}}),
    ]
}

/// A light: the device, and its services. Nothing when it is not listed.
pub(super) fn of_light(bridge: &BridgeTwin, radio: &Radio, index: usize, light: u32) -> Vec<Value> {
    let Some(entry) = bridge.lights.get(&light) else {
        return Vec::new();
    };
    let Some(bulb) = radio.bulbs.get(entry.bulb) else {
        return Vec::new();
    };
    let id = |kind| id(bridge, kind, light);
    let owner = reference(bridge, ResourceKind::Device, light);
    let metadata = json!({"archetype": "sultan_bulb", "name": entry.name});
    let id_v1 = format!("/lights/{light}");
    let services = [ResourceKind::Connectivity, ResourceKind::Light]
        .map(|kind| reference(bridge, kind, light));
    let status = if bulb.is_reachable(index) {
        "connected"
    } else {
        "connectivity_issue"
    };
    let unique = bulb.unique_id();
    let mac = unique.split('-').next().unwrap_or_default();
    vec![
        json!({"type": "device", "id": id(ResourceKind::Device), "id_v1": id_v1, "services": services, "metadata": metadata,
            "identify": {},
            "product_data": {"model_id": MODEL, "manufacturer_name": "Signify Netherlands B.V.",
                "product_name": "Hue color lamp", "product_archetype": "sultan_bulb", "certified": true,
                "software_version": "1.29.0_r21169"}}),
        json!({"type": "light", "id": id(ResourceKind::Light), "id_v1": id_v1, "owner": owner, "metadata": metadata,
            "on": {"on": bulb.is_on}, "dimming": {"brightness": 100.0}, "mode": "normal"}),
        json!({"type": "zigbee_connectivity", "id": id(ResourceKind::Connectivity), "id_v1": id_v1, "owner": owner,
            "status": status, "mac_address": mac}),
    ]
}

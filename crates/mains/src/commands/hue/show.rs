//! Tables of bridges and lights, and the JSON of bridges.

use hue::net::FoundBridge;
use hue::{Address, BridgeIdentity, Light, NewLight};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::ui::table::{Cell, Column, Growing, Table};
use crate::ui::{BOLD, DIM, ON, Ui, WARN};

/// A bridge in the JSON of `discover`.
#[derive(Debug, Serialize)]
pub(super) struct DiscoveredBridge {
    #[serde(flatten)]
    identity: BridgeIdentity,
    address: String,
}

impl From<&FoundBridge> for DiscoveredBridge {
    fn from(found: &FoundBridge) -> Self {
        Self {
            identity: found.identity.clone(),
            address: shortest(&found.address),
        }
    }
}

/// Returns an address in the shortest form that the verbs accept.
fn shortest(address: &Address) -> String {
    let default_port = address.scheme.map(hue::Scheme::port);
    let short = Address {
        scheme: None,
        port: address.port.filter(|port| Some(*port) != default_port),
        host: address.host.clone(),
    };
    short.authority()
}

/// A table of bridges that grows while they reply.
pub(super) fn bridges(ui: &Ui) -> Growing<'_, 6> {
    let columns = [
        Column::text("NAME", 20),
        Column::text("ID", 16),
        Column::text("ADDRESS", 15),
        Column::text("MODEL", 6),
        Column::text("API", 5),
        Column::text("PAIRED", 0),
    ];
    Growing::new(ui, columns)
}

/// A row of [`bridges`].
pub(super) fn bridge_row(bridge: &DiscoveredBridge, is_paired: bool) -> [Cell; 6] {
    [
        Cell::maybe_styled(BOLD, bridge.identity.name.as_ref()),
        Cell::maybe(bridge.identity.id.as_ref()),
        Cell::plain(&bridge.address),
        Cell::plain(bridge.identity.model.as_str()),
        Cell::maybe(bridge.identity.api.as_ref()),
        match is_paired {
            true => Cell::styled(ON, "yes"),
            false => Cell::styled(DIM, "no"),
        },
    ]
}

/// Renders the table of a bridge's lights.
pub(super) fn lights(lights: &[Light]) -> String {
    let mut table = Table::new([">ID", "NAME", "REACHABLE", "MODEL", "UNIQUE ID"]);
    for light in lights {
        table.row([
            Cell::plain(&light.id),
            Cell::styled(BOLD, &light.name),
            match light.reachable {
                Some(true) => Cell::styled(ON, "yes"),
                Some(false) => Cell::styled(WARN, "no"),
                None => Cell::unknown(),
            },
            Cell::maybe(light.model.as_ref()),
            Cell::maybe(light.unique_id.as_ref()),
        ]);
    }
    table.render()
}

/// Renders the table of new lights.
pub(super) fn new_lights(lights: &[NewLight]) -> String {
    let mut table = Table::new([">ID", "NAME", "UNIQUE ID"]);
    for light in lights {
        table.row([
            Cell::plain(&light.id),
            Cell::styled(BOLD, &light.name),
            Cell::maybe(light.unique_id.as_ref()),
        ]);
    }
    table.render()
}

/// Ends a verb with a result that is a failure: `--json` prints the result with the error in it.
pub(super) fn failed_result(
    context: &Context,
    result: &impl Serialize,
    failure: Failure,
) -> Outcome {
    if !context.ui.is_json() {
        return Err(failure);
    }
    #[derive(Serialize)]
    struct FailedResult<'a, T> {
        #[serde(flatten)]
        result: &'a T,
        error: &'a Failure,
    }
    let error = &failure;
    context.ui.document(&FailedResult { result, error })?;
    Ok(Exit::with(failure.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_as_short_as_it_can_be() {
        for (address, shown) in [
            ("https://192.0.2.10", "192.0.2.10"),
            ("https://192.0.2.10:443", "192.0.2.10"),
            ("http://192.0.2.10:80", "192.0.2.10"),
            ("http://192.0.2.10:8080", "192.0.2.10:8080"),
            ("https://192.0.2.10:80", "192.0.2.10:80"),
            ("https://[fe80::1]:8443", "[fe80::1]:8443"),
        ] {
            assert_eq!(shortest(&address.parse().unwrap()), shown);
        }
    }
}

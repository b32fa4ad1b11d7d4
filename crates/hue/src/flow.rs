//! The things that are done with a bridge, each an async function over a [`HueTransport`](crate::HueTransport) and an
//! [`Operator`](crate::Operator).
//!
//! The functions know no runtime and no socket, so tests run them against a simulation in virtual time. Dropping one stops it
//! between two requests; only [`move_light`] can stop in an intermediate state, and keeps a journal of it.

mod client;
mod clip;
mod identify;
mod move_light;
mod pair;
mod search;
mod takeover;

pub use client::{BridgeClient, find_light, lights};
pub use clip::{ClipReply, ClipTarget, check_body, clip};
pub use identify::identify;
pub use move_light::{MoveOptions, MoveResult, MoveSource, move_light};
pub use pair::{PairOptions, device_type, pair};
pub use search::{SearchResult, search};
pub use takeover::{TakeoverMethod, TakeoverOptions, TakeoverResult, takeover};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::operator::Operator;
    use crate::request::Method;
    use crate::transport::HueTransport;

    /// A flow runs as a task of the hub, so its future has to be `Send`; that it compiles is the test.
    #[expect(dead_code, reason = "compiled, not called")]
    fn flows_can_move_between_threads<T: HueTransport, O: Operator, J: Journal>(
        bridge: &BridgeClient<'_, T>,
        operator: &O,
        journal: &J,
        pairing: &PairOptions,
        takeover_options: &TakeoverOptions,
        moving: &MoveOptions,
        path: &ClipTarget,
    ) {
        fn is_send(_: impl Send) {}
        is_send(pair(bridge, operator, pairing));
        is_send(search(bridge, operator, &[]));
        is_send(identify(bridge, "1"));
        is_send(takeover(bridge, operator, takeover_options));
        is_send(clip(bridge, Method::Get, path, None));
        is_send(move_light(
            MoveSource::Bridge(bridge),
            bridge,
            "1",
            journal,
            operator,
            moving,
        ));
    }
}

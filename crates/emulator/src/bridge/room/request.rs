//! Routing of a request: faults first, then the model, then the interfaces.

use std::time::Instant;

use super::super::behaviour::Replacement;
use super::super::config::{BridgeConfig, TwinModel};
use super::super::description;
use super::super::reply::{BridgeAnswer, ReplyItem, RoomRequest};
use super::super::v1::BridgeCall;
use super::super::v2;
use super::Room;

impl Room {
    /// Asks a bridge by HTTP or HTTPS.
    pub fn request(
        &mut self,
        now: Instant,
        bridge: usize,
        request: &RoomRequest<'_>,
    ) -> BridgeAnswer {
        self.advance(now);
        let clock = self.clock;
        let Some(twin) = self.bridges.get_mut(bridge) else {
            return BridgeAnswer::not_found();
        };
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        let resource = resource(path);
        let is_open = resource == "/config" && request.method == "GET" || resource == "/";
        let (instead, mangles) = twin.deviations(request.method, &resource, is_open);
        let after = twin.quirks.slow;
        let text_numbers = twin.quirks.text_numbers;
        let answer = if let Some(what) = instead {
            replaced(&what, request, &resource, text_numbers)
        } else if twin.config.model == TwinModel::Pro && !request.is_secure {
            BridgeAnswer::moved(https_address(&twin.config, request.path))
        } else if path == "/description.xml" && twin.config.model != TwinModel::Pro {
            description::xml(&twin.config)
        } else {
            let mut call = BridgeCall {
                bridge: twin,
                radio: &mut self.radio,
                index: bridge,
                clock,
                now,
                method: request.method,
                body: request.body,
            };
            if request.is_secure && v2::is_offered(&call.bridge.config) && is_v2(path) {
                call.answer_v2(request.key, path)
            } else {
                call.answer(path)
            }
        };
        BridgeAnswer {
            after,
            mangles,
            ..answer
        }
    }
}

fn is_v2(path: &str) -> bool {
    path.starts_with("/clip/v2/") || path == "/eventstream/clip/v2"
}

/// Returns the part of a path after the key: `/` for pairing and the whole.
fn resource(path: &str) -> String {
    let path = path.trim_end_matches('/');
    let Some(rest) = path.strip_prefix("/api") else {
        return if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        };
    };
    if rest == "/config" {
        return "/config".to_owned();
    }
    match rest.trim_start_matches('/').split_once('/') {
        Some((_key, resource)) => format!("/{resource}"),
        None => "/".to_owned(),
    }
}

fn replaced(
    what: &Replacement,
    request: &RoomRequest<'_>,
    resource: &str,
    text_numbers: bool,
) -> BridgeAnswer {
    match what {
        Replacement::Error(number) => BridgeAnswer::items(
            &[ReplyItem::by_number(*number, request.method, resource)],
            text_numbers,
        ),
        Replacement::Status(status) => BridgeAnswer::new(
            *status,
            "text/html",
            format!("<html><body>{status}</body></html>"),
        ),
        Replacement::Body(content_type, body) => BridgeAnswer::new(200, content_type, *body),
        Replacement::Elsewhere => {
            BridgeAnswer::moved(format!("https://192.0.2.77{}", request.path))
        }
        // Spoilt replies are no others.
        Replacement::Mangled(_) => BridgeAnswer::not_found(),
    }
}

fn https_address(config: &BridgeConfig, path: &str) -> String {
    match config.https_port {
        443 => format!("https://{}{path}", config.listen),
        port => format!("https://{}:{port}{path}", config.listen),
    }
}

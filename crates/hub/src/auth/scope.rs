//! The scope that a request needs.

use api::Scope;
use axum::http::Method;

/// Base of all paths of the API.
const API: &str = "/api/v1";

/// Returns the least scope that allows a request. What is not listed changes something, and needs `admin`.
pub(super) fn required(method: &Method, path: &str) -> Scope {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    if path == "/metrics" && is_read {
        return Scope::Metrics;
    }
    // Pages have the same paths, without the base.
    let path = path.strip_prefix(API).unwrap_or(path);
    let mut segments = path.split('/').skip(1);
    let segments: [Option<&str>; 4] = std::array::from_fn(|_| segments.next());
    match (is_read, segments) {
        // It has the hash of the password in it.
        (true, [Some("hub"), Some("backup"), ..]) => Scope::Admin,
        (true, _) => Scope::Read,
        // A session ends, a browser chooses its colours, or a plug is asked: nothing of the hub changes.
        (false, [Some("logout" | "discover"), None, ..])
        | (false, [Some("settings"), Some("theme"), None, _])
        | (false, [Some("plugs"), Some(_), Some("meter"), None])
        | (false, [Some("bridges"), Some("discover"), None, _]) => Scope::Read,
        (false, [Some("plugs"), Some(_), Some("relay" | "delay"), None])
        | (false, [Some("groups"), Some(_), Some("relay"), None]) => Scope::Switch,
        _ => Scope::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_needs_its_scope() {
        for (method, path, scope) in [
            ("GET", "/metrics", Scope::Metrics),
            ("HEAD", "/metrics", Scope::Metrics),
            ("POST", "/metrics", Scope::Admin),
            ("GET", "/", Scope::Read),
            ("GET", "/plugs/accf23123456", Scope::Read),
            ("GET", "/api/v1/tokens", Scope::Read),
            ("GET", "/api/v1/plugs/accf23123456/history", Scope::Read),
            ("GET", "/api/v1/hub/backup", Scope::Admin),
            ("HEAD", "/api/v1/hub/backup", Scope::Admin),
            ("POST", "/api/v1/plugs/accf23123456/meter", Scope::Read),
            ("POST", "/api/v1/discover", Scope::Read),
            ("POST", "/api/v1/logout", Scope::Read),
            ("POST", "/logout", Scope::Read),
            ("POST", "/settings/theme", Scope::Read),
            ("POST", "/settings/theme/x", Scope::Admin),
            ("POST", "/settings", Scope::Admin),
            ("PUT", "/api/v1/plugs/accf23123456/relay", Scope::Switch),
            ("POST", "/plugs/accf23123456/relay", Scope::Switch),
            ("POST", "/api/v1/plugs/accf23123456/delay", Scope::Switch),
            ("PUT", "/api/v1/groups/g-00000001/relay", Scope::Switch),
            ("PUT", "/api/v1/groups/relay", Scope::Admin),
            ("PUT", "/api/v1/plugs/accf23123456/relay/x", Scope::Admin),
            ("POST", "/api/v1/plugs", Scope::Admin),
            ("PATCH", "/api/v1/plugs/accf23123456", Scope::Admin),
            ("POST", "/api/v1/plugs/accf23123456/harden", Scope::Admin),
            ("POST", "/api/v1/tokens", Scope::Admin),
            ("POST", "/api/v1/login-url", Scope::Admin),
            ("PUT", "/api/v1/password", Scope::Admin),
            ("OPTIONS", "/api/v1/plugs", Scope::Admin),
            ("POST", "/api/v1/discover/x", Scope::Admin),
        ] {
            let method: Method = method.parse().unwrap();
            assert_eq!(required(&method, path), scope, "{method} {path}");
        }
    }
}

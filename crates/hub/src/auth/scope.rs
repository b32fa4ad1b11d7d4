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

/// Returns true for requests that name their sites, or whose answer leaves out the sites that their caller may not see, and for those
/// that are about the login itself. All others are about the hub's own site.
pub(super) fn spans_sites(method: &Method, path: &str) -> bool {
    let Some(path) = path.strip_prefix(API) else {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        // The home page leads such logins to the page of sites.
        return matches!(path, "/" | "/sites") && is_read
            || path == "/logout"
            || path == "/settings/theme"
            || path.starts_with("/assets/");
    };
    if path == "/logout" {
        return true;
    }
    let mut segments = path.split('/').skip(1);
    let segments: [Option<&str>; 4] = std::array::from_fn(|_| segments.next());
    let is_document = |name: &str| matches!(name, "groups" | "schedules" | "rules" | "tariffs");
    match segments {
        _ if !matches!(*method, Method::GET | Method::HEAD) => false,
        [Some("sites" | "plugs" | "log" | "openapi.json"), None, ..]
        | [Some("plugs"), Some(_), None, _]
        | [
            Some("plugs"),
            Some(_),
            Some("history" | "history.csv" | "export"),
            None,
        ]
        | [
            Some("energy"),
            None | Some("household" | "quarters"),
            None,
            _,
        ] => true,
        [Some(name), _, None, _] => is_document(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_filters_by_site_is_open_to_logins_of_other_sites() {
        for (method, path, spans) in [
            ("GET", "/api/v1/sites", true),
            ("GET", "/api/v1/plugs", true),
            ("GET", "/api/v1/plugs/accf23123456/history.csv", true),
            ("GET", "/api/v1/plugs/accf23123456/delay", false),
            ("PATCH", "/api/v1/plugs/accf23123456", false),
            ("PUT", "/api/v1/plugs/accf23123456/relay", false),
            ("GET", "/api/v1/energy/household", true),
            ("GET", "/api/v1/rules/r-00000001", true),
            ("POST", "/api/v1/rules", false),
            ("GET", "/api/v1/tokens", false),
            ("GET", "/api/v1/events", false),
            ("GET", "/api/v1/hub", false),
            ("GET", "/api/v1/hub/backup", false),
            ("GET", "/metrics", false),
            ("GET", "/sites", true),
            ("GET", "/", true),
            ("GET", "/energy", false),
            ("GET", "/plugs/accf23123456", false),
            ("POST", "/logout", true),
        ] {
            let method: Method = method.parse().unwrap();
            assert_eq!(spans_sites(&method, path), spans, "{method} {path}");
        }
    }

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

//! The scope that a request needs, and the sites that it is about.

use api::Scope;
use axum::http::Method;

/// Base of all paths of the API.
const API: &str = "/api/v1";
/// Number of segments that are looked at, one more than any path below has.
const MAX_SEGMENTS: usize = 4;

/// The access that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequiredAccess {
    /// The least scope that allows it.
    pub(super) scope: Scope,
    /// True for requests that name their sites, whose answer leaves out the sites that their caller may not see, or that are about
    /// the login itself. All others are about the hub's own site.
    pub(super) spans_sites: bool,
}

/// Returns the access that a request needs. What is not listed changes something of the hub's own site, and needs `admin`.
pub(super) fn required(method: &Method, path: &str) -> RequiredAccess {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    // Pages have the same paths, without the base.
    let (is_api, path) = match path.strip_prefix(API) {
        Some(path) => (true, path),
        None => (false, path),
    };
    let segments: Vec<&str> = path.split('/').skip(1).take(MAX_SEGMENTS).collect();
    let (scope, spans_sites) = match (is_api, is_read, segments.as_slice()) {
        (false, true, ["metrics"]) => (Scope::Metrics, false),
        // It has the hash of the password in it.
        (_, true, ["hub", "backup", ..]) => (Scope::Admin, false),
        // The home page leads logins of other sites to the page of sites.
        (false, true, ["" | "sites"] | ["assets", ..])
        | (true, true, ["sites" | "log" | "openapi.json"])
        | (true, true, ["plugs" | "groups" | "schedules" | "rules" | "tariffs"])
        | (true, true, ["plugs" | "groups" | "schedules" | "rules" | "tariffs", _])
        | (true, true, ["plugs", _, "history" | "history.csv" | "export"])
        | (true, true, ["energy"] | ["energy", "household" | "quarters"])
        // A session ends, or a browser chooses its colours.
        | (_, false, ["logout"] | ["settings", "theme"]) => (Scope::Read, true),
        (_, true, _)
        // A plug is asked: nothing of the hub changes.
        | (_, false, ["discover"] | ["plugs", _, "meter"] | ["bridges", "discover"]) => {
            (Scope::Read, false)
        }
        (_, false, ["plugs", _, "relay" | "delay"] | ["groups", _, "relay"]) => {
            (Scope::Switch, false)
        }
        (_, false, _) => (Scope::Admin, false),
    };
    RequiredAccess { scope, spans_sites }
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
            ("POST", "/api/v1/logout", true),
            ("POST", "/settings/theme", true),
            ("POST", "/settings/password", false),
            ("PUT", "/api/v1/password", false),
            ("GET", "/assets/mains.css", true),
            ("GET", "/api/v1/groups/g-00000001/relay", false),
        ] {
            let method: Method = method.parse().unwrap();
            let required = required(&method, path);
            assert_eq!(required.spans_sites, spans, "{method} {path}");
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
            assert_eq!(required(&method, path).scope, scope, "{method} {path}");
        }
    }
}

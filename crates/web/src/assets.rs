//! Styles, script and icons, which are in the binary and compressed already. Their names contain a hash of their content.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A file of the pages.
struct Asset {
    file: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Sends an asset, compressed if the client accepts it.
pub(crate) async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.file == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = match accepts_gzip(&headers) {
        true => ([(header::CONTENT_ENCODING, "gzip")], asset.gzip).into_response(),
        false => asset.content.into_response(),
    };
    let sent = response.headers_mut();
    sent.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    sent.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    sent.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    response
}

/// Sends the manifest, which makes the pages installable. Its paths are relative to it, so that they hold below any prefix.
pub(crate) async fn manifest() -> Response {
    let manifest = json!({
        "name": "Mains",
        "short_name": "Mains",
        "description": "Your plugs: what is on, what it costs, is anything wrong",
        "start_url": ".",
        "scope": ".",
        "display": "standalone",
        "background_color": "#f5f3ee",
        "theme_color": "#211d17",
        "icons": [{"src": ICON_SVG.trim_start_matches('/'), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    });
    let headers = [
        (header::CONTENT_TYPE, "application/manifest+json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, manifest.to_string()).into_response()
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_gzip = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            is_gzip
                && !parts.any(|quality| matches!(quality, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_for_clients_that_accept_it() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(accepts("gzip, deflate, br") && accepts("br, GZIP;q=0.5"));
        assert!(!accepts("br") && !accepts("gzip;q=0") && !accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn the_script_is_small() {
        let length = |path: &str| {
            let asset = ASSETS.iter().find(|asset| path.ends_with(asset.file));
            asset.unwrap().content.len()
        };
        let library = include_str!("../assets/uplot/uPlot.iife.min.js").len()
            + include_str!("../assets/uplot/LICENSE.js").len();
        for (what, length) in [
            ("every page", length(MAINS_JS) + length(STREAM_JS)),
            ("the chart, without uPlot", length(CHART_JS) - library),
        ] {
            assert!(length <= 15 * 1024, "{what}: {length}");
        }
    }

    #[test]
    fn what_comes_from_elsewhere_has_its_licence() {
        let served = ASSETS.iter().find(|asset| CHART_JS.ends_with(asset.file));
        let served = str::from_utf8(served.unwrap().content).unwrap();
        for text in [
            "The MIT License (MIT)",
            "Copyright (c) 2022 Leon Sorokin",
            "shall be included in",
            "uPlot (v1.6.32)",
        ] {
            assert!(served.contains(text), "{text}");
        }
    }
}

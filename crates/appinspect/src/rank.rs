//! The order of findings: what the vendor wrote for its devices before what comes with every app.

use std::collections::HashSet;

use crate::finding::{AppFinding, FindingKind};

/// Beginnings of the names of classes that are not the vendor's own.
const LIBRARIES: [&str; 22] = [
    "android.",
    "androidx.",
    "com.android.",
    "com.facebook.",
    "com.google.",
    "com.squareup.",
    "com.tencent.",
    "com.umeng.",
    "io.reactivex.",
    "java.",
    "javax.",
    "junit.",
    "kotlin.",
    "kotlinx.",
    "okhttp3.",
    "okio.",
    "org.apache.",
    "org.json.",
    "org.jsoup.",
    "org.slf4j.",
    "org.xmlpull.",
    "retrofit2.",
];

/// Hosts that stand in every app.
const COMMON_HOSTS: [&str; 18] = [
    "adobe.com",
    "android.com",
    "apache.org",
    "digicert.com",
    "example.com",
    "facebook.com",
    "github.com",
    "google.com",
    "googleapis.com",
    "googlesyndication.com",
    "jquery.com",
    "mozilla.org",
    "oracle.com",
    "purl.org",
    "sun.com",
    "w3.org",
    "xml.org",
    "xmlpull.org",
];

/// Sorts findings, most telling first.
pub(crate) fn ranked(mut findings: Vec<AppFinding>) -> Vec<AppFinding> {
    let is_device = |kind| matches!(kind, FindingKind::AtCommand | FindingKind::DiscoveryWord);
    let of_devices: HashSet<String> = findings
        .iter()
        .filter(|finding| is_device(finding.kind))
        .flat_map(|finding| finding.places.iter().cloned())
        .collect();
    findings.sort_by_cached_key(|finding| {
        let is_beside = finding
            .places
            .iter()
            .any(|place| of_devices.contains(place));
        let is_of_library = finding.places.iter().all(|place| is_library(place));
        (
            is_common(finding) || (is_of_library && !is_beside),
            finding.kind,
            !is_beside,
            finding.value.clone(),
        )
    });
    findings
}

fn is_library(place: &str) -> bool {
    let class = place.rsplit_once(": ").map_or("", |(_, class)| class);
    let file = place.rsplit_once('!').map_or(place, |(_, file)| file);
    // What a library was built from.
    file.starts_with("META-INF/maven/") || LIBRARIES.iter().any(|name| class.starts_with(name))
}

fn is_common(finding: &AppFinding) -> bool {
    let host = match finding.kind {
        FindingKind::Url => finding.value.split_once("://").map_or("", |(_, rest)| rest),
        FindingKind::Host => &finding.value,
        FindingKind::Address => return finding.value.starts_with("127."),
        _ => return false,
    };
    let end = host.find(['/', ':', '?', '#']).unwrap_or(host.len());
    let (host, _) = host.split_at(end);
    let is_below = |domain: &&str| {
        host.strip_suffix(*domain)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    COMMON_HOSTS.iter().any(is_below)
}

//! The vendor's lookup service on the internet, which lists the bridges that have reported from the same address.
//!
//! It is asked on request only. It limits the rate of requests, and may list bridges of another network.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use serde::Deserialize;

use super::candidate::candidate;
use crate::address::{Address, Scheme};
use crate::error::CloudError;
use crate::net::certificate::provider;
use crate::net::config::NetworkConfig;
use crate::net::endpoint::HueEndpoint;
use crate::net::http::HttpError;
use crate::reply::BadReply;
use crate::request::HueRequest;

const HOST: &str = "discovery.meethue.com";

/// Requests the addresses of the bridges.
pub(super) async fn request(network: &NetworkConfig) -> Result<Vec<Address>, CloudError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .and_then(|builder| Ok(builder.with_platform_verifier()?.with_no_client_auth()));
    // For example without a single root certificate on this computer.
    let config = config.map_err(|_| CloudError::Untrusted)?;
    let endpoint = HueEndpoint::internet(HOST, Arc::new(config), network.timeouts);
    request_from(&endpoint).await
}

async fn request_from(endpoint: &HueEndpoint) -> Result<Vec<Address>, CloudError> {
    let sent = endpoint.send_once(&HueRequest::public("/"), None).await;
    let response = sent.map_err(|error| match error {
        HttpError::NoReply(reason) => CloudError::NoReply(reason),
        HttpError::BadReply { status, body } => CloudError::BadReply(BadReply::new(status, &body)),
        HttpError::NotTls(_) | HttpError::Certificate(_) | HttpError::InvalidRequest => {
            CloudError::Untrusted
        }
    })?;
    match response.reply.status {
        429 => Err(CloudError::TooOften),
        status => parse(status, &response.reply.body),
    }
}

#[derive(Deserialize)]
struct CloudRecord {
    internalipaddress: Ipv4Addr,
    /// Missing in old replies.
    #[serde(default = "https")]
    port: u16,
}

const fn https() -> u16 {
    443
}

pub(super) fn parse(status: u16, body: &[u8]) -> Result<Vec<Address>, CloudError> {
    let bad = || CloudError::BadReply(BadReply::new(status, body));
    if status != 200 {
        return Err(bad());
    }
    let records: Vec<CloudRecord> = serde_json::from_slice(body).map_err(|_| bad())?;
    let candidates = records.into_iter().filter_map(|record| {
        // Port 80 was reported for bridges that have both.
        let port = if record.port == 80 { 443 } else { record.port };
        candidate(record.internalipaddress, Scheme::Https, port)
    });
    Ok(candidates.collect())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::error::HueNoReplyReason;

    fn read(status: u16, body: &str) -> Result<Vec<String>, CloudError> {
        let read = parse(status, body.as_bytes())?;
        Ok(read.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn lists_of_bridges() {
        let one = r#"[{"id":"001788fffe010203","internalipaddress":"192.0.2.10","port":443}]"#;
        assert_eq!(read(200, one).unwrap(), ["192.0.2.10"]);
        let old = r#"[{"id":"001788fffe010203","internalipaddress":"192.0.2.10"},{"id":"x","internalipaddress":"192.0.2.11","port":80}]"#;
        assert_eq!(read(200, old).unwrap(), ["192.0.2.10", "192.0.2.11"]);
        assert!(read(200, "[]").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list() {
        for (status, body) in [
            (200, ""),
            (200, "{}"),
            (200, "<html>"),
            (200, r#"[{"internalipaddress":"example.org"}]"#),
            (404, "[]"),
            (500, ""),
        ] {
            assert!(
                matches!(read(status, body), Err(CloudError::BadReply(_))),
                "{status} {body}"
            );
        }
    }

    /// Answers one connection with these bytes.
    fn server(answer: &'static [u8]) -> HueEndpoint {
        let listener = TcpListener::bind("127.91.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\n"));
            stream.write_all(answer).unwrap();
        });
        let address = format!("http://127.91.0.1:{port}").parse().unwrap();
        HueEndpoint::plain(&address, &NetworkConfig::default())
    }

    #[tokio::test]
    async fn too_often_is_said_at_once() {
        let endpoint = server(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
        let error = request_from(&endpoint).await.unwrap_err();
        assert!(matches!(error, CloudError::TooOften));
        assert!(error.to_string().contains("too many"), "{error}");
        let endpoint = server(b"");
        let error = request_from(&endpoint).await.unwrap_err();
        assert!(
            matches!(error, CloudError::NoReply(HueNoReplyReason::Closed)),
            "{error}"
        );
    }
}

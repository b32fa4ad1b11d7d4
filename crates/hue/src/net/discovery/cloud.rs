//! The vendor's look-up in the internet: it answers with the bridges that have reported from the same address.
//!
//! Asked only when a person asks for it. It limits how often it may be asked, and may tell of bridges in another network.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use serde::Deserialize;

use super::super::Lan;
use super::super::certificate::provider;
use super::super::http::Failure;
use super::super::line::{Line, Trouble};
use super::candidate;
use crate::address::{Address, Scheme};
use crate::call::Call;
use crate::error::CloudError;
use crate::reply::BadReply;

/// Who is asked.
const HOST: &str = "discovery.meethue.com";

/// Asks where the bridges are.
pub(super) async fn ask(lan: &Lan) -> Result<Vec<Address>, CloudError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .and_then(|builder| Ok(builder.with_platform_verifier()?.with_no_client_auth()));
    // Without a single root certificate on this computer, for example.
    let config = config.map_err(|_| CloudError::Untrusted)?;
    let line = Line::internet(HOST, Arc::new(config), lan.bounds);
    ask_on(&line).await
}

async fn ask_on(line: &Line) -> Result<Vec<Address>, CloudError> {
    let called = line.call_once(&Call::open("/"), None).await;
    let reply = called.map_err(|trouble| match trouble {
        Trouble::Silent(how) | Trouble::Http(Failure::Silent(how)) => CloudError::NoAnswer(how),
        Trouble::Http(Failure::Bad { status, body }) => {
            CloudError::BadReply(BadReply::new(status, &body))
        }
        Trouble::Http(Failure::Call) | Trouble::NotTls(_) | Trouble::Certificate(_) => {
            CloudError::Untrusted
        }
    })?;
    let (status, body) = (reply.answer.status, &reply.answer.body);
    match status {
        429 => Err(CloudError::TooOften),
        _ => parse(status, body),
    }
}

#[derive(Deserialize)]
struct Record {
    internalipaddress: Ipv4Addr,
    /// Missing in old replies.
    #[serde(default = "https")]
    port: u16,
}

const fn https() -> u16 {
    443
}

fn parse(status: u16, body: &[u8]) -> Result<Vec<Address>, CloudError> {
    let bad = || CloudError::BadReply(BadReply::new(status, body));
    if status != 200 {
        return Err(bad());
    }
    let records: Vec<Record> = serde_json::from_slice(body).map_err(|_| bad())?;
    let candidates = records.into_iter().filter_map(|record| {
        // Port 80 was told of bridges that have both.
        let port = if record.port == 80 { 443 } else { record.port };
        candidate(record.internalipaddress, Scheme::Https, port)
    });
    Ok(candidates.collect())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::super::super::Bounds;
    use super::*;
    use crate::error::Silence;

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
    fn server(answer: &'static [u8]) -> Line {
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
        Line::plain(&address, Bounds::default())
    }

    #[tokio::test]
    async fn too_often_is_said_at_once() {
        let line = server(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
        let error = ask_on(&line).await.unwrap_err();
        assert!(matches!(error, CloudError::TooOften));
        assert!(error.to_string().contains("too often"), "{error}");
        let line = server(b"");
        let error = ask_on(&line).await.unwrap_err();
        assert!(
            matches!(error, CloudError::NoAnswer(Silence::Closed)),
            "{error}"
        );
    }
}

//! The connection to a broker: name, TCP, TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::{BrokerUrl, MqttConfig};
use crate::error::MqttError;
use crate::session::BrokerStream;

/// Time for the name server to reply.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a TCP connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Finds the addresses of a broker.
pub(crate) async fn resolve(broker: &BrokerUrl) -> Result<Vec<SocketAddr>, MqttError> {
    let host = broker.host.clone();
    let failed = |reason: String| MqttError::Resolve { host, reason };
    let found = tokio::net::lookup_host((broker.host.as_str(), broker.port));
    let addresses: Vec<SocketAddr> = match timeout(RESOLVE_TIMEOUT, found).await {
        Err(_) => return Err(failed("the name server did not reply".to_owned())),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Ok(Ok(addresses)) => addresses.collect(),
    };
    if addresses.is_empty() {
        return Err(failed("it has no address".to_owned()));
    }
    Ok(addresses)
}

/// Connects to the first address that accepts.
pub(crate) async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, MqttError> {
    let mut last = None;
    for address in addresses {
        let failed = |reason| MqttError::Connect {
            address: *address,
            reason,
        };
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A command must not wait for the acknowledgement of an earlier packet.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY cannot be set");
                }
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(failed(error.to_string())),
            Err(_) => last = Some(failed("it did not reply".to_owned())),
        }
    }
    Err(last.expect("there is at least one address"))
}

/// Begins TLS.
pub(crate) async fn secure(
    stream: TcpStream,
    config: &MqttConfig,
) -> Result<Box<dyn BrokerStream>, MqttError> {
    let settings = tls_settings(config)?;
    let host = config.url.host.as_str();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| MqttError::Tls(format!("`{host}` cannot be the name in a certificate")))?;
    let connecting = TlsConnector::from(Arc::new(settings)).connect(name, stream);
    match timeout(TLS_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(MqttError::Tls(tls_reason(&error, host))),
        Err(_) => Err(MqttError::Tls("the handshake took too long".to_owned())),
    }
}

/// Makes the TLS settings from the files of the configuration.
fn tls_settings(config: &MqttConfig) -> Result<ClientConfig, MqttError> {
    let failed = |error: rustls::Error| MqttError::Tls(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = match &config.ca_file {
        None => builder.with_platform_verifier().map_err(failed)?,
        Some(file) => builder.with_root_certificates(roots(file)?),
    };
    let Some(files) = &config.client_certificate else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, "private key", &error))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        MqttError::Settings(format!(
            "the certificate in {certificate} and the key in {key} cannot be used together: {error}"
        ))
    })
}

fn roots(file: &Path) -> Result<RootCertStore, MqttError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| {
            let file = file.display();
            MqttError::Settings(format!(
                "{file} holds a certificate that cannot be used: {error}"
            ))
        })?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, MqttError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(file, "certificate", &error))?;
    if chain.is_empty() {
        return Err(unreadable(file, "certificate", &pem::Error::NoItemsFound));
    }
    Ok(chain)
}

/// Names the file; the finding of the PEM reader is left out because it could be a part of the key.
fn unreadable(file: &Path, wanted: &str, error: &pem::Error) -> MqttError {
    let file = file.display();
    MqttError::Settings(match error {
        pem::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            format!("{file} cannot be read: {error}")
        }
        pem::Error::NoItemsFound => format!("{file} contains no {wanted}"),
        _ => format!("{file} is not a PEM file with a {wanted}"),
    })
}

/// Returns the reason of a failed handshake in words of the settings.
fn tls_reason(error: &io::Error, host: &str) -> String {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(problem)) => match problem {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("the broker's certificate is not for the name `{host}`")
            }
            CertificateError::UnknownIssuer => {
                "the broker's certificate comes from an authority that is not trusted".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the broker's certificate has expired".to_owned()
            }
            other => format!("the broker's certificate is not accepted: {other}"),
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            "the broker does not speak TLS on this port".to_owned()
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the broker refused the handshake: {alert:?}")
        }
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the broker closed the connection during the handshake".to_owned()
        }
        None => error.to_string(),
    }
}

//! Reads the files for HTTPS.

use std::io;
use std::path::Path;
use std::sync::Arc;

use api::{ErrorKind, RequestError};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Reads certificate and key.
///
/// # Errors
///
/// [`RequestError`] that names the file: of kind `local` when it cannot be read, `usage` when its content is unsuitable.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, RequestError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, "private key", &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| RequestError::new(ErrorKind::Failed, format!("TLS cannot be set up: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            let (certificate, key) = (files.certificate.display(), files.key.display());
            RequestError::usage(format!(
                "the certificate in {certificate} and the key in {key} cannot be used together: {error}"
            ))
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Returns the SHA-256 of the certificate that a hub with these files presents, in hex.
pub(crate) fn fingerprint(files: &TlsFiles) -> Result<String, RequestError> {
    let chain = certificates(&files.certificate)?;
    let own = chain.first().expect("a chain that was read is not empty");
    Ok(digest(own))
}

/// Returns the SHA-256 of a certificate in hex.
pub(crate) fn digest(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RequestError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, "certificate", &error))?;
    if chain.is_empty() {
        return Err(unreadable(path, "certificate", &pem::Error::NoItemsFound));
    }
    Ok(chain)
}

/// Names the file; the finding of the PEM reader is left out because it could be a part of the key.
fn unreadable(path: &Path, wanted: &str, error: &pem::Error) -> RequestError {
    let path = path.display();
    match error {
        pem::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            RequestError::new(ErrorKind::Local, format!("{path} cannot be read: {error}"))
        }
        pem::Error::NoItemsFound => RequestError::usage(format!("{path} contains no {wanted}")),
        _ => RequestError::usage(format!("{path} is not a PEM file with a {wanted}")),
    }
}

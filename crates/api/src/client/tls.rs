//! Trust in the certificates of a file.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::ClientError;

/// Trusts the certificates of a file: as roots, and a hub that presents one of them itself, whatever name or purpose it states.
#[derive(Debug)]
struct FileVerifier {
    roots: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
    /// Accepts any name.
    is_pinned: bool,
}

/// Makes the TLS configuration that trusts the certificates of a file (PEM) alone.
pub(super) fn config(file: &Path, is_pinned: bool) -> Result<ClientConfig, ClientError> {
    let failure = |problem, source| ClientError::Certificates {
        file: file.to_owned(),
        problem,
        source,
    };
    let pem = std::fs::read(file).map_err(|error| failure("cannot be read", Some(error.into())))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| failure("is not PEM", Some(error.into())))?;
    if certificates.is_empty() {
        return Err(failure("contains no certificate", None));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| {
            failure("has a certificate that cannot be read", Some(error.into()))
        })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| failure("cannot be used", Some(error.into())))?;
    let verifier = FileVerifier {
        roots,
        certificates,
        is_pinned,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failure("cannot be used", Some(error.into())))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

impl FileVerifier {
    /// Returns true if a certificate is good enough in spite of a problem. `openssl req -x509` makes authorities, often without names:
    /// where the file has that very certificate, neither matters.
    fn excuses(&self, certificate: &CertificateDer<'_>, problem: &CertificateError) -> bool {
        let is_own = || self.certificates.iter().any(|own| own == certificate);
        match problem {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                self.is_pinned || is_own()
            }
            CertificateError::Other(_) => is_own(),
            _ => false,
        }
    }
}

impl ServerCertVerifier for FileVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.roots.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(Error::InvalidCertificate(problem)) if self.excuses(end_entity, &problem) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}

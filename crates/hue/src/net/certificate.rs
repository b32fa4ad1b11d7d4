//! Verification of a bridge's certificate.
//!
//! A bridge has a certificate for its id, not for its address. Newer firmware has one signed by the vendor, older firmware a
//! self-signed one. A certificate is accepted if its name is the id, it is valid today, and either the chain leads to one of the
//! vendor's roots or the owner has accepted exactly this certificate once ([`CertificateTrust`]). Once a bridge has shown a
//! certificate signed by the vendor, no self-signed one is accepted from it.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

use crate::error::CertificateProblem;
use crate::fingerprint::Fingerprint;
use crate::identity::BridgeId;
use crate::keyring::PairedBridge;

/// An accepted certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The id of the bridge that it was issued for.
    pub bridge: BridgeId,
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
    /// True if the vendor signed it.
    pub root_signed: bool,
}

/// The certificates to accept beyond those signed by the vendor or accepted before.
#[derive(Debug, Clone, Default)]
pub struct CertificateTrust {
    /// The self-signed certificate to accept from a bridge without one so far.
    pub accept: AcceptCertificate,
    /// True while the bridge is being paired (again): a changed self-signed certificate is then treated like the first.
    pub pairing: bool,
}

/// The unknown self-signed certificate that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcceptCertificate {
    /// None. The error carries the fingerprint, so that a person can compare it.
    #[default]
    None,
    /// The one with this fingerprint, which a person has confirmed.
    Only(Fingerprint),
    /// Any, without comparison (`--trust-certificate`).
    Any,
}

/// The roots that sign the certificates of bridges.
#[derive(Debug, Clone)]
pub struct RootCertificates(Arc<RootCertStore>);

impl RootCertificates {
    /// Uses other roots than the vendor's, for tests and emulators.
    ///
    /// # Errors
    ///
    /// [`CertificateProblem::Broken`] if one of them is not a certificate.
    pub fn new(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, CertificateProblem> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(|_| CertificateProblem::Broken)?;
        }
        Ok(Self(Arc::new(store)))
    }
}

impl Default for RootCertificates {
    /// The vendor's two: `root-bridge` (2017 to 2038) and `Hue Root CA 01` (2025 to 2050).
    fn default() -> Self {
        let pem = [
            include_bytes!("roots/root-bridge.pem").as_slice(),
            include_bytes!("roots/hue-root-ca-01.pem"),
        ];
        let der = |pem| CertificateDer::from_pem_slice(pem).expect("the built-in roots are PEM");
        Self::new(pem.map(der)).expect("the built-in roots are certificates")
    }
}

/// The certificate that a bridge has shown before.
#[derive(Debug, Clone)]
pub(super) struct KnownCertificate {
    pub(super) bridge: BridgeId,
    pub(super) pin: Option<Fingerprint>,
    pub(super) root_signed: bool,
}

impl KnownCertificate {
    pub(super) fn new(paired: &PairedBridge) -> Self {
        Self {
            bridge: paired.id.clone(),
            pin: paired.pin,
            root_signed: paired.root_signed,
        }
    }

    /// Tells whether the bridge has shown a certificate before.
    pub(super) fn exists(&self) -> bool {
        self.pin.is_some() || self.root_signed
    }
}

/// The rules for accepting a certificate.
#[derive(Debug, Clone)]
pub(super) struct CertificatePolicy {
    pub(super) roots: RootCertificates,
    /// The requested bridge, where it is known.
    pub(super) expected: Option<BridgeId>,
    pub(super) known: Vec<KnownCertificate>,
    pub(super) trust: CertificateTrust,
}

impl CertificatePolicy {
    /// Verifies a bridge's certificate with the intermediate certificates that it has sent.
    fn verify(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Certificate, CertificateProblem> {
        let parsed = X509Certificate::from_der(own);
        let (rest, parsed) = parsed.map_err(|_| CertificateProblem::Broken)?;
        if !rest.is_empty() {
            return Err(CertificateProblem::Broken);
        }
        let bridge = self.find_bridge(&parsed)?;
        let today = i64::try_from(now.as_secs())
            .ok()
            .and_then(|secs| ASN1Time::from_timestamp(secs).ok());
        if !today.is_some_and(|today| parsed.validity().is_valid_at(today)) {
            return Err(CertificateProblem::Expired);
        }
        let certificate = Certificate {
            bridge,
            fingerprint: Fingerprint::new(Sha256::digest(own).into()),
            root_signed: self.is_root_signed(own, intermediates, now)?,
        };
        if !certificate.root_signed {
            let is_self_signed = parsed.subject().as_raw() == parsed.issuer().as_raw();
            if is_self_signed && parsed.verify_signature(None).is_err() {
                return Err(CertificateProblem::Broken);
            }
            self.check_accepted(&certificate)?;
        }
        Ok(certificate)
    }

    /// Finds the bridge that a certificate is for: the requested one, or any.
    fn find_bridge(
        &self,
        certificate: &X509Certificate<'_>,
    ) -> Result<BridgeId, CertificateProblem> {
        let names = names(certificate);
        let mut ids = names.iter().filter_map(|name| name.parse().ok());
        let is_expected = |id: &BridgeId| self.expected.as_ref().is_none_or(|other| other == id);
        ids.find(is_expected).ok_or_else(|| {
            // A certificate without a name is shown with an empty one.
            let name = names.first().map_or("", String::as_str);
            let found = name.chars().filter(|c| !c.is_control()).take(64).collect();
            CertificateProblem::WrongName { found }
        })
    }

    /// Tells whether the chain leads to a root.
    fn is_root_signed(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<bool, CertificateProblem> {
        use rustls::CertificateError::{
            BadSignature, Expired, ExpiredContext, NotValidYet, NotValidYetContext,
        };
        let Ok(parsed) = ParsedCertificate::try_from(own) else {
            return Ok(false);
        };
        let algorithms = provider().signature_verification_algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots.0,
            intermediates,
            now,
            algorithms,
        ) {
            Ok(()) => Ok(true),
            // It names a root as its issuer, but was not signed by it.
            Err(rustls::Error::InvalidCertificate(BadSignature)) => Err(CertificateProblem::Broken),
            Err(rustls::Error::InvalidCertificate(
                Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
            )) => Err(CertificateProblem::Expired),
            Err(_) => Ok(false),
        }
    }

    /// Checks that a certificate without a root's signature was accepted before or is accepted now.
    fn check_accepted(&self, certificate: &Certificate) -> Result<(), CertificateProblem> {
        let fingerprint = certificate.fingerprint;
        let mut known = self.known.iter();
        if let Some(known) = known.find(|known| known.bridge == certificate.bridge) {
            if known.root_signed {
                return Err(CertificateProblem::NoLongerSigned);
            }
            match known.pin {
                Some(pin) if pin == fingerprint => return Ok(()),
                Some(_) if !self.trust.pairing => return Err(CertificateProblem::Changed),
                // Paired over plain HTTP until now, or being paired again: this is the first use.
                Some(_) | None => {}
            }
        }
        let is_accepted = match self.trust.accept {
            AcceptCertificate::None => false,
            AcceptCertificate::Only(accepted) => accepted == fingerprint,
            AcceptCertificate::Any => true,
        };
        match is_accepted {
            true => Ok(()),
            false => Err(CertificateProblem::Unknown { fingerprint }),
        }
    }
}

/// Returns the names in a certificate. Bridges have their id as common name; emulators may have it among the alternative names.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let common = certificate.subject().iter_common_name();
    let common = common.filter_map(|name| name.as_str().ok().map(str::to_owned));
    let mut names: Vec<String> = common.take(4).collect();
    if let Ok(Some(extension)) = certificate.subject_alternative_name() {
        let alternative = extension
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            });
        names.extend(alternative.take(16));
    }
    names
}

pub(super) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Verifies certificates during the TLS handshake, before anything is sent.
#[derive(Debug)]
pub(super) struct CertificateVerifier {
    /// Without a policy every certificate is accepted: for a bridge that is only identified, and gets no key.
    policy: Option<CertificatePolicy>,
    accepted: Mutex<Option<Certificate>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl CertificateVerifier {
    pub(super) fn new(policy: Option<CertificatePolicy>) -> Arc<Self> {
        Arc::new(Self {
            policy,
            accepted: Mutex::default(),
            algorithms: provider().signature_verification_algorithms,
        })
    }

    /// Returns the certificate that was accepted in the last handshake.
    pub(super) fn accepted(&self) -> Option<Certificate> {
        let accepted = self.accepted.lock();
        accepted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the TLS configuration that uses this verifier.
    pub(super) fn client_config(self: &Arc<Self>) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default TLS versions")
            .dangerous()
            .with_custom_certificate_verifier(self.clone());
        let mut config = builder.with_no_client_auth();
        // A bridge has one certificate, whose name is not the host that we connect to.
        config.enable_sni = false;
        Arc::new(config)
    }
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(policy) = &self.policy {
            let verified = policy.verify(end_entity, intermediates, now);
            let certificate = verified
                .map_err(|problem| CertificateError::Other(OtherError(Arc::new(problem))))?;
            let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            *accepted = Some(certificate);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns the problem with the certificate if that was the reason of a failed handshake.
pub(super) fn certificate_problem(error: &rustls::Error) -> Option<CertificateProblem> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(problem))) => {
            let problem = problem.downcast_ref::<CertificateProblem>();
            // Another problem comes from rustls itself, before our verifier.
            Some(problem.cloned().unwrap_or(CertificateProblem::Broken))
        }
        // The server does not have the certificate's private key, or the certificate is unreadable.
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Some(CertificateProblem::Broken)
        }
        _ => None,
    }
}

//! Which certificates are a bridge's.
//!
//! A bridge has a certificate for its id, not for its address. Newer firmware has one that the vendor signed, older one that it
//! signed itself. So: the name must be the id, today must be a day on which it is valid, and then either the chain leads to one of
//! the vendor's roots, or a person has agreed to exactly this certificate once ([`Trust`]). A bridge that had a signed one is never
//! believed with another.

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
use crate::keyring::Entry;

/// A certificate that was judged to be the bridge's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
    /// Whether the vendor signed it.
    pub root_signed: bool,
}

/// Whom to believe beyond the vendor's roots and what was accepted before.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Which certificate of a bridge's own is accepted the first time.
    pub accept: Accept,
    /// Whether a bridge is being paired with (again): then another certificate of its own than before is judged as the first was.
    pub pairing: bool,
}

/// Which certificate of a bridge's own, not seen before, is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accept {
    /// None. The error carries its fingerprint, for a person to look at.
    #[default]
    None,
    /// This one, to which a person agreed.
    This(Fingerprint),
    /// Any: the person agreed without looking (`--trust-certificate`).
    Any,
}

/// The roots that sign the certificates of bridges.
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Takes other roots than the vendor's. For tests and emulators.
    ///
    /// # Errors
    ///
    /// [`CertificateProblem::Broken`] when one is no certificate.
    pub fn of(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, CertificateProblem> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(|_| CertificateProblem::Broken)?;
        }
        Ok(Self(Arc::new(store)))
    }
}

impl Default for Roots {
    /// The vendor's two: `root-bridge` (2017 to 2038) and `Hue Root CA 01` (2025 to 2050).
    fn default() -> Self {
        let pem = [
            include_bytes!("roots/root-bridge.pem").as_slice(),
            include_bytes!("roots/hue-root-ca-01.pem"),
        ];
        let mut store = RootCertStore::empty();
        // Both are read in a test; without one, its bridges would count as signed by nobody.
        store.add_parsable_certificates(
            pem.into_iter()
                .filter_map(|pem| CertificateDer::from_pem_slice(pem).ok()),
        );
        Self(Arc::new(store))
    }
}

/// What is known of a bridge's certificate.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: BridgeId,
    pub(super) pin: Option<Fingerprint>,
    pub(super) root_signed: bool,
}

impl Known {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            id: entry.id.clone(),
            pin: entry.pin,
            root_signed: entry.root_signed,
        }
    }

    /// Tells whether it has shown a certificate before.
    pub(super) fn has_certificate(&self) -> bool {
        self.pin.is_some() || self.root_signed
    }
}

/// What decides whether a certificate is the bridge's.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub(super) roots: Roots,
    /// Which bridge is meant, where that is known.
    pub(super) expected: Option<BridgeId>,
    pub(super) known: Vec<Known>,
    pub(super) trust: Trust,
}

/// A certificate, and whose it is.
pub(super) type Verdict = (BridgeId, Certificate);

impl Policy {
    /// Judges a chain, the bridge's own certificate first.
    pub(super) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verdict, CertificateProblem> {
        let (own, between) = chain.split_first().ok_or(CertificateProblem::Broken)?;
        let parsed = X509Certificate::from_der(own);
        let (rest, parsed) = parsed.map_err(|_| CertificateProblem::Broken)?;
        if !rest.is_empty() {
            return Err(CertificateProblem::Broken);
        }
        let id = self.whose(&parsed)?;
        let today = i64::try_from(now.as_secs())
            .ok()
            .and_then(|secs| ASN1Time::from_timestamp(secs).ok());
        if !today.is_some_and(|today| parsed.validity().is_valid_at(today)) {
            return Err(CertificateProblem::Expired);
        }
        let certificate = Certificate {
            fingerprint: Fingerprint::new(Sha256::digest(own).into()),
            root_signed: self.is_signed(own, between, now)?,
        };
        if !certificate.root_signed {
            let is_own = parsed.subject().as_raw() == parsed.issuer().as_raw();
            if is_own && parsed.verify_signature(None).is_err() {
                return Err(CertificateProblem::Broken);
            }
            self.is_accepted(&id, certificate.fingerprint)?;
        }
        Ok((id, certificate))
    }

    /// Returns the bridge whose certificate it is: the one that is meant, or any.
    fn whose(&self, certificate: &X509Certificate<'_>) -> Result<BridgeId, CertificateProblem> {
        let names = names(certificate);
        let ids = names
            .iter()
            .filter_map(|name| name.parse::<BridgeId>().ok());
        let mut meant =
            ids.filter(|id| self.expected.as_ref().is_none_or(|expected| expected == id));
        meant.next().ok_or_else(|| {
            let shown = names.first().map(String::as_str).unwrap_or_default();
            let found = shown.chars().filter(|c| !c.is_control()).take(64).collect();
            CertificateProblem::WrongName { found }
        })
    }

    /// Tells whether the chain leads to a root.
    fn is_signed(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
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
            between,
            now,
            algorithms,
        ) {
            Ok(()) => Ok(true),
            // It names a root, and the root has not signed it.
            Err(rustls::Error::InvalidCertificate(BadSignature)) => Err(CertificateProblem::Broken),
            Err(rustls::Error::InvalidCertificate(
                Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
            )) => Err(CertificateProblem::Expired),
            Err(_) => Ok(false),
        }
    }

    /// Tells whether a certificate that no root has signed was agreed to.
    fn is_accepted(&self, id: &BridgeId, shown: Fingerprint) -> Result<(), CertificateProblem> {
        if let Some(known) = self.known.iter().find(|known| known.id == *id) {
            if known.root_signed {
                return Err(CertificateProblem::NoLongerSigned);
            }
            match known.pin {
                Some(pin) if pin == shown => return Ok(()),
                Some(_) if !self.trust.pairing => return Err(CertificateProblem::Changed),
                // Paired over plain HTTP until now, or being paired again: the first use.
                Some(_) | None => {}
            }
        }
        let is_accepted = match self.trust.accept {
            Accept::None => false,
            Accept::This(accepted) => accepted == shown,
            Accept::Any => true,
        };
        match is_accepted {
            true => Ok(()),
            false => Err(CertificateProblem::Unknown { fingerprint: shown }),
        }
    }
}

/// Bridges have their id as common name; what copies them may have it among the alternative names.
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

/// Judges certificates inside a TLS handshake, before anything is sent.
#[derive(Debug)]
pub(super) struct Judge {
    /// Without one everything is let through: a bridge that is only looked at, and gets no key.
    policy: Option<Policy>,
    verdict: Mutex<Option<Verdict>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Judge {
    pub(super) fn new(policy: Option<Policy>) -> Arc<Self> {
        Arc::new(Self {
            policy,
            verdict: Mutex::default(),
            algorithms: provider().signature_verification_algorithms,
        })
    }

    /// Returns what the last handshake showed.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the settings with which this judge sits in a handshake.
    pub(super) fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self.clone());
        let mut config = builder.with_no_client_auth();
        // A bridge has one certificate, and its name is not the one that we call.
        config.enable_sni = false;
        Ok(Arc::new(config))
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(policy) = &self.policy {
            let mut chain = vec![end_entity.clone()];
            chain.extend_from_slice(intermediates);
            let verdict = policy.judge(&chain, now);
            let verdict = verdict
                .map_err(|problem| CertificateError::Other(OtherError(Arc::new(problem))))?;
            *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
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

/// Finds out of a failed handshake what was wrong with the certificate, if it was the certificate.
pub(super) fn problem(error: &rustls::Error) -> Option<CertificateProblem> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(problem))) => {
            let problem = problem.downcast_ref::<CertificateProblem>();
            Some(problem.cloned().unwrap_or(CertificateProblem::Broken))
        }
        // Who answers does not have the key that belongs to it, or none can read it.
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Some(CertificateProblem::Broken)
        }
        _ => None,
    }
}

//! The certificate of a bridge.
//!
//! Key and certificate follow from the MAC alone, so that a bridge has the same after a restart, as real ones do. Anybody can work
//! them out, which is no loss: what they protect is an emulator.

use std::sync::Arc;

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::super::behaviour::CertificateBehaviour;
use super::super::config::{BridgeConfig, TwinModel};

/// A certificate could not be made; no configuration is known that leads here.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The key cannot be written down.
    #[error("cannot make the key of an emulated bridge")]
    BridgeKey(#[from] p256::pkcs8::Error),
    /// The certificate cannot be signed.
    #[error("cannot make the certificate of an emulated bridge")]
    Certificate(#[from] rcgen::Error),
    /// TLS does not take them.
    #[error("cannot use the certificate of an emulated bridge")]
    CertificateBehaviour(#[from] rustls::Error),
}

/// Prepares HTTPS for a bridge.
pub(super) fn server_config(
    config: &BridgeConfig,
    rules: &CertificateBehaviour,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let secret = secret(config, rules.changed);
    let certificate = CertificateDer::from(certificate(config, rules)?);
    let document = secret.to_pkcs8_der()?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(document.as_bytes().to_vec()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}

/// The certificate of a bridge, in DER.
pub(in super::super) fn certificate(
    config: &BridgeConfig,
    rules: &CertificateBehaviour,
) -> Result<Vec<u8>, CertificateError> {
    let key = BridgeKey::new(&secret(config, rules.changed));
    let certificate = params(config, rules)?.self_signed(&key)?;
    Ok(certificate.der().to_vec())
}

/// The secret number of a MAC. Almost every number is one; the next is taken otherwise.
fn secret(config: &BridgeConfig, is_changed: bool) -> SecretKey {
    let [a, b, c, d, e, f] = config.mac.octets();
    let mut random = fastrand::Rng::with_seed(u64::from_be_bytes([
        0,
        u8::from(is_changed),
        a,
        b,
        c,
        d,
        e,
        f,
    ]));
    loop {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        if let Ok(secret) = SecretKey::from_slice(&bytes) {
            return secret;
        }
    }
}

fn params(
    config: &BridgeConfig,
    rules: &CertificateBehaviour,
) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(Vec::new())?;
    let [a, b, c, d, e, f] = config.mac.octets();
    params.serial_number = Some(SerialNumber::from_slice(&[a, b, c, 0xff, 0xfe, d, e, f]));
    params.distinguished_name = name(config, rules);
    params.not_before = rcgen::date_time_ymd(2017, 1, 1);
    params.not_after = match rules.expired {
        true => rcgen::date_time_ymd(2020, 1, 1),
        false => rcgen::date_time_ymd(2038, 1, 19),
    };
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn name(config: &BridgeConfig, rules: &CertificateBehaviour) -> DistinguishedName {
    let id = match rules.wrong_name {
        true => "001788fffe999999".to_owned(),
        false => config.bridge_id(),
    };
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "NL");
    name.push(DnType::OrganizationName, "Philips Hue");
    if config.model == TwinModel::Pro {
        name.push(DnType::OrganizationalUnitName, "BSB003");
    }
    name.push(
        DnType::CommonName,
        if rules.upper_case {
            id.to_ascii_uppercase()
        } else {
            id
        },
    );
    name
}

/// A key that signs the same in the same way each time.
struct BridgeKey {
    signing: SigningKey,
    public: Vec<u8>,
}

impl BridgeKey {
    fn new(secret: &SecretKey) -> Self {
        let signing = SigningKey::from(secret);
        let public = signing
            .verifying_key()
            .to_sec1_point(false)
            .as_bytes()
            .to_vec();
        Self { signing, public }
    }
}

impl PublicKeyData for BridgeKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for BridgeKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self.signing.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn made(change: impl Fn(&mut CertificateBehaviour)) -> Vec<u8> {
        let config = BridgeConfig::new(TwinModel::Pro, Ipv4Addr::new(127, 1, 2, 3));
        let mut rules = CertificateBehaviour::default();
        change(&mut rules);
        server_config(&config, &rules).unwrap();
        certificate(&config, &rules).unwrap()
    }

    #[test]
    fn the_same_at_every_start_unless_a_fault_changes_it() {
        let usual = made(|_| {});
        assert_eq!(usual, made(|_| {}));
        assert!(
            usual
                .windows(16)
                .any(|window| window == b"c42996fffe010203")
        );
        let others = [
            made(|rules| rules.changed = true),
            made(|rules| rules.expired = true),
            made(|rules| rules.wrong_name = true),
            made(|rules| rules.upper_case = true),
        ];
        assert!(others.iter().all(|other| *other != usual));
        assert!(
            others[0]
                .windows(16)
                .any(|window| window == b"c42996fffe010203")
        );
    }
}

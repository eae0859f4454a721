//! The client's certificate in TLS: asked for, never required, and in the handshake only its key is tested.
//!
//! A device shows the certificate of its maker, one that has expired in storage, or one of another authority; a handshake
//! that fails tells its technician nothing. So the handshake proves that the peer holds the key (RFC 8446 §4.4.3,
//! RFC 5246 §7.4.8), and who that is and what it may do is decided for each request, by whoever answers it, which also
//! makes a resumed session as good as a new one: its chain is kept with it and is judged again.
//!
//! What cannot be used: keys below 2048 bits and signatures with SHA-1, since those no longer prove possession. A listener
//! for old devices takes SHA-1 where it is told to, and small keys neither.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ProtocolVersion,
    ServerConnection, SignatureScheme,
};
use x509::{Certificate, Oid, PublicKeyKind, SignatureAlgorithm, oids};

/// Schemes a client may sign with, the cheapest to verify first; and for TLS 1.3 the curve that ECDSA is bound to.
const SCHEMES: [(SignatureScheme, SignatureAlgorithm, Binding); 10] = [
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureAlgorithm::EcdsaSha256,
        Binding::Curve(oids::P256),
    ),
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureAlgorithm::EcdsaSha384,
        Binding::Curve(oids::P384),
    ),
    (
        SignatureScheme::ECDSA_NISTP521_SHA512,
        SignatureAlgorithm::EcdsaSha512,
        Binding::Curve(oids::P521),
    ),
    (
        SignatureScheme::ED25519,
        SignatureAlgorithm::Ed25519,
        Binding::None,
    ),
    (
        SignatureScheme::RSA_PSS_SHA256,
        SignatureAlgorithm::RsaPssSha256,
        Binding::None,
    ),
    (
        SignatureScheme::RSA_PSS_SHA384,
        SignatureAlgorithm::RsaPssSha384,
        Binding::None,
    ),
    (
        SignatureScheme::RSA_PSS_SHA512,
        SignatureAlgorithm::RsaPssSha512,
        Binding::None,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureAlgorithm::RsaSha256,
        Binding::OnlyTls12,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureAlgorithm::RsaSha384,
        Binding::OnlyTls12,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA512,
        SignatureAlgorithm::RsaSha512,
        Binding::OnlyTls12,
    ),
];

/// NIST SP 800-131A r2 §3; aws-lc verifies with none below.
const LEAST_RSA_BITS: u32 = 2048;

/// What TLS 1.3 demands of a scheme (RFC 8446 §4.2.3).
#[derive(Clone, Copy)]
enum Binding {
    None,
    Curve(Oid),
    OnlyTls12,
}

/// What the handshake learnt about the client: kept once for a connection, shared by its requests.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// As the client sent it, leaf first; `None` where it sent none. The client holds the leaf's key; nothing else is checked.
    pub(crate) chain: Option<Arc<[Vec<u8>]>>,
    /// As OpenSSL calls it.
    pub(crate) version: &'static str,
    /// OpenSSL's name of the suite, on a listener with old ones.
    pub(crate) suite: Option<Arc<str>>,
}

impl Session {
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        let chain = connection.peer_certificates().map(|chain| {
            let chain = chain.iter().map(|certificate| certificate.to_vec());
            chain.collect()
        });
        Self {
            chain,
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            suite: None,
        }
    }

    /// Of a listener for old devices. `None` where the key that the client holds is one of those that prove nothing.
    pub(crate) fn of_old(session: oldtls::Session) -> Option<Self> {
        if let Some(leaf) = session.chain.first() {
            let key = Certificate::from_der(leaf).and_then(|leaf| leaf.public_key());
            match key.ok()?.kind() {
                PublicKeyKind::Rsa { bits, .. } if bits < LEAST_RSA_BITS => return None,
                PublicKeyKind::Other(_) => return None,
                PublicKeyKind::Rsa { .. } | PublicKeyKind::Ec { .. } | PublicKeyKind::Ed25519 => {}
            }
        }
        Some(Self {
            chain: Some(session.chain)
                .filter(|chain| !chain.is_empty())
                .map(Arc::from),
            version: session.version.name(),
            suite: Some(session.suite.into()),
        })
    }
}

/// Tests that the client holds the key of the certificate it sent, if it sent one.
#[derive(Debug)]
pub(crate) struct PossessionOnly;

impl ClientCertVerifier for PossessionOnly {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client that finds its issuer missing from a list would not send what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, certificate, signed, |_, _| true)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(
            message,
            certificate,
            signed,
            |binding, kind| match binding {
                Binding::None => true,
                Binding::Curve(wanted) => {
                    matches!(kind, PublicKeyKind::Ec { curve, .. } if curve == wanted)
                }
                Binding::OnlyTls12 => false,
            },
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.iter().map(|(scheme, ..)| *scheme).collect()
    }
}

fn verify(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    fits: impl FnOnce(Binding, PublicKeyKind) -> bool,
) -> Result<HandshakeSignatureValid, Error> {
    let key = Certificate::from_der(certificate)
        .and_then(|certificate| certificate.public_key())
        .map_err(|_| CertificateError::BadEncoding)?;
    let found = SCHEMES.iter().find(|(scheme, ..)| *scheme == signed.scheme);
    let (_, algorithm, binding) = found.ok_or(CertificateError::BadSignature)?;
    if !fits(*binding, key.kind()) {
        return Err(CertificateError::BadSignature.into());
    }
    key.verify(*algorithm, message, signed.signature())
        .map_err(|_| CertificateError::BadSignature)?;
    Ok(HandshakeSignatureValid::assertion())
}

#[cfg(test)]
#[path = "client_certificate_tests.rs"]
mod tests;

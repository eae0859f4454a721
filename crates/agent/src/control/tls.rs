//! TLS towards servers that have no certificate of ours yet: that is what they want one for.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509::{PublicKey, SignatureAlgorithm};

use super::{Failure, FailureKind, metered::Metered, url::Host};

/// The protocol of RFC 8737 §6.2.
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// For https redirects. Whoever controls the connection could as well answer over http, where the
/// challenge began: a certificate would prove nothing more (RFC 8555 §8.3 asks for none).
pub(super) async fn connect_to_web_server(
    stream: Metered,
    host: &Host,
) -> Result<TlsStream<Metered>, Failure> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let name = match host {
        Host::Dns(name) => server_name(name)?,
        Host::Ip(address) => ServerName::IpAddress((*address).into()),
    };
    handshake(stream, name, config(&CONFIG, &[])?).await
}

/// For tls-alpn-01: `name` goes into SNI, the protocol is `acme-tls/1` or nothing.
pub(super) async fn connect_to_acme_responder(
    stream: Metered,
    name: &str,
) -> Result<TlsStream<Metered>, Failure> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    handshake(stream, server_name(name)?, config(&CONFIG, &[ACME_TLS])?).await
}

/// What SNI carries for an address, where it may carry no address (RFC 8738 §6).
pub(super) fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => {
            let [a, b, c, d] = a.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(a) => {
            let nibbles = a.octets().into_iter().rev().flat_map(|o| [o & 15, o >> 4]);
            let labels: String = nibbles.map(|n| format!("{n:x}.")).collect();
            format!("{labels}ip6.arpa")
        }
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Failure> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        tls(format!(
            "{name:?} cannot stand in a TLS handshake (RFC 6066 §3)"
        ))
    })
}

async fn handshake(
    stream: Metered,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<Metered>, Failure> {
    let peer = stream.peer();
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.map_err(|error| {
        let with = peer.map(|p| format!(" with {p}")).unwrap_or_default();
        let is_tls = error.get_ref().is_some_and(|e| e.is::<rustls::Error>());
        let detail = format!("TLS handshake{with}: {error}");
        if is_tls {
            tls(detail)
        } else {
            Failure::new(FailureKind::Connection, detail)
        }
    })
}

fn tls(detail: String) -> Failure {
    Failure::new(FailureKind::Tls, detail)
}

fn config(
    made: &'static OnceLock<Arc<ClientConfig>>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, Failure> {
    if let Some(config) = made.get() {
        return Ok(config.clone());
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| tls(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    // Each check sees the certificate that is there now.
    config.resumption = Resumption::disabled();
    Ok(made.get_or_init(|| Arc::new(config)).clone())
}

/// Takes any certificate, whoever signed it, but has the server prove that it holds its key. rustls'
/// own check of that refuses certificates with critical extensions it does not know, which tls-alpn-01
/// requires.
struct AnyCertificate;

impl fmt::Debug for AnyCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyCertificate")
    }
}

/// Schemes offered, each with the algorithm it is (RFC 8446 §4.2.3).
const SCHEMES: [(SignatureScheme, SignatureAlgorithm); 10] = [
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureAlgorithm::EcdsaSha256,
    ),
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureAlgorithm::EcdsaSha384,
    ),
    (
        SignatureScheme::ECDSA_NISTP521_SHA512,
        SignatureAlgorithm::EcdsaSha512,
    ),
    (SignatureScheme::ED25519, SignatureAlgorithm::Ed25519),
    (
        SignatureScheme::RSA_PSS_SHA256,
        SignatureAlgorithm::RsaPssSha256,
    ),
    (
        SignatureScheme::RSA_PSS_SHA384,
        SignatureAlgorithm::RsaPssSha384,
    ),
    (
        SignatureScheme::RSA_PSS_SHA512,
        SignatureAlgorithm::RsaPssSha512,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureAlgorithm::RsaSha256,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureAlgorithm::RsaSha384,
    ),
    (
        SignatureScheme::RSA_PKCS1_SHA512,
        SignatureAlgorithm::RsaSha512,
    ),
];

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        holds_key(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        holds_key(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.iter().map(|(scheme, _)| *scheme).collect()
    }
}

fn holds_key(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    use rustls::{CertificateError, PeerMisbehaved};
    let bad = |e: CertificateError| rustls::Error::InvalidCertificate(e);
    let certificate =
        x509::Certificate::from_der(certificate).map_err(|_| bad(CertificateError::BadEncoding))?;
    let key: PublicKey = certificate
        .public_key()
        .map_err(|_| bad(CertificateError::BadEncoding))?;
    let algorithm = SCHEMES
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme)
        .map(|(_, algorithm)| *algorithm)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    key.verify(algorithm, message, signed.signature())
        .map_err(|_| bad(CertificateError::BadSignature))?;
    Ok(HandshakeSignatureValid::assertion())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8738_6_names_of_addresses() {
        assert_eq!(
            reverse_name("192.0.2.1".parse().unwrap()),
            "1.2.0.192.in-addr.arpa"
        );
        let v6 = "2001:db8::1234".parse().unwrap();
        let expected = "4.3.2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(reverse_name(v6), expected);
    }
}

//! Handshakes with rustls' own client, whose certificates are not of any authority that Ward knows.

use std::process::Command;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;

use super::*;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// A key and a certificate for it, made by openssl.
struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The arguments of `openssl req -x509` for another kind of certificate.
fn identity(more: &[&str]) -> Identity {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let mut make = vec![
        "req",
        "-x509",
        "-nodes",
        "-subj",
        "/CN=SN-1/serialNumber=SN-1",
    ];
    make.extend(more);
    openssl(
        &make,
        &["-outform", "DER", "-keyout", &path("k"), "-out", &path("c")],
    );
    openssl(
        &["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"],
        &["-in", &path("k"), "-out", &path("p8")],
    );
    Identity {
        certificate: std::fs::read(path("c")).unwrap(),
        key: std::fs::read(path("p8")).unwrap(),
    }
}

/// Version 1, since it has no extensions, and past its end.
fn over() -> Identity {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let made = identity(&P256);
    std::fs::write(path("k"), &made.key).unwrap();
    let key = ["-keyform", "DER", "-key", &path("k"), "-subj", "/CN=SN-1"];
    openssl(&["req", "-new", "-out", &path("r")], &key);
    let key = [
        "-signkey",
        &path("k"),
        "-days",
        "-1",
        "-outform",
        "DER",
        "-out",
        &path("c"),
    ];
    openssl(&["x509", "-req", "-in", &path("r")], &key);
    Identity {
        certificate: std::fs::read(path("c")).unwrap(),
        key: made.key,
    }
}

fn openssl(arguments: &[&str], more: &[&str]) {
    let done = Command::new("openssl")
        .args(arguments)
        .args(more)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn certified(certificate: &Identity, key: &Identity) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.key.clone()));
    Arc::new(CertifiedKey::new(
        vec![certificate.certificate.clone().into()],
        any_supported_type(&key).unwrap(),
    ))
}

fn server() -> Arc<ServerConfig> {
    let own = identity(&P256);
    let own = SingleCertAndKey::from(Arc::unwrap_or_clone(certified(&own, &own)));
    crate::tls::server_config(Arc::new(own)).unwrap()
}

fn client(
    version: &'static SupportedProtocolVersion,
    identity: Option<Arc<CertifiedKey>>,
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer));
    let mut config = match identity {
        Some(key) => {
            let key = SingleCertAndKey::from(Arc::unwrap_or_clone(key));
            config.with_client_cert_resolver(Arc::new(key))
        }
        None => config.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

/// What the server knows after the handshake, or why there was none.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<Met, Error> {
    let mut client =
        ClientConnection::new(Arc::clone(client), ServerName::try_from("ward").unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    for _ in 0..4 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut sent = wire.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut sent = wire.as_slice();
        while !sent.is_empty() {
            client.read_tls(&mut sent).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(Met {
        session: Session::of(&server),
        resumed: server.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
    })
}

/// As a session calls it.
fn name(version: &rustls::SupportedProtocolVersion) -> &'static str {
    match version.version {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        other => panic!("{other:?}"),
    }
}

#[derive(Debug)]
struct Met {
    session: Session,
    resumed: bool,
}

#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.iter().map(|(scheme, ..)| *scheme).collect()
    }
}

#[test]
fn r09_any_certificate_whose_key_the_client_holds_is_let_in() {
    let server = server();
    let odd = [
        ("P-256", identity(&P256)),
        (
            "P-384",
            identity(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ),
        (
            "P-521",
            identity(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"]),
        ),
        ("Ed25519", identity(&["-newkey", "ed25519"])),
        ("RSA", identity(&["-newkey", "rsa:2048"])),
        ("over, and of version 1", over()),
        ("SHA-1", identity(&["-newkey", "rsa:2048", "-sha1"])),
        (
            "a CA",
            identity(&[&P256[..], &["-addext", "keyUsage=critical,keyCertSign"]].concat()),
        ),
        (
            "for servers only",
            identity(&[&P256[..], &["-addext", "extendedKeyUsage=serverAuth"]].concat()),
        ),
        (
            "critical and unknown",
            identity(&[&P256[..], &["-addext", "1.2.3.4=critical,DER:0500"]].concat()),
        ),
        (
            "a negative serial",
            identity(&[&P256[..], &["-set_serial", "-5"]].concat()),
        ),
    ];
    for (what, identity) in &odd {
        for version in VERSIONS {
            let client = client(version, Some(certified(identity, identity)));
            let met = handshake(&client, &server).unwrap_or_else(|error| panic!("{what}: {error}"));
            let chain = met.session.chain.unwrap();
            assert_eq!(
                &chain[..],
                std::slice::from_ref(&identity.certificate),
                "{what}"
            );
            assert_eq!(met.session.version, name(version));
        }
    }
}

#[test]
fn r09_whoever_holds_another_key_is_not() {
    let (server, own, other) = (server(), identity(&P256), identity(&P256));
    let rsa = [
        identity(&["-newkey", "rsa:2048"]),
        identity(&["-newkey", "rsa:2048"]),
    ];
    for version in VERSIONS {
        for (certificate, key) in [(&own, &other), (&rsa[0], &rsa[1])] {
            let thief = client(version, Some(certified(certificate, key)));
            let error = handshake(&thief, &server).unwrap_err();
            assert_eq!(
                error,
                Error::InvalidCertificate(CertificateError::BadSignature)
            );
        }
    }
}

#[test]
fn nobody_needs_a_certificate() {
    let server = server();
    for version in VERSIONS {
        let met = handshake(&client(version, None), &server).unwrap();
        assert!(met.session.chain.is_none());
    }
}

/// A resumed session proves no possession anew, so it must be known whose it is (RFC 8446 §2.2, §4.6.1).
#[test]
fn r09_a_resumed_session_is_still_the_same_clients() {
    let (server, own) = (server(), identity(&P256));
    for version in VERSIONS {
        let known = client(version, Some(certified(&own, &own)));
        let first = handshake(&known, &server).unwrap();
        let second = handshake(&known, &server).unwrap();
        assert!(!first.resumed && second.resumed, "{:?}", version.version);
        assert_eq!(first.session.chain, second.session.chain);
        let anonymous = client(version, None);
        handshake(&anonymous, &server).unwrap();
        let again = handshake(&anonymous, &server).unwrap();
        assert!(again.resumed && again.session.chain.is_none());
    }
}

//! rustls as a client that can be made to lie, over a wire as narrow as a test wants it.

use std::sync::Arc;

use oldtls::{Error, Options};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use crate::house::House;

/// Believes any server: it is the server that is tested.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
        ]
    }
}

/// A client that shows one certificate and signs with a key.
pub(crate) fn connector(shown: Option<(Vec<u8>, Vec<u8>)>) -> TlsConnector {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key).unwrap();
            let key = provider.key_provider.load_private_key(key).unwrap();
            let certified = CertifiedKey::new(vec![certificate.into()], key);
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
                certified,
            )))
        }
    };
    TlsConnector::from(Arc::new(config))
}

/// RFC 5246 §7.4.8: a certificate alone proves nothing.
#[tokio::test]
async fn a_certificate_whose_key_the_client_does_not_hold_is_refused() {
    let house = House::new();
    house.self_signed("mine", &["rsa:2048"]);
    house.self_signed("theirs", &["rsa:2048"]);
    for (certificate, accepted) in [("mine", true), ("theirs", false)] {
        let (client, server) = duplex(4096);
        let shown = (house.der(certificate), house.der("mine.key"));
        let name = ServerName::try_from("server").unwrap();
        let acceptor = house.acceptor(&Options::default());
        let (client, server) = tokio::join!(
            connector(Some(shown)).connect(name, client),
            acceptor.accept(server)
        );
        // decrypt_error: "unable to correctly verify a signature" (RFC 5246 §7.2.2).
        let alert = client.err().map(|error| error.to_string());
        let expected = "received fatal alert: DecryptError";
        assert_eq!(alert, (!accepted).then(|| expected.to_owned()));
        match (server, accepted) {
            (Ok(stream), true) => assert_eq!(stream.session().chain, [house.der(certificate)]),
            (Err(Error::Handshake(_)), false) => {}
            (Ok(_), false) => panic!("a stranger's certificate is accepted"),
            (Err(error), _) => panic!("{error}"),
        }
    }
}

/// More than fits into a record, both ways, through a wire that takes a hundred bytes at a time; then an end that both
/// sides know to be one.
#[tokio::test(flavor = "multi_thread")]
async fn much_goes_both_ways_through_a_narrow_wire() {
    let house = House::new();
    let acceptor = house.acceptor(&Options::default());
    let sent: Arc<Vec<u8>> = Arc::new(
        (0..1_000_000u32)
            .map(|at| (at.wrapping_mul(at) >> 7) as u8)
            .collect(),
    );
    let (client, server) = duplex(100);
    let expected = Arc::clone(&sent);
    let server = tokio::spawn(async move {
        let stream = acceptor.accept(server).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut got = vec![0; expected.len()];
        reader.read_exact(&mut got).await.unwrap();
        assert!(got == *expected, "what came is not what was sent");
        writer.write_all(&got).await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!(reader.read(&mut got).await.unwrap(), 0);
    });
    let name = ServerName::try_from("server").unwrap();
    let mut client = connector(None).connect(name, client).await.unwrap();
    client.write_all(&sent).await.unwrap();
    client.flush().await.unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    assert!(got == *sent, "what came back is not what was sent");
    client.shutdown().await.unwrap();
    server.await.unwrap();
}

/// A connection that is cut is not one that has ended.
#[tokio::test]
async fn a_cut_is_told_from_an_end() {
    let house = House::new();
    let acceptor = house.acceptor(&Options::default());
    for cut in [false, true] {
        let (client, server) = duplex(64 * 1024);
        let name = ServerName::try_from("server").unwrap();
        let connector = connector(None);
        let (client, server) =
            tokio::join!(connector.connect(name, client), acceptor.accept(server));
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        client.write_all(b"abc").await.unwrap();
        client.flush().await.unwrap();
        if !cut {
            client.shutdown().await.unwrap();
        }
        drop(client);
        let mut got = Vec::new();
        let end = server.read_to_end(&mut got).await;
        assert_eq!(got, b"abc");
        assert_eq!(end.is_err(), cut, "{end:?}");
    }
}

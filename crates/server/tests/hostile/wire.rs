//! Below HTTP's meaning: slow clients, floods of headers and of connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Target;
use crate::support::Ward;

/// The fixture's patience with slow clients, and what a busy machine may add.
const PATIENCE: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(6);

/// One TLS connection that speaks HTTP/1.1 by hand.
pub(crate) struct Secure(TlsStream<TcpStream>);

impl Secure {
    pub(crate) async fn connect(ward: &Ward) -> Self {
        Self(tls(ward, b"http/1.1").await)
    }

    pub(crate) async fn get(&mut self, path: &str, token: &str) -> (u16, String) {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        self.0.write_all(head.as_bytes()).await.unwrap();
        answer(&mut self.0).await
    }
}

async fn tls(ward: &Ward, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    let root = ward.ca.issuer("root").unwrap();
    let root = CertificateDer::from(root.certificate().der().to_vec());
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(ward.addresses.api).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// Reads one answer with a Content-Length.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> (u16, String) {
    let mut seen = Vec::new();
    let mut octet = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        if stream.read(&mut octet).await.unwrap_or(0) == 0 {
            return (0, String::from_utf8_lossy(&seen).into_owned());
        }
        seen.push(octet[0]);
    }
    let head = String::from_utf8(seen).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")
            .map(str::to_owned)
    });
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn plain(ward: &Ward) -> TcpStream {
    TcpStream::connect(ward.addresses.status).await.unwrap()
}

/// Whether the other side ends the connection in time, whatever it says before.
async fn ends(stream: &mut (impl AsyncRead + Unpin), what: &str) -> Vec<u8> {
    let began = Instant::now();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(PATIENCE + SLACK, stream.read_to_end(&mut said)).await;
    assert!(
        ended.is_ok(),
        "{what}: still open after {:?}",
        began.elapsed()
    );
    said
}

/// Sends an octet now and then, until the connection is gone.
async fn drip(stream: &mut (impl AsyncWrite + Unpin), what: &str) {
    let began = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if stream.write_all(b"x").await.is_err() || stream.flush().await.is_err() {
            return;
        }
        assert!(began.elapsed() < PATIENCE + SLACK, "{what}: still open");
    }
}

/// RFC 9110 §15.5.9 and CWE-400: a connection that brings nothing is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off() {
    let target = Target::patient(PATIENCE.as_secs()).await;
    let ward = &target.ward;
    let bearer = format!("Authorization: Bearer {}\r\n", target.issuer);
    let post = format!(
        "POST /api/v1/certificates HTTP/1.1\r\nHost: localhost\r\n{bearer}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );

    let silent = async { drop(ends(&mut plain(ward).await, "plain, silent").await) };
    let preface = async {
        let mut stream = plain(ward).await;
        stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        ends(&mut stream, "half a preface").await;
    };
    let no_handshake = async {
        let mut stream = TcpStream::connect(ward.addresses.api).await.unwrap();
        ends(&mut stream, "TLS, no handshake").await;
    };
    let half_handshake = async {
        let mut stream = TcpStream::connect(ward.addresses.api).await.unwrap();
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        ends(&mut stream, "TLS, half a ClientHello").await;
    };
    let silent_tls = async { drop(ends(&mut tls(ward, b"http/1.1").await, "TLS, silent").await) };
    let silent_two = async { drop(ends(&mut tls(ward, b"h2").await, "HTTP/2, silent").await) };
    let slow_head = async {
        let mut stream = plain(ward).await;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            .await
            .unwrap();
        drip(&mut stream, "a head in drops").await;
    };
    let slow_body = async {
        let mut stream = tls(ward, b"http/1.1").await;
        stream.write_all(post.as_bytes()).await.unwrap();
        let said = ends(&mut stream, "a body that does not come").await;
        let said = String::from_utf8_lossy(&said);
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(said.contains("urn:ward:problem:too-slow"), "{said}");
    };
    let slow_question = async {
        let mut stream = plain(ward).await;
        stream
            .write_all(b"POST /ocsp HTTP/1.1\r\nHost: ward\r\nContent-Length: 100\r\n\r\n0")
            .await
            .unwrap();
        let said = ends(&mut stream, "an OCSP request that does not come").await;
        assert!(
            said.starts_with(b"HTTP/1.1 408"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    };
    let idle = async {
        let mut stream = plain(ward).await;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: ward\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(answer(&mut stream).await.0, 200);
        ends(&mut stream, "idle after an answer").await;
    };
    tokio::join!(
        silent,
        preface,
        no_handshake,
        half_handshake,
        silent_tls,
        silent_two,
        slow_head,
        slow_body,
        slow_question,
        idle
    );
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

/// RFC 9112 §3, RFC 6585 §5: heads have a size.
#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_or_wrong() {
    let target = Target::start().await;
    let flood: String = (0..2000).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = "z".repeat(200_000);
    // 0: the connection ends without an answer, or before it is read because the client still sends.
    let table = [
        (
            "2,000 headers",
            format!("GET /healthz HTTP/1.1\r\nHost: w\r\n{flood}\r\n"),
            &[431, 0][..],
        ),
        (
            "a header of 200 kB",
            format!("GET /healthz HTTP/1.1\r\nHost: w\r\nX: {long}\r\n\r\n"),
            &[431, 0],
        ),
        (
            "a path of 200 kB",
            format!("GET /{long} HTTP/1.1\r\nHost: w\r\n\r\n"),
            &[414, 431, 0],
        ),
        (
            "no HTTP",
            "EHLO mercy.example\r\n\r\n".to_owned(),
            &[400, 0],
        ),
        (
            "two lengths",
            "POST /ocsp HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
                .to_owned(),
            &[400, 0],
        ),
        (
            "a negative length",
            "POST /ocsp HTTP/1.1\r\nHost: w\r\nContent-Length: -1\r\n\r\n".to_owned(),
            &[400, 0],
        ),
        (
            "an unknown transfer coding",
            "POST /ocsp HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            &[400, 0],
        ),
        (
            "a NUL in a header",
            "GET /healthz HTTP/1.1\r\nHost: w\r\nX: a\0b\r\n\r\n".to_owned(),
            &[400, 0],
        ),
        (
            "HTTP/3.0",
            "GET /healthz HTTP/3.0\r\nHost: w\r\n\r\n".to_owned(),
            &[400, 505, 0],
        ),
    ];
    for (what, sent, expected) in table {
        let mut stream = plain(&target.ward).await;
        // The answer may come, and the connection end, before everything is sent.
        stream.write_all(sent.as_bytes()).await.ok();
        let (status, said) = answer(&mut stream).await;
        assert!(expected.contains(&status), "{what}: {status} {said}");
    }
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

/// Past the limit a connection is closed at once, and when others go there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn connections_have_a_limit() {
    let target = Target::with(|config| config.limits.connections = 8).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = plain(&target.ward).await;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(answer(&mut stream).await.0, 200);
        held.push(stream);
    }
    for _ in 0..5 {
        let mut beyond = plain(&target.ward).await;
        let mut said = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(2), beyond.read_to_end(&mut said));
        closed.await.unwrap().ok();
        assert!(said.is_empty());
    }
    held[0]
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(answer(&mut held[0]).await.0, 200);
    drop(held);
    tokio::time::sleep(Duration::from_millis(300)).await;
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

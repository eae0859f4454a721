//! What no client sends: noise, halves, too much, and good bytes with bad ones among them. The acceptor answers with an
//! error, within its bounds, and goes on.

use std::sync::OnceLock;
use std::time::Duration;

use oldtls::{Acceptor, Error, Options, Version};
use proptest::prelude::*;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::house::House;
use crate::rustls_client::connector;

fn acceptor() -> &'static Acceptor {
    static ACCEPTOR: OnceLock<Acceptor> = OnceLock::new();
    ACCEPTOR.get_or_init(|| {
        let options = Options {
            min_version: Version::Tls10,
            // A ClientHello of TLS 1.2 that says nothing of signatures means SHA-1 (RFC 5246 §7.4.1.4.1).
            sha1: true,
            ..Options::default()
        };
        House::new().acceptor(&options)
    })
}

/// What comes of bytes after which the client goes away, and what it was answered.
async fn offer(bytes: &[u8]) -> (Option<Error>, Vec<u8>) {
    let (mut client, server) = duplex(1024);
    let accepting = acceptor().accept(server);
    let client = async move {
        let mut answer = Vec::new();
        let (mut reader, mut writer) = tokio::io::split(&mut client);
        let write = async {
            // It may hang up before all is said.
            writer.write_all(bytes).await.ok();
            writer.shutdown().await.ok();
        };
        tokio::join!(write, reader.read_to_end(&mut answer)).1.ok();
        answer
    };
    let both = async { tokio::join!(async { accepting.await.err() }, client) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("it ends")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(future)
}

/// A ClientHello in a record (RFC 5246 §7.4.1.2) for one suite, without extensions.
fn hello(version: [u8; 2], suite: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 2]);
    body.extend(suite);
    body.extend([1, 0]);
    let mut record = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    record.extend(body);
    record
}

/// The description of the alert that an answer consists of (RFC 5246 §7.2).
fn alert(answer: &[u8]) -> Option<u8> {
    match answer {
        [21, 3, _, 0, 2, 2, description] => Some(*description),
        _ => None,
    }
}

#[tokio::test]
async fn suites_that_no_library_should_have_any_more() {
    let handshake_failure = Some(40);
    for (what, suite) in [
        ("RSA_EXPORT_WITH_RC4_40_MD5", [0, 0x03]),
        ("RSA_EXPORT_WITH_DES40_CBC_SHA", [0, 0x08]),
        ("RSA_WITH_RC4_128_MD5", [0, 0x04]),
        ("RSA_WITH_RC4_128_SHA", [0, 0x05]),
        ("RSA_WITH_DES_CBC_SHA", [0, 0x09]),
        ("DH_anon_WITH_AES_128_CBC_SHA", [0, 0x34]),
        ("RSA_WITH_NULL_SHA", [0, 0x02]),
        ("NULL_WITH_NULL_NULL", [0, 0]),
    ] {
        let (error, answer) = offer(&hello([3, 3], suite)).await;
        assert!(
            matches!(error, Some(Error::Handshake(_))),
            "{what}: {error:?}"
        );
        assert_eq!(alert(&answer), handshake_failure, "{what}: {answer:02x?}");
    }
    let (error, answer) = offer(&hello([3, 0], [0, 0x2f])).await;
    assert!(matches!(error, Some(Error::Handshake(_))), "{error:?}");
    // handshake_failure (RFC 6101 §5.4.2): SSL 3 has no alert for another version.
    assert_eq!(alert(&answer), handshake_failure, "{answer:02x?}");
    // The twin: RSA_WITH_AES_128_CBC_SHA is answered by a ServerHello (handshake type 2).
    for version in [[3, 1], [3, 2], [3, 3]] {
        let (error, answer) = offer(&hello(version, [0, 0x2f])).await;
        assert!(matches!(error, Some(Error::Gone)), "{error:?}");
        assert_eq!((answer[0], answer[5]), (22, 2), "{answer:02x?}");
    }
}

#[tokio::test]
async fn half_a_handshake_waits_for_as_long_as_the_caller_says() {
    let hello = hello([3, 3], [0, 0x2f]);
    for end in 0..hello.len() {
        let (error, _) = offer(&hello[..end]).await;
        assert!(matches!(error, Some(Error::Gone)), "{end}: {error:?}");
    }
    let (mut client, server) = duplex(1024);
    client.write_all(&hello[..20]).await.unwrap();
    let waiting = acceptor().accept(server);
    let waited = tokio::time::timeout(Duration::from_millis(50), waiting).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn more_than_any_handshake_needs() {
    // A message of 16 MiB is refused by its head.
    let (error, answer) = offer(&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]).await;
    assert!(
        matches!(&error, Some(Error::Handshake(reason)) if reason == "excessive message size"),
        "{error:?}"
    );
    assert_eq!(alert(&answer), Some(47), "{answer:02x?}");
    // One that the library would take, in records of one byte each, is more bytes than are read.
    let mut drops = Vec::new();
    for byte in [1, 0, 0xff, 0xff].into_iter().chain([0; 65_535]) {
        drops.extend([22, 3, 1, 0, 1, byte]);
    }
    let (error, _) = offer(&drops).await;
    assert!(
        matches!(error, Some(Error::TooLong | Error::Handshake(_))),
        "{error:?}"
    );
    // Records without content never end by themselves.
    let (error, _) = offer(&[22, 3, 1, 0, 0].repeat(100_000)).await;
    assert!(
        matches!(error, Some(Error::TooLong | Error::Handshake(_))),
        "{error:?}"
    );
}

/// All that the library was given it gives back.
#[test]
fn failed_handshakes_leave_nothing_behind() {
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    };
    let hello = hello([3, 3], [0, 0x2f]);
    let some = |count| {
        for _ in 0..count {
            block_on(offer(&hello));
            block_on(offer(b"GET / HTTP/1.1\r\n\r\n"));
        }
    };
    some(200);
    let before = resident();
    some(2_000);
    let grown = resident().saturating_sub(before);
    // A connection takes 40 KiB and more while it lives.
    assert!(grown < 16 << 20, "{grown} bytes after 4,000 connections");
}

/// What rustls sends first.
fn rustls_hello() -> &'static [u8] {
    static HELLO: OnceLock<Vec<u8>> = OnceLock::new();
    HELLO.get_or_init(|| {
        block_on(async {
            let (mut server, client) = duplex(16 * 1024);
            let name = ServerName::try_from("server").unwrap();
            let connecting = tokio::spawn(connector(None).connect(name, client));
            let mut first = vec![0; 16 * 1024];
            let read = server.read(&mut first).await.unwrap();
            connecting.abort();
            first.truncate(read);
            first
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(block_on(offer(&bytes)).0.is_some());
    }

    #[test]
    fn noise_in_records_is_refused(
        records in proptest::collection::vec(
            (20u8..25, 0u8..5, proptest::collection::vec(any::<u8>(), 0..300)),
            0..12,
        ),
    ) {
        let mut bytes = Vec::new();
        for (kind, minor, content) in records {
            bytes.extend([kind, 3, minor]);
            bytes.extend((content.len() as u16).to_be_bytes());
            bytes.extend(content);
        }
        prop_assert!(block_on(offer(&bytes)).0.is_some());
    }

    /// A good beginning with some bytes changed, and noise behind it: never a connection.
    #[test]
    fn a_changed_hello_comes_to_nothing(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        behind in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut bytes = rustls_hello().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.extend(behind);
        prop_assert!(block_on(offer(&bytes)).0.is_some());
    }

    /// After the handshake: what is not a record of this connection ends it, and is never read as content.
    #[test]
    fn noise_after_the_handshake_ends_it(bytes in proptest::collection::vec(any::<u8>(), 5..400)) {
        let (read, got) = block_on(async {
            let (client, server) = duplex(64 * 1024);
            let name = ServerName::try_from("server").unwrap();
            let connector = connector(None);
            let (client, server) =
                tokio::join!(connector.connect(name, client), acceptor().accept(server));
            let (mut wire, _) = client.unwrap().into_inner();
            wire.write_all(&bytes).await.unwrap();
            drop(wire);
            let mut got = Vec::new();
            (server.unwrap().read_to_end(&mut got).await, got)
        });
        prop_assert!(read.is_err());
        prop_assert!(got.is_empty());
    }
}

//! Servers that hang, drip, lie and flood: every target ends in exactly one outcome, within its time (R17).

use crate::peer::{
    Peer, Watch, certificate, drain, flight, handshake, read_record, record, say, server_hello,
};
use crate::support::{config, look, look_at, observations, scan};
use agent::observation::{Der, Observation, Outcome, Version};
use agent::scan::{Config, Depth, Service, Targets};
use agent::tls::hello::Extensions;
use agent::tls::{Client, Fault, Goal, Hello, KeyShares, Step};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// Half a second for each connection.
fn hasty() -> Config {
    let mut config = config(Depth::Certificate);
    config.timing.answer = Duration::from_millis(500);
    config
}

/// Looks at a peer with a script, and holds it to its time: four hellos at most, each with its half second,
/// and a quarter of one to take leave.
async fn see(script: impl Fn(TcpStream) + Send + Sync + 'static) -> Observation {
    let peer = Peer::start(script);
    let watch = Watch::start();
    let seen = look_at(&format!("{}/tls", peer.port), None, hasty()).await;
    assert!(
        watch.took() < Duration::from_millis(4 * 800),
        "{:?} {seen:?}",
        watch.took()
    );
    seen
}

/// After the hello, these bytes, and then silence until the scanner leaves.
async fn answer(bytes: Vec<u8>) -> Outcome {
    see(move |mut stream| {
        read_record(&mut stream);
        say(&mut stream, &bytes);
        drain(&mut stream);
    })
    .await
    .outcome
}

fn garbage(outcome: &Outcome, part: &str) {
    let Outcome::Garbage { what } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(what.contains(part), "{what}");
}

#[tokio::test]
async fn who_hangs_or_drips_is_hung_and_not_asked_again() {
    let peer = Peer::start(|mut stream| drop(drain(&mut stream)));
    let seen = look_at(&format!("{}/tls", peer.port), None, hasty()).await;
    assert_eq!(seen.outcome, Outcome::Hung { after_ms: 500 });
    assert_eq!(peer.count(), 1);
    let seen = see(|mut stream| {
        for byte in flight(&[vec![0x30, 0]]) {
            if !say(&mut stream, &[byte]) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(seen.await.outcome, Outcome::Hung { after_ms: 500 });
    // Whoever does show a certificate and then hangs has shown a certificate.
    let messages = [server_hello(0x002f), certificate(&[vec![0x30, 0]])].concat();
    assert_eq!(answer(record(22, &messages)).await, Outcome::Certificate);
}

#[tokio::test]
async fn other_protocols_are_told_by_their_first_bytes() {
    for text in [
        "SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\u{0}\u{1}",
    ] {
        let hex: String = text
            .bytes()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            answer(text.into()).await,
            Outcome::NotTls { first_bytes: hex }
        );
    }
    // Spoken before it is spoken to.
    let seen = see(|mut stream| {
        say(&mut stream, b"220 mail ESMTP\r\n");
        drain(&mut stream);
    });
    assert!(matches!(seen.await.outcome, Outcome::NotTls { .. }));
}

#[tokio::test]
async fn closing_and_resetting_are_no_answer() {
    let seen = see(|mut stream| drop(read_record(&mut stream)));
    garbage(&seen.await.outcome, "closed without an answer");
    // A socket closed with the hello unread sends a RST (RFC 2525 §2.17).
    let seen = see(|stream| {
        let mut byte = [0];
        let _ = stream.peek(&mut byte);
    });
    garbage(&seen.await.outcome, "reset");
    let seen = see(|mut stream| {
        read_record(&mut stream);
        say(&mut stream, &flight(&[vec![0x30, 0]])[..60]);
    });
    garbage(&seen.await.outcome, "closed");
}

#[tokio::test]
async fn nobody_listening_is_closed_and_takes_no_time() {
    let port = crate::support::free_port();
    let watch = Watch::start();
    assert_eq!(
        look(port, Depth::Certificate).await.outcome,
        Outcome::Closed
    );
    assert!(watch.took() < Duration::from_secs(1));
}

#[tokio::test]
async fn certificates_are_bytes_whatever_is_in_them_up_to_the_budget() {
    let hostile = [vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], vec![0; 3], vec![]].to_vec();
    let large = vec![vec![0x30; 1_000_000]];
    let long = vec![vec![0x30, 0]; 200];
    for chain in [hostile, large, long] {
        let sent: Vec<Der> = chain.iter().cloned().map(Der).collect();
        let seen = see(crate::peer::shows(chain)).await;
        assert_eq!(seen.outcome, Outcome::Certificate);
        assert!(seen.chain == sent);
    }
    let limit = |what: &str, limit| Outcome::TooLarge {
        what: what.to_owned(),
        limit,
    };
    let longer = flight(&vec![vec![0x30, 0]; 201]);
    assert_eq!(
        answer(longer).await,
        limit("certificates in the chain", 200)
    );
    let larger = flight(&[vec![0x30; 2_000_000]]);
    let outcome = answer(larger).await;
    assert_eq!(
        outcome,
        limit("bytes of a handshake message", (1 << 20) + (64 << 10))
    );
}

#[tokio::test]
async fn more_large_answers_than_there_is_room_for_wait_and_all_come_out() {
    let port = crate::support::free_port();
    let chain = || crate::peer::shows(vec![vec![0x30; 900_000]]);
    let _peers: Vec<Peer> = (1..=48)
        .map(|last| {
            Peer::at(
                Ipv4Addr::new(127, 0, 9, last).into(),
                port,
                usize::MAX,
                chain(),
            )
        })
        .collect();
    let services = Service::list(&format!("{port}/tls")).unwrap();
    let range = "127.0.9.1-127.0.9.48".parse().unwrap();
    let targets = Targets::new(&[range], &[], services, vec![]).unwrap();
    let mut config = config(Depth::Versions);
    config.concurrency = 48;
    let seen = observations(scan(&targets, config).await);
    assert_eq!(seen.len(), 48);
    assert!(seen.iter().all(|seen| seen.outcome == Outcome::Certificate));
}

#[tokio::test]
async fn floods_are_cut_off() {
    let table: [(Vec<u8>, &str); 4] = [
        (record(21, &[1, 112]), "warnings"),
        (record(22, &handshake(0, b"")), "handshake messages"),
        (vec![22, 3, 3, 0, 0], "records of one conversation"),
        (
            record(22, &[&handshake(2, b"")[..1], &[0; 300]].concat()),
            "",
        ),
    ];
    for (piece, what) in table {
        let outcome = see(move |mut stream| {
            read_record(&mut stream);
            while say(&mut stream, &piece.repeat(64)) {}
        })
        .await
        .outcome;
        match &outcome {
            Outcome::TooLarge { what: found, .. } => assert_eq!(found, what),
            Outcome::Garbage { .. } => assert_eq!(what, "", "{outcome:?}"),
            _ => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn lengths_that_lie_and_messages_out_of_place_are_garbage() {
    let short = record(22, &handshake(2, &[3, 3, 9]));
    let lying = [22, 3, 3, 0xff, 0xff].to_vec();
    let table = [
        (lying, "a record that says it has 65535 bytes"),
        (short, "ServerHello: a length reaches beyond its end"),
        (record(22, &server_hello(0x1a1a)), "not offered"),
        (
            record(22, &handshake(11, b"")),
            "where a ServerHello belongs",
        ),
        (record(23, b"hello"), ""),
        (
            record(
                22,
                &[server_hello(0x002f), handshake(20, &[0; 12])].concat(),
            ),
            "out of place",
        ),
        (
            [record(22, &server_hello(0x002f)), record(20, &[1])].concat(),
            "type 20",
        ),
        (
            [record(22, &server_hello(0x002f)), b"xxxxx".to_vec()].concat(),
            "is no record",
        ),
        (record(21, &[2]), "an alert that is not two bytes long"),
        // The first hello does not go beyond TLS 1.2.
        (retry(), "not offered"),
    ];
    for (bytes, what) in table {
        match answer(bytes).await {
            Outcome::NotTls { .. } => assert_eq!(what, ""),
            outcome => garbage(&outcome, what),
        }
    }
    assert_eq!(
        answer(record(21, &[2, 40])).await,
        Outcome::Alert {
            level: 2,
            description: 40
        }
    );
}

/// Asks for a key of P-384.
fn retry() -> Vec<u8> {
    // RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest"; then supported_versions and a group.
    let random = crate::support::output(
        "openssl",
        &["dgst", "-sha256", "-binary"],
        b"HelloRetryRequest",
    );
    let extensions = [0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 0x18];
    let length = [0, extensions.len() as u8];
    let body = [
        &[3, 3],
        &random[..],
        &[0, 0x13, 0x01, 0],
        &length,
        &extensions,
    ]
    .concat();
    record(22, &handshake(2, &body))
}

/// RFC 8446 §4.1.4: a second one in the same connection is an error.
#[test]
fn a_server_may_ask_for_another_key_once() {
    let hello = Hello {
        versions: vec![Version::Tls12, Version::Tls13],
        suites: vec![0x1301],
        sni: None,
        alpn: Vec::new(),
        random: [1; 32],
        session_id: Vec::new(),
        extensions: Some(Extensions::default()),
    };
    let keys = Arc::new(KeyShares::new(&[1; 32]));
    let (mut client, _) = Client::new(hello, keys, Goal::Certificate);
    assert!(matches!(client.receive(&retry()), Ok(Step::Send(_))));
    let fault = client.receive(&retry()).unwrap_err();
    assert_eq!(
        fault,
        Fault::Garbage("a second HelloRetryRequest".to_owned())
    );
}

#[tokio::test]
async fn the_scanner_leaves_with_an_alert_and_a_fin_and_no_reset() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let peer = Peer::start(move |mut stream| {
        read_record(&mut stream);
        say(&mut stream, &flight(&[vec![0x30, 0]]));
        let mut rest = Vec::new();
        // A reset would be an error here instead of the end.
        let end = std::io::Read::read_to_end(&mut stream, &mut rest);
        let _ = sender.send((rest, end.is_ok()));
    });
    assert_eq!(
        look(peer.port, Depth::Certificate).await.outcome,
        Outcome::Certificate
    );
    let (rest, clean) = receiver.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(clean);
    // close_notify (RFC 5246 §7.2.1), and no ClientKeyExchange before it.
    assert_eq!(rest, [21, 3, 3, 0, 2, 1, 0]);
}

//! http-01 against servers good and bad (R09; RFC 8555 §8.3, RFC 8738).

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    KEY_AUTHORIZATION, Server, TOKEN, check, local_rules, ok, path_of, redirect, validator,
};
use agent::control::{ChallengeKind, Failure, FailureKind, Proof, Rules};

const NAME: &str = "pacs.hospital.example";

async fn http01(server: &Server) -> Result<Proof, Failure> {
    http01_by(server, |_| ()).await
}

async fn http01_by(server: &Server, change: impl FnOnce(&mut Rules)) -> Result<Proof, Failure> {
    let mut rules = local_rules(server.port());
    change(&mut rules);
    let hosts = [
        (NAME, "127.0.0.1"),
        ("www.hospital.example", "127.0.0.1"),
        ("meta.example", "169.254.169.254"),
    ];
    validator(&hosts)
        .check(check(ChallengeKind::Http01, NAME, rules))
        .await
}

fn kind(result: &Result<Proof, Failure>) -> Option<FailureKind> {
    result.as_ref().err().map(|f| f.kind)
}

#[tokio::test]
async fn rfc_8555_8_3_the_key_authorization_at_its_place_proves_control() {
    let seen = Arc::new(Mutex::new(String::new()));
    let note = seen.clone();
    let server = Server::http(move |head| {
        *note.lock().unwrap() = head.to_owned();
        ok(KEY_AUTHORIZATION)
    });
    let proof = http01(&server).await.unwrap();
    let head = seen.lock().unwrap().to_ascii_lowercase();
    let path = format!(
        "get /.well-known/acme-challenge/{} http/1.1\r\n",
        TOKEN.to_ascii_lowercase()
    );
    assert!(head.starts_with(&path), "{head}");
    assert!(
        head.contains(&format!("host: {NAME}:{}\r\n", server.port())),
        "{head}"
    );
    assert_eq!(proof.addresses, [server.address]);
    assert_eq!(proof.resolver.as_deref(), Some("hosts"));
    let json = serde_json::to_value(&proof).unwrap();
    assert_eq!(json["kind"], "http-01");
    assert_eq!(
        json["urls"][0],
        format!(
            "http://{NAME}:{}/.well-known/acme-challenge/{TOKEN}",
            server.port()
        )
    );
}

#[tokio::test]
async fn rfc_8555_8_3_whitespace_at_the_end_is_ignored_and_nothing_else() {
    for (body, accepted) in [
        (format!("{KEY_AUTHORIZATION}\n"), true),
        (format!("{KEY_AUTHORIZATION} \r\n\t\n"), true),
        (format!(" {KEY_AUTHORIZATION}"), false),
        (format!("{KEY_AUTHORIZATION}x"), false),
        (format!("{KEY_AUTHORIZATION}\0"), false),
        (KEY_AUTHORIZATION.to_ascii_lowercase(), false),
        (TOKEN.to_owned(), false),
        (String::new(), false),
    ] {
        let server = {
            let body = body.clone();
            Server::http(move |_| ok(&body))
        };
        let result = http01(&server).await;
        let expected = (!accepted).then_some(FailureKind::Unauthorized);
        assert_eq!(kind(&result), expected, "{body:?}: {result:?}");
    }
}

#[tokio::test]
async fn rfc_8738_3_addresses_are_connected_to_directly() {
    let heads = Arc::new(Mutex::new(String::new()));
    for (address, host) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        let note = heads.clone();
        let bind = format!("{host}:0");
        let server = Server::http_on(&bind, move |head| {
            *note.lock().unwrap() = head.to_ascii_lowercase();
            ok(KEY_AUTHORIZATION)
        });
        let asked = check(ChallengeKind::Http01, address, local_rules(server.port()));
        let proof = validator(&[]).check(asked).await.unwrap();
        assert_eq!(proof.addresses, [server.address]);
        assert_eq!(proof.resolver, None);
        let head = heads.lock().unwrap().clone();
        assert!(
            head.contains(&format!("host: {host}:{}\r\n", server.port())),
            "{head}"
        );
    }
}

#[tokio::test]
async fn other_codings_of_the_right_answer_are_right() {
    let (front, back) = KEY_AUTHORIZATION.split_at(30);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{front}\r\n{:x};x=y\r\n{back}\r\n0\r\n\r\n",
        front.len(),
        back.len()
    );
    let until_closed = format!("HTTP/1.1 200 OK\r\n\r\n{KEY_AUTHORIZATION}");
    let old = format!("HTTP/1.0 200 OK\r\n\r\n{KEY_AUTHORIZATION}");
    let after_hint = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{KEY_AUTHORIZATION}"
    );
    // Octets behind the announced end are not the answer's.
    let longer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{KEY_AUTHORIZATION}and more",
        KEY_AUTHORIZATION.len()
    );
    for answer in [chunked, until_closed, old, after_hint, longer] {
        let server = {
            let answer = answer.clone();
            Server::http(move |_| answer.clone().into_bytes())
        };
        let result = http01(&server).await;
        assert!(result.is_ok(), "{answer}: {result:?}");
    }
}

#[tokio::test]
async fn wrong_and_malformed_answers_are_named() {
    let length = KEY_AUTHORIZATION.len() + 1;
    let cases: Vec<(String, FailureKind)> = vec![
        (
            format!(
                "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{KEY_AUTHORIZATION}",
                KEY_AUTHORIZATION.len()
            ),
            FailureKind::Unauthorized,
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
            FailureKind::Unauthorized,
        ),
        (
            format!("HTTP/1.1 203 OK\r\n\r\n{KEY_AUTHORIZATION}"),
            FailureKind::Unauthorized,
        ),
        ("HTTP/1.1 500 No\r\n\r\n".into(), FailureKind::Unauthorized),
        (
            "HTTP/1.1 304 Not Modified\r\n\r\n".into(),
            FailureKind::Unauthorized,
        ),
        // Shorter than announced.
        (
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{KEY_AUTHORIZATION}"),
            FailureKind::Connection,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".into(),
            FailureKind::Connection,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into(),
            FailureKind::Connection,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n".into(),
            FailureKind::Connection,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n".into(),
            FailureKind::Connection,
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), FailureKind::Connection),
        (String::new(), FailureKind::Connection),
        (
            "HTTP/1.1 302 Found\r\n\r\n".into(),
            FailureKind::IncorrectResponse,
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n".into(),
            FailureKind::IncorrectResponse,
        ),
    ];
    for (answer, expected) in cases {
        let server = {
            let answer = answer.clone();
            Server::http(move |_| answer.clone().into_bytes())
        };
        let result = http01(&server).await;
        assert_eq!(kind(&result), Some(expected), "{answer}: {result:?}");
    }
}

#[tokio::test]
async fn every_redirect_status_is_followed_to_the_same_server() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::http(move |head| match path_of(head) {
            "/elsewhere" => ok(KEY_AUTHORIZATION),
            _ => redirect(status, "/elsewhere"),
        });
        let proof = http01(&server).await.unwrap();
        assert_eq!(proof.urls.len(), 2, "{status}");
        assert!(proof.urls[1].ends_with("/elsewhere"));
    }
    for status in [300, 305, 306] {
        let server = Server::http(move |_| redirect(status, "/elsewhere"));
        assert_eq!(
            kind(&http01(&server).await),
            Some(FailureKind::Unauthorized),
            "{status}"
        );
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_a_new_lookup_with_its_own_host_header() {
    let server = Server::http(|head| {
        if head
            .to_ascii_lowercase()
            .contains("\r\nhost: www.hospital.example")
        {
            return ok(KEY_AUTHORIZATION);
        }
        let port = head
            .split("hospital.example:")
            .nth(1)
            .and_then(|r| r.split("\r\n").next())
            .unwrap_or_default();
        redirect(302, &format!("http://www.hospital.example:{port}/x"))
    });
    let proof = http01(&server).await.unwrap();
    assert_eq!(proof.addresses.len(), 2);
}

#[tokio::test]
async fn redirects_that_lead_somewhere_they_must_not_are_refused() {
    for (location, why) in [
        (
            "http://169.254.169.254/latest/meta-data/",
            "may not be connected to",
        ),
        ("http://meta.example/latest/", "may not be connected to"),
        (
            "http://[::ffff:169.254.169.254]/",
            "may not be connected to",
        ),
        ("http://[64:ff9b::a9fe:a9fe]/", "may not be connected to"),
        ("http://0.0.0.0/", "may not be connected to"),
        ("http://www.hospital.example:22/", "port 22"),
        ("http://www.hospital.example:8500/v1/kv", "port 8500"),
        ("ftp://www.hospital.example/", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("http://user:secret@www.hospital.example/", "names a user"),
        ("http://2130706433/", "no name and no address"),
        ("http://www.hospital.example/\u{e4}", "characters"),
    ] {
        let server = Server::http(move |_| redirect(302, location));
        let failure = http01(&server).await.unwrap_err();
        assert!(failure.detail.contains(why), "{location}: {failure}");
        assert_eq!(server.connections(), 1, "{location}");
    }
}

/// The twin of the test above: loopback as such, not by a name in a list.
#[tokio::test]
async fn a_redirect_to_loopback_is_refused_unless_loopback_is_allowed() {
    let inner = Server::http(|_| ok(KEY_AUTHORIZATION));
    let port = inner.port();
    let outer = Server::http_on(&format!("127.0.0.2:{port}"), move |head| {
        redirect(302, &format!("http://{}:{port}/", &path_of(head)[28..]))
    });
    let hosts = [(NAME, "127.0.0.2"), ("xn--inner", "127.0.0.1")];
    let only_outer = Rules {
        allow: vec!["127.0.0.2".parse().unwrap()],
        ..local_rules(port)
    };
    for (i, target) in ["localhost", "xn--inner"].into_iter().enumerate() {
        let mut asked = check(ChallengeKind::Http01, NAME, only_outer.clone());
        asked.token = target.to_owned();
        asked.key_authorization = format!("{target}.print");
        let result = validator(&hosts).check(asked.clone()).await;
        assert_eq!(kind(&result), Some(FailureKind::Connection), "{result:?}");
        assert!(!result.unwrap_err().retry);
        assert_eq!((outer.connections(), inner.connections()), (2 * i + 1, i));
        asked.rules = local_rules(port);
        let failure = validator(&hosts).check(asked).await.unwrap_err();
        assert_eq!(
            failure.kind,
            FailureKind::Unauthorized,
            "the inner server answers: {failure}"
        );
        assert_eq!(inner.connections(), i + 1);
    }
}

#[tokio::test]
async fn without_being_allowed_loopback_is_not_even_connected_to() {
    let server = Server::http(|_| ok(KEY_AUTHORIZATION));
    for name in [NAME, "localhost", "127.0.0.1", "::ffff:127.0.0.1", "::1"] {
        let rules = Rules {
            http_port: server.port(),
            ..Rules::default()
        };
        let hosts = [(NAME, "127.0.0.1")];
        let result = validator(&hosts)
            .check(check(ChallengeKind::Http01, name, rules))
            .await;
        assert_eq!(kind(&result), Some(FailureKind::Connection), "{name}");
    }
    assert_eq!(server.connections(), 0);
    assert!(http01(&server).await.is_ok());
}

#[tokio::test]
async fn redirect_loops_and_long_ways_end() {
    let server = Server::http(|_| redirect(302, ""));
    let failure = http01(&server).await.unwrap_err();
    assert!(failure.detail.contains("loop"), "{failure}");
    assert_eq!(server.connections(), 1);

    let server =
        Server::http(|head| redirect(302, if path_of(head) == "/a" { "/b" } else { "/a" }));
    let failure = http01(&server).await.unwrap_err();
    assert!(failure.detail.contains("loop"), "{failure}");
    assert_eq!(server.connections(), 3);

    let step = Arc::new(AtomicUsize::new(0));
    let server =
        Server::http(move |_| redirect(302, &format!("/{}", step.fetch_add(1, Ordering::SeqCst))));
    let failure = http01(&server).await.unwrap_err();
    assert!(
        failure.detail.contains("more than 10 redirects"),
        "{failure}"
    );
    assert_eq!(server.connections(), 11);

    let step = Arc::new(AtomicUsize::new(0));
    let ten = Server::http(move |_| match step.fetch_add(1, Ordering::SeqCst) {
        10 => ok(KEY_AUTHORIZATION),
        n => redirect(302, &format!("/{n}")),
    });
    assert!(http01(&ten).await.is_ok());
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_step_and_no_more() {
    // Accepts and says nothing; says half a head; says a head and no body.
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n",
    ] {
        let server = Server::start(move |stream| {
            let _ = stream.write_all(answer.as_bytes());
            thread::sleep(Duration::from_secs(30));
        });
        let begun = Instant::now();
        let failure = http01(&server).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Connection);
        assert!(
            failure.retry && failure.detail.contains("no answer within 700 ms"),
            "{failure}"
        );
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_server_that_drips_costs_its_step_and_no_more() {
    let drip = |head: &'static str| {
        Server::start(move |stream| {
            let _ = stream.write_all(head.as_bytes());
            for _ in 0..1000 {
                if stream.write_all(b"a").is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        })
    };
    for head in [
        "",
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    ] {
        let server = drip(head);
        let begun = Instant::now();
        let failure = http01(&server).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Connection, "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

/// Each redirect is answered slowly, but within its step: the whole check still ends.
#[tokio::test]
async fn slow_redirects_end_with_the_whole_check() {
    let step = AtomicUsize::new(0);
    let server = Server::start(move |stream| {
        crate::support::request_head(stream);
        thread::sleep(Duration::from_millis(500));
        let next = format!("/{}", step.fetch_add(1, Ordering::SeqCst));
        let _ = stream.write_all(&redirect(302, &next));
    });
    let begun = Instant::now();
    let failure = http01_by(&server, |r| r.timeout_ms = 1_200)
        .await
        .unwrap_err();
    assert!(failure.detail.contains("for the whole check"), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_gigabyte_is_not_read() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
    let until_closed = "HTTP/1.1 200 OK\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n";
    let fields = "HTTP/1.1 200 OK\r\nX: ";
    let line = "HTTP/1.1 200 ";
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    for (head, expected) in [
        (announced, FailureKind::IncorrectResponse),
        (until_closed, FailureKind::IncorrectResponse),
        (chunked, FailureKind::IncorrectResponse),
        (fields, FailureKind::Connection),
        (line, FailureKind::Connection),
        (interim, FailureKind::Connection),
    ] {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let server = Server::start(move |stream| {
            crate::support::request_head(stream);
            let _ = stream.write_all(head.as_bytes());
            let block = match head {
                h if h == interim => interim.repeat(2_000).into_bytes(),
                _ => vec![b'a'; 65_536],
            };
            while count.load(Ordering::SeqCst) < 1 << 30 && stream.write_all(&block).is_ok() {
                count.fetch_add(block.len(), Ordering::SeqCst);
            }
        });
        let begun = Instant::now();
        let result = http01(&server).await;
        assert_eq!(kind(&result), Some(expected), "{head}: {result:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{head}: {:?}",
            begun.elapsed()
        );
        thread::sleep(Duration::from_millis(100));
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent < 32 << 20, "{head}: {sent} octets were taken");
    }
}

#[tokio::test]
async fn many_fields_are_refused_and_few_are_not() {
    for (count, accepted) in [(40, true), (1000, false)] {
        let fields: String = (0..count).map(|i| format!("X-{i}: y\r\n")).collect();
        let server = Server::http(move |_| {
            format!("HTTP/1.1 200 OK\r\n{fields}\r\n{KEY_AUTHORIZATION}").into_bytes()
        });
        assert_eq!(http01(&server).await.is_ok(), accepted, "{count}");
    }
}

#[tokio::test]
async fn nobody_there_is_a_connection_failure_worth_a_retry() {
    let port = crate::support::free_port();
    let result = validator(&[(NAME, "127.0.0.1")])
        .check(check(ChallengeKind::Http01, NAME, local_rules(port)))
        .await;
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection);
    assert!(failure.retry, "{failure}");
}

/// RFC 8305: IPv6 goes first; where nobody listens there, IPv4 does.
#[tokio::test]
async fn both_families_are_tried_ipv6_first() {
    let both = [(NAME, "127.0.0.1"), (NAME, "::1")];
    let v4 = Server::http(|_| ok(KEY_AUTHORIZATION));
    let only_v4 = check(ChallengeKind::Http01, NAME, local_rules(v4.port()));
    let proof = validator(&both).check(only_v4.clone()).await.unwrap();
    assert_eq!(proof.addresses, [v4.address]);
    let v6 = Server::http_on(&format!("[::1]:{}", v4.port()), |_| ok(KEY_AUTHORIZATION));
    let proof = validator(&both).check(only_v4).await.unwrap();
    assert_eq!(proof.addresses, [v6.address]);
    // An address that is refused does not spoil the other one.
    let rules = Rules {
        allow: vec!["127.0.0.1".parse().unwrap()],
        ..local_rules(v4.port())
    };
    let proof = validator(&both)
        .check(check(ChallengeKind::Http01, NAME, rules))
        .await
        .unwrap();
    assert_eq!(proof.addresses, [v4.address]);
}

#[tokio::test]
async fn another_hosts_answer_is_not_shown() {
    let server = Server::http(|head| match path_of(head) {
        "/secret" => ok("the secret of another host"),
        _ => redirect(
            302,
            &format!(
                "http://www.hospital.example:{}/secret",
                head.split(&format!("{NAME}:"))
                    .nth(1)
                    .and_then(|r| r.split("\r\n").next())
                    .unwrap_or_default()
            ),
        ),
    });
    let failure = http01(&server).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(!failure.detail.contains("secret of"), "{failure}");
    // Its own is: that is what helps.
    let server = Server::http(|_| ok("It works!\u{7}"));
    assert!(
        http01(&server)
            .await
            .unwrap_err()
            .detail
            .contains("It works!")
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anybody_is_asked() {
    let server = Server::http(|_| ok(KEY_AUTHORIZATION));
    let good = check(ChallengeKind::Http01, NAME, local_rules(server.port()));
    let wildcard = agent::control::Check {
        wildcard: true,
        ..good.clone()
    };
    let path = agent::control::Check {
        token: "../../admin".into(),
        key_authorization: "../../admin.x".into(),
        ..good.clone()
    };
    let other = agent::control::Check {
        key_authorization: "other.print".into(),
        ..good
    };
    for bad in [wildcard, path, other] {
        let result = validator(&[(NAME, "127.0.0.1")]).check(bad).await;
        assert_eq!(kind(&result), Some(FailureKind::Malformed), "{result:?}");
    }
    assert_eq!(server.connections(), 0);
}

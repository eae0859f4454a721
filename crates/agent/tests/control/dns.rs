//! Lookups against a DNS server that lies, hangs and changes its mind (R09; RFC 8555 §8.4, RFC 5452).

use std::time::{Duration, Instant};

use crate::support::{
    ACCOUNT, KEY_AUTHORIZATION, Server, check,
    dns::{A, AAAA, Asked, CAA, CNAME, DnsServer, TXT, a, code, message, name, record, txt},
    local_rules, ok, redirect,
};
use agent::control::{
    CaaQuery, ChallengeKind, Check, Failure, FailureKind, Proof, Rules, Validator,
};

const NAME: &str = "pacs.hospital.example";
const OWNER: &str = "_acme-challenge.pacs.hospital.example";
/// base64url(SHA-256(KEY_AUTHORIZATION)), by `openssl dgst -sha256 -binary | basenc --base64url`.
const DIGEST: &str = include_str!("../data/digest.txt");

fn rules(servers: &[&DnsServer]) -> Rules {
    Rules {
        resolvers: servers.iter().map(|s| s.address).collect(),
        ..local_rules(80)
    }
}

fn dns01(servers: &[&DnsServer]) -> Check {
    check(ChallengeKind::Dns01, NAME, rules(servers))
}

async fn run(check: Check) -> Result<Proof, Failure> {
    Validator::new().check(check).await
}

fn digest() -> &'static str {
    DIGEST.trim()
}

#[tokio::test]
async fn rfc_8555_8_4_the_digest_in_a_txt_record_proves_control() {
    let server = DnsServer::start(|q| vec![message(q, code(0), &[txt(OWNER, digest())])]);
    let proof = run(dns01(&[&server])).await.unwrap();
    assert_eq!(proof.names, [OWNER]);
    assert_eq!(proof.resolver, Some(server.address.to_string()));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].name.as_str(), asked[0].kind), (OWNER, TXT));
}

#[tokio::test]
async fn dns_account_01_asks_below_the_accounts_label() {
    let owner = "_ujmmovf2vn55tgye._acme-challenge.pacs.hospital.example";
    let server = DnsServer::start(move |q| match q.name == owner {
        true => vec![message(q, code(0), &[txt(owner, digest())])],
        false => vec![message(q, code(3), &[])],
    });
    let account = check(ChallengeKind::DnsAccount01, NAME, rules(&[&server]));
    assert!(run(account).await.is_ok());
    assert_eq!(
        run(dns01(&[&server])).await.unwrap_err().kind,
        FailureKind::Dns
    );
}

#[tokio::test]
async fn wrong_values_are_shown_and_failures_have_the_resolvers_words() {
    let wrong = DnsServer::start(|q| {
        vec![message(
            q,
            code(0),
            &[txt(OWNER, "old"), txt(OWNER, "v=spf1")],
        )]
    });
    let failure = run(dns01(&[&wrong])).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(
        failure.detail.contains("\"old\"") && failure.detail.contains(digest()),
        "{failure}"
    );

    for (rcode, word) in [
        (2, "SERVFAIL"),
        (5, "REFUSED"),
        (3, "NXDOMAIN"),
        (0, "no TXT"),
    ] {
        let server = DnsServer::start(move |q| vec![message(q, code(rcode), &[])]);
        let failure = run(dns01(&[&server])).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dns, "{failure}");
        assert!(failure.retry && failure.detail.contains(word), "{failure}");
    }

    // RFC 8914: option 15, DNSSEC bogus.
    let bogus = DnsServer::start(|q| {
        let mut m = message(q, code(2), &[]);
        m[11] = 1;
        m.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\x0f\0\x0f\0\x0b\0\x06signature");
        vec![m]
    });
    let failure = run(dns01(&[&bogus])).await.unwrap_err();
    assert!(
        failure.detail.contains("DNSSEC bogus: signature"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_answer_that_is_somebody_elses_is_not_taken() {
    let good = |q: &Asked| message(q, code(0), &[txt(OWNER, digest())]);
    // Forged ones first, the true one last: it counts.
    let spoofed = DnsServer::start(move |q| {
        let forged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut m = message(q, code(0), &[txt(OWNER, "forged")]);
            change(&mut m);
            m
        };
        vec![
            forged(&|m| m[0] ^= 0xff),
            forged(&|m| m[2] = 0x01),
            forged(&|m| m[13] ^= 1),
            b"x".to_vec(),
            good(q),
        ]
    });
    assert!(run(dns01(&[&spoofed])).await.is_ok());
    // Records at another name than the one asked for say nothing.
    let beside = DnsServer::start(|q| {
        vec![message(
            q,
            code(0),
            &[txt("_acme-challenge.other.example", digest())],
        )]
    });
    assert_eq!(
        run(dns01(&[&beside])).await.unwrap_err().kind,
        FailureKind::Dns
    );
}

#[tokio::test]
async fn malformed_and_endless_answers_end() {
    type Answers = fn(&Asked) -> Vec<Vec<u8>>;
    let cases: Vec<(&str, Answers)> = vec![
        ("pointer loop", |q| {
            let mut m = message(q, code(0), &[]);
            m[7] = 1;
            let at = u16::try_from(m.len()).unwrap() | 0xc000;
            m.extend(at.to_be_bytes());
            m.extend([0, 16, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
            vec![m]
        }),
        ("short", |q| vec![message(q, code(0), &[])[..20].to_vec()]),
        ("records that are not there", |q| {
            let mut m = message(q, code(0), &[]);
            m[6] = 0xff;
            vec![m]
        }),
        ("aliases in a circle", |q| {
            vec![message(
                q,
                code(0),
                &[
                    record(OWNER, CNAME, 0, &name("b.example")),
                    record("b.example", CNAME, 0, &name(OWNER)),
                ],
            )]
        }),
        ("alias to itself", |q| {
            vec![message(
                q,
                code(0),
                &[record(OWNER, CNAME, 0, &name(OWNER))],
            )]
        }),
        ("aliases without end", |q| {
            let next = format!("n{}.example", q.before);
            vec![message(
                q,
                code(0),
                &[record(&q.name, CNAME, 0, &name(&next))],
            )]
        }),
        ("nothing but noise", |q| {
            let mut m = message(q, code(0), &[]);
            m[0] ^= 1;
            vec![m; 100]
        }),
        ("silence", |_| vec![]),
    ];
    for (what, answer) in cases {
        let server = DnsServer::start(answer);
        let begun = Instant::now();
        let failure = run(dns01(&[&server])).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dns, "{what}: {failure}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        assert!(
            server.asked().len() <= 14,
            "{what}: {} questions",
            server.asked().len()
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_a_datagram_comes_over_tcp() {
    let long = "x".repeat(3000);
    let server = DnsServer::start(move |q| match q.tcp {
        false => vec![message(q, code(0) | 0x0200, &[])],
        true => vec![message(
            q,
            code(0),
            &[txt(OWNER, &long), txt(OWNER, digest())],
        )],
    });
    assert!(run(dns01(&[&server])).await.is_ok());
    assert_eq!(
        server.asked().iter().map(|q| q.tcp).collect::<Vec<_>>(),
        [false, true]
    );
    let lost = DnsServer::start(|q| vec![message(q, code(0) | 0x0200, &[])]);
    assert!(run(dns01(&[&lost])).await.is_err());
}

#[tokio::test]
async fn the_next_resolver_is_asked_and_lost_datagrams_are_sent_again() {
    let silent = DnsServer::start(|_| vec![]);
    let broken = DnsServer::start(|q| vec![message(q, code(2), &[])]);
    let good = DnsServer::start(|q| vec![message(q, code(0), &[txt(OWNER, digest())])]);
    assert!(run(dns01(&[&silent, &good])).await.is_ok());
    assert!(run(dns01(&[&broken, &good])).await.is_ok());
    // NXDOMAIN is an answer; nobody else is asked.
    let absent = DnsServer::start(|q| vec![message(q, code(3), &[])]);
    let before = good.asked().len();
    assert!(run(dns01(&[&absent, &good])).await.is_err());
    assert_eq!(good.asked().len(), before);
    let lossy = DnsServer::start(|q| match q.before {
        0 => vec![],
        _ => vec![message(q, code(0), &[txt(OWNER, digest())])],
    });
    assert!(run(dns01(&[&lossy])).await.is_ok());
    // RFC 6891 §7: a server from before EDNS.
    let old = DnsServer::start(|q| match q.before {
        0 => vec![message(q, code(1), &[])],
        _ => vec![message(q, code(0), &[txt(OWNER, digest())])],
    });
    assert!(run(dns01(&[&old])).await.is_ok());
}

fn http_by_dns(server: &Server, dns: &DnsServer, allow: &str) -> Check {
    let rules = Rules {
        resolvers: vec![dns.address],
        allow: vec![allow.parse().unwrap()],
        ..local_rules(server.port())
    };
    check(ChallengeKind::Http01, NAME, rules)
}

/// The name points to an allowed address when it is vetted and to a forbidden one ever after. There is
/// no second lookup between vetting and connecting; each redirect is looked up and vetted anew.
#[tokio::test]
async fn a_name_that_is_rebound_reaches_nothing_forbidden() {
    let rebinding = |ttl| {
        DnsServer::start(move |q| match (q.kind, q.before) {
            (AAAA, _) => vec![message(q, code(0), &[])],
            (_, 0 | 1) => vec![message(q, code(0), &[a(NAME, ttl, [127, 0, 0, 2])])],
            _ => vec![message(q, code(0), &[a(NAME, ttl, [127, 0, 0, 1])])],
        })
    };
    let forbidden = Server::http(|_| ok(KEY_AUTHORIZATION));
    let at = format!("127.0.0.2:{}", forbidden.port());
    let port = forbidden.port();
    let outer = Server::http_on(&at, move |_| {
        redirect(302, &format!("http://{NAME}:{port}/again"))
    });
    let dns = rebinding(0);
    let failure = run(http_by_dns(&outer, &dns, "127.0.0.2"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection, "{failure}");
    assert!(
        failure
            .detail
            .contains("127.0.0.1, where pacs.hospital.example points,"),
        "{failure}"
    );
    assert_eq!((outer.connections(), forbidden.connections()), (1, 0));
    assert_eq!(dns.asked().len(), 4);
    // One fetch, one lookup: A and AAAA.
    let plain = Server::http_on("127.0.0.2:0", |_| ok(KEY_AUTHORIZATION));
    let dns = rebinding(0);
    let proof = run(http_by_dns(&plain, &dns, "127.0.0.2")).await.unwrap();
    assert_eq!(proof.addresses, [plain.address]);
    assert_eq!(dns.asked().len(), 2);
}

#[tokio::test]
async fn names_that_point_to_forbidden_addresses_are_refused() {
    let server = Server::http(|_| ok(KEY_AUTHORIZATION));
    for address in [
        [127, 0, 0, 1],
        [169, 254, 169, 254],
        [0, 0, 0, 0],
        [224, 0, 0, 1],
    ] {
        let dns = DnsServer::start(move |q| match q.kind {
            A => vec![message(q, code(0), &[a(NAME, 60, address)])],
            _ => vec![message(q, code(0), &[])],
        });
        let failure = run(http_by_dns(&server, &dns, "127.0.0.9"))
            .await
            .unwrap_err();
        assert!(
            failure.detail.contains("may not be connected to"),
            "{failure}"
        );
        assert!(!failure.retry);
    }
    for inside in [[127, 0, 0, 1], [169, 254, 169, 254]] {
        let dns = DnsServer::start(move |q| match q.kind {
            AAAA => {
                let mapped = [&[0; 10][..], &[0xff, 0xff], &inside].concat();
                vec![message(q, code(0), &[record(NAME, AAAA, 60, &mapped)])]
            }
            _ => vec![message(q, code(0), &[])],
        });
        let failure = run(http_by_dns(&server, &dns, "127.0.0.9"))
            .await
            .unwrap_err();
        assert!(
            failure.detail.contains("may not be connected to"),
            "{failure}"
        );
    }
    assert_eq!(server.connections(), 0);
}

/// Addresses for their TTL (the same name is checked often); never TXT, which people correct.
#[tokio::test]
async fn addresses_are_remembered_for_their_ttl_and_txt_never() {
    let soa = |q: &Asked, ttl: u32| {
        let mut m = message(q, code(0), &[]);
        m[9] = 1;
        let rdata = [
            name("ns.example"),
            name("root.example"),
            vec![0; 16],
            ttl.to_be_bytes().to_vec(),
        ]
        .concat();
        m.extend(record("example", 6, ttl, &rdata));
        m
    };
    let server = Server::http(|_| ok(KEY_AUTHORIZATION));
    for (ttl, negative, questions) in [(60, 60, 2), (0, 60, 6), (60, 0, 6)] {
        let dns = DnsServer::start(move |q| match q.kind {
            A => vec![message(q, code(0), &[a(NAME, ttl, [127, 0, 0, 1])])],
            _ => vec![soa(q, negative)],
        });
        let validator = Validator::new();
        for _ in 0..3 {
            let checked = validator
                .check(http_by_dns(&server, &dns, "127.0.0.1"))
                .await;
            assert!(checked.is_ok(), "{checked:?}");
        }
        assert_eq!(dns.asked().len(), questions, "TTL {ttl}, {negative}");
    }
    let dns =
        DnsServer::start(|q| vec![message(q, code(0), &[record(OWNER, TXT, 3600, b"\x03old")])]);
    let validator = Validator::new();
    for _ in 0..2 {
        assert!(validator.check(dns01(&[&dns])).await.is_err());
    }
    assert_eq!(dns.asked().len(), 2);
}

fn caa_record(owner: &str, flags: u8, tag: &str, value: &str) -> Vec<u8> {
    let data = [
        &[flags, u8::try_from(tag.len()).unwrap()],
        tag.as_bytes(),
        value.as_bytes(),
    ]
    .concat();
    record(owner, CAA, 60, &data)
}

fn with_caa(dns: &DnsServer) -> Check {
    let caa = CaaQuery {
        identities: vec!["ca.hospital.example".into()],
        wildcard: false,
        validation_method: "dns-01".into(),
        account_url: ACCOUNT.into(),
    };
    Check {
        caa: Some(caa),
        ..dns01(&[dns])
    }
}

/// Answers TXT rightly and CAA at `owner` with `rcode` and one record.
fn caa_at(
    owner: &'static str,
    rcode: u16,
    flags: u8,
    tag: &'static str,
    value: &'static str,
) -> DnsServer {
    DnsServer::start(move |q| match (q.kind, q.name == owner) {
        (TXT, _) => vec![message(q, code(0), &[txt(OWNER, digest())])],
        (_, true) if rcode != 0 => vec![message(q, code(rcode), &[])],
        (_, true) => vec![message(q, code(0), &[caa_record(owner, flags, tag, value)])],
        _ => vec![message(q, code(3), &[])],
    })
}

#[tokio::test]
async fn rfc_8659_3_the_tree_is_climbed_to_the_first_records() {
    for (owner, questions) in [
        ("pacs.hospital.example", 1),
        ("hospital.example", 2),
        ("example", 3),
    ] {
        let good = caa_at(owner, 0, 0, "issue", "ca.hospital.example");
        let proof = run(with_caa(&good)).await.unwrap();
        assert_eq!(proof.caa.as_deref(), Some(owner));
        assert_eq!(
            good.asked().iter().filter(|q| q.kind == CAA).count(),
            questions
        );
        let bad = caa_at(owner, 0, 0, "issue", "letsencrypt.org");
        let failure = run(with_caa(&bad)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Caa);
        assert!(
            !failure.retry && failure.detail.contains(owner),
            "{failure}"
        );
        // Unless the check asks, nobody does.
        assert!(run(dns01(&[&bad])).await.is_ok());
    }
    let none = caa_at("nowhere", 0, 0, "issue", ";");
    assert_eq!(run(with_caa(&none)).await.unwrap().caa, None);
}

#[tokio::test]
async fn rfc_8659_in_doubt_the_answer_is_no() {
    let critical = caa_at("hospital.example", 0, 128, "tbs", "unknown");
    assert_eq!(
        run(with_caa(&critical)).await.unwrap_err().kind,
        FailureKind::Caa
    );
    for rcode in [2, 5] {
        let failing = caa_at("hospital.example", rcode, 0, "issue", "");
        let failure = run(with_caa(&failing)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Caa);
        assert!(failure.retry, "{failure}");
    }
    let malformed = DnsServer::start(|q| match q.kind {
        TXT => vec![message(q, code(0), &[txt(OWNER, digest())])],
        _ => vec![message(
            q,
            code(0),
            &[record(&q.name, CAA, 0, b"\x00\x09is")],
        )],
    });
    assert_eq!(
        run(with_caa(&malformed)).await.unwrap_err().kind,
        FailureKind::Caa
    );
}

/// §3: an alias is followed for its own records; without any, the climb goes on above the alias.
#[tokio::test]
async fn rfc_8659_3_aliases() {
    let dns = |value: &'static str| {
        DnsServer::start(move |q| match (q.kind, q.name.as_str()) {
            (TXT, _) => vec![message(q, code(0), &[txt(OWNER, digest())])],
            (_, NAME) => vec![message(
                q,
                code(0),
                &[
                    record(NAME, CNAME, 0, &name("cdn.example.net")),
                    caa_record("cdn.example.net", 0, "issue", value),
                ],
            )],
            (_, "example.net") => vec![message(
                q,
                code(0),
                &[caa_record("example.net", 0, "issue", ";")],
            )],
            _ => vec![message(q, code(0), &[])],
        })
    };
    let proof = run(with_caa(&dns("ca.hospital.example"))).await.unwrap();
    assert_eq!(
        proof.caa.as_deref(),
        Some("pacs.hospital.example → cdn.example.net")
    );
    assert_eq!(
        run(with_caa(&dns("other.example"))).await.unwrap_err().kind,
        FailureKind::Caa
    );
    let without = DnsServer::start(|q| match (q.kind, q.name.as_str()) {
        (TXT, _) => vec![message(q, code(0), &[txt(OWNER, digest())])],
        (_, NAME) => vec![message(
            q,
            code(0),
            &[record(NAME, CNAME, 0, &name("cdn.example.net"))],
        )],
        (_, "example.net") => vec![message(
            q,
            code(0),
            &[caa_record("example.net", 0, "issue", ";")],
        )],
        _ => vec![message(q, code(0), &[])],
    });
    assert_eq!(run(with_caa(&without)).await.unwrap().caa, None);
    assert!(without.asked().iter().all(|q| q.name != "example.net"));
}

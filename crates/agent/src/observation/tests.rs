//! The line format is what leaves a segment on a stick and is read years later: its text is pinned here.

use super::*;

fn whole() -> Observation {
    let place = Place::Network {
        address: "10.30.0.7".parse().unwrap(),
        port: 2762,
        sni: Some("pacs.example".to_owned()),
        starttls: Some(StartTls::Ldap),
    };
    let mut seen = Observation::new(7, "icu-scanner", How::Scan, place, Outcome::Certificate);
    seen.chain = vec![Der(vec![0x30, 0x00])];
    seen.tls = Some(TlsSeen {
        versions: vec![VersionSeen {
            version: Version::Tls12,
            suites: vec![0xc02f],
            server_order: Some(true),
            complete: true,
        }],
        negotiated: Some((Version::Tls12, 0xc02f)),
        beyond: Some(Version::Tls13),
        client_certificate: Some(ClientAuth {
            authorities: vec![Der(vec![0x30, 0x00])],
        }),
        ..TlsSeen::default()
    });
    seen
}

#[test]
fn a_line_is_written_as_it_always_was_and_read_back() {
    let text = r#"{"v":1,"at":7,"from":"icu-scanner","how":"scan","place":{"kind":"network","address":"10.30.0.7","port":2762,"sni":"pacs.example","starttls":"ldap"},"outcome":{"kind":"certificate"},"tls":{"versions":[{"version":"tls1.2","suites":[49199],"server_order":true,"complete":true}],"negotiated":["tls1.2",49199],"beyond":"tls1.3","client_certificate":{"authorities":["MAA="]}},"chain":["MAA="]}"#;
    assert_eq!(whole().line().unwrap(), text);
    assert_eq!(Observation::read(text).unwrap(), whole());
}

#[test]
fn every_outcome_and_place_survives_the_line() {
    let why = || "because".to_owned();
    let outcomes = [
        Outcome::Certificate,
        Outcome::NoCertificate { why: why() },
        Outcome::NotTls {
            first_bytes: "53534820".to_owned(),
        },
        Outcome::Closed,
        Outcome::Filtered,
        Outcome::Unreachable { why: why() },
        Outcome::Hung { after_ms: 5000 },
        Outcome::Alert {
            level: 2,
            description: 40,
        },
        Outcome::Garbage { what: why() },
        Outcome::TooLarge {
            what: why(),
            limit: 200,
        },
        Outcome::Excluded { rule: why() },
        Outcome::Stopped { rule: why() },
        Outcome::NoAddress { why: why() },
        Outcome::Failed { why: why() },
    ];
    let places = [
        Place::Network {
            address: "::1".parse().unwrap(),
            port: 443,
            sni: None,
            starttls: None,
        },
        Place::Client {
            address: "10.30.0.9".parse().unwrap(),
            server: "10.30.0.7".parse().unwrap(),
            port: 2762,
        },
        Place::Name {
            name: "gone.example".to_owned(),
            port: 443,
        },
        Place::File {
            host: "h".to_owned(),
            path: "/p".to_owned(),
            alias: None,
        },
        Place::Log {
            name: "argon".to_owned(),
            index: u64::MAX,
        },
    ];
    for outcome in outcomes {
        for place in places.clone() {
            let one = Observation::new(-1, "", How::Import, place, outcome.clone());
            assert_eq!(Observation::read(&one.line().unwrap()).unwrap(), one);
        }
    }
}

#[test]
fn what_files_tell_survives_the_line() {
    let place = Place::File {
        host: "pacs".to_owned(),
        path: "/etc/ssl/pacs.pem".to_owned(),
        alias: None,
    };
    let mut one = Observation::new(1, "", How::File, place, Outcome::Certificate);
    one.file = Some(FileSeen {
        format: FileFormat::Pem,
        key: Some(KeySeen {
            path: "/etc/ssl/pacs.key".to_owned(),
            matches: Some(true),
            encrypted: false,
            mode: Some(0o640),
        }),
        serves: vec![Serves {
            by: "nginx".to_owned(),
            config: "/etc/nginx/nginx.conf".to_owned(),
            line: 7,
            purpose: Use::Server,
            names: vec!["pacs.example".to_owned()],
            addresses: vec!["*:443".to_owned()],
        }],
    });
    assert_eq!(Observation::read(&one.line().unwrap()).unwrap(), one);
}

#[test]
fn another_form_and_too_long_a_line_are_refused_with_the_reason() {
    let line = whole().line().unwrap();
    let newer = line.replacen("\"v\":1", "\"v\":2", 1);
    let text = Observation::read(&newer).unwrap_err().to_string();
    assert!(text.contains("form 2 is not known here"), "{text}");
    let long = " ".repeat(LINE_LIMIT + 1);
    assert_eq!(
        Observation::read(&long),
        Err(LineError::TooLong(LINE_LIMIT + 1))
    );
}

#[test]
fn names_of_starttls_and_versions_go_both_ways() {
    for known in StartTls::ALL {
        assert_eq!(StartTls::from_name(known.name()), Some(known));
    }
    assert_eq!(StartTls::from_name("SMTP"), None);
    for version in Version::ALL {
        assert_eq!(Version::from_wire(version.wire()), Some(version));
    }
    assert!(Version::Ssl3 < Version::Tls13);
}

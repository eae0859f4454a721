//! Captures of real servers and clients (`captures/make.py`): Ward sees what OpenSSL was given to serve and what tshark
//! reads in the same files.

use std::{collections::BTreeSet, fs, path::PathBuf};

use agent::{
    capture::{End, Limits, Summary, read},
    observation::{Observation, Outcome, Place, StartTls, Version},
};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/captures")
        .join(name)
}

/// What Ward makes of a capture, and what others said is in it.
fn observed(name: &str) -> (Vec<Observation>, Summary, Value) {
    let mut found = Vec::new();
    let source = fs::File::open(file(name)).unwrap();
    let summary = read(source, name, Limits::default(), |o| found.push(o)).unwrap();
    assert_eq!(summary.end, Some(End::Whole), "{name}");
    assert_eq!(
        summary.connections,
        summary.ended.total(),
        "{name}: {summary:?}"
    );
    let counted = summary.segments + summary.not_segments.total();
    assert_eq!(summary.packets, counted, "{name}: {summary:?}");
    assert_eq!(summary.observations, found.len() as u64, "{name}");
    let expected = file(name).with_extension("json");
    let expected = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
    (found, summary, expected)
}

fn fingerprints(observation: &Observation) -> Vec<String> {
    let hex = |der: &[u8]| {
        digest(&SHA256, der)
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    observation
        .chain
        .iter()
        .map(|der| hex(der.bytes()))
        .collect()
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    list.iter()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect()
}

fn is_server(observation: &&Observation) -> bool {
    matches!(observation.place, Place::Network { .. })
}

/// Version and suite of every handshake, and the names asked for, as tshark has them.
fn agrees_with_tshark(name: &str, found: &[Observation], expected: &Value) {
    let negotiated: BTreeSet<(u16, u16)> = found
        .iter()
        .filter_map(|o| o.tls.as_ref()?.negotiated)
        .map(|(version, suite)| (version.wire(), suite))
        .collect();
    let by_tshark: BTreeSet<(u16, u16)> = expected["negotiated"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let version = pair[0].as_str().unwrap().trim_start_matches("0x");
            let suite = pair[1].as_u64().unwrap() as u16;
            (u16::from_str_radix(version, 16).unwrap(), suite)
        })
        .collect();
    assert_eq!(negotiated, by_tshark, "{name}");
    let names: BTreeSet<String> = found
        .iter()
        .filter_map(|o| match &o.place {
            Place::Network { sni, .. } => sni.clone(),
            _ => None,
        })
        .collect();
    let by_tshark = strings(&expected["names"])
        .iter()
        .map(|n| n.to_lowercase())
        .collect();
    assert_eq!(names, by_tshark, "{name}");
}

#[test]
fn r53_the_chain_is_what_the_server_was_given_up_to_tls_1_2() {
    let cases = [
        ("tls10-rsa.pcap", Version::Tls10),
        ("tls11-dhe.pcap", Version::Tls11),
        ("tls12-chain.pcap", Version::Tls12),
        ("tls12-mutual.pcapng", Version::Tls12),
        ("dicom.pcap", Version::Tls12),
        ("postgres.pcap", Version::Tls12),
        ("starttls.pcap", Version::Tls12),
    ];
    for (name, version) in cases {
        let (found, _, expected) = observed(name);
        agrees_with_tshark(name, &found, &expected);
        let servers: Vec<_> = found.iter().filter(is_server).collect();
        assert!(!servers.is_empty(), "{name}");
        for server in servers {
            assert_eq!(server.outcome, Outcome::Certificate, "{name}");
            assert_eq!(fingerprints(server), strings(&expected["server"]), "{name}");
            let tls = server.tls.as_ref().unwrap();
            assert_eq!(tls.negotiated.unwrap().0, version, "{name}");
            assert!(server.at > 1_700_000_000_000, "{name}: milliseconds");
        }
    }
}

#[test]
fn what_the_handshake_tells_beside_the_chain() {
    let (found, ..) = observed("tls11-dhe.pcap");
    let tls = found[0].tls.as_ref().unwrap();
    // s_server's built-in parameters have the size of the certificate's key.
    assert_eq!(tls.key_exchange_bits, Some(2048));
    assert_eq!(tls.renegotiation_info, Some(true));

    let (found, _, expected) = observed("tls12-chain.pcap");
    let tls = found[0].tls.as_ref().unwrap();
    assert_eq!(tls.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(tls.group, Some(29), "x25519");
    assert_eq!(tls.signature, Some(0x0403), "ecdsa_secp256r1_sha256");
    let staple = digest(&SHA256, tls.ocsp_staple.as_ref().unwrap().bytes());
    let hex: String = staple.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, expected["staple"]);
    assert_eq!(tls.extended_master_secret, Some(true));
}

#[test]
fn r53_a_client_certificate_seen_on_the_wire_is_inventory() {
    for name in ["tls12-mutual.pcapng", "dicom.pcap"] {
        let (found, _, expected) = observed(name);
        let client = found.iter().find(|o| !is_server(o));
        let client = client.unwrap();
        assert_eq!(fingerprints(client), strings(&expected["client"]), "{name}");
        let server = found.iter().find(is_server).unwrap();
        let (
            Place::Client {
                server: called,
                port,
                ..
            },
            Place::Network {
                address, port: own, ..
            },
        ) = (&client.place, &server.place)
        else {
            panic!("{name}: {:?}", client.place);
        };
        assert_eq!((called, port), (address, own), "{name}");
        let asked = server.tls.as_ref().unwrap().client_certificate.as_ref();
        let authorities = strings(&expected["authorities"]).len();
        assert_eq!(asked.unwrap().authorities.len(), authorities, "{name}");
    }
}

#[test]
fn r53_protocols_that_change_to_tls_are_told_apart() {
    for name in ["starttls.pcap", "postgres.pcap"] {
        let (found, _, expected) = observed(name);
        let protocols = expected["protocols"].as_object().unwrap();
        assert_eq!(found.len(), protocols.len(), "{name}: {found:#?}");
        for observation in found {
            let Place::Network { port, starttls, .. } = observation.place else {
                panic!("{name}");
            };
            let expected = protocols[&port.to_string()]
                .as_str()
                .and_then(StartTls::from_name);
            assert_eq!(starttls, expected, "{name} {port}");
        }
    }
}

#[test]
fn what_shows_no_certificate_says_why() {
    let why = |text: &str| Outcome::NoCertificate {
        why: text.to_owned(),
    };
    let no_proof = "an anonymous or pre-shared key, or a resumed session";
    let cases = [
        ("tls13-retry.pcap", why("TLS 1.3 encrypts it")),
        ("tls12-anonymous.pcap", why(no_proof)),
        // protocol_version (RFC 8446 §6): the server speaks TLS 1.3 only, the client 1.2.
        (
            "refused.pcap",
            Outcome::Alert {
                level: 2,
                description: 70,
            },
        ),
    ];
    for (name, outcome) in cases {
        let (found, _, expected) = observed(name);
        agrees_with_tshark(name, &found, &expected);
        let outcomes: Vec<_> = found.iter().map(|o| o.outcome.clone()).collect();
        assert_eq!(outcomes, [outcome], "{name}");
    }
    let (found, ..) = observed("tls13-retry.pcap");
    assert_eq!(
        found[0].tls.as_ref().unwrap().group,
        Some(24),
        "secp384r1, after a retry"
    );
    let (found, ..) = observed("tls12-resumed.pcap");
    let outcomes: Vec<_> = found.iter().map(|o| o.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Certificate, why(no_proof)]);
}

#[test]
fn plain_text_is_noted_by_what_the_server_says_first() {
    let (found, summary, _) = observed("hl7-plain.pcap");
    // The start block of MLLP and the head of an acknowledgement; nothing of what the client sent.
    let first_bytes = "0b4d53487c5e7e5c267c4548527c487c".to_owned();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].outcome, Outcome::NotTls { first_bytes });
    assert_eq!(summary.ended.not_tls, 1);
}

#[test]
fn the_same_certificate_at_the_same_place_is_said_once() {
    let (found, summary, _) = observed("tls12-chain.pcap");
    // The second of both handshakes negotiated the same and showed the same.
    assert_eq!((found.len(), summary.repeated), (1, 1));
}

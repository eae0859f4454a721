//! Orders, batches and folders for the tests.

use agent::observation::{Form, How, Observation, Outcome, Place};
use agent::relay::{Ceiling, Draft, Order, Said, Signed, signed_text};
use agent::scan::{Depth, Limits};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::{IpAddr, Ipv4Addr};

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: i64 = 1_795_348_800_000;

pub(crate) fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

pub(crate) fn public() -> [u8; 32] {
    key().public_key().as_ref().try_into().unwrap()
}

pub(crate) fn signed(order: &Order) -> Signed {
    let text = serde_json::to_string(order).unwrap();
    let signature = key().sign(signed_text(&text).as_bytes());
    Signed {
        signature: STANDARD.encode(signature),
        order: text,
    }
}

pub(crate) fn order(id: &str) -> Order {
    Order {
        v: Form,
        id: id.to_owned(),
        agent: "icu-1".to_owned(),
        segment: "icu".to_owned(),
        issued: NOW,
        expires: NOW + 86_400_000,
        ranges: vec!["10.30.4.0/23".parse().unwrap()],
        services: "443".to_owned(),
        names: Vec::new(),
        depth: Depth::Certificate,
        concurrency: 4,
        pause_ms: 0,
        limits: Limits {
            ranges: vec!["10.30.4.0/23".parse().unwrap()],
            ..Limits::default()
        },
        seed: "07".repeat(32),
        cursor: None,
    }
}

pub(crate) fn ceiling() -> Ceiling {
    Ceiling {
        ranges: vec!["10.30.0.0/16".parse().unwrap()],
        ports: vec![(443, 443), (8000, 8999)],
        rate: Some(100.0),
        raw_print: false,
    }
}

pub(crate) fn observation(number: u32) -> Observation {
    let place = Place::Network {
        address: IpAddr::V4(Ipv4Addr::from(0x0a1e_0400 + number)),
        port: 443,
        sni: None,
        starttls: None,
    };
    let at = NOW + i64::from(number);
    Observation::new(at, "agent icu-1", How::Scan, place, Outcome::Closed)
}

pub(crate) fn draft(numbers: &[u32]) -> Draft {
    let lines = numbers.iter().map(|number| observation(*number).line());
    Draft {
        order: "o1".to_owned(),
        cursor: None,
        said: Vec::<Said>::new(),
        lines: lines.collect::<Result<_, _>>().unwrap(),
    }
}

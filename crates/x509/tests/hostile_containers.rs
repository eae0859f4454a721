//! No input makes a parser panic or run away: real objects damaged at random, and random bytes.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use std::sync::OnceLock;

use authority::{ALGORITHM, Bench, Entity};
use proptest::prelude::*;
use x509::{
    crl::CertificateList,
    describe::{describe, render_text},
    ocsp, pkcs7, pkcs12,
};

/// One real object of each kind.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let ca = Entity::root("Hostile");
        let leaf = Entity::leaf(&ca, "leaf", &[5]);
        let bench = Bench::new();
        bench
            .write("ca.pem", ca.certificate.to_pem())
            .write("leaf.pem", leaf.certificate.to_pem())
            .write("leaf.key", leaf.key_pem())
            .write("message", "m");
        bench.run("openssl cms -sign -stream -binary -nodetach -in message -signer leaf.pem -inkey leaf.key -outform DER -out ber");
        bench.run("openssl pkcs12 -export -in leaf.pem -inkey leaf.key -iter 1 -passout pass:x -out p12");
        bench.run("openssl ocsp -issuer ca.pem -cert leaf.pem -reqout req");
        let id = ocsp::IssuerId::new(ca.certificate.subject(), &ca.public_key());
        let tbs = ocsp::ResponseData {
            responder: ocsp::ResponderId::by_name(&ca.certificate),
            produced_at: x509::Time(0),
            responses: vec![ocsp::SingleResponse {
                cert_id: id.cert_id_sha1(&[5]),
                status: ocsp::SingleStatus::Good,
                this_update: x509::Time(0),
                next_update: None,
                archive_cutoff: None,
            }],
            nonce: None,
        }
        .encode();
        let response = ocsp::assemble_response(&tbs, ALGORITHM, &ca.sign(&tbs), &[]);
        vec![
            bench.read("ber"),
            bench.read("p12"),
            bench.read("req"),
            response,
            include_bytes!("data/openssl.crl").to_vec(),
            pkcs7::build([leaf.certificate.der()], [include_bytes!("data/openssl.crl")]),
            leaf.certificate.der().to_vec(),
        ]
    })
}

fn try_everything(input: &[u8]) {
    if let Ok(list) = CertificateList::from_der(input) {
        let _ = list.entries().count();
        let _ = list.find(&[0x30, 0x39]);
        let _ = (list.number(), list.issuing_distribution_point());
    }
    let _ = ocsp::Request::parse(input).map(|request| request.encode());
    let _ = ocsp::Response::parse(input);
    let _ = pkcs7::parse(input);
    let _ = pkcs12::outline(input);
    // Not with a password: damage can ask for ten million iterations, which are refused only above.
    let _ = describe(input).map(|value| render_text(&value));
    let _ = x509::convert::certificates(input);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_objects_do_no_harm(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut input = which.get(samples()).clone();
        for (at, value) in edits {
            let at = at.index(input.len());
            input[at] = value;
        }
        if let Some(cut) = cut {
            input.truncate(cut.index(input.len()));
        }
        try_everything(&input);
    }

    #[test]
    fn random_bytes_do_no_harm(mut input in prop::collection::vec(any::<u8>(), 0..512), sequence in any::<bool>()) {
        if sequence && !input.is_empty() {
            input[0] = 0x30;
        }
        try_everything(&input);
        let _ = pkcs12::parse(&input, "x");
        let _ = ocsp::decode_get_path(&String::from_utf8_lossy(&input));
    }
}

//! No input makes a reader of status messages or containers panic or run away: real objects damaged at random, and
//! random bytes. The fuzz targets run the same functions.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use std::sync::OnceLock;

use authority::{ALGORITHM, Bench, Entity};
use proptest::prelude::*;
use x509::{exercise, ocsp, pkcs7};

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
        bench.run("openssl pkcs12 -export -in leaf.pem -inkey leaf.key -iter 1 -nomaciter -passout pass:x -out p12");
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
    exercise::crl(input);
    exercise::ocsp_request(input);
    exercise::ocsp_response(input);
    exercise::pkcs7(input);
    exercise::pkcs12(input);
    exercise::describe(input);
}

#[test]
fn samples_survive_everything() {
    samples().iter().for_each(|sample| try_everything(sample));
}

proptest! {
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
    }
}

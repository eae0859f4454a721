//! PKCS #7 bundles against OpenSSL and GnuTLS, in DER and in streamed BER (R27, R28).

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use authority::{Bench, Entity};
use x509::{Certificate, oids, pkcs7};

const NONE: [&[u8]; 0] = [];

struct Scene {
    bench: Bench,
    chain: Vec<Certificate>,
}

fn scene() -> Scene {
    let ca = Entity::root("Bundle root");
    let leaf = Entity::leaf(&ca, "gateway", &[0x7f, 1]);
    let bench = Bench::new();
    bench
        .write("ca.pem", ca.certificate.to_pem())
        .write("leaf.pem", leaf.certificate.to_pem())
        .write("leaf.key", leaf.key_pem())
        .write("message", "anchors\n");
    Scene {
        bench,
        chain: vec![leaf.certificate, ca.certificate],
    }
}

#[test]
fn openssl_and_gnutls_read_our_bundle_leaf_first() {
    let Scene { bench, chain } = scene();
    let der = pkcs7::build(chain.iter().map(Certificate::der), NONE);
    bench.write("chain.p7b", &der);
    let text = bench.run("openssl pkcs7 -inform DER -in chain.p7b -print_certs");
    let (leaf, root) = (
        text.find("CN = gateway"),
        text.find("subject=O = Ward Test Hospital, CN = Bundle root"),
    );
    assert!(leaf.is_some() && leaf < root, "{text}");
    let gnutls = bench.run("certtool --p7-info --inder --infile chain.p7b");
    assert!(gnutls.contains("Number of certificates: 2"), "{gnutls}");

    let read = pkcs7::parse(&der).unwrap();
    assert_eq!(read.certificates, chain);
    assert_eq!((read.signers, read.content), (0, None));
}

#[test]
fn reads_bundles_of_others() {
    let Scene { bench, chain } = scene();
    bench.run(
        "openssl crl2pkcs7 -nocrl -certfile leaf.pem -certfile ca.pem -outform DER -out o.p7b",
    );
    assert_eq!(
        pkcs7::parse(&bench.read("o.p7b")).unwrap().certificates,
        chain
    );
}

#[test]
fn a_signed_message_gives_its_certificates_in_der_and_ber() {
    let Scene { bench, chain } = scene();
    let sign = "openssl cms -sign -binary -nodetach -in message -signer leaf.pem -inkey leaf.key -certfile ca.pem -outform DER";
    for (arguments, streamed) in [("", false), (" -stream", true)] {
        bench.run(&format!("{sign} -out m.p7m{arguments}"));
        let message = bench.read("m.p7m");
        assert_eq!(
            message[1] == 0x80,
            streamed,
            "the writer chose another length form"
        );
        let read = pkcs7::parse(&message).unwrap();
        assert_eq!(read.content_type, oids::DATA);
        assert_eq!(read.content.as_deref(), Some(&b"anchors\n"[..]));
        assert_eq!(read.signers, 1);
        for certificate in &chain {
            assert!(read.certificates.contains(certificate));
        }
    }
}

#[test]
fn crls_travel_too() {
    let Scene { bench, chain } = scene();
    let crl = include_bytes!("data/openssl.crl");
    let der = pkcs7::build(chain.iter().map(Certificate::der), [&crl[..]]);
    assert_eq!(pkcs7::parse(&der).unwrap().crls, [crl.to_vec()]);
    bench.write("both.p7b", &der);
    let text = bench.run("openssl pkcs7 -inform DER -in both.p7b -print_certs");
    assert!(text.contains("BEGIN X509 CRL"), "{text}");
}

#[test]
fn what_is_no_signed_data_is_refused() {
    let Scene { bench, .. } = scene();
    bench.run("openssl cms -encrypt -in message -outform DER -out e.p7m leaf.pem ca.pem");
    let error = pkcs7::parse(&bench.read("e.p7m")).unwrap_err().to_string();
    assert!(error.contains("unsupported CMS content type"), "{error}");
    for broken in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0], &[0xff; 64]] {
        assert!(pkcs7::parse(broken).is_err());
    }
}

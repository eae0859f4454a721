//! What strangers send to the public documents: OCSP, CRLs, issuer certificates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509::der::{self, Tag};
use x509::{Oid, ocsp};

use crate::Target;

const KIND: &str = "Content-Type: application/ocsp-request";

/// An OCSP request for so many serial numbers of an issuer that is not ours (RFC 6960 §4.1.1).
fn request(count: usize) -> Vec<u8> {
    let sha1: Oid = "1.3.14.3.2.26".parse().unwrap();
    der::sequence(|w| {
        w.sequence(|w| {
            w.sequence(|w| {
                for serial in 0..count {
                    w.sequence(|w| {
                        w.sequence(|w| {
                            w.sequence(|w| {
                                w.oid(&sha1).null();
                            });
                            w.octet_string(&[7; 20]).octet_string(&[7; 20]);
                            w.u64(serial as u64 + 1);
                        });
                    });
                }
            });
        });
    })
}

async fn post(target: &Target, body: &[u8]) -> (u16, Vec<u8>) {
    let url = target.public("/ocsp");
    let answer = target.send("POST", &url, &[KIND], body).await;
    assert_eq!(answer.kind, "application/ocsp-response", "{answer:?}");
    (answer.status, answer.body.into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_ocsp_bodies_that_are_no_requests() {
    let target = Target::start().await;
    let sound = request(1);
    let mut trailing = sound.clone();
    trailing.extend([0; 3]);
    let mut future = sound.clone();
    let signed_by_nobody = der::sequence(|w| {
        w.raw(&sound[4..]);
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.null();
            });
        });
    });
    future[2] ^= 0x40;
    for (what, body) in [
        ("one octet", vec![0]),
        ("text", b"GET me a certificate".to_vec()),
        ("half of one", sound[..sound.len() / 2].to_vec()),
        ("octets after it", trailing),
        ("a bit", future),
        ("an odd signature", signed_by_nobody),
        ("no certificate", request(0)),
        ("a thousand certificates", request(1000)),
        ("70,000 octets", vec![0x30; 70_000]),
        (
            "a length of 4 GiB",
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ),
        ("deep", [0x30, 0x80].repeat(10_000)),
    ] {
        let (status, said) = post(&target, &body).await;
        assert_eq!(status, 200, "{what}");
        assert_eq!(said, ocsp::errors::MALFORMED_REQUEST, "{what}");
    }
    // A sound question about somebody else's certificates (RFC 5019 §2.2.3).
    let (status, said) = post(&target, &request(2)).await;
    assert_eq!(
        (status, said.as_slice()),
        (200, &ocsp::errors::UNAUTHORIZED[..])
    );
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_paths_of_public_documents() {
    let target = Target::start().await;
    let sound = STANDARD.encode(request(1));
    let long = STANDARD.encode(request(200));
    let malformed = String::from_utf8(ocsp::errors::MALFORMED_REQUEST.to_vec()).unwrap();
    let unauthorized = String::from_utf8(ocsp::errors::UNAUTHORIZED.to_vec()).unwrap();
    // RFC 6960 A.1: base64, URL-encoded; real clients leave `/` and `+` as they are.
    let asked = [
        ("!!!!".to_owned(), 200, &malformed),
        ("%00".to_owned(), 200, &malformed),
        ("%ff%fe".to_owned(), 200, &malformed),
        ("%".to_owned(), 200, &malformed),
        ("%zz".to_owned(), 200, &malformed),
        (
            format!("{}====", sound.trim_end_matches('=')),
            200,
            &malformed,
        ),
        (sound[..sound.len() / 2].to_owned(), 200, &malformed),
        (format!("../{sound}"), 200, &malformed),
        (
            sound
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D"),
            200,
            &unauthorized,
        ),
        (sound.clone(), 200, &unauthorized),
        (long, 200, &unauthorized),
    ];
    for (path, status, body) in asked {
        let answer = target
            .send("GET", &target.public(&format!("/ocsp/{path}")), &[], b"")
            .await;
        assert_eq!((answer.status, &answer.body), (status, body), "{path}");
    }
    for (method, path, status) in [
        ("GET", "/ocsp", 405),
        ("PUT", "/ocsp", 405),
        ("DELETE", "/ocsp/abcd", 405),
        ("GET", "/ocspx", 404),
        ("GET", "/crl/", 404),
        ("GET", "/crl/nothing.crl", 404),
        ("GET", "/crl/../../../etc/passwd", 404),
        ("GET", "/crl/..%2f..%2fetc%2fpasswd.crl", 404),
        ("GET", "/crl/servers/99999999999999999999.crl", 404),
        ("GET", "/crl/servers/-1.crl", 404),
        ("GET", "/crl/servers/4294967295.crl", 404),
        ("GET", "/crl/servers%00.crl", 404),
        ("GET", "/aia/../ward.db", 404),
        ("GET", "/aia/nothing.cer", 404),
        ("GET", "/aia/servers.cer.cer", 404),
        ("POST", "/aia/servers.cer", 404),
        ("GET", "/api/v1/certificates", 404),
        ("GET", "/log/tile/entries/000", 404),
        ("GET", "//etc/passwd", 404),
        ("HEAD", "/aia/servers.cer", 200),
        ("HEAD", "/crl/servers.crl", 200),
    ] {
        let answer = target.send(method, &target.public(path), &[], b"").await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(!answer.body.contains("root:"), "{path}");
    }
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

//! OCSP (R13): our answers judged by OpenSSL and GnuTLS, their requests and answers read by us.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use authority::{ALGORITHM, Bench, Entity, now};
use x509::{
    Certificate, Time,
    crl::Reason,
    der::{self, Tag},
    ocsp::{
        CertId, HashAlgorithm, IssuerId, MAX_REQUESTS, Nonce, Query, Request, ResponderId,
        Response, ResponseData, ResponseStatus, SingleResponse, SingleStatus, VerifyError,
        assemble_response, decode_get_path, errors,
    },
    oids,
};

const SERIAL: &[u8] = &[0x30, 0x39];

struct Scene {
    ca: Entity,
    leaf: Entity,
    responder: Entity,
}

impl Scene {
    fn new() -> Scene {
        let ca = Entity::root("OCSP root");
        Scene {
            leaf: Entity::leaf(&ca, "pump-1", SERIAL),
            responder: Entity::ocsp_responder(&ca),
            ca,
        }
    }

    fn bench(&self) -> Bench {
        let bench = Bench::new();
        bench
            .write("ca.pem", self.ca.certificate.to_pem())
            .write("ca.key", self.ca.key_pem())
            .write("responder.pem", self.responder.certificate.to_pem())
            .write("responder.key", self.responder.key_pem())
            .write("leaf.pem", self.leaf.certificate.to_pem());
        bench
    }

    fn issuer_id(&self) -> IssuerId {
        issuer_id(&self.ca.certificate)
    }

    fn query<'a>(&'a self, nonce: Option<&'a Nonce>) -> Query<'a> {
        Query {
            issuer: &self.ca.certificate,
            serial: SERIAL,
            nonce,
        }
    }
}

fn issuer_id(certificate: &Certificate) -> IssuerId {
    IssuerId::new(certificate.subject(), &certificate.public_key().unwrap())
}

fn data(signer: &Entity, id: CertId, status: SingleStatus, nonce: Option<Nonce>) -> ResponseData {
    ResponseData {
        responder: ResponderId::by_name(&signer.certificate),
        produced_at: now(),
        responses: vec![SingleResponse {
            cert_id: id,
            status,
            this_update: now().plus_seconds(-10),
            next_update: Some(now().plus_days(1)),
            archive_cutoff: None,
        }],
        nonce,
    }
}

fn signed(signer: &Entity, data: &ResponseData, certificates: &[Certificate]) -> Vec<u8> {
    let tbs = data.encode();
    assemble_response(&tbs, ALGORITHM, &signer.sign(&tbs), certificates)
}

#[test]
fn r13_openssl_and_gnutls_accept_our_answers() {
    let scene = Scene::new();
    let bench = scene.bench();
    let revoked = SingleStatus::Revoked {
        time: Time(1_700_000_000),
        reason: Some(Reason::KeyCompromise),
    };
    for hash in ["-sha1", "-sha256"] {
        bench.run(&format!(
            "openssl ocsp {hash} -issuer ca.pem -cert leaf.pem -reqout req.der"
        ));
        let request = Request::parse(&bench.read("req.der")).unwrap();
        let [id] = request.cert_ids.as_slice() else {
            panic!("{request:?}");
        };
        assert!(scene.issuer_id().matches(id));
        assert_eq!(id.serial(), SERIAL);
        assert_eq!(request.nonce.as_ref().map(|n| n.octets().len()), Some(16));

        for (status, expected) in [
            (SingleStatus::Good, "leaf.pem: good"),
            (revoked, "leaf.pem: revoked"),
            (SingleStatus::Unknown, "leaf.pem: unknown"),
        ] {
            for (signer, enclosed) in [
                (&scene.responder, vec![scene.responder.certificate.clone()]),
                (&scene.ca, vec![]),
            ] {
                let data = data(signer, id.clone(), status, request.nonce.clone());
                bench.write("resp.der", signed(signer, &data, &enclosed));
                let text = bench.run(&format!(
                    "openssl ocsp {hash} -no_nonce -respin resp.der -reqin req.der -issuer ca.pem -cert leaf.pem -CAfile ca.pem"
                ));
                assert!(text.contains("Response verify OK"), "{text}");
                assert!(text.contains(expected), "{text}");
                assert!(!text.contains("WARNING"), "{text}");
                let gnutls = bench
                    .run("ocsptool --verify-response --load-response=resp.der --load-trust=ca.pem");
                assert!(
                    gnutls.contains("Verifying OCSP Response: Success"),
                    "{gnutls}"
                );
            }
        }
    }
}

/// RFC 5019 §2.2.1 prefers the hash of the key. For an issuer that signs itself GnuTLS looks it up among
/// subjectKeyIdentifiers, so it finds nothing where those are made by RFC 7093.
#[test]
fn r13_responders_named_by_key_are_found_except_issuers_by_gnutls() {
    let scene = Scene::new();
    let bench = scene.bench();
    for (signer, enclosed, gnutls) in [
        (
            &scene.responder,
            vec![scene.responder.certificate.clone()],
            "Verifying OCSP Response: Success",
        ),
        (&scene.ca, vec![], "Signer cert not found"),
    ] {
        let id = scene.issuer_id().cert_id_sha1(SERIAL);
        let mut data = data(signer, id, SingleStatus::Good, None);
        data.responder = ResponderId::by_key(&issuer_id(&signer.certificate));
        let der = signed(signer, &data, &enclosed);
        let response = Response::parse(&der).unwrap();
        let answer = response.verify(scene.query(None), now()).unwrap();
        assert_eq!(answer.status, SingleStatus::Good);
        bench.write("resp.der", der);
        let text = bench.run(
            "openssl ocsp -no_nonce -respin resp.der -issuer ca.pem -cert leaf.pem -CAfile ca.pem",
        );
        assert!(text.contains("leaf.pem: good"), "{text}");
        let text = bench.attempt_text(
            "ocsptool --verify-response --load-response=resp.der --load-trust=ca.pem",
        );
        assert!(text.contains(gnutls), "{text}");
    }
}

#[test]
fn r13_an_answer_with_reason_and_cutoff_reads_as_written() {
    let scene = Scene::new();
    let bench = scene.bench();
    let mut data = data(
        &scene.ca,
        scene.issuer_id().cert_id_sha256(SERIAL),
        SingleStatus::Revoked {
            time: Time(1_700_000_000),
            reason: Some(Reason::CessationOfOperation),
        },
        None,
    );
    data.responses[0].archive_cutoff = Some(Time(1_600_000_000));
    let der = signed(&scene.ca, &data, &[]);
    let parsed = Response::parse(&der).unwrap();
    assert_eq!(parsed.status, ResponseStatus::Successful);
    assert_eq!(parsed.basic.unwrap().data, data);
    bench.write("resp.der", der);
    let text = bench.run("openssl ocsp -respin resp.der -resp_text -noverify");
    for fact in [
        "Revocation Reason: cessationOfOperation (0x5)",
        "Revocation Time: Nov 14 22:13:20 2023 GMT",
        "OCSP Archive Cutoff",
        "Sep 13 12:26:40 2020 GMT",
        "Hash Algorithm: sha256",
    ] {
        assert!(text.contains(fact), "{fact} is not in\n{text}");
    }
}

#[test]
fn openssl_reads_our_requests() {
    let scene = Scene::new();
    let bench = scene.bench();
    let nonce = Nonce::new(&[7; 32]);
    let ids = vec![
        scene.issuer_id().cert_id_sha1(SERIAL),
        scene.issuer_id().cert_id_sha256(&[0x00, 0xff]),
    ];
    let request = Request::new(ids.clone(), Some(nonce.clone()));
    assert_eq!(Request::parse(&request.encode()).unwrap(), request);
    bench.write("req.der", request.encode());
    let text = bench.run("openssl ocsp -reqin req.der -req_text");
    for fact in ["Serial Number: 3039", "Serial Number: FF", "sha256", "0707"] {
        assert!(text.contains(fact), "{fact} is not in\n{text}");
    }

    // A real responder answers it, and we believe the answer.
    bench.write(
        "index.txt",
        "R\t300101000000Z\t240101120000Z,keyCompromise\t3039\tunknown\t/CN=a\n",
    );
    let request = Request::new(ids[..1].to_vec(), Some(nonce.clone()));
    bench.write("req.der", request.encode());
    bench.run(
        "openssl ocsp -index index.txt -rsigner responder.pem -rkey responder.key -CA ca.pem -ndays 1 -reqin req.der -respout resp.der",
    );
    let response = Response::parse(&bench.read("resp.der")).unwrap();
    let answer = response.verify(scene.query(Some(&nonce)), now()).unwrap();
    assert_eq!(
        answer.status,
        SingleStatus::Revoked {
            time: Time(1_704_110_400),
            reason: Some(Reason::KeyCompromise)
        }
    );
    assert!(answer.nonce_confirmed && answer.delegate_nocheck);
    assert_eq!(answer.delegate, Some(scene.responder.certificate.clone()));
}

#[test]
fn openssl_s_signed_request_is_tolerated() {
    let scene = Scene::new();
    let bench = scene.bench();
    bench.run(
        "openssl ocsp -issuer ca.pem -cert leaf.pem -serial 77 -signer ca.pem -signkey ca.key -reqout req.der",
    );
    let request = Request::parse(&bench.read("req.der")).unwrap();
    assert!(request.signed);
    assert_eq!(request.cert_ids.len(), 2);
    assert_eq!(request.cert_ids[1].serial(), [77]);
}

#[test]
fn r13_the_client_refuses_what_it_must() {
    let scene = Scene::new();
    let stranger = Entity::root("Stranger");
    let id = || scene.issuer_id().cert_id_sha1(SERIAL);
    let good = |signer| data(signer, id(), SingleStatus::Good, Some(Nonce::new(&[1; 32])));
    let verify = |der: &[u8], nonce: &Nonce, at| {
        let query = scene.query(Some(nonce));
        Response::parse(der).unwrap().verify(query, at)
    };
    let (sent, other) = (Nonce::new(&[1; 32]), Nonce::new(&[2; 32]));

    let by_issuer = signed(&scene.ca, &good(&scene.ca), &[]);
    assert!(verify(&by_issuer, &sent, now()).unwrap().nonce_confirmed);
    assert_eq!(
        verify(&by_issuer, &other, now()),
        Err(VerifyError::NonceMismatch)
    );
    let late = now().plus_days(2);
    assert!(matches!(
        verify(&by_issuer, &sent, late),
        Err(VerifyError::Stale(_))
    ));
    let early = now().plus_seconds(-3600);
    assert!(matches!(
        verify(&by_issuer, &sent, early),
        Err(VerifyError::FromTheFuture(_))
    ));

    let forged = signed(&stranger, &good(&scene.ca), &[]);
    assert!(matches!(
        verify(&forged, &sent, now()),
        Err(VerifyError::Invalid(_))
    ));
    let self_appointed = signed(
        &stranger,
        &good(&stranger),
        std::slice::from_ref(&stranger.certificate),
    );
    assert_eq!(
        verify(&self_appointed, &sent, now()),
        Err(VerifyError::DelegateOfAnother)
    );
    let leaf = std::slice::from_ref(&scene.leaf.certificate);
    let without_purpose = signed(&scene.leaf, &good(&scene.leaf), leaf);
    assert_eq!(
        verify(&without_purpose, &sent, now()),
        Err(VerifyError::DelegateWithoutPurpose)
    );
    let missing = signed(&scene.responder, &good(&scene.responder), &[]);
    assert_eq!(
        verify(&missing, &sent, now()),
        Err(VerifyError::UnknownResponder)
    );
    let mut elsewhere = good(&scene.ca);
    elsewhere.responses[0].cert_id = scene.issuer_id().cert_id_sha1(&[1]);
    assert_eq!(
        verify(&signed(&scene.ca, &elsewhere, &[]), &sent, now()),
        Err(VerifyError::OtherCertificate)
    );
    let refused = verify(&errors::UNAUTHORIZED, &sent, now());
    assert_eq!(
        refused,
        Err(VerifyError::Refused(ResponseStatus::Unauthorized))
    );
}

#[test]
fn error_responses_are_what_openssl_calls_them() {
    let bench = Bench::new();
    for (der, name) in [
        (errors::MALFORMED_REQUEST, "malformedrequest (1)"),
        (errors::INTERNAL_ERROR, "internalerror (2)"),
        (errors::TRY_LATER, "trylater (3)"),
        (errors::SIG_REQUIRED, "sigrequired (5)"),
        (errors::UNAUTHORIZED, "unauthorized (6)"),
    ] {
        bench.write("resp.der", der);
        let text = bench.attempt_text("openssl ocsp -respin resp.der -noverify");
        assert!(text.contains(name), "{text}");
        assert_eq!(Response::parse(&der).unwrap().basic, None);
    }
}

/// A request around the extensions given, each `(identifier, critical, value)`.
fn request_with(extensions: &[(x509::Oid, bool, Vec<u8>)]) -> Vec<u8> {
    let scene = Scene::new();
    let id = scene.issuer_id().cert_id_sha1(SERIAL);
    der::sequence(|w| {
        w.sequence(|w| {
            w.sequence(|w| {
                w.sequence(|w| {
                    w.raw(id.der());
                });
            });
            w.nested(Tag::context_constructed(2), |w| {
                w.sequence(|w| {
                    for (oid, critical, value) in extensions {
                        let extension = x509::Extension {
                            oid: *oid,
                            critical: *critical,
                            value: value.clone(),
                        };
                        extension.write(w);
                    }
                });
            });
        });
    })
}

#[test]
fn r13_nonces_and_extensions_follow_rfc_9654() {
    let nonce = |len: usize| {
        (
            oids::OCSP_NONCE,
            false,
            der::encode(Tag::OCTET_STRING, &vec![9; len]),
        )
    };
    for len in [1, 16, 32, 128] {
        let parsed = Request::parse(&request_with(&[nonce(len)])).unwrap();
        assert_eq!(parsed.nonce.unwrap().octets(), vec![9; len]);
    }
    for len in [0, 129] {
        assert!(
            Request::parse(&request_with(&[nonce(len)])).is_err(),
            "{len}"
        );
    }
    assert!(Request::parse(&request_with(&[nonce(8), nonce(8)])).is_err());
    // Older clients put the octets in bare; the answer repeats them bare.
    let bare = request_with(&[(oids::OCSP_NONCE, false, vec![0xee; 16])]);
    assert_eq!(
        Request::parse(&bare).unwrap().nonce.unwrap().octets(),
        [0xee; 16]
    );

    let unknown: x509::Oid = "1.2.3.4".parse().unwrap();
    let preferred = (oids::OCSP_PREF_SIG_ALGS, true, vec![0x30, 0]);
    assert!(Request::parse(&request_with(&[(unknown, false, vec![5, 0])])).is_ok());
    assert!(Request::parse(&request_with(&[(unknown, true, vec![5, 0])])).is_err());
    assert!(Request::parse(&request_with(&[preferred])).is_ok());
}

#[test]
fn requests_are_bounded() {
    let scene = Scene::new();
    let ids = |count: usize| vec![scene.issuer_id().cert_id_sha1(SERIAL); count];
    let most = Request::new(ids(MAX_REQUESTS), None);
    assert_eq!(Request::parse(&most.encode()).unwrap(), most);
    for count in [0, MAX_REQUESTS + 1, 2000] {
        assert!(Request::parse(&Request::new(ids(count), None).encode()).is_err());
    }
}

#[test]
fn other_hashes_are_matched_or_left_unknown() {
    let scene = Scene::new();
    let bench = scene.bench();
    for (hash, algorithm) in [
        ("-sha384", HashAlgorithm::Sha384),
        ("-sha512", HashAlgorithm::Sha512),
        ("-md5", HashAlgorithm::Other(oids::MD5)),
    ] {
        bench.run(&format!(
            "openssl ocsp {hash} -no_nonce -issuer ca.pem -cert leaf.pem -reqout req.der"
        ));
        let request = Request::parse(&bench.read("req.der")).unwrap();
        let id = &request.cert_ids[0];
        assert_eq!(id.hash_algorithm(), algorithm);
        let known = !matches!(algorithm, HashAlgorithm::Other(_));
        assert_eq!(scene.issuer_id().matches(id), known, "{hash}");
        assert!(!issuer_id(&Entity::root("x").certificate).matches(id));
    }
}

#[test]
fn r13_get_paths_carry_requests() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let scene = Scene::new();
    let request = Request::new(vec![scene.issuer_id().cert_id_sha1(SERIAL)], None);
    let path = STANDARD
        .encode(request.encode())
        .replace('+', "%2B")
        .replace('/', "%2f");
    let decoded = decode_get_path(&format!("/{path}")).unwrap();
    assert_eq!(Request::parse(&decoded).unwrap(), request);
}

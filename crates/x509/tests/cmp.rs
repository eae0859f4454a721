//! CMP messages (R09): what `openssl cmp` writes is read, its MACs and signatures verify, and what is written here has the
//! octets that OpenSSL wrote. OpenSSL's own mock server plays the other side.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod common;

use std::sync::OnceLock;

use common::Lab;
use proptest::{collection::vec, prelude::*};
use x509::cmp::{Body, FailInfo, Header, Mac, Message, Status};
use x509::crmf::{BadPossession, CertReqMsg, CertTemplate, ProofOfPossession, SigningKeyInput};
use x509::der::{self, Tag};
use x509::{
    AlgorithmIdentifier, Certificate, Error, GeneralName, SignatureAlgorithm, exercise, oids,
};

const SECRET: &[u8] = b"secret1";

/// Messages of both sides, by the name of the run and the number in it.
struct Recorded {
    messages: Vec<(String, Vec<u8>)>,
    device: Certificate,
    server: Certificate,
}

impl Recorded {
    fn get(&self, name: &str) -> Message {
        let found = self.messages.iter().find(|(known, _)| known == name);
        let (_, der) = found.unwrap_or_else(|| panic!("no message {name}"));
        Message::from_der(der).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// Runs of `openssl cmp` against its mock server.
fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let lab = Lab::new();
        for (name, subject) in [("ca", "/CN=Mock CA"), ("srv", "/CN=Mock server")] {
            lab.key(&format!("{name}.key"), "P-256");
            lab.openssl(&format!(
                "req -x509 -new -key {name}.key -out {name}.pem -days 30 -subj '{subject}' \
                 -addext subjectKeyIdentifier=hash -addext basicConstraints=critical,CA:TRUE"
            ));
        }
        lab.key("dev.key", "P-256");
        lab.openssl("req -new -key dev.key -out dev.csr -subj '/CN=pump 17/serialNumber=SN-17'");
        lab.openssl("x509 -req -in dev.csr -CA ca.pem -CAkey ca.key -days 10 -out dev.pem");
        let server = "cmp -config /dev/null -use_mock_srv -srv_cert srv.pem -srv_key srv.key -srv_trusted ca.pem -rsp_cert dev.pem -rsp_extracerts ca.pem";
        let secret = "-srv_ref r1 -srv_secret pass:secret1 -ref r1 -secret pass:secret1";
        let signed = "-cert dev.pem -key dev.key -trusted srv.pem";
        let names = "-subject '/CN=pump 17' -sans pump17.example,10.0.0.7";
        let runs = [
            ("ir", format!("-cmd ir {secret} -newkey dev.key {names} -mac hmacWithSHA256 -digest sha256")),
            ("irsha1", format!("-cmd ir {secret} -newkey dev.key {names} -mac hmac-sha1 -digest sha1")),
            ("cr", format!("-cmd cr {signed} -newkey dev.key -subject '/CN=pump 17' -implicit_confirm")),
            ("p10cr", format!("-cmd p10cr {secret} -csr dev.csr")),
            ("kur", format!("-cmd kur {signed} -newkey dev.key")),
            ("rr", format!("-cmd rr {signed} -oldcert dev.pem -revreason 4")),
            ("genm", format!("-cmd genm {secret} -infotype caCerts")),
            ("poll", format!("-cmd ir {secret} -newkey dev.key {names} -poll_count 2 -check_after 1")),
        ];
        let mut messages = Vec::new();
        for (name, args) in runs {
            let files = |side: &str| (1..=5).map(|n| format!("{name}.{side}{n}")).collect::<Vec<_>>();
            let (requests, answers) = (files("req"), files("rsp"));
            let out = if name == "rr" || name == "genm" { "" } else { "-certout out.pem" };
            lab.openssl(&format!(
                "{server} {args} {out} -reqout {} -rspout {}",
                requests.join(","),
                answers.join(",")
            ));
            for file in requests.into_iter().chain(answers) {
                if lab.path(&file).exists() {
                    messages.push((file.clone(), lab.read(&file)));
                }
            }
        }
        let device = Certificate::from_pem(&lab.read("dev.pem")).unwrap();
        let server = Certificate::from_pem(&lab.read("srv.pem")).unwrap();
        Recorded {
            messages,
            device,
            server,
        }
    })
}

/// RFC 9810 §5.1: everything OpenSSL says is understood, down to its octets.
#[test]
fn what_openssl_writes_is_read_and_written_again() {
    for (name, der) in &recorded().messages {
        let message = Message::from_der(der).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut again = Message::new(message.header.clone(), message.body.clone());
        again.protection.clone_from(&message.protection);
        again.extra_certs.clone_from(&message.extra_certs);
        assert_eq!(again.encode(), *der, "{name}");
    }
}

#[test]
fn bodies_and_headers_hold_what_openssl_was_told() {
    let all = recorded();
    let kinds = [
        ("ir.req1", "ir"),
        ("ir.rsp1", "ip"),
        ("ir.req2", "certConf"),
        ("ir.rsp2", "pkiconf"),
        ("cr.req1", "cr"),
        ("cr.rsp1", "cp"),
        ("p10cr.req1", "p10cr"),
        ("p10cr.rsp1", "cp"),
        ("kur.req1", "kur"),
        ("kur.rsp1", "kup"),
        ("rr.req1", "rr"),
        ("rr.rsp1", "rp"),
        ("genm.req1", "genm"),
        ("genm.rsp1", "genp"),
        ("poll.req2", "pollReq"),
        ("poll.rsp2", "pollRep"),
    ];
    for (file, kind) in kinds {
        assert_eq!(all.get(file).body.name(), kind, "{file}");
    }
    let ir = all.get("ir.req1");
    assert_eq!(ir.header.sender_kid.as_deref(), Some(&b"r1"[..]));
    assert_eq!(ir.header.transaction_id.map(|id| id.len()), Some(16));
    let Body::Ir(requests) = ir.body else {
        unreachable!()
    };
    let [request] = requests.as_slice() else {
        panic!("one request")
    };
    assert_eq!(
        request.template.subject.as_ref().unwrap().to_string(),
        "CN=pump 17"
    );
    assert_eq!(request.template.extensions.len(), 1);
    assert!(all.get("cr.req1").header.implicit_confirm());
    let Body::Rr(details) = all.get("rr.req1").body else {
        unreachable!()
    };
    assert_eq!(
        details[0].template.serial.as_deref(),
        Some(all.device.serial())
    );
    let Body::Kur(requests) = all.get("kur.req1").body else {
        unreachable!()
    };
    let old = requests[0].old_cert_id().unwrap().unwrap();
    assert_eq!(old.serial, all.device.serial());
    let Body::Ip(reply) = all.get("ir.rsp1").body else {
        unreachable!()
    };
    assert_eq!(reply.responses[0].status.status, Status::Accepted);
    assert_eq!(reply.responses[0].certificate.as_ref(), Some(&all.device));
    let Body::Genm(items) = all.get("genm.req1").body else {
        unreachable!()
    };
    assert_eq!(items[0].oid, oids::IT_CA_CERTS);
}

/// RFC 9810 §5.1.3.1: both sides' MACs, with SHA-256 and with SHA-1.
#[test]
fn macs_of_openssl_verify_with_the_secret_and_no_other() {
    for file in [
        "ir.req1",
        "ir.rsp1",
        "irsha1.req1",
        "irsha1.req2",
        "p10cr.req1",
        "poll.rsp2",
    ] {
        let message = recorded().get(file);
        let algorithm = message.header.protection_alg.as_ref().unwrap();
        let mac = Mac::from_identifier(algorithm).unwrap();
        let (covered, protection) = (
            message.protected_part(),
            message.protection.clone().unwrap(),
        );
        assert_eq!(mac.verify(SECRET, &covered, &protection), Ok(()), "{file}");
        assert_eq!(
            mac.verify(b"secret2", &covered, &protection),
            Err(Error::BadSignature)
        );
        let mut other = covered.clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(
            mac.verify(SECRET, &other, &protection),
            Err(Error::BadSignature)
        );
    }
}

#[test]
fn signatures_of_openssl_verify() {
    for file in [
        "cr.req1", "cr.rsp1", "kur.req1", "kur.req2", "rr.req1", "rr.rsp1",
    ] {
        let message = recorded().get(file);
        let algorithm = message.header.protection_alg.as_ref().unwrap();
        let (covered, protection) = (
            message.protected_part(),
            message.protection.as_ref().unwrap(),
        );
        let verifies = |certificate: &Certificate| {
            let key = certificate.public_key().unwrap();
            key.verify_with(algorithm, &covered, protection).is_ok()
        };
        // OpenSSL sends no self-signed certificate along.
        let own = std::iter::once(&recorded().server);
        assert!(
            message.extra_certs.iter().chain(own).any(verifies),
            "{file}"
        );
    }
}

/// RFC 4211 §4: OpenSSL's proof verifies; another's, a vouched one and those for keys that cannot sign do not.
#[test]
fn possession_is_proved_by_a_signature_only() {
    let message = recorded().get("ir.req1");
    let sender = message.header.sender.clone();
    let Body::Ir(requests) = message.body else {
        unreachable!()
    };
    let request = &requests[0];
    assert_eq!(request.verify_possession(&sender), Ok(()));

    let with = |proof| request.clone().with_proof(proof).verify_possession(&sender);
    assert_eq!(
        with(ProofOfPossession::RaVerified),
        Err(BadPossession::RaVerified)
    );
    assert!(matches!(
        with(ProofOfPossession::KeyEncipherment(vec![])),
        Err(BadPossession::Unsupported(_))
    ));
    assert!(matches!(
        with(ProofOfPossession::KeyAgreement(vec![])),
        Err(BadPossession::Unsupported(_))
    ));
    let Some(ProofOfPossession::Signature {
        algorithm,
        signature,
        ..
    }) = &request.popo
    else {
        panic!("a signature")
    };
    let spki = request.template.spki_der.as_deref().unwrap();
    let input = SigningKeyInput::new(sender.clone(), spki);
    assert_eq!(
        with(ProofOfPossession::Signature {
            input: Some(Box::new(input)),
            algorithm: algorithm.clone(),
            signature: signature.clone(),
        }),
        Err(BadPossession::Input)
    );
    let mut broken = signature.clone();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(
        with(ProofOfPossession::Signature {
            input: None,
            algorithm: algorithm.clone(),
            signature: broken,
        }),
        Err(BadPossession::Signature)
    );
    // The proof of one request does not serve another.
    let mut template = request.template.clone();
    template.subject = Some("CN=pump 18".parse().unwrap());
    let other = CertReqMsg::new(0, template, vec![]).with_proof(request.popo.clone().unwrap());
    assert_eq!(
        other.verify_possession(&sender),
        Err(BadPossession::Signature)
    );
    let empty = CertReqMsg::new(0, CertTemplate::default(), vec![]);
    assert_eq!(empty.verify_possession(&sender), Err(BadPossession::NoKey));
}

/// RFC 4211 §4.1: a template without a subject is proved through an input that names sender and key; OpenSSL signs it.
#[test]
fn possession_through_an_input_of_its_own() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    let public = lab.openssl("pkey -in k.pem -pubout");
    let spki = x509::pem::decode_first(public.as_bytes(), &["PUBLIC KEY"]).unwrap();
    let template = CertTemplate {
        spki_der: Some(spki.clone()),
        ..CertTemplate::default()
    };
    let sender = GeneralName::DirName("CN=pump 17".parse().unwrap());
    let input = SigningKeyInput::new(sender.clone(), &spki);
    lab.write("tbs", input.der());
    lab.openssl("dgst -sha256 -sign k.pem -out sig tbs");
    let proof = ProofOfPossession::Signature {
        input: Some(Box::new(input)),
        algorithm: SignatureAlgorithm::EcdsaSha256.identifier(),
        signature: lab.read("sig"),
    };
    let request = CertReqMsg::new(0, template, vec![]).with_proof(proof);
    let body = Body::Ir(vec![request]);
    let message = Message::new(Header::new(sender.clone(), Header::nobody()), body);
    let read = Message::from_der(&message.encode()).unwrap();
    let Body::Ir(requests) = read.body else {
        unreachable!()
    };
    assert_eq!(requests[0].verify_possession(&sender), Ok(()));
    let other = GeneralName::DirName("CN=pump 18".parse().unwrap());
    assert_eq!(
        requests[0].verify_possession(&other),
        Err(BadPossession::Input)
    );
}

/// The expectation is python's hashlib: PBKDF2-HMAC-SHA256("secret1", 16 × 0x07, 1000, 32), then HMAC-SHA256.
#[test]
fn pbmac1_agrees_with_python() {
    let mac = Mac::pbmac1(vec![7; 16], 1000);
    let computed = mac.compute(SECRET, b"message").unwrap();
    let script = "import hashlib,hmac;k=hashlib.pbkdf2_hmac('sha256',b'secret1',b'\\x07'*16,1000,32);\
        print(hmac.new(k,b'message','sha256').hexdigest())";
    let out = std::process::Command::new("python3")
        .args(["-c", script])
        .output()
        .unwrap();
    assert_eq!(
        hex::encode(computed),
        String::from_utf8(out.stdout).unwrap().trim()
    );
    assert_eq!(Mac::from_identifier(&mac.identifier()), Ok(mac));
}

/// The work is the sender's choice, so it has a limit; so have salts and keys, and what is not offered is named.
#[test]
fn macs_have_a_budget() {
    let bad = |mac: Mac| Mac::from_identifier(&mac.identifier()).is_err();
    assert!(!bad(Mac::password_based(vec![0; 16], 500)));
    assert!(bad(Mac::password_based(vec![0; 16], 99)));
    assert!(bad(Mac::password_based(vec![0; 16], 100_001)));
    assert!(bad(Mac::password_based(vec![0; 129], 500)));
    assert!(bad(Mac::pbmac1(vec![0; 16], u32::MAX)));
    for oid in [oids::DH_BASED_MAC, oids::KEM_BASED_MAC] {
        let id = AlgorithmIdentifier { oid, params: None };
        assert!(Mac::is_mac(&id));
        assert!(matches!(
            Mac::from_identifier(&id),
            Err(Error::Unsupported { .. })
        ));
    }
    let mut md5 = Mac::password_based(vec![0; 16], 500);
    md5.mac.oid = oids::MD5;
    assert!(bad(md5));
}

#[test]
fn what_cannot_be_read_still_says_whom_to_answer() {
    let message = recorded().get("ir.req1");
    let header = message.header.encode();
    let cut = der::sequence(|w| {
        w.raw(&header)
            .element(Tag::context_constructed(0), &[0x30, 0x05, 0x01]);
    });
    let unreadable = Message::from_der(&cut).unwrap_err();
    let told = unreadable.header.unwrap();
    assert_eq!(told.transaction_id, message.header.transaction_id);
    assert!(
        Message::from_der(&vec![0x30; x509::cmp::MAX_SIZE + 1])
            .unwrap_err()
            .header
            .is_none()
    );

    // 200 requests in one message.
    let Body::Ir(requests) = message.body else {
        unreachable!()
    };
    let many = Body::Ir(vec![requests[0].clone(); 200]);
    assert!(Message::from_der(&Message::new(message.header.clone(), many).encode()).is_err());

    // Nested: known by its tag, and not looked into.
    let nested = der::sequence(|w| {
        w.raw(&header)
            .element(Tag::context_constructed(20), &[0xff; 40]);
    });
    assert_eq!(Message::from_der(&nested).unwrap().body, Body::Nested);
}

#[test]
fn openssl_reads_our_failures() {
    let mut header = Header::new(Header::nobody(), Header::nobody());
    header.transaction_id = Some(vec![1; 16]);
    let status = x509::cmp::StatusInfo::rejection(FailInfo::BAD_POP, "no");
    let body = Body::Error(x509::cmp::ErrorMessage {
        status,
        code: None,
        details: vec![],
    });
    let lab = Lab::new();
    lab.write("error.der", Message::new(header, body).encode());
    let text = lab.openssl("asn1parse -inform DER -in error.der");
    // Bit 9: one unused-bits octet (6), then 00 40.
    assert!(text.contains("BIT STRING"), "{text}");
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<usize>(), any::<u8>(), 0u8..4), 0..6);
    (any::<prop::sample::Index>(), edits).prop_map(|(which, edits)| {
        let mut data = which.get(&recorded().messages).1.clone();
        for (at, byte, how) in edits {
            let at = at % data.len().max(1);
            match how {
                0 => data.truncate(at),
                1 => data.insert(at, byte),
                _ if at < data.len() => data[at] = byte,
                _ => {}
            }
        }
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_messages(data in damaged()) {
        exercise::cmp(&data);
    }

    #[test]
    fn noise(data in vec(any::<u8>(), 0..400)) {
        exercise::cmp(&data);
    }
}

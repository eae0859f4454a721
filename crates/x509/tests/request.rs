//! R03, R09: requests made by OpenSSL are read; bad ones are refused by a rule that says what to change.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod common;

use common::Lab;
use x509::{
    CertificationRequest, CsrBuilder, Extension, GeneralName, KeyAlgorithm, Name, PublicKey,
    SignatureAlgorithm, Weakness, assemble,
    der::{self, Reader, Tag, Writer},
    ext::{ExtensionValue, KeyUsage, SubjectAltName},
    oids,
};

const CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
req_extensions = ext
attributes = attrs
utf8 = yes
string_mask = utf8only
[attrs]
challengePassword = one-time-secret
[dn]
O = Mercy Hospital
CN = Pump 17
[ext]
subjectAltName = DNS:pump.hospital.example,IP:10.0.0.9
keyUsage = digitalSignature
";

#[test]
fn r03_requests_of_every_supported_key_are_read_and_verified() {
    let lab = Lab::new();
    for (kind, alg) in [
        ("2048", KeyAlgorithm::Rsa2048),
        ("3072", KeyAlgorithm::Rsa3072),
        ("4096", KeyAlgorithm::Rsa4096),
        ("P-256", KeyAlgorithm::EcdsaP256),
        ("P-384", KeyAlgorithm::EcdsaP384),
        ("P-521", KeyAlgorithm::EcdsaP521),
        ("ed25519", KeyAlgorithm::Ed25519),
    ] {
        lab.key("k.pem", kind);
        let der = lab.request("k.pem", CONFIG, "");
        let csr = CertificationRequest::from_der(&der).unwrap();
        assert_eq!(csr.subject().to_string(), "CN=Pump 17,O=Mercy Hospital");
        assert_eq!(KeyAlgorithm::of(csr.public_key()), Some(alg));
        assert_eq!(csr.challenge_password(), Some("one-time-secret"));
        let san: SubjectAltName = csr.ext().unwrap().unwrap();
        assert_eq!(
            san.0,
            [
                GeneralName::Dns("pump.hospital.example".into()),
                GeneralName::Ip("10.0.0.9".parse().unwrap())
            ]
        );
        assert_eq!(
            csr.ext::<KeyUsage>().unwrap(),
            Some(KeyUsage::DIGITAL_SIGNATURE)
        );
        csr.verify_proof_of_possession().unwrap();
        let again = CertificationRequest::from_pem(csr.to_pem().as_bytes()).unwrap();
        assert_eq!(again.der(), der);
    }
}

#[test]
fn r03_pss_is_proof_of_possession_and_sha1_is_refused_by_name() {
    let lab = Lab::new();
    lab.key("k.pem", "2048");
    let pss = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    let csr = CertificationRequest::from_der(&lab.request("k.pem", CONFIG, pss)).unwrap();
    csr.verify_proof_of_possession().unwrap();

    for (md, rule) in [
        ("-sha1", "csr-signature-hash"),
        ("-md5", "csr-signature-hash"),
    ] {
        let csr = CertificationRequest::from_der(&lab.request("k.pem", CONFIG, md)).unwrap();
        let refused = csr.verify_proof_of_possession().unwrap_err();
        assert_eq!(refused.rule, rule);
        assert!(refused.accepted.unwrap().contains("SHA-256"));
        assert!(!refused.clause.is_empty());
    }
    let sha1 = CertificationRequest::from_der(&lab.request("k.pem", CONFIG, "-sha1")).unwrap();
    sha1.verify_proof_of_possession_legacy().unwrap();
}

#[test]
fn r03_a_signature_by_another_key_is_no_proof() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    let mut der = lab.request("k.pem", CONFIG, "");
    let at = der.windows(7).position(|w| w == b"Pump 17").unwrap();
    der[at] = b'D';
    let csr = CertificationRequest::from_der(&der).unwrap();
    assert_eq!(
        csr.verify_proof_of_possession().unwrap_err().rule,
        "csr-proof-of-possession"
    );
}

#[test]
fn r03_weak_and_unsupported_keys_are_refused() {
    let lab = Lab::new();
    for (kind, rule) in [
        ("1024", "csr-key-size"),
        ("2560", "csr-key-algorithm"),
        ("P-224", "csr-key-size"),
        ("secp256k1", "csr-key-algorithm"),
    ] {
        match kind {
            "secp256k1" => lab
                .openssl("ecparam -genkey -name secp256k1 -out k.pem")
                .len(),
            _ => {
                lab.key("k.pem", kind);
                0
            }
        };
        let refused =
            CertificationRequest::from_der(&lab.request("k.pem", CONFIG, "")).unwrap_err();
        assert_eq!(refused.rule, rule, "{kind}: {refused}");
        assert!(refused.accepted.unwrap().contains("P-256"));
    }
    lab.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out e3.pem");
    let refused = CertificationRequest::from_der(&lab.request("e3.pem", CONFIG, "")).unwrap_err();
    assert_eq!(refused.rule, "csr-key-exponent");
}

/// Moduli built to be weak; no private key is needed to recognise them.
#[test]
fn r03_roca_small_factors_and_bad_exponents_are_recognised() {
    // 2^2047 + small offsets: odd numbers with chosen divisors.
    let spki = |modulus: &[u8], exponent: &[u8]| rsa_spki(modulus, exponent);
    let weakness = |m: &[u8], e: &[u8]| PublicKey::from_spki_der(&spki(m, e)).unwrap().weakness();
    let f4 = [1, 0, 1];
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    assert_eq!(weakness(&even, &f4), Some(Weakness::SmallFactor(2)));
    // 2^2048 − 1 is divisible by 3.
    assert_eq!(weakness(&[0xff; 256], &f4), Some(Weakness::SmallFactor(3)));
    assert_eq!(weakness(&[0xff; 256], &[3]), Some(Weakness::Exponent));
    assert_eq!(weakness(&[0xff; 256], &[1, 0, 0]), Some(Weakness::Exponent));
    // A power of 65537 is in every subgroup that 65537 generates, which is all the fingerprint asks.
    assert_eq!(weakness(&power_of_65537(128), &f4), Some(Weakness::Roca));
    // Two primes of 1024 bits, 600 apart.
    let close = hex::decode(NEIGHBOURING_PRIMES).unwrap();
    assert_eq!(weakness(&close, &f4), Some(Weakness::ClosePrimes));
}

const NEIGHBOURING_PRIMES: &str = "\
        c6874ca6231eceace02367167133560099e8d39d0fba43d263c9bec704ec63ab8a2b3d9b3c4394f02877\
        a2fd062bed40ed44d35b41daecdd8a3d99be93458aa83e633fb9ead05fee953f360f856cbe13f663035d\
        5482578f09f54e41075dc6afa1063323723e6d65fdff7154578eb4e234d03c7748e7d9a6c7dbc182ddf1\
        80482ab4ad16eca9e5b9c27a3caf61399384458cd3aff10aeccb4a3c4d185e7e3d75c29dc2a87de11abb\
        d37f5738c595bd5a3016ef22483b54b05acbd3ac6a12737a9fdd16b2474a9d9a677bac2342b4528c8ed8\
        ab958fcf8643b4689c971bd0f44d104a406b0c7ec1dae4eeb67b107d97acde6c8738d62bae36207fc57c\
        b68cd931\
    ";

/// 65537^n, big-endian.
fn power_of_65537(n: usize) -> Vec<u8> {
    let mut limbs: Vec<u16> = vec![1];
    for _ in 0..n {
        // x·65537 = x·2^16 + x
        let mut next = vec![0u16; limbs.len() + 2];
        let mut carry = 0u32;
        for (i, slot) in next.iter_mut().enumerate() {
            let low = limbs.get(i).copied().unwrap_or(0);
            let high = i
                .checked_sub(1)
                .and_then(|j| limbs.get(j))
                .copied()
                .unwrap_or(0);
            let sum = u32::from(low) + u32::from(high) + carry;
            *slot = sum as u16;
            carry = sum >> 16;
        }
        while next.last() == Some(&0) {
            next.pop();
        }
        limbs = next;
    }
    limbs.iter().rev().flat_map(|l| l.to_be_bytes()).collect()
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = der::sequence(|w| {
        w.unsigned(modulus).unsigned(exponent);
    });
    der::sequence(|w: &mut Writer| {
        w.sequence(|w| {
            w.oid(&oids::RSA_ENCRYPTION).null();
        });
        w.bit_string_octets(&key);
    })
}

/// Requests that no tool makes: built here, with a signature of zeros, because syntax is checked first.
#[test]
fn r03_syntax_and_names_are_refused_by_rule() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    lab.openssl("pkey -in k.pem -pubout -outform DER -out pub.der");
    let key = PublicKey::from_spki_der(&lab.read("pub.der")).unwrap();
    let subject: Name = "CN=x".parse().unwrap();
    let san = |names: Vec<GeneralName>| SubjectAltName(names).encode();
    let dns = |s: &str| san(vec![GeneralName::Dns(s.into())]);
    let many: Vec<GeneralName> = (0..1200)
        .map(|i| GeneralName::Dns(format!("h{i}.example")))
        .collect();
    let builder = || CsrBuilder::new(subject.clone(), &key);
    let build = |b: CsrBuilder| assemble(&b.tbs(), SignatureAlgorithm::EcdsaSha256, &[0; 70]);
    let raw_name = |tag, text: &[u8]| {
        let der = der::sequence(|w| {
            w.set(|w| {
                w.sequence(|w| {
                    w.oid(&oids::COMMON_NAME).element(tag, text);
                });
            });
        });
        Name::from_der(&der).unwrap()
    };
    let mut lots = builder();
    for i in 0..40 {
        let oid = x509::Oid::from_arcs(&[1, 2, 3, i]).unwrap();
        lots = lots.extension(x509::ext::private(oid, vec![5, 0]));
    }
    let ip5 = Extension {
        oid: oids::SUBJECT_ALT_NAME,
        critical: false,
        value: hex::decode("300787050a00000001").unwrap(),
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("csr-names", build(builder().extension(san(many)))),
        ("csr-san-empty", build(builder().extension(san(vec![])))),
        ("csr-san", build(builder().extension(ip5))),
        (
            "csr-name-charset",
            build(builder().extension(dns("bücher.example"))),
        ),
        (
            "csr-control-character",
            build(builder().extension(dns("a\0.example"))),
        ),
        (
            "csr-control-character",
            build(builder().extension(san(vec![GeneralName::upn("a\n@b")]))),
        ),
        ("csr-name-form", build(builder().extension(dns("")))),
        ("csr-name-form", build(builder().extension(dns("a b")))),
        (
            "csr-duplicate-extension",
            build(builder().extension(dns("a.b")).extension(dns("a.c"))),
        ),
        ("csr-extensions", build(lots)),
        (
            "csr-control-character",
            build(CsrBuilder::new(raw_name(Tag::UTF8_STRING, b"a\0b"), &key)),
        ),
        (
            "csr-subject-string",
            build(CsrBuilder::new(
                raw_name(Tag::UTF8_STRING, &[0xff, 0xfe]),
                &key,
            )),
        ),
        ("csr-size", vec![0x30; 70_000]),
        ("csr-syntax", vec![]),
        ("csr-syntax", [build(builder()), vec![0]].concat()),
        ("csr-version", edit_version(&build(builder()))),
        (
            "csr-duplicate-attribute",
            duplicate_attributes(&build(builder().challenge_password("p"))),
        ),
        (
            "csr-key",
            build(CsrBuilder {
                spki_der: vec![0x30, 0],
                ..builder()
            }),
        ),
        (
            "csr-key-point",
            build(CsrBuilder {
                spki_der: off_curve(&lab.read("pub.der")),
                ..builder()
            }),
        ),
    ];
    for (rule, der) in cases {
        let refused = CertificationRequest::from_der(&der).expect_err(rule);
        assert_eq!(refused.rule, rule, "{refused}");
    }
    assert!(CertificationRequest::from_der(&build(builder())).is_ok());
    let refused = CertificationRequest::from_pem(b"nothing here").unwrap_err();
    assert_eq!(refused.rule, "csr-pem");
}

fn off_curve(spki: &[u8]) -> Vec<u8> {
    let mut out = spki.to_vec();
    let last = out.len() - 1;
    out[last] ^= 1;
    out
}

fn edit_version(csr: &[u8]) -> Vec<u8> {
    let mut out = csr.to_vec();
    let at = out.windows(3).position(|w| w == [2, 1, 0]).unwrap();
    out[at + 2] = 1;
    out
}

fn duplicate_attributes(csr: &[u8]) -> Vec<u8> {
    let mut outer = Reader::new(csr).sequence().unwrap();
    let mut info = outer.sequence().unwrap();
    let (version, subject, key) = (
        info.element().unwrap().raw,
        info.element().unwrap().raw,
        info.element().unwrap().raw,
    );
    let attributes = info.element().unwrap().value;
    let tbs = der::sequence(|w| {
        w.raw(version).raw(subject).raw(key);
        w.element(
            Tag::context_constructed(0),
            &[attributes, attributes].concat(),
        );
    });
    assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &[0; 70])
}

#[test]
fn r03_our_requests_are_read_by_openssl() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    lab.openssl("pkey -in k.pem -pubout -outform DER -out pub.der");
    let key = PublicKey::from_spki_der(&lab.read("pub.der")).unwrap();
    let tbs = CsrBuilder::new("CN=Sub CA,O=Mercy Hospital,C=US".parse().unwrap(), &key)
        .extension(SubjectAltName(vec![GeneralName::Dns("a.example".into())]).encode())
        .challenge_password("secret")
        .tbs();
    lab.write("tbs", &tbs);
    lab.openssl("dgst -sha256 -sign k.pem -out sig tbs");
    let der = assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &lab.read("sig"));
    lab.write("ours.der", &der);
    let text = lab.openssl("req -inform DER -in ours.der -noout -text -verify");
    for expected in [
        "C = US, O = Mercy Hospital, CN = Sub CA",
        "DNS:a.example",
        "secret",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let csr = CertificationRequest::from_der(&der).unwrap();
    csr.verify_proof_of_possession().unwrap();
}

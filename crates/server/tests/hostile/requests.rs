//! Certificate requests that must not become certificates (R03, R04, R07, R09).

use std::process::Command;

use serde_json::json;
use x509::der::Tag;
use x509::ext::{BasicConstraints, ExtensionValue, KeyUsage};
use x509::{Extension, GeneralName, KeyAlgorithm, Name};

use crate::forge::{self, Forge, armour, common_name, san};
use crate::support::run;
use crate::{Target, Verdict, refusal};

struct Bad {
    what: &'static str,
    csr: String,
    rule: &'static str,
    /// Whose rule: must occur in the problem's `source`.
    source: &'static str,
}

fn bad(what: &'static str, der: &[u8], rule: &'static str, source: &'static str) -> Bad {
    Bad {
        what,
        csr: armour(der),
        rule,
        source,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r03_requests_that_must_not_be_certified() {
    let target = Target::start().await;
    let forge = Forge::new();
    let mut table = keys(&forge);
    table.extend(made_by_openssl(&target).await);
    table.extend(structures(&forge));
    table.extend(names(&forge));
    let mut verdict = Verdict::default();
    for (number, case) in table.iter().enumerate() {
        let id = format!("csr-{number}");
        let body = json!({ "profile": "server-tls", "csr": case.csr }).to_string();
        let answer = target
            .post("/api/v1/certificates", &target.issuer, &id, body.as_bytes())
            .await;
        verdict.note(case.what, refusal(&answer, 422, case.rule, case.source));
        verdict.note(case.what, target.logged(&id, case.rule).await);
    }
    verdict.assert();
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

fn keys(forge: &Forge) -> Vec<Bad> {
    let br = "CA/Browser Forum BR §6.1";
    let plain = forge::plain_modulus();
    let key = |what, spki: &[u8], rule, source| bad(what, &forge.foreign_key(spki), rule, source);
    let ed25519 = forge.signer(KeyAlgorithm::Ed25519);
    let p521 = forge.signer(KeyAlgorithm::EcdsaP521);
    vec![
        key(
            "exponent 1",
            &forge::rsa(&plain, &[1]),
            "csr-key-exponent",
            br,
        ),
        key(
            "exponent 3",
            &forge::rsa(&plain, &[3]),
            "csr-key-exponent",
            br,
        ),
        key(
            "even exponent",
            &forge::rsa(&plain, &[1, 0, 0]),
            "csr-key-exponent",
            br,
        ),
        key(
            "RSA of 1016 bits",
            &forge::rsa(&plain[..127], forge::F4),
            "csr-key-size",
            "SP 800-57",
        ),
        key(
            "RSA of 16384 bits",
            &forge::rsa(&plain.repeat(8), forge::F4),
            "csr-key-size",
            "SP 800-57",
        ),
        key(
            "a factor of 751",
            &forge::rsa(&forge::divisible_modulus(), forge::F4),
            "csr-key-factor",
            br,
        ),
        key(
            "ROCA",
            &forge::rsa(&forge::roca_modulus(), forge::F4),
            "csr-key-roca",
            br,
        ),
        key(
            "close factors",
            &forge::rsa(&forge::close_factors_modulus(), forge::F4),
            "csr-key-factor",
            br,
        ),
        key("DSA", &forge::dsa(), "csr-key-algorithm", "SP 800-57"),
        key(
            "a point on no curve",
            &forge::off_curve(),
            "csr-key-point",
            "RFC 5480",
        ),
        key(
            "somebody else's sound key",
            &forge::rsa(&plain, forge::F4),
            "csr-proof-of-possession",
            "RFC 2986 §4.2",
        ),
        bad(
            "Ed25519 for a profile without it",
            &forge.request_with(&ed25519, "web.example.org"),
            "key.algorithm",
            "profile server-tls v1",
        ),
        bad(
            "P-521 for a profile without it",
            &forge.request_with(&p521, "web.example.org"),
            "key.algorithm",
            "profile server-tls v1",
        ),
    ]
}

async fn made_by_openssl(target: &Target) -> Vec<Bad> {
    let ec = |curve: &str| {
        vec![
            "ec".to_owned(),
            "-pkeyopt".into(),
            format!("ec_paramgen_curve:{curve}"),
        ]
    };
    let rsa = |bits: u32| vec![format!("rsa:{bits}")];
    let table = [
        (
            "RSA-1024",
            rsa(1024),
            "-sha256",
            "csr-key-size",
            "SP 800-57",
        ),
        (
            "P-192",
            ec("prime192v1"),
            "-sha256",
            "csr-key-size",
            "SP 800-57",
        ),
        (
            "secp256k1",
            ec("secp256k1"),
            "-sha256",
            "csr-key-algorithm",
            "SP 800-57",
        ),
        (
            "brainpool",
            ec("brainpoolP256r1"),
            "-sha256",
            "csr-key-algorithm",
            "SP 800-57",
        ),
        (
            "SHA-1",
            ec("P-256"),
            "-sha1",
            "csr-signature-hash",
            "SP 800-131A",
        ),
        (
            "SHA-224",
            ec("P-256"),
            "-sha224",
            "csr-signature-algorithm",
            "RFC 2986 §4.2",
        ),
        (
            "MD5 with RSA",
            rsa(2048),
            "-md5",
            "csr-signature-hash",
            "SP 800-131A",
        ),
    ];
    let mut out = Vec::new();
    for (what, key, digest, rule, source) in table {
        let file = target.ward.path("openssl.csr");
        let mut command = Command::new("openssl");
        command.args([
            "req",
            "-new",
            "-nodes",
            "-keyout",
            "/dev/null",
            digest,
            "-newkey",
        ]);
        command
            .args(key)
            .args(["-subj", "/CN=web.example.org", "-addext"]);
        command
            .args(["subjectAltName=DNS:web.example.org", "-out"])
            .arg(&file);
        run(command).await;
        let csr = std::fs::read_to_string(&file).unwrap();
        out.push(Bad {
            what,
            csr,
            rule,
            source,
        });
    }
    out
}

fn structures(forge: &Forge) -> Vec<Bad> {
    let sound = forge.dns("web.example.org");
    let mut unsigned = sound.clone();
    let last = unsigned.len() - 1;
    unsigned[last] ^= 1;
    let mut trailing = sound.clone();
    trailing.extend([0; 4]);
    let dns = san(&[GeneralName::Dns("web.example.org".into())]);
    let with = |extension: Extension| forge.request(Name::empty(), vec![dns.clone(), extension]);
    let authority = BasicConstraints {
        ca: true,
        path_len: None,
    };
    let usage = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_CERT_SIGN;
    let twice = forge.raw(
        Name::empty().der(),
        forge.p256_spki(),
        &[dns.clone(), dns.clone()],
    );
    let many: Vec<Extension> = (1..=40)
        .map(|n| {
            x509::ext::private(
                format!("1.3.6.1.4.1.55555.{n}").parse().unwrap(),
                vec![5, 0],
            )
        })
        .collect();
    let block = |text: &str| Bad {
        what: "not PEM",
        csr: text.to_owned(),
        rule: "csr-pem",
        source: "RFC 7468",
    };
    vec![
        bad(
            "one bit of the signature",
            &unsigned,
            "csr-proof-of-possession",
            "RFC 2986 §4.2",
        ),
        bad(
            "cut off",
            &sound[..sound.len() / 2],
            "csr-syntax",
            "RFC 2986 §4",
        ),
        bad(
            "octets after the request",
            &trailing,
            "csr-syntax",
            "RFC 2986 §4",
        ),
        bad("nothing in it", &[], "csr-syntax", "RFC 2986 §4"),
        bad(
            "indefinite length",
            &[0x30, 0x80, 0, 0],
            "csr-syntax",
            "RFC 2986 §4",
        ),
        bad(
            "a length of 4 GiB",
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            "csr-syntax",
            "RFC 2986 §4",
        ),
        bad(
            "a thousand sequences deep",
            &[0x30, 0x82, 0x7f, 0xff].repeat(1000),
            "csr-syntax",
            "RFC 2986 §4",
        ),
        bad(
            "more than 64 KiB",
            &vec![0x30; 65 * 1024],
            "csr-size",
            "limit of this authority",
        ),
        bad(
            "the same extension twice",
            &twice,
            "csr-duplicate-extension",
            "RFC 5280 §4.2",
        ),
        bad(
            "forty extensions",
            &forge.request(Name::empty(), many),
            "csr-extensions",
            "limit of this authority",
        ),
        bad(
            "CA:true",
            &with(authority.encode()),
            "csr.ca",
            "RFC 5280 §4.2.1.9",
        ),
        bad(
            "keyCertSign",
            &with(usage.encode()),
            "csr.ca",
            "RFC 5280 §4.2.1.3",
        ),
        bad(
            "a broken basicConstraints",
            &with(Extension {
                oid: BasicConstraints::OID,
                critical: true,
                value: vec![0x30, 5],
            }),
            "csr.extension",
            "RFC 2985",
        ),
        block("hello"),
        block(""),
        block("-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n"),
        block("-----BEGIN CERTIFICATE REQUEST-----\nMIIB"),
        block("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"),
    ]
}

fn names(forge: &Forge) -> Vec<Bad> {
    let many: Vec<GeneralName> = (0..1100)
        .map(|n| GeneralName::Dns(format!("h{n}.example.org")))
        .collect();
    let ten_thousand: Vec<GeneralName> = (0..10_000)
        .map(|n| GeneralName::Dns(format!("h{n}.example.org")))
        .collect();
    let over_profile: Vec<GeneralName> = (0..101)
        .map(|n| GeneralName::Dns(format!("h{n}.example.org")))
        .collect();
    let dns = |what, name: &str, rule, source| bad(what, &forge.dns(name), rule, source);
    let one =
        |what, name: GeneralName, rule, source| bad(what, &forge.named(&[name]), rule, source);
    let mut unassigned = vec![0x0c_u8; 0];
    unassigned.extend([0xff, 0xfe]);
    vec![
        bad(
            "1,100 names",
            &forge.named(&many),
            "csr-names",
            "limit of this authority",
        ),
        bad(
            "10,000 names",
            &forge.named(&ten_thousand),
            "csr-size",
            "limit of this authority",
        ),
        bad(
            "more names than the profile takes",
            &forge.named(&over_profile),
            "names.count",
            "profile server-tls v1",
        ),
        dns(
            "NUL in dNSName",
            "web.example.org\0.evil.test",
            "csr-control-character",
            "RFC 5280",
        ),
        bad(
            "NUL in the common name",
            &forge.raw_subject(Tag::UTF8_STRING, b"web.example.org\0.evil.test"),
            "csr-control-character",
            "RFC 5280 §4.1.2.4",
        ),
        bad(
            "a line feed in the common name",
            &forge.raw_subject(Tag::UTF8_STRING, b"web\nadmin"),
            "csr-control-character",
            "RFC 5280 §4.1.2.4",
        ),
        bad(
            "invalid UTF-8 in the common name",
            &forge.raw_subject(Tag::UTF8_STRING, &unassigned),
            "csr-subject-string",
            "RFC 5280 §4.1.2.4",
        ),
        dns(
            "Cyrillic letters",
            "w\u{435}b.example.org",
            "csr-name-charset",
            "RFC 5280 §4.2.1.6",
        ),
        dns(
            "Cyrillic а in apple, as an A-label",
            "xn--pple-43d.com",
            "dns-mixed-script",
            "UTS #39",
        ),
        dns(
            "all of apple in Cyrillic",
            "xn--80ak6aa92e.com",
            "dns-confusable",
            "UTS #39",
        ),
        dns(
            "an A-label that decodes to nothing",
            "xn--99999999999.example",
            "dns-a-label",
            "RFC 5890",
        ),
        dns("an empty name", "", "csr-name-form", "RFC 5280 §4.2.1.6"),
        dns(
            "a space",
            "a b.example.org",
            "csr-name-form",
            "RFC 5280 §4.2.1.6",
        ),
        dns(
            "an underscore",
            "a_b.example.org",
            "dns-label-charset",
            "RFC 1034",
        ),
        dns(
            "an address as a name",
            "10.0.0.1",
            "dns-address",
            "RFC 5280 §4.2.1.6",
        ),
        dns(
            "a trailing dot",
            "web.example.org.",
            "dns-label-empty",
            "RFC 1034",
        ),
        dns(
            "a wildcard over a top-level name",
            "*.org",
            "dns-wildcard-scope",
            "CA/Browser Forum BR",
        ),
        dns(
            "a wildcard in the middle",
            "a.*.example.org",
            "dns-wildcard-place",
            "RFC 6125",
        ),
        one(
            "a kind that the profile has not",
            GeneralName::Email("a@example.org".into()),
            "names.kind",
            "profile server-tls v1",
        ),
        one(
            "a kind that nobody issues",
            GeneralName::DirName(common_name("web")),
            "names.kind",
            "RFC 5280 §4.2.1.6",
        ),
        one(
            "nobody's address",
            GeneralName::Ip("0.0.0.0".parse().unwrap()),
            "names.ip",
            "RFC 5280 §4.2.1.6",
        ),
        one(
            "a multicast address",
            GeneralName::Ip("ff02::1".parse().unwrap()),
            "names.ip",
            "RFC 5280 §4.2.1.6",
        ),
        bad(
            "no name at all",
            &forge.request(Name::empty(), Vec::new()),
            "names.count",
            "profile server-tls v1",
        ),
        bad(
            "a common name that is no name of it",
            &forge.request(
                common_name("other.example.org"),
                vec![san(&[GeneralName::Dns("web.example.org".into())])],
            ),
            "subject.not-a-name",
            "profile server-tls v1",
        ),
    ]
}

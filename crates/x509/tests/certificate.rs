//! R04, R17: certificates made by OpenSSL are read field by field, and ours are read by OpenSSL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests are tests.

mod common;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use common::Lab;
use x509::{
    Certificate, Error, GeneralName, KeyAlgorithm, Name, PublicKey, SignatureAlgorithm, StringKind,
    TbsCertificate, Time, assemble,
    der::{self, Writer},
    ext::*,
    oids,
};

const CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
x509_extensions = ext
utf8 = yes
string_mask = utf8only
[dn]
C = US
O = Mercy Hospital
OU = Biomed
CN = Pump 17
[ext]
basicConstraints = critical,CA:TRUE,pathlen:1
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
extendedKeyUsage = serverAuth,clientAuth,1.3.6.1.5.5.7.3.43
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always,issuer:always
subjectAltName = @alt
nameConstraints = critical,permitted;DNS:.hospital.example,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:.other.example,excluded;URI:.bad.example
certificatePolicies = 1.3.6.1.4.1.41179.0.1.3,@pol
policyConstraints = requireExplicitPolicy:0,inhibitPolicyMapping:2
inhibitAnyPolicy = 3
authorityInfoAccess = OCSP;URI:http://ocsp.hospital.example,caIssuers;URI:http://aia.hospital.example/ca.cer
crlDistributionPoints = point
tlsfeature = status_request
policyMappings = 1.2.3.4:1.2.3.5
[point]
fullname = URI:http://crl.hospital.example/a.crl
reasons = keyCompromise,CACompromise
CRLissuer = dirName:issuer
[issuer]
C = US
CN = CRL issuer
[pol]
policyIdentifier = 1.2.3.4
CPS.1 = http://cps.hospital.example
userNotice.1 = @notice
[notice]
explicitText = UTF8:Be careful
[alt]
DNS.1 = pump.hospital.example
DNS.2 = *.hospital.example
IP.1 = 10.1.2.3
IP.2 = 2001:db8::1
email.1 = biomed@hospital.example
URI.1 = urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6
RID.1 = 1.2.3.4
dirName.1 = issuer
otherName.1 = 1.3.6.1.4.1.311.20.2.3;UTF8:nurse@hospital.example
";

#[test]
fn r04_every_field_of_an_openssl_certificate_is_read() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    let der = lab.certificate(
        "k.pem",
        CONFIG,
        "-days 400 -set_serial 0x00f1020304 -sha256",
    );
    let c = Certificate::from_der(&der).unwrap();
    assert_eq!(c.version(), 3);
    assert_eq!(c.serial(), [0x00, 0xf1, 2, 3, 4]);
    assert_eq!(
        c.subject().to_string(),
        "CN=Pump 17,OU=Biomed,O=Mercy Hospital,C=US"
    );
    assert_eq!(c.subject().common_name().as_deref(), Some("Pump 17"));
    assert!(c.is_self_issued());
    assert_eq!(c.not_after().0 - c.not_before().0, 400 * 86_400);
    let key = c.public_key().unwrap();
    assert_eq!(KeyAlgorithm::of(&key), Some(KeyAlgorithm::EcdsaP256));
    assert_eq!(c.signature_algorithm().oid, oids::ECDSA_SHA256);
    c.verify_signed_by(&key).unwrap();
    c.verify_signed_by(&key).unwrap();
    assert_eq!(c.encoding_issues(), []);
    let fingerprint = lab.openssl("x509 -inform DER -in x509.der -noout -fingerprint -sha256");
    let expected = fingerprint
        .trim()
        .split_once('=')
        .unwrap()
        .1
        .replace(':', "");
    assert_eq!(hex::encode_upper(c.fingerprint()), expected);
}

#[test]
fn r04_every_extension_of_an_openssl_certificate_is_read_and_written_alike() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    let c = Certificate::from_der(&lab.certificate("k.pem", CONFIG, "-days 1")).unwrap();

    let bc = round_trip::<BasicConstraints>(&c);
    assert_eq!((bc.ca, bc.path_len), (true, Some(1)));
    let ku = round_trip::<KeyUsage>(&c);
    assert_eq!(
        ku.names().collect::<Vec<_>>(),
        ["digitalSignature", "keyCertSign", "cRLSign"]
    );
    let eku = round_trip::<ExtKeyUsage>(&c);
    assert_eq!(
        eku.0,
        [
            oids::EKU_SERVER_AUTH,
            oids::EKU_CLIENT_AUTH,
            oids::EKU_UPDATE_SIGNING
        ]
    );
    let ski = round_trip::<SubjectKeyId>(&c);
    let aki = round_trip::<AuthorityKeyId>(&c);
    assert_eq!(aki.key_id, Some(ski.0));
    let san = round_trip::<SubjectAltName>(&c);
    let mut shown: Vec<String> = san.0.iter().map(ToString::to_string).collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            "DNS:*.hospital.example",
            "DNS:pump.hospital.example",
            "DirName:CN=CRL issuer,C=US",
            "IP:10.1.2.3",
            "IP:2001:db8::1",
            "RID:1.2.3.4",
            "UPN:nurse@hospital.example",
            "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "email:biomed@hospital.example",
        ]
    );
    let nc = round_trip::<NameConstraints>(&c);
    let show = |l: &[GeneralSubtree]| l.iter().map(|s| s.base.to_string()).collect::<Vec<_>>();
    assert_eq!(
        show(&nc.permitted),
        ["DNS:.hospital.example", "IP:10.0.0.0/8"]
    );
    assert_eq!(
        show(&nc.excluded),
        ["email:.other.example", "URI:.bad.example"]
    );
    let policies = round_trip::<CertificatePolicies>(&c);
    assert_eq!(policies.0[0].policy.to_string(), "1.3.6.1.4.1.41179.0.1.3");
    assert_eq!(
        policies.0[1].qualifiers,
        [
            PolicyQualifier::Cps("http://cps.hospital.example".into()),
            PolicyQualifier::UserNotice(Some("Be careful".into())),
        ]
    );
    let pc = round_trip::<PolicyConstraints>(&c);
    assert_eq!(
        (pc.require_explicit, pc.inhibit_mapping),
        (Some(0), Some(2))
    );
    assert_eq!(round_trip::<InhibitAnyPolicy>(&c).0, 3);
    let aia = round_trip::<AuthorityInfoAccess>(&c);
    assert_eq!(
        aia.uris(oids::AD_OCSP).collect::<Vec<_>>(),
        ["http://ocsp.hospital.example"]
    );
    let crldp = round_trip::<CrlDistributionPoints>(&c);
    assert_eq!(
        crldp.0[0].reasons,
        Some(ReasonFlags(
            ReasonFlags::KEY_COMPROMISE.0 | ReasonFlags::CA_COMPROMISE.0
        ))
    );
    assert_eq!(
        crldp.uris().collect::<Vec<_>>(),
        ["http://crl.hospital.example/a.crl"]
    );
    assert_eq!(crldp.0[0].crl_issuer.len(), 1);
    assert_eq!(round_trip::<TlsFeature>(&c).0, [5]);
    assert_eq!(round_trip::<PolicyMappings>(&c).0.len(), 1);
}

/// Decodes an extension and expects our encoding to be OpenSSL's, byte for byte.
fn round_trip<T: ExtensionValue>(c: &Certificate) -> T {
    let value: T = c.ext().unwrap().expect("present");
    let original = c.extensions().iter().find(|e| e.oid == T::OID).unwrap();
    let ours = value.encode().with_critical(original.critical);
    assert_eq!(&ours, original, "{:?}", T::OID);
    value
}

fn sign_p256(tbs: &[u8], key: &EcdsaKeyPair) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), tbs).unwrap();
    assemble(tbs, SignatureAlgorithm::EcdsaSha256, signature.as_ref())
}

fn p256() -> (EcdsaKeyPair, PublicKey) {
    let rng = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    let spki = der::sequence(|w: &mut Writer| {
        w.sequence(|w| {
            w.oid(&oids::EC_PUBLIC_KEY).oid(&oids::P256);
        });
        w.bit_string_octets(pair.public_key().as_ref());
    });
    (pair, PublicKey::from_spki_der(&spki).unwrap())
}

#[test]
fn r04_our_certificates_are_what_openssl_expects() {
    let (pair, key) = p256();
    let name: Name = Name::builder()
        .push(oids::COUNTRY, "US", StringKind::Auto)
        .unwrap()
        .push(oids::ORGANIZATION, "Mercy Hospital", StringKind::Auto)
        .unwrap()
        .push(oids::COMMON_NAME, "Device Root", StringKind::Auto)
        .unwrap()
        .build();
    let tbs = TbsCertificate {
        serial: vec![0x01, 0x80, 0xff],
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: name.clone(),
        not_before: Time(1_767_225_600),
        not_after: Time::NO_EXPIRY,
        subject: name,
        spki_der: key.spki_der().to_vec(),
        extensions: vec![
            BasicConstraints {
                ca: true,
                path_len: Some(0),
            }
            .encode(),
            (KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN).encode(),
            SubjectKeyId(key.key_id().to_vec()).encode(),
            AuthorityKeyId::from_key_id(&key.key_id()).encode(),
            SubjectAltName(vec![
                GeneralName::hardware_module_name(oids::SDC_PROVIDER, b"SN-1"),
                GeneralName::srv("_dicom.hospital.example"),
                GeneralName::upn("pump@hospital.example"),
            ])
            .encode(),
            MsSid::new("S-1-5-21-1004336348-1177238915-682003330-512")
                .unwrap()
                .encode(),
            OcspNoCheck.encode(),
        ],
    };
    let der = sign_p256(&tbs.encode(), &pair);
    let c = Certificate::from_der(&der).unwrap();
    assert_eq!(c.encoding_issues(), []);
    c.verify_signed_by(&key).unwrap();
    assert_eq!(c.not_after(), Time::NO_EXPIRY);
    assert_eq!(
        c.ext::<MsSid>().unwrap().unwrap().0,
        "S-1-5-21-1004336348-1177238915-682003330-512"
    );

    let lab = Lab::new();
    lab.write("c.pem", c.to_pem());
    let text = lab.openssl("x509 -in c.pem -noout -text");
    for expected in [
        "Serial Number: 98559 (0x180ff)",
        "Issuer: C = US, O = Mercy Hospital, CN = Device Root",
        "Not Before: Jan  1 00:00:00 2026 GMT",
        "Not After : Dec 31 23:59:59 9999 GMT",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "othername: UPN::pump@hospital.example",
        "OCSP No Check",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    lab.openssl("verify -CAfile c.pem c.pem");
    // The SID extension byte for byte, as in MS-WCCE §2.2.2.7.7.4 and seen from real authorities.
    let sid = c
        .extensions()
        .iter()
        .find(|e| e.oid == oids::MS_SID_EXTENSION)
        .unwrap();
    let text = hex::encode("S-1-5-21-1004336348-1177238915-682003330-512");
    assert_eq!(
        hex::encode(&sid.value),
        format!("303ea03c060a2b060104018237190201a02e042c{text}")
    );
}

#[test]
fn r17_what_deployed_devices_carry_is_read_and_its_faults_are_named() {
    let lab = Lab::new();
    lab.key("small.pem", "1024");
    let dn = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = old device\n";
    lab.write("req.cnf", dn);
    lab.openssl("req -new -config req.cnf -key small.pem -out old.csr -sha1");

    // Version 1, 1024 bits, SHA-1: no extension file makes openssl write version 1.
    lab.openssl("x509 -req -in old.csr -signkey small.pem -days 9000 -sha1 -outform DER -out v1.der -set_serial 7");
    let v1 = Certificate::from_der(&lab.read("v1.der")).unwrap();
    assert_eq!(v1.version(), 1);
    assert_eq!(v1.signature_algorithm().oid, oids::SHA1_RSA);
    let key = v1.public_key().unwrap();
    assert_eq!(key.weakness(), Some(x509::Weakness::Small(1024)));
    assert!(v1.verify_signed_by(&key).is_err());
    v1.verify_signed_by_legacy(&key).unwrap();
    assert_eq!(v1.encoding_issues(), []);

    // A negative serial, as OpenSSL can make one.
    lab.openssl(
        "x509 -req -in old.csr -signkey small.pem -days 1 -outform DER -out neg.der -set_serial -5",
    );
    let negative = Certificate::from_der(&lab.read("neg.der")).unwrap();
    assert_eq!(negative.serial(), [0xfb]);
    assert_eq!(rules(&negative), ["serial-negative"]);

    // Zero, and one of 30 octets.
    for (serial, rule) in [
        ("0", "serial-zero"),
        (&format!("0x7f{}", "11".repeat(29)), "serial-long"),
    ] {
        lab.openssl(&format!(
            "x509 -req -in old.csr -signkey small.pem -days 1 -outform DER -out s.der -set_serial {serial}"
        ));
        let c = Certificate::from_der(&lab.read("s.der")).unwrap();
        assert_eq!(rules(&c), [rule]);
    }

    // Year 9999.
    lab.write("index.txt", "");
    lab.write("ca.cnf", "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n");
    lab.openssl("ca -batch -config ca.cnf -selfsign -in old.csr -keyfile small.pem -startdate 19700101000000Z -enddate 99991231235959Z -notext -out forever.pem");
    let forever = Certificate::from_pem(&lab.read("forever.pem")).unwrap();
    assert_eq!(forever.not_after(), Time::NO_EXPIRY);
    assert_eq!(forever.not_before(), Time(0));
    assert_eq!(forever.encoding_issues(), []);
}

fn rules(c: &Certificate) -> Vec<&'static str> {
    c.encoding_issues().iter().map(|i| i.rule).collect()
}

/// Faults that no tool makes, put in by editing a good certificate's parts.
#[test]
fn r17_faults_made_by_hand_are_named() {
    let (_, key) = p256();
    let good = Parts::new(&key);
    assert_eq!(rules(&good.build()), Vec::<&str>::new());
    let cases: Vec<(&str, Parts)> = vec![
        (
            "version-too-low",
            Parts {
                version: Some(1),
                ..good.clone()
            },
        ),
        (
            "version-unknown",
            Parts {
                version: Some(5),
                ..good.clone()
            },
        ),
        (
            "serial-padded",
            Parts {
                serial: vec![0, 1],
                ..good.clone()
            },
        ),
        (
            "algorithms-differ",
            Parts {
                inner: SignatureAlgorithm::EcdsaSha384,
                ..good.clone()
            },
        ),
        (
            "validity-reversed",
            Parts {
                not_after: "200101000000Z",
                ..good.clone()
            },
        ),
        (
            "time-form",
            Parts {
                not_after: "3001010000Z",
                ..good.clone()
            },
        ),
        (
            "time-form",
            Parts {
                not_after: "300101000000+0100",
                ..good.clone()
            },
        ),
        (
            "extension-duplicate",
            Parts {
                extensions: "twice",
                ..good.clone()
            },
        ),
        (
            "extension-default-encoded",
            Parts {
                extensions: "false",
                ..good.clone()
            },
        ),
        (
            "extensions-empty",
            Parts {
                extensions: "none",
                ..good.clone()
            },
        ),
        (
            "name-charset",
            Parts {
                subject: printable(b"a*b"),
                ..good.clone()
            },
        ),
        (
            "name-control",
            Parts {
                subject: printable(b"a\0b"),
                ..good.clone()
            },
        ),
        (
            "issuer-empty",
            Parts {
                issuer: vec![0x30, 0],
                ..good.clone()
            },
        ),
        (
            "name-order",
            Parts {
                subject: vec![0x30, 2, 0x31, 0],
                ..good.clone()
            },
        ),
        (
            "key-unreadable",
            Parts {
                spki: vec![0x30, 0],
                ..good.clone()
            },
        ),
    ];
    for (rule, parts) in cases {
        let found = rules(&parts.build());
        assert!(found.contains(&rule), "{rule}: {found:?}");
    }
    let mut long_form = good.build().der().to_vec();
    // 30 82 xx xx → 30 83 00 xx xx
    long_form[1] = 0x83;
    long_form.insert(2, 0);
    assert_eq!(
        rules(&Certificate::from_der(&long_form).unwrap()),
        ["der-form"]
    );
}

fn printable(text: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        w.set(|w| {
            w.sequence(|w| {
                w.oid(&oids::COMMON_NAME)
                    .element(der::Tag::PRINTABLE_STRING, text);
            });
        });
    })
}

#[derive(Clone)]
struct Parts {
    version: Option<u64>,
    serial: Vec<u8>,
    inner: SignatureAlgorithm,
    issuer: Vec<u8>,
    not_after: &'static str,
    subject: Vec<u8>,
    spki: Vec<u8>,
    extensions: &'static str,
}

impl Parts {
    fn new(key: &PublicKey) -> Parts {
        Parts {
            version: Some(2),
            serial: vec![1],
            inner: SignatureAlgorithm::EcdsaSha256,
            issuer: printable(b"issuer"),
            not_after: "300101000000Z",
            subject: printable(b"subject"),
            spki: key.spki_der().to_vec(),
            extensions: "once",
        }
    }

    fn build(&self) -> Certificate {
        let tbs = der::sequence(|w| {
            if let Some(v) = self.version {
                w.nested(der::Tag::context_constructed(0), |w| {
                    w.u64(v);
                });
            }
            w.integer(&self.serial);
            w.raw(&self.inner.algorithm_identifier_der());
            w.raw(&self.issuer);
            w.sequence(|w| {
                w.element(der::Tag::UTC_TIME, b"250101000000Z");
                w.element(der::Tag::UTC_TIME, self.not_after.as_bytes());
            });
            w.raw(&self.subject).raw(&self.spki);
            let eku = ExtKeyUsage(vec![oids::EKU_SERVER_AUTH]).encode();
            w.nested(der::Tag::context_constructed(3), |w| {
                w.sequence(|w| match self.extensions {
                    "once" => eku.write(w),
                    "twice" => [&eku, &eku].iter().for_each(|e| e.write(w)),
                    "false" => {
                        w.sequence(|w| {
                            w.oid(&eku.oid).boolean(false).octet_string(&eku.value);
                        });
                    }
                    _ => {}
                });
            });
        });
        Certificate::from_der(&assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &[0; 70])).unwrap()
    }
}

#[test]
fn r17_trailing_data_and_budgets_are_typed_errors() {
    let (_, key) = p256();
    let der = Parts::new(&key).build().der().to_vec();
    let mut trailing = der.clone();
    trailing.push(0);
    assert_eq!(
        Certificate::from_der(&trailing).unwrap_err(),
        Error::Der(der::Error::TrailingData(1))
    );
    assert_eq!(
        Certificate::from_der(&der[..der.len() - 1]).unwrap_err(),
        Error::Der(der::Error::Truncated)
    );
    let huge = vec![0x30; 300 * 1024];
    assert!(matches!(
        Certificate::from_der(&huge),
        Err(Error::TooLarge { .. })
    ));
    let twice = Parts {
        extensions: "twice",
        ..Parts::new(&key)
    };
    assert_eq!(
        twice.build().ext::<ExtKeyUsage>(),
        Err(Error::Duplicate {
            what: "extension",
            oid: oids::EXT_KEY_USAGE
        })
    );
}

#[test]
fn r03_every_signature_algorithm_verifies_openssl_signatures() {
    let lab = Lab::new();
    let dn = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = x\n";
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    for (kind, md, extra, alg) in [
        ("2048", "-sha256", "", SignatureAlgorithm::RsaSha256),
        ("3072", "-sha384", "", SignatureAlgorithm::RsaSha384),
        ("2048", "-sha512", "", SignatureAlgorithm::RsaSha512),
        ("2048", "-sha256", pss, SignatureAlgorithm::RsaPssSha256),
        ("2048", "-sha384", pss, SignatureAlgorithm::RsaPssSha384),
        ("2048", "-sha512", pss, SignatureAlgorithm::RsaPssSha512),
        ("P-256", "-sha256", "", SignatureAlgorithm::EcdsaSha256),
        ("P-384", "-sha384", "", SignatureAlgorithm::EcdsaSha384),
        ("P-521", "-sha512", "", SignatureAlgorithm::EcdsaSha512),
        ("P-384", "-sha256", "", SignatureAlgorithm::EcdsaSha256),
        ("ed25519", "", "", SignatureAlgorithm::Ed25519),
    ] {
        lab.key("k.pem", kind);
        let der = lab.certificate("k.pem", dn, &format!("{md} {extra} -days 1"));
        let c = Certificate::from_der(&der).unwrap();
        let id = c.signature_algorithm();
        assert_eq!(SignatureAlgorithm::from_identifier(&id), Some(alg));
        assert_eq!(id, alg.identifier(), "{alg}");
        let key = c.public_key().unwrap();
        assert_eq!(key.weakness(), None, "{kind}");
        assert!(key.has_exact_parameters());
        c.verify_signed_by(&key).unwrap();
        let mut bad = der.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        let bad = Certificate::from_der(&bad).unwrap();
        assert_eq!(bad.verify_signed_by(&key), Err(Error::BadSignature));
    }
}

//! For each rule over certificates, a good certificate and what to do to it so that the rule is broken.

use x509::{
    GeneralName, Name,
    der::{self, Tag, encode},
    ext::*,
    oids,
};

use crate::draft::*;

type Make = fn() -> Draft;
type Spoil = fn(&mut Draft);

#[rustfmt::skip]
pub(crate) const CASES: &[(&str, Make, Spoil)] = &[
    // frame.rs
    ("version-v3", server, |d| d.version = 1),
    ("serial-positive", server, |d| d.serial[0] = 0x80),
    ("serial-not-zero", server, |d| d.serial = vec![0]),
    ("serial-length", server, |d| d.serial = vec![0x11; 21]),
    ("serial-shortest-form", server, |d| d.serial.insert(0, 0)),
    ("serial-entropy", server, |d| d.serial = vec![0x11; 7]),
    ("signature-algorithm-strong", rsa_server, |d| d.algorithm = algorithm(&oids::SHA1_RSA)),
    ("signature-algorithm-known", rsa_server, |d| d.algorithm = algorithm(&oids::MD5_RSA)),
    ("signature-algorithm-parameters", rsa_server, |d| d.algorithm = bare(&oids::SHA256_RSA)),
    ("signature-algorithm-parameters", server, |d| d.algorithm = algorithm(&oids::ECDSA_SHA256)),
    ("rsa-pss-parameters", rsa_server, |d| d.algorithm = bare(&oids::RSASSA_PSS)),
    ("validity-form", server, |d| d.not_before = utc("2601010000Z")),
    ("validity-form", server, |d| d.not_after = generalized("20510101000000.5Z")),
    ("validity-form", server, |d| d.not_after = utc("270101000000+0100")),
    ("validity-type", server, |d| d.not_after = generalized("20270101000000Z")),
    ("validity-order", server, |d| d.not_before = utc("270101000000Z")),
    ("validity-within-issuer", server, |d| d.not_after = utc("450101000000Z")),
    ("server-validity-three-years", server, |d| d.not_after = utc("290201000000Z")),
    ("no-unique-ids", server, |d| d.unique_id = Some(vec![0, 1])),
    ("authority-validity-expires", authority, |d| d.not_after = generalized("20660101000000Z")),
    // names.rs
    ("issuer-not-empty", server, |d| d.issuer = Name::empty().der().to_vec()),
    ("authority-subject-not-empty", authority, |d| d.subject = Name::empty().der().to_vec()),
    ("issuer-matches-authority", server, |d| d.issuer = name("CN=Another CA,O=Ward Test Hospital,C=DE")),
    ("name-no-empty-rdn", server, |d| d.subject = der::sequence(|w| { w.set(|_| {}); })),
    ("name-attribute-type-once", logon, |d| d.subject = name("CN=Dana,CN=Smith,C=DE")),
    ("name-value-not-empty", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::UTF8_STRING, b"")),
    ("name-upper-bounds", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::UTF8_STRING, &[b'x'; 65])),
    ("name-directory-string", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::TELETEX_STRING, b"Dana")),
    ("name-printable-only", device, |d| d.subject = odd_name(oids::SERIAL_NUMBER, Tag::UTF8_STRING, b"INF-0042")),
    ("name-ia5-only", logon, |d| d.subject = odd_name(oids::DOMAIN_COMPONENT, Tag::UTF8_STRING, b"example")),
    ("name-string-alphabet", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::PRINTABLE_STRING, b"Dana @ Smith")),
    ("name-string-alphabet", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::UTF8_STRING, b"\xff\xfe")),
    ("name-no-control-characters", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::UTF8_STRING, b"Dana\0Smith")),
    ("name-no-outer-spaces", logon, |d| d.subject = odd_name(oids::COMMON_NAME, Tag::UTF8_STRING, b"Dana Smith ")),
    ("country-two-letters", logon, |d| d.subject = odd_name(oids::COUNTRY, Tag::PRINTABLE_STRING, b"de")),
    ("san-when-subject-empty", logon, |d| d.subject = Name::empty().der().to_vec()),
    ("san-not-critical", server, |d| { d.set(SubjectAltName(vec![dns("fhir.hospital.example")]).encode().with_critical(true)); }),
    ("san-not-empty", logon, |d| { d.set_value(oids::SUBJECT_ALT_NAME, false, &[0x30, 0]); }),
    ("san-dns-syntax", server, |d| { d.raw_alt_name(0x82, b"fhir_1.hospital.example"); }),
    ("san-dns-syntax", server, |d| { d.raw_alt_name(0x82, b"fhir.*.example"); }),
    ("san-dns-syntax", server, |d| { d.raw_alt_name(0x82, b"*.example"); }),
    ("san-dns-syntax", server, |d| { d.raw_alt_name(0x82, b"fhir.hospital.example."); }),
    ("san-dns-syntax", server, |d| { d.raw_alt_name(0x82, "krankenhäuser.example".as_bytes()); }),
    ("san-dns-not-address", server, |d| { d.raw_alt_name(0x82, b"10.10.0.7"); }),
    ("san-email-syntax", mail, |d| { d.raw_alt_name(0x81, b"Dana <d.smith@hospital.example>"); }),
    ("san-email-syntax", mail, |d| { d.raw_alt_name(0x81, b"hospital.example"); }),
    ("san-uri-syntax", server, |d| { d.raw_alt_name(0x86, b"/relative/path"); }),
    ("san-uri-syntax", server, |d| { d.raw_alt_name(0x86, b"https:///nohost"); }),
    ("san-ip-length", server, |d| { d.raw_alt_name(0x87, &[10, 0, 0, 0, 255, 255, 255, 0]); }),
    ("san-directory-not-empty", server, |d| { d.raw_alt_name(0xa4, &[0x30, 0]); }),
    ("san-other-name-form", logon, |d| { d.raw_alt_name(0xa0, &other_name(&oids::ON_UPN, &encode(Tag::IA5_STRING, b"d@x.example"))); }),
    ("san-no-duplicates", server, |d| { d.alt_names(&[dns("fhir.hospital.example"), dns("fhir.hospital.example")]); }),
    ("server-has-host-name", server, |d| { d.alt_names(&[GeneralName::Email("a@hospital.example".into())]); }),
    ("common-name-in-san", server, |d| { d.alt_names(&[dns("other.hospital.example")]); }),
    ("subject-no-email", mail, |d| d.subject = odd_name(oids::EMAIL_ADDRESS, Tag::IA5_STRING, b"d@hospital.example")),
    // keys.rs
    ("key-algorithm-known", server, |d| d.spki = spki(|w| { w.oid(&oids::DSA).null(); }, &[1; 64])),
    ("rsa-parameters-null", rsa_server, |d| d.spki = spki(|w| { w.oid(&oids::RSA_ENCRYPTION); }, &[0x30, 0])),
    ("rsa-key-well-formed", rsa_server, |d| d.spki = rsa_spki(&[&modulus(255)[..], &[2]].concat(), &[1, 0, 1])),
    ("rsa-2048-bits", rsa_server, |d| d.spki = rsa_spki(&modulus(128), &[1, 0, 1])),
    ("rsa-bits-multiple-of-eight", rsa_server, |d| d.spki = rsa_spki(&[&[1], &modulus(256)[..]].concat(), &[1, 0, 1])),
    ("rsa-exponent", rsa_server, |d| d.spki = rsa_spki(&modulus(256), &[3])),
    ("rsa-exponent", rsa_server, |d| d.spki = rsa_spki(&modulus(256), &[1, 0, 2])),
    ("ec-named-curve", server, |d| d.spki = ec_spki(&oids::SECP256K1, &[4; 65])),
    ("ec-point-uncompressed", server, |d| d.spki = ec_spki(&oids::P256, &[3; 33])),
    ("ed25519-form", device, |d| d.spki = spki(|w| { w.oid(&oids::ED25519).null(); }, &[5; 32])),
    // extensions.rs
    ("extensions-not-empty", server, |d| d.extensions = Some(vec![])),
    ("extension-once", server, |d| { d.push(SubjectKeyId(vec![8; 20]).encode()); }),
    ("extension-criticality-encoding", server, |d| { d.push_raw(explicit_criticality(0)); }),
    ("extension-criticality-encoding", server, |d| { d.push_raw(explicit_criticality(1)); }),
    ("extension-readable", server, |d| { d.set_value(oids::EXT_KEY_USAGE, false, &[0x30, 5, 6]); }),
    ("critical-extension-known", server, |d| { d.set_value("1.3.6.1.4.1.55555.9".parse().unwrap(), true, &[5, 0]); }),
    ("never-critical", server, |d| { d.set(SubjectKeyId(vec![9; 20]).encode().with_critical(true)); }),
    ("authority-key-id-present", server, |d| { d.drop_ext(&oids::AUTHORITY_KEY_IDENTIFIER); }),
    ("authority-key-id-only", server, |d| { d.set(key_id(&ISSUER_KEY_ID, Some(vec![1]))); }),
    ("authority-key-id-matches", server, |d| { d.set(key_id(&[8; 20], None)); }),
    ("subject-key-id-present", authority, |d| { d.drop_ext(&oids::SUBJECT_KEY_IDENTIFIER); }),
    ("subject-key-id-advised", server, |d| { d.drop_ext(&oids::SUBJECT_KEY_IDENTIFIER); }),
    ("subject-key-id-not-empty", server, |d| { d.set(SubjectKeyId(vec![]).encode()); }),
    // usage.rs
    ("basic-constraints-critical", authority, |d| { d.set(BasicConstraints { ca: true, path_len: None }.encode().with_critical(false)); }),
    ("basic-constraints-encoding", server, |d| { d.set_value(oids::BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0]); }),
    ("path-length-only-for-authorities", server, |d| { d.set_value(oids::BASIC_CONSTRAINTS, true, &[0x30, 3, 2, 1, 0]); }),
    ("basic-constraints-when-signing", server, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_CERT_SIGN); }),
    ("key-usage-in-authority", authority, |d| { d.drop_ext(&oids::KEY_USAGE); }),
    ("key-usage-signs-certificates", authority, |d| { d.usage(KeyUsage::CRL_SIGN); }),
    ("key-usage-signs-crls", authority, |d| { d.usage(KeyUsage::KEY_CERT_SIGN); }),
    ("key-usage-critical", server, |d| { d.set(KeyUsage::DIGITAL_SIGNATURE.encode().with_critical(false)); }),
    ("key-usage-not-empty", server, |d| { d.set_value(oids::KEY_USAGE, true, &[3, 1, 0]); }),
    ("key-usage-encoding", server, |d| { d.set_value(oids::KEY_USAGE, true, &[3, 2, 0, 0x80]); }),
    ("key-usage-present", server, |d| { d.drop_ext(&oids::KEY_USAGE); }),
    ("ec-key-no-encipherment", server, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT); }),
    ("ed25519-key-only-signs", device, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT); }),
    ("rsa-key-no-agreement", rsa_server, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT); }),
    ("encipher-only-needs-agreement", server, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::ENCIPHER_ONLY); }),
    ("least-key-usage", rsa_server, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION | KeyUsage::KEY_ENCIPHERMENT); }),
    ("end-entity-no-crl-sign", server, |d| { d.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::CRL_SIGN); }),
    // purposes.rs
    ("purposes-not-empty", server, |d| { d.set_value(oids::EXT_KEY_USAGE, false, &[0x30, 0]); }),
    ("purposes-no-duplicates", server, |d| { d.purposes(&[oids::EKU_SERVER_AUTH, oids::EKU_SERVER_AUTH]); }),
    ("no-any-purpose", server, |d| { d.purposes(&[oids::EKU_SERVER_AUTH, oids::ANY_EXTENDED_KEY_USAGE]); }),
    ("any-purpose-not-critical", server, |d| { d.set(ExtKeyUsage(vec![oids::ANY_EXTENDED_KEY_USAGE]).encode().with_critical(true)); }),
    ("purpose-stated", server, |d| { d.drop_ext(&oids::EXT_KEY_USAGE); }),
    ("purpose-consistent-with-usage", logon, |d| { d.usage(KeyUsage::NON_REPUDIATION); }),
    ("signing-purpose-alone", responder, |d| { d.purposes(&[oids::EKU_OCSP_SIGNING, oids::EKU_SERVER_AUTH]); }),
    ("time-stamping-alone-critical", stamper, |d| { d.purposes(&[oids::EKU_TIME_STAMPING]); }),
    ("ocsp-no-check-only-responders", server, |d| { d.push(OcspNoCheck.encode()); }),
    ("ocsp-no-check-null", responder, |d| { d.set_value(oids::OCSP_NO_CHECK, false, &[0x30, 0]); }),
    ("responder-states-revocation", responder, |d| { d.drop_ext(&oids::OCSP_NO_CHECK).drop_ext(&oids::AUTHORITY_INFO_ACCESS); }),
    ("mail-purpose-has-address", mail, |d| { d.alt_names(&[GeneralName::Uri("https://hospital.example/d".into())]); }),
    ("logon-purpose-has-principal", logon, |d| { d.alt_names(&[dns("hospital.example")]); }),
    ("tls-feature-form", server, |d| { d.set_value(oids::TLS_FEATURE, false, &[0x30, 0]); }),
    // location.rs
    ("crl-points-not-empty", server, |d| { d.set_value(oids::CRL_DISTRIBUTION_POINTS, false, &[0x30, 0]); }),
    ("crl-point-complete", server, |d| { d.set_value(oids::CRL_DISTRIBUTION_POINTS, false, &[0x30, 6, 0x30, 4, 0x81, 2, 6, 0x40]); }),
    ("crl-point-http", server, |d| { d.set(point("ldap://directory.hospital.example/cn=ca").encode()); }),
    ("crl-point-uri-syntax", server, |d| { d.set(point("/crl/1.crl").encode()); }),
    ("crl-point-not-tls", server, |d| { d.set(point("https://pki.hospital.example/1.crl").encode()); }),
    ("crl-points-not-critical", server, |d| { d.set(point("http://pki.hospital.example/1.crl").encode().with_critical(true)); }),
    ("information-access-not-empty", server, |d| { d.set_value(oids::AUTHORITY_INFO_ACCESS, false, &[0x30, 0]); }),
    ("information-access-uri-syntax", server, |d| { d.set(AuthorityInfoAccess(vec![access(oids::AD_OCSP, "ocsp")]).encode()); }),
    ("information-access-http", server, |d| { d.set(AuthorityInfoAccess(vec![access(oids::AD_OCSP, "https://ocsp.hospital.example")]).encode()); }),
    ("status-can-be-found", server, |d| { d.drop_ext(&oids::AUTHORITY_INFO_ACCESS).drop_ext(&oids::CRL_DISTRIBUTION_POINTS); }),
    ("issuer-can-be-found", server, |d| { d.drop_ext(&oids::AUTHORITY_INFO_ACCESS); }),
    ("freshest-crl-with-complete", server, |d| { let points = point("http://pki.hospital.example/delta.crl").0; d.drop_ext(&oids::CRL_DISTRIBUTION_POINTS).push(FreshestCrl(points).encode()); }),
    // constraints.rs
    ("policies-not-empty", server, |d| { d.set_value(oids::CERTIFICATE_POLICIES, false, &[0x30, 0]); }),
    ("policies-no-duplicates", server, |d| { d.set(policies(&["1.2.3", "1.2.3"]).encode()); }),
    ("policies-no-user-notice", server, |d| { d.set(with_notice().encode()); }),
    ("authority-extensions-only-in-authorities", server, |d| { d.constraints(&[Constraint::Dns("hospital.example".into())]); }),
    ("constraints-critical", authority, |d| { d.set(InhibitAnyPolicy(0).encode().with_critical(false)); }),
    ("policy-mappings-critical", authority, |d| { let pair = ("1.2.3".parse().unwrap(), "1.2.4".parse().unwrap()); d.set(PolicyMappings(vec![pair]).encode().with_critical(false)); }),
    ("policy-mappings-not-any", authority, |d| { d.set(PolicyMappings(vec![(oids::ANY_POLICY, "1.2.4".parse().unwrap())]).encode()); }),
    ("policy-constraints-not-empty", authority, |d| { d.set_value(oids::POLICY_CONSTRAINTS, true, &[0x30, 0]); }),
    ("name-constraints-not-empty", authority, |d| { d.set_value(oids::NAME_CONSTRAINTS, true, &[0x30, 0]); }),
    ("name-constraints-whole-subtrees", authority, |d| { d.set_value(oids::NAME_CONSTRAINTS, true, &narrowed_subtree()); }),
    ("name-constraints-address-mask", authority, |d| { d.constraints(&[Constraint::Ip(IpRange { address: vec![10, 0, 0, 0], mask: vec![255, 0, 255, 0] })]); }),
    ("name-constraints-dns-form", authority, |d| { d.constraints(&[Constraint::Dns(".hospital.example".into())]); }),
];

fn algorithm(oid: &x509::Oid) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(oid).null();
    })
}

fn bare(oid: &x509::Oid) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(oid);
    })
}

fn other_name(kind: &x509::Oid, value: &[u8]) -> Vec<u8> {
    let mut w = der::Writer::new();
    w.oid(kind).element(Tag::context_constructed(0), value);
    w.finish()
}

/// An extension whose BOOLEAN is written with this octet.
fn explicit_criticality(octet: u8) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(&"1.3.6.1.4.1.55555.8".parse().unwrap())
            .element(Tag::BOOLEAN, &[octet])
            .octet_string(&[5, 0]);
    })
}

fn key_id(id: &[u8], serial: Option<Vec<u8>>) -> x509::Extension {
    let issuer = serial
        .as_ref()
        .map(|_| vec![GeneralName::DirName(ISSUER.parse().unwrap())]);
    let key_id = Some(id.to_vec());
    AuthorityKeyId {
        key_id,
        issuer,
        serial,
    }
    .encode()
}

fn with_notice() -> CertificatePolicies {
    CertificatePolicies(vec![PolicyInformation {
        policy: "1.2.3".parse().unwrap(),
        qualifiers: vec![PolicyQualifier::UserNotice(Some(
            "For patients' eyes only".into(),
        ))],
    }])
}

/// permittedSubtrees with a dNSName of minimum 1.
fn narrowed_subtree() -> Vec<u8> {
    der::sequence(|w| {
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.element(Tag::context(2), b"hospital.example")
                    .element(Tag::context(0), &[1]);
            });
        });
    })
}

/// The whole of a certificate with a length that takes an octet more than it must.
pub(crate) fn padded_length(good: &Draft) -> Vec<u8> {
    let mut tbs = good.tbs();
    assert_eq!(tbs[1], 0x82);
    tbs.splice(1..2, [0x83, 0]);
    tbs
}

pub(crate) const GOOD: &[(&str, Make)] = &[
    ("server", server),
    ("RSA server", rsa_server),
    ("RSA-PSS server", pss_server),
    ("device", device),
    ("mail", mail),
    ("logon", logon),
    ("responder", responder),
    ("stamper", stamper),
    ("authority", authority),
    ("root", root),
];

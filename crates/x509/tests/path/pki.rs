//! Small hierarchies made on the spot, with real signatures.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use x509::{
    Certificate, Extension, GeneralName, Oid, SignatureAlgorithm, TbsCertificate, Time, assemble,
    crl::{CertificateList, Reason, RevokedEntry, TbsCrl, encode_entry},
    der::{self, Writer},
    ext::*,
    oids,
    path::{PathError, PathOptions, TrustAnchor, ValidPath, validate},
};

pub(crate) fn now() -> Time {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// A certificate to be. Keys are numbers; the same number is the same key.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) subject: String,
    pub(crate) key: u16,
    pub(crate) issuer: String,
    pub(crate) issuer_key: u16,
    pub(crate) serial: u16,
    pub(crate) not_after: Time,
    pub(crate) extensions: Vec<Extension>,
}

fn pair(key: u16) -> Ed25519KeyPair {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&key.to_be_bytes());
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

fn spki(key: u16) -> Vec<u8> {
    der::sequence(|w: &mut Writer| {
        w.sequence(|w| {
            w.oid(&oids::ED25519);
        });
        w.bit_string_octets(pair(key).public_key().as_ref());
    })
}

fn key_id(key: u16) -> Vec<u8> {
    [&[0xaa; 18][..], &key.to_be_bytes()].concat()
}

/// What `subject` has from `issuer`; both are `name/key`.
fn spec(subject: &str, issuer: &str) -> Spec {
    let split = |s: &str| {
        let (name, key) = s.split_once('/').unwrap();
        (name.to_owned(), key.parse::<u16>().unwrap())
    };
    let ((subject, key), (issuer, issuer_key)) = (split(subject), split(issuer));
    let authority_key = AuthorityKeyId {
        key_id: Some(key_id(issuer_key)),
        ..AuthorityKeyId::default()
    };
    Spec {
        serial: key,
        extensions: vec![authority_key.encode(), SubjectKeyId(key_id(key)).encode()],
        subject,
        key,
        issuer,
        issuer_key,
        not_after: now().plus_days(365),
    }
}

/// An authority.
pub(crate) fn ca(subject: &str, issuer: &str) -> Spec {
    let basic = BasicConstraints {
        ca: true,
        path_len: None,
    };
    spec(subject, issuer)
        .with(basic.encode())
        .with((KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN).encode())
}

/// A server.
pub(crate) fn leaf(subject: &str, issuer: &str) -> Spec {
    spec(subject, issuer)
        .with(KeyUsage::DIGITAL_SIGNATURE.encode())
        .names(&[GeneralName::Dns("fhir.hospital.example".into())])
        .purposes(&[oids::EKU_SERVER_AUTH])
}

impl Spec {
    /// Adds an extension or replaces the one of its type.
    pub(crate) fn with(mut self, extension: Extension) -> Self {
        self = self.without(&extension.oid);
        self.extensions.push(extension);
        self
    }

    pub(crate) fn without(mut self, oid: &Oid) -> Self {
        self.extensions.retain(|e| e.oid != *oid);
        self
    }

    pub(crate) fn names(self, names: &[GeneralName]) -> Self {
        self.with(SubjectAltName(names.to_vec()).encode())
    }

    pub(crate) fn purposes(self, purposes: &[Oid]) -> Self {
        self.with(ExtKeyUsage(purposes.to_vec()).encode())
    }

    pub(crate) fn until(self, not_after: Time) -> Self {
        Spec { not_after, ..self }
    }

    pub(crate) fn serial(self, serial: u16) -> Self {
        Spec { serial, ..self }
    }

    pub(crate) fn make(&self) -> Certificate {
        let tbs = TbsCertificate {
            serial: [&[1], &self.serial.to_be_bytes()[..]].concat(),
            signature: SignatureAlgorithm::Ed25519,
            issuer: format!("CN={}", self.issuer).parse().unwrap(),
            not_before: now().plus_days(-365),
            not_after: self.not_after,
            subject: format!("CN={}", self.subject).parse().unwrap(),
            spki_der: spki(self.key),
            extensions: self.extensions.clone(),
        };
        let tbs = tbs.encode();
        let signature = pair(self.issuer_key).sign(&tbs);
        Certificate::from_der(&assemble(
            &tbs,
            SignatureAlgorithm::Ed25519,
            signature.as_ref(),
        ))
        .unwrap()
    }
}

/// A CRL by `issuer/key` that lists these serial numbers.
pub(crate) fn crl(issuer: &str, serials: &[u16]) -> CertificateList {
    let (name, key) = issuer.split_once('/').unwrap();
    let key: u16 = key.parse().unwrap();
    let head = TbsCrl {
        issuer: format!("CN={name}").parse().unwrap(),
        signature: SignatureAlgorithm::Ed25519,
        this_update: now().plus_days(-1),
        next_update: now().plus_days(1),
        extensions: vec![CrlNumber(vec![1]).encode()],
    };
    let mut entries = Vec::new();
    for serial in serials {
        let serial = [&[1], &serial.to_be_bytes()[..]].concat();
        let entry = RevokedEntry::new(serial, now().plus_days(-2), Some(Reason::KeyCompromise));
        encode_entry(&entry, &mut entries);
    }
    let unsigned = head.encode([&entries], entries.len()).unwrap();
    let signature = pair(key).sign(unsigned.tbs());
    CertificateList::from_der(&unsigned.assemble(signature.as_ref())).unwrap()
}

/// Target first, then untrusted; the anchor is `CN=Root` with key 1.
pub(crate) fn run(chain: &[Spec], options: &PathOptions) -> Result<ValidPath, PathError> {
    run_under(
        &[TrustAnchor::new(ca("Root/1", "Root/1").make())],
        chain,
        options,
    )
}

pub(crate) fn run_under(
    anchors: &[TrustAnchor],
    chain: &[Spec],
    options: &PathOptions,
) -> Result<ValidPath, PathError> {
    let made: Vec<Certificate> = chain.iter().map(Spec::make).collect();
    validate(&made[0], &made[1..], anchors, options)
}

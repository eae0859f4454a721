//! What a certificate says, as the columns that it is found by. Nothing is judged here: a weak key, a year 9999 and a
//! name with control characters are facts like any other, and become findings elsewhere.

use x509::ext::{BasicConstraints, CertificatePolicies, SubjectAltName};
use x509::{Certificate, PublicKeyKind, SignatureAlgorithm, oids};

use super::text::clean;

/// Names that are kept for finding a certificate by; it may have more.
const MOST_NAMES: usize = 200;
/// All of them together, in bytes.
const NAMES_BYTES: usize = 16 * 1024;

/// The columns of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) spki: [u8; 32],
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: Vec<u8>,
    pub(crate) names: String,
    pub(crate) key: String,
    pub(crate) key_bits: u32,
    pub(crate) signature: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) is_ca: bool,
    pub(crate) self_signed: bool,
    /// It names a policy of the CA/Browser Forum, as the authorities of the web do.
    pub(crate) is_public: bool,
}

impl Described {
    pub(crate) fn of(certificate: &Certificate) -> Self {
        let (key, key_bits) = key(certificate);
        let self_signed = is_self_signed(certificate);
        let constraints = certificate.ext::<BasicConstraints>().ok().flatten();
        // Version 1 knows no basic constraints: such a certificate that signs itself is a root of its time.
        let is_ca = match constraints {
            Some(constraints) => constraints.ca,
            None => certificate.version() < 3 && self_signed,
        };
        Described {
            spki: audit::merkle::sha256(certificate.spki_der()),
            subject: clean(&certificate.subject().to_string()),
            issuer: clean(&certificate.issuer().to_string()),
            serial: certificate.serial().to_vec(),
            names: names(certificate).join("\n"),
            key,
            key_bits,
            signature: signature(certificate),
            not_before: certificate.not_before().0,
            not_after: certificate.not_after().0,
            is_ca,
            self_signed,
            is_public: is_public(certificate),
        }
    }

    /// What it is found by in `inventory_names`: its names without their kinds, and serial numbers in its subject.
    pub(crate) fn found_by(&self) -> impl Iterator<Item = String> {
        let names = self.names.lines().filter_map(|name| name.split_once(':'));
        let names = names.map(|(_, name)| name.to_owned());
        let parts = self.subject.split([',', '+']);
        let serials = parts.filter_map(|part| part.strip_prefix("serialNumber="));
        names.chain(serials.map(str::to_lowercase))
    }
}

/// What it is called: alternative names and the common name as `kind:value`, lower case, each once.
pub(crate) fn names(certificate: &Certificate) -> Vec<String> {
    let alternative = certificate.ext::<SubjectAltName>().ok().flatten();
    let mut names: Vec<String> = Vec::new();
    let mut bytes = 0;
    let alternative = alternative.iter().flat_map(|names| &names.0);
    let common = certificate
        .subject()
        .common_name()
        .map(|name| format!("cn:{name}"));
    let all = common
        .into_iter()
        .chain(alternative.map(ToString::to_string));
    for name in all.take(MOST_NAMES) {
        let name = clean(&name.to_lowercase());
        bytes += name.len() + 1;
        if bytes > NAMES_BYTES {
            break;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Kind and strength of the key; a key that cannot be read is of the kind `unreadable`.
fn key(certificate: &Certificate) -> (String, u32) {
    let named = |oid: &x509::Oid| match oid.name() {
        Some(name) => name.to_lowercase(),
        None => oid.to_string(),
    };
    match certificate.public_key().map(|key| key.kind()) {
        Ok(PublicKeyKind::Rsa { bits, .. }) => ("rsa".to_owned(), bits),
        Ok(PublicKeyKind::Ec { curve, bits }) => {
            let name = match curve {
                oids::P224 => "ec-p224".to_owned(),
                oids::P256 => "ec-p256".to_owned(),
                oids::P384 => "ec-p384".to_owned(),
                oids::P521 => "ec-p521".to_owned(),
                other => format!("ec-{}", named(&other)),
            };
            (name, bits)
        }
        Ok(PublicKeyKind::Ed25519) => ("ed25519".to_owned(), 256),
        Ok(PublicKeyKind::Other(oid)) => (named(&oid), 0),
        Err(_) => ("unreadable".to_owned(), 0),
    }
}

fn signature(certificate: &Certificate) -> String {
    let id = certificate.signature_algorithm();
    let known = SignatureAlgorithm::from_identifier(&id);
    match (known, id.oid) {
        (Some(known), _) => known.as_str().to_owned(),
        (None, oids::MD2_RSA) => "rsa-md2".to_owned(),
        (None, oids::MD5_RSA) => "rsa-md5".to_owned(),
        (None, oids::SHA1_RSA) => "rsa-sha1".to_owned(),
        (None, oids::SHA224_RSA) => "rsa-sha224".to_owned(),
        (None, oids::RSASSA_PSS) => "rsa-pss".to_owned(),
        (None, oids::ECDSA_SHA1) => "ecdsa-sha1".to_owned(),
        (None, oids::ECDSA_SHA224) => "ecdsa-sha224".to_owned(),
        (None, oids::DSA_SHA1) => "dsa-sha1".to_owned(),
        (None, oid) => match oid.name() {
            Some(name) => name.to_lowercase(),
            None => oid.to_string(),
        },
    }
}

/// Its own key has signed it, whatever the algorithm is worth.
fn is_self_signed(certificate: &Certificate) -> bool {
    certificate.is_self_issued()
        && certificate
            .public_key()
            .is_ok_and(|key| certificate.verify_signed_by_legacy(&key).is_ok())
}

/// Baseline Requirements §7.1.6.1: the arc 2.23.140.1 is the CA/Browser Forum's.
fn is_public(certificate: &Certificate) -> bool {
    let policies = certificate.ext::<CertificatePolicies>().ok().flatten();
    let forum = |policy: &x509::ext::PolicyInformation| {
        policy.policy.as_bytes().starts_with(&[0x67, 0x81, 0x0c, 1])
    };
    policies.is_some_and(|policies| policies.0.iter().any(forum))
}

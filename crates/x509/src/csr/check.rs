//! What a request must satisfy before anyone looks at who sent it.

use super::{CsrError, MAX_NAMES};
use crate::{
    AlgorithmIdentifier, Extension, GeneralName, KeyAlgorithm, Name, PublicKey, PublicKeyKind,
    Weakness,
    ext::{ExtensionValue, SubjectAltName},
    oids,
};

const KEYS: &str = "RSA of 2048, 3072 or 4096 bits, ECDSA on P-256, P-384 or P-521, or Ed25519";

/// Every value is a well-formed string without control characters: an embedded NUL or line feed reads
/// differently to different software.
pub(super) fn subject(subject: &Name) -> Result<(), CsrError> {
    for a in subject.attributes() {
        let label = a
            .oid
            .name()
            .map_or_else(|| a.oid.to_string(), str::to_owned);
        let Some(text) = a.string() else {
            return Err(CsrError::new(
                "csr-subject-string",
                "RFC 5280 §4.1.2.4",
                format!("subject {label} is not a well-formed character string"),
            )
            .accepting("UTF8String or PrintableString"));
        };
        if text.chars().any(char::is_control) {
            return Err(control_character(&format!("subject {label}")));
        }
    }
    Ok(())
}

pub(super) fn names(subject: &Name, extensions: &[Extension]) -> Result<(), CsrError> {
    let requested = match extensions.iter().find(|e| e.oid == SubjectAltName::OID) {
        Some(e) => alternative_names(&e.value)?,
        None => Vec::new(),
    };
    if subject.attributes().count().saturating_add(requested.len()) > MAX_NAMES {
        return Err(CsrError::new(
            "csr-names",
            "limit of this authority",
            "the request asks for too many names",
        )
        .accepting("at most 1000 names in subject and subjectAltName together"));
    }
    requested.iter().try_for_each(general_name)
}

fn alternative_names(value: &[u8]) -> Result<Vec<GeneralName>, CsrError> {
    let parsed = SubjectAltName::parse(value).map_err(|e| {
        CsrError::new(
            "csr-san",
            "RFC 5280 §4.2.1.6",
            format!("subjectAltName: {e}"),
        )
    })?;
    if parsed.0.is_empty() {
        return Err(CsrError::new(
            "csr-san-empty",
            "RFC 5280 §4.2.1.6",
            "subjectAltName names nothing",
        )
        .accepting("at least one name, or no subjectAltName"));
    }
    Ok(parsed.0)
}

fn general_name(name: &GeneralName) -> Result<(), CsrError> {
    let text = match name {
        GeneralName::Dns(s) | GeneralName::Email(s) | GeneralName::Uri(s) => s.clone(),
        GeneralName::DirName(n) => return subject(n),
        GeneralName::Other { .. } => name.as_upn().or_else(|| name.as_srv()).unwrap_or_default(),
        _ => return Ok(()),
    };
    let ascii_only = !matches!(name, GeneralName::Other { .. });
    if text.chars().any(char::is_control) {
        return Err(control_character(name.kind()));
    }
    if ascii_only && !text.is_ascii() {
        return Err(CsrError::new(
            "csr-name-charset",
            "RFC 5280 §4.2.1.6",
            format!("{} {text:?} is not IA5String", name.kind()),
        )
        .accepting("ASCII; internationalised domain names as A-labels (xn--…)"));
    }
    if ascii_only && (text.is_empty() || text.contains(' ')) {
        return Err(CsrError::new(
            "csr-name-form",
            "RFC 5280 §4.2.1.6",
            format!("{} {text:?} is empty or holds a space", name.kind()),
        ));
    }
    Ok(())
}

fn control_character(place: &str) -> CsrError {
    CsrError::new(
        "csr-control-character",
        "RFC 5280 §4.1.2.4",
        format!("{place} holds a NUL or another control character"),
    )
    .accepting("names without control characters")
}

pub(super) fn key(key: &PublicKey) -> Result<(), CsrError> {
    if let Some(weakness) = key.weakness() {
        return Err(weak(weakness).accepting(KEYS));
    }
    if KeyAlgorithm::of(key).is_none() {
        let what = match key.kind() {
            PublicKeyKind::Rsa { bits, .. } => format!("RSA of {bits} bits"),
            PublicKeyKind::Ec { curve, .. } => format!("the curve {curve:?}"),
            PublicKeyKind::Other(oid) => format!("the key algorithm {oid:?}"),
            PublicKeyKind::Ed25519 => "Ed25519".to_owned(),
        };
        return Err(CsrError::new(
            "csr-key-algorithm",
            "SP 800-57 part 1 §5.6.1",
            format!("{what} is not certified here"),
        )
        .accepting(KEYS));
    }
    if !key.has_exact_parameters() {
        return Err(CsrError::new(
            "csr-key-parameters",
            "RFC 3279 §2.3.1, RFC 8410 §3",
            "the public key's algorithm parameters are wrong",
        )
        .accepting("NULL parameters for RSA, none for Ed25519"));
    }
    Ok(())
}

fn weak(weakness: Weakness) -> CsrError {
    let (rule, clause) = match weakness {
        Weakness::Small(_) | Weakness::Large(_) => ("csr-key-size", "SP 800-57 part 1 §5.6.1"),
        Weakness::SmallCurve(_) => ("csr-key-size", "SP 800-57 part 1 §5.6.1"),
        Weakness::Exponent => ("csr-key-exponent", "CA/Browser Forum BR §6.1.6"),
        Weakness::SmallFactor(_) => ("csr-key-factor", "CA/Browser Forum BR §6.1.6"),
        Weakness::ClosePrimes => ("csr-key-factor", "CA/Browser Forum BR §6.1.1.3"),
        Weakness::Roca => ("csr-key-roca", "CA/Browser Forum BR §6.1.1.3"),
        Weakness::BadPoint => ("csr-key-point", "RFC 5480 §2.2"),
    };
    CsrError::new(rule, clause, weakness.to_string())
}

/// Names the reason where it is known, because "unsupported" helps nobody fix a device.
pub(super) fn refused_algorithm(id: &AlgorithmIdentifier) -> CsrError {
    let clause = "SP 800-131A §3, CA/Browser Forum BR §7.1.3.2";
    let broken = match id.oid {
        oids::SHA1_RSA | oids::ECDSA_SHA1 | oids::DSA_SHA1 => Some("SHA-1"),
        oids::MD5_RSA => Some("MD5"),
        oids::MD2_RSA => Some("MD2"),
        _ => None,
    };
    match broken {
        Some(hash) => CsrError::new(
            "csr-signature-hash",
            clause,
            format!("the request is signed with {hash}, which no longer proves anything"),
        ),
        None => CsrError::new(
            "csr-signature-algorithm",
            "RFC 2986 §4.2",
            format!(
                "the signature algorithm {:?} or its parameters are not accepted",
                id.oid
            ),
        ),
    }
}

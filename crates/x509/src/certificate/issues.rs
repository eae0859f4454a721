//! What a certificate's encoding gets wrong although it can be read.
//!
//! These are facts about bytes, for those who judge: path validation refuses some of them, discovery
//! reports all of them, and the linter holds our own output against them.

use std::collections::HashSet;

use super::{Certificate, fields::Fields};
use crate::{
    AlgorithmIdentifier, Name, Oid, Time,
    der::{self, Element, Reader, Tag},
    name::{decode_string, is_printable},
    oids,
};

/// Something a certificate's encoding gets wrong, which reading forgave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingIssue {
    /// Stable short name.
    pub rule: &'static str,
    pub clause: &'static str,
    pub message: String,
}

/// Most issues listed; a certificate made to be wrong could otherwise fill memory with complaints.
const MAX_ISSUES: usize = 100;

struct Issues(Vec<EncodingIssue>);

impl Issues {
    fn add(&mut self, rule: &'static str, clause: &'static str, message: impl Into<String>) {
        if self.0.len() < MAX_ISSUES {
            self.0.push(EncodingIssue {
                rule,
                clause,
                message: message.into(),
            });
        }
    }

    fn add_if(&mut self, wrong: bool, rule: &'static str, clause: &'static str, message: &str) {
        if wrong {
            self.add(rule, clause, message);
        }
    }
}

pub(super) fn of(certificate: &Certificate) -> Vec<EncodingIssue> {
    let mut issues = Issues(Vec::new());
    let Ok(f) = Fields::read(certificate.der()) else {
        return issues.0;
    };
    lengths(&mut issues, certificate.der());
    version(&mut issues, &f);
    serial(&mut issues, f.serial);
    algorithms(&mut issues, &f);
    for (which, e) in [("notBefore", f.not_before), ("notAfter", f.not_after)] {
        time(&mut issues, which, e);
    }
    issues.add_if(
        certificate.not_after() < certificate.not_before(),
        "validity-reversed",
        "RFC 5280 §4.1.2.5",
        "notAfter is before notBefore",
    );
    issues.add_if(
        certificate.issuer().is_empty(),
        "issuer-empty",
        "RFC 5280 §4.1.2.4",
        "the issuer's name is empty",
    );
    name(&mut issues, "issuer", certificate.issuer());
    name(&mut issues, "subject", certificate.subject());
    key(&mut issues, certificate);
    extensions(&mut issues, certificate, f.extensions);
    issues.0
}

/// Shortest-form lengths, everywhere but inside OCTET and BIT STRINGs.
fn lengths(issues: &mut Issues, der: &[u8]) {
    fn walk(mut r: Reader<'_>) -> Result<(), der::Error> {
        while !r.is_empty() {
            let e = r.element()?;
            if e.tag.is_constructed() {
                walk(r.descend(e.value)?)?;
            }
        }
        Ok(())
    }
    if let Err(e) = walk(Reader::new(der)) {
        issues.add("der-form", "X.690 §10.1", e.to_string());
    }
}

fn version(issues: &mut Issues, f: &Fields<'_>) {
    const CLAUSE: &str = "RFC 5280 §4.1.2.1";
    issues.add_if(
        f.version > 3,
        "version-unknown",
        CLAUSE,
        "version above 3 does not exist",
    );
    issues.add_if(
        f.version < 3 && f.extensions.is_some(),
        "version-too-low",
        CLAUSE,
        "has extensions but is not version 3",
    );
    issues.add_if(
        f.version == 1 && f.has_unique_ids,
        "version-too-low",
        CLAUSE,
        "has unique identifiers but is version 1",
    );
    issues.add_if(
        f.version_field == Some(&[0]),
        "version-default-encoded",
        "X.690 §11.5",
        "version 1 must be left out",
    );
}

fn serial(issues: &mut Issues, serial: &[u8]) {
    const CLAUSE: &str = "RFC 5280 §4.1.2.2";
    let negative = serial.first().is_some_and(|b| b & 0x80 != 0);
    let zero = serial.iter().all(|b| *b == 0);
    issues.add_if(
        negative,
        "serial-negative",
        CLAUSE,
        "the serial is negative",
    );
    issues.add_if(zero, "serial-zero", CLAUSE, "the serial is zero");
    issues.add_if(
        serial.len() > 20,
        "serial-long",
        CLAUSE,
        "the serial has more than 20 octets",
    );
    issues.add_if(
        !der::is_minimal_integer(serial),
        "serial-padded",
        "X.690 §8.3.2",
        "the serial is not in its shortest form",
    );
}

fn algorithms(issues: &mut Issues, f: &Fields<'_>) {
    issues.add_if(
        f.algorithm != f.tbs_algorithm,
        "algorithms-differ",
        "RFC 5280 §4.1.1.2",
        "the signature algorithm inside differs from the one outside",
    );
    let Ok(id) = AlgorithmIdentifier::from_der(f.algorithm) else {
        return;
    };
    issues.add_if(
        is_pkcs1(id.oid) && !id.has_null_params(),
        "algorithm-parameters",
        "RFC 4055 §5",
        "RSA signature parameters must be NULL",
    );
    issues.add_if(
        takes_no_parameters(id.oid) && id.params.is_some(),
        "algorithm-parameters",
        "RFC 5758 §3.2, RFC 8410 §3",
        "this signature algorithm takes no parameters",
    );
}

fn is_pkcs1(oid: Oid) -> bool {
    matches!(
        oid,
        oids::MD5_RSA
            | oids::SHA1_RSA
            | oids::SHA224_RSA
            | oids::SHA256_RSA
            | oids::SHA384_RSA
            | oids::SHA512_RSA
    )
}

fn takes_no_parameters(oid: Oid) -> bool {
    matches!(
        oid,
        oids::ECDSA_SHA1
            | oids::ECDSA_SHA224
            | oids::ECDSA_SHA256
            | oids::ECDSA_SHA384
            | oids::ECDSA_SHA512
            | oids::ED25519
            | oids::ED448
    )
}

fn time(issues: &mut Issues, which: &str, e: Element<'_>) {
    match Time::from_element(e) {
        Err(_) => issues.add(
            "time-form",
            "RFC 5280 §4.1.2.5",
            format!("{which} must give seconds and end in Z"),
        ),
        Ok(t) if t.to_x509().0 != e.tag => issues.add(
            "time-type",
            "RFC 5280 §4.1.2.5",
            format!("{which} must be UTCTime through 2049 and GeneralizedTime after"),
        ),
        Ok(_) => {}
    }
}

fn name(issues: &mut Issues, which: &str, name: &Name) {
    const CLAUSE: &str = "RFC 5280 §4.1.2.4, X.680 §41";
    for a in name.attributes() {
        let label = a
            .oid
            .name()
            .map_or_else(|| a.oid.to_string(), str::to_owned);
        let Some(text) = decode_string(a.tag, a.value) else {
            issues.add(
                "name-string",
                CLAUSE,
                format!("{which} {label} is not a well-formed character string"),
            );
            continue;
        };
        if a.tag == Tag::PRINTABLE_STRING && !is_printable(&text) {
            issues.add(
                "name-charset",
                CLAUSE,
                format!("{which} {label} has characters that PrintableString does not"),
            );
        }
        if text.chars().any(char::is_control) {
            issues.add(
                "name-control",
                CLAUSE,
                format!("{which} {label} holds control characters"),
            );
        }
    }
    if !has_sorted_sets(name) {
        issues.add(
            "name-order",
            "X.690 §11.6",
            format!("{which} has a relative name that is empty or not in DER order"),
        );
    }
}

fn has_sorted_sets(name: &Name) -> bool {
    let Ok(mut sets) = Reader::new(name.der()).tolerant().sequence() else {
        return false;
    };
    while let Ok(mut set) = sets.set() {
        let mut last: &[u8] = &[];
        let mut count = 0;
        while let Ok(e) = set.element() {
            if e.raw < last {
                return false;
            }
            last = e.raw;
            count += 1;
        }
        if count == 0 {
            return false;
        }
    }
    true
}

fn key(issues: &mut Issues, certificate: &Certificate) {
    const CLAUSE: &str = "RFC 5280 §4.1.2.7";
    match certificate.public_key() {
        Err(e) => issues.add("key-unreadable", CLAUSE, e.to_string()),
        Ok(key) => issues.add_if(
            crate::KeyAlgorithm::of(&key).is_some() && !key.has_exact_parameters(),
            "key-parameters",
            "RFC 3279 §2.3.1, RFC 8410 §3",
            "the key's algorithm parameters are not those of the standard",
        ),
    }
}

fn extensions(issues: &mut Issues, certificate: &Certificate, list: Option<&[u8]>) {
    issues.add_if(
        list.is_some_and(<[u8]>::is_empty),
        "extensions-empty",
        "RFC 5280 §4.1.2.9",
        "the list of extensions is empty",
    );
    let mut seen = HashSet::new();
    for e in certificate.extensions() {
        if !seen.insert(e.oid) {
            issues.add(
                "extension-duplicate",
                "RFC 5280 §4.2",
                format!("extension {:?} appears more than once", e.oid),
            );
        }
    }
    if has_encoded_false(list.unwrap_or_default()) {
        issues.add(
            "extension-default-encoded",
            "X.690 §11.5",
            "critical FALSE must be left out",
        );
    }
}

fn has_encoded_false(list: &[u8]) -> bool {
    let mut r = Reader::new(list).tolerant();
    while let Ok(mut extension) = r.sequence() {
        let flag = extension
            .oid()
            .and_then(|_| extension.optional(Tag::BOOLEAN));
        if matches!(flag, Ok(Some(e)) if e.value != [0xff]) {
            return true;
        }
    }
    false
}

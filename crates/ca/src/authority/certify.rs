//! CA certificates: roots, issuing CAs, cross-certificates (RFC 5280 §4.2.1.9, §4.2.1.10).

use access::Refusal;
use audit::Timestamp;
use keys::Signer;
use x509::ext::{
    AuthorityKeyId, BasicConstraints, CrlDistributionPoints, DistributionPoint, ExtensionValue,
    KeyUsage, SubjectKeyId,
};
use x509::lint::{IssuerFacts, LintContext, Severity};
use x509::{Certificate, Name, PublicKey, StringKind, TbsCertificate, Time, oids};

use crate::authority::Constraints;
use crate::authority::constraints::name_constraints;
use crate::issuance::{authority_info, policy_extension, serial, text::check_text};
use crate::profile::Duration;
use crate::{CaError, Issuer, Result};

/// Ten minutes for clocks that are a little behind.
const BACKDATE: i64 = 600;

/// What a CA certificate shall say.
pub(crate) struct Wanted<'a> {
    pub(crate) subject: Name,
    pub(crate) key: &'a PublicKey,
    pub(crate) path_length: Option<u32>,
    pub(crate) constraints: &'a Constraints,
    pub(crate) validity: Duration,
    pub(crate) base_url: &'a str,
}

/// A CA certificate that only lacks its signature, and what is needed to put it there.
pub(crate) struct Unsigned {
    pub(crate) tbs: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    signature: x509::SignatureAlgorithm,
}

impl Unsigned {
    /// Signs and reads back.
    pub(crate) fn sign(&self, signer: &Signer) -> Result<Certificate> {
        let signature = signer.sign(self.signature, &self.tbs)?;
        let der = x509::assemble(&self.tbs, self.signature, &signature);
        Ok(Certificate::from_der(&der)?)
    }
}

/// A self-signed root.
pub(crate) fn root(wanted: &Wanted<'_>, signer: &Signer, now: Timestamp) -> Result<Unsigned> {
    let today = now.0.div_euclid(1000);
    let key_id = wanted.key.key_id().to_vec();
    let extensions = vec![constraints(wanted), usage(), SubjectKeyId(key_id).encode()];
    let tbs = TbsCertificate {
        serial: serial::new(now)?,
        signature: signer.algorithm().default_signature(),
        issuer: wanted.subject.clone(),
        not_before: Time(today - BACKDATE),
        not_after: Time(today - BACKDATE + wanted.validity.as_seconds() - 1),
        subject: wanted.subject.clone(),
        spki_der: wanted.key.spki_der().to_vec(),
        extensions,
    };
    linted(tbs, &LintContext::default())
}

/// What is known of the CA that signs.
pub(crate) struct Parent<'a> {
    pub(crate) id: &'a str,
    pub(crate) certificate: &'a Certificate,
    pub(crate) key_id: &'a [u8],
    pub(crate) crl_url: String,
    pub(crate) ocsp: bool,
}

impl<'a> Parent<'a> {
    /// From an issuer that is loaded.
    pub(crate) fn of(issuer: &'a Issuer, base_url: &str) -> Self {
        Parent {
            id: issuer.name(),
            certificate: issuer.certificate(),
            key_id: issuer.key_id(),
            crl_url: crate::issuance::crl_url(issuer, base_url, 0),
            ocsp: issuer.record().parent.is_some(),
        }
    }
}

/// A CA below another. Its end is not after its parent's.
pub(crate) fn below(
    wanted: &Wanted<'_>,
    parent: &Parent<'_>,
    algorithm: x509::KeyAlgorithm,
    now: Timestamp,
) -> Result<Unsigned> {
    let today = now.0.div_euclid(1000);
    let parent_constraints: Option<BasicConstraints> = parent.certificate.ext()?;
    let left = parent_constraints.and_then(|found| found.path_len);
    let fits = match (left, wanted.path_length) {
        (None, _) => true,
        (Some(left), Some(asked)) => left > asked,
        (Some(_), None) => false,
    };
    if !fits {
        return Err(Refusal::new(
            "authority.path-length",
            "RFC 5280 §4.2.1.9",
            format!("{} leaves less path length than was asked for", parent.id),
        )
        .accepted(format!("a path length below {}", left.unwrap_or_default()))
        .into());
    }
    let not_before = Time(today - BACKDATE).max(parent.certificate.not_before());
    let not_after =
        Time(not_before.0 + wanted.validity.as_seconds() - 1).min(parent.certificate.not_after());
    if not_after.0 <= today {
        let why = format!("{} has ended", parent.id);
        return Err(Refusal::new("validity.over", "RFC 5280 §4.1.2.5", why).into());
    }
    let mut extensions = vec![
        AuthorityKeyId::from_key_id(parent.key_id).encode(),
        constraints(wanted),
        usage(),
        policy_extension(&[oids::ANY_POLICY]),
        authority_info(parent.id, wanted.base_url, parent.ocsp),
        CrlDistributionPoints(vec![DistributionPoint::uri(&parent.crl_url)]).encode(),
    ];
    if !wanted.constraints.is_empty() {
        extensions.push(name_constraints(wanted.constraints)?.encode());
    }
    extensions.push(SubjectKeyId(wanted.key.key_id().to_vec()).encode());
    let tbs = TbsCertificate {
        serial: serial::new(now)?,
        signature: algorithm.default_signature(),
        issuer: parent.certificate.subject().clone(),
        not_before,
        not_after,
        subject: wanted.subject.clone(),
        spki_der: wanted.key.spki_der().to_vec(),
        extensions,
    };
    let context = LintContext {
        issuer: Some(IssuerFacts {
            subject_der: parent.certificate.subject().der(),
            key_id: Some(parent.key_id),
            not_after: parent.certificate.not_after(),
        }),
        except: &[],
    };
    linted(tbs, &context)
}

fn linted(tbs: TbsCertificate, context: &LintContext<'_>) -> Result<Unsigned> {
    let bytes = tbs.encode();
    let findings = x509::lint::lint_tbs(&bytes, context);
    if let Some(found) = findings
        .iter()
        .find(|found| found.severity == Severity::Error)
    {
        return Err(CaError::Lint(format!(
            "{} [{}; {}]",
            found.message, found.rule, found.citation
        )));
    }
    Ok(Unsigned {
        tbs: bytes,
        serial: tbs.serial,
        signature: tbs.signature,
    })
}

fn constraints(wanted: &Wanted<'_>) -> x509::Extension {
    BasicConstraints {
        ca: true,
        path_len: wanted.path_length,
    }
    .encode()
}

fn usage() -> x509::Extension {
    (KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN).encode()
}

/// The subject of a CA: country, organisation, common name.
pub(crate) fn ca_name(
    country: Option<&str>,
    organization: &str,
    common_name: &str,
) -> Result<Name, Refusal> {
    let bad = |error: x509::Error| {
        Refusal::new("authority.name", "RFC 5280 §4.1.2.4", error.to_string())
            .accepted("at most 64 characters each; a country of two letters")
    };
    check_text(organization)?;
    check_text(common_name)?;
    let mut name = Name::builder();
    if let Some(country) = country {
        name = name
            .push(oids::COUNTRY, country, StringKind::Auto)
            .map_err(bad)?;
    }
    let name = name
        .push(oids::ORGANIZATION, organization, StringKind::Auto)
        .and_then(|name| name.push(oids::COMMON_NAME, common_name, StringKind::Auto))
        .map_err(bad)?;
    Ok(name.build())
}

/// "Example Hospital Devices CA", or without the organisation where that is too long.
pub(crate) fn default_title(organization: &str, what: &str, generation: u32) -> String {
    let suffix = if generation > 1 {
        format!(" G{generation}")
    } else {
        String::new()
    };
    let long = format!("{organization} {what}{suffix}");
    if long.chars().count() <= 64 {
        long
    } else {
        format!("{what}{suffix}")
    }
}

/// "devices" → "Devices CA".
pub(crate) fn what_of(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in name.split('-').filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            words.push(first.to_uppercase().chain(letters).collect());
        }
    }
    words.push("CA".to_owned());
    words.join(" ")
}

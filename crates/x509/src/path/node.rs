//! A certificate with its extensions decoded, once, whatever the number of paths it is tried on.

use std::cell::OnceCell;

use super::error::{Fault, PathRule};
use crate::{
    Certificate, Error, GeneralName, Oid, PublicKey,
    ext::{
        AuthorityKeyId, BasicConstraints, CertificatePolicies, CrlDistributionPoints, ExtKeyUsage,
        ExtensionValue, InhibitAnyPolicy, KeyUsage, NameConstraints, PolicyConstraints,
        PolicyMappings, SubjectAltName, SubjectKeyId,
    },
    oids,
};

pub(super) struct Node {
    pub(super) certificate: Certificate,
    pub(super) subject: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    /// Position among the trust anchors, if it is one.
    pub(super) anchor: Option<usize>,
    facts: OnceCell<Result<Facts, Fault>>,
    key: OnceCell<Result<PublicKey, Fault>>,
}

/// Everything a path needs to know of a certificate's extensions.
pub(super) struct Facts {
    pub(super) basic: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) purposes: Option<Vec<Oid>>,
    pub(super) alt_names: Option<Vec<GeneralName>>,
    pub(super) authority_key: Option<AuthorityKeyId>,
    pub(super) subject_key: Option<SubjectKeyId>,
    pub(super) constraints: Option<NameConstraints>,
    pub(super) policies: Option<CertificatePolicies>,
    pub(super) mappings: Option<PolicyMappings>,
    pub(super) policy_constraints: Option<PolicyConstraints>,
    pub(super) inhibit_any: Option<InhibitAnyPolicy>,
    pub(super) distribution: Option<CrlDistributionPoints>,
}

/// Extensions that this validator processes, so that they may be critical.
const PROCESSED: [Oid; 12] = [
    oids::BASIC_CONSTRAINTS,
    oids::KEY_USAGE,
    oids::EXT_KEY_USAGE,
    oids::SUBJECT_ALT_NAME,
    oids::NAME_CONSTRAINTS,
    oids::CERTIFICATE_POLICIES,
    oids::POLICY_MAPPINGS,
    oids::POLICY_CONSTRAINTS,
    oids::INHIBIT_ANY_POLICY,
    oids::CRL_DISTRIBUTION_POINTS,
    oids::AUTHORITY_KEY_IDENTIFIER,
    oids::SUBJECT_KEY_IDENTIFIER,
];

impl Node {
    pub(super) fn new(certificate: Certificate, anchor: Option<usize>) -> Self {
        Self {
            subject: certificate.subject().canonical(),
            issuer: certificate.issuer().canonical(),
            certificate,
            anchor,
            facts: OnceCell::new(),
            key: OnceCell::new(),
        }
    }

    pub(super) fn facts(&self) -> Result<&Facts, Fault> {
        let read = || Facts::read(&self.certificate);
        self.facts.get_or_init(read).as_ref().map_err(Fault::clone)
    }

    pub(super) fn key(&self) -> Result<&PublicKey, Fault> {
        let read = || {
            let malformed =
                |e: Error| Fault::new(PathRule::Malformed, "RFC 5280 §4.1.2.7", e.to_string());
            self.certificate.public_key().map_err(malformed)
        };
        self.key.get_or_init(read).as_ref().map_err(Fault::clone)
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// `None` if the extension is absent.
    pub(super) fn is_critical(&self, oid: &Oid) -> Option<bool> {
        let found = self.certificate.extensions().iter().find(|e| e.oid == *oid);
        found.map(|e| e.critical)
    }

    /// RFC 5280 §6.1.4 (o), §6.1.5 (f).
    pub(super) fn check_critical_extensions(&self) -> Result<(), Fault> {
        let mut extensions = self.certificate.extensions().iter();
        match extensions.find(|e| e.critical && !PROCESSED.contains(&e.oid)) {
            None => Ok(()),
            Some(e) => Err(Fault::new(
                PathRule::CriticalExtension,
                "RFC 5280 §4.2, §6.1.4 (o), §6.1.5 (f)",
                format!("the critical extension {} is not understood", e.oid),
            )),
        }
    }
}

impl Facts {
    fn read(c: &Certificate) -> Result<Self, Fault> {
        check_repeats(c)?;
        Ok(Self {
            basic: read(c)?,
            key_usage: read(c)?,
            purposes: read::<ExtKeyUsage>(c)?.map(|p| p.0),
            alt_names: read::<SubjectAltName>(c)?.map(|n| n.0),
            authority_key: read(c)?,
            subject_key: read(c)?,
            constraints: read(c)?,
            policies: read(c)?,
            mappings: read(c)?,
            policy_constraints: read(c)?,
            inhibit_any: read(c)?,
            distribution: read(c)?,
        })
    }

    pub(super) fn is_authority(&self) -> bool {
        self.basic.is_some_and(|b| b.ca)
    }

    pub(super) fn allows(&self, usage: KeyUsage) -> bool {
        self.key_usage.is_none_or(|u| u.contains(usage))
    }
}

fn read<T: ExtensionValue>(c: &Certificate) -> Result<Option<T>, Fault> {
    c.ext::<T>().map_err(|e| {
        let name = T::OID.name().unwrap_or("extension");
        Fault::new(PathRule::Malformed, "RFC 5280 §4.2", format!("{name}: {e}"))
    })
}

fn check_repeats(c: &Certificate) -> Result<(), Fault> {
    let mut seen: Vec<Oid> = c.extensions().iter().map(|e| e.oid).collect();
    seen.sort_unstable();
    match seen.windows(2).find(|w| w.first() == w.last()) {
        None => Ok(()),
        Some(w) => {
            let oid = w.first().map(Oid::to_string).unwrap_or_default();
            Err(Fault::new(
                PathRule::Malformed,
                "RFC 5280 §4.2",
                format!("the extension {oid} occurs twice"),
            ))
        }
    }
}

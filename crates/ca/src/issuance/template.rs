//! The part of a certificate that is the same for every certificate of one issuer, profile, kind of
//! key and CRL partition: encoded once, copied from then on.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use x509::der::{self, Tag, Writer};
use x509::ext::{
    AccessDescription, AuthorityInfoAccess, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, DistributionPoint, ExtKeyUsage, ExtensionValue, MsSid, OcspNoCheck,
    PolicyInformation, SubjectAltName, SubjectKeyId, TlsFeature, private,
};
use x509::{GeneralName, KeyAlgorithm, Name, Oid, PublicKey, Time, oids};

use crate::Issuer;
use crate::profile::ProfileVersion;

/// The extension that binds a session to a workstation: SHA-256 of its certificate as an OCTET
/// STRING, 1.3.6.1.4.1.32473.2.1. The arc is RFC 5612's for examples until the project has a number of
/// its own; one under 2.25 and a UUID would need none, but GnuTLS rejects arcs above 64 bits.
pub(crate) const WORKSTATION: Oid = Oid::from_bytes(&[0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 2, 1]);

/// status_request, the feature of "must staple" (RFC 7633 §4.2.3.1).
const STATUS_REQUEST: u16 = 5;

/// Templates of one issuer.
#[derive(Default)]
pub(crate) struct Templates(RwLock<HashMap<String, [Option<Arc<Template>>; KINDS]>>);

const KINDS: usize = 3;

/// What is the same for many certificates.
pub(crate) struct Template {
    version: u64,
    partition: u32,
    signature: Vec<u8>,
    issuer: Vec<u8>,
    /// Complete Extension elements, AKI to CRLDP.
    extensions: Vec<u8>,
}

/// What is different for every certificate.
pub(crate) struct Leaf<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) subject: &'a Name,
    pub(crate) key: &'a PublicKey,
    pub(crate) names: &'a [GeneralName],
    pub(crate) sid: Option<&'a str>,
    pub(crate) workstation: Option<&'a [u8; 32]>,
    pub(crate) must_staple: bool,
}

impl Templates {
    /// The template for this profile version, kind of key and partition.
    pub(crate) fn find(
        &self,
        issuer: &Issuer,
        profile: &ProfileVersion,
        algorithm: KeyAlgorithm,
        partition: u32,
        base_url: &str,
    ) -> Arc<Template> {
        let name = profile.profile.name();
        let slot = match algorithm {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => 0,
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => 1,
            KeyAlgorithm::Ed25519 => 2,
        };
        let current = |template: &&Arc<Template>| {
            template.version == profile.version && template.partition == partition
        };
        if let Some(kinds) = self.0.read().get(name)
            && let Some(found) = kinds.get(slot).and_then(Option::as_ref).filter(current)
        {
            return Arc::clone(found);
        }
        let made = Arc::new(Template::new(
            issuer, profile, algorithm, partition, base_url,
        ));
        let mut templates = self.0.write();
        if let Some(place) = templates.entry(name.to_owned()).or_default().get_mut(slot) {
            *place = Some(Arc::clone(&made));
        }
        made
    }
}

impl Template {
    fn new(
        issuer: &Issuer,
        profile: &ProfileVersion,
        algorithm: KeyAlgorithm,
        partition: u32,
        base_url: &str,
    ) -> Self {
        let usage = profile.profile.usage();
        let mut w = Writer::with_capacity(512);
        issuer.authority_key_id().write(&mut w);
        let constraints = BasicConstraints {
            ca: usage.authority,
            path_len: path_length(usage.path_length, issuer.path_length(), usage.authority),
        };
        constraints.encode().write(&mut w);
        usage.for_key(algorithm).encode().write(&mut w);
        if !usage.extended.is_empty() {
            let extension = ExtKeyUsage(usage.extended.clone()).encode();
            extension
                .with_critical(usage.extended_critical)
                .write(&mut w);
        }
        let policies = profile.profile.policies();
        if !policies.is_empty() {
            policy_extension(policies).write(&mut w);
        }
        if usage.ocsp_no_check {
            // RFC 6960 §4.2.2.2.1: not to be checked, so there is nowhere to check.
            OcspNoCheck.encode().write(&mut w);
            authority_info(issuer.name(), base_url, false).write(&mut w);
        } else {
            authority_info(issuer.name(), base_url, has_ocsp(issuer)).write(&mut w);
            let url = crl_url(issuer, base_url, partition);
            CrlDistributionPoints(vec![DistributionPoint::uri(&url)])
                .encode()
                .write(&mut w);
        }
        for extension in profile.profile.extra_extensions() {
            extension.write(&mut w);
        }
        Template {
            version: profile.version,
            partition,
            signature: issuer.signature_algorithm().algorithm_identifier_der(),
            issuer: issuer.certificate().subject().der().to_vec(),
            extensions: w.finish(),
        }
    }

    /// The exact bytes to be signed (RFC 5280 §4.1).
    pub(crate) fn encode(&self, leaf: &Leaf<'_>) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.extensions.len() + 768);
        w.sequence(|w| {
            w.nested(Tag::context_constructed(0), |w| {
                w.u64(2);
            });
            w.integer(leaf.serial);
            w.raw(&self.signature);
            w.raw(&self.issuer);
            w.sequence(|w| {
                w.time(leaf.not_before).time(leaf.not_after);
            });
            w.raw(leaf.subject.der());
            w.raw(leaf.key.spki_der());
            w.nested(Tag::context_constructed(3), |w| {
                w.sequence(|w| {
                    w.raw(&self.extensions);
                    leaf.write_extensions(w);
                });
            });
        });
        w.finish()
    }
}

impl Leaf<'_> {
    fn write_extensions(&self, w: &mut Writer) {
        SubjectKeyId(self.key.key_id().to_vec()).encode().write(w);
        if !self.names.is_empty() {
            // RFC 5280 §4.1.2.6: critical if it is the only thing that names the subject.
            SubjectAltName(self.names.to_vec())
                .encode()
                .with_critical(self.subject.is_empty())
                .write(w);
        }
        if self.must_staple {
            TlsFeature(vec![STATUS_REQUEST]).encode().write(w);
        }
        if let Some(sid) = self.sid {
            MsSid(sid.to_owned()).encode().write(w);
        }
        if let Some(hash) = self.workstation {
            private(WORKSTATION, der::encode(Tag::OCTET_STRING, hash)).write(w);
        }
    }
}

/// The smaller of what the profile gives and what the issuer has left to give.
fn path_length(profile: Option<u32>, issuer: Option<u32>, authority: bool) -> Option<u32> {
    let left = issuer.map(|length| length.saturating_sub(1));
    match (authority, profile, left) {
        (false, _, _) => None,
        (true, Some(wanted), Some(left)) => Some(wanted.min(left)),
        (true, wanted, left) => wanted.or(left),
    }
}

pub(crate) fn policy_extension(policies: &[Oid]) -> x509::Extension {
    let list = policies
        .iter()
        .map(|policy| PolicyInformation {
            policy: *policy,
            qualifiers: Vec::new(),
        })
        .collect();
    CertificatePolicies(list).encode()
}

/// authorityInfoAccess: where the issuer's certificate is and who answers for it.
pub(crate) fn authority_info(issuer: &str, base_url: &str, ocsp: bool) -> x509::Extension {
    let mut list = Vec::with_capacity(2);
    if ocsp {
        list.push(AccessDescription {
            method: oids::AD_OCSP,
            location: GeneralName::Uri(format!("{base_url}/ocsp")),
        });
    }
    list.push(AccessDescription {
        method: oids::AD_CA_ISSUERS,
        location: GeneralName::Uri(format!("{base_url}/aia/{issuer}.cer")),
    });
    AuthorityInfoAccess(list).encode()
}

/// A root has no delegated responder: its few certificates are covered by its CRL.
fn has_ocsp(issuer: &Issuer) -> bool {
    issuer.record().parent.is_some() || !issuer.record().foreign_chain.is_empty()
}

/// Certificates of issuing CAs point to their partition; those of a root to its one, complete list.
pub(crate) fn crl_url(issuer: &Issuer, base_url: &str, partition: u32) -> String {
    if has_ocsp(issuer) {
        format!("{base_url}/crl/{}/{partition}.crl", issuer.name())
    } else {
        format!("{base_url}/crl/{}.crl", issuer.name())
    }
}

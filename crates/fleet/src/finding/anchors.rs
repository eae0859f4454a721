//! Whose word counts: our own roots, what trust bundles hold of others, and the public roots of this machine (R21).

use std::collections::HashMap;
use std::fmt;

use ca::Ca;
use x509::Certificate;

use crate::Result;
use crate::bundle::Bundles;
use crate::inventory::Facts;

/// Where Debian, and most others, keep the public roots.
const SYSTEM_STORE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// So many anchors may have one name before the rest is left aside.
const SAME_NAME: usize = 8;

/// Trust anchors by the canonical form of their names.
#[derive(Default)]
pub struct Anchors {
    by_name: HashMap<Vec<u8>, Vec<Anchor>>,
}

struct Anchor {
    certificate: Certificate,
    origin: Origin,
}

/// Why an anchor is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An authority of this Ward.
    Ward,
    /// A trust bundle holds it.
    Bundle,
    /// The public roots of this machine.
    Public,
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names of trust anchors", self.by_name.len())
    }
}

impl Anchors {
    /// All that this Ward and this machine know.
    pub async fn load(ca: &Ca) -> Result<Anchors> {
        let mut anchors = Anchors::default();
        for issuer in ca.issuers() {
            anchors.add(issuer.certificate().clone(), Origin::Ward);
        }
        for stored in Bundles::open(ca.clone()).list().await? {
            for certificate in stored.bundle.definition.foreign {
                anchors.add(certificate, Origin::Bundle);
            }
        }
        // A machine without public roots trusts none, and says so by findings.
        let store = tokio::fs::read(SYSTEM_STORE).await.unwrap_or_default();
        for block in x509::pem::decode_all(&store).unwrap_or_default() {
            if let Ok(certificate) = Certificate::from_der(&block.der) {
                anchors.add(certificate, Origin::Public);
            }
        }
        Ok(anchors)
    }

    pub fn add(&mut self, certificate: Certificate, origin: Origin) {
        let name = certificate.subject().canonical();
        let same = self.by_name.entry(name).or_default();
        if same.len() < SAME_NAME && !same.iter().any(|one| one.certificate == certificate) {
            same.push(Anchor {
                certificate,
                origin,
            });
        }
    }

    /// The anchor that a certificate leads to, through those above it that the inventory knows; `None`: nobody here vouches
    /// for it. Validity is not asked: an expired issuer is another finding.
    pub fn of(&self, facts: &Facts) -> Option<Origin> {
        let path = std::iter::once(&facts.certificate).chain(&facts.issuers);
        for certificate in path.clone() {
            let named = self.by_name.get(&certificate.subject().canonical());
            let known = named.into_iter().flatten();
            let same_key = |one: &&Anchor| one.certificate.spki_der() == certificate.spki_der();
            if let Some(anchor) = known.into_iter().find(same_key) {
                return Some(anchor.origin);
            }
        }
        path.last().and_then(|top| self.certifier(top))
    }

    /// Whether an anchor signed it.
    fn certifier(&self, certificate: &Certificate) -> Option<Origin> {
        let named = self.by_name.get(&certificate.issuer().canonical())?;
        let signed = |anchor: &&Anchor| {
            let key = anchor.certificate.public_key();
            key.is_ok_and(|key| certificate.verify_signed_by_legacy(&key).is_ok())
        };
        named.iter().find(signed).map(|anchor| anchor.origin)
    }
}

//! Who signed what (R20): the issuer of a certificate within the inventory, and the authority of ours whose key it was.
//! Only a signature counts, never a name. One is verified once; what was found stands in the row. What the CA itself has
//! recorded as issued was signed by the key that its table names, and is not verified a second time.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use store::{Store, params};
use x509::Certificate;
use x509::ext::{AuthorityKeyId, SubjectKeyId};

use super::text::clean;
use crate::{Fleet, Result};

/// Certificates of one name that are tried: cross-certificates and generations, not whatever somebody has put there.
const MOST_TRIED: i64 = 16;
/// Issuers above one that are told.
const MOST_ABOVE: usize = 10;

const BY_SUBJECT: &str =
    "SELECT id, der FROM inventory WHERE subject = $1 AND is_ca = 1 ORDER BY id LIMIT $2";
const BY_ID: &str = "SELECT der, issuer_id FROM inventory WHERE id = $1";

/// An authority of ours with a certificate of its key.
struct Own {
    authority: String,
    certificate: Certificate,
    /// What its certificates name their issuer's key by.
    key_id: Option<Vec<u8>>,
}

/// What was read about issuers, for one run.
pub(crate) struct Linker {
    ours: Vec<Own>,
    /// Certificates of our authorities themselves.
    known: HashSet<[u8; 32]>,
    by_name: HashMap<String, Vec<(i64, Arc<Certificate>)>>,
    by_id: HashMap<i64, (Arc<Certificate>, Option<i64>)>,
}

/// What signs a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) issuer: Option<i64>,
    pub(crate) authority: Option<String>,
}

impl Linker {
    pub(crate) fn new(fleet: &Fleet) -> Self {
        let mut linker = Linker {
            ours: Vec::new(),
            known: HashSet::new(),
            by_name: HashMap::new(),
            by_id: HashMap::new(),
        };
        for issuer in fleet.ca.issuers() {
            let record = issuer.record();
            let own = std::iter::once(&record.certificate).chain(&record.cross);
            linker.known.extend(own.map(Certificate::fingerprint));
            linker.ours.push(Own {
                authority: record.authority.clone(),
                certificate: record.certificate.clone(),
                key_id: key_id(&record.certificate),
            });
        }
        linker
    }

    /// Whether it is the certificate of an authority of ours, which is accounted for by its record.
    pub(crate) fn is_our_authority(&self, sha256: &[u8; 32]) -> bool {
        self.known.contains(sha256)
    }

    /// Who signed a certificate, where its row does not say so yet. `recorded`: the CA's own table says that the
    /// authority in `known` did, so that its key is known and no signature need be verified again.
    pub(crate) async fn link(
        &mut self,
        store: &Store,
        id: i64,
        certificate: &Certificate,
        recorded: bool,
        known: Link,
    ) -> Result<Link> {
        let mut link = known;
        if link.authority.is_none() {
            let own = self
                .ours
                .iter()
                .find(|own| is_key_of(&own.certificate, certificate));
            link.authority = own.map(|own| own.authority.clone());
        }
        if link.issuer.is_none() {
            let key = self.recorded_key(certificate, link.authority.as_deref(), recorded);
            let has_signed = |issuer: &Certificate| match &key {
                Some(key) => issuer.spki_der() == key,
                None => signs(issuer, certificate),
            };
            let candidates = self.named(store, certificate).await?;
            let found = candidates
                .iter()
                .find(|(other, issuer)| *other != id && has_signed(issuer));
            link.issuer = found.map(|(issuer, _)| *issuer);
        }
        Ok(link)
    }

    /// The key of ours that signed a certificate, by the record of its issuance: an authority's, whose generations
    /// differ in their key identifiers.
    fn recorded_key(
        &self,
        certificate: &Certificate,
        authority: Option<&str>,
        recorded: bool,
    ) -> Option<Vec<u8>> {
        let authority = authority.filter(|_| recorded)?;
        let wanted = issuer_key_id(certificate)?;
        let mut of_authority = self.ours.iter().filter(|own| own.authority == authority);
        let own = of_authority.find(|own| own.key_id.as_deref() == Some(wanted.as_slice()))?;
        Some(own.certificate.spki_der().to_vec())
    }

    /// Another certificate of this name has come in.
    pub(crate) fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    async fn named(
        &mut self,
        store: &Store,
        certificate: &Certificate,
    ) -> Result<&[(i64, Arc<Certificate>)]> {
        let name = clean(&certificate.issuer().to_string());
        if !self.by_name.contains_key(&name) {
            let rows = store
                .look_up(BY_SUBJECT, params![name.as_str(), MOST_TRIED])
                .await?;
            let mut found = Vec::new();
            for row in &rows {
                if let Ok(certificate) = Certificate::from_der(row.blob(1)?) {
                    found.push((row.int(0)?, Arc::new(certificate)));
                }
            }
            self.by_name.insert(name.clone(), found);
        }
        Ok(self.by_name.get(&name).map_or(&[], Vec::as_slice))
    }

    /// The certificates above one, the nearest first; a circle ends where it closes.
    pub(crate) async fn above(
        &mut self,
        store: &Store,
        first: Option<i64>,
    ) -> Result<Vec<Arc<Certificate>>> {
        let (mut above, mut passed, mut next) = (Vec::new(), Vec::new(), first);
        while let Some(id) = next {
            if passed.contains(&id) || above.len() >= MOST_ABOVE {
                break;
            }
            passed.push(id);
            let (certificate, issuer) = match self.by_id.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => {
                    let rows = store.look_up(BY_ID, params![id]).await?;
                    let Some(row) = rows.first() else { break };
                    let Ok(certificate) = Certificate::from_der(row.blob(0)?) else {
                        break;
                    };
                    free.insert((Arc::new(certificate), row.opt_int(1)?))
                }
            };
            above.push(Arc::clone(certificate));
            next = *issuer;
        }
        Ok(above)
    }
}

/// Whether `issuer` certified it. Key identifiers that contradict each other save the work.
fn signs(issuer: &Certificate, certificate: &Certificate) -> bool {
    let (wanted, own) = (issuer_key_id(certificate), key_id(issuer));
    let contradict = matches!((wanted, own), (Some(wanted), Some(own)) if wanted != own);
    !contradict && is_key_of(issuer, certificate)
}

fn key_id(certificate: &Certificate) -> Option<Vec<u8>> {
    let own = certificate.ext::<SubjectKeyId>().ok().flatten();
    own.map(|id| id.0)
}

fn issuer_key_id(certificate: &Certificate) -> Option<Vec<u8>> {
    let of_issuer = certificate.ext::<AuthorityKeyId>().ok().flatten();
    of_issuer.and_then(|id| id.key_id)
}

/// Whether the key of `issuer` made the signature of `certificate`, whatever the algorithm is worth today: SHA-1 is a
/// finding, not an excuse for whoever used our key. Nor is the key identifier that they wrote beside it: it is a hint that
/// many who validate pass over (RFC 5280 §4.2.1.1), and theirs to choose.
fn is_key_of(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.subject().canonical_eq(certificate.issuer())
        && issuer
            .public_key()
            .is_ok_and(|key| certificate.verify_signed_by_legacy(&key).is_ok())
}

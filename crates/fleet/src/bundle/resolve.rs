//! From the names of authorities to certificates, by the rule that EST's `cacerts` follows too (RFC 7030 §4.1.3): what is
//! in force first, then the generations before it, so that a machine trusts both sides of a rotation.

use std::collections::HashSet;
use std::sync::Arc;

use audit::Timestamp;
use ca::{Ca, Issuer, IssuerState};
use x509::Certificate;

use super::Definition;
use crate::Result;

pub(super) fn certificates(
    ca: &Ca,
    definition: &Definition,
    now: Timestamp,
) -> Result<Vec<Certificate>> {
    let mut found = Found {
        now,
        seen: HashSet::new(),
        all: Vec::new(),
    };
    for name in &definition.authorities {
        let path = path(ca, name)?;
        for issuer in &path {
            found.add(issuer, definition.issuers);
        }
        for issuer in &path {
            let authority = ca.authority(&issuer.record().authority)?;
            for generation in authority.generations.iter().rev() {
                let generation = ca.issuer(generation)?;
                if generation.record().state != IssuerState::Retired {
                    found.add(&generation, definition.issuers);
                    if definition.issuers {
                        generation.record().cross.iter().for_each(|c| found.push(c));
                    }
                }
            }
        }
    }
    definition.foreign.iter().for_each(|c| found.push(c));
    Ok(found.all)
}

/// The issuer that issues for an authority now, and those above it.
fn path(ca: &Ca, authority: &str) -> Result<Vec<Arc<Issuer>>> {
    let mut path = Vec::new();
    let mut next = Some(ca.authority(authority)?.issuer);
    while let Some(id) = next {
        let issuer = ca.issuer(&id)?;
        next = issuer.record().parent.clone();
        path.push(issuer);
    }
    Ok(path)
}

/// Certificates in the order in which they were met, each once, none that has ended.
struct Found {
    now: Timestamp,
    seen: HashSet<[u8; 32]>,
    all: Vec<Certificate>,
}

impl Found {
    fn push(&mut self, certificate: &Certificate) {
        let lives = certificate.not_after().0 >= self.now.seconds();
        if lives && self.seen.insert(certificate.fingerprint()) {
            self.all.push(certificate.clone());
        }
    }

    /// What an issuer adds: itself if it is wanted or is a top; of a chain that others hold, the top.
    fn add(&mut self, issuer: &Issuer, issuers_too: bool) {
        let record = issuer.record();
        let is_top = record.parent.is_none() && record.foreign_chain.is_empty();
        if issuers_too || is_top {
            self.push(&record.certificate);
        }
        match (issuers_too, record.foreign_chain.last()) {
            (true, _) => record.foreign_chain.iter().for_each(|c| self.push(c)),
            (false, Some(top)) => self.push(top),
            (false, None) => {}
        }
    }
}

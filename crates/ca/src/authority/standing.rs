//! What becomes of an authority whose own certificate is revoked, put on hold or released. Whoever validates a path asks
//! whether each certificate in it is revoked (RFC 5280 §6.1.3 (a)(3)), so that what it issued from then on would be refused.

use access::{Action, Refusal};
use audit::Timestamp;
use store::Write;
use x509::crl::Reason;

use super::rows::CA_PROFILE;
use super::{AUTHORITY_RECORDS, Authority, AuthorityState, IssuerRecord, IssuerState};
use crate::revocation::Status;
use crate::state::State;
use crate::{Ca, Result, StoredCertificate};

/// Deeper than any hierarchy; a cycle in the records must not hang.
const DEEPEST: usize = 8;

impl Ca {
    /// What somebody must be allowed who revokes this certificate: an authority's takes everything below it along.
    pub fn needed_to_revoke(&self, certificate: &StoredCertificate) -> Action {
        let profile = certificate.profile.as_str();
        let is_authority = profile == CA_PROFILE
            || self
                .profile(profile)
                .is_ok_and(|known| known.profile.is_authority());
        match is_authority {
            true => Action::ManageAuthorities,
            false => Action::RevokeCertificate,
        }
    }

    /// Refuses a root: it is trusted because it is in a store, and what it says about itself counts for nothing.
    pub(crate) fn check_revocable(&self, certificate: &StoredCertificate) -> Result<(), Refusal> {
        let state = self.state();
        let signer = state.issuers.get(&certificate.issuer);
        if signer.is_none_or(|issuer| issuer.certificate().fingerprint() != certificate.sha256) {
            return Ok(());
        }
        let text = format!(
            "{} is a root, and no list can revoke it",
            certificate.issuer
        );
        Err(Refusal::new("revocation.root", "RFC 5280 §6.1.1 (d)", text).accepted(
            "taking it out of every trust store (`ward bundle`), and a new root: `ward ca rotate`",
        ))
    }

    /// Adds to the write of a revocation, a hold or a release that the authority issues no more, or again.
    pub(crate) async fn along_with_status(
        &self,
        write: Write,
        certificate: &StoredCertificate,
        status: Status,
        now: Timestamp,
    ) -> Result<Write> {
        let state = self.state();
        let of = |fingerprint: [u8; 32]| fingerprint == certificate.sha256;
        let issuer = state
            .issuers
            .values()
            .find(|issuer| of(issuer.certificate().fingerprint()));
        let Some(issuer) = issuer else {
            return Ok(write);
        };
        let (mut authority, version) = self.stored_authority(&issuer.record().authority).await?;
        let issues_by_it = authority.issuer == issuer.name();
        if !issues_by_it || authority.state == AuthorityState::Retired {
            return Ok(write);
        }
        authority.state = match status {
            Status::Good => state_of(issuer.record()),
            Status::Revoked {
                reason: Reason::CertificateHold,
                ..
            } => AuthorityState::Held,
            Status::Revoked { .. } => AuthorityState::Revoked,
        };
        let name = authority.name.clone();
        Ok(write.put_record(AUTHORITY_RECORDS, &name, version, &authority, now)?)
    }
}

/// Where an authority stands by the generation that it issues with.
pub(super) fn state_of(issuer: &IssuerRecord) -> AuthorityState {
    match issuer.state {
        IssuerState::Offline => AuthorityState::Offline,
        IssuerState::Active | IssuerState::Superseded | IssuerState::Retired => {
            AuthorityState::Active
        }
    }
}

/// Refuses an authority whose certificate, or one above it, is revoked or on hold.
pub(crate) fn check_standing(state: &State, authority: &Authority) -> Result<(), Refusal> {
    let mut at = Some(authority);
    for _ in 0..DEEPEST {
        let Some(one) = at else {
            break;
        };
        let (said, accepted) = match one.state {
            AuthorityState::Revoked => (
                "revoked",
                format!("its next generation: `ward ca rotate {}`", one.name),
            ),
            AuthorityState::Held => ("on hold", "its release from hold".to_owned()),
            AuthorityState::Active | AuthorityState::Offline | AuthorityState::Retired => {
                at = one
                    .parent
                    .as_ref()
                    .and_then(|name| state.authorities.get(name));
                continue;
            }
        };
        let text = format!(
            "the certificate of {} is {said}: nobody would trust what is issued below it",
            one.name
        );
        return Err(
            Refusal::new("authority.revoked", "RFC 5280 §6.1.3 (a)(3)", text).accepted(accepted),
        );
    }
    Ok(())
}

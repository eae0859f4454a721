//! The certificate authority: decides, signs, keeps. Authorities and their generations, profiles,
//! the issuance cycle, the repository; status (revocation, CRLs, OCSP) stands beside them.
//!
//! # Invariants
//! - Nothing is signed that was not permitted, linted and accounted for: the three proofs are values
//!   that only their step can make and that signing consumes.
//! - Every certificate row has an event with its digest; every serial number under which there may be
//!   a signature without a certificate is voided: it counts as revoked.
//! - What changes rarely (authorities, profiles) is one immutable snapshot, swapped whole.

mod authority;
mod clock;
mod compromised;
pub mod crl;
mod error;
mod find;
mod finish;
mod init;
mod issuance;
mod keyrecords;
mod ledger;
pub mod log;
pub mod ocsp;
pub mod profile;
mod ra;
mod repository;
pub mod revocation;
mod rewrap;
mod schema;
mod settings;
mod state;
mod status;
mod to_ward;
mod verification;

use std::sync::Arc;

use access::{Access, Principal, Refusal};
use audit::{Object, Timestamp};
use keys::Keyring;
use store::{Snapshot, Store, StoreError};

pub use authority::{
    AUTHORITY_RECORDS, Authority, AuthorityState, Constraints, CrossSign, ISSUER_RECORDS,
    IssuerRecord, IssuerState, ParentKey,
};
pub use error::{CaError, Result};
pub use init::{Answers, AuthorityAnswers, Carry, InitIssuer, InitReport, RootAnswers, RootKey};
pub use issuance::{
    Along, Backdate, Exception, Gap, GeneratedKey, IssueRequest, Issued, KeyPackage, Outcome,
    PARTITION_SIZE, PROTOCOL, Source, csr_refusal,
};
pub use keyrecords::{KEY_RECORDS, KeyState, StoredKey};
pub use profile::{Profile, ProfileVersion};
pub use ra::{Ra, RaError, RaKey};
pub use repository::{CertificateFilter, CertificatePage, CertificateState, StoredCertificate};
pub use rewrap::SECRET_RECORDS;
pub use schema::MIGRATIONS;
pub use settings::{SETTINGS_RECORDS, Settings};
pub use state::Issuer;
pub use status::{ListStatus, ResponderStatus, StatusReport};
pub use to_ward::OwnCertificate;
pub use verification::{stored_log_key, verify_log};

use issuance::{Fault, Reserves, Underway};
use state::State;

/// The CA. Cheap to clone.
#[derive(Clone)]
pub struct Ca {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    keyring: Keyring,
    access: Access,
    state: Snapshot<State>,
    clock: clock::Clock,
    compromised: compromised::CompromisedKeys,
    status: status::StatusServices,
    notary: tokio::sync::OnceCell<log::Notary>,
    reserves: Reserves,
    underway: Arc<Underway>,
    fault: Fault,
}

impl Ca {
    /// Opens the CA on a store that has [`MIGRATIONS`] applied: brings the built-in profiles up to
    /// date, loads authorities and compromised keys, voids what a crash left open.
    pub async fn open(
        store: Store,
        keyring: Keyring,
        access: Access,
        now: Timestamp,
    ) -> Result<Ca> {
        profile::follow_built_in(&store, now).await?;
        let state = State::load(&store, &keyring, None).await?;
        let clock = clock::Clock::load(&store).await?;
        let ca = Ca {
            inner: Arc::new(Inner {
                store,
                keyring,
                access,
                state: Snapshot::new(state),
                clock,
                compromised: compromised::CompromisedKeys::new(),
                status: status::StatusServices::new(),
                notary: tokio::sync::OnceCell::new(),
                reserves: Reserves::new()?,
                underway: Arc::default(),
                fault: Fault::default(),
            }),
        };
        ca.read_compromised_keys().await?;
        ca.note_unread_keys(now).await?;
        match ca.void_abandoned(false, now).await {
            // What cannot be written now is voided when the database can be written again.
            Ok(_) | Err(CaError::Store(StoreError::ReadOnly(_) | StoreError::Full(_))) => Ok(ca),
            Err(error) => Err(error),
        }
    }

    /// Reads authorities, profiles and compromised keys anew: after a change by another process.
    pub async fn refresh(&self) -> Result<()> {
        let before = self.state();
        let read = State::load(&self.inner.store, &self.inner.keyring, Some(&before));
        self.inner.state.refresh(read).await?;
        self.read_compromised_keys().await
    }

    /// Reads anew if something has changed since; says whether it had. Costs one small query.
    pub async fn refresh_if_changed(&self) -> Result<bool> {
        let mark = state::mark(&self.inner.store).await?;
        if mark == self.state().mark {
            return Ok(false);
        }
        self.refresh().await?;
        Ok(true)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The keyring.
    pub fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    /// The door.
    pub fn access(&self) -> &Access {
        &self.inner.access
    }

    /// The hierarchy's settings; `None` before `init`.
    pub fn settings(&self) -> Option<Settings> {
        self.state().settings.as_deref().cloned()
    }

    /// Every authority, by name.
    pub fn authorities(&self) -> Vec<Authority> {
        self.state().authorities.values().cloned().collect()
    }

    /// One authority.
    pub fn authority(&self, name: &str) -> Result<Authority> {
        let state = self.state();
        let found = state.authorities.get(name).cloned();
        found.ok_or_else(|| CaError::not_found("authority", name))
    }

    /// Every issuer (authority generation), by id.
    pub fn issuers(&self) -> Vec<Arc<Issuer>> {
        self.state().issuers.values().cloned().collect()
    }

    /// One issuer.
    pub fn issuer(&self, id: &str) -> Result<Arc<Issuer>> {
        let state = self.state();
        let found = state.issuers.get(id).cloned();
        found.ok_or_else(|| CaError::not_found("issuer", id))
    }

    /// Every profile in force, by name.
    pub fn profiles(&self) -> Vec<Arc<ProfileVersion>> {
        self.state().profiles.values().cloned().collect()
    }

    /// One profile in force.
    pub fn profile(&self, name: &str) -> Result<Arc<ProfileVersion>> {
        let state = self.state();
        let found = state.profiles.get(name).cloned();
        found.ok_or_else(|| CaError::not_found("profile", name))
    }

    /// The base URL of everything that is published; `None` before `init`.
    pub fn publish_url(&self) -> Option<String> {
        self.settings().map(|settings| settings.base_url)
    }

    /// For tests of crashes: the next issuance stops in `gap`, with an error that leaves everything
    /// as a crash would, or with the end of the process.
    #[doc(hidden)]
    pub fn stop_at(&self, gap: Gap, abort: bool) {
        self.inner.fault.set(gap, abort);
    }

    /// The keeper of the log's key; there is one once `init` has made it.
    pub async fn notary(&self) -> Result<&log::Notary> {
        self.inner
            .notary
            .get_or_try_init(|| log::Notary::open(self))
            .await
    }

    pub(crate) fn status_services(&self) -> &status::StatusServices {
        &self.inner.status
    }

    pub(crate) fn reserves(&self) -> &Reserves {
        &self.inner.reserves
    }

    pub(crate) fn underway(&self) -> &Arc<Underway> {
        &self.inner.underway
    }

    pub(crate) fn fault(&self) -> &Fault {
        &self.inner.fault
    }

    pub(crate) fn compromised_keys(&self) -> &compromised::CompromisedKeys {
        &self.inner.compromised
    }

    pub(crate) fn clock(&self) -> &clock::Clock {
        &self.inner.clock
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.inner.state.get()
    }

    /// Records a refusal and makes it an error. If it cannot be recorded, that is the error.
    pub(crate) async fn refuse(
        &self,
        refusal: Refusal,
        principal: &Principal,
        action: &'static str,
        object: Object,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> CaError {
        let recorded = self
            .inner
            .access
            .record_refusal(&refusal, principal, action, object, request_id, now)
            .await;
        match recorded {
            Ok(()) => CaError::Refused(refusal),
            Err(error) => error.into(),
        }
    }
}

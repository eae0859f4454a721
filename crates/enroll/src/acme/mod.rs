//! ACME (RFC 8555) as state machines: a request in, a reply out, everything that lasts in the store.
//!
//! `front` decides what a request is and checks whatever must hold before anybody acts on it (`jws`, `nonce`, `limits`);
//! one file for each resource acts; every failure is a `problem`.

mod account;
mod accounts;
mod ari;
pub mod attest;
mod authorization;
mod binding;
pub(crate) mod bucket;
mod certificate;
mod challenge;
mod csr;
mod desk;
mod directory;
mod eab;
#[doc(hidden)]
pub mod exercise;
mod finalize;
mod front;
mod identifier;
mod json;
mod jwk;
mod jws;
mod keychange;
mod lately;
mod limits;
mod nonce;
mod order;
mod orders;
mod policy;
mod problem;
mod prune;
mod recall;
mod renewal;
mod replaced;
mod reply;
mod revoke;
mod used;
mod validation;

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use audit::Timestamp;
use bytes::Bytes;
use http::Method;

use crate::random::NoRandom;

pub use accounts::{Account, AccountStatus};
pub use bucket::{BadRate, Rate};
pub use desk::{
    AccountFilter, AccountPage, AccountView, Affected, Desk, DirectoryUse, EabView, NameView,
    NewEab, NewRecall, OrderFilter, OrderPage, OrderView, StoredDirectory,
};
pub use directory::{DIRECTORY_RECORDS, Directory, ExternalAccount, Offer};
pub use eab::{EAB_RECORDS, EabKey};
pub use jws::MAX_BODY;
pub use limits::Limits;
pub use recall::{RECALL_RECORDS, Recall, Recalled};
pub use renewal::RenewalPolicy;
pub use reply::Reply;

/// Proves control of an identifier: the server passes in one that works from here; later one that asks a relay.
pub type Validate = Arc<
    dyn Fn(
            agent::control::Check,
        ) -> Pin<
            Box<dyn Future<Output = Result<agent::control::Proof, agent::control::Failure>> + Send>,
        > + Send
        + Sync,
>;

/// The ACME server. Cheap to clone.
#[derive(Clone)]
pub struct Acme {
    inner: Arc<Inner>,
}

/// What all requests share.
pub(crate) struct Inner {
    pub(crate) store: store::Store,
    pub(crate) access: access::Access,
    pub(crate) ca: ca::Ca,
    pub(crate) nonces: nonce::Nonces,
    pub(crate) accounts: accounts::Accounts,
    pub(crate) directories: directory::Directories,
    pub(crate) limits: limits::Counters,
    pub(crate) recalls: recall::Recalls,
    pub(crate) validate: Validate,
    pub(crate) validations: validation::Validations,
    pub(crate) lately: lately::Lately,
    /// No other server works on this database.
    pub(crate) alone: bool,
}

/// One HTTP request below `/acme/`.
pub struct Request<'a> {
    pub method: Method,
    /// `https://host:port` as the client addressed us, or as the configuration says.
    pub base: &'a str,
    /// What follows `/acme/`.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub body: Bytes,
    pub peer: IpAddr,
    pub request_id: &'a str,
}

impl Request<'_> {
    /// The URL as the client asked for it (RFC 8555 §6.4).
    fn url(&self) -> String {
        let mut url = [self.base, "/acme/", self.path].concat();
        if let Some(query) = self.query {
            url.push('?');
            url.push_str(query);
        }
        url
    }
}

/// What a round of [`Acme::prune`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub nonces: u64,
    pub orders: u64,
    pub authorizations: u64,
}

/// Why ACME cannot be opened, or an operator's act failed.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// A rule forbids it; recorded in the log.
    #[error("{0}")]
    Refused(access::Refusal),
    /// There is no such thing.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// "directory", "account", "order", "EAB key".
        kind: &'static str,
        /// What was looked for.
        id: String,
    },
    #[error(transparent)]
    Access(#[from] access::AccessError),
    #[error(transparent)]
    Ca(#[from] ca::CaError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// The file that remembers used nonces.
    #[error("{path}: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
    /// Something that was stored cannot be read any more.
    #[error("stored {kind} {id}: {why}")]
    Stored {
        kind: &'static str,
        id: String,
        why: String,
    },
    /// The system's random generator failed.
    #[error("no random bytes")]
    Random,
}

impl From<access::Refusal> for AcmeError {
    fn from(refusal: access::Refusal) -> Self {
        AcmeError::Refused(refusal)
    }
}

impl From<NoRandom> for AcmeError {
    fn from(_: NoRandom) -> Self {
        AcmeError::Random
    }
}

impl Acme {
    /// Opens ACME on a CA. `alone` says that no other server works on this database: used nonces are then remembered in
    /// a file of `data_dir`, else in the database.
    pub async fn open(
        ca: ca::Ca,
        data_dir: &Path,
        alone: bool,
        validate: Validate,
    ) -> Result<Acme, AcmeError> {
        let store = ca.store().clone();
        let access = ca.access().clone();
        let nonces = nonce::Nonces::open(&ca, data_dir, alone)?;
        let directories = directory::Directories::load(&store).await?;
        let recalls = recall::Recalls::load(&store).await?;
        let inner = Inner {
            store,
            access,
            ca,
            nonces,
            accounts: accounts::Accounts::default(),
            directories,
            limits: limits::Counters::default(),
            recalls,
            validate,
            validations: validation::Validations::default(),
            lately: lately::Lately::new(alone),
            alone,
        };
        Ok(Acme {
            inner: Arc::new(inner),
        })
    }

    /// Answers one request. It does not fail: what goes wrong becomes a problem document (RFC 8555 §6.7).
    pub async fn handle(&self, request: Request<'_>, now: Timestamp) -> Reply {
        front::handle(self, &request, now).await
    }

    /// Follows the log: what another process changed is read anew.
    pub async fn observe(&self, event: &audit::Event) {
        let action = event.action.as_ref();
        if action.starts_with("acme.account.") || action.starts_with("acme.eab.") {
            self.inner.accounts.forget(&event.object);
        }
        if action.starts_with("acme.directory.")
            && let Err(error) = self.inner.directories.refresh(&self.inner.store).await
        {
            tracing::warn!(%error, "ACME directories cannot be read anew");
        }
        if action.starts_with("acme.recall.")
            && let Err(error) = self.inner.recalls.refresh(&self.inner.store).await
        {
            tracing::warn!(%error, "ACME recalls cannot be read anew");
        }
    }

    /// Reads anew what [`Acme::observe`] follows: before the log is followed, events may have been missed.
    pub async fn refresh(&self) -> Result<(), AcmeError> {
        self.inner.directories.refresh(&self.inner.store).await?;
        self.inner.recalls.refresh(&self.inner.store).await
    }

    /// Takes up what a restart or a dead node left half done.
    pub async fn resume(&self, now: Timestamp) -> Result<(), AcmeError> {
        let inner = &self.inner;
        let left_before = inner.validations.left_before(inner.alone, now);
        validation::resume(self, left_before, now).await?;
        finalize::resume(self, left_before, now).await
    }

    /// For tests of validations that fail: the first pause between two checks, instead of a second; the others follow.
    #[doc(hidden)]
    pub fn set_pause(&self, milliseconds: u64) {
        self.inner.validations.set_unit(milliseconds);
    }

    /// Removes what nobody can use any more. Certificates stay.
    pub async fn prune(&self, now: Timestamp) -> Result<Pruned, AcmeError> {
        let nonces = self.inner.nonces.prune(now).await?;
        let (orders, authorizations) = prune::prune(self, now).await?;
        Ok(Pruned {
            nonces,
            orders,
            authorizations,
        })
    }
}

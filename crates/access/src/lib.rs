//! Who may do what (R07, R37): people, groups, tokens, roles, scopes, approvals. The sole minter of [`Permit`].
//!
//! A caller proves who it is ([`Access::authenticate`]), asks for one [`Action`] on a [`Target`]
//! ([`Access::decide`]) and hands the resulting permit to the act. There is no other way to act:
//! the functions that change anything take a permit by value.

mod approval;
mod call;
mod notice;
mod oidc;
mod passkey;
mod people;
mod permit;
mod person;
mod policy;
mod refusal;
mod review;
mod role;
mod scope;
mod session;
mod signin;
mod staff;
mod token;
mod tokens;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use audit::{Object, Timestamp};
use store::{Migration, Store, StoreError, Write};

pub use approval::{Decision, Evidence, NewRequest, Request, RequestId, RequestState};
pub use call::{Call, Caught, Change, Comment, Delegation, LARGEST_CALL, Outcome, changes};
pub use notice::{Moment, Notice};
pub use oidc::{Expected, Flow, Keys, Untaken, verify};
pub use passkey::{
    ALGORITHMS, Assertion, Attestation, CEREMONY_MS, Ceremonies, Challenge, Opened,
    PASSKEY_RECORDS, Passkey, Registered, RelyingParty, Verified, creation_options, exercise,
    request_options,
};
pub use permit::{Grant, Permit, Principal, holder};
pub use person::{Group, Link, Person, PersonState, Profile};
pub use policy::{ApprovalPolicy, Execute};
pub use refusal::Refusal;
pub use review::{Review, Reviewed, ReviewedGrant};
pub use role::{Action, Role, UnknownAction, UnknownRole};
pub use scope::{BadPattern, NAME_KINDS, NamePattern, Place, Scope, Target, Where, glob};
pub use session::{
    NewSession, Purpose, STEP_UP_MS, Session, SessionId, SessionRules, Via, csrf_of, needs_step_up,
    step_up_refusal,
};
pub use signin::{
    Attempt, Claims, INVITATION_RECORDS, Invitation, Provider, RECOVERY_RECORDS, RecoveryState,
    Throttle, welcome_url,
};
pub use staff::Staff;
pub use token::{NewToken, Token, TokenId};
pub use waiting::Decided;

/// Sessions and notices have tables of their own, and requests one that finds them; everything else here lives in the store's
/// kept records.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "access",
        version: 1,
        sql: include_str!("schema/v1.sql"),
        postgres: None,
    },
    Migration {
        room: "access",
        version: 2,
        sql: include_str!("schema/v2.sql"),
        postgres: None,
    },
    Migration {
        room: "access",
        version: 3,
        sql: include_str!("schema/v3.sql"),
        postgres: Some(include_str!("schema/v3.postgres.sql")),
    },
];

/// The kind under which tokens are kept.
pub const TOKEN_RECORDS: &str = "token";
/// The kind under which people are kept.
pub const PERSON_RECORDS: &str = "person";
/// The kind under which groups are kept.
pub const GROUP_RECORDS: &str = "group";
/// The kind under which approval policies are kept.
pub const POLICY_RECORDS: &str = "approval-policy";
/// The kind under which requests are kept.
pub const REQUEST_RECORDS: &str = "request";

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    store: Store,
    tokens: Arc<tokens::Cache>,
    throttle: Arc<Throttle>,
    /// Somebody can sign in; once true it stays so.
    signs_in: Arc<AtomicBool>,
    policies: Arc<policy::Cache>,
}

/// What can go wrong at the door.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Nobody that we know: answer 401.
    #[error("{0}")]
    Unauthenticated(Refusal),
    /// Known, and not allowed: answer 403.
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such token or request.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// "token", "request", "person", …
        kind: &'static str,
        /// What was looked for.
        id: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored record cannot be read.
    #[error("stored {kind} {id}: {why}")]
    Record {
        /// "token", "request", "person", …
        kind: &'static str,
        /// Which one.
        id: String,
        /// What the reader said.
        why: String,
    },
    /// The system's random generator failed.
    #[error("no random bytes")]
    Random,
}

impl From<Refusal> for AccessError {
    fn from(refusal: Refusal) -> Self {
        AccessError::Refused(refusal)
    }
}

impl Access {
    /// The door to `store`.
    pub fn open(store: Store) -> Self {
        Access {
            store,
            tokens: Arc::default(),
            throttle: Arc::default(),
            signs_in: Arc::default(),
            policies: Arc::default(),
        }
    }

    /// Decides, writing nothing. State-changing callers use [`Access::permit`], which records a no.
    pub fn decide(
        &self,
        principal: &Arc<Principal>,
        action: Action,
        target: &Target<'_>,
    ) -> Result<Permit, Refusal> {
        permit::decide(principal, action, target)
    }

    /// Decides, and records a refusal.
    pub async fn permit(
        &self,
        principal: &Arc<Principal>,
        action: Action,
        target: &Target<'_>,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Permit, AccessError> {
        match permit::decide(principal, action, target) {
            Ok(permit) => Ok(permit.with_request_id(request_id)),
            Err(refusal) => {
                let object = match (target.profile, target.authority) {
                    (Some(profile), _) => Object::new("profile", profile),
                    (None, Some(authority)) => Object::new("authority", authority),
                    (None, None) => Object::new("action", action.name()),
                };
                self.record_refusal(&refusal, principal, action.name(), object, request_id, now)
                    .await?;
                Err(AccessError::Refused(refusal))
            }
        }
    }

    /// Writes down that something was refused.
    pub async fn record_refusal(
        &self,
        refusal: &Refusal,
        principal: &Principal,
        action: impl Into<std::borrow::Cow<'static, str>>,
        object: Object,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut event = refusal.event(now, principal.actor().clone(), action, object);
        if let Some(id) = request_id {
            event = event.request_id(id);
        }
        self.store.commit(Write::new(event)?).await.map(drop)
    }

    /// The refusal of an act, once it is in the log.
    pub(crate) async fn no(
        &self,
        refusal: Refusal,
        permit: &Permit,
        verb: &'static str,
        object: Object,
        now: Timestamp,
    ) -> AccessError {
        let request_id = permit.request_id();
        let principal = permit.principal();
        let recorded = self.record_refusal(&refusal, principal, verb, object, request_id, now);
        match recorded.await {
            Ok(()) => refusal.into(),
            Err(error) => error.into(),
        }
    }

    /// Follows the log: what another process did to tokens is seen at once.
    pub fn observe(&self, event: &audit::Event) {
        let is_about = |noun: &str| event.action.starts_with(noun);
        if is_about("policy.") {
            self.policies.forget();
        }
        if is_about("token.") || is_about("person.") {
            self.invalidate();
        }
    }

    /// Somebody at this machine's command line.
    pub fn local_principal(&self, user: &str) -> Arc<Principal> {
        permit::local(user)
    }

    /// One of Ward's own loops.
    pub fn system_principal(&self, component: &str) -> Arc<Principal> {
        permit::system(component)
    }

    /// A machine that came through an enrolment protocol, called `id` in the log
    /// (`acme-<account>`): an issuer within `scope`.
    pub fn enrolled_principal(&self, id: &str, scope: Scope) -> Arc<Principal> {
        permit::enrolled(id, scope)
    }

    /// Who has failed to sign in, and how often.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// The store behind the door.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// `N` random bytes.
fn random<const N: usize>() -> Result<[u8; N], AccessError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AccessError::Random)?;
    Ok(bytes)
}

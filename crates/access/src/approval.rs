//! Requests that wait for a second person (R07): what was asked, by whom, with what evidence, and
//! what was decided. Whoever asked cannot decide, whichever of their tokens they use.
//!
//! States: pending → approved → fulfilled, or pending → denied | expired. An approved request can
//! be fulfilled again after a failure, because issuance marks it in the same write as the certificate;
//! an approved call that nobody makes in time expires.

use std::fmt;

use audit::{Actor, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Call, Comment, Delegation, Permit, Place, Principal, Target, Where};

/// A request's id: `r` and sixteen hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub(crate) String);

impl RequestId {
    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('r')?;
        let hex = digits.len() == 16
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        hex.then(|| RequestId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that supports a request: a ticket, a signed form, an asset record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// "ticket", "asset", "identity-check", …
    pub kind: String,
    /// What it says or where it is.
    pub text: String,
    /// SHA-256 of a document kept elsewhere, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What is to be put before the second person.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// The profile asked for.
    pub profile: String,
    /// The authority that would issue.
    pub authority: String,
    /// One line: what would be issued.
    pub summary: String,
    /// The names that would be in it.
    pub names: Vec<String>,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// How many other people must approve.
    pub needed: u8,
    /// When it lapses undecided, Unix milliseconds.
    pub expires: i64,
    /// People in whose name it is made (holders, as in actors' ids): they cannot decide either.
    pub on_behalf_of: Vec<String>,
    /// What the asker needs to carry on: opaque here.
    pub payload: serde_json::Value,
    /// Joins the request with the operational log.
    pub request_id: Option<String>,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// Waits for somebody.
    Pending,
    /// Enough people agreed; not yet issued.
    Approved,
    /// Somebody said no.
    Denied,
    /// Nobody decided in time, or made the call in time.
    Expired,
    /// What was asked for is done: the certificate exists, the call was made.
    Fulfilled,
    /// The call is being made. One that a crash cuts off fails, and is not made again by itself.
    Executing,
    /// The call was made and did not succeed.
    Failed,
    /// It was made in an emergency; others must look at it now.
    Review,
    /// Others have looked at what was made in an emergency.
    Reviewed,
    /// Others object to what was made in an emergency.
    Objected,
}

impl RequestState {
    /// The state's name.
    pub const fn name(self) -> &'static str {
        match self {
            RequestState::Pending => "pending",
            RequestState::Approved => "approved",
            RequestState::Denied => "denied",
            RequestState::Expired => "expired",
            RequestState::Fulfilled => "fulfilled",
            RequestState::Executing => "executing",
            RequestState::Failed => "failed",
            RequestState::Review => "review",
            RequestState::Reviewed => "reviewed",
            RequestState::Objected => "objected",
        }
    }

    /// Whether anything is still to come of it: somebody's word, what was asked for, or time.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            RequestState::Pending
                | RequestState::Approved
                | RequestState::Executing
                | RequestState::Review
        )
    }
}

/// One person's word on a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: Actor,
    /// When, Unix milliseconds.
    pub at: i64,
    /// For or against.
    pub approved: bool,
    /// Why.
    pub why: Option<String>,
}

/// A request as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The profile asked for.
    pub profile: String,
    /// The authority that would issue.
    pub authority: String,
    /// One line: what would be issued.
    pub summary: String,
    /// The names that would be in it.
    pub names: Vec<String>,
    /// Who asked, with roles and scope as they were.
    pub requester: Principal,
    /// People in whose name it was made: they cannot decide either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_behalf_of: Vec<String>,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// How many other people must approve.
    pub needed: u8,
    /// When it was made, Unix milliseconds.
    pub created: i64,
    /// When it lapses undecided, Unix milliseconds.
    pub expires: i64,
    /// Where it stands.
    pub state: RequestState,
    /// What people said.
    pub decisions: Vec<Decision>,
    /// What people said without deciding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// Who handed the decision to whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<Delegation>,
    /// What came of it: the SHA-256 of the certificate, hex.
    pub result: Option<String>,
    /// What the asker needs to carry on.
    pub payload: serde_json::Value,
    /// The call that waits, where it is one that a policy caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

impl Request {
    /// The state at `now`: a request whose time has passed is expired even if no loop has said so yet.
    pub fn state_at(&self, now: Timestamp) -> RequestState {
        if self.lapses() && self.expires <= now.0 {
            RequestState::Expired
        } else {
            self.state
        }
    }

    /// Whether time ends it: what waits for people, and a call that nobody has made. A certificate that was agreed to can
    /// still be issued.
    fn lapses(&self) -> bool {
        match self.state {
            RequestState::Pending => true,
            RequestState::Approved => self.call.is_some(),
            _ => false,
        }
    }

    /// Whether people are to decide about it, before it is done or after an emergency.
    pub fn awaits_people(&self, now: Timestamp) -> bool {
        [RequestState::Pending, RequestState::Review].contains(&self.state_at(now))
    }

    /// What deciding about it concerns. Where a request does not say its place, who is limited to some decides
    /// nothing about it.
    pub fn target(&self) -> Target<'_> {
        let given = |text: &'_ str| !text.is_empty();
        let segment = self.call.as_ref().and_then(|call| call.segment.as_deref());
        Target {
            profile: Some(self.profile.as_str()).filter(|text| given(text)),
            authority: Some(self.authority.as_str()).filter(|text| given(text)),
            names: &[],
            place: Where::At(Place {
                segment,
                ..Place::default()
            }),
        }
    }

    /// Whether `permit` to read requests shows this one: one's own, and those within the scope.
    pub fn is_shown_to(&self, permit: &Permit) -> bool {
        let own = permit.principal().is_same_holder(self.requester.actor());
        own || permit.covers(&self.target()).is_ok()
    }

    /// Whether whoever holds `permit` to approve requests may decide about this one now.
    pub fn awaits(&self, permit: &Permit, now: Timestamp) -> bool {
        crate::waiting::check_decider(permit, self, now).is_ok()
    }

    /// How many people have agreed.
    pub fn approvals(&self) -> usize {
        self.decisions.iter().filter(|said| said.approved).count()
    }
}

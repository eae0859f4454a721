//! What values of `access` look like in the API's document, for clients whose types are made from it.

#![expect(dead_code, reason = "they describe what is written elsewhere")]

use utoipa::ToSchema;

/// Limits; an empty or absent list does not limit. Lists hold globs, `names` patterns (`*.icu.example.org`, `ip:10.0.0.0/8`).
#[derive(ToSchema)]
pub(crate) struct ScopeShape {
    profiles: Option<Vec<String>>,
    authorities: Option<Vec<String>>,
    names: Option<Vec<String>>,
    sites: Option<Vec<String>>,
    segments: Option<Vec<String>>,
    departments: Option<Vec<String>>,
    owners: Option<Vec<String>>,
}

/// A role, and where it counts.
#[derive(ToSchema)]
pub(crate) struct GrantShape {
    /// admin, ra-officer, approver, clinical-engineering, integration, security, auditor, help-desk, issuer, read-only.
    role: String,
    /// Absent: everywhere.
    scope: Option<ScopeShape>,
}

/// Who somebody is at an identity provider.
#[derive(ToSchema)]
pub(crate) struct LinkShape {
    provider: String,
    subject: String,
}

/// Who did something.
#[derive(ToSchema)]
pub(crate) struct ActorShape {
    /// person, machine, local or system.
    kind: String,
    /// `holder/session`, `holder/token` or `holder`.
    id: String,
    role: Option<String>,
}

/// What supports a request.
#[derive(ToSchema)]
pub(crate) struct EvidenceShape {
    kind: String,
    text: String,
    sha256: Option<String>,
}

/// One person's word.
#[derive(ToSchema)]
pub(crate) struct DecisionShape {
    by: ActorShape,
    /// Unix milliseconds.
    at: i64,
    approved: bool,
    why: Option<String>,
}

/// What somebody said without deciding.
#[derive(ToSchema)]
pub(crate) struct CommentShape {
    by: ActorShape,
    /// Unix milliseconds.
    at: i64,
    text: String,
    evidence: Option<Vec<EvidenceShape>>,
}

/// Somebody handed the decision on.
#[derive(ToSchema)]
pub(crate) struct DelegationShape {
    from: ActorShape,
    /// A person's id.
    to: String,
    /// Unix milliseconds.
    at: i64,
}

/// One thing that a call would change.
#[derive(ToSchema)]
pub(crate) struct ChangeShape {
    /// JSON pointer (RFC 6901).
    at: String,
    #[schema(value_type = Value)]
    before: serde_json::Value,
    #[schema(value_type = Value)]
    after: serde_json::Value,
}

/// What a call answered when it was made.
#[derive(ToSchema)]
pub(crate) struct OutcomeShape {
    /// Of HTTP; 0: the server stopped while it made the call, and nobody knows whether it was done.
    status: u16,
    /// The beginning of the body.
    body: String,
    /// Unix milliseconds.
    at: i64,
}

/// A call that waits.
#[derive(ToSchema)]
pub(crate) struct CallShape {
    policy: String,
    action: String,
    method: String,
    path: String,
    segment: Option<String>,
    diff: Vec<ChangeShape>,
    approvers: Vec<String>,
    /// at-approval or by-asker.
    execute: String,
    emergency_allowed: bool,
    /// Why the asker went ahead.
    emergency: Option<String>,
    /// When a server began to make it, Unix milliseconds; nothing once it is known what came of it.
    taken: Option<i64>,
    outcome: Option<OutcomeShape>,
}

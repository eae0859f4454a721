//! Roles and what each may do: the matrix (R37). It is a table so that it can be read in one look
//! and reviewed in a diff; `tests/matrix.golden` holds it as text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is, as far as Ward is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the CA: authorities, profiles, keys, tokens.
    Admin,
    /// Has certificates issued and revoked: a registration authority, a pipeline, an engineer.
    Issuer,
    /// The second person: decides about requests, issues nothing alone.
    Approver,
    /// Reads everything, the audit log above all; changes nothing.
    Auditor,
    /// Reads what is public within the house.
    ReadOnly,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [
        Role::Admin,
        Role::Issuer,
        Role::Approver,
        Role::Auditor,
        Role::ReadOnly,
    ];

    /// The role's name as it is written in tokens, profiles and events.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Issuer => "issuer",
            Role::Approver => "approver",
            Role::Auditor => "auditor",
            Role::ReadOnly => "read-only",
        }
    }

    /// Whether the role may do `action`, scope aside.
    pub fn allows(self, action: Action) -> bool {
        action.roles().contains(&self)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Role::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; roles are admin, issuer, approver, auditor, read-only")]
pub struct UnknownRole(pub String);

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $($role:ident)+;)*) => {
        /// What can be asked for. Every entry point of every surface decides exactly one of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action, in the order of the matrix.
            pub const ALL: &'static [Action] = &[$(Action::$name,)*];

            /// The action's name in refusals, events and the matrix.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$name => $text,)* }
            }

            /// The roles that may do it.
            pub const fn roles(self) -> &'static [Role] {
                match self { $(Action::$name => &[$(Role::$role,)*],)* }
            }
        }
    };
}

actions! {
    /// Have a certificate issued from a profile.
    IssueCertificate = "issue-certificate": Admin Issuer;
    /// Revoke, hold or release a certificate.
    RevokeCertificate = "revoke-certificate": Admin Issuer;
    /// Find and download certificates and their status.
    ReadCertificates = "read-certificates": Admin Issuer Approver Auditor ReadOnly;
    /// Create, rotate, cross-sign and retire authorities.
    ManageAuthorities = "manage-authorities": Admin;
    /// See authorities, issuers and their certificates.
    ReadAuthorities = "read-authorities": Admin Issuer Approver Auditor ReadOnly;
    /// Add and change profiles.
    ManageProfiles = "manage-profiles": Admin;
    /// See profiles and their versions.
    ReadProfiles = "read-profiles": Admin Issuer Approver Auditor ReadOnly;
    /// Rotate, retire and destroy keys.
    ManageKeys = "manage-keys": Admin;
    /// See key records (never keys).
    ReadKeys = "read-keys": Admin Auditor;
    /// Create and revoke tokens.
    ManageTokens = "manage-tokens": Admin;
    /// See tokens (never their secrets).
    ReadTokens = "read-tokens": Admin Auditor;
    /// Open and close the doors that machines enrol through: directories, account keys, accounts, recalls.
    ManageEnrolment = "manage-enrolment": Admin;
    /// See those doors and who came through them (never their secrets).
    ReadEnrolment = "read-enrolment": Admin Issuer Approver Auditor;
    /// Register, change, import and retire assets; prepare and release spares.
    ManageAssets = "manage-assets": Admin Issuer;
    /// See assets, what they hold, and spares (never their keys).
    ReadAssets = "read-assets": Admin Issuer Approver Auditor ReadOnly;
    /// Take in what was found, give it owners and tags, keep views of it, say which systems exchange what.
    ManageInventory = "manage-inventory": Admin Issuer;
    /// See certificates of any issuer, where they live, whose they are, what is wrong with them.
    ReadInventory = "read-inventory": Admin Issuer Approver Auditor ReadOnly;
    /// Say what a scan of a segment may do; it counts once somebody else has signed it off.
    ManageSegments = "manage-segments": Admin Issuer;
    /// Sign off the limits that somebody else wrote for a segment.
    SignSegments = "sign-segments": Admin Approver;
    /// Start, stop and resume scans within those limits; enrol agents and give them orders.
    RunDiscovery = "run-discovery": Admin Issuer;
    /// Waive findings and take waivers back; close incidents.
    ManageFindings = "manage-findings": Admin Approver;
    /// Approve or deny the request of somebody else.
    ApproveRequests = "approve-requests": Admin Approver;
    /// See requests that wait for approval, and what became of them.
    ReadRequests = "read-requests": Admin Issuer Approver Auditor;
    /// Read, prove and export the audit log.
    ReadAudit = "read-audit": Admin Auditor;
    /// Publish CRLs and refresh OCSP answers ahead of schedule.
    PublishStatus = "publish-status": Admin Issuer;
    /// See health, ages and counts.
    ReadStatus = "read-status": Admin Issuer Approver Auditor ReadOnly;
    /// Back up and restore.
    ManageBackups = "manage-backups": Admin;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

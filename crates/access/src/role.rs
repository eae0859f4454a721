//! Roles and what each may do: the matrix (R37). It is a table so that it can be read in one look
//! and reviewed in a diff; `tests/matrix.golden` holds it as text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is, as far as Ward is concerned. Names are stable: tokens and records carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// PKI administrator: authorities, profiles, keys, people, policies.
    Admin,
    /// RA officer: vets, registers, asks, decides about what others ask, revokes within scope.
    RaOfficer,
    /// The second person: decides about requests, issues nothing alone.
    Approver,
    /// Answers for devices: registers them, gives them the right to enrol, prepares spares, and says what
    /// a segment with patients on it can bear. Never what IT security does.
    ClinicalEngineering,
    /// EHR and integration: certificates for their profiles, the map of flows.
    Integration,
    /// Security operations: discovery, findings, incidents, revocation. Never what clinical engineering does.
    Security,
    /// Reads everything, the audit log above all; changes nothing.
    Auditor,
    /// Reads, and helps people back in; grants nothing.
    HelpDesk,
    /// Machines and pipelines that have certificates issued and revoked.
    Issuer,
    /// Reads what is public within the house.
    ReadOnly,
}

impl Role {
    /// Every role, in the order of the matrix.
    pub const ALL: [Role; 10] = [
        Role::Admin,
        Role::RaOfficer,
        Role::Approver,
        Role::ClinicalEngineering,
        Role::Integration,
        Role::Security,
        Role::Auditor,
        Role::HelpDesk,
        Role::Issuer,
        Role::ReadOnly,
    ];

    /// The role's name as it is written in tokens, profiles and events.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::RaOfficer => "ra-officer",
            Role::Approver => "approver",
            Role::ClinicalEngineering => "clinical-engineering",
            Role::Integration => "integration",
            Role::Security => "security",
            Role::Auditor => "auditor",
            Role::HelpDesk => "help-desk",
            Role::Issuer => "issuer",
            Role::ReadOnly => "read-only",
        }
    }

    /// What the role is called among people.
    pub const fn title(self) -> &'static str {
        match self {
            Role::Admin => "PKI administrator",
            Role::RaOfficer => "RA officer",
            Role::Approver => "Approver",
            Role::ClinicalEngineering => "Clinical engineering",
            Role::Integration => "EHR and integration",
            Role::Security => "Security operations",
            Role::Auditor => "Auditor",
            Role::HelpDesk => "Help desk",
            Role::Issuer => "Machine or pipeline",
            Role::ReadOnly => "Reader",
        }
    }

    /// Every role's name, for refusals that say what would be accepted.
    pub fn names() -> String {
        Role::ALL.map(Role::name).join(", ")
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
#[error("`{0}` is no role; roles are {names}", names = Role::names())]
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
    IssueCertificate = "issue-certificate": Admin RaOfficer ClinicalEngineering Integration Issuer;
    /// Revoke, hold or release a certificate.
    RevokeCertificate = "revoke-certificate": Admin RaOfficer Security Issuer;
    /// Find and download certificates and their status.
    ReadCertificates = "read-certificates": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// Create, rotate, cross-sign and retire authorities.
    ManageAuthorities = "manage-authorities": Admin;
    /// See authorities, issuers and their certificates.
    ReadAuthorities = "read-authorities": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// Add and change profiles.
    ManageProfiles = "manage-profiles": Admin;
    /// See profiles and their versions.
    ReadProfiles = "read-profiles": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// Rotate, retire and destroy keys.
    ManageKeys = "manage-keys": Admin;
    /// See key records (never keys).
    ReadKeys = "read-keys": Admin Auditor;
    /// Create and revoke tokens.
    ManageTokens = "manage-tokens": Admin;
    /// See tokens (never their secrets).
    ReadTokens = "read-tokens": Admin Auditor;
    /// Say who works here: people, groups, what they are granted; suspend them and let them leave.
    ManagePeople = "manage-people": Admin;
    /// See people, groups and what they are granted.
    ReadPeople = "read-people": Admin RaOfficer Auditor HelpDesk;
    /// Help somebody back in: one-time links, recovery codes, ending their sessions. Grants nothing.
    RecoverSignIn = "recover-sign-in": Admin HelpDesk;
    /// Say which actions need the word of others.
    ManagePolicies = "manage-policies": Admin;
    /// See which actions need the word of others.
    ReadPolicies = "read-policies": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// See who could do what on a date, and who did.
    ReviewAccess = "review-access": Admin Auditor;
    /// Open and close the doors that machines enrol through: directories, account keys, accounts, recalls.
    ManageEnrolment = "manage-enrolment": Admin;
    /// Give a device the right to enrol, and take it back.
    ManageRights = "manage-rights": Admin RaOfficer ClinicalEngineering;
    /// See those doors and who came through them (never their secrets).
    ReadEnrolment = "read-enrolment": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer;
    /// Register, change, import and retire assets; prepare and release spares.
    ManageAssets = "manage-assets": Admin RaOfficer ClinicalEngineering Issuer;
    /// See assets, what they hold, and spares (never their keys).
    ReadAssets = "read-assets": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// Take in what was found, give it owners and tags, keep views of it.
    ManageInventory = "manage-inventory": Admin RaOfficer Security Issuer;
    /// Say which systems exchange what.
    ManageFlows = "manage-flows": Admin Integration Issuer;
    /// See certificates of any issuer, where they live, whose they are, what is wrong with them.
    ReadInventory = "read-inventory": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// Say what a scan of a segment may do; it counts once somebody else has signed it off.
    ManageSegments = "manage-segments": Admin Security Issuer;
    /// Sign off the limits that somebody else wrote for a segment.
    SignSegments = "sign-segments": Admin Approver ClinicalEngineering;
    /// Start, stop and resume scans within those limits; enrol agents and give them orders.
    RunDiscovery = "run-discovery": Admin Security Issuer;
    /// Waive findings and take waivers back; close incidents.
    ManageFindings = "manage-findings": Admin Approver Security;
    /// Approve or deny the request of somebody else.
    ApproveRequests = "approve-requests": Admin RaOfficer Approver;
    /// See requests that wait for approval, and what became of them.
    ReadRequests = "read-requests": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer;
    /// Read, prove and export the audit log.
    ReadAudit = "read-audit": Admin Auditor;
    /// Publish CRLs and refresh OCSP answers ahead of schedule.
    PublishStatus = "publish-status": Admin Issuer;
    /// See health, ages and counts.
    ReadStatus = "read-status": Admin RaOfficer Approver ClinicalEngineering Integration Security Auditor HelpDesk Issuer ReadOnly;
    /// Back up and restore.
    ManageBackups = "manage-backups": Admin;
}

impl Action {
    /// Whether it changes nothing.
    pub fn is_reading(self) -> bool {
        self.name().starts_with("read-") || self == Action::ReviewAccess
    }

    /// Whether it reads what belongs to the house as a whole: no limit to a part of it applies.
    pub(crate) fn reads_the_house(self) -> bool {
        matches!(
            self,
            Action::ReadAuthorities
                | Action::ReadProfiles
                | Action::ReadStatus
                | Action::ReadPolicies
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let named = |action: &&Action| action.name() == text;
        Action::ALL
            .iter()
            .find(named)
            .copied()
            .ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

/// A word that is no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action; the matrix in docs/people-and-roles.md lists them")]
pub struct UnknownAction(pub String);

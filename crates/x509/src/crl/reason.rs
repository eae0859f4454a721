//! Why a certificate was revoked (RFC 5280 §5.3.1).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// CRLReason. Code 7 was never assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    Unspecified,
    KeyCompromise,
    #[serde(alias = "cACompromise")]
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    #[serde(alias = "removeFromCRL")]
    RemoveFromCrl,
    PrivilegeWithdrawn,
    #[serde(alias = "aACompromise")]
    AaCompromise,
}

/// Reason, code and name.
const TABLE: [(Reason, u8, &str); 10] = [
    (Reason::Unspecified, 0, "unspecified"),
    (Reason::KeyCompromise, 1, "keyCompromise"),
    (Reason::CaCompromise, 2, "caCompromise"),
    (Reason::AffiliationChanged, 3, "affiliationChanged"),
    (Reason::Superseded, 4, "superseded"),
    (Reason::CessationOfOperation, 5, "cessationOfOperation"),
    (Reason::CertificateHold, 6, "certificateHold"),
    (Reason::RemoveFromCrl, 8, "removeFromCrl"),
    (Reason::PrivilegeWithdrawn, 9, "privilegeWithdrawn"),
    (Reason::AaCompromise, 10, "aaCompromise"),
];

/// A name or code that is no revocation reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a revocation reason of RFC 5280 §5.3.1")]
pub struct UnknownReason(String);

impl Reason {
    /// Every reason, in the order of the codes.
    pub fn all() -> impl Iterator<Item = Reason> {
        TABLE.iter().map(|(reason, _, _)| *reason)
    }

    pub fn code(self) -> u8 {
        match self {
            Reason::Unspecified => 0,
            Reason::KeyCompromise => 1,
            Reason::CaCompromise => 2,
            Reason::AffiliationChanged => 3,
            Reason::Superseded => 4,
            Reason::CessationOfOperation => 5,
            Reason::CertificateHold => 6,
            Reason::RemoveFromCrl => 8,
            Reason::PrivilegeWithdrawn => 9,
            Reason::AaCompromise => 10,
        }
    }

    pub fn from_code(code: u8) -> Option<Reason> {
        let row = TABLE.iter().find(|(_, c, _)| *c == code)?;
        Some(row.0)
    }

    pub fn name(self) -> &'static str {
        let row = TABLE.iter().find(|(reason, _, _)| *reason == self);
        row.map_or("unspecified", |(_, _, name)| name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    /// By name in any letter case, so that RFC 5280's `cACompromise` is read as well.
    fn from_str(s: &str) -> Result<Self, UnknownReason> {
        TABLE
            .iter()
            .find(|(_, _, name)| name.eq_ignore_ascii_case(s))
            .map(|(reason, _, _)| *reason)
            .ok_or_else(|| UnknownReason(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_and_serde_agree() {
        for reason in Reason::all() {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert_eq!(reason.name().parse(), Ok(reason));
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
        }
        assert_eq!(Reason::from_code(7), None);
        assert_eq!("cACompromise".parse(), Ok(Reason::CaCompromise));
        assert!("nonsense".parse::<Reason>().is_err());
    }
}

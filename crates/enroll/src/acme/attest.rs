//! Device attestation (draft-ietf-acme-device-attest): does a piece of hardware vouch for a key and for the
//! device that it is in?
//!
//! Reads and verifies WebAuthn attestation objects in the formats `tpm` and `apple` against roots that the
//! operator configures. Pure: what is trusted, expected and when is an argument. Verified on the vectors of
//! WebAuthn Level 3 and on statements of a software TPM (swtpm); on no TPM chip and no Apple device.

mod apple;
mod cbor;
mod chain;
mod tpm;

use std::{fmt, str::FromStr};

use x509::{Certificate, Oid, PublicKey, Time, path::TrustAnchor};

use cbor::Value;

/// Largest attestation object looked at: four certificates and a TPM's structures have 8 KiB.
const MAX_OBJECT: usize = 48 * 1024;
/// Octets of an identifier (ACME has no limit; certificates become unwieldy).
const MAX_IDENTIFIER: usize = 255;

/// Whose attestations are believed. A format without roots is refused.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    pub tpm: Vec<TrustAnchor>,
    pub apple: Vec<TrustAnchor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Tpm,
    Apple,
}

/// Identifiers of devices (draft §3, §4), as they stand in orders.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceIdentifier {
    /// `permanent-identifier`: `VALUE` or `VALUE/ASSIGNER`.
    Permanent {
        value: String,
        assigner: Option<Oid>,
    },
    /// `hardware-module`: `SERIAL/TYPE`.
    HardwareModule { serial: String, kind: Oid },
}

/// An identifier outside the draft's grammar: `malformed`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a device identifier (draft-ietf-acme-device-attest §3, §4)")]
pub struct BadIdentifier(pub String);

impl DeviceIdentifier {
    /// Of an order's identifier of type `permanent-identifier`.
    pub fn permanent(text: &str) -> Result<Self, BadIdentifier> {
        let bad = || BadIdentifier(text.chars().take(MAX_IDENTIFIER).collect());
        let (value, assigner) = match text.split_once('/') {
            Some((value, oid)) => (value, Some(Oid::from_str(oid).map_err(|_| bad())?)),
            None => (text, None),
        };
        if value.is_empty() || text.len() > MAX_IDENTIFIER {
            return Err(bad());
        }
        Ok(Self::Permanent {
            value: value.to_owned(),
            assigner,
        })
    }

    /// Of an order's identifier of type `hardware-module`.
    pub fn hardware_module(text: &str) -> Result<Self, BadIdentifier> {
        let bad = || BadIdentifier(text.chars().take(MAX_IDENTIFIER).collect());
        let (serial, kind) = text.split_once('/').ok_or_else(bad)?;
        if serial.is_empty() || text.len() > MAX_IDENTIFIER {
            return Err(bad());
        }
        Ok(Self::HardwareModule {
            serial: serial.to_owned(),
            kind: Oid::from_str(kind).map_err(|_| bad())?,
        })
    }

    /// As in the `type` of an identifier object.
    pub const fn kind(&self) -> &'static str {
        match self {
            DeviceIdentifier::Permanent { .. } => "permanent-identifier",
            DeviceIdentifier::HardwareModule { .. } => "hardware-module",
        }
    }
}

/// As in the `value` of an identifier object.
impl fmt::Display for DeviceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceIdentifier::Permanent {
                value,
                assigner: Some(assigner),
            } => write!(f, "{value}/{assigner}"),
            DeviceIdentifier::Permanent { value, .. } => f.write_str(value),
            DeviceIdentifier::HardwareModule { serial, kind } => write!(f, "{serial}/{kind}"),
        }
    }
}

/// What a challenge of type `device-attest-01` expects.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub token: &'a str,
    pub key_authorization: &'a str,
    pub identifier: &'a DeviceIdentifier,
}

/// What hardware vouched for.
#[derive(Debug, Clone)]
pub struct Attested {
    pub format: Format,
    /// The key in the hardware. The CSR must have this key, or the attestation says nothing about it.
    pub key: PublicKey,
    /// Made in the hardware and never leaves it.
    pub hardware_bound: bool,
    pub identifiers: Vec<DeviceIdentifier>,
    /// The attestation certificate first.
    pub chain: Vec<Certificate>,
}

/// Each is `badAttestationStatement`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    #[error("the attestation object cannot be read: {0}")]
    Object(String),
    #[error("the attestation statement's {0} is missing or malformed")]
    Malformed(&'static str),
    #[error("attestation format {0:?} is not accepted; tpm and apple are")]
    Format(String),
    #[error("the attestation is refused: {0}")]
    Refused(String),
    #[error("the attestation is not for the device {wanted}; it names {found}")]
    OtherDevice { wanted: String, found: String },
}

/// Verifies a response's `attObj` (already out of its base64url).
pub fn verify(
    object: &[u8],
    expected: Expected<'_>,
    roots: &Roots,
    now: Time,
) -> Result<Attested, AttestError> {
    if object.len() > MAX_OBJECT {
        return Err(AttestError::Object(format!(
            "it is larger than {MAX_OBJECT} octets"
        )));
    }
    let object = Value::decode(object).map_err(|e| AttestError::Object(e.to_string()))?;
    let statement = object
        .get("attStmt")
        .ok_or(AttestError::Malformed("attStmt"))?;
    let attested = match object.get("fmt").and_then(Value::text) {
        Some("tpm") => {
            let signed = expected.key_authorization.as_bytes();
            tpm::verify(statement, signed, &roots.tpm, now)?
        }
        Some("apple") => apple::verify(statement, expected.token, &roots.apple, now)?,
        other => {
            let name: String = other.unwrap_or_default().chars().take(32).collect();
            return Err(AttestError::Format(name));
        }
    };
    if !attested.hardware_bound {
        let what = "the key may leave the hardware, or was not made in it";
        return Err(AttestError::Refused(what.to_owned()));
    }
    if !attested.identifiers.contains(expected.identifier) {
        let found: Vec<String> = attested
            .identifiers
            .iter()
            .take(4)
            .map(|i| i.to_string())
            .collect();
        return Err(AttestError::OtherDevice {
            wanted: expected.identifier.to_string(),
            found: if found.is_empty() {
                "none".to_owned()
            } else {
                found.join(", ")
            },
        });
    }
    Ok(attested)
}

/// Reads `data` as an attestation object and as a TPM's structures: for fuzzing, and public for that only.
#[doc(hidden)]
pub fn exercise(data: &[u8]) {
    tpm::exercise(data);
    if let Ok(object) = Value::decode(data) {
        let _ = object.get("attStmt").map(chain::read);
    }
    let text = String::from_utf8_lossy(data);
    for identifier in [
        DeviceIdentifier::permanent(&text),
        DeviceIdentifier::hardware_module(&text),
    ] {
        let _ = identifier.map(|i| i.to_string());
    }
}

#[cfg(test)]
mod tests;

//! The right to enrol: made by a person for an asset, a model or a batch, proved by a password, a shared secret or a
//! manufacturer's certificate, counted, expiring.
//!
//! The record says what a right is good for. Passwords are kept as SHA-256 only: they are 128 random bits, which no
//! dictionary holds. Uses stand in a table of their own, counted in the write that makes the certificate.

use std::fmt;

use access::Evidence;
use serde::{Deserialize, Serialize};

use super::SerialField;

/// The kind under which rights are kept.
pub const RIGHT_RECORDS: &str = "enrolment-right";

/// A right's id: `v` and sixteen hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RightId(String);

impl RightId {
    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = text.strip_prefix('v')?;
        (digits.len() == 16 && digits.bytes().all(hex)).then(|| RightId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RightId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A right to enrol, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    pub id: RightId,
    /// `None`: at any endpoint.
    pub endpoint: Option<String>,
    pub r#for: For,
    pub credential: Credential,
    /// How many certificates it is good for; `None` is any number.
    pub uses: Option<u32>,
    /// Unix milliseconds.
    pub expires: Option<i64>,
    pub evidence: Vec<Evidence>,
    pub created_by: String,
    /// Unix milliseconds.
    pub created: i64,
    pub note: String,
    /// Unix milliseconds.
    pub revoked: Option<i64>,
}

/// Which devices may use a right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum For {
    /// One asset, by its id.
    Asset(String),
    Model {
        manufacturer: String,
        model: String,
    },
    /// Serial numbers.
    Batch(Vec<String>),
    Any,
}

/// How a right is proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// A password for SCEP's challengePassword (and as HTTP password with any user name).
    OneTimePassword {
        /// Of the password, hexadecimal.
        sha256: String,
    },
    HttpPassword {
        user: String,
        /// Of the password, hexadecimal.
        sha256: String,
    },
    /// For CMP's MAC; the right's id is the reference. The secret is sealed beside the record.
    SharedSecret,
    /// A certificate that the manufacturer put into the device (IEEE 802.1AR IDevID).
    Vendor {
        /// Trust anchors: certificates in DER, base64.
        anchors: Vec<String>,
        /// Where the certificate says the device's serial number.
        serial_field: SerialField,
    },
}

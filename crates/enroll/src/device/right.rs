//! The right to enrol: made by a person for an asset, a model or a batch, proved by a password, a shared secret or a
//! manufacturer's certificate, counted, expiring.
//!
//! The record says what a right is good for. Passwords are kept as SHA-256 only: they are 128 random bits, which no
//! dictionary holds. Uses stand in a table of their own, counted in the write that makes the certificate, so that two
//! uses at once are two only where two are left.

use std::fmt;

use access::{Evidence, Refusal};
use audit::Timestamp;
use fleet::Asset;
use serde::{Deserialize, Serialize};
use store::{Store, Write, params};
use zeroize::Zeroizing;

use super::{DeviceError, SerialField};
use crate::secret;

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

    /// A new one out of random bytes.
    pub(crate) fn new(random: [u8; 8]) -> Self {
        RightId(format!("v{}", hex::encode(random)))
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
        /// Of the password, hexadecimal; empty where it is shown.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        sha256: String,
    },
    HttpPassword {
        user: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
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

impl Credential {
    /// As it is shown.
    pub fn kind(&self) -> &'static str {
        match self {
            Credential::OneTimePassword { .. } => "one-time password",
            Credential::HttpPassword { .. } => "HTTP password",
            Credential::SharedSecret => "shared secret",
            Credential::Vendor { .. } => "vendor certificate",
        }
    }
}

impl fmt::Display for For {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            For::Asset(id) => write!(f, "asset {id}"),
            For::Model {
                manufacturer,
                model,
            } => write!(f, "model {manufacturer} {model}"),
            For::Batch(serials) if serials.len() <= 3 => {
                write!(f, "serials {}", serials.join(", "))
            }
            For::Batch(serials) => write!(f, "{} serials", serials.len()),
            For::Any => f.write_str("any device"),
        }
    }
}

impl Right {
    /// Why it may not be used now, its uses aside.
    pub fn fault(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked.is_some() {
            Some("has been revoked")
        } else if self.expires.is_some_and(|end| end <= now.0) {
            Some("has expired")
        } else {
            None
        }
    }

    /// As it is shown to people: hashes of passwords are nobody's business.
    #[must_use]
    pub fn without_hash(mut self) -> Self {
        if let Credential::OneTimePassword { sha256 } | Credential::HttpPassword { sha256, .. } =
            &mut self.credential
        {
            sha256.clear();
        }
        self
    }

    /// Whether it is good at this endpoint.
    pub(crate) fn is_for(&self, endpoint: &str) -> bool {
        self.endpoint.as_deref().is_none_or(|own| own == endpoint)
    }

    /// What its shared secret is sealed under, and stored as.
    pub(crate) fn secret_label(&self) -> String {
        format!("{RIGHT_RECORDS}/{}", self.id)
    }

    /// Whether it covers an asset of the register.
    pub(crate) fn covers(&self, asset: &Asset) -> Result<(), Refusal> {
        let covered = match &self.r#for {
            For::Any => true,
            For::Asset(id) => *id == asset.id,
            For::Batch(serials) => serials.contains(&asset.serial),
            For::Model {
                manufacturer,
                model,
            } => {
                let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
                same(manufacturer, &asset.manufacturer) && same(model, &asset.model)
            }
        };
        match covered {
            true => Ok(()),
            false => Err(self.not_for(&asset.serial)),
        }
    }

    /// Whether it could cover a serial number that is not in the register.
    pub(crate) fn covers_unregistered(&self, serial: &str) -> Result<(), Refusal> {
        match &self.r#for {
            For::Any | For::Model { .. } => Ok(()),
            For::Batch(serials) if serials.iter().any(|known| known == serial) => Ok(()),
            For::Asset(_) | For::Batch(_) => Err(self.not_for(serial)),
        }
    }

    fn not_for(&self, serial: &str) -> Refusal {
        Refusal::new(
            "enrolment.right.scope",
            format!("enrolment right {}", self.id),
            format!("the credential is not for serial number {serial}"),
        )
        .accepted(self.r#for.to_string())
    }
}

/// The SHA-256 that a password is known by. What people type from a label may be in lower case, with blanks and hyphens.
pub(crate) fn password_hash(password: &str) -> [u8; 32] {
    let typed: Zeroizing<String> = Zeroizing::new(
        password
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase())
            .collect(),
    );
    audit::merkle::sha256(typed.as_bytes())
}

const BY_SECRET: &str = "SELECT s.id, s.secret, r.body FROM enrolment_rights s \
    JOIN records r ON r.kind = 'enrolment-right' AND r.id = s.id AND r.valid_to IS NULL WHERE s.secret = $1";
const USED: &str = "SELECT used FROM enrolment_rights WHERE id = $1";
/// Fails where the right is used up, or was revoked since it was read.
const SPEND: &str =
    "UPDATE enrolment_rights SET used = used + 1 WHERE id = $1 AND used < $2 AND revoked = 0";
/// What a write says that came too late.
pub(crate) const SPENT: &str = "the enrolment right is used up or revoked";

/// The right that a password belongs to.
pub(crate) async fn by_password(
    store: &Store,
    password: &str,
) -> Result<Option<Right>, DeviceError> {
    use subtle::ConstantTimeEq;
    let hash = password_hash(password);
    let rows = store.look_up(BY_SECRET, params![hash]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    // The database compared with an index, whose timing tells something about a hash that nobody can aim at.
    if !bool::from(row.blob(1)?.ct_eq(&hash)) {
        return Ok(None);
    }
    let right = serde_json::from_str(row.text(2)?).map_err(|error| DeviceError::Stored {
        kind: "enrolment right",
        id: row.text(0).unwrap_or("?").to_owned(),
        why: error.to_string(),
    })?;
    Ok(Some(right))
}

/// A right, by its id.
pub(crate) async fn by_id(store: &Store, id: &str) -> Result<Option<Right>, DeviceError> {
    match store.record(RIGHT_RECORDS, id).await? {
        Some(record) => Ok(Some(record.parse()?)),
        None => Ok(None),
    }
}

/// How often it was used.
pub(crate) async fn used(store: &Store, id: &RightId) -> Result<u32, DeviceError> {
    let rows = store.look_up(USED, params![id.as_str()]).await?;
    let used = rows.first().map_or(Ok(0), |row| row.int(0))?;
    Ok(u32::try_from(used).unwrap_or(u32::MAX))
}

/// Counts a use in the write that makes the certificate; if the right was used up or revoked in between, that write is a
/// conflict.
pub(crate) fn spend(write: Write, id: &RightId, uses: Option<u32>) -> Write {
    let most = uses.map_or(i64::MAX, i64::from);
    write.run_expecting(1, SPEND, params![id.as_str(), most], SPENT)
}

/// The shared secret of a right.
pub(crate) async fn open_secret(
    ca: &ca::Ca,
    right: &Right,
) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError> {
    secret::open(ca, &right.secret_label()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_be_typed_as_it_stands_on_the_label() {
        let known = password_hash("0123456789ABCDEFGHJKMNPQRS");
        for typed in [
            "01234-56789-ABCDE-FGHJK-MNPQRS",
            "0123456789abcdefghjkmnpqrs",
            " 01234 56789 ABCDE FGHJK MNPQRS\n",
        ] {
            assert_eq!(password_hash(typed), known, "{typed}");
        }
        assert_ne!(password_hash("0123456789ABCDEFGHJKMNPQRT"), known);
    }
}

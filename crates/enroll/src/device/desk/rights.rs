//! Rights: made, their secret shown once, listed, revoked.

use access::{Evidence, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Write, params};
use x509::Certificate;
use zeroize::Zeroizing;

use super::{Desk, SerialField, check_text};
use crate::device::right::{self, Credential, For, RIGHT_RECORDS, Right, RightId};
use crate::device::{DeviceError, ENDPOINT_RECORDS};
use crate::random::random;
use crate::secret;

/// What a new right shall be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRight {
    /// `None`: at any endpoint.
    #[serde(default)]
    pub endpoint: Option<String>,
    pub r#for: For,
    pub credential: NewCredential,
    /// How many certificates it is good for. If absent: one for each serial number, one for an asset, one at all; any
    /// number for a manufacturer's certificate.
    #[serde(default)]
    pub uses: Option<u32>,
    /// Unix milliseconds. If absent: 30 days from now; never for a manufacturer's certificate.
    #[serde(default)]
    pub expires: Option<i64>,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    #[serde(default)]
    pub note: String,
}

/// How a new right is to be proved.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewCredential {
    OneTimePassword,
    HttpPassword {
        /// The right's id if absent.
        #[serde(default)]
        user: Option<String>,
    },
    SharedSecret,
    Vendor {
        /// Trust anchors: certificates in PEM, or base64 of DER.
        anchors: Vec<String>,
        #[serde(default = "subject_serial_number")]
        serial_field: SerialField,
    },
}

fn subject_serial_number() -> SerialField {
    SerialField::SubjectSerialNumber
}

/// A right and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct RightView {
    #[serde(flatten)]
    pub right: Right,
    /// How many certificates it has given.
    pub used: u64,
}

impl RightView {
    /// As it is shown to people.
    #[must_use]
    pub fn without_hash(self) -> Self {
        RightView {
            right: self.right.without_hash(),
            used: self.used,
        }
    }

    /// `active`, `used up`, `expired` or `revoked`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        let used_up = self
            .right
            .uses
            .is_some_and(|most| self.used >= u64::from(most));
        match (self.right.revoked, self.right.fault(now)) {
            (Some(_), _) => "revoked",
            (None, Some(_)) => "expired",
            (None, None) if used_up => "used up",
            (None, None) => "active",
        }
    }
}

const MONTH_MS: i64 = 30 * 86_400_000;
const MOST_SERIALS: usize = 5000;
const MOST_ANCHORS: usize = 16;
const MOST_EVIDENCE: usize = 16;

const COUNT: &str = "INSERT INTO enrolment_rights(id, secret, used, revoked) VALUES($1, $2, 0, 0)";
const COUNTS: &str = "SELECT id, used FROM enrolment_rights";
const STOP: &str = "UPDATE enrolment_rights SET revoked = 1 WHERE id = $1";

impl Desk {
    /// Makes a right. Its secret is returned once: a password is kept as a hash, a shared secret sealed.
    pub async fn create_right(
        &self,
        permit: Permit,
        new: NewRight,
        now: Timestamp,
    ) -> Result<(Right, Option<Zeroizing<String>>), DeviceError> {
        let id = RightId::new(random()?);
        let object = Object::new("enrolment-right", id.as_str());
        let action = "enrolment.right.create";
        let endpoint = match &new.endpoint {
            Some(name) => self.store().record(ENDPOINT_RECORDS, name).await?.is_some(),
            None => true,
        };
        let asset = match &new.r#for {
            For::Asset(id) => self
                .fleet
                .asset(id)
                .await
                .map(drop)
                .map_err(|error| error.to_string()),
            _ => Ok(()),
        };
        self.checked_right(&permit, action, &object, now, || {
            check(&new, endpoint, asset, now)
        })
        .await?;
        let secret = match new.credential {
            NewCredential::Vendor { .. } => None,
            _ => Some(secret()?),
        };
        let hash = secret.as_ref().map(|secret| right::password_hash(secret));
        let sha256 = hash.map(hex::encode).unwrap_or_default();
        let is_vendor = matches!(new.credential, NewCredential::Vendor { .. });
        let credential = match new.credential {
            NewCredential::OneTimePassword => Credential::OneTimePassword { sha256 },
            NewCredential::HttpPassword { user } => Credential::HttpPassword {
                user: user.unwrap_or_else(|| id.to_string()),
                sha256,
            },
            NewCredential::SharedSecret => Credential::SharedSecret,
            NewCredential::Vendor {
                anchors,
                serial_field,
            } => Credential::Vendor {
                anchors: anchors
                    .iter()
                    .map(|text| normal(text))
                    .collect::<Result<_, _>>()?,
                serial_field,
            },
        };
        let right = Right {
            id,
            endpoint: new.endpoint,
            uses: new.uses.or(usual_uses(&new.r#for, is_vendor)),
            r#for: new.r#for,
            expires: new.expires.or((!is_vendor).then_some(now.0 + MONTH_MS)),
            credential,
            evidence: new.evidence,
            created_by: permit.actor().id.clone(),
            created: now.0,
            note: new.note,
            revoked: None,
        };
        let event =
            Event::new(now, permit.actor().clone(), action, object).after(json!(shown(&right)));
        let is_shared = right.credential == Credential::SharedSecret;
        let mut write = Write::new(permit.joined(event))?
            .put_record(RIGHT_RECORDS, right.id.as_str(), 0, &right, now)?
            .run(
                COUNT,
                params![right.id.as_str(), hash.filter(|_| !is_shared)],
            );
        if let (true, Some(secret)) = (is_shared, &secret) {
            let label = right.secret_label();
            let sealed = self.ca.keyring().seal_secret(&label, secret.as_bytes())?;
            write = write.put_record(ca::SECRET_RECORDS, &label, 0, &sealed, now)?;
        }
        self.store().commit(write).await?;
        Ok((right, secret))
    }

    /// Rights, revoked ones included, the oldest first.
    pub async fn rights(&self) -> Result<Vec<RightView>, DeviceError> {
        let mut used = std::collections::HashMap::new();
        for row in self.store().query(COUNTS, params![]).await? {
            used.insert(row.text(0)?.to_owned(), row.int(1)?.unsigned_abs());
        }
        let mut views = Vec::new();
        for record in self.store().records(RIGHT_RECORDS).await? {
            let right: Right = record.parse()?;
            let used = used.get(right.id.as_str()).copied().unwrap_or_default();
            views.push(RightView { right, used });
        }
        views.sort_by(|a, b| {
            let key = |view: &RightView| (view.right.created, view.right.id.to_string());
            key(a).cmp(&key(b))
        });
        Ok(views)
    }

    /// One right.
    pub async fn right(&self, id: &str) -> Result<RightView, DeviceError> {
        let missing = || DeviceError::not_found("enrolment right", id);
        let right = right::by_id(self.store(), id).await?.ok_or_else(missing)?;
        let used = u64::from(right::used(self.store(), &right.id).await?);
        Ok(RightView { right, used })
    }

    /// Ends a right: it gives no certificate any more. Those that it gave stay.
    pub async fn revoke_right(
        &self,
        permit: Permit,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Right, DeviceError> {
        let object = Object::new("enrolment-right", id.chars().take(64).collect::<String>());
        let action = "enrolment.right.revoke";
        self.checked_right(&permit, action, &object, now, || check_text("why", why))
            .await?;
        let record = self.store().record(RIGHT_RECORDS, id).await?;
        let record = record.ok_or_else(|| DeviceError::not_found("enrolment right", id))?;
        let mut right: Right = record.parse()?;
        if right.revoked.is_some() {
            return Ok(right);
        }
        right.revoked = Some(now.0);
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(why)
            .after(json!({ "revoked": now.0 }));
        let write = Write::new(permit.joined(event))?
            .put_record(RIGHT_RECORDS, id, record.version, &right, now)?
            .run(STOP, params![id]);
        // What nobody can use any more is not kept.
        let write = secret::forget(self.store(), write, &right.secret_label(), now).await?;
        self.store().commit(write).await?;
        Ok(right)
    }
}

/// A right as the log has it: hashes of passwords are nobody's business, anchors are long.
fn shown(right: &Right) -> serde_json::Value {
    json!({
        "endpoint": right.endpoint,
        "for": right.r#for.to_string(),
        "credential": right.credential.kind(),
        "uses": right.uses,
        "expires": right.expires,
        "evidence": right.evidence,
        "note": right.note,
    })
}

fn usual_uses(whose: &For, is_vendor: bool) -> Option<u32> {
    match whose {
        _ if is_vendor => None,
        For::Batch(serials) => Some(u32::try_from(serials.len()).unwrap_or(u32::MAX)),
        For::Asset(_) | For::Model { .. } | For::Any => Some(1),
    }
}

fn check(
    new: &NewRight,
    endpoint: bool,
    asset: Result<(), String>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let refuse =
        |rule: &'static str, message: &str| Refusal::new(rule, "docs/enrolment.md", message);
    if !endpoint {
        let name: String = new
            .endpoint
            .iter()
            .flat_map(|name| name.chars())
            .take(64)
            .collect();
        let message = format!("there is no enrolment endpoint {name}");
        return Err(refuse("enrolment.right.endpoint", &message));
    }
    asset.map_err(|error| refuse("enrolment.right.asset", &error))?;
    check_text("note", &new.note)?;
    match &new.r#for {
        For::Model {
            manufacturer,
            model,
        } => {
            check_text("manufacturer", manufacturer)?;
            check_text("model", model)?;
        }
        For::Batch(serials) => {
            let bad = serials
                .iter()
                .any(|serial| serial.trim().is_empty() || serial.trim() != serial);
            if serials.is_empty() || serials.len() > MOST_SERIALS || bad {
                return Err(
                    refuse("enrolment.right.batch", "these are no serial numbers")
                        .accepted(format!("1 to {MOST_SERIALS}, without blanks around them")),
                );
            }
        }
        For::Asset(_) | For::Any => {}
    }
    if new.uses == Some(0) {
        return Err(refuse("enrolment.right.uses", "a right for no certificate")
            .accepted("at least one use"));
    }
    if new.expires.is_some_and(|end| end <= now.0) {
        return Err(refuse(
            "enrolment.right.expires",
            "the right would be expired already",
        ));
    }
    if new.evidence.len() > MOST_EVIDENCE {
        return Err(refuse("enrolment.right.evidence", "too much evidence")
            .accepted(format!("at most {MOST_EVIDENCE} items")));
    }
    for item in &new.evidence {
        check_text("evidence", &item.kind)?;
        check_text("evidence", &item.text)?;
    }
    match &new.credential {
        NewCredential::HttpPassword { user: Some(user) } => {
            let fits = (1..=64).contains(&user.len())
                && user
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b':');
            match fits {
                true => Ok(()),
                false => Err(refuse("enrolment.right.user", "no user name (RFC 7617 §2)")
                    .accepted("1 to 64 printable ASCII characters, no colon")),
            }
        }
        NewCredential::Vendor { anchors, .. } => {
            if !(1..=MOST_ANCHORS).contains(&anchors.len()) {
                return Err(
                    refuse("enrolment.right.anchors", "no trust anchors").accepted(format!(
                        "1 to {MOST_ANCHORS} certificates of the manufacturer"
                    )),
                );
            }
            anchors.iter().try_for_each(|text| normal(text).map(drop))
        }
        _ => Ok(()),
    }
}

/// A trust anchor as it is kept: base64 of its DER.
fn normal(text: &str) -> Result<String, Refusal> {
    let bad = |why: String| {
        Refusal::new(
            "enrolment.right.anchors",
            "docs/enrolment.md",
            format!("a trust anchor cannot be read: {why}"),
        )
        .accepted("a certificate in PEM, or in base64 of its DER")
    };
    let certificate = match text.contains("-----BEGIN") {
        true => Certificate::from_pem(text.as_bytes()).map_err(|error| bad(error.to_string()))?,
        false => {
            let text: String = text.split_whitespace().collect();
            let der = STANDARD
                .decode(text)
                .map_err(|error| bad(error.to_string()))?;
            Certificate::from_der(&der).map_err(|error| bad(error.to_string()))?
        }
    };
    Ok(STANDARD.encode(certificate.der()))
}

/// 128 random bits in 26 characters that nobody takes for one another: no I, L, O, U.
fn secret() -> Result<Zeroizing<String>, DeviceError> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bits = u128::from_be_bytes(*Zeroizing::new(random::<16>()?));
    let mut text = Zeroizing::new(String::with_capacity(26));
    for _ in 0..26 {
        text.push(char::from(ALPHABET[(bits % 32) as usize]));
        bits /= 32;
    }
    Ok(text)
}

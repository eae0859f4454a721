//! Endpoints: put, shown, removed when no device has used them.

use access::{Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::Serialize;
use serde_json::json;
use store::{Write, params};
use zeroize::Zeroizing;

use super::Desk;
use crate::device::endpoint::{self, ENDPOINT_RECORDS};
use crate::device::{DeviceError, Endpoint, webhook};
use crate::random::random;
use crate::secret;

/// An endpoint with the number of its version.
#[derive(Clone, Debug, Serialize)]
pub struct StoredEndpoint {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    pub endpoint: Endpoint,
}

/// What came in through an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointUse {
    pub registrations: u64,
    /// Rights for this endpoint alone that are not revoked.
    pub rights: u64,
}

const REGISTRATIONS: &str = "SELECT COUNT(*) FROM registrations WHERE endpoint = $1";

impl Desk {
    /// Every endpoint, by name.
    pub async fn endpoints(&self) -> Result<Vec<StoredEndpoint>, DeviceError> {
        let records = self.store().records(ENDPOINT_RECORDS).await?;
        records.into_iter().map(read).collect()
    }

    /// An endpoint.
    pub async fn endpoint(&self, name: &str) -> Result<StoredEndpoint, DeviceError> {
        match self.store().record(ENDPOINT_RECORDS, name).await? {
            Some(record) => read(record),
            None => Err(DeviceError::not_found("enrolment endpoint", name)),
        }
    }

    /// Who uses an endpoint.
    pub async fn endpoint_use(&self, name: &str) -> Result<EndpointUse, DeviceError> {
        let rows = self.store().query(REGISTRATIONS, params![name]).await?;
        let registrations = rows.first().map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
        let rights = self.rights().await?;
        let own = |view: &&super::RightView| {
            view.right.endpoint.as_deref() == Some(name) && view.right.revoked.is_none()
        };
        Ok(EndpointUse {
            registrations,
            rights: rights.iter().filter(own).count() as u64,
        })
    }

    /// Puts an endpoint in force. `expected` is the version that was read, 0 for a new one. Where it has a webhook and
    /// none before, a secret to sign questions with is made and returned once.
    pub async fn put_endpoint(
        &self,
        permit: Permit,
        endpoint: Endpoint,
        expected: u64,
        now: Timestamp,
    ) -> Result<(StoredEndpoint, Option<Zeroizing<String>>), DeviceError> {
        let action = match expected {
            0 => "enrolment.endpoint.create",
            _ => "enrolment.endpoint.update",
        };
        let name: String = endpoint.name.chars().take(64).collect();
        let object = Object::new("enrolment-endpoint", name.as_str());
        self.checked(&permit, action, &object, now, || {
            super::check_text("note", &endpoint.note)?;
            endpoint::check(&endpoint, &self.ca)
        })
        .await?;
        let before = match expected {
            0 => None,
            _ => Some(self.endpoint(&name).await?),
        };
        let mut event =
            Event::new(now, permit.actor().clone(), action, object).after(json!(endpoint));
        if let Some(before) = before {
            event = event.before(json!(before.endpoint));
        }
        let mut write = Write::new(permit.joined(event))?.put_record(
            ENDPOINT_RECORDS,
            &name,
            expected,
            &endpoint,
            now,
        )?;
        let label = webhook::secret_label(&name);
        let there = self.store().record(ca::SECRET_RECORDS, &label).await?;
        let mut secret = None;
        match (&endpoint.webhook, there) {
            (Some(_), None) => {
                let made = Zeroizing::new(hex::encode(*Zeroizing::new(random::<32>()?)));
                let sealed = self.ca.keyring().seal_secret(&label, made.as_bytes())?;
                write = write.put_record(ca::SECRET_RECORDS, &label, 0, &sealed, now)?;
                secret = Some(made);
            }
            (None, Some(there)) => {
                write = write.remove_record(ca::SECRET_RECORDS, &label, there.version, now);
            }
            _ => {}
        }
        self.store().commit(write).await?;
        Ok((self.endpoint(&name).await?, secret))
    }

    /// Removes an endpoint that no device has used.
    pub async fn remove_endpoint(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        let stored = self.endpoint(name).await?;
        let used = self.endpoint_use(name).await?;
        let object = Object::new("enrolment-endpoint", name);
        let action = "enrolment.endpoint.remove";
        let unused = || {
            super::check_text("why", why)?;
            let EndpointUse {
                registrations,
                rights,
            } = used;
            match (registrations, rights) {
                (0, 0) => Ok(()),
                _ => Err(Refusal::new(
                    "enrolment.endpoint.used",
                    "docs/enrolment.md",
                    format!(
                        "endpoint {name} has {registrations} registration(s) and {rights} right(s)"
                    ),
                )
                .accepted("an endpoint that no device has used; disable this one instead")),
            }
        };
        self.checked(&permit, action, &object, now, unused).await?;
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(why)
            .before(json!(stored.endpoint));
        let write = Write::new(permit.joined(event))?.remove_record(
            ENDPOINT_RECORDS,
            name,
            stored.version,
            now,
        );
        let label = webhook::secret_label(name);
        let write = secret::forget(self.store(), write, &label, now).await?;
        self.store().commit(write).await?;
        Ok(())
    }
}

fn read(record: store::Record) -> Result<StoredEndpoint, DeviceError> {
    Ok(StoredEndpoint {
        version: record.version,
        since: record.valid_from.0,
        endpoint: record.parse()?,
    })
}

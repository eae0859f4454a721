//! Who asks: the right behind a password, a MAC or a manufacturer's certificate, or the holder of a certificate of ours.

use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca::CertificateState;
use subtle::ConstantTimeEq;
use x509::path::{self, PathOptions, Profile, TrustAnchor};
use x509::{Certificate, Time};

use super::Registration;
use super::asset::check_state;
use super::claim::{Claim, Holder, Proof};
use super::serial::{self, Named};
use super::stop::{Stop, refusal};
use crate::device::right::{self, Credential, RIGHT_RECORDS, Right};
use crate::device::{DeviceError, Endpoint};

/// Certificates that a device may send with its own.
const LONGEST_CHAIN: usize = 10;

/// Somebody who has proved something.
pub(super) enum Who {
    Right(Box<Right>),
    Vendor {
        right: Box<Right>,
        certificate: Box<Certificate>,
        named: Named,
    },
    Holder(Box<Holder>),
    /// Nobody: only a person can help.
    Nobody,
}

impl Who {
    /// The right that is used.
    pub(super) fn right(&self) -> Option<&Right> {
        match self {
            Who::Right(right) | Who::Vendor { right, .. } => Some(right),
            Who::Holder(_) | Who::Nobody => None,
        }
    }
}

impl Registration {
    /// Finds out who asks. Whether a right may still be used is asked later: a device that repeats a request which was
    /// answered must get its answer.
    pub(super) async fn who(&self, claim: &Claim, now: Timestamp) -> Result<Who, Stop> {
        let endpoint = &claim.endpoint;
        let found = match &claim.proof {
            Proof::Nothing => return Ok(Who::Nobody),
            Proof::Certificate(chain) => return self.certified(endpoint, chain, now).await,
            Proof::Password(password) => {
                let right = right::by_password(self.ca.store(), password).await?;
                right.filter(|right| matches!(right.credential, Credential::OneTimePassword { .. }))
            }
            Proof::Http { user, password } => {
                let right = right::by_password(self.ca.store(), password).await?;
                right.filter(|right| match &right.credential {
                    Credential::OneTimePassword { .. } => true,
                    Credential::HttpPassword { user: own, .. } => {
                        bool::from(own.as_bytes().ct_eq(user.as_bytes()))
                    }
                    _ => false,
                })
            }
            Proof::Mac(id) => {
                let right = right::by_id(self.ca.store(), id.as_str()).await?;
                right.filter(|right| right.credential == Credential::SharedSecret)
            }
        };
        let Some(right) = found else {
            return Err(Stop::Unknown("no right has this credential".to_owned()));
        };
        match right.is_for(&endpoint.name) {
            true => Ok(Who::Right(Box::new(right))),
            false => Err(Stop::Unknown(format!(
                "enrolment right {} is for another endpoint",
                right.id
            ))),
        }
    }

    async fn certified(
        &self,
        endpoint: &Endpoint,
        chain: &[Certificate],
        now: Timestamp,
    ) -> Result<Who, Stop> {
        let Some((leaf, rest)) = chain.split_first() else {
            return Err(Stop::Unknown("an empty chain".to_owned()));
        };
        if let Some(stored) = self.ca.certificate(&leaf.fingerprint()).await? {
            let holder = self.holder_with(endpoint, leaf, stored, now).await?;
            return Ok(Who::Holder(Box::new(holder)));
        }
        let rest = rest
            .get(..rest.len().min(LONGEST_CHAIN))
            .unwrap_or_default();
        self.vendor(endpoint, leaf, rest, now).await
    }

    /// Whose certificate of ours this is.
    pub(super) async fn holder_of(
        &self,
        endpoint: &Endpoint,
        leaf: &Certificate,
        now: Timestamp,
    ) -> Result<Holder, Stop> {
        match self.ca.certificate(&leaf.fingerprint()).await? {
            Some(stored) => self.holder_with(endpoint, leaf, stored, now).await,
            None => Err(no_device(&leaf.fingerprint())),
        }
    }

    /// Whose certificate `leaf` is, which is `stored`.
    async fn holder_with(
        &self,
        endpoint: &Endpoint,
        leaf: &Certificate,
        stored: ca::StoredCertificate,
        now: Timestamp,
    ) -> Result<Holder, Stop> {
        let sha256 = stored.sha256;
        let Some(holding) = self.fleet.holding(&sha256).await? else {
            return Err(no_device(&sha256));
        };
        if stored.state != CertificateState::Issued {
            return Err(Stop::Unknown(format!(
                "certificate {} of asset {} is revoked",
                hex::encode(sha256),
                holding.asset
            )));
        }
        let grace = i64::from(endpoint.renewal.grace);
        let over = now.seconds() > stored.not_after.0.saturating_add(grace);
        if over || now.seconds() < stored.not_before.0 {
            return Err(Stop::Unknown(format!(
                "certificate {} of asset {} was good from {} to {}; the endpoint's grace is {grace} s",
                hex::encode(sha256),
                holding.asset,
                stored.not_before,
                stored.not_after
            )));
        }
        let elsewhere = holding.endpoint != endpoint.name
            && self
                .ca
                .store()
                .record(crate::device::ENDPOINT_RECORDS, &holding.endpoint)
                .await?
                .is_some();
        if elsewhere {
            return Err(refusal(
                "enrolment.renewal.endpoint",
                format!(
                    "the certificate was issued at endpoint {}",
                    holding.endpoint
                ),
            )
            .accepted(format!(
                "a renewal at {}, or a right to enrol here",
                holding.endpoint
            ))
            .into());
        }
        let asset = self.fleet.asset(&holding.asset).await?.asset;
        check_state(&asset)?;
        Ok(Holder {
            certificate: leaf.clone(),
            sha256,
            asset,
        })
    }

    /// Whether a manufacturer's certificate opens the door.
    async fn vendor(
        &self,
        endpoint: &Endpoint,
        leaf: &Certificate,
        rest: &[Certificate],
        now: Timestamp,
    ) -> Result<Who, Stop> {
        let mut why = "no right trusts this manufacturer".to_owned();
        for right in self.vendors().await?.iter() {
            let Credential::Vendor {
                anchors,
                serial_field,
            } = &right.credential
            else {
                continue;
            };
            if !right.is_for(&endpoint.name) || right.fault(now).is_some() {
                continue;
            }
            let anchors = read_anchors(right.id.as_str(), anchors)?;
            let options = PathOptions {
                // Manufacturers leave out what RFC 5280 §4 wants, key identifiers for example.
                profile: Profile::Algorithm,
                ..PathOptions::at(Time(now.seconds()))
            };
            if let Err(error) = path::validate(leaf, rest, &anchors, &options) {
                why = format!("enrolment right {}: {error}", right.id);
                continue;
            }
            let Some(named) = serial::of_certificate(leaf, *serial_field) else {
                why = format!(
                    "enrolment right {}: the manufacturer's certificate has no serial number where it should",
                    right.id
                );
                continue;
            };
            return Ok(Who::Vendor {
                right: Box::new(right.clone()),
                certificate: Box::new(leaf.clone()),
                named,
            });
        }
        Err(Stop::Unknown(why))
    }

    /// The rights that manufacturers' certificates prove. Few, and read anew when one changes.
    async fn vendors(&self) -> Result<std::sync::Arc<Vec<Right>>, DeviceError> {
        let read = async {
            let mut found = Vec::new();
            for record in self.ca.store().records(RIGHT_RECORDS).await? {
                let right: Right = record.parse()?;
                if matches!(right.credential, Credential::Vendor { .. }) && right.revoked.is_none()
                {
                    found.push(right);
                }
            }
            Ok(std::sync::Arc::new(found))
        };
        self.vendors.get_or_read(|_| true, read).await
    }
}

fn no_device(sha256: &[u8; 32]) -> Stop {
    Stop::Unknown(format!(
        "certificate {} is no device's",
        hex::encode(sha256)
    ))
}

fn read_anchors(id: &str, anchors: &[String]) -> Result<Vec<TrustAnchor>, DeviceError> {
    let bad = |why: String| DeviceError::Stored {
        kind: "enrolment right",
        id: id.to_owned(),
        why,
    };
    anchors
        .iter()
        .map(|text| {
            let der = STANDARD
                .decode(text)
                .map_err(|error| bad(error.to_string()))?;
            let certificate =
                Certificate::from_der(&der).map_err(|error| bad(error.to_string()))?;
            Ok(TrustAnchor::new(certificate))
        })
        .collect()
}

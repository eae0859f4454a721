//! Bundles made, changed, taken away, and kept up with their authorities.

use access::{Action, Permit, Refusal};
use audit::{Actor, Event, Object, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use store::{StoreError, Write};
use x509::Certificate;
use x509::ext::BasicConstraints;

use super::{BUNDLE_RECORDS, Bundle, Bundles, Definition, MAX_CERTIFICATES, StoredBundle};
use crate::{FleetError, Result, refused};

const SOURCE: &str = "docs/trust-bundles.md";
const LONGEST_NAME: usize = 63;
const LONGEST_AUDIENCE: usize = 200;

/// What a change would do.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The version in force before it, if there is one.
    pub version: Option<u64>,
    #[serde(skip)]
    pub bundle: Bundle,
    #[serde(serialize_with = "described")]
    pub added: Vec<Certificate>,
    #[serde(serialize_with = "described")]
    pub removed: Vec<Certificate>,
}

impl Bundles {
    /// What putting a definition would do; nothing is changed.
    pub async fn preview(&self, definition: &Definition, now: Timestamp) -> Result<Preview> {
        check(definition, now)?;
        let certificates = self.resolve(definition, now).map_err(unknown_authority)?;
        check_count(&certificates)?;
        let before = match self.bundle(&definition.name).await {
            Ok(stored) => Some(stored),
            Err(FleetError::NotFound { .. }) => None,
            Err(other) => return Err(other),
        };
        let old = before.as_ref().map(|stored| &stored.bundle.certificates);
        let old = old.cloned().unwrap_or_default();
        Ok(Preview {
            version: before.map(|stored| stored.version),
            added: without(&certificates, &old),
            removed: without(&old, &certificates),
            bundle: Bundle {
                definition: definition.clone(),
                certificates,
            },
        })
    }

    /// Makes a bundle that must not be there yet.
    pub async fn create(
        &self,
        permit: Permit,
        definition: &Definition,
        now: Timestamp,
    ) -> Result<StoredBundle> {
        self.put(permit, definition, Some(0), now).await
    }

    /// The next version of a bundle that is there; `expected` is the version it is a change of, if that matters.
    pub async fn set(
        &self,
        permit: Permit,
        definition: &Definition,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<StoredBundle> {
        let current = self.bundle(&definition.name).await?;
        let expected = expected.unwrap_or(current.version);
        self.put(permit, definition, Some(expected), now).await
    }

    async fn put(
        &self,
        permit: Permit,
        definition: &Definition,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<StoredBundle> {
        let action = match expected {
            Some(0) => "bundle.create",
            _ => "bundle.set",
        };
        let object = Object::new("bundle", definition.name.as_str());
        self.noted(
            &permit,
            action,
            &object,
            permit.require(Action::ManageAuthorities),
            now,
        )
        .await?;
        let preview = match self.preview(definition, now).await {
            Err(FleetError::Refused(refusal)) => {
                let access = self.ca.access();
                return Err(refused(access, &permit, action, &object, refusal, now).await);
            }
            other => other?,
        };
        let mut event =
            Event::new(now, permit.actor().clone(), action, object).after(facts(&preview.bundle));
        if preview.version.is_some() {
            event = event.before(json!({ "version": preview.version }));
        }
        let event = permit.joined(event);
        self.write(event, &preview.bundle, expected.unwrap_or(0), now)
            .await?;
        self.bundle(&definition.name).await
    }

    /// Takes a bundle away: its addresses answer no more. What it was stays in the database.
    pub async fn remove(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let stored = self.bundle(name).await?;
        let object = Object::new("bundle", name);
        let allowed = permit.require(Action::ManageAuthorities);
        self.noted(&permit, "bundle.remove", &object, allowed, now)
            .await?;
        let mut event = Event::new(now, permit.actor().clone(), "bundle.remove", object)
            .before(facts(&stored.bundle));
        if !why.is_empty() {
            event = event.why(why);
        }
        let event = permit.joined(event);
        let write = Write::new(event)?.remove_record(BUNDLE_RECORDS, name, stored.version, now);
        self.store().commit(write).await?;
        Ok(())
    }

    /// Gives every bundle whose authorities have changed a new version. Says how many. A loop of the server calls it.
    pub async fn follow(&self, now: Timestamp) -> Result<usize> {
        let mut changed = 0;
        for stored in self.list().await? {
            let definition = stored.bundle.definition;
            let certificates = match self.resolve(&definition, now) {
                Ok(certificates) => certificates,
                Err(error) => {
                    let bundle = definition.name.as_str();
                    tracing::warn!(bundle, %error, "the bundle stays as it is");
                    continue;
                }
            };
            // An empty bundle helps nobody; the last good one stays, and expires for all to see.
            if certificates == stored.bundle.certificates || certificates.is_empty() {
                continue;
            }
            let bundle = Bundle {
                definition,
                certificates,
            };
            let name = bundle.definition.name.as_str();
            let event = Event::new(
                now,
                Actor::system("bundles"),
                "bundle.follow",
                Object::new("bundle", name),
            )
            .before(json!({ "version": stored.version }))
            .after(facts(&bundle));
            match self.write(event, &bundle, stored.version, now).await {
                Ok(()) => changed += 1,
                // Another node was faster.
                Err(FleetError::Store(StoreError::Conflict(_))) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(changed)
    }

    async fn write(
        &self,
        event: Event,
        bundle: &Bundle,
        expected: u64,
        now: Timestamp,
    ) -> Result<()> {
        let name = bundle.definition.name.as_str();
        let write = Write::new(event)?.put_record(BUNDLE_RECORDS, name, expected, bundle, now)?;
        self.store().commit(write).await?;
        Ok(())
    }

    async fn noted(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        checked: Result<(), Refusal>,
        now: Timestamp,
    ) -> Result<()> {
        match checked {
            Ok(()) => Ok(()),
            Err(refusal) => {
                Err(refused(self.ca.access(), permit, action, object, refusal, now).await)
            }
        }
    }
}

fn check(definition: &Definition, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |rule: &'static str, message: String, accepted: &str| {
        Err(Refusal::new(rule, SOURCE, message).accepted(accepted))
    };
    let name = definition.name.as_str();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        let shown: String = name.chars().take(80).collect();
        return refuse(
            "bundle.name",
            format!("{shown:?} cannot be part of an address"),
            "1 to 63 lower-case letters, digits and hyphens",
        );
    }
    if definition.audience.chars().count() > LONGEST_AUDIENCE
        || definition.audience.chars().any(char::is_control)
    {
        return refuse(
            "bundle.audience",
            "the audience cannot be kept".to_owned(),
            "at most 200 characters, none of them a control character",
        );
    }
    for anchor in &definition.foreign {
        let subject = anchor.subject().to_string();
        let is_ca = anchor.version() < 3
            || matches!(anchor.ext::<BasicConstraints>(), Ok(Some(basic)) if basic.ca);
        if !is_ca {
            return refuse(
                "bundle.anchor-ca",
                format!("{subject} is no CA's certificate"),
                "certificates with basicConstraints CA:TRUE (RFC 5280 §4.2.1.9)",
            );
        }
        if anchor.not_after().0 < now.seconds() {
            return refuse(
                "bundle.anchor-expired",
                format!("{subject} ended {}", anchor.not_after()),
                "anchors that are valid now",
            );
        }
        let weakness = anchor.public_key().map(|key| key.weakness());
        if !matches!(weakness, Ok(None)) {
            return refuse(
                "bundle.anchor-weak",
                format!("the key of {subject} is weak, or of an unknown kind"),
                "RSA from 2048 bits, P-256, P-384, P-521 or Ed25519 (R03)",
            );
        }
    }
    Ok(())
}

fn check_count(certificates: &[Certificate]) -> Result<(), Refusal> {
    let refuse = |message: &str, accepted: &str| {
        Err(Refusal::new("bundle.size", SOURCE, message.to_owned()).accepted(accepted))
    };
    match certificates.len() {
        0 => refuse(
            "the bundle would be empty",
            "at least one authority or foreign anchor",
        ),
        1..=MAX_CERTIFICATES => Ok(()),
        _ => refuse("the bundle would be too large", "at most 500 certificates"),
    }
}

fn unknown_authority(error: FleetError) -> FleetError {
    match error {
        FleetError::Ca(ca::CaError::NotFound { id, .. }) => Refusal::new(
            "bundle.authority",
            SOURCE,
            format!("there is no authority {id}"),
        )
        .accepted("names that `ward ca list` shows")
        .into(),
        other => other,
    }
}

fn without(these: &[Certificate], those: &[Certificate]) -> Vec<Certificate> {
    let new = these.iter().filter(|one| !those.contains(one));
    new.cloned().collect()
}

fn described<S: serde::Serializer>(
    certificates: &[Certificate],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(certificates.iter().map(|certificate| {
        json!({
            "subject": certificate.subject().to_string(),
            "sha256": hex::encode(certificate.fingerprint()),
            "not_after": certificate.not_after().to_string(),
        })
    }))
}

/// What the log keeps: fingerprints say which certificates.
fn facts(bundle: &Bundle) -> Value {
    let fingerprints = bundle.certificates.iter().map(Certificate::fingerprint);
    json!({
        "audience": bundle.definition.audience,
        "authorities": bundle.definition.authorities,
        "issuers": bundle.definition.issuers,
        "certificates": fingerprints.map(hex::encode).collect::<Vec<_>>(),
    })
}

//! Profiles as kept records: the built-in ones are written at the first start and follow new
//! versions of Ward until somebody changes them; every version that was ever in force stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::store::{Record, Store, StoreError, Write};
use access::{Action, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{BUILT_IN, Profile};
use crate::{Ca, CaError, Result};

/// The record kind of profiles.
pub(crate) const PROFILE_RECORDS: &str = "profile";

/// Who wrote a version of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It came with Ward.
    BuiltIn,
    /// Somebody here wrote it.
    Local,
}

/// A version of a profile.
#[derive(Clone, Debug)]
pub struct ProfileVersion {
    /// 1, 2, …
    pub version: u64,
    /// Who wrote it.
    pub origin: Origin,
    /// From when it was in force, Unix milliseconds.
    pub valid_from: i64,
    /// Until when; `None` while it is.
    pub valid_to: Option<i64>,
    /// The text.
    pub toml: String,
    /// What it says.
    pub profile: Arc<Profile>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    origin: Origin,
    toml: String,
}

/// The profiles in force, by name.
pub(crate) type Profiles = BTreeMap<String, Arc<ProfileVersion>>;

pub(crate) fn read_versions(records: Vec<Record>) -> Result<Vec<ProfileVersion>> {
    let read = |record: Record| {
        let body: Body = record.parse()?;
        let profile = Profile::parse(&body.toml)
            .map_err(|error| CaError::stored("profile", &record.id, error))?;
        Ok(ProfileVersion {
            version: record.version,
            origin: body.origin,
            valid_from: record.valid_from.0,
            valid_to: record.valid_to.map(|end| end.0),
            toml: body.toml,
            profile: Arc::new(profile),
        })
    };
    records.into_iter().map(read).collect()
}

/// Writes the built-in profiles that are new or have changed in this version of Ward; what somebody
/// here has changed stays as it is. On a database that cannot be written the stored ones are used.
pub(crate) async fn follow_built_in(store: &Store, now: Timestamp) -> Result<()> {
    let stored: BTreeMap<String, Record> = store
        .records(PROFILE_RECORDS)
        .await?
        .into_iter()
        .map(|record| (record.id.clone(), record))
        .collect();
    let mut write: Option<Write> = None;
    for (name, toml) in BUILT_IN {
        let version = match stored.get(*name) {
            None => 0,
            Some(record) => {
                let body: Body = record.parse()?;
                if body.origin == Origin::Local || body.toml == *toml {
                    continue;
                }
                record.version
            }
        };
        let event = profile_event(
            audit::Actor::system("start"),
            name,
            toml,
            Origin::BuiltIn,
            now,
        );
        let next = match write.take() {
            None => Write::new(event)?,
            Some(write) => write.event(event)?,
        };
        let body = Body {
            origin: Origin::BuiltIn,
            toml: (*toml).to_owned(),
        };
        write = Some(next.put_record(PROFILE_RECORDS, name, version, &body, now)?);
    }
    let Some(write) = write else { return Ok(()) };
    match store.commit(write).await {
        // Another node was faster, or nothing can be written: what is stored is in force.
        Ok(_) | Err(StoreError::Conflict(_) | StoreError::ReadOnly(_) | StoreError::Full(_)) => {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

impl Ca {
    /// Puts a profile in force: a new one or a new version. The text must be sound.
    pub async fn put_profile(
        &self,
        permit: Permit,
        toml: &str,
        now: Timestamp,
    ) -> Result<Arc<ProfileVersion>> {
        permit.require(Action::ManageProfiles)?;
        let profile = match Profile::parse(toml) {
            Ok(profile) => profile,
            Err(error) => {
                let refusal = Refusal::new("profile", "docs/profiles.md", error.to_string());
                return Err(self
                    .refuse(
                        refusal,
                        permit.principal(),
                        "profile.put",
                        Object::new("profile", "?"),
                        None,
                        now,
                    )
                    .await);
            }
        };
        let name = profile.name().to_owned();
        permit.check_profile(&name)?;
        let version = self
            .store()
            .record(PROFILE_RECORDS, &name)
            .await?
            .map_or(0, |record| record.version);
        let event = profile_event(permit.actor().clone(), &name, toml, Origin::Local, now);
        let body = Body {
            origin: Origin::Local,
            toml: toml.to_owned(),
        };
        let write = Write::new(event)?.put_record(PROFILE_RECORDS, &name, version, &body, now)?;
        self.store().commit(write).await?;
        self.refresh().await?;
        self.profile(&name)
    }

    /// Every version of a profile, the oldest first.
    pub async fn profile_versions(&self, name: &str) -> Result<Vec<ProfileVersion>> {
        let versions = read_versions(self.store().record_versions(PROFILE_RECORDS, name).await?)?;
        if versions.is_empty() {
            return Err(CaError::not_found("profile", name));
        }
        Ok(versions)
    }

    /// The profiles that were in force at an instant (R52).
    pub async fn profiles_as_of(&self, at: Timestamp) -> Result<Vec<ProfileVersion>> {
        read_versions(self.store().records_as_of(PROFILE_RECORDS, at).await?)
    }
}

fn profile_event(
    actor: audit::Actor,
    name: &str,
    toml: &str,
    origin: Origin,
    now: Timestamp,
) -> Event {
    Event::new(now, actor, "profile.put", Object::new("profile", name)).after(json!({
        "origin": origin,
        "sha256": hex::encode(digest(&SHA256, toml.as_bytes())),
        "toml": toml,
    }))
}

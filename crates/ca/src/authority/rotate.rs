//! Rotation: a new generation of an authority beside the old one. Nothing is signed again.

use access::{Action, Permit};
use audit::{Actor, Object, Timestamp};
use keys::Backend;
use store::Write;
use x509::{KeyAlgorithm, Name};

use super::certify::{ca_name, default_title, what_of};
use super::manage::{Shape, retired};
use super::rows::{put_authority, put_certificate, put_issuer};
use super::standing::state_of;
use super::{
    Authority, AuthorityState, ISSUER_RECORDS, IssuerRecord, IssuerState, ParentKey, carried,
    rootcrl,
};
use crate::init::RootKey;
use crate::profile::Duration;
use crate::{Ca, Result, Settings};

struct NewRoot {
    authority: Authority,
    version: u64,
    old: IssuerRecord,
    old_version: u64,
    base: IssuerRecord,
    subject: Name,
    length: i64,
}

impl Ca {
    /// Makes a new generation of an authority: new key, new certificate, beside the old one, which
    /// keeps its status services. Nothing that was issued is signed again.
    pub async fn rotate_authority(
        &self,
        permit: Permit,
        name: &str,
        parent_key: ParentKey,
        algorithm: Option<KeyAlgorithm>,
        backend: Option<Backend>,
        now: Timestamp,
    ) -> Result<IssuerRecord> {
        permit.require(Action::ManageAuthorities)?;
        let made = self
            .try_rotate(&permit, name, parent_key, algorithm, backend, now)
            .await;
        self.or_recorded(made, &permit, "authority.rotate", name, now)
            .await
    }

    async fn try_rotate(
        &self,
        permit: &Permit,
        name: &str,
        parent_key: ParentKey,
        algorithm: Option<KeyAlgorithm>,
        backend: Option<Backend>,
        now: Timestamp,
    ) -> Result<IssuerRecord> {
        permit.check_authority(name)?;
        let (authority, version) = self.stored_authority(name).await?;
        if authority.state == AuthorityState::Retired {
            return Err(retired(name).into());
        }
        let settings = self.hierarchy()?;
        let (old, old_version) = self.stored_issuer(&authority.issuer).await?;
        let generation = old.generation + 1;
        let algorithm = algorithm.unwrap_or(old.algorithm);
        let length = old.certificate.not_after().0 - old.certificate.not_before().0 + 1;
        let title = default_title(&settings.organization, &what_of(name), generation);
        let mut base = IssuerRecord {
            id: format!("{name}-g{generation}"),
            generation,
            algorithm,
            cross: Vec::new(),
            ..old.clone()
        };
        let Some(parent) = old.parent.clone() else {
            let title = default_title(&settings.organization, "Root CA", generation);
            let subject = ca_name(settings.country.as_deref(), &settings.organization, &title)?;
            let plan = NewRoot {
                authority,
                version,
                old,
                old_version,
                base,
                subject,
                length,
            };
            return self
                .rotate_root(permit, plan, parent_key, &settings, now)
                .await;
        };
        let parent = self.issuer(&parent)?.record().authority.clone();
        let signing = self.signing(&parent, parent_key).await?;
        base.parent = Some(signing.issuer.name().to_owned());
        let old_backend = self.backend_of(&old).await?;
        let shape = Shape {
            subject: ca_name(settings.country.as_deref(), &settings.organization, &title)?,
            backend: backend.unwrap_or(old_backend),
            path_length: authority.path_length.unwrap_or(0),
            constraints: authority.name_constraints.clone(),
            validity: Duration::seconds(length),
        };
        let (record, write) = self.grow(permit, &signing, base, shape, now).await?;
        let actor = permit.actor();
        let write = supersede(write, old, old_version, now)?;
        let write = succeed(write, authority, version, &record, actor, now)?;
        self.finish(write, &signing, actor, now).await?;
        Ok(record)
    }

    /// A root's new generation is a new root: new key, self-signed, carried like the old one.
    async fn rotate_root(
        &self,
        permit: &Permit,
        plan: NewRoot,
        parent_key: ParentKey,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<IssuerRecord> {
        let root_key = match parent_key {
            ParentKey::Carried(carry) => RootKey::Carry(carry),
            ParentKey::Online => RootKey::KeepOnline(self.backend_of(&plan.old).await?),
        };
        let NewRoot {
            authority,
            version,
            old,
            old_version,
            base,
            subject,
            length,
        } = plan;
        let made = self
            .make_root(
                &authority.name,
                base.generation,
                &settings.base_url,
                subject,
                base.algorithm,
                Duration::seconds(length),
                &root_key,
                now,
            )
            .await?;
        let actor = permit.actor();
        let event = audit::Event::new(
            now,
            actor.clone(),
            "root.create",
            Object::new("issuer", made.record.id.as_str()),
        );
        let mut write = Write::new(event)?;
        if let Some(key) = &made.stored {
            write = key.put_new(write, actor.clone(), now)?;
        }
        write = put_certificate(write, &made.record.certificate, &made.record.id, actor, now)?;
        write = put_issuer(write, &made.record, actor, now)?;
        if old.state == IssuerState::Active {
            write = supersede(write, old, old_version, now)?;
        }
        write = succeed(write, authority, version, &made.record, actor, now)?;
        let key_id = made.signer.public_key().key_id();
        let crl = rootcrl::sign(
            &made.record.id,
            &made.record.certificate,
            &key_id,
            &made.signer,
            &[],
            now,
        )?;
        write = crl.put(write, actor, now)?;
        if let RootKey::Carry(carry) = &root_key {
            let path = carry.directory.join(format!("{}.crl", made.record.id));
            carried::write_new(&path, &crl.der, false)?;
        }
        self.store().commit(write).await?;
        self.refresh().await?;
        Ok(made.record)
    }
}

/// The new generation is what its authority issues with.
fn succeed(
    write: Write,
    mut authority: Authority,
    version: u64,
    new: &IssuerRecord,
    actor: &Actor,
    now: Timestamp,
) -> Result<Write> {
    authority.subject = new.certificate.subject().to_string();
    authority.issuer = new.id.clone();
    authority.generations.push(new.id.clone());
    if matches!(
        authority.state,
        AuthorityState::Held | AuthorityState::Revoked
    ) {
        authority.state = state_of(new);
    }
    let action = "authority.rotate";
    put_authority(write, &authority, version, action, None, actor, now)
}

/// The old generation issues no more and keeps its status services.
fn supersede(write: Write, old: IssuerRecord, version: u64, now: Timestamp) -> Result<Write> {
    let superseded = IssuerRecord {
        state: IssuerState::Superseded,
        ..old
    };
    Ok(write.put_record(ISSUER_RECORDS, &superseded.id, version, &superseded, now)?)
}

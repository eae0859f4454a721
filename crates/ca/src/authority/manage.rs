//! What can be done to authorities: create, rotate, cross-sign, retire. Each act that signs takes the
//! parent's key where it is: in the keyring, or in a directory that somebody has carried here.

use std::sync::Arc;

use access::{Action, Permit, Refusal};
use audit::{Object, Timestamp};
use keys::{Backend, Signer};
use store::Write;
use x509::{Certificate, Name, PublicKey};

use super::certify::{self, Parent, Wanted, ca_name, default_title, what_of};
use super::rows::{put_authority, put_certificate, put_issuer, settle};
use super::{
    AUTHORITY_RECORDS, Authority, AuthorityState, Constraints, ISSUER_RECORDS, IssuerRecord,
    IssuerState, authority_of, carried, check_standing, rootcrl,
};
use crate::init::{AuthorityAnswers, Carry};
use crate::keyrecords::StoredKey;
use crate::profile::{Duration, is_slug};
use crate::{Ca, CaError, Issuer, Result, Settings};

/// Where the key that signs a new CA certificate comes from.
#[derive(Clone, Debug)]
pub enum ParentKey {
    /// The parent's key is in the keyring.
    Online,
    /// The parent's key was carried away and is back for this.
    Carried(Carry),
}

/// The parent of a new CA certificate, with its key at hand.
pub(super) struct Signing {
    pub(super) issuer: Arc<Issuer>,
    pub(super) signer: Signer,
    pub(super) carry: Option<Carry>,
}

impl Ca {
    /// Makes a new authority below `parent`.
    pub async fn create_authority(
        &self,
        permit: Permit,
        parent: &str,
        parent_key: ParentKey,
        answers: &AuthorityAnswers,
        now: Timestamp,
    ) -> Result<IssuerRecord> {
        permit.require(Action::ManageAuthorities)?;
        let made = self
            .try_create(&permit, parent, parent_key, answers, now)
            .await;
        self.or_recorded(made, &permit, "authority.create", &answers.name, now)
            .await
    }

    async fn try_create(
        &self,
        permit: &Permit,
        parent: &str,
        parent_key: ParentKey,
        answers: &AuthorityAnswers,
        now: Timestamp,
    ) -> Result<IssuerRecord> {
        permit.check_authority(&answers.name)?;
        if !is_slug(&answers.name)
            || answers.name.ends_with("-delta")
            || self.state().issuers.contains_key(&answers.name)
        {
            let why = format!("`{}` cannot be the name of a new authority", answers.name);
            return Err(Refusal::new("authority.name", "docs/profiles.md", why)
                .accepted("a new name of a-z, 0-9 and -, beginning with a letter")
                .into());
        }
        let settings = self.hierarchy()?;
        let signing = self.signing(parent, parent_key).await?;
        let subject = self.authority_name(
            settings.country.as_deref(),
            &settings.organization,
            answers,
            1,
        )?;
        let base = IssuerRecord {
            id: answers.name.clone(),
            authority: answers.name.clone(),
            generation: 1,
            state: IssuerState::Active,
            key: None,
            algorithm: answers.algorithm,
            certificate: signing.issuer.certificate().clone(),
            cross: Vec::new(),
            parent: Some(signing.issuer.name().to_owned()),
            foreign_chain: Vec::new(),
        };
        let shape = Shape {
            subject,
            backend: answers.backend.clone(),
            path_length: answers.path_length,
            constraints: answers.constraints.clone(),
            validity: answers.validity,
        };
        let (record, write) = self.grow(permit, &signing, base, shape, now).await?;
        let authority = authority_of(
            &record,
            answers,
            Some(signing.issuer.record().authority.clone()),
        );
        let actor = permit.actor();
        let write = put_authority(write, &authority, 0, "authority.create", None, actor, now)?;
        self.finish(write, &signing, actor, now).await?;
        Ok(record)
    }

    /// Ends issuance by an authority; its status goes on.
    pub async fn retire_authority(
        &self,
        permit: Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        permit.require(Action::ManageAuthorities)?;
        permit.check_authority(name)?;
        let (mut authority, version) = self.stored_authority(name).await?;
        if authority.state == AuthorityState::Retired {
            return Ok(());
        }
        let actor = permit.actor();
        authority.state = AuthorityState::Retired;
        let object = Object::new("issuer", authority.issuer.as_str());
        let mut write =
            Write::new(audit::Event::new(now, actor.clone(), "issuer.retire", object).why(why))?;
        for id in &authority.generations {
            let (mut record, version) = self.stored_issuer(id).await?;
            record.state = IssuerState::Retired;
            write = write.put_record(ISSUER_RECORDS, id, version, &record, now)?;
        }
        write = put_authority(
            write,
            &authority,
            version,
            "authority.retire",
            Some(why),
            actor,
            now,
        )?;
        self.store().commit(write).await?;
        self.refresh().await
    }

    /// Signs the CRLs of a root anew, with its carried key: of every generation whose key is here.
    /// Gives the current generation's.
    pub async fn sign_root_crl(
        &self,
        permit: Permit,
        name: &str,
        key: ParentKey,
        now: Timestamp,
    ) -> Result<Vec<u8>> {
        permit.require(Action::ManageAuthorities)?;
        permit.check_authority(name)?;
        let authority = self.authority(name)?;
        let mut current = None;
        for id in &authority.generations {
            let absent = match &key {
                ParentKey::Carried(carry) => !carried::key_path(carry, id).exists(),
                ParentKey::Online => self.issuer(id)?.signer().is_none(),
            };
            if absent && *id != authority.issuer {
                continue;
            }
            let signing = self.signing_by(self.issuer(id)?, key.clone()).await?;
            let event = audit::Event::new(
                now,
                permit.actor().clone(),
                "root.use",
                Object::new("issuer", id.as_str()),
            );
            current = self
                .finish(Write::new(event)?, &signing, permit.actor(), now)
                .await?;
        }
        current.ok_or_else(|| CaError::not_found("root", name))
    }

    pub(crate) fn authority_name(
        &self,
        country: Option<&str>,
        organization: &str,
        answers: &AuthorityAnswers,
        generation: u32,
    ) -> Result<Name, Refusal> {
        let title = answers
            .title
            .clone()
            .unwrap_or_else(|| default_title(organization, &what_of(&answers.name), generation));
        ca_name(country, organization, &title)
    }

    /// Makes the key of a new issuer, certifies it, and begins the write that records both.
    pub(super) async fn grow(
        &self,
        permit: &Permit,
        signing: &Signing,
        mut record: IssuerRecord,
        shape: Shape,
        now: Timestamp,
    ) -> Result<(IssuerRecord, Write)> {
        let settings = self.hierarchy()?;
        let key = self
            .generate_key(record.algorithm, &shape.backend, &record.id, now)
            .await?;
        let public = PublicKey::from_spki_der(&key.spki_der)?;
        let wanted = Wanted {
            subject: shape.subject,
            key: &public,
            path_length: Some(shape.path_length),
            constraints: &shape.constraints,
            validity: shape.validity,
            base_url: &settings.base_url,
        };
        let actor = permit.actor();
        record.certificate = self.certify(signing, &wanted, actor, now).await?;
        record.key = Some(key.id.clone());
        let stored = StoredKey::new(key, format!("issuer {}", record.id));
        let object = Object::new("issuer", signing.issuer.name());
        let event = audit::Event::new(now, actor.clone(), "issuer.sign", object);
        let write = settle(Write::new(event)?, record.certificate.serial());
        let write = stored.put_new(write, actor.clone(), now)?;
        let write = put_certificate(
            write,
            &record.certificate,
            signing.issuer.name(),
            actor,
            now,
        )?;
        let write = put_issuer(write, &record, actor, now)?;
        Ok((record, write))
    }

    /// Announces, signs.
    pub(super) async fn certify(
        &self,
        signing: &Signing,
        wanted: &Wanted<'_>,
        actor: &audit::Actor,
        now: Timestamp,
    ) -> Result<Certificate> {
        let parent = Parent::of(&signing.issuer, wanted.base_url);
        let algorithm = signing.issuer.record().algorithm;
        let unsigned = certify::below(wanted, &parent, algorithm, now)?;
        self.announce(&unsigned, signing.issuer.name(), actor, now)
            .await?;
        let signer = signing.signer.clone();
        tokio::task::spawn_blocking(move || unsigned.sign(&signer))
            .await
            .map_err(|_| CaError::Interrupted("signing"))?
    }

    /// Commits; if a carried key was here, its CRL is signed anew on the way.
    pub(super) async fn finish(
        &self,
        write: Write,
        signing: &Signing,
        actor: &audit::Actor,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>> {
        let issuer = &signing.issuer;
        let is_root = issuer.record().parent.is_none() && issuer.record().foreign_chain.is_empty();
        if !is_root {
            self.store().commit(write).await?;
            self.refresh().await?;
            return Ok(None);
        }
        let revoked = rootcrl::entries(self.store(), issuer.name()).await?;
        let crl = rootcrl::sign(
            issuer.name(),
            issuer.certificate(),
            issuer.key_id(),
            &signing.signer,
            &revoked,
            now,
        )?;
        self.store().commit(crl.put(write, actor, now)?).await?;
        if let Some(carry) = &signing.carry {
            let path = carry.directory.join(format!("{}.crl", issuer.name()));
            carried::write_over(&path, &crl.der)?;
        }
        self.refresh().await?;
        Ok(Some(crl.der))
    }

    pub(super) async fn signing(&self, authority: &str, key: ParentKey) -> Result<Signing> {
        let authority = self.authority(authority)?;
        if authority.state == AuthorityState::Retired {
            return Err(retired(&authority.name).into());
        }
        check_standing(&self.state(), &authority)?;
        let issuer = self.issuer(&authority.issuer)?;
        self.signing_by(issuer, key).await
    }

    /// One generation with its key, wherever that is.
    pub(super) async fn signing_by(&self, issuer: Arc<Issuer>, key: ParentKey) -> Result<Signing> {
        match key {
            ParentKey::Online => {
                let signer = issuer.signer().cloned();
                let signer = signer.ok_or_else(|| {
                    Refusal::new(
                        "authority.offline",
                        "R01",
                        format!("the key of {} is not here", issuer.name()),
                    )
                    .accepted("the directory with the carried key, and its passphrase")
                })?;
                Ok(Signing {
                    issuer,
                    signer,
                    carry: None,
                })
            }
            ParentKey::Carried(carry) => {
                let signer = carried::read_key(&carry, issuer.name(), issuer.certificate()).await?;
                Ok(Signing {
                    issuer,
                    signer,
                    carry: Some(carry),
                })
            }
        }
    }

    pub(super) fn hierarchy(&self) -> Result<Settings, Refusal> {
        self.settings().ok_or_else(|| {
            Refusal::new("hierarchy", "ward init", "there is no hierarchy yet")
                .accepted("`ward init` first")
        })
    }

    pub(super) async fn stored_authority(&self, name: &str) -> Result<(Authority, u64)> {
        let record = self.store().record(AUTHORITY_RECORDS, name).await?;
        let record = record.ok_or_else(|| CaError::not_found("authority", name))?;
        Ok((record.parse()?, record.version))
    }

    pub(super) async fn stored_issuer(&self, id: &str) -> Result<(IssuerRecord, u64)> {
        let record = self.store().record(ISSUER_RECORDS, id).await?;
        let record = record.ok_or_else(|| CaError::not_found("issuer", id))?;
        Ok((record.parse()?, record.version))
    }

    pub(super) async fn backend_of(&self, issuer: &IssuerRecord) -> Result<Backend> {
        let keys = self.keys().await?;
        let found = keys
            .into_iter()
            .find(|key| issuer.key.as_ref() == Some(&key.record.id));
        Ok(found.map_or(Backend::Software, |key| key.record.backend))
    }

    pub(super) async fn or_recorded<T>(
        &self,
        result: Result<T>,
        permit: &Permit,
        action: &'static str,
        name: &str,
        now: Timestamp,
    ) -> Result<T> {
        match result {
            Err(CaError::Refused(refusal)) => {
                let object = Object::new("authority", name);
                Err(self
                    .refuse(refusal, permit.principal(), action, object, None, now)
                    .await)
            }
            other => other,
        }
    }
}

/// What a new issuer's certificate shall be.
pub(super) struct Shape {
    pub(super) subject: Name,
    pub(super) backend: Backend,
    pub(super) path_length: u32,
    pub(super) constraints: Constraints,
    pub(super) validity: Duration,
}

pub(super) fn retired(name: &str) -> Refusal {
    Refusal::new("authority.retired", "R01", format!("{name} is retired"))
}

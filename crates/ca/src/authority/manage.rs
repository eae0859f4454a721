//! What can be done to authorities: create, rotate, cross-sign, retire. Each act that signs takes the
//! parent's key where it is: in the keyring, or in a directory that somebody has carried here.

use access::{Action, Permit, Refusal};
use audit::{Object, Timestamp};
use keys::{Backend, Signer};
use store::Write;
use x509::{Certificate, KeyAlgorithm, Name, PublicKey};

use super::certify::{self, Parent, Wanted, ca_name, default_title, what_of};
use super::rows::{put_authority, put_certificate, put_issuer, settle};
use super::{
    AUTHORITY_RECORDS, Authority, AuthorityState, Constraints, ISSUER_RECORDS, IssuerRecord,
    IssuerState, authority_of, carried, rootcrl,
};
use crate::init::{AuthorityAnswers, Carry, RootKey};
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

/// A certificate for somebody else's CA, or for our own new root by the old one.
#[derive(Clone, Debug)]
pub struct CrossSign {
    /// The certificate whose subject and key are to be certified.
    pub subject: Certificate,
    /// What it may name.
    pub constraints: Constraints,
    /// How many CAs may stand below it.
    pub path_length: u32,
    /// How long.
    pub validity: Duration,
}

/// A root on its way into the database.
pub(crate) struct MadeRoot {
    pub(crate) record: IssuerRecord,
    pub(crate) signer: Signer,
    pub(crate) stored: Option<StoredKey>,
    pub(crate) files: Vec<std::path::PathBuf>,
}

/// The parent of a new CA certificate, with its key at hand.
struct Signing {
    issuer: std::sync::Arc<Issuer>,
    signer: Signer,
    carry: Option<Carry>,
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
        let (mut authority, version) = self.stored_authority(name).await?;
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
            base.id = format!("{name}-g{generation}");
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
        authority.subject = record.certificate.subject().to_string();
        authority.issuer = record.id.clone();
        authority.generations.push(record.id.clone());
        let superseded = IssuerRecord {
            state: IssuerState::Superseded,
            ..old
        };
        let write = write.put_record(
            ISSUER_RECORDS,
            &superseded.id,
            old_version,
            &superseded,
            now,
        )?;
        let write = put_authority(
            write,
            &authority,
            version,
            "authority.rotate",
            None,
            actor,
            now,
        )?;
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
            mut authority,
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
        authority.subject = made.record.certificate.subject().to_string();
        authority.issuer = made.record.id.clone();
        authority.generations.push(made.record.id.clone());
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
            let superseded = IssuerRecord {
                state: IssuerState::Superseded,
                ..old
            };
            write = write.put_record(
                ISSUER_RECORDS,
                &superseded.id,
                old_version,
                &superseded,
                now,
            )?;
        }
        write = put_authority(
            write,
            &authority,
            version,
            "authority.rotate",
            None,
            actor,
            now,
        )?;
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

    /// Certifies another CA's key under constraints.
    pub async fn cross_sign(
        &self,
        permit: Permit,
        by: &str,
        key: ParentKey,
        cross: &CrossSign,
        now: Timestamp,
    ) -> Result<Certificate> {
        permit.require(Action::ManageAuthorities)?;
        let made = self.try_cross_sign(&permit, by, key, cross, now).await;
        self.or_recorded(made, &permit, "authority.cross-sign", by, now)
            .await
    }

    async fn try_cross_sign(
        &self,
        permit: &Permit,
        by: &str,
        key: ParentKey,
        cross: &CrossSign,
        now: Timestamp,
    ) -> Result<Certificate> {
        permit.check_authority(by)?;
        let settings = self.hierarchy()?;
        check_foreign(&cross.subject)?;
        let public = cross.subject.public_key()?;
        let own = self
            .state()
            .issuers
            .values()
            .find(|issuer| issuer.certificate().spki_der() == cross.subject.spki_der())
            .cloned();
        if own.is_none() && cross.constraints.is_empty() {
            return Err(Refusal::new(
                "authority.cross-unconstrained",
                "RFC 5280 §4.2.1.10, R29",
                "a foreign CA without name constraints could issue for any name of ours",
            )
            .accepted("at least one permitted or excluded zone, domain or range")
            .into());
        }
        let signing = self.signing(by, key).await?;
        let wanted = Wanted {
            subject: cross.subject.subject().clone(),
            key: &public,
            path_length: Some(cross.path_length),
            constraints: &cross.constraints,
            validity: cross.validity,
            base_url: &settings.base_url,
        };
        let actor = permit.actor();
        let certificate = self.certify(&signing, &wanted, actor, now).await?;
        let object = Object::new("authority", by);
        let event = audit::Event::new(now, actor.clone(), "authority.cross-sign", object).after(
            serde_json::json!({
                "subject": certificate.subject().to_string(),
                "certificate_sha256": hex::encode(certificate.fingerprint()),
                "constraints": cross.constraints,
                "path_length": cross.path_length,
            }),
        );
        let mut write = settle(Write::new(event)?, certificate.serial());
        write = put_certificate(write, &certificate, signing.issuer.name(), actor, now)?;
        if let Some(own) = own {
            let (mut record, version) = self.stored_issuer(own.name()).await?;
            record.cross.push(certificate.clone());
            write = write.put_record(ISSUER_RECORDS, own.name(), version, &record, now)?;
        }
        self.finish(write, &signing, actor, now).await?;
        Ok(certificate)
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

    /// Signs the CRL of a root anew, with its carried key.
    pub async fn sign_root_crl(
        &self,
        permit: Permit,
        name: &str,
        key: ParentKey,
        now: Timestamp,
    ) -> Result<Vec<u8>> {
        permit.require(Action::ManageAuthorities)?;
        permit.check_authority(name)?;
        let signing = self.signing(name, key).await?;
        let event = audit::Event::new(
            now,
            permit.actor().clone(),
            "root.use",
            Object::new("issuer", signing.issuer.name()),
        );
        let crl = self
            .finish(Write::new(event)?, &signing, permit.actor(), now)
            .await?;
        crl.ok_or_else(|| CaError::not_found("root", name))
    }

    /// A new self-signed root and where its key went.
    #[allow(clippy::too_many_arguments)]
    pub(crate) async fn make_root(
        &self,
        name: &str,
        generation: u32,
        base_url: &str,
        subject: Name,
        algorithm: KeyAlgorithm,
        validity: Duration,
        root_key: &RootKey,
        now: Timestamp,
    ) -> Result<MadeRoot> {
        let id = if generation == 1 {
            name.to_owned()
        } else {
            format!("{name}-g{generation}")
        };
        let backend = match root_key {
            RootKey::Carry(_) => Backend::Software,
            RootKey::KeepOnline(backend) => backend.clone(),
        };
        let key = self.generate_key(algorithm, &backend, &id, now).await?;
        let signer = self.keyring().load(&key)?;
        let wanted = Wanted {
            subject,
            key: signer.public_key(),
            path_length: None,
            constraints: &Constraints::default(),
            validity,
            base_url,
        };
        let certificate = certify::root(&wanted, &signer, now)?.sign(&signer)?;
        let mut record = IssuerRecord {
            id: id.clone(),
            authority: name.to_owned(),
            generation,
            state: IssuerState::Active,
            key: Some(key.id.clone()),
            algorithm,
            certificate,
            cross: Vec::new(),
            parent: None,
            foreign_chain: Vec::new(),
        };
        let RootKey::Carry(carry) = root_key else {
            let stored = Some(StoredKey::new(key, format!("issuer {id}")));
            return Ok(MadeRoot {
                record,
                signer,
                stored,
                files: Vec::new(),
            });
        };
        record.key = None;
        record.state = IssuerState::Offline;
        let (keyring, passphrase, exported) = (
            self.keyring().clone(),
            carry.passphrase.clone(),
            key.clone(),
        );
        let pem = tokio::task::spawn_blocking(move || {
            keyring.export_pkcs8_encrypted(&exported, &passphrase)
        })
        .await
        .map_err(|_| CaError::Interrupted("writing the root key"))??;
        let key_file = carried::key_path(carry, &id);
        carried::write_new(&key_file, pem.as_bytes(), true)?;
        let certificate_file = carry.directory.join(format!("{id}.pem"));
        carried::write_new(
            &certificate_file,
            record.certificate.to_pem().as_bytes(),
            false,
        )?;
        Ok(MadeRoot {
            record,
            signer,
            stored: None,
            files: vec![key_file, certificate_file],
        })
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
    async fn grow(
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
    async fn certify(
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
    async fn finish(
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

    async fn signing(&self, authority: &str, key: ParentKey) -> Result<Signing> {
        let authority = self.authority(authority)?;
        if authority.state == AuthorityState::Retired {
            return Err(retired(&authority.name).into());
        }
        let issuer = self.issuer(&authority.issuer)?;
        match key {
            ParentKey::Online => {
                let signer = issuer.signer().cloned();
                let signer = signer.ok_or_else(|| {
                    Refusal::new(
                        "authority.offline",
                        "R01",
                        format!("the key of {} is not here", authority.name),
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

    fn hierarchy(&self) -> Result<Settings, Refusal> {
        self.settings().ok_or_else(|| {
            Refusal::new("hierarchy", "ward init", "there is no hierarchy yet")
                .accepted("`ward init` first")
        })
    }

    async fn stored_authority(&self, name: &str) -> Result<(Authority, u64)> {
        let record = self.store().record(AUTHORITY_RECORDS, name).await?;
        let record = record.ok_or_else(|| CaError::not_found("authority", name))?;
        Ok((record.parse()?, record.version))
    }

    async fn stored_issuer(&self, id: &str) -> Result<(IssuerRecord, u64)> {
        let record = self.store().record(ISSUER_RECORDS, id).await?;
        let record = record.ok_or_else(|| CaError::not_found("issuer", id))?;
        Ok((record.parse()?, record.version))
    }

    async fn backend_of(&self, issuer: &IssuerRecord) -> Result<Backend> {
        let keys = self.keys().await?;
        let found = keys
            .into_iter()
            .find(|key| issuer.key.as_ref() == Some(&key.record.id));
        Ok(found.map_or(Backend::Software, |key| key.record.backend))
    }

    async fn or_recorded<T>(
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
struct Shape {
    subject: Name,
    backend: Backend,
    path_length: u32,
    constraints: Constraints,
    validity: Duration,
}

struct NewRoot {
    authority: Authority,
    version: u64,
    old: IssuerRecord,
    old_version: u64,
    base: IssuerRecord,
    subject: Name,
    length: i64,
}

fn retired(name: &str) -> Refusal {
    Refusal::new("authority.retired", "R01", format!("{name} is retired"))
}

/// A certificate worth cross-signing: a CA's, with a key that is not weak, that signed itself if it
/// claims to.
fn check_foreign(subject: &Certificate) -> Result<(), Refusal> {
    let refuse = |why: String| {
        Refusal::new("authority.cross-subject", "RFC 5280 §4.2.1.9", why)
            .accepted("a CA certificate with a key of at least 112 bits of strength")
    };
    let key = subject
        .public_key()
        .map_err(|error| refuse(error.to_string()))?;
    if let Some(weakness) = key.weakness() {
        return Err(refuse(weakness.to_string()));
    }
    let constraints: Option<x509::ext::BasicConstraints> =
        subject.ext().map_err(|error| refuse(error.to_string()))?;
    if !constraints.is_some_and(|found| found.ca) || subject.subject().is_empty() {
        return Err(refuse(format!("{} is no CA", subject.subject())));
    }
    if subject.is_self_issued() && subject.verify_signed_by(&key).is_err() {
        return Err(refuse(format!(
            "{} is not signed by its own key",
            subject.subject()
        )));
    }
    Ok(())
}

//! Passkeys in the store: kept records, one for each credential, found by the SHA-256 of its id.

use audit::{Actor, ActorKind, Event, Object, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;

use super::response::decoded;
use super::{Assertion, Attestation, Challenge, LONGEST_NAME, Opened, RelyingParty, encoded};
use crate::{Access, AccessError, Refusal, Session, random};

/// The kind under which passkeys are kept.
pub const PASSKEY_RECORDS: &str = "passkey";
/// Passkeys of one person.
const MOST: usize = 20;

/// A passkey as it is kept. There is no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its id here: SHA-256 of the credential's id, hex.
    pub id: String,
    /// Whose it is.
    pub person: String,
    /// What they call it.
    pub name: String,
    /// The credential's id, base64url.
    pub credential: String,
    /// The user handle that the authenticator keeps with it, base64url.
    pub handle: String,
    /// COSE key, hex.
    pub public_key: String,
    /// COSE algorithm.
    pub algorithm: i64,
    /// The signature counter as it was last seen.
    pub counter: u32,
    /// It may be synchronised between devices.
    pub backup_eligible: bool,
    /// How the authenticator can be reached.
    #[serde(default)]
    pub transports: Vec<String>,
    /// When it was registered, Unix milliseconds.
    pub created: i64,
    /// When it was last used.
    pub used: Option<i64>,
    /// When it was removed.
    pub removed: Option<i64>,
}

impl Access {
    /// A person's passkeys, removed ones left out.
    pub async fn passkeys_of(&self, person: &str) -> Result<Vec<Passkey>, AccessError> {
        let mut passkeys = self.passkeys().await?;
        passkeys.retain(|passkey| passkey.person == person);
        Ok(passkeys)
    }

    /// Everybody's passkeys, removed ones left out.
    pub async fn passkeys(&self) -> Result<Vec<Passkey>, AccessError> {
        let records = self.store().records(PASSKEY_RECORDS).await?;
        let passkeys: Result<Vec<Passkey>, _> = records.iter().map(store::Record::parse).collect();
        let mut passkeys = passkeys?;
        passkeys.retain(|passkey| passkey.removed.is_none());
        Ok(passkeys)
    }

    /// The challenge of a registration: a person has one user handle, whatever their passkeys.
    pub async fn registration_challenge(
        &self,
        session: &Session,
        existing: &[Passkey],
    ) -> Result<Challenge, AccessError> {
        if existing.len() >= MOST {
            return Err(Refusal::new(
                "passkey.count",
                "access",
                format!("{} has {MOST} passkeys already", session.person),
            )
            .accepted("removing one that is no longer used")
            .into());
        }
        let mut challenge = Challenge::new(Some(&session.person), Some(&session.id))?;
        challenge.handle = Some(match existing.first() {
            Some(passkey) => passkey.handle.clone(),
            None => encoded(&random::<32>()?),
        });
        Ok(challenge)
    }

    /// Keeps what an authenticator made, for whoever has the session in which it was begun.
    pub async fn register_passkey(
        &self,
        party: &RelyingParty,
        session: &Session,
        ceremony: Opened<Challenge>,
        attestation: &Attestation,
        name: &str,
        now: Timestamp,
    ) -> Result<Passkey, AccessError> {
        let body = &ceremony.body;
        check_session(body, session)?;
        let name = checked_name(name)?;
        let registered = party.registered(&body.challenge, attestation)?;
        self.claim_ceremony(&ceremony).await?;
        let passkey = Passkey {
            id: record_id(&registered.credential),
            person: session.person.clone(),
            name,
            credential: encoded(&registered.credential),
            handle: body.handle.clone().unwrap_or_default(),
            public_key: hex::encode(&registered.public_key),
            algorithm: registered.algorithm,
            counter: registered.counter,
            backup_eligible: registered.backup_eligible,
            transports: registered.transports,
            created: now.0,
            used: None,
            removed: None,
        };
        let event = Event::new(now, session.actor(), "passkey.register", object(&passkey))
            .after(shown(&passkey));
        // Version 0: a credential that is known, or ever was, is nobody's new one (§7.1 step 26).
        let write =
            Write::new(event)?.put_record(PASSKEY_RECORDS, &passkey.id, 0, &passkey, now)?;
        self.store().commit(write).await?;
        Ok(passkey)
    }

    /// Whose assertion it is. Its counter is kept; the sign-in or step-up that follows is an event of its own.
    pub async fn assert_passkey(
        &self,
        party: &RelyingParty,
        ceremony: Opened<Challenge>,
        session: Option<&Session>,
        assertion: &Assertion,
        now: Timestamp,
    ) -> Result<Passkey, AccessError> {
        let body = &ceremony.body;
        match session {
            Some(session) => check_session(body, session)?,
            None if body.session.is_some() => return Err(another_session().into()),
            None => {}
        }
        let id = record_id(&decoded("id", &assertion.id)?);
        let (mut passkey, version) = self.stored_passkey(&id).await?.ok_or_else(unknown)?;
        if passkey.removed.is_some() {
            return Err(unknown().into());
        }
        if body
            .person
            .as_ref()
            .is_some_and(|person| *person != passkey.person)
        {
            return Err(Refusal::new(
                "passkey.person",
                "WebAuthn §7.2",
                "the passkey is somebody else's",
            )
            .into());
        }
        check_handle(&passkey, assertion)?;
        let key = hex::decode(&passkey.public_key).unwrap_or_default();
        let verified = party.verified(
            &body.challenge,
            assertion,
            &key,
            passkey.counter,
            passkey.backup_eligible,
        )?;
        self.claim_ceremony(&ceremony).await?;
        passkey.counter = verified.counter;
        passkey.used = Some(now.0);
        let actor = Actor::new(ActorKind::Person, passkey.person.as_str());
        let event = Event::new(now, actor, "passkey.use", object(&passkey))
            .after(json!({ "counter": passkey.counter }));
        // Another use in between is a conflict: two assertions cannot both be the next.
        let write = Write::new(event)?.put_record(PASSKEY_RECORDS, &id, version, &passkey, now)?;
        self.store().commit(write).await?;
        Ok(passkey)
    }

    /// Takes a passkey away from a person.
    pub async fn remove_passkey(
        &self,
        by: &Actor,
        person: &str,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Passkey, AccessError> {
        let not_found = || AccessError::NotFound {
            kind: "passkey",
            id: id.chars().take(64).collect(),
        };
        let found = self.stored_passkey(id).await?;
        let (mut passkey, version) = found
            .filter(|(passkey, _)| passkey.person == person && passkey.removed.is_none())
            .ok_or_else(not_found)?;
        passkey.removed = Some(now.0);
        let event = Event::new(now, by.clone(), "passkey.remove", object(&passkey))
            .why(why)
            .before(shown(&passkey));
        let write = Write::new(event)?.put_record(PASSKEY_RECORDS, id, version, &passkey, now)?;
        self.store().commit(write).await?;
        Ok(passkey)
    }

    async fn stored_passkey(&self, id: &str) -> Result<Option<(Passkey, u64)>, AccessError> {
        match self.store().record(PASSKEY_RECORDS, id).await? {
            None => Ok(None),
            Some(record) => Ok(Some((record.parse()?, record.version))),
        }
    }
}

fn check_session(body: &Challenge, session: &Session) -> Result<(), Refusal> {
    let same = body.session.as_deref() == Some(session.id.as_str())
        && body.person.as_deref() == Some(session.person.as_str());
    match same {
        true => Ok(()),
        false => Err(another_session()),
    }
}

fn another_session() -> Refusal {
    Refusal::new(
        "sign-in.session",
        "access",
        "this ceremony was begun in another session",
    )
}

/// §7.2 step 6: where the authenticator says whose it is, it must say what we know.
fn check_handle(passkey: &Passkey, assertion: &Assertion) -> Result<(), Refusal> {
    let Some(handle) = &assertion.response.user_handle else {
        return Ok(());
    };
    match encoded(&decoded("userHandle", handle)?) == passkey.handle {
        true => Ok(()),
        false => Err(Refusal::new(
            "passkey.handle",
            "WebAuthn §7.2",
            "the authenticator names another person than the passkey's",
        )),
    }
}

fn unknown() -> Refusal {
    Refusal::new(
        "passkey.unknown",
        "access",
        "this passkey is not known here, or was removed",
    )
    .accepted("a passkey that is registered with this Ward; a new invitation makes one")
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let usual = match name {
        "" => "passkey",
        given => given,
    };
    match usual.chars().count() <= LONGEST_NAME && !usual.chars().any(char::is_control) {
        true => Ok(usual.to_owned()),
        false => Err(Refusal::new(
            "passkey.name",
            "access",
            "a passkey's name is a line of at most 64 characters",
        )),
    }
}

fn record_id(credential: &[u8]) -> String {
    hex::encode(digest(&SHA256, credential))
}

fn object(passkey: &Passkey) -> Object {
    Object::new("passkey", passkey.id.as_str())
}

fn shown(passkey: &Passkey) -> serde_json::Value {
    json!({
        "person": passkey.person,
        "name": passkey.name,
        "algorithm": passkey.algorithm,
        "backup_eligible": passkey.backup_eligible,
    })
}

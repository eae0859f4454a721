//! Recovery codes: ten for each person, shown once, kept as Argon2id (RFC 9106), each good once. A code has 100 bits, so
//! that it could be hashed fast as well; the slow hash is for whoever has the database and much time. Its first group says
//! which code it is, so that one try costs one hash.

use argon2::{Algorithm, Argon2, Params, Version};
use audit::{Actor, Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{Access, AccessError, Person, Refusal, random};

/// The kind under which recovery codes are kept, by person.
pub const RECOVERY_RECORDS: &str = "recovery";

const CODES: usize = 10;
const GROUPS: usize = 5;
const GROUP: usize = 4;
/// No look-alikes: 5 bits a letter.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Argon2id as OWASP's Password Storage Cheat Sheet has it: 19 MiB, two passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes computed at once: whoever tries codes gets no more of this machine.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Codes {
    person: String,
    made: i64,
    codes: Vec<Code>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    /// Its first group.
    selector: String,
    salt: String,
    hash: String,
    used: Option<i64>,
}

/// What may be told of somebody's recovery codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecoveryState {
    /// How many are left.
    pub left: usize,
    /// When they were made, Unix milliseconds.
    pub made: Option<i64>,
}

impl Access {
    /// Makes ten codes in place of those that there were. They are returned once.
    pub async fn make_recovery_codes(
        &self,
        by: &Actor,
        person: &str,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Zeroizing<String>>, AccessError> {
        let person = self.active_person(person).await?;
        let (mut shown, mut codes) = (Vec::new(), Vec::<Code>::new());
        while codes.len() < CODES {
            let code = new_code()?;
            let Some(read) = Offered::read(&code) else {
                continue;
            };
            if codes.iter().any(|other| other.selector == read.selector) {
                continue;
            }
            let salt = random::<16>()?;
            let hash = slow_hash(read.secret, salt).await?;
            codes.push(Code {
                selector: read.selector,
                salt: hex::encode(salt),
                hash: hex::encode(hash.as_slice()),
                used: None,
            });
            shown.push(code);
        }
        let version = self
            .stored_codes(&person.id)
            .await?
            .map_or(0, |(_, version)| version);
        let kept = Codes {
            person: person.id.clone(),
            made: now.0,
            codes,
        };
        let mut event = Event::new(now, by.clone(), "recovery.create", object(&person.id))
            .after(json!({ "codes": CODES }));
        if let Some(id) = request_id {
            event = event.request_id(id);
        }
        let write =
            Write::new(event)?.put_record(RECOVERY_RECORDS, &person.id, version, &kept, now)?;
        self.store().commit(write).await?;
        Ok(shown)
    }

    /// Uses a code up; gives whose it was. The same is said, after the same work, whatever is wrong.
    pub async fn use_recovery_code(
        &self,
        person: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let wrong = || {
            AccessError::Refused(
                Refusal::new(
                    "recovery.code",
                    "access",
                    "this is no recovery code of that person",
                )
                .accepted("a code that was not used yet, as it was shown; or a new invitation"),
            )
        };
        let offered = Offered::read(code).ok_or_else(wrong)?;
        let stored = self.stored_codes(person).await?;
        let found = stored.as_ref().and_then(|(codes, _)| {
            let is_it = |code: &&Code| code.selector == offered.selector && code.used.is_none();
            codes.codes.iter().find(is_it)
        });
        let salt = found.and_then(|code| hex::decode(&code.salt).ok());
        let salt: [u8; 16] = salt
            .and_then(|salt| salt.try_into().ok())
            .unwrap_or_default();
        let hash = hex::encode(slow_hash(offered.secret, salt).await?.as_slice());
        let expected = found.map_or(String::new(), |code| code.hash.clone());
        let same = bool::from(hash.as_bytes().ct_eq(expected.as_bytes()));
        let (Some((mut codes, version)), true) = (stored, same) else {
            return Err(wrong());
        };
        let person = self.active_person(person).await?;
        for code in &mut codes.codes {
            if code.selector == offered.selector {
                code.used = Some(now.0);
            }
        }
        let left = codes.left();
        let actor = Actor::new(audit::ActorKind::Person, person.id.as_str());
        let event = Event::new(now, actor, "recovery.use", object(&person.id))
            .after(json!({ "left": left }));
        let write =
            Write::new(event)?.put_record(RECOVERY_RECORDS, &person.id, version, &codes, now)?;
        match self.store().commit(write).await {
            Ok(_) => Ok(person),
            // Used in between.
            Err(store::StoreError::Conflict(_)) => Err(wrong()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many codes somebody has left.
    pub async fn recovery_state(&self, person: &str) -> Result<RecoveryState, AccessError> {
        let stored = self.stored_codes(person).await?;
        Ok(RecoveryState {
            left: stored.as_ref().map_or(0, |(codes, _)| codes.left()),
            made: stored.map(|(codes, _)| codes.made),
        })
    }

    async fn stored_codes(&self, person: &str) -> Result<Option<(Codes, u64)>, AccessError> {
        if !crate::person::is_id(person) {
            return Ok(None);
        }
        match self.store().record(RECOVERY_RECORDS, person).await? {
            None => Ok(None),
            Some(record) => Ok(Some((record.parse()?, record.version))),
        }
    }
}

impl Codes {
    fn left(&self) -> usize {
        self.codes.iter().filter(|code| code.used.is_none()).count()
    }
}

/// A code as somebody typed it.
struct Offered {
    selector: String,
    secret: Zeroizing<String>,
}

impl Offered {
    /// Letters in any case, groups with or without hyphens and spaces.
    fn read(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let letters = text.chars().filter(|letter| !matches!(letter, '-' | ' '));
        let letters: Zeroizing<String> =
            Zeroizing::new(letters.map(|letter| letter.to_ascii_lowercase()).collect());
        let ours = letters.bytes().all(|letter| ALPHABET.contains(&letter));
        if !ours || letters.len() != GROUPS * GROUP {
            return None;
        }
        let (selector, secret) = letters.split_at(GROUP);
        Some(Offered {
            selector: selector.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }
}

fn new_code() -> Result<Zeroizing<String>, AccessError> {
    let bytes = Zeroizing::new(random::<{ GROUPS * GROUP }>()?);
    // Sized beforehand: growing would leave copies behind.
    let mut code = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 && place % GROUP == 0 {
            code.push('-');
        }
        let letter = ALPHABET
            .get(usize::from(byte % 32))
            .copied()
            .unwrap_or(b'a');
        code.push(char::from(letter));
    }
    Ok(code)
}

async fn slow_hash(
    secret: Zeroizing<String>,
    salt: [u8; 16],
) -> Result<Zeroizing<[u8; 32]>, AccessError> {
    let failed = |why: String| AccessError::Record {
        kind: "recovery",
        id: "Argon2".to_owned(),
        why,
    };
    let _turn = AT_ONCE
        .acquire()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let hashing = tokio::task::spawn_blocking(move || {
        let parameters = Params::new(MEMORY_KIB, PASSES, 1, Some(32))?;
        let mut hash = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters).hash_password_into(
            secret.as_bytes(),
            &salt,
            &mut *hash,
        )?;
        Ok::<_, argon2::Error>(hash)
    });
    match hashing.await {
        Ok(hash) => hash.map_err(|error| failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn object(person: &str) -> Object {
    Object::new("person", person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let read = |text: &str| Offered::read(text).map(|code| code.selector);
        assert_eq!(read("abcd-efgh-jkmn-pqrs-tuvw").as_deref(), Some("abcd"));
        assert_eq!(read("ABCD EFGH jkmnpqrstuvw").as_deref(), Some("abcd"));
        for wrong in [
            "",
            "abcd",
            "abcd-efgh-jkmn-pqrs-tuv1",
            "abcd-efgh-jkmn-pqrs-tuvwx",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

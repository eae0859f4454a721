//! Tokens in the store, and the cache in front of them.

use std::collections::HashMap;
use std::sync::Arc;

use audit::{Actor, ActorKind, Event, Object, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::json;
use store::{Record, Write};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::people::{absent, read};
use crate::permit::grants_of;
use crate::person::check_duties;
use crate::token::{StoredToken, is_holder_name, split};
use crate::{
    Access, AccessError, Action, NewToken, Permit, Principal, Refusal, Role, TOKEN_RECORDS, Token,
    TokenId, random,
};

/// How old a cached token may be: a revocation by another process is noticed within this.
const CACHE_MS: i64 = 1000;
/// The cache is emptied beyond this many tokens; a hospital has dozens.
const CACHE_ENTRIES: usize = 4096;
/// At most one event of failed authentication per token and this long; the rest are counted.
const FAILURE_EVENT_MS: i64 = 10_000;

/// What is known about tokens in this process.
#[derive(Default)]
pub(crate) struct Cache {
    known: Mutex<HashMap<TokenId, Known>>,
    failures: Mutex<HashMap<String, Failures>>,
}

#[derive(Clone)]
struct Known {
    read: i64,
    token: Arc<Token>,
    secret: [u8; 32],
    principal: Arc<Principal>,
    /// Why its holder may not come in, where the holder is a person who is written down.
    absent: Option<Refusal>,
}

struct Failures {
    recorded: i64,
    since: u64,
}

impl Access {
    /// Makes a token. The string `ward_<id>_<secret>` is returned once and kept nowhere.
    pub async fn create_token(
        &self,
        permit: Permit,
        new: NewToken,
        now: Timestamp,
    ) -> Result<(TokenId, Zeroizing<String>), AccessError> {
        permit.require(Action::ManageTokens)?;
        if let Err(refusal) = check_new(&permit, &new, now) {
            let object = Object::new("action", "token.create");
            let principal = permit.principal();
            let id = permit.request_id();
            self.record_refusal(&refusal, principal, "token.create", object, id, now)
                .await?;
            return Err(refusal.into());
        }
        if new.person
            && let Some(refusal) = self
                .person_if_any(&new.name)
                .await?
                .as_ref()
                .and_then(absent)
        {
            let at = Object::new("action", "token.create");
            return Err(self.no(refusal, &permit, "token.create", at, now).await);
        }
        let id = TokenId(format!("t{}", hex::encode(random::<6>()?)));
        let bytes = Zeroizing::new(random::<32>()?);
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        let stored = StoredToken {
            token: Token {
                id: id.clone(),
                name: new.name,
                person: new.person,
                roles: new.roles,
                scope: new.scope,
                created: now.0,
                created_by: permit.actor().id.clone(),
                expires: new.expires,
                revoked: None,
            },
            secret_sha256: hex::encode(digest(&SHA256, secret.as_bytes())),
        };
        let event = Event::new(
            now,
            permit.actor().clone(),
            "token.create",
            Object::new("token", id.as_str()),
        )
        .after(json!(stored.token));
        let write = Write::new(permit.joined(event))?.put_record(
            TOKEN_RECORDS,
            id.as_str(),
            0,
            &stored,
            now,
        )?;
        self.store.commit(write).await?;
        let bearer = Zeroizing::new(format!("ward_{id}_{}", secret.as_str()));
        Ok((id, bearer))
    }

    /// Ends a token. Requests under way finish; the next one is refused.
    pub async fn revoke_token(
        &self,
        permit: Permit,
        id: &TokenId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        permit.require(Action::ManageTokens)?;
        let Some((mut stored, version)) = self.stored_token(id).await? else {
            return Err(not_found(id));
        };
        if stored.token.revoked.is_some() {
            return Ok(());
        }
        stored.token.revoked = Some(now.0);
        let event = Event::new(
            now,
            permit.actor().clone(),
            "token.revoke",
            Object::new("token", id.as_str()),
        )
        .why(why)
        .after(json!({ "revoked": now.0 }));
        let write = Write::new(permit.joined(event))?.put_record(
            TOKEN_RECORDS,
            id.as_str(),
            version,
            &stored,
            now,
        )?;
        self.store.commit(write).await?;
        self.tokens.known.lock().remove(id);
        Ok(())
    }

    /// Every token, revoked ones included.
    pub async fn tokens(&self) -> Result<Vec<Token>, AccessError> {
        let records = self.store.records(TOKEN_RECORDS).await?;
        records.iter().map(token).collect()
    }

    /// Every token as it was at `at`: one that was revoked since was not.
    pub async fn tokens_as_of(&self, at: Timestamp) -> Result<Vec<Token>, AccessError> {
        let records = self.store.records_as_of(TOKEN_RECORDS, at).await?;
        records.iter().map(token).collect()
    }

    /// Who stands behind a bearer string.
    pub async fn authenticate(
        &self,
        bearer: &str,
        now: Timestamp,
    ) -> Result<Arc<Principal>, AccessError> {
        let Some((id, secret)) = split(bearer) else {
            return self
                .unauthenticated(None, "not a token of this Ward", now)
                .await;
        };
        let Some(known) = self.known(&id, now).await? else {
            return self.unauthenticated(None, "no such token", now).await;
        };
        let offered = digest(&SHA256, secret.as_bytes());
        if !bool::from(offered.as_ref().ct_eq(&known.secret)) {
            return self
                .unauthenticated(Some(&known.token), "wrong secret", now)
                .await;
        }
        let absent = known.absent.as_ref();
        let absent = absent.map(|refusal| refusal.message.as_str());
        match known.token.fault(now).or(absent) {
            None => Ok(known.principal),
            Some(fault) => self.unauthenticated(Some(&known.token), fault, now).await,
        }
    }

    /// Forgets cached tokens: called when the log grows by somebody else's hand.
    pub fn invalidate(&self) {
        self.tokens.known.lock().clear();
    }

    /// Whoever `earlier` was, with what they are granted as of now: by their token, or as a person.
    pub async fn as_of_now(
        &self,
        earlier: &Principal,
        now: Timestamp,
    ) -> Result<Arc<Principal>, AccessError> {
        if let Some(token) = earlier.token() {
            return self.live_principal(token, now).await;
        }
        if earlier.actor().kind != ActorKind::Person {
            return Ok(Arc::new(earlier.clone()));
        }
        let person = self.person(earlier.holder()).await?;
        match self.principal_for(&person, "request", None).await {
            Err(AccessError::Unauthenticated(refusal)) => Err(AccessError::Refused(refusal)),
            other => other,
        }
    }

    /// The token behind `id` as it is now, past the cache.
    pub(crate) async fn live_principal(
        &self,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Arc<Principal>, AccessError> {
        let Some((stored, _)) = self.stored_token(id).await? else {
            return Err(not_found(id));
        };
        match stored.token.fault(now) {
            None => Ok(principal(&stored.token)),
            Some(fault) => Err(AccessError::Refused(
                Refusal::new(
                    "requester.token",
                    "R11",
                    format!("whoever asked may no longer: {fault}"),
                )
                .accepted("a new request by somebody with a valid token"),
            )),
        }
    }

    async fn known(&self, id: &TokenId, now: Timestamp) -> Result<Option<Known>, AccessError> {
        let cached = self.tokens.known.lock().get(id).cloned();
        if let Some(known) = cached
            && (0..CACHE_MS).contains(&(now.0 - known.read))
        {
            return Ok(Some(known));
        }
        let Some((stored, _)) = self.stored_token(id).await? else {
            return Ok(None);
        };
        let mut secret = [0; 32];
        hex::decode_to_slice(&stored.secret_sha256, &mut secret)
            .map_err(|error| bad_record(id.as_str(), error))?;
        let known = Known {
            read: now.0,
            principal: principal(&stored.token),
            absent: self.absence(&stored.token).await?,
            token: Arc::new(stored.token),
            secret,
        };
        let mut cache = self.tokens.known.lock();
        if cache.len() >= CACHE_ENTRIES {
            cache.clear();
        }
        cache.insert(id.clone(), known.clone());
        Ok(Some(known))
    }

    async fn absence(&self, token: &Token) -> Result<Option<Refusal>, AccessError> {
        if !token.person {
            return Ok(None);
        }
        let holder = self.person_if_any(&token.name).await?;
        Ok(holder.as_ref().and_then(absent))
    }

    async fn stored_token(&self, id: &TokenId) -> Result<Option<(StoredToken, u64)>, AccessError> {
        let Some(record) = self.store.record(TOKEN_RECORDS, id.as_str()).await? else {
            return Ok(None);
        };
        let stored =
            serde_json::from_str(&record.body).map_err(|error| bad_record(id.as_str(), error))?;
        Ok(Some((stored, record.version)))
    }

    /// Refuses, and records it unless the same was recorded a moment ago: somebody who guesses
    /// tokens must not be able to fill the log.
    async fn unauthenticated<T>(
        &self,
        token: Option<&Token>,
        why: &str,
        now: Timestamp,
    ) -> Result<T, AccessError> {
        let key = token.map_or_else(|| "unknown".to_owned(), |token| token.id.to_string());
        if let Some(since) = self.tokens.count_failure(&key, now) {
            let actor =
                token.map_or_else(|| Actor::new(ActorKind::Machine, "unknown"), Token::actor);
            let refusal = Refusal::new("token", "access", why);
            let event = refusal
                .event(now, actor, "token.authenticate", Object::new("token", key))
                .after(json!({ "failures": since }));
            self.store.commit(Write::new(event)?).await?;
        }
        Err(AccessError::Unauthenticated(
            Refusal::new(
                "token",
                "access",
                format!("the bearer token is not valid: {why}"),
            )
            .accepted("a current token in `Authorization: Bearer ward_…`"),
        ))
    }
}

fn token(record: &Record) -> Result<Token, AccessError> {
    let stored: StoredToken = read(record, "token")?;
    Ok(stored.token)
}

impl Cache {
    /// Counts a failure; says how many have gathered if it is time to record them.
    fn count_failure(&self, key: &str, now: Timestamp) -> Option<u64> {
        let mut failures = self.failures.lock();
        if failures.len() >= CACHE_ENTRIES {
            failures.clear();
        }
        let entry = failures.entry(key.to_owned()).or_insert(Failures {
            recorded: i64::MIN,
            since: 0,
        });
        entry.since += 1;
        let due =
            now.0.saturating_sub(entry.recorded) >= FAILURE_EVENT_MS || now.0 < entry.recorded;
        due.then(|| {
            entry.recorded = now.0;
            std::mem::take(&mut entry.since)
        })
    }
}

fn check_new(permit: &Permit, new: &NewToken, now: Timestamp) -> Result<(), Refusal> {
    if !is_holder_name(&new.name) {
        return Err(Refusal::new(
            "token.name",
            "access",
            "a token's name becomes part of every log line",
        )
        .accepted("1 to 64 of A-Z a-z 0-9 - _ . @ +"));
    }
    if new.roles.is_empty() {
        return Err(Refusal::new(
            "token.roles",
            "access",
            "a token without a role can do nothing",
        )
        .accepted(Role::names()));
    }
    check_duties(new.roles.iter().copied())?;
    new.scope.check()?;
    if new.expires.is_some_and(|end| end <= now.0) {
        return Err(Refusal::new(
            "token.expires",
            "access",
            "the token would be expired already",
        ));
    }
    if permit.principal().holder() == new.name && permit.principal().session().is_some() {
        return Err(Refusal::new(
            "person.own",
            "R37: nobody changes their own grants",
            "a token for yourself would be grants for yourself",
        )
        .accepted("a token made by another person with the role admin"));
    }
    permit.check_scope(&new.scope)?;
    Ok(())
}

fn principal(token: &Token) -> Arc<Principal> {
    Arc::new(Principal::new(
        token.actor(),
        grants_of(&token.roles, &token.scope),
        Some(token.id.clone()),
    ))
}

fn not_found(id: &TokenId) -> AccessError {
    AccessError::NotFound {
        kind: "token",
        id: id.to_string(),
    }
}

fn bad_record(id: &str, why: impl std::fmt::Display) -> AccessError {
    AccessError::Record {
        kind: "token",
        id: id.to_owned(),
        why: why.to_string(),
    }
}

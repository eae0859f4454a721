//! Sessions in the store. Their beginning, step-up and end are events; that one was used is not (`Write::derived`): it
//! says nothing that the events of what was done with it do not say better.

use audit::{Actor, Event, Object, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use store::{Row, Value, Write, params};
use zeroize::Zeroizing;

use super::{ENROL_MS, NewSession, Purpose, Session, SessionId, SessionRules, Via};
use crate::{Access, AccessError, Refusal, random};

/// Characters kept of what a browser says it is.
const CLIENT: usize = 200;
/// Ended sessions are listed, and kept, for this long; the log keeps what they did for good.
const KEEP_MS: i64 = 30 * 86_400_000;

const INSERT: &str = "INSERT INTO sessions(id, secret_sha256, person, via, purpose, since, seen, expires, stepped_up, \
    ended, source, client, certificate) VALUES($1, $2, $3, $4, $5, $6, $6, $7, $8, NULL, $9, $10, $11)";
const ENFORCE: &str = "UPDATE sessions SET ended = $2 WHERE person = $1 AND ended IS NULL AND id NOT IN \
    (SELECT id FROM sessions WHERE person = $1 AND ended IS NULL AND expires > $2 AND seen > $3 \
    ORDER BY since DESC, id DESC LIMIT $4)";
const FORGET: &str = "DELETE FROM sessions WHERE person = $1 AND expires < $2";
const BY_SECRET: &str = "SELECT id, person, via, purpose, since, seen, expires, stepped_up, ended, source, client, \
    certificate FROM sessions WHERE secret_sha256 = $1";
const BY_ID: &str = "SELECT id, person, via, purpose, since, seen, expires, stepped_up, ended, source, client, \
    certificate FROM sessions WHERE id = $1";
const LIVE: &str = "SELECT id, person, via, purpose, since, seen, expires, stepped_up, ended, source, client, \
    certificate FROM sessions WHERE ended IS NULL AND expires > $1 ORDER BY person, since, id";
const SEEN: &str = "UPDATE sessions SET seen = $2 WHERE id = $1 AND seen < $2 AND ended IS NULL";
const RENEW: &str = "UPDATE sessions SET secret_sha256 = $3, stepped_up = $4, seen = $4 \
    WHERE id = $1 AND secret_sha256 = $2 AND ended IS NULL";
const END: &str = "UPDATE sessions SET ended = $2 WHERE id = $1 AND ended IS NULL";

impl Access {
    /// Begins a session. Its secret is returned once and kept nowhere. Beyond the number that one person may have, the
    /// oldest end in the same write.
    pub async fn begin_session(
        &self,
        new: NewSession,
        rules: &SessionRules,
        now: Timestamp,
    ) -> Result<(Session, Zeroizing<String>), AccessError> {
        let secret = new_secret()?;
        let length = match new.purpose {
            Purpose::Work => rules.absolute_ms,
            Purpose::Enrol => ENROL_MS.min(rules.absolute_ms),
        };
        let session = Session {
            id: SessionId(format!("s{}", hex::encode(random::<8>()?))),
            person: new.person,
            via: new.via,
            purpose: new.purpose,
            since: now.0,
            seen: now.0,
            expires: now.0.saturating_add(length),
            stepped_up: new.stepped_up.then_some(now.0),
            ended: None,
            source: new.source,
            client: printable(&new.client),
            certificate: new.certificate,
        };
        let surplus = self.surplus(&session.person, rules, now).await?;
        let event =
            Event::new(now, session.actor(), "session.begin", object(&session.id)).after(json!({
                "person": session.person,
                "via": session.via.text(),
                "purpose": session.purpose,
                "source": session.source,
                "client": session.client,
                "expires": session.expires,
                "certificate": session.certificate.map(hex::encode),
                "ends": surplus,
            }));
        let event = match &new.request_id {
            Some(id) => event.request_id(id.as_str()),
            None => event,
        };
        let write = Write::new(event)?
            .run(
                INSERT,
                params![
                    session.id.as_str(),
                    hash(&secret),
                    &session.person,
                    session.via.text(),
                    session.purpose.text(),
                    now,
                    session.expires,
                    session.stepped_up,
                    &session.source,
                    &session.client,
                    session.certificate
                ],
            )
            .run(
                ENFORCE,
                params![
                    &session.person,
                    now,
                    now.0.saturating_sub(rules.idle_ms),
                    rules.most.max(1)
                ],
            )
            .run(FORGET, params![&session.person, now.0 - KEEP_MS]);
        self.store().commit(write).await?;
        Ok((session, secret))
    }

    /// The session behind a secret, if it is good at `now`.
    pub async fn session(
        &self,
        secret: &str,
        rules: &SessionRules,
        now: Timestamp,
    ) -> Result<Session, AccessError> {
        // 43 characters of base64url are ours; nothing else is looked up.
        let found = match secret.len() == 43 {
            true => self.one_session(BY_SECRET, hash(secret).into()).await?,
            false => None,
        };
        let Some(session) = found else {
            return Err(no_session("no such session"));
        };
        match session.fault(rules, now) {
            None => Ok(session),
            Some(fault) => Err(no_session(fault)),
        }
    }

    /// Notes that a session was used, at most fifteen times in the time it may lie idle.
    pub async fn note_use(
        &self,
        session: &Session,
        rules: &SessionRules,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        if now.0.saturating_sub(session.seen) < rules.idle_ms / 15 {
            return Ok(());
        }
        let write = Write::derived().run(SEEN, params![session.id.as_str(), now]);
        self.store().commit(write).await?;
        Ok(())
    }

    /// Steps up: the session gets another secret, and the one of before is good for nothing.
    pub async fn step_up(
        &self,
        session: &Session,
        secret: &str,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(Session, Zeroizing<String>), AccessError> {
        let next = new_secret()?;
        let event = Event::new(now, session.actor(), "session.step-up", object(&session.id));
        let event = joined(event, request_id);
        let write = Write::new(event)?.run_expecting(
            1,
            RENEW,
            params![session.id.as_str(), hash(secret), hash(&next), now],
            "the session has ended or stepped up elsewhere",
        );
        self.store().commit(write).await?;
        let mut session = session.clone();
        session.stepped_up = Some(now.0);
        session.seen = now.0;
        Ok((session, next))
    }

    /// Ends a session. False: it had ended.
    pub async fn end_session(
        &self,
        by: &Actor,
        id: &SessionId,
        why: &str,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, AccessError> {
        let Some(session) = self.one_session(BY_ID, id.as_str().into()).await? else {
            return Err(AccessError::NotFound {
                kind: "session",
                id: id.to_string(),
            });
        };
        if session.ended.is_some() {
            return Ok(false);
        }
        let event = Event::new(now, by.clone(), "session.end", object(id))
            .why(why)
            .after(json!({ "person": session.person }));
        let write = Write::new(joined(event, request_id))?.run(END, params![id.as_str(), now]);
        self.store().commit(write).await?;
        Ok(true)
    }

    /// Ends every session of a person but `except`; says how many.
    pub async fn end_sessions_of(
        &self,
        by: &Actor,
        person: &str,
        except: Option<&SessionId>,
        why: &str,
        now: Timestamp,
    ) -> Result<usize, AccessError> {
        let live = self.live_sessions(now).await?;
        let theirs = live
            .iter()
            .filter(|session| session.person == person && Some(&session.id) != except);
        let mut ended = 0;
        for session in theirs {
            ended += usize::from(self.end_session(by, &session.id, why, None, now).await?);
        }
        Ok(ended)
    }

    /// A session, ended or not.
    pub async fn session_by_id(&self, id: &SessionId) -> Result<Option<Session>, AccessError> {
        self.one_session(BY_ID, id.as_str().into()).await
    }

    /// Sessions that have neither been ended nor reached their end. Whether one lay idle depends on the rules.
    pub async fn live_sessions(&self, now: Timestamp) -> Result<Vec<Session>, AccessError> {
        let rows = self.store().query(LIVE, params![now]).await?;
        rows.iter().map(read).collect()
    }

    async fn one_session(
        &self,
        sql: &'static str,
        key: Value,
    ) -> Result<Option<Session>, AccessError> {
        let rows = self.store().look_up(sql, vec![key]).await?;
        rows.first().map(read).transpose()
    }

    /// The ids that one session more makes too many.
    async fn surplus(
        &self,
        person: &str,
        rules: &SessionRules,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, AccessError> {
        let mut theirs: Vec<Session> = self.live_sessions(now).await?;
        theirs.retain(|session| session.person == person && session.fault(rules, now).is_none());
        theirs.sort_by_key(|session| std::cmp::Reverse(session.since));
        let keep = usize::try_from(rules.most.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(theirs
            .into_iter()
            .skip(keep)
            .map(|session| session.id)
            .collect())
    }
}

fn new_secret() -> Result<Zeroizing<String>, AccessError> {
    let bytes = Zeroizing::new(random::<32>()?);
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

fn printable(client: &str) -> String {
    let printed = client.chars().filter(|letter| !letter.is_control());
    printed.take(CLIENT).collect()
}

fn joined(event: Event, request_id: Option<&str>) -> Event {
    match request_id {
        Some(id) => event.request_id(id),
        None => event,
    }
}

fn object(id: &SessionId) -> Object {
    Object::new("session", id.as_str())
}

fn no_session(why: &'static str) -> AccessError {
    AccessError::Unauthenticated(
        Refusal::new("session", "access", why).accepted("a sign-in: GET /api/v1/sign-in says how"),
    )
}

fn read(row: &Row) -> Result<Session, AccessError> {
    let bad = |why: &str| AccessError::Record {
        kind: "session",
        id: row.text(0).unwrap_or_default().to_owned(),
        why: why.to_owned(),
    };
    let certificate = row.opt_blob(11)?.map(<[u8; 32]>::try_from).transpose();
    Ok(Session {
        id: SessionId(row.text(0)?.to_owned()),
        person: row.text(1)?.to_owned(),
        via: Via::parse(row.text(2)?).ok_or_else(|| bad("unknown way of signing in"))?,
        purpose: match row.text(3)? {
            "work" => Purpose::Work,
            "enrol" => Purpose::Enrol,
            _ => return Err(bad("unknown purpose")),
        },
        since: row.int(4)?,
        seen: row.int(5)?,
        expires: row.int(6)?,
        stepped_up: row.opt_int(7)?,
        ended: row.opt_int(8)?,
        source: row.text(9)?.to_owned(),
        client: row.text(10)?.to_owned(),
        certificate: certificate.map_err(|_| bad("a SHA-256 has 32 octets"))?,
    })
}

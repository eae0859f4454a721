//! Keys that are never certified again: those of certificates that were revoked for keyCompromise
//! (RFC 5280 §5.3.1). Whoever has such a key can pose as its subject whatever a new certificate says.
//!
//! A key gets its row in the transaction of the revocation. Issuance asks memory, not the database:
//! such keys are few. The set only grows, so that reading it again, in whatever order, does no harm.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::Refusal;
use audit::merkle::sha256;
use audit::{Actor, Event, Hash, Object, Timestamp};
use parking_lot::RwLock;
use serde_json::{Value as Json, json};
use store::{Row, Store, StoreError, Write, params};
use x509::{Certificate, PublicKey, Time};

use crate::{Ca, CaError, Result, StoredCertificate};

/// Keys that are held in memory, 32 bytes each; beyond them the database is asked.
const MOST: usize = 1_000_000;

/// Keys read at a time.
const PAGE: i64 = 4096;

/// Certificates whose keys are noted in one write: the event names each key and must stay below 64 KiB.
const UNREAD_PAGE: i64 = 128;

/// What an event of a revocation calls the key that it is about, in hex.
pub(crate) const SPKI: &str = "spki_sha256";

/// The event of keys that were compromised before this version of the schema.
pub(crate) const NOTED: &str = "key.compromised";

const BY_KEY: &str = "SELECT since, issuer, serial FROM compromised_keys WHERE spki_sha256 = $1";
const KEYS: &str =
    "SELECT spki_sha256 FROM compromised_keys WHERE spki_sha256 > $1 ORDER BY spki_sha256 LIMIT $2";
const NOTE: &str = "INSERT INTO compromised_keys (spki_sha256, since, issuer, serial) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (spki_sha256) DO NOTHING";
const UNREAD: &str = "SELECT u.issuer, u.serial, u.since, c.der FROM compromised_unread u \
    LEFT JOIN certificates c ON c.issuer = u.issuer AND c.serial = u.serial \
    WHERE (u.issuer, u.serial) > ($1, $2) ORDER BY u.issuer, u.serial LIMIT $3";
const READ: &str = "DELETE FROM compromised_unread WHERE issuer = $1 AND serial = $2";

/// The keys that this process knows of.
pub(crate) struct CompromisedKeys {
    known: RwLock<HashSet<Hash>>,
    most: AtomicUsize,
}

/// What memory says about a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Compromised,
    Good,
    /// There are more than memory holds.
    Unsure,
}

impl CompromisedKeys {
    pub(crate) fn new() -> Self {
        Self {
            known: RwLock::default(),
            most: AtomicUsize::new(MOST),
        }
    }

    /// Takes note of a key.
    pub(crate) fn insert(&self, spki: Hash) {
        let mut known = self.known.write();
        if known.len() < self.most.load(Ordering::Relaxed) {
            known.insert(spki);
        }
    }

    fn look(&self, spki: &Hash) -> Known {
        let known = self.known.read();
        if known.contains(spki) {
            Known::Compromised
        } else if known.len() < self.most.load(Ordering::Relaxed) {
            Known::Good
        } else {
            Known::Unsure
        }
    }

    pub(crate) fn hold(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.known.write().clear();
    }
}

impl Ca {
    /// Refuses a key that is known to be in the wrong hands. Costs one hash, unless it is one.
    pub(crate) async fn check_not_compromised(&self, key: &PublicKey) -> Result<()> {
        let spki = sha256(key.spki_der());
        let known = self.compromised_keys().look(&spki);
        if known == Known::Good {
            return Ok(());
        }
        let rows = self.store().query(BY_KEY, params![spki]).await?;
        match rows.first() {
            Some(row) => Err(refusal(&format!(
                "certificate {} of {} was revoked for keyCompromise at {}",
                hex::encode(row.blob(2)?),
                row.text(1)?,
                Time(row.int(0)?),
            ))
            .into()),
            None if known == Known::Unsure => Ok(()),
            None => Err(refusal("a certificate for it was revoked for keyCompromise").into()),
        }
    }

    /// The key of a certificate, as it is noted. A certificate that cannot be read any more can still be revoked.
    pub(crate) async fn spki_sha256(
        &self,
        certificate: &StoredCertificate,
    ) -> Result<Option<Hash>> {
        let stored;
        let der = if certificate.der.is_empty() {
            stored = self.certificate(&certificate.sha256).await?;
            stored.as_ref().map_or(&[][..], |found| &found.der)
        } else {
            &certificate.der
        };
        Ok(spki_of(der, &certificate.issuer, &certificate.serial))
    }

    /// Reads the keys that this or another process has noted.
    pub(crate) async fn read_compromised_keys(&self) -> Result<()> {
        each_key(self.store(), |spki| self.compromised_keys().insert(spki)).await
    }

    /// Notes the keys of what was revoked before there was a table of them. Where the database cannot be written now,
    /// they are in memory at least.
    pub(crate) async fn note_unread_keys(&self, now: Timestamp) -> Result<()> {
        let mut after = (String::new(), Vec::new());
        loop {
            let (issuer, serial) = after.clone();
            let rows = self
                .store()
                .query(UNREAD, params![issuer, serial, UNREAD_PAGE]);
            let rows = rows.await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = (last.text(0)?.to_owned(), last.blob(1)?.to_vec());
            match self.note_keys_of(&rows, now).await {
                Ok(()) | Err(CaError::Store(StoreError::ReadOnly(_) | StoreError::Full(_))) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn note_keys_of(&self, rows: &[Row], now: Timestamp) -> Result<()> {
        let mut statements = Vec::with_capacity(2 * rows.len());
        let mut noted = Vec::with_capacity(rows.len());
        for row in rows {
            let (issuer, serial) = (row.text(0)?, row.blob(1)?);
            if let Some(spki) = spki_of(row.opt_blob(3)?.unwrap_or_default(), issuer, serial) {
                self.compromised_keys().insert(spki);
                noted.push(hex::encode(spki));
                statements.push((NOTE, params![spki, row.int(2)?, issuer, serial]));
            }
            statements.push((READ, params![issuer, serial]));
        }
        let object = Object::new("schema", "ca/3");
        let event = Event::new(now, Actor::system("revocation"), NOTED, object)
            .after(json!({ SPKI: noted }));
        let mut write = Write::new(event)?;
        for (sql, params) in statements {
            write = write.run(sql, params);
        }
        self.store().commit(write).await?;
        Ok(())
    }

    /// Takes note of the key that an event of a revocation names.
    pub(crate) async fn observe_compromise(&self, event: &Event) -> Result<()> {
        match keys_named(event).as_slice() {
            [] => self.read_compromised_keys().await,
            named => {
                for spki in named {
                    self.compromised_keys().insert(*spki);
                }
                Ok(())
            }
        }
    }

    /// For tests of more compromised keys than memory holds.
    #[doc(hidden)]
    pub async fn hold_compromised_keys(&self, most: usize) -> Result<()> {
        self.compromised_keys().hold(most);
        self.read_compromised_keys().await
    }
}

/// Reads the keys that are noted, a page at a time.
pub(crate) async fn each_key(store: &Store, mut take: impl FnMut(Hash)) -> Result<()> {
    let mut after = Vec::new();
    loop {
        let rows = store.query(KEYS, params![after, PAGE]).await?;
        for row in &rows {
            take(hash(row.blob(0)?)?);
        }
        match rows.last() {
            Some(last) => after = last.blob(0)?.to_vec(),
            None => return Ok(()),
        }
    }
}

/// Adds the key to the write of its certificate's revocation.
pub(crate) fn note(
    write: Write,
    spki: Hash,
    certificate: &StoredCertificate,
    now: Timestamp,
) -> Write {
    write.run(
        NOTE,
        params![
            spki,
            now.seconds(),
            certificate.issuer.as_str(),
            certificate.serial.clone()
        ],
    )
}

/// The compromised keys that an event names.
pub(crate) fn keys_named(event: &Event) -> Vec<Hash> {
    let named = match event.after.as_ref().and_then(|after| after.get(SPKI)) {
        Some(Json::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let read = |text: &Json| hash(&hex::decode(text.as_str()?).ok()?).ok();
    named.iter().filter_map(read).collect()
}

fn spki_of(der: &[u8], issuer: &str, serial: &[u8]) -> Option<Hash> {
    match Certificate::from_der(der) {
        Ok(certificate) => Some(sha256(certificate.spki_der())),
        Err(error) => {
            let serial = hex::encode(serial);
            tracing::warn!(issuer, serial, %error, "a compromised key cannot be read");
            None
        }
    }
}

fn hash(bytes: &[u8]) -> Result<Hash> {
    let sized = bytes.try_into();
    sized.map_err(|_| CaError::Damaged("compromised_keys"))
}

fn refusal(why: &str) -> Refusal {
    Refusal::new(
        "key.compromised",
        "RFC 5280 §5.3.1",
        format!("this key is compromised: {why}"),
    )
    .accepted("a new key")
}

//! The CRL of a root whose key is carried: signed whenever the key is here, for as long as it may be
//! away (R01, R13).

use audit::merkle::sha256;
use audit::{Actor, Event, Object, Timestamp};
use keys::Signer;
use serde_json::json;
use store::{Store, Write, params};
use x509::crl::{Reason, RevokedEntry, TbsCrl, encode_entry};
use x509::ext::{AuthorityKeyId, CrlNumber, ExtensionValue};
use x509::{Certificate, Time};

use crate::{CaError, Result};

/// How long a root's CRL stands: the ceremony that renews it is yearly, with a month to spare.
const LIFETIME: i64 = 396 * 86_400;

const REVOKED: &str = "SELECT serial, revoked_at, reason, invalidity_date FROM revocations \
    WHERE issuer = $1 AND reason <> 8 ORDER BY serial";
const PUBLISH: &str = "INSERT INTO crls\
    (issuer, partition, number, entries, this_update, next_update, sha256, der) \
    VALUES($1, -1, $2, $3, $4, $5, $6, $7) ON CONFLICT(issuer, partition) DO UPDATE SET \
    number = excluded.number, entries = excluded.entries, this_update = excluded.this_update, \
    next_update = excluded.next_update, sha256 = excluded.sha256, der = excluded.der";

/// A root's CRL.
pub(crate) struct RootCrl {
    pub(crate) der: Vec<u8>,
    issuer: String,
    number: i64,
    entries: usize,
    this_update: Time,
    next_update: Time,
}

/// The entries of a root's CRL: a handful in a lifetime.
pub(crate) async fn entries(store: &Store, issuer: &str) -> Result<Vec<RevokedEntry>> {
    let rows = store.query(REVOKED, params![issuer]).await?;
    let read = |row: &store::Row| -> Result<RevokedEntry> {
        let reason = u8::try_from(row.int(2)?).ok().and_then(Reason::from_code);
        let reason = reason.filter(|reason| *reason != Reason::Unspecified);
        let mut entry = RevokedEntry::new(row.blob(0)?.to_vec(), Time(row.int(1)?), reason);
        entry.invalidity_date = row.opt_int(3)?.map(Time);
        Ok(entry)
    };
    rows.iter().map(read).collect()
}

/// Signs it.
pub(crate) fn sign(
    issuer: &str,
    certificate: &Certificate,
    key_id: &[u8],
    signer: &Signer,
    revoked: &[RevokedEntry],
    now: Timestamp,
) -> Result<RootCrl> {
    let today = now.0.div_euclid(1000);
    let number = now.0;
    let mut list = Vec::new();
    for entry in revoked {
        encode_entry(entry, &mut list);
    }
    let algorithm = signer.algorithm().default_signature();
    let (this_update, next_update) = (Time(today), Time(today + LIFETIME));
    let header = TbsCrl {
        issuer: certificate.subject().clone(),
        signature: algorithm,
        this_update,
        next_update,
        extensions: vec![
            AuthorityKeyId::from_key_id(key_id).encode(),
            CrlNumber::from_u64(number.unsigned_abs()).encode(),
        ],
    };
    let length = list.len();
    let unsigned = header.encode([list], length)?;
    let signature = signer.sign(algorithm, unsigned.tbs())?;
    let der = unsigned.assemble(&signature);
    let findings = x509::lint::lint_crl_der(&der);
    let error = findings
        .iter()
        .find(|found| found.severity == x509::lint::Severity::Error);
    if let Some(found) = error {
        return Err(CaError::Lint(format!("{} [{}]", found.message, found.rule)));
    }
    Ok(RootCrl {
        der,
        issuer: issuer.to_owned(),
        number,
        entries: revoked.len(),
        this_update,
        next_update,
    })
}

impl RootCrl {
    /// Adds its publication.
    pub(crate) fn put(&self, write: Write, actor: &Actor, now: Timestamp) -> Result<Write> {
        let digest = sha256(&self.der);
        let event = Event::new(
            now,
            actor.clone(),
            "crl.publish",
            Object::new("issuer", self.issuer.as_str()),
        )
        .after(json!({
            "list": "complete",
            "number": self.number,
            "entries": self.entries,
            "bytes": self.der.len(),
            "sha256": hex::encode(digest),
            "next_update": self.next_update.to_string(),
        }));
        Ok(write.event(event)?.run(
            PUBLISH,
            params![
                self.issuer.as_str(),
                self.number,
                i64::try_from(self.entries).unwrap_or(i64::MAX),
                self.this_update.0,
                self.next_update.0,
                digest,
                &self.der,
            ],
        ))
    }
}

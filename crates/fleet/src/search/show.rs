//! One certificate with everything that is known about it; places; keys that several certificates share; who issued.

use access::Refusal;
use audit::Timestamp;
use serde::Serialize;
use store::{Row, Value, params};

use super::compile::{Compiler, Rows};
use super::language::Query;
use super::page::{COLUMNS, Listed, PATIENCE, limit, listed};
use super::reach::Reach;
use crate::{Fleet, FleetError, Result};

/// A place, and what was seen there last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedPlace {
    pub id: i64,
    pub place: String,
    pub kind: String,
    pub segment: Option<String>,
    pub asset: Option<String>,
    /// SHA-256 of the certificate there, in hex.
    pub certificate: Option<String>,
    pub subject: Option<String>,
    /// Unix seconds.
    pub expires: Option<i64>,
    pub outcome: String,
    pub detail: String,
    /// Unix milliseconds.
    pub first_seen: i64,
    pub last_seen: i64,
    pub changed_at: i64,
    /// Since when nothing is there any more.
    pub gone: Option<i64>,
    pub seen_by: String,
}

/// A page of places.
#[derive(Clone, Debug, Serialize)]
pub struct PlacePage {
    pub places: Vec<ListedPlace>,
    pub next: Option<String>,
}

/// Where it was, from when to when (R52).
#[derive(Clone, Debug, Serialize)]
pub struct Stay {
    pub place: String,
    pub first_seen: i64,
    pub last_seen: i64,
    pub replaced_at: Option<i64>,
}

/// A finding about it.
#[derive(Clone, Debug, Serialize)]
pub struct ListedFinding {
    pub id: String,
    pub rule: String,
    pub severity: i64,
    pub what: String,
    pub opened: i64,
    pub waived_until: Option<i64>,
}

/// A certificate with everything that is known about it. Lists end after 200.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub certificate: Listed,
    pub pem: String,
    /// SHA-256 of the certificate that signed it, in hex.
    pub signed_by: Option<String>,
    /// Others with the same key, in hex.
    pub same_key: Vec<String>,
    pub at: Vec<ListedPlace>,
    pub history: Vec<Stay>,
    pub open_findings: Vec<ListedFinding>,
}

/// A key that several certificates have.
#[derive(Clone, Debug, Serialize)]
pub struct SharedKey {
    /// SHA-256 of the key, in hex.
    pub spki: String,
    pub certificates: i64,
    pub key: String,
    pub bits: i64,
}

/// Keys by their SHA-256.
#[derive(Clone, Debug, Serialize)]
pub struct KeyPage {
    pub keys: Vec<SharedKey>,
    pub next: Option<String>,
}

/// Somebody who signed certificates.
#[derive(Clone, Debug, Serialize)]
pub struct Issuer {
    pub issuer: String,
    pub certificates: i64,
    /// How many of them are over.
    pub expired: i64,
    /// When the next of the others ends, Unix seconds.
    pub next_expiry: Option<i64>,
}

impl Shown {
    /// Without what is known of it besides what it says itself.
    pub fn unplaced(self) -> Shown {
        Shown {
            same_key: Vec::new(),
            at: Vec::new(),
            history: Vec::new(),
            open_findings: Vec::new(),
            ..self
        }
    }
}

const PLACE: &str = "p.id, p.place, p.kind, p.segment, p.asset, i.sha256, i.subject, i.not_after, p.outcome, p.detail, \
    p.first_seen, p.last_seen, p.changed_at, p.gone, p.seen_by";

const AT: &str = "SELECT p.id, p.place, p.kind, p.segment, p.asset, i.sha256, i.subject, i.not_after, p.outcome, p.detail, \
    p.first_seen, p.last_seen, p.changed_at, p.gone, p.seen_by FROM places p JOIN inventory i ON i.id = p.certificate \
    WHERE p.certificate = $1 ORDER BY p.id LIMIT 200";
const STAYS: &str = "SELECT p.place, h.first_seen, h.last_seen, h.replaced_at FROM place_history h \
    JOIN places p ON p.id = h.place WHERE h.certificate = $1 ORDER BY h.first_seen, h.place LIMIT 200";
const SAME_KEY: &str =
    "SELECT sha256 FROM inventory WHERE spki = $1 AND id <> $2 ORDER BY id LIMIT 200";
const FINDINGS: &str = "SELECT id, rule, severity, what, opened, waived_until FROM findings \
    WHERE certificate = $1 AND closed IS NULL ORDER BY severity DESC, id LIMIT 200";
const RELATED: &str = "SELECT i.der, i.spki, s.sha256 FROM inventory i LEFT JOIN inventory s ON s.id = i.issuer_id WHERE i.id = $1";
/// The keys as an index has them, so that a page is read and no more.
const KEYS: &str = "SELECT k.spki, k.held, (SELECT i.key FROM inventory i WHERE i.id = k.one), \
    (SELECT i.key_bits FROM inventory i WHERE i.id = k.one) FROM \
    (SELECT spki, COUNT(*) AS held, MIN(id) AS one FROM inventory WHERE spki > $1 GROUP BY spki HAVING COUNT(*) > 1 \
    ORDER BY spki LIMIT $2) k ORDER BY k.spki";

impl Fleet {
    /// One certificate, by its SHA-256 in hex or as much of its beginning as is unambiguous.
    pub async fn inventory_certificate(&self, sha256: &str) -> Result<Shown> {
        self.certificate_within(sha256, None).await
    }

    /// Likewise, among those within `reach`; what is inside is shown whole.
    pub async fn certificate_within(&self, sha256: &str, reach: Option<&Reach>) -> Result<Shown> {
        let row = self.one_listed(sha256, reach).await?;
        let mut certificate = listed(&row)?;
        self.tell_revoked(std::slice::from_mut(&mut certificate), None)
            .await?;
        let id = certificate.id;
        let related = self.store().query(RELATED, params![id]).await?;
        let related = related
            .first()
            .ok_or_else(|| FleetError::not_found("certificate", sha256))?;
        let same_key = self
            .store()
            .query(SAME_KEY, params![related.blob(1)?, id])
            .await?;
        let at = self.store().query(AT, params![id]).await?;
        let history = self.store().query(STAYS, params![id]).await?;
        let findings = self.store().query(FINDINGS, params![id]).await?;
        Ok(Shown {
            certificate,
            pem: x509::pem::encode("CERTIFICATE", related.blob(0)?),
            signed_by: related.opt_blob(2)?.map(hex::encode),
            same_key: same_key
                .iter()
                .map(|row| Ok(hex::encode(row.blob(0)?)))
                .collect::<Result<_>>()?,
            at: at.iter().map(place).collect::<Result<_>>()?,
            history: history.iter().map(stay).collect::<Result<_>>()?,
            open_findings: findings.iter().map(finding).collect::<Result<_>>()?,
        })
    }

    async fn one_listed(&self, sha256: &str, reach: Option<&Reach>) -> Result<Row> {
        let wanted = format!("sha256 = {sha256}");
        // Reading it as a search checks the digits and finds a beginning.
        let mut query: Query = wanted.parse().map_err(|_| {
            let message = format!("`{}` is no SHA-256", x509::describe::escape(sha256));
            Refusal::new("inventory.sha256", "docs/inventory.md", message)
                .accepted("1 to 64 hexadecimal digits")
        })?;
        query.reach = reach.cloned();
        let now = Timestamp(0);
        let mut compiler = Compiler::new(self.target(&query, Rows::Certificates, true, now));
        let condition = compiler.whole(&query);
        let sql = format!(
            "SELECT {COLUMNS} FROM inventory i WHERE {condition} ORDER BY i.sha256 LIMIT 2"
        );
        let mut found = self.asked(&sql, compiler.params, PATIENCE).await?;
        match found.len() {
            0 => Err(FleetError::not_found("certificate", sha256)),
            1 => Ok(found.remove(0)),
            _ => {
                let message = format!("several certificates begin with {sha256}");
                let refusal = Refusal::new("inventory.ambiguous", "docs/inventory.md", message);
                Err(refusal.accepted("more digits of its SHA-256").into())
            }
        }
    }

    /// A page of places: tests of places are about each place itself, the others about the certificate there.
    pub async fn search_places(
        &self,
        query: &Query,
        after: Option<i64>,
        wanted: Option<u32>,
        now: Timestamp,
    ) -> Result<PlacePage> {
        let limit = limit(wanted);
        let mut compiler = Compiler::new(self.target(query, Rows::Places, false, now));
        let condition = compiler.whole(query);
        let after = after.unwrap_or(0);
        let sql = format!(
            "SELECT {PLACE} FROM places p LEFT JOIN inventory i ON i.id = p.certificate \
             WHERE p.id > {after} AND {condition} ORDER BY p.id LIMIT {limit}"
        );
        let rows = self.asked(&sql, compiler.params, PATIENCE).await?;
        let places = rows.iter().map(place).collect::<Result<Vec<_>>>()?;
        let full = u32::try_from(places.len()).is_ok_and(|found| found == limit);
        let next = places
            .last()
            .filter(|_| full)
            .map(|last| last.id.to_string());
        Ok(PlacePage { places, next })
    }

    /// A page of keys that several certificates have.
    ///
    /// Within a reach: those of which one is inside, and how many have each in the whole house.
    pub async fn shared_keys(
        &self,
        after: Option<&str>,
        wanted: Option<u32>,
        reach: Option<&Reach>,
    ) -> Result<KeyPage> {
        let limit = limit(wanted);
        let after = after.map(hex::decode).transpose().map_err(|_| {
            Refusal::new("search.cursor", "docs/inventory.md", "this is no cursor")
                .accepted("the `next` of the page before")
        })?;
        let after = after.unwrap_or_default();
        let (sql, params) = match reach {
            None => (KEYS.to_owned(), params![after, limit]),
            Some(reach) => self.keys_within(reach, &after, limit),
        };
        let rows = self.asked(&sql, params, PATIENCE).await?;
        let keys = rows.iter().map(|row| {
            Ok(SharedKey {
                spki: hex::encode(row.blob(0)?),
                certificates: row.int(1)?,
                key: row.text(2)?.to_owned(),
                bits: row.int(3)?,
            })
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let full = u32::try_from(keys.len()).is_ok_and(|found| found == limit);
        let next = keys.last().filter(|_| full).map(|last| last.spki.clone());
        Ok(KeyPage { keys, next })
    }

    fn keys_within(&self, reach: &Reach, after: &[u8], limit: u32) -> (String, Vec<Value>) {
        let now = Timestamp(0);
        let target = self.target(&Query::default(), Rows::Certificates, false, now);
        let mut compiler = Compiler::new(target);
        let those = compiler.those_within(reach);
        let after = compiler.param(after.to_vec());
        let sql = format!(
            "SELECT k.spki, COUNT(*), MIN(k.key), MIN(k.key_bits) FROM inventory k WHERE k.spki > {after} \
             AND k.spki IN (SELECT s.spki FROM inventory s WHERE s.id IN ({those})) \
             GROUP BY k.spki HAVING COUNT(*) > 1 ORDER BY k.spki LIMIT {limit}"
        );
        (sql, compiler.params)
    }

    /// Who signed the certificates that a search finds, those with the most first.
    pub async fn issuers(
        &self,
        query: &Query,
        wanted: Option<u32>,
        now: Timestamp,
    ) -> Result<Vec<Issuer>> {
        let limit = limit(wanted);
        let target = self.target(query, Rows::Certificates, false, now);
        let mut compiler = Compiler::new(target);
        let condition = compiler.whole(query);
        let seconds = now.0.div_euclid(1000);
        let sql = format!(
            "SELECT i.issuer, COUNT(*), SUM(CASE WHEN i.not_after < {seconds} THEN 1 ELSE 0 END), \
             MIN(CASE WHEN i.not_after >= {seconds} THEN i.not_after END) FROM inventory i \
             WHERE {condition} GROUP BY i.issuer ORDER BY 2 DESC, 1 LIMIT {limit}"
        );
        let rows = self.asked(&sql, compiler.params, PATIENCE).await?;
        let issuers = rows.iter().map(|row| {
            Ok(Issuer {
                issuer: row.text(0)?.to_owned(),
                certificates: row.int(1)?,
                expired: row.int(2)?,
                next_expiry: row.opt_int(3)?,
            })
        });
        issuers.collect()
    }
}

fn place(row: &Row) -> Result<ListedPlace> {
    let owned = |at: usize| -> Result<Option<String>> { Ok(row.opt_text(at)?.map(str::to_owned)) };
    Ok(ListedPlace {
        id: row.int(0)?,
        place: row.text(1)?.to_owned(),
        kind: row.text(2)?.to_owned(),
        segment: owned(3)?,
        asset: owned(4)?,
        certificate: row.opt_blob(5)?.map(hex::encode),
        subject: owned(6)?,
        expires: row.opt_int(7)?,
        outcome: row.text(8)?.to_owned(),
        detail: row.text(9)?.to_owned(),
        first_seen: row.int(10)?,
        last_seen: row.int(11)?,
        changed_at: row.int(12)?,
        gone: row.opt_int(13)?,
        seen_by: row.text(14)?.to_owned(),
    })
}

fn stay(row: &Row) -> Result<Stay> {
    Ok(Stay {
        place: row.text(0)?.to_owned(),
        first_seen: row.int(1)?,
        last_seen: row.int(2)?,
        replaced_at: row.opt_int(3)?,
    })
}

fn finding(row: &Row) -> Result<ListedFinding> {
    Ok(ListedFinding {
        id: row.text(0)?.to_owned(),
        rule: row.text(1)?.to_owned(),
        severity: row.int(2)?,
        what: row.text(3)?.to_owned(),
        opened: row.int(4)?,
        waived_until: row.opt_int(5)?,
    })
}

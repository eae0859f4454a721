//! Findings kept: opened, changed and closed as facts say. They follow from what is accounted for, so they need no event of
//! their own; the one that is an incident has one.

use std::collections::HashMap;

use audit::Timestamp;
use store::{Row, Value, Write, params};

use super::{Check, Found, MISISSUANCE, Policy, Severity, StoredWaiver, evaluate, rule, waiver};
use crate::inventory::Facts;
use crate::{Fleet, Result};

/// A finding that is seen again is written again after so long, so that its age of sight is told to the day.
const SEEN_EVERY: i64 = 86_400_000;
/// Certificates a look-up; the statement has as many places.
const AT_ONCE: usize = 32;

const STANDING: &str = "SELECT id, rule, certificate, place, severity, what, owner, seen, waived_until FROM findings \
    WHERE closed IS NULL AND certificate IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
    $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)";
/// What comes back within a day has not been away: a certificate changes, and what is wrong with its place stays.
const KEEP: &str = "INSERT INTO findings(id, rule, severity, subject, certificate, place, what, owner, opened, seen, closed, \
    waived_until) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, NULL, $10) ON CONFLICT(id) DO UPDATE SET \
    severity = excluded.severity, certificate = excluded.certificate, place = excluded.place, what = excluded.what, \
    owner = excluded.owner, seen = excluded.seen, closed = NULL, waived_until = excluded.waived_until, \
    opened = CASE WHEN findings.closed IS NULL OR findings.closed > excluded.opened - 86400000 THEN findings.opened \
    ELSE excluded.opened END";
/// Only its own: the place may have another certificate by now, and the finding with it.
const CLOSE: &str =
    "UPDATE findings SET closed = $2 WHERE id = $1 AND certificate = $3 AND closed IS NULL";

/// Policy and waivers, read once for many certificates.
#[derive(Debug)]
pub struct Judge {
    pub policy: Policy,
    waivers: Vec<StoredWaiver>,
}

/// What came of one certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Findings that stand, are not waived and are more than notes: `inventory.findings`.
    pub open: i64,
    /// The heaviest of them, as a number; 0 without any.
    pub worst: i64,
}

/// The name of a finding: the same for the same rule and subject, whenever and however often it is found.
pub fn finding_id(rule: &str, subject: &str) -> String {
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        format!("{rule}\n{subject}").as_bytes(),
    );
    let head = digest.as_ref().get(..10).unwrap_or_default();
    format!("f{}", hex::encode(head))
}

/// What it is about, as the table writes it.
fn subject(found: &Found, sha256: &[u8; 32]) -> String {
    match found.place {
        Some(place) => format!("place {place}"),
        None => format!("certificate {}", hex::encode(sha256)),
    }
}

/// A row that stands.
struct Standing {
    rule: String,
    certificate: i64,
    place: Option<i64>,
    severity: i64,
    what: String,
    owner: Option<String>,
    seen: i64,
    waived_until: Option<i64>,
}

impl Standing {
    fn read(row: &Row) -> Result<Self> {
        Ok(Standing {
            rule: row.text(1)?.to_owned(),
            certificate: row.int(2)?,
            place: row.opt_int(3)?,
            severity: row.int(4)?,
            what: row.text(5)?.to_owned(),
            owner: row.opt_text(6)?.map(str::to_owned),
            seen: row.int(7)?,
            waived_until: row.opt_int(8)?,
        })
    }

    fn is_overtaken_by(&self, new: &Standing) -> bool {
        let same = self.severity == new.severity
            && self.place == new.place
            && self.what == new.what
            && self.owner == new.owner
            && self.waived_until == new.waived_until;
        !same || new.seen - self.seen >= SEEN_EVERY
    }

    /// An incident is closed by people, and what others judge by them.
    fn is_closed_here(&self) -> bool {
        let rule = rule(&self.rule);
        self.rule != MISISSUANCE && rule.is_none_or(|rule| !matches!(rule.check, Check::Elsewhere))
    }

    fn kept(self, write: Write, id: String, subject: String) -> Write {
        let row = params![
            id,
            self.rule,
            self.severity,
            subject,
            self.certificate,
            self.place,
            self.what,
            self.owner,
            self.seen,
            self.waived_until,
        ];
        write.run(KEEP, row)
    }
}

impl Judged {
    fn count(&mut self, severity: Severity) {
        if severity > Severity::Note {
            self.open += 1;
            self.worst = self.worst.max(severity as i64);
        }
    }
}

impl Fleet {
    /// Reads what certificates are judged by.
    pub async fn judge(&self) -> Result<Judge> {
        let anchors = super::Anchors::load(&self.ca).await?;
        Ok(Judge {
            policy: Policy::trusting(anchors),
            waivers: self.waivers().await?,
        })
    }

    /// Judges a batch and adds to `write` what changes; the results are in the order of the batch. An incident is written at
    /// once, with its event.
    pub async fn find_in(
        &self,
        judge: &Judge,
        batch: &[Facts],
        mut write: Write,
        now: Timestamp,
    ) -> Result<(Write, Vec<Judged>)> {
        let mut standing = self.standing(batch).await?;
        let mut results = Vec::with_capacity(batch.len());
        let mut over = Vec::new();
        for facts in batch {
            let mut own = standing.remove(&facts.id).unwrap_or_default();
            let mut result = Judged::default();
            for found in evaluate(facts, &judge.policy, now) {
                let subject = subject(&found, &facts.sha256);
                let id = finding_id(found.rule.id, &subject);
                let before = own.remove(&id);
                if found.rule.id == MISISSUANCE {
                    let stands = before.is_some() || self.raise(facts, &found, &id, now).await?;
                    if stands {
                        result.count(found.rule.severity);
                    }
                    continue;
                }
                let waived = waiver::until(&judge.waivers, &id, found.rule, facts, now);
                if waived.is_none() {
                    result.count(found.rule.severity);
                }
                let row = Standing {
                    rule: found.rule.id.to_owned(),
                    certificate: facts.id,
                    place: found.place,
                    severity: found.rule.severity as i64,
                    what: found.what,
                    owner: facts.assigned.owner.clone(),
                    seen: now.0,
                    waived_until: waived,
                };
                if before.is_none_or(|before| before.is_overtaken_by(&row)) {
                    write = row.kept(write, id, subject);
                }
            }
            over.extend(own.into_iter().filter(|(_, row)| row.is_closed_here()));
            results.push(result);
        }
        for (id, row) in over {
            write = write.run(CLOSE, params![id, now.0, row.certificate]);
        }
        Ok((write, results))
    }

    async fn standing(&self, batch: &[Facts]) -> Result<HashMap<i64, HashMap<String, Standing>>> {
        let mut all: HashMap<i64, HashMap<String, Standing>> = HashMap::new();
        for some in batch.chunks(AT_ONCE) {
            let mut ids: Vec<Value> = some.iter().map(|facts| Value::Int(facts.id)).collect();
            ids.resize(AT_ONCE, Value::Int(-1));
            for row in self.store().query(STANDING, ids).await? {
                let one = Standing::read(&row)?;
                let of = all.entry(one.certificate).or_default();
                of.insert(row.text(0)?.to_owned(), one);
            }
        }
        Ok(all)
    }
}

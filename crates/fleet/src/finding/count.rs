//! How many findings stand, by rule, weight and owner: for metrics.

use audit::Timestamp;
use store::params;

use super::Severity;
use crate::{Fleet, FleetError, Result};

/// So many owners have a line of their own; who comes after is counted under `other`, or one bad import would make a
/// metric for each of its rows.
const OWNERS: usize = 200;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub rule: String,
    pub severity: Severity,
    /// Empty: nobody's.
    pub owner: String,
    pub waived: bool,
    pub count: i64,
}

const COUNT: &str = "SELECT rule, severity, owner, waived, COUNT(*) FROM (SELECT rule, severity, owner, \
    CASE WHEN waived_until > $1 THEN 1 ELSE 0 END AS waived FROM findings WHERE closed IS NULL) AS standing \
    GROUP BY rule, severity, owner, waived ORDER BY COUNT(*) DESC";

impl Fleet {
    /// Every combination that occurs, the most frequent first.
    pub async fn open_findings(&self, now: Timestamp) -> Result<Vec<Open>> {
        let mut owners = std::collections::HashSet::new();
        let mut lines: Vec<Open> = Vec::new();
        for row in self.store().query(COUNT, params![now.0]).await? {
            let owner = row.opt_text(2)?.unwrap_or_default();
            let known = owners.contains(owner) || owners.len() < OWNERS;
            if known {
                owners.insert(owner.to_owned());
            }
            let severity = Severity::from_number(row.int(1)?);
            let line = Open {
                rule: row.text(0)?.to_owned(),
                severity: severity.ok_or(FleetError::Damaged("a finding's severity"))?,
                owner: if known { owner } else { "other" }.to_owned(),
                waived: row.int(3)? != 0,
                count: row.int(4)?,
            };
            let same = |one: &&mut Open| {
                !known
                    && one.owner == line.owner
                    && one.rule == line.rule
                    && one.waived == line.waived
            };
            match lines.iter_mut().find(same) {
                Some(there) => there.count += line.count,
                None => lines.push(line),
            }
        }
        Ok(lines)
    }
}

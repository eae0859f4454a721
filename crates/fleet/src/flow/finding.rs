//! Gaps as findings: one a flow and rule, opened and closed as the map and the places say. Derived, as all findings are; a
//! waiver stays where it was put.

use std::collections::{BTreeMap, HashMap};

use audit::Timestamp;
use store::{Write, params};

use super::{Gap, Map};
use crate::finding::{Rule, finding_id, rules};
use crate::{Fleet, Result};

/// Places that one finding tells.
const TOLD: usize = 3;
/// As for other findings: a finding that is seen again is written again after so long.
const SEEN_EVERY: i64 = 86_400_000;

const STANDING: &str =
    "SELECT id, what, owner, seen FROM findings WHERE rule = $1 AND closed IS NULL ORDER BY id";
const OPEN: &str = "INSERT INTO findings(id, rule, severity, subject, certificate, place, what, owner, opened, seen, closed, \
    waived_until) VALUES($1, $2, $3, $4, NULL, $5, $6, $7, $8, $8, NULL, NULL) ON CONFLICT(id) DO UPDATE SET \
    severity = excluded.severity, place = excluded.place, what = excluded.what, owner = excluded.owner, \
    seen = excluded.seen, closed = NULL, \
    opened = CASE WHEN findings.closed IS NULL THEN findings.opened ELSE excluded.opened END";
const CLOSE: &str = "UPDATE findings SET closed = $2 WHERE id = $1 AND closed IS NULL";

/// One finding as it should stand.
struct Wanted {
    rule: &'static Rule,
    subject: String,
    place: Option<i64>,
    what: String,
    owner: Option<String>,
}

impl Fleet {
    /// Opens, keeps and closes the findings about flows; says how many stand.
    pub async fn find_flow_gaps(&self, map: &Map, now: Timestamp) -> Result<usize> {
        let mut wanted = wanted(self.flow_gaps(map, now).await?);
        let standing_count = wanted.len();
        let mut write = Write::derived();
        let mut changes = false;
        for rule in rules().filter(|rule| rule.id.starts_with("flow.")) {
            for row in self.store().query(STANDING, params![rule.id]).await? {
                let id = row.text(0)?;
                let Some(new) = wanted.get(id) else {
                    write = write.run(CLOSE, params![id, now.0]);
                    changes = true;
                    continue;
                };
                let same = row.text(1)? == new.what && row.opt_text(2)? == new.owner.as_deref();
                if same && now.0.saturating_sub(row.int(3)?) < SEEN_EVERY {
                    wanted.remove(id);
                }
            }
        }
        for (id, new) in wanted {
            changes = true;
            write = write.run(
                OPEN,
                params![
                    id,
                    new.rule.id,
                    new.rule.severity as i64,
                    new.subject,
                    new.place,
                    new.what,
                    new.owner,
                    now.0
                ],
            );
        }
        if changes {
            self.store().commit(write).await?;
        }
        Ok(standing_count)
    }
}

/// By the finding's id; gaps of one rule in one flow are one finding.
fn wanted(gaps: Vec<Gap>) -> HashMap<String, Wanted> {
    let mut by_flow: BTreeMap<(&'static str, String), Vec<Gap>> = BTreeMap::new();
    for gap in gaps {
        let key = (gap.rule, gap.flow.clone());
        by_flow.entry(key).or_default().push(gap);
    }
    let findings = by_flow.into_iter().filter_map(|((id, flow), gaps)| {
        let rule = crate::finding::rule(id)?;
        let subject = format!("flow {flow}");
        let told: Vec<&str> = gaps
            .iter()
            .take(TOLD)
            .map(|gap| gap.what.as_str())
            .collect();
        let more = match gaps.len().saturating_sub(TOLD) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let first = gaps.first();
        let wanted = Wanted {
            rule,
            what: format!("{}{more}", told.join("; ")),
            place: first.and_then(|gap| gap.place),
            owner: first.and_then(|gap| gap.owner.clone()),
            subject,
        };
        Some((finding_id(id, &wanted.subject), wanted))
    });
    findings.collect()
}

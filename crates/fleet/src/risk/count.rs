//! How many certificates are how bad, by owner and segment: what a manager asks, and what metrics say.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::Timestamp;
use serde::Serialize;
use store::params;

use super::Level;
use crate::{Fleet, Result};

/// It walks everything; nobody waits longer for figures.
const BUDGET: Duration = Duration::from_secs(20);
/// Combinations that are told: a hundred owners in a hundred segments at five levels would be more than anybody reads.
const MOST: usize = 20_000;

/// Certificates that have the same owner, segment, risk and time left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RiskCount {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    pub risk: Level,
    pub within: Within,
    pub certificates: u64,
}

/// Until when they last. Each is told in the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Within {
    Expired,
    #[serde(rename = "30-days")]
    Days30,
    #[serde(rename = "60-days")]
    Days60,
    #[serde(rename = "90-days")]
    Days90,
    Later,
}

impl Within {
    pub const ALL: [Within; 5] = [
        Within::Expired,
        Within::Days30,
        Within::Days60,
        Within::Days90,
        Within::Later,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Within::Expired => "expired",
            Within::Days30 => "30-days",
            Within::Days60 => "60-days",
            Within::Days90 => "90-days",
            Within::Later => "later",
        }
    }
}

/// All counts, and totals over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RiskCounts {
    pub certificates: u64,
    /// By level's name.
    pub risks: BTreeMap<&'static str, u64>,
    /// By what is left.
    pub within: BTreeMap<&'static str, u64>,
    pub counts: Vec<RiskCount>,
    /// There are more combinations than are told; the totals lack them.
    pub cut: bool,
}

const COUNT: &str = "SELECT owner, segment, risk, CASE WHEN not_after < $1 THEN 0 WHEN not_after < $2 THEN 1 \
    WHEN not_after < $3 THEN 2 WHEN not_after < $4 THEN 3 ELSE 4 END AS due, COUNT(*) FROM inventory \
    GROUP BY owner, segment, risk, due ORDER BY risk DESC, due, owner, segment LIMIT $5";

impl Fleet {
    /// Counts what is known by owner, segment, risk and time left.
    pub async fn risk_counts(&self, now: Timestamp) -> Result<RiskCounts> {
        let seconds = now.0.div_euclid(1000);
        let days = |days: i64| seconds.saturating_add(days * 86_400);
        let limit = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
        let params = params![seconds, days(30), days(60), days(90), limit];
        let rows = self.store().search(COUNT, params, BUDGET).await?;
        let mut all = RiskCounts {
            cut: rows.len() > MOST,
            ..RiskCounts::default()
        };
        for row in rows.iter().take(MOST) {
            let due = usize::try_from(row.int(3)?).unwrap_or_default();
            let one = RiskCount {
                owner: row.opt_text(0)?.map(str::to_owned),
                segment: row.opt_text(1)?.map(str::to_owned),
                risk: Level::from_number(row.int(2)?).unwrap_or(Level::None),
                within: Within::ALL.get(due).copied().unwrap_or(Within::Later),
                certificates: row.int(4)?.unsigned_abs(),
            };
            all.certificates += one.certificates;
            *all.risks.entry(one.risk.name()).or_default() += one.certificates;
            *all.within.entry(one.within.name()).or_default() += one.certificates;
            all.counts.push(one);
        }
        Ok(all)
    }
}

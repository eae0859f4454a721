//! What exactly is meant: the items, one by one, and a digest over them and over what is done to them.

use access::Refusal;
use audit::Timestamp;
use audit::merkle::sha256;
use serde::Serialize;
use serde_json::json;
use store::Value;
use utoipa::ToSchema;

use super::{BlastRadius, BulkAction, MOST_ITEMS, SOURCE, Wish};
use crate::inventory::{keys, many};
use crate::search::{Ask, LARGEST_PAGE, Query};
use crate::{Fleet, Result};

/// Items that an answer names.
const NAMED: usize = 1000;

static FINDINGS: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    format!(
        "SELECT f.id, f.rule FROM findings f JOIN inventory i ON i.id = f.certificate \
        WHERE f.closed IS NULL AND i.sha256 IN ({})",
        keys()
    )
});

/// An action with its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    pub action: BulkAction,
    pub wish: Wish,
    /// Certificates (SHA-256 in hex); findings to waive.
    pub items: Vec<String>,
    /// Certificates that are concerned.
    pub certificates: Vec<String>,
}

/// What would happen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Planned {
    #[schema(value_type = String)]
    pub action: BulkAction,
    /// How many items there are: certificates, or findings to waive.
    pub count: usize,
    /// The first thousand.
    pub items: Vec<String>,
    /// Send it back to have exactly this done.
    pub digest: String,
    pub blast_radius: BlastRadius,
}

impl Meant {
    /// SHA-256, in hex, over the action, what it does, and each item.
    pub fn digest(&self) -> String {
        let Wish {
            reason,
            why,
            owner,
            tags,
            untag,
            rule,
            until,
            ..
        } = &self.wish;
        let text = json!({
            "action": self.action.name(), "items": self.items, "reason": reason, "why": why, "owner": owner,
            "tags": tags, "untag": untag, "rule": rule, "until": until,
        });
        hex::encode(sha256(text.to_string().as_bytes()))
    }
}

impl Fleet {
    /// Finds out what is meant, and that it is all there to be done.
    pub async fn meant(&self, action: BulkAction, wish: Wish, now: Timestamp) -> Result<Meant> {
        complete(action, &wish)?;
        let mut certificates = match &wish.search {
            Some(search) => self.found_by(search, now).await?,
            None => wish.ids.iter().map(|id| id.to_ascii_lowercase()).collect(),
        };
        certificates.sort_unstable();
        certificates.dedup();
        check_size(certificates.len())?;
        let items = match (action, &wish.rule) {
            (BulkAction::Waive, Some(rule)) => self.findings_of(&certificates, rule).await?,
            _ => certificates.clone(),
        };
        check_size(items.len())?;
        Ok(Meant {
            action,
            wish,
            items,
            certificates,
        })
    }

    /// What would happen, and the digest to have it happen.
    pub async fn plan(&self, meant: &Meant, now: Timestamp) -> Result<Planned> {
        Ok(Planned {
            action: meant.action,
            count: meant.items.len(),
            items: meant.items.iter().take(NAMED).cloned().collect(),
            digest: meant.digest(),
            blast_radius: self.blast_radius(&meant.certificates, now).await?,
        })
    }

    async fn found_by(&self, search: &str, now: Timestamp) -> Result<Vec<String>> {
        let query: Query = search.parse()?;
        if query.as_of.is_some() {
            let message = "what was is not what is to be changed";
            return Err(Refusal::new("bulk.as-of", SOURCE, message)
                .accepted("the search without `as of`")
                .into());
        }
        let mut ask = Ask {
            query,
            limit: Some(LARGEST_PAGE),
            ..Ask::default()
        };
        let mut found = Vec::new();
        loop {
            let page = self.search_inventory(&ask, now).await?;
            found.extend(page.certificates.into_iter().map(|one| one.sha256));
            check_size(found.len())?;
            ask.after = page.next;
            if ask.after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn findings_of(&self, certificates: &[String], rule: &str) -> Result<Vec<String>> {
        let hashes = certificates.iter().filter_map(|id| hex::decode(id).ok());
        let mut items = Vec::new();
        for row in many(self.store(), FINDINGS.as_str(), hashes.map(Value::from)).await? {
            if row.text(1)? == rule {
                items.push(row.text(0)?.to_owned());
            }
        }
        items.sort_unstable();
        items.dedup();
        Ok(items)
    }
}

fn refusal(rule: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, SOURCE, message.into())
}

fn check_size(count: usize) -> Result<(), Refusal> {
    match count > MOST_ITEMS {
        true => Err(refusal("bulk.size", "that is more than one job takes")
            .accepted(format!("at most {MOST_ITEMS} items; narrow the search"))),
        false => Ok(()),
    }
}

fn complete(action: BulkAction, wish: &Wish) -> Result<(), Refusal> {
    if wish.search.is_some() != wish.ids.is_empty() {
        return Err(
            refusal("bulk.what", "it is not said to what").accepted("either `search` or `ids`")
        );
    }
    let hash = |id: &String| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !wish.ids.iter().all(hash) {
        return Err(
            refusal("bulk.id", "an id is no SHA-256").accepted("64 hexadecimal digits each")
        );
    }
    let lacking = match action {
        BulkAction::Revoke if wish.reason.is_none() => "reason",
        BulkAction::Owner if wish.owner.is_none() => "owner",
        BulkAction::Tag if wish.tags.is_empty() && wish.untag.is_empty() => "tags or untag",
        BulkAction::Waive if wish.rule.is_none() => "rule",
        BulkAction::Waive if wish.until.is_none() => "until",
        BulkAction::Waive if wish.owner.is_none() => "owner",
        BulkAction::Waive if wish.why.is_none() => "why",
        _ => return Ok(()),
    };
    Err(refusal("bulk.lacks", format!("{lacking} is not given"))
        .accepted(format!("`{lacking}` for {action}")))
}

//! Rules and what was set by hand, as records whose versions are kept (R52). Whatever they change is settled anew.

use std::sync::LazyLock;

use access::{Action, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::Serialize;
use serde_json::json;
use store::{Record, Write, params};
use x509::Certificate;

use super::{Candidate, Gift, HAND_RECORDS, OwnerRule, RULE_RECORDS, Verdict, When, tried};
use crate::inventory::stored;
use crate::inventory::text::clean;
use crate::{Fleet, FleetError, Result};

const SOURCE: &str = "docs/owners.md";
const MOST_RULES: usize = 1000;
const MOST_ITEMS: usize = 200;
const LONGEST: usize = 200;

/// Everything is looked at again: a rule may match any of it.
const ALL_AGAIN: &str = "UPDATE inventory_head SET again = 0 WHERE id = 1";
const ONE_AGAIN: &str = "UPDATE inventory SET settled = 0 WHERE sha256 = $1";

static HANDS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT id, body FROM records WHERE kind = '{HAND_RECORDS}' AND valid_to IS NULL AND id IN ({})",
        stored::keys()
    )
});

/// A rule with the number of its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredRule {
    pub version: u64,
    /// Unix milliseconds.
    pub since: i64,
    pub rule: OwnerRule,
}

/// What was set by hand on a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoredHand {
    pub version: u64,
    pub gift: Gift,
}

/// Which certificate rules are tried on.
#[derive(Clone, Debug)]
pub enum Trial {
    /// One of the inventory, by its SHA-256.
    Known([u8; 32]),
    /// Any: as the inventory knows it, or as it would be if it were found now, nowhere in particular.
    Given(Box<Certificate>),
}

/// What came of trying the rules.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// The one that matches.
    pub rule: Option<String>,
    /// Every rule up to that one.
    pub tried: Vec<Verdict>,
}

impl Fleet {
    /// Tries the rules on a certificate: which would match, and why not those before it.
    pub async fn try_owner_rules(&self, trial: &Trial) -> Result<Tried> {
        let rules = self.owner_rules().await?;
        let rules: Vec<OwnerRule> = rules.into_iter().map(|stored| stored.rule).collect();
        let candidate = match trial {
            Trial::Known(sha256) => self.candidate(sha256).await?,
            Trial::Given(certificate) => match self.candidate(&certificate.fingerprint()).await {
                Err(FleetError::NotFound { .. }) => Candidate::of_certificate(certificate),
                known => known?,
            },
        };
        let tried = tried(&rules, &candidate);
        let found = tried.iter().find(|verdict| verdict.matches);
        Ok(Tried {
            rule: found.map(|verdict| verdict.rule.clone()),
            tried,
        })
    }

    /// Every rule, in the order in which they are tried.
    pub async fn owner_rules(&self) -> Result<Vec<StoredRule>> {
        let records = self.store().records(RULE_RECORDS).await?;
        in_order(records)
    }

    /// The rules as they were at `at` (R52).
    pub async fn owner_rules_as_of(&self, at: Timestamp) -> Result<Vec<StoredRule>> {
        let records = self.store().records_as_of(RULE_RECORDS, at).await?;
        in_order(records)
    }

    pub async fn owner_rule(&self, name: &str) -> Result<StoredRule> {
        let record = self.store().record(RULE_RECORDS, name).await?;
        read(&record.ok_or_else(|| FleetError::not_found("owner rule", name))?)
    }

    /// Adds a rule (`expected` 0) or changes one. Position 0 in a new rule puts it behind all others.
    pub async fn put_owner_rule(
        &self,
        permit: &Permit,
        mut rule: OwnerRule,
        expected: u64,
        now: Timestamp,
    ) -> Result<StoredRule> {
        let action = if expected == 0 {
            "owner-rule.create"
        } else {
            "owner-rule.update"
        };
        let object = Object::new(RULE_RECORDS, clean(&rule.name));
        let rules = self.owner_rules().await?;
        let checked = may_manage(permit).and_then(|()| tidy(&mut rule, expected, &rules));
        self.checked(permit, action, &object, checked, now).await?;
        let before = rules.iter().find(|stored| stored.rule.name == rule.name);
        if expected == 0 && rule.position == 0 {
            let last = rules.last().map_or(0, |stored| stored.rule.position);
            rule.position = last.saturating_add(10);
        }
        let mut event = Event::new(now, permit.actor().clone(), action, object.clone());
        if let Some(before) = before {
            event = event.before(json!(before.rule));
        }
        let event = permit.joined(event.after(json!(rule)));
        let write = Write::new(event)?
            .put_record(RULE_RECORDS, &rule.name, expected, &rule, now)?
            .run(ALL_AGAIN, vec![]);
        self.store().commit(write).await?;
        Ok(StoredRule {
            version: expected + 1,
            since: now.0,
            rule,
        })
    }

    pub async fn remove_owner_rule(
        &self,
        permit: &Permit,
        name: &str,
        now: Timestamp,
    ) -> Result<()> {
        let action = "owner-rule.remove";
        let object = Object::new(RULE_RECORDS, clean(name));
        self.checked(permit, action, &object, may_manage(permit), now)
            .await?;
        let stored = self.owner_rule(name).await?;
        let event = Event::new(now, permit.actor().clone(), action, object);
        let event = permit.joined(event.before(json!(stored.rule)));
        let write = Write::new(event)?
            .remove_record(RULE_RECORDS, name, stored.version, now)
            .run(ALL_AGAIN, vec![]);
        self.store().commit(write).await?;
        Ok(())
    }

    /// What was set by hand on a certificate; version 0 if nothing was.
    pub async fn hand_set(&self, sha256: &[u8; 32]) -> Result<StoredHand> {
        let record = self
            .store()
            .record(HAND_RECORDS, &hex::encode(sha256))
            .await?;
        let Some(record) = record else {
            return Ok(StoredHand::default());
        };
        Ok(StoredHand {
            version: record.version,
            gift: record.parse()?,
        })
    }

    /// Says by hand whose a certificate is, instead of what was said by hand before; a gift of nothing takes it back.
    pub async fn set_by_hand(
        &self,
        permit: &Permit,
        sha256: &[u8; 32],
        mut gift: Gift,
        now: Timestamp,
    ) -> Result<()> {
        let action = "inventory.set";
        let object = Object::new("certificate", hex::encode(sha256));
        let checked = may_manage(permit).and_then(|()| tidy_gift(&mut gift));
        self.checked(permit, action, &object, checked, now).await?;
        let known = stored::known_certificates(self.store(), &[*sha256]).await?;
        if known.is_empty() {
            return Err(FleetError::not_found("certificate", &object.id));
        }
        let before = self.hand_set(sha256).await?;
        if before.gift == gift {
            return Ok(());
        }
        let event = Event::new(now, permit.actor().clone(), action, object.clone());
        let event = event.before(json!(before.gift)).after(json!(gift));
        let write = Write::new(permit.joined(event))?;
        let write = match gift == Gift::default() {
            true => write.remove_record(HAND_RECORDS, &object.id, before.version, now),
            false => write.put_record(HAND_RECORDS, &object.id, before.version, &gift, now)?,
        };
        let write = write.run(ONE_AGAIN, params![*sha256]);
        self.store().commit(write).await?;
        Ok(())
    }

    /// What was set by hand on some certificates, by their SHA-256 in hex.
    pub(crate) async fn hands(
        &self,
        keys: &[[u8; 32]],
    ) -> Result<std::collections::HashMap<String, Gift>> {
        let ids = keys.iter().map(|sha256| hex::encode(sha256).into());
        let rows = stored::many(self.store(), HANDS.as_str(), ids).await?;
        let mut hands = std::collections::HashMap::new();
        for row in rows {
            if let Some(gift) = stored::parsed(Some(row.text(1)?)) {
                hands.insert(row.text(0)?.to_owned(), gift);
            }
        }
        Ok(hands)
    }
}

fn may_manage(permit: &Permit) -> Result<(), Refusal> {
    permit.require(Action::ManageInventory)
}

fn in_order(records: Vec<Record>) -> Result<Vec<StoredRule>> {
    let mut rules = records.iter().map(read).collect::<Result<Vec<_>>>()?;
    rules.sort_by(|one, other| {
        let key = |stored: &StoredRule| (stored.rule.position, stored.rule.name.clone());
        key(one).cmp(&key(other))
    });
    Ok(rules)
}

fn read(record: &Record) -> Result<StoredRule> {
    Ok(StoredRule {
        version: record.version,
        since: record.valid_from.0,
        rule: record.parse()?,
    })
}

fn refusal(rule: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, SOURCE, message)
}

pub(super) fn tidy(
    rule: &mut OwnerRule,
    expected: u64,
    rules: &[StoredRule],
) -> Result<(), Refusal> {
    let name = rule.name.trim().to_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(refusal("owner-rule.name", "that is no name for a rule")
            .accepted("up to 64 letters, digits, hyphens, dots and underscores"));
    }
    if expected == 0 && rules.iter().any(|stored| stored.rule.name == name) {
        return Err(refusal(
            "owner-rule.duplicate",
            format!("there is a rule {name} already"),
        )
        .accepted("another name, or a change of the rule that is there"));
    }
    if expected == 0 && rules.len() >= MOST_RULES {
        return Err(refusal("owner-rule.count", "there are too many rules")
            .accepted(format!("at most {MOST_RULES}")));
    }
    rule.name = name;
    rule.note = clean(rule.note.trim());
    tidy_when(&mut rule.when)?;
    tidy_gift(&mut rule.give)?;
    match rule.give == Gift::default() {
        true => Err(refusal("owner-rule.empty", "the rule gives nothing")
            .accepted("an owner, tags, a criticality, an environment, a site or a vendor")),
        false => Ok(()),
    }
}

fn tidy_when(when: &mut When) -> Result<(), Refusal> {
    const WAYS: [&str; 5] = ["scan", "capture", "file", "import", "issued"];
    if let Some(way) = when.how.iter().find(|way| !WAYS.contains(&way.as_str())) {
        return Err(refusal(
            "owner-rule.how",
            format!("`{}` is no way of finding", clean(way)),
        )
        .accepted(WAYS.join(", ")));
    }
    let counts = [when.addresses.len(), when.ports.len()];
    let lists = [
        &mut when.names,
        &mut when.issuers,
        &mut when.subjects,
        &mut when.vendors,
        &mut when.segments,
        &mut when.hosts,
        &mut when.paths,
    ];
    for list in lists {
        tidy_list(list)?;
    }
    match counts.iter().any(|count| *count > MOST_ITEMS) {
        true => Err(too_many()),
        false => Ok(()),
    }
}

pub(super) fn tidy_gift(gift: &mut Gift) -> Result<(), Refusal> {
    tidy_list(&mut gift.tags)?;
    for text in [&mut gift.owner, &mut gift.site, &mut gift.vendor] {
        *text = text
            .take()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        if let Some(text) = text {
            fits(text)?;
        }
    }
    Ok(())
}

fn tidy_list(list: &mut Vec<String>) -> Result<(), Refusal> {
    for text in list.iter_mut() {
        *text = text.trim().to_owned();
        fits(text)?;
    }
    list.retain(|text| !text.is_empty());
    match list.len() > MOST_ITEMS {
        true => Err(too_many()),
        false => Ok(()),
    }
}

fn fits(text: &str) -> Result<(), Refusal> {
    match text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        true => Err(
            refusal("owner-rule.text", "a text cannot be kept").accepted(format!(
                "at most {LONGEST} characters, none of them a control character"
            )),
        ),
        false => Ok(()),
    }
}

fn too_many() -> Refusal {
    refusal("owner-rule.items", "a list is too long")
        .accepted(format!("at most {MOST_ITEMS} items"))
}

//! Waivers: a finding that stands and is borne for a while, by somebody, for a reason (R03).

use access::{Action, Permit, Refusal};
use audit::{Actor, Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Write, params};

use super::{MISISSUANCE, Rule, rule};
use crate::inventory::Facts;
use crate::{Fleet, FleetError, Result, random};

/// The kind under which waivers are kept.
pub const WAIVER_RECORDS: &str = "waiver";

/// Longest a waiver may last: what is borne for longer is looked at again by somebody.
const LONGEST: i64 = 366 * 86_400_000;
const SOURCE: &str = "R03 (exceptions with an owner and an end date); docs/findings.md";

/// What is borne, by whom, why, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// `w` and sixteen hex digits.
    pub id: String,
    /// The rule that is waived.
    pub rule: String,
    /// One finding of it; otherwise all of a segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Who answers for it.
    pub owner: String,
    pub reason: String,
    /// Unix milliseconds.
    pub until: i64,
    /// Who entered it.
    pub by: String,
}

/// A waiver with the number of its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredWaiver {
    pub version: u64,
    /// Unix milliseconds.
    pub since: i64,
    #[serde(flatten)]
    pub waiver: Waiver,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewWaiver {
    /// One finding…
    pub finding: Option<String>,
    /// …or everything that a rule finds in a segment.
    pub rule: Option<String>,
    pub segment: Option<String>,
    pub owner: String,
    pub reason: String,
    /// Unix milliseconds.
    pub until: i64,
}

const WAIVE_ONE: &str = "UPDATE findings SET waived_until = $2 WHERE id = $1 \
    AND (waived_until IS NULL OR waived_until < $2)";
const WAIVE_SEGMENT: &str = "UPDATE findings SET waived_until = $3 WHERE rule = $1 AND closed IS NULL \
    AND (waived_until IS NULL OR waived_until < $3) \
    AND certificate IN (SELECT id FROM inventory WHERE segment = $2)";
const UNWAIVE_ONE: &str = "UPDATE findings SET waived_until = NULL WHERE id = $1";
const UNWAIVE_SEGMENT: &str = "UPDATE findings SET waived_until = NULL WHERE rule = $1 AND closed IS NULL \
    AND certificate IN (SELECT id FROM inventory WHERE segment = $2)";
/// `inventory.findings` of the certificates that have such findings, as settling would write it.
const COUNT_ONE: &str = "UPDATE inventory SET findings = (SELECT COUNT(*) FROM findings f WHERE f.certificate = inventory.id \
    AND f.closed IS NULL AND f.severity > 1 AND (f.waived_until IS NULL OR f.waived_until <= $2)) \
    WHERE id = (SELECT certificate FROM findings WHERE id = $1)";
const COUNT_SEGMENT: &str = "UPDATE inventory SET findings = (SELECT COUNT(*) FROM findings f WHERE f.certificate = inventory.id \
    AND f.closed IS NULL AND f.severity > 1 AND (f.waived_until IS NULL OR f.waived_until <= $3)) \
    WHERE segment = $2 AND id IN (SELECT certificate FROM findings WHERE rule = $1 AND closed IS NULL)";

/// Until when a finding is waived, if it is.
pub(super) fn until(
    waivers: &[StoredWaiver],
    id: &str,
    rule: &Rule,
    facts: &Facts,
    now: Timestamp,
) -> Option<i64> {
    let segment = facts.assigned.segment.as_deref();
    let meant = |waiver: &&Waiver| match &waiver.finding {
        Some(finding) => finding == id,
        None => waiver.rule == rule.id && waiver.segment.as_deref() == segment && segment.is_some(),
    };
    let all = waivers.iter().map(|stored| &stored.waiver);
    let ends = all.filter(meant).map(|waiver| waiver.until);
    ends.filter(|until| *until > now.0).max()
}

impl Fleet {
    /// Every waiver in force, by id.
    pub async fn waivers(&self) -> Result<Vec<StoredWaiver>> {
        let records = self.store().records(WAIVER_RECORDS).await?;
        let read = records.iter().map(|record| {
            Ok(StoredWaiver {
                version: record.version,
                since: record.valid_from.0,
                waiver: record.parse()?,
            })
        });
        read.collect()
    }

    /// Waives a finding, or what a rule finds in a segment.
    pub async fn waive(
        &self,
        permit: Permit,
        new: NewWaiver,
        now: Timestamp,
    ) -> Result<StoredWaiver> {
        const ACTION: &str = "waiver.create";
        let of = new.finding.clone().or_else(|| new.rule.clone());
        let object = Object::new("finding", of.unwrap_or_default());
        let allowed = permit.require(Action::ManageFindings);
        self.checked(&permit, ACTION, &object, allowed, now).await?;
        let rule = match &new.finding {
            Some(id) => self.finding(id, now).await?.rule,
            None => new.rule.clone().unwrap_or_default(),
        };
        let checked = check(&new, &rule, now);
        self.checked(&permit, ACTION, &object, checked, now).await?;
        let waiver = Waiver {
            id: format!("w{}", hex::encode(random::<8>()?)),
            rule,
            finding: new.finding,
            segment: new.segment,
            owner: new.owner.trim().to_owned(),
            reason: new.reason.trim().to_owned(),
            until: new.until,
            by: permit.actor().id.clone(),
        };
        let event = Event::new(
            now,
            permit.actor().clone(),
            ACTION,
            Object::new("waiver", waiver.id.as_str()),
        )
        .why(waiver.reason.clone())
        .after(json!(waiver));
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(WAIVER_RECORDS, &waiver.id, 0, &waiver, now)?;
        let write = counted(applied(write, &waiver), &waiver, now);
        self.store().commit(write).await?;
        Ok(StoredWaiver {
            version: 1,
            since: now.0,
            waiver,
        })
    }

    /// Takes a waiver back, by its id or by the finding that it is for.
    pub async fn unwaive(
        &self,
        permit: Permit,
        id: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<StoredWaiver> {
        let object = Object::new("waiver", id);
        let allowed = permit.require(Action::ManageFindings);
        self.checked(&permit, "waiver.remove", &object, allowed, now)
            .await?;
        let meant = |stored: &&StoredWaiver| {
            stored.waiver.id == id || stored.waiver.finding.as_deref() == Some(id)
        };
        let all = self.waivers().await?;
        let stored = all.iter().find(meant).cloned();
        let stored = stored.ok_or_else(|| FleetError::not_found("waiver", id))?;
        let object = Object::new("waiver", stored.waiver.id.as_str());
        let event = Event::new(now, permit.actor().clone(), "waiver.remove", object)
            .before(json!(stored.waiver));
        let event = match reason.trim() {
            "" => event,
            reason => event.why(reason),
        };
        let write = Write::new(permit.joined(event))?;
        self.end_waiver(write, &stored, &all, now).await?;
        Ok(stored)
    }

    /// Ends the waivers whose time is over. How many.
    pub async fn end_waivers(&self, now: Timestamp) -> Result<usize> {
        let all = self.waivers().await?;
        let over = all.iter().filter(|stored| stored.waiver.until <= now.0);
        let mut ended = 0;
        for stored in over {
            let object = Object::new("waiver", stored.waiver.id.as_str());
            let event = Event::new(now, Actor::system("findings"), "waiver.end", object)
                .why("its time is over")
                .before(json!(stored.waiver));
            self.end_waiver(Write::new(event)?, stored, &all, now)
                .await?;
            ended += 1;
        }
        Ok(ended)
    }

    /// What another waiver covers too stays covered.
    async fn end_waiver(
        &self,
        write: Write,
        stored: &StoredWaiver,
        all: &[StoredWaiver],
        now: Timestamp,
    ) -> Result<()> {
        let waiver = &stored.waiver;
        let mut write = write.remove_record(WAIVER_RECORDS, &waiver.id, stored.version, now);
        write = match (&waiver.finding, &waiver.segment) {
            (Some(finding), _) => write.run(UNWAIVE_ONE, params![finding]),
            (None, segment) => write.run(UNWAIVE_SEGMENT, params![&waiver.rule, segment.clone()]),
        };
        for other in all.iter().map(|stored| &stored.waiver) {
            if other.rule == waiver.rule && other.id != waiver.id && other.until > now.0 {
                write = applied(write, other);
            }
        }
        self.store().commit(counted(write, waiver, now)).await?;
        Ok(())
    }
}

fn applied(write: Write, waiver: &Waiver) -> Write {
    match (&waiver.finding, &waiver.segment) {
        (Some(finding), _) => write.run(WAIVE_ONE, params![finding, waiver.until]),
        (None, segment) => write.run(
            WAIVE_SEGMENT,
            params![&waiver.rule, segment.clone(), waiver.until],
        ),
    }
}

fn counted(write: Write, waiver: &Waiver, now: Timestamp) -> Write {
    match (&waiver.finding, &waiver.segment) {
        (Some(finding), _) => write.run(COUNT_ONE, params![finding, now.0]),
        (None, segment) => write.run(COUNT_SEGMENT, params![&waiver.rule, segment.clone(), now.0]),
    }
}

fn check(new: &NewWaiver, of: &str, now: Timestamp) -> Result<(), Refusal> {
    let no = |rule: &'static str, message: String, accepted: &str| {
        Err(Refusal::new(rule, SOURCE, message).accepted(accepted))
    };
    let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    let one = said(&new.finding) && !said(&new.rule) && !said(&new.segment);
    let many = !said(&new.finding) && said(&new.rule) && said(&new.segment);
    if !one && !many {
        let message = "a waiver is for one finding, or for one rule in one segment".to_owned();
        return no(
            "waiver.scope",
            message,
            "a finding's id; or a rule and a segment",
        );
    }
    if of == MISISSUANCE {
        let message = "a misissued certificate is an incident, and is not waived".to_owned();
        return no(
            "waiver.incident",
            message,
            "its end: see `ward finding incident close`",
        );
    }
    if many && rule(of).is_none() {
        let message = format!("`{of}` is no rule");
        return no(
            "waiver.rule",
            message,
            "a rule's id: see `ward finding rules`",
        );
    }
    let owner = new.owner.trim();
    if owner.is_empty() || owner.len() > 200 || owner.contains(char::is_control) {
        let message = "a waiver has an owner who answers for it".to_owned();
        return no(
            "waiver.owner",
            message,
            "a name or a team of at most 200 characters",
        );
    }
    let reason = new.reason.trim().chars().count();
    if !(10..=1000).contains(&reason) {
        let message = format!("a reason of {reason} characters tells nobody why");
        return no("waiver.reason", message, "ten characters to a thousand");
    }
    if new.until <= now.0 || new.until > now.0.saturating_add(LONGEST) {
        let message = "a waiver ends within a year".to_owned();
        return no(
            "waiver.until",
            message,
            "an instant from now to 366 days ahead",
        );
    }
    Ok(())
}

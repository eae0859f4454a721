//! Approval policies (R07): which calls are not made until other people have agreed. A call that a policy catches is kept
//! as a request and made once, as whoever asked, with their permissions decided anew.

use std::sync::Arc;

use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Memo, Record, Write};

use crate::people::read;
use crate::person::check_id;
use crate::{
    Access, AccessError, Action, POLICY_RECORDS, Permit, Principal, Refusal, Role, Target, Where,
    glob,
};

/// How old cached policies may be: what another process writes is seen within this, or with its event.
const CACHE_MS: i64 = 1000;
/// Longest that an approval may take: what is agreed after a month is agreed about another house.
const MOST_HOURS: u32 = 24 * 31;

/// Who makes the call once enough people agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Execute {
    /// The server, at once.
    #[default]
    AtApproval,
    /// Whoever asked, when they like, before it lapses.
    ByAsker,
}

/// Which calls need the word of others, and whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Its name.
    pub name: String,
    /// What people read.
    #[serde(default)]
    pub label: String,
    /// The action that it catches.
    pub action: Action,
    /// Only with a profile that matches; a call whose profile is not known is caught.
    #[serde(default)]
    pub profile: Option<String>,
    /// Only in a segment that matches; a call whose segment is not known is caught.
    #[serde(default)]
    pub segment: Option<String>,
    /// Only of somebody who may do it by this role.
    #[serde(default)]
    pub asker: Option<Role>,
    /// How many other people must agree.
    pub needed: u8,
    /// By which roles people may agree; none is every role that may decide about requests.
    #[serde(default)]
    pub approvers: Vec<Role>,
    /// After how many hours it lapses undecided.
    pub hours: u32,
    /// Whether the asker may go ahead in an emergency, to be reviewed afterwards.
    #[serde(default)]
    pub emergency: bool,
    /// Who makes the call in the end.
    #[serde(default)]
    pub execute: Execute,
    /// Which version of the record this is.
    #[serde(default)]
    pub version: u64,
}

/// Every policy, and when they were read.
pub(crate) type Cache = Memo<(i64, Arc<Vec<ApprovalPolicy>>)>;

impl ApprovalPolicy {
    fn check(&self) -> Result<(), Refusal> {
        let no = |rule: &'static str, found: String, accepted: String| {
            Err(Refusal::new(rule, "R07: approvals", found).accepted(accepted))
        };
        check_id("policy", &self.name)?;
        if self.action.is_reading() || self.action == Action::ApproveRequests {
            let found = format!("{} cannot wait for approval", self.action);
            return no(
                "policy.action",
                found,
                "an action that changes something, but for approve-requests".into(),
            );
        }
        if !(1..=8).contains(&self.needed) {
            return no(
                "policy.needed",
                self.needed.to_string(),
                "1 to 8 other people".into(),
            );
        }
        if !(1..=MOST_HOURS).contains(&self.hours) {
            return no(
                "policy.hours",
                self.hours.to_string(),
                format!("1 to {MOST_HOURS} hours"),
            );
        }
        if let Some(role) = self
            .approvers
            .iter()
            .find(|role| !role.allows(Action::ApproveRequests))
        {
            let may = Action::ApproveRequests
                .roles()
                .iter()
                .map(|role| role.name());
            let may: Vec<&str> = may.collect();
            return no(
                "policy.approvers",
                format!("{role} decides no requests"),
                may.join(", "),
            );
        }
        let texts = [
            Some(&self.label),
            self.profile.as_ref(),
            self.segment.as_ref(),
        ];
        let bad = |text: &&String| text.chars().count() > 200 || text.chars().any(char::is_control);
        if texts.into_iter().flatten().any(|text| bad(&text)) {
            return no(
                "policy.text",
                "a text that cannot be shown".into(),
                "at most 200 printable characters".into(),
            );
        }
        Ok(())
    }

    /// Whether a call is one of those. What the call does not say is taken for what the policy means.
    fn catches(&self, permit: &Permit, target: &Target<'_>) -> bool {
        let within = |pattern: &Option<String>, value: Option<&str>| match (pattern, value) {
            (Some(pattern), Some(value)) => glob(pattern, value),
            _ => true,
        };
        let segment = match target.place {
            Where::At(place) => place.segment,
            Where::Anywhere | Where::Later => None,
        };
        let by_role = |role: Role| permit.actor().role.as_deref() == Some(role.name());
        self.action == permit.action()
            && self.asker.is_none_or(by_role)
            && within(&self.profile, target.profile)
            && within(&self.segment, segment)
    }
}

impl Access {
    /// The strictest policy that catches what `permit` would do to `target`, if any does.
    pub async fn caught(
        &self,
        permit: &Permit,
        target: &Target<'_>,
        now: Timestamp,
    ) -> Result<Option<ApprovalPolicy>, AccessError> {
        let policies = self.current_policies(now).await?;
        let caught = policies
            .iter()
            .filter(|policy| policy.catches(permit, target));
        Ok(caught.max_by_key(|policy| policy.needed).cloned())
    }

    /// Writes a policy down, or changes it: `policy.version` is the one that was read, 0 for a new one.
    pub async fn put_policy(
        &self,
        permit: &Permit,
        mut policy: ApprovalPolicy,
        now: Timestamp,
    ) -> Result<ApprovalPolicy, AccessError> {
        let verb = if policy.version == 0 {
            "policy.create"
        } else {
            "policy.change"
        };
        let at = Object::new("approval-policy", policy.name.as_str());
        self.policy_rule(permit, verb, at.clone(), policy.check(), now)
            .await?;
        let mut event = Event::new(now, permit.actor().clone(), verb, at).after(json!(policy));
        if policy.version > 0 {
            event = event.before(json!(self.policy(&policy.name).await?));
        }
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(POLICY_RECORDS, &policy.name, policy.version, &policy, now)?;
        self.store.commit(write).await?;
        self.policies.forget();
        policy.version = self.policy(&policy.name).await?.version;
        Ok(policy)
    }

    /// Ends a policy; calls that it caught still wait for their people.
    pub async fn remove_policy(
        &self,
        permit: &Permit,
        name: &str,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let policy = self.policy(name).await?;
        let at = Object::new("approval-policy", name);
        self.policy_rule(permit, "policy.remove", at.clone(), Ok(()), now)
            .await?;
        let event =
            Event::new(now, permit.actor().clone(), "policy.remove", at).before(json!(policy));
        let write = Write::new(permit.joined(event))?;
        let write = write.remove_record(POLICY_RECORDS, name, policy.version, now);
        self.store.commit(write).await?;
        self.policies.forget();
        Ok(())
    }

    /// One policy.
    pub async fn policy(&self, name: &str) -> Result<ApprovalPolicy, AccessError> {
        match self.store.record(POLICY_RECORDS, name).await? {
            Some(record) => policy(&record),
            None => Err(AccessError::NotFound {
                kind: "approval policy",
                id: name.to_owned(),
            }),
        }
    }

    /// Every policy, by name.
    pub async fn policies(&self) -> Result<Vec<ApprovalPolicy>, AccessError> {
        let records = self.store.records(POLICY_RECORDS).await?;
        records.iter().map(policy).collect()
    }

    /// Every policy as it was at `at`, by name.
    pub async fn policies_as_of(&self, at: Timestamp) -> Result<Vec<ApprovalPolicy>, AccessError> {
        let records = self.store.records_as_of(POLICY_RECORDS, at).await?;
        records.iter().map(policy).collect()
    }

    async fn current_policies(
        &self,
        now: Timestamp,
    ) -> Result<Arc<Vec<ApprovalPolicy>>, AccessError> {
        let fresh = |(read, _): &(i64, _)| (0..CACHE_MS).contains(&(now.0 - read));
        let read = async { Ok::<_, AccessError>((now.0, Arc::new(self.policies().await?))) };
        let (_, policies) = self.policies.get_or_read(fresh, read).await?;
        Ok(policies)
    }

    async fn policy_rule(
        &self,
        permit: &Permit,
        verb: &'static str,
        at: Object,
        checked: Result<(), Refusal>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let ruled = permit
            .require(Action::ManagePolicies)
            .and_then(|()| permit.check_unlimited("policy.scope"))
            .and(checked);
        match ruled {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.no(refusal, permit, verb, at, now).await),
        }
    }

    /// Whoever `earlier` was, with what they are granted as of now.
    pub async fn principal_now(
        &self,
        earlier: &Principal,
        now: Timestamp,
    ) -> Result<Arc<Principal>, AccessError> {
        self.as_of_now(earlier, now).await
    }
}

fn policy(record: &Record) -> Result<ApprovalPolicy, AccessError> {
    let mut policy: ApprovalPolicy = read(record, "approval-policy")?;
    policy.version = record.version;
    Ok(policy)
}

//! Misissuance (R20): a valid signature of ours under something that we have no record of. Somebody has the key, or the log
//! was cut. It is an event the moment it is seen, an alert goes out with it, and only a person ends it.

use access::{Action, Permit, Refusal};
use audit::{Actor, Event, Object, Timestamp};
use serde_json::json;
use store::{StoreError, Write, params};

use super::{Finding, FindingFilter, Found, Show, words};
use crate::inventory::Facts;
use crate::{Fleet, Result, alert};

/// The rule.
pub const MISISSUANCE: &str = "ca.unrecorded";
/// The event.
pub const INCIDENT: &str = "incident.misissuance";
const CLOSED: &str = "incident.close";

/// One that is new, or was closed and is seen again.
const OPEN: &str = "INSERT INTO findings(id, rule, severity, subject, certificate, place, what, owner, opened, seen, closed, \
    waived_until) VALUES($1, $2, $3, $4, $5, NULL, $6, $7, $8, $8, NULL, NULL) ON CONFLICT(id) DO UPDATE SET \
    certificate = excluded.certificate, what = excluded.what, owner = excluded.owner, opened = excluded.opened, \
    seen = excluded.seen, closed = NULL WHERE findings.closed IS NOT NULL";
const THERE: &str = "the incident is open already";
const CLOSED_AT: &str = "SELECT closed FROM findings WHERE id = $1 AND closed IS NOT NULL";
const CLOSE: &str =
    "UPDATE findings SET closed = $2 WHERE id = $1 AND rule = $3 AND closed IS NULL";
const STILL_SHOWN: &str = "SELECT COUNT(*) FROM places WHERE certificate = $1 AND gone IS NULL";

impl Fleet {
    /// Opens an incident unless the CA knows the certificate after all: the inventory may be a moment behind it. Whether it
    /// stands.
    pub(super) async fn raise(
        &self,
        facts: &Facts,
        found: &Found,
        id: &str,
        now: Timestamp,
    ) -> Result<bool> {
        if self.is_ours(facts).await? || !self.is_new(facts, id).await? {
            return Ok(false);
        }
        let sha256 = hex::encode(facts.sha256);
        let certificate = &facts.certificate;
        let places: Vec<String> = facts
            .places
            .iter()
            .map(|one| words::place(&one.place))
            .collect();
        let told = json!({
            "finding": id,
            "severity": found.rule.severity,
            "authority": facts.authority,
            "subject": words::safe(&certificate.subject().to_string()),
            "serial": hex::encode(certificate.serial()),
            "not_after": certificate.not_after().0,
            "places": places.iter().take(16).map(|place| words::safe(place)).collect::<Vec<_>>(),
            "owner": facts.assigned.owner,
        });
        let event = Event::new(
            now,
            Actor::system("findings"),
            INCIDENT,
            Object::new("certificate", sha256.as_str()),
        )
        .why(found.what.clone())
        .after(told.clone());
        let row = params![
            id,
            MISISSUANCE,
            found.rule.severity as i64,
            format!("certificate {sha256}"),
            facts.id,
            found.what.as_str(),
            facts.assigned.owner.clone(),
            now.0,
        ];
        let write = Write::new(event)?.run_expecting(1, OPEN, row, THERE);
        let write = alert::along(write, INCIDENT, &found.what, &told, now)?;
        match self.store().commit(write).await {
            Ok(_) => {
                tracing::error!(certificate = %sha256, what = %found.what, "incident: misissuance")
            }
            // Another node was first.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// The CA has it among its certificates, its authorities' own or what others certified for them.
    async fn is_ours(&self, facts: &Facts) -> Result<bool> {
        if self.ca.certificate(&facts.sha256).await?.is_some() {
            return Ok(true);
        }
        let same = |one: &x509::Certificate| one.fingerprint() == facts.sha256;
        Ok(self.ca.issuers().iter().any(|issuer| {
            let record = issuer.record();
            same(&record.certificate)
                || record.cross.iter().any(same)
                || record.foreign_chain.iter().any(same)
        }))
    }

    /// Never raised, or closed and seen since.
    async fn is_new(&self, facts: &Facts, id: &str) -> Result<bool> {
        let rows = self.store().look_up(CLOSED_AT, params![id]).await?;
        let Some(row) = rows.first() else {
            return Ok(true);
        };
        let closed = row.int(0)?;
        Ok(facts.places.iter().any(|place| place.last_seen > closed))
    }

    /// Incidents, the newest first, open ones alone unless all are wanted.
    pub async fn incidents(&self, all: bool, now: Timestamp) -> Result<Vec<Finding>> {
        let filter = FindingFilter {
            rule: Some(MISISSUANCE.to_owned()),
            show: if all { Show::All } else { Show::Open },
            limit: Some(1000),
            ..FindingFilter::default()
        };
        let mut found = self.findings(&filter, now).await?.findings;
        found.sort_by_key(|one| std::cmp::Reverse(one.opened));
        Ok(found)
    }

    /// Ends an incident, once nothing shows the certificate any more.
    pub async fn close_incident(
        &self,
        permit: Permit,
        id: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Finding> {
        let finding = self.finding(id, now).await?;
        let object = Object::new("certificate", finding.sha256.clone().unwrap_or_default());
        let checked = self.may_close(&permit, &finding, reason).await?;
        self.checked(&permit, CLOSED, &object, checked, now).await?;
        let event = Event::new(now, permit.actor().clone(), CLOSED, object)
            .why(reason.trim())
            .after(json!({ "finding": finding.id }));
        let write = Write::new(permit.joined(event))?.run_expecting(
            1,
            CLOSE,
            params![id, now.0, MISISSUANCE],
            "the incident was closed meanwhile",
        );
        self.store().commit(write).await?;
        self.finding(id, now).await
    }

    async fn may_close(
        &self,
        permit: &Permit,
        finding: &Finding,
        reason: &str,
    ) -> Result<Result<(), Refusal>> {
        if let Err(refusal) = permit.require(Action::ManageFindings) {
            return Ok(Err(refusal));
        }
        let no = |rule: &'static str, message: String, accepted: &str| {
            Ok(Err(
                Refusal::new(rule, "R20; docs/findings.md", message).accepted(accepted)
            ))
        };
        if finding.rule != MISISSUANCE || finding.closed.is_some() {
            let message = format!("finding {} is no open incident", finding.id);
            return no("incident.open", message, "see `ward finding incident list`");
        }
        if reason.trim().chars().count() < 10 {
            let message = "an incident is not closed without saying what came of it".to_owned();
            return no(
                "incident.reason",
                message,
                "a reason of ten characters and more",
            );
        }
        let shown = self
            .store()
            .query(STILL_SHOWN, params![finding.certificate])
            .await?;
        match shown.first().map(|row| row.int(0)).transpose()? {
            None | Some(0) => Ok(Ok(())),
            Some(places) => {
                let message = format!("the certificate is still in {places} place(s)");
                no("incident.in-use", message, "a scan after it was taken away")
            }
        }
    }
}

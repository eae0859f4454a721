//! Recalls: made, listed, ended; and how much one would move.

use std::collections::BTreeMap;

use access::{Permit, Refusal};
use audit::{Event, Object, Timestamp};
use ca::{CertificateFilter, CertificateState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;

use super::{Desk, check_text};
use crate::acme::AcmeError;
use crate::acme::recall::{self, RECALL_RECORDS, Recall, Recalled};
use crate::random::random;

/// What shall be recalled, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRecall {
    #[serde(default)]
    pub which: Recalled,
    /// Has to be said where nothing narrows it.
    #[serde(default)]
    pub everything: bool,
    pub why: String,
    /// A page for the people behind the clients.
    #[serde(default)]
    pub explanation: Option<String>,
}

/// What a recall moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// Certificates that are valid now.
    pub certificates: u64,
    pub by_issuer: BTreeMap<String, u64>,
    pub by_profile: BTreeMap<String, u64>,
    /// Whoever asked for them: ACME accounts follow renewal information, others have to be told.
    pub by_requester: BTreeMap<String, u64>,
}

impl Desk {
    /// Marks certificates to be renewed at once. Nothing is revoked.
    pub async fn recall(
        &self,
        permit: Permit,
        new: NewRecall,
        now: Timestamp,
    ) -> Result<Recall, AcmeError> {
        let action = "acme.recall.create";
        let object = Object::new("action", action);
        self.checked(&permit, action, &object, now, || self.check_recall(&new))
            .await?;
        let recall = Recall {
            id: format!("recall-{}", hex::encode(random::<4>()?)),
            which: new.which,
            why: new.why,
            explanation: new.explanation,
            created: now.0,
            created_by: permit.actor().id.clone(),
            ended: None,
        };
        let object = Object::new("acme-recall", recall.id.as_str());
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(recall.why.as_str())
            .after(json!(recall));
        let write = Write::new(permit.joined(event))?.put_record(
            RECALL_RECORDS,
            &recall.id,
            0,
            &recall,
            now,
        )?;
        self.store().commit(write).await?;
        Ok(recall)
    }

    /// Every recall, ended ones included, the oldest first.
    pub async fn recalls(&self) -> Result<Vec<Recall>, AcmeError> {
        let all = recall::all(self.store()).await?;
        let mut recalls: Vec<Recall> = all.into_iter().map(|(recall, _)| recall).collect();
        recalls.sort_by_key(|recall| recall.created);
        Ok(recalls)
    }

    /// Ends a recall: windows are where they were.
    pub async fn end_recall(
        &self,
        permit: Permit,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Recall, AcmeError> {
        let all = recall::all(self.store()).await?;
        let found = all.into_iter().find(|(recall, _)| recall.id == id);
        let (mut recall, version) = found.ok_or_else(|| AcmeError::NotFound {
            kind: "recall",
            id: id.chars().take(64).collect(),
        })?;
        let object = Object::new("acme-recall", id);
        let action = "acme.recall.end";
        self.checked(&permit, action, &object, now, || check_text("why", why))
            .await?;
        if recall.ended.is_some() {
            return Ok(recall);
        }
        recall.ended = Some(now.0);
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(why)
            .after(json!({ "ended": now.0 }));
        let write = Write::new(permit.joined(event))?.put_record(
            RECALL_RECORDS,
            id,
            version,
            &recall,
            now,
        )?;
        self.store().commit(write).await?;
        Ok(recall)
    }

    /// What a recall would move, or moves still. Walks through the valid certificates: for people, not for hot paths.
    pub async fn affected(&self, which: &Recalled, now: Timestamp) -> Result<Affected, AcmeError> {
        let mut affected = Affected::default();
        let mut filter = CertificateFilter {
            profile: which.profile.clone(),
            expires_after: Some(now.seconds()),
            limit: Some(1000),
            ..CertificateFilter::default()
        };
        loop {
            let page = self.ca.certificates(&filter).await?;
            for certificate in &page.certificates {
                let stands =
                    certificate.state != CertificateState::Revoked && certificate.profile != "ca";
                if stands && certificate.issued_at < now.0 && which.matches(certificate) {
                    affected.certificates += 1;
                    for (counts, key) in [
                        (&mut affected.by_issuer, &certificate.issuer),
                        (&mut affected.by_profile, &certificate.profile),
                        (&mut affected.by_requester, &certificate.requester),
                    ] {
                        *counts.entry(key.clone()).or_default() += 1;
                    }
                }
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(affected),
            }
        }
    }

    /// Refuses what could not have been meant. Also for a look beforehand.
    pub fn check_recall(&self, new: &NewRecall) -> Result<(), Refusal> {
        let refuse =
            |rule: &'static str, message: String| Refusal::new(rule, "docs/acme.md", message);
        check_text("why", &new.why)?;
        if new.why.trim().is_empty() {
            return Err(refuse("acme.recall.why", "a recall says why".to_owned())
                .accepted("1 to 200 characters"));
        }
        if new.which.is_everything() && !new.everything {
            return Err(refuse(
                "acme.recall.everything",
                "nothing narrows this recall".to_owned(),
            )
            .accepted(
                "an issuer, a profile, names or serial numbers; or `everything` said outright",
            ));
        }
        if let Some(issuer) = &new.which.issuer {
            let known: Vec<String> = self
                .ca
                .issuers()
                .iter()
                .map(|known| known.name().to_owned())
                .collect();
            let is_authority = self.ca.authority(issuer).is_ok();
            if !is_authority && !known.contains(issuer) {
                return Err(
                    refuse("acme.recall.issuer", format!("there is no issuer {issuer}"))
                        .accepted(known.join(", ")),
                );
            }
        }
        if let Some(profile) = &new.which.profile
            && self.ca.profile(profile).is_err()
        {
            return Err(refuse(
                "acme.recall.profile",
                format!("there is no profile {profile}"),
            ));
        }
        let is_serial = |serial: &&String| {
            let digits = serial
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            digits && !serial.is_empty() && serial.len() <= 40 && serial.len().is_multiple_of(2)
        };
        if let Some(serial) = new.which.serials.iter().find(|serial| !is_serial(serial)) {
            return Err(refuse(
                "acme.recall.serial",
                format!("{serial} is no serial number"),
            )
            .accepted("lower-case hexadecimal digits, whole octets"));
        }
        match &new.explanation {
            Some(url)
                if !(url.starts_with("https://") || url.starts_with("http://"))
                    || url.len() > 500
                    || !url
                        .bytes()
                        .all(|byte| byte.is_ascii_graphic() && byte != b'"') =>
            {
                Err(refuse(
                    "acme.recall.explanation",
                    "the explanation is no URL".to_owned(),
                )
                .accepted("https://…"))
            }
            _ => Ok(()),
        }
    }
}

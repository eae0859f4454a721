//! Jobs: begun in one write with their items, gone through by a loop, marked item by item.

use std::sync::Arc;

use access::{AccessError, Permit, Principal, Refusal, Target};
use audit::{Actor, Event, Object, Timestamp};
use ca::CaError;
use ca::revocation::{Revocation, Status};
use serde::Serialize;
use serde_json::json;
use store::{Row, StoreError, Write, params};
use utoipa::ToSchema;
use x509::crl::Reason;

use super::{BulkAction, Meant, SOURCE, Wish};
use crate::finding::NewWaiver;
use crate::{Fleet, FleetError, Result, random};

const ADD: &str = "INSERT INTO jobs(id, action, wish, digest, principal, created, created_by, ended, total, done, refused) \
    VALUES($1, $2, $3, $4, $5, $6, $7, NULL, $8, 0, 0)";
const ADD_ITEM: &str =
    "INSERT INTO job_items(job, position, item, state, said) VALUES($1, $2, $3, 'waiting', '')";
const BY_ID: &str = "SELECT id, action, digest, created, created_by, ended, total, done, refused, wish, principal FROM jobs WHERE id = $1";
const NEWEST: &str = "SELECT id, action, digest, created, created_by, ended, total, done, refused, wish, principal FROM jobs \
    ORDER BY created DESC, id DESC LIMIT 100";
const OPEN: &str = "SELECT id, action, digest, created, created_by, ended, total, done, refused, wish, principal FROM jobs \
    WHERE ended IS NULL ORDER BY created LIMIT 100";
const REFUSED: &str = "SELECT position, item, state, said FROM job_items WHERE job = $1 AND state = 'refused' AND position > $2 \
    ORDER BY position LIMIT 1000";
const WAITING: &str = "SELECT position, item FROM job_items WHERE job = $1 AND state = 'waiting' ORDER BY position LIMIT $2";
const MARK: &str = "UPDATE job_items SET state = $3, said = $4 WHERE job = $1 AND position = $2 AND state = 'waiting'";
const COUNT: &str = "UPDATE jobs SET done = done + $2, refused = refused + $3 WHERE id = $1";
const END: &str = "UPDATE jobs SET ended = $2 WHERE id = $1 AND ended IS NULL";
const MARKED: &str = "the item was gone through by another node";

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Job {
    pub id: String,
    #[schema(value_type = String)]
    pub action: BulkAction,
    pub digest: String,
    /// Unix milliseconds.
    pub created: i64,
    pub created_by: String,
    /// When it was through, Unix milliseconds.
    pub ended: Option<i64>,
    pub total: u64,
    pub done: u64,
    pub refused: u64,
    #[serde(skip)]
    wish: Wish,
    #[serde(skip)]
    principal: String,
}

/// An item that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobItem {
    pub position: i64,
    pub item: String,
    pub state: String,
    /// Why.
    pub said: String,
}

/// A job with what was refused in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobPage {
    #[serde(flatten)]
    pub job: Job,
    /// A thousand at a time.
    pub refusals: Vec<JobItem>,
    /// The `after` of the next page of refusals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// What became of one item.
enum Done {
    Done,
    Refused(String),
}

impl Fleet {
    /// Begins what was shown: `digest` has to be that of exactly what is meant now.
    pub async fn start_job(
        &self,
        permit: &Permit,
        meant: Meant,
        digest: &str,
        now: Timestamp,
    ) -> Result<Job> {
        const ACTION: &str = "job.start";
        let id = format!("j{}", hex::encode(random::<8>()?));
        let object = Object::new("job", id.as_str());
        let checked = permit
            .require(meant.action.needs())
            .and_then(|()| as_shown(&meant, digest));
        self.checked(permit, ACTION, &object, checked, now).await?;
        let text =
            |value: serde_json::Result<String>| value.map_err(|_| FleetError::Damaged("a job"));
        let wish = text(serde_json::to_string(&meant.wish))?;
        let principal = text(serde_json::to_string(permit.principal().as_ref()))?;
        let event = Event::new(now, permit.actor().clone(), ACTION, object).after(json!({
            "action": meant.action.name(), "items": meant.items.len(), "digest": digest, "wish": meant.wish.search,
        }));
        let total = i64::try_from(meant.items.len()).unwrap_or(i64::MAX);
        let row = params![
            id.as_str(),
            meant.action.name(),
            wish,
            digest,
            principal,
            now,
            permit.actor().id.as_str(),
            total
        ];
        let mut write = Write::new(permit.joined(event))?.run(ADD, row);
        for (position, item) in (0_i64..).zip(&meant.items) {
            write = write.run(ADD_ITEM, params![id.as_str(), position, item]);
        }
        self.store().commit(write).await?;
        self.job(&id).await
    }

    pub async fn job(&self, id: &str) -> Result<Job> {
        let rows = self.store().look_up(BY_ID, params![id]).await?;
        match rows.first() {
            Some(row) => read(row),
            None => Err(FleetError::not_found("job", id)),
        }
    }

    /// A job with the items that were refused.
    pub async fn job_page(&self, id: &str, after: Option<i64>) -> Result<JobPage> {
        let job = self.job(id).await?;
        let asked = params![id, after.unwrap_or(-1)];
        let rows = self.store().query(REFUSED, asked).await?;
        let refusals = rows.iter().map(|row| {
            Ok(JobItem {
                position: row.int(0)?,
                item: row.text(1)?.to_owned(),
                state: row.text(2)?.to_owned(),
                said: row.text(3)?.to_owned(),
            })
        });
        let refusals = refusals.collect::<Result<Vec<_>>>()?;
        let next = refusals.last().filter(|_| refusals.len() == 1000);
        Ok(JobPage {
            job,
            next: next.map(|last| last.position),
            refusals,
        })
    }

    /// The newest hundred.
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        let rows = self.store().query(NEWEST, params![]).await?;
        rows.iter().map(read).collect()
    }

    /// Jobs that are not through, the oldest first.
    pub async fn open_jobs(&self) -> Result<Vec<Job>> {
        let rows = self.store().query(OPEN, params![]).await?;
        rows.iter().map(read).collect()
    }

    /// Goes on with the oldest job, for so many items; `false` when there is nothing to do.
    pub async fn work_on_jobs(&self, items: u32, now: Timestamp) -> Result<bool> {
        let Some(job) = self.open_jobs().await?.into_iter().next() else {
            return Ok(false);
        };
        let asked = params![job.id.as_str(), items];
        let rows = self.store().query(WAITING, asked).await?;
        for row in &rows {
            let (position, item) = (row.int(0)?, row.text(1)?);
            let (state, said) = match self.one(&job, item, now).await? {
                Done::Done => ("done", String::new()),
                Done::Refused(why) => ("refused", why),
            };
            let refused = i64::from(state == "refused");
            let mark = params![job.id.as_str(), position, state, said];
            let write = Write::derived()
                .run_expecting(1, MARK, mark, MARKED)
                .run(COUNT, params![job.id.as_str(), 1 - refused, refused]);
            match self.store().commit(write).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if rows.is_empty() {
            let job = self.job(&job.id).await?;
            let event = Event::new(
                now,
                Actor::system("jobs"),
                "job.end",
                Object::new("job", job.id.as_str()),
            )
            .after(json!({ "total": job.total, "done": job.done, "refused": job.refused }));
            let write =
                Write::new(event)?.run_expecting(1, END, params![job.id.as_str(), now], MARKED);
            match self.store().commit(write).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// One item, with the rights of whoever asked as they are now. What Ward cannot do at the moment is tried again later.
    async fn one(&self, job: &Job, item: &str, now: Timestamp) -> Result<Done> {
        let done = match self.permit_of(job, now).await {
            Ok(permit) => match job.action {
                BulkAction::Revoke => self.revoke_item(permit, job, item, now).await,
                BulkAction::Owner | BulkAction::Tag => {
                    self.give_item(&permit, job, item, now).await
                }
                BulkAction::Waive => self.waive_item(permit, job, item, now).await,
            },
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => Ok(Done::Done),
            Err(error) => match (error.refusal(), &error) {
                (Some(refusal), _) => Ok(Done::Refused(refusal.to_string())),
                (None, FleetError::NotFound { .. } | FleetError::Ca(CaError::NotFound { .. })) => {
                    Ok(Done::Refused(error.to_string()))
                }
                _ => Err(error),
            },
        }
    }

    async fn permit_of(&self, job: &Job, now: Timestamp) -> Result<Permit> {
        let earlier: Principal = serde_json::from_str(&job.principal)
            .map_err(|_| FleetError::Damaged("who asked for a job"))?;
        let principal: Arc<Principal> = match self.access().as_of_now(&earlier, now).await {
            Err(AccessError::NotFound { .. }) => {
                let gone = Refusal::new(
                    "job.principal",
                    SOURCE,
                    "whoever asked is not there any more",
                );
                return Err(gone.into());
            }
            other => other?,
        };
        let (action, id) = (job.action.needs(), Some(job.id.as_str()));
        let everywhere = Target::default();
        let permit = self
            .access()
            .permit(&principal, action, &everywhere, id, now);
        Ok(permit.await?)
    }

    async fn revoke_item(
        &self,
        permit: Permit,
        job: &Job,
        item: &str,
        now: Timestamp,
    ) -> Result<()> {
        let not_ours = || {
            Refusal::new("bulk.not-ours", SOURCE, "this Ward did not issue it")
                .accepted("certificates that are `recorded`; the others are its issuer's to revoke")
        };
        let reason = job.wish.reason.as_deref().unwrap_or_default();
        let reason: Reason = reason.parse().map_err(|_| {
            Refusal::new(
                "bulk.reason",
                "RFC 5280 §5.3.1",
                "that is no reason to revoke",
            )
        })?;
        let hash = hex::decode(item).ok().and_then(|hash| hash.try_into().ok());
        let hash: [u8; 32] = hash.ok_or_else(not_ours)?;
        let stored = self.ca.certificate(&hash).await?.ok_or_else(not_ours)?;
        // Done before the server was killed, and not marked.
        if let Status::Revoked { reason: was, .. } = self.ca.status(&stored).await?
            && was == reason
        {
            return Ok(());
        }
        let revocation = Revocation {
            reason,
            invalid_since: None,
            why: job.wish.why.clone(),
            request_id: Some(job.id.clone()),
        };
        self.ca.revoke(permit, &stored, revocation, now).await?;
        Ok(())
    }

    async fn give_item(
        &self,
        permit: &Permit,
        job: &Job,
        item: &str,
        now: Timestamp,
    ) -> Result<()> {
        let hash = hex::decode(item).ok().and_then(|hash| hash.try_into().ok());
        let hash: [u8; 32] = hash.ok_or_else(|| FleetError::not_found("certificate", item))?;
        let mut gift = self.hand_set(&hash).await?.gift;
        if job.action == BulkAction::Owner {
            gift.owner.clone_from(&job.wish.owner);
        } else {
            let taken = |tag: &String| job.wish.untag.contains(tag) || job.wish.tags.contains(tag);
            gift.tags.retain(|tag| !taken(tag));
            gift.tags.extend(job.wish.tags.iter().cloned());
        }
        self.set_by_hand(permit, &hash, gift, now).await
    }

    async fn waive_item(
        &self,
        permit: Permit,
        job: &Job,
        item: &str,
        now: Timestamp,
    ) -> Result<()> {
        let until = job.wish.until.unwrap_or_default();
        let finding = self.finding(item, now).await?;
        if finding.waived_until.is_some_and(|known| known >= until) {
            return Ok(());
        }
        let new = NewWaiver {
            finding: Some(item.to_owned()),
            owner: job.wish.owner.clone().unwrap_or_default(),
            reason: job.wish.why.clone().unwrap_or_default(),
            until,
            ..NewWaiver::default()
        };
        self.waive(permit, new, now).await.map(drop)
    }
}

fn as_shown(meant: &Meant, digest: &str) -> Result<(), Refusal> {
    if meant.items.is_empty() {
        return Err(
            Refusal::new("bulk.nothing", SOURCE, "there is nothing to do")
                .accepted("a search that finds something"),
        );
    }
    match meant.digest() == digest {
        true => Ok(()),
        false => Err(
            Refusal::new("bulk.digest", SOURCE, "what is meant is not what was shown")
                .accepted("the digest of a dry run made now: look at it again first"),
        ),
    }
}

fn read(row: &Row) -> Result<Job> {
    let damaged = || FleetError::Damaged("a job");
    Ok(Job {
        id: row.text(0)?.to_owned(),
        action: row.text(1)?.parse().map_err(|_| damaged())?,
        digest: row.text(2)?.to_owned(),
        created: row.int(3)?,
        created_by: row.text(4)?.to_owned(),
        ended: row.opt_int(5)?,
        total: row.int(6)?.unsigned_abs(),
        done: row.int(7)?.unsigned_abs(),
        refused: row.int(8)?.unsigned_abs(),
        wish: serde_json::from_str(row.text(9)?).map_err(|_| damaged())?,
        principal: row.text(10)?.to_owned(),
    })
}

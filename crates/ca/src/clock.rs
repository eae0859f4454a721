//! A clock that jumps. Certificates are dated by the machine's clock; when it says a time before the
//! newest certificate, either it is wrong now or it was wrong then, and Ward cannot know which. It
//! issues nothing until the clock is right again, or until somebody says that it is right now.

use std::sync::atomic::{AtomicI64, Ordering};

use access::{Action, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Store, Write, params};

use crate::settings::SETTINGS_RECORDS;
use crate::{Ca, Result};

/// How far back the clock may go before nothing is issued: more than NTP corrects at once.
const TOLERANCE_MS: i64 = 300_000;

/// The id of the record in which somebody vouched for the clock.
const RECORD: &str = "clock";

/// The newest time that issuance relies on, Unix milliseconds.
pub(crate) struct Clock(AtomicI64);

/// Somebody's word that the clock was right: certificates up to this row no longer count.
#[derive(Serialize, Deserialize)]
struct Accepted {
    after_row: i64,
    at: i64,
}

const NEWEST: &str =
    "SELECT id, issued_at FROM certificates WHERE id > $1 ORDER BY id DESC LIMIT 1";

impl Clock {
    pub(crate) async fn load(store: &Store) -> Result<Self> {
        Ok(Clock(AtomicI64::new(newest(store).await?)))
    }

    /// Refuses a time before the newest certificate.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        let newest = self.0.load(Ordering::Relaxed);
        if now.0 >= newest - TOLERANCE_MS {
            return Ok(());
        }
        let newest = Timestamp(newest);
        Err(Refusal::new(
            "clock",
            "docs/profiles.md",
            format!("the clock says {now}, and the newest certificate is of {newest}"),
        )
        .accepted(
            "a clock that has been set right (five minutes are tolerated); \
             if it is right now and was wrong then: `ward ca accept-clock`",
        ))
    }

    pub(crate) fn saw(&self, now: Timestamp) {
        self.0.fetch_max(now.0, Ordering::Relaxed);
    }
}

async fn newest(store: &Store) -> Result<i64> {
    let accepted = match store.record(SETTINGS_RECORDS, RECORD).await? {
        Some(record) => record.parse()?,
        None => Accepted {
            after_row: 0,
            at: 0,
        },
    };
    let rows = store.query(NEWEST, params![accepted.after_row]).await?;
    let issued = rows.first().map_or(Ok(0), |row| row.int(1))?;
    Ok(issued.max(accepted.at))
}

impl Ca {
    /// Takes somebody's word that the clock is right now, although there are certificates from what
    /// it calls the future. Those certificates stay; whoever vouches should look at them.
    pub async fn accept_clock(&self, permit: Permit, why: &str, now: Timestamp) -> Result<()> {
        permit.require(Action::ManageAuthorities)?;
        let rows = self.store().query(NEWEST, params![0]).await?;
        let after_row = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let before = self.store().record(SETTINGS_RECORDS, RECORD).await?;
        let event = Event::new(
            now,
            permit.actor().clone(),
            "clock.accept",
            Object::new("settings", RECORD),
        )
        .why(why)
        .before(json!({ "newest": Timestamp(self.clock().0.load(Ordering::Relaxed)).to_string() }))
        .after(json!({ "newest": now.to_string(), "certificates_up_to_row": after_row }));
        let accepted = Accepted {
            after_row,
            at: now.0,
        };
        let version = before.map_or(0, |record| record.version);
        let write =
            Write::new(event)?.put_record(SETTINGS_RECORDS, RECORD, version, &accepted, now)?;
        self.store().commit(write).await?;
        self.reload_clock().await
    }

    /// Reads the newest time anew: somebody has vouched for the clock.
    pub(crate) async fn reload_clock(&self) -> Result<()> {
        let newest = newest(self.store()).await?;
        self.clock().0.store(newest, Ordering::Relaxed);
        Ok(())
    }
}

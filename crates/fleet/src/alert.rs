//! Alerts: what somebody must learn at once, kept until it has been told. A row is written with the event that it tells of,
//! so that neither a crash nor a receiver that is away loses one (R25).

use audit::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use store::{Write, params};

use crate::{Fleet, Result};

/// So many that wait are read at a time.
const AT_ONCE: i64 = 32;

const ADD: &str =
    "INSERT INTO alerts(action, body, created, attempts, said) VALUES($1, $2, $3, 0, '')";
const DUE: &str = "SELECT id, action, body, created, attempts FROM alerts WHERE sent IS NULL ORDER BY id LIMIT $1";
const SENT: &str = "UPDATE alerts SET sent = $2, attempts = attempts + 1, said = $3 WHERE id = $1";
const FAILED: &str = "UPDATE alerts SET attempts = attempts + 1, said = $2 WHERE id = $1";

/// One that has not been told yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    pub id: i64,
    /// The event's action: `incident.misissuance`, `scan.silenced`.
    pub action: String,
    /// JSON, as it is sent.
    pub body: String,
    /// Unix milliseconds.
    pub created: i64,
    pub attempts: i64,
}

/// Adds an alert to the write of the event that it tells of.
pub fn along(
    write: Write,
    action: &str,
    what: &str,
    details: &Value,
    now: Timestamp,
) -> Result<Write> {
    let body = json!({
        "action": action,
        "time": now.to_string(),
        "what": what,
        "details": details,
    });
    Ok(write.run(ADD, params![action, body.to_string(), now.0]))
}

impl Fleet {
    /// What waits to be told, the oldest first.
    pub async fn alerts_due(&self) -> Result<Vec<Alert>> {
        let rows = self.store().query(DUE, params![AT_ONCE]).await?;
        let read = rows.iter().map(|row| {
            Ok(Alert {
                id: row.int(0)?,
                action: row.text(1)?.to_owned(),
                body: row.text(2)?.to_owned(),
                created: row.int(3)?,
                attempts: row.int(4)?,
            })
        });
        read.collect()
    }

    /// What came of telling it: bookkeeping about a delivery, which the event stands for already.
    pub async fn alert_told(
        &self,
        alert: &Alert,
        told: Result<(), String>,
        now: Timestamp,
    ) -> Result<()> {
        let write = match told {
            Ok(()) => Write::derived().run(SENT, params![alert.id, now.0, "accepted"]),
            Err(why) => {
                let why: String = why.chars().take(400).collect();
                Write::derived().run(FAILED, params![alert.id, why])
            }
        };
        self.store().commit(write).await?;
        Ok(())
    }
}

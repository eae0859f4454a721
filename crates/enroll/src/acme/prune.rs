//! Orders and authorizations that nobody can use any more are deleted, some weeks after they ended: until then somebody
//! may ask what became of them. What they led to stays: certificates, and the events of everything that happened.

use audit::{Actor, Event, Object, Timestamp};
use serde_json::json;
use store::{StoreError, Write, params};

use super::orders::first_id;
use super::{Acme, AcmeError};

/// How long what has ended is kept.
const KEPT_MS: i64 = 30 * 86_400_000;
/// Rows of one write: a larger one would hold up those behind it.
const ROWS: i64 = 2000;
/// Writes of one round.
const ROUNDS: usize = 500;

/// A table, and how its rows that have ended are found, counted and deleted, all by the same words. Ids begin with the
/// time of creation, so that none but old rows are looked at.
struct Table {
    what: &'static str,
    bound: &'static str,
    count: &'static str,
    delete: &'static str,
}

macro_rules! table {
    ($what:literal, $table:literal, $id:literal, $ended:literal) => {
        Table {
            what: $what,
            bound: concat!(
                "SELECT ",
                $id,
                " FROM ",
                $table,
                " WHERE ",
                $id,
                " < $1 AND ",
                $ended,
                " ORDER BY ",
                $id,
                " LIMIT 1 OFFSET $3"
            ),
            count: concat!(
                "SELECT COUNT(*) FROM ",
                $table,
                " WHERE ",
                $id,
                " < $1 AND ",
                $ended
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE ", $id, " < $1 AND ", $ended),
        }
    };
}

const ORDERS: Table = table!(
    "orders",
    "acme_orders",
    "id",
    "expires < $2 AND status <> 'processing'"
);
/// Orders first: one without its authorizations cannot be shown.
const AUTHORIZATIONS: Table = table!(
    "authorizations",
    "acme_authorizations",
    "batch",
    "expires < $2 AND NOT EXISTS(SELECT 1 FROM acme_orders WHERE acme_orders.id = acme_authorizations.batch)"
);

/// Deletes what ended long ago: how many orders and authorizations.
pub(crate) async fn prune(acme: &Acme, now: Timestamp) -> Result<(u64, u64), AcmeError> {
    let orders = table(acme, &ORDERS, now).await?;
    let authorizations = table(acme, &AUTHORIZATIONS, now).await?;
    Ok((orders, authorizations))
}

async fn table(acme: &Acme, table: &Table, now: Timestamp) -> Result<u64, AcmeError> {
    let mut total = 0;
    for _ in 0..ROUNDS {
        match some(acme, table, now).await? {
            0 => break,
            deleted => total += deleted,
        }
    }
    Ok(total)
}

/// One write with one event that counts.
async fn some(acme: &Acme, table: &Table, now: Timestamp) -> Result<u64, AcmeError> {
    let store = &acme.inner.store;
    let ended = now.0.saturating_sub(KEPT_MS);
    let newest = first_id(Timestamp(ended));
    let bound = store
        .query(table.bound, params![newest.as_str(), ended, ROWS])
        .await?;
    let bound = match bound.first() {
        Some(row) => row.text(0)?.to_owned(),
        None => newest,
    };
    let rows = store
        .query(table.count, params![bound.as_str(), ended])
        .await?;
    let found = rows.first().map_or(Ok(0), |row| row.int(0))?;
    let Some(found) = u64::try_from(found).ok().filter(|found| *found > 0) else {
        return Ok(0);
    };
    let object = Object::new("acme", table.what);
    let event = Event::new(now, Actor::system("enroll"), "acme.prune", object)
        .after(json!({ "deleted": found, "ended_before": Timestamp(ended).to_string() }));
    let write = Write::new(event)?.run_expecting(
        found,
        table.delete,
        params![bound, ended],
        "somebody else prunes",
    );
    match store.commit(write).await {
        Ok(_) => Ok(found),
        // Another node was faster; what it left is for the next round.
        Err(StoreError::Conflict(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

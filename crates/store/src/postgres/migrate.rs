//! Bringing a database's schema up to date, in one transaction that no other node can enter.

use audit::{Sealed, Timestamp};

use super::session::Session;
use super::transaction::{add_events, claim, lock_head, no_answer};
use crate::{
    Migration, Result,
    batch::{self, Head},
    params,
    schema::{self, Applied},
};

/// Two nodes that start together migrate one after the other: the number is "ward" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(2002875972)";
const NOW: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";

/// Brings the schema up to date, in one transaction that no other node can enter.
pub(crate) async fn migrate(session: &Session, rooms: &[Migration]) -> Result<()> {
    session.client.batch_execute("BEGIN").await?;
    let outcome = migrate_inside(session, rooms).await;
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = session.client.batch_execute(end).await;
    outcome?;
    Ok(ended?)
}

async fn migrate_inside(session: &Session, rooms: &[Migration]) -> Result<()> {
    let (due, at) = make_schema(session, rooms).await?;
    if due.is_empty() {
        return Ok(());
    }
    if session.query(batch::HEAD, &[]).await?.is_empty() {
        let head = Head::empty();
        let params = params![head.next_seq(), head.encode()];
        session.execute(batch::MAKE_HEAD, &params).await?;
    }
    let before = lock_head(session).await?;
    let mut after = before.clone();
    let events: Result<Vec<Sealed>> = due.iter().map(|migration| migration.event(at)).collect();
    let events = events?;
    events.iter().for_each(|event| after.append(event));
    let events: Vec<&Sealed> = events.iter().collect();
    claim(session, &before, &after).await?;
    add_events(session, &events, &before, b"migration").await?;
    Ok(())
}

/// Applies what is due, and says what that was.
pub(crate) async fn make_schema(
    session: &Session,
    rooms: &[Migration],
) -> Result<(Vec<Migration>, Timestamp)> {
    session.client.batch_execute(LOCK).await?;
    let bootstrap = crate::dialect::postgres_schema(schema::BOOTSTRAP);
    session.client.batch_execute(&bootstrap).await?;
    let rows = session.query(schema::APPLIED, &[]).await?;
    let applied: Result<Vec<Applied>> = rows.iter().map(Applied::read).collect();
    let due = schema::due(rooms, &applied?)?;
    let now = session.query(NOW, &[]).await?;
    let at = Timestamp(now.first().map_or_else(no_answer, |row| row.int(0))?);
    for migration in &due {
        session.client.batch_execute(&migration.postgres()).await?;
        let params = params![migration.room, migration.version, migration.checksum(), at];
        session.execute(schema::APPLY, &params).await?;
    }
    Ok((due, at))
}

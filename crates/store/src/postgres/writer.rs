//! The writer: one task, one connection, three round trips a batch (BEGIN with the head of the
//! log | all statements, all events and the new head | COMMIT), none per statement.
//!
//! A connection can break at any moment. Before COMMIT is sent nothing can stand, and the batch
//! is simply run again. Once it is sent, only the database knows: the first event of every batch
//! carries a mark, and the next connection takes the head's lock (so that whatever the broken one
//! had under way is over) and looks whether the mark is there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit::{Sealed, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_postgres::Error;

use super::fault::is_lost;
use super::pipeline::{Request, pipeline};
use super::session::{Purpose, Server, Session};
use crate::{
    Committed, Migration, Result, Row, StoreError, Write,
    batch::{self, Growth, Head, Job},
    metric, params,
    schema::{self, Applied},
};

/// How long a batch waits for a server that was there a moment ago.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an unknown outcome is pursued before it is reported as such.
const PURSUIT: Duration = Duration::from_secs(60);

/// How often a batch is run again when connections break, or transactions collide, under it.
const ATTEMPTS: usize = 4;

const HEAD_LOCKED: &str = "SELECT size, frontier FROM log_head WHERE id = 1 FOR UPDATE";
const MARK: &str = "SELECT batch FROM log_events WHERE seq = $1";
const ADD_EVENTS: &str = "INSERT INTO log_events(seq, body, leaf, batch) \
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[])";
const WRITER_ID: &str = "SELECT uuid_send(gen_random_uuid())";

/// Writes until the queue's other end is gone.
pub(crate) async fn run(
    server: Arc<Server>,
    session: Session,
    mut jobs: mpsc::Receiver<Job>,
    growth: watch::Sender<Growth>,
) {
    let mut writer = Writer {
        server,
        session: Some(Arc::new(session)),
        away: false,
        id: Vec::new(),
        batches: 0,
        growth,
    };
    while let Some(first) = jobs.recv().await {
        let started = Instant::now();
        let (writes, replies) = batch::split(batch::gather(first, &mut jobs));
        let outcomes = writer.process(&writes).await;
        metric::committed(writes.len(), started.elapsed());
        batch::answer(replies, outcomes);
    }
}

struct Writer {
    server: Arc<Server>,
    session: Option<Arc<Session>>,
    /// Whether the server was away at the last attempt: then nobody waits for it again.
    away: bool,
    /// What this writer's marks begin with: 16 random bytes, from the server.
    id: Vec<u8>,
    /// What they end with.
    batches: u64,
    growth: watch::Sender<Growth>,
}

/// What one bad write does to the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It fails them all.
    Together,
    /// It is undone alone.
    Guarded,
}

/// How a transaction ended when it did not commit.
enum Fault {
    /// The server said no; nothing stands.
    Refused(StoreError),
    /// The connection broke before COMMIT was sent; nothing stands.
    Lost(StoreError),
    /// The connection broke after COMMIT was sent.
    Unknown(Sent),
}

/// A batch whose COMMIT was sent.
struct Sent {
    first_seq: i64,
    size: u64,
    /// `None` if the batch had no event that could carry it.
    mark: Option<Vec<u8>>,
    outcomes: Vec<Result<Committed>>,
    error: StoreError,
}

impl Fault {
    fn of(error: Error) -> Self {
        match is_lost(&error) {
            true => Fault::Lost(error.into()),
            false => Fault::Refused(error.into()),
        }
    }
}

impl Writer {
    async fn process(&mut self, writes: &[Write]) -> Vec<Result<Committed>> {
        let error = match self.settle(writes, Mode::Together).await {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        if writes.len() == 1 || concerns_database(&error) {
            return writes.iter().map(|_| Err(error.clone())).collect();
        }
        metric::retried();
        if let Ok(outcomes) = self.settle(writes, Mode::Guarded).await {
            return outcomes;
        }
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let alone = self.settle(std::slice::from_ref(write), Mode::Together);
            outcomes.push(match alone.await {
                Ok(outcome) => outcome.into_iter().next().unwrap_or_else(no_answer),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Runs a transaction until its outcome is known.
    async fn settle(&mut self, writes: &[Write], mode: Mode) -> Result<Vec<Result<Committed>>> {
        let mut last = no_answer::<()>();
        for _ in 0..ATTEMPTS {
            let mark = self.next_mark().await?;
            let session = self.session().await?;
            match transaction(&session, writes, mode, mark).await {
                Ok(sent) => {
                    let before = sent.first_seq.cast_unsigned();
                    batch::announce(&self.growth, writes, before, sent.size);
                    return Ok(sent.outcomes);
                }
                Err(Fault::Refused(StoreError::Busy(text))) => last = Err(StoreError::Busy(text)),
                Err(Fault::Refused(error)) => return Err(error),
                Err(Fault::Lost(error)) => {
                    self.session = None;
                    last = Err(error);
                }
                Err(Fault::Unknown(sent)) => {
                    self.session = None;
                    tracing::warn!(error = %sent.error, "connection lost during a commit");
                    last = Err(sent.error.clone());
                    if self.stands(&sent).await? {
                        let before = sent.first_seq.cast_unsigned();
                        batch::announce(&self.growth, writes, before, sent.size);
                        return Ok(sent.outcomes);
                    }
                }
            }
        }
        last.and_then(|()| no_answer())
    }

    /// Finds out whether a batch whose COMMIT was sent was committed.
    async fn stands(&mut self, sent: &Sent) -> Result<bool> {
        let Some(mark) = &sent.mark else {
            return Ok(false);
        };
        let deadline = Instant::now() + PURSUIT;
        loop {
            self.away = false;
            let found = match self.session().await {
                Ok(session) => look(&session, sent.first_seq, mark).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) if Instant::now() >= deadline => {
                    return Err(StoreError::Uncertain(error.to_string()));
                }
                Err(_) => self.session = None,
            }
        }
    }

    /// The session, made anew if it is gone.
    async fn session(&mut self) -> Result<Arc<Session>> {
        if let Some(held) = self
            .session
            .as_ref()
            .filter(|held| !held.client.is_closed())
        {
            return Ok(held.clone());
        }
        let session = Arc::new(self.connect().await?);
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn connect(&mut self) -> Result<Session> {
        let patience = if self.away { Duration::ZERO } else { PATIENCE };
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(20);
        loop {
            match self.server.connect(Purpose::Write).await {
                Ok(session) => {
                    self.away = false;
                    return Ok(session);
                }
                Err(error) if Instant::now() + pause >= deadline => {
                    self.away = true;
                    return Err(unavailable(&error.to_string()));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn next_mark(&mut self) -> Result<Vec<u8>> {
        if self.id.is_empty() {
            let rows = self.session().await?.query(WRITER_ID, &[]).await?;
            self.id = first(&rows)?.blob(0)?.to_vec();
        }
        self.batches += 1;
        Ok([&self.id[..], &self.batches.to_be_bytes()].concat())
    }
}

/// Takes the head's lock, so that a transaction that a broken connection left behind is over, and
/// looks for the mark.
async fn look(session: &Session, seq: i64, mark: &[u8]) -> Result<bool> {
    begin(session).await.map_err(StoreError::from)?;
    let rows = session.query(MARK, &params![seq]).await?;
    session.client.batch_execute("ROLLBACK").await?;
    match rows.first() {
        Some(row) => Ok(row.opt_blob(0)? == Some(mark)),
        None => Ok(false),
    }
}

async fn transaction(
    session: &Session,
    writes: &[Write],
    mode: Mode,
    mark: Vec<u8>,
) -> Result<Sent, Fault> {
    let mut sent = match before_commit(session, writes, mode, mark).await {
        Ok(ready) => ready,
        Err(Fault::Refused(error)) => {
            let rolled_back = session.client.batch_execute("ROLLBACK").await;
            return Err(match rolled_back {
                Ok(()) => Fault::Refused(error),
                Err(lost) => Fault::Lost(lost.into()),
            });
        }
        Err(fault) => return Err(fault),
    };
    match session.client.batch_execute("COMMIT").await {
        Ok(()) => Ok(sent),
        Err(error) if is_lost(&error) => {
            sent.error = error.into();
            Err(Fault::Unknown(sent))
        }
        Err(error) => Err(Fault::Refused(error.into())),
    }
}

/// The first two round trips.
async fn before_commit(
    session: &Session,
    writes: &[Write],
    mode: Mode,
    mark: Vec<u8>,
) -> Result<Sent, Fault> {
    if mode == Mode::Together {
        prepare_all(session, writes).await.map_err(Fault::of)?;
    }
    let rows = begin(session).await.map_err(Fault::of)?;
    let mut head = read_head(&rows).map_err(Fault::Refused)?;
    let first_seq = head.next_seq();
    let outcomes = match mode {
        Mode::Together => Vec::new(),
        Mode::Guarded => guarded(session, writes, &mut head).await?,
    };
    let events: Vec<&Sealed> = match mode {
        Mode::Together => writes.iter().flat_map(|write| &write.events).collect(),
        Mode::Guarded => succeeded(writes, &outcomes),
    };
    let outcomes = match mode {
        Mode::Together => together(session, writes, &events, &mut head, first_seq, &mark).await?,
        Mode::Guarded => {
            let last = closing(session, &events, &head, first_seq, &mark);
            succeed(pipeline(last).await.into_iter())?;
            outcomes
        }
    };
    Ok(Sent {
        first_seq,
        size: head.size(),
        mark: (!events.is_empty()).then_some(mark),
        outcomes,
        error: unavailable("connection lost"),
    })
}

/// Makes sure that preparing costs no round trips inside the transaction.
async fn prepare_all(session: &Session, writes: &[Write]) -> Result<(), Error> {
    let statements = writes.iter().flat_map(|write| &write.statements);
    let mut texts: HashSet<&'static str> = statements.map(|statement| statement.sql).collect();
    texts.extend([HEAD_LOCKED, ADD_EVENTS, batch::MOVE_HEAD]);
    let requests = texts.into_iter().map(|sql| {
        let request: Request<'_, Result<(), Error>> =
            Box::pin(async move { session.prepare(sql).await.map(drop) });
        request
    });
    pipeline(requests.collect()).await.into_iter().collect()
}

/// Opens a transaction and takes the head's lock, in one round trip.
async fn begin(session: &Session) -> Result<Vec<Row>, Error> {
    let requests: Vec<Request<'_, Result<Vec<Row>, Error>>> = vec![
        Box::pin(async {
            session.client.batch_execute("BEGIN").await?;
            Ok(Vec::new())
        }),
        Box::pin(session.query(HEAD_LOCKED, &[])),
    ];
    let mut rows = Vec::new();
    for answer in pipeline(requests).await {
        rows = answer?;
    }
    Ok(rows)
}

/// Everything in one round trip: the statements of all writes, the events, the head.
async fn together(
    session: &Session,
    writes: &[Write],
    events: &[&Sealed],
    head: &mut Head,
    first_seq: i64,
    mark: &[u8],
) -> Result<Vec<Result<Committed>>, Fault> {
    let outcomes = writes
        .iter()
        .map(|write| Ok(advance(write, head)))
        .collect();
    let mut requests: Vec<Request<'_, Result<u64, Error>>> = Vec::new();
    let statements = || writes.iter().flat_map(|write| &write.statements);
    for statement in statements() {
        requests.push(Box::pin(session.execute(statement.sql, &statement.params)));
    }
    requests.extend(closing(session, events, head, first_seq, mark));
    let mut answers = pipeline(requests).await.into_iter();
    for (statement, answer) in statements().zip(&mut answers) {
        let count = answer.map_err(Fault::of)?;
        statement.check(count).map_err(Fault::Refused)?;
    }
    succeed(answers)?;
    Ok(outcomes)
}

/// Two round trips for each write: its statements behind a savepoint, then keeping or undoing.
async fn guarded(
    session: &Session,
    writes: &[Write],
    head: &mut Head,
) -> Result<Vec<Result<Committed>>, Fault> {
    let mut outcomes = Vec::with_capacity(writes.len());
    for write in writes {
        let savepoint = session.client.batch_execute("SAVEPOINT w").await;
        savepoint.map_err(Fault::of)?;
        let applied = apply(session, write).await;
        let end = match applied {
            Ok(()) => "RELEASE w",
            Err(_) => "ROLLBACK TO w; RELEASE w",
        };
        let ended = session.client.batch_execute(end).await;
        ended.map_err(Fault::of)?;
        outcomes.push(applied.map(|()| advance(write, head)));
    }
    Ok(outcomes)
}

async fn apply(session: &Session, write: &Write) -> Result<()> {
    for statement in &write.statements {
        let count = session.execute(statement.sql, &statement.params).await?;
        statement.check(count)?;
    }
    Ok(())
}

/// The last statements of a transaction; none if nothing was logged.
fn closing<'a>(
    session: &'a Session,
    events: &[&'a Sealed],
    head: &Head,
    first_seq: i64,
    mark: &'a [u8],
) -> Vec<Request<'a, Result<u64, Error>>> {
    if events.is_empty() {
        return Vec::new();
    }
    let numbers: Vec<i64> = (first_seq..head.next_seq()).collect();
    let bodies: Vec<&[u8]> = events.iter().map(|event| &event.body[..]).collect();
    let leaves: Vec<&[u8]> = events.iter().map(|event| &event.leaf[..]).collect();
    let mut marks: Vec<Option<&[u8]>> = vec![None; events.len()];
    marks[0] = Some(mark);
    let moved = params![head.next_seq(), head.encode()];
    vec![
        Box::pin(async move {
            let statement = session.prepare(ADD_EVENTS).await?;
            let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&numbers, &bodies, &leaves, &marks];
            session.client.execute(&statement, &params).await
        }),
        Box::pin(async move { session.execute(batch::MOVE_HEAD, &moved).await }),
    ]
}

/// The first error of a round trip: the later ones only say that the transaction is over.
fn succeed(mut answers: impl Iterator<Item = Result<u64, Error>>) -> Result<(), Fault> {
    answers.try_for_each(|answer| answer.map(drop).map_err(Fault::of))
}

fn succeeded<'a>(writes: &'a [Write], outcomes: &[Result<Committed>]) -> Vec<&'a Sealed> {
    let both = writes.iter().zip(outcomes);
    both.filter(|(_, outcome)| outcome.is_ok())
        .flat_map(|(write, _)| &write.events)
        .collect()
}

fn advance(write: &Write, head: &mut Head) -> Committed {
    let first_seq = head.size();
    for event in &write.events {
        head.append(event);
    }
    Committed {
        first_seq,
        size: head.size(),
    }
}

fn read_head(rows: &[Row]) -> Result<Head> {
    let row = first(rows)?;
    Head::read(row.int(0)?, row.blob(1)?)
}

fn first(rows: &[Row]) -> Result<&Row> {
    rows.first()
        .ok_or_else(|| StoreError::Corrupt("the log has no head".to_owned()))
}

/// Whether trying each write alone is pointless: it is the database that does not take writes.
fn concerns_database(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Busy(_)
            | StoreError::ReadOnly(_)
            | StoreError::Corrupt(_)
            | StoreError::Unavailable(_)
            | StoreError::Uncertain(_)
    )
}

fn unavailable(text: &str) -> StoreError {
    StoreError::Unavailable(text.to_owned())
}

fn no_answer<T>() -> Result<T> {
    Err(unavailable("its writer gave no answer"))
}

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
    let mut head = read_head(&session.query(HEAD_LOCKED, &[]).await?)?;
    let first_seq = head.next_seq();
    let events: Result<Vec<Sealed>> = due.iter().map(|migration| migration.event(at)).collect();
    let events = events?;
    events.iter().for_each(|event| head.append(event));
    let events: Vec<&Sealed> = events.iter().collect();
    for answer in pipeline(closing(session, &events, &head, first_seq, b"migration")).await {
        answer?;
    }
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
    let at = Timestamp(first(&session.query(NOW, &[]).await?)?.int(0)?);
    for migration in &due {
        session.client.batch_execute(&migration.postgres()).await?;
        let params = params![migration.room, migration.version, migration.checksum(), at];
        session.execute(schema::APPLY, &params).await?;
    }
    Ok((due, at))
}

//! One transaction: the writes of a batch, their events, the new head of the log.
//!
//! Usually it is one round trip: the head is where this node left it, so that the numbers of the
//! events are known, and BEGIN, everything, and COMMIT are on their way before the first answer is
//! there. Whatever must not stand fails on the server: a head that another node has moved, a
//! statement that changes another number of rows than its write expects. When the head is not
//! known it is locked first: two round trips.

use std::collections::HashSet;

use audit::Sealed;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::fault::is_lost;
use super::many::{Form, Many};
use super::pipeline::{Request, pipeline};
use super::session::{Session, as_param};
use crate::{
    Committed, Result, Row, StoreError, Value, Write, batch::Head, params, write::Statement,
};

const LOCK_HEAD: &str = "SELECT size, frontier FROM log_head WHERE id = 1 FOR UPDATE";
const CLAIM: Form = Form {
    sql: "UPDATE log_head SET size = $1, frontier = $2 \
        WHERE id = 1 AND size = $3 AND frontier = $4",
    many: false,
    expecting: true,
};
const ADD_EVENTS: Form = Form {
    sql: "INSERT INTO log_events(seq, body, leaf, batch) VALUES($1, $2, $3, $4)",
    many: true,
    expecting: false,
};

/// Where the claim stands among the requests of a transaction that relies on a known head.
const CLAIM_AT: usize = 1;

/// What one bad write does to the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It fails them all.
    Together,
    /// It is undone alone.
    Guarded,
}

/// What a transaction is made of.
pub(crate) struct Batch<'a> {
    pub(crate) writes: &'a [Write],
    pub(crate) mode: Mode,
    /// What its first event carries, to be found by.
    pub(crate) mark: Vec<u8>,
    /// The head of the log, if it is believed to be known.
    pub(crate) head: Option<Head>,
}

/// A transaction that was sent.
pub(crate) struct Sent {
    pub(crate) before: Head,
    pub(crate) after: Head,
    pub(crate) mark: Vec<u8>,
    pub(crate) outcomes: Vec<Result<Committed>>,
}

/// How a transaction ended when it did not commit.
pub(crate) enum Fault {
    /// The server said no; nothing stands.
    Refused(StoreError),
    /// The statement at this place changed another number of rows than it had to; nothing stands.
    Unmet(usize, StoreError),
    /// The head was not where it was believed to be; nothing stands.
    Moved,
    /// The connection broke before COMMIT was sent; nothing stands.
    Lost(StoreError),
    /// The connection broke after COMMIT was sent.
    Unknown(Box<Sent>, StoreError),
}

impl Fault {
    fn of(error: Error) -> Self {
        match is_lost(&error) {
            true => Fault::Lost(error.into()),
            false => Fault::Refused(error.into()),
        }
    }
}

/// A request that changes rows.
type Change<'a> = Request<'a, u64, Error>;

/// Runs a batch to its end.
pub(crate) async fn transaction(session: &Session, batch: Batch<'_>) -> Result<Sent, Fault> {
    match batch.mode {
        Mode::Together => together(session, batch).await,
        Mode::Guarded => guarded(session, batch).await,
    }
}

async fn together(session: &Session, batch: Batch<'_>) -> Result<Sent, Fault> {
    let groups = groups(batch.writes);
    let changes: Vec<_> = groups.iter().flat_map(Group::requests).collect();
    prepare_all(session, &changes).await.map_err(Fault::of)?;
    let mut requests: Vec<Change<'_>> = Vec::new();
    let before = match batch.head {
        Some(head) => {
            requests.push(command(session, "BEGIN"));
            head
        }
        None => lock_in_new(session).await?,
    };
    let mut sent = Sent {
        after: before.clone(),
        before,
        mark: batch.mark,
        outcomes: vec![no_answer(); batch.writes.len()],
    };
    let mut events: Vec<&Sealed> = Vec::with_capacity(batch.writes.len());
    for (at, write) in groups.iter().flat_map(|group| &group.writes) {
        sent.outcomes[*at] = Ok(advance(write, &mut sent.after));
        events.extend(&write.events);
    }
    let believed = !requests.is_empty() && !events.is_empty();
    if !events.is_empty() {
        requests.push(claim(session, &sent.before, &sent.after));
    }
    for (form, statements) in changes {
        requests.push(match (form.many, statements.first()) {
            (false, Some(statement)) => one(session, form, statement),
            _ => many(session, form, statements),
        });
    }
    if !events.is_empty() {
        requests.push(add_events(session, &events, &sent.before, &sent.mark));
    }
    match finish(session, requests, sent).await {
        Err(Fault::Unmet(CLAIM_AT, _)) if believed => Err(Fault::Moved),
        ended => ended,
    }
}

/// Two round trips for each write: its statements behind a savepoint, then keeping or undoing.
async fn guarded(session: &Session, batch: Batch<'_>) -> Result<Sent, Fault> {
    let before = lock_in_new(session).await?;
    let mut sent = Sent {
        after: before.clone(),
        before,
        mark: batch.mark,
        outcomes: Vec::with_capacity(batch.writes.len()),
    };
    let mut events: Vec<&Sealed> = Vec::new();
    for write in batch.writes {
        let applied = match behind_savepoint(session, write).await {
            Ok(applied) => applied,
            Err(fault) => return Err(undo(session, fault).await),
        };
        if applied.is_ok() {
            events.extend(&write.events);
        }
        let after = &mut sent.after;
        sent.outcomes.push(applied.map(|()| advance(write, after)));
    }
    let mut requests = Vec::new();
    if !events.is_empty() {
        requests.push(claim(session, &sent.before, &sent.after));
        requests.push(add_events(session, &events, &sent.before, &sent.mark));
    }
    finish(session, requests, sent).await
}

async fn behind_savepoint(session: &Session, write: &Write) -> Result<Result<()>, Fault> {
    let run = async |sql| session.client.batch_execute(sql).await.map_err(Fault::of);
    run("SAVEPOINT w").await?;
    let applied = apply(session, write).await;
    match applied {
        Ok(()) => run("RELEASE w").await?,
        Err(_) => run("ROLLBACK TO w; RELEASE w").await?,
    }
    Ok(applied)
}

async fn apply(session: &Session, write: &Write) -> Result<()> {
    let mut rest = &write.statements[..];
    while let Some(first) = rest.first() {
        let (run, after) = rest.split_at(run(rest));
        rest = after;
        if run.len() > 1 {
            let form = Form {
                sql: first.sql,
                many: true,
                expecting: false,
            };
            many(session, form, run.iter().collect()).await?;
            continue;
        }
        let count = session.execute(first.sql, &first.params).await?;
        first.check(count)?;
    }
    Ok(())
}

/// Statements of a run at most: the server begins with it while the next is being sent.
const LONGEST_RUN: usize = 1000;

/// How many statements of a write, from its first on, are alike and can be one: whatever they
/// change, it is the same as one after the other.
fn run(statements: &[Statement]) -> usize {
    let (Some(first), Some(second)) = (statements.first(), statements.get(1)) else {
        return statements.len();
    };
    let like = |other: &Statement| other.sql == first.sql && other.expect.is_none();
    if first.expect.is_some() || !like(second) {
        return 1;
    }
    let Some(many) = Many::of(first.sql) else {
        return 1;
    };
    let mut keys: HashSet<&Value> = HashSet::new();
    let length = statements
        .iter()
        .take(LONGEST_RUN)
        .take_while(|one| {
            let key = one.params.first().filter(|_| many.keeps_apart());
            like(one) && key.is_none_or(|key| keys.insert(key))
        })
        .count();
    length.max(1)
}

/// Sends what is left of a transaction and COMMIT behind it. If anything before it failed, the
/// server takes COMMIT for ROLLBACK.
async fn finish(
    session: &Session,
    mut requests: Vec<Change<'_>>,
    sent: Sent,
) -> Result<Sent, Fault> {
    requests.push(command(session, "COMMIT"));
    let all = requests.len();
    let answers = pipeline(requests).await;
    let commit_sent = answers.len() == all;
    let failed = answers.into_iter().enumerate();
    let failed = failed.filter_map(|(at, answer)| Some((at, answer.err()?)));
    let Some((at, error)) = failed.into_iter().next() else {
        return Ok(sent);
    };
    if !commit_sent {
        return Err(undo(session, Fault::of(error)).await);
    }
    if error.as_db_error().is_none() || is_lost(&error) {
        return Err(Fault::Unknown(Box::new(sent), error.into()));
    }
    Err(match error.code() == Some(&SqlState::DIVISION_BY_ZERO) {
        true => Fault::Unmet(at, error.into()),
        false => Fault::Refused(error.into()),
    })
}

/// Writes that are alike, in the order in which they came.
struct Group<'a> {
    /// With their places in the batch.
    writes: Vec<(usize, &'a Write)>,
    /// Whether a statement of all of them can be one statement.
    at_once: bool,
}

/// Puts like to like. Writes that wait at the same time have no order but the one that the log
/// gives them, which is this one.
fn groups(writes: &[Write]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (at, write) in writes.iter().enumerate() {
        let like = |group: &&mut Group<'_>| alike(group.writes[0].1, write);
        match groups.iter_mut().find(like) {
            Some(group) => group.writes.push((at, write)),
            None => groups.push(Group {
                writes: vec![(at, write)],
                at_once: false,
            }),
        }
    }
    for group in &mut groups {
        group.at_once = group.writes.len() > 1 && separable(group.writes[0].1);
    }
    groups
}

fn alike(one: &Write, other: &Write) -> bool {
    let same = |(one, other): (&Statement, &Statement)| {
        one.sql == other.sql
            && one.params.len() == other.params.len()
            && one.expected_rows() == other.expected_rows()
    };
    one.statements.len() == other.statements.len()
        && one.statements.iter().zip(&other.statements).all(same)
}

/// Whether the statements of such writes may be run statement by statement instead of write by
/// write: each touches tables of its own, so that every table sees the same either way.
fn separable(write: &Write) -> bool {
    let mut tables = HashSet::new();
    write.statements.iter().all(|statement| {
        let counts = matches!(statement.expected_rows(), None | Some(1));
        let apart = |many: Many<'static>| {
            many.is_for_any_values()
                && tables.insert(many.table)
                && many.looks_into.is_none_or(|table| tables.insert(table))
        };
        counts && Many::of(statement.sql).is_some_and(apart)
    })
}

impl<'a> Group<'a> {
    fn form(&self, statement: &Statement) -> Form {
        Form {
            sql: statement.sql,
            many: self.at_once,
            expecting: statement.expect.is_some(),
        }
    }

    /// Its requests: each a form, and the statements that it stands for.
    fn requests(&self) -> Vec<(Form, Vec<&'a Statement>)> {
        if self.at_once {
            let forms = self.writes[0].1.statements.iter().enumerate();
            let each = |(at, statement): (usize, &Statement)| {
                let statements = self.writes.iter().map(|(_, write)| &write.statements[at]);
                (self.form(statement), statements.collect())
            };
            return forms.map(each).collect();
        }
        let mut requests = Vec::new();
        for (_, write) in &self.writes {
            let mut rest = &write.statements[..];
            while let Some(first) = rest.first() {
                let (run, after) = rest.split_at(run(rest));
                rest = after;
                let form = Form {
                    many: run.len() > 1,
                    ..self.form(first)
                };
                requests.push((form, run.iter().collect()));
            }
        }
        requests
    }
}

fn one<'a>(session: &'a Session, form: Form, statement: &'a Statement) -> Change<'a> {
    Box::pin(async move {
        let expected = statement.expected_rows().map(u64::cast_signed);
        let mut params: Vec<_> = statement.params.iter().map(as_param).collect();
        params.extend(expected.as_ref().map(|rows| rows as &(dyn ToSql + Sync)));
        session.execute_as(form, &params).await
    })
}

fn many<'a>(session: &'a Session, form: Form, statements: Vec<&'a Statement>) -> Change<'a> {
    Box::pin(async move {
        let columns = statements.first().map_or(0, |first| first.params.len());
        let column = |at: usize| {
            statements
                .iter()
                .map(move |statement| &statement.params[at])
        };
        let arrays: Vec<Vec<_>> = (0..columns).map(|at| column(at).collect()).collect();
        let count = statements.len() as i64;
        let mut params: Vec<_> = arrays
            .iter()
            .map(|array| array as &(dyn ToSql + Sync))
            .collect();
        if form.expecting {
            params.push(&count);
        }
        session.execute_as(form, &params).await
    })
}

/// Makes sure that preparing costs no round trips inside the transaction.
async fn prepare_all(session: &Session, changes: &[(Form, Vec<&Statement>)]) -> Result<(), Error> {
    let mut forms: HashSet<Form> = changes.iter().map(|(form, _)| *form).collect();
    forms.extend([Form::plain(LOCK_HEAD), CLAIM, ADD_EVENTS]);
    for form in forms {
        session.prepare(form).await?;
    }
    Ok(())
}

fn command<'a>(session: &'a Session, sql: &'static str) -> Change<'a> {
    Box::pin(async move { session.client.batch_execute(sql).await.map(|()| 0) })
}

/// Opens a transaction and takes the head's lock, in one round trip.
async fn lock_in_new(session: &Session) -> Result<Head, Fault> {
    let begin = async move {
        session.client.batch_execute("BEGIN").await?;
        Ok(Vec::new())
    };
    let requests: Vec<Request<'_, Vec<Row>, Error>> =
        vec![Box::pin(begin), Box::pin(session.query(LOCK_HEAD, &[]))];
    let answers: Result<Vec<Vec<Row>>, Error> = pipeline(requests).await.into_iter().collect();
    let fault = match answers {
        Ok(answers) => match read_head(answers.last().map_or(&[], Vec::as_slice)) {
            Ok(head) => return Ok(head),
            Err(error) => Fault::Refused(error),
        },
        Err(error) => Fault::of(error),
    };
    Err(undo(session, fault).await)
}

/// Ends a transaction whose COMMIT was not sent.
async fn undo(session: &Session, fault: Fault) -> Fault {
    match session.client.batch_execute("ROLLBACK").await {
        Ok(()) => fault,
        Err(lost) => Fault::Lost(lost.into()),
    }
}

/// Takes the head's lock in an open transaction.
pub(crate) async fn lock_head(session: &Session) -> Result<Head> {
    read_head(&session.query(LOCK_HEAD, &[]).await?)
}

fn read_head(rows: &[Row]) -> Result<Head> {
    let missing = || StoreError::Corrupt("the log has no head".to_owned());
    let row = rows.first().ok_or_else(missing)?;
    Head::read(row.int(0)?, row.blob(1)?)
}

/// Moves the head, if it is where it is believed to be. It waits for whoever holds it.
pub(crate) fn claim<'a>(session: &'a Session, before: &Head, after: &Head) -> Change<'a> {
    let values = params![
        after.next_seq(),
        after.encode(),
        before.next_seq(),
        before.encode(),
        1,
    ];
    Box::pin(async move {
        let params: Vec<_> = values.iter().map(as_param).collect();
        session.execute_as(CLAIM, &params).await
    })
}

/// Appends the events; the first carries the mark.
pub(crate) fn add_events<'a>(
    session: &'a Session,
    events: &[&'a Sealed],
    before: &Head,
    mark: &[u8],
) -> Change<'a> {
    let first = before.next_seq();
    let numbers: Vec<i64> = (first..).take(events.len()).collect();
    let bodies: Vec<&[u8]> = events.iter().map(|event| &event.body[..]).collect();
    let leaves: Vec<&[u8]> = events.iter().map(|event| &event.leaf[..]).collect();
    let mut marks: Vec<Option<Vec<u8>>> = vec![None; events.len()];
    if let Some(first) = marks.first_mut() {
        *first = Some(mark.to_vec());
    }
    Box::pin(async move {
        let params: [&(dyn ToSql + Sync); 4] = [&numbers, &bodies, &leaves, &marks];
        session.execute_as(ADD_EVENTS, &params).await
    })
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

pub(crate) fn no_answer<T>() -> Result<T> {
    let text = "its writer gave no answer".to_owned();
    Err(StoreError::Unavailable(text))
}

//! A write: statements and the events that account for them, as data. Being data, it can share a
//! transaction with other writes, be pipelined to a server, and be tried again.

use audit::{Event, Sealed};

use crate::{Result, StoreError, Value};

/// One statement of a write.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) params: Vec<Value>,
    /// How many rows it must change, and what is in the way when it does not.
    pub(crate) expect: Option<(u64, &'static str)>,
}

impl Statement {
    /// How many rows it must change, if that matters.
    pub(crate) fn expected_rows(&self) -> Option<u64> {
        self.expect.map(|(rows, _)| rows)
    }

    /// Whether it changed as many rows as it had to.
    pub(crate) fn check(&self, changed: u64) -> Result<()> {
        match self.expect {
            Some((rows, conflict)) if rows != changed => Err(StoreError::Conflict(conflict)),
            _ => Ok(()),
        }
    }
}

/// A change of the database together with the events that account for it.
///
/// There is no other way to change anything, and no way to make one without an event that changes what
/// cannot be worked out anew ([`Write::derived`]): the log is complete because it cannot be forgotten (R36).
#[derive(Clone, Debug)]
pub struct Write {
    pub(crate) statements: Vec<Statement>,
    pub(crate) events: Vec<Sealed>,
    pub(crate) routine: bool,
}

/// Where a committed write stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The number of its first event, counted from 0.
    pub first_seq: u64,
    /// How many events the log has with this write.
    pub size: u64,
}

impl Write {
    /// A write that is accounted for by `event`. Without statements it only records: a refusal,
    /// for instance.
    pub fn new(event: Event) -> Result<Self> {
        Write {
            statements: Vec::with_capacity(2),
            events: Vec::with_capacity(1),
            routine: false,
        }
        .event(event)
    }

    /// Rows that follow from accounted ones and can be worked out anew from them: what a saved view shows, a risk, a
    /// count. Nothing that an auditor would ask for, so it carries no event, and must touch nothing else.
    pub fn derived() -> Self {
        Write {
            statements: Vec::new(),
            events: Vec::new(),
            routine: true,
        }
    }

    /// Adds another event, after those already there.
    pub fn event(mut self, event: Event) -> Result<Self> {
        self.events.push(event.seal()?);
        self.routine = false;
        Ok(self)
    }

    /// Says that its events so far are nothing that anybody who follows the log acts upon: they do
    /// not wake [`Store::follow`](crate::Store::follow) in this process, and it does not read them.
    /// Another event added afterwards takes that back.
    #[must_use]
    pub fn routine(mut self) -> Self {
        self.routine = true;
        self
    }

    /// Makes room for so many more statements at once.
    #[must_use]
    pub fn reserve(mut self, statements: usize) -> Self {
        self.statements.reserve(statements);
        self
    }

    /// Adds a statement. Placeholders are `$1`, `$2`, …
    #[must_use]
    pub fn run(mut self, sql: &'static str, params: Vec<Value>) -> Self {
        self.statements.push(Statement {
            sql,
            params,
            expect: None,
        });
        self
    }

    /// Adds a statement that must change exactly `rows` rows; otherwise the whole write fails
    /// with [`StoreError::Conflict`](crate::StoreError::Conflict) and leaves nothing behind.
    #[must_use]
    pub fn run_expecting(
        mut self,
        rows: u64,
        sql: &'static str,
        params: Vec<Value>,
        conflict: &'static str,
    ) -> Self {
        self.statements.push(Statement {
            sql,
            params,
            expect: Some((rows, conflict)),
        });
        self
    }

    /// How much there is to write, more or less.
    pub(crate) fn bytes(&self) -> usize {
        let values = self.statements.iter().flat_map(|one| &one.params);
        let events = self.events.iter().map(|event| event.body.len());
        values.map(Value::bytes).chain(events).sum()
    }

    /// The store's own bookkeeping, which says nothing that an auditor would ask for: leases,
    /// and checkpoints, which are signatures over the log and cannot be inside it.
    pub(crate) fn bookkeeping(sql: &'static str, params: Vec<Value>) -> Self {
        let none = Write {
            statements: Vec::with_capacity(1),
            events: Vec::new(),
            routine: true,
        };
        none.run(sql, params)
    }

    /// Bookkeeping that must change one row.
    pub(crate) fn bookkeeping_expecting(
        sql: &'static str,
        params: Vec<Value>,
        conflict: &'static str,
    ) -> Self {
        let mut write = Write::bookkeeping(sql, params);
        for statement in &mut write.statements {
            statement.expect = Some((1, conflict));
        }
        write
    }
}

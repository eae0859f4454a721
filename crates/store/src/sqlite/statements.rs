//! A connection with its prepared statements, and how values go in and rows come out.

use std::collections::HashMap;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Statement, ToSql, params_from_iter};

use crate::{Result, Row, StoreError, Value, dialect};

/// How many statements a connection keeps prepared: more than the program has.
const PREPARED: usize = 512;

/// A connection and the statements that it has prepared. Any thread can have it in its turn.
pub(crate) struct Statements {
    connection: Connection,
    /// Statements as SQLite reads them, by where the program has its text of them: a look at the text itself, some hundred
    /// octets, would cost as much as a short statement.
    texts: HashMap<(usize, usize), String>,
}

impl Statements {
    pub(crate) fn new(connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Statements {
            connection,
            texts: HashMap::new(),
        }
    }

    /// Where they are prepared.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs a statement and collects its rows.
    pub(crate) fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>> {
        rows(&mut *self.prepared(sql)?, params)
    }

    /// Runs a statement about many keys, as often as it takes; the last time it repeats its last key.
    pub(crate) fn find(&mut self, sql: &'static str, keys: &[Value]) -> Result<Vec<Row>> {
        let mut found = Vec::with_capacity(keys.len());
        let mut statement = self.prepared(sql)?;
        for part in keys.chunks(dialect::KEYS_AT_ONCE) {
            let last = part.last().into_iter().cycle();
            let padded = part.iter().chain(last).take(dialect::KEYS_AT_ONCE);
            collect(&mut statement, params_from_iter(padded), &mut found)?;
        }
        Ok(found)
    }

    /// Runs a statement that returns no rows; says how many it changed.
    pub(crate) fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64> {
        let changed = self.prepared(sql)?.execute(params_from_iter(params))?;
        Ok(changed as u64)
    }

    /// The statement itself, for parameters that are not worth copying into values.
    pub(crate) fn prepared(&mut self, sql: &'static str) -> Result<CachedStatement<'_>> {
        let text = self
            .texts
            .entry((sql.as_ptr().addr(), sql.len()))
            .or_insert_with(|| dialect::sqlite_statement(sql));
        Ok(self.connection.prepare_cached(text)?)
    }
}

/// Runs a statement and collects its rows.
pub(super) fn rows(statement: &mut Statement<'_>, params: &[Value]) -> Result<Vec<Row>> {
    let mut out = Vec::new();
    collect(statement, params_from_iter(params), &mut out)?;
    Ok(out)
}

fn collect(
    statement: &mut Statement<'_>,
    params: impl rusqlite::Params,
    out: &mut Vec<Row>,
) -> Result<()> {
    let columns = statement.column_count();
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        let values: Result<Vec<Value>> = (0..columns).map(|at| value(row.get_ref(at)?)).collect();
        out.push(Row(values?));
    }
    Ok(())
}

/// A column in the store's types.
pub(crate) fn value(column: ValueRef<'_>) -> Result<Value> {
    match column {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec())
            .map(Value::Text)
            .map_err(|_| StoreError::Corrupt("a text that is not UTF-8".to_owned())),
        ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(StoreError::Value("a real number".to_owned())),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

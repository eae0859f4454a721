//! A connection's prepared statements, and how values go in and rows come out.

use std::collections::{HashMap, hash_map::Entry};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, ToSql, params_from_iter};

use crate::{Result, Row, StoreError, Value, dialect};

/// The statements that a connection has prepared, by their text. Texts are constants of the
/// program, so there are only so many.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    prepared: HashMap<&'static str, Statement<'c>>,
}

impl<'c> Statements<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Statements {
            connection,
            prepared: HashMap::new(),
        }
    }

    /// Runs a statement and collects its rows.
    pub(crate) fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>> {
        rows(self.prepared(sql)?, params)
    }

    /// Runs a statement that returns no rows; says how many it changed.
    pub(crate) fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64> {
        let changed = self.prepared(sql)?.execute(params_from_iter(params))?;
        Ok(changed as u64)
    }

    /// The statement itself, for parameters that are not worth copying into values.
    pub(crate) fn prepared(&mut self, sql: &'static str) -> Result<&mut Statement<'c>> {
        match self.prepared.entry(sql) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let text = dialect::sqlite_statement(sql);
                Ok(entry.insert(self.connection.prepare(&text)?))
            }
        }
    }
}

/// Runs a statement and collects its rows.
pub(crate) fn rows(statement: &mut Statement<'_>, params: &[Value]) -> Result<Vec<Row>> {
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(params))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let values: Result<Vec<Value>> = (0..columns).map(|at| value(row.get_ref(at)?)).collect();
        out.push(Row(values?));
    }
    Ok(out)
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

//! Reads by key, answered on the calling thread: a few pages that are nearly always in memory. To
//! hand such a read to another thread and to be woken with the answer costs several times the read.

use std::collections::HashMap;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::{connect, statements};
use crate::{Result, Row, Value, dialect};

/// How many can be asked at once.
const PLACES: usize = 4;

/// How many statements each keeps prepared.
const PREPARED: usize = 64;

/// Connections for reads by key.
pub(crate) struct Lookups([Mutex<Place>; PLACES]);

struct Place {
    connection: Connection,
    /// Statements as SQLite reads them.
    texts: HashMap<&'static str, String>,
}

impl Lookups {
    pub(crate) fn open(place: &connect::Place) -> Result<Self> {
        let open = || -> Result<Mutex<Place>> {
            let connection = connect::reader(place)?;
            connection.set_prepared_statement_cache_capacity(PREPARED);
            Ok(Mutex::new(Place {
                connection,
                texts: HashMap::new(),
            }))
        };
        Ok(Lookups([open()?, open()?, open()?, open()?]))
    }

    /// Runs a statement here and now; `None` if all are at work for others. The first that is free
    /// is asked, so that a few have the pages in their caches.
    pub(crate) fn query(&self, sql: &'static str, params: &[Value]) -> Option<Result<Vec<Row>>> {
        let mut place = self.0.iter().find_map(Mutex::try_lock)?;
        let Place { connection, texts } = &mut *place;
        let text = texts
            .entry(sql)
            .or_insert_with(|| dialect::sqlite_statement(sql));
        Some(match connection.prepare_cached(text) {
            Ok(mut statement) => statements::rows(&mut statement, params),
            Err(error) => Err(error.into()),
        })
    }
}

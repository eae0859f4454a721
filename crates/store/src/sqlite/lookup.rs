//! Reads by key, answered on the calling thread: a few pages that are nearly always in memory. To
//! hand such a read to another thread and to be woken with the answer costs several times the read.

use parking_lot::Mutex;

use super::{connect, statements::Statements};
use crate::{Result, Row, Value};

/// How many can be asked at once.
const PLACES: usize = 4;

/// Connections for reads by key.
pub(crate) struct Lookups([Mutex<Statements>; PLACES]);

impl Lookups {
    pub(crate) fn open(place: &connect::Place) -> Result<Self> {
        let open = || -> Result<Mutex<Statements>> {
            Ok(Mutex::new(Statements::new(connect::reader(place)?)))
        };
        Ok(Lookups([open()?, open()?, open()?, open()?]))
    }

    /// Runs a statement here and now; `None` if all are at work for others. The first that is free
    /// is asked, so that a few have the pages in their caches.
    pub(crate) fn query(&self, sql: &'static str, params: &[Value]) -> Option<Result<Vec<Row>>> {
        let mut statements = self.0.iter().find_map(Mutex::try_lock)?;
        Some(statements.query(sql, params))
    }
}

//! What a protocol writes along with an issuance. A protocol that keeps state of its own about a
//! request (an ACME order) adds its statements to the writes of the cycle, so that its state and the
//! certificate's can never disagree: there is no further write that a crash could come before. Where
//! the serial number was reserved ahead there is one write, and both additions are in it.

use std::fmt;

use store::{Result, Write};

type WithIntent = Box<dyn FnOnce(Write) -> Result<Write> + Send + Sync>;
type WithRecord = Box<dyn FnOnce(Write, &[u8; 32]) -> Result<Write> + Send + Sync>;

/// Additions to the writes of one issuance. A statement that finds another state than it expects
/// ([`Write::run_expecting`]) stops the issuance with [`store::StoreError::Conflict`]: beside an
/// intent, before anything is announced; beside the record, after which the serial number is voided.
#[derive(Default)]
pub struct Along {
    with_intent: Option<WithIntent>,
    with_record: Option<WithRecord>,
}

impl Along {
    /// `with_intent` is added to the write that records the intent if there is one, otherwise to the
    /// one that makes the certificate durable, before `with_record`, which is given the certificate's
    /// SHA-256. Neither is called for an issuance that is refused.
    pub fn new(
        with_intent: impl FnOnce(Write) -> Result<Write> + Send + Sync + 'static,
        with_record: impl FnOnce(Write, &[u8; 32]) -> Result<Write> + Send + Sync + 'static,
    ) -> Self {
        Along {
            with_intent: Some(Box::new(with_intent)),
            with_record: Some(Box::new(with_record)),
        }
    }

    /// Whether there is anything to add.
    pub fn is_empty(&self) -> bool {
        self.with_intent.is_none() && self.with_record.is_none()
    }

    /// The intent's write with what belongs to it.
    pub(super) fn intend(&mut self, write: Write) -> Result<Write> {
        match self.with_intent.take() {
            None => Ok(write),
            Some(add) => add(write),
        }
    }

    /// The record's write with what belongs to it.
    pub(super) fn record(&mut self, write: Write, sha256: &[u8; 32]) -> Result<Write> {
        match self.with_record.take() {
            None => Ok(write),
            Some(add) => add(write, sha256),
        }
    }
}

impl fmt::Debug for Along {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Along")
    }
}

//! What a protocol writes along with an issuance. A protocol that keeps state of its own about a
//! request (an ACME order) adds its statements to the writes of the cycle, so that its state and the
//! certificate's can never disagree: there is no further write that a crash could come before. Where
//! the serial number was reserved ahead there is one write, and both additions are in it, or one that
//! stands for both.

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
    at_once: Option<WithRecord>,
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
            at_once: None,
        }
    }

    /// `at_once` is added in the place of both where there is one write. It must fail for the second of two
    /// issuances that were asked for under one idempotency key, whose certificate is then not known by it.
    #[must_use]
    pub fn or_at_once(
        mut self,
        at_once: impl FnOnce(Write, &[u8; 32]) -> Result<Write> + Send + Sync + 'static,
    ) -> Self {
        self.at_once = Some(Box::new(at_once));
        self
    }

    /// Whether there is anything to add.
    pub fn is_empty(&self) -> bool {
        self.with_intent.is_none() && self.with_record.is_none()
    }

    /// Whether what is added to the one write tells the second issuance for something from the first.
    pub(super) fn decides(&self) -> bool {
        self.at_once.is_some()
    }

    /// The intent's write with what belongs to it.
    pub(super) fn intend(&mut self, write: Write) -> Result<Write> {
        match self.with_intent.take() {
            None => Ok(write),
            Some(add) => add(write),
        }
    }

    /// The one write with what comes before the certificate.
    pub(super) fn begin_at_once(&mut self, write: Write) -> Result<Write> {
        match self.decides() {
            true => Ok(write),
            false => self.intend(write),
        }
    }

    /// The one write with what comes after the certificate.
    pub(super) fn end_at_once(&mut self, write: Write, sha256: &[u8; 32]) -> Result<Write> {
        match self.at_once.take() {
            None => self.record(write, sha256),
            Some(add) => add(write, sha256),
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

//! What can go wrong in the audit room. One small enum: callers either stop or report.

/// A failure to read, build or check a part of the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes that should be an event are not one.
    #[error("not an audit event: {0}")]
    Event(String),
    /// A stored or published structure does not have the form its specification demands.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// Which structure: "frontier", "checkpoint", "tile path", …
        what: &'static str,
        /// Which rule it breaks.
        why: String,
    },
    /// A proof or a signature that does not hold.
    #[error("{0}")]
    Refuted(&'static str),
    /// A request for something outside the tree.
    #[error("{what} {index} is outside a tree of {size} leaves")]
    OutOfRange {
        /// Leaf, tile or tree size.
        what: &'static str,
        /// What was asked for.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A file of an export could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The caller's source of hashes, events or signatures failed.
    #[error("{0}")]
    Source(String),
}

impl Error {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Error::Malformed {
            what,
            why: why.into(),
        }
    }

    /// Wraps the failure of something that the caller supplied.
    pub fn source(error: impl std::fmt::Display) -> Self {
        Error::Source(error.to_string())
    }
}

//! The one error of this crate, apart from [`crate::CsrError`], which speaks to subscribers.

use crate::{Oid, der, key::Weakness};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Der(#[from] der::Error),
    #[error("{what} is larger than the limit of {limit}")]
    TooLarge { what: &'static str, limit: usize },
    #[error("{what}: {why}")]
    Invalid {
        what: &'static str,
        why: &'static str,
    },
    #[error("unsupported {what} {oid}")]
    Unsupported { what: &'static str, oid: Oid },
    #[error("{what} {oid} appears more than once")]
    Duplicate { what: &'static str, oid: Oid },
    #[error("the signature does not verify")]
    BadSignature,
    #[error("weak key: {0}")]
    WeakKey(Weakness),
}

impl Error {
    pub(crate) fn invalid(what: &'static str, why: &'static str) -> Self {
        Self::Invalid { what, why }
    }
}

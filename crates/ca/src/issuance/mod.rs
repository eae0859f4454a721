//! The issuance cycle: permit → profile check → intent durable → lint of the exact bytes → sign →
//! record → answer. Each step consumes the proof of the one before by move.

mod request;

use access::{Permit, RequestId};
use audit::Timestamp;

pub use request::{Exception, GeneratedKey, IssueRequest, Issued, KeyPackage, Outcome, Source};

use crate::{Ca, CaError, Result};

impl Ca {
    /// Issues, or puts the request before a second person if the profile demands it. A refusal is
    /// in the log when this returns.
    pub async fn issue(
        &self,
        permit: Permit,
        request: IssueRequest,
        now: Timestamp,
    ) -> Result<Outcome> {
        let _ = (permit, request, now);
        Err(CaError::Internal("issuance is not built yet"))
    }

    /// Says yes to a waiting request; with the last yes it is issued.
    pub async fn approve(
        &self,
        permit: Permit,
        id: &RequestId,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Outcome> {
        let _ = (permit, id, why, now);
        Err(CaError::Internal("issuance is not built yet"))
    }
}

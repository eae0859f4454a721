//! Limits that keep one client from hurting the rest.

use std::net::IpAddr;

use audit::Timestamp;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{Account, Directory};

/// What a directory lets one account, one address and all together do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {}

/// What has been used up.
#[derive(Default)]
pub(crate) struct Counters {}

/// What a request would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spend {
    /// Any request, before its signature is looked at.
    Request,
    NewAccount,
    NewOrder {
        names: usize,
    },
    /// A challenge to be validated.
    Challenge,
    Finalize,
    Revoke,
}

impl Counters {
    /// Refuses with `rateLimited` and `Retry-After`, or counts.
    pub(crate) fn spend(
        &self,
        _directory: &Directory,
        _account: Option<&Account>,
        _peer: IpAddr,
        _spend: Spend,
        _now: Timestamp,
    ) -> Result<(), Problem> {
        Ok(())
    }
}

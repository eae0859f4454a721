//! What operators do about ACME: directories, external account keys, accounts, orders, recalls. It works on the database
//! alone, so that a command does the same beside a running server as without one; the server learns of it from the log.
//!
//! Every act takes a permit by value and is an event; a refusal is one too.

mod accounts;
mod directories;
mod eab;
mod orders;
mod recalls;

use access::{Action, Permit, Refusal};
use audit::{Object, Timestamp};
use ca::Ca;
use store::Store;

use super::AcmeError;
use crate::desk::Rules;

pub use accounts::{AccountFilter, AccountPage, AccountView};
pub use directories::{DirectoryUse, StoredDirectory};
pub use eab::{EabView, NewEab};
pub use orders::{NameView, OrderFilter, OrderPage, OrderView};
pub use recalls::{Affected, NewRecall};

const RULES: Rules = Rules {
    needs: &[Action::ManageEnrolment],
    scope: "acme.scope",
    text: "acme.text",
    page: "docs/acme.md",
};

/// The operators' desk. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    ca: Ca,
}

impl Desk {
    /// The desk of a CA whose store has the migrations of this room.
    pub fn new(ca: Ca) -> Self {
        Desk { ca }
    }

    fn store(&self) -> &Store {
        self.ca.store()
    }

    /// Runs the checks of an act, and records what they refuse.
    async fn checked(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        now: Timestamp,
        checks: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), AcmeError> {
        let access = self.ca.access();
        RULES
            .checked(access, permit, action, object, now, checks)
            .await
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    RULES.check_text(field, text)
}

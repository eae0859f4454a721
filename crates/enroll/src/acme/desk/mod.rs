//! What operators do about ACME: directories, external account keys, accounts, orders, recalls. It works on the database
//! alone, so that a command does the same beside a running server as without one; the server learns of it from the log.
//!
//! Every act takes a permit by value and is an event; a refusal is one too.

mod accounts;
mod directories;
mod eab;
mod orders;
mod recalls;

use access::{Action, Permit, Principal, Refusal};
use audit::{Object, Timestamp};
use ca::Ca;
use store::Store;

use super::AcmeError;

pub use accounts::{AccountFilter, AccountPage, AccountView};
pub use directories::{DirectoryUse, StoredDirectory};
pub use eab::{EabView, NewEab};
pub use orders::{NameView, OrderFilter, OrderPage, OrderView};
pub use recalls::{Affected, NewRecall};

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

    /// Refuses permits for something else, and whoever is limited to a part of the house: doors lead everywhere.
    fn may_manage(permit: &Permit) -> Result<(), Refusal> {
        permit.require(Action::ManageEnrolment)?;
        match permit.principal().scope() == &access::Scope::default() {
            true => Ok(()),
            false => Err(Refusal::new(
                "acme.scope",
                "token scope",
                "somebody with a limited scope cannot manage enrolment",
            )
            .accepted("a token without limits")),
        }
    }

    /// Runs the checks of an act and records what they refuse.
    async fn checked(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        now: Timestamp,
        checks: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), AcmeError> {
        let Err(refusal) = Self::may_manage(permit).and_then(|()| checks()) else {
            return Ok(());
        };
        let principal: &Principal = permit.principal();
        let id = permit.request_id();
        self.ca
            .access()
            .record_refusal(&refusal, principal, action, object.clone(), id, now)
            .await?;
        Err(refusal.into())
    }
}

/// Texts of operators: what they say goes into the log and into tables.
fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    const LONGEST: usize = 200;
    match text.chars().count() <= LONGEST && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(Refusal::new(
            "acme.text",
            "docs/acme.md",
            format!("{field} cannot be kept"),
        )
        .accepted(format!("at most {LONGEST} characters on one line"))),
    }
}

/// `N` random bytes.
fn random<const N: usize>() -> Result<[u8; N], AcmeError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AcmeError::Random)?;
    Ok(bytes)
}

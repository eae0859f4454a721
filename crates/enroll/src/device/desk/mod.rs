//! What operators do about device enrolment: endpoints, rights, registrations. It works on the database alone, so that a
//! command does the same beside a running server as without one; the server learns of it from the log.
//!
//! Every act takes a permit by value and is an event; a refusal is one too.

mod endpoints;
mod rights;

use access::{Action, Permit, Principal, Refusal, Scope};
use audit::{Object, Timestamp};
use ca::Ca;
use fleet::Fleet;
use store::Store;

use super::registration::{self, Registered, RegistrationFilter, RegistrationPage};
use super::{DeviceError, SerialField};

pub use endpoints::{EndpointUse, StoredEndpoint};
pub use rights::{NewCredential, NewRight, RightView};

/// The operators' desk. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    ca: Ca,
    fleet: Fleet,
}

impl Desk {
    /// The desk of a CA whose store has the migrations of this room.
    pub fn new(ca: Ca, fleet: Fleet) -> Self {
        Desk { ca, fleet }
    }

    /// Registrations, the newest first.
    pub async fn registrations(
        &self,
        filter: &RegistrationFilter,
    ) -> Result<RegistrationPage, DeviceError> {
        registration::page(self.store(), filter).await
    }

    /// One registration.
    pub async fn registration(&self, id: &str) -> Result<Registered, DeviceError> {
        let found = registration::by_id(self.store(), id).await?;
        found.ok_or_else(|| DeviceError::not_found("registration", id))
    }

    fn store(&self) -> &Store {
        self.ca.store()
    }

    /// Refuses permits for something else, and whoever is limited to a part of the house: doors lead everywhere.
    fn may_manage(permit: &Permit) -> Result<(), Refusal> {
        permit.require(Action::ManageEnrolment)?;
        match permit.principal().scope() == &Scope::default() {
            true => Ok(()),
            false => Err(Refusal::new(
                "enrolment.scope",
                "token scope",
                "somebody with a limited scope cannot manage enrolment",
            )
            .accepted("a token without limits")),
        }
    }

    /// Records what the checks of an act refuse.
    async fn checked(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        now: Timestamp,
        checks: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), DeviceError> {
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
            "enrolment.text",
            "docs/enrolment.md",
            format!("{field} cannot be kept"),
        )
        .accepted(format!("at most {LONGEST} characters on one line"))),
    }
}

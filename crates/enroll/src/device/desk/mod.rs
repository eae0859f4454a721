//! What operators do about device enrolment: endpoints, rights, registrations. It works on the database alone, so that a
//! command does the same beside a running server as without one; the server learns of it from the log.
//!
//! Every act takes a permit by value and is an event; a refusal is one too.

mod endpoints;
mod rights;

use access::{Action, Permit, Refusal};
use audit::{Object, Timestamp};
use ca::Ca;
use fleet::Fleet;
use store::Store;

use super::registration::{self, Registered, RegistrationFilter, RegistrationPage};
use super::{DeviceError, SerialField};
use crate::desk::Rules;

pub use endpoints::{EndpointUse, StoredEndpoint};
pub use rights::{NewCredential, NewRight, RightView};

const RULES: Rules = Rules {
    needs: &[Action::ManageEnrolment],
    scope: "enrolment.scope",
    text: "enrolment.text",
    page: "docs/enrolment.md",
};
/// Of what is done for single devices: whoever keeps the doors may, and whoever gives rights to pass them.
const RIGHT_RULES: Rules = Rules {
    needs: &[Action::ManageRights, Action::ManageEnrolment],
    ..RULES
};

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

    /// Runs the checks of an act, and records what they refuse.
    async fn checked(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        now: Timestamp,
        checks: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), DeviceError> {
        let access = self.ca.access();
        RULES
            .checked(access, permit, action, object, now, checks)
            .await
    }

    /// Likewise, for rights.
    async fn checked_right(
        &self,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        now: Timestamp,
        checks: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), DeviceError> {
        let access = self.ca.access();
        RIGHT_RULES
            .checked(access, permit, action, object, now, checks)
            .await
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    RULES.check_text(field, text)
}

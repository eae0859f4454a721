//! What the operators' desks of ACME and of device enrolment have in common: who may act there, which texts are kept, and
//! that what they refuse is an event.

use access::{Access, Action, Permit, Refusal};
use audit::{Object, Timestamp};
use store::StoreError;

/// What a desk calls the rules that both desks have.
pub(crate) struct Rules {
    /// For one of which a permit must be.
    pub(crate) needs: &'static [Action],
    /// Of whoever is limited to a part of the house.
    pub(crate) scope: &'static str,
    /// Of texts that cannot be kept.
    pub(crate) text: &'static str,
    /// Where they are explained.
    pub(crate) page: &'static str,
}

impl Rules {
    /// Runs the checks of an act, and records what they refuse.
    pub(crate) async fn checked<E>(
        &self,
        access: &Access,
        permit: &Permit,
        action: &'static str,
        object: &Object,
        now: Timestamp,
        checks: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), E>
    where
        E: From<Refusal> + From<StoreError>,
    {
        let Err(refusal) = self.may_manage(permit).and_then(|()| checks()) else {
            return Ok(());
        };
        let (principal, id) = (permit.principal(), permit.request_id());
        access
            .record_refusal(&refusal, principal, action, object.clone(), id, now)
            .await?;
        Err(refusal.into())
    }

    /// Refuses permits for something else, and whoever is limited to a part of the house: doors lead everywhere.
    fn may_manage(&self, permit: &Permit) -> Result<(), Refusal> {
        if !self.needs.contains(&permit.action()) {
            self.needs
                .iter()
                .try_for_each(|wanted| permit.require(*wanted))?;
        }
        permit.check_unlimited(self.scope)
    }

    /// Texts of operators: what they say goes into the log and into tables.
    pub(crate) fn check_text(&self, field: &'static str, text: &str) -> Result<(), Refusal> {
        const LONGEST: usize = 200;
        match text.chars().count() <= LONGEST && !text.chars().any(char::is_control) {
            true => Ok(()),
            false => Err(
                Refusal::new(self.text, self.page, format!("{field} cannot be kept"))
                    .accepted(format!("at most {LONGEST} characters on one line")),
            ),
        }
    }
}

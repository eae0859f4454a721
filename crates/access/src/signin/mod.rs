//! Ways in that are no passkey: one-time links, recovery codes, what an identity provider says; and the record of who was
//! turned away.

mod federated;
mod first;
mod invitation;
mod recovery;
mod throttle;

use std::net::IpAddr;

use audit::{Actor, ActorKind, Object, Timestamp};
use serde_json::json;
use store::Write;

use crate::{Access, AccessError, Person, Refusal};

pub use federated::{Claims, Provider};
pub use first::welcome_url;
pub use invitation::{INVITATION_RECORDS, Invitation};
pub use recovery::{RECOVERY_RECORDS, RecoveryState};
pub use throttle::Throttle;

/// A try to sign in, as events and counters know it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// `passkey`, `recovery`, `invitation`, `oidc`, `certificate`, `step-up`.
    pub ceremony: &'static str,
    /// From where.
    pub source: IpAddr,
    /// Who it was said to be, if that was said at all.
    pub person: Option<&'a str>,
    /// Joins the event with the answer.
    pub request_id: &'a str,
}

impl Access {
    /// Counts a sign-in that was turned away, and writes it down unless its source has filled its share of the log.
    pub async fn turned_away(
        &self,
        attempt: &Attempt<'_>,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let failed = self
            .throttle()
            .failed(attempt.source, attempt.ceremony, now);
        let Some(gathered) = failed else {
            return Ok(());
        };
        // The name is what somebody typed: it is shown as the object, and is nobody's act.
        let named = attempt.person.filter(|name| crate::person::is_id(name));
        let object = Object::new("sign-in", named.unwrap_or(attempt.ceremony));
        let actor = Actor::new(ActorKind::Person, "unknown");
        let event = refusal
            .event(now, actor, "session.refuse", object)
            .request_id(attempt.request_id)
            .after(json!({
                "ceremony": attempt.ceremony,
                "source": attempt.source,
                "attempts": gathered,
            }));
        self.store().commit(Write::new(event)?).await?;
        Ok(())
    }

    /// Somebody who may come in now.
    pub async fn active_person(&self, id: &str) -> Result<Person, AccessError> {
        let person = self.person_if_any(id).await?.ok_or_else(|| {
            AccessError::Refused(Refusal::new(
                "person.state",
                "R11",
                format!("there is no person {id}"),
            ))
        })?;
        match crate::people::absent(&person) {
            None => Ok(person),
            Some(refusal) => Err(refusal.into()),
        }
    }
}

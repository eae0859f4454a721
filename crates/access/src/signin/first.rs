//! The first person who can sign in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use audit::Timestamp;
use zeroize::Zeroizing;

use crate::{Access, AccessError, Action, Grant, PersonState, Principal, Profile, Role, Target};

/// The id of the first administrator where nobody has been written down.
const FIRST: &str = "administrator";

impl Access {
    /// Whether nobody can sign in by themselves: no passkey, and nobody who is known to a provider.
    pub async fn nobody_signs_in(&self) -> Result<bool, AccessError> {
        // Once somebody can, it stays so for as long as this process asks.
        if self.signs_in.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let nobody = self.passkeys().await?.is_empty()
            && self
                .people()
                .await?
                .iter()
                .all(|person| person.links.is_empty());
        self.signs_in.store(!nobody, Ordering::Relaxed);
        Ok(nobody)
    }

    /// While nobody can sign in: invites an administrator, who is written down first if there is none.
    pub async fn invite_first_administrator(
        &self,
        by: &Arc<Principal>,
        lasts_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<String>>, AccessError> {
        if !self.nobody_signs_in().await? {
            return Ok(None);
        }
        let everything = Target::default();
        let people = self.people().await?;
        let administrates = |grant: &Grant| grant.role == Role::Admin && grant.scope.is_unlimited();
        let there = people.iter().find(|person| {
            person.state == PersonState::Active && person.grants.iter().any(administrates)
        });
        let id = match there {
            Some(person) => person.id.clone(),
            None => {
                let permit = self
                    .permit(by, Action::ManagePeople, &everything, None, now)
                    .await?;
                let profile = Profile {
                    name: "Administrator".to_owned(),
                    grants: vec![Grant::everywhere(Role::Admin)],
                    ..Profile::default()
                };
                self.create_person(&permit, FIRST, profile, now).await?.id
            }
        };
        let permit = self
            .permit(by, Action::RecoverSignIn, &everything, None, now)
            .await?;
        let (_, token) = self.invite(&permit, &id, lasts_ms, now).await?;
        Ok(Some(token))
    }
}

/// The link of an invitation. What lets in is in the fragment, which no browser sends and no server logs.
pub fn welcome_url(origin: &str, token: &str) -> String {
    format!("{origin}/#/welcome/{token}")
}

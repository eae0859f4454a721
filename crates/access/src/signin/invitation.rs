//! One-time links: `i…` and a secret, in the fragment of a URL, which browsers keep to themselves. They expire, work once,
//! and lead to a session that may register a passkey and nothing else.

use audit::{Event, Object, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Access, AccessError, Action, Permit, Person, Refusal, Target, random};

/// The kind under which invitations are kept.
pub const INVITATION_RECORDS: &str = "invitation";

/// An invitation as it is kept; its secret is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// `i` and twelve hex digits.
    pub id: String,
    /// Who is invited.
    pub person: String,
    /// When it was made, Unix milliseconds.
    pub created: i64,
    /// By whom.
    pub created_by: String,
    /// When it lapses.
    pub expires: i64,
    /// When it was used.
    pub used: Option<i64>,
    /// When another took its place.
    pub withdrawn: Option<i64>,
    /// Hex SHA-256 of the secret.
    secret_sha256: String,
}

impl Access {
    /// Invites somebody to register a passkey. Earlier invitations of the same person end. The token is returned once.
    pub async fn invite(
        &self,
        permit: &Permit,
        person: &str,
        lasts_ms: i64,
        now: Timestamp,
    ) -> Result<(Invitation, Zeroizing<String>), AccessError> {
        permit.require(Action::RecoverSignIn)?;
        let person = self.person(person).await?;
        let person = self.active_person(&person.id).await?;
        if let Err(refusal) = self.may_invite(permit, &person).await? {
            let at = Object::new("person", person.id.as_str());
            return Err(self.no(refusal, permit, "invitation.create", at, now).await);
        }
        let id = format!("i{}", hex::encode(random::<6>()?));
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<32>()?));
        let invitation = Invitation {
            id: id.clone(),
            person: person.id.clone(),
            created: now.0,
            created_by: permit.actor().id.clone(),
            expires: now.0.saturating_add(lasts_ms),
            used: None,
            withdrawn: None,
            secret_sha256: hex::encode(digest(&SHA256, secret.as_bytes())),
        };
        let event = Event::new(
            now,
            permit.actor().clone(),
            "invitation.create",
            Object::new("invitation", id.as_str()),
        )
        .after(json!({ "person": person.id, "expires": invitation.expires }));
        let mut write = Write::new(permit.joined(event))?.put_record(
            INVITATION_RECORDS,
            &id,
            0,
            &invitation,
            now,
        )?;
        for (mut earlier, version) in self.open_invitations(&person.id, now).await? {
            earlier.withdrawn = Some(now.0);
            write = write.put_record(INVITATION_RECORDS, &earlier.id, version, &earlier, now)?;
        }
        self.store().commit(write).await?;
        let token = Zeroizing::new(format!("{id}.{}", secret.as_str()));
        Ok((invitation, token))
    }

    /// Uses an invitation up; gives whose it was.
    pub async fn accept_invitation(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let wrong = || {
            AccessError::Refused(
                Refusal::new("invitation", "access", "this link does not work")
                    .accepted("a link that was not used yet; whoever sent it can send another"),
            )
        };
        let parts = token.split_once('.').filter(|_| token.len() == 57);
        let (id, secret) = parts.ok_or_else(wrong)?;
        let record = self.store().record(INVITATION_RECORDS, id).await?;
        let record = record.ok_or_else(wrong)?;
        let mut invitation: Invitation = record.parse()?;
        let offered = hex::encode(digest(&SHA256, secret.as_bytes()));
        if !bool::from(
            offered
                .as_bytes()
                .ct_eq(invitation.secret_sha256.as_bytes()),
        ) {
            return Err(wrong());
        }
        if let Some(fault) = invitation.fault(now) {
            return Err(Refusal::new("invitation", "access", fault)
                .accepted("another link: `ward person invite`, or the help desk")
                .into());
        }
        let person = self.active_person(&invitation.person).await?;
        invitation.used = Some(now.0);
        let actor = audit::Actor::new(audit::ActorKind::Person, person.id.as_str());
        let event = Event::new(now, actor, "invitation.use", Object::new("invitation", id));
        let write = Write::new(event)?.put_record(
            INVITATION_RECORDS,
            id,
            record.version,
            &invitation,
            now,
        )?;
        match self.store().commit(write).await {
            Ok(_) => Ok(person),
            // Somebody else has used it in between.
            Err(store::StoreError::Conflict(_)) => Err(wrong()),
            Err(error) => Err(error.into()),
        }
    }

    async fn open_invitations(
        &self,
        person: &str,
        now: Timestamp,
    ) -> Result<Vec<(Invitation, u64)>, AccessError> {
        let mut open = Vec::new();
        for record in self.store().records(INVITATION_RECORDS).await? {
            let invitation: Invitation = record.parse()?;
            if invitation.person == person && invitation.fault(now).is_none() {
                open.push((invitation, record.version));
            }
        }
        Ok(open)
    }

    /// Whoever can invite somebody can become them. So whoever may not manage people invites nobody who may manage people
    /// or tokens: otherwise the help desk would be the PKI administrator.
    async fn may_invite(
        &self,
        permit: &Permit,
        person: &Person,
    ) -> Result<Result<(), Refusal>, AccessError> {
        let everything = Target::default();
        let manages = |action| self.decide(permit.principal(), action, &everything).is_ok();
        if manages(Action::ManagePeople) {
            return Ok(Ok(()));
        }
        let grants = self.grants(person).await?;
        let mighty = grants.iter().any(|grant| {
            grant.role.allows(Action::ManagePeople) || grant.role.allows(Action::ManageTokens)
        });
        Ok(match mighty {
            false => Ok(()),
            true => Err(Refusal::new(
                "invitation.role",
                "R37: nobody helps themselves to more than they have",
                format!(
                    "{} may manage people; the help desk cannot let them in",
                    person.id
                ),
            )
            .accepted(
                "the act of somebody who may manage people, or `ward person invite` at the machine",
            )),
        })
    }
}

impl Invitation {
    /// Why it is not good at `now`, if it is not.
    pub fn fault(&self, now: Timestamp) -> Option<&'static str> {
        if self.used.is_some() {
            Some("this link has been used")
        } else if self.withdrawn.is_some() {
            Some("another link has taken the place of this one")
        } else if self.expires <= now.0 {
            Some("this link has lapsed")
        } else {
            None
        }
    }
}

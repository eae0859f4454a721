//! Who somebody is whom an identity provider sends. The provider's word has been verified by now; what is decided here is
//! what it is worth.
//!
//! The rule (docs/sign-in.md has it for administrators):
//! 1. Whoever is linked to (provider, subject) is that person. Nothing else the provider says changes that.
//! 2. Otherwise, where the provider's configuration says `link = "email"` and the provider says that it has verified the
//!    address, the one active person whom an administrator wrote down with that address is linked, for good.
//! 3. Otherwise, where one of the person's groups at the provider is a claim of a group here, somebody new is written
//!    down who has what their groups have and nothing of their own.
//! 4. Otherwise nobody comes in.
//!
//! An address that the provider has not verified never counts: at many providers people write it themselves.

use audit::Timestamp;

use crate::person::is_id;
use crate::{
    Access, AccessError, Action, Link, Permit, Person, PersonState, Profile, Refusal, Target,
};

/// What an ID token said, verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `name`, or what stands for it.
    pub name: Option<String>,
    /// `preferred_username`.
    pub user_name: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// `email_verified`.
    pub email_verified: bool,
    /// The groups claim.
    pub groups: Vec<String>,
}

/// What the configuration says of a provider, as far as it decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Ward's name of it.
    pub name: String,
    /// Rule 2 holds.
    pub links_by_email: bool,
    /// The groups claim is asked for: groups follow it at each sign-in.
    pub has_groups: bool,
}

impl Access {
    /// The person behind a provider's word, by the rule above; with groups as the provider has them now.
    pub async fn federated_person(
        &self,
        provider: &Provider,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let permit = self.decide(
            &self.system_principal("sign-in"),
            Action::ManagePeople,
            &Target::default(),
        )?;
        let person = match self.person_by_link(&provider.name, &claims.subject).await? {
            Some(person) => person,
            None => self.linked_now(&permit, provider, claims, now).await?,
        };
        let person = self.active_person(&person.id).await?;
        match provider.has_groups {
            true => {
                self.claim_groups(&permit, &person.id, &claims.groups, now)
                    .await
            }
            false => Ok(person),
        }
    }

    async fn linked_now(
        &self,
        permit: &Permit,
        provider: &Provider,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let link = Link {
            provider: provider.name.clone(),
            subject: claims.subject.clone(),
        };
        if let Some(person) = self.by_address(provider, claims).await? {
            return self.link_person(permit, &person.id, link, now).await;
        }
        let groups = self.groups().await?;
        let counts = groups
            .iter()
            .flat_map(|group| &group.claims)
            .any(|claim| claims.groups.contains(claim));
        if !provider.has_groups || !counts {
            return Err(Refusal::new(
                "sign-in.unknown",
                "R37: nobody comes in whom nobody let in",
                format!("{} sent somebody who is not known here", provider.name),
            )
            .accepted(
                "a person whom an administrator linked to that subject or wrote down with that verified address, \
                 or a group of the provider that stands for a group here",
            )
            .into());
        }
        let id = self.free_id(claims).await?;
        let profile = Profile {
            name: shown_name(claims, &id),
            email: claims.email.clone().filter(|_| claims.email_verified),
            ..Profile::default()
        };
        let person = match self.create_person(permit, &id, profile.clone(), now).await {
            // An address that cannot be written to is left out.
            Err(AccessError::Refused(refusal)) if refusal.rule == "person.email" => {
                let profile = Profile {
                    email: None,
                    ..profile
                };
                self.create_person(permit, &id, profile, now).await?
            }
            other => other?,
        };
        self.link_person(permit, &person.id, link, now).await
    }

    /// Rule 2.
    async fn by_address(
        &self,
        provider: &Provider,
        claims: &Claims,
    ) -> Result<Option<Person>, AccessError> {
        let Some(address) = claims.email.as_deref() else {
            return Ok(None);
        };
        if !provider.links_by_email || !claims.email_verified {
            return Ok(None);
        }
        let mut people = self.people().await?;
        people.retain(|person| {
            let same = |email: &str| email.eq_ignore_ascii_case(address);
            let linked = person
                .links
                .iter()
                .any(|link| link.provider == provider.name);
            person.state == PersonState::Active
                && !linked
                && person.email.as_deref().is_some_and(same)
        });
        // Two people with one address: nobody can say which of them it is.
        Ok(match people.len() {
            1 => people.pop(),
            _ => None,
        })
    }

    /// An id for somebody new, from what they are called; a number where it is taken.
    async fn free_id(&self, claims: &Claims) -> Result<String, AccessError> {
        let local = claims
            .email
            .as_deref()
            .and_then(|email| email.split('@').next());
        let wanted = claims.user_name.as_deref().or(local).unwrap_or("person");
        let wanted = wanted.split('@').next().unwrap_or_default();
        let plain: String = wanted
            .chars()
            .map(|letter| letter.to_ascii_lowercase())
            .filter(|letter| letter.is_ascii_alphanumeric() || "._-".contains(*letter))
            .take(48)
            .collect();
        let plain = match is_id(&plain) {
            true => plain,
            false => "person".to_owned(),
        };
        for number in 1..1000 {
            let id = match number {
                1 => plain.clone(),
                more => format!("{plain}-{more}"),
            };
            if self.person_if_any(&id).await?.is_none() {
                return Ok(id);
            }
        }
        Err(Refusal::new(
            "person.id",
            "access",
            "no id is left for a person of that name",
        )
        .into())
    }
}

fn shown_name(claims: &Claims, id: &str) -> String {
    let name = claims.name.as_deref().or(claims.user_name.as_deref());
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    let printed = name.unwrap_or(id).chars();
    let printed: String = printed
        .filter(|c| !c.is_control() && !turns(*c))
        .take(200)
        .collect();
    match printed.trim().is_empty() {
        true => id.to_owned(),
        false => printed,
    }
}

//! People and groups in the store. They are read anew whenever somebody acts, so that what is taken away counts at the
//! very next request, on every node; there is no cache to be late.

use std::sync::Arc;

use audit::{Actor, ActorKind, Event, Object, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::json;
use store::{Record, Write};

use crate::person::{check_duties, check_id};
use crate::{
    Access, AccessError, Action, GROUP_RECORDS, Grant, Group, Link, PERSON_RECORDS, Permit, Person,
    PersonState, Principal, Profile, Refusal, TOKEN_RECORDS,
};

impl Access {
    /// Writes somebody down.
    pub async fn create_person(
        &self,
        permit: &Permit,
        id: &str,
        profile: Profile,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let person = Person {
            id: id.to_owned(),
            name: profile.name.clone(),
            email: profile.email.clone(),
            grants: profile.grants.clone(),
            groups: profile.groups.clone(),
            claimed_groups: Vec::new(),
            state: PersonState::Active,
            links: Vec::new(),
            created: now.0,
            created_by: permit.actor().id.clone(),
            version: 0,
        };
        let checked = check_id("person", id).and_then(|()| profile.check());
        self.people_rule(permit, "person.create", object(id), checked, now)
            .await?;
        self.check_effective(permit, "person.create", &person, now)
            .await?;
        if self.store.record(PERSON_RECORDS, id).await?.is_some() {
            let taken = Refusal::new(
                "person.id",
                "access",
                format!("there is a person {id} already"),
            )
            .accepted("an id that nobody has, or had");
            return Err(self
                .no(taken, permit, "person.create", object(id), now)
                .await);
        }
        let event = Event::new(now, permit.actor().clone(), "person.create", object(id))
            .after(json!(profile));
        self.put_person(permit, event, person, now).await
    }

    /// Changes name, address, grants and groups.
    pub async fn change_person(
        &self,
        permit: &Permit,
        id: &str,
        version: u64,
        profile: Profile,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let mut person = self.person(id).await?;
        let before = person.profile();
        let checked = profile.check().and_then(|()| working(&person));
        self.people_rule(permit, "person.change", object(id), checked, now)
            .await?;
        if (&before.grants, &before.groups) != (&profile.grants, &profile.groups) {
            self.check_others(permit, "person.change", &person, now)
                .await?;
        }
        (person.name, person.email) = (profile.name.clone(), profile.email.clone());
        (person.grants, person.groups) = (profile.grants.clone(), profile.groups.clone());
        person.version = version;
        self.check_effective(permit, "person.change", &person, now)
            .await?;
        let event = Event::new(now, permit.actor().clone(), "person.change", object(id))
            .before(json!(before))
            .after(json!(profile));
        self.put_person(permit, event, person, now).await
    }

    /// Suspends somebody, takes them back, or lets them leave for good. Whoever is not active ends: their tokens in the
    /// same write, their sessions with their next request (R11).
    pub async fn set_person_state(
        &self,
        permit: &Permit,
        id: &str,
        state: PersonState,
        why: &str,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let verb = match state {
            PersonState::Active => "person.resume",
            PersonState::Suspended => "person.suspend",
            PersonState::Left => "person.leave",
        };
        let mut person = self.person(id).await?;
        self.people_rule(permit, verb, object(id), working(&person), now)
            .await?;
        self.check_others(permit, verb, &person, now).await?;
        if person.state == state {
            return Ok(person);
        }
        let event = Event::new(now, permit.actor().clone(), verb, object(id))
            .before(json!({ "state": person.state }))
            .after(json!({ "state": state }))
            .why(why);
        let version = person.version;
        person.state = state;
        let mut write = Write::new(permit.joined(event))?;
        if state != PersonState::Active {
            write = self.end_tokens(write, permit, id, now).await?;
        }
        let write = write.put_record(PERSON_RECORDS, id, version, &person, now)?;
        self.store.commit(write).await?;
        self.invalidate();
        person.version = version + 1;
        Ok(person)
    }

    /// Says who somebody is at an identity provider; nobody else may be that.
    pub async fn link_person(
        &self,
        permit: &Permit,
        id: &str,
        link: Link,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let mut person = self.person(id).await?;
        let other = self.person_by_link(&link.provider, &link.subject).await?;
        let checked = match other {
            Some(other) if other.id != id => Err(Refusal::new(
                "person.link",
                "OpenID Connect Core 1.0 §2",
                format!("{} is that subject of {} already", other.id, link.provider),
            )),
            _ => working(&person),
        };
        self.people_rule(permit, "person.link", object(id), checked, now)
            .await?;
        if person.links.contains(&link) {
            return Ok(person);
        }
        let event =
            Event::new(now, permit.actor().clone(), "person.link", object(id)).after(json!(link));
        person.links.push(link);
        self.put_person(permit, event, person, now).await
    }

    /// Forgets who somebody is at an identity provider.
    pub async fn unlink_person(
        &self,
        permit: &Permit,
        id: &str,
        provider: &str,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let mut person = self.person(id).await?;
        self.people_rule(permit, "person.unlink", object(id), Ok(()), now)
            .await?;
        let before = person.links.clone();
        person.links.retain(|link| link.provider != provider);
        if person.links == before {
            return Ok(person);
        }
        let event = Event::new(now, permit.actor().clone(), "person.unlink", object(id))
            .before(json!(before))
            .after(json!(person.links));
        self.put_person(permit, event, person, now).await
    }

    /// Puts somebody into the groups that an identity provider's claim stands for, and out of those it no longer names.
    pub async fn claim_groups(
        &self,
        permit: &Permit,
        id: &str,
        claims: &[String],
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let mut person = self.person(id).await?;
        self.people_rule(permit, "person.claim", object(id), working(&person), now)
            .await?;
        let groups = self.groups().await?;
        let claimed = |group: &Group| group.claims.iter().any(|claim| claims.contains(claim));
        let names = groups.into_iter().filter(claimed).map(|group| group.name);
        let names: Vec<String> = names.collect();
        if names == person.claimed_groups {
            return Ok(person);
        }
        let event = Event::new(now, permit.actor().clone(), "person.claim", object(id))
            .before(json!({ "claimed_groups": person.claimed_groups }))
            .after(json!({ "claimed_groups": names }));
        person.claimed_groups = names;
        self.check_effective(permit, "person.claim", &person, now)
            .await?;
        self.put_person(permit, event, person, now).await
    }

    /// One person.
    pub async fn person(&self, id: &str) -> Result<Person, AccessError> {
        self.person_if_any(id)
            .await?
            .ok_or_else(|| AccessError::NotFound {
                kind: "person",
                id: id.to_owned(),
            })
    }

    /// One person, if there is such.
    pub async fn person_if_any(&self, id: &str) -> Result<Option<Person>, AccessError> {
        let record = self.store.record(PERSON_RECORDS, id).await?;
        record.map(|record| person(&record)).transpose()
    }

    /// Everybody, by id; who has left too.
    pub async fn people(&self) -> Result<Vec<Person>, AccessError> {
        let records = self.store.records(PERSON_RECORDS).await?;
        records.iter().map(person).collect()
    }

    /// Whoever is `subject` at `provider`.
    pub async fn person_by_link(
        &self,
        provider: &str,
        subject: &str,
    ) -> Result<Option<Person>, AccessError> {
        let is_it = |link: &Link| link.provider == provider && link.subject == subject;
        let people = self.people().await?;
        Ok(people
            .into_iter()
            .find(|person| person.links.iter().any(is_it)))
    }

    /// What somebody is granted, by themselves and by their groups, as of now.
    pub async fn grants(&self, person: &Person) -> Result<Vec<Grant>, AccessError> {
        self.grants_with(person, person.all_groups()).await
    }

    /// The principal of somebody who has signed in `via` something, with what they are granted as of now. Ask for each
    /// request anew, with a person that was read anew.
    pub async fn principal_for(
        &self,
        person: &Person,
        via: &'static str,
        session: Option<&str>,
    ) -> Result<Arc<Principal>, AccessError> {
        if let Some(refusal) = absent(person) {
            return Err(AccessError::Unauthenticated(refusal));
        }
        let id = match session {
            Some(session) => format!("{}/{session}", person.id),
            None => person.id.clone(),
        };
        let grants = self.grants(person).await?;
        let principal = Principal::new(Actor::new(ActorKind::Person, id), grants, None);
        Ok(Arc::new(principal.signed_in(via, session)))
    }

    /// Writes a group down, or changes it: `group.version` is the one that was read, 0 for a new one.
    pub async fn put_group(
        &self,
        permit: &Permit,
        mut new: Group,
        now: Timestamp,
    ) -> Result<Group, AccessError> {
        let verb = if new.version == 0 {
            "group.create"
        } else {
            "group.change"
        };
        let at = Object::new("group", new.name.as_str());
        self.people_rule(permit, verb, at.clone(), new.check(), now)
            .await?;
        let before = match new.version {
            0 => None,
            _ => Some(self.group(&new.name).await?),
        };
        let grants_change = before
            .as_ref()
            .is_none_or(|before| before.grants != new.grants);
        if grants_change {
            for member in self.members(&new.name).await? {
                self.check_others(permit, verb, &member, now).await?;
                let mut roles: Vec<_> = new.grants.iter().map(|grant| grant.role).collect();
                let groups = member.all_groups().filter(|name| *name != new.name);
                let others = self.grants_with(&member, groups).await?;
                roles.extend(others.iter().map(|grant| grant.role));
                if let Err(refusal) = check_duties(roles.into_iter()) {
                    return Err(self.no(refusal, permit, verb, at, now).await);
                }
            }
        }
        let mut event = Event::new(now, permit.actor().clone(), verb, at).after(json!(new));
        if let Some(before) = before {
            event = event.before(json!(before));
        }
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(GROUP_RECORDS, &new.name, new.version, &new, now)?;
        self.store.commit(write).await?;
        new.version = self.group(&new.name).await?.version;
        Ok(new)
    }

    /// Ends a group that nobody is in.
    pub async fn remove_group(
        &self,
        permit: &Permit,
        name: &str,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let group = self.group(name).await?;
        let members = self.members(name).await?;
        let checked = match members.first() {
            None => Ok(()),
            Some(member) => Err(Refusal::new(
                "group.members",
                "access",
                format!("{} and {} others are in it", member.id, members.len() - 1),
            )
            .accepted("a group that nobody is in: take its people out first")),
        };
        let at = Object::new("group", name);
        self.people_rule(permit, "group.remove", at.clone(), checked, now)
            .await?;
        let event =
            Event::new(now, permit.actor().clone(), "group.remove", at).before(json!(group));
        let write = Write::new(permit.joined(event))?;
        let write = write.remove_record(GROUP_RECORDS, name, group.version, now);
        self.store.commit(write).await?;
        Ok(())
    }

    /// One group.
    pub async fn group(&self, name: &str) -> Result<Group, AccessError> {
        match self.store.record(GROUP_RECORDS, name).await? {
            Some(record) => group(&record),
            None => Err(AccessError::NotFound {
                kind: "group",
                id: name.to_owned(),
            }),
        }
    }

    /// Every group, by name.
    pub async fn groups(&self) -> Result<Vec<Group>, AccessError> {
        let records = self.store.records(GROUP_RECORDS).await?;
        records.iter().map(group).collect()
    }

    /// Whoever is in a group and has not left.
    pub async fn members(&self, group: &str) -> Result<Vec<Person>, AccessError> {
        let mut people = self.people().await?;
        people.retain(|person| person.is_in(group));
        Ok(people)
    }

    async fn put_person(
        &self,
        permit: &Permit,
        event: Event,
        mut person: Person,
        now: Timestamp,
    ) -> Result<Person, AccessError> {
        let (id, version) = (person.id.clone(), person.version);
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(PERSON_RECORDS, &id, version, &person, now)?;
        self.store.commit(write).await?;
        self.invalidate();
        person.version = self.person(&id).await?.version;
        Ok(person)
    }

    /// Who may act on people at all, then `checked`; a no is in the log.
    async fn people_rule(
        &self,
        permit: &Permit,
        verb: &'static str,
        at: Object,
        checked: Result<(), Refusal>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let ruled = permit
            .require(Action::ManagePeople)
            .and_then(|()| permit.check_unlimited("people.scope"))
            .and(checked);
        match ruled {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.no(refusal, permit, verb, at, now).await),
        }
    }

    /// Nobody changes what they themselves are granted, nor whether they may come in.
    async fn check_others(
        &self,
        permit: &Permit,
        verb: &'static str,
        person: &Person,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let kind = permit.actor().kind;
        let has_grants = matches!(kind, ActorKind::Person | ActorKind::Machine);
        if !has_grants || permit.principal().holder() != person.id {
            return Ok(());
        }
        let refusal = Refusal::new(
            "person.own",
            "R37: nobody changes their own grants",
            format!("{} would change what {} may", permit.actor().id, person.id),
        )
        .accepted("the act of another person with the role admin");
        Err(self
            .no(refusal, permit, verb, object(&person.id), now)
            .await)
    }

    /// What somebody would be granted in all: groups that are there, duties that stay apart.
    async fn check_effective(
        &self,
        permit: &Permit,
        verb: &'static str,
        person: &Person,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        for name in &person.groups {
            if self.store.record(GROUP_RECORDS, name).await?.is_none() {
                let refusal = Refusal::new(
                    "person.groups",
                    "access",
                    format!("there is no group {name}"),
                )
                .accepted("names out of `ward group list`");
                return Err(self
                    .no(refusal, permit, verb, object(&person.id), now)
                    .await);
            }
        }
        let grants = self.grants(person).await?;
        match check_duties(grants.iter().map(|grant| grant.role)) {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self
                .no(refusal, permit, verb, object(&person.id), now)
                .await),
        }
    }

    async fn grants_with<'a>(
        &self,
        person: &Person,
        groups: impl Iterator<Item = &'a str> + Send,
    ) -> Result<Vec<Grant>, AccessError> {
        let mut grants = person.grants.clone();
        for name in groups {
            if let Some(record) = self.store.record(GROUP_RECORDS, name).await? {
                grants.extend(group(&record)?.grants);
            }
        }
        Ok(grants)
    }

    /// Adds the end of every token that somebody holds.
    async fn end_tokens(
        &self,
        mut write: Write,
        permit: &Permit,
        holder: &str,
        now: Timestamp,
    ) -> Result<Write, AccessError> {
        for record in self.store.records(TOKEN_RECORDS).await? {
            let mut stored: crate::token::StoredToken = read(&record, "token")?;
            let token = &mut stored.token;
            if !token.person || token.name != holder || token.revoked.is_some() {
                continue;
            }
            token.revoked = Some(now.0);
            let at = Object::new("token", record.id.as_str());
            let event = Event::new(now, permit.actor().clone(), "token.revoke", at)
                .why("R11: its holder may not come in any more")
                .after(json!({ "revoked": now.0 }));
            write = write.event(permit.joined(event))?.put_record(
                TOKEN_RECORDS,
                &record.id,
                record.version,
                &stored,
                now,
            )?;
        }
        Ok(write)
    }
}

impl Person {
    /// What of a person can be changed.
    pub fn profile(&self) -> Profile {
        Profile {
            name: self.name.clone(),
            email: self.email.clone(),
            grants: self.grants.clone(),
            groups: self.groups.clone(),
        }
    }
}

/// Why somebody may not come in, if so.
pub(crate) fn absent(person: &Person) -> Option<Refusal> {
    let text = match person.state {
        PersonState::Active => return None,
        PersonState::Suspended => "is suspended",
        PersonState::Left => "works here no more",
    };
    let refusal = Refusal::new("person.state", "R11", format!("{} {text}", person.id));
    Some(refusal.accepted("somebody who is active; an administrator can say who is"))
}

/// Who has left stays as they were.
fn working(person: &Person) -> Result<(), Refusal> {
    match person.state {
        PersonState::Left => Err(Refusal::new(
            "person.state",
            "R11",
            format!("{} has left for good", person.id),
        )
        .accepted("a person of another id")),
        _ => Ok(()),
    }
}

fn object(id: &str) -> Object {
    Object::new("person", id)
}

pub(crate) fn person(record: &Record) -> Result<Person, AccessError> {
    let mut person: Person = read(record, "person")?;
    person.version = record.version;
    Ok(person)
}

pub(crate) fn group(record: &Record) -> Result<Group, AccessError> {
    let mut group: Group = read(record, "group")?;
    group.version = record.version;
    Ok(group)
}

pub(crate) fn read<T: DeserializeOwned>(
    record: &Record,
    kind: &'static str,
) -> Result<T, AccessError> {
    serde_json::from_str(&record.body).map_err(|error| AccessError::Record {
        kind,
        id: record.id.clone(),
        why: error.to_string(),
    })
}

//! Everybody and every group at one instant, now or then (R52): what somebody is granted is a matter of both.

use audit::Timestamp;

use crate::people::{group, person};
use crate::{Access, AccessError, GROUP_RECORDS, Grant, Group, PERSON_RECORDS, Person};

/// People and groups as they were together.
#[derive(Clone, Debug)]
pub struct Staff {
    /// By id; who has left too.
    pub people: Vec<Person>,
    /// By name.
    pub groups: Vec<Group>,
}

impl Staff {
    /// Somebody who was written down.
    pub fn person(&self, id: &str) -> Result<&Person, AccessError> {
        let found = self.people.iter().find(|person| person.id == id);
        found.ok_or_else(|| not_found("person", id))
    }

    /// A group that there was.
    pub fn group(&self, name: &str) -> Result<&Group, AccessError> {
        let found = self.groups.iter().find(|group| group.name == name);
        found.ok_or_else(|| not_found("group", name))
    }

    /// What somebody was granted, by themselves and by their groups.
    pub fn grants(&self, person: &Person) -> Vec<Grant> {
        let groups = person.all_groups();
        let groups = groups.filter_map(|name| self.group(name).ok());
        let given = groups.flat_map(|group| group.grants.iter().cloned());
        person.grants.iter().cloned().chain(given).collect()
    }

    /// Whoever was in a group and had not left.
    pub fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Person> {
        self.people.iter().filter(|person| person.is_in(group))
    }
}

impl Access {
    /// Everybody and every group: as they were at an instant, or as they are.
    pub async fn staff(&self, at: Option<Timestamp>) -> Result<Staff, AccessError> {
        let Some(at) = at else {
            let (people, groups) = (self.people().await?, self.groups().await?);
            return Ok(Staff { people, groups });
        };
        let people = self.store.records_as_of(PERSON_RECORDS, at).await?;
        let groups = self.store.records_as_of(GROUP_RECORDS, at).await?;
        Ok(Staff {
            people: people.iter().map(person).collect::<Result<_, _>>()?,
            groups: groups.iter().map(group).collect::<Result<_, _>>()?,
        })
    }
}

fn not_found(kind: &'static str, id: &str) -> AccessError {
    AccessError::NotFound {
        kind,
        id: id.to_owned(),
    }
}

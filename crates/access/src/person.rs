//! People and groups: who works here, and what they are granted (R37). A person's grants are their own and those of
//! their groups; a group is joined here, or by what an identity provider says of whoever signs in.

use serde::{Deserialize, Serialize};

use crate::{Grant, Refusal, Role};

/// Most grants of one person or one group.
const MOST_GRANTS: usize = 16;
/// Most groups of one person, and claims of one group.
const MOST_NAMES: usize = 64;
/// Longest name of a person or label of a group, in characters.
const LONGEST: usize = 200;

/// Whether somebody may still come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonState {
    /// Works here.
    Active,
    /// May not come in for now; can be taken back.
    Suspended,
    /// Works here no more, for good (R11).
    Left,
}

impl PersonState {
    /// The state's name.
    pub const fn name(self) -> &'static str {
        match self {
            PersonState::Active => "active",
            PersonState::Suspended => "suspended",
            PersonState::Left => "left",
        }
    }
}

/// Who somebody is at an identity provider: OpenID Connect Core 1.0 §2, `iss` (by Ward's name for it) and `sub`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Ward's name of the provider.
    pub provider: String,
    /// What the provider calls the person; never reused by it.
    pub subject: String,
}

/// A person, as stored and listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The holder's name in actors' ids: tokens and sessions of one holder are one person to approvals.
    pub id: String,
    /// What people call them.
    pub name: String,
    /// Where mail reaches them.
    #[serde(default)]
    pub email: Option<String>,
    /// Their own grants.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The groups they are in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The groups that their identity provider put them in when they last signed in.
    #[serde(default)]
    pub claimed_groups: Vec<String>,
    /// Whether they may come in.
    pub state: PersonState,
    /// Who they are at identity providers.
    #[serde(default)]
    pub links: Vec<Link>,
    /// When they were written down, Unix milliseconds.
    pub created: i64,
    /// By whom.
    pub created_by: String,
    /// Which version of the record this is: a change says which one it was made to.
    #[serde(default)]
    pub version: u64,
}

impl Person {
    /// Every group that counts.
    pub fn all_groups(&self) -> impl Iterator<Item = &str> {
        let claimed = self.claimed_groups.iter();
        let new = claimed.filter(|name| !self.groups.contains(name));
        self.groups.iter().chain(new).map(String::as_str)
    }

    /// In a group, and has not left.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.state != PersonState::Left && self.all_groups().any(|name| name == group)
    }
}

/// What a person is written down with, and what of it can be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What people call them.
    pub name: String,
    /// Where mail reaches them.
    #[serde(default)]
    pub email: Option<String>,
    /// Their own grants.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The groups they are in.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// A group, as stored and listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, of the same form as a person's id.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub label: String,
    /// What everybody in it is granted.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The values of an identity provider's groups claim that put somebody into it.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Which version of the record this is.
    #[serde(default)]
    pub version: u64,
}

/// Whether `text` can be a person's id or a group's name.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

pub(crate) fn check_id(noun: &str, text: &str) -> Result<(), Refusal> {
    if is_id(text) {
        return Ok(());
    }
    let rule = format!("{noun}.id");
    let found = format!("`{}` cannot name a {noun}", text.escape_default());
    Err(Refusal::new(rule, "access", found).accepted("1 to 64 of a-z 0-9 . _ -"))
}

impl Profile {
    /// Refuses what no person can have.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if !is_label(&self.name) || self.name.is_empty() {
            return Err(Refusal::new("person.name", "access", "a person has a name")
                .accepted(format!("1 to {LONGEST} printable characters")));
        }
        if self.email.as_deref().is_some_and(|email| !is_email(email)) {
            return Err(Refusal::new(
                "person.email",
                "RFC 5321 §4.1.2",
                "no address that mail can be sent to",
            )
            .accepted("local@domain in ASCII, at most 254 characters, or none"));
        }
        check_names("person.groups", &self.groups)?;
        check_grants("person.grants", &self.grants)
    }
}

impl Group {
    /// Refuses what no group can have.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        check_id("group", &self.name)?;
        if !is_label(&self.label) {
            return Err(
                Refusal::new("group.label", "access", "the label cannot be shown")
                    .accepted(format!("at most {LONGEST} printable characters")),
            );
        }
        check_names("group.claims", &self.claims)?;
        check_grants("group.grants", &self.grants)?;
        check_duties(self.grants.iter().map(|grant| grant.role))
    }
}

/// R37: nobody is both clinical engineering and IT security.
pub(crate) fn check_duties(roles: impl Iterator<Item = Role> + Clone) -> Result<(), Refusal> {
    let has = |wanted: Role| roles.clone().any(|role| role == wanted);
    if has(Role::ClinicalEngineering) && has(Role::Security) {
        return Err(Refusal::new(
            "grants.duties",
            "R37: clinical engineering and IT security cannot do each other's work",
            "the grants make one holder both clinical-engineering and security",
        )
        .accepted("one of the two, each to another person"));
    }
    Ok(())
}

fn check_grants(rule: &'static str, grants: &[Grant]) -> Result<(), Refusal> {
    if grants.len() > MOST_GRANTS {
        let found = format!("{} grants", grants.len());
        return Err(Refusal::new(rule, "access", found).accepted(format!("at most {MOST_GRANTS}")));
    }
    grants.iter().try_for_each(|grant| grant.scope.check())
}

fn check_names(rule: &'static str, names: &[String]) -> Result<(), Refusal> {
    let bad = |name: &String| name.is_empty() || !is_label(name);
    if names.len() > MOST_NAMES || names.iter().any(bad) {
        return Err(
            Refusal::new(rule, "access", "too many, or not to be shown").accepted(format!(
                "at most {MOST_NAMES}, of 1 to {LONGEST} printable characters each"
            )),
        );
    }
    Ok(())
}

/// Printable: no control characters, and none that turn the reading direction of what follows (Unicode UAX #9).
fn is_label(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    text.chars().count() <= LONGEST && !text.chars().any(|c| c.is_control() || turns(c))
}

fn is_email(text: &str) -> bool {
    let printable = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',' | b';' | b'"');
    let parts: Vec<&str> = text.split('@').collect();
    text.len() <= 254
        && text.bytes().all(printable)
        && matches!(parts.as_slice(), [local, domain] if !local.is_empty() && !domain.is_empty())
}

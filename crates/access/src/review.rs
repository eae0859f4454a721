//! The access review (R37): who could do what on a date, out of the records as they were, and who did, out of the log.

use std::collections::BTreeMap;

use audit::{ActorKind, Event, Outcome, Timestamp};
use serde::Serialize;

use crate::permit::grants_of;
use crate::{Access, AccessError, Action, Grant, Group, Person, PersonState, holder};

/// Most events that one review reads; a house that writes more reviews shorter spans.
const MOST_EVENTS: u64 = 2_000_000;
/// Events read at once.
const PAGE: u64 = 2000;

/// A grant as of the date, and whether it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReviewedGrant {
    /// What and where.
    #[serde(flatten)]
    pub grant: Grant,
    /// "own", "group NAME" or "token ID".
    pub through: String,
    /// Something was done under this role in the span.
    pub used: bool,
}

/// Somebody, or a machine, as of the date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    /// The holder's name in actors' ids.
    pub holder: String,
    /// "person", "machine" or "local": somebody at the machine's own command line, who may do everything there.
    pub kind: &'static str,
    /// What people call them, where they are written down.
    pub name: Option<String>,
    /// active, suspended or left; `None` where only tokens are known.
    pub state: Option<PersonState>,
    /// What they were granted on the date; nothing where that began later or had ended, or for who is at the command line.
    pub grants: Vec<ReviewedGrant>,
    /// What those allowed, somewhere.
    pub actions: Vec<Action>,
    /// How often they did what in the span: verbs of the log.
    pub done: BTreeMap<String, u64>,
    /// How often they were refused in the span.
    pub refused: u64,
    /// When they did the last of it, Unix milliseconds.
    pub last: Option<i64>,
    /// When they last signed in within the span, Unix milliseconds.
    pub last_sign_in: Option<i64>,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Grants are those of this instant.
    pub as_of: i64,
    /// Use is that of `since..until`.
    pub since: i64,
    /// To here.
    pub until: i64,
    /// The whole span was read; otherwise its beginning.
    pub complete: bool,
    /// By holder.
    pub holders: Vec<Reviewed>,
}

#[derive(Default)]
struct Use {
    done: BTreeMap<String, u64>,
    roles: BTreeMap<String, u64>,
    refused: u64,
    last: Option<i64>,
    last_sign_in: Option<i64>,
}

/// By holder and kind.
type Uses = BTreeMap<(String, &'static str), Use>;

impl Access {
    /// Who could do what at `as_of`, and who did in `since..until`.
    pub async fn review(
        &self,
        as_of: Timestamp,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Review, AccessError> {
        let staff = self.staff(Some(as_of)).await?;
        let mut holders: BTreeMap<String, Reviewed> = BTreeMap::new();
        for person in &staff.people {
            holders.insert(person.id.clone(), of_person(person, &staff.groups));
        }
        for token in self.tokens_as_of(as_of).await? {
            if token.fault(as_of).is_some() {
                continue;
            }
            let kind = if token.person { "person" } else { "machine" };
            let entry = holders.entry(token.name.clone());
            let entry = entry.or_insert_with(|| nobody(&token.name, kind));
            let through = format!("token {}", token.id);
            let grants = grants_of(&token.roles, &token.scope).into_iter();
            entry
                .grants
                .extend(grants.map(|grant| reviewed(grant, &through)));
        }
        let (mut uses, complete) = self.uses(since, until).await?;
        let mut holders: Vec<Reviewed> = holders.into_values().collect();
        for reviewed in &mut holders {
            let used =
                ["person", "machine"].map(|kind| uses.remove(&(reviewed.holder.clone(), kind)));
            reviewed.settle(used.into_iter().flatten());
        }
        // Whoever did something is in it, whatever they were granted on the date.
        for ((holder, kind), used) in uses {
            let mut reviewed = nobody(&holder, kind);
            reviewed.settle([used]);
            holders.push(reviewed);
        }
        holders.sort_by(|a, b| (&a.holder, a.kind).cmp(&(&b.holder, b.kind)));
        Ok(Review {
            as_of: as_of.0,
            since: since.0,
            until: until.0,
            complete,
            holders,
        })
    }

    async fn uses(&self, since: Timestamp, until: Timestamp) -> Result<(Uses, bool), AccessError> {
        let mut uses = Uses::new();
        let size = self.store.log_size().await?;
        let first = self.first_since(since, size).await?;
        let mut next = first;
        while next < size {
            if next - first >= MOST_EVENTS {
                return Ok((uses, false));
            }
            let entries = self.store.events(next, PAGE).await?;
            let Some(last) = entries.last() else { break };
            next = last.seq + 1;
            for entry in &entries {
                let Ok(event) = Event::parse(&entry.body) else {
                    continue;
                };
                if event.time >= until {
                    return Ok((uses, true));
                }
                let kind = match event.actor.kind {
                    ActorKind::Person => "person",
                    ActorKind::Machine => "machine",
                    ActorKind::Local => "local",
                    ActorKind::System => continue,
                };
                if event.time >= since {
                    let name = holder(&event.actor.id).to_owned();
                    uses.entry((name, kind)).or_default().count(&event);
                }
            }
        }
        Ok((uses, true))
    }

    /// Where in the log the span begins: events are in the order of their time, as far as the clock ran forwards.
    async fn first_since(&self, since: Timestamp, size: u64) -> Result<u64, AccessError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.store.events(middle, 1).await?;
            let time = entry
                .first()
                .and_then(|entry| Event::parse(&entry.body).ok());
            match time {
                Some(event) if event.time < since => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

impl Use {
    fn count(&mut self, event: &Event) {
        self.last = Some(event.time.0);
        if event.action == "session.begin" {
            self.last_sign_in = Some(event.time.0);
        }
        if event.outcome != Outcome::Done {
            self.refused += 1;
            return;
        }
        *self
            .done
            .entry(event.action.clone().into_owned())
            .or_default() += 1;
        if let Some(role) = &event.actor.role {
            *self.roles.entry(role.clone()).or_default() += 1;
        }
    }
}

impl Reviewed {
    fn settle(&mut self, uses: impl IntoIterator<Item = Use>) {
        let allowed = |action: &Action| {
            self.grants
                .iter()
                .any(|held| held.grant.role.allows(*action))
        };
        self.actions = match self.state {
            Some(PersonState::Suspended | PersonState::Left) => Vec::new(),
            _ => Action::ALL.iter().copied().filter(allowed).collect(),
        };
        for used in uses {
            for held in &mut self.grants {
                held.used |= used.roles.contains_key(held.grant.role.name());
            }
            for (action, times) in used.done {
                *self.done.entry(action).or_default() += times;
            }
            self.refused += used.refused;
            self.last = self.last.max(used.last);
            self.last_sign_in = self.last_sign_in.max(used.last_sign_in);
        }
    }
}

impl Review {
    /// The review as a table, a line for each grant (RFC 4180); no cell begins what a spreadsheet would run.
    pub fn csv(&self) -> String {
        let mut out = String::from(
            "holder,kind,name,state,role,scope,through,used,done,refused,last,last_sign_in\r\n",
        );
        for held in &self.holders {
            let state = held.state.map_or("", PersonState::name);
            let done: u64 = held.done.values().sum();
            let when =
                |at: Option<i64>| at.map_or_else(String::new, |at| Timestamp(at).to_string());
            let none = [None];
            let grants: Vec<Option<&ReviewedGrant>> = held.grants.iter().map(Some).collect();
            let grants = if grants.is_empty() {
                &none[..]
            } else {
                &grants
            };
            for grant in grants {
                let scope = grant.filter(|held| !held.grant.scope.is_unlimited());
                let scope = scope.and_then(|held| serde_json::to_string(&held.grant.scope).ok());
                let cells = [
                    held.holder.clone(),
                    held.kind.to_owned(),
                    held.name.clone().unwrap_or_default(),
                    state.to_owned(),
                    grant.map_or("", |held| held.grant.role.name()).to_owned(),
                    scope.unwrap_or_default(),
                    grant.map_or_else(String::new, |held| held.through.clone()),
                    grant
                        .map_or("", |held| if held.used { "yes" } else { "no" })
                        .to_owned(),
                    done.to_string(),
                    held.refused.to_string(),
                    when(held.last),
                    when(held.last_sign_in),
                ];
                let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
                out.push_str(&cells.join(","));
                out.push_str("\r\n");
            }
        }
        out
    }
}

/// A cell: quoted where it must be, and never the beginning of a formula.
fn quoted(cell: &str) -> String {
    let runs = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if runs {
        format!("'{cell}")
    } else {
        cell.to_owned()
    };
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

fn of_person(person: &Person, groups: &[Group]) -> Reviewed {
    let mut found = nobody(&person.id, "person");
    found.name = Some(person.name.clone());
    found.state = Some(person.state);
    let own = person.grants.iter().cloned();
    found.grants.extend(own.map(|grant| reviewed(grant, "own")));
    for name in person.all_groups() {
        let group = groups.iter().find(|group| group.name == name);
        let grants = group
            .into_iter()
            .flat_map(|group| group.grants.iter().cloned());
        let through = format!("group {name}");
        found
            .grants
            .extend(grants.map(|grant| reviewed(grant, &through)));
    }
    found
}

fn nobody(holder: &str, kind: &'static str) -> Reviewed {
    Reviewed {
        holder: holder.to_owned(),
        kind,
        name: None,
        state: None,
        grants: Vec::new(),
        actions: Vec::new(),
        done: BTreeMap::new(),
        refused: 0,
        last: None,
        last_sign_in: None,
    }
}

fn reviewed(grant: Grant, through: &str) -> ReviewedGrant {
    ReviewedGrant {
        grant,
        through: through.to_owned(),
        used: false,
    }
}

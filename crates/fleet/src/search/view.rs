//! Saved views: searches with a name. Some are built in, one comes with every segment, the rest are people's. What a view
//! shows is kept in `view_members` (reconcile.rs), so that its first page is one walk along an index whatever it asks for.

use std::collections::HashMap;

use access::{Action, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write, params};

use super::field::About::{Asset, Finding};
use super::field::Kind;
use super::language::{Condition, How, Query};
use super::literal::{Literal, Moment};
use super::page::{Ask, Page, Sort, columns, cursor_of, limit, page};
use crate::segment::SEGMENT_RECORDS;
use crate::{Fleet, FleetError, Result};

/// The kind under which people's views are kept.
pub const VIEW_RECORDS: &str = "view";

/// What comes with a segment begins so.
const OF_SEGMENT: &str = "segment-";

/// Most views that people may save: each is asked of whatever changes.
const MOST_VIEWS: usize = 200;
const LONGEST_NAME: usize = 60;
const LONGEST_NOTE: usize = 500;

/// Older than this, nobody keeps it up to date: the view is searched for.
const STALE_MS: i64 = 15 * 60_000;

/// A search with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    pub name: String,
    /// In the search language.
    pub query: String,
    #[serde(default)]
    pub sort: Sort,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A view and how far it is worked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredView {
    #[serde(flatten)]
    pub view: View,
    /// 0 if it is built in or comes with a segment.
    pub version: u64,
    /// How many certificates it shows; `None` before it has been worked out.
    pub members: Option<i64>,
    /// As of when, Unix milliseconds.
    pub looked_at: Option<i64>,
}

/// (name, search, order, what it is for)
const BUILT_IN: [(&str, &str, Sort, &str); 9] = [
    (
        "expiring-30",
        "not expired and expires < 30d",
        Sort::Expires,
        "ends within 30 days",
    ),
    (
        "expiring-60",
        "not expired and expires < 60d",
        Sort::Expires,
        "ends within 60 days",
    ),
    (
        "expiring-90",
        "not expired and expires < 90d",
        Sort::Expires,
        "ends within 90 days",
    ),
    (
        "expired-in-use",
        "expired and places > 0",
        Sort::Places,
        "over, and still served or lying somewhere",
    ),
    (
        "unowned",
        "unowned",
        Sort::Expires,
        "nobody answers for it (R16)",
    ),
    (
        "weak-keys",
        "key = rsa and bits < 2048 or key ~ dsa or key ~ ec- and bits < 256",
        Sort::Risk,
        "keys that SP 800-131A forbids (R19)",
    ),
    ("phi", "phi", Sort::Expires, "protects health information"),
    (
        "self-signed",
        "self-signed and not ca",
        Sort::Places,
        "signed by itself where a CA should have signed (R17)",
    ),
    (
        "unknown-issuer",
        "unknown-issuer",
        Sort::Expires,
        "nobody has seen the certificate that signed it",
    ),
];

/// How far a view is worked out.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) definition: String,
    pub(super) touched: i64,
    pub(super) looked_at: i64,
    pub(super) walked_at: i64,
    pub(super) cursor: Option<i64>,
    pub(super) members: i64,
}

const STATES: &str =
    "SELECT view, definition, touched, looked_at, walked_at, cursor, members FROM view_state";
/// A page begins in the index of the view; certificates are read one by one.
const MEMBERS: &str = concat!(
    "SELECT ",
    columns!(),
    ", m.position FROM (SELECT position, certificate FROM view_members WHERE view = $1 \
    AND (position, certificate) > ($2, $3) ORDER BY position, certificate LIMIT $4) m CROSS JOIN inventory i \
    WHERE i.id = m.certificate ORDER BY m.position, m.certificate"
);

impl View {
    /// The segment, of a view that comes with one.
    pub fn segment(&self) -> Option<&str> {
        self.name.strip_prefix(OF_SEGMENT)
    }

    pub(super) fn parsed(&self) -> Result<Query, Refusal> {
        Ok(self.query.parse::<Query>()?)
    }

    /// What has to be worked out; another one is worked out anew.
    pub(super) fn definition(&self) -> String {
        format!("{} by {}", self.query, self.sort.name())
    }
}

impl Fleet {
    /// Every view: built in, of segments, people's.
    pub async fn views(&self) -> Result<Vec<StoredView>> {
        let states = self.view_states().await?;
        let views = self.all_views().await?;
        let told = views.into_iter().map(|(view, version)| {
            let state = states.get(&view.name);
            let state = state.filter(|state| state.definition == view.definition());
            let state = state.filter(|state| state.walked_at > 0);
            StoredView {
                members: state.map(|state| state.members),
                looked_at: state.map(|state| state.looked_at),
                version,
                view,
            }
        });
        Ok(told.collect())
    }

    /// One view, by its name.
    pub async fn view(&self, name: &str) -> Result<StoredView> {
        let views = self.views().await?;
        let found = views.into_iter().find(|stored| stored.view.name == name);
        found.ok_or_else(|| FleetError::not_found("view", name))
    }

    pub(super) async fn all_views(&self) -> Result<Vec<(View, u64)>> {
        let built_in = BUILT_IN.map(|(name, query, sort, note)| View {
            name: name.to_owned(),
            query: query.to_owned(),
            sort,
            note: note.to_owned(),
        });
        let mut views: Vec<(View, u64)> = built_in.into_iter().map(|view| (view, 0)).collect();
        for record in self.store().records(SEGMENT_RECORDS).await? {
            let value = Literal::Text(record.id.clone());
            let view = View {
                name: format!("{OF_SEGMENT}{}", record.id),
                query: format!("segment = {value}"),
                sort: Sort::Expires,
                note: format!("what lives in segment {}", record.id),
            };
            views.push((view, 0));
        }
        for record in self.store().records(VIEW_RECORDS).await? {
            views.push((record.parse()?, record.version));
        }
        Ok(views)
    }

    pub(super) async fn view_states(&self) -> Result<HashMap<String, State>> {
        let rows = self.store().query(STATES, params![]).await?;
        let states = rows.iter().map(|row| {
            let state = State {
                definition: row.text(1)?.to_owned(),
                touched: row.int(2)?,
                looked_at: row.int(3)?,
                walked_at: row.int(4)?,
                cursor: row.opt_int(5)?,
                members: row.int(6)?,
            };
            Ok((row.text(0)?.to_owned(), state))
        });
        states.collect()
    }

    /// A page of a view. If nobody keeps it up to date, it is searched for.
    pub async fn view_page(
        &self,
        name: &str,
        after: Option<&str>,
        wanted: Option<u32>,
        now: Timestamp,
    ) -> Result<Page> {
        let stored = self.view(name).await?;
        let fresh = stored
            .looked_at
            .is_some_and(|at| now.0.saturating_sub(at) < STALE_MS);
        if !fresh {
            let ask = Ask {
                query: stored.view.parsed()?,
                sort: stored.view.sort,
                after: after.map(str::to_owned),
                limit: wanted,
            };
            return self.search_inventory(&ask, now).await;
        }
        let (at, id) = match after {
            Some(cursor) => cursor_of(cursor)?,
            None => (i64::MIN, 0),
        };
        let limit = limit(wanted);
        let rows = self
            .store()
            .query(MEMBERS, params![name, at, id, limit])
            .await?;
        let mut page = page(&rows, limit)?;
        self.tell_revoked(&mut page.certificates, None).await?;
        page.members = stored.members;
        page.looked_at = stored.looked_at;
        Ok(page)
    }

    /// Saves a view, new or in the place of the one with this name.
    pub async fn save_view(
        &self,
        permit: Permit,
        view: View,
        now: Timestamp,
    ) -> Result<StoredView> {
        let object = Object::new("view", shortened(&view.name));
        let before = self.store().record(VIEW_RECORDS, &view.name).await?;
        let count = self.store().records(VIEW_RECORDS).await?.len();
        let full = before.is_none() && count >= MOST_VIEWS;
        let checked = permit
            .require(Action::ManageInventory)
            .and_then(|()| tidy(view.clone(), full));
        let view = match checked {
            Ok(view) => view,
            Err(refusal) => {
                return Err(crate::refused(
                    self.access(),
                    &permit,
                    "view.save",
                    &object,
                    refusal,
                    now,
                )
                .await);
            }
        };
        let version = before.as_ref().map_or(0, |record| record.version);
        let mut event =
            Event::new(now, permit.actor().clone(), "view.save", object).after(json!(view));
        if let Some(record) = &before {
            event = event.before(json!(record.parse::<View>()?));
        }
        let write = Write::new(permit.joined(event))?.put_record(
            VIEW_RECORDS,
            &view.name,
            version,
            &view,
            now,
        )?;
        self.store().commit(write).await?;
        self.view(&view.name).await
    }

    /// Ends a view; built-in ones stay.
    pub async fn remove_view(&self, permit: Permit, name: &str, now: Timestamp) -> Result<()> {
        let object = Object::new("view", shortened(name));
        let checked =
            permit
                .require(Action::ManageInventory)
                .and_then(|()| match is_reserved(name) {
                    true => Err(reserved(name)),
                    false => Ok(()),
                });
        self.checked(&permit, "view.remove", &object, checked, now)
            .await?;
        let record = self.store().record(VIEW_RECORDS, name).await?;
        let record = record.ok_or_else(|| FleetError::not_found("view", name))?;
        let event = Event::new(now, permit.actor().clone(), "view.remove", object)
            .before(json!(record.parse::<View>()?));
        let write = Write::new(permit.joined(event))?.remove_record(
            VIEW_RECORDS,
            name,
            record.version,
            now,
        );
        match self.store().commit(write).await {
            Err(StoreError::Conflict(_)) => Err(FleetError::not_found("view", name)),
            done => Ok(done.map(drop)?),
        }
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

fn is_reserved(name: &str) -> bool {
    name.starts_with(OF_SEGMENT) || BUILT_IN.iter().any(|(built_in, ..)| *built_in == name)
}

fn reserved(name: &str) -> Refusal {
    let message = format!("view {} is Ward's own", shortened(name));
    Refusal::new("view.reserved", "docs/inventory.md", message)
        .accepted(format!("another name, not beginning with {OF_SEGMENT}"))
}

/// The view as it is kept: its search in the form in which the language prints it.
fn tidy(mut view: View, full: bool) -> Result<View, Refusal> {
    let refusal =
        |rule: &'static str, message: String| Refusal::new(rule, "docs/inventory.md", message);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let right = (1..=LONGEST_NAME).contains(&view.name.len()) && view.name.bytes().all(plain);
    if !right {
        let shown = x509::describe::escape(&shortened(&view.name));
        return Err(
            refusal("view.name", format!("`{shown}` cannot name a view"))
                .accepted(format!("1 to {LONGEST_NAME} of a-z, 0-9 and -")),
        );
    }
    if is_reserved(&view.name) {
        return Err(reserved(&view.name));
    }
    if full {
        return Err(refusal("view.count", "there are too many views".to_owned())
            .accepted(format!("at most {MOST_VIEWS}")));
    }
    if view.note.chars().count() > LONGEST_NOTE {
        return Err(refusal("view.note", "the note is too long".to_owned())
            .accepted(format!("at most {LONGEST_NOTE} characters")));
    }
    let query = view.parsed()?;
    if query.as_of.is_some() {
        return Err(refusal(
            "view.as-of",
            "a view shows what is, not what was".to_owned(),
        )
        .accepted("the search without `as of`"));
    }
    view.query = query.to_string();
    Ok(view)
}

/// What makes a certificate come into a view or leave it, besides a change of the certificate itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// It ends so many seconds from now.
    pub(super) expiry: Vec<i64>,
    /// Something that leaves no trace on the certificate's row: only a walk over everything tells.
    pub(super) unseen: bool,
}

pub(super) fn moves(query: &Query) -> Moves {
    let mut moves = Moves::default();
    let tests = query.condition.iter().flat_map(Condition::tests);
    for test in tests {
        let relative = match &test.how {
            How::Compare(_, Literal::Moment(Moment::FromNow(seconds))) => Some(*seconds),
            _ => None,
        };
        match (test.field.name, relative) {
            ("expired", _) => moves.expiry.push(0),
            ("expires", Some(seconds)) => moves.expiry.push(seconds),
            // Seeing it again is not a change; another's key, the register and waivers leave no trace on it.
            ("last-seen" | "shared-key", _) | (_, Some(_)) => moves.unseen = true,
            _ => {
                let elsewhere = matches!(test.field.about, Asset | Finding);
                let seen = matches!(test.field.kind, Kind::Time { past: true, .. });
                moves.unseen |= elsewhere || seen && test.field.name != "first-seen";
            }
        }
    }
    moves.expiry.sort_unstable();
    moves.expiry.dedup();
    moves
}

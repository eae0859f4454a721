//! Keeps `view_members` as the views say. What changed is asked again: certificates by their `touched`, those whose end has
//! come nearer by their end; everything is walked over when a view is new, and from time to time, for what leaves no trace.
//! Only differences are written, so that a view never is empty or half filled while it is looked through again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use audit::Timestamp;
use store::{Value, Write, params};

use super::compile::{Compiler, Rows};
use super::language::Query;
use super::view::{Moves, State, View, moves};
use crate::{Fleet, Result};

/// Certificates that are asked at once: some tens of milliseconds.
const AT_ONCE: usize = 5000;
/// Views that one statement asks for.
const TOGETHER: usize = 16;
/// Rows that one write changes: the log waits for no longer than that.
const WRITTEN: usize = 8000;
/// Statements of a walk whose changes are written together, in the order of the table: a page of it that belongs to one
/// part of time gets certificates from everywhere.
const STRIDE: usize = 10;
/// Statements of one round, so that a lease outlives it.
const ROUND: usize = 40;
/// More than so many that ended meanwhile are found by a walk.
const MOST_MOVED: i64 = 100_000;

/// How often everything is walked over: where changes leave no trace, and anyway.
const HOURLY_MS: i64 = 3_600_000;
const DAILY_MS: i64 = 24 * HOURLY_MS;

/// How often it is written down that nothing has changed.
const SIGN_MS: i64 = 60_000;

/// One statement's patience.
const PATIENCE: Duration = Duration::from_secs(60);

const NEWEST: &str = "SELECT COALESCE(MAX(touched), 0) FROM inventory";
const TOUCHED: &str = "SELECT id, touched FROM inventory WHERE (touched, id) > ($1, $2) ORDER BY touched, id LIMIT $3";
const ENDING: &str = "SELECT id FROM inventory WHERE not_after >= $1 AND not_after <= $2 LIMIT $3";
/// The last of the next so many; none if there are fewer.
const SPAN: &str = "SELECT id FROM inventory WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2";
const HELD: &str = "SELECT COUNT(*) FROM view_members WHERE view = $1";
const ANY: &str = "SELECT certificate FROM view_members WHERE view = $1 LIMIT 1";

const ADD: &str = "INSERT INTO view_members(view, position, certificate) VALUES($1, $2, $3) ON CONFLICT DO NOTHING";
const DROP: &str =
    "DELETE FROM view_members WHERE view = $1 AND position = $2 AND certificate = $3";
const EMPTY: &str = "DELETE FROM view_members WHERE view = $1 AND certificate IN \
    (SELECT certificate FROM view_members WHERE view = $1 LIMIT 2000)";
const FORGET: &str = "DELETE FROM view_state WHERE view = $1";
const REMEMBER: &str = "INSERT INTO view_state(view, definition, touched, looked_at, walked_at, cursor, members) \
    VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT(view) DO UPDATE SET definition = excluded.definition, \
    touched = excluded.touched, looked_at = excluded.looked_at, walked_at = excluded.walked_at, \
    cursor = excluded.cursor, members = excluded.members";

/// A view at work.
struct Kept {
    view: View,
    query: Query,
    moves: Moves,
    state: State,
}

/// Which certificates are asked.
enum Asked {
    These(Vec<i64>),
    /// After the first, up to and with the second.
    Range(i64, i64),
}

/// Who is in a view, and at which position: (view, certificate).
type Members = HashMap<(usize, i64), i64>;

/// One that is not as it was: whether it comes in or goes out, the view, the position and the certificate. In this order
/// they are neighbours in the table, and what goes is before what comes.
type Change = (bool, usize, i64, i64);

impl Kept {
    /// It has been walked over from end to end, so that only changes are left to look at.
    fn is_whole(&self) -> bool {
        self.state.walked_at > 0
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let each = if self.moves.unseen {
            HOURLY_MS
        } else {
            DAILY_MS
        };
        now.0.saturating_sub(self.state.walked_at) >= each
    }
}

impl Fleet {
    /// Brings views up to date where no server does it: for a command.
    pub async fn refresh_views(&self, now: Timestamp) -> Result<()> {
        let newest = self.store().query(NEWEST, params![]).await?;
        let newest = newest.first().map_or(Ok(0), |row| row.int(0))?;
        let states = self.view_states().await?;
        let is_current = |state: &State| {
            let lately = now.0.saturating_sub(state.looked_at) < 2 * SIGN_MS;
            state.walked_at > 0 && state.touched >= newest && lately
        };
        let views = self.all_views().await?;
        let known = views.iter().all(|(view, _)| {
            let state = states.get(&view.name);
            state.is_some_and(|state| state.definition == view.definition() && is_current(state))
        });
        if !known {
            while self.reconcile_views(now).await? {}
        }
        Ok(())
    }

    /// Does what there is to do, up to a budget; says whether there is more.
    pub async fn reconcile_views(&self, now: Timestamp) -> Result<bool> {
        let newest = self.store().query(NEWEST, params![]).await?;
        let newest = newest.first().map_or(Ok(0), |row| row.int(0))?;
        let mut kept = self.kept(newest, now).await?;
        let mut budget = ROUND;
        self.follow(&mut kept, newest, now, &mut budget).await?;
        self.walk(&mut kept, now, &mut budget).await?;
        Ok(budget == 0 || kept.iter().any(|one| one.state.cursor.is_some()))
    }

    /// The views with their states; those that are gone are emptied.
    async fn kept(&self, newest: i64, now: Timestamp) -> Result<Vec<Kept>> {
        let mut states = self.view_states().await?;
        let mut kept = Vec::new();
        for (view, _) in self.all_views().await? {
            let known = states.remove(&view.name);
            // A view of another Ward may use a field that is not known here: it stays as it is and fails when it is shown.
            let Ok(query) = view.parsed() else {
                continue;
            };
            let definition = view.definition();
            let state = match known {
                Some(state) if state.definition == definition => state,
                other => State {
                    definition,
                    touched: newest,
                    looked_at: now.0,
                    walked_at: 0,
                    cursor: Some(0),
                    members: other.map_or(0, |state| state.members),
                },
            };
            kept.push(Kept {
                moves: moves(&query),
                view,
                query,
                state,
            });
        }
        for name in states.keys() {
            self.forget(name).await?;
        }
        Ok(kept)
    }

    async fn forget(&self, name: &str) -> Result<()> {
        while !self.store().query(ANY, params![name]).await?.is_empty() {
            let write = Write::derived().run(EMPTY, params![name]);
            self.store().commit(write).await?;
        }
        let write = Write::derived().run(FORGET, params![name]);
        self.store().commit(write).await?;
        Ok(())
    }

    /// What has changed or come nearer to its end since it was looked at.
    async fn follow(
        &self,
        kept: &mut [Kept],
        newest: i64,
        now: Timestamp,
        budget: &mut usize,
    ) -> Result<()> {
        let whole: Vec<usize> = (0..kept.len()).filter(|at| kept[*at].is_whole()).collect();
        let Some(oldest) = whole.iter().map(|at| kept[*at].state.touched).min() else {
            return Ok(());
        };
        let ended = self.ended(kept, &whole, now).await?;
        for part in ended.chunks(AT_ONCE) {
            self.ask(kept, &whole, &Asked::These(part.to_vec()), now)
                .await?;
        }
        let mut quiet = ended.is_empty() && oldest >= newest;
        let told = whole.iter().map(|at| kept[*at].state.looked_at).min();
        let (mut touched, mut id) = (oldest, i64::MAX);
        loop {
            let rows = params![touched, id, AT_ONCE as i64];
            let rows = self.store().query(TOUCHED, rows).await?;
            if let Some(row) = rows.last() {
                (id, touched) = (row.int(0)?, row.int(1)?);
            }
            let ids: Vec<i64> = rows
                .iter()
                .map(|row| row.int(0))
                .collect::<Result<_, _>>()?;
            let full = ids.len() == AT_ONCE;
            if !ids.is_empty() {
                *budget = budget.saturating_sub(1);
                self.ask(kept, &whole, &Asked::These(ids), now).await?;
            }
            // One write touches many: behind a full page there may be more of the same number.
            let so_far = if full {
                touched - 1
            } else {
                touched.max(newest)
            };
            for at in &whole {
                let state = &mut kept[*at].state;
                (state.touched, state.looked_at) = (so_far.max(state.touched), now.0);
            }
            if !full {
                break;
            }
            if *budget == 0 {
                // One write touched more than a round can ask: a walk gets to its end in steps.
                if so_far <= oldest {
                    for at in &whole {
                        let state = &mut kept[*at].state;
                        (state.touched, state.cursor) = (newest, Some(0));
                    }
                }
                break;
            }
        }
        for at in &whole {
            let one = &mut kept[*at];
            if one.state.cursor.is_none() && one.is_due(now) {
                (one.state.cursor, quiet) = (Some(0), false);
            }
        }
        // Where nothing happens, nothing is written but a sign of life from time to time.
        if quiet && told.is_some_and(|told| now.0.saturating_sub(told) < SIGN_MS) {
            return Ok(());
        }
        self.remember(kept, &whole).await
    }

    /// Certificates whose end came nearer than some view says, while nobody looked.
    async fn ended(&self, kept: &mut [Kept], whole: &[usize], now: Timestamp) -> Result<Vec<i64>> {
        let mut ended = BTreeSet::new();
        for at in whole {
            let Kept { moves, state, .. } = &mut kept[*at];
            for offset in &moves.expiry {
                let from = state.looked_at.div_euclid(1000).saturating_add(*offset);
                let to = now.0.div_euclid(1000).saturating_add(*offset);
                let rows = params![from.min(to), to.max(from), MOST_MOVED];
                let rows = self.store().query(ENDING, rows).await?;
                if rows.len() as i64 == MOST_MOVED {
                    state.cursor = Some(0);
                    continue;
                }
                for row in rows {
                    ended.insert(row.int(0)?);
                }
            }
        }
        Ok(ended.into_iter().collect())
    }

    /// Everything, for the views that ask for it: those that are least far first, so that they meet and go on together.
    async fn walk(&self, kept: &mut [Kept], now: Timestamp, budget: &mut usize) -> Result<()> {
        while *budget > 0 {
            let cursors = kept.iter().filter_map(|one| one.state.cursor);
            let Some(from) = cursors.min() else {
                return Ok(());
            };
            let here: Vec<usize> = (0..kept.len())
                .filter(|at| kept[*at].state.cursor == Some(from))
                .collect();
            let (mut changes, mut last) = (Vec::new(), Some(from));
            for _ in 0..STRIDE.min(*budget) {
                let Some(after) = last else { break };
                *budget -= 1;
                let next = params![after, AT_ONCE as i64];
                let next = self.store().query(SPAN, next).await?;
                last = next.first().map_or(Ok(None), |row| row.opt_int(0))?;
                let to = last.unwrap_or(i64::MAX);
                let range = Asked::Range(after, to);
                changes.extend(self.differences(kept, &here, &range, now).await?);
                if last.is_some() && kept.iter().any(|one| one.state.cursor == last) {
                    break;
                }
            }
            self.write_changes(kept, changes).await?;
            for at in &here {
                let Kept { view, state, .. } = &mut kept[*at];
                state.cursor = last;
                if last.is_none() {
                    let held = self.store().query(HELD, params![&view.name]).await?;
                    state.members = held.first().map_or(Ok(0), |row| row.int(0))?;
                    state.walked_at = now.0;
                }
            }
            self.remember(kept, &here).await?;
        }
        Ok(())
    }

    async fn remember(&self, kept: &[Kept], which: &[usize]) -> Result<()> {
        let mut write = Write::derived();
        for at in which {
            let Kept { view, state, .. } = &kept[*at];
            let row = params![
                &view.name,
                &state.definition,
                state.touched,
                state.looked_at,
                state.walked_at,
                state.cursor,
                state.members
            ];
            write = write.run(REMEMBER, row);
        }
        self.store().commit(write).await?;
        Ok(())
    }

    /// Asks views about certificates, and writes what is not as it was.
    async fn ask(
        &self,
        kept: &mut [Kept],
        which: &[usize],
        asked: &Asked,
        now: Timestamp,
    ) -> Result<()> {
        let changes = self.differences(kept, which, asked, now).await?;
        self.write_changes(kept, changes).await
    }

    /// What is not as it was.
    async fn differences(
        &self,
        kept: &[Kept],
        which: &[usize],
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for together in which.chunks(TOGETHER) {
            let wanted = self.wanted(kept, together, asked, now).await?;
            let held = self.shown(kept, together, asked).await?;
            for ((view, certificate), position) in &held {
                if wanted.get(&(*view, *certificate)) != Some(position) {
                    changes.push((false, *view, *position, *certificate));
                }
            }
            for ((view, certificate), position) in &wanted {
                if held.get(&(*view, *certificate)) != Some(position) {
                    changes.push((true, *view, *position, *certificate));
                }
            }
        }
        Ok(changes)
    }

    async fn write_changes(&self, kept: &mut [Kept], mut changes: Vec<Change>) -> Result<()> {
        changes.sort_unstable();
        for part in changes.chunks(WRITTEN) {
            let mut write = Write::derived();
            for (comes, view, position, certificate) in part {
                let Kept { view, state, .. } = &mut kept[*view];
                state.members += if *comes { 1 } else { -1 };
                let sql = if *comes { ADD } else { DROP };
                write = write.run(sql, params![view.name.as_str(), *position, *certificate]);
            }
            self.store().commit(write).await?;
        }
        Ok(())
    }

    /// Who is to be in these views, all in one statement: where a certificate is in one, its position.
    async fn wanted(
        &self,
        kept: &[Kept],
        which: &[usize],
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Members> {
        let target = self.target(&Query::default(), Rows::Certificates, true, now);
        let mut compiler = Compiler::new(target);
        let columns: Vec<String> = which
            .iter()
            .map(|at| {
                let one = &kept[*at];
                let condition = compiler.whole(&one.query);
                let position = one.view.sort.position();
                format!("CASE WHEN {condition} THEN {position} END")
            })
            .collect();
        let sql = format!(
            "SELECT i.id, {} FROM inventory i WHERE {}",
            columns.join(", "),
            asked.condition("i.id")
        );
        let store = self.store();
        let rows = store.search(&sql, compiler.params, PATIENCE).await?;
        let mut members = Members::new();
        for row in &rows {
            let id = row.int(0)?;
            for (column, at) in which.iter().enumerate() {
                if let Some(position) = row.opt_int(column + 1)? {
                    members.insert((*at, id), position);
                }
            }
        }
        Ok(members)
    }

    /// Who is in these views now.
    async fn shown(&self, kept: &[Kept], which: &[usize], asked: &Asked) -> Result<Members> {
        let names: BTreeMap<&str, usize> = which
            .iter()
            .map(|at| (kept[*at].view.name.as_str(), *at))
            .collect();
        let marks: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
        let sql = format!(
            "SELECT m.view, m.certificate, m.position FROM view_members m WHERE m.view IN ({}) AND {}",
            marks.join(", "),
            asked.condition("m.certificate")
        );
        let params: Vec<Value> = names.keys().map(|name| Value::from(*name)).collect();
        let rows = self.store().search(&sql, params, PATIENCE).await?;
        let mut members = Members::new();
        for row in &rows {
            if let Some(at) = names.get(row.text(0)?) {
                members.insert((*at, row.int(1)?), row.int(2)?);
            }
        }
        Ok(members)
    }
}

impl Asked {
    fn condition(&self, id: &str) -> String {
        match self {
            Asked::These(ids) => {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                format!("{id} IN ({})", ids.join(", "))
            }
            Asked::Range(from, to) => format!("{id} > {from} AND {id} <= {to}"),
        }
    }
}

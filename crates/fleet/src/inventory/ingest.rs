//! Taking in what was seen: one durable write and one event a batch, however it was found (R16, R17).
//!
//! The same batch twice changes nothing but when something was last seen; what is older than what is known never
//! overwrites it. A chain is taken in whole, unreadable certificates are counted and kept as their place's outcome.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use access::{Action, Permit, Refusal};
use agent::observation::Observation;
use audit::{Event, Object, Timestamp};
use serde::Serialize;
use serde_json::json;
use store::{Value, Write, params};
use tokio::sync::SemaphorePermit;
use x509::Certificate;

use super::certificate::Described;
use super::head::{Head, again};
use super::place::{self, Columns, Says};
use super::spot::{Moment, Spot};
use super::stored::{self, KnownCertificate};
use super::text::clean;
use super::turn::{self, Keys, Turns};
use super::zone::Zones;
use crate::{Fleet, Result};

/// Observations in one batch: what a transaction holds without making others wait for long.
pub const MOST_OBSERVATIONS: usize = 20_000;
/// Certificates of one chain that are looked at; a scan accepts no more bytes than some two hundred have.
const MOST_CHAIN: usize = 200;

/// Who saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The scanner, the agent, the file that was imported.
    pub name: String,
    /// The scan that it belongs to.
    pub scan: Option<String>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ingested {
    pub observations: u64,
    pub certificates_new: u64,
    pub certificates_known: u64,
    pub places_new: u64,
    pub places_changed: u64,
    pub places_unchanged: u64,
    /// Of those changed: nothing is there any more.
    pub places_gone: u64,
    /// Older than what is known of their place.
    pub older: u64,
    /// They say nothing about a certificate, and their place is not known: not looked at, closed, silent.
    pub nothing: u64,
    /// Said to be certificates, and cannot be read as such.
    pub unreadable: u64,
}

impl std::ops::AddAssign for Ingested {
    fn add_assign(&mut self, more: Ingested) {
        self.observations += more.observations;
        self.certificates_new += more.certificates_new;
        self.certificates_known += more.certificates_known;
        self.places_new += more.places_new;
        self.places_changed += more.places_changed;
        self.places_unchanged += more.places_unchanged;
        self.places_gone += more.places_gone;
        self.older += more.older;
        self.nothing += more.nothing;
        self.unreadable += more.unreadable;
    }
}

/// Adds to the write of a batch what has to stand with it: a cursor, the number of an agent's batch.
pub type Beside<'a> = &'a (dyn Fn(Write) -> store::Result<Write> + Send + Sync);

/// A certificate of a batch.
pub(crate) struct Wanted<'a> {
    pub(crate) der: &'a [u8],
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) how: BTreeSet<&'static str>,
    /// The authority of ours that says it issued it, and the reason of its revocation.
    pub(crate) recorded: Option<(String, Option<i64>)>,
}

/// What a batch is about.
#[derive(Default)]
pub(crate) struct Intake<'a> {
    pub(crate) certificates: BTreeMap<[u8; 32], Wanted<'a>>,
    pub(crate) moments: Vec<Moment>,
    pub(crate) counts: Ingested,
    /// Up to which row of the CA's certificates this brings the inventory.
    pub(crate) issued: Option<i64>,
}

impl Fleet {
    /// Takes in a batch of observations.
    pub async fn ingest(
        &self,
        permit: &Permit,
        source: &Source,
        batch: &[Observation],
        now: Timestamp,
    ) -> Result<Ingested> {
        self.ingest_with(permit, source, batch, &Ok, now).await
    }

    /// As [`Fleet::ingest`], with something else in the same write.
    pub async fn ingest_with(
        &self,
        permit: &Permit,
        source: &Source,
        batch: &[Observation],
        beside: Beside<'_>,
        now: Timestamp,
    ) -> Result<Ingested> {
        let action = "inventory.ingest";
        let object = Object::new("inventory", clean(&source.name));
        let allowed = may_ingest(permit).and_then(|()| fits(batch));
        self.checked(permit, action, &object, allowed, now).await?;
        let reading = self.inventory.turns.read().await;
        let (intake, sha256) = read(batch, now).await;
        let begin = |counts: &Ingested| {
            let after = json!({"scan": source.scan, "counts": counts});
            let event = Event::new(now, permit.actor().clone(), action, object.clone());
            let event = permit.joined(event.digest(sha256).after(after));
            beside(Write::new(event)?.routine())
        };
        self.take_in(intake, reading, &begin).await
    }

    /// What taking in a batch would do, as things are now.
    pub async fn weigh(&self, batch: &[Observation], now: Timestamp) -> Result<Ingested> {
        let zones = self.zones().await?;
        let (intake, _) = read(batch, now).await;
        let mut plan = Plan::new(Head::read(self.store()).await?, &intake);
        plan.certificates(self, &intake, &mut HashMap::new())
            .await?;
        plan.places(self, &intake, &zones).await?;
        Ok(plan.counts)
    }

    /// Writes what a batch says into a write that `begin` makes. Whoever is slower than another reads again.
    pub(crate) async fn take_in(
        &self,
        intake: Intake<'_>,
        reading: Option<SemaphorePermit<'_>>,
        begin: &(dyn Fn(&Ingested) -> store::Result<Write> + Send + Sync),
    ) -> Result<Ingested> {
        let zones = self.zones().await?;
        // What takes longest is done before this one's turn comes, while another's batch is written.
        let mut described = HashMap::new();
        let before = Head::read(self.store()).await?;
        let mut plan = Plan::new(before, &intake);
        plan.certificates(self, &intake, &mut described).await?;
        drop(reading);
        let turns = &self.inventory.turns;
        let turn = turns.plan().await;
        let mut planned = match turn.ahead(intake.keys(turns)) {
            Some(head) => Some(
                self.plan_batch(head, &intake, &mut described, &zones, begin)
                    .await?,
            ),
            None => None,
        };
        let (mut turn, left) = turn.write().await;
        planned = planned.filter(|planned| left == Some(planned.before));
        for attempt in 0.. {
            let planned = match planned.take() {
                Some(planned) => planned,
                None => {
                    let before = Head::read(self.store()).await?;
                    self.plan_batch(before, &intake, &mut described, &zones, begin)
                        .await?
                }
            };
            turn.begins(planned.head, planned.written);
            match self.store().commit(planned.write).await {
                Ok(_) => {
                    turn.leaves(planned.head);
                    return Ok(planned.counts);
                }
                Err(error) if again(&error, attempt).await => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(intake.counts)
    }

    /// The write of a batch, against a head: that of now, or that which another batch is about to leave.
    async fn plan_batch(
        &self,
        before: Head,
        intake: &Intake<'_>,
        described: &mut HashMap<[u8; 32], Read>,
        zones: &Zones,
        begin: &(dyn Fn(&Ingested) -> store::Result<Write> + Send + Sync),
    ) -> Result<Planned> {
        let mut plan = Plan::new(before, intake);
        plan.certificates(self, intake, described).await?;
        plan.places(self, intake, zones).await?;
        let (head, counts) = (plan.head, plan.counts);
        let written = plan.written(intake, &self.inventory.turns);
        Ok(Planned {
            before,
            head,
            counts,
            written,
            write: plan.write(intake, described, begin(&counts)?),
        })
    }
}

fn may_ingest(permit: &Permit) -> Result<(), Refusal> {
    match permit.require(Action::RunDiscovery) {
        Ok(()) => Ok(()),
        Err(_) => permit.require(Action::ManageInventory),
    }
}

fn fits(batch: &[Observation]) -> Result<(), Refusal> {
    if batch.len() <= MOST_OBSERVATIONS {
        return Ok(());
    }
    let message = format!("a batch of {} observations", batch.len());
    Err(
        Refusal::new("inventory.batch", "docs/inventory.md", message)
            .accepted(format!("at most {MOST_OBSERVATIONS}; send them in parts")),
    )
}

/// Sorts a batch by time, and its certificates by their hash: rows of a table that lie near each other are written
/// together. Says the SHA-256 over its lines, too.
async fn read(batch: &[Observation], now: Timestamp) -> (Intake<'_>, audit::Hash) {
    let mut lines = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut intake = Intake::default();
    intake.counts.observations = batch.len() as u64;
    intake.moments.reserve_exact(batch.len());
    let mut line = Vec::with_capacity(4096);
    for (at, seen) in batch.iter().enumerate() {
        line.clear();
        // As [`Observation::line`] writes it.
        if serde_json::to_writer(&mut line, seen).is_ok() {
            line.push(b'\n');
            lines.update(&line);
        }
        intake.note(seen, now);
        if at % 256 == 255 {
            // A batch takes a while, and others have a right to this thread.
            tokio::task::yield_now().await;
        }
    }
    intake.moments.sort_by_key(|moment| moment.at);
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(lines.finish().as_ref());
    (intake, sha256)
}

impl<'a> Intake<'a> {
    fn note(&mut self, seen: &'a Observation, now: Timestamp) {
        // A clock that is ahead must not make everything that follows look old.
        let at = seen.at.clamp(0, now.0);
        let how = how(seen);
        let mut chain = Vec::with_capacity(32 * seen.chain.len().min(MOST_CHAIN));
        for der in seen.chain.iter().take(MOST_CHAIN) {
            let sha256 = audit::merkle::sha256(der.bytes());
            chain.extend_from_slice(&sha256);
            self.want(sha256, der.bytes(), at, how);
        }
        let says = Says::of(seen);
        self.moments.push(Moment {
            at,
            columns: Columns::of(&seen.place),
            says,
            kept: place::is_kept(&seen.outcome),
            outcome: place::outcome_columns(&seen.outcome),
            capture: seen.how == agent::observation::How::Capture,
            tls: seen.tls.clone(),
            file: seen.file.as_ref().map(place::cleaned),
            chain,
            from: clean(&seen.from),
        });
    }

    /// What it reads before it is written, and when each was seen last.
    fn keys(&self, turns: &Turns) -> impl Iterator<Item = (u64, i64)> {
        let certificates = self.certificates.iter();
        let certificates = certificates.map(|(sha256, wanted)| (turns.key(sha256), wanted.last));
        let moments = self.moments.iter();
        certificates.chain(moments.map(|one| (turns.key(one.place().as_bytes()), one.at)))
    }

    pub(crate) fn want(&mut self, sha256: [u8; 32], der: &'a [u8], at: i64, how: &'static str) {
        let wanted = self.certificates.entry(sha256).or_insert_with(|| Wanted {
            der,
            first: at,
            last: at,
            how: BTreeSet::new(),
            recorded: None,
        });
        wanted.first = wanted.first.min(at);
        wanted.last = wanted.last.max(at);
        wanted.how.insert(how);
    }
}

fn how(seen: &Observation) -> &'static str {
    use agent::observation::How;
    match seen.how {
        How::Scan => "scan",
        How::Capture => "capture",
        How::File => "file",
        How::Import => "import",
        How::Issued => "issued",
    }
}

/// A certificate that was read: its columns, or why there are none.
pub(crate) type Read = std::result::Result<Described, String>;

/// A batch that only has to be written.
struct Planned {
    before: Head,
    head: Head,
    counts: Ingested,
    /// What others must not have read.
    written: Keys,
    write: Write,
}

/// What is about to be written, against one state of the tables.
struct Plan {
    before: Head,
    head: Head,
    counts: Ingested,
    known: HashMap<[u8; 32], KnownCertificate>,
    /// Numbers of those that are new.
    new: BTreeMap<[u8; 32], i64>,
    spots: Vec<Spot>,
    /// Certificates that are somewhere else than before, or served otherwise.
    moved: BTreeSet<i64>,
}

impl Plan {
    fn new(before: Head, intake: &Intake<'_>) -> Self {
        let mut head = before.next();
        head.issued = intake.issued.unwrap_or(before.issued);
        Plan {
            before,
            head,
            counts: intake.counts,
            known: HashMap::new(),
            new: BTreeMap::new(),
            spots: Vec::new(),
            moved: BTreeSet::new(),
        }
    }

    /// Which certificates are here already, and what the others say.
    async fn certificates(
        &mut self,
        fleet: &Fleet,
        intake: &Intake<'_>,
        described: &mut HashMap<[u8; 32], Read>,
    ) -> Result<()> {
        let keys: Vec<[u8; 32]> = intake.certificates.keys().copied().collect();
        self.known = stored::known_certificates(fleet.store(), &keys).await?;
        for (done, (sha256, wanted)) in intake.certificates.iter().enumerate() {
            if self.known.contains_key(sha256) {
                self.counts.certificates_known += 1;
                continue;
            }
            let read = described
                .entry(*sha256)
                .or_insert_with(|| read_one(wanted.der));
            match read {
                Ok(_) => {
                    self.head.certificates += 1;
                    self.new.insert(*sha256, self.head.certificates);
                    self.counts.certificates_new += 1;
                }
                Err(_) => self.counts.unreadable += 1,
            }
            if done % 256 == 255 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// The number of a certificate that can be read.
    fn id(&self, sha256: &[u8]) -> Option<i64> {
        let sha256: &[u8; 32] = sha256.try_into().ok()?;
        let known = self.known.get(sha256).map(|known| known.id);
        known.or_else(|| self.new.get(sha256).copied())
    }

    async fn places(&mut self, fleet: &Fleet, intake: &Intake<'_>, zones: &Zones) -> Result<()> {
        let mut texts: Vec<&str> = intake.moments.iter().map(Moment::place).collect();
        texts.sort_unstable();
        texts.dedup();
        let known = stored::known_places(fleet.store(), &texts).await?;
        let mut spots: HashMap<&str, Box<Spot>> = HashMap::with_capacity(texts.len());
        for moment in &intake.moments {
            let text = moment.place();
            if !spots.contains_key(text) {
                let Some(spot) = self.spot(moment, known.get(text), zones) else {
                    self.counts.nothing += 1;
                    continue;
                };
                spots.insert(text, Box::new(spot));
            }
            let certificate = moment.leaf().and_then(|leaf| self.id(leaf));
            if let Some(spot) = spots.get_mut(text)
                && !spot.apply(moment, certificate)
            {
                self.counts.older += 1;
            }
        }
        // Each in a box of its own while they are found by hash and sorted: they are large.
        let mut spots: Vec<Box<Spot>> = spots.into_values().collect();
        spots.sort_unstable_by(|one, other| one.columns.place.cmp(&other.columns.place));
        self.number(spots.into_iter());
        Ok(())
    }

    /// The spot that a moment is about: one that is known, or a new one if it says enough.
    fn spot(
        &self,
        moment: &Moment,
        known: Option<&stored::KnownPlace>,
        zones: &Zones,
    ) -> Option<Spot> {
        match known {
            Some(known) => Some(Spot::known(moment, known.clone())),
            None if !moment.kept => None,
            None => {
                let address = moment.columns.address.as_deref();
                let address = address.and_then(|text| text.parse().ok());
                let zone = address.and_then(|address| zones.of(address));
                Some(Spot::new(moment, zone.map(|zone| zone.name.clone())))
            }
        }
    }

    fn number(&mut self, spots: impl ExactSizeIterator<Item = Box<Spot>>) {
        self.spots.reserve_exact(spots.len());
        for mut spot in spots {
            if spot.is_new() {
                self.head.places += 1;
                spot.id = self.head.places;
                self.counts.places_new += 1;
            } else if spot.is_changed() {
                self.counts.places_changed += 1;
                self.counts.places_gone += u64::from(spot.has_gone());
            } else {
                self.counts.places_unchanged += 1;
            }
            if spot.is_new() || spot.is_changed() {
                self.moved.extend(spot.concerned());
            }
            self.spots.push(*spot);
        }
    }

    /// What others must not have read before this is written.
    fn written(&self, intake: &Intake<'_>, turns: &Turns) -> Keys {
        let known = self.known.iter().filter_map(|(sha256, known)| {
            let update = known.seen(intake.certificates.get(sha256)?)?;
            let until = if update.is_more {
                turn::ALWAYS
            } else {
                update.last_seen
            };
            Some((turns.key(sha256), until))
        });
        let places = self.spots.iter().map(|spot| spot.columns.place.as_bytes());
        let new = self.new.keys().map(<[u8; 32]>::as_slice).chain(places);
        let new = new.map(|key| (turns.key(key), turn::ALWAYS));
        known.chain(new).collect()
    }

    fn write(
        mut self,
        intake: &Intake<'_>,
        described: &HashMap<[u8; 32], Read>,
        mut write: Write,
    ) -> Write {
        let touched = self.head.touched;
        // A certificate with its names, a place with its stay.
        write = write.reserve(4 * self.new.len() + 2 * self.spots.len());
        let mut names = Vec::with_capacity(2 * self.new.len());
        for (sha256, id) in &self.new {
            let (Some(wanted), Some(Ok(described))) =
                (intake.certificates.get(sha256), described.get(sha256))
            else {
                continue;
            };
            write = write.run(
                stored::ADD_CERTIFICATE,
                new_row(*id, sha256, wanted, described, touched),
            );
            names.extend(described.found_by().map(|name| (name, *id)));
        }
        // In the order of their tree, each once.
        names.sort_unstable();
        names.dedup();
        for (name, id) in names {
            write = write.run(stored::ADD_NAME, params![name, id]);
        }
        let (mut changed, mut touch) = (Vec::new(), Vec::new());
        let mut moved = std::mem::take(&mut self.moved);
        let mut seen = Vec::new();
        for (sha256, known) in &self.known {
            let Some(wanted) = intake.certificates.get(sha256) else {
                continue;
            };
            let update = known.seen(wanted);
            match (update, moved.remove(&known.id)) {
                (Some(update), was_moved) if update.is_more || was_moved => {
                    changed.push(update.row(known.id, touched));
                }
                (Some(update), _) => seen.push(params![known.id, update.last_seen]),
                (None, true) => touch.push(params![known.id, touched]),
                (None, false) => {}
            }
        }
        // What was at a place before is in no batch, and has one place less now.
        moved.retain(|id| *id <= self.before.certificates);
        touch.extend(moved.into_iter().map(|id| params![id, touched]));
        // Like beside like: PostgreSQL takes them at once.
        for (sql, rows) in [
            (stored::CHANGE_CERTIFICATE, changed),
            (stored::SEE_CERTIFICATE, seen),
            (stored::TOUCH_CERTIFICATE, touch),
        ] {
            for row in rows {
                write = write.run(sql, row);
            }
        }
        let (before, head) = (self.before, self.head);
        head.moved(before, self.write_spots(write))
    }

    fn write_spots(self, mut write: Write) -> Write {
        let touched = self.head.touched;
        let history: Vec<(&'static str, Vec<Value>)> = HISTORY
            .iter()
            .flat_map(|(sql, rows)| {
                let rows = self.spots.iter().flat_map(*rows);
                rows.map(|row| (*sql, row))
            })
            .collect();
        let (new, known): (Vec<Spot>, Vec<Spot>) =
            self.spots.into_iter().partition(|spot| spot.is_new());
        let (changed, same): (Vec<Spot>, Vec<Spot>) =
            known.into_iter().partition(|spot| spot.is_rewritten());
        for spot in new {
            write = write.run(stored::ADD_PLACE, spot.into_row(touched));
        }
        for spot in changed {
            write = write.run(stored::CHANGE_PLACE, spot.changed_row(touched));
        }
        for spot in same.iter().filter(|spot| spot.is_seen()) {
            write = write.run(stored::SEE_PLACE, spot.seen_row());
        }
        for (sql, row) in history {
            write = write.run(sql, row);
        }
        write
    }
}

/// Rows of one place for one statement.
type Rows = fn(&Spot) -> Vec<Vec<Value>>;

/// What a batch does to the history of places.
const HISTORY: [(&str, Rows); 4] = [
    (stored::CLOSE_HISTORY, Spot::closed),
    (stored::SEE_HISTORY, Spot::still),
    (stored::ADD_HISTORY, Spot::opened),
    (stored::ADD_EARLIER, Spot::earlier),
];

fn read_one(der: &[u8]) -> Read {
    match Certificate::from_der(der) {
        Ok(certificate) => Ok(Described::of(&certificate)),
        Err(error) => Err(error.to_string()),
    }
}

fn new_row(
    id: i64,
    sha256: &[u8; 32],
    wanted: &Wanted<'_>,
    described: &Described,
    touched: i64,
) -> Vec<Value> {
    let how: Vec<&str> = wanted.how.iter().copied().collect();
    let (authority, revoked) = match &wanted.recorded {
        Some((authority, revoked)) => (Some(authority.as_str()), *revoked),
        None => (None, None),
    };
    params![
        id,
        *sha256,
        wanted.der,
        described.spki,
        described.subject.as_str(),
        described.issuer.as_str(),
        described.serial.clone(),
        described.names.as_str(),
        described.key.as_str(),
        described.key_bits,
        described.signature.as_str(),
        described.not_before,
        described.not_after,
        described.is_ca,
        described.self_signed,
        described.is_public,
        authority,
        wanted.recorded.is_some(),
        revoked,
        wanted.first,
        wanted.last,
        how.join(","),
        0,
        "",
        // Medium: nobody has said anything about it yet.
        1,
        0,
        0,
        0,
        0,
        touched,
        0,
    ]
}

//! The verifier: takes the whole log in order, the checkpoints and the stored certificates, and
//! names everything that does not fit together.
//!
//! It streams. Its memory holds O(log n) hashes, the intents and blocks of reserved serial numbers
//! that are open, and the certificates and events that have not met yet: when the caller feeds both in about the order in which they
//! were stored, that is a handful. Which of two things was changed when they disagree, it can
//! only say where a checkpoint settles it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::merkle::{Frontier, leaf_hash, sha256};
use crate::note::{Checkpoint, VerifierKey};
use crate::reservations::Reservations;
use crate::{Error, Event, Hash, MAX_BODY, Outcome, Timestamp};

/// The action that announces a signature. Its object is the certificate's serial number.
pub const INTEND: &str = "certificate.intend";
/// The action that records a signed certificate; its digest is the SHA-256 of the DER.
pub const ISSUE: &str = "certificate.issue";
/// The action that reserves serial numbers to sign under, without saying which. Its object is their block.
pub const RESERVE: &str = "certificate.reserve";
/// The action that ends such a block and names those of its numbers that were not used.
pub const UNRESERVE: &str = "certificate.unreserve";
/// The action that records that an announced certificate counts as revoked and was not issued.
pub const VOID: &str = "certificate.void";

/// A signature is at work for less than this; start-up voids what a crash left. In a log that was
/// cut at a checkpoint, intents this close to its end may be about to be followed.
pub const IN_FLIGHT_MS: i64 = 5 * 60 * 1000;

/// What the events of certificates of authorities have for a profile. Some of them are made before
/// there is a log to announce them in.
const CEREMONY: &str = "ca";

/// A damaged log may disagree everywhere; more findings than this are counted, not kept.
const MAX_FINDINGS: usize = 1000;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Entries are not there.
    MissingEntry,
    /// An entry's number came before: a duplicated row, or rows out of order.
    RepeatedEntry,
    /// An entry is not an event.
    UnreadableEntry,
    /// A stored leaf hash is not the hash of its body.
    LeafDisagrees,
    /// The tree at a checkpoint's size has another root.
    RootDisagrees,
    /// The log is shorter than a checkpoint says it was.
    Truncated,
    /// A checkpoint is malformed or not signed by the log's key.
    BadCheckpoint,
    /// The stored head is not the head of the stored events.
    HeadDisagrees,
    /// A certificate was announced, and neither issued nor voided.
    OpenIntent,
    /// A certificate was announced twice under one serial number.
    RepeatedIntent,
    /// A certificate was issued or voided under a serial number that was neither announced nor reserved.
    NotReserved,
    /// The serial numbers of a block that has ended are not those that were reserved.
    ReservationDisagrees,
    /// An issuance does not state its certificate's digest.
    NoDigest,
    /// An issued certificate is not stored.
    MissingCertificate,
    /// A stored certificate is not the one that was issued.
    CertificateDisagrees,
    /// A stored certificate is in no event.
    UnloggedCertificate,
    /// What is stored beside a certificate is not what its issuance says.
    RowDisagrees,
    /// A status is stored otherwise than the log says.
    StatusDisagrees,
    /// A file of an export is missing.
    MissingFile,
    /// A file of an export is not one of its files.
    UnexpectedFile,
    /// A file of an export does not follow from the entries.
    FileDisagrees,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The entry, where it is about one.
    pub seq: Option<u64>,
    /// In words.
    pub text: String,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Log entries.
    pub events: u64,
    /// Issuances whose certificate was found.
    pub certificates: u64,
    /// Checkpoints whose signature and root are right.
    pub checkpoints: u64,
    /// Intents that are still open, too recent to be a finding.
    pub open_intents: u64,
    /// Reserved serial numbers that are not used yet: running servers have some.
    pub reserved_serials: u64,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many entries the log has.
    pub size: u64,
    /// The root over them, in hex.
    pub root: String,
    /// What was looked at.
    pub counts: Counts,
    /// What is wrong, in the order in which it was met.
    pub findings: Vec<Finding>,
    /// Findings beyond the first thousand.
    pub more_findings: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Checks a log that is fed to it from the first entry to the last.
#[derive(Debug, Default)]
pub struct Verifier {
    next: u64,
    /// The tree over the bodies, and over the leaf hashes that were stored beside them.
    bodies: Frontier,
    leaves: Frontier,
    checkpoints: BTreeMap<u64, Vec<(String, Checkpoint)>>,
    agreed_up_to: u64,
    last_time: Option<Timestamp>,
    intents: HashMap<String, (u64, Timestamp)>,
    reservations: Reservations,
    /// Issuances whose certificate has not come, and certificates whose issuance has not come.
    awaited: HashMap<Hash, u64>,
    unclaimed: HashMap<Hash, String>,
    counts: Counts,
    findings: Vec<Finding>,
    more_findings: u64,
}

impl Verifier {
    /// A verifier that has seen nothing.
    pub fn new() -> Self {
        Verifier::default()
    }

    /// Takes a checkpoint to compare with, under a name for the findings. It must come before
    /// the tree has grown past it; the error says that it did not.
    pub fn checkpoint(&mut self, name: &str, note: &str, key: &VerifierKey) -> Result<(), Error> {
        let checkpoint = match Checkpoint::open(note, key) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.find(Kind::BadCheckpoint, None, format!("{name}: {error}"));
                return Ok(());
            }
        };
        let size = checkpoint.size;
        if size < self.next {
            return Err(Error::OutOfRange {
                what: "a checkpoint given too late, of",
                index: size,
                size: self.next,
            });
        }
        let at_size = self.checkpoints.entry(size).or_default();
        at_size.push((name.to_owned(), checkpoint));
        self.compare_checkpoints();
        Ok(())
    }

    /// Takes the next stored entry: its number (the first is 0), its bytes, and the leaf hash
    /// that was stored beside them.
    pub fn event(&mut self, seq: u64, body: &[u8], stored_leaf: Option<&[u8]>) {
        if seq < self.next {
            let text = format!("entry {seq} comes after entry {}", self.next - 1);
            self.find(Kind::RepeatedEntry, Some(seq), text);
            return;
        }
        if seq > self.next {
            let text = format!("entries {} to {} are missing", self.next, seq - 1);
            self.find(Kind::MissingEntry, Some(self.next), text);
        }
        let leaf = leaf_hash(body);
        let stored = stored_leaf.unwrap_or(&leaf);
        if stored != leaf {
            let text = format!("the stored leaf hash of entry {seq} is not that of its body");
            self.find(Kind::LeafDisagrees, Some(seq), text);
        }
        self.bodies.append(leaf);
        self.leaves.append(stored.try_into().unwrap_or(leaf));
        self.next = seq.saturating_add(1);
        self.counts.events += 1;
        match Event::parse(body) {
            Ok(event) if body.len() <= MAX_BODY => self.follow(seq, &event),
            Ok(_) => self.unreadable(seq, format!("it has {} bytes", body.len())),
            Err(error) => self.unreadable(seq, error.to_string()),
        }
        self.compare_checkpoints();
    }

    /// Takes a stored certificate and the digest that was stored beside it, under a name for the
    /// findings. Gives the number of the entry that issued it, if that came before.
    pub fn certificate(&mut self, name: &str, der: &[u8], stored: Option<&[u8]>) -> Option<u64> {
        let digest = sha256(der);
        if let Some(stored) = stored.filter(|stored| *stored != digest) {
            let seq = <&Hash>::try_from(stored)
                .ok()
                .and_then(|d| self.awaited.remove(d));
            let text = format!("{name} does not have the digest that is stored beside it");
            self.find(Kind::CertificateDisagrees, seq, text);
            return seq;
        }
        let seq = self.awaited.remove(&digest);
        if seq.is_some() {
            self.counts.certificates += 1;
        } else if self.unclaimed.insert(digest, name.to_owned()).is_some() {
            let text = format!("{name} is stored twice");
            self.find(Kind::UnloggedCertificate, None, text);
        }
        seq
    }

    /// Adds a finding of the caller's.
    pub fn find(&mut self, kind: Kind, seq: Option<u64>, text: impl Into<String>) {
        if self.findings.len() == MAX_FINDINGS {
            self.more_findings += 1;
            return;
        }
        self.findings.push(Finding {
            kind,
            seq,
            text: text.into(),
        });
    }

    /// When the last event happened, by its own word.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// Takes the stored head, after the last entry.
    pub fn head(&mut self, size: u64, frontier: &[u8]) {
        let head = Frontier::decode(frontier);
        if size == self.next && head.is_ok_and(|head| head == self.bodies) {
            return;
        }
        let text = format!(
            "the stored head ({size} entries) is not that of the {} entries stored",
            self.next
        );
        self.find(Kind::HeadDisagrees, None, text);
    }

    /// Ends the log. Intents since `in_flight_since` may still be at work and are only counted.
    pub fn finish(mut self, in_flight_since: Option<Timestamp>) -> Report {
        for (name, checkpoint) in std::mem::take(&mut self.checkpoints)
            .into_values()
            .flatten()
        {
            let text = format!(
                "{name} covers {} entries, the log has {}",
                checkpoint.size, self.next
            );
            self.find(Kind::Truncated, Some(self.next), text);
        }
        self.report_open_intents(in_flight_since);
        self.counts.reserved_serials = self.reservations.open();
        let mut missing: Vec<u64> = std::mem::take(&mut self.awaited).into_values().collect();
        missing.sort_unstable();
        for seq in missing {
            let text = format!("the certificate that entry {seq} issued is not stored");
            self.find(Kind::MissingCertificate, Some(seq), text);
        }
        let mut unlogged: Vec<String> = std::mem::take(&mut self.unclaimed).into_values().collect();
        unlogged.sort_unstable();
        for name in unlogged {
            let text = format!("{name} is in no event of the log");
            self.find(Kind::UnloggedCertificate, None, text);
        }
        Report {
            size: self.next,
            root: hex::encode(self.bodies.root()),
            counts: self.counts,
            findings: self.findings,
            more_findings: self.more_findings,
        }
    }

    fn unreadable(&mut self, seq: u64, why: String) {
        let text = format!("entry {seq} is not an event: {why}");
        self.find(Kind::UnreadableEntry, Some(seq), text);
    }

    /// Follows what the events say about certificates.
    fn follow(&mut self, seq: u64, event: &Event) {
        self.last_time = Some(event.time);
        if event.outcome != Outcome::Done {
            return;
        }
        let serial = &event.object.id;
        match event.action.as_ref() {
            INTEND => {
                let known = self.intents.insert(serial.clone(), (seq, event.time));
                if let Some((first, _)) = known {
                    let text = format!("serial {serial} is announced in entries {first} and {seq}");
                    self.find(Kind::RepeatedIntent, Some(seq), text);
                }
            }
            RESERVE => {
                let reserved = self.reservations.reserve(seq, event);
                self.disagree(seq, reserved);
            }
            UNRESERVE => {
                let returned = self.reservations.give_back(event);
                self.disagree(seq, returned);
            }
            ISSUE => {
                self.account(seq, event);
                match event.digest {
                    Some(digest) => self.await_certificate(seq, digest),
                    None => {
                        let text = format!("entry {seq} issues a certificate without its digest");
                        self.find(Kind::NoDigest, Some(seq), text);
                    }
                }
            }
            VOID => self.account(seq, event),
            _ => {}
        }
    }

    /// A serial number is a certificate's or void: it was announced, or is one of a block.
    fn account(&mut self, seq: u64, event: &Event) {
        let serial = &event.object.id;
        let said = |name| event.after.as_ref()?.get(name)?.as_str();
        if let Some(block) = said("block") {
            match self.reservations.settle(block, event) {
                Some(settled) => self.disagree(seq, settled),
                None => {
                    let text = format!("serial {serial} is not of an open block {block}");
                    self.find(Kind::NotReserved, Some(seq), text);
                }
            }
        } else if self.intents.remove(serial).is_none()
            && event.after.is_some()
            && said("profile") != Some(CEREMONY)
        {
            let text = format!("serial {serial} was neither announced nor reserved");
            self.find(Kind::NotReserved, Some(seq), text);
        }
    }

    fn disagree(&mut self, seq: u64, checked: Result<(), String>) {
        if let Err(text) = checked {
            self.find(Kind::ReservationDisagrees, Some(seq), text);
        }
    }

    fn await_certificate(&mut self, seq: u64, digest: Hash) {
        if self.unclaimed.remove(&digest).is_some() {
            self.counts.certificates += 1;
        } else if let Some(first) = self.awaited.insert(digest, seq) {
            let text = format!("entries {first} and {seq} issue one certificate");
            self.find(Kind::MissingCertificate, Some(first), text);
        }
    }

    /// Compares every checkpoint that the tree has reached.
    fn compare_checkpoints(&mut self) {
        while let Some(entry) = self.checkpoints.first_entry() {
            if *entry.key() > self.next {
                return;
            }
            for (name, checkpoint) in entry.remove() {
                self.compare(&name, &checkpoint);
            }
        }
    }

    fn compare(&mut self, name: &str, checkpoint: &Checkpoint) {
        if self.bodies.root() == checkpoint.root && self.bodies.size() == checkpoint.size {
            self.counts.checkpoints += 1;
            self.agreed_up_to = checkpoint.size;
            return;
        }
        let (from, to) = (self.agreed_up_to, checkpoint.size.saturating_sub(1));
        let where_ = match self.leaves.root() == checkpoint.root {
            true => "the stored leaf hashes agree with it: bodies were changed".to_owned(),
            false => format!("something between entries {from} and {to} was changed"),
        };
        let text = format!(
            "{name} ({} entries) has another root: {where_}",
            checkpoint.size
        );
        self.find(Kind::RootDisagrees, Some(from), text);
    }

    fn report_open_intents(&mut self, in_flight_since: Option<Timestamp>) {
        let mut open: Vec<(u64, Timestamp, String)> = std::mem::take(&mut self.intents)
            .into_iter()
            .map(|(serial, (seq, time))| (seq, time, serial))
            .collect();
        open.sort_unstable();
        for (seq, time, serial) in open {
            if in_flight_since.is_some_and(|since| time >= since) {
                self.counts.open_intents += 1;
                continue;
            }
            let text =
                format!("serial {serial}, announced in entry {seq}, was neither issued nor voided");
            self.find(Kind::OpenIntent, Some(seq), text);
        }
    }
}

//! Signed OCSP answers kept by the exact bytes of the request that they answer (RFC 5019 §6: pre-produced responses).
//!
//! Clients of one kind send the same bytes for the same certificate, so one hash look-up replaces parsing, a database
//! read and a signature. Statuses that the database has told are kept too, for requests that must be signed afresh
//! because they carry a nonce. An entry dies at its half-life or at the moment its certificate's status changes, whichever
//! comes first; what is never asked for again is forgotten when its generation is dropped.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use x509::Time;

use crate::revocation::Status;

/// Independent locks, so that two cores rarely meet at one.
const SHARDS: usize = 16;

/// Bytes that one generation of one shard may hold. Two generations of sixteen shards bound the cache to 64 MiB.
const GENERATION_BYTES: usize = 2 * 1024 * 1024;

/// Requests longer than this are answered but not remembered: a request for one certificate has about 80 bytes.
const REQUEST_BYTES: usize = 256;

/// Certificates that the index knows at most; with the answers' budget this stays near 100 MiB at worst.
const SUBJECTS: usize = 200_000;

/// Rough cost of an entry beside its bytes: hash slots, two `Arc`s, the index by certificate.
const ENTRY_OVERHEAD: usize = 256;

/// One signed answer with what HTTP needs to say about its freshness (RFC 5019 §5).
#[derive(Debug)]
pub struct Prepared {
    pub der: Bytes,
    pub this_update: Time,
    pub next_update: Time,
    /// Quoted SHA-256 of the answer, as an entity tag.
    pub etag: String,
    pub(super) stale_after: Time,
    pub(super) revoked: AtomicBool,
}

impl Prepared {
    fn fresh(&self, now: Time) -> bool {
        now < self.stale_after && !self.revoked.load(Ordering::Acquire)
    }
}

/// A certificate as OCSP names it: which issuer of ours, and the serial number's octets.
pub(super) type Subject = (Arc<str>, Vec<u8>);

#[derive(Default)]
struct Generation {
    answers: HashMap<Box<[u8]>, Arc<Prepared>>,
    bytes: usize,
}

#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
}

/// What is kept about one certificate.
#[derive(Default)]
struct Known {
    status: Option<Status>,
    answers: Vec<Arc<Prepared>>,
}

/// The cache. Reads take one shared lock of one shard.
pub(crate) struct AnswerCache {
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// Which answers end when a status changes, and the status itself.
    by_subject: RwLock<HashMap<Subject, Known>>,
    /// Counts status changes. An answer whose status was read before a change must not be kept after it.
    changes: AtomicU64,
}

impl AnswerCache {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            by_subject: RwLock::default(),
            changes: AtomicU64::new(0),
        }
    }

    pub(super) fn find(&self, request: &[u8], now: Time) -> Option<Arc<Prepared>> {
        let shard = self.shard(request).read();
        let answer = shard
            .young
            .answers
            .get(request)
            .or_else(|| shard.old.answers.get(request))?;
        answer.fresh(now).then(|| Arc::clone(answer))
    }

    /// Read this before reading the status that an answer will state.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn insert(
        &self,
        request: &[u8],
        subject: Subject,
        answer: Arc<Prepared>,
        changes_before: u64,
    ) {
        if request.len() > REQUEST_BYTES {
            return;
        }
        let cost = request.len() + answer.der.len() + ENTRY_OVERHEAD;
        let mut shard = self.shard(request).write();
        if shard.young.bytes + cost > GENERATION_BYTES {
            shard.old = mem::take(&mut shard.young);
        }
        shard.young.bytes += cost;
        shard
            .young
            .answers
            .insert(request.into(), Arc::clone(&answer));
        drop(shard);
        self.index(subject, answer, changes_before);
    }

    /// From here on no answer about this certificate that was signed before is given out.
    pub(crate) fn status_changed(&self, issuer: &str, serial: &[u8]) {
        let subject = &(Arc::from(issuer), serial.to_vec());
        let mut index = self.by_subject.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        for answer in index.remove(subject).unwrap_or_default().answers {
            answer.revoked.store(true, Ordering::Release);
        }
    }

    /// The status as the database last told it, if it has not changed since.
    pub(super) fn known_status(&self, subject: &Subject) -> Option<Status> {
        self.by_subject.read().get(subject)?.status
    }

    pub(super) fn learn(&self, subject: Subject, status: Status, changes_before: u64) {
        let mut index = self.by_subject.write();
        if self.changes() == changes_before {
            bounded(&mut index).entry(subject).or_default().status = Some(status);
        }
    }

    fn index(&self, subject: Subject, answer: Arc<Prepared>, changes_before: u64) {
        let mut index = self.by_subject.write();
        if self.changes() != changes_before {
            answer.revoked.store(true, Ordering::Release);
            return;
        }
        let answers = &mut bounded(&mut index).entry(subject).or_default().answers;
        answers.retain(|answer| Arc::strong_count(answer) > 1);
        answers.push(answer);
    }

    fn shard(&self, request: &[u8]) -> &RwLock<Shard> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(request);
        &self.shards[hasher.finish() as usize % SHARDS]
    }
}

/// Keeps the index within its budget: first what no generation holds any more goes, then everything.
fn bounded(index: &mut HashMap<Subject, Known>) -> &mut HashMap<Subject, Known> {
    if index.len() >= SUBJECTS {
        index.retain(|_, known| {
            known
                .answers
                .iter()
                .any(|answer| Arc::strong_count(answer) > 1)
        });
    }
    if index.len() >= SUBJECTS {
        // An answer outside the index could not be withdrawn.
        for answer in index.values().flat_map(|known| &known.answers) {
            answer.revoked.store(true, Ordering::Release);
        }
        index.clear();
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(stale_after: i64) -> Arc<Prepared> {
        Arc::new(Prepared {
            der: Bytes::from_static(b"answer"),
            this_update: Time(0),
            next_update: Time(stale_after * 2),
            etag: String::new(),
            stale_after: Time(stale_after),
            revoked: AtomicBool::new(false),
        })
    }

    fn subject(serial: u8) -> Subject {
        (Arc::from("servers"), vec![serial])
    }

    #[test]
    fn an_answer_ends_at_half_life_and_at_a_status_change() {
        let cache = AnswerCache::new();
        cache.insert(b"one", subject(1), answer(100), 0);
        cache.insert(b"one, in other bytes", subject(1), answer(100), 0);
        cache.insert(b"two", subject(2), answer(100), 0);
        assert!(cache.find(b"one", Time(99)).is_some());
        assert!(cache.find(b"one", Time(100)).is_none());
        cache.status_changed("servers", &[1]);
        assert!(cache.find(b"one", Time(1)).is_none());
        assert!(cache.find(b"one, in other bytes", Time(1)).is_none());
        assert!(cache.find(b"two", Time(1)).is_some());
    }

    #[test]
    fn an_answer_that_was_overtaken_by_a_change_is_not_kept() {
        let cache = AnswerCache::new();
        let before = cache.changes();
        cache.status_changed("servers", &[1]);
        cache.insert(b"one", subject(1), answer(100), before);
        assert!(cache.find(b"one", Time(1)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_recent_survives() {
        let cache = AnswerCache::new();
        for n in 0..400_000_u32 {
            cache.insert(
                &n.to_be_bytes(),
                (Arc::from("servers"), n.to_be_bytes().to_vec()),
                answer(100),
                0,
            );
        }
        let held: usize = cache
            .shards
            .iter()
            .map(|shard| shard.read().young.bytes + shard.read().old.bytes)
            .sum();
        assert!(held <= SHARDS * 2 * GENERATION_BYTES);
        assert!(cache.find(&399_999_u32.to_be_bytes(), Time(1)).is_some());
        assert!(cache.find(&0_u32.to_be_bytes(), Time(1)).is_none());
    }
}

//! Validations: one check at once while the client waits, and if that does not settle it, more of them behind its back.
//!
//! Most checks end within milliseconds and cost one write. One that takes longer, or fails in a way that time may heal
//! (a server that is still starting, a record that still spreads), is stored as processing with an end by which this node
//! will have decided; a node that dies before leaves it to the next that looks.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use agent::control::{Check, Failure, FailureKind, Proof};
use audit::{Event, Outcome, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use store::{StoreError, Write, params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::order::later;
use super::orders::{self, Authorization, Proven};
use super::problem::{ErrorType, Problem};
use super::{Acme, AcmeError, Directory, challenge};

/// How long the client waits for the first check.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long after a check that failed the next begins, in units of [`Validations::unit`]: half a minute in all, as
/// clients that answer late are used to.
const PAUSES: [u32; 5] = [1, 2, 4, 8, 15];
/// Beyond what the checks can take: the writes around them.
const SLACK_MS: i64 = 15_000;
/// Validations that go on behind their clients' backs, of everybody. Each holds a socket or two.
const MOST: usize = 1024;
/// The same of one account: its server that hangs holds up its own orders only. A hundred names in one order may be slow.
const MOST_OF_ACCOUNT: u32 = 128;
/// What of a failure is kept.
const LONGEST_DETAIL: usize = 1000;

type Checking = Pin<Box<dyn Future<Output = Result<Proof, Failure>> + Send>>;

/// What all validations of this process share.
pub(crate) struct Validations {
    room: Arc<Semaphore>,
    /// How many each account has there.
    of_accounts: Mutex<HashMap<String, u32>>,
    /// Whether this process has looked for work left behind by the one before it.
    looked: AtomicBool,
    /// The unit of the pauses, in milliseconds.
    unit: AtomicU64,
}

impl Default for Validations {
    fn default() -> Self {
        Validations {
            room: Arc::new(Semaphore::new(MOST)),
            of_accounts: Mutex::default(),
            looked: AtomicBool::new(false),
            unit: AtomicU64::new(1000),
        }
    }
}

impl Validations {
    /// For tests that have no half minute.
    pub(crate) fn set_unit(&self, milliseconds: u64) {
        self.unit.store(milliseconds, Relaxed);
    }

    /// Work whose end lies before this was left behind. At the first look of a process that is alone, that is all work.
    /// Should this process have begun some already, it is done twice and counts once: whoever takes it over raises
    /// `attempt`.
    pub(crate) fn left_before(&self, alone: bool, now: Timestamp) -> Timestamp {
        let first = !self.looked.swap(true, Relaxed);
        if alone && first {
            Timestamp(i64::MAX)
        } else {
            now
        }
    }

    fn unit(&self) -> Duration {
        Duration::from_millis(self.unit.load(Relaxed))
    }

    /// How long a validation may take before it counts as left behind, in milliseconds.
    fn whole(&self, directory: &Directory) -> i64 {
        let checks = i64::from(directory.validation.timeout_ms);
        let pauses: u32 = PAUSES.iter().sum();
        let pauses = i64::try_from((self.unit() * pauses).as_millis()).unwrap_or(i64::MAX);
        // A check that begins within the pauses may take its full time after them.
        pauses + checks
    }
}

/// A place among the validations that go on behind their clients' backs.
struct Place {
    acme: Acme,
    account: String,
    _room: OwnedSemaphorePermit,
}

impl Place {
    /// `None`: there is none left, for this account or for anybody.
    fn take(acme: &Acme, account: &str) -> Option<Self> {
        let validations = &acme.inner.validations;
        let room = Arc::clone(&validations.room).try_acquire_owned().ok()?;
        let mut of_accounts = validations.of_accounts.lock();
        let busy = of_accounts.entry(account.to_owned()).or_default();
        if *busy >= MOST_OF_ACCOUNT {
            return None;
        }
        *busy += 1;
        Some(Place {
            acme: acme.clone(),
            account: account.to_owned(),
            _room: room,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_accounts = self.acme.inner.validations.of_accounts.lock();
        if let Some(busy) = of_accounts.get_mut(&self.account) {
            *busy -= 1;
            if *busy == 0 {
                of_accounts.remove(&self.account);
            }
        }
    }
}

/// A validation to be done.
pub(crate) struct Validation {
    pub(crate) directory: Arc<Directory>,
    pub(crate) authorization: Authorization,
    pub(crate) check: Check,
    pub(crate) request_id: String,
}

const START: &str = "UPDATE acme_authorizations SET status = 'processing', challenge = $3, attempt = attempt + 1, \
    busy_until = $4, account_url = $5, error = $6 \
    WHERE batch = $1 AND position = $2 AND status = 'pending' AND attempt = $7";
const TAKE_OVER: &str = "UPDATE acme_authorizations SET attempt = attempt + 1, busy_until = $4 \
    WHERE batch = $1 AND position = $2 AND status = 'processing' AND attempt = $3";
const PROVE: &str = "UPDATE acme_authorizations SET status = 'valid', challenge = $3, validated = $4, expires = $5, \
    busy_until = NULL, account_url = NULL, error = NULL \
    WHERE batch = $1 AND position = $2 AND status = $6 AND attempt = $7";
const DISPROVE: &str = "UPDATE acme_authorizations SET status = 'invalid', challenge = $3, busy_until = NULL, \
    account_url = NULL, error = $4 WHERE batch = $1 AND position = $2 AND status = $5 AND attempt = $6";
const END_ORDER: &str =
    "UPDATE acme_orders SET status = 'invalid', error = $2 WHERE id = $1 AND status = 'open'";
const ELSEWHERE: &str = "the authorization was decided elsewhere";

/// Checks at once. Returns the authorization as it stands when the check has ended, or when the client has waited long
/// enough.
pub(crate) async fn start(
    acme: &Acme,
    validation: Validation,
    now: Timestamp,
) -> Result<Authorization, Problem> {
    let begun = Instant::now();
    let mut checking = (acme.inner.validate)(validation.check.clone());
    let first = tokio::time::timeout(PATIENCE, &mut checking).await;
    let at = after(now, begun);
    let (rest, failure) = match first {
        Ok(Ok(proof)) => return ended(acme, validation, Ok(proof), at).await,
        Ok(Err(failure)) if !failure.retry => {
            return ended(acme, validation, Err(failure), at).await;
        }
        Ok(Err(failure)) => (None, Some(failure)),
        Err(_) => (Some(checking), None),
    };
    let Some(place) = Place::take(acme, &validation.authorization.account) else {
        return Err(Problem::new(
            ErrorType::RateLimited,
            "too many validations are under way; try this challenge again later (RFC 8555 §6.6)",
        )
        .retry_after(15));
    };
    // Once it is stored as processing it goes on, whether or not the client waits for this answer.
    let acme = acme.clone();
    let going = tokio::spawn(async move {
        let mut validation = validation;
        if !begin(&acme, &mut validation, failure.as_ref(), at).await? {
            return reread(&acme, &validation.authorization).await;
        }
        let shown = validation.authorization.clone();
        go_on(validation, rest, place, at);
        Ok(shown)
    });
    going.await.map_err(|error| Problem::internal(&error))?
}

/// What was decided elsewhere.
async fn reread(acme: &Acme, before: &Authorization) -> Result<Authorization, Problem> {
    let found = orders::authorization(&acme.inner.store, &before.id()).await?;
    found.ok_or_else(|| Problem::not_found("there is no such authorization"))
}

/// The time is an argument; what passes while a check runs is added to it.
fn after(now: Timestamp, begun: Instant) -> Timestamp {
    let passed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(passed))
}

/// Commits the end of a check that the client has waited for.
async fn ended(
    acme: &Acme,
    validation: Validation,
    outcome: Result<Proof, Failure>,
    now: Timestamp,
) -> Result<Authorization, Problem> {
    let Validation { authorization, .. } = &validation;
    match settle(acme, &validation, &outcome, now).await {
        Ok(Some(settled)) => Ok(settled),
        Ok(None) => reread(acme, authorization).await,
        Err(error) => Err(error.into()),
    }
}

/// Stores that this node is at work. `false`: somebody else was faster.
async fn begin(
    acme: &Acme,
    validation: &mut Validation,
    failure: Option<&Failure>,
    now: Timestamp,
) -> Result<bool, Problem> {
    let busy_until = now.0 + acme.inner.validations.whole(&validation.directory) + SLACK_MS;
    let kind = validation.check.kind;
    let error = failure.map(|failure| problem(failure).text());
    let authorization = &mut validation.authorization;
    let event = orders::event(
        &authorization.account,
        "acme.authorization.validate",
        authorization.object(),
        &validation.request_id,
        now,
    )
    .after(json!({ "challenge": kind.as_str(), "name": authorization.name.text() }));
    let write = Write::new(event)?.run_expecting(
        1,
        START,
        params![
            authorization.batch.as_str(),
            authorization.position,
            kind.as_str(),
            busy_until,
            validation.check.account_url.as_str(),
            error.clone(),
            authorization.attempt,
        ],
        ELSEWHERE,
    );
    acme.inner.lately.forget(&authorization.batch);
    match acme.inner.store.commit(write.routine()).await {
        Ok(_) => {
            authorization.status = Proven::Processing;
            authorization.challenge = Some(kind);
            authorization.attempt += 1;
            authorization.error = error;
            Ok(true)
        }
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Goes on behind the client's back.
fn go_on(validation: Validation, checking: Option<Checking>, place: Place, now: Timestamp) {
    tokio::spawn(async move {
        let acme = &place.acme;
        let begun = Instant::now();
        let outcome = persist(acme, &validation, checking).await;
        if let Err(error) = settle(acme, &validation, &outcome, after(now, begun)).await {
            let id = validation.authorization.id();
            tracing::warn!(%error, authorization = id, "a validation could not be recorded; it will be taken up again");
        }
    });
}

/// Checks until it is proven, cannot be any more, or has taken long enough.
async fn persist(
    acme: &Acme,
    validation: &Validation,
    checking: Option<Checking>,
) -> Result<Proof, Failure> {
    let validations = &acme.inner.validations;
    let whole = u64::try_from(validations.whole(&validation.directory)).unwrap_or_default();
    let mut last = Failure::new(FailureKind::Connection, "the check has taken too long");
    let attempts = async {
        let mut checking = checking;
        let mut pauses = PAUSES.iter();
        loop {
            if let Some(check) = checking.take() {
                match check.await {
                    Ok(proof) => return Ok(proof),
                    Err(failure) if !failure.retry => return Err(failure),
                    Err(failure) => last = failure,
                }
            }
            let Some(pause) = pauses.next() else {
                return Err(last.clone());
            };
            tokio::time::sleep(validations.unit() * *pause).await;
            checking = Some((acme.inner.validate)(validation.check.clone()));
        }
    };
    let ended = tokio::time::timeout(Duration::from_millis(whole), attempts).await;
    match ended {
        Ok(outcome) => outcome,
        Err(_) => Err(last),
    }
}

/// The problem document of a failure (RFC 8555 §8.2).
fn problem(failure: &Failure) -> Problem {
    let mut detail = failure.detail.clone();
    if detail.len() > LONGEST_DETAIL {
        detail.truncate(detail.floor_char_boundary(LONGEST_DETAIL));
    }
    Problem::new(failure.kind.into(), detail)
}

/// One commit that ends a validation: with the authorization, and with the order if it fails. `None`: the authorization
/// is not as this validation left it; whoever changed it has decided.
async fn settle(
    acme: &Acme,
    validation: &Validation,
    outcome: &Result<Proof, Failure>,
    now: Timestamp,
) -> Result<Option<Authorization>, AcmeError> {
    let mut settled = validation.authorization.clone();
    settled.challenge = Some(validation.check.kind);
    let write = match outcome {
        Ok(proof) => proven(&mut settled, validation, proof, now)?,
        Err(failure) => disproven(&mut settled, validation, failure, now)?,
    };
    let lately = &acme.inner.lately;
    match acme.inner.store.commit(write.routine()).await {
        Ok(_) if outcome.is_ok() => lately.settled(&settled),
        // A failure has ended the order as well.
        Ok(_) => lately.forget(&settled.batch),
        Err(error) => {
            lately.forget(&settled.batch);
            return match error {
                StoreError::Conflict(_) => Ok(None),
                error => Err(error.into()),
            };
        }
    }
    let kind = validation.check.kind.as_str();
    let directory = &validation.directory.name;
    metrics::counter!("ward_acme_validations_total", "directory" => directory.clone(), "kind" => kind, "outcome" => settled.status.as_str())
        .increment(1);
    if let Ok(proof) = outcome {
        let took = Duration::from_millis(proof.elapsed_ms).as_secs_f64();
        metrics::histogram!("ward_acme_validation_seconds", "directory" => directory.clone(), "kind" => kind)
            .record(took);
    }
    let limits = &acme.inner.limits;
    limits.settled(&validation.directory, &settled.account, 1);
    if outcome.is_err() {
        limits.failed_validation(&validation.directory, &settled.account, now);
    }
    Ok(Some(settled))
}

fn proven(
    settled: &mut Authorization,
    validation: &Validation,
    proof: &Proof,
    now: Timestamp,
) -> Result<Write, StoreError> {
    let kind = validation.check.kind.as_str();
    let lifetime = validation.directory.authorization_lifetime;
    settled.status = Proven::Valid;
    settled.validated = Some(now);
    settled.expires = later(now, lifetime).max(settled.expires);
    settled.error = None;
    let event = event("acme.authorization.valid", settled, validation, now);
    let after = json!({ "name": settled.name.text(), "challenge": kind, "proof": proof });
    Ok(Write::new(event.after(after))?.run_expecting(
        1,
        PROVE,
        params![
            settled.batch.as_str(),
            settled.position,
            kind,
            now,
            settled.expires,
            validation.authorization.status.as_str(),
            settled.attempt,
        ],
        ELSEWHERE,
    ))
}

fn disproven(
    settled: &mut Authorization,
    validation: &Validation,
    failure: &Failure,
    now: Timestamp,
) -> Result<Write, StoreError> {
    let kind = validation.check.kind.as_str();
    let problem = problem(failure);
    settled.status = Proven::Invalid;
    settled.error = Some(problem.text());
    let event = event("acme.authorization.invalid", settled, validation, now)
        .outcome(Outcome::Failed)
        .why(problem.detail.as_ref())
        .after(json!({ "name": settled.name.text(), "challenge": kind, "failure": failure.kind }));
    let write = Write::new(event)?.run_expecting(
        1,
        DISPROVE,
        params![
            settled.batch.as_str(),
            settled.position,
            kind,
            settled.error.clone(),
            validation.authorization.status.as_str(),
            settled.attempt,
        ],
        ELSEWHERE,
    );
    // What the order says of it (RFC 8555 §7.1.3).
    let value = settled.name.value();
    let sub = settled.name.problem(problem.kind, problem.detail.as_ref());
    let of_order =
        Problem::unauthorized(format!("control of {value} was not proven")).subproblems(vec![sub]);
    let params = params![settled.batch.as_str(), of_order.text()];
    Ok(write.run(END_ORDER, params))
}

fn event(
    action: &'static str,
    settled: &Authorization,
    validation: &Validation,
    now: Timestamp,
) -> Event {
    let id = &validation.request_id;
    orders::event(&settled.account, action, settled.object(), id, now)
}

/// Takes up validations that nobody is at work on: their node is gone.
pub(crate) async fn resume(
    acme: &Acme,
    left_before: Timestamp,
    now: Timestamp,
) -> Result<(), AcmeError> {
    for authorization in orders::left_behind(&acme.inner.store, left_before).await? {
        // The others come with the next look.
        if let Some(place) = Place::take(acme, &authorization.account) {
            take_up(acme, authorization, place, now).await?;
        }
    }
    Ok(())
}

const GIVE_UP: &str = "UPDATE acme_authorizations SET status = 'invalid', busy_until = NULL \
    WHERE batch = $1 AND position = $2 AND status = 'processing' AND attempt = $3";

async fn take_up(
    acme: &Acme,
    mut authorization: Authorization,
    place: Place,
    now: Timestamp,
) -> Result<(), AcmeError> {
    let inner = &acme.inner;
    let directory = inner.directories.find(&authorization.directory);
    let account = inner
        .accounts
        .read(&inner.store, &authorization.account)
        .await?
        .filter(|account| account.status == super::AccountStatus::Valid);
    let (batch, position) = (authorization.batch.clone(), authorization.position);
    let event = |action| {
        orders::event(
            &authorization.account,
            action,
            authorization.object(),
            "",
            now,
        )
    };
    let (Some(directory), Some(account), Some(kind)) =
        (directory, account, authorization.challenge)
    else {
        // Nobody can want it any more.
        let write = Write::new(event("acme.authorization.invalid"))?.run_expecting(
            1,
            GIVE_UP,
            params![batch, position, authorization.attempt],
            ELSEWHERE,
        );
        return match inner.store.commit(write).await {
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        };
    };
    let busy_until = now.0 + inner.validations.whole(&directory) + SLACK_MS;
    let write = Write::new(event("acme.authorization.resume"))?.run_expecting(
        1,
        TAKE_OVER,
        params![batch, position, authorization.attempt, busy_until],
        ELSEWHERE,
    );
    match inner.store.commit(write).await {
        Ok(_) => {}
        Err(StoreError::Conflict(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    authorization.attempt += 1;
    let account_url = authorization.account_url.clone().unwrap_or_default();
    let check = challenge::check(&directory, &account, &authorization, kind, &account_url);
    let checking = (inner.validate)(check.clone());
    let validation = Validation {
        directory,
        check,
        authorization,
        request_id: String::new(),
    };
    go_on(validation, Some(checking), place, now);
    Ok(())
}

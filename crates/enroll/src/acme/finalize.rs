//! Finalizing an order (RFC 8555 §7.4). The order becomes processing in the write that makes the CA's intent and valid in
//! the one that makes the certificate, so that there is a certificate if and only if the order is valid. Where the CA has
//! reserved serial numbers it makes no intent, and the order becomes valid at once.

use std::time::Duration;

use access::{Action, Evidence, Refusal, Target};
use audit::{Actor, Event, Object, Outcome, Timestamp};
use ca::{Along, CaError, IssueRequest, Issued};
use serde_json::json;
use store::{StoreError, Write, params};
use x509::{CertificationRequest, Time};

use super::csr::{self, Finalize};
use super::front::Verified;
use super::identifier::{Wanted, together};
use super::lately::Fresh;
use super::limits::Spend;
use super::order::{count, own, to_finalize, view};
use super::orders::{self, Held, Order, OrderState, Stored};
use super::problem::{ErrorType, Problem};
use super::{Account, AccountStatus, Acme, AcmeError, Directory, Reply, accounts, jwk, policy};

/// How long the client waits for its certificate; longer than any key of ours takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Within this a node has issued or is gone. Longer than it takes until an intent that is left behind is voided, because
/// another cannot be made before.
const BUSY_MS: i64 = 90_000;

const BEGIN: &str = "UPDATE acme_orders SET status = 'processing', csr = $3, attempt = attempt + 1, busy_until = $4 \
    WHERE id = $1 AND status = 'open' AND attempt = $2";
const TAKE_OVER: &str = "UPDATE acme_orders SET attempt = attempt + 1, busy_until = $3 \
    WHERE id = $1 AND status = 'processing' AND attempt = $2";
const FULFIL: &str = "UPDATE acme_orders SET status = 'valid', certificate = $3, csr = NULL, busy_until = NULL \
    WHERE id = $1 AND status = 'processing' AND attempt = $2";
const FULFIL_AT_ONCE: &str = "UPDATE acme_orders SET status = 'valid', certificate = $4, attempt = attempt + 1, \
    csr = NULL, busy_until = NULL WHERE id = $1 AND status = $2 AND attempt = $3";
const END: &str = "UPDATE acme_orders SET status = 'invalid', error = $3, csr = NULL, busy_until = NULL \
    WHERE id = $1 AND status = 'processing' AND attempt = $2";
const ELSEWHERE: &str = "the order was finalized elsewhere";

/// POST order/{id}/finalize.
pub(crate) async fn post(
    acme: &Acme,
    call: &Verified<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let order = to_finalize(acme, call, id, now).await?;
    let (account, directory) = (call.account()?, &call.directory);
    require_ready(&order, now)?;
    acme.inner.lately.forget(id);
    let peer = call.request.peer;
    acme.inner
        .limits
        .spend(directory, Some(account), peer, Spend::Finalize, now)?;
    let finalize: Finalize = call.parse()?;
    let request = finalize.request()?;
    let checked = csr::check(&request, &order, account)?;
    require_no_account_key(acme, &request).await?;
    within_policy(acme, directory, account, &order)?;
    let issuance = Issuance {
        acme,
        directory,
        account,
        order: &order,
        must_staple: checked.must_staple,
        request_id: call.request.request_id,
    };
    let issued = tokio::time::timeout(PATIENCE, issuance.issue(request, now)).await;
    match issued {
        Ok(Ok(issued)) => {
            let mut order = order;
            order.stored = Stored::Valid;
            order.certificate = Some(issued.sha256);
            let certificate = Fresh {
                account: account.id.clone(),
                issuer: issued.issuer,
                der: issued.der,
            };
            acme.inner.lately.issued(issued.sha256, certificate);
            Ok(view(call, &order, 200, now))
        }
        Ok(Err(Stopped::Refused(refusal))) => Err(problem(&refusal)),
        Ok(Err(Stopped::Elsewhere)) => Err(not_ready(OrderState::Processing)),
        Err(_) => {
            let mut order = own(acme, call, id).await?;
            if order.stored == Stored::Open {
                // It is under way, and not stored before the certificate is.
                order.stored = Stored::Processing;
            }
            Ok(view(call, &order, 200, now))
        }
        Ok(Err(Stopped::Failed(error))) => {
            tracing::warn!(%error, order = id, "an order could not be finalized");
            let order = own(acme, call, id).await?;
            match order.stored {
                // It will be taken up again.
                Stored::Processing | Stored::Valid => Ok(view(call, &order, 200, now)),
                Stored::Open | Stored::Invalid => {
                    Err(Problem::internal(&error).status(503).retry_after(10))
                }
            }
        }
    }
}

/// RFC 8555 §11.1: the key of no account that there is, whoever has it.
async fn require_no_account_key(
    acme: &Acme,
    request: &CertificationRequest,
) -> Result<(), Problem> {
    let Some(thumbprint) = jwk::thumbprint_of(request.public_key()) else {
        return Ok(());
    };
    match accounts::has_key(&acme.inner.store, &thumbprint).await? {
        false => Ok(()),
        true => Err(Problem::new(
            ErrorType::BadCsr,
            "the request has the key of an account (RFC 8555 §11.1); make another",
        )),
    }
}

fn require_ready(order: &Order, now: Timestamp) -> Result<(), Problem> {
    let state = order.state(now);
    match state {
        OrderState::Ready => Ok(()),
        _ => Err(not_ready(state)),
    }
}

fn not_ready(state: OrderState) -> Problem {
    let why = match state {
        OrderState::Pending => "control of some identifiers has not been proven yet",
        OrderState::Processing => "it is being finalized",
        OrderState::Valid => "it has its certificate",
        OrderState::Invalid | OrderState::Ready => "it has expired or come to nothing",
    };
    let detail = format!(
        "the order is {}, not ready: {why} (RFC 8555 §7.4)",
        state.as_str()
    );
    Problem::new(ErrorType::OrderNotReady, detail)
}

/// Directory and account may have been changed since the order was made.
fn within_policy(
    acme: &Acme,
    directory: &Directory,
    account: &Account,
    order: &Order,
) -> Result<(), Problem> {
    let profile = policy::profile(acme, directory, account, Some(&order.profile))?;
    let names: Vec<Wanted> = order.names().cloned().collect();
    let outside = policy::outside(directory, account, &profile, &names);
    match outside.is_empty() {
        true => Ok(()),
        false => Err(together(outside)),
    }
}

/// What it takes to issue for an order.
struct Issuance<'a> {
    acme: &'a Acme,
    directory: &'a Directory,
    account: &'a Account,
    order: &'a Order,
    must_staple: bool,
    request_id: &'a str,
}

/// Why there is no certificate.
enum Stopped {
    /// A rule forbids it. The order is as it was.
    Refused(Refusal),
    /// Another request, or another node, has the order.
    Elsewhere,
    /// The database, the key or the process. The order may be processing.
    Failed(AcmeError),
}

impl Issuance<'_> {
    async fn issue(&self, csr: CertificationRequest, now: Timestamp) -> Result<Issued, Stopped> {
        let inner = &self.acme.inner;
        let names: Vec<String> = self.order.names().map(Wanted::text).collect();
        let target = Target {
            profile: Some(&self.order.profile),
            authority: self.directory.authority.as_deref(),
            names: &names,
            ..Target::default()
        };
        let principal = self.account.principal(&inner.access);
        let id = Some(self.request_id).filter(|id| !id.is_empty());
        let permit = inner
            .access
            .permit(&principal, Action::IssueCertificate, &target, id, now)
            .await
            .map_err(|error| Stopped::from(CaError::from(error)))?;
        let request = self.request(csr, now);
        match inner.ca.issue(permit, request, now).await {
            Ok(ca::Outcome::Issued(issued)) => {
                count(self.order, "valid");
                Ok(*issued)
            }
            Ok(ca::Outcome::Pending(_)) => Err(Stopped::Failed(AcmeError::Ca(CaError::Internal(
                "an order waits for a second person",
            )))),
            Err(error) => Err(error.into()),
        }
    }

    fn request(&self, csr: CertificationRequest, now: Timestamp) -> IssueRequest {
        let order = self.order;
        let along = along(order, csr.der().to_vec(), now);
        let mut request = IssueRequest::from_csr(order.profile.clone(), csr);
        request.authority.clone_from(&self.directory.authority);
        request.names = Some(order.names().map(Wanted::general).collect());
        (request.not_before, request.not_after) = self.dates(now);
        request.must_staple = self.must_staple;
        request.evidence = evidence(order, self.account);
        request.request_id = Some(self.request_id.to_owned()).filter(|id| !id.is_empty());
        request.idempotency_key = Some(order.id.clone());
        request.along = along;
        request
    }

    /// What the order asks for, as far as time has not passed over it: a beginning in the past becomes the usual one, a
    /// little before now. Where that would make it longer than the profile allows, it begins now.
    fn dates(&self, now: Timestamp) -> (Option<Time>, Option<Time>) {
        /// More than any profile dates back.
        const MARGIN: i64 = 86_400;
        let today = Time(now.seconds());
        let begin = self.order.not_before.filter(|begin| *begin > today);
        let Some(end) = self.order.not_after else {
            return (begin, None);
        };
        let profile = self.acme.inner.ca.profile(&self.order.profile);
        let most = profile.map_or(0, |found| found.profile.max_validity().as_seconds());
        match end.0 - today.0 > most - MARGIN {
            true => (begin.or(Some(today)), Some(end)),
            false => (begin, Some(end)),
        }
    }
}

/// The order's part of the intent and of the record.
fn along(order: &Order, csr: Vec<u8>, now: Timestamp) -> Along {
    let busy_until = now.0 + BUSY_MS;
    let (id, attempt, taken) = (order.id.clone(), order.attempt, order.stored);
    let with_intent = move |write: Write| {
        let write = match taken {
            Stored::Processing => write.run_expecting(
                1,
                TAKE_OVER,
                params![id.as_str(), attempt, busy_until],
                ELSEWHERE,
            ),
            _ => write.run_expecting(
                1,
                BEGIN,
                params![id.as_str(), attempt, csr, busy_until],
                ELSEWHERE,
            ),
        };
        Ok(write)
    };
    let id = order.id.clone();
    let with_record = move |write: Write, sha256: &[u8; 32]| {
        Ok(write.run_expecting(1, FULFIL, params![id, attempt + 1, *sha256], ELSEWHERE))
    };
    let (id, from) = (order.id.clone(), order.stored.as_str());
    let at_once = move |write: Write, sha256: &[u8; 32]| {
        let params = params![id, from, attempt, *sha256];
        Ok(write.run_expecting(1, FULFIL_AT_ONCE, params, ELSEWHERE))
    };
    Along::new(with_intent, with_record).or_at_once(at_once)
}

impl From<CaError> for Stopped {
    fn from(error: CaError) -> Self {
        if let CaError::Store(StoreError::Conflict(_) | StoreError::Duplicate(_)) = error {
            return Stopped::Elsewhere;
        }
        match error.refusal() {
            // The intent of another request for this order.
            Some(refusal) if refusal.rule == "idempotency.in-progress" => Stopped::Elsewhere,
            Some(refusal) => Stopped::Refused(refusal.clone()),
            None => Stopped::Failed(error.into()),
        }
    }
}

/// How a refusal of the CA reads in ACME.
fn problem(refusal: &Refusal) -> Problem {
    let rule = refusal.rule.as_ref();
    let kind = match rule.split('.').next().unwrap_or_default() {
        "scope" | "names" | "authority" if rule != "names.count" => ErrorType::RejectedIdentifier,
        "validity" => ErrorType::Malformed,
        "clock" | "hierarchy" | "profile" | "role" | "permit" | "approval" | "evidence" => {
            return Problem::internal(refusal);
        }
        _ => ErrorType::BadCsr,
    };
    if matches!(
        rule,
        "authority.offline" | "authority.none" | "authority.retired"
    ) {
        return Problem::internal(refusal).status(503).retry_after(60);
    }
    Problem::new(kind, refusal.to_string())
}

/// Who asked, and how each name was proven (R07). The proofs themselves are in the events of the authorizations.
fn evidence(order: &Order, account: &Account) -> Vec<Evidence> {
    let item = |kind: String, text: String| Evidence {
        kind,
        text,
        sha256: None,
    };
    let bound = match &account.eab {
        Some(key) => format!("{} bound by external account key {key}", account.id),
        None => account.id.clone(),
    };
    let mut items = vec![
        item("acme-account".to_owned(), bound),
        item("acme-order".to_owned(), order.id.clone()),
    ];
    let mut proofs: Vec<(String, Vec<String>)> = Vec::new();
    for (position, held) in order.authorizations.iter().enumerate() {
        let proof = proof(held);
        match proofs.iter_mut().find(|(known, _)| *known == proof) {
            Some((_, positions)) => positions.push(position.to_string()),
            None => proofs.push((proof, vec![position.to_string()])),
        }
    }
    items.extend(proofs.into_iter().map(|(proof, positions)| {
        let text = format!("authorizations {} of the order", positions.join(", "));
        item(proof, text)
    }));
    items
}

fn proof(held: &Held) -> String {
    match (&held.origin, held.challenge) {
        (Some(origin), Some(kind)) => format!("acme-{kind}, {origin}"),
        (Some(origin), None) => format!("acme-{origin}"),
        (None, Some(kind)) => format!("acme-{kind}"),
        (None, None) => "acme".to_owned(),
    }
}

const LEFT_BEHIND: &str = "SELECT id, csr FROM acme_orders WHERE status = 'processing' AND busy_until <= $1 \
    ORDER BY busy_until LIMIT 1000";

/// Issues again for orders whose issuance was cut short.
pub(crate) async fn resume(
    acme: &Acme,
    left_before: Timestamp,
    now: Timestamp,
) -> Result<(), AcmeError> {
    let store = &acme.inner.store;
    let rows = store.query(LEFT_BEHIND, params![left_before]).await?;
    for row in &rows {
        let Some(order) = orders::order(store, row.text(0)?).await? else {
            continue;
        };
        let csr = row.opt_blob(1)?.unwrap_or_default();
        // One that fails must not keep the others waiting.
        if let Err(error) = take_up(acme, &order, csr, now).await {
            tracing::warn!(%error, order = order.id, "an order cannot be finalized yet");
        }
    }
    Ok(())
}

async fn take_up(acme: &Acme, order: &Order, csr: &[u8], now: Timestamp) -> Result<(), AcmeError> {
    if order.stored != Stored::Processing {
        return Ok(());
    }
    let inner = &acme.inner;
    let account = inner.accounts.read(&inner.store, &order.account).await?;
    let account = account.filter(|account| account.status == AccountStatus::Valid);
    let directory = inner.directories.find(&order.directory);
    let (Some(account), Some(directory)) = (account, directory) else {
        let gone = Problem::unauthorized("the account or its directory is gone");
        return give_up(acme, order, &gone, now).await;
    };
    if order.expires <= now {
        let late = Problem::malformed("the order expired before it could be finalized");
        return give_up(acme, order, &late, now).await;
    }
    let request = match CertificationRequest::from_der(csr) {
        Ok(request) => request,
        Err(error) => {
            let bad = Problem::new(ErrorType::BadCsr, error.to_string());
            return give_up(acme, order, &bad, now).await;
        }
    };
    let issue = async || -> Result<(), Problem> {
        within_policy(acme, &directory, &account, order)?;
        let checked = csr::check(&request, order, &account)?;
        let issuance = Issuance {
            acme,
            directory: &directory,
            account: &account,
            order,
            must_staple: checked.must_staple,
            request_id: "",
        };
        match issuance.issue(request.clone(), now).await {
            Ok(_) | Err(Stopped::Elsewhere) => Ok(()),
            Err(Stopped::Refused(refusal)) => Err(problem(&refusal)),
            Err(Stopped::Failed(error)) => Err(Problem::internal(&error).status(503)),
        }
    };
    match issue().await {
        Ok(()) => Ok(()),
        // What passes by itself is tried again at the next look, until the order expires.
        Err(problem) if problem.status >= 500 => Ok(()),
        Err(problem) => give_up(acme, order, &problem, now).await,
    }
}

/// An order that cannot become valid any more.
async fn give_up(
    acme: &Acme,
    order: &Order,
    problem: &Problem,
    now: Timestamp,
) -> Result<(), AcmeError> {
    let object = Object::new(orders::ORDER, order.id.as_str());
    let event = Event::new(now, Actor::system("enroll"), "acme.order.invalid", object)
        .outcome(Outcome::Failed)
        .why(problem.detail.as_ref())
        .after(json!({ "error": problem.kind.name() }));
    let write = Write::new(event)?.run_expecting(
        1,
        END,
        params![order.id.as_str(), order.attempt, problem.text()],
        ELSEWHERE,
    );
    match acme.inner.store.commit(write).await {
        Ok(_) => {
            count(order, "invalid");
            Ok(())
        }
        Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

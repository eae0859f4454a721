//! From a plan to a certificate. Three proofs stand between a request and a signature: the
//! [`Permit`], [`Linted`] (these exact bytes passed) and [`Accounted`] (the serial number in these bytes
//! is on the disk). Their constructors are private to their steps; [`Ca::sign`] consumes all three.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use access::{Permit, RequestId};
use audit::merkle::sha256;
use audit::{Event, Object, Timestamp};
use keys::Signer;
use serde_json::json;
use store::{StoreError, Write, params};
use x509::lint::{IssuerFacts, LintContext, Severity};
use x509::{SignatureAlgorithm, Time};

use super::along::Along;
use super::plan::Plan;
use super::recover::OpenIntent;
use super::request::{IssueRequest, Issued};
use super::reserve::Reserved;
use super::serial;
use super::template::Leaf;
use crate::{Ca, CaError, Result};

/// A certificate on its way: what it will say, and the bytes that say it.
struct Draft {
    plan: Plan,
    serial: Vec<u8>,
    partition: u32,
    tbs: Vec<u8>,
}

/// Proof that the bytes of this draft passed the lint.
struct Linted(Arc<Draft>);

/// Proof that the serial number of this draft is on the disk, as one under which there may be a
/// signature: it becomes a certificate's, or counts as revoked, whatever happens to this process.
struct Accounted {
    draft: Arc<Draft>,
    account: Account,
}

/// What accounts for a serial number until it is settled.
enum Account {
    /// The block that it was reserved in.
    Block(Reserved),
    /// An intent of its own.
    Intent,
}

impl Accounted {
    /// The number of a draft, out of a block.
    fn reserved(draft: Arc<Draft>, reserved: Reserved) -> Result<Self> {
        match draft.serial == reserved.serial() {
            true => Ok(Accounted {
                draft,
                account: Account::Block(reserved),
            }),
            false => Err(CaError::Internal("another serial number was reserved")),
        }
    }
}

/// A signature over a draft's bytes: nothing but [`Ca::record`] can be done with it.
struct Signed {
    draft: Arc<Draft>,
    account: Account,
    der: Vec<u8>,
    permit: Permit,
}

const INTEND: &str = "INSERT INTO intents\
    (serial, issuer, partition, profile, actor, idempotency, created) \
    VALUES($1, $2, $3, $4, $5, $6, $7)";
const SETTLE: &str = "DELETE FROM intents WHERE serial = $1";
const RECORD: &str = "INSERT INTO certificates\
    (issuer, serial, sha256, profile, profile_version, subject, names, not_before, not_after, \
    issued_at, partition, requester, idempotency, der) \
    VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
/// The same for a serial number out of a block, which must still be there.
const RECORD_RESERVED: &str = "INSERT INTO certificates\
    (issuer, serial, sha256, profile, profile_version, subject, names, not_before, not_after, \
    issued_at, partition, requester, idempotency, der) \
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 \
    WHERE EXISTS(SELECT 1 FROM serial_blocks WHERE id = $15)";
const BLOCK_GONE: &str = "the serial number was voided while the signature was made";

impl Ca {
    /// Carries a plan through lint, intent, signature and record.
    pub(super) async fn sign(
        &self,
        permit: Permit,
        plan: Plan,
        request: &mut IssueRequest,
        idempotency: Option<String>,
        approved: Option<RequestId>,
        now: Timestamp,
    ) -> Result<Issued> {
        let issuer = Arc::clone(&plan.route.issuer);
        let signer = issuer
            .signer()
            .cloned()
            .ok_or_else(|| CaError::Offline(issuer.name().to_owned()))?;
        // A token may keep or show what it signed whatever happens to this machine: each of its signatures
        // is announced by itself. A software key's are in this process's memory until they are recorded.
        let reserved = match signer.is_blocking() {
            true => None,
            false => self.reserved(&issuer, now).await?,
        };
        let (serial, partition) = match &reserved {
            Some(reserved) => (reserved.serial().to_vec(), reserved.partition()),
            None => (serial::new(now)?, self.next_partition(&issuer, 1).await?),
        };
        let draft = Arc::new(self.draft(plan, request, serial, partition));
        let linted = lint(&draft)?;
        let accounted = match reserved {
            Some(reserved) => Accounted::reserved(draft, reserved)?,
            None => {
                let (along, key) = (&mut request.along, idempotency.as_deref());
                self.intend(&permit, draft, key, along, now).await?
            }
        };
        self.gap(Gap::Intended)?;
        let algorithm = issuer.signature_algorithm();
        let signed = match sign(permit, linted, accounted, signer, algorithm).await {
            Ok(signed) => signed,
            Err((error, draft, account)) => {
                self.void(&draft, account, &error.to_string(), now).await?;
                return Err(error);
            }
        };
        self.gap(Gap::Signed)?;
        let issued = self
            .record(signed, request, idempotency, approved, now)
            .await?;
        self.gap(Gap::Recorded)?;
        Ok(issued)
    }

    fn draft(&self, plan: Plan, request: &IssueRequest, serial: Vec<u8>, partition: u32) -> Draft {
        let issuer = &plan.route.issuer;
        let template = issuer.templates.find(
            issuer,
            &plan.route.profile,
            plan.algorithm,
            partition,
            &plan.route.settings.base_url,
        );
        let tbs = template.encode(&Leaf {
            serial: &serial,
            not_before: plan.not_before,
            not_after: plan.not_after,
            subject: &plan.subject,
            key: &plan.key,
            names: &plan.names.general,
            sid: request.sid.as_deref(),
            workstation: request.workstation.as_ref(),
            must_staple: request.must_staple,
        });
        Draft {
            plan,
            serial,
            partition,
            tbs,
        }
    }

    /// Accounts for the serial number of a draft by an intent of its own.
    async fn intend(
        &self,
        permit: &Permit,
        draft: Arc<Draft>,
        idempotency: Option<&str>,
        along: &mut Along,
        now: Timestamp,
    ) -> Result<Accounted> {
        let route = &draft.plan.route;
        let event = Event::new(
            now,
            permit.actor().clone(),
            "certificate.intend",
            Object::new("certificate", hex::encode(&draft.serial)),
        )
        .after(json!({
            "issuer": route.issuer.name(),
            "profile": route.profile.profile.name(),
            "tbs_sha256": hex::encode(sha256(&draft.tbs)),
        }));
        let write = Write::new(event)?.routine();
        // What goes along comes first: who is too late for it need not be told of an intent in its way.
        let write = along.intend(write)?.run(
            INTEND,
            params![
                &draft.serial,
                route.issuer.name(),
                draft.partition,
                route.profile.profile.name(),
                permit.actor().id.as_str(),
                idempotency.map(str::to_owned),
                now,
            ],
        );
        match self.store().commit(write).await {
            Ok(_) => Ok(Accounted {
                draft,
                account: Account::Intent,
            }),
            Err(StoreError::Duplicate(_)) if idempotency.is_some() => Err(in_progress().into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn record(
        &self,
        signed: Signed,
        request: &mut IssueRequest,
        idempotency: Option<String>,
        approved: Option<RequestId>,
        now: Timestamp,
    ) -> Result<Issued> {
        let Signed {
            draft,
            account,
            der,
            permit,
        } = signed;
        let (plan, route) = (&draft.plan, &draft.plan.route);
        let fingerprint = sha256(&der);
        let subject = plan.subject.to_string();
        let block = match &account {
            Account::Block(reserved) => Some(reserved.block()),
            Account::Intent => None,
        };
        let event = issue_event(
            &draft,
            block,
            &permit,
            request,
            &subject,
            approved.as_ref(),
            now,
        )
        .digest(fingerprint);
        // What is written along may do what the key is kept for.
        let kept_key = match block {
            Some(_) if request.along.decides() => None,
            _ => idempotency.clone(),
        };
        let mut row = params![
            route.issuer.name(),
            &draft.serial,
            fingerprint,
            route.profile.profile.name(),
            route.profile.version.cast_signed(),
            subject,
            plan.names.texts.join("\n"),
            plan.not_before.0,
            plan.not_after.0,
            now,
            draft.partition,
            permit.actor().id.as_str(),
            kept_key,
            &der,
        ];
        let mut write = Write::new(event)?.routine();
        write = match block {
            Some(block) => {
                row.push(block.into());
                let write = request.along.begin_at_once(write)?;
                write.run_expecting(1, RECORD_RESERVED, row, BLOCK_GONE)
            }
            None => {
                let serial = params![&draft.serial];
                write
                    .run_expecting(1, SETTLE, serial, "the intent was voided meanwhile")
                    .run(RECORD, row)
            }
        };
        if let Some(exception) = &request.exception {
            let id = hex::encode(fingerprint);
            write = write.put_record("exception", &id, 0, exception, now)?;
        }
        if let Some(id) = &approved {
            let result = hex::encode(fingerprint);
            write = self
                .access()
                .fulfil(write, id, &result, &permit, now)
                .await?;
        }
        let write = match block {
            Some(_) => request.along.end_at_once(write, &fingerprint)?,
            None => request.along.record(write, &fingerprint)?,
        };
        match self.store().commit(write).await {
            Ok(_) => account.settle(),
            Err(StoreError::Conflict(what)) => {
                // What the request was made for has changed meanwhile, or the number was voided.
                if let (Account::Block(reserved), BLOCK_GONE) = (&account, what) {
                    reserved.forget_block();
                }
                self.void(&draft, account, what, now).await?;
                return Err(StoreError::Conflict(what).into());
            }
            Err(StoreError::Duplicate(what)) => {
                // Another request with the same idempotency key won meanwhile.
                self.void(&draft, account, &what, now).await?;
                if let Some(key) = idempotency
                    && let Some(issued) = self.repeated(&key, request).await?
                {
                    return Ok(issued);
                }
                return Err(StoreError::Duplicate(what).into());
            }
            Err(error) => return Err(error.into()),
        }
        self.clock().saw(now);
        metrics::counter!("ward_certificates_issued_total").increment(1);
        Ok(Issued {
            serial: draft.serial.clone(),
            sha256: fingerprint,
            issuer: route.issuer.name().to_owned(),
            profile: route.profile.profile.name().to_owned(),
            profile_version: route.profile.version,
            not_before: plan.not_before,
            not_after: plan.not_after,
            chain: Arc::clone(route.issuer.chain()),
            key: None,
            repeated: false,
            der,
        })
    }

    async fn void(&self, draft: &Draft, account: Account, why: &str, now: Timestamp) -> Result<()> {
        match account {
            Account::Block(reserved) => self.void_reserved(reserved, why, now).await,
            Account::Intent => {
                let open = OpenIntent {
                    serial: draft.serial.clone(),
                    issuer: draft.plan.route.issuer.name().to_owned(),
                    partition: i64::from(draft.partition),
                };
                self.void_intent(&open, why, now).await.map(drop)
            }
        }
    }

    /// Stops here if a test asked for it.
    fn gap(&self, gap: Gap) -> Result<()> {
        match self.fault().at(gap) {
            None => Ok(()),
            Some(Stop::Fail) => Err(CaError::Interrupted("a test asked for it")),
            Some(Stop::Abort) => std::process::abort(),
        }
    }
}

impl Account {
    /// The serial number is a certificate's.
    fn settle(self) {
        if let Account::Block(reserved) = self {
            reserved.settle();
        }
    }
}

/// Another request with the same idempotency key is being worked on.
pub(super) fn in_progress() -> access::Refusal {
    access::Refusal::new(
        "idempotency.in-progress",
        "docs/api.md",
        "a request with this idempotency key is under way",
    )
    .accepted("the same request a moment later")
}

/// The exact bytes against every rule that is an error (RFC 5280 and the house's own).
fn lint(draft: &Arc<Draft>) -> Result<Linted> {
    let issuer = &draft.plan.route.issuer;
    let context = LintContext {
        issuer: Some(IssuerFacts {
            subject_der: issuer.certificate().subject().der(),
            key_id: Some(issuer.key_id()),
            not_after: issuer.not_after(),
        }),
        except: &[],
    };
    let findings = x509::lint::lint_tbs(&draft.tbs, &context);
    let error = findings
        .into_iter()
        .find(|found| found.severity == Severity::Error);
    match error {
        None => Ok(Linted(Arc::clone(draft))),
        Some(found) => Err(access::Refusal::new(
            found.rule,
            found.citation,
            format!("the certificate would break a rule: {}", found.message),
        )
        .into()),
    }
}

/// The one place where a subscriber's certificate is signed.
async fn sign(
    permit: Permit,
    Linted(linted): Linted,
    Accounted { draft, mut account }: Accounted,
    signer: Signer,
    algorithm: SignatureAlgorithm,
) -> std::result::Result<Signed, (CaError, Arc<Draft>, Account)> {
    if !Arc::ptr_eq(&linted, &draft) {
        let error = CaError::Internal("what was linted is not what is accounted for");
        return Err((error, draft, account));
    }
    if let Account::Block(reserved) = &mut account {
        reserved.sign();
    }
    let signature = if signer.is_blocking() {
        let bytes = Arc::clone(&draft);
        tokio::task::spawn_blocking(move || signer.sign(algorithm, &bytes.tbs))
            .await
            .map_err(|_| CaError::Interrupted("signing"))
            .and_then(|signed| signed.map_err(CaError::from))
    } else {
        signer.sign(algorithm, &draft.tbs).map_err(CaError::from)
    };
    match signature {
        Ok(signature) => Ok(Signed {
            der: x509::assemble(&draft.tbs, algorithm, &signature),
            draft,
            account,
            permit,
        }),
        Err(error) => Err((error, draft, account)),
    }
}

fn issue_event(
    draft: &Draft,
    block: Option<&str>,
    permit: &Permit,
    request: &IssueRequest,
    subject: &str,
    approved: Option<&RequestId>,
    now: Timestamp,
) -> Event {
    let (plan, route) = (&draft.plan, &draft.plan.route);
    let mut after = json!({
        "issuer": route.issuer.name(),
        "partition": draft.partition,
        "profile": route.profile.profile.name(),
        "version": route.profile.version,
        "subject": subject,
        "names": plan.names.texts,
        "key": plan.algorithm,
        "not_before": Time::to_string(&plan.not_before),
        "not_after": Time::to_string(&plan.not_after),
    });
    if let Some(block) = block {
        after["block"] = json!(block);
    }
    if !request.evidence.is_empty() {
        after["evidence"] = json!(request.evidence);
    }
    if let Some(exception) = &request.exception {
        after["exception"] = json!(exception);
    }
    if let Some(id) = approved {
        after["approved_request"] = json!(id);
    }
    let event = Event::new(
        now,
        permit.actor().clone(),
        "certificate.issue",
        Object::new("certificate", hex::encode(&draft.serial)),
    )
    .after(after);
    match &request.request_id {
        Some(id) => event.request_id(id.as_str()),
        None => event,
    }
}

/// The gaps of the cycle: where a crash can happen between two recorded states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The serial number is accounted for, by a block or an intent; nothing is signed.
    Intended = 1,
    /// A signature exists, nobody has it.
    Signed = 2,
    /// The certificate is durable, nobody has been told.
    Recorded = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Fail,
    Abort,
}

/// Where tests want the cycle to stop. Off, it costs one relaxed load per gap.
#[derive(Default)]
pub(crate) struct Fault(AtomicU8);

impl Fault {
    /// The next passage of `gap` ends: in an error, or in the end of the process.
    pub(crate) fn set(&self, gap: Gap, abort: bool) {
        let code = gap as u8 | if abort { 0x80 } else { 0 };
        self.0.store(code, Ordering::SeqCst);
    }

    fn at(&self, gap: Gap) -> Option<Stop> {
        let code = self.0.load(Ordering::Relaxed);
        if code & 0x7f != gap as u8 {
            return None;
        }
        self.0.store(0, Ordering::SeqCst);
        Some(if code & 0x80 == 0 {
            Stop::Fail
        } else {
            Stop::Abort
        })
    }
}

//! The one call that all device protocols end in: who asks → for which asset → may it → webhook → approval → permit →
//! certificate.
//!
//! # Invariants
//! - The use of a right, the holding of the asset, the registration and the certificate are one write: a right never gives
//!   more certificates than it counts, a device that is retired meanwhile gets none.
//! - The same request in the same transaction gets the same certificate; the same transaction with another key is refused.
//! - A key enrols once with a right that is counted, however often it asks.
//! - Who is not known learns nothing but that.

mod asset;
mod claim;
mod held;
mod issue;
mod names;
mod pace;
mod question;
mod renewal;
mod repetition;
mod rows;
mod serial;
mod stop;
mod turns;
mod waiting;
mod who;

use std::net::IpAddr;
use std::sync::Arc;

use access::{Evidence, Scope};
use audit::{Object, Timestamp};
use ca::Ca;
use tokio::sync::MutexGuard;
use x509::PublicKey;
use zeroize::Zeroizing;

pub(crate) use claim::{Asked, Claim, Decision, KeyAndNames, Proof, Transaction};
pub use claim::{Protocol, RegistrationState};
pub use rows::{Registered, RegistrationFilter, RegistrationPage};
pub(crate) use rows::{by_id, page, prune};

use super::guard::Guard;
use super::right::{self, Credential, Right};
use super::{Approval, Ask, Chain, DeviceError, Endpoint, RightId};
use asset::Found;
use issue::{Entry, Key, Order};
use names::Names;
use repetition::is_same_asker;
use rows::New;
use stop::{Stop, refusal};
use turns::Turns;
use waiting::Plan;
use who::Who;

/// How often a claim is decided anew when another was faster.
const ATTEMPTS: usize = 3;
/// With so many uses left, a right's last ones are not at stake: more than are ever decided at once here.
const PLENTY: u32 = 1024;

/// Decides. One for all protocols.
pub(crate) struct Registration {
    ca: Ca,
    fleet: fleet::Fleet,
    ask: Ask,
    guard: Guard,
    turns: Turns,
    /// The rights that manufacturers' certificates prove.
    vendors: store::Memo<Arc<Vec<Right>>>,
}

impl Registration {
    pub(crate) fn new(ca: Ca, fleet: fleet::Fleet, ask: Ask) -> Self {
        Registration {
            ca,
            fleet,
            ask,
            guard: Guard::default(),
            turns: Turns::default(),
            vendors: store::Memo::default(),
        }
    }

    /// Rights have changed.
    pub(crate) fn forget_rights(&self) {
        self.vendors.forget();
    }

    /// Decides about a request. Refusals that matter are in the log when this returns. An `Err` is a failure of ours
    /// (answer "later"), never a "no".
    pub(crate) async fn enrol(
        &self,
        claim: Claim,
        now: Timestamp,
    ) -> Result<Decision, DeviceError> {
        let (endpoint, peer) = (Arc::clone(&claim.endpoint), claim.peer);
        let request_id = claim.request_id.clone();
        let (protocol, transaction) = (claim.protocol, claim.transaction.clone());
        let spki = claim.spki_sha256();
        let stopped = match self.guard.check(&endpoint, peer, now) {
            Ok(()) => match self.decide(claim, now).await {
                Ok(decision) => return Ok(decision),
                Err(stop) => stop,
            },
            Err(refusal) => Stop::Recorded(refusal),
        };
        if matches!(stopped, Stop::Elsewhere | Stop::Spent) {
            let found = self
                .outcome(&endpoint, protocol, &transaction, spki, now)
                .await?;
            if let Some(decision) = found {
                return Ok(decision);
            }
        }
        // The use may have gone to the same device, whose line broke: its next attempt shows that.
        let stopped = match stopped {
            Stop::Spent => Stop::Elsewhere,
            stopped => stopped,
        };
        self.stopped(stopped, &endpoint, peer, &request_id, now)
            .await
    }

    /// What became of a request that waited. `key` is the one that the poll is signed with, where the protocol has
    /// the device sign it with the key that it asked for (SCEP).
    pub(crate) async fn poll(
        &self,
        endpoint: &Endpoint,
        protocol: Protocol,
        transaction: &Transaction,
        key: Option<&PublicKey>,
        now: Timestamp,
    ) -> Result<Decision, DeviceError> {
        let spki = key.map(|key| audit::merkle::sha256(key.spki_der()));
        let _turn = self.turns.take(transaction.bytes()).await;
        let found = self
            .outcome(endpoint, protocol, transaction, spki, now)
            .await?;
        Ok(found.unwrap_or_else(|| {
            let message = "there is no such request";
            Decision::Refused(refusal("enrolment.transaction.unknown", message))
        }))
    }

    /// What a transaction has come to, if there is one with this key.
    async fn outcome(
        &self,
        endpoint: &Endpoint,
        protocol: Protocol,
        transaction: &Transaction,
        spki: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Result<Option<Decision>, DeviceError> {
        for _ in 0..ATTEMPTS {
            let store = self.ca.store();
            let row = rows::by_transaction(store, &endpoint.name, protocol, transaction).await?;
            let Some(row) = row.filter(|row| spki.is_none() || row.spki == spki) else {
                return Ok(None);
            };
            let decided = match row.state {
                RegistrationState::Issued => self.again(endpoint, &row).await,
                RegistrationState::Refused => {
                    let why = row.reason.as_deref().unwrap_or_default();
                    Err(Stop::Recorded(waiting::denied(why)))
                }
                RegistrationState::Pending => self.advance(endpoint, &row, None, now).await,
            };
            match decided {
                Ok(decision) => return Ok(Some(decision)),
                Err(Stop::Elsewhere) => {}
                Err(stop) => {
                    let peer = row.peer.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
                    return self.stopped(stop, endpoint, peer, "", now).await.map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The secret behind the reference (senderKID) of a MAC-protected CMP message; `None` if there is no such right, or it
    /// may not be used. Answer both alike, and a wrong MAC too: [`Registration::wrong`].
    pub(crate) async fn shared_secret(
        &self,
        endpoint: &Endpoint,
        reference: &[u8],
        now: Timestamp,
    ) -> Result<Option<(RightId, Zeroizing<Vec<u8>>)>, DeviceError> {
        let id = std::str::from_utf8(reference).ok().and_then(RightId::parse);
        let Some(id) = id else {
            return Ok(None);
        };
        // A right that is used up still protects the rest of its conversation: certConf, polls.
        let right = right::by_id(self.ca.store(), id.as_str()).await?;
        let right = right.filter(|right| {
            right.credential == Credential::SharedSecret
                && right.is_for(&endpoint.name)
                && right.fault(now).is_none()
        });
        match right {
            Some(right) => {
                let secret = right::open_secret(&self.ca, &right).await?;
                Ok(secret.map(|secret| (right.id, secret)))
            }
            None => Ok(None),
        }
    }

    /// Counts a credential that a protocol found to be wrong (a MAC that does not verify) against its peer.
    pub(crate) async fn wrong(&self, endpoint: &Endpoint, peer: IpAddr, now: Timestamp) {
        let stop = Stop::Unknown("a MAC that does not verify".to_owned());
        if let Err(error) = self.stopped(stop, endpoint, peer, "", now).await {
            tracing::warn!(%error, "a wrong credential could not be recorded");
        }
    }

    /// Decides.
    async fn decide(&self, claim: Claim, now: Timestamp) -> Result<Decision, Stop> {
        if claim
            .profile
            .as_ref()
            .is_some_and(|asked| *asked != claim.endpoint.profile)
        {
            return Err(
                refusal("enrolment.profile", "this endpoint gives no such profile")
                    .accepted(claim.endpoint.profile.clone())
                    .into(),
            );
        }
        let who = self.who(&claim, now).await?;
        // In this process one request of a transaction, one for a key, and one use of a counted right, is decided after the
        // other; between nodes the database decides.
        let _turn = self.turns.take(claim.transaction.bytes()).await;
        let _key = match claim.spki_sha256() {
            Some(spki) => Some(self.turns.take_key(&spki).await),
            None => None,
        };
        let (_use, uses) = match who.right() {
            Some(right) => self.turn_of(right).await?,
            None => (None, Uses::Uncounted),
        };
        match self.earlier(claim, &who, now).await? {
            Earlier::Decided(decision) => Ok(*decision),
            Earlier::New(claim, follows) => self.first(*claim, &who, (follows, uses), now).await,
        }
    }

    /// What the count of a right says, and its turn where so few uses are left that two requests at once may both want
    /// the last one. A right for a whole ward is used by many devices at once until then.
    async fn turn_of(
        &self,
        right: &Right,
    ) -> Result<(Option<MutexGuard<'_, ()>>, Uses), DeviceError> {
        let Some(most) = right.uses else {
            return Ok((None, Uses::Uncounted));
        };
        let store = self.ca.store();
        if most > PLENTY {
            let used = right::used(store, &right.id).await?;
            if most.saturating_sub(used) > PLENTY {
                return Ok((None, Uses::of(used, most)));
            }
        }
        let turn = self.turns.take_right(&right.id).await;
        let used = right::used(store, &right.id).await?;
        Ok((Some(turn), Uses::of(used, most)))
    }

    /// What the same transaction has come to before.
    async fn earlier(&self, claim: Claim, who: &Who, now: Timestamp) -> Result<Earlier, Stop> {
        let store = self.ca.store();
        let endpoint = Arc::clone(&claim.endpoint);
        let found =
            rows::by_transaction(store, &endpoint.name, claim.protocol, &claim.transaction).await?;
        let Some(row) = found else {
            return Ok(Earlier::New(Box::new(claim), None));
        };
        if row.spki != claim.spki_sha256() {
            return Err(refusal(
                "enrolment.transaction.key",
                "this transaction belongs to another key",
            )
            .accepted("a new transaction for a new key")
            .into());
        }
        let same = row.request == claim.digest() && is_same_asker(&row, who);
        let decided = match row.state {
            RegistrationState::Pending => {
                if !is_same_asker(&row, who) {
                    return Err(Stop::Unknown("another's transaction".to_owned()));
                }
                self.advance(&endpoint, &row, Some(claim), now).await?
            }
            RegistrationState::Refused if same => {
                let why = row.reason.as_deref().unwrap_or_default();
                return Err(Stop::Recorded(waiting::denied(why)));
            }
            RegistrationState::Issued if self.is_repetition(&row, who, same, now).await? => {
                self.again(&endpoint, &row).await?
            }
            _ => return Ok(Earlier::New(Box::new(claim), Some(row.id))),
        };
        Ok(Earlier::Decided(Box::new(decided)))
    }

    /// A request that was not seen before.
    async fn first(
        &self,
        claim: Claim,
        who: &Who,
        (follows, uses): (Option<String>, Uses),
        now: Timestamp,
    ) -> Result<Decision, Stop> {
        if let Some(right) = who.right() {
            require_in_force(right, now)?;
        }
        if let Who::Holder(holder) = who {
            renewal::check(&claim, holder, now)?;
        } else if matches!(claim.asked, Asked::Renew) {
            return Err(Stop::Unknown(
                "a renewal without a certificate of ours".to_owned(),
            ));
        }
        let needs_person = claim.endpoint.approval == Approval::Always;
        if matches!(who, Who::Nobody) && !needs_person {
            return Err(Stop::Unknown("no credential".to_owned()));
        }
        let found = match (self.asset(&claim, who).await, who.right()) {
            // A password that is over tells nothing of the register.
            (Err(Stop::No(_)), Some(right)) if uses == Uses::Over => return Err(used_up(right)),
            (found, _) => found?,
        };
        if let (Uses::Begun | Uses::Over, Some(right)) = (uses, who.right()) {
            if let Some(row) = self.given(&claim, right, &found, now).await? {
                return self.again(&claim.endpoint, &row).await;
            }
            if uses == Uses::Over {
                return Err(used_up(right));
            }
        }
        self.pace(&claim, &found, now).await?;
        let endpoint = Arc::clone(&claim.endpoint);
        let mut names = self.names(&claim, who, &found)?;
        let verdict = self.question(&claim, who, &found, &mut names, now).await?;
        let profile = verdict.profile.unwrap_or_else(|| endpoint.profile.clone());
        super::endpoint::check_profile(&self.ca, &profile)?;
        let mut new = New::of(&claim, rows::new_id(now)?, found.serial.clone());
        new.follows = follows;
        new.right = who.right().map(|right| right.id.clone());
        new.asset = found.asset.as_ref().map(|asset| asset.id.clone());
        let is_renewal = matches!(who, Who::Holder(_));
        let first_by_person = needs_person && !is_renewal;
        let wanted = found.asset.is_none() || first_by_person || verdict.wait;
        let needed = self
            .ca
            .profile(&profile)?
            .profile
            .approvals()
            .max(u8::from(wanted));
        let evidence = evidence(&claim, who, &new, verdict.said);
        let right = who.right().map(|right| (right.id.clone(), right.uses));
        match found.asset {
            Some(asset) if needed == 0 => {
                let order = Order {
                    profile,
                    authority: endpoint.authority.clone(),
                    chain: Chain::of(&endpoint, &asset),
                    asset,
                    endpoint: endpoint.name.clone(),
                    protocol: claim.protocol,
                    names,
                    validity: verdict.validity,
                    evidence,
                    right,
                    previous: issue::previous(&endpoint, is_renewal),
                    request_id: Some(claim.request_id.clone()).filter(|id| !id.is_empty()),
                };
                let key = Key::of(claim);
                let issued = self
                    .issue(order, key, Entry::New(Box::new(new)), now)
                    .await?;
                Ok(Decision::Issued(Box::new(issued)))
            }
            asset => {
                let plan = Plan {
                    profile,
                    authority: endpoint.authority.clone(),
                    found: Found {
                        serial: found.serial,
                        asset,
                    },
                    names,
                    validity: verdict.validity,
                    evidence,
                    right,
                    created_by: who.right().map(|right| right.created_by.clone()),
                    is_renewal,
                    needed,
                };
                self.wait(&claim, plan, new, now).await
            }
        }
    }

    fn names(&self, claim: &Claim, who: &Who, found: &Found) -> Result<Names, Stop> {
        if let Who::Holder(holder) = who {
            return Ok(names::kept(&holder.certificate)?);
        }
        let profile = self.ca.profile(&claim.endpoint.profile)?;
        let device = names::Device {
            serial: &found.serial,
            asset: found.asset.as_ref(),
        };
        let vouched = match who {
            Who::Vendor { certificate, .. } => Some(certificate.as_ref()),
            _ => None,
        };
        let asked = claim.names()?;
        let from = claim.endpoint.names;
        Ok(names::first(
            &profile.profile,
            &device,
            from,
            &asked,
            vouched,
        )?)
    }

    /// Records what a claim was stopped by, and says what its sender learns of it.
    async fn stopped(
        &self,
        stop: Stop,
        endpoint: &Endpoint,
        peer: IpAddr,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Decision, DeviceError> {
        let (told, recorded) = match stop {
            Stop::Failed(error) => return Err(error),
            Stop::Elsewhere => return Err(DeviceError::Busy),
            Stop::Spent => (
                stop::unknown(),
                refusal("enrolment.credential", right::SPENT),
            ),
            Stop::Recorded(refusal) => return Ok(Decision::Refused(refusal)),
            Stop::Later(refusal, retry_after_s) => {
                metrics::counter!("ward_enrolment_refusals_total").increment(1);
                return Ok(Decision::Later {
                    refusal,
                    retry_after_s,
                });
            }
            Stop::No(refusal) => (refusal.clone(), refusal),
            Stop::Unknown(why) => {
                self.guard.wrong(endpoint, peer, now);
                (stop::unknown(), refusal("enrolment.credential", why))
            }
        };
        metrics::counter!("ward_enrolment_refusals_total").increment(1);
        if !self.guard.may_record(endpoint, peer, now) {
            return Ok(Decision::Refused(told));
        }
        let access = self.ca.access();
        let actor = format!("device-at-{}", peer.to_canonical());
        let principal = access.enrolled_principal(&actor, Scope::default());
        let object = Object::new("enrolment-endpoint", endpoint.name.as_str());
        let id = Some(request_id).filter(|id| !id.is_empty());
        access
            .record_refusal(&recorded, &principal, "enrolment.refuse", object, id, now)
            .await?;
        Ok(Decision::Refused(told))
    }
}

/// What the count of a right says before it is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Uses {
    Uncounted,
    Unused,
    Begun,
    Over,
}

impl Uses {
    fn of(used: u32, most: u32) -> Self {
        match used {
            0 => Uses::Unused,
            used if used < most => Uses::Begun,
            _ => Uses::Over,
        }
    }
}

fn require_in_force(right: &Right, now: Timestamp) -> Result<(), Stop> {
    match right.fault(now) {
        None => Ok(()),
        Some(fault) => Err(Stop::Unknown(format!(
            "enrolment right {} {fault}",
            right.id
        ))),
    }
}

fn used_up(right: &Right) -> Stop {
    Stop::Unknown(format!("enrolment right {} is used up", right.id))
}

/// What an earlier request of the same transaction makes of this one.
enum Earlier {
    Decided(Box<Decision>),
    /// Nothing, or only what is over: the registration that it follows.
    New(Box<Claim>, Option<String>),
}

/// Who asked and how that was proved (R07).
fn evidence(claim: &Claim, who: &Who, new: &New, said: Option<&str>) -> Vec<Evidence> {
    let item = |kind: &str, text: String| Evidence {
        kind: kind.to_owned(),
        text,
        sha256: None,
    };
    let (endpoint, protocol) = (claim.endpoint.name.as_str(), claim.protocol.as_str());
    let mut items = vec![item(
        "enrolment",
        format!(
            "registration {} over {protocol} at endpoint {endpoint}",
            new.id
        ),
    )];
    match &new.asset {
        Some(asset) => items.push(item(
            "asset",
            format!("{asset}, serial number {}", new.serial),
        )),
        None => items.push(item(
            "serial",
            format!("{}, not in the register", new.serial),
        )),
    }
    match who {
        Who::Right(right) => items.push(by_right(right)),
        Who::Vendor {
            right, certificate, ..
        } => {
            items.push(by_right(right));
            items.push(Evidence {
                kind: "manufacturer-certificate".to_owned(),
                text: certificate.subject().to_string(),
                sha256: Some(hex::encode(certificate.fingerprint())),
            });
        }
        Who::Holder(holder) => items.push(Evidence {
            kind: "renewed-certificate".to_owned(),
            text: holder.certificate.subject().to_string(),
            sha256: Some(hex::encode(holder.sha256)),
        }),
        Who::Nobody => items.push(item("credential", "none".to_owned())),
    }
    if let Some(right) = who.right() {
        items.extend(right.evidence.iter().cloned());
    }
    items.extend(said.map(|said| item("webhook", said.to_owned())));
    items.extend(claim.evidence.iter().cloned());
    items
}

fn by_right(right: &Right) -> Evidence {
    Evidence {
        kind: "enrolment-right".to_owned(),
        text: format!(
            "{} ({}), made by {}",
            right.id,
            right.credential.kind(),
            right.created_by
        ),
        sha256: None,
    }
}

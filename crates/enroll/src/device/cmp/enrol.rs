//! ir, cr, kur and p10cr (RFC 9483 §4.1), and the polling of those that wait for a person (§4.4).

use audit::Timestamp;
use ca::Issued;
use x509::cmp::{
    Body, CertRepMessage, CertResponse, FailInfo, InfoTypeAndValue, PollReply, Status, StatusInfo,
};
use x509::crmf::{BadPossession, CertReqMsg, CertTemplate};
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{Certificate, CertificationRequest, CsrError, GeneralName, Time, csr};

use super::exchange::{Answer, Beside, Exchange, polling_nonce, repeats};
use super::fault::{Fault, Stop};
use super::sender::Sender;
use super::transactions::{Kind, State, Transaction};
use super::{incoming, inform};
use crate::device::Protocol;
use crate::device::registration::{self, Asked, Claim, Decision, KeyAndNames};

/// What every answer about a certificate needs to know.
struct Wanted {
    kind: Kind,
    cert_req_id: i64,
    implicit_confirm: bool,
    /// What was asked for, to say whether it was granted as asked.
    template: Option<CertTemplate>,
}

/// Answers ir, cr or kur.
pub(super) async fn crmf(
    exchange: &Exchange<'_>,
    kind: Kind,
    requests: &[CertReqMsg],
) -> Result<Vec<u8>, Stop> {
    let [request] = requests else {
        return Err(Fault::bad_request("one request in a message (RFC 9483 §4.1)").into());
    };
    if request.cert_req_id != 0 {
        return Err(Fault::bad_request("certReqId must be 0 (RFC 9483 §4.1.1)").into());
    }
    if kind == Kind::Kur {
        names_what_it_replaces(exchange, request)?;
    }
    let key = request.public_key();
    let key = key.map_err(|e| Fault::new(FailInfo::BAD_CERT_TEMPLATE, e.to_string()))?;
    let key = key.ok_or_else(|| possession(&BadPossession::NoKey))?;
    request
        .verify_possession(&exchange.header().sender)
        .map_err(|why| possession(&why))?;
    csr::check_key(&key).map_err(|e| bad_request(&e))?;
    let template = &request.template;
    let wanted = Wanted {
        kind,
        cert_req_id: 0,
        implicit_confirm: implicit(exchange),
        template: Some(template.clone()),
    };
    let key_and_names = KeyAndNames::Template {
        key: Box::new(key),
        subject: template.subject.clone(),
        names: alternative_names(template)?,
    };
    begin(exchange, wanted, key_and_names).await
}

/// Answers p10cr, whose certReqId is -1 (RFC 9810 §5.3.4).
pub(super) async fn pkcs10(exchange: &Exchange<'_>, der: &[u8]) -> Result<Vec<u8>, Stop> {
    let request = CertificationRequest::from_der(der).map_err(|e| bad_request(&e))?;
    request
        .verify_proof_of_possession()
        .map_err(|e| bad_request(&e))?;
    let wanted = Wanted {
        kind: Kind::P10cr,
        cert_req_id: -1,
        implicit_confirm: implicit(exchange),
        template: None,
    };
    begin(exchange, wanted, KeyAndNames::Csr(Box::new(request))).await
}

/// Answers the first message of a transaction.
async fn begin(
    exchange: &Exchange<'_>,
    wanted: Wanted,
    key_and_names: KeyAndNames,
) -> Result<Vec<u8>, Stop> {
    let asked = match wanted.kind {
        Kind::Kur => Asked::Renew,
        Kind::Ir | Kind::Cr | Kind::P10cr => Asked::Enrol,
    };
    let claim = Claim {
        endpoint: exchange.endpoint.clone(),
        protocol: Protocol::Cmp,
        asked,
        key_and_names,
        proof: exchange.sender.proof(),
        transaction: registration::Transaction::Id(exchange.transaction_id().to_vec()),
        profile: profile(exchange)?,
        peer: exchange.request.peer,
        request_id: exchange.request.request_id.to_owned(),
        evidence: exchange.request.arrival().into_iter().collect(),
    };
    let registration = exchange.devices.registration();
    match registration.enrol(claim, exchange.now).await? {
        Decision::Issued(issued) => {
            let (answer, confirm_by) = granted(exchange, &wanted, &issued).await?;
            let now = Time(exchange.now.seconds());
            let replayable =
                incoming::is_replayable(exchange.header(), &exchange.endpoint.cmp, now);
            if confirm_by.is_none() && !replayable {
                return Ok(answer.der);
            }
            let mut transaction = transaction(exchange, &wanted, answer);
            transaction.state = state(confirm_by);
            transaction.certificate = Some(issued.sha256);
            transaction.confirm_by = confirm_by;
            let end = Timestamp(issued.not_after.0.saturating_mul(1000));
            transaction.keep_until = Some(end).filter(|_| replayable);
            open(exchange, transaction).await
        }
        Decision::Pending { retry_after_s } => {
            tracing::debug!(retry_after_s, "a CMP request waits for a decision");
            let body = reply(&wanted, StatusInfo::of(Status::Waiting), None, Vec::new());
            let answer = exchange.answer(body, Beside::default()).await?;
            open(exchange, transaction(exchange, &wanted, answer)).await
        }
        Decision::Refused(refusal) | Decision::Later { refusal, .. } => {
            let status = Fault::refused(&refusal).status();
            let body = reply(&wanted, status, None, Vec::new());
            Ok(exchange.answer(body, Beside::default()).await?.der)
        }
    }
}

/// Answers pollReq.
pub(super) async fn poll(
    exchange: &Exchange<'_>,
    ids: &[i64],
    stored: Option<Transaction>,
) -> Result<Vec<u8>, Stop> {
    let stored = stored.filter(|stored| stored.sender == exchange.sender.identity());
    let Some(stored) = stored.filter(|stored| stored.state == State::Waiting) else {
        return Err(Fault::bad_request("no request of yours waits in this transaction").into());
    };
    if !repeats(exchange.header().recip_nonce.as_ref(), &stored.nonce) {
        return Err(wrong_nonce().into());
    }
    if !matches!(ids, [id] if answers(&stored, *id)) {
        return Err(Fault::bad_request("certReqId is not the one of the request").into());
    }
    let wanted = Wanted {
        kind: stored.kind,
        cert_req_id: stored.cert_req_id,
        implicit_confirm: stored.implicit_confirm,
        template: None,
    };
    let id = registration::Transaction::Id(stored.id.clone());
    let registration = exchange.devices.registration();
    let decision = registration
        .poll(&exchange.endpoint, Protocol::Cmp, &id, None, exchange.now)
        .await?;
    match decision {
        Decision::Pending { retry_after_s } => {
            let body = Body::PollRep(vec![PollReply {
                cert_req_id: stored.cert_req_id,
                check_after: retry_after_s,
                reason: Vec::new(),
            }]);
            let beside = Beside {
                nonce: Some(polling_nonce(&stored.nonce)?),
                ..Beside::default()
            };
            Ok(exchange.answer(body, beside).await?.der)
        }
        Decision::Issued(issued) => {
            let (answer, confirm_by) = granted(exchange, &wanted, &issued).await?;
            let certificate = Some(issued.sha256);
            let state = state(confirm_by);
            decided(exchange, stored, answer, state, certificate, confirm_by).await
        }
        Decision::Refused(refusal) | Decision::Later { refusal, .. } => {
            let status = Fault::refused(&refusal).status();
            let body = reply(&wanted, status, None, Vec::new());
            let answer = exchange.answer(body, Beside::default()).await?;
            decided(exchange, stored, answer, State::Done, None, None).await
        }
    }
}

fn state(confirm_by: Option<Timestamp>) -> State {
    match confirm_by {
        Some(_) => State::Unconfirmed,
        None => State::Done,
    }
}

/// Stores what was decided about a request that waited.
async fn decided(
    exchange: &Exchange<'_>,
    stored: Transaction,
    answer: Answer,
    state: State,
    certificate: Option<[u8; 32]>,
    confirm_by: Option<Timestamp>,
) -> Result<Vec<u8>, Stop> {
    let next = Transaction {
        state,
        request_sha256: exchange.sha256,
        answer: answer.der,
        nonce: answer.nonce,
        certificate,
        confirm_by,
        ..stored
    };
    let event = next.event(
        "enrolment.cmp.decided",
        exchange.sender.actor(),
        exchange.now,
    );
    let store = exchange.store();
    if next
        .advance(store, State::Waiting, event, exchange.now)
        .await?
    {
        return Ok(next.answer);
    }
    let settled = next.settled(store, &exchange.sha256).await?;
    settled.ok_or_else(|| Fault::bad_request("the transaction has gone on").into())
}

/// Stores a transaction that begins. Of two that come at once the first stays.
async fn open(exchange: &Exchange<'_>, transaction: Transaction) -> Result<Vec<u8>, Stop> {
    let store = exchange.store();
    let actor = exchange.sender.actor();
    if transaction.open(store, actor, exchange.now).await? {
        return Ok(transaction.answer);
    }
    let settled = transaction.settled(store, &exchange.sha256).await?;
    settled.ok_or_else(|| in_use().into())
}

fn transaction(exchange: &Exchange<'_>, wanted: &Wanted, answer: Answer) -> Transaction {
    Transaction {
        endpoint: exchange.endpoint.name.clone(),
        id: exchange.transaction_id().to_vec(),
        kind: wanted.kind,
        state: State::Waiting,
        sender: exchange.sender.identity(),
        signer: exchange.sender.leaf().cloned(),
        request_sha256: exchange.sha256,
        answer: answer.der,
        nonce: answer.nonce,
        cert_req_id: wanted.cert_req_id,
        implicit_confirm: wanted.implicit_confirm,
        certificate: None,
        confirm_by: None,
        created: exchange.now,
        keep_until: None,
    }
}

/// The answer that hands out a certificate, and until when it has to be confirmed.
async fn granted(
    exchange: &Exchange<'_>,
    wanted: &Wanted,
    issued: &Issued,
) -> Result<(Answer, Option<Timestamp>), Stop> {
    let certificate = Certificate::from_der(&issued.der)?;
    let policy = &exchange.endpoint.cmp;
    let confirm_by = match wanted.implicit_confirm {
        true => None,
        false => {
            let wait_ms = i64::from(policy.confirm_within) * 1000;
            Some(Timestamp(exchange.now.0.saturating_add(wait_ms)))
        }
    };
    let info = match confirm_by {
        None => InfoTypeAndValue::implicit_confirm(),
        Some(by) => InfoTypeAndValue::confirm_wait_time(Time(by.seconds())),
    };
    let as_asked = wanted
        .template
        .as_ref()
        .is_none_or(|template| grants(&certificate, template));
    let status = match as_asked {
        true => Status::Accepted,
        false => Status::GrantedWithMods,
    };
    let ca_pubs = trust_anchor(exchange, wanted.kind)?;
    let body = reply(wanted, StatusInfo::of(status), Some(certificate), ca_pubs);
    let beside = Beside {
        info: vec![info],
        chain: issued.chain.to_vec(),
        nonce: None,
    };
    Ok((exchange.answer(body, beside).await?, confirm_by))
}

/// The root, for a device that shares a secret with us and nothing else (RFC 9483 §4.1.1): its MAC vouches for it.
fn trust_anchor(exchange: &Exchange<'_>, kind: Kind) -> Result<Vec<Certificate>, Stop> {
    if kind != Kind::Ir || !exchange.sender.is_secret() {
        return Ok(Vec::new());
    }
    let issuer = exchange.issuer()?;
    Ok(inform::root(exchange.devices.ca(), &issuer)
        .into_iter()
        .collect())
}

fn reply(
    wanted: &Wanted,
    status: StatusInfo,
    certificate: Option<Certificate>,
    ca_pubs: Vec<Certificate>,
) -> Body {
    let message = CertRepMessage {
        ca_pubs,
        responses: vec![CertResponse {
            cert_req_id: wanted.cert_req_id,
            status,
            certificate,
        }],
    };
    match wanted.kind {
        Kind::Ir => Body::Ip(message),
        Kind::Cr | Kind::P10cr => Body::Cp(message),
        Kind::Kur => Body::Kup(message),
    }
}

/// Whether a certificate holds what was asked for, as far as something was (RFC 9810 §5.2.3 grantedWithMods).
fn grants(certificate: &Certificate, template: &CertTemplate) -> bool {
    let subject = template
        .subject
        .as_ref()
        .is_none_or(|wanted| wanted.is_empty() || certificate.subject().canonical_eq(wanted));
    let period = template
        .not_before
        .is_none_or(|wanted| certificate.not_before() == wanted)
        && template
            .not_after
            .is_none_or(|wanted| certificate.not_after() == wanted);
    let extension = |wanted: &x509::Extension| {
        let same = |e: &&x509::Extension| e.oid == wanted.oid && e.value == wanted.value;
        certificate.extensions().iter().any(|e| same(&e))
    };
    subject && period && template.extensions.iter().all(extension)
}

fn alternative_names(template: &CertTemplate) -> Result<Vec<GeneralName>, Stop> {
    let found = template
        .extensions
        .iter()
        .find(|e| e.oid == SubjectAltName::OID);
    let Some(extension) = found else {
        return Ok(Vec::new());
    };
    let names = SubjectAltName::parse(&extension.value)
        .map_err(|e| Fault::new(FailInfo::BAD_CERT_TEMPLATE, e.to_string()))?;
    match names.0.len() > csr::MAX_NAMES {
        true => Err(Fault::new(FailInfo::BAD_CERT_TEMPLATE, "too many names").into()),
        false => Ok(names.0),
    }
}

/// kur is signed with the certificate that it replaces, and may name it (RFC 9483 §4.1.3).
fn names_what_it_replaces(exchange: &Exchange<'_>, request: &CertReqMsg) -> Result<(), Stop> {
    let Sender::Signer { .. } = &exchange.sender else {
        let text = "a key update is signed with the certificate that it replaces";
        return Err(Fault::new(FailInfo::WRONG_INTEGRITY, text).into());
    };
    let old = request
        .old_cert_id()
        .map_err(|e| Fault::new(FailInfo::BAD_DATA_FORMAT, e.to_string()))?;
    let (Some(old), Some(leaf)) = (old, exchange.sender.leaf()) else {
        return Ok(());
    };
    let issuer = matches!(&old.issuer, GeneralName::DirName(name)
        if name.canonical_eq(leaf.issuer()));
    match issuer && old.serial == leaf.serial() {
        true => Ok(()),
        false => {
            let text = "oldCertID names another certificate than the one that signed";
            Err(Fault::new(FailInfo::BAD_CERT_ID, text).into())
        }
    }
}

/// A certificate profile that the header names (RFC 9810 §5.1.1.4).
fn profile(exchange: &Exchange<'_>) -> Result<Option<String>, Stop> {
    let mut profiles = exchange
        .header()
        .certificate_profiles()
        .map_err(|e| Fault::new(FailInfo::BAD_DATA_FORMAT, e.to_string()))?;
    match profiles.len() {
        0 | 1 => Ok(profiles.pop()),
        _ => Err(Fault::bad_request("one certProfile for one request").into()),
    }
}

fn implicit(exchange: &Exchange<'_>) -> bool {
    exchange.endpoint.cmp.implicit_confirm && exchange.header().implicit_confirm()
}

/// Old clients number the request in a p10cr 0.
pub(super) fn answers(stored: &Transaction, cert_req_id: i64) -> bool {
    cert_req_id == stored.cert_req_id || (stored.kind == Kind::P10cr && cert_req_id == 0)
}

pub(super) fn wrong_nonce() -> Fault {
    Fault::new(
        FailInfo::BAD_RECIPIENT_NONCE,
        "recipNonce is not our senderNonce in this transaction",
    )
}

pub(super) fn in_use() -> Fault {
    Fault::new(
        FailInfo::TRANSACTION_ID_IN_USE,
        "this transactionID is in use",
    )
}

fn possession(why: &BadPossession) -> Fault {
    let fail = match why {
        BadPossession::RaVerified => FailInfo::NOT_AUTHORIZED,
        BadPossession::NoKey | BadPossession::Key => FailInfo::BAD_CERT_TEMPLATE,
        BadPossession::Algorithm => FailInfo::BAD_ALG,
        _ => FailInfo::BAD_POP,
    };
    Fault::new(fail, why.to_string())
}

fn bad_request(error: &CsrError) -> Fault {
    let fail = match error.rule {
        "csr-syntax" | "csr-version" | "csr-size" => FailInfo::BAD_DATA_FORMAT,
        "csr-proof-of-possession" => FailInfo::BAD_POP,
        "csr-signature-algorithm" | "csr-signature-hash" => FailInfo::BAD_ALG,
        _ => FailInfo::BAD_CERT_TEMPLATE,
    };
    Fault::new(fail, error.to_string())
}

//! Revocation by the account that was issued the certificate, by one that holds authorizations for all of its names, and
//! by whoever has its key (RFC 8555 §7.6).

use access::{Action, Principal, Scope, Target};
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca::revocation::Revocation;
use ca::{CaError, CertificateState, StoredCertificate};
use serde::Deserialize;
use std::sync::Arc;
use store::params;
use x509::Certificate;
use x509::crl::Reason;

use super::accounts::actor_id;
use super::front::Verified;
use super::limits::Spend;
use super::problem::{ErrorType, Problem};
use super::{Account, Acme, Reply};

/// RFC 8555 §7.6.
#[derive(Deserialize)]
struct Revoke {
    certificate: String,
    #[serde(default)]
    reason: Option<i64>,
}

/// By what right.
enum Right {
    /// The account was issued it, or holds authorizations for all of its names.
    Account(Arc<Account>),
    /// The request is signed with the certificate's key.
    Key([u8; 32]),
}

/// POST revoke-cert. Signed with an account's key (`call.account`) or with any key (`call.key`).
pub(crate) async fn post(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let wish: Revoke = call.parse()?;
    let peer = call.request.peer;
    acme.inner.limits.spend(
        &call.directory,
        call.account.as_deref(),
        peer,
        Spend::Revoke,
        now,
    )?;
    let reason = reason(wish.reason)?;
    let stored = find(acme, &wish.certificate).await?;
    let right = right(acme, call, &stored, now).await?;
    let upgrade = matches!(right, Right::Key(_)) && reason == Reason::KeyCompromise;
    // RFC 8555 §7.6. Whoever shows the key itself may say that it is compromised, whatever was said before.
    if stored.state == CertificateState::Revoked && !upgrade {
        return Err(already());
    }
    if stored.not_after.0 < now.seconds() {
        return Err(Problem::unauthorized(
            "the certificate has expired: nobody relies on it any more",
        ));
    }
    revoke(acme, call, &stored, right, reason, now).await?;
    Ok(Reply::empty(200))
}

fn already() -> Problem {
    Problem::new(
        ErrorType::AlreadyRevoked,
        "the certificate is revoked already (RFC 8555 §7.6)",
    )
}

/// The reasons that a subscriber can know of (RFC 5280 §5.3.1). The others are for issuers.
fn reason(code: Option<i64>) -> Result<Reason, Problem> {
    match code {
        None | Some(0) => Ok(Reason::Unspecified),
        Some(1) => Ok(Reason::KeyCompromise),
        Some(3) => Ok(Reason::AffiliationChanged),
        Some(4) => Ok(Reason::Superseded),
        Some(5) => Ok(Reason::CessationOfOperation),
        Some(other) => Err(Problem::new(
            ErrorType::BadRevocationReason,
            format!(
                "the reason {other} is not one that a subscriber can give; 0, 1, 3, 4 and 5 are (RFC 8555 §7.6)"
            ),
        )),
    }
}

async fn find(acme: &Acme, text: &str) -> Result<StoredCertificate, Problem> {
    let bad = |why: String| Problem::malformed(format!("`certificate` {why} (RFC 8555 §7.6)"));
    let der = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| bad(format!("is not base64url without padding: {error}")))?;
    let certificate =
        Certificate::from_der(&der).map_err(|error| bad(format!("is no certificate: {error}")))?;
    let found = acme.inner.ca.certificate(&certificate.fingerprint()).await;
    let found = found.map_err(|error| Problem::internal(&error))?;
    // A CA's certificate is nobody's over ACME.
    let subscribers = found.filter(|stored| stored.profile != "ca");
    subscribers.ok_or_else(|| {
        Problem::not_found("this authority has issued no such certificate (RFC 8555 §7.6)")
    })
}

async fn right(
    acme: &Acme,
    call: &Verified<'_>,
    stored: &StoredCertificate,
    now: Timestamp,
) -> Result<Right, Problem> {
    let Some(account) = &call.account else {
        let certificate =
            Certificate::from_der(&stored.der).map_err(|error| Problem::internal(&error))?;
        return match certificate.spki_der() == call.key.public.spki_der() {
            true => Ok(Right::Key(call.key.thumbprint)),
            false => Err(Problem::unauthorized(
                "the request is signed with a key that is not the certificate's (RFC 8555 §7.6)",
            )),
        };
    };
    let own = stored.requester == actor_id(&account.id);
    if own || holds_all(acme, account, stored, now).await? {
        return Ok(Right::Account(Arc::clone(account)));
    }
    Err(Problem::unauthorized(
        "the account was not issued this certificate and does not hold authorizations for all of its names \
         (RFC 8555 §7.6)",
    ))
}

const HELD: &str = "SELECT 1 FROM acme_authorizations WHERE account = $1 AND value = $2 AND status = 'valid' \
    AND expires > $3 AND kind = $4 AND wildcard = $5 LIMIT 1";

/// Whether the account holds a valid authorization for every name.
async fn holds_all(
    acme: &Acme,
    account: &Account,
    stored: &StoredCertificate,
    now: Timestamp,
) -> Result<bool, Problem> {
    if stored.names.is_empty() {
        return Ok(false);
    }
    for name in &stored.names {
        let Some((kind @ ("dns" | "ip"), value)) = name.split_once(':') else {
            return Ok(false);
        };
        let base = value.strip_prefix("*.");
        let params = params![
            account.id.as_str(),
            base.unwrap_or(value),
            now,
            kind,
            base.is_some()
        ];
        if acme.inner.store.query(HELD, params).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn revoke(
    acme: &Acme,
    call: &Verified<'_>,
    stored: &StoredCertificate,
    right: Right,
    reason: Reason,
    now: Timestamp,
) -> Result<(), Problem> {
    let inner = &acme.inner;
    let (principal, why) = principal(acme, right);
    let id = Some(call.request.request_id).filter(|id| !id.is_empty());
    let target = Target::default();
    let permit = inner
        .access
        .permit(&principal, Action::RevokeCertificate, &target, id, now)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let revocation = Revocation {
        reason,
        invalid_since: None,
        why: Some(why.to_owned()),
        request_id: id.map(str::to_owned),
    };
    match inner.ca.revoke(permit, stored, revocation, now).await {
        Ok(_) => Ok(()),
        Err(CaError::Store(store::StoreError::Conflict(_))) => Err(already()),
        Err(CaError::Store(error)) => Err(error.into()),
        Err(error) => match error.refusal() {
            Some(refusal) if refusal.rule == "revocation.repeated" => Err(already()),
            _ => Err(Problem::internal(&error)),
        },
    }
}

/// The right to revoke follows from the certificate, not from what the account may order now: no scope.
fn principal(acme: &Acme, right: Right) -> (Arc<Principal>, &'static str) {
    let access = &acme.inner.access;
    match right {
        Right::Account(account) => {
            let id = actor_id(&account.id);
            let principal = access.enrolled_principal(&id, Scope::default());
            (principal, "asked for over ACME by an account")
        }
        Right::Key(thumbprint) => {
            let id = format!("acme-key-{}", URL_SAFE_NO_PAD.encode(thumbprint));
            let principal = access.enrolled_principal(&id, Scope::default());
            (principal, "asked for over ACME with the certificate's key")
        }
    }
}

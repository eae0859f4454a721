//! Another key for an account (RFC 8555 §7.3.5): the old one signs the outer message, the new one the inner.

use audit::Timestamp;
use serde::Deserialize;
use serde_json::json;
use store::{StoreError, Write, params};

use super::accounts::{self, Account};
use super::front::Verified;
use super::json::{self, Object};
use super::jwk::{Algorithm, Jwk, RawJwk};
use super::jws::Message;
use super::problem::{ErrorType, Problem};
use super::{Acme, Reply, account};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyChange {
    account: String,
    old_key: Object<RawJwk>,
}

/// POST key-change. The numbers are those of the list in §7.3.5.
pub(crate) async fn post(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let account = call.account()?;
    // 2, 3: the payload is a JWS with a `jwk`.
    let inner = Message::read(&call.payload, "the inner JWS")?;
    if inner.header.kid.is_some() {
        return Err(Problem::malformed(
            "the inner JWS has a `kid`; it is signed by the new key in `jwk` (RFC 8555 §7.3.5)",
        ));
    }
    let Some(Object(jwk)) = &inner.header.jwk else {
        return Err(Problem::malformed(
            "the inner JWS has no `jwk` (RFC 8555 §7.3.5)",
        ));
    };
    if inner.header.nonce.is_some() {
        return Err(Problem::malformed(
            "the inner JWS has a `nonce` (RFC 8555 §7.3.5)",
        ));
    }
    let algorithm = Algorithm::parse(inner.algorithm()?)?;
    let key = Jwk::read(jwk, Some(algorithm))?;
    // 4: the new key signed it. 6: for this resource.
    inner.verify(algorithm, &key)?;
    inner
        .require_url(&call.url("key-change"))
        .map_err(inner_url)?;
    // 5, 7, 8: it is about this account and its key.
    let change: KeyChange = json::parse(&inner.payload()?, "payload of the inner JWS")?;
    if change.account != call.account_url(&account.id) {
        return Err(Problem::malformed(
            "`account` is not the account that signed the outer JWS (RFC 8555 §7.3.5)",
        ));
    }
    let old = Jwk::read(&change.old_key.0, None)?;
    if old.thumbprint != account.key.thumbprint {
        return Err(Problem::malformed(
            "`oldKey` is not the account's key (RFC 8555 §7.3.5)",
        ));
    }
    key.require_strong()?;
    // 9: nobody has the new key.
    require_free(acme, call, &key).await?;
    commit(acme, call, account, key, now).await
}

async fn commit(
    acme: &Acme,
    call: &Verified<'_>,
    account: &Account,
    key: Jwk,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let event = account::event(call, account, "acme.account.key-change", now)
        .before(json!({ "thumbprint": account.key.thumbprint_text() }))
        .after(json!({ "thumbprint": key.thumbprint_text() }));
    let write = Write::new(event)?.run_expecting(
        1,
        CHANGE,
        params![
            key.thumbprint,
            key.canonical.as_str(),
            account.id.as_str(),
            account.key.thumbprint
        ],
        ANOTHER_CHANGE,
    );
    let committed = acme.inner.store.commit(write).await;
    acme.inner.accounts.forget(&account.object());
    match committed {
        Ok(_) => {
            let mut changed = account.clone();
            changed.key = key.into();
            Ok(account::view(call, &changed, 200))
        }
        Err(StoreError::Conflict(ANOTHER_CHANGE)) => Err(Problem::malformed(
            "`oldKey` is not the account's key any more (RFC 8555 §7.3.5)",
        )),
        Err(error) if accounts::is_key_taken(&error) => {
            require_free(acme, call, &key).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// See [`super::exercise`].
pub(crate) fn exercise(data: &[u8]) {
    if let Ok(change) = json::parse::<KeyChange>(data, "payload") {
        let _ = Jwk::read(&change.old_key.0, None);
    }
}

const CHANGE: &str = "UPDATE acme_accounts SET thumbprint = $1, jwk = $2 \
    WHERE id = $3 AND thumbprint = $4 AND status = 'valid'";
const ANOTHER_CHANGE: &str = "the account's key has changed";

/// RFC 8555 §7.3.5: 409 and the URL of the account that has the key.
async fn require_free(acme: &Acme, call: &Verified<'_>, key: &Jwk) -> Result<(), Problem> {
    let store = &acme.inner.store;
    let taken = accounts::by_key(store, &call.directory.name, &key.thumbprint).await?;
    let Some(taken) = taken else {
        return Ok(());
    };
    let mut problem = Problem::malformed("the new key has an account already (RFC 8555 §7.3.5)");
    problem.location = Some(call.account_url(&taken.id));
    Err(problem.status(409))
}

/// A wrong URL inside is a wrong message; only outside does it say that somebody relayed it.
fn inner_url(problem: Problem) -> Problem {
    Problem::new(ErrorType::Malformed, problem.detail)
}

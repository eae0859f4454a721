//! Orders that replace a certificate (RFC 9773 §5). That one certificate is replaced by one order is an index of the
//! database, so that it holds between nodes as well.

use audit::{Actor, Event, Object, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::{StoreError, Write, params};

use super::accounts::actor_id;
use super::identifier::Wanted;
use super::problem::{ErrorType, Problem};
use super::{Account, Acme, ari, orders};

/// Holds `replaces` against what it names, and returns it in the one form in which it is compared.
pub(crate) async fn check(
    acme: &Acme,
    account: &Account,
    certificate_id: &str,
    names: &[Wanted],
) -> Result<String, Problem> {
    let Some(certificate) = ari::find(acme, certificate_id).await? else {
        return Err(Problem::malformed(
            "`replaces` names a certificate that this authority has not issued (RFC 9773 §5)",
        ));
    };
    if certificate.requester != actor_id(&account.id) {
        return Err(Problem::unauthorized(
            "`replaces` names a certificate of another account (RFC 9773 §5)",
        ));
    }
    let shared = names
        .iter()
        .any(|name| certificate.names.contains(&name.text()));
    if !shared {
        return Err(Problem::malformed(
            "`replaces` names a certificate that has none of the order's identifiers (RFC 9773 §5)",
        ));
    }
    let issuer = acme
        .inner
        .ca
        .issuer(&certificate.issuer)
        .map_err(|error| Problem::internal(&error))?;
    Ok(format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(issuer.key_id()),
        URL_SAFE_NO_PAD.encode(&certificate.serial)
    ))
}

/// RFC 9773 §5.
pub(crate) fn already() -> Problem {
    Problem::new(
        ErrorType::AlreadyReplaced,
        "another order replaces this certificate (RFC 9773 §5)",
    )
}

const IN_THE_WAY: &str = "SELECT id FROM acme_orders WHERE replaces = $1 AND status <> 'invalid'";
const END: &str = "UPDATE acme_orders SET status = 'invalid' WHERE id = $1 AND status = 'open'";

/// Ends the order that is in the way if it can come to nothing any more: it has expired, or an authorization has.
pub(crate) async fn free(
    acme: &Acme,
    certificate_id: &str,
    now: Timestamp,
) -> Result<bool, Problem> {
    let store = &acme.inner.store;
    let rows = store.query(IN_THE_WAY, params![certificate_id]).await?;
    let Some(row) = rows.first() else {
        return Ok(true);
    };
    let Some(order) = orders::order(store, row.text(0)?).await? else {
        return Ok(true);
    };
    if order.state(now) != orders::OrderState::Invalid {
        return Ok(false);
    }
    let object = Object::new(orders::ORDER, order.id.as_str());
    let event = Event::new(now, Actor::system("enroll"), "acme.order.expire", object);
    let write = Write::new(event)?.run_expecting(
        1,
        END,
        params![order.id.as_str()],
        "the order is open no more",
    );
    acme.inner.lately.forget(&order.id);
    match store.commit(write).await {
        Ok(_) | Err(StoreError::Conflict(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

//! The certificate of Ward's own listener: issued by Ward, renewed at two thirds of its life, and replaced at start
//! even when it has expired, so that a Ward that was switched off for a year comes back by itself.

use audit::{Actor, Event, Object};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write};
use x509::{Certificate, GeneralName, KeyAlgorithm};

use crate::Services;
use crate::tls::CurrentCertificate;

const RECORD: &str = "listener";

/// What is in use. The key itself is a key record like any other.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: keys::KeyId,
    /// Leaf first, DER as hex.
    chain: Vec<String>,
    authority: String,
}

/// Puts a valid certificate in place. Cheap when there is nothing to do.
pub(crate) async fn ensure(
    services: &Services,
    current: &CurrentCertificate,
) -> Result<(), ca::CaError> {
    let id = services.config.names.join(",");
    let record = services.store.record(RECORD, &id).await?;
    let mut version = 0;
    if let Some(record) = record {
        version = record.version;
        let stored: Stored = record.parse()?;
        if still_good(services, &stored)? {
            return install(services, current, &stored).await;
        }
    }
    match renew(services, &id, version).await {
        // Another node has renewed it at the same moment.
        Err(ca::CaError::Store(StoreError::Conflict(_))) => {}
        other => other?,
    }
    match services.store.record(RECORD, &id).await? {
        Some(record) => install(services, current, &record.parse()?).await,
        None => Ok(()),
    }
}

fn still_good(services: &Services, stored: &Stored) -> Result<bool, ca::CaError> {
    Ok(is_fresh(&stored.chain, services.now())?
        && stored.authority == services.config.listener_authority)
}

/// Whether a chain's leaf is in the first two thirds of its life.
pub(crate) fn is_fresh(chain: &[String], now: audit::Timestamp) -> Result<bool, ca::CaError> {
    let Some(leaf) = chain.first() else {
        return Ok(false);
    };
    let certificate = Certificate::from_der(&decode(leaf)?)?;
    let (from, until) = (certificate.not_before().0, certificate.not_after().0);
    let renew_at = from + (until - from) / 3 * 2;
    Ok(now.seconds() < renew_at)
}

/// Names of a listener as its certificate has them.
pub(crate) fn general_names(names: &[String]) -> Vec<GeneralName> {
    let names = names.iter().map(|name| match name.parse() {
        Ok(address) => GeneralName::Ip(address),
        Err(_) => GeneralName::Dns(name.clone()),
    });
    names.collect()
}

async fn renew(services: &Services, id: &str, version: u64) -> Result<(), ca::CaError> {
    let now = services.now();
    let authority = &services.config.listener_authority;
    let own = services
        .ca
        .issue_to_ward(
            authority,
            "api-tls",
            KeyAlgorithm::EcdsaP256,
            &services.config.names[0],
            general_names(&services.config.names),
            now,
        )
        .await?;
    let not_after = own.certificate.not_after();
    let event = Event::new(
        now,
        Actor::system("listener"),
        "listener.renew",
        Object::new("listener", id),
    )
    .after(json!({
        "serial": hex::encode(own.certificate.serial()),
        "not_after": not_after.to_string(),
    }));
    let chain = std::iter::once(&own.certificate).chain(&own.chain);
    let stored = Stored {
        key: own.key,
        chain: chain
            .map(|certificate| hex::encode(certificate.der()))
            .collect(),
        authority: authority.clone(),
    };
    services
        .store
        .commit(Write::new(event)?.put_record(RECORD, id, version, &stored, now)?)
        .await?;
    tracing::info!(names = id, %not_after, "listener certificate renewed");
    Ok(())
}

async fn install(
    services: &Services,
    current: &CurrentCertificate,
    stored: &Stored,
) -> Result<(), ca::CaError> {
    let chain = stored
        .chain
        .iter()
        .map(|certificate| decode(certificate))
        .collect::<Result<_, _>>()?;
    current.replace(chain, services.ca.signer(&stored.key).await?);
    Ok(())
}

/// A certificate as it is stored.
pub(crate) fn decode(hex_der: &str) -> Result<Vec<u8>, ca::CaError> {
    hex::decode(hex_der).map_err(|_| ca::CaError::Internal("listener"))
}

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

/// The key stays sealed; the certificate is DER as hex.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: keys::KeyRecord,
    certificate: String,
    authority: String,
    names: Vec<String>,
}

/// Puts a valid certificate in place. Cheap when there is nothing to do.
pub(crate) async fn ensure(services: &Services, current: &CurrentCertificate) -> Result<(), ca::CaError> {
    let id = services.config.names.join(",");
    let record = services.store.record(RECORD, &id).await?;
    let mut version = 0;
    if let Some(record) = record {
        version = record.version;
        let stored: Stored = record.parse()?;
        if still_good(services, &stored)? {
            return install(services, current, &stored);
        }
    }
    match renew(services, &id, version).await {
        // Another node has renewed it at the same moment.
        Err(ca::CaError::Store(StoreError::Conflict(_))) => {}
        other => other?,
    }
    match services.store.record(RECORD, &id).await? {
        Some(record) => install(services, current, &record.parse()?),
        None => Ok(()),
    }
}

fn still_good(services: &Services, stored: &Stored) -> Result<bool, ca::CaError> {
    let certificate = decode(&stored.certificate)?;
    let (from, until) = (certificate.not_before().0, certificate.not_after().0);
    let renew_at = from + (until - from) / 3 * 2;
    Ok(services.now().seconds() < renew_at && stored.authority == services.config.listener_authority)
}

async fn renew(services: &Services, id: &str, version: u64) -> Result<(), ca::CaError> {
    let now = services.now();
    let issuer = services.ca.active_issuer(&services.config.listener_authority)?;
    let key = services.ca.keyring().generate(KeyAlgorithm::EcdsaP256, &keys::Backend::Software, "HTTPS listener")?;
    let signer = services.ca.keyring().load(&key)?;
    let names = services.config.names.iter().map(|name| match name.parse() {
        Ok(address) => GeneralName::Ip(address),
        Err(_) => GeneralName::Dns(name.clone()),
    });
    let certificate =
        services.ca.issue_to_ward(&issuer, "api-tls", signer.public_key(), names.collect(), now).await?;
    let event = Event::new(now, Actor::system("listener"), "listener.renew", Object::new("listener", id)).after(json!({
        "serial": hex::encode(certificate.serial()),
        "not_after": certificate.not_after().to_string(),
    }));
    let stored = Stored {
        key,
        certificate: hex::encode(certificate.der()),
        authority: services.config.listener_authority.clone(),
        names: services.config.names.clone(),
    };
    services.store.commit(Write::new(event)?.put_record(RECORD, id, version, &stored, now)?).await?;
    tracing::info!(names = id, not_after = %certificate.not_after(), "listener certificate renewed");
    Ok(())
}

fn install(services: &Services, current: &CurrentCertificate, stored: &Stored) -> Result<(), ca::CaError> {
    let certificate = decode(&stored.certificate)?;
    let mut chain = vec![certificate.der().to_vec()];
    chain.extend(services.ca.chain_of(&certificate).iter().map(|issuer| issuer.der().to_vec()));
    current.replace(chain, services.ca.keyring().load(&stored.key)?);
    Ok(())
}

fn decode(hex_der: &str) -> Result<Certificate, ca::CaError> {
    let der = hex::decode(hex_der).map_err(|_| ca::CaError::Damaged("listener"))?;
    Ok(Certificate::from_der(&der)?)
}

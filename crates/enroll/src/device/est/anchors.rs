//! `cacerts`: what a device needs to trust what this endpoint issues, now and across a rotation (RFC 7030 §4.1.3).

use std::collections::HashSet;

use audit::Timestamp;
use ca::{Issuer, IssuerState};
use x509::Certificate;

use crate::device::{DeviceError, Devices, Endpoint};

/// The issuer and everything up to its root first; then, of each of these, the generation before, whose certificates are
/// still about, and the certificates by which one generation vouches for another (RFC 4210 §4.4).
pub(super) fn of(
    devices: &Devices,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Vec<Certificate>, DeviceError> {
    let ca = devices.ca();
    let mut path = Vec::new();
    let mut next = Some(devices.issuer(endpoint)?);
    while let Some(issuer) = next {
        next = match &issuer.record().parent {
            Some(parent) => Some(ca.issuer(parent)?),
            None => None,
        };
        path.push(issuer);
    }
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    let mut add = |certificate: &Certificate| {
        let lives = certificate.not_after().0 >= now.seconds();
        if lives && seen.insert(certificate.fingerprint()) {
            all.push(certificate.clone());
        }
    };
    let everything = |issuer: &Issuer| {
        let record = issuer.record();
        let own = std::iter::once(record.certificate.clone());
        own.chain(record.foreign_chain.iter().cloned())
            .collect::<Vec<_>>()
    };
    for issuer in &path {
        everything(issuer).iter().for_each(&mut add);
    }
    for issuer in &path {
        let authority = ca.authority(&issuer.record().authority)?;
        for generation in authority.generations.iter().rev() {
            let generation = ca.issuer(generation)?;
            if generation.record().state != IssuerState::Retired {
                everything(&generation).iter().for_each(&mut add);
                generation.record().cross.iter().for_each(&mut add);
            }
        }
    }
    Ok(all)
}

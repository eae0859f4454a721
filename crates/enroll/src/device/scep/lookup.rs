//! A device asks for a certificate that it lost, or for a CRL (RFC 8894 §3.3.4, §3.3.5). Better ways exist; the devices that
//! use these know no other.

use std::sync::Arc;

use ca::Issuer;
use ca::crl::{ListKind, ListName};
use x509::der::{Reader, Tag};
use x509::{Certificate, Name, pkcs7};

use super::attributes::FailInfo;
use super::authority::registration_authority;
use super::message::Message;
use super::reply::Answer;
use super::{Context, Fault};

/// IssuerAndSerialNumber.
struct Wanted {
    issuer: Name,
    /// Content octets of the INTEGER.
    serial: Vec<u8>,
}

impl Wanted {
    fn read(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain).tolerant();
        let mut pair = reader.sequence().ok()?;
        let issuer = Name::from_der(pair.expect(Tag::SEQUENCE).ok()?.raw).ok()?;
        let serial = pair.integer_lenient().ok()?.to_vec();
        (pair.is_empty() && reader.is_empty()).then_some(Wanted { issuer, serial })
    }

    /// Our issuers of this name: generations may share it. Clients that know the registration authority only (sscep with its
    /// certificate alone) take its name for the issuer's, so that name stands for those it speaks for.
    async fn issuers(&self, context: &Context<'_>) -> Result<Vec<Arc<Issuer>>, Fault> {
        let ra = registration_authority(context).await?;
        let mut issuers = context.devices.ca().issuers();
        if ra.certificate.subject().canonical_eq(&self.issuer) {
            let own = context.devices.issuer(&context.endpoint)?;
            issuers.retain(|issuer| issuer.record().authority == own.record().authority);
        } else {
            issuers.retain(|issuer| issuer.certificate().subject().canonical_eq(&self.issuer));
        }
        Ok(issuers)
    }
}

/// GetCert: only to whoever has its key, or holds a valid certificate of the same subject. To anybody else it does not
/// exist.
pub(super) async fn certificate(
    context: &Context<'_>,
    message: &Message,
    plain: &[u8],
) -> Result<Answer, Fault> {
    let Some(wanted) = Wanted::read(plain) else {
        return Ok(Answer::bare(FailInfo::BadMessageCheck));
    };
    let ca = context.devices.ca();
    for issuer in wanted.issuers(context).await? {
        let stored = ca.certificate_by_serial(issuer.name(), &wanted.serial);
        let Some(stored) = stored.await? else {
            continue;
        };
        let Ok(found) = Certificate::from_der(&stored.der) else {
            continue;
        };
        if is_theirs(context, message, &found).await? {
            return Ok(Answer::Success(pkcs7::build(
                [found.der()],
                std::iter::empty::<Vec<u8>>(),
            )));
        }
    }
    Ok(Answer::bare(FailInfo::BadCertId))
}

async fn is_theirs(
    context: &Context<'_>,
    message: &Message,
    found: &Certificate,
) -> Result<bool, Fault> {
    if found.spki_der() == message.signer_key.spki_der() {
        return Ok(true);
    }
    let registration = context.devices.registration();
    let chain = [message.signer.clone()];
    let holder = registration.holder(&context.endpoint, &chain, context.now);
    Ok(holder.await?.is_ok_and(|holder| {
        let subject = holder.certificate.subject();
        !subject.is_empty() && subject.canonical_eq(found.subject())
    }))
}

/// GetCRL: the list on which that certificate would stand. It is public.
pub(super) async fn list(context: &Context<'_>, plain: &[u8]) -> Result<Answer, Fault> {
    let Some(wanted) = Wanted::read(plain) else {
        return Ok(Answer::bare(FailInfo::BadMessageCheck));
    };
    let ca = context.devices.ca();
    for issuer in wanted.issuers(context).await? {
        let stored = ca.certificate_by_serial(issuer.name(), &wanted.serial);
        let partition = stored
            .await?
            .map(|stored| ListKind::Partition(stored.partition));
        // The complete list where there is one; it is what a device without knowledge of partitions wants.
        for kind in [Some(ListKind::Complete), partition].into_iter().flatten() {
            let name = ListName {
                issuer: issuer.name().to_owned(),
                kind,
            };
            if let Some(list) = ca.crl(&name).await? {
                let none = std::iter::empty::<Vec<u8>>();
                return Ok(Answer::Success(pkcs7::build(none, [&list.der])));
            }
        }
    }
    Ok(Answer::bare(FailInfo::BadCertId))
}

//! What a client asks before it asks for anything: what the server can do, whose certificates it has, and which come next
//! (RFC 8894 §3.5, §4.2, §4.7).

use std::sync::Arc;

use ca::{Issuer, IssuerState, Ra};
use x509::cms::SignedDataBuilder;
use x509::{Certificate, Time, oids, pkcs7};

use super::{Context, Fault, reply};
use crate::device::Reply;

/// The registration authority that speaks for the endpoint.
pub(super) async fn registration_authority(context: &Context<'_>) -> Result<Arc<Ra>, Fault> {
    let issuer = context.devices.issuer(&context.endpoint)?;
    let authority = &issuer.record().authority;
    let ca = context.devices.ca();
    Ok(ca.registration_authority(authority, context.now).await?)
}

/// GetCACaps (RFC 8894 §3.5.2). SCEPStandard says AES, SHA-256 and POST already; old clients look for each by name.
pub(super) async fn capabilities(context: &Context<'_>) -> Result<Reply, Fault> {
    let mut lines = vec![
        "AES",
        "POSTPKIOperation",
        "Renewal",
        "SCEPStandard",
        "SHA-256",
        "SHA-512",
    ];
    if context.endpoint.scep.legacy {
        lines.extend(["DES3", "SHA-1"]);
    }
    if predecessor(context)?.is_some() {
        lines.push("GetNextCACert");
    }
    lines.push("");
    Ok(Reply::typed(200, "text/plain", lines.join("\n")))
}

/// GetCACert (RFC 8894 §4.2.1). The registration authority comes first: it is what clients encrypt to, and some take the
/// first certificate for it without looking.
pub(super) async fn certificates(context: &Context<'_>) -> Result<Reply, Fault> {
    let ra = registration_authority(context).await?;
    let mut chain = vec![ra.certificate.clone()];
    chain.extend(above(context, &ra.chain));
    if let [only] = chain.as_slice() {
        let body = only.der().to_vec();
        return Ok(Reply::typed(200, "application/x-x509-ca-cert", body));
    }
    let bundle = pkcs7::build(chain.iter().map(Certificate::der), none());
    let kind = "application/x-x509-ca-ra-cert";
    Ok(Reply::typed(200, kind, bundle))
}

/// GetNextCACert (RFC 8894 §4.7): the generation that took over, signed by the one before it, which the client trusts.
pub(super) async fn next(context: &Context<'_>) -> Result<Reply, Fault> {
    let Some(before) = predecessor(context)? else {
        let text = "there is no next CA certificate\n";
        return Ok(Reply::typed(404, "text/plain", text));
    };
    let Some(signer) = before.signer() else {
        let text = "the key of the earlier CA certificate is away\n";
        return Ok(Reply::typed(404, "text/plain", text));
    };
    let ra = registration_authority(context).await?;
    let mut next = above(context, &ra.chain);
    next.push(ra.certificate.clone());
    let bundle = pkcs7::build(next.iter().map(Certificate::der), none());
    let builder = SignedDataBuilder::new(oids::DATA, bundle).certificates([before.certificate()]);
    let message = reply::signed_by_issuer(builder, before.certificate(), signer).await?;
    Ok(Reply::typed(
        200,
        "application/x-x509-next-ca-cert",
        message,
    ))
}

/// The generation before the one that issues now, while it is valid.
fn predecessor(context: &Context<'_>) -> Result<Option<Arc<Issuer>>, Fault> {
    let ca = context.devices.ca();
    let current = context.devices.issuer(&context.endpoint)?;
    let now = Time(context.now.seconds());
    let issuers = ca.issuers().into_iter();
    let mut before: Vec<Arc<Issuer>> = issuers
        .filter(|issuer| {
            let record = issuer.record();
            record.authority == current.record().authority
                && record.generation < current.record().generation
                && record.state == IssuerState::Superseded
                && issuer.certificate().is_valid_at(now)
        })
        .collect();
    before.sort_by_key(|issuer| issuer.record().generation);
    Ok(before.pop())
}

/// A chain with the root that it leads to, if that is known: clients pin it.
fn above(context: &Context<'_>, chain: &[Certificate]) -> Vec<Certificate> {
    let mut whole = chain.to_vec();
    let issuers = context.devices.ca().issuers();
    let root = whole.last().filter(|top| !top.is_self_issued());
    let root = root.and_then(|top| {
        issuers
            .iter()
            .map(|issuer| issuer.certificate())
            .find(|root| {
                root.is_self_issued()
                    && root.subject().canonical_eq(top.issuer())
                    && root
                        .public_key()
                        .is_ok_and(|key| top.verify_signed_by(&key).is_ok())
            })
    });
    if let Some(root) = root.cloned() {
        whole.push(root);
    }
    whole
}

/// No CRLs.
fn none() -> std::iter::Empty<Vec<u8>> {
    std::iter::empty()
}

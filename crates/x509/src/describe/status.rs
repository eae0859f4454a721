//! CRLs and OCSP messages as JSON.

use serde_json::{Value, json};

use super::{
    Kind, extension,
    object::{algorithm, certificate_value, hex_colon, name},
};
use crate::{
    Error,
    crl::{CertificateList, Reason, RevokedEntry},
    ocsp::{CertId, Request, ResponderId, Response, SingleResponse, SingleStatus},
};

/// Entries listed; the count is always of all.
const MAX_ENTRIES: usize = 1000;

pub(super) fn crl(der: &[u8]) -> Result<Value, Error> {
    let list = CertificateList::from_der(der)?;
    let mut listed = Vec::new();
    let mut count = 0usize;
    let mut broken = None;
    for revoked in list.entries() {
        match revoked {
            Ok(revoked) if listed.len() < MAX_ENTRIES => listed.push(entry(&revoked)),
            Ok(_) => {}
            Err(error) => broken = Some(error.to_string()),
        }
        count += 1;
    }
    Ok(json!({
        "kind": Kind::Crl.name(),
        "version": list.version(),
        "issuer": name(list.issuer()),
        "thisUpdate": list.this_update().to_string(),
        "nextUpdate": list.next_update().map(|t| t.to_string()),
        "extensions": extension::describe_all(list.extensions()),
        "signatureAlgorithm": algorithm(list.signature_algorithm()),
        "entryCount": count,
        "entries": listed,
        "entriesOmitted": count.saturating_sub(MAX_ENTRIES),
        "entriesError": broken,
        "size": der.len(),
    }))
}

fn entry(revoked: &RevokedEntry) -> Value {
    json!({
        "serial": hex_colon(&revoked.serial),
        "date": revoked.date.to_string(),
        "reason": revoked.reason,
        "invalidityDate": revoked.invalidity_date.map(|t| t.to_string()),
        "certificateIssuer": revoked.certificate_issuer.as_ref().map(name),
    })
}

pub(super) fn ocsp_request(der: &[u8]) -> Result<Value, Error> {
    let request = Request::parse(der)?;
    Ok(json!({
        "kind": Kind::OcspRequest.name(),
        "certificates": request.cert_ids.iter().map(cert_id).collect::<Vec<_>>(),
        "nonce": request.nonce.map(|nonce| hex::encode(nonce.octets())),
        "signed": request.signed,
        "size": der.len(),
    }))
}

pub(super) fn ocsp_response(der: &[u8]) -> Result<Value, Error> {
    let response = Response::parse(der)?;
    let Some(basic) = response.basic else {
        return Ok(json!({
            "kind": Kind::OcspResponse.name(),
            "status": response.status.name(),
            "size": der.len(),
        }));
    };
    Ok(json!({
        "kind": Kind::OcspResponse.name(),
        "status": response.status.name(),
        "responder": match &basic.data.responder {
            ResponderId::ByName(responder) => name(responder),
            ResponderId::ByKey(hash) => format!("key {}", hex_colon(hash)),
        },
        "producedAt": basic.data.produced_at.to_string(),
        "answers": basic.data.responses.iter().map(answer).collect::<Vec<_>>(),
        "nonce": basic.data.nonce.map(|nonce| hex::encode(nonce.octets())),
        "signatureAlgorithm": algorithm(&basic.algorithm),
        "certificates": basic.certificates.iter().map(certificate_value).collect::<Vec<_>>(),
        "size": der.len(),
    }))
}

fn answer(single: &SingleResponse) -> Value {
    let (status, revoked_at, reason): (&str, Option<String>, Option<Reason>) = match single.status {
        SingleStatus::Good => ("good", None, None),
        SingleStatus::Unknown => ("unknown", None, None),
        SingleStatus::Revoked { time, reason } => ("revoked", Some(time.to_string()), reason),
    };
    json!({
        "certificate": cert_id(&single.cert_id),
        "status": status,
        "revokedAt": revoked_at,
        "reason": reason,
        "thisUpdate": single.this_update.to_string(),
        "nextUpdate": single.next_update.map(|t| t.to_string()),
        "archiveCutoff": single.archive_cutoff.map(|t| t.to_string()),
    })
}

fn cert_id(id: &CertId) -> Value {
    json!({
        "serial": hex_colon(id.serial()),
        "hashAlgorithm": extension::oid(&id.hash_algorithm().oid()),
        "issuerNameHash": hex::encode(id.issuer_name_hash()),
        "issuerKeyHash": hex::encode(id.issuer_key_hash()),
    })
}

//! tls-alpn-01 (RFC 8737): the TLS server that the name points to shows a self-signed certificate made
//! for this challenge, over a protocol that no other server speaks.

use aws_lc_rs::digest::{SHA256, digest};
use x509::{Certificate, Extension, GeneralName, Oid, der::Tag, der::encode};

use super::{Check, Failure, FailureKind, Identifier, attempt::Attempt, connect, tls, url::Host};

/// id-pe-acmeIdentifier, 1.3.6.1.5.5.7.1.31 (RFC 8737 §6.1).
const ACME_IDENTIFIER: Oid = Oid::from_bytes(&[0x2b, 6, 1, 5, 5, 7, 1, 31]);

/// Octets of a handshake that are read.
const MOST_READ: usize = 128 * 1024;

pub(super) async fn prove(check: &Check, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let (host, name) = match &check.identifier {
        Identifier::Dns(name) => (Host::Dns(name.clone()), name.clone()),
        Identifier::Ip(address) => (Host::Ip(*address), tls::reverse_name(*address)),
    };
    let addresses = connect::vetted(&host, &check.rules, attempt).await?;
    let stream = connect::connect(&addresses, check.rules.tls_port, MOST_READ, attempt).await?;
    let handshake = tls::connect_to_acme_responder(stream, &name);
    let stream = attempt.deadline.run(handshake).await.map_err(|late| {
        Failure::new(
            FailureKind::Connection,
            format!("TLS handshake for {name}: {late}"),
        )
    })??;
    let (_, connection) = stream.get_ref();
    if connection.alpn_protocol() != Some(tls::ACME_TLS) {
        let detail =
            format!("the server for {name} did not choose the protocol acme-tls/1 (RFC 8737 §4)");
        return Err(Failure::new(FailureKind::Unauthorized, detail));
    }
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    let judged = match shown {
        Some(der) => judge(der, &check.identifier, &check.key_authorization),
        None => Err("the server showed no certificate".to_owned()),
    };
    judged.map_err(|why| {
        let detail = format!("the certificate that the server for {name} showed: {why}");
        Failure::new(FailureKind::Unauthorized, detail)
    })
}

/// RFC 8737 §3: self-signed, exactly the identifier, and the digest in a critical extension. Validity
/// dates are not asked for there, and devices' clocks are wrong.
fn judge(der: &[u8], identifier: &Identifier, key_authorization: &str) -> Result<(), String> {
    let certificate = Certificate::from_der(der).map_err(|e| format!("it cannot be read: {e}"))?;
    let key = certificate
        .public_key()
        .map_err(|e| format!("its key: {e}"))?;
    if !certificate.is_self_issued() || certificate.verify_signed_by(&key).is_err() {
        return Err("it is not self-signed".to_owned());
    }
    let names = only(
        &certificate,
        &x509::oids::SUBJECT_ALT_NAME,
        "subjectAltName",
    )?;
    let names: x509::ext::SubjectAltName = x509::ext::ExtensionValue::parse(&names.value)
        .map_err(|e| format!("its subjectAltName: {e}"))?;
    let same = match (names.0.as_slice(), identifier) {
        ([GeneralName::Dns(found)], Identifier::Dns(name)) => x509::dns::eq(found, name),
        ([GeneralName::Ip(found)], Identifier::Ip(address)) => found == address,
        _ => false,
    };
    if !same {
        return Err(format!(
            "its subjectAltName does not hold exactly {identifier}"
        ));
    }
    let proof = only(&certificate, &ACME_IDENTIFIER, "acmeIdentifier")?;
    if !proof.critical {
        return Err("its acmeIdentifier extension is not critical".to_owned());
    }
    let expected = digest(&SHA256, key_authorization.as_bytes());
    if proof.value != encode(Tag::OCTET_STRING, expected.as_ref()) {
        let what =
            "its acmeIdentifier extension does not hold the SHA-256 of the key authorization";
        return Err(what.to_owned());
    }
    Ok(())
}

fn only<'a>(certificate: &'a Certificate, oid: &Oid, what: &str) -> Result<&'a Extension, String> {
    let mut found = certificate.extensions().iter().filter(|e| e.oid == *oid);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!("it has no {what} extension")),
        (Some(_), Some(_)) => Err(format!("it has two {what} extensions")),
    }
}

/// Judges `data` as a certificate: for fuzzing.
pub(super) fn exercise(data: &[u8]) {
    let identifier = Identifier::Dns("a.example".to_owned());
    let _ = judge(data, &identifier, "token.thumbprint");
}

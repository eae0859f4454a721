//! Renewal information (RFC 9773): who asks with the identifier of a certificate learns when to renew it.

use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca::{CertificateState, StoredCertificate};
use serde::Serialize;
use x509::Time;

use super::problem::Problem;
use super::renewal::{self, Renewable};
use super::{Acme, Directory, Reply};

/// RFC 9773 §4.2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RenewalInfo<'a> {
    suggested_window: Window,
    #[serde(rename = "explanationURL", skip_serializing_if = "Option::is_none")]
    explanation_url: Option<&'a str>,
}

#[derive(Serialize)]
struct Window {
    start: String,
    end: String,
}

/// Longest identifier: 64 octets of key identifier and 21 of serial number, in base64url.
const LONGEST: usize = 120;

/// GET renewal-info/{certid}: no signature, no nonce.
pub(crate) async fn show(
    acme: &Acme,
    directory: &Directory,
    certificate_id: &str,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let Some(certificate) = find(acme, certificate_id).await? else {
        return Err(Problem::not_found(
            "this authority has issued no certificate with this identifier (RFC 9773 §4.1)",
        ));
    };
    let recall = acme.inner.recalls.of(&certificate);
    let lost = certificate.state == CertificateState::Revoked;
    let renewable = Renewable {
        not_before: certificate.not_before.0,
        not_after: certificate.not_after.0,
        serial: &certificate.serial,
        revoked: certificate.revoked_at.filter(|_| lost),
        recalled: recall
            .as_ref()
            .map(|recall| recall.created.div_euclid(1000)),
    };
    let window = renewal::window(&renewable, &directory.renewal, None, now.seconds());
    let recalled = recall
        .as_ref()
        .and_then(|recall| recall.explanation.as_deref());
    let info = RenewalInfo {
        suggested_window: Window {
            start: Time(window.start).to_string(),
            end: Time(window.end).to_string(),
        },
        explanation_url: recalled.or(directory.renewal.explanation.as_deref()),
    };
    Ok(Reply::json(200, &info).retry_after(directory.renewal.poll))
}

/// The certificate that an identifier names: `base64url(key identifier of the issuer).base64url(serial number)`
/// (RFC 9773 §4.1), both without padding. Orders name what they replace with it too (§5).
pub(crate) async fn find(
    acme: &Acme,
    certificate_id: &str,
) -> Result<Option<StoredCertificate>, Problem> {
    let (key_id, serial) = parse(certificate_id).ok_or_else(|| {
        Problem::malformed(
            "a certificate's identifier is base64url of its authorityKeyIdentifier, a dot, and base64url of its serial number, without padding (RFC 9773 §4.1)",
        )
    })?;
    let ca = &acme.inner.ca;
    let Some(issuer) = ca
        .issuers()
        .into_iter()
        .find(|issuer| issuer.key_id() == key_id)
    else {
        return Ok(None);
    };
    let found = ca.certificate_by_serial(issuer.name(), &serial).await;
    found.map_err(|error| Problem::internal(&error))
}

pub(crate) fn parse(certificate_id: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    if certificate_id.len() > LONGEST {
        return None;
    }
    let (key_id, serial) = certificate_id.split_once('.')?;
    let decode = |part: &str| {
        URL_SAFE_NO_PAD
            .decode(part)
            .ok()
            .filter(|bytes| !bytes.is_empty())
    };
    Some((decode(key_id)?, decode(serial)?))
}

/// The identifier of a certificate.
#[cfg(test)]
pub(crate) fn identifier(key_id: &[u8], serial: &[u8]) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(key_id),
        URL_SAFE_NO_PAD.encode(serial)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9773 §4.1.
    #[test]
    fn the_identifier_of_the_standard() {
        let key_id = hex::decode("69885B6B87464041E1B37B847BA0AE2CDE01C8D4").unwrap();
        let serial = hex::decode("0087654321").unwrap();
        let text = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
        assert_eq!(parse(text), Some((key_id.clone(), serial.clone())));
        assert_eq!(identifier(&key_id, &serial), text);
    }

    #[test]
    fn what_is_no_identifier() {
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "aYhba4dG",
            "aYhba4dG.AIdlQyE=",
            "aYhba4dG.AI+l",
            "aYhba4dG.AIdl.x",
            &"a".repeat(200),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

//! Download of certificates and their alternate chains (RFC 8555 §7.4.2).

use audit::Timestamp;
use ca::{Ca, Issuer};
use x509::Certificate;

use super::accounts::actor_id;
use super::front::Verified;
use super::lately::Fresh;
use super::problem::Problem;
use super::{Acme, Reply};

const PEM: &str = "application/pem-certificate-chain";
const DER: &str = "application/pkix-cert";
const PKCS7: &str = "application/pkcs7-mime";

/// POST-as-GET certificate/{hex sha256}[/{n}].
pub(crate) async fn show(
    acme: &Acme,
    call: &Verified<'_>,
    sha256: &str,
    chain: usize,
    _now: Timestamp,
) -> Result<Reply, Problem> {
    let stored = own(acme, call, sha256).await?;
    let ca = &acme.inner.ca;
    let issuer = ca
        .issuer(&stored.issuer)
        .map_err(|error| Problem::internal(&error))?;
    let chains = chains(ca, &issuer);
    let Some(chosen) = chains.get(chain) else {
        return Err(Problem::not_found("there is no such chain"));
    };
    let mut reply = match wanted(call.request.accept) {
        DER => Reply::typed(200, DER, stored.der),
        PKCS7 => {
            let above = chosen.iter().map(Certificate::der);
            let all = std::iter::once(stored.der.as_slice()).chain(above);
            let none = std::iter::empty::<&[u8]>();
            Reply::typed(200, PKCS7, x509::pkcs7::build(all, none))
        }
        _ => Reply::typed(200, PEM, pem(&stored.der, chosen)),
    };
    for other in (0..chains.len()).filter(|other| *other != chain) {
        let url = match other {
            0 => call.url(&format!("certificate/{sha256}")),
            other => call.url(&format!("certificate/{sha256}/{other}")),
        };
        reply = reply.link(&url, "alternate");
    }
    Ok(reply)
}

fn pem(leaf: &[u8], chain: &[Certificate]) -> String {
    let mut pem = x509::pem::encode(x509::pem::CERTIFICATE, leaf);
    for certificate in chain {
        pem.push_str(&certificate.to_pem());
    }
    pem
}

/// A certificate that the calling account was issued.
async fn own(acme: &Acme, call: &Verified<'_>, sha256: &str) -> Result<Fresh, Problem> {
    let unknown = || Problem::not_found("there is no such certificate");
    let mut hash = [0; 32];
    // One URL for one certificate.
    let lower = !sha256.bytes().any(|byte| byte.is_ascii_uppercase());
    if !lower || hex::decode_to_slice(sha256, &mut hash).is_err() {
        return Err(unknown());
    }
    let account = &call.account()?.id;
    if let Some(fresh) = acme.inner.lately.fetch(&hash, account) {
        return Ok(fresh);
    }
    let found = acme.inner.ca.certificate(&hash).await;
    let found = found.map_err(|error| Problem::internal(&error))?;
    let stored = found.ok_or_else(unknown)?;
    if stored.requester != actor_id(account) {
        return Err(Problem::unauthorized(
            "this certificate was issued to another account (RFC 8555 §7.4.2)",
        ));
    }
    Ok(Fresh {
        account: account.clone(),
        issuer: stored.issuer,
        der: stored.der,
    })
}

/// The media type that the client would rather have, of those that there are; PEM if it does not say
/// (RFC 8555 §7.4.2, RFC 9110 §12.5.1).
fn wanted(accept: Option<&str>) -> &'static str {
    let mut best = (PEM, 0_u16);
    for range in accept.unwrap_or(PEM).split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1000, thousandths);
        let found = match media.as_str() {
            DER => DER,
            PKCS7 => PKCS7,
            PEM | "*/*" | "application/*" => PEM,
            _ => continue,
        };
        if quality > best.1 {
            best = (found, quality);
        }
    }
    best.0
}

/// `0.8` is 800.
fn thousandths(quality: &str) -> u16 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let fraction: u16 = format!("{fraction:0<3}")
        .get(..3)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    match whole {
        "0" => fraction,
        _ => 1000,
    }
}

/// The chains by which a certificate of this issuer can be verified, each with the certificate that signed it first and
/// without root. The first is the one that everything else of Ward hands out; the others lead to another root: one that
/// is cross-signed, or that cross-signs.
fn chains(ca: &Ca, issuer: &Issuer) -> Vec<Vec<Certificate>> {
    let mut chains = vec![issuer.chain().to_vec()];
    let mut add = |chain: Vec<Certificate>| {
        if !chain.is_empty() && !chains.contains(&chain) {
            chains.push(chain);
        }
    };
    // Upwards: to each root, and past it by each of its cross-certificates.
    let mut path = vec![issuer.record().certificate.clone()];
    let mut at = issuer.record().clone();
    // A hierarchy is two or three deep; a cycle in the records must not hang.
    for _ in 0..8 {
        // Another certificate for this very CA replaces it in the chain.
        for cross in &at.cross {
            let mut crossed = path.clone();
            if at.parent.is_some() || !at.foreign_chain.is_empty() {
                crossed.pop();
            }
            crossed.push(cross.clone());
            add(crossed);
        }
        let Some(parent) = at.parent.as_deref().and_then(|id| ca.issuer(id).ok()) else {
            break;
        };
        at = parent.record().clone();
        if at.parent.is_none() && at.foreign_chain.is_empty() {
            // `at` is a root: the plain chain ends below it.
            add(path.clone());
        } else {
            path.push(at.certificate.clone());
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_the_media_type_that_the_client_prefers() {
        let table = [
            (None, PEM),
            (Some("*/*"), PEM),
            (Some("application/pem-certificate-chain"), PEM),
            (Some("application/pkix-cert"), DER),
            (Some("application/pkcs7-mime"), PKCS7),
            (
                Some("application/pkix-cert;q=0.5, application/pem-certificate-chain"),
                PEM,
            ),
            (Some("application/pkix-cert, */*;q=0.1"), DER),
            (Some("application/pkix-cert; q=0, */*"), PEM),
            (Some("text/html"), PEM),
            (Some(""), PEM),
        ];
        for (accept, expected) in table {
            assert_eq!(wanted(accept), expected, "{accept:?}");
        }
    }
}

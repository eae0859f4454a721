//! Who asks: a certificate shown in TLS, or a name and a password (RFC 7030 §3.2.3, §3.3.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use x509::Certificate;
use zeroize::Zeroizing;

use super::reasons;
use crate::device::registration::Proof;
use crate::device::{Devices, Reply, Request};

/// What the request proves. A device that renews is known by its certificate, and one that enrols by what it was given for
/// it: its TLS certificate may be one that it made itself.
pub(super) fn of(devices: &Devices, request: &Request<'_>, renews: bool) -> Proof {
    let chain: Vec<Certificate> = request.tls.map_or_else(Vec::new, |tls| {
        let chain = tls.peer.iter();
        chain
            .map_while(|der| Certificate::from_der(der).ok())
            .collect()
    });
    let password = request.authorization.and_then(basic);
    match (chain.first(), password) {
        (Some(leaf), Some(password)) if !(renews && is_ours(devices, leaf)) => password,
        (Some(_), _) => Proof::Certificate(chain),
        (None, Some(password)) => password,
        (None, None) => Proof::Nothing,
    }
}

/// Whether a certificate names one of our issuers; whether that is true is decided elsewhere.
fn is_ours(devices: &Devices, leaf: &Certificate) -> bool {
    let issuers = devices.ca().issuers();
    let mut issuers = issuers.iter();
    issuers.any(|issuer| issuer.certificate().subject().der() == leaf.issuer().der())
}

/// RFC 7617 §2: `Basic`, and user and password in base64. Everything after the first colon is the password.
fn basic(authorization: &str) -> Option<Proof> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Proof::Http {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    })
}

/// RFC 7030 §3.2.3: the client may repeat its request with a password. Why it is asked is not said.
pub(super) fn challenge(endpoint: &str) -> Reply {
    // Names of endpoints are lower-case letters, digits and hyphens.
    let realm = format!("Basic realm=\"EST {endpoint}\", charset=\"UTF-8\"");
    let reply = reasons::text(
        401,
        "this endpoint wants a certificate that it knows, or a name and a password that may enrol here",
    );
    match HeaderValue::try_from(realm) {
        Ok(realm) => reply.header(WWW_AUTHENTICATE, realm),
        Err(_) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read_as_rfc_7617_has_them() {
        let read = |text: &str| match basic(text) {
            Some(Proof::Http { user, password }) => Some((user, password.to_string())),
            _ => None,
        };
        let expected = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        // The example of RFC 7617 §2.
        assert_eq!(
            read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            expected("Aladdin", "open sesame")
        );
        assert_eq!(read("basic  cDpx"), expected("p", "q"));
        assert_eq!(read("Basic OmE6Yg=="), expected("", "a:b"));
        for wrong in [
            "",
            "Basic",
            "Basic !",
            "Basic cHE=",
            "Bearer QTpC",
            "Basic /w==",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

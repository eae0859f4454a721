//! Cookies (RFC 6265bis): read without trusting that there is one of a name, written with every attribute that binds them.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue, InvalidHeaderValue};

use crate::problem::Problem;

/// `__Host-`: set by this very host, over TLS, for every path, and by no neighbour in the domain (RFC 6265bis §4.1.3.2).
pub(crate) const SESSION: &str = "__Host-ward-session";
/// Between the start of a sign-in at a provider and its end.
pub(crate) const OIDC: &str = "__Host-ward-oidc";

/// What a request proves itself with.
pub(crate) enum Credentials<'a> {
    None,
    Bearer(&'a str),
    Cookie(&'a str),
}

impl<'a> Credentials<'a> {
    /// One or the other: a page that could add a token to a person's cookie would make two people of one request.
    pub(crate) fn of(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let authorization = headers.get(AUTHORIZATION);
        let bearer = authorization
            .and_then(|value| value.to_str().ok())
            .and_then(bearer);
        match (bearer, value(headers, SESSION)?) {
            (Some(_), Some(_)) => Err(Problem::malformed(
                "a bearer token and a session's cookie: send one of them",
            )),
            (Some(token), None) => Ok(Credentials::Bearer(token)),
            (None, Some(secret)) => Ok(Credentials::Cookie(secret)),
            (None, None) => Ok(Credentials::None),
        }
    }
}

/// The token of `Bearer TOKEN`; the scheme's name in any case (RFC 9110 §11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

/// The value of a cookie. Two of one name are refused: which of them counts would be for whoever planted the other to say.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Problem::malformed(format!("two cookies are called {name}"))),
        (value, None) => Ok(value),
    }
}

/// The session's cookie: gone when the browser closes, never sent from another site's page.
pub(crate) fn session(secret: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    sensitive(&format!(
        "{SESSION}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict"
    ))
}

/// Takes the session's cookie away.
pub(crate) fn no_session() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-ward-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
    )
}

/// `Lax`: the provider sends the browser back by a navigation, which `Strict` would not let through.
pub(crate) fn oidc(sealed: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let seconds = access::CEREMONY_MS / 1000;
    sensitive(&format!(
        "{OIDC}={sealed}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"
    ))
}

/// Takes the provider's cookie away.
pub(crate) fn no_oidc() -> HeaderValue {
    HeaderValue::from_static("__Host-ward-oidc=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

fn sensitive(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

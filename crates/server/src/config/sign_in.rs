//! `[sign_in]`: how people come in (R07, R37). Everything has a default but identity providers and client certificates,
//! which nobody can be let in by unless somebody says so here.

use std::path::{Path, PathBuf};

use access::SessionRules;
use hyper::Uri;
use serde::Deserialize;

use super::origin;

/// Longest text that says whom to ask, in characters.
const LONGEST_CONTACT: usize = 200;

/// How people sign in, checked.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// `https://host[:port]` of the console; `None`: `listen.url`, or the first of `listen.names`.
    pub origin: Option<String>,
    /// What authenticators show beside it.
    pub name: String,
    /// Whom those may ask who cannot come in: a line of text that everybody can read at the door.
    pub contact: Option<String>,
    pub sessions: SessionRules,
    /// How long a one-time link works.
    pub invitation_ms: i64,
    pub certificate: Option<CertificateSignIn>,
    pub oidc: Vec<Oidc>,
}

/// Whose client certificates are sign-ins.
#[derive(Clone, Debug)]
pub struct CertificateSignIn {
    /// Profiles of this Ward that are given to people.
    pub profiles: Vec<String>,
    pub name: CertificateName,
}

/// What in a certificate says who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateName {
    /// An e-mail address, held against the person's.
    Email,
    /// A user principal name, held against the person's address.
    Upn,
    /// The common name, held against the person's id.
    Cn,
}

/// An OpenID provider.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Part of URLs and of links to people: never change it.
    pub name: String,
    /// What people read on the button.
    pub label: String,
    /// As the provider's tokens name it, to the letter.
    pub issuer: String,
    pub client_id: String,
    /// Its first line is the secret; read for each use, so that it can be changed. `None`: a public client.
    pub client_secret_file: Option<PathBuf>,
    pub scopes: Vec<String>,
    /// The claim that lists groups.
    pub groups_claim: Option<String>,
    /// A verified address links (rule 2 of docs/sign-in.md).
    pub links_by_email: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    origin: Option<String>,
    name: String,
    contact: Option<String>,
    hours: u32,
    idle_minutes: u32,
    sessions: u32,
    invitation_hours: u32,
    certificate: Option<RawCertificate>,
    oidc: Vec<RawOidc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCertificate {
    profiles: Vec<String>,
    name: CertificateName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOidc {
    name: String,
    label: Option<String>,
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    #[serde(default)]
    scopes: Vec<String>,
    groups_claim: Option<String>,
    #[serde(default)]
    link: Link,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Link {
    #[default]
    Subject,
    Email,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            origin: None,
            name: "Ward".into(),
            contact: None,
            hours: 8,
            idle_minutes: 15,
            sessions: 5,
            invitation_hours: 24,
            certificate: None,
            oidc: Vec::new(),
        }
    }
}

type Fault = (&'static str, String, &'static str);

/// Key, found and expected, of what cannot be.
pub(super) fn check(data: &Path, raw: Raw) -> Result<SignIn, Fault> {
    let range = |key, found: u32, most: u32, expected| match (1..=most).contains(&found) {
        true => Ok(i64::from(found)),
        false => Err((key, found.to_string(), expected)),
    };
    let hours = range("sign_in.hours", raw.hours, 24, "expected 1 to 24 hours")?;
    let idle = range(
        "sign_in.idle_minutes",
        raw.idle_minutes,
        24 * 60,
        "expected 1 to 1440 minutes",
    )?;
    range(
        "sign_in.sessions",
        raw.sessions,
        100,
        "expected 1 to 100 sessions",
    )?;
    let invitation = range(
        "sign_in.invitation_hours",
        raw.invitation_hours,
        14 * 24,
        "expected 1 to 336 hours",
    )?;
    let origin = raw.origin.map(|text| {
        origin(&text).ok_or((
            "sign_in.origin",
            text,
            "expected https://HOST or https://HOST:PORT without a path",
        ))
    });
    let contact = raw.contact.map(|text| match is_contact(&text) {
        true => Ok(text),
        false => Err((
            "sign_in.contact",
            text,
            "expected one line of 1 to 200 characters without control characters, for example \"IT help desk, extension 4711\"",
        )),
    });
    let certificate = raw.certificate.map(|raw| match raw.profiles.is_empty() {
        true => Err((
            "sign_in.certificate.profiles",
            String::new(),
            "expected at least one profile whose certificates are people's",
        )),
        false => Ok(CertificateSignIn {
            profiles: raw.profiles,
            name: raw.name,
        }),
    });
    let mut oidc: Vec<Oidc> = Vec::new();
    for raw in raw.oidc {
        let provider = provider(data, raw)?;
        if oidc.iter().any(|other| other.name == provider.name) {
            return Err((
                "sign_in.oidc.name",
                provider.name,
                "expected names that differ",
            ));
        }
        oidc.push(provider);
    }
    Ok(SignIn {
        origin: origin.transpose()?,
        name: raw.name,
        contact: contact.transpose()?,
        sessions: SessionRules {
            absolute_ms: hours * 3_600_000,
            idle_ms: idle * 60_000,
            most: raw.sessions,
        },
        invitation_ms: invitation * 3_600_000,
        certificate: certificate.transpose()?,
        oidc,
    })
}

/// A line that is shown as it is; what it holds is never markup.
fn is_contact(text: &str) -> bool {
    // The line and paragraph separators of Unicode end a line as well.
    let is_odd = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    !text.trim().is_empty() && text.chars().count() <= LONGEST_CONTACT && !text.chars().any(is_odd)
}

fn provider(data: &Path, raw: RawOidc) -> Result<Oidc, Fault> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=32).contains(&raw.name.len()) || !raw.name.bytes().all(plain) {
        return Err((
            "sign_in.oidc.name",
            raw.name,
            "expected 1 to 32 of a-z, 0-9 and -",
        ));
    }
    if !is_provider_url(&raw.issuer) || raw.issuer.contains('?') {
        return Err((
            "sign_in.oidc.issuer",
            raw.issuer,
            "expected https://HOST[/PATH] without query, as the provider's tokens name it",
        ));
    }
    if raw.client_id.is_empty() {
        return Err((
            "sign_in.oidc.client_id",
            raw.client_id,
            "expected the id that the provider gave",
        ));
    }
    let mut scopes = raw.scopes;
    if scopes.is_empty() {
        scopes = vec!["openid".into(), "profile".into(), "email".into()];
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        return Err((
            "sign_in.oidc.scopes",
            scopes.join(" "),
            "expected openid among them (OpenID Connect Core §3.1.2.1)",
        ));
    }
    Ok(Oidc {
        label: raw.label.unwrap_or_else(|| raw.name.clone()),
        name: raw.name,
        issuer: raw.issuer,
        client_id: raw.client_id,
        client_secret_file: raw.client_secret_file.map(|file| data.join(file)),
        scopes,
        groups_claim: raw.groups_claim,
        links_by_email: raw.link == Link::Email,
    })
}

/// HTTPS; plain HTTP only to this machine, where nobody is in between (a tunnel, a test).
pub(crate) fn is_provider_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let here = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let scheme = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => here,
        _ => false,
    };
    scheme && uri.host().is_some() && !text.contains(['#', '@'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn contact(text: &str) -> Result<Option<String>, Fault> {
        let raw = Raw {
            contact: Some(text.to_owned()),
            ..Raw::default()
        };
        check(Path::new("."), raw).map(|checked| checked.contact)
    }

    #[test]
    fn r37_whom_to_ask_is_one_short_line() {
        let longest = "é".repeat(200);
        for text in ["IT help desk, extension 4711", "<b>R&D</b>", &longest] {
            assert_eq!(contact(text).unwrap().as_deref(), Some(text));
        }
        for text in [
            "",
            "  ",
            "two\nlines",
            "a\u{2028}b",
            "bell\u{7}",
            &"x".repeat(201),
        ] {
            let (key, found, _) = contact(text).unwrap_err();
            assert_eq!((key, found.as_str()), ("sign_in.contact", text));
        }
        let silent = check(Path::new("."), Raw::default()).unwrap();
        assert_eq!(silent.contact, None);
    }
}

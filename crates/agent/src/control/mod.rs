//! Proof of control of an identifier: http-01 and dns-01 (RFC 8555 §8.3, §8.4), tls-alpn-01 (RFC 8737),
//! dns-account-01 (draft-ietf-acme-dns-account-label), for names and addresses (RFC 8738), and CAA
//! (RFC 8659, RFC 8657).
//!
//! The other side is hostile until proven otherwise: it chooses where names point, what servers answer
//! and how slowly. So every address is vetted by [`Rules`] before it is connected to, every step has a
//! time and a size, and nothing is believed but what the challenge asks for.

mod attempt;
mod caa;
mod check;
mod connect;
mod dns01;
mod http01;
mod metered;
mod network;
mod places;
mod rules;
mod tls;
mod tls_alpn01;
mod url;
mod vet;

use std::{path::Path, sync::Arc};

pub use check::{
    CaaQuery, ChallengeKind, Check, Failure, FailureKind, Identifier, Proof, UnknownChallenge,
};
pub use network::{BadNetwork, Network};
pub use rules::{BadRules, Rules};

use attempt::Attempt;
use places::Places;

use crate::dns::Resolver;

/// Runs checks. Cheap to clone; one a process is enough.
#[derive(Clone)]
pub struct Validator(Arc<Inner>);

struct Inner {
    resolver: Resolver,
    places: Places,
}

impl Default for Validator {
    fn default() -> Self {
        Self::new()
    }
}

impl Validator {
    /// With this machine's hosts file and resolvers for [`Rules`] that name none.
    pub fn new() -> Self {
        Self::with_system(Path::new("/etc/hosts"), Path::new("/etc/resolv.conf"))
    }

    /// With other files in their place.
    pub fn with_system(hosts: &Path, resolv_conf: &Path) -> Self {
        Self(Arc::new(Inner {
            resolver: Resolver::new(hosts, resolv_conf),
            places: Places::default(),
        }))
    }

    /// Tries once to prove control, and then asks for CAA if the check wants it. Whether and when to try
    /// again is the caller's decision ([`Failure::retry`] says whether it could help). Dropping the
    /// future ends the attempt; no task outlives it.
    pub async fn check(&self, check: Check) -> Result<Proof, Failure> {
        sane(&check)?;
        let mut attempt = Attempt::new(&self.0.resolver, &check.rules, check.kind);
        let place = attempt.deadline.run(self.0.places.take(&check.account_url));
        let Ok(_place) = place.await else {
            let detail = "too many checks of this account are under way; try again later";
            return Err(Failure::new(FailureKind::Connection, detail));
        };
        match (check.kind, &check.identifier) {
            (ChallengeKind::Http01, _) => http01::prove(&check, &mut attempt).await?,
            (ChallengeKind::TlsAlpn01, _) => tls_alpn01::prove(&check, &mut attempt).await?,
            (_, Identifier::Dns(name)) => dns01::prove(name, &check, &mut attempt).await?,
            (_, Identifier::Ip(_)) => return Err(unsuited(&check)),
        }
        if let (Some(query), Identifier::Dns(name)) = (&check.caa, &check.identifier) {
            attempt.proof.caa = caa::permits(name, query, &check.rules, &attempt).await?;
        }
        Ok(attempt.finish())
    }

    /// Asks only whether CAA lets one of `query.identities` issue for `name` (a DNS name without
    /// `*.`). `Ok` names the owner of the records that decided; `None` if there are none.
    pub async fn caa(
        &self,
        name: &str,
        query: &CaaQuery,
        rules: &Rules,
    ) -> Result<Option<String>, Failure> {
        let attempt = Attempt::new(&self.0.resolver, rules, ChallengeKind::Dns01);
        caa::permits(name, query, rules, &attempt).await
    }
}

/// Whether the check makes sense at all, before anything is asked of anybody. Token and key
/// authorization end in a URL and in comparisons; both are base64url (RFC 8555 §8.1, §8.3).
fn sane(check: &Check) -> Result<(), Failure> {
    if !check.kind.suits(&check.identifier, check.wildcard) {
        return Err(unsuited(check));
    }
    let token = |t: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (1..=256).contains(&t.len()) && t.bytes().all(fits)
    };
    let authorization = check.key_authorization.split_once('.');
    if !token(&check.token)
        || !authorization.is_some_and(|(t, print)| t == check.token && token(print))
    {
        let detail =
            "the key authorization is not the token, a dot and a thumbprint (RFC 8555 §8.1)";
        return Err(Failure::new(FailureKind::Malformed, detail));
    }
    Ok(())
}

fn unsuited(check: &Check) -> Failure {
    let wildcard = if check.wildcard { "*." } else { "" };
    let detail = format!(
        "{} cannot prove control of {wildcard}{}",
        check.kind, check.identifier
    );
    Failure::new(FailureKind::Malformed, detail)
}

/// Readers of outside bytes, for fuzzing and for tests with arbitrary bytes; public for that only.
#[doc(hidden)]
pub mod exercise {
    pub fn dns_answer(data: &[u8]) {
        crate::dns::exercise(data);
    }

    pub fn redirect(data: &[u8]) {
        super::url::exercise(data);
    }

    pub fn caa_value(data: &[u8]) {
        super::caa::exercise(data);
    }

    pub fn tls_alpn_certificate(data: &[u8]) {
        super::tls_alpn01::exercise(data);
    }
}

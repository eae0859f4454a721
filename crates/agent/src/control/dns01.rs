//! dns-01 (RFC 8555 §8.4) and dns-account-01 (draft-ietf-acme-dns-account-label): the zone has a digest of
//! the key authorization in a TXT record.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{ChallengeKind, Check, Failure, FailureKind, attempt::Attempt, connect};
use crate::dns::{Data, Kind, Name};

/// Values that the subscriber is shown, and characters of each.
const SHOWN: usize = 3;
const SHOWN_CHARACTERS: usize = 60;

pub(super) async fn prove(
    name: &str,
    check: &Check,
    attempt: &mut Attempt<'_>,
) -> Result<(), Failure> {
    let owner = match check.kind {
        ChallengeKind::DnsAccount01 => {
            format!(
                "{}._acme-challenge.{name}",
                account_label(&check.account_url)
            )
        }
        _ => format!("_acme-challenge.{name}"),
    };
    let asked =
        Name::parse(&owner).map_err(|e| Failure::new(FailureKind::Malformed, e.to_string()))?;
    let rules = &check.rules;
    let lookup = attempt
        .resolver
        .records(&asked, Kind::Txt, &rules.resolvers, &attempt.deadline)
        .await
        .map_err(connect::dns)?;
    attempt.proof.resolver = Some(lookup.from.to_string());
    let at = lookup.names.join(" → ");
    attempt.proof.names = lookup.names;
    let values: Vec<Vec<u8>> = lookup
        .records
        .into_iter()
        .filter_map(|data| match data {
            Data::Txt(value) => Some(value),
            _ => None,
        })
        .collect();
    if values.is_empty() {
        let what = match lookup.absent {
            true => "does not exist (NXDOMAIN)",
            false => "has no TXT record",
        };
        let detail = format!("{at} {what}, says resolver {}", lookup.from);
        return Err(Failure::new(FailureKind::Dns, detail));
    }
    let expected = digest_of(&check.key_authorization);
    if values.iter().any(|v| v == expected.as_bytes()) {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Unauthorized,
        format!(
            "no TXT record of {at} is {expected:?}; found {}",
            shown(&values)
        ),
    ))
}

/// What the record holds: SHA-256 of the key authorization in base64url.
fn digest_of(key_authorization: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, key_authorization.as_bytes()))
}

/// `_` and the first ten octets of the account URL's SHA-256 in base32, lower case (draft §3.2).
fn account_label(account_url: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = digest(&SHA256, account_url.as_bytes());
    let bits = hash
        .as_ref()
        .iter()
        .take(10)
        .fold(0_u128, |n, b| n << 8 | u128::from(*b));
    let letters = (0..16).rev().filter_map(|i| {
        let index = usize::try_from(bits >> (5 * i) & 31).ok()?;
        ALPHABET.get(index).map(|b| char::from(*b))
    });
    std::iter::once('_').chain(letters).collect()
}

fn shown(values: &[Vec<u8>]) -> String {
    let mut parts: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|v| {
            let text = String::from_utf8_lossy(v.get(..SHOWN_CHARACTERS).unwrap_or(v));
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            format!("{text:?}")
        })
        .collect();
    if values.len() > SHOWN {
        parts.push(format!("and {} more", values.len() - SHOWN));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the draft's section 3.2.
    #[test]
    fn the_drafts_account_label() {
        let label = account_label("https://example.com/acme/acct/ExampleAccount");
        assert_eq!(label, "_ujmmovf2vn55tgye");
    }
}

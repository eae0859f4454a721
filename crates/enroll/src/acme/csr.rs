//! The request of a finalize against its order (RFC 8555 §7.4): exactly the order's names, and a key of its own.

use std::collections::HashSet;

use agent::control::Identifier;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use x509::ext::{SubjectAltName, TlsFeature};
use x509::{CertificationRequest, GeneralName, oids};

use super::Account;
use super::identifier::Wanted;
use super::orders::Order;
use super::problem::{ErrorType, Problem};

/// status_request: the certificate's holder will staple (RFC 7633 §4.1).
const STATUS_REQUEST: u16 = 5;

/// RFC 8555 §7.4.
#[derive(Deserialize)]
pub(crate) struct Finalize {
    csr: String,
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorType::BadCsr, detail.into())
}

impl Finalize {
    /// The request in it, well-formed and with a key that is not weak.
    pub(crate) fn request(&self) -> Result<CertificationRequest, Problem> {
        if self.csr.len() > x509::csr::MAX_SIZE * 4 / 3 + 4 {
            return Err(bad("the request is larger than 64 KiB"));
        }
        if self.csr.starts_with("-----") {
            return Err(Problem::malformed(
                "`csr` is base64url of DER, not PEM (RFC 8555 §7.4)",
            ));
        }
        let der = URL_SAFE_NO_PAD.decode(&self.csr).map_err(|error| {
            Problem::malformed(format!(
                "`csr` is not base64url without padding (RFC 8555 §6.1): {error}"
            ))
        })?;
        CertificationRequest::from_der(&der).map_err(|error| bad(error.to_string()))
    }
}

/// What of the request goes into the certificate beside key and names.
pub(crate) struct Checked {
    pub(crate) must_staple: bool,
}

/// Holds a request against its order. That its key signed it is checked by the CA.
pub(crate) fn check(
    csr: &CertificationRequest,
    order: &Order,
    account: &Account,
) -> Result<Checked, Problem> {
    if csr.public_key().spki_der() == account.key.public.spki_der() {
        return Err(bad(
            "the request has the account's own key (RFC 8555 §11.1); make another",
        ));
    }
    let alternative: Option<SubjectAltName> = extension(csr)?;
    let alternative = alternative.map_or_else(Vec::new, |names| names.0);
    let mut asked: HashSet<Wanted> = HashSet::with_capacity(alternative.len());
    for name in &alternative {
        asked.insert(alternative_name(name)?);
    }
    let ordered: HashSet<&Wanted> = order.names().collect();
    for attribute in csr.subject().attributes() {
        if attribute.oid != oids::COMMON_NAME {
            continue;
        }
        let text = attribute.text();
        // A common name may stand in for the alternative name that it repeats; of addresses it cannot
        // (RFC 8738 §3).
        let name = dns(&text.to_ascii_lowercase());
        if ordered.contains(&name) {
            asked.insert(name);
            continue;
        }
        let address = |name: &&Wanted| name.value() == *text;
        if !asked.iter().any(|name| address(&name)) {
            return Err(bad(format!(
                "the common name {} is none of the order's identifiers (RFC 8555 §7.4)",
                text.escape_default()
            )));
        }
    }
    if let Some(extra) = asked.iter().find(|name| !ordered.contains(name)) {
        return Err(bad(format!(
            "the request names {}, which is not in the order (RFC 8555 §7.4)",
            extra.value()
        )));
    }
    if let Some(missing) = order.names().find(|name| !asked.contains(*name)) {
        return Err(bad(format!(
            "the request does not name {}, which is in the order (RFC 8555 §7.4)",
            missing.value()
        )));
    }
    let features: Option<TlsFeature> = extension(csr)?;
    Ok(Checked {
        must_staple: features.is_some_and(|features| features.0.contains(&STATUS_REQUEST)),
    })
}

fn extension<T: x509::ext::ExtensionValue>(
    csr: &CertificationRequest,
) -> Result<Option<T>, Problem> {
    csr.ext().map_err(|error| {
        let name = T::OID.name().unwrap_or("extension");
        bad(format!("{name}: {error} (RFC 2985 §5.4.2)"))
    })
}

fn alternative_name(name: &GeneralName) -> Result<Wanted, Problem> {
    match name {
        GeneralName::Dns(name) => Ok(dns(&name.to_ascii_lowercase())),
        GeneralName::Ip(ip) => Ok(Wanted {
            identifier: Identifier::Ip(*ip),
            wildcard: false,
        }),
        other => Err(bad(format!(
            "the request has an alternative name of kind {}; orders have dns and ip (RFC 8555 §7.4)",
            other.kind()
        ))),
    }
}

fn dns(name: &str) -> Wanted {
    let base = name.strip_prefix("*.");
    Wanted {
        identifier: Identifier::Dns(base.unwrap_or(name).to_owned()),
        wildcard: base.is_some(),
    }
}

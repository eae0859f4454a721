//! Name constraints of an authority (RFC 5280 §4.2.1.10): as an extension in its certificate, and as a
//! rule for what it issues. A name outside them would be refused by every relying party, so it is
//! refused here first, where somebody can be told.

use std::net::IpAddr;

use access::{NamePattern, Refusal};
use serde::{Deserialize, Serialize};
use x509::ext::{Constraint, GeneralSubtree, IpRange, NameConstraints};

/// Name constraints as they are asked for: DNS zones, mail domains, address ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Constraints {
    /// Permitted DNS zones.
    pub permitted_dns: Vec<String>,
    /// Excluded DNS zones.
    pub excluded_dns: Vec<String>,
    /// Permitted mail domains.
    pub permitted_email: Vec<String>,
    /// Excluded mail domains.
    pub excluded_email: Vec<String>,
    /// Permitted address ranges in CIDR form.
    pub permitted_ip: Vec<String>,
    /// Excluded address ranges in CIDR form.
    pub excluded_ip: Vec<String>,
}

impl Constraints {
    /// Whether nothing is constrained.
    pub fn is_empty(&self) -> bool {
        *self == Constraints::default()
    }

    /// Refuses the first name (`kind:value`) outside the constraints of `authority`.
    pub(crate) fn check(&self, authority: &str, names: &[String]) -> Result<(), Refusal> {
        let kinds = [
            ("dns", &self.permitted_dns, &self.excluded_dns),
            ("email", &self.permitted_email, &self.excluded_email),
            ("ip", &self.permitted_ip, &self.excluded_ip),
        ];
        for (kind, permitted, excluded) in kinds {
            let of_kind = names
                .iter()
                .filter(|name| name.split(':').next() == Some(kind));
            for name in of_kind {
                let within = |list: &[String]| list.iter().any(|base| holds(kind, base, name));
                if (!permitted.is_empty() && !within(permitted)) || within(excluded) {
                    return Err(outside(authority, name, permitted, excluded));
                }
            }
        }
        Ok(())
    }
}

/// Whether `name` lies within `base`, as RFC 5280 §4.2.1.10 reads each kind.
fn holds(kind: &str, base: &str, name: &str) -> bool {
    let zone = base.trim_start_matches('.').to_ascii_lowercase();
    let patterns = match kind {
        "dns" => vec![format!("dns:{zone}"), format!("dns:.{zone}")],
        "email" if base.contains('@') => vec![format!("email:{base}")],
        "email" if base.starts_with('.') => vec![format!("email:*@*.{zone}")],
        "email" => vec![format!("email:*@{zone}")],
        _ => vec![format!("ip:{base}")],
    };
    patterns
        .iter()
        .any(|text| NamePattern::parse(text).is_ok_and(|pattern| pattern.matches(name)))
}

fn outside(authority: &str, name: &str, permitted: &[String], excluded: &[String]) -> Refusal {
    let mut accepted = String::new();
    if !permitted.is_empty() {
        accepted.push_str(&format!("names within {}", permitted.join(", ")));
    }
    if !excluded.is_empty() {
        accepted.push_str(&format!(" names outside {}", excluded.join(", ")));
    }
    Refusal::new(
        "authority.constraints",
        "RFC 5280 §4.2.1.10",
        format!("{name} lies outside the name constraints of {authority}"),
    )
    .accepted(accepted.trim().to_owned())
}

/// As an extension; the error names what cannot be read.
pub(crate) fn name_constraints(wanted: &Constraints) -> Result<NameConstraints, Refusal> {
    Ok(NameConstraints {
        permitted: subtrees(
            &wanted.permitted_dns,
            &wanted.permitted_email,
            &wanted.permitted_ip,
        )?,
        excluded: subtrees(
            &wanted.excluded_dns,
            &wanted.excluded_email,
            &wanted.excluded_ip,
        )?,
    })
}

fn subtrees(
    dns: &[String],
    email: &[String],
    ip: &[String],
) -> Result<Vec<GeneralSubtree>, Refusal> {
    let refuse = |what: &str| {
        Refusal::new(
            "authority.constraints",
            "RFC 5280 §4.2.1.10",
            format!("`{}` cannot constrain names", what.escape_default()),
        )
        .accepted("a DNS zone, a mail domain or address, a range such as 10.20.0.0/16")
    };
    let mut list = Vec::new();
    for zone in dns {
        let zone = zone.trim_start_matches('.').to_ascii_lowercase();
        x509::dns::check(&zone).map_err(|_| refuse(&zone))?;
        list.push(GeneralSubtree::new(Constraint::Dns(zone)));
    }
    for domain in email {
        let host = domain
            .rsplit('@')
            .next()
            .unwrap_or(domain)
            .trim_start_matches('.');
        x509::dns::check(host).map_err(|_| refuse(domain))?;
        list.push(GeneralSubtree::new(Constraint::Email(domain.clone())));
    }
    for range in ip {
        let (address, length) = range.split_once('/').ok_or_else(|| refuse(range))?;
        let address: IpAddr = address.parse().map_err(|_| refuse(range))?;
        let length: u8 = length.parse().map_err(|_| refuse(range))?;
        let network = IpRange::from_prefix(address, length).map_err(|_| refuse(range))?;
        list.push(GeneralSubtree::new(Constraint::Ip(network)));
    }
    Ok(list)
}

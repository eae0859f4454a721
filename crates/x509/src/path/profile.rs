//! What the certificates of a path must be like, beyond the algorithm that walks them: the MUSTs of
//! RFC 5280 §4 for conforming authorities, and what the CA/Browser Forum adds for the Web.

use std::net::IpAddr;

use super::{
    Profile,
    error::{Fault, PathRule, ensure},
    node::{Facts, Node},
};
use crate::{
    GeneralName, Oid, PublicKeyKind,
    ext::{AuthorityInfoAccess, KeyUsage},
    oids,
};

/// Where on the path a certificate stands. What only helps to find or tell apart a certificate, its serial
/// number and its issuer's key, is not asked of an anchor, which nobody has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Anchor,
    Intermediate,
    Target,
}

pub(super) fn check(node: &Node, role: Role, profile: Profile) -> Result<(), Fault> {
    if profile >= Profile::Rfc5280 {
        let facts = node.facts()?;
        check_frame(node, facts, role)?;
        check_key_ids(node, facts, role)?;
        check_authority(node, facts, role)?;
        check_names(node, facts)?;
        check_criticality(node, profile)?;
    }
    if profile >= Profile::WebPki {
        check_web(node, node.facts()?, role)?;
    }
    Ok(())
}

/// Keys and signatures strong enough to be relied on; `is_legacy` lifts it.
pub(super) fn check_strength(node: &Node) -> Result<(), Fault> {
    let weak = |why: String| Fault::new(PathRule::WeakAlgorithm, "NIST SP 800-131A r2 §3", why);
    match node.key()?.kind() {
        PublicKeyKind::Rsa { bits, .. } if bits < 2048 => {
            Err(weak(format!("RSA key of {bits} bits")))
        }
        PublicKeyKind::Rsa { exponent, .. } if exponent < 3 || exponent % 2 == 0 => {
            Err(weak(format!("RSA exponent {exponent}")))
        }
        PublicKeyKind::Ec { curve, .. }
            if ![oids::P256, oids::P384, oids::P521].contains(&curve) =>
        {
            Err(weak(format!("elliptic curve {curve}")))
        }
        PublicKeyKind::Other(algorithm) => Err(weak(format!("key algorithm {algorithm}"))),
        _ => Ok(()),
    }
}

fn demand(holds: bool, clause: &'static str, message: &str) -> Result<(), Fault> {
    ensure(holds, PathRule::Profile, clause, message)
}

fn check_frame(node: &Node, facts: &Facts, role: Role) -> Result<(), Fault> {
    let c = &node.certificate;
    let extended = !c.extensions().is_empty();
    demand(
        !extended || c.version() == 3,
        "RFC 5280 §4.1.2.1",
        "a certificate with extensions is not of version 3",
    )?;
    let serial = c.serial();
    let positive = serial.first().is_some_and(|b| b & 0x80 == 0) && serial.iter().any(|b| *b != 0);
    demand(
        role == Role::Anchor || (positive && serial.len() <= 20),
        "RFC 5280 §4.1.2.2",
        "the serial number is not positive or longer than 20 octets",
    )?;
    demand(
        !c.issuer().is_empty(),
        "RFC 5280 §4.1.2.4",
        "the issuer name is empty",
    )?;
    demand(
        facts.purposes.as_ref().is_none_or(|p| !p.is_empty()),
        "RFC 5280 §4.2.1.12",
        "extended key usage is empty",
    )?;
    match c
        .encoding_issues()
        .into_iter()
        .find(|i| i.rule == "signature-algorithm-mismatch")
    {
        None => Ok(()),
        Some(issue) => Err(Fault::new(PathRule::Profile, issue.clause, issue.message)),
    }
}

fn check_key_ids(node: &Node, facts: &Facts, role: Role) -> Result<(), Fault> {
    let named = facts
        .authority_key
        .as_ref()
        .is_some_and(|k| k.key_id.is_some());
    // A self-issued target is one that is its own anchor, or its authority's, which then names the key.
    let is_exempt = role == Role::Anchor || (role == Role::Target && node.is_self_issued());
    demand(
        named || is_exempt,
        "RFC 5280 §4.2.1.1",
        "the authority key identifier is missing",
    )?;
    demand(
        facts.subject_key.is_some() || !facts.is_authority(),
        "RFC 5280 §4.2.1.2",
        "an authority lacks a subject key identifier",
    )
}

fn check_authority(node: &Node, facts: &Facts, role: Role) -> Result<(), Fault> {
    let authority = facts.is_authority();
    demand(
        !authority || node.is_critical(&oids::BASIC_CONSTRAINTS) == Some(true),
        "RFC 5280 §4.2.1.9",
        "basic constraints of an authority are not critical",
    )?;
    demand(
        !authority || !node.certificate.subject().is_empty(),
        "RFC 5280 §4.1.2.6",
        "an authority has no subject name",
    )?;
    let signs = facts.key_usage.map(|u| u.contains(KeyUsage::KEY_CERT_SIGN));
    demand(
        authority || signs != Some(true),
        "RFC 5280 §4.2.1.3, §4.2.1.9",
        "keyCertSign is asserted without cA",
    )?;
    let limited = facts.basic.is_some_and(|b| b.path_len.is_some());
    demand(
        !limited || (authority && signs != Some(false)),
        "RFC 5280 §4.2.1.9",
        "a path length is given without cA and keyCertSign",
    )?;
    let constraints = facts.constraints.as_ref();
    demand(
        authority || constraints.is_none(),
        "RFC 5280 §4.2.1.10",
        "name constraints stand in a certificate that is no authority's",
    )?;
    demand(
        constraints.is_none_or(|n| !n.permitted.is_empty() || !n.excluded.is_empty()),
        "RFC 5280 §4.2.1.10",
        "name constraints are empty",
    )?;
    demand(
        role == Role::Target || authority,
        "RFC 5280 §4.2.1.9",
        "an issuer is no authority",
    )
}

fn check_names(node: &Node, facts: &Facts) -> Result<(), Fault> {
    demand(
        facts.alt_names.as_ref().is_none_or(|n| !n.is_empty()),
        "RFC 5280 §4.2.1.6",
        "the subject alternative name is empty",
    )?;
    let critical = node.is_critical(&oids::SUBJECT_ALT_NAME);
    demand(
        !node.certificate.subject().is_empty() || critical == Some(true),
        "RFC 5280 §4.1.2.6",
        "the subject is empty and there is no critical alternative name",
    )
}

fn check_criticality(node: &Node, profile: Profile) -> Result<(), Fault> {
    const NEVER: [Oid; 5] = [
        oids::AUTHORITY_KEY_IDENTIFIER,
        oids::SUBJECT_KEY_IDENTIFIER,
        oids::AUTHORITY_INFO_ACCESS,
        oids::SUBJECT_INFO_ACCESS,
        oids::FRESHEST_CRL,
    ];
    let wrong = NEVER.iter().find(|o| node.is_critical(o) == Some(true));
    if let Some(oid) = wrong {
        let message = format!("the extension {oid} must not be critical");
        return Err(Fault::new(
            PathRule::Profile,
            "RFC 5280 §4.2.1.1, §4.2.1.2, §4.2.2",
            message,
        ));
    }
    // The Web tolerates uncritical name constraints for the sake of old clients (CABF BR §7.1.2.5.2).
    let constraints = match profile {
        Profile::WebPki => None,
        _ => node.is_critical(&oids::NAME_CONSTRAINTS),
    };
    let always = [
        constraints,
        node.is_critical(&oids::POLICY_CONSTRAINTS),
        node.is_critical(&oids::INHIBIT_ANY_POLICY),
    ];
    demand(
        !always.contains(&Some(false)),
        "RFC 5280 §4.2.1.10, §4.2.1.11, §4.2.1.14",
        "name or policy constraints are not critical",
    )
}

fn check_web(node: &Node, facts: &Facts, role: Role) -> Result<(), Fault> {
    demand(
        node.certificate.version() == 3,
        "CABF BR §7.1.1",
        "a certificate is not of version 3",
    )?;
    let access = node.certificate.ext::<AuthorityInfoAccess>();
    demand(
        access.is_ok(),
        "CABF BR §7.1.2.7.7",
        "authority information access cannot be read",
    )?;
    let whole_octets = match node.key()?.kind() {
        PublicKeyKind::Rsa { bits, .. } => bits % 8 == 0,
        _ => true,
    };
    demand(
        whole_octets,
        "CABF BR §6.1.5",
        "the bits of an RSA key are not a multiple of 8",
    )?;
    match role {
        Role::Anchor => check_web_root(node, facts),
        Role::Intermediate => Ok(()),
        Role::Target => check_web_server(node, facts),
    }
}

fn check_web_root(node: &Node, facts: &Facts) -> Result<(), Fault> {
    demand(
        facts.purposes.is_none(),
        "CABF BR §7.1.2.1.2",
        "a root limits its purposes",
    )?;
    let Some(authority_key) = &facts.authority_key else {
        return Ok(());
    };
    let own = facts.subject_key.as_ref().map(|k| k.0.as_slice());
    let pure = authority_key.issuer.is_none() && authority_key.serial.is_none();
    let matching = !node.is_self_issued() || authority_key.key_id.as_deref() == own;
    demand(
        pure && authority_key.key_id.is_some() && matching,
        "CABF BR §7.1.2.1.3",
        "a root's authority key identifier is not its own key identifier alone",
    )
}

fn check_web_server(node: &Node, facts: &Facts) -> Result<(), Fault> {
    demand(
        !facts.is_authority(),
        "CABF BR §7.1.2.7.6",
        "the target is an authority",
    )?;
    let purposes = facts.purposes.as_deref().unwrap_or_default();
    demand(
        !purposes.is_empty()
            && !purposes.contains(&oids::ANY_EXTENDED_KEY_USAGE)
            && node.is_critical(&oids::EXT_KEY_USAGE) == Some(false),
        "CABF BR §7.1.2.7.10",
        "extended key usage is missing, critical or names any purpose",
    )?;
    let alt_names = facts.alt_names.as_deref().unwrap_or_default();
    let critical = node.is_critical(&oids::SUBJECT_ALT_NAME);
    demand(
        !alt_names.is_empty() && (critical == Some(false) || node.certificate.subject().is_empty()),
        "CABF BR §7.1.2.7.12",
        "the subject alternative name is missing, or critical beside a subject",
    )?;
    let common_names = node
        .certificate
        .subject()
        .attributes()
        .filter(|a| a.oid == oids::COMMON_NAME);
    let repeated = |cn: &str| {
        alt_names
            .iter()
            .any(|n| spelling(n).is_some_and(|s| s == cn))
    };
    let mut stray = common_names
        .map(|a| a.text().into_owned())
        .filter(|cn| !repeated(cn));
    match stray.next() {
        None => Ok(()),
        Some(cn) => Err(Fault::new(
            PathRule::Profile,
            "CABF BR §7.1.4.3",
            format!("the common name {cn} is not among the alternative names, letter for letter"),
        )),
    }
}

/// How a common name has to spell an alternative name.
fn spelling(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Dns(n) => Some(n.clone()),
        GeneralName::Ip(IpAddr::V4(a)) => Some(a.to_string()),
        GeneralName::Ip(IpAddr::V6(a)) => Some(a.to_string()),
        _ => None,
    }
}

//! Whether it presents the name by which it is reached (RFC 9525, which replaced RFC 6125).

use std::net::IpAddr;

use agent::observation::Place;
use x509::GeneralName;
use x509::path::ReferenceName;

use super::{Look, Rule, Severity::*, of_certificate, of_place, presented, words};
use crate::inventory::PlaceFacts;

pub(super) static RULES: &[Rule] = &[
    of_place(
        Medium,
        (
            "name.mismatch",
            "does not present the name it is reached by",
        ),
        "RFC 9525 §6; NIST SP 800-52r2 §3.4.1.2; R19",
        "renew it with the names that clients use, or correct the host names of the asset",
        mismatch,
    ),
    of_certificate(
        Medium,
        (
            "name.common-name-only",
            "a server's, without alternative names",
        ),
        "RFC 9525 §2; RFC 9110 §4.3.4; CA/B Forum BR §7.1.2.7.12",
        "renew it with its names as subject alternative names: nothing of today reads the common name",
        common_name_only,
    ),
];

fn mismatch(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let presented = presented(look.certificate());
    // Without any name at all it is the other rule's.
    if presented.is_empty() {
        return None;
    }
    let wanted = wanted(place);
    let met = |name: &ReferenceName| presented.iter().any(|one| name.is_presented_by(one));
    if wanted.is_empty() || wanted.iter().any(met) {
        return None;
    }
    let wanted = words::list(wanted.iter().map(ToString::to_string));
    let shown = words::list(presented.iter().map(bare));
    Some(format!(
        "{} is reached as {wanted}; it presents {shown}",
        words::place(&place.place)
    ))
}

fn common_name_only(look: &Look<'_>) -> Option<String> {
    let wrong = look.is_served() && presented(look.certificate()).is_empty();
    wrong.then(|| match look.certificate().subject().common_name() {
        Some(name) => format!("only its common name says what it is for: {name}"),
        None => "nothing in it says what it is for".to_owned(),
    })
}

/// Any of these would do: the name that was asked for, else what the register calls the machine or where it was reached.
fn wanted(place: &PlaceFacts) -> Vec<ReferenceName> {
    match &place.place {
        Place::Network {
            sni: Some(name), ..
        } => vec![reference(name)],
        Place::Network { address, .. } => {
            let asset = place.asset.iter().flat_map(|asset| &asset.host_names);
            let mut names: Vec<ReferenceName> = asset.map(|name| reference(name)).collect();
            if !names.is_empty() {
                names.push(ReferenceName::Ip(*address));
            }
            names
        }
        Place::File {
            path,
            alias: Some(name),
            ..
        } if is_server_name(path, name) => vec![reference(name)],
        _ => Vec::new(),
    }
}

fn reference(name: &str) -> ReferenceName {
    match name.parse::<IpAddr>() {
        Ok(address) => ReferenceName::Ip(address),
        Err(_) => ReferenceName::Dns(name.to_owned()),
    }
}

/// What a configuration binds a file to, and not what somebody called an entry of a key store.
fn is_server_name(path: &str, name: &str) -> bool {
    let stores = ["jks", "p12", "pfx", "keystore", "truststore", "bks"];
    let ending = path.rsplit('.').next().unwrap_or_default().to_lowercase();
    name.contains('.') && !stores.contains(&ending.as_str()) && x509::dns::check(name).is_ok()
}

fn bare(name: &GeneralName) -> String {
    match name {
        GeneralName::Dns(name) => name.clone(),
        GeneralName::Ip(address) => address.to_string(),
        other => other.to_string(),
    }
}

//! What a system or a flow has to be to stand on the map.

use std::collections::HashSet;

use access::Refusal;

use super::{Flow, MOST_FLOWS, MOST_SYSTEMS, System};

pub(super) const SOURCE: &str = "docs/phi-flows.md";

const LONGEST_NAME: usize = 80;
const LONGEST_NOTE: usize = 2_000;
/// RFC 1035 §2.3.4.
const LONGEST_HOST: usize = 253;
const LONGEST_PROTOCOL: usize = 32;
/// Assets, names, addresses, dependencies of one system; ports of one flow.
const MOST_ENDS: usize = 1_000;

/// Brings a system into its one form, or says what is wrong with it.
pub(super) fn system(system: &mut System) -> Result<(), Refusal> {
    name("system", &system.name)?;
    for text in [&mut system.owner, &mut system.site].into_iter().flatten() {
        line("owner and site", text, LONGEST_NAME)?;
    }
    note(&system.note)?;
    for host in &mut system.hosts {
        *host = host_name(host)?;
    }
    for (what, count) in [
        ("assets", system.assets.len()),
        ("names", system.hosts.len()),
        ("addresses", system.addresses.len()),
        ("dependencies", system.depends_on.len()),
    ] {
        few(what, count)?;
    }
    unique(&mut system.assets);
    unique(&mut system.hosts);
    unique(&mut system.depends_on);
    if system.depends_on.contains(&system.name) {
        let message = format!("{} depends on itself", system.name);
        return Err(refuse("system.depends-on", message, "other systems"));
    }
    Ok(())
}

/// Brings a flow into its one form, or says what is wrong with it.
pub(super) fn flow(flow: &mut Flow) -> Result<(), Refusal> {
    name("flow", &flow.name)?;
    note(&flow.note)?;
    few("ports", flow.ports.len())?;
    flow.ports.sort_unstable();
    flow.ports.dedup();
    if flow.ports.contains(&0) {
        let message = "nothing answers at port 0".to_owned();
        return Err(refuse("flow.port", message, "ports from 1 to 65535"));
    }
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-./+".contains(c);
    if flow.protocol.len() > LONGEST_PROTOCOL || !flow.protocol.chars().all(word) {
        let shown: String = flow.protocol.chars().take(40).collect();
        let message = format!("{shown:?} is no protocol's name");
        let accepted = "at most 32 lower-case letters, digits and -./+, such as fhir, hl7, dicom";
        return Err(refuse("flow.protocol", message, accepted));
    }
    if let Some(pattern) = &mut flow.server_name {
        *pattern = host_name(pattern)?;
    }
    if let Some(text) = &mut flow.owner {
        line("an owner", text, LONGEST_NAME)?;
    }
    if let Some(text) = &mut flow.protected_by {
        line("what protects it", text, 200)?;
    }
    if flow.from == flow.to {
        let message = format!("{} would call itself", flow.from);
        return Err(refuse("flow.ends", message, "two systems"));
    }
    Ok(())
}

/// Whether everything that is named is on the map, and the map not too large.
pub(super) fn whole(systems: &[System], flows: &[Flow]) -> Result<(), Refusal> {
    for (what, count, most) in [
        ("systems", systems.len(), MOST_SYSTEMS),
        ("flows", flows.len(), MOST_FLOWS),
    ] {
        if count > most {
            let message = format!("the map would have {count} {what}");
            return Err(refuse(
                "map.size",
                message,
                format!("at most {most} {what}"),
            ));
        }
    }
    let names: HashSet<&str> = systems.iter().map(|system| system.name.as_str()).collect();
    let dependencies = systems
        .iter()
        .flat_map(|system| system.depends_on.iter().map(|on| (&system.name, on)));
    let ends = flows
        .iter()
        .flat_map(|flow| [(&flow.name, &flow.from), (&flow.name, &flow.to)]);
    for (who, named) in dependencies.chain(ends) {
        if !names.contains(named.as_str()) {
            let shown: String = named.chars().take(LONGEST_NAME).collect();
            let message = format!("{who} names the system {shown:?}, which is not on the map");
            let accepted = "systems that `ward flow system list` shows";
            return Err(refuse("map.system", message, accepted));
        }
    }
    Ok(())
}

pub(super) fn refuse(rule: &'static str, message: String, accepted: impl Into<String>) -> Refusal {
    Refusal::new(rule, SOURCE, message).accepted(accepted)
}

/// Names stand in addresses of the API, in reasons and on terminals.
fn name(what: &'static str, name: &str) -> Result<(), Refusal> {
    let fits = !name.is_empty() && name.chars().count() <= LONGEST_NAME && name.trim() == name;
    if fits && !name.chars().any(|c| c.is_control() || c == '/') {
        return Ok(());
    }
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    let message = format!("{shown:?} cannot be the name of a {what}");
    let accepted = "1 to 80 characters, no slash, no control characters, no space around them";
    Err(refuse("map.name", message, accepted))
}

fn line(what: &'static str, text: &mut String, longest: usize) -> Result<(), Refusal> {
    *text = text.trim().to_owned();
    if text.chars().count() <= longest && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("{what} cannot be kept as it was given");
    let accepted = format!("at most {longest} characters, none of them a control character");
    Err(refuse("map.text", message, accepted))
}

fn note(note: &str) -> Result<(), Refusal> {
    match note.chars().count() <= LONGEST_NOTE {
        true => Ok(()),
        false => Err(refuse(
            "map.text",
            "the note is too long".to_owned(),
            "at most 2000 characters",
        )),
    }
}

fn few(what: &'static str, count: usize) -> Result<(), Refusal> {
    if count <= MOST_ENDS {
        return Ok(());
    }
    let message = format!("{count} {what}");
    Err(refuse(
        "map.ends",
        message,
        format!("at most {MOST_ENDS}; addresses may be ranges, names may begin with `*.`"),
    ))
}

fn host_name(host: &str) -> Result<String, Refusal> {
    let name = host.trim().to_lowercase();
    let bare = name.strip_prefix("*.").unwrap_or(&name);
    let label = |label: &str| {
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(plain)
    };
    if name.len() <= LONGEST_HOST && bare.split('.').all(label) {
        return Ok(name);
    }
    let shown: String = host.chars().take(LONGEST_NAME).collect();
    let message = format!("{shown:?} is no host name");
    Err(refuse(
        "map.host",
        message,
        "pacs.mercy.example, or *.icu.mercy.example for every name below",
    ))
}

fn unique(names: &mut Vec<String>) {
    names.sort_unstable();
    names.dedup();
}

//! Systems and flows as people read them. What was typed or found may hold anything, so it is escaped.

use fleet::flow::{Flow, Gap, Guard, Guarded, Observed, Protects, Stored, System};
use fleet::risk::Level;
use x509::describe::escape;

use crate::clock;
use crate::output::table;

pub(super) const HEADINGS: [&str; 7] = [
    "FLOW",
    "FROM",
    "TO",
    "SPEAKS",
    "PHI",
    "CRITICALITY",
    "PASSED ON",
];
pub(super) const SYSTEM_HEADINGS: [&str; 6] =
    ["SYSTEM", "KIND", "OWNER", "PHI", "CRITICALITY", "PASSED ON"];

fn phi(known: &Protects) -> String {
    if known.phi { "yes" } else { "no" }.to_owned()
}

fn passed(known: &Protects) -> String {
    escape(known.passed.as_deref().unwrap_or_default())
}

fn speaks(flow: &Flow) -> String {
    let ports: Vec<String> = flow.ports.iter().map(ToString::to_string).collect();
    let words = [flow.protocol.clone(), ports.join(",")];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

pub(super) fn row(flow: &Flow, known: &Protects) -> Vec<String> {
    vec![
        escape(&flow.name),
        escape(&flow.from),
        escape(&flow.to),
        speaks(flow),
        phi(known),
        known.criticality.to_string(),
        passed(known),
    ]
}

pub(super) fn system_row(system: &System, known: &Protects) -> Vec<String> {
    vec![
        escape(&system.name),
        system.kind.to_string(),
        escape(system.owner.as_deref().unwrap_or_default()),
        phi(known),
        known.criticality.to_string(),
        passed(known),
    ]
}

pub(super) fn stored_flow(stored: &Stored<Flow>, known: Option<&Protects>) -> String {
    let flow = &stored.is;
    let said_phi = match flow.phi {
        Some(true) => "yes",
        Some(false) => "no",
        None => "as its ends have it",
    };
    let head = format!(
        "flow {}, version {} since {}",
        escape(&flow.name),
        stored.version,
        clock::millis(stored.since)
    );
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let lines = [
        ("from", flow.from.clone()),
        ("to", flow.to.clone()),
        ("speaks", speaks(flow)),
        ("server name", optional(&flow.server_name)),
        ("phi", said_phi.to_owned()),
        ("mutual", if flow.mutual { "yes" } else { "" }.to_owned()),
        ("protected by", optional(&flow.protected_by)),
        ("owner", optional(&flow.owner)),
        ("note", flow.note.clone()),
    ];
    fields(head, &lines) + &known.map(knowledge).unwrap_or_default()
}

pub(super) fn system(stored: &Stored<System>, known: Option<&Protects>) -> String {
    let system = &stored.is;
    let head = format!(
        "system {}, version {} since {}",
        escape(&system.name),
        stored.version,
        clock::millis(stored.since)
    );
    let yes = |is: bool| if is { "yes" } else { "" }.to_owned();
    let addresses: Vec<String> = system.addresses.iter().map(ToString::to_string).collect();
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let lines = [
        ("kind", system.kind.to_string()),
        ("phi", yes(system.phi)),
        ("patients", yes(system.patient_facing)),
        ("criticality", system.criticality.to_string()),
        ("assets", system.assets.join(" ")),
        ("names", system.hosts.join(" ")),
        ("addresses", addresses.join(" ")),
        ("depends on", system.depends_on.join(", ")),
        ("owner", optional(&system.owner)),
        ("site", optional(&system.site)),
        ("note", system.note.clone()),
    ];
    fields(head, &lines) + &known.map(knowledge).unwrap_or_default()
}

fn fields(mut text: String, lines: &[(&str, String)]) -> String {
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("\n  {name:<13} {}", escape(value)));
    }
    text
}

/// What the map says of it, its own or passed on.
fn knowledge(known: &Protects) -> String {
    let mut words = vec![if known.phi { "PHI" } else { "no PHI" }.to_owned()];
    if known.ehr {
        words.push("EHR".to_owned());
    }
    if known.patient_facing {
        words.push("patient-facing".to_owned());
    }
    words.push(known.criticality.to_string());
    let from = match &known.passed {
        Some(passed) => format!(" ({})", escape(passed)),
        None => String::new(),
    };
    format!("\n  on the map    {}{from}", words.join(", "))
}

pub(super) fn flow(stored: &Stored<Flow>, guarded: &Guarded) -> String {
    let mut text = stored_flow(stored, Some(&guarded.known));
    if !guarded.guards.is_empty() {
        let rows: Vec<Vec<String>> = guarded.guards.iter().map(guard).collect();
        text.push_str("\n\n");
        text.push_str(&table(
            &[
                "SIDE",
                "WHERE",
                "FOUND",
                "CERTIFICATE",
                "SUBJECT",
                "UNTIL",
                "RISK",
            ],
            &rows,
        ));
    }
    for one in &guarded.gaps {
        text.push_str(&format!("\n{}", gap(one)));
    }
    if guarded.gaps.is_empty() {
        text.push_str("\nno gaps");
    }
    text
}

fn guard(guard: &Guard) -> Vec<String> {
    let risk = guard.risk.and_then(Level::from_number);
    vec![
        guard.side.name().to_owned(),
        escape(&guard.place),
        guard.outcome.clone(),
        guard
            .sha256
            .iter()
            .flat_map(|text| text.chars())
            .take(16)
            .collect(),
        escape(guard.subject.as_deref().unwrap_or_default()),
        guard.not_after.map(clock::seconds).unwrap_or_default(),
        risk.map(Level::name).unwrap_or_default().to_owned(),
    ]
}

pub(super) fn gap(gap: &Gap) -> String {
    let owner = gap
        .owner
        .as_deref()
        .map(|owner| format!(" [{}]", escape(owner)));
    format!(
        "{}: {}: {}{}",
        gap.rule,
        escape(&gap.flow),
        escape(&gap.what),
        owner.unwrap_or_default()
    )
}

pub(super) fn call(call: &Observed) -> String {
    let named = |names: &[String]| match names.is_empty() {
        true => "no system".to_owned(),
        false => escape(&names.join(", ")),
    };
    let server = std::net::SocketAddr::new(call.server, call.port);
    let on = if call.on_map {
        "on the map"
    } else {
        "no flow says so"
    };
    format!(
        "{} ({}) calls {server} ({}), last seen {}: {on}",
        call.address,
        named(&call.from),
        named(&call.to),
        clock::millis(call.last_seen)
    )
}

//! Assets as people read them. What was typed or imported may hold anything, so it is escaped.

use fleet::{Asset, FieldChange, Holding, StoredAsset};
use x509::describe::escape;

use crate::clock;
use crate::output::table;

pub(super) const HEADINGS: [&str; 8] = [
    "ASSET",
    "KIND",
    "SERIAL",
    "MAKER",
    "MODEL",
    "PLACE",
    "CRITICALITY",
    "STATE",
];

pub(super) fn row(stored: &StoredAsset) -> Vec<String> {
    let asset = &stored.asset;
    let place = [&asset.site, &asset.department];
    let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
    vec![
        asset.id.clone(),
        asset.kind.to_string(),
        escape(&asset.serial).to_string(),
        escape(&asset.manufacturer).to_string(),
        escape(&asset.model).to_string(),
        escape(&place.join(", ")).to_string(),
        asset.criticality.to_string(),
        asset.state.to_string(),
    ]
}

/// One line that says which one.
pub(super) fn name(asset: &Asset) -> String {
    let words = [&asset.manufacturer, &asset.model, &asset.serial];
    let words = words.into_iter().filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(String::as_str).collect();
    format!("{} {} ({})", asset.kind, asset.id, escape(&words.join(" ")))
}

pub(super) fn asset(stored: &StoredAsset) -> String {
    let asset = &stored.asset;
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let kinds: Vec<String> = asset.key_types.iter().map(ToString::to_string).collect();
    let yes = |is: bool| if is { "yes" } else { "" }.to_owned();
    let lines = [
        ("kind", asset.kind.to_string()),
        ("serial", asset.serial.clone()),
        (
            "udi",
            asset
                .udi
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        ("manufacturer", asset.manufacturer.clone()),
        ("model", asset.model.clone()),
        ("host names", asset.host_names.join(" ")),
        ("owner", optional(&asset.owner)),
        ("site", optional(&asset.site)),
        ("department", optional(&asset.department)),
        ("segment", optional(&asset.segment)),
        ("criticality", asset.criticality.to_string()),
        ("phi", yes(asset.phi)),
        ("vendor", optional(&asset.vendor)),
        (
            "life ends",
            asset
                .service_life_ends
                .map(clock::seconds)
                .unwrap_or_default(),
        ),
        ("renewal", asset.renewal.to_string()),
        ("clock", asset.clock.to_string()),
        ("key types", kinds.join(" ")),
        ("small memory", yes(asset.small_memory)),
        ("state", asset.state.to_string()),
        ("source", optional(&asset.source)),
        ("note", asset.note.clone()),
    ];
    let mut text = format!(
        "asset {}, version {} since {}",
        asset.id,
        stored.version,
        clock::millis(stored.since)
    );
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("\n  {name:<13} {}", escape(value)));
    }
    text
}

pub(super) fn holdings(holdings: &[Holding]) -> String {
    if holdings.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = holdings
        .iter()
        .map(|holding| {
            vec![
                holding.sha256.chars().take(16).collect(),
                holding.profile.clone(),
                holding.endpoint.clone(),
                clock::seconds(holding.not_after),
                state(holding),
            ]
        })
        .collect();
    table(
        &["CERTIFICATE", "PROFILE", "THROUGH", "UNTIL", "STATE"],
        &rows,
    )
}

fn state(holding: &Holding) -> String {
    use ::ca::CertificateState;
    match (holding.state, holding.revoke_due, holding.superseded_at) {
        (CertificateState::Revoked, ..) => "revoked".to_owned(),
        (_, Some(due), _) if holding.ended.is_none() => {
            let why = holding.revoke_reason.as_deref().unwrap_or_default();
            format!("to be revoked {} ({why})", clock::millis(due))
        }
        (CertificateState::Held, ..) => "on hold".to_owned(),
        (_, _, Some(_)) => "superseded".to_owned(),
        _ => "good".to_owned(),
    }
}

/// `site: North → South`.
pub(super) fn changes(changes: &[FieldChange]) -> String {
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "nothing".to_owned(),
        serde_json::Value::String(text) => escape(text).to_string(),
        other => other.to_string(),
    };
    let said = changes.iter().map(|change| {
        let (before, after) = (plain(&change.before), plain(&change.after));
        format!("{}: {before} → {after}", change.field)
    });
    said.collect::<Vec<_>>().join("; ")
}

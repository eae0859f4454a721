//! What an asset has to be before it is written: tidy texts, a serial number, names that are names.

use access::Refusal;

use crate::asset::{Asset, AssetState, Kind};

const SOURCE: &str = "docs/assets.md";
/// X.520 ub-serial-number: what a certificate's subject can hold.
const LONGEST_SERIAL: usize = 64;
const LONGEST_TEXT: usize = 200;
const LONGEST_NOTE: usize = 2000;
const MOST_HOST_NAMES: usize = 32;
/// RFC 1035 §2.3.4.
const LONGEST_HOST_NAME: usize = 253;

/// Trims and lowers what people type, and refuses what cannot be kept.
pub(crate) fn tidy(asset: &mut Asset, before: Option<&Asset>) -> Result<(), Refusal> {
    trim(asset);
    lifecycle(asset, before)?;
    serial(asset)?;
    texts(asset)?;
    host_names(asset)
}

/// What makes an asset the same as another, however its maker is spelled: manufacturer, model, serial.
pub(crate) fn identity(asset: &Asset) -> Option<String> {
    if asset.serial.is_empty() {
        return None;
    }
    let maker = asset.manufacturer.to_lowercase();
    let model = asset.model.to_lowercase();
    Some(format!("{maker}\n{model}\n{}", asset.serial))
}

/// What a search looks through.
pub(crate) fn words(asset: &Asset) -> String {
    let mut words: Vec<&str> = vec![
        &asset.id,
        &asset.serial,
        &asset.manufacturer,
        &asset.model,
        &asset.note,
    ];
    words.extend(asset.host_names.iter().map(String::as_str));
    let optional = [
        &asset.owner,
        &asset.site,
        &asset.department,
        &asset.segment,
        &asset.vendor,
        &asset.source,
    ];
    words.extend(optional.into_iter().flatten().map(String::as_str));
    words.extend(asset.udi.as_ref().map(|udi| udi.text.as_str()));
    words.join("\n").to_lowercase()
}

fn trim(asset: &mut Asset) {
    let Asset {
        serial,
        manufacturer,
        model,
        note,
        owner,
        site,
        department,
        segment,
        vendor,
        source,
        host_names,
        key_types,
        ..
    } = asset;
    for text in [serial, manufacturer, model, note] {
        *text = text.trim().to_owned();
    }
    for text in [owner, site, department, segment, vendor, source] {
        *text = text
            .take()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
    }
    for name in host_names.iter_mut() {
        *name = name.trim().trim_end_matches('.').to_ascii_lowercase();
    }
    host_names.retain(|name| !name.is_empty());
    host_names.sort();
    host_names.dedup();
    let mut seen = Vec::new();
    key_types.retain(|kind| {
        let new = !seen.contains(kind);
        seen.push(*kind);
        new
    });
}

fn lifecycle(asset: &Asset, before: Option<&Asset>) -> Result<(), Refusal> {
    let retired = before.is_some_and(|before| before.state == AssetState::Retired);
    if retired {
        return Err(Refusal::new(
            "asset.retired",
            "R11: retirement is for good",
            format!("asset {} is retired", asset.id),
        )
        .accepted("a new asset, if it has come back"));
    }
    if asset.state == AssetState::Retired {
        return Err(Refusal::new(
            "asset.retire",
            "R11",
            "an asset is not retired by changing its state",
        )
        .accepted("the retirement, which revokes what the asset holds"));
    }
    Ok(())
}

fn serial(asset: &Asset) -> Result<(), Refusal> {
    if asset.serial.is_empty() && asset.kind == Kind::Device {
        return Err(Refusal::new(
            "asset.serial.missing",
            "R08: a device is a specific serial number",
            "a device needs its serial number",
        )
        .accepted("the number on the device's label"));
    }
    let fits = asset.serial.chars().count() <= LONGEST_SERIAL;
    if !fits || asset.serial.chars().any(char::is_control) {
        return Err(Refusal::new(
            "asset.serial",
            "X.520: ub-serial-number",
            "the serial number cannot stand in a certificate",
        )
        .accepted(format!("at most {LONGEST_SERIAL} characters on one line")));
    }
    match asset.udi.as_ref().and_then(|udi| udi.serial.as_deref()) {
        Some(labelled) if labelled != asset.serial => Err(Refusal::new(
            "asset.udi.serial",
            "R08: UDI understood and checked",
            format!(
                "the UDI is that of serial number {labelled}, and this is {}",
                asset.serial
            ),
        )
        .accepted("the UDI on the label of this device, or one without a serial number")),
        _ => Ok(()),
    }
}

fn texts(asset: &Asset) -> Result<(), Refusal> {
    let lines = [
        ("manufacturer", Some(&asset.manufacturer)),
        ("model", Some(&asset.model)),
        ("owner", asset.owner.as_ref()),
        ("site", asset.site.as_ref()),
        ("department", asset.department.as_ref()),
        ("segment", asset.segment.as_ref()),
        ("vendor", asset.vendor.as_ref()),
        ("source", asset.source.as_ref()),
    ];
    for (field, text) in lines {
        let Some(text) = text else { continue };
        if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
            return Err(bad_text(field, LONGEST_TEXT));
        }
    }
    let unprintable = |c: char| c.is_control() && c != '\n' && c != '\t';
    match asset.note.chars().count() > LONGEST_NOTE || asset.note.chars().any(unprintable) {
        true => Err(bad_text("note", LONGEST_NOTE)),
        false => Ok(()),
    }
}

fn bad_text(field: &str, longest: usize) -> Refusal {
    Refusal::new("asset.text", SOURCE, format!("{field} cannot be kept")).accepted(format!(
        "at most {longest} characters, none of them a control character"
    ))
}

fn host_names(asset: &Asset) -> Result<(), Refusal> {
    if asset.host_names.len() > MOST_HOST_NAMES {
        let message = format!("{} host names", asset.host_names.len());
        return Err(Refusal::new("asset.host-names", SOURCE, message)
            .accepted(format!("at most {MOST_HOST_NAMES}")));
    }
    match asset.host_names.iter().find(|name| !is_host_name(name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::new(
            "asset.host-name",
            "RFC 1123 §2.1",
            format!("{name} is no host name"),
        )
        .accepted("letters, digits and hyphens between dots")),
    }
}

pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= LONGEST_HOST_NAME && name.split('.').all(label)
}

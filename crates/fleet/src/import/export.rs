//! The register as CSV, in the columns that an import reads. What a spreadsheet would take for a formula gets an
//! apostrophe in front (CWE-1236): a device that calls itself `=HYPERLINK(…)` stays a text on the desk of whoever opens it.

use audit::Timestamp;
use x509::Time;

use super::columns::{FIELDS, Field};
use crate::asset::{Asset, AssetState};
use crate::{AssetFilter, Fleet, FleetError, Result};

/// What begins a formula, in the spreadsheets that people have.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

impl Fleet {
    /// What a filter finds, as CSV; without a state in the filter, what is retired is left out.
    pub async fn export(&self, filter: &AssetFilter) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = FIELDS.iter().map(|(_, name, _)| *name);
        writer.write_record(header).map_err(failed)?;
        let mut page = filter.clone();
        page.limit = Some(1000);
        loop {
            let found = self.assets(&page).await?;
            for stored in &found.assets {
                if filter.state.is_none() && stored.asset.state == AssetState::Retired {
                    continue;
                }
                let cells = FIELDS
                    .iter()
                    .map(|(field, _, _)| guarded(cell(&stored.asset, *field)));
                writer.write_record(cells).map_err(failed)?;
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        writer
            .into_inner()
            .map_err(|_| FleetError::Damaged("export"))
    }
}

fn failed(_: csv::Error) -> FleetError {
    FleetError::Damaged("export")
}

/// Apostrophes in front are looked through: one that was there already must come back.
pub(super) fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

pub(crate) fn guarded(mut text: String) -> String {
    if is_formula(&text) {
        text.insert(0, '\'');
    }
    text
}

fn cell(asset: &Asset, field: Field) -> String {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    match field {
        Field::Id => asset.id.clone(),
        Field::Kind => asset.kind.to_string(),
        Field::Serial => asset.serial.clone(),
        Field::Udi => asset
            .udi
            .as_ref()
            .map(|udi| udi.text.clone())
            .unwrap_or_default(),
        Field::Manufacturer => asset.manufacturer.clone(),
        Field::Model => asset.model.clone(),
        Field::HostNames => asset.host_names.join(" "),
        Field::Owner => optional(&asset.owner),
        Field::Site => optional(&asset.site),
        Field::Department => optional(&asset.department),
        Field::Segment => optional(&asset.segment),
        Field::Criticality => asset.criticality.to_string(),
        Field::Phi => yes(asset.phi),
        Field::Vendor => optional(&asset.vendor),
        Field::ServiceLifeEnds => asset.service_life_ends.map(day).unwrap_or_default(),
        Field::Renewal => asset.renewal.to_string(),
        Field::Clock => asset.clock.to_string(),
        Field::KeyTypes => {
            let kinds: Vec<String> = asset.key_types.iter().map(ToString::to_string).collect();
            kinds.join(" ")
        }
        Field::SmallMemory => yes(asset.small_memory),
        Field::State => asset.state.to_string(),
        Field::Source => optional(&asset.source),
        Field::Note => asset.note.clone(),
    }
}

/// A day where it is the end of one, else the instant.
fn day(seconds: i64) -> String {
    let text = Time(Timestamp(seconds * 1000).seconds()).to_string();
    match text.strip_suffix("T23:59:59Z") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

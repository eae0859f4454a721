//! One row: what its cells say, and what that makes of an asset. An empty cell says nothing, so that a thin export does not
//! erase what is known; a cell with a hyphen alone erases.

use std::str::FromStr;

use access::Refusal;
use x509::{KeyAlgorithm, Time};

use super::columns::{Columns, Field, name};
use crate::Udi;
use crate::asset::{Asset, Kind};
use crate::check;

const CLEAR: &str = "-";

/// What is wrong with a row: its rule, and a sentence.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) rule: String,
    pub(super) message: String,
}

impl Bad {
    pub(super) fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Bad {
            rule: rule.to_owned(),
            message: message.into().chars().take(300).collect(),
        }
    }
}

impl From<Refusal> for Bad {
    fn from(refusal: Refusal) -> Self {
        let accepted = refusal.accepted.as_deref();
        let accepted = accepted.map(|text| format!("; accepted: {text}"));
        Bad {
            rule: refusal.rule.into_owned(),
            message: (refusal.message + &accepted.unwrap_or_default())
                .chars()
                .take(300)
                .collect(),
        }
    }
}

/// The cells of a row by their fields.
pub(super) struct Cells<'a> {
    pub(super) columns: &'a Columns,
    pub(super) cells: &'a [String],
}

impl Cells<'_> {
    /// What a cell says; `None` if it is empty or not there.
    pub(super) fn get(&self, field: Field) -> Option<&str> {
        let at = self.columns.places.get(&field)?;
        let text = self.cells.get(*at)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Whether the asset system says that the thing is gone.
    pub(super) fn says_retired(&self) -> bool {
        let gone = ["retired", "disposed", "decommissioned", "scrapped", "sold"];
        let state = self.get(Field::State).map(plain);
        state.is_some_and(|state| gone.contains(&state.as_str()))
    }

    /// The asset as this row would have it, tidy and checked.
    pub(super) fn apply(&self, before: Option<&Asset>, kind: Kind) -> Result<Asset, Bad> {
        let mut asset = before.cloned().unwrap_or(Asset {
            kind,
            ..Asset::default()
        });
        self.texts(&mut asset);
        self.words(&mut asset)?;
        if let Some(text) = self.get(Field::Udi) {
            asset.udi = match text {
                CLEAR => None,
                _ => Some(
                    Udi::parse(text)
                        .map_err(|error| Bad::new("row.udi", format!("UDI `{text}`: {error}")))?,
                ),
            };
        }
        if asset.serial.is_empty()
            && let Some(serial) = asset.udi.as_ref().and_then(|udi| udi.serial.clone())
        {
            asset.serial = serial;
        }
        if let Some(text) = self.get(Field::ServiceLifeEnds) {
            asset.service_life_ends = match text {
                CLEAR => None,
                _ => Some(end_of(text)?),
            };
        }
        if let Some(text) = self.get(Field::HostNames) {
            asset.host_names = list(text).map(str::to_owned).collect();
        }
        if let Some(text) = self.get(Field::KeyTypes) {
            let kinds = list(text).map(KeyAlgorithm::from_str);
            let kinds = kinds.collect::<Result<_, _>>();
            asset.key_types =
                kinds.map_err(|error| Bad::new("row.key-types", error.to_string()))?;
        }
        check::tidy(&mut asset, before)?;
        Ok(asset)
    }

    fn texts(&self, asset: &mut Asset) {
        let owned = |field| {
            let text = self.get(field)?;
            Some(if text == CLEAR {
                String::new()
            } else {
                text.to_owned()
            })
        };
        let required = [
            (Field::Serial, &mut asset.serial),
            (Field::Manufacturer, &mut asset.manufacturer),
            (Field::Model, &mut asset.model),
            (Field::Note, &mut asset.note),
        ];
        for (field, place) in required {
            if let Some(text) = owned(field) {
                *place = text;
            }
        }
        let optional = [
            (Field::Owner, &mut asset.owner),
            (Field::Site, &mut asset.site),
            (Field::Department, &mut asset.department),
            (Field::Segment, &mut asset.segment),
            (Field::Vendor, &mut asset.vendor),
            (Field::Source, &mut asset.source),
        ];
        for (field, place) in optional {
            if let Some(text) = owned(field) {
                *place = Some(text).filter(|text| !text.is_empty());
            }
        }
    }

    fn words(&self, asset: &mut Asset) -> Result<(), Bad> {
        self.word(Field::Kind, &mut asset.kind)?;
        self.word(Field::Criticality, &mut asset.criticality)?;
        self.word(Field::Renewal, &mut asset.renewal)?;
        self.word(Field::Clock, &mut asset.clock)?;
        if let Some(text) = self.get(Field::State) {
            asset.state = match plain(text).as_str() {
                "in-use" | "in-service" | "operational" | "deployed" => Default::default(),
                "in-stock" | "in-storage" | "spare" => crate::AssetState::Stored,
                other => parse(Field::State, other)?,
            };
        }
        self.yes(Field::Phi, &mut asset.phi)?;
        self.yes(Field::SmallMemory, &mut asset.small_memory)
    }

    fn word<T: FromStr<Err: std::fmt::Display>>(
        &self,
        field: Field,
        place: &mut T,
    ) -> Result<(), Bad> {
        if let Some(text) = self.get(field) {
            *place = parse(field, &plain(text))?;
        }
        Ok(())
    }

    fn yes(&self, field: Field, place: &mut bool) -> Result<(), Bad> {
        let Some(text) = self.get(field) else {
            return Ok(());
        };
        *place = match text.to_lowercase().as_str() {
            "yes" | "y" | "true" | "1" | "x" => true,
            "no" | "n" | "false" | "0" | CLEAR => false,
            _ => {
                let message = format!("{} is `{text}`; accepted: yes, no", name(field));
                return Err(Bad::new("row.word", message));
            }
        };
        Ok(())
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(field: Field, text: &str) -> Result<T, Bad> {
    text.parse()
        .map_err(|error| Bad::new("row.word", format!("{}: {error}", name(field))))
}

/// `Life Support` and `life_support` are one word.
fn plain(text: &str) -> String {
    text.to_lowercase().replace([' ', '_'], "-")
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', ' ', '\n', '|'])
        .filter(|part| !part.is_empty() && *part != CLEAR)
}

/// The end of a day, or an instant. Days are written the one way that everybody reads alike (ISO 8601).
fn end_of(text: &str) -> Result<i64, Bad> {
    let instant = match text.len() {
        10 => format!("{text}T23:59:59Z"),
        _ => text.to_owned(),
    };
    let time: Result<Time, _> = instant.parse();
    time.map(|time| time.0).map_err(|_| {
        let message = format!("`{text}` is no date; accepted: 2031-06-30, 2031-06-30T12:00:00Z");
        Bad::new("row.date", message)
    })
}

//! Which column is which field. Asset systems call them differently; what is not known is left alone and said.

use std::collections::BTreeMap;

use access::Refusal;

/// A field of an asset that a table may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Id,
    Kind,
    Serial,
    Udi,
    Manufacturer,
    Model,
    HostNames,
    Owner,
    Site,
    Department,
    Segment,
    Criticality,
    Phi,
    Vendor,
    ServiceLifeEnds,
    Renewal,
    Clock,
    KeyTypes,
    SmallMemory,
    State,
    Source,
    Note,
}

/// Each field's own name first, then what asset systems call it, without case, spaces and punctuation.
pub(super) const FIELDS: &[(Field, &str, &[&str])] = &[
    (Field::Id, "id", &["wardid"]),
    (
        Field::Kind,
        "kind",
        &["type", "assettype", "category", "assetclass"],
    ),
    (
        Field::Serial,
        "serial",
        &[
            "serialnumber",
            "serialno",
            "sn",
            "serialnr",
            "deviceserialnumber",
        ],
    ),
    (
        Field::Udi,
        "udi",
        &["udidi", "gtin", "uniquedeviceidentifier"],
    ),
    (
        Field::Manufacturer,
        "manufacturer",
        &["make", "mfr", "maker", "brand", "oem"],
    ),
    (
        Field::Model,
        "model",
        &["modelnumber", "modelname", "modelno"],
    ),
    (
        Field::HostNames,
        "host_names",
        &["hostname", "dnsname", "dnsnames", "fqdn", "computername"],
    ),
    (
        Field::Owner,
        "owner",
        &[
            "team",
            "ownerteam",
            "responsible",
            "supportgroup",
            "assignmentgroup",
        ],
    ),
    (
        Field::Site,
        "site",
        &["facility", "campus", "hospital", "building"],
    ),
    (
        Field::Department,
        "department",
        &["dept", "unit", "ward", "costcenter"],
    ),
    (
        Field::Segment,
        "segment",
        &["vlan", "network", "zone", "networksegment"],
    ),
    (
        Field::Criticality,
        "criticality",
        &["critical", "riskclass"],
    ),
    (Field::Phi, "phi", &["ephi", "containsphi", "storesphi"]),
    (
        Field::Vendor,
        "vendor",
        &["servicevendor", "serviceprovider", "supplier"],
    ),
    (
        Field::ServiceLifeEnds,
        "service_life_ends",
        &[
            "endoflife",
            "eol",
            "endofservice",
            "endofservicelife",
            "eos",
            "retirementdate",
        ],
    ),
    (Field::Renewal, "renewal", &["renewalmethod"]),
    (Field::Clock, "clock", &["clockquality"]),
    (Field::KeyTypes, "key_types", &["keys", "allowedkeys"]),
    (Field::SmallMemory, "small_memory", &[]),
    (
        Field::State,
        "state",
        &["status", "assetstatus", "lifecyclestate"],
    ),
    (
        Field::Source,
        "source",
        &[
            "cmmsid",
            "assetnumber",
            "assettag",
            "tag",
            "tagnumber",
            "controlnumber",
            "equipmentid",
            "equipmentnumber",
            "assetid",
            "sysid",
            "inventorynumber",
        ],
    ),
    (
        Field::Note,
        "note",
        &["notes", "comment", "comments", "remarks"],
    ),
];

/// Where each field stands in a row.
pub(super) struct Columns {
    pub(super) places: BTreeMap<Field, usize>,
    /// Headings that mean nothing here.
    pub(super) ignored: Vec<String>,
}

/// Reads the header. `named` maps headings to fields where their names do not say it.
pub(super) fn read(
    header: &[String],
    named: &BTreeMap<String, String>,
) -> Result<Columns, Refusal> {
    let mut columns = Columns {
        places: BTreeMap::new(),
        ignored: Vec::new(),
    };
    for heading in named.keys() {
        if !header.iter().any(|one| one.trim() == heading) {
            return Err(
                refusal(format!("there is no column `{heading}`")).accepted(header.join(", "))
            );
        }
    }
    for (at, heading) in header.iter().enumerate() {
        let heading = heading.trim();
        let field = match named.get(heading) {
            Some(name) if name.is_empty() || name == "-" => None,
            Some(name) => Some(field_named(name)?),
            None => field_called(heading),
        };
        let Some(field) = field else {
            columns
                .ignored
                .extend((!heading.is_empty()).then(|| heading.chars().take(80).collect()));
            continue;
        };
        if columns.places.insert(field, at).is_some() {
            return Err(refusal(format!(
                "`{heading}` and another column are both {}",
                name(field)
            ))
            .accepted(format!(
                "`{heading}=-` as a column mapping, to leave it out"
            )));
        }
    }
    let known = [Field::Id, Field::Source, Field::Serial];
    match known.iter().any(|field| columns.places.contains_key(field)) {
        true => Ok(columns),
        false => Err(
            refusal("no column says which asset a row is".into()).accepted(
                "a heading `serial` or `source`, or a column mapping such as `Equip #=source`",
            ),
        ),
    }
}

/// Columns by the fields' own names.
pub(super) fn of_names(names: &[String]) -> Result<Columns, Refusal> {
    let mut columns = Columns {
        places: BTreeMap::new(),
        ignored: Vec::new(),
    };
    for (at, name) in names.iter().enumerate() {
        columns.places.insert(field_named(name)?, at);
    }
    Ok(columns)
}

/// A field's own name.
pub(super) fn name(field: Field) -> &'static str {
    let row = FIELDS.iter().find(|(one, _, _)| *one == field);
    row.map_or("", |(_, name, _)| name)
}

fn field_named(name: &str) -> Result<Field, Refusal> {
    let row = FIELDS.iter().find(|(_, one, _)| *one == name);
    row.map(|(field, _, _)| *field).ok_or_else(|| {
        let names: Vec<&str> = FIELDS.iter().map(|(_, name, _)| *name).collect();
        refusal(format!("`{name}` is no field")).accepted(names.join(", "))
    })
}

fn field_called(heading: &str) -> Option<Field> {
    let plain: String = heading
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let is = |(_, name, others): &&(Field, &str, &[&str])| {
        name.replace('_', "") == plain || others.contains(&plain.as_str())
    };
    FIELDS.iter().find(is).map(|(field, _, _)| *field)
}

fn refusal(message: String) -> Refusal {
    Refusal::new("import.columns", "docs/assets.md", message)
}

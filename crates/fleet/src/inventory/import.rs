//! Lists of other tools (R16): a table with a certificate in each row, and perhaps where it is and whose. Columns are
//! known by what such tools call them; a row that cannot be read hurts nobody but itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use access::Refusal;
use agent::observation::{Der, How, Observation, Outcome, Place};
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use x509::{Certificate, pem};

use super::rule::Gift;
use super::text::clean;
use crate::import::table::{self, Line};

/// Rows that are told one by one; all are counted.
const MOST_TOLD: usize = 100;
pub(super) const SOURCE: &str = "docs/importing-certificates.md";

/// What a column may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Certificate,
    Host,
    Port,
    Path,
    Owner,
    Tags,
    Environment,
    Criticality,
    Phi,
    Site,
    Vendor,
}

/// Each field's own name first, then what other tools call it, without case, spaces and punctuation.
const FIELDS: &[(Field, &str, &[&str])] = &[
    (
        Field::Certificate,
        "certificate",
        &[
            "pem",
            "cert",
            "certificatepem",
            "der",
            "base64",
            "certificatebase64",
            "x509",
            "rawcertificate",
            "body",
        ],
    ),
    (
        Field::Host,
        "host",
        &[
            "hostname",
            "address",
            "ip",
            "ipaddress",
            "server",
            "endpoint",
            "fqdn",
            "location",
            "machine",
        ],
    ),
    (Field::Port, "port", &["tcpport", "sslport"]),
    (
        Field::Path,
        "path",
        &["file", "filename", "filepath", "keystore", "store"],
    ),
    (
        Field::Owner,
        "owner",
        &[
            "team",
            "contact",
            "responsible",
            "applicationowner",
            "certificateowner",
            "assignmentgroup",
        ],
    ),
    (Field::Tags, "tags", &["tag", "labels", "label"]),
    (Field::Environment, "environment", &["env", "stage"]),
    (Field::Criticality, "criticality", &["critical", "priority"]),
    (Field::Phi, "phi", &["ephi", "containsphi"]),
    (Field::Site, "site", &["facility", "campus"]),
    (Field::Vendor, "vendor", &["manufacturer", "supplier"]),
];

/// A table that was read.
#[derive(Debug, Default, Serialize)]
pub struct CertificateTable {
    pub rows: u64,
    pub bad: u64,
    /// Row and what is wrong with it, the first hundred.
    pub bad_rows: Vec<(u64, String)>,
    pub ignored_columns: Vec<String>,
    #[serde(skip)]
    pub observations: Vec<Observation>,
    /// What the table says about owners and the rest, by SHA-256.
    #[serde(skip)]
    pub said: BTreeMap<[u8; 32], Gift>,
}

impl CertificateTable {
    /// Reads a CSV or XLSX. `source` names the tool that it comes from; `named` maps headings to fields where their
    /// names do not say it, `-` to leave one out.
    pub fn read(
        bytes: Vec<u8>,
        source: &str,
        named: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<CertificateTable, Refusal> {
        let mut read = CertificateTable::default();
        let mut columns: Option<BTreeMap<Field, usize>> = None;
        table::read(bytes, None, &mut |line: Line| {
            let Some(places) = &columns else {
                let header = line.cells.map_err(|why| refusal("import.header", why))?;
                columns = Some(read.header(&header, named)?);
                return Ok(());
            };
            read.rows += 1;
            let taken = line.cells.and_then(|cells| {
                let row = Row::new(&cells, places);
                read.take(&row, line.number, source, now)
            });
            if let Err(why) = taken {
                read.bad += 1;
                if read.bad_rows.len() < MOST_TOLD {
                    read.bad_rows.push((line.number, why));
                }
            }
            Ok(())
        })?;
        match columns {
            Some(_) => Ok(read),
            None => {
                Err(refusal("import.empty", "the table is empty").accepted("a header and rows"))
            }
        }
    }

    fn header(
        &mut self,
        header: &[String],
        named: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<Field, usize>, Refusal> {
        if let Some(missing) = named
            .keys()
            .find(|name| !header.iter().any(|one| one.trim() == *name))
        {
            let message = format!("there is no column `{}`", clean(missing));
            return Err(refusal("import.columns", message).accepted(clean(&header.join(", "))));
        }
        let mut places = BTreeMap::new();
        for (at, heading) in header.iter().enumerate() {
            let heading = heading.trim();
            let field = match named.get(heading).map(String::as_str) {
                Some("-" | "") => None,
                Some(name) => Some(field_named(name)?),
                None => field_called(heading),
            };
            match field {
                Some(field) => {
                    places.entry(field).or_insert(at);
                }
                None if heading.is_empty() => {}
                None => self.ignored_columns.push(clean(heading)),
            }
        }
        match places.contains_key(&Field::Certificate) {
            true => Ok(places),
            false => Err(refusal("import.columns", "no column holds certificates").accepted(
                "a heading `certificate` with PEM or base64 of DER, or a column mapping such as `Raw=certificate`",
            )),
        }
    }

    fn take(
        &mut self,
        row: &Row<'_>,
        number: u64,
        source: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        let chain = certificates(row.get(Field::Certificate).unwrap_or_default())?;
        let place = row.place(source, number)?;
        let gift = row.gift()?;
        if gift != Gift::default()
            && let Some(leaf) = chain.first()
        {
            self.said.insert(audit::merkle::sha256(leaf), gift);
        }
        let mut seen = Observation::new(now.0, source, How::Import, place, Outcome::Certificate);
        seen.chain = chain.into_iter().map(Der::from).collect();
        self.observations.push(seen);
        Ok(())
    }
}

struct Row<'a> {
    cells: BTreeMap<Field, &'a str>,
}

impl<'a> Row<'a> {
    fn new(cells: &'a [String], places: &BTreeMap<Field, usize>) -> Self {
        let cell = |(field, at): (&Field, &usize)| {
            let text = cells.get(*at).map(|cell| cell.trim())?;
            (!text.is_empty()).then_some((*field, text))
        };
        Row {
            cells: places.iter().filter_map(cell).collect(),
        }
    }

    fn get(&self, field: Field) -> Option<&'a str> {
        self.cells.get(&field).copied()
    }

    /// Where the row says that it is; without a word of that, in the table.
    fn place(&self, source: &str, number: u64) -> Result<Place, String> {
        let (mut host, mut port) = (self.get(Field::Host), self.get(Field::Port));
        if let (Some(both), None) = (host, port)
            && let Some((name, number)) = both.rsplit_once(':')
            && !name.contains(':')
        {
            (host, port) = (Some(name), Some(number));
        }
        if let (Some(host), Some(path)) = (host, self.get(Field::Path)) {
            return Ok(Place::File {
                host: host.to_owned(),
                path: path.to_owned(),
                alias: None,
            });
        }
        let Some(host) = host else {
            return Ok(Place::File {
                host: source.to_owned(),
                path: self.get(Field::Path).unwrap_or_default().to_owned(),
                alias: Some(format!("row {number}")),
            });
        };
        let port = match port {
            None => 443,
            Some(text) => text
                .parse()
                .map_err(|_| format!("`{}` is no port", clean(text)))?,
        };
        Ok(match host.parse::<IpAddr>() {
            Ok(address) => Place::Network {
                address,
                port,
                sni: None,
                starttls: None,
            },
            Err(_) => Place::Name {
                name: host.to_owned(),
                port,
            },
        })
    }

    fn gift(&self) -> Result<Gift, String> {
        let owned = |field| self.get(field).map(str::to_owned);
        let word = |text: &str| serde_json::Value::String(text.to_lowercase());
        let environment = match self.get(Field::Environment) {
            None => None,
            Some(text) => {
                let text = match text.to_lowercase().as_str() {
                    "prod" | "live" => "production".to_owned(),
                    "dev" => "development".to_owned(),
                    other => other.to_owned(),
                };
                Some(serde_json::from_value(word(&text)).map_err(|_| {
                    format!(
                        "`{}` is no environment; production, test and development are",
                        clean(&text)
                    )
                })?)
            }
        };
        let criticality = match self.get(Field::Criticality) {
            None => None,
            Some(text) => Some(
                text.to_lowercase()
                    .parse()
                    .map_err(|error: crate::UnknownWord| error.to_string())?,
            ),
        };
        let phi = match self.get(Field::Phi).map(str::to_lowercase).as_deref() {
            None => None,
            Some("yes" | "true" | "1" | "y") => Some(true),
            Some("no" | "false" | "0" | "n") => Some(false),
            Some(other) => return Err(format!("`{}` is neither yes nor no", clean(other))),
        };
        let tags = self
            .get(Field::Tags)
            .unwrap_or_default()
            .split([',', ';', '|']);
        Ok(Gift {
            owner: owned(Field::Owner),
            tags: tags
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty())
                .collect(),
            criticality,
            phi,
            patient_facing: None,
            environment,
            site: owned(Field::Site),
            vendor: owned(Field::Vendor),
        })
    }
}

/// PEM, one or several, or base64 of one DER, with or without line ends.
fn certificates(text: &str) -> Result<Vec<Vec<u8>>, String> {
    if text.is_empty() {
        return Err("no certificate in this row".to_owned());
    }
    // Some tools write line ends as two characters.
    let text = text.replace("\\n", "\n");
    let chain = match text.contains("-----BEGIN") {
        true => pem::decode_all(text.as_bytes())
            .map_err(|error| error.to_string())?
            .into_iter()
            .filter(|block| pem::CERTIFICATE_LABELS.contains(&block.label.as_str()))
            .map(|block| block.der)
            .collect::<Vec<_>>(),
        false => {
            let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let der = STANDARD.decode(plain);
            vec![der.map_err(|error| format!("neither PEM nor base64: {error}"))?]
        }
    };
    let Some(leaf) = chain.first() else {
        return Err("the PEM holds no certificate".to_owned());
    };
    Certificate::from_der(leaf).map_err(|error| format!("not a certificate: {error}"))?;
    Ok(chain)
}

fn field_named(name: &str) -> Result<Field, Refusal> {
    let row = FIELDS.iter().find(|(_, one, _)| *one == name);
    row.map(|(field, _, _)| *field).ok_or_else(|| {
        let names: Vec<&str> = FIELDS.iter().map(|(_, name, _)| *name).collect();
        refusal("import.columns", format!("`{}` is no field", clean(name)))
            .accepted(names.join(", "))
    })
}

fn field_called(heading: &str) -> Option<Field> {
    let plain: String = heading
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let is = |(_, name, others): &&(Field, &str, &[&str])| {
        *name == plain || others.contains(&plain.as_str())
    };
    FIELDS.iter().find(is).map(|(field, _, _)| *field)
}

fn refusal(rule: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, SOURCE, message)
}

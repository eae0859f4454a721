//! The words of `ward flow` and `ward flow system`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fleet::Criticality;
use fleet::flow::SystemKind;

use crate::output::Failure;

/// The PHI data-flow map.
#[derive(Subcommand)]
pub(crate) enum Flow {
    /// List flows, with what passes along the map to them.
    #[command(
        after_help = "Examples:\n  ward flow list --phi\n  ward flow list --as-of 2026-06-30T00:00:00Z"
    )]
    List {
        /// Only those over which health information passes.
        #[arg(long)]
        phi: bool,
        /// As the map was then (RFC 3339).
        #[arg(long, value_name = "TIME")]
        as_of: Option<::x509::Time>,
    },
    /// Show a flow, which certificates protect it, and what it lacks.
    #[command(after_help = "Example:\n  ward flow show \"ADT feed\"")]
    Show { flow: String },
    /// Say that one system calls another.
    #[command(
        after_help = "Example:\n  ward flow add \"ADT feed\" --from EHR --to Engine --protocol hl7 --port 2575 --phi yes --mutual yes"
    )]
    Add {
        flow: String,
        /// The system that calls.
        #[arg(long)]
        from: String,
        /// The system that answers.
        #[arg(long)]
        to: String,
        #[command(flatten)]
        fields: Box<FlowFields>,
    },
    /// Change a flow; what is not named stays as it is, and `-` clears.
    #[command(
        after_help = "Example:\n  ward flow change \"ADT feed\" --phi no --port 2575 --port 2576"
    )]
    Change {
        flow: String,
        #[arg(long)]
        from: Option<String>,
        #[arg(long)]
        to: Option<String>,
        #[command(flatten)]
        fields: Box<FlowFields>,
    },
    /// Take a flow from the map; what it was stays in its history.
    #[command(
        after_help = "Example:\n  ward flow remove \"ADT feed\" --why \"replaced by FHIR\" --yes"
    )]
    Remove {
        flow: String,
        #[command(flatten)]
        why: Why,
    },
    /// Hold the map against what was found: flows that nothing protects, and calls that are on no map. Exits with 1 if
    /// a flow lacks something.
    #[command(after_help = "Example:\n  ward flow check --json")]
    Check,
    /// List who was seen to call whom with a certificate of its own.
    #[command(after_help = "Example:\n  ward flow observed --off-map")]
    Observed {
        /// Only calls that no flow says.
        #[arg(long)]
        off_map: bool,
    },
    /// Take in systems and flows from a file as `export` writes it: all of it, or nothing.
    #[command(after_help = "Example:\n  ward flow import map.json --dry-run")]
    Import {
        /// JSON; `-` is standard input.
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Write the map as JSON.
    #[command(after_help = "Example:\n  ward flow export --out map.json")]
    Export {
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The systems that exchange data.
    #[command(subcommand)]
    System(System),
}

#[derive(Subcommand)]
pub(crate) enum System {
    /// List systems, with what passes along the map to them.
    #[command(after_help = "Example:\n  ward flow system list")]
    List {
        /// As the map was then (RFC 3339).
        #[arg(long, value_name = "TIME")]
        as_of: Option<::x509::Time>,
    },
    /// Show a system and the flows from and to it.
    #[command(after_help = "Example:\n  ward flow system show EHR")]
    Show { system: String },
    /// Put a system on the map.
    #[command(
        after_help = "Example:\n  ward flow system add EHR --kind ehr --phi yes --address 10.10.0.0/28 --host \"*.ehr.mercy.example\" --owner integration"
    )]
    Add {
        system: String,
        #[command(flatten)]
        fields: Box<SystemFields>,
    },
    /// Change a system; what is not named stays as it is, and `-` clears.
    #[command(after_help = "Example:\n  ward flow system change EHR --criticality high --host -")]
    Change {
        system: String,
        #[command(flatten)]
        fields: Box<SystemFields>,
    },
    /// Take a system from the map, after the flows that name it.
    #[command(after_help = "Example:\n  ward flow system remove \"Old PACS\" --yes")]
    Remove {
        system: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Args)]
pub(crate) struct Why {
    /// Goes into the log.
    #[arg(long, default_value = "")]
    pub(crate) why: String,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct FlowFields {
    /// What it speaks: fhir, hl7, dicom, ldap, …
    #[arg(long)]
    protocol: Option<String>,
    /// A port at which it is answered; any when absent; repeatable.
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<String>,
    /// The name that is asked for, where others answer at the same port; may begin with `*.`.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Whether health information passes: yes, no, or - for as its ends have it.
    #[arg(long, value_name = "YES/NO")]
    phi: Option<String>,
    /// life-support, high, medium or low, beyond what depends on who calls.
    #[arg(long)]
    criticality: Option<String>,
    /// Whether whoever calls has to show a certificate: yes or no.
    #[arg(long, value_name = "YES/NO")]
    mutual: Option<String>,
    /// What protects it instead of TLS.
    #[arg(long, value_name = "WHAT")]
    protected_by: Option<String>,
    /// The team that answers for it; else that of the system that answers.
    #[arg(long)]
    owner: Option<String>,
    #[arg(long)]
    note: Option<String>,
}

#[derive(Args)]
pub(crate) struct SystemFields {
    /// ehr, portal, imaging, laboratory, pharmacy, devices, integration, database, infrastructure, partner or other.
    #[arg(long)]
    kind: Option<SystemKind>,
    /// Whether health information is on it: yes or no.
    #[arg(long, value_name = "YES/NO")]
    phi: Option<String>,
    /// Whether patients face it: yes or no.
    #[arg(long, value_name = "YES/NO")]
    patient_facing: Option<String>,
    /// life-support, high, medium or low.
    #[arg(long)]
    criticality: Option<Criticality>,
    /// An asset that it consists of, by id, serial number or name in the asset system; repeatable.
    #[arg(long = "asset", value_name = "ASSET")]
    pub(super) assets: Vec<String>,
    /// A name that it answers to; `*.` in front stands for every name below; repeatable.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// An address, prefix or range where it stands; repeatable.
    #[arg(long = "address", value_name = "RANGE")]
    addresses: Vec<String>,
    /// A system that it cannot work without, flows aside; repeatable.
    #[arg(long = "depends-on", value_name = "SYSTEM")]
    depends_on: Vec<String>,
    /// The team that answers for it.
    #[arg(long)]
    owner: Option<String>,
    #[arg(long)]
    site: Option<String>,
    #[arg(long)]
    note: Option<String>,
}

impl FlowFields {
    pub(super) fn onto(&self, flow: &mut fleet::flow::Flow) -> Result<(), Failure> {
        text(&mut flow.protocol, self.protocol.as_ref());
        text(&mut flow.note, self.note.as_ref());
        optional(&mut flow.server_name, self.server_name.as_ref());
        optional(&mut flow.protected_by, self.protected_by.as_ref());
        optional(&mut flow.owner, self.owner.as_ref());
        if let Some(ports) = list(&self.ports) {
            flow.ports = parsed(&ports)?;
        }
        if let Some(said) = &self.phi {
            flow.phi = match said.as_str() {
                "-" => None,
                said => Some(yes(said)?),
            };
        }
        if let Some(said) = &self.criticality {
            flow.criticality = match said.as_str() {
                "-" => None,
                said => Some(said.parse().map_err(usage)?),
            };
        }
        if let Some(said) = &self.mutual {
            flow.mutual = yes(said)?;
        }
        Ok(())
    }
}

impl SystemFields {
    /// All but the assets, which have to be found.
    pub(super) fn onto(&self, system: &mut fleet::flow::System) -> Result<(), Failure> {
        text(&mut system.note, self.note.as_ref());
        optional(&mut system.owner, self.owner.as_ref());
        optional(&mut system.site, self.site.as_ref());
        system.kind = self.kind.unwrap_or(system.kind);
        system.criticality = self.criticality.unwrap_or(system.criticality);
        if let Some(said) = &self.phi {
            system.phi = yes(said)?;
        }
        if let Some(said) = &self.patient_facing {
            system.patient_facing = yes(said)?;
        }
        if let Some(hosts) = list(&self.hosts) {
            system.hosts = hosts;
        }
        if let Some(addresses) = list(&self.addresses) {
            system.addresses = parsed(&addresses)?;
        }
        if let Some(depends_on) = list(&self.depends_on) {
            system.depends_on = depends_on;
        }
        Ok(())
    }
}

/// What was given in the place of what was; one `-` is an empty list.
pub(super) fn list(given: &[String]) -> Option<Vec<String>> {
    match given {
        [] => None,
        [only] if only == "-" => Some(Vec::new()),
        _ => Some(given.to_vec()),
    }
}

fn parsed<T: std::str::FromStr>(given: &[String]) -> Result<Vec<T>, Failure>
where
    T::Err: std::fmt::Display,
{
    let each = given.iter().map(|text| {
        let read = text.trim().parse();
        read.map_err(|error| Failure::Usage(format!("`{text}`: {error}")))
    });
    each.collect()
}

fn yes(said: &str) -> Result<bool, Failure> {
    match said {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(Failure::Usage(format!("`{other}` is neither yes nor no"))),
    }
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}

fn text(field: &mut String, given: Option<&String>) {
    if let Some(given) = given {
        *field = if given == "-" {
            String::new()
        } else {
            given.clone()
        };
    }
}

fn optional(field: &mut Option<String>, given: Option<&String>) {
    if let Some(given) = given {
        *field = (given != "-").then(|| given.clone());
    }
}

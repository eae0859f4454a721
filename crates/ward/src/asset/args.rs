//! The words of `ward asset`, `ward device` and `ward spare`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fleet::{AssetState, Criticality, Kind};

#[derive(Subcommand)]
pub(crate) enum Asset {
    /// List assets.
    #[command(
        after_help = "Examples:\n  ward asset list --kind server --site North\n  ward device list --criticality life-support --state active"
    )]
    List(Filter),
    /// Show an asset and what it holds.
    #[command(
        after_help = "Examples:\n  ward device show SN-4711\n  ward device show SN-4711 --as-of 2026-06-30T00:00:00Z"
    )]
    Show {
        /// Its id, its serial number, or its name in the asset system.
        asset: String,
        /// As it was then (RFC 3339).
        #[arg(long, value_name = "TIME")]
        as_of: Option<::x509::Time>,
    },
    /// Register an asset.
    #[command(
        after_help = "Example:\n  ward device add --serial SN-4711 --manufacturer Fluidic --model \"Drip 3\" --department ICU --criticality life-support --owner biomed"
    )]
    Add {
        /// device, server, workstation or service; `ward device` adds devices.
        #[arg(long)]
        kind: Option<Kind>,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Change an asset; what is not named stays as it is, and `-` clears.
    #[command(
        after_help = "Examples:\n  ward device set SN-4711 --site North --service-life-ends 2031-06-30\n  ward device set SN-4711 --state stored --vendor -"
    )]
    Set {
        /// Its id, its serial number, or its name in the asset system.
        asset: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Add and change assets from a CSV or XLSX table.
    #[command(
        after_help = "Examples:\n  ward device import pumps.csv --dry-run\n  ward device import pumps.xlsx --sheet Devices --column 'Equip #=source' --column 'Remarks=-'"
    )]
    Import {
        #[command(flatten)]
        table: Table,
    },
    /// As import, with a table that is everything the asset system has: report what it lacks.
    #[command(
        after_help = "Examples:\n  ward device reconcile cmms.csv --dry-run\n  ward device reconcile cmms.csv --retire-missing --retire-limit 25 --reason \"sold with the clinic\" --yes"
    )]
    Reconcile {
        #[command(flatten)]
        table: Table,
        /// Retire what the table lacks, or calls retired, and revoke what it holds.
        #[arg(long)]
        retire_missing: bool,
        /// Do nothing if more than this are missing.
        #[arg(long, value_name = "N", default_value_t = 10)]
        retire_limit: u64,
        /// Goes into the log with retirements.
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Write assets as CSV, in the columns that an import reads.
    #[command(after_help = "Example:\n  ward device export --site North --out north.csv")]
    Export {
        #[command(flatten)]
        filter: Filter,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Retire an asset for good: what it holds is revoked, and it gets no certificate any more.
    #[command(
        after_help = "Examples:\n  ward device retire SN-4711 --dry-run\n  ward device retire SN-4711 --reason \"sold\" --yes"
    )]
    Retire {
        /// Its id, its serial number, or its name in the asset system.
        asset: String,
        /// Goes into the log.
        #[arg(long, default_value = "")]
        reason: String,
        /// Only show what would be revoked.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show every version of an asset.
    #[command(after_help = "Example:\n  ward device history SN-4711")]
    History {
        /// Its id, its serial number, or its name in the asset system.
        asset: String,
    },
    /// Show the certificates that an asset was given.
    #[command(after_help = "Example:\n  ward device holdings SN-4711")]
    Holdings {
        /// Its id, its serial number, or its name in the asset system.
        asset: String,
    },
}

#[derive(Args)]
pub(crate) struct Filter {
    #[arg(long)]
    pub(crate) kind: Option<Kind>,
    /// active, stored or retired.
    #[arg(long)]
    pub(crate) state: Option<AssetState>,
    /// life-support, high, medium or low.
    #[arg(long)]
    pub(crate) criticality: Option<Criticality>,
    #[arg(long)]
    pub(crate) owner: Option<String>,
    #[arg(long)]
    pub(crate) site: Option<String>,
    #[arg(long)]
    pub(crate) department: Option<String>,
    #[arg(long)]
    pub(crate) segment: Option<String>,
    #[arg(long)]
    pub(crate) serial: Option<String>,
    /// Text in serial, UDI, manufacturer, model, names or places.
    #[arg(long)]
    pub(crate) contains: Option<String>,
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Continue where the page before ended (its `next`).
    #[arg(long)]
    pub(crate) after: Option<String>,
}

#[derive(Args)]
pub(crate) struct Fields {
    /// As it stands on the label.
    #[arg(long)]
    pub(crate) serial: Option<String>,
    /// GS1, HIBCC or ICCBBA, as printed, scanned, or as a GS1 link; check digits are checked.
    #[arg(long)]
    pub(crate) udi: Option<String>,
    #[arg(long)]
    pub(crate) manufacturer: Option<String>,
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Its DNS name; repeatable.
    #[arg(long = "host-name", value_name = "NAME")]
    pub(crate) host_names: Vec<String>,
    /// The team that answers for it.
    #[arg(long)]
    pub(crate) owner: Option<String>,
    #[arg(long)]
    pub(crate) site: Option<String>,
    #[arg(long)]
    pub(crate) department: Option<String>,
    /// The network zone it lives in.
    #[arg(long)]
    pub(crate) segment: Option<String>,
    /// life-support, high, medium or low.
    #[arg(long)]
    pub(crate) criticality: Option<String>,
    /// Whether health information is on it or passes through it: yes or no.
    #[arg(long, value_name = "YES/NO")]
    pub(crate) phi: Option<String>,
    /// Who services it.
    #[arg(long)]
    pub(crate) vendor: Option<String>,
    /// The last day of its service life; no certificate outlives it.
    #[arg(long, value_name = "DATE")]
    pub(crate) service_life_ends: Option<String>,
    /// automatic, manual or spare.
    #[arg(long)]
    pub(crate) renewal: Option<String>,
    /// good, poor (hours wrong) or none (wakes up in 1970).
    #[arg(long)]
    pub(crate) clock: Option<String>,
    /// A kind of key that it can work with, the best first; repeatable.
    #[arg(long = "key-type", value_name = "KIND")]
    pub(crate) key_types: Vec<String>,
    /// Its TLS stack holds small messages only: yes or no.
    #[arg(long, value_name = "YES/NO")]
    pub(crate) small_memory: Option<String>,
    /// active or stored; see also retire.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// What the asset system calls it.
    #[arg(long)]
    pub(crate) source: Option<String>,
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Args)]
pub(crate) struct Table {
    /// CSV in UTF-8, or XLSX. The first row has the headings.
    pub(crate) file: PathBuf,
    /// What a heading means, or `-` to leave a column out; repeatable.
    #[arg(long = "column", value_name = "HEADING=FIELD")]
    pub(crate) columns: Vec<String>,
    /// The sheet of a workbook; its first when absent.
    #[arg(long)]
    pub(crate) sheet: Option<String>,
    /// What a new asset is when no column says it.
    #[arg(long)]
    pub(crate) kind: Option<Kind>,
    /// Only show what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Subcommand)]
pub(crate) enum Spare {
    /// Make a certificate and a key ahead, kept sealed until two people release them.
    #[command(
        after_help = "Example:\n  ward spare prepare SN-4711 --unused-days 180 --note \"locker 4, ICU\""
    )]
    Prepare {
        /// Its id, its serial number, or its name in the asset system.
        asset: String,
        #[arg(long, default_value = "device-ldevid")]
        profile: String,
        /// The key; the first that asset and profile can work with when absent.
        #[arg(long)]
        algorithm: Option<::x509::KeyAlgorithm>,
        /// Revoked unless somebody has it within so many days.
        #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..=731))]
        unused_days: u32,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List spares, the newest first.
    List {
        /// Of one asset.
        #[arg(long)]
        asset: Option<String>,
        /// preparing, prepared, released or ended.
        #[arg(long)]
        state: Option<fleet::SpareState>,
    },
    /// Show a spare, without what is in it.
    Show {
        /// Its id, `s` and sixteen digits.
        id: String,
    },
    /// Ask for the release of a spare; somebody else has to approve.
    #[command(
        after_help = "Example:\n  ward spare request s0123456789abcdef --technician \"Tom Field\" --reason \"board was replaced\""
    )]
    Request {
        /// Its id, `s` and sixteen digits.
        id: String,
        /// Who gets it.
        #[arg(long)]
        technician: String,
        #[arg(long)]
        reason: String,
    },
    /// Agree to a release. Not for whoever asked.
    #[command(
        after_help = "Example:\n  ward spare approve s0123456789abcdef --comment \"ticket seen\""
    )]
    Approve {
        /// The spare's id, or the request's.
        id: String,
        #[arg(long)]
        comment: Option<String>,
    },
    /// Hand a spare out, once: to whoever asked, after the approval.
    #[command(after_help = "Example:\n  ward spare release s0123456789abcdef --out pump.p12")]
    Release {
        /// Its id, `s` and sixteen digits.
        id: String,
        /// Write the PKCS#12 here (0600).
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Write the password here (0600) instead of printing it.
        #[arg(long, value_name = "FILE")]
        password_out: Option<PathBuf>,
    },
    /// Revoke a spare, whoever has it.
    Revoke {
        /// Its id, `s` and sixteen digits.
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

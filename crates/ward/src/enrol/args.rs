//! `ward enrol` as clap reads it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Device enrolment.
#[derive(Subcommand)]
pub(crate) enum Enrol {
    /// Endpoints: the doors that devices come through, by EST, SCEP or CMP.
    #[command(subcommand)]
    Endpoint(Endpoint),
    /// Rights: what lets a device in, for one asset, a batch or a model.
    #[command(subcommand)]
    Right(Right),
    /// List registrations: who has enrolled, who waits, who was denied.
    #[command(after_help = "Example:\n  ward enrol list --state pending")]
    List(List),
    /// Show one registration.
    Show {
        /// A registration's id, `g` and twenty-four digits.
        id: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Endpoint {
    /// Open an endpoint.
    #[command(
        after_help = "Settings are those that `show` shows: renewal.grace=2592000, unregistered=wait, approval=always.\n\nExample:\n  ward enrol endpoint create pumps --profile device-ldevid --est --scep"
    )]
    Create(Box<NewEndpoint>),
    /// List endpoints.
    List,
    /// Show an endpoint in TOML.
    Show { name: String },
    /// Change an endpoint. Nothing after `=` takes a setting away.
    #[command(
        after_help = "Example:\n  ward enrol endpoint set pumps renewal.from=50 renewal.key=new\n  ward enrol endpoint set pumps 'renewal.previous={revoke-after=86400}'\n  ward enrol endpoint set pumps 'webhook={url=\"https://mdm.example.org/ward\"}'"
    )]
    Set {
        name: String,
        /// Everything anew, from a TOML file as `show` writes it.
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Close an endpoint: every request gets 404 until it is enabled (`set NAME enabled=true`).
    #[command(after_help = "Example:\n  ward enrol endpoint disable pumps")]
    Disable { name: String },
    /// Remove an endpoint that no device has used; one that was used can be disabled.
    #[command(after_help = "Example:\n  ward enrol endpoint remove lab --why \"trial is over\"")]
    Remove {
        name: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct NewEndpoint {
    /// 1 to 32 of a-z 0-9 -; `default` answers paths without a name too.
    pub(crate) name: String,
    /// What its devices get.
    #[arg(long, required_unless_present = "file")]
    pub(crate) profile: Option<String>,
    /// The authority; the profile's usual one if absent.
    #[arg(long)]
    pub(crate) authority: Option<String>,
    /// Speak EST; what an endpoint speaks if nothing else is said.
    #[arg(long)]
    pub(crate) est: bool,
    /// Speak SCEP.
    #[arg(long)]
    pub(crate) scep: bool,
    /// Speak CMP.
    #[arg(long)]
    pub(crate) cmp: bool,
    /// Everything from a TOML file as `show` writes it.
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Right {
    /// Make a right. Its secret is shown this once.
    #[command(
        after_help = "Example:\n  ward enrol right create --endpoint pumps --asset SN-4711 --label sn-4711.svg\n  ward enrol right create --endpoint pumps --serial SN-1 --serial SN-2 --days 7\n  ward enrol right create --endpoint pumps --manufacturer \"B. Braun\" --model Space --vendor braun-idevid.pem"
    )]
    Create(Box<NewRight>),
    /// List rights.
    List {
        /// Only those for this endpoint alone.
        #[arg(long)]
        endpoint: Option<String>,
        /// Only those that can be used now.
        #[arg(long)]
        active: bool,
    },
    /// Show one right.
    Show { id: String },
    /// End a right: it gives no certificate any more. Those that it gave stay.
    #[command(
        after_help = "Example:\n  ward enrol right revoke v0123456789abcdef --why \"label lost\" --yes"
    )]
    Revoke {
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["asset", "model", "serial", "any"]))]
#[command(group = clap::ArgGroup::new("proof").args(["otp", "http", "shared_secret", "vendor"]))]
pub(crate) struct NewRight {
    /// The endpoint it is good at; any if absent.
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// For one asset: its id, its serial number, or its name in the asset system.
    #[arg(long)]
    pub(crate) asset: Option<String>,
    /// For devices of a model.
    #[arg(long, requires = "manufacturer")]
    pub(crate) model: Option<String>,
    #[arg(long, requires = "model")]
    pub(crate) manufacturer: Option<String>,
    /// For a batch of serial numbers; repeat it.
    #[arg(long)]
    pub(crate) serial: Vec<String>,
    /// For any device of the register.
    #[arg(long)]
    pub(crate) any: bool,
    /// By password: SCEP's challenge, or EST's password with any user name. What a right is proved by if nothing else
    /// is said.
    #[arg(long)]
    pub(crate) otp: bool,
    /// By HTTP user and password, for EST; the user is the right's id unless it is given.
    #[arg(long, value_name = "USER", num_args = 0..=1, default_missing_value = "")]
    pub(crate) http: Option<String>,
    /// By a shared secret, for CMP; the reference is the right's id.
    #[arg(long)]
    pub(crate) shared_secret: bool,
    /// By a certificate of the manufacturer (IDevID): its trust anchors in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) vendor: Vec<PathBuf>,
    /// Where the manufacturer's certificate says the serial number: subject-serial-number, hardware-module, udi,
    /// common-name.
    #[arg(long, requires = "vendor", default_value = "subject-serial-number")]
    pub(crate) serial_field: String,
    /// How many certificates it is good for: one for each asset or serial number if absent.
    #[arg(long)]
    pub(crate) uses: Option<u32>,
    /// Days until it ends: 30 if absent, no end for a manufacturer's certificate.
    #[arg(long)]
    pub(crate) days: Option<u32>,
    /// What supports it, KIND=TEXT, such as ticket=CHG-4711; repeat it.
    #[arg(long, value_name = "KIND=TEXT")]
    pub(crate) evidence: Vec<String>,
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Write a label with a QR code, SVG, for whoever goes to the device. New file, readable by you alone.
    #[arg(long, value_name = "FILE.svg", conflicts_with = "vendor")]
    pub(crate) label: Option<PathBuf>,
    /// Write the secret to a new file, readable by you alone, instead of the terminal.
    #[arg(long, value_name = "FILE", conflicts_with = "vendor")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct List {
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// pending, issued or refused.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// An asset's id.
    #[arg(long)]
    pub(crate) asset: Option<String>,
    #[arg(long)]
    pub(crate) serial: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
}

//! The command line: nouns, then verbs. What each does is in the module of the noun.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "ward",
    version,
    about = "A hospital's certificate authority: issues, revokes, and proves it.",
    after_help = "Exit status: 0 done, 1 refused, not found or judged bad, 2 wrong usage.\n\nExamples:\n  ward init --organization \"Mercy Hospital\" --publish-url http://pki.example.org --root-out /media/usb\n  ward serve\n  ward cert issue --profile server-tls --csr web.csr --out web.pem"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one JSON document instead of text, also for errors.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which Ward is meant.
#[derive(Args)]
pub(crate) struct Place {
    /// Directory with ward.toml, the database and the key-encrypting key; ./ward-data or else /var/lib/ward when absent.
    #[arg(long, global = true, env = "WARD_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Database, `sqlite:PATH` or `postgres://USER@HOST/NAME`; wins over ward.toml, and `init` writes it there.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
}

/// Reads `software` or `pkcs11:TOKEN-LABEL`.
pub(crate) fn backend(text: &str) -> Result<keys::Backend, String> {
    match text.split_once(':') {
        None if text == "software" => Ok(keys::Backend::Software),
        Some(("pkcs11", token)) if !token.is_empty() => Ok(keys::Backend::Pkcs11 {
            token: token.to_owned(),
        }),
        _ => Err("expected `software` or `pkcs11:TOKEN-LABEL`".to_owned()),
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build the hierarchy: offline root, issuing authorities, audit log key.
    Init(crate::init::Init),
    /// Run the listeners and everything that happens by itself.
    Serve(Serve),
    /// What runs, how old everything is, what needs attention.
    #[command(after_help = "Example, for a monitor:\n  ward status --check --json")]
    Status {
        /// Exit 1 if something needs attention.
        #[arg(long)]
        check: bool,
    },
    /// Authorities: the hierarchy and its generations.
    #[command(subcommand)]
    Ca(Ca),
    /// Profiles: what may be issued, to whom, with whose approval.
    #[command(subcommand)]
    Profile(Profile),
    /// Certificates: issue, find, revoke.
    #[command(subcommand)]
    Cert(Cert),
    /// Requests that wait for a second person.
    #[command(subcommand)]
    Request(Request),
    #[command(subcommand, about = "Certificate revocation lists")]
    Crl(Crl),
    /// Keys of authorities, responders and the log.
    #[command(subcommand)]
    Key(Key),
    #[command(subcommand, about = "Bearer tokens for the REST API")]
    Token(Token),
    #[command(subcommand, about = "Who is signed in: list and end sessions")]
    Session(crate::sign_in::Session),
    /// People: who works here, what they are granted, how they get in.
    #[command(subcommand)]
    Person(crate::person::Command),
    /// Groups of people.
    #[command(subcommand)]
    Group(crate::person::GroupCommand),
    /// Approval policies: which calls need the word of others.
    #[command(subcommand)]
    Policy(crate::policy::Policy),
    /// Who may do what, and who did.
    #[command(subcommand)]
    Access(crate::person::AccessCommand),
    /// ACME: directories, external account keys, accounts, recalls.
    #[command(subcommand)]
    Acme(crate::acme::args::Acme),
    /// The asset register: what there is, what it holds, what ends with it.
    #[command(subcommand)]
    Asset(crate::asset::args::Asset),
    /// As asset, with devices alone.
    #[command(subcommand)]
    Device(crate::asset::args::Asset),
    /// Spares: certificates and keys made ahead for devices that must not wait.
    #[command(subcommand)]
    Spare(crate::asset::args::Spare),
    /// Device enrolment by EST, SCEP and CMP: endpoints, rights, registrations.
    #[command(subcommand)]
    Enrol(crate::enrol::args::Enrol),
    #[command(subcommand, about = "Trust bundles: which anchors an audience gets")]
    Bundle(crate::bundle::Bundle),
    /// The PHI data-flow map: systems, who exchanges what with whom, and which certificate protects it.
    #[command(subcommand)]
    Flow(crate::flow::args::Flow),
    /// Certificates that nobody told Ward about: on the network, in captured traffic, in files.
    #[command(subcommand)]
    Discover(crate::discover::Discover),
    #[command(subcommand, about = "Whose certificates are: rules and hands")]
    Owner(crate::owner::Owner),
    #[command(subcommand, about = "What is wrong: findings, waivers, incidents")]
    Finding(crate::finding::Command),
    #[command(subcommand, about = "Segments: what a scan may do, signed off")]
    Segment(crate::segment::Segment),
    /// Every certificate in the house, whoever issued it: search, views, export.
    #[command(subcommand)]
    Inventory(crate::inventory::Inventory),
    /// The audit log: show, prove, export, verify.
    #[command(subcommand)]
    Audit(crate::audit_log::Audit),
    /// Agents in segments that this Ward does not reach: invite, order, revoke; enrol and run there.
    #[command(subcommand)]
    Agent(crate::agent::Agent),
    /// Look at, check and convert anything that is DER or PEM.
    #[command(subcommand)]
    X509(X509),
    /// Copy the database to a file while it runs, and verify the copy by its log.
    #[command(
        after_help = "The copy holds everything but the key-encrypting key: keep `kek.json`, and `kek` or your passphrase, apart from it.\n\nExample:\n  ward backup /srv/backup/ward-2026-11-22.db"
    )]
    Backup {
        /// File to write; must not exist.
        file: PathBuf,
    },
    /// Build the database from a backup, and verify it by its log.
    #[command(after_help = "Example:\n  ward restore /srv/backup/ward-2026-11-22.db --replace")]
    Restore {
        /// Backup file.
        file: PathBuf,
        /// Put it in the place of a SQLite database, which is kept beside it under another name.
        #[arg(long)]
        replace: bool,
        #[arg(long, help = "Do not ask")]
        yes: bool,
    },
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  ward serve --data /var/lib/ward --listen 0.0.0.0:8443 --http 0.0.0.0:80"
)]
pub(crate) struct Serve {
    /// HTTPS listener; wins over ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Plain HTTP listener; wins over ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// Log lines as JSON.
    #[arg(long)]
    pub(crate) log_json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// List authorities with their generations.
    List,
    /// Show one authority.
    Show {
        /// An authority, such as `devices`.
        name: String,
    },
    /// Write an authority's certificate as PEM.
    #[command(after_help = "Example:\n  ward ca export servers --chain --out servers-chain.pem")]
    Export {
        /// An authority, or one generation of it, such as `devices-g2`.
        name: String,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        /// With all issuers above it, the root last.
        #[arg(long)]
        chain: bool,
    },
    /// Create an issuing authority under a parent.
    #[command(
        after_help = "Example:\n  ward ca create imaging --permit-dns imaging.example.org --root-key /media/usb --root-passphrase-file /run/secrets/root"
    )]
    Create {
        /// Its name: part of URLs.
        name: String,
        /// Its common name; made from the organization and the name when absent.
        #[arg(long)]
        title: Option<String>,
        /// What it is for: profiles name the purposes that may issue them (`servers`, `devices`, `people`). Its name when absent.
        #[arg(long)]
        purpose: Option<String>,
        /// The authority that signs it.
        #[arg(long, default_value = "root")]
        parent: String,
        /// Its key, ecdsa-p256 when absent.
        #[arg(long)]
        algorithm: Option<x509::KeyAlgorithm>,
        /// Where its key lives: `software` or `pkcs11:TOKEN-LABEL`.
        #[arg(long, value_parser = backend, default_value = "software")]
        backend: keys::Backend,
        #[arg(long, default_value_t = 10)]
        years: u32,
        /// How many levels of authorities may stand below it.
        #[arg(long, default_value_t = 0)]
        path_length: u32,
        /// Restrict to these DNS subtrees (name constraints), repeatable.
        #[arg(long = "permit-dns", value_name = "DOMAIN")]
        permit_dns: Vec<String>,
        #[command(flatten)]
        root: RootKey,
    },
    /// Make a new generation with a new key; the old one keeps its certificates and its status services.
    #[command(
        after_help = "Example:\n  ward ca rotate servers --root-key /media/usb --root-passphrase-file /run/secrets/root"
    )]
    Rotate {
        name: String,
        /// The new key; as the old one when absent.
        #[arg(long)]
        algorithm: Option<x509::KeyAlgorithm>,
        /// Where the new key lives; as the old one when absent.
        #[arg(long, value_parser = backend)]
        backend: Option<keys::Backend>,
        #[command(flatten)]
        root: RootKey,
    },
    /// Sign another authority's certificate, name-constrained (RFC 5280 §4.2.1.10).
    #[command(
        after_help = "Example:\n  ward ca cross-sign root partner-ca.pem --permit-dns partner.example --out partner-cross.pem --root-key /media/usb --root-passphrase-file /run/secrets/root"
    )]
    CrossSign {
        /// The authority that signs.
        name: String,
        /// The foreign authority's certificate.
        certificate: PathBuf,
        /// What it may name: DNS zones; repeatable.
        #[arg(long = "permit-dns", value_name = "DOMAIN")]
        permit_dns: Vec<String>,
        /// Mail domains it may name; repeatable.
        #[arg(long = "permit-email", value_name = "DOMAIN")]
        permit_email: Vec<String>,
        /// Address ranges it may name; repeatable.
        #[arg(long = "permit-ip", value_name = "CIDR")]
        permit_ip: Vec<String>,
        /// How many levels of authorities may stand below it.
        #[arg(long, default_value_t = 0)]
        path_length: u32,
        #[arg(long, default_value_t = 365)]
        days: u32,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        root: RootKey,
    },
    /// Vouch for the clock: it is right now, and certificates of later dates were made while it was wrong.
    AcceptClock {
        /// Goes into the log.
        #[arg(long)]
        why: String,
        #[arg(long, help = "Do not ask")]
        yes: bool,
    },
    /// Stop issuing; status services go on until the last certificate has expired.
    Retire {
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
pub(crate) struct RootKey {
    /// Where the carried key is, when the signing authority is offline: the directory, or the key file in it.
    #[arg(long, value_name = "PATH", requires = "root_passphrase_file")]
    pub(crate) root_key: Option<PathBuf>,
    /// File with the passphrase of the carried key.
    #[arg(long, value_name = "FILE", requires = "root_key")]
    pub(crate) root_passphrase_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Profile {
    /// List profiles with their versions.
    List,
    /// Show a profile as TOML.
    Show {
        name: String,
        #[arg(long)]
        version: Option<u64>,
    },
    /// Check a TOML file without storing it. Needs no data directory.
    #[command(
        after_help = "Example:\n  ward profile show server-tls > portal.toml\n  ward profile check portal.toml"
    )]
    Check { file: PathBuf },
    /// Compare a file, or an older version, with the profile in force.
    #[command(after_help = "Example:\n  ward profile diff server-tls server-tls.toml")]
    Diff {
        name: String,
        #[arg(conflicts_with = "version")]
        file: Option<PathBuf>,
        #[arg(long)]
        version: Option<u64>,
    },
    /// Put a TOML file in force as the next version.
    Set { file: PathBuf },
}

#[derive(Subcommand)]
pub(crate) enum Cert {
    /// Issue from a certification request, or with a key made here and given once.
    #[command(
        after_help = "Examples:\n  ward cert issue --profile server-tls --csr web.csr --out web.pem\n  ward cert issue --profile server-tls --generate --name dns:web.example.org --out web.pem\n  ward cert issue --profile device-ldevid --generate rsa-2048 --subject serialNumber=SN-4711 --p12 pump.p12 --p12-password-file pw"
    )]
    Issue(Box<crate::issue::Issue>),
    /// List certificates, newest first.
    #[command(
        after_help = "Example:\n  ward cert list --profile device-ldevid --expires-within 30"
    )]
    List {
        #[arg(long)]
        profile: Option<String>,
        /// An authority; with a generation such as `devices-g2`, only that one's.
        #[arg(long)]
        authority: Option<String>,
        /// Text in subject or names.
        #[arg(long)]
        contains: Option<String>,
        /// Only those that expire within this many days.
        #[arg(long, value_name = "DAYS")]
        expires_within: Option<u32>,
        /// Only those that stand so.
        #[arg(long, value_enum)]
        state: Option<State>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Continue where the page before ended (its `next`).
        #[arg(long)]
        after: Option<i64>,
    },
    /// Show a certificate and its status.
    Show {
        /// SHA-256 or serial number in hex, as much of its beginning as is unambiguous, or a file with the certificate.
        id: String,
        /// Write the PEM chain here.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Revoke for good (RFC 5280 §5.3.1).
    #[command(
        after_help = "Examples:\n  ward cert revoke 4f0a91 --reason keyCompromise --why \"laptop stolen\"\n  ward cert revoke web.pem --reason superseded"
    )]
    Revoke {
        /// SHA-256 or serial number in hex, as much of its beginning as is unambiguous, or a file with the certificate.
        id: String,
        /// unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn, aACompromise.
        #[arg(long, default_value = "unspecified")]
        reason: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
        /// When the key is known or believed to have been compromised (RFC 3339).
        #[arg(long, value_name = "TIME")]
        invalid_since: Option<x509::Time>,
    },
    /// Suspend (certificateHold); can be released.
    Hold {
        /// SHA-256 or serial number in hex, as much of its beginning as is unambiguous, or a file with the certificate.
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
    },
    /// End a hold.
    Release {
        /// SHA-256 or serial number in hex, as much of its beginning as is unambiguous, or a file with the certificate.
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
    },
}

/// Where a certificate stands.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum State {
    Issued,
    Revoked,
    Held,
}

#[derive(Subcommand)]
pub(crate) enum Request {
    /// List requests; those that wait come first.
    List {
        /// Only those that wait.
        #[arg(long)]
        pending: bool,
    },
    /// Show a request with its evidence and what was said about it.
    Show { id: String },
    /// Agree; with the last agreement the certificate is issued. Not for whoever asked.
    #[command(
        after_help = "Example:\n  ward request approve r0123456789abcdef --comment \"form seen\" --out chain.pem"
    )]
    Approve {
        id: String,
        #[arg(long)]
        comment: Option<String>,
        /// Write the chain that approval produced here.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Refuse.
    Deny {
        id: String,
        #[arg(long)]
        comment: Option<String>,
    },
    /// Say something without deciding.
    #[command(
        after_help = "Example:\n  ward request comment r0123456789abcdef 'which ward is it for?'"
    )]
    Comment { id: String, text: String },
    /// Hand the decision to another person who may make it.
    #[command(after_help = "Example:\n  ward request delegate r0123456789abcdef ben")]
    Delegate { id: String, to: String },
}

#[derive(Subcommand)]
pub(crate) enum Crl {
    /// Numbers, sizes and ages of what is published.
    List,
    /// Show or write a list.
    #[command(after_help = "Example:\n  ward crl show devices --out devices.crl")]
    Show {
        /// An authority, or one generation of it, such as `devices-g2`.
        authority: String,
        /// A partition instead of the complete list.
        #[arg(long, conflicts_with = "delta")]
        partition: Option<u32>,
        /// What changed since the complete list.
        #[arg(long)]
        delta: bool,
        /// Write the DER here.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Publish now, due or not.
    #[command(
        after_help = "Examples:\n  ward crl publish\n  ward crl publish root --root-key /media/usb --root-passphrase-file /run/secrets/root"
    )]
    Publish {
        /// All authorities when absent.
        authority: Option<String>,
        #[command(flatten)]
        root: RootKey,
    },
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// List keys, destroyed ones included.
    List,
    /// Seal every software key again under a new key-encrypting key.
    #[command(
        after_help = "Example:\n  ward key rewrap --passphrase-file /etc/ward/passphrase-2027"
    )]
    Rewrap {
        /// Passphrase file of the new key-encrypting key; a new generated key file when absent.
        #[arg(long, value_name = "FILE", conflicts_with = "systemd_credential")]
        passphrase_file: Option<PathBuf>,
        /// The new key-encrypting key is this systemd credential.
        #[arg(long, value_name = "NAME")]
        systemd_credential: Option<String>,
    },
    /// Take a key out of use.
    Retire {
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Destroy a retired key for good; its record remains.
    Destroy {
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Create a token; it is printed once.
    #[command(
        after_help = "Example:\n  ward token create --name ci --role issuer --profile server-tls --allow-name '*.apps.example.org' --days 90"
    )]
    Create {
        /// Who holds it. Two tokens of one holder are one person to approvals.
        #[arg(long)]
        name: String,
        /// The holder is a person, not a machine.
        #[arg(long)]
        person: bool,
        /// admin, ra-officer, approver, clinical-engineering, integration, security, auditor, help-desk, issuer or read-only; repeatable.
        #[arg(long = "role", required = true)]
        roles: Vec<access::Role>,
        /// Only these profiles (`server-*`); repeatable.
        #[arg(long = "profile", value_name = "GLOB")]
        profiles: Vec<String>,
        /// Only these authorities; repeatable.
        #[arg(long = "authority", value_name = "GLOB")]
        authorities: Vec<String>,
        /// Only names that match: `*.apps.example.org`, `ip:10.20.0.0/16`, `email:*@example.org`; repeatable.
        #[arg(long = "allow-name", value_name = "PATTERN")]
        allow_names: Vec<String>,
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Write the token to this file (0600) instead of printing it.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List tokens, never their secrets.
    List,
    /// End a token at once, also at servers that are running.
    Revoke {
        /// Its id, `t` and twelve digits.
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum X509 {
    /// Describe certificates, requests, CRLs, OCSP messages, PKCS#7, PKCS#12 and public keys.
    Show { file: PathBuf },
    /// Check certificates and CRLs against the lint rules.
    #[command(after_help = "Example:\n  ward x509 lint web.pem devices.crl")]
    Lint {
        files: Vec<PathBuf>,
        /// List the rules instead.
        #[arg(long)]
        rules: bool,
    },
    /// Build and validate a certification path (RFC 5280 §6).
    Verify(Box<crate::x509::Verify>),
    /// Convert between PEM, DER and PKCS#7.
    #[command(after_help = "Example:\n  ward x509 convert chain.pem --to p7b --out chain.p7b")]
    Convert {
        file: PathBuf,
        #[arg(long, value_enum)]
        to: crate::x509::Format,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_whole_tree_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! The command line: nouns, then verbs. What each does is in the module of the noun.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "ward",
    version,
    about = "A hospital's certificate authority: issues, revokes, and proves it.",
    after_help = "Exit status: 0 done, 1 refused or not found, 2 wrong usage.\n\nExample:\n  ward init --data ./ward-data --organization \"Mercy Hospital\" --publish-url http://pki.example.org --root-out /media/usb\n  ward serve --data ./ward-data"
)]
pub(crate) struct Cli {
    /// Directory with ward.toml, the database and the key-encrypting key.
    #[arg(long, global = true, env = "WARD_DATA", default_value = "./ward-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build the hierarchy: offline root, issuing authorities, audit log key.
    Init(Init),
    /// Run the listeners and everything that happens by itself.
    Serve(Serve),
    /// What runs, how old everything is, what needs attention.
    Status,
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
    /// Certificate revocation lists.
    #[command(subcommand)]
    Crl(Crl),
    /// Keys of authorities, responders and the log.
    #[command(subcommand)]
    Key(Key),
    /// Bearer tokens for the REST API.
    #[command(subcommand)]
    Token(Token),
    /// The audit log: show, prove, export, verify.
    #[command(subcommand)]
    Audit(Audit),
    /// Look at, check and convert anything that is DER or PEM.
    #[command(subcommand)]
    X509(X509),
    /// Copy the running database to a file, consistent and verified by the log.
    Backup {
        /// File to write; must not exist.
        file: PathBuf,
    },
    /// Build a database from a backup, verified by the log.
    Restore {
        /// Backup file.
        file: PathBuf,
        /// Replace a database that is not empty.
        #[arg(long)]
        replace: bool,
    },
}

#[derive(Args)]
#[command(after_help = "Example:\n  ward init --organization \"Mercy Hospital\" --publish-url http://pki.example.org --root-out /media/usb")]
pub(crate) struct Init {
    /// Answers file (TOML); flags win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
    /// O= of every authority.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// C= of every authority, two letters.
    #[arg(long)]
    pub(crate) country: Option<String>,
    /// Where relying parties fetch CRLs, OCSP and issuer certificates: the plain HTTP listener as they see it.
    #[arg(long, value_name = "URL")]
    pub(crate) publish_url: Option<String>,
    /// Directory, usually removable, that receives the encrypted root key.
    #[arg(long, value_name = "DIR", conflicts_with = "keep_root_online")]
    pub(crate) root_out: Option<PathBuf>,
    /// File with the passphrase for the root key (at least 12 characters); without it one is made and written beside the data directory's key-encrypting key.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_passphrase_file: Option<PathBuf>,
    /// Keep the root key in this machine's key store. Anybody who takes the machine takes the hierarchy.
    #[arg(long)]
    pub(crate) keep_root_online: bool,
    /// Where keys live: `software` or `pkcs11:TOKEN-LABEL` (the token must be in ward.toml).
    #[arg(long, default_value = "software")]
    pub(crate) backend: String,
    /// Key algorithm of issuing authorities: ecdsa-p256, ecdsa-p384, rsa-3072 …
    #[arg(long)]
    pub(crate) algorithm: Option<x509::KeyAlgorithm>,
    /// `sqlite:PATH` or `postgres://USER@HOST/DB`; written to ward.toml.
    #[arg(long)]
    pub(crate) database: Option<String>,
    /// HTTPS listener, written to ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// Plain HTTP listener, written to ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<String>,
    /// Show what would be made, make nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  ward serve --data /var/lib/ward --listen 0.0.0.0:8443 --http 0.0.0.0:80")]
pub(crate) struct Serve {
    /// HTTPS listener; wins over ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Plain HTTP listener; wins over ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// Database; wins over ward.toml.
    #[arg(long)]
    pub(crate) database: Option<String>,
    /// Log lines as JSON.
    #[arg(long)]
    pub(crate) log_json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// List authorities with their generations.
    List,
    /// Show one authority.
    Show { name: String },
    /// Write an authority's certificate chain as PEM.
    Export {
        name: String,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        /// With all issuers up to the root.
        #[arg(long)]
        chain: bool,
    },
    /// Create an issuing authority under a parent.
    #[command(after_help = "Example:\n  ward ca create imaging --root-key /media/usb/root.key.pem --root-passphrase-file /run/secrets/root")]
    Create {
        name: String,
        /// Common name; made from the organization and the name when absent.
        #[arg(long)]
        subject: Option<String>,
        #[arg(long, default_value = "root")]
        parent: String,
        #[arg(long)]
        algorithm: Option<x509::KeyAlgorithm>,
        #[arg(long, default_value = "software")]
        backend: String,
        #[arg(long, default_value_t = 10)]
        years: u32,
        /// Restrict to these DNS subtrees (name constraints), repeatable.
        #[arg(long = "permit-dns", value_name = "DOMAIN")]
        permit_dns: Vec<String>,
        #[command(flatten)]
        root: RootKey,
    },
    /// Make a new generation with a new key; the old one keeps its certificates and its status services.
    Rotate {
        name: String,
        #[arg(long)]
        algorithm: Option<x509::KeyAlgorithm>,
        #[command(flatten)]
        root: RootKey,
    },
    /// Sign another authority's certificate, name-constrained (RFC 5280 §4.2.1.10).
    CrossSign {
        name: String,
        /// The foreign authority's certificate.
        certificate: PathBuf,
        #[arg(long = "permit-dns", value_name = "DOMAIN")]
        permit_dns: Vec<String>,
        #[arg(long, default_value_t = 365)]
        days: u32,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        root: RootKey,
    },
    /// Stop issuing; status services go on until the last certificate has expired.
    Retire {
        name: String,
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct RootKey {
    /// The carried root key, when the parent is offline.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
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
    /// Check a TOML file without storing it.
    Check { file: PathBuf },
    /// Compare a file, or an older version, with the profile in force.
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
    #[command(after_help = "Examples:\n  ward cert issue --profile server-tls --csr web.csr --out web.pem\n  ward cert issue --profile device-ldevid --serial-number SN-4711 --p12 pump.p12 --p12-password-file pw")]
    Issue(Issue),
    /// List certificates, newest first.
    List {
        #[arg(long)]
        profile: Option<String>,
        #[arg(long)]
        authority: Option<String>,
        /// Text in subject or names.
        #[arg(long)]
        contains: Option<String>,
        /// Only those that expire within this many days.
        #[arg(long, value_name = "DAYS")]
        expires_within: Option<u32>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Continue after this row id.
        #[arg(long)]
        after: Option<i64>,
    },
    /// Show a certificate, by SHA-256 or serial number.
    Show {
        id: String,
        /// Write the PEM chain here.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Revoke for good (RFC 5280 §5.3.1).
    #[command(after_help = "Example:\n  ward cert revoke 4f0a… --reason keyCompromise --why \"laptop stolen\"")]
    Revoke {
        id: String,
        #[arg(long, default_value = "unspecified")]
        reason: String,
        #[arg(long)]
        why: Option<String>,
        /// When the key is known or believed to have been compromised (RFC 3339).
        #[arg(long)]
        invalid_since: Option<String>,
    },
    /// Suspend (certificateHold); can be released.
    Hold {
        id: String,
        #[arg(long)]
        why: Option<String>,
    },
    /// End a hold.
    Release {
        id: String,
        #[arg(long)]
        why: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct Issue {
    #[arg(long)]
    pub(crate) profile: String,
    #[arg(long)]
    pub(crate) authority: Option<String>,
    /// Certification request, PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub(crate) csr: Option<PathBuf>,
    /// Make a key of this algorithm here, give it once, do not keep it.
    #[arg(long, conflicts_with = "csr")]
    pub(crate) generate: Option<x509::KeyAlgorithm>,
    /// Subject, RFC 4514.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Alternative name: dns:…, ip:…, email:…, uri:…, upn:…; repeatable.
    #[arg(long = "name", value_name = "KIND:VALUE")]
    pub(crate) names: Vec<String>,
    #[arg(long)]
    pub(crate) days: Option<u32>,
    /// Certificate chain as PEM (with the key before it when generated).
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Key and chain as PKCS#12.
    #[arg(long, value_name = "FILE", requires = "p12_password_file")]
    pub(crate) p12: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    pub(crate) p12_password_file: Option<PathBuf>,
    /// Reason or evidence, kept with the request.
    #[arg(long)]
    pub(crate) evidence: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Request {
    List,
    Show { id: String },
    Approve {
        id: String,
        #[arg(long)]
        comment: Option<String>,
        /// Write the chain that approval produced here.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    Deny {
        id: String,
        #[arg(long)]
        comment: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Crl {
    /// Numbers, sizes and ages of what is published.
    List,
    /// Write a CRL.
    Show {
        authority: String,
        #[arg(long)]
        partition: Option<u32>,
        #[arg(long)]
        delta: bool,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Publish now.
    Publish {
        /// All authorities when absent.
        authority: Option<String>,
        #[command(flatten)]
        root: RootKey,
    },
}

#[derive(Subcommand)]
pub(crate) enum Key {
    List,
    /// Seal every software key again under a new key-encrypting key.
    Rewrap {
        /// Passphrase file of the new key-encrypting key; a generated key file when absent.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Destroy a retired key for good.
    Destroy {
        id: String,
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Create a token; it is printed once.
    #[command(after_help = "Example:\n  ward token create --name ci --role issuer --profile server-tls --allow-name '*.apps.example.org' --days 90")]
    Create {
        #[arg(long)]
        name: String,
        /// admin, issuer, approver, auditor or read-only; repeatable.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        #[arg(long = "profile")]
        profiles: Vec<String>,
        #[arg(long = "authority")]
        authorities: Vec<String>,
        #[arg(long = "allow-name", value_name = "PATTERN")]
        allow_names: Vec<String>,
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Write the token to this file (0600) instead of printing it.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    List,
    Revoke { id: String },
}

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Verify the database, an exported folder, or either against an earlier checkpoint.
    Verify {
        /// An exported folder; the live database when absent.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// A checkpoint seen earlier: the log must be its continuation.
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
        /// Verifier key, when it must not be taken from what is being verified.
        #[arg(long, value_name = "VKEY")]
        vkey: Option<String>,
    },
    /// Show events, newest last.
    Show {
        #[arg(long)]
        from: Option<u64>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Only actions that begin with this.
        #[arg(long)]
        action: Option<String>,
        /// Only events about this object id.
        #[arg(long)]
        object: Option<String>,
    },
    /// Inclusion proof of one event.
    Prove { seq: u64 },
    /// Write the log as a static folder that anybody can verify.
    Export { folder: PathBuf },
    /// Sign and print a checkpoint of the log as it is.
    Checkpoint,
}

#[derive(Subcommand)]
pub(crate) enum X509 {
    /// Describe certificates, requests, CRLs, OCSP messages, PKCS#7, PKCS#12 and public keys.
    Show { file: PathBuf },
    /// Check certificates and CRLs against the lint rules.
    Lint {
        files: Vec<PathBuf>,
        /// List the rules instead.
        #[arg(long)]
        rules: bool,
    },
    /// Build and validate a certification path (RFC 5280 §6).
    Verify(crate::x509::Verify),
    /// Convert between PEM, DER and PKCS#7.
    Convert {
        file: PathBuf,
        /// pem, der or p7b.
        #[arg(long, value_name = "FORMAT")]
        to: String,
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

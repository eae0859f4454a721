//! The words of `ward acme`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Acme {
    /// Directories: the doors that ACME clients come through.
    #[command(subcommand)]
    Directory(Directory),
    /// External account keys: what lets a client in, and for which names.
    #[command(subcommand)]
    Eab(Eab),
    /// Accounts that clients have made.
    #[command(subcommand)]
    Account(Account),
    /// Orders that clients have placed.
    #[command(subcommand)]
    Order(Order),
    /// Recalls: have certificates renewed at once, before or without revoking them.
    #[command(subcommand)]
    Recall(Recall),
}

#[derive(Subcommand)]
pub(crate) enum Directory {
    /// List directories with their URLs.
    List,
    /// Show a directory as TOML.
    #[command(after_help = "Example:\n  ward acme directory show servers")]
    Show {
        /// A directory, such as `servers`.
        name: String,
    },
    /// Create a directory.
    #[command(
        after_help = "Examples:\n  ward acme directory create portals --authority servers --profile server-tls --profile api-tls\n  ward acme directory create lab --profile server-tls external_account=off 'names=[\".lab.example.org\"]'\n  ward acme directory create copy --file servers.toml"
    )]
    Create {
        /// Its name: part of its URLs.
        name: String,
        /// The authority that issues; when absent, the one that the profile is usually issued by.
        #[arg(long)]
        authority: Option<String>,
        /// What it offers, the default first; repeatable.
        #[arg(long = "profile", value_name = "PROFILE")]
        profiles: Vec<String>,
        /// TOML as `show` writes it, to begin with.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Anything that `show` shows: `reuse=3600`, `limits.new_orders_per_account=100/h`.
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Change a directory; what is not named stays as it is.
    #[command(
        after_help = "Examples:\n  ward acme directory set servers 'challenges=[\"http-01\", \"dns-01\"]' wildcards=false\n  ward acme directory set servers enabled=false\n  ward acme directory show servers > servers.toml\n  ward acme directory set servers --file servers.toml"
    )]
    Set {
        /// A directory, such as `servers`.
        name: String,
        /// The whole directory anew, as TOML.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Anything that `show` shows: `reuse=3600`, `limits.new_orders_per_account=100/h`.
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Remove a directory that nobody has used; one that was used can be disabled (`enabled=false`).
    #[command(after_help = "Example:\n  ward acme directory remove lab --why \"trial is over\"")]
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

#[derive(Subcommand)]
pub(crate) enum Eab {
    /// Create a key; its secret is shown once.
    #[command(
        after_help = "Examples:\n  ward acme eab create --directory servers --owner \"web team\" --allow-name '*.web.example.org'\n  ward acme eab create --directory servers --owner radiology --preauthorised --allow-name pacs.example.org --allow-name ip:10.20.0.9 --asset PACS-01\n  ward acme eab create --directory servers --owner platform --unlimited --days 365 --profile server-tls"
    )]
    Create(Box<NewEab>),
    /// List keys, never their secrets.
    #[command(after_help = "Example:\n  ward acme eab list --directory servers")]
    List {
        #[arg(long)]
        directory: Option<String>,
    },
    /// Show a key and the accounts that it has bound.
    Show {
        /// Its id, `e` and sixteen digits.
        id: String,
    },
    /// End a key: it binds no further account.
    #[command(
        after_help = "Example:\n  ward acme eab revoke e0123456789abcdef --accounts --why \"contract ended\""
    )]
    Revoke {
        /// Its id, `e` and sixteen digits.
        id: String,
        /// End the accounts that it has bound, too.
        #[arg(long)]
        accounts: bool,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct NewEab {
    #[arg(long)]
    pub(crate) directory: String,
    /// Who answers for it: a person, a team, a service.
    #[arg(long)]
    pub(crate) owner: String,
    /// Only names that match: `*.web.example.org`, `.example.org`, `ip:10.20.0.0/16`; repeatable.
    #[arg(long = "allow-name", value_name = "PATTERN")]
    pub(crate) allow_names: Vec<String>,
    /// Only these profiles of the directory (`server-*`); repeatable.
    #[arg(long = "profile", value_name = "GLOB")]
    pub(crate) profiles: Vec<String>,
    /// The names need no challenge: for machines that cannot answer one. Needs --allow-name.
    #[arg(long, requires = "allow_names")]
    pub(crate) preauthorised: bool,
    /// How many accounts it may bind.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: u32,
    /// Any number of accounts.
    #[arg(long, conflicts_with = "uses")]
    pub(crate) unlimited: bool,
    /// Days until it binds no further account; accounts that it has bound go on.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// The asset that it is for, as the asset register calls it.
    #[arg(long)]
    pub(crate) asset: Option<String>,
    /// The network segment that it is for.
    #[arg(long)]
    pub(crate) segment: Option<String>,
    /// Write key id and secret to this file (0600, JSON) instead of printing the secret.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Account {
    /// List accounts.
    #[command(after_help = "Example:\n  ward acme account list --directory servers --status valid")]
    List {
        #[arg(long)]
        directory: Option<String>,
        /// valid, deactivated (by the client) or revoked (by an operator).
        #[arg(long)]
        status: Option<String>,
        /// Only those that this external account key has bound.
        #[arg(long, value_name = "ID")]
        eab: Option<String>,
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Continue where the page before ended (its `next`).
        #[arg(long)]
        after: Option<String>,
    },
    /// Show an account.
    Show { id: String },
    /// End an account: its key signs nothing any more. Its certificates stay as they are.
    #[command(
        after_help = "Example:\n  ward acme account deactivate 8KQ2M7 --why \"server is gone\""
    )]
    Deactivate {
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Order {
    /// List orders, the newest first.
    #[command(after_help = "Example:\n  ward acme order list --directory servers --status invalid")]
    List {
        #[arg(long)]
        directory: Option<String>,
        #[arg(long)]
        account: Option<String>,
        /// pending, ready, processing, valid or invalid.
        #[arg(long)]
        status: Option<String>,
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Continue where the page before ended (its `next`).
        #[arg(long)]
        after: Option<String>,
    },
    /// Show an order with its authorizations and what came of them.
    Show { id: String },
}

#[derive(Subcommand)]
pub(crate) enum Recall {
    /// Mark certificates to be renewed at once: clients that follow RFC 9773 do so at their next look.
    #[command(
        after_help = "Examples:\n  ward acme recall create --issuer servers --issued-before 2026-11-20T00:00:00Z --why \"wrong policy id\" --dry-run\n  ward acme recall create --name '*.icu.example.org' --why \"key generator was weak\" --explanation https://intranet.example.org/recall-7"
    )]
    Create(Box<NewRecall>),
    /// List recalls, ended ones included.
    List {
        /// Count, for each in force, how many certificates still have to be renewed. Walks through all certificates.
        #[arg(long)]
        count: bool,
    },
    /// End a recall: windows are where they were.
    #[command(
        after_help = "Example:\n  ward acme recall end recall-0123abcd --why \"all replaced\""
    )]
    End {
        /// Its id, `recall-` and eight digits.
        id: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct NewRecall {
    /// Those of an authority, or of one generation of it, such as `servers-g2`.
    #[arg(long, value_name = "AUTHORITY")]
    pub(crate) issuer: Option<String>,
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// Those with a name that matches: `*.icu.example.org`, `ip:10.20.0.0/16`; repeatable.
    #[arg(long = "name", value_name = "PATTERN")]
    pub(crate) names: Vec<String>,
    /// Those with this serial number in hex; repeatable.
    #[arg(long = "serial", value_name = "HEX")]
    pub(crate) serials: Vec<String>,
    /// Those that were issued before (RFC 3339); never later than now, so that a replacement is not recalled.
    #[arg(long, value_name = "TIME")]
    pub(crate) issued_before: Option<::x509::Time>,
    /// Every certificate of every authority.
    #[arg(long)]
    pub(crate) everything: bool,
    /// Goes into the log.
    #[arg(long)]
    pub(crate) why: String,
    /// A page that clients show to their people.
    #[arg(long, value_name = "URL")]
    pub(crate) explanation: Option<String>,
    /// Say how many certificates it would move, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

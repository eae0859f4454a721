//! `ward owner`: whose certificates are. Ordered rules, and what is said by hand about a single one (R21).

use std::path::Path;

use access::Action;
use agent::scan::Range;
use clap::{Args, Subcommand};
use fleet::inventory::Environment;
use fleet::inventory::rule::{Gift, OwnerRule, StoredRule, Trial, When};
use fleet::{Criticality, Fleet};
use serde_json::json;
use x509::Certificate;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, read, table};

/// Rules that give owners, and owners given by hand.
#[derive(Subcommand)]
pub(crate) enum Owner {
    /// List the rules in the order in which they are tried.
    #[command(after_help = "Example:\n  ward owner list --json")]
    List,
    /// Show a rule.
    #[command(after_help = "Example:\n  ward owner show icu-pumps")]
    Show { rule: String },
    /// Add a rule behind the others, or at a position.
    #[command(
        after_help = "Every condition that is given must hold, and of each one of its values; what is said about places holds of one and the same place.\n\nExample:\n  ward owner add icu-pumps --segment icu --named '*.pumps.hospital.example' --owner biomed --tag pump --criticality life-support --phi true"
    )]
    Add {
        rule: String,
        #[command(flatten)]
        when: Box<Conditions>,
        #[command(flatten)]
        give: Gifts,
        /// Tried in the order of these numbers.
        #[arg(long, default_value_t = 0)]
        position: i64,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Change the position of a rule.
    #[command(after_help = "Example:\n  ward owner move icu-pumps 5")]
    Move { rule: String, position: i64 },
    /// Remove a rule.
    #[command(after_help = "Example:\n  ward owner remove icu-pumps")]
    Remove { rule: String },
    /// Say which rule matches a certificate, and why the ones before it do not.
    #[command(
        after_help = "Example:\n  ward owner test server.pem\n  ward owner test 3f2a9c0d4b6e8f1029384756abcdef00112233445566778899aabbccddeeff00"
    )]
    Test {
        /// SHA-256 of a certificate in the inventory, or a PEM or DER file.
        certificate: String,
    },
    /// Say by hand whose a certificate is; without anything to say, take it back.
    #[command(
        after_help = "Example:\n  ward owner set 3f2a9c0d4b6e8f1029384756abcdef00112233445566778899aabbccddeeff00 --owner radiology"
    )]
    Set {
        sha256: String,
        #[command(flatten)]
        give: Gifts,
    },
}

#[derive(Args)]
pub(crate) struct Conditions {
    /// Glob over its names, `*.icu.hospital.example`; may be repeated, like all conditions.
    #[arg(long, value_name = "GLOB")]
    named: Vec<String>,
    /// Glob over its issuer, `*O=Fluidic*`.
    #[arg(long, value_name = "GLOB")]
    issuer: Vec<String>,
    /// Glob over its subject.
    #[arg(long, value_name = "GLOB")]
    subject: Vec<String>,
    /// Glob over the maker or servicer of its asset.
    #[arg(long, value_name = "GLOB")]
    maker: Vec<String>,
    /// scan, capture, file, import or issued.
    #[arg(long, value_name = "WAY")]
    how: Vec<String>,
    /// Whether an authority of ours signed it.
    #[arg(long, value_name = "BOOL")]
    ours: Option<bool>,
    #[arg(long, value_name = "BOOL")]
    self_signed: Option<bool>,
    /// Segment that it is in.
    #[arg(long, value_name = "NAME")]
    segment: Vec<String>,
    /// Addresses that it is at: 10.30.0.0/16, 10.30.0.1-10.30.0.99, 10.30.0.7.
    #[arg(long, value_name = "RANGE")]
    address: Vec<Range>,
    #[arg(long)]
    port: Vec<u16>,
    /// Glob over the host that a file is on, or the name that was asked for.
    #[arg(long, value_name = "GLOB")]
    host: Vec<String>,
    /// Glob over the path of a file.
    #[arg(long, value_name = "GLOB")]
    path: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Gifts {
    /// The team that answers for it.
    #[arg(long)]
    owner: Option<String>,
    /// May be repeated; `ehr` says that it belongs to the electronic health record.
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// life-support, high, medium or low.
    #[arg(long)]
    criticality: Option<Criticality>,
    /// Whether protected health information passes there.
    #[arg(long, value_name = "BOOL")]
    phi: Option<bool>,
    #[arg(long, value_name = "BOOL")]
    patient_facing: Option<bool>,
    /// production, test or development.
    #[arg(long, value_parser = environment)]
    environment: Option<Environment>,
    #[arg(long)]
    site: Option<String>,
    #[arg(long)]
    vendor: Option<String>,
}

fn environment(text: &str) -> Result<Environment, String> {
    match text {
        "production" => Ok(Environment::Production),
        "test" => Ok(Environment::Test),
        "development" => Ok(Environment::Development),
        _ => Err("accepted: production, test, development".to_owned()),
    }
}

impl From<Gifts> for Gift {
    fn from(gifts: Gifts) -> Gift {
        Gift {
            owner: gifts.owner,
            tags: gifts.tags,
            criticality: gifts.criticality,
            phi: gifts.phi,
            patient_facing: gifts.patient_facing,
            environment: gifts.environment,
            site: gifts.site,
            vendor: gifts.vendor,
        }
    }
}

impl From<Conditions> for When {
    fn from(conditions: Conditions) -> When {
        When {
            names: conditions.named,
            issuers: conditions.issuer,
            subjects: conditions.subject,
            vendors: conditions.maker,
            how: conditions.how,
            ours: conditions.ours,
            self_signed: conditions.self_signed,
            segments: conditions.segment,
            addresses: conditions.address,
            ports: conditions.port,
            hosts: conditions.host,
            paths: conditions.path,
        }
    }
}

pub(crate) async fn run(place: &Place, command: Owner) -> Done {
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    match command {
        Owner::List => list(&context, &fleet).await,
        Owner::Show { rule } => {
            context.permit(Action::ReadInventory).await?;
            let stored = fleet.owner_rule(&rule).await?;
            Ok(Report::new(json!(stored), shown(&stored.rule)))
        }
        Owner::Add {
            rule,
            when,
            give,
            position,
            note,
        } => {
            let rule = OwnerRule {
                name: rule,
                position,
                when: (*when).into(),
                give: give.into(),
                note,
            };
            let permit = context.permit(Action::ManageInventory).await?;
            let put = fleet.put_owner_rule(&permit, rule, 0, clock::now()).await?;
            changed(&fleet, &put, "added").await
        }
        Owner::Move { rule, position } => {
            let permit = context.permit(Action::ManageInventory).await?;
            let stored = fleet.owner_rule(&rule).await?;
            let moved = OwnerRule {
                position,
                ..stored.rule
            };
            let put = fleet
                .put_owner_rule(&permit, moved, stored.version, clock::now())
                .await?;
            changed(&fleet, &put, "moved").await
        }
        Owner::Remove { rule } => {
            let permit = context.permit(Action::ManageInventory).await?;
            fleet
                .remove_owner_rule(&permit, &rule, clock::now())
                .await?;
            let settled = fleet.settle(clock::now()).await?;
            let json = json!({ "removed": rule, "settled": settled });
            Ok(Report::new(json, format!("rule {rule} is removed")))
        }
        Owner::Test { certificate } => test(&context, &fleet, &certificate).await,
        Owner::Set { sha256, give } => {
            let permit = context.permit(Action::ManageInventory).await?;
            let hash = hash(&sha256)?;
            fleet
                .set_by_hand(&permit, &hash, give.into(), clock::now())
                .await?;
            fleet.settle(clock::now()).await?;
            let facts = fleet.facts(&hash).await?;
            let owner = facts.assigned.owner;
            let by = facts.assigned.owner_by;
            let text = match (&owner, &by) {
                (Some(owner), Some(by)) => format!("owner: {owner}, by {by}"),
                _ => "nobody owns it".to_owned(),
            };
            let json = json!({ "sha256": sha256, "owner": owner, "owner_by": by });
            Ok(Report::new(json, text))
        }
    }
}

async fn list(context: &Context, fleet: &Fleet) -> Done {
    context.permit(Action::ReadInventory).await?;
    let rules = fleet.owner_rules().await?;
    let rows: Vec<Vec<String>> = rows(&rules);
    let text = match rows.is_empty() {
        true => "no rules: what the register does not know has no owner".to_owned(),
        false => table(&["POSITION", "RULE", "OWNER", "TAGS", "NOTE"], &rows),
    };
    Ok(Report::new(json!(rules), text))
}

fn rows(rules: &[StoredRule]) -> Vec<Vec<String>> {
    let row = |stored: &StoredRule| {
        let rule = &stored.rule;
        vec![
            rule.position.to_string(),
            rule.name.clone(),
            rule.give.owner.clone().unwrap_or_default(),
            rule.give.tags.join(", "),
            rule.note.clone(),
        ]
    };
    rules.iter().map(row).collect()
}

fn shown(rule: &OwnerRule) -> String {
    let pretty = |value: serde_json::Result<String>| value.unwrap_or_default();
    format!(
        "{} (position {})\nwhen {}\ngive {}",
        rule.name,
        rule.position,
        pretty(serde_json::to_string_pretty(&rule.when)),
        pretty(serde_json::to_string_pretty(&rule.give))
    )
}

async fn changed(fleet: &Fleet, put: &StoredRule, what: &str) -> Done {
    let settled = fleet.settle(clock::now()).await?;
    let text = format!(
        "rule {} is {what} at position {}; {} certificates looked at, {} changed",
        put.rule.name, put.rule.position, settled.looked_at, settled.changed
    );
    Ok(Report::new(
        json!({ "rule": put, "settled": settled }),
        text,
    ))
}

fn hash(text: &str) -> Result<[u8; 32], Failure> {
    let bytes = hex::decode(text.trim()).ok();
    let hash = bytes.and_then(|bytes| bytes.try_into().ok());
    hash.ok_or_else(|| Failure::Usage(format!("`{text}` is no SHA-256: 64 hex digits are")))
}

async fn test(context: &Context, fleet: &Fleet, what: &str) -> Done {
    context.permit(Action::ReadInventory).await?;
    let trial = match hash(what) {
        Ok(hash) => Trial::Known(hash),
        Err(_) => Trial::Given(Box::new(of_file(Path::new(what))?)),
    };
    let tried = fleet.try_owner_rules(&trial).await?;
    let mut lines = Vec::new();
    for verdict in &tried.tried {
        let mark = if verdict.matches { "MATCHES" } else { "no" };
        lines.push(format!("{}: {mark}", verdict.rule));
        lines.extend(verdict.why.iter().map(|why| format!("  {why}")));
    }
    if tried.rule.is_none() {
        lines.push("no rule matches".to_owned());
    }
    Ok(Report::new(json!(tried), lines.join("\n")))
}

fn of_file(path: &Path) -> Result<Certificate, Failure> {
    let bytes = read(path)?;
    let certificate = match x509::pem::is_pem(&bytes) {
        true => Certificate::from_pem(&bytes),
        false => Certificate::from_der(&bytes),
    };
    certificate.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

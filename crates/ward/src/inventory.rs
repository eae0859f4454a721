//! `ward inventory`: every certificate in the house, whoever issued it: searched, listed by saved views, shown, exported (R16).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use access::Action;
use clap::{Args, Subcommand};
use fleet::Fleet;
use fleet::search::{
    Ask, Format, Listed, ListedPlace, Page, Query, Sort, StoredView, View, source,
};
use serde_json::{Value, json};
use x509::describe::escape;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, failed, table};

#[derive(Subcommand)]
pub(crate) enum Inventory {
    /// Find certificates by a search: what ends first comes first.
    #[command(
        after_help = "docs/search-language.md has every field.\n\nExamples:\n  ward inventory search 'expires < 30d and phi and segment = icu'\n  ward inventory search 'port = 443 and tls < 1.2' --sort risk\n  ward inventory search 'expired as of 30d ago'"
    )]
    Search {
        /// What has to be so; in quotes, since < and > mean something to shells.
        query: String,
        /// expires, starts, first-seen, last-seen, risk, criticality, findings or places.
        #[arg(long, default_value = "expires")]
        sort: Sort,
        #[command(flatten)]
        part: Part,
    },
    /// List certificates: all, or those of a saved view.
    #[command(
        after_help = "Examples:\n  ward inventory list\n  ward inventory list --view expiring-30"
    )]
    List {
        /// A saved view, with its own order.
        #[arg(long, conflicts_with = "sort")]
        view: Option<String>,
        /// expires, starts, first-seen, last-seen, risk, criticality, findings or places.
        #[arg(long, default_value = "expires")]
        sort: Sort,
        #[command(flatten)]
        part: Part,
    },
    /// Show a certificate: what it says, where it is and was, whose it is, what is wrong with it.
    #[command(after_help = "Example:\n  ward inventory show 4f0a91")]
    Show {
        /// SHA-256 in hex, or as much of its beginning as is unambiguous.
        sha256: String,
    },
    /// Say how bad it is if a certificate ends, why, and what to do.
    #[command(after_help = "docs/risk.md explains it.\n\nExample:\n  ward inventory risk 4f0a91")]
    Risk {
        /// SHA-256 in hex, or as much of its beginning as is unambiguous.
        sha256: String,
    },
    /// List places: addresses and ports, files on hosts.
    #[command(
        after_help = "Tests of places (port, address, tls …) are about each place itself, the others about the certificate there.\n\nExample:\n  ward inventory places 'address in 10.20.0.0/16 and tls < 1.2'"
    )]
    Places {
        /// What has to be so; everything when absent.
        #[arg(default_value = "")]
        query: String,
        #[command(flatten)]
        part: Part,
    },
    /// List keys that several certificates have.
    #[command(
        after_help = "The certificates of one:\n  ward inventory search shared-key\n\nExample:\n  ward inventory keys"
    )]
    Keys {
        #[command(flatten)]
        part: Part,
    },
    /// List who signed certificates, those with the most first.
    #[command(after_help = "Example:\n  ward inventory issuers 'not expired'")]
    Issuers {
        /// Of which certificates; all when absent.
        #[arg(default_value = "")]
        query: String,
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Saved views: searches with a name, kept ready.
    #[command(subcommand)]
    View(ViewCommand),
    /// Write a search or a saved view as CSV, XLSX or JSON.
    #[command(
        after_help = "Examples:\n  ward inventory export --view unowned --out unowned.xlsx\n  ward inventory export 'phi and expires < 90d' --out phi.csv"
    )]
    Export {
        /// What has to be so; everything when absent.
        #[arg(conflicts_with = "view")]
        query: Option<String>,
        #[arg(long)]
        view: Option<String>,
        /// csv, xlsx or json; by the file's name when absent.
        #[arg(long)]
        format: Option<Format>,
        /// The file to write.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the inventory of cryptography: certificates, keys, algorithms and protocols as CycloneDX 1.6.
    #[command(
        after_help = "Example:\n  ward inventory cbom --segment imaging --out imaging.cdx.json"
    )]
    Cbom(crate::cbom::Cbom),
}

#[derive(Subcommand)]
pub(crate) enum ViewCommand {
    /// List saved views.
    #[command(after_help = "Example:\n  ward inventory view list")]
    List,
    /// Save a search under a name, or change the one with this name.
    #[command(
        after_help = "Example:\n  ward inventory view save icu-phi 'segment = icu and phi' --sort risk --note 'rounds on Monday'"
    )]
    Save {
        /// a-z, 0-9 and -.
        name: String,
        query: String,
        /// expires, starts, first-seen, last-seen, risk, criticality, findings or places.
        #[arg(long, default_value = "expires")]
        sort: Sort,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Show a view's search and how many certificates it has.
    #[command(after_help = "Example:\n  ward inventory view show expiring-30")]
    Show { name: String },
    /// End a view.
    #[command(after_help = "Example:\n  ward inventory view remove icu-phi")]
    Remove { name: String },
}

/// Which part of a list.
#[derive(Args)]
pub(crate) struct Part {
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue where the page before ended (its `next`).
    #[arg(long)]
    after: Option<String>,
}

pub(crate) async fn run(place: &Place, command: Inventory) -> Done {
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    context.permit(Action::ReadInventory).await?;
    let now = clock::now();
    match command {
        Inventory::Search { query, sort, part } => {
            let ask = part.ask(parsed(&query)?, sort);
            certificates(fleet.search_inventory(&ask, now).await?)
        }
        Inventory::List {
            view: None,
            sort,
            part,
        } => {
            let ask = part.ask(Query::default(), sort);
            certificates(fleet.search_inventory(&ask, now).await?)
        }
        Inventory::List {
            view: Some(view),
            part,
            ..
        } => {
            fleet.refresh_views(now).await?;
            let (after, limit) = (part.after.as_deref(), Some(part.limit));
            certificates(fleet.view_page(&view, after, limit, now).await?)
        }
        Inventory::Show { sha256 } => show(&fleet, &sha256).await,
        Inventory::Risk { sha256 } => risk(&fleet, &sha256).await,
        Inventory::Places { query, part } => places(&fleet, &parsed(&query)?, part).await,
        Inventory::Keys { part } => keys(&fleet, part).await,
        Inventory::Issuers { query, limit } => issuers(&fleet, &parsed(&query)?, limit).await,
        Inventory::View(command) => view(&context, &fleet, command).await,
        Inventory::Export {
            query,
            view,
            format,
            out,
        } => export(&fleet, query, view, format, out).await,
        Inventory::Cbom(options) => crate::cbom::run(&fleet, options).await,
    }
}

impl Part {
    fn ask(self, query: Query, sort: Sort) -> Ask {
        Ask {
            query,
            sort,
            after: self.after,
            limit: Some(self.limit),
        }
    }
}

fn parsed(text: &str) -> Result<Query, Failure> {
    let query = text.parse::<Query>();
    query.map_err(|error| access::Refusal::from(error).into())
}

const HEADINGS: [&str; 8] = [
    "SHA-256", "SUBJECT", "EXPIRES", "RISK", "OWNER", "SEGMENT", "PLACES", "ISSUER",
];

fn row(one: &Listed) -> Vec<String> {
    let optional = |text: &Option<String>| text.as_deref().map(escape).unwrap_or_default();
    let short = |text: &str| escape(&text.chars().take(48).collect::<String>());
    vec![
        one.sha256.chars().take(12).collect(),
        short(&one.subject),
        clock::seconds(one.expires),
        one.risk.to_owned(),
        optional(&one.owner),
        optional(&one.segment),
        one.places.to_string(),
        short(&one.issuer),
    ]
}

fn certificates(page: Page) -> Done {
    let rows: Vec<Vec<String>> = page.certificates.iter().map(row).collect();
    let mut said = table(&HEADINGS, &rows);
    if let Some(members) = page.members {
        said.push_str(&format!("\n{members} in this view"));
    }
    more(&mut said, page.next.as_deref());
    Ok(Report::new(json!(page), said))
}

fn more(said: &mut String, next: Option<&str>) {
    if let Some(next) = next {
        said.push_str(&format!("\nmore with --after {next}"));
    }
}

async fn risk(fleet: &Fleet, sha256: &str) -> Done {
    let full = fleet
        .inventory_certificate(sha256)
        .await?
        .certificate
        .sha256;
    let mut digest = [0; 32];
    hex::decode_to_slice(&full, &mut digest).map_err(failed)?;
    let explained = fleet.explain_risk(&digest, clock::now()).await?;
    let text = format!(
        "{}\n{}: {}",
        escape(&explained.text),
        explained.sha256,
        explained.assessment.action
    );
    Ok(Report::new(json!(explained), text))
}

async fn show(fleet: &Fleet, sha256: &str) -> Done {
    let shown = fleet.inventory_certificate(sha256).await?;
    let one = &shown.certificate;
    let text = |text: &Option<String>| text.as_deref().map(escape).unwrap_or_default();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let lines = [
        ("sha-256", one.sha256.clone()),
        ("subject", escape(&one.subject)),
        ("issuer", escape(&one.issuer)),
        ("serial", one.serial.clone()),
        ("names", escape(&one.names.join(" "))),
        ("key", format!("{} ({} bits)", escape(&one.key), one.bits)),
        ("signature", escape(&one.signature)),
        (
            "valid",
            format!(
                "{} to {}",
                clock::seconds(one.starts),
                clock::seconds(one.expires)
            ),
        ),
        (
            "found",
            format!(
                "{} by {}",
                clock::millis(one.first_seen),
                one.how.join(", ")
            ),
        ),
        ("last seen", clock::millis(one.last_seen)),
        ("ward knows", yes(one.recorded)),
        ("revoked", yes(one.revoked.is_some())),
        ("signed by", shown.signed_by.clone().unwrap_or_default()),
        ("same key", shown.same_key.join(" ")),
        ("asset", text(&one.asset)),
        ("owner", text(&one.owner)),
        ("owner by", text(&one.owner_by)),
        ("segment", text(&one.segment)),
        ("site", text(&one.site)),
        ("vendor", text(&one.vendor)),
        ("environment", text(&one.environment)),
        ("tags", escape(&one.tags.join(" "))),
        ("criticality", one.criticality.to_owned()),
        ("phi", yes(one.phi)),
        ("patients", yes(one.patient_facing)),
        ("risk", one.risk.to_owned()),
    ];
    let told = lines.iter().filter(|(_, value)| !value.is_empty());
    let told: Vec<String> = told
        .map(|(name, value)| format!("{name:<12}{value}"))
        .collect();
    let mut said = told.join("\n");
    if !shown.at.is_empty() {
        let rows: Vec<Vec<String>> = shown.at.iter().map(place_row).collect();
        said.push_str(&format!("\n\n{}", table(&PLACE_HEADINGS, &rows)));
    }
    if !shown.open_findings.is_empty() {
        let rows = shown.open_findings.iter().map(|finding| {
            vec![
                finding.rule.clone(),
                escape(&finding.what),
                clock::millis(finding.opened),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        said.push_str(&format!(
            "\n\n{}",
            table(&["FINDING", "WHAT", "SINCE"], &rows)
        ));
    }
    Ok(Report::new(json!(shown), said))
}

const PLACE_HEADINGS: [&str; 7] = [
    "PLACE",
    "SEGMENT",
    "CERTIFICATE",
    "EXPIRES",
    "OUTCOME",
    "LAST SEEN",
    "GONE",
];

fn place_row(place: &ListedPlace) -> Vec<String> {
    let optional = |text: &Option<String>| text.as_deref().map(escape).unwrap_or_default();
    let short = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        text.chars().take(12).collect::<String>()
    };
    vec![
        escape(&place.place),
        optional(&place.segment),
        short(&place.certificate),
        place.expires.map(clock::seconds).unwrap_or_default(),
        escape(&place.outcome),
        clock::millis(place.last_seen),
        place.gone.map(clock::millis).unwrap_or_default(),
    ]
}

async fn places(fleet: &Fleet, query: &Query, part: Part) -> Done {
    let after = part.after.as_deref().map(str::parse).transpose();
    let after =
        after.map_err(|_| Failure::Usage("--after takes the `next` of a page".to_owned()))?;
    let page = fleet
        .search_places(query, after, Some(part.limit), clock::now())
        .await?;
    let rows: Vec<Vec<String>> = page.places.iter().map(place_row).collect();
    let mut said = table(&PLACE_HEADINGS, &rows);
    more(&mut said, page.next.as_deref());
    Ok(Report::new(json!(page), said))
}

async fn keys(fleet: &Fleet, part: Part) -> Done {
    let after = part.after.as_deref();
    let page = fleet.shared_keys(after, Some(part.limit), None).await?;
    let rows = page.keys.iter().map(|key| {
        vec![
            key.spki.clone(),
            escape(&key.key),
            key.bits.to_string(),
            key.certificates.to_string(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut said = table(
        &["SHA-256 OF THE KEY", "KEY", "BITS", "CERTIFICATES"],
        &rows,
    );
    more(&mut said, page.next.as_deref());
    Ok(Report::new(json!(page), said))
}

async fn issuers(fleet: &Fleet, query: &Query, limit: u32) -> Done {
    let issuers = fleet.issuers(query, Some(limit), clock::now()).await?;
    let rows = issuers.iter().map(|one| {
        let next = one.next_expiry.map(clock::seconds).unwrap_or_default();
        vec![
            escape(&one.issuer),
            one.certificates.to_string(),
            one.expired.to_string(),
            next,
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let said = table(&["ISSUER", "CERTIFICATES", "EXPIRED", "NEXT EXPIRY"], &rows);
    Ok(Report::new(json!(issuers), said))
}

fn view_row(stored: &StoredView) -> Vec<String> {
    let members = stored.members.map(|count| count.to_string());
    vec![
        stored.view.name.clone(),
        members.unwrap_or_else(|| "-".to_owned()),
        escape(&stored.view.query),
        stored.view.sort.name().to_owned(),
        escape(&stored.view.note),
    ]
}

async fn view(context: &Context, fleet: &Fleet, command: ViewCommand) -> Done {
    let now = clock::now();
    let headings = ["VIEW", "CERTIFICATES", "SEARCH", "ORDER", "NOTE"];
    let one = |stored: StoredView| {
        let said = table(&headings, &[view_row(&stored)]);
        Ok(Report::new(json!(stored), said))
    };
    match command {
        ViewCommand::List => {
            fleet.refresh_views(now).await?;
            let views = fleet.views().await?;
            let rows: Vec<Vec<String>> = views.iter().map(view_row).collect();
            Ok(Report::new(json!(views), table(&headings, &rows)))
        }
        ViewCommand::Show { name } => {
            fleet.refresh_views(now).await?;
            one(fleet.view(&name).await?)
        }
        ViewCommand::Save {
            name,
            query,
            sort,
            note,
        } => {
            let permit = context.permit(Action::ManageInventory).await?;
            let view = View {
                name,
                query,
                sort,
                note,
            };
            one(fleet.save_view(permit, view, now).await?)
        }
        ViewCommand::Remove { name } => {
            let permit = context.permit(Action::ManageInventory).await?;
            fleet.remove_view(permit, &name, now).await?;
            let said = format!("view {name} is removed");
            Ok(Report::new(json!({ "removed": name }), said))
        }
    }
}

async fn export(
    fleet: &Fleet,
    query: Option<String>,
    view: Option<String>,
    format: Option<Format>,
    out: PathBuf,
) -> Done {
    let by_name = || {
        let extension = out.extension().and_then(|text| text.to_str());
        extension.and_then(|text| text.parse().ok())
    };
    let format = format.or_else(by_name).ok_or_else(|| {
        Failure::Usage("say --format csv, xlsx or json, or name the file so".to_owned())
    })?;
    if view.is_some() {
        fleet.refresh_views(clock::now()).await?;
    }
    let source = source(query.as_deref(), view.as_deref(), Sort::Expires)?;
    let mut export = fleet.export_inventory(source, format, clock::now()).await?;
    let shown = out.display().to_string();
    let wrong = |error: std::io::Error| failed(format!("{shown}: {error}"));
    let mut file = BufWriter::new(File::create(&out).map_err(wrong)?);
    while let Some(piece) = export.next().await? {
        file.write_all(&piece).map_err(wrong)?;
    }
    let file = file
        .into_inner()
        .map_err(|error| wrong(error.into_error()))?;
    file.sync_all().map_err(wrong)?;
    let rows = export.rows();
    let value: Value = json!({ "certificates": rows, "file": out, "format": format.name() });
    Ok(Report::new(
        value,
        format!("{rows} certificates written to {shown}"),
    ))
}

//! `inventoryask`: how long saved views take to work out and their first pages to come, in a database that `inventorygen`
//! has filled; what searches take that nobody has saved. One line of JSON.

use std::path::PathBuf;
use std::time::Instant;

use access::Action;
use bench::inventory::{House, NOW};
use clap::Parser;
use fleet::FleetError;
use fleet::search::{Ask, Query, Sort, View};
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Asks an inventory.
#[derive(Parser)]
struct Arguments {
    /// sqlite:/path/ward.db or postgres://…, filled.
    database: String,
    /// A directory of one's own, for a keyring.
    #[arg(long)]
    directory: PathBuf,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 21)]
    rounds: usize,
    /// Certificates on a page.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// Views that people might save, beside those that are built in: some that many certificates are in, some that look into
/// places, one that nothing is in.
const VIEWS: [(&str, &str, Sort); 10] = [
    ("everything", "places >= 0", Sort::Expires),
    ("riskiest", "risk >= high and not expired", Sort::Risk),
    ("team", "owner = team-7 and expires < 60d", Sort::Expires),
    (
        "subnet",
        "address in 10.0.16.0/20 and port = 443",
        Sort::Expires,
    ),
    (
        "on-hosts",
        "path ~ tls and host = host-77 or segment = segment-9",
        Sort::FirstSeen,
    ),
    (
        "ehr",
        "tag = ehr and phi and not owner = team-0",
        Sort::Criticality,
    ),
    ("nowhere", "name ~ nowhere.invalid", Sort::Expires),
    (
        "icu-soon",
        "expires < 30d and phi and segment = segment-5",
        Sort::Expires,
    ),
    ("old-tls", "tls < 1.2 and port = 443", Sort::Risk),
    ("named", "name ~ dev-1234", Sort::Expires),
];

/// Searches that nobody has saved.
const SEARCHES: [&str; 20] = [
    "",
    "expires < 30d and phi and segment = segment-5",
    "expires < 30d and phi and segment = segment-7",
    "name = dev-123456.icu.hospital.example",
    "name = dns:dev-123456.icu.hospital.example and owner = team-16",
    "name ~ dev-12345",
    "name ~ nowhere.invalid",
    "owner = team-7",
    "owner = team-7 and segment = segment-7",
    "segment = segment-9",
    "sha256 = 00",
    "address in 10.3.0.0/24",
    "port = 8001 and owner = team-3",
    "tls < 1.2",
    "tls < 1.2 and segment = segment-37",
    "not tls >= 1.2 and tls",
    "host = host-77",
    "finding = weak-key",
    "text ~ \"nowhere.invalid\"",
    "path ~ nowhere",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let house = House::open(&arguments.database, &arguments.directory).await?;
    for (name, query, sort) in VIEWS {
        let view = View {
            name: name.to_owned(),
            query: query.to_owned(),
            sort,
            note: String::new(),
        };
        let permit = house.permit(Action::ManageInventory)?;
        house.fleet.save_view(permit, view, NOW).await?;
    }
    let started = Instant::now();
    while house.fleet.reconcile_views(NOW).await? {}
    let worked_out = started.elapsed().as_secs_f64();
    let started = Instant::now();
    while house.fleet.reconcile_views(NOW).await? {}
    let idle = started.elapsed().as_secs_f64();
    let told = json!({
        "views": views(&house, &arguments).await?,
        "searches": searches(&house, &arguments).await?,
        "worked_out_seconds": worked_out,
        "idle_round_seconds": idle,
    });
    println!("{told}");
    Ok(())
}

async fn views(house: &House, arguments: &Arguments) -> Result<Value, Box<dyn std::error::Error>> {
    let mut told = Map::new();
    for stored in house.fleet.views().await? {
        let name = stored.view.name;
        let mut spent = Vec::new();
        for _ in 0..arguments.rounds {
            let started = Instant::now();
            let page = house
                .fleet
                .view_page(&name, None, Some(arguments.limit), NOW)
                .await?;
            spent.push(started.elapsed().as_secs_f64() * 1e3);
            if page.members.is_none() {
                return Err(format!("{name} was searched for, not read").into());
            }
        }
        let (median, worst) = summary(spent);
        let line = json!({ "members": stored.members, "median_ms": median, "worst_ms": worst });
        told.insert(name, line);
    }
    Ok(told.into())
}

async fn searches(
    house: &House,
    arguments: &Arguments,
) -> Result<Value, Box<dyn std::error::Error>> {
    let mut told = Map::new();
    for text in SEARCHES {
        let query: Query = text.parse()?;
        let ask = Ask {
            query,
            limit: Some(arguments.limit),
            ..Ask::default()
        };
        let mut spent = Vec::new();
        let mut found = None;
        for _ in 0..arguments.rounds.min(5) {
            let started = Instant::now();
            match house.fleet.search_inventory(&ask, NOW).await {
                Ok(page) => found = Some(page.certificates.len()),
                Err(FleetError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
            spent.push(started.elapsed().as_secs_f64() * 1e3);
            if found.is_none() {
                // It would be given up again, after as many seconds.
                break;
            }
        }
        let (median, worst) = summary(spent);
        // Without `found` it was given up.
        let line = json!({ "found": found, "median_ms": median, "worst_ms": worst });
        told.insert(text.to_owned(), line);
    }
    Ok(told.into())
}

fn summary(mut spent: Vec<f64>) -> (f64, f64) {
    spent.sort_by(f64::total_cmp);
    let median = spent.get(spent.len() / 2).copied().unwrap_or_default();
    (median, spent.last().copied().unwrap_or_default())
}

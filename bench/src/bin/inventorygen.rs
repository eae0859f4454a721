//! `inventorygen`: an inventory of any size in an empty database, and how fast it was taken in; one line of JSON.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bench::inventory::{House, beside};
use clap::Parser;
use fleet::inventory::MOST_OBSERVATIONS;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Certificates with places, through the same door as a scan's.
#[derive(Parser)]
struct Arguments {
    /// sqlite:/path/ward.db or postgres://…; its tables are made.
    database: String,
    /// A directory of one's own, for a keyring.
    #[arg(long)]
    directory: PathBuf,
    #[arg(long, default_value_t = 1_000_000)]
    certificates: u64,
    /// Places of each.
    #[arg(long, default_value_t = 3)]
    places: u64,
    /// Certificates in one batch.
    #[arg(long, default_value_t = 20_000)]
    batch: u64,
    /// How many hand in batches at once.
    #[arg(long, default_value_t = 4)]
    callers: u64,
    /// Number of the first certificate.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Then give them owners, segments and the rest, straight into the columns.
    #[arg(long)]
    assign: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let house = Arc::new(House::open(&arguments.database, &arguments.directory).await?);
    // A batch has at most so many observations.
    let most = MOST_OBSERVATIONS as u64 / arguments.places.max(1);
    let batch = arguments.batch.clamp(1, most.max(1));
    let numbers = arguments.first..arguments.first + arguments.certificates;
    let filled = async {
        house
            .fill(numbers, arguments.places, batch, arguments.callers)
            .await
    };
    let ((done, spent), waited) = beside(&house, filled).await?;
    let started = Instant::now();
    if arguments.assign {
        house.assign().await?;
    }
    let assigned = started.elapsed().as_secs_f64();
    let seconds = spent.as_secs_f64();
    let told = serde_json::json!({
        "certificates": done.certificates_new,
        "places": done.places_new,
        "seconds": seconds,
        "assigned_seconds": assigned,
        "certificates_per_second": done.certificates_new as f64 / seconds,
        "wait_worst_ms": waited["wait_worst_ms"],
        "observations_per_second": done.observations as f64 / seconds,
    });
    println!("{told}");
    Ok(())
}

//! `inventoryrisk`: how long the risk of a whole inventory takes that `inventorygen --assign` has made: with every
//! certificate changed, with none, with what a month changes, and counted by owner. One line of JSON.

use std::path::PathBuf;
use std::time::Instant;

use audit::Timestamp;
use bench::inventory::{House, NOW};
use clap::Parser;
use store::Write;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures on an inventory that is there; its risks are overwritten.
#[derive(Parser)]
struct Arguments {
    /// sqlite:/path/ward.db or postgres://…
    database: String,
    /// The directory that the inventory was made with.
    #[arg(long)]
    directory: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let house = House::open(&arguments.database, &arguments.directory).await?;
    // No level has this number: every row is another one than it should be.
    let spoiled = Write::derived().run("UPDATE inventory SET risk = 9", vec![]);
    house.store.commit(spoiled).await?;
    let month = Timestamp(NOW.0 + 30 * 86_400_000);
    let mut told = serde_json::Map::new();
    for (name, now) in [
        ("all_changed", NOW),
        ("none_changed", NOW),
        ("month_later", month),
    ] {
        let begun = Instant::now();
        let done = house.fleet.assess_all(now).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let figures = serde_json::json!({
            "seconds": seconds,
            "certificates": done.certificates,
            "changed": done.changed,
        });
        told.insert(name.to_owned(), figures);
    }
    let begun = Instant::now();
    let counts = house.fleet.risk_counts(NOW).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let figures = serde_json::json!({"seconds": seconds, "counts": counts.counts.len()});
    told.insert("counted".to_owned(), figures);
    println!("{}", serde_json::Value::Object(told));
    Ok(())
}

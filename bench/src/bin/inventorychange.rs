//! `inventorychange`: what it costs a whole inventory that something changes on which much depends: an asset gets a name, the
//! certificate of an authority comes in, systems appear on the map of flows. How long until everything follows from it, and
//! how long somebody else's write waited meanwhile. One line of JSON.

use std::path::PathBuf;
use std::sync::Arc;

use access::Action;
use agent::observation::{Der, How, Observation, Outcome, Place};
use bench::inventory::{Failure, House, NOW, authority, beside};
use clap::Parser;
use fleet::Asset;
use fleet::flow::{MapCursor, System};
use fleet::inventory::Source;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures on an inventory that `inventorygen --assign` has made; what it derives is overwritten.
#[derive(Parser)]
struct Arguments {
    /// sqlite:/path/ward.db or postgres://…
    database: String,
    /// The directory that the inventory was made with.
    #[arg(long)]
    directory: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let house = Arc::new(House::open(&arguments.database, &arguments.directory).await?);
    let fleet = &house.fleet;
    // What the log has said so far is not measured.
    fleet.settle(NOW).await?;
    let permit = house.permit(Action::ManageInventory)?;

    let asset = Asset {
        serial: "BENCH-4711".to_owned(),
        manufacturer: "Fluidic".to_owned(),
        model: "Drip 3".to_owned(),
        host_names: vec!["dev-123456.icu.hospital.example".to_owned()],
        ..Asset::default()
    };
    let keeper = house.permit(Action::ManageAssets)?;
    fleet.put(keeper, asset, 0, NOW).await?;
    let (settled, named) = beside(&house, async { Ok(fleet.settle(NOW).await?) }).await?;
    let named = json!({"settled": settled.looked_at, "took": named});

    let place = Place::File {
        host: "authority".to_owned(),
        path: "/etc/ca.pem".to_owned(),
        alias: None,
    };
    let mut seen = Observation::new(NOW.0, "bench", How::File, place, Outcome::Certificate);
    seen.chain = vec![Der::from(authority(3)?)];
    let source = Source {
        name: "bench".to_owned(),
        scan: None,
    };
    fleet.ingest(&permit, &source, &[seen], NOW).await?;
    let (settled, signer) = beside(&house, async { Ok(fleet.settle(NOW).await?) }).await?;
    let signer = json!({"settled": settled.looked_at, "took": signer});

    let mut cursor = MapCursor::starting();
    fleet.follow_map(&mut cursor).await?;
    let system = System {
        name: "Ward block".to_owned(),
        phi: true,
        addresses: vec!["10.1.0.0/16".parse()?],
        ..System::default()
    };
    let drawer = house.permit(Action::ManageFlows)?;
    fleet.put_on_map(&drawer, system, 0, NOW).await?;
    let follow = async { Ok(fleet.follow_map(&mut cursor).await?) };
    let (followed, map) = beside(&house, follow).await?;
    let map = json!({"places": followed.places, "ends": followed.added, "took": map});
    let (settled, after) = beside(&house, async { Ok(fleet.settle(NOW).await?) }).await?;
    let after = json!({"settled": settled.looked_at, "took": after});
    let told = json!({"asset_named": named, "authority_came": signer, "map_changed": map, "map_settled": after});
    println!("{told}");
    Ok(())
}

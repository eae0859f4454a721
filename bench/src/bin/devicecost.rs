//! `devicecost`: what an enrolment costs at least, as one line of JSON.

use bench::devices::cost;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// Cryptography and a durable commit, in microseconds of CPU time.
#[derive(Parser)]
struct Arguments {
    /// Where commits go: on the disk of the server's database.
    #[arg(long)]
    folder: PathBuf,
    /// How many rows share a commit.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    shared: Vec<usize>,
    /// Of each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let time = Duration::from_secs_f64(arguments.seconds);
    println!(
        "{}",
        cost::measure(&arguments.folder, &arguments.shared, time)?
    );
    Ok(())
}

//! How fast a capture is read, and within how much memory: `cargo run --release -p agent --example pcap_speed FILE…`
//!
//! The target is 200 MB/s for bulk TLS traffic (R53). A file that was just written is in the page cache, so this
//! measures the reader and not the disk; `docs/discovery-passive.md` says how the captures for it are made.

use std::{error::Error, fs::File, time::Instant};

use agent::capture::{Limits, read};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::metadata(&path)?.len();
        let mut observations = 0u64;
        let started = Instant::now();
        let summary = read(File::open(&path)?, &path, Limits::default(), |_| {
            observations += 1
        })?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{path}: {:.0} MB, {} packets, {} connections, {observations} observations; {:.2} s, {:.0} MB/s, {:.2} M packets/s",
            bytes as f64 / 1e6,
            summary.packets,
            summary.connections,
            seconds,
            bytes as f64 / 1e6 / seconds,
            summary.packets as f64 / 1e6 / seconds,
        );
        println!("{}", serde_json::to_string(&summary)?);
    }
    // Linux only; elsewhere there is nothing to say.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM"))
        .for_each(|line| println!("{line}"));
    Ok(())
}

//! What a commit costs: one row and its event, alone and among 64 writers, beside the bare fsync
//! of the same disk in the same run.
//!
//! `cargo bench -p store --bench commit [-- URL]`; without a URL, SQLite in a temporary directory.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use audit::{Actor, Event, Object, Timestamp};
use store::{Migration, Store, Write, params};

const ROOM: &[Migration] = &[Migration {
    room: "bench",
    version: 1,
    sql: "CREATE TABLE bench_rows(id INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;",
    postgres: None,
}];

const RUN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let url = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let url = url.unwrap_or_else(|| format!("sqlite:{}/ward.db", directory.path().display()));
    let store = Store::open(&url, ROOM).await.unwrap();
    report("bare fsync of 8 KiB", bare_fsync(directory.path()));
    for writers in [1, 8, 16, 64, 128] {
        let taken = commits(&store, writers).await;
        report(&format!("{writers} writers"), taken);
    }
    for readers in [1, 64] {
        let taken = reads(&store, readers).await;
        report(&format!("{readers} readers by number"), taken);
    }
    println!("{}", memory());
}

/// Appends and syncs, as a commit to a write-ahead log does at the least.
fn bare_fsync(directory: &Path) -> Vec<Duration> {
    let mut file = File::create(directory.join("fsync")).unwrap();
    let started = Instant::now();
    let mut taken = Vec::new();
    while started.elapsed() < Duration::from_secs(1) {
        let before = Instant::now();
        file.write_all(&[7; 8192]).unwrap();
        file.sync_data().unwrap();
        taken.push(before.elapsed());
    }
    taken
}

async fn commits(store: &Store, writers: u64) -> Vec<Duration> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while started.elapsed() < RUN {
                    let write = row(writers, writer, taken.len() as u64);
                    let before = Instant::now();
                    store.commit(write).await.unwrap();
                    taken.push(before.elapsed());
                }
                taken
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

async fn reads(store: &Store, readers: i64) -> Vec<Duration> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..readers)
        .map(|reader| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while started.elapsed() < RUN {
                    let before = Instant::now();
                    let number = reader * 100 + taken.len() as i64 % 1000 + 1;
                    let one = "SELECT serial, body FROM bench_rows WHERE id = $1";
                    store.query(one, params![number]).await.unwrap();
                    taken.push(before.elapsed());
                }
                taken
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// A row of a certificate's size with an event of the usual size.
fn row(run: u64, writer: u64, n: u64) -> Write {
    let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let serial = [nanos, run << 32 | writer, n]
        .map(u64::to_be_bytes)
        .concat();
    let event = Event::new(
        Timestamp(1_700_000_000_000),
        Actor::system("bench"),
        "certificate.issue",
        Object::new("certificate", format!("{nanos:032x}")),
    )
    .digest([7; 32])
    .request_id("0123456789abcdef");
    Write::new(event).unwrap().run(
        "INSERT INTO bench_rows(serial, body) VALUES($1, $2)",
        params![serial, vec![0x30u8; 700]],
    )
}

fn report(what: &str, mut taken: Vec<Duration>) {
    let seconds = if !what.contains("fsync") {
        RUN.as_secs_f64()
    } else {
        1.0
    };
    taken.sort_unstable();
    let at = |part: usize| taken[(taken.len() - 1) * part / 1000].as_micros();
    println!(
        "{what:>24}: {:>8.0}/s  p50 {:>6} µs  p99 {:>6} µs  p99.9 {:>6} µs  max {:>6} µs",
        taken.len() as f64 / seconds,
        at(500),
        at(990),
        at(999),
        at(1000),
    );
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or("")
            .to_owned()
    };
    format!("{}, {}", line("VmHWM"), line("VmRSS"))
}

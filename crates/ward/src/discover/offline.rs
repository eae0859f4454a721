//! `ward discover offline`: a scan where no Ward can be asked, within limits that Ward signed and somebody carried there.
//! Its file is carried back. Every run of the same command goes on where the one before was (R17, R53).

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent::scan::{
    self, Config, Cursor, Depth, Limits, Range, Report as Seen, Service, Targets, Timing,
};
use audit::note::VerifierKey;
use clap::Args;
use fleet::SignedLimits;
use fleet::scan::{BELOW, GUARD, concurrency};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::found::Found;
use super::passive::own_name;
use crate::clock;
use crate::output::{Done, Failure, failed, read_text};
use crate::progress::Progress;

const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Offline {
    /// File of `ward segment export-limits`.
    limits: PathBuf,
    /// The key that the limits verify with, or a file that holds it.
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
    /// Only these addresses; several may be given.
    #[arg(long = "range", value_name = "RANGE")]
    ranges: Vec<Range>,
    /// What is seen, a line of JSON each; beside it FILE.cursor says how far it is.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// How far an offline scan is, and how much of its file that is.
#[derive(Serialize, Deserialize)]
struct Where {
    segment: String,
    ranges: Vec<Range>,
    seed: String,
    cursor: Cursor,
    bytes: u64,
    done: bool,
}

pub(super) async fn run(options: Offline) -> Done {
    let key = match Path::new(&options.key).exists() {
        true => read_text(Path::new(&options.key))?,
        false => options.key.clone(),
    };
    let key: VerifierKey = key.trim().parse().map_err(failed)?;
    let signed = SignedLimits::open(&read_text(&options.limits)?, &key).map_err(failed)?;
    let ranges = match options.ranges.is_empty() {
        true => signed.limits.ranges.clone(),
        false => options.ranges.clone(),
    };
    if let Some(outside) = ranges.iter().find(|range| !signed.holds(range)) {
        return Err(Failure::Usage(format!(
            "{outside} is not within segment {}",
            signed.segment
        )));
    }
    let services = Service::list(&signed.services.join(",")).map_err(failed)?;
    let targets = Targets::new(&ranges, &[], services, Vec::new()).map_err(failed)?;
    let mut notes = Notes::open(&options.out, &signed.segment, &ranges, &targets)?;
    look(&signed, targets, &mut notes).await
}

async fn look(signed: &SignedLimits, targets: Targets, notes: &mut Notes) -> Done {
    let end = signed.open_until(clock::now())?;
    let left = Duration::from_millis(end.0.saturating_sub(clock::now().0).unsigned_abs());
    let rate = signed.limits.rate.unwrap_or(1.0);
    // What ran a moment ago has used up its turn.
    let gap = Duration::try_from_secs_f64(1.0 / rate)
        .unwrap_or(left)
        .min(left);
    let gap = if notes.is_new { Duration::ZERO } else { gap };
    let window = left.saturating_sub(GUARD).saturating_sub(gap);
    let config = config(signed, window, notes.seed)?;
    let cursor = notes.at.cursor.clone();
    let (reports, mut seen) = mpsc::channel(1000);
    let began = Instant::now();
    let work = tokio::spawn(async move {
        tokio::time::sleep(gap).await;
        scan::run(&targets, config, &cursor, reports).await
    });
    let mut found = Found::open(None, false)?;
    let mut progress = Progress::new("targets");
    let mut silent = Vec::new();
    let mut ticks = interval(PATIENCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            report = seen.recv() => match report {
                Some(Seen::Seen { position, observation }) => {
                    notes.write(&observation.line().map_err(failed)?)?;
                    notes.at.cursor.done(position);
                    found.note(&observation);
                    let (done, of) = notes.at.cursor.progress();
                    progress.at(done, of);
                }
                Some(Seen::Silent { model, address, port }) => {
                    let model = model.unwrap_or_else(|| "unknown".to_owned());
                    silent.push(format!("ATTENTION: {address} (model {model}) stopped answering after port {port} was looked at; somebody should look at the device"));
                }
                None => break,
            },
            _ = ticks.tick() => notes.store()?,
            () = sleep_until(began + left) => break,
        }
    }
    work.abort();
    drop(progress);
    let (done, total) = notes.at.cursor.progress();
    notes.at.done = done == total;
    notes.store()?;
    let more = match notes.at.done {
        true => "carry the file to Ward: `ward discover import`".to_owned(),
        false => format!("the hours end at {end}; the same command goes on later"),
    };
    let mut said = silent.clone();
    said.push(format!(
        "segment {}: {done} of {total} targets; {more}\nwritten to {}",
        signed.segment,
        notes.path.display()
    ));
    let json = json!({ "segment": signed.segment, "done": done, "total": total, "silent": silent, "file": notes.path });
    let good = notes.at.done && silent.is_empty();
    Ok(found.report(json, &said.join("\n"))?.judged(good))
}

fn config(signed: &SignedLimits, window: Duration, seed: [u8; 32]) -> Result<Config, Failure> {
    let depth: Depth = signed.depth;
    Ok(Config {
        from: own_name()?,
        depth,
        timing: Timing {
            pause: Duration::from_millis(signed.pause_ms.into()),
            ..Timing::default()
        },
        concurrency: concurrency(signed.limits.rate.unwrap_or(1.0)),
        limits: Limits {
            window: Some(window),
            rate: Some(signed.limits.rate.unwrap_or(1.0) * BELOW),
            ..signed.limits.clone()
        },
        seed,
        clock: Arc::new(|| clock::now().0),
    })
}

/// The file of observations, and the one beside it that says how much of it counts.
struct Notes {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    at: Where,
    seed: [u8; 32],
    is_new: bool,
    dirty: bool,
}

impl Notes {
    fn open(
        path: &Path,
        segment: &str,
        ranges: &[Range],
        targets: &Targets,
    ) -> Result<Self, Failure> {
        let beside = PathBuf::from(format!("{}.cursor", path.display()));
        let told = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let is_new = !beside.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(told)?;
        // Two at once would send twice what is allowed.
        file.try_lock()
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        let mut seed = [0; 32];
        let at = if is_new {
            if file.metadata().map_err(told)?.len() > 0 {
                return Err(Failure::Usage(format!(
                    "{} is there and no scan of mine",
                    path.display()
                )));
            }
            seed = random()?;
            Where {
                segment: segment.to_owned(),
                ranges: ranges.to_vec(),
                seed: hex::encode(seed),
                cursor: Cursor::new(targets, &seed),
                bytes: 0,
                done: false,
            }
        } else {
            let at: Where = serde_json::from_str(&read_text(&beside)?).map_err(failed)?;
            hex::decode_to_slice(&at.seed, &mut seed).map_err(failed)?;
            at.cursor.check(targets, &seed).map_err(|_| {
                Failure::Usage(format!(
                    "{} belongs to other targets: give another --out",
                    beside.display()
                ))
            })?;
            at
        };
        // Lines beyond what counts are of targets that will be looked at again.
        file.set_len(at.bytes).map_err(told)?;
        file.seek(SeekFrom::End(0)).map_err(told)?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            file,
            at,
            seed,
            is_new,
            dirty: is_new,
        })
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        self.dirty = true;
        self.at.bytes += line.len() as u64 + 1;
        writeln!(self.file, "{line}").map_err(failed)
    }

    /// First the lines, then how many of them count.
    fn store(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.dirty) && !self.at.done {
            return Ok(());
        }
        self.file.sync_data().map_err(failed)?;
        let new = PathBuf::from(format!("{}.new", self.beside.display()));
        let mut file = File::create(&new).map_err(failed)?;
        let text = serde_json::to_string(&self.at).map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_data())
            .and_then(|()| std::fs::rename(&new, &self.beside))
            .map_err(failed)
    }
}

fn random() -> Result<[u8; 32], Failure> {
    use std::io::Read;
    let mut seed = [0; 32];
    let mut source = File::open("/dev/urandom").map_err(failed)?;
    source.read_exact(&mut seed).map_err(failed)?;
    Ok(seed)
}

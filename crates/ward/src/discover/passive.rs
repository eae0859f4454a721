//! What captures and hosts hold. Nothing is sent to anybody. Needs no data directory: it may run where there is no Ward,
//! and its observations be carried (R53).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use agent::{capture, files};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::found::{Found, Out};
use crate::clock;
use crate::output::{Done, Failure, failed, read};

#[derive(Args)]
pub(crate) struct Pcap {
    /// Capture files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    out: Out,
}

#[derive(Args)]
pub(crate) struct Files {
    /// Folders, walked to their end, or files.
    #[arg(required = true, value_name = "PATH")]
    roots: Vec<PathBuf>,
    /// Name of this host in what is found; its own when absent.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Passwords to try on PKCS #12 stores, one a line.
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    #[command(flatten)]
    out: Out,
}

pub(super) fn pcap(options: &Pcap) -> Done {
    let mut found = Found::new(&options.out)?;
    let mut summaries = BTreeMap::new();
    for path in &options.captures {
        let name = path.display().to_string();
        let limits = capture::Limits::default();
        let summary = capture::read(source(path)?, &name, limits, |seen| found.note(&seen));
        let summary = summary.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        summaries.insert(name, summary);
    }
    let text = summaries.iter().map(|(name, summary)| {
        let ended = &summary.ended;
        format!(
            "{name}: {} packets, {} connections, {} of them TLS, {} TLS and not whole",
            summary.packets, summary.connections, ended.tls, ended.tls_incomplete
        )
    });
    let text = text.collect::<Vec<_>>().join("\n");
    found.report(json!(summaries), &text)
}

fn source(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = File::open(path);
    let file = file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
}

pub(super) fn on_host(options: &Files) -> Done {
    for root in &options.roots {
        // A path that was mistyped would otherwise be a host without certificates.
        std::fs::symlink_metadata(root)
            .map_err(|error| Failure::NotFound(format!("{}: {error}", root.display())))?;
    }
    let host = match &options.host {
        Some(name) => name.clone(),
        None => own_name()?,
    };
    let mut look = files::Look::new(&host, clock::now().0);
    if let Some(path) = &options.passwords {
        let list = Zeroizing::new(read(path)?);
        let list = std::str::from_utf8(&list)
            .map_err(|_| Failure::Failed(format!("{}: not UTF-8", path.display())))?;
        look = look.with_passwords(list);
    }
    let mut found = Found::new(&options.out)?;
    let summary = files::look(&options.roots, &look, |seen| found.note(&seen));
    let stopped = summary
        .stopped
        .map(|limit| format!("\nSTOPPED at a limit: {limit}"));
    let text = format!(
        "{host}: {} files in {} folders, {} stores, {} locked, {} damaged, {} unreadable{}",
        summary.files,
        summary.folders,
        summary.ended.stores,
        summary.ended.locked,
        summary.ended.damaged,
        summary.unreadable + summary.ended.unreadable,
        stopped.unwrap_or_default()
    );
    found.report(json!(summary), &text)
}

pub(super) fn own_name() -> Result<String, Failure> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(failed)?;
    Ok(name.trim().to_owned())
}

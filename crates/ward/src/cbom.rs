//! `ward inventory cbom`: the inventory of cryptography as CycloneDX, to a file or to standard output, however large.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use fleet::Fleet;
use fleet::cbom::CbomFilter;
use serde_json::{Value, json};

use crate::clock;
use crate::output::{Done, Failure, Report, failed};

#[derive(Args)]
pub(crate) struct Cbom {
    #[arg(long)]
    segment: Option<String>,
    #[arg(long)]
    owner: Option<String>,
    /// At most so many certificates.
    #[arg(long)]
    limit: Option<u32>,
    /// File to write; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(fleet: &Fleet, options: Cbom) -> Done {
    let filter = CbomFilter {
        segment: options.segment,
        owner: options.owner,
        limit: options.limit,
    };
    let mut cbom = fleet.cbom(filter, clock::now());
    let Some(path) = options.out else {
        while let Some(piece) = cbom.next().await? {
            let written = std::io::stdout().lock().write_all(piece.as_bytes());
            written.map_err(failed)?;
        }
        return Ok(Report::new(Value::Null, ""));
    };
    let wrong = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut out = BufWriter::new(File::create(&path).map_err(wrong)?);
    while let Some(piece) = cbom.next().await? {
        out.write_all(piece.as_bytes()).map_err(wrong)?;
    }
    out.flush().map_err(wrong)?;
    let json = json!({ "file": path, "certificates": cbom.certificates });
    let said = format!(
        "{} certificates, written to {}",
        cbom.certificates,
        path.display()
    );
    Ok(Report::new(json, said))
}

//! `ward audit`: the log shown, proved, exported and verified.

use std::path::{Path, PathBuf};

use access::Action;
use audit::note::VerifierKey;
use audit::verify::Report as Verdict;
use audit::{Event, export};
use clap::Subcommand;
use serde_json::{Value, json};
use store::LogEntry;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, failed, read_text, table, word};
use crate::progress::Progress;

/// Events read at a time while looking for those that were asked for.
const PAGE: u64 = 1000;

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Verify the database, an exported folder, or either against an earlier checkpoint.
    #[command(
        after_help = "Examples:\n  ward audit verify --since checkpoint-of-june\n  ward audit verify --folder ./log --vkey 'ward.mercy.example+1a2b3c4d+AU…'"
    )]
    Verify {
        /// An exported folder; the live database when absent.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// A checkpoint seen earlier: the log must be its continuation.
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
        /// Verifier key, when it must not be taken from what is being verified.
        #[arg(long, value_name = "VKEY")]
        vkey: Option<String>,
    },
    /// Show events, newest last.
    #[command(after_help = "Example:\n  ward audit show --action certificate.revoke --limit 10")]
    Show {
        /// Begin with this event instead of showing the newest.
        #[arg(long, value_name = "SEQ")]
        from: Option<u64>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10000))]
        limit: u32,
        /// Only actions that begin with this.
        #[arg(long)]
        action: Option<String>,
        /// Only events about this object id.
        #[arg(long)]
        object: Option<String>,
    },
    /// Prove that an event is in the log that a signed checkpoint commits to (RFC 6962 §2.1.1).
    Prove { seq: u64 },
    /// Write the log as a static folder that anybody can verify, or bring such a folder up to date.
    Export { folder: PathBuf },
    /// Sign and print a checkpoint of the log as it is.
    Checkpoint,
}

pub(crate) async fn run(place: &Place, command: Audit) -> Done {
    if let Audit::Verify {
        folder: Some(folder),
        since,
        vkey,
    } = &command
    {
        return verify_folder(folder, since.as_deref(), vkey.as_deref());
    }
    let context = Context::open(place).await?;
    context.permit(Action::ReadAudit).await?;
    match command {
        Audit::Verify { since, vkey, .. } => {
            verify(&context, since.as_deref(), vkey.as_deref()).await
        }
        Audit::Show {
            from,
            limit,
            action,
            object,
        } => {
            let wanted = Wanted {
                action,
                object,
                limit: limit as usize,
            };
            show(&context, from, &wanted).await
        }
        Audit::Prove { seq } => prove(&context, seq).await,
        Audit::Export { folder } => export(&context, &folder).await,
        Audit::Checkpoint => {
            let note = context.ca.notary().await?.checkpoint(clock::now()).await?;
            Ok(Report::new(json!({ "checkpoint": note }), note.trim_end()))
        }
    }
}

async fn verify(context: &Context, since: Option<&Path>, vkey: Option<&str>) -> Done {
    let earlier = since.map(read_text).transpose()?;
    let notary = context.ca.notary().await?;
    if let Some(given) = vkey
        && given != notary.verifier_key().to_string()
    {
        let found = notary.verifier_key();
        let text = format!(
            "NOT VERIFIED: this log is signed by another key\n  given {given}\n  found {found}"
        );
        let json = json!({ "verified": false, "findings": [{ "kind": "other-key", "text": "the log is signed by another key" }] });
        return Ok(Report::new(json, text).judged(false));
    }
    let mut progress = Progress::new("events verified:");
    let verdict = notary
        .verify(earlier.as_deref(), clock::now(), |done, of| {
            progress.at(done, of)
        })
        .await?;
    drop(progress);
    Ok(judged(
        "the database",
        &verdict,
        &notary.verifier_key().to_string(),
    ))
}

fn verify_folder(folder: &Path, since: Option<&Path>, vkey: Option<&str>) -> Done {
    let earlier = since.map(read_text).transpose()?;
    let given = match vkey {
        Some(key) => key.to_owned(),
        None => read_text(&folder.join("vkey"))?.trim().to_owned(),
    };
    let key: VerifierKey = given
        .parse()
        .map_err(|error| Failure::Usage(format!("verifier key: {error}")))?;
    let verdict = export::verify_folder(folder, &key, earlier.as_deref())?;
    let mut report = judged(&folder.display().to_string(), &verdict, &given);
    if vkey.is_none() {
        report.text.push_str("\nThe key was taken from the folder itself: compare it with the one you were given, or use --vkey.");
    }
    Ok(report)
}

/// A verdict in both forms.
pub(crate) fn judged(what: &str, verdict: &Verdict, key: &str) -> Report {
    let counts = &verdict.counts;
    let mut text = format!(
        "{}: {what}\n  {} events, {} certificates, {} checkpoints, {} signatures at work, {} serial numbers reserved\n  root {}\n  key  {key}",
        if verdict.is_ok() {
            "verified"
        } else {
            "NOT VERIFIED"
        },
        counts.events,
        counts.certificates,
        counts.checkpoints,
        counts.open_intents,
        counts.reserved_serials,
        verdict.root
    );
    for finding in &verdict.findings {
        let place = finding
            .seq
            .map(|seq| format!("event {seq}: "))
            .unwrap_or_default();
        text.push_str(&format!(
            "\n  {}: {place}{}",
            word(&finding.kind),
            x509::describe::escape(&finding.text)
        ));
    }
    if verdict.more_findings > 0 {
        text.push_str(&format!("\n  and {} more findings", verdict.more_findings));
    }
    let mut json = json!(verdict);
    add(&mut json, "verified", json!(verdict.is_ok()));
    add(&mut json, "vkey", json!(key));
    Report::new(json, text).judged(verdict.is_ok())
}

/// Which events to show.
struct Wanted {
    action: Option<String>,
    object: Option<String>,
    limit: usize,
}

impl Wanted {
    fn matches(&self, event: &Event) -> bool {
        self.action
            .as_ref()
            .is_none_or(|start| event.action.starts_with(start.as_str()))
            && self.object.as_ref().is_none_or(|id| event.object.id == *id)
    }
}

async fn show(context: &Context, from: Option<u64>, wanted: &Wanted) -> Done {
    let found = match from {
        Some(from) => forward(context, from, wanted).await?,
        None => newest(context, wanted).await?,
    };
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(seq, event, _)| row(*seq, event))
        .collect();
    let json = found
        .iter()
        .map(|(seq, _, body)| json!({ "seq": seq, "event": body }))
        .collect();
    let text = table(
        &["SEQ", "TIME", "ACTOR", "ACTION", "OBJECT", "OUTCOME", "WHY"],
        &rows,
    );
    Ok(Report::new(Value::Array(json), text))
}

type Found = (u64, Event, Value);

async fn forward(context: &Context, mut from: u64, wanted: &Wanted) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    loop {
        let entries = context.store.events(from, PAGE).await?;
        let Some(last) = entries.last() else {
            return Ok(found);
        };
        from = last.seq + 1;
        found.extend(matching(&entries, wanted));
        if found.len() >= wanted.limit {
            found.truncate(wanted.limit);
            return Ok(found);
        }
    }
}

/// Backwards in pages, so that the newest cost the same however long the log is.
async fn newest(context: &Context, wanted: &Wanted) -> Result<Vec<Found>, Failure> {
    let mut end = context.store.log_size().await?;
    let mut found: Vec<Found> = Vec::new();
    while end > 0 && found.len() < wanted.limit {
        let start = end.saturating_sub(PAGE);
        let entries = context.store.events(start, end - start).await?;
        let mut page: Vec<Found> = matching(&entries, wanted).collect();
        page.append(&mut found);
        found = page;
        end = start;
    }
    let surplus = found.len().saturating_sub(wanted.limit);
    found.drain(..surplus);
    Ok(found)
}

/// Events that cannot be read are for `verify` to report.
fn matching<'a>(entries: &'a [LogEntry], wanted: &'a Wanted) -> impl Iterator<Item = Found> + 'a {
    entries.iter().filter_map(|entry| {
        let event = Event::parse(&entry.body)
            .ok()
            .filter(|event| wanted.matches(event))?;
        Some((
            entry.seq,
            event,
            serde_json::from_slice(&entry.body).unwrap_or_default(),
        ))
    })
}

fn row(seq: u64, event: &Event) -> Vec<String> {
    vec![
        seq.to_string(),
        event.time.to_string(),
        x509::describe::escape(&event.actor.id),
        event.action.to_string(),
        x509::describe::escape(&format!("{} {}", event.object.kind, event.object.id)),
        word(&event.outcome),
        x509::describe::escape(event.why.as_deref().unwrap_or_default()),
    ]
}

async fn prove(context: &Context, seq: u64) -> Done {
    let proof = context.ca.notary().await?.prove(seq, clock::now()).await?;
    let proof = proof.ok_or_else(|| Failure::NotFound(format!("the log has no event {seq}")))?;
    let json = serde_json::to_value(&proof).map_err(failed)?;
    let mut text = format!(
        "event {seq}\n  {}\nleaf\n  {}\npath, from the leaf upwards",
        proof.event, proof.leaf
    );
    for hash in &proof.path {
        text.push_str(&format!("\n  {hash}"));
    }
    text.push_str(&format!(
        "\nchain to this checkpoint\n{}",
        proof.checkpoint.trim_end()
    ));
    Ok(Report::new(json, text))
}

async fn export(context: &Context, folder: &Path) -> Done {
    let notary = context.ca.notary().await?;
    let mut progress = Progress::new("events exported:");
    let checkpoint = notary
        .export(folder, clock::now(), |done, of| progress.at(done, of))
        .await?;
    drop(progress);
    let key = notary.verifier_key().to_string();
    let text = format!(
        "{} events exported to {}\nverify it with `ward audit verify --folder {} --vkey '{key}'`, or without Ward: interop/verify_log.py",
        checkpoint.size,
        folder.display(),
        folder.display()
    );
    Ok(Report::new(
        json!({ "folder": folder, "size": checkpoint.size, "root": hex::encode(checkpoint.root), "vkey": key }),
        text,
    ))
}

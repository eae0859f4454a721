//! `ward acme recall`: have certificates renewed at once.

use std::collections::BTreeMap;

use access::{Action, NamePattern};
use enroll::acme::{Affected, Desk, NewRecall, Recall as Made, Recalled};
use serde_json::{Value, json};

use super::args::{NewRecall as Wanted, Recall};
use super::eab::patterns;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, table};

/// Requesters that are shown by name.
const SHOWN: usize = 20;

pub(crate) async fn run(context: &Context, desk: &Desk, command: Recall) -> Done {
    match command {
        Recall::Create(wanted) => create(context, desk, *wanted).await,
        Recall::List { count } => list(context, desk, count).await,
        Recall::End { id, why } => {
            let permit = context.permit(Action::ManageEnrolment).await?;
            let why = why.as_deref().unwrap_or_default();
            let recall = desk.end_recall(permit, &id, why, clock::now()).await?;
            Ok(Report::new(json!(recall), format!("{id} has ended")))
        }
    }
}

async fn create(context: &Context, desk: &Desk, wanted: Wanted) -> Done {
    let now = clock::now();
    let serials = wanted.serials.iter();
    let new = NewRecall {
        which: Recalled {
            issuer: wanted.issuer,
            profile: wanted.profile,
            names: patterns("--name", &wanted.names)?,
            serials: serials
                .map(|serial| serial.replace(':', "").to_ascii_lowercase())
                .collect(),
            issued_before: wanted.issued_before.map(|time| time.0.saturating_mul(1000)),
        },
        everything: wanted.everything,
        why: wanted.why,
        explanation: wanted.explanation,
    };
    if wanted.dry_run {
        context.permit(Action::ReadEnrolment).await?;
        desk.check_recall(&new).map_err(Failure::from)?;
        let affected = desk.affected(&new.which, now).await?;
        let json = json!({ "dry_run": true, "which": new.which, "affected": affected });
        return Ok(Report::new(
            json,
            format!(
                "would be recalled: {}\nnothing was done",
                counted(&affected)
            ),
        ));
    }
    let permit = context.permit(Action::ManageEnrolment).await?;
    let affected = desk.affected(&new.which, now).await?;
    let recall = desk.recall(permit, new, now).await?;
    let text = format!(
        "{} is in force: {}\nClients that follow RFC 9773 renew at their next look; whoever does not has to be told.",
        recall.id,
        counted(&affected)
    );
    Ok(Report::new(
        json!({ "recall": recall, "affected": affected }),
        text,
    ))
}

async fn list(context: &Context, desk: &Desk, count: bool) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let now = clock::now();
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for recall in desk.recalls().await? {
        let mut left = None;
        if count && recall.ended.is_none() {
            left = Some(desk.affected(&bounded(&recall), now).await?.certificates);
        }
        rows.push(vec![
            recall.id.clone(),
            if recall.ended.is_some() {
                "ended"
            } else {
                "in force"
            }
            .to_owned(),
            clock::millis(recall.created),
            left.map_or_else(|| "-".into(), |left| left.to_string()),
            in_words(&recall.which),
            recall.why.clone(),
        ]);
        json.push(json!({ "recall": recall, "certificates_left": left }));
    }
    let text = match rows.is_empty() {
        true => "no recalls".to_owned(),
        false => table(&["RECALL", "STATE", "MADE", "LEFT", "WHICH", "WHY"], &rows),
    };
    Ok(Report::new(Value::Array(json), text))
}

/// What a recall covers still: never what was issued after it.
fn bounded(recall: &Made) -> Recalled {
    let end = recall
        .which
        .issued_before
        .unwrap_or(i64::MAX)
        .min(recall.created);
    Recalled {
        issued_before: Some(end),
        ..recall.which.clone()
    }
}

fn in_words(which: &Recalled) -> String {
    let mut words = Vec::new();
    words.extend(which.issuer.iter().map(|issuer| format!("issuer {issuer}")));
    words.extend(
        which
            .profile
            .iter()
            .map(|profile| format!("profile {profile}")),
    );
    if !which.names.is_empty() {
        let names: Vec<&str> = which.names.iter().map(NamePattern::as_str).collect();
        words.push(format!("names {}", names.join(" ")));
    }
    if !which.serials.is_empty() {
        words.push(format!("{} serial number(s)", which.serials.len()));
    }
    if let Some(before) = which.issued_before {
        words.push(format!("issued before {}", clock::millis(before)));
    }
    match words.is_empty() {
        true => "everything".into(),
        false => words.join(", "),
    }
}

fn counted(affected: &Affected) -> String {
    let mut text = format!("{} valid certificate(s)", affected.certificates);
    for (what, counts) in [
        ("issuer", &affected.by_issuer),
        ("profile", &affected.by_profile),
        ("asked for by", &affected.by_requester),
    ] {
        text.push_str(&shown(what, counts));
    }
    text
}

fn shown(what: &str, counts: &BTreeMap<String, u64>) -> String {
    let mut largest: Vec<_> = counts.iter().collect();
    largest.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut text = String::new();
    for (name, count) in largest.iter().take(SHOWN) {
        text.push_str(&format!("\n  {what} {name}: {count}"));
    }
    if largest.len() > SHOWN {
        text.push_str(&format!("\n  {what} {} others", largest.len() - SHOWN));
    }
    text
}

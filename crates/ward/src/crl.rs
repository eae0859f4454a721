//! `ward crl`: what is published, and publishing it now.

use std::path::PathBuf;

use ::ca::crl::{ListKind, ListName, Publication, PublishedList};
use access::{Action, Target};
use serde_json::{Value, json};

use crate::args::{Crl, Place, RootKey};
use crate::ca::{issuer, parent_key};
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, failed, table, write};

pub(crate) async fn run(place: &Place, command: Crl) -> Done {
    let context = Context::open(place).await?;
    match command {
        Crl::List => list(&context).await,
        Crl::Show {
            authority,
            partition,
            delta,
            out,
        } => {
            let kind = match (partition, delta) {
                (Some(number), _) => ListKind::Partition(number),
                (None, true) => ListKind::Delta,
                (None, false) => ListKind::Complete,
            };
            show(&context, &authority, kind, out.as_ref()).await
        }
        Crl::Publish { authority, root } => publish(&context, authority.as_deref(), &root).await,
    }
}

async fn list(context: &Context) -> Done {
    let lists = context.ca.published_lists().await?;
    let now = clock::now().seconds();
    let rows: Vec<Vec<String>> = lists
        .iter()
        .map(|list| {
            vec![
                list.name.issuer.clone(),
                list.name.kind.to_string(),
                list.number.to_string(),
                list.entries.to_string(),
                list.size.to_string(),
                age(now - list.this_update.0),
                list.next_update.to_string(),
            ]
        })
        .collect();
    let json = lists.iter().map(list_json).collect();
    Ok(Report::new(
        Value::Array(json),
        table(
            &[
                "ISSUER",
                "LIST",
                "NUMBER",
                "ENTRIES",
                "BYTES",
                "AGE",
                "NEXT UPDATE",
            ],
            &rows,
        ),
    ))
}

fn list_json(list: &PublishedList) -> Value {
    json!({
        "issuer": list.name.issuer,
        "list": list.name.kind.to_string(),
        "path": list.name.path(),
        "number": list.number,
        "entries": list.entries,
        "bytes": list.size,
        "sha256": hex::encode(list.sha256),
        "this_update": list.this_update.to_string(),
        "next_update": list.next_update.to_string(),
    })
}

/// Seconds in the unit that a person would use.
pub(crate) fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "from the future".to_owned(),
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

async fn show(context: &Context, authority: &str, kind: ListKind, out: Option<&PathBuf>) -> Done {
    let issuer = issuer(context, authority)?;
    let name = ListName {
        issuer: issuer.name().to_owned(),
        kind,
    };
    let published = context.ca.crl(&name).await?;
    let published = published.ok_or_else(|| {
        Failure::NotFound(format!(
            "{} has no {kind} list yet: ward crl publish",
            name.issuer
        ))
    })?;
    if let Some(path) = out {
        write(path, &published.der)?;
        let mut json = list_json(&published);
        add(&mut json, "file", json!(path));
        let text = format!(
            "{kind} list number {}, {} entries, written to {}",
            published.number,
            published.entries,
            path.display()
        );
        return Ok(Report::new(json, text));
    }
    let described = x509::describe::describe(&published.der).map_err(failed)?;
    let text = x509::describe::render_text(&described);
    Ok(Report::new(described, text.trim_end()))
}

async fn publish(context: &Context, authority: Option<&str>, root: &RootKey) -> Done {
    if let (Some(name), true) = (authority, root.root_key.is_some()) {
        return publish_root(context, name, root).await;
    }
    let target = Target {
        authority,
        ..Target::default()
    };
    context.permit_on(Action::PublishStatus, &target).await?;
    let mut published = Vec::new();
    for name in publishers(context, authority)? {
        published.extend(context.ca.publish_now(&name, clock::now()).await?);
    }
    let rows: Vec<Vec<String>> = published.iter().map(publication_row).collect();
    Ok(Report::new(
        json!(published),
        table(&["ISSUER", "LISTS", "ENTRIES", "BYTES", "TOOK"], &rows),
    ))
}

fn publication_row(publication: &Publication) -> Vec<String> {
    vec![
        publication.issuer.clone(),
        publication.lists.join(", "),
        publication.entries.to_string(),
        publication.bytes.to_string(),
        format!("{} ms", publication.milliseconds),
    ]
}

/// Every generation whose key is here; of one authority if it was named.
fn publishers(context: &Context, authority: Option<&str>) -> Result<Vec<String>, Failure> {
    let with_key = |id: &String| {
        context
            .ca
            .issuer(id)
            .is_ok_and(|issuer| issuer.key().is_some())
    };
    let Some(name) = authority else {
        let all = context.ca.issuers();
        return Ok(all
            .iter()
            .map(|issuer| issuer.name().to_owned())
            .filter(with_key)
            .collect());
    };
    let generations = match context.ca.authority(name) {
        Ok(authority) => authority.generations,
        Err(_) => vec![issuer(context, name)?.name().to_owned()],
    };
    let here: Vec<String> = generations.into_iter().filter(with_key).collect();
    match here.is_empty() {
        true => Err(Failure::Failed(format!(
            "the key of {name} was carried away: give --root-key and --root-passphrase-file"
        ))),
        false => Ok(here),
    }
}

async fn publish_root(context: &Context, name: &str, root: &RootKey) -> Done {
    let target = Target {
        authority: Some(name),
        ..Target::default()
    };
    let permit = context
        .permit_on(Action::ManageAuthorities, &target)
        .await?;
    let der = context
        .ca
        .sign_root_crl(permit, name, parent_key(root)?, clock::now())
        .await?;
    let described = x509::describe::describe(&der).map_err(failed)?;
    let text = format!(
        "published the list of {name}\n\n{}",
        x509::describe::render_text(&described).trim_end()
    );
    Ok(Report::new(described, text))
}

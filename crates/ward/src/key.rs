//! `ward key`: the keys of authorities, responders and the log, and what they are sealed under.

use access::Action;
use keys::{KekSource, KeyId};
use serde_json::{Value, json};

use crate::args::{Key, Place};
use crate::ca::backend;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, failed, table, word};

pub(crate) async fn run(place: &Place, command: Key) -> Done {
    let context = Context::open(place).await?;
    match command {
        Key::List => list(&context).await,
        Key::Rewrap {
            passphrase_file,
            systemd_credential,
        } => {
            let source = match (passphrase_file, systemd_credential) {
                (Some(path), _) => KekSource::PassphraseFile {
                    path: std::path::absolute(path).map_err(failed)?,
                },
                (None, Some(name)) => KekSource::SystemdCredential { name },
                (None, None) => KekSource::GeneratedFile,
            };
            rewrap(&context, &source).await
        }
        Key::Retire { id, why, yes } => {
            let id = parse(&id)?;
            confirm(yes, &format!("Key {id} will not sign anything new."))?;
            let permit = context.permit(Action::ManageKeys).await?;
            context
                .ca
                .retire_key(permit, &id, &why, clock::now())
                .await?;
            Ok(Report::new(
                json!({ "key": id, "state": "retired" }),
                format!("key {id} is retired"),
            ))
        }
        Key::Destroy { id, why, yes } => {
            let id = parse(&id)?;
            confirm(yes, &format!("Key {id} will be gone for good."))?;
            let permit = context.permit(Action::ManageKeys).await?;
            context
                .ca
                .destroy_key(permit, &id, &why, clock::now())
                .await?;
            Ok(Report::new(
                json!({ "key": id, "state": "destroyed" }),
                format!("key {id} is destroyed; backups may still hold its sealed form"),
            ))
        }
    }
}

async fn list(context: &Context) -> Done {
    let keys = context.ca.keys().await?;
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            vec![
                key.record.id.to_string(),
                key.purpose.clone(),
                word(&key.state),
                key.record.algorithm.to_string(),
                backend(&key.record.backend),
                clock::seconds(key.record.created),
            ]
        })
        .collect();
    let json = keys
        .iter()
        .map(|key| {
            json!({
                "key": key.record.id,
                "purpose": key.purpose,
                "state": key.state,
                "algorithm": key.record.algorithm,
                "backend": key.record.backend,
                "created": clock::seconds(key.record.created),
                "sealed_under": key.record.sealed.as_ref().map(|sealed| &sealed.kek),
            })
        })
        .collect();
    Ok(Report::new(
        Value::Array(json),
        table(
            &["KEY", "FOR", "STATE", "ALGORITHM", "WHERE", "MADE"],
            &rows,
        ),
    ))
}

async fn rewrap(context: &Context, source: &KekSource) -> Done {
    let permit = context.permit(Action::ManageKeys).await?;
    let sealed = context.ca.rewrap_keys(permit, source, clock::now()).await?;
    let status = context.keyring.kek_status();
    let mut text = format!(
        "{sealed} key(s) sealed again, under the {source}\n{}",
        status.strength
    );
    if status.wanted.is_some() {
        text.push_str(&format!(
            "\nward.toml still asks for another source: change its [keys] to {source}"
        ));
    }
    Ok(Report::new(
        json!({ "sealed": sealed, "kek": status }),
        text,
    ))
}

fn parse(id: &str) -> Result<KeyId, Failure> {
    id.parse()
        .map_err(|error| Failure::Usage(format!("{id}: {error}")))
}

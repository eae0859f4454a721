//! `ward acme eab`: what lets clients in.

use std::path::Path;

use access::{Action, NamePattern, Scope};
use enroll::acme::{Desk, EabKey, EabView, NewEab};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::args::{Eab, NewEab as Wanted};
use super::url;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, SecretFile, add, table, with_state};

const MILLIS_PER_DAY: i64 = 86_400_000;

pub(crate) async fn run(context: &Context, desk: &Desk, command: Eab) -> Done {
    match command {
        Eab::Create(wanted) => create(context, desk, *wanted).await,
        Eab::List { directory } => list(context, desk, directory.as_deref()).await,
        Eab::Show { id } => show(context, desk, &id).await,
        Eab::Revoke {
            id,
            accounts,
            why,
            yes,
        } => {
            revoke(
                context,
                desk,
                &id,
                accounts,
                why.as_deref().unwrap_or_default(),
                yes,
            )
            .await
        }
    }
}

/// `--allow-name`, `--name`: patterns.
pub(super) fn patterns(flag: &str, texts: &[String]) -> Result<Vec<NamePattern>, Failure> {
    let parsed = texts.iter().map(|text| NamePattern::parse(text));
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Usage(format!("{flag}: {error}")))
}

async fn create(context: &Context, desk: &Desk, wanted: Wanted) -> Done {
    let now = clock::now();
    let new = NewEab {
        uses: (!wanted.unlimited).then_some(wanted.uses),
        expires: Some(now.0 + i64::from(wanted.days) * MILLIS_PER_DAY),
        scope: Scope {
            profiles: wanted.profiles,
            authorities: Vec::new(),
            names: patterns("--allow-name", &wanted.allow_names)?,
            ..Scope::default()
        },
        directory: wanted.directory,
        preauthorised: wanted.preauthorised,
        owner: wanted.owner,
        note: wanted.note.unwrap_or_default(),
        asset: wanted.asset,
        segment: wanted.segment,
    };
    let permit = context.permit(Action::ManageEnrolment).await?;
    let file = wanted.out.as_deref().map(SecretFile::create).transpose()?;
    let (key, secret) = desk.create_eab(permit, new, now).await?;
    let mut json = with_state(json!(key), "active");
    add(&mut json, "url", json!(url(context, &key.directory)));
    let about = format!(
        "external account key {} of {} for directory {}: {}, until {}\n  names      {}\n  challenges {}\n  directory  {}",
        key.id,
        key.owner,
        key.directory,
        uses(&key, 0),
        ends(&key),
        names(&key),
        challenges(&key),
        url(context, &key.directory)
    );
    match (file, wanted.out.as_deref()) {
        (Some(file), Some(path)) => written(json, &about, file, path, &key, &secret, context),
        _ => {
            add(&mut json, "hmac_key", json!(*secret));
            let text = format!(
                "{about}\n\nThe secret is shown this once:\n  key id     {}\n  HMAC key   {}",
                key.id, *secret
            );
            Ok(Report::new(json, text))
        }
    }
}

fn written(
    mut json: Value,
    about: &str,
    file: SecretFile,
    path: &Path,
    key: &EabKey,
    secret: &Zeroizing<String>,
    context: &Context,
) -> Done {
    let content =
        json!({ "kid": key.id, "hmac_key": **secret, "directory": url(context, &key.directory) });
    file.fill(Zeroizing::new(format!("{content}\n")).as_bytes())?;
    add(&mut json, "file", json!(path));
    Ok(Report::new(
        json,
        format!(
            "{about}\n\nKey id and secret are written to {}",
            path.display()
        ),
    ))
}

async fn list(context: &Context, desk: &Desk, directory: Option<&str>) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let now = clock::now();
    let views = desk.eab_keys(directory).await?;
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            vec![
                view.key.id.clone(),
                view.key.directory.clone(),
                view.state(now).to_owned(),
                uses(&view.key, view.used),
                ends(&view.key),
                if view.key.preauthorised {
                    "none"
                } else {
                    "yes"
                }
                .to_owned(),
                names(&view.key),
                view.key.owner.clone(),
            ]
        })
        .collect();
    let json = views
        .iter()
        .map(|view| with_state(json!(view), view.state(now)))
        .collect();
    Ok(Report::new(
        Value::Array(json),
        table(
            &[
                "KEY",
                "DIRECTORY",
                "STATE",
                "USES",
                "ENDS",
                "CHALLENGES",
                "NAMES",
                "OWNER",
            ],
            &rows,
        ),
    ))
}

async fn show(context: &Context, desk: &Desk, id: &str) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let view: EabView = desk.eab_key(id).await?;
    let accounts = desk.bound_accounts(id).await?;
    let (key, state) = (&view.key, view.state(clock::now()));
    let mut json = with_state(json!(view), state);
    add(&mut json, "accounts", json!(accounts));
    let optional = |label: Option<&String>| label.cloned().unwrap_or_else(|| "-".into());
    let text = format!(
        "external account key {id}: {state}\n  directory  {}\n  owner      {}\n  note       {}\n  asset      {}\n  segment    {}\n  uses       {}\n  ends       {}\n  profiles   {}\n  names      {}\n  challenges {}\n  made       {} by {}\n  accounts   {}",
        key.directory,
        key.owner,
        if key.note.is_empty() { "-" } else { &key.note },
        optional(key.asset.as_ref()),
        optional(key.segment.as_ref()),
        uses(key, view.used),
        ends(key),
        if key.scope.profiles.is_empty() {
            "any of the directory".to_owned()
        } else {
            key.scope.profiles.join(" ")
        },
        names(key),
        challenges(key),
        clock::millis(key.created),
        key.created_by,
        if accounts.is_empty() {
            "none".to_owned()
        } else {
            accounts.join(" ")
        },
    );
    Ok(Report::new(json, text))
}

async fn revoke(
    context: &Context,
    desk: &Desk,
    id: &str,
    accounts: bool,
    why: &str,
    yes: bool,
) -> Done {
    desk.eab_key(id).await?;
    if accounts {
        let bound = desk.bound_accounts(id).await?.len();
        confirm(
            yes,
            &format!("End key {id} and the {bound} account(s) that it has bound."),
        )?;
    }
    let permit = context.permit(Action::ManageEnrolment).await?;
    let ended = desk
        .revoke_eab(permit, id, why, accounts, clock::now())
        .await?;
    let text = match accounts {
        true => format!("external account key {id} is revoked; {ended} account(s) have ended"),
        false => format!(
            "external account key {id} is revoked; accounts that it has bound go on (--accounts ends them)"
        ),
    };
    Ok(Report::new(
        json!({ "id": id, "state": "revoked", "accounts_ended": ended }),
        text,
    ))
}

fn uses(key: &EabKey, used: u64) -> String {
    match key.uses {
        Some(most) => format!("{used} of {most} account(s)"),
        None => format!("{used} account(s), no limit"),
    }
}

fn ends(key: &EabKey) -> String {
    key.expires
        .map(clock::millis)
        .unwrap_or_else(|| "never".into())
}

fn names(key: &EabKey) -> String {
    match key.scope.names.is_empty() {
        true => "any that the directory allows".into(),
        false => key
            .scope
            .names
            .iter()
            .map(NamePattern::as_str)
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn challenges(key: &EabKey) -> &'static str {
    match key.preauthorised {
        true => "none: the names are pre-authorised",
        false => "as the directory demands",
    }
}

//! `ward acme account`: who came in.

use access::{Action, NamePattern};
use enroll::acme::{AccountFilter, AccountView, Desk};
use serde_json::json;

use super::args::Account;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Report, table};

pub(crate) async fn run(context: &Context, desk: &Desk, command: Account) -> Done {
    match command {
        Account::List {
            directory,
            status,
            eab,
            limit,
            after,
        } => {
            let filter = AccountFilter {
                directory,
                status,
                eab,
                after,
                limit: Some(limit),
            };
            list(context, desk, &filter).await
        }
        Account::Show { id } => {
            context.permit(Action::ReadEnrolment).await?;
            let account = desk.account(&id).await?;
            Ok(Report::new(json!(account), described(&account)))
        }
        Account::Deactivate { id, why, yes } => {
            desk.account(&id).await?;
            confirm(
                yes,
                &format!("End account {id}: its key signs nothing any more."),
            )?;
            let permit = context.permit(Action::ManageEnrolment).await?;
            desk.deactivate_account(
                permit,
                &id,
                why.as_deref().unwrap_or_default(),
                clock::now(),
            )
            .await?;
            Ok(Report::new(
                json!({ "id": id, "status": "revoked" }),
                format!("account {id} has ended; its certificates stay as they are"),
            ))
        }
    }
}

async fn list(context: &Context, desk: &Desk, filter: &AccountFilter) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let page = desk.accounts(filter).await?;
    let rows: Vec<Vec<String>> = page
        .accounts
        .iter()
        .map(|account| {
            vec![
                account.id.clone(),
                account.directory.clone(),
                account.status.clone(),
                clock::millis(account.created),
                account.eab.clone().unwrap_or_else(|| "-".into()),
                account.contacts.join(" "),
            ]
        })
        .collect();
    let mut text = table(
        &[
            "ACCOUNT",
            "DIRECTORY",
            "STATUS",
            "MADE",
            "EAB KEY",
            "CONTACTS",
        ],
        &rows,
    );
    if let Some(next) = &page.next {
        text.push_str(&format!("\nmore: --after {next}"));
    }
    Ok(Report::new(json!(page), text))
}

fn described(account: &AccountView) -> String {
    let names: Vec<&str> = account
        .scope
        .names
        .iter()
        .map(NamePattern::as_str)
        .collect();
    let or = |texts: &[String], other: &str| match texts.is_empty() {
        true => other.to_owned(),
        false => texts.join(" "),
    };
    format!(
        "account {}: {}\n  directory  {}\n  contacts   {}\n  EAB key    {}\n  profiles   {}\n  names      {}\n  challenges {}\n  key        {} (RFC 7638 SHA-256)\n  made       {}",
        account.id,
        account.status,
        account.directory,
        or(&account.contacts, "-"),
        account.eab.as_deref().unwrap_or("-"),
        or(&account.scope.profiles, "any of the directory"),
        if names.is_empty() {
            "any that the directory allows".to_owned()
        } else {
            names.join(" ")
        },
        if account.preauthorised {
            "none: the names are pre-authorised"
        } else {
            "as the directory demands"
        },
        account.thumbprint,
        clock::millis(account.created)
    )
}

//! `ward status`: what runs, how old everything is, what needs attention.

use access::{Action, RequestState};
use ca::{AuthorityState, StatusReport};
use serde_json::json;

use crate::args::Place;
use crate::ca::backend;
use crate::clock;
use crate::context::Context;
use crate::crl::age;
use crate::output::{Done, Failure, Report, table, word};

const DAY: i64 = 86_400;
/// An authority is rotated well before its end, because what it issued ends with it.
const AUTHORITY_WARNING: i64 = 365 * DAY;
/// Lists are replaced at half of their life. With less than this share of it left, nothing publishes.
const LIST_SHARE_LEFT: i64 = 4;
/// The list of an offline root needs its key brought back.
const CARRIED_LIST_WARNING: i64 = 30 * DAY;

pub(crate) async fn run(place: &Place, check: bool) -> Done {
    let context = Context::open(place).await?;
    context.permit(Action::ReadStatus).await?;
    let now = clock::now();
    let state = context.ca.status_report(now).await?;
    let mut attention = attention(&context).await?;
    let acme = crate::acme::summary::of(&context).await?;
    attention.extend(acme.attention);
    let waiting = waiting(&context).await?;
    let log_size = context.store.log_size().await?;
    let counts = context.ca.certificate_counts().await?;
    let kek = context.keyring.kek_status();
    let tokens = context.keyring.token_status();
    let server = server_state(&context);

    let json = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": now.to_string(),
        "data": context.config.data,
        "database": without_password(&context.config.database),
        "server": server,
        "listen": { "api": context.config.api.to_string(), "status": context.config.status.to_string() },
        "log_size": log_size,
        "certificates": counts.iter().map(|(issuer, count)| (issuer.clone(), json!(count))).collect::<serde_json::Map<_, _>>(),
        "requests_waiting": waiting,
        "acme": acme.json,
        "kek": kek,
        "pkcs11": tokens,
        "state": state,
        "attention": attention,
    });
    let mut text = format!(
        "Ward {} in {}\n  database   {}\n  server     {server}\n  log        {log_size} events\n  requests   {waiting} waiting\n  acme       {}\n  keys       {}",
        env!("CARGO_PKG_VERSION"),
        context.config.data.display(),
        without_password(&context.config.database),
        acme.text,
        kek.strength
    );
    for token in &tokens {
        let state = if token.available {
            "available"
        } else {
            token.problem.as_deref().unwrap_or("not available")
        };
        text.push_str(&format!("\n  token      {}: {state}", token.label));
    }
    text.push_str(&format!(
        "\n\n{}\n\n{}",
        authorities(&context, &counts),
        lists(&state)
    ));
    match attention.is_empty() {
        true => text.push_str("\n\nNothing needs attention."),
        false => {
            text.push_str("\n\nNeeds attention:");
            attention
                .iter()
                .for_each(|line| text.push_str(&format!("\n  - {line}")));
        }
    }
    Ok(Report::new(json, text).judged(!check || attention.is_empty()))
}

/// Whether somebody holds the server's lock. PostgreSQL has none: several nodes may run.
fn server_state(context: &Context) -> &'static str {
    match (
        context.store.lock_server(),
        crate::context::sqlite_file(&context.config.database),
    ) {
        (_, None) => "any number of nodes on PostgreSQL",
        (Ok(_), Some(_)) => "not running",
        (Err(_), Some(_)) => "running",
    }
}

async fn waiting(context: &Context) -> Result<usize, Failure> {
    let now = clock::now();
    let requests = context.access.open_requests().await?;
    Ok(requests
        .iter()
        .filter(|request| request.state_at(now) == RequestState::Pending)
        .count())
}

fn authorities(context: &Context, counts: &[(String, u64)]) -> String {
    let issuers = context.ca.issuers();
    let rows: Vec<Vec<String>> = issuers
        .iter()
        .map(|issuer| {
            let issued = counts
                .iter()
                .find(|(name, _)| name == issuer.name())
                .map_or(0, |(_, count)| *count);
            vec![
                issuer.name().to_owned(),
                word(&issuer.record().state),
                issuer
                    .key()
                    .map_or_else(|| "carried away".to_owned(), |key| backend(&key.backend)),
                issued.to_string(),
                issuer.not_after().to_string(),
            ]
        })
        .collect();
    table(&["ISSUER", "STATE", "KEY", "ISSUED", "ENDS"], &rows)
}

fn lists(state: &StatusReport) -> String {
    let mut rows: Vec<Vec<String>> = state
        .lists
        .iter()
        .map(|list| {
            vec![
                list.issuer.clone(),
                format!("CRL {}", list.list),
                list.number.to_string(),
                age(list.age_seconds),
                list.next_update.clone(),
            ]
        })
        .collect();
    rows.extend(state.responders.iter().map(|responder| {
        vec![
            responder.issuer.clone(),
            "OCSP responder".into(),
            String::new(),
            String::new(),
            responder.not_after.clone(),
        ]
    }));
    table(
        &["ISSUER", "STATUS SERVICE", "NUMBER", "AGE", "GOOD UNTIL"],
        &rows,
    )
}

/// In words, what somebody has to do something about.
async fn attention(context: &Context) -> Result<Vec<String>, Failure> {
    let now = clock::now().seconds();
    let mut lines = Vec::new();
    let published = context.ca.published_lists().await?;
    for list in &published {
        let here = context
            .ca
            .issuer(&list.name.issuer)
            .is_ok_and(|issuer| issuer.key().is_some());
        let life = list.next_update.0 - list.this_update.0;
        let (least, hint) = match here {
            true => (life / LIST_SHARE_LEFT, "is `ward serve` running?"),
            false => (
                CARRIED_LIST_WARNING,
                "ward crl publish with the carried key",
            ),
        };
        if list.next_update.0 - now < least {
            lines.push(format!(
                "CRL {} of {} ends {}: {hint}",
                list.name.kind, list.name.issuer, list.next_update
            ));
        }
    }
    for issuer in context.ca.issuers() {
        let active = context
            .ca
            .authority(&issuer.record().authority)
            .is_ok_and(|authority| {
                authority.issuer == issuer.name() && authority.state != AuthorityState::Retired
            });
        if active && issuer.not_after().0 - now < AUTHORITY_WARNING {
            lines.push(format!(
                "{} ends {}: ward ca rotate {}",
                issuer.name(),
                issuer.not_after(),
                issuer.record().authority
            ));
        }
        if issuer.key().is_some()
            && !published
                .iter()
                .any(|list| list.name.issuer == issuer.name())
        {
            lines.push(format!(
                "{} has published no CRL yet: start `ward serve`, or ward crl publish",
                issuer.name()
            ));
        }
    }
    if context
        .ca
        .settings()
        .is_some_and(|settings| settings.root_online)
    {
        lines.push("the root key is kept on this machine".into());
    }
    let kek = context.keyring.kek_status();
    if let Some(wanted) = &kek.wanted {
        lines.push(format!(
            "ward.toml asks for the {wanted}, in force is the {}: change one (ward key rewrap)",
            kek.source
        ));
    }
    if !kek.former.is_empty() {
        lines.push(
            "a change of the key-encrypting key was cut off: run `ward key rewrap` again".into(),
        );
    }
    for token in context
        .keyring
        .token_status()
        .iter()
        .filter(|token| !token.available)
    {
        lines.push(format!(
            "token {}: {}",
            token.label,
            token.problem.as_deref().unwrap_or("not available")
        ));
    }
    if passphrase_lies_here(context) {
        lines.push("the root passphrase still lies in the data directory: keep it elsewhere, and remove it".into());
    }
    Ok(lines)
}

fn passphrase_lies_here(context: &Context) -> bool {
    context.config.data.join("root-passphrase").exists()
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.split_once('@') {
        Some((user, host)) => format!(
            "{scheme}://{}@{host}",
            user.split(':').next().unwrap_or_default()
        ),
        None => url.to_owned(),
    }
}

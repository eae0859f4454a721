//! `ward token`: bearer tokens for the REST API.

use std::path::Path;

use access::{Action, NamePattern, NewToken, Scope, Token as Held, TokenId};
use serde_json::{Value, json};

use crate::args::{Place, Token};
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, SecretFile, add, table, with_state};

const MILLIS_PER_DAY: i64 = 86_400_000;

pub(crate) async fn run(place: &Place, command: Token) -> Done {
    let context = Context::open(place).await?;
    match command {
        Token::Create {
            name,
            person,
            roles,
            profiles,
            authorities,
            allow_names,
            days,
            out,
        } => {
            let names = allow_names.iter().map(|text| NamePattern::parse(text));
            let names = names
                .collect::<Result<_, _>>()
                .map_err(|error| Failure::Usage(format!("--allow-name: {error}")))?;
            let expires = clock::now().0 + i64::from(days) * MILLIS_PER_DAY;
            let new = NewToken {
                name,
                person,
                roles,
                scope: Scope {
                    profiles,
                    authorities,
                    names,
                    ..Scope::default()
                },
                expires: Some(expires),
            };
            create(&context, new, expires, out.as_deref()).await
        }
        Token::List => list(&context).await,
        Token::Revoke { id, why } => {
            let id = TokenId::parse(&id).ok_or_else(|| {
                Failure::Usage(format!("{id}: a token's id is `t` and twelve hex digits"))
            })?;
            let permit = context.permit(Action::ManageTokens).await?;
            context
                .access
                .revoke_token(
                    permit,
                    &id,
                    why.as_deref().unwrap_or_default(),
                    clock::now(),
                )
                .await?;
            Ok(Report::new(
                json!({ "id": id, "state": "revoked" }),
                format!("token {id} is revoked"),
            ))
        }
    }
}

async fn create(context: &Context, new: NewToken, expires: i64, out: Option<&Path>) -> Done {
    let permit = context.permit(Action::ManageTokens).await?;
    let file = out.map(SecretFile::create).transpose()?;
    let name = new.name.clone();
    let (id, secret) = context
        .access
        .create_token(permit, new, clock::now())
        .await?;
    let mut json = json!({ "id": id, "name": name, "expires": clock::millis(expires) });
    let about = format!("token {id} of {name}, until {}", clock::millis(expires));
    let (Some(file), Some(path)) = (file, out) else {
        add(&mut json, "token", json!(*secret));
        return Ok(Report::new(
            json,
            format!("{about}\nIt is shown this once:\n{}", *secret),
        ));
    };
    file.fill(format!("{}\n", *secret).as_bytes())?;
    add(&mut json, "file", json!(path));
    Ok(Report::new(
        json,
        format!("{about}, written to {}", path.display()),
    ))
}

async fn list(context: &Context) -> Done {
    let tokens = context.access.tokens().await?;
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            vec![
                token.id.to_string(),
                token.name.clone(),
                token
                    .roles
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                state(token).to_owned(),
                token
                    .expires
                    .map(clock::millis)
                    .unwrap_or_else(|| "never".into()),
                scope(token),
            ]
        })
        .collect();
    let json = tokens
        .iter()
        .map(|token| with_state(json!(token), state(token)))
        .collect();
    Ok(Report::new(
        Value::Array(json),
        table(
            &["TOKEN", "HOLDER", "ROLES", "STATE", "ENDS", "SCOPE"],
            &rows,
        ),
    ))
}

fn state(token: &Held) -> &'static str {
    match (token.revoked, token.fault(clock::now())) {
        (Some(_), _) => "revoked",
        (None, Some(_)) => "expired",
        (None, None) => "active",
    }
}

fn scope(token: &Held) -> String {
    let scope = &token.scope;
    let mut parts: Vec<&str> = scope.names.iter().map(NamePattern::as_str).collect();
    for limit in [
        &scope.profiles,
        &scope.authorities,
        &scope.sites,
        &scope.segments,
        &scope.departments,
        &scope.owners,
    ] {
        parts.extend(limit.iter().map(String::as_str));
    }
    if parts.is_empty() {
        "any".into()
    } else {
        parts.join(" ")
    }
}

//! Bearer tokens: made once, shown once, revoked at once.

use access::{Action, NewToken, Role, Scope, Target, TokenId};
use axum::Json;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateToken {
    /// Who holds it: letters, digits and `-_.@+`.
    name: String,
    /// Whether a person holds it; otherwise a machine.
    #[serde(default)]
    person: bool,
    /// admin, issuer, approver, auditor, read-only.
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
    /// Profiles and authorities (with `*`) and name patterns it is limited to; empty is any.
    #[serde(default)]
    #[schema(value_type = Object)]
    scope: Scope,
    /// Days until it ends.
    days: u32,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedToken {
    id: String,
    /// Shown this once; Ward keeps its SHA-256.
    token: String,
}

/// Creates a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = CreateToken,
    responses((status = 201, body = CreatedToken), (status = 403, body = Problem)))]
pub(crate) async fn create(
    caller: Caller,
    Sent(wanted): Sent<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let permit = caller
        .permit(Action::ManageTokens, &Target::default())
        .await?;
    let new = NewToken {
        name: wanted.name,
        person: wanted.person,
        roles: wanted.roles,
        scope: wanted.scope,
        expires: Some(caller.now.0 + i64::from(wanted.days) * 86_400_000),
    };
    let (id, token) = caller
        .services
        .access
        .create_token(permit, new, caller.now)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedToken {
            id: id.to_string(),
            token: token.to_string(),
        }),
    ))
}

/// Tokens without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(AsOf),
    responses((status = 200, body = [Object])))]
pub(crate) async fn list(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<access::Token>>, Problem> {
    caller.may_read(Action::ReadTokens)?;
    let access = &caller.services.access;
    Ok(Json(match asked.at(caller.now)? {
        Some(at) => access.tokens_as_of(at).await?,
        None => access.tokens().await?,
    }))
}

/// Ends a token; requests that use it are refused within a second on every node.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn revoke(caller: Caller, At(id): At<String>) -> Result<StatusCode, Problem> {
    let permit = caller
        .permit(Action::ManageTokens, &Target::default())
        .await?;
    let id =
        TokenId::parse(&id).ok_or_else(|| Problem::not_found(format!("`{id}` is no token id")))?;
    caller
        .services
        .access
        .revoke_token(permit, &id, "revoked over the API", caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

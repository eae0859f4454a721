//! What operators do about ACME: directories, external account keys, accounts, orders, recalls. Clients of ACME itself do not come
//! this way.

use access::{Action, Target};
use axum::Json;
use enroll::acme::{
    AccountFilter, AccountPage, AccountView, Affected, Desk, Directory, DirectoryUse, EabView,
    NewEab, NewRecall, OrderFilter, OrderPage, OrderView, Recall, StoredDirectory,
};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

impl Caller {
    fn desk(&self) -> Desk {
        Desk::new(self.services.ca.clone())
    }

    async fn manages_enrolment(&self) -> Result<access::Permit, Problem> {
        self.permit(Action::ManageEnrolment, &Target::default())
            .await
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DirectoryView {
    /// Below this server's address.
    path: String,
    version: u64,
    #[schema(value_type = Object)]
    directory: Directory,
    #[schema(value_type = Object)]
    r#use: DirectoryUse,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutDirectory {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    directory: Directory,
}

/// Why, for the log.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Goes into the log.
    #[serde(default)]
    why: String,
}

async fn view(desk: &Desk, stored: StoredDirectory) -> Result<DirectoryView, Problem> {
    let name = &stored.directory.name;
    Ok(DirectoryView {
        path: format!("/acme/{name}/directory"),
        version: stored.version,
        r#use: desk.directory_use(name).await?,
        directory: stored.directory,
    })
}

/// Directories with their use.
#[utoipa::path(get, path = "/api/v1/acme/directories", tag = "acme", responses((status = 200, body = [DirectoryView])))]
pub(crate) async fn directories(caller: Caller) -> Result<Json<Vec<DirectoryView>>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let desk = caller.desk();
    let mut views = Vec::new();
    for stored in desk.directories().await? {
        views.push(view(&desk, stored).await?);
    }
    Ok(Json(views))
}

/// One directory.
#[utoipa::path(get, path = "/api/v1/acme/directories/{name}", tag = "acme", params(("name" = String, Path)),
    responses((status = 200, body = DirectoryView), (status = 404, body = Problem)))]
pub(crate) async fn directory(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<DirectoryView>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let desk = caller.desk();
    let stored = desk.directory(&name).await?;
    Ok(Json(view(&desk, stored).await?))
}

/// Creates a directory; what is left out has its default. `docs/acme.md` explains the fields.
#[utoipa::path(post, path = "/api/v1/acme/directories", tag = "acme", request_body = Object,
    responses((status = 201, body = DirectoryView), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_directory(
    caller: Caller,
    Sent(wanted): Sent<Directory>,
) -> Result<(StatusCode, Json<DirectoryView>), Problem> {
    let permit = caller.manages_enrolment().await?;
    let desk = caller.desk();
    let stored = desk.put_directory(permit, wanted, 0, caller.now).await?;
    Ok((StatusCode::CREATED, Json(view(&desk, stored).await?)))
}

/// Puts a directory in force in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/acme/directories/{name}", tag = "acme", params(("name" = String, Path)), request_body = PutDirectory,
    responses((status = 200, body = DirectoryView), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn put_directory(
    caller: Caller,
    At(name): At<String>,
    Sent(wanted): Sent<PutDirectory>,
) -> Result<Json<DirectoryView>, Problem> {
    let permit = caller.manages_enrolment().await?;
    let desk = caller.desk();
    let stands = desk.directory(&name).await?;
    if wanted.directory.name != name {
        return Err(Problem::malformed(
            "a directory keeps its name: it is part of its URLs",
        ));
    }
    if stands.version != wanted.version {
        return Err(Problem::conflict(
            "the directory has changed since it was read",
        ));
    }
    let stored = desk
        .put_directory(permit, wanted.directory, wanted.version, caller.now)
        .await?;
    Ok(Json(view(&desk, stored).await?))
}

/// Removes a directory that nobody has used.
#[utoipa::path(delete, path = "/api/v1/acme/directories/{name}", tag = "acme", params(("name" = String, Path), Why),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn remove_directory(
    caller: Caller,
    At(name): At<String>,
    Asked(Why { why }): Asked<Why>,
) -> Result<StatusCode, Problem> {
    let permit = caller.manages_enrolment().await?;
    caller
        .desk()
        .remove_directory(permit, &name, &why, caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateEab {
    directory: String,
    /// Who answers for it.
    owner: String,
    /// How many accounts it may bind; 0 is any number.
    #[serde(default = "once")]
    uses: u32,
    /// Days until it binds no further account.
    #[serde(default = "month")]
    days: u32,
    /// Profiles (with `*`) and name patterns that its accounts are limited to; empty is any of the directory.
    #[serde(default)]
    #[schema(value_type = Object)]
    scope: access::Scope,
    /// The names need no challenge.
    #[serde(default)]
    preauthorised: bool,
    #[serde(default)]
    note: String,
    asset: Option<String>,
    segment: Option<String>,
}

fn once() -> u32 {
    1
}

fn month() -> u32 {
    30
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedEab {
    /// The key id that clients send.
    id: String,
    /// base64url, as clients take it. Shown this once.
    hmac_key: String,
    /// Below this server's address.
    path: String,
}

/// Creates an external account key.
#[utoipa::path(post, path = "/api/v1/acme/eab-keys", tag = "acme", request_body = CreateEab,
    responses((status = 201, body = CreatedEab), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_eab(
    caller: Caller,
    Sent(wanted): Sent<CreateEab>,
) -> Result<(StatusCode, Json<CreatedEab>), Problem> {
    let permit = caller.manages_enrolment().await?;
    let new = NewEab {
        directory: wanted.directory,
        uses: Some(wanted.uses).filter(|uses| *uses > 0),
        expires: Some(caller.now.0 + i64::from(wanted.days) * 86_400_000),
        scope: wanted.scope,
        preauthorised: wanted.preauthorised,
        owner: wanted.owner,
        note: wanted.note,
        asset: wanted.asset,
        segment: wanted.segment,
    };
    let (key, secret) = caller.desk().create_eab(permit, new, caller.now).await?;
    let created = CreatedEab {
        path: format!("/acme/{}/directory", key.directory),
        id: key.id,
        hmac_key: secret.to_string(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfDirectory {
    directory: Option<String>,
}

/// External account keys without their secrets.
#[utoipa::path(get, path = "/api/v1/acme/eab-keys", tag = "acme", params(OfDirectory), responses((status = 200, body = [Object])))]
pub(crate) async fn eab_keys(
    caller: Caller,
    Asked(OfDirectory { directory }): Asked<OfDirectory>,
) -> Result<Json<Vec<EabView>>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.desk().eab_keys(directory.as_deref()).await?))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct EabAndAccounts {
    #[schema(value_type = Object)]
    key: EabView,
    /// The accounts that it has bound and that are in use.
    accounts: Vec<String>,
}

/// One external account key and the accounts that it has bound.
#[utoipa::path(get, path = "/api/v1/acme/eab-keys/{id}", tag = "acme", params(("id" = String, Path)),
    responses((status = 200, body = EabAndAccounts), (status = 404, body = Problem)))]
pub(crate) async fn eab_key(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<EabAndAccounts>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let desk = caller.desk();
    Ok(Json(EabAndAccounts {
        key: desk.eab_key(&id).await?,
        accounts: desk.bound_accounts(&id).await?,
    }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeEab {
    /// End the accounts that it has bound, too.
    #[serde(default)]
    accounts: bool,
    /// Goes into the log.
    #[serde(default)]
    why: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RevokedEab {
    accounts_ended: usize,
}

/// Ends an external account key: it binds no further account.
#[utoipa::path(post, path = "/api/v1/acme/eab-keys/{id}/revoke", tag = "acme", params(("id" = String, Path)), request_body = RevokeEab,
    responses((status = 200, body = RevokedEab), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn revoke_eab(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<RevokeEab>,
) -> Result<Json<RevokedEab>, Problem> {
    let permit = caller.manages_enrolment().await?;
    let desk = caller.desk();
    let accounts_ended = desk
        .revoke_eab(permit, &id, &wanted.why, wanted.accounts, caller.now)
        .await?;
    Ok(Json(RevokedEab { accounts_ended }))
}

/// Accounts, by id. The query may hold directory, status, eab, after and limit.
#[utoipa::path(get, path = "/api/v1/acme/accounts", tag = "acme",
    params(("directory" = Option<String>, Query), ("status" = Option<String>, Query), ("eab" = Option<String>, Query),
        ("after" = Option<String>, Query, description = "The `next` of the page before"), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Object)))]
pub(crate) async fn accounts(
    caller: Caller,
    Asked(filter): Asked<AccountFilter>,
) -> Result<Json<AccountPage>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.desk().accounts(&filter).await?))
}

/// One account.
#[utoipa::path(get, path = "/api/v1/acme/accounts/{id}", tag = "acme", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn account(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<AccountView>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.desk().account(&id).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deactivate {
    /// Goes into the log.
    #[serde(default)]
    why: String,
}

/// Ends an account: its key signs nothing any more. Its certificates stay as they are.
#[utoipa::path(post, path = "/api/v1/acme/accounts/{id}/deactivate", tag = "acme", params(("id" = String, Path)), request_body = Deactivate,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn deactivate(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<Deactivate>,
) -> Result<StatusCode, Problem> {
    let permit = caller.manages_enrolment().await?;
    caller
        .desk()
        .deactivate_account(permit, &id, &wanted.why, caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Orders, the newest first. The query may hold directory, account, status, after and limit.
#[utoipa::path(get, path = "/api/v1/acme/orders", tag = "acme",
    params(("directory" = Option<String>, Query), ("account" = Option<String>, Query), ("status" = Option<String>, Query),
        ("after" = Option<String>, Query, description = "The `next` of the page before"), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Object)))]
pub(crate) async fn orders(
    caller: Caller,
    Asked(filter): Asked<OrderFilter>,
) -> Result<Json<OrderPage>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.desk().orders(&filter, caller.now).await?))
}

/// One order, with why its names were not proved.
#[utoipa::path(get, path = "/api/v1/acme/orders/{id}", tag = "acme", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn order(caller: Caller, At(id): At<String>) -> Result<Json<OrderView>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.desk().order(&id, caller.now).await?))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RecallView {
    /// Nothing on a dry run.
    #[schema(value_type = Option<Object>)]
    recall: Option<Recall>,
    #[schema(value_type = Object)]
    affected: Affected,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DryRun {
    /// Count, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Marks certificates to be renewed at once (RFC 9773). Nothing is revoked. The body has `which` (issuer, profile, names,
/// serials, issued_before in Unix milliseconds; every field narrows), `everything`, `why` and `explanation`.
#[utoipa::path(post, path = "/api/v1/acme/recalls", tag = "acme", params(DryRun), request_body = Object,
    responses((status = 200, body = RecallView), (status = 201, body = RecallView), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn recall(
    caller: Caller,
    Asked(DryRun { dry_run }): Asked<DryRun>,
    Sent(wanted): Sent<NewRecall>,
) -> Result<(StatusCode, Json<RecallView>), Problem> {
    let permit = caller.manages_enrolment().await?;
    let desk = caller.desk();
    if dry_run {
        desk.check_recall(&wanted)
            .map_err(|refusal| Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal))?;
    }
    let affected = desk.affected(&wanted.which, caller.now).await?;
    if dry_run {
        return Ok((
            StatusCode::OK,
            Json(RecallView {
                recall: None,
                affected,
            }),
        ));
    }
    let recall = desk.recall(permit, wanted, caller.now).await?;
    let view = RecallView {
        recall: Some(recall),
        affected,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Recalls, ended ones included, the oldest first.
#[utoipa::path(get, path = "/api/v1/acme/recalls", tag = "acme", responses((status = 200, body = [Object])))]
pub(crate) async fn recalls(caller: Caller) -> Result<Json<Vec<Recall>>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.desk().recalls().await?))
}

/// Ends a recall: windows are where they were.
#[utoipa::path(delete, path = "/api/v1/acme/recalls/{id}", tag = "acme", params(("id" = String, Path), Why),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn end_recall(
    caller: Caller,
    At(id): At<String>,
    Asked(Why { why }): Asked<Why>,
) -> Result<Json<Recall>, Problem> {
    let permit = caller.manages_enrolment().await?;
    Ok(Json(
        caller
            .desk()
            .end_recall(permit, &id, &why, caller.now)
            .await?,
    ))
}

//! The asset register, imports and spares over REST.

use std::collections::BTreeMap;
use std::time::Duration;

use access::{Action, Permit, Target};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleet::{
    Asset, AssetFilter, AssetPage, Fleet, FleetError, Holding, Import, Imported, LARGEST_FILE,
    NewSpare, Retire, Retired, Spare, SpareState, StoredAsset,
};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::as_of::{self, AsOf};
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

/// Longer than JSON gets: a table of many megabytes comes over slow lines.
const PATIENCE: Duration = Duration::from_secs(120);

impl Caller {
    fn fleet(&self) -> &Fleet {
        &self.services.fleet
    }

    async fn manages_assets(&self) -> Result<Permit, Problem> {
        self.permit(Action::ManageAssets, &Target::default()).await
    }

    /// An asset within the caller's scope, to be acted on.
    async fn manages_asset(&self, id: &str) -> Result<(Permit, StoredAsset), Problem> {
        self.could(Action::ManageAssets).await?;
        let stored = self.fleet().find(id).await?;
        let target = Target::at(stored.asset.place());
        let permit = self.permit(Action::ManageAssets, &target).await?;
        Ok((permit, stored))
    }

    /// An asset within the caller's scope, to be looked at.
    async fn sees_asset(&self, id: &str) -> Result<StoredAsset, Problem> {
        self.may_list(Action::ReadAssets)?;
        let stored = self.fleet().find(id).await?;
        self.may_see(Action::ReadAssets, &stored.asset.place())?;
        Ok(stored)
    }

    /// A spare of an asset within the caller's scope, to be acted on.
    async fn manages_spare(&self, id: &str) -> Result<Permit, Problem> {
        self.could(Action::ManageAssets).await?;
        let spare = self.fleet().spare(id).await?;
        Ok(self.manages_asset(&spare.asset).await?.0)
    }

    /// Assets within the caller's scope. What is outside is passed over, so that a page is as long as it was asked for.
    async fn sees_assets(&self, filter: AssetFilter) -> Result<AssetPage, Problem> {
        let permit = self.may_list(Action::ReadAssets)?;
        if permit.places().is_none() {
            return Ok(self.fleet().assets(&filter).await?);
        }
        let limit = filter.limit.unwrap_or(100).clamp(1, 1000);
        let mut page = AssetFilter {
            limit: Some(1000),
            ..filter
        };
        let mut assets = Vec::new();
        loop {
            let found = self.fleet().assets(&page).await?;
            for stored in found.assets {
                if permit.covers(&Target::at(stored.asset.place())).is_err() {
                    continue;
                }
                let next = Some(stored.asset.id.clone());
                assets.push(stored);
                if assets.len() >= limit as usize {
                    return Ok(AssetPage { assets, next });
                }
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(AssetPage { assets, next: None }),
            }
        }
    }
}

impl From<FleetError> for Problem {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Refused(refusal) => {
                Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal)
            }
            FleetError::NotFound { .. } => Problem::not_found(error.to_string()),
            FleetError::Access(error) => error.into(),
            FleetError::Ca(error) => error.into(),
            FleetError::Store(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

/// Assets, by id. The query may hold kind, state, criticality, owner, site, department, segment, serial, source,
/// contains, udi, after and limit.
#[utoipa::path(get, path = "/api/v1/assets", tag = "assets",
    params(("kind" = Option<String>, Query), ("state" = Option<String>, Query), ("criticality" = Option<String>, Query),
        ("owner" = Option<String>, Query), ("site" = Option<String>, Query), ("department" = Option<String>, Query),
        ("segment" = Option<String>, Query), ("serial" = Option<String>, Query), ("source" = Option<String>, Query),
        ("contains" = Option<String>, Query), ("udi" = Option<String>, Query, description = "what a scanner read, in any form of a UDI"), ("after" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("as_of" = Option<String>, Query, description = "RFC 3339: the register as it was then")),
    responses((status = 200, body = Object)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(filter): Asked<AssetFilter>,
) -> Result<Json<AssetPage>, Problem> {
    let Some(at) = as_of::past("as_of", filter.as_of.as_deref(), caller.now)? else {
        return Ok(Json(caller.sees_assets(filter).await?));
    };
    let permit = caller.may_list(Action::ReadAssets)?;
    let mut page = caller.fleet().assets_as_of(&filter, at).await?;
    // A page may be shorter for it; `next` is where it was.
    page.assets
        .retain(|stored| permit.covers(&Target::at(stored.asset.place())).is_ok());
    Ok(Json(page))
}

/// Registers an asset; what is left out has its default. `docs/assets.md` explains the fields.
#[utoipa::path(post, path = "/api/v1/assets", tag = "assets", request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(
    caller: Caller,
    Sent(asset): Sent<Asset>,
) -> Result<(StatusCode, Json<StoredAsset>), Problem> {
    let target = Target::at(asset.place());
    let permit = caller.permit(Action::ManageAssets, &target).await?;
    let stored = caller.fleet().put(permit, asset, 0, caller.now).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// One asset, by id, serial number or its name in the asset system.
#[utoipa::path(get, path = "/api/v1/assets/{id}", tag = "assets", params(("id" = String, Path), AsOf),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(id): At<String>,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<StoredAsset>, Problem> {
    let stored = caller.sees_asset(&id).await?;
    let Some(at) = asked.at(caller.now)? else {
        return Ok(Json(stored));
    };
    let then = caller.fleet().asset_as_of(&stored.asset.id, at).await?;
    Ok(Json(then))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutAsset {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    asset: Asset,
}

/// Changes an asset in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/assets/{id}", tag = "assets", params(("id" = String, Path)), request_body = PutAsset,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn change(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<PutAsset>,
) -> Result<Json<StoredAsset>, Problem> {
    let (_, stands) = caller.manages_asset(&id).await?;
    let PutAsset { version, mut asset } = wanted;
    if !asset.id.is_empty() && asset.id != stands.asset.id {
        return Err(Problem::malformed("an asset keeps its id"));
    }
    if stands.version != version || version == 0 {
        return Err(Problem::conflict("the asset has changed since it was read"));
    }
    asset.id = stands.asset.id;
    // Nobody moves an asset to where they may do nothing.
    let target = Target::at(asset.place());
    let permit = caller.permit(Action::ManageAssets, &target).await?;
    let stored = caller
        .fleet()
        .put(permit, asset, version, caller.now)
        .await?;
    Ok(Json(stored))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Version {
    version: u64,
    /// Unix milliseconds.
    valid_from: i64,
    /// `null` while it is in force.
    valid_to: Option<i64>,
    #[schema(value_type = Object)]
    asset: serde_json::Value,
}

/// Every version of an asset, the oldest first.
#[utoipa::path(get, path = "/api/v1/assets/{id}/history", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = [Version]), (status = 404, body = Problem)))]
pub(crate) async fn history(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<Vec<Version>>, Problem> {
    let stored = caller.sees_asset(&id).await?;
    let records = caller.fleet().history(&stored.asset.id).await?;
    let versions = records.into_iter().map(|record| {
        Ok(Version {
            version: record.version,
            valid_from: record.valid_from.0,
            valid_to: record.valid_to.map(|to| to.0),
            asset: record.parse()?,
        })
    });
    Ok(Json(versions.collect::<Result<_, store::StoreError>>()?))
}

/// What an asset was given, the newest first.
#[utoipa::path(get, path = "/api/v1/assets/{id}/holdings", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = [Object]), (status = 404, body = Problem)))]
pub(crate) async fn holdings(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<Vec<Holding>>, Problem> {
    let stored = caller.sees_asset(&id).await?;
    Ok(Json(caller.fleet().holdings(&stored.asset.id).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetireAsset {
    /// Goes into the log.
    #[serde(default)]
    reason: String,
    /// Only says which certificates would be revoked.
    #[serde(default)]
    dry_run: bool,
}

/// Retires an asset for good: it gets no certificate any more, and those that it holds are revoked. Try it with
/// `dry_run` first.
#[utoipa::path(post, path = "/api/v1/assets/{id}/retire", tag = "assets", params(("id" = String, Path)), request_body = RetireAsset,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn retire(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<RetireAsset>,
) -> Result<Json<Retired>, Problem> {
    let (permit, stored) = caller.manages_asset(&id).await?;
    let retire = Retire {
        reason: wanted.reason,
        dry_run: wanted.dry_run,
    };
    let retired = caller
        .fleet()
        .retire(permit, &stored.asset.id, retire, caller.now)
        .await?;
    Ok(Json(retired))
}

/// How a table is imported. Try it with `dry_run=true` first.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Only says what would happen.
    dry_run: bool,
    /// The table is everything that the asset system has: report what it lacks.
    reconcile: bool,
    /// Retire what it lacks.
    retire_missing: bool,
    /// Do nothing if more than this are missing.
    retire_limit: u64,
    /// Goes into the log with retirements.
    reason: Option<String>,
    /// Headings and what they mean: `Equip #=source,Remarks=-`.
    columns: Option<String>,
    /// The sheet of a workbook.
    sheet: Option<String>,
    /// What a new asset is when no column says it: device if absent.
    kind: Option<String>,
}

impl Default for ImportQuery {
    fn default() -> Self {
        let import = Import::default();
        ImportQuery {
            dry_run: import.dry_run,
            reconcile: import.reconcile,
            retire_missing: import.retire_missing,
            retire_limit: import.retire_limit,
            reason: None,
            columns: None,
            sheet: None,
            kind: None,
        }
    }
}

impl ImportQuery {
    fn import(self) -> Result<Import, Problem> {
        let usual = Import::default();
        let mut columns = BTreeMap::new();
        for pair in self.columns.iter().flat_map(|text| text.split(',')) {
            let (heading, field) = pair
                .rsplit_once('=')
                .ok_or_else(|| Problem::malformed(format!("columns: `{pair}` has no `=`")))?;
            columns.insert(heading.trim().to_owned(), field.trim().to_owned());
        }
        let kind = self.kind.map(|text| text.parse()).transpose();
        Ok(Import {
            columns,
            sheet: self.sheet,
            kind: kind
                .map_err(|error: fleet::UnknownWord| Problem::malformed(error.to_string()))?
                .unwrap_or(usual.kind),
            reconcile: self.reconcile,
            retire_missing: self.retire_missing,
            retire_limit: self.retire_limit,
            reason: self.reason.unwrap_or(usual.reason),
            dry_run: self.dry_run,
        })
    }
}

/// Imports a CSV or XLSX table, or says what importing it would do.
#[utoipa::path(post, path = "/api/v1/assets/import", tag = "assets", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn import(
    caller: Caller,
    Asked(query): Asked<ImportQuery>,
    request: Request,
) -> Result<Json<Imported>, Problem> {
    let permit = caller.manages_assets().await?;
    let import = query.import()?;
    let body = tokio::time::timeout(PATIENCE, Bytes::from_request(request, &())).await;
    let body = body.map_err(|_| {
        Problem::too_slow(format!(
            "the table did not come within {} s",
            PATIENCE.as_secs()
        ))
    })?;
    let table = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::too_large(format!("tables have at most {LARGEST_FILE} bytes"))
        }
        _ => Problem::malformed(rejection.body_text()),
    })?;
    let imported = caller
        .fleet()
        .import(permit, table.into(), import, caller.now)
        .await?;
    Ok(Json(imported))
}

/// The register as CSV, in the columns that an import reads; the query narrows it as a list.
#[utoipa::path(get, path = "/api/v1/assets/export", tag = "assets",
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(crate) async fn export(
    caller: Caller,
    Asked(filter): Asked<AssetFilter>,
) -> Result<impl IntoResponse, Problem> {
    caller.may_read(Action::ReadAssets)?;
    let csv = caller.fleet().export(&filter).await?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"assets.csv\""),
    ];
    Ok((headers, csv))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpareQuery {
    /// An asset's id.
    asset: Option<String>,
    /// preparing, prepared, released or ended.
    state: Option<String>,
}

/// Spares, the newest first, without what is in them.
#[utoipa::path(get, path = "/api/v1/spares", tag = "assets", params(SpareQuery), responses((status = 200, body = [Object])))]
pub(crate) async fn spares(
    caller: Caller,
    Asked(query): Asked<SpareQuery>,
) -> Result<Json<Vec<Spare>>, Problem> {
    let permit = caller.may_list(Action::ReadAssets)?;
    let state = query.state.map(|text| text.parse::<SpareState>());
    let state = state
        .transpose()
        .map_err(|error| Problem::malformed(error.to_string()))?;
    let mut spares = caller.fleet().spares(query.asset.as_deref(), state).await?;
    if permit.places().is_some() {
        let all = std::mem::take(&mut spares);
        for spare in all {
            let stored = caller.fleet().find(&spare.asset).await?;
            if permit.covers(&Target::at(stored.asset.place())).is_ok() {
                spares.push(spare);
            }
        }
    }
    Ok(Json(spares))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrepareSpare {
    /// An asset's id, serial number or name in the asset system.
    asset: String,
    profile: String,
    /// Revoked unless somebody has it within so many days.
    #[serde(default = "half_a_year")]
    unused_days: u32,
    /// The first that asset and profile can work with, if absent.
    #[schema(value_type = Option<String>)]
    algorithm: Option<x509::KeyAlgorithm>,
    #[serde(default)]
    note: String,
}

fn half_a_year() -> u32 {
    180
}

/// Prepares a spare: a certificate whose key is kept, sealed, until two people release it.
#[utoipa::path(post, path = "/api/v1/spares", tag = "assets", request_body = PrepareSpare,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn prepare_spare(
    caller: Caller,
    Sent(wanted): Sent<PrepareSpare>,
) -> Result<(StatusCode, Json<Spare>), Problem> {
    let (permit, stored) = caller.manages_asset(&wanted.asset).await?;
    let days = i64::from(wanted.unused_days);
    let new = NewSpare {
        asset: stored.asset.id,
        profile: wanted.profile,
        unused_after: caller.now.0.saturating_add(days * 86_400_000),
        algorithm: wanted.algorithm,
        note: wanted.note,
    };
    let spare = caller
        .fleet()
        .prepare_spare(permit, new, caller.now)
        .await?;
    Ok((StatusCode::CREATED, Json(spare)))
}

/// One spare.
#[utoipa::path(get, path = "/api/v1/spares/{id}", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn spare(caller: Caller, At(id): At<String>) -> Result<Json<Spare>, Problem> {
    caller.may_list(Action::ReadAssets)?;
    let spare = caller.fleet().spare(&id).await?;
    caller.sees_asset(&spare.asset).await?;
    Ok(Json(spare))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct RequestSpare {
    /// Who gets it.
    technician: String,
    reason: String,
}

/// Asks for the release of a spare; somebody else approves it like any request.
#[utoipa::path(post, path = "/api/v1/spares/{id}/request", tag = "assets", params(("id" = String, Path)), request_body = RequestSpare,
    responses((status = 202, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn request_spare(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<RequestSpare>,
) -> Result<(StatusCode, Json<access::Request>), Problem> {
    let permit = caller.manages_spare(&id).await?;
    let request = caller
        .fleet()
        .request_spare(permit, &id, &wanted.technician, &wanted.reason, caller.now)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(request)))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Released {
    #[schema(value_type = Object)]
    spare: Spare,
    /// PKCS#12 with key, certificate and chain, base64. Shown this once.
    pkcs12: String,
    /// Opens it. Shown this once.
    password: String,
}

/// Hands out a spare, once: to whoever asked for it, after somebody else has approved.
#[utoipa::path(post, path = "/api/v1/spares/{id}/release", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = Released), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn release_spare(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<Released>, Problem> {
    let permit = caller.manages_spare(&id).await?;
    caller.check_step_up("release a spare")?;
    let released = caller
        .fleet()
        .release_spare(permit, &id, caller.now)
        .await?;
    Ok(Json(Released {
        spare: released.spare,
        pkcs12: STANDARD.encode(released.p12.as_slice()),
        password: released.password.to_string(),
    }))
}

/// Revokes a spare, whoever has it.
#[utoipa::path(post, path = "/api/v1/spares/{id}/revoke", tag = "assets", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn revoke_spare(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<Spare>, Problem> {
    let permit = caller.manages_spare(&id).await?;
    let spare = caller.fleet().revoke_spare(permit, &id, caller.now).await?;
    Ok(Json(spare))
}

//! Trust bundles: which anchors which audience gets. Their files are public and are not fetched here.

use access::{Action, Target};
use axum::Json;
use fleet::FleetError;
use fleet::bundle::{Definition, Preview, StoredBundle};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

impl Caller {
    async fn changes_bundles(&self) -> Result<access::Permit, Problem> {
        self.permit(Action::ManageAuthorities, &Target::default())
            .await
    }
}

/// What the rooms below say, as a problem document.
fn problem(error: FleetError) -> Problem {
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

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AnchorView {
    subject: String,
    sha256: String,
    not_after: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BundleView {
    name: String,
    audience: String,
    authorities: Vec<String>,
    issuers: bool,
    version: u64,
    /// Unix milliseconds.
    since: i64,
    certificates: Vec<AnchorView>,
    /// Where its files are, on this server and on its plain listener.
    path: String,
}

impl BundleView {
    fn of(stored: &StoredBundle) -> Self {
        let definition = &stored.bundle.definition;
        Self {
            name: definition.name.clone(),
            audience: definition.audience.clone(),
            authorities: definition.authorities.clone(),
            issuers: definition.issuers,
            version: stored.version,
            since: stored.since,
            certificates: stored
                .bundle
                .certificates
                .iter()
                .map(|certificate| AnchorView {
                    subject: certificate.subject().to_string(),
                    sha256: hex::encode(certificate.fingerprint()),
                    not_after: certificate.not_after().to_string(),
                })
                .collect(),
            path: format!("/bundles/{}/v{}/", definition.name, stored.version),
        }
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutBundle {
    /// `name`, `audience`, `authorities`, `issuers` and `foreign` (PEM texts).
    #[schema(value_type = Object)]
    bundle: Definition,
    /// The version that this is a change of; a change that somebody else made meanwhile is then a conflict.
    #[serde(default)]
    version: Option<u64>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// Goes into the log.
    why: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Trial {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum PutAnswer {
    #[schema(value_type = Object)]
    Would(Box<Preview>),
    Is(BundleView),
}

/// Bundles in force.
#[utoipa::path(get, path = "/api/v1/bundles", tag = "bundles", responses((status = 200, body = [BundleView])))]
pub(crate) async fn list(caller: Caller) -> Result<Json<Vec<BundleView>>, Problem> {
    caller.may_read(Action::ReadAuthorities)?;
    let bundles = caller.services.bundles.list().await.map_err(problem)?;
    Ok(Json(bundles.iter().map(BundleView::of).collect()))
}

/// One bundle.
#[utoipa::path(get, path = "/api/v1/bundles/{name}", tag = "bundles", params(("name" = String, Path)),
    responses((status = 200, body = BundleView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<BundleView>, Problem> {
    caller.may_read(Action::ReadAuthorities)?;
    let stored = caller.services.bundles.bundle(&name).await;
    Ok(Json(BundleView::of(&stored.map_err(problem)?)))
}

/// Every version of a bundle, the oldest first.
#[utoipa::path(get, path = "/api/v1/bundles/{name}/versions", tag = "bundles", params(("name" = String, Path)),
    responses((status = 200, body = [BundleView]), (status = 404, body = Problem)))]
pub(crate) async fn versions(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<Vec<BundleView>>, Problem> {
    caller.may_read(Action::ReadAuthorities)?;
    let versions = caller.services.bundles.versions(&name).await;
    let versions = versions.map_err(problem)?;
    Ok(Json(versions.iter().map(BundleView::of).collect()))
}

/// Make a bundle.
#[utoipa::path(post, path = "/api/v1/bundles", tag = "bundles", request_body = PutBundle, params(Trial),
    responses((status = 201, body = PutAnswer), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(
    caller: Caller,
    Asked(trial): Asked<Trial>,
    Sent(sent): Sent<PutBundle>,
) -> Result<(StatusCode, Json<PutAnswer>), Problem> {
    let bundles = &caller.services.bundles;
    if trial.dry_run {
        caller.may_read(Action::ReadAuthorities)?;
        let preview = bundles.preview(&sent.bundle, caller.now).await;
        let preview = Box::new(preview.map_err(problem)?);
        return Ok((StatusCode::OK, Json(PutAnswer::Would(preview))));
    }
    let permit = caller.changes_bundles().await?;
    let made = bundles.create(permit, &sent.bundle, caller.now).await;
    let view = BundleView::of(&made.map_err(problem)?);
    Ok((StatusCode::CREATED, Json(PutAnswer::Is(view))))
}

/// Make the next version of a bundle.
#[utoipa::path(put, path = "/api/v1/bundles/{name}", tag = "bundles", request_body = PutBundle,
    params(("name" = String, Path), Trial),
    responses((status = 200, body = PutAnswer), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(crate) async fn put(
    caller: Caller,
    At(name): At<String>,
    Asked(trial): Asked<Trial>,
    Sent(mut sent): Sent<PutBundle>,
) -> Result<Json<PutAnswer>, Problem> {
    sent.bundle.name = name;
    let bundles = &caller.services.bundles;
    if trial.dry_run {
        caller.may_read(Action::ReadAuthorities)?;
        let preview = bundles.preview(&sent.bundle, caller.now).await;
        return Ok(Json(PutAnswer::Would(Box::new(preview.map_err(problem)?))));
    }
    let permit = caller.changes_bundles().await?;
    let put = bundles.set(permit, &sent.bundle, sent.version, caller.now);
    Ok(Json(PutAnswer::Is(BundleView::of(
        &put.await.map_err(problem)?,
    ))))
}

/// Take a bundle away: its addresses answer no more.
#[utoipa::path(delete, path = "/api/v1/bundles/{name}", tag = "bundles", params(("name" = String, Path), Removal),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    caller: Caller,
    At(name): At<String>,
    Asked(removal): Asked<Removal>,
) -> Result<StatusCode, Problem> {
    let permit = caller.changes_bundles().await?;
    let why = removal.why.unwrap_or_default();
    let removed = caller
        .services
        .bundles
        .remove(permit, &name, &why, caller.now);
    removed.await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

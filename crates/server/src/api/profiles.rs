//! Profiles: what may be issued, to whom, with whose approval.

use std::sync::Arc;

use access::Action;
use axum::Json;
use serde::Serialize;

use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller};
use crate::problem::Problem;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProfileView {
    name: String,
    version: u64,
    title: String,
    approvals: u8,
    citations: Vec<String>,
    /// Every field of the profile, as `docs/profiles.md` names them.
    #[schema(value_type = Object)]
    rules: serde_json::Value,
}

/// Profiles in force, now or at the instant that is asked for.
async fn in_force(caller: &Caller, asked: &AsOf) -> Result<Vec<Arc<ca::ProfileVersion>>, Problem> {
    caller.may_read(Action::ReadProfiles)?;
    let ca = &caller.services.ca;
    Ok(match asked.at(caller.now)? {
        Some(at) => ca
            .profiles_as_of(at)
            .await?
            .into_iter()
            .map(Arc::new)
            .collect(),
        None => ca.profiles(),
    })
}

/// Profiles in force.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "profiles", params(AsOf),
    responses((status = 200, body = [ProfileView])))]
pub(crate) async fn list(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<ProfileView>>, Problem> {
    let profiles = in_force(&caller, &asked).await?;
    let view = |version: &ca::ProfileVersion| ProfileView {
        name: version.profile.name().to_owned(),
        version: version.version,
        title: version.profile.title().to_owned(),
        approvals: version.profile.approvals(),
        citations: version.profile.citations().to_vec(),
        rules: version.profile.to_json().clone(),
    };
    Ok(Json(profiles.iter().map(|version| view(version)).collect()))
}

/// One profile, as the TOML it was written in.
#[utoipa::path(get, path = "/api/v1/profiles/{name}", tag = "profiles", params(("name" = String, Path), AsOf),
    responses((status = 200, content_type = "application/toml", body = String), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(name): At<String>,
    Asked(asked): Asked<AsOf>,
) -> Result<([(hyper::header::HeaderName, &'static str); 1], String), Problem> {
    let profiles = in_force(&caller, &asked).await?;
    let mut named = profiles
        .iter()
        .filter(|version| version.profile.name() == name);
    let found = named.next();
    let found = found.ok_or_else(|| Problem::not_found(format!("there is no profile {name}")))?;
    Ok((
        [(hyper::header::CONTENT_TYPE, "application/toml")],
        found.toml.clone(),
    ))
}

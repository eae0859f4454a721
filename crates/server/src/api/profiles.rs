//! Profiles: what may be issued, to whom, with whose approval.

use access::Action;
use axum::Json;
use serde::Serialize;

use crate::api::caller::{At, Caller};
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

/// Profiles in force.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "profiles", responses((status = 200, body = [ProfileView])))]
pub(crate) async fn list(caller: Caller) -> Result<Json<Vec<ProfileView>>, Problem> {
    caller.may_read(Action::ReadProfiles)?;
    let profiles = caller.services.ca.profiles();
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
#[utoipa::path(get, path = "/api/v1/profiles/{name}", tag = "profiles", params(("name" = String, Path)),
    responses((status = 200, content_type = "application/toml", body = String), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(name): At<String>,
) -> Result<([(hyper::header::HeaderName, &'static str); 1], String), Problem> {
    caller.may_read(Action::ReadProfiles)?;
    let text = caller.services.ca.profile(&name)?.toml.clone();
    Ok(([(hyper::header::CONTENT_TYPE, "application/toml")], text))
}

//! Profiles: what may be issued, to whom, with whose approval.

use access::Action;
use axum::Json;
use axum::extract::Path;

use crate::api::caller::Caller;
use crate::problem::Problem;

/// Profiles in force.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "profiles", responses((status = 200, body = [Object])))]
pub(crate) async fn list(caller: Caller) -> Result<Json<Vec<ca::profile::Summary>>, Problem> {
    caller.may_read(Action::ReadProfiles)?;
    Ok(Json(caller.services.ca.profiles()))
}

/// One profile, as the TOML it was written in.
#[utoipa::path(get, path = "/api/v1/profiles/{name}", tag = "profiles", params(("name" = String, Path)),
    responses((status = 200, content_type = "application/toml", body = String), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    Path(name): Path<String>,
) -> Result<([(hyper::header::HeaderName, &'static str); 1], String), Problem> {
    caller.may_read(Action::ReadProfiles)?;
    let text = caller.services.ca.profile_text(&name)?;
    Ok(([(hyper::header::CONTENT_TYPE, "application/toml")], text))
}

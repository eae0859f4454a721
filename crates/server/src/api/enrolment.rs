//! What operators do about device enrolment: endpoints, rights, registrations. Devices themselves do not come this way.

use access::{Action, Target};
use axum::Json;
use enroll::device::{
    Desk, DeviceError, Endpoint, EndpointUse, NewRight, Registered, RegistrationFilter,
    RegistrationPage, Right, RightView, StoredEndpoint,
};
use fleet::Fleet;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

impl Caller {
    fn enrolment(&self) -> Result<Desk, Problem> {
        let ca = self.services.ca.clone();
        let fleet = Fleet::open(ca.clone()).map_err(DeviceError::from)?;
        Ok(Desk::new(ca, fleet))
    }

    async fn gives_rights(&self) -> Result<access::Permit, Problem> {
        self.permit(Action::ManageRights, &Target::default()).await
    }

    async fn opens_doors(&self) -> Result<access::Permit, Problem> {
        self.permit(Action::ManageEnrolment, &Target::default())
            .await
    }
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Refused(refusal) => {
                Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, &refusal)
            }
            DeviceError::NotFound { .. } => Problem::not_found(error.to_string()),
            DeviceError::Access(error) => error.into(),
            DeviceError::Ca(error) => error.into(),
            DeviceError::Store(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct EndpointView {
    /// Where its devices come in, below this server's address.
    paths: Vec<String>,
    version: u64,
    #[schema(value_type = Object)]
    endpoint: Endpoint,
    #[schema(value_type = Object)]
    r#use: EndpointUse,
    /// What questions of its webhook are signed with; shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutEndpoint {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    endpoint: Endpoint,
}

/// Why, for the log.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhyGone {
    /// Goes into the log.
    #[serde(default)]
    why: String,
}

async fn view(
    desk: &Desk,
    stored: StoredEndpoint,
    secret: Option<String>,
) -> Result<EndpointView, Problem> {
    Ok(EndpointView {
        paths: stored.endpoint.paths(),
        version: stored.version,
        r#use: desk.endpoint_use(&stored.endpoint.name).await?,
        endpoint: stored.endpoint,
        webhook_secret: secret,
    })
}

/// Endpoints with their use.
#[utoipa::path(get, path = "/api/v1/enrolment/endpoints", tag = "enrolment", responses((status = 200, body = [EndpointView])))]
pub(crate) async fn endpoints(caller: Caller) -> Result<Json<Vec<EndpointView>>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let desk = caller.enrolment()?;
    let mut views = Vec::new();
    for stored in desk.endpoints().await? {
        views.push(view(&desk, stored, None).await?);
    }
    Ok(Json(views))
}

/// One endpoint.
#[utoipa::path(get, path = "/api/v1/enrolment/endpoints/{name}", tag = "enrolment", params(("name" = String, Path)),
    responses((status = 200, body = EndpointView), (status = 404, body = Problem)))]
pub(crate) async fn endpoint(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<EndpointView>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let desk = caller.enrolment()?;
    let stored = desk.endpoint(&name).await?;
    Ok(Json(view(&desk, stored, None).await?))
}

/// Creates an endpoint; what is left out has its default. `docs/enrolment.md` explains the fields.
#[utoipa::path(post, path = "/api/v1/enrolment/endpoints", tag = "enrolment", request_body = Object,
    responses((status = 201, body = EndpointView), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_endpoint(
    caller: Caller,
    Sent(wanted): Sent<Endpoint>,
) -> Result<(StatusCode, Json<EndpointView>), Problem> {
    let permit = caller.opens_doors().await?;
    let desk = caller.enrolment()?;
    let (stored, secret) = desk.put_endpoint(permit, wanted, 0, caller.now).await?;
    let secret = secret.map(|secret| secret.to_string());
    Ok((
        StatusCode::CREATED,
        Json(view(&desk, stored, secret).await?),
    ))
}

/// Puts an endpoint in force in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/enrolment/endpoints/{name}", tag = "enrolment", params(("name" = String, Path)), request_body = PutEndpoint,
    responses((status = 200, body = EndpointView), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn put_endpoint(
    caller: Caller,
    At(name): At<String>,
    Sent(wanted): Sent<PutEndpoint>,
) -> Result<Json<EndpointView>, Problem> {
    let permit = caller.opens_doors().await?;
    let desk = caller.enrolment()?;
    let stands = desk.endpoint(&name).await?;
    if wanted.endpoint.name != name {
        return Err(Problem::malformed(
            "an endpoint keeps its name: it is part of its URLs",
        ));
    }
    if stands.version != wanted.version {
        return Err(Problem::conflict(
            "the endpoint has changed since it was read",
        ));
    }
    let (stored, secret) = desk
        .put_endpoint(permit, wanted.endpoint, wanted.version, caller.now)
        .await?;
    let secret = secret.map(|secret| secret.to_string());
    Ok(Json(view(&desk, stored, secret).await?))
}

/// Removes an endpoint that no device has used.
#[utoipa::path(delete, path = "/api/v1/enrolment/endpoints/{name}", tag = "enrolment", params(("name" = String, Path), WhyGone),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn remove_endpoint(
    caller: Caller,
    At(name): At<String>,
    Asked(WhyGone { why }): Asked<WhyGone>,
) -> Result<StatusCode, Problem> {
    let permit = caller.opens_doors().await?;
    caller
        .enrolment()?
        .remove_endpoint(permit, &name, &why, caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedRight {
    #[schema(value_type = Object)]
    right: Right,
    /// The password or shared secret. Shown this once.
    secret: Option<String>,
}

/// Creates a right to enrol: `for` (`{"asset": id}`, `{"model": {manufacturer, model}}`, `{"batch": [serials]}`, `"any"`),
/// `credential` (`"one-time-password"`, `{"http-password": {user}}`, `"shared-secret"`, `{"vendor": {anchors, serial_field}}`),
/// `endpoint`, `uses`, `expires` (Unix milliseconds), `evidence`, `note`.
#[utoipa::path(post, path = "/api/v1/enrolment/rights", tag = "enrolment", request_body = Object,
    responses((status = 201, body = CreatedRight), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_right(
    caller: Caller,
    Sent(wanted): Sent<NewRight>,
) -> Result<(StatusCode, Json<CreatedRight>), Problem> {
    let permit = caller.gives_rights().await?;
    let (right, secret) = caller
        .enrolment()?
        .create_right(permit, wanted, caller.now)
        .await?;
    let created = CreatedRight {
        right: right.without_hash(),
        secret: secret.map(|secret| secret.to_string()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Rights without their secrets, revoked ones included.
#[utoipa::path(get, path = "/api/v1/enrolment/rights", tag = "enrolment", responses((status = 200, body = [Object])))]
pub(crate) async fn rights(caller: Caller) -> Result<Json<Vec<RightView>>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let rights = caller.enrolment()?.rights().await?;
    Ok(Json(
        rights.into_iter().map(RightView::without_hash).collect(),
    ))
}

/// One right.
#[utoipa::path(get, path = "/api/v1/enrolment/rights/{id}", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn right(caller: Caller, At(id): At<String>) -> Result<Json<RightView>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    let right = caller.enrolment()?.right(&id).await?;
    Ok(Json(right.without_hash()))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeRight {
    /// Goes into the log.
    #[serde(default)]
    why: String,
}

/// Ends a right: it gives no certificate any more. Those that it gave stay.
#[utoipa::path(post, path = "/api/v1/enrolment/rights/{id}/revoke", tag = "enrolment", params(("id" = String, Path)), request_body = RevokeRight,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn revoke_right(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<RevokeRight>,
) -> Result<Json<Right>, Problem> {
    let permit = caller.gives_rights().await?;
    let right = caller
        .enrolment()?
        .revoke_right(permit, &id, &wanted.why, caller.now)
        .await?;
    Ok(Json(right.without_hash()))
}

/// Registrations, the newest first. The query may hold endpoint, state, asset, serial, after and limit.
#[utoipa::path(get, path = "/api/v1/enrolment/registrations", tag = "enrolment",
    params(("endpoint" = Option<String>, Query), ("state" = Option<String>, Query, description = "pending, issued or refused"),
        ("asset" = Option<String>, Query), ("serial" = Option<String>, Query),
        ("after" = Option<String>, Query, description = "The `next` of the page before"), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Object)))]
pub(crate) async fn registrations(
    caller: Caller,
    Asked(filter): Asked<RegistrationFilter>,
) -> Result<Json<RegistrationPage>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.enrolment()?.registrations(&filter).await?))
}

/// One registration.
#[utoipa::path(get, path = "/api/v1/enrolment/registrations/{id}", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn registration(
    caller: Caller,
    At(id): At<String>,
) -> Result<Json<Registered>, Problem> {
    caller.may_read(Action::ReadEnrolment)?;
    Ok(Json(caller.enrolment()?.registration(&id).await?))
}

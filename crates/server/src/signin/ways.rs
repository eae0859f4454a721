//! Which ways in there are, and those that are neither a passkey nor a provider: one-time links and recovery codes.

use access::{Action, NewSession, Purpose, Session, Target, Via};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

use super::{Seat, Visitor, headers};
use crate::Services;
use crate::api::caller::{Caller, Sent};
use crate::problem::Problem;

const RECOVERY: &str = "recovery";
const INVITATION: &str = "invitation";

/// What a sign-in page can offer.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Ways {
    /// Passkeys can be used: this Ward is reached by a name.
    passkeys: bool,
    /// OpenID providers: begin at `/auth/oidc/{name}/start?next=/path`.
    oidc: Vec<ProviderView>,
    /// A TLS client certificate may be a sign-in.
    certificate: bool,
    /// Nobody can sign in yet: the one-time link on the machine's terminal lets the first administrator in.
    first_administrator: bool,
    /// Whom to ask who cannot come in: plain text.
    contact: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProviderView {
    name: String,
    label: String,
}

/// Ways to sign in. Public.
#[utoipa::path(get, path = "/api/v1/sign-in", tag = "sign-in", security(()), responses((status = 200, body = Ways)))]
pub(crate) async fn show(State(services): State<Arc<Services>>) -> Result<Json<Ways>, Problem> {
    let sign_in = &services.config.sign_in;
    let oidc = sign_in.oidc.iter().map(|provider| ProviderView {
        name: provider.name.clone(),
        label: provider.label.clone(),
    });
    Ok(Json(Ways {
        passkeys: services.sign_in.has_passkeys,
        oidc: oidc.collect(),
        certificate: sign_in.certificate.is_some(),
        first_administrator: services.access.nobody_signs_in().await?,
        contact: sign_in.contact.clone(),
    }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UseCode {
    /// The person's id.
    person: String,
    /// As it was shown; hyphens, spaces and case do not matter.
    code: String,
}

/// Signs in with a recovery code, which is used up. The next thing to do is to register a passkey.
#[utoipa::path(post, path = "/api/v1/sign-in/recovery", tag = "sign-in", request_body = UseCode,
    responses((status = 200, body = super::session::SessionView), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn recovery(
    visitor: Visitor,
    Sent(sent): Sent<UseCode>,
) -> Result<Response, Problem> {
    visitor.check_pace(RECOVERY)?;
    let access = &visitor.services.access;
    let used = access
        .use_recovery_code(&sent.person, &sent.code, visitor.now)
        .await;
    match used {
        Ok(person) => {
            access.throttle().succeeded(visitor.source, RECOVERY);
            let session = visitor
                .begin(person.id, Via::Recovery, Purpose::Work)
                .await?;
            visitor.begun(session.0, session.1).await
        }
        Err(error) => Err(visitor.refused(RECOVERY, Some(&sent.person), error).await),
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UseInvitation {
    /// What stands after `#/welcome/` in the link.
    token: String,
}

/// Uses up a one-time link. The session that comes of it may register a passkey and nothing else.
#[utoipa::path(post, path = "/api/v1/sign-in/invitation", tag = "sign-in", request_body = UseInvitation,
    responses((status = 200, body = super::session::SessionView), (status = 403, body = Problem)))]
pub(crate) async fn invitation(
    visitor: Visitor,
    Sent(sent): Sent<UseInvitation>,
) -> Result<Response, Problem> {
    let access = &visitor.services.access;
    match access.accept_invitation(&sent.token, visitor.now).await {
        Ok(person) => {
            let session = visitor
                .begin(person.id, Via::Invitation, Purpose::Enrol)
                .await?;
            visitor.begun(session.0, session.1).await
        }
        Err(error) => Err(visitor.refused(INVITATION, None, error).await),
    }
}

impl Visitor {
    /// A session that is no step-up.
    pub(crate) async fn begin(
        &self,
        person: String,
        via: Via,
        purpose: Purpose,
    ) -> Result<(Session, Zeroizing<String>), Problem> {
        let new = NewSession {
            person,
            via,
            purpose,
            stepped_up: false,
            source: self.source.to_string(),
            client: self.client.clone(),
            certificate: None,
            request_id: Some(self.request_id.clone()),
        };
        let rules = &self.services.config.sign_in.sessions;
        Ok(self
            .services
            .access
            .begin_session(new, rules, self.now)
            .await?)
    }
}

/// Recovery codes, as far as they can be told.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CodesView {
    /// How many are left.
    left: usize,
    /// When they were made, Unix milliseconds.
    made: Option<i64>,
}

/// How many recovery codes are left.
#[utoipa::path(get, path = "/api/v1/session/recovery-codes", tag = "sign-in",
    responses((status = 200, body = CodesView), (status = 401, body = Problem)))]
pub(crate) async fn recovery_state(seat: Seat) -> Result<Json<CodesView>, Problem> {
    let state = seat.services.access.recovery_state(&seat.person.id).await?;
    Ok(Json(CodesView {
        left: state.left,
        made: state.made,
    }))
}

/// New recovery codes.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct NewCodes {
    /// Shown this once; those of before are worth nothing.
    codes: Vec<String>,
}

/// Makes ten recovery codes in place of those there were. Needs a step-up.
#[utoipa::path(post, path = "/api/v1/session/recovery-codes", tag = "sign-in",
    responses((status = 201, body = NewCodes), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn recovery_codes(seat: Seat) -> Result<Response, Problem> {
    seat.check_works()?;
    seat.check_step_up("make recovery codes")?;
    let (actor, id) = (seat.session.actor(), Some(seat.request_id.as_str()));
    let access = &seat.services.access;
    let codes = access
        .make_recovery_codes(&actor, &seat.person.id, id, seat.now)
        .await?;
    let codes = codes.iter().map(|code| code.to_string()).collect();
    let mut response = (StatusCode::CREATED, Json(NewCodes { codes })).into_response();
    headers::no_store(response.headers_mut());
    Ok(response)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invite {
    /// The person's id.
    person: String,
}

/// A one-time link.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Invited {
    id: String,
    person: String,
    /// Unix milliseconds.
    expires: i64,
    /// Shown this once. What lets in stands after the `#`, which browsers send to nobody.
    url: String,
}

/// Makes a one-time link by which somebody can register a passkey; earlier ones of theirs end. With `recover-sign-in`,
/// and not by the help desk for somebody who may manage people.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "sign-in", request_body = Invite,
    responses((status = 201, body = Invited), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn invite(caller: Caller, Sent(sent): Sent<Invite>) -> Result<Response, Problem> {
    let permit = caller
        .permit(Action::RecoverSignIn, &Target::default())
        .await?;
    let config = &caller.services.config;
    let lasts = config.sign_in.invitation_ms;
    let access = &caller.services.access;
    let (invitation, token) = access
        .invite(&permit, &sent.person, lasts, caller.now)
        .await?;
    let invited = Invited {
        url: access::welcome_url(&config.sign_in_origin(), &token),
        id: invitation.id,
        person: invitation.person,
        expires: invitation.expires,
    };
    let mut response = (StatusCode::CREATED, Json(invited)).into_response();
    headers::no_store(response.headers_mut());
    Ok(response)
}

//! The session itself: who is signed in, as what, until when; sessions listed and ended.

use std::sync::Arc;

use access::{Action, Grant, Session, SessionId, Target, csrf_of};
use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Seat, cookie, headers};
use crate::Services;
use crate::api::caller::{Asked, At, Caller};
use crate::problem::Problem;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PersonView {
    id: String,
    name: String,
    email: Option<String>,
}

/// A session, as its own person sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SessionView {
    id: String,
    person: PersonView,
    /// Roles, and where each counts.
    #[schema(value_type = Vec<Object>)]
    grants: Vec<Grant>,
    /// Names of what at least one grant allows somewhere.
    actions: Vec<&'static str>,
    /// passkey, oidc:NAME, certificate, recovery, invitation.
    via: String,
    /// work, or enrol: may do nothing but register a passkey.
    purpose: &'static str,
    /// When they signed in; this and all other times in Unix milliseconds.
    since: i64,
    /// When it ends whatever happens.
    expires: i64,
    /// When it ends if nothing more is asked.
    idle_expires: i64,
    /// Until when high-risk actions need no other step-up.
    stepped_up_until: Option<i64>,
    /// What `X-Ward-CSRF` has to be in every request that changes something.
    csrf: String,
    /// Passkeys that the person has.
    passkeys: usize,
    /// Recovery codes that are left.
    recovery_codes: usize,
}

/// The answer that carries a new session: what it is, and its cookie.
pub(crate) async fn begun(
    services: &Arc<Services>,
    session: Session,
    secret: Zeroizing<String>,
) -> Result<Response, Problem> {
    let view = view(services, &session, &secret).await?;
    let cookie = cookie::session(&secret).map_err(|error| Problem::internal(&error))?;
    let mut response = Json(view).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie);
    headers::no_store(response.headers_mut());
    Ok(response)
}

async fn view(
    services: &Services,
    session: &Session,
    secret: &str,
) -> Result<SessionView, Problem> {
    let access = &services.access;
    let person = access.person(&session.person).await?;
    let (grants, actions) = match session.purpose {
        access::Purpose::Enrol => (Vec::new(), Vec::new()),
        access::Purpose::Work => {
            let via = session.via.kind();
            let principal = access
                .principal_for(&person, via, Some(session.id.as_str()))
                .await?;
            let actions = principal
                .actions()
                .iter()
                .map(|action| action.name())
                .collect();
            (principal.grants().to_vec(), actions)
        }
    };
    Ok(SessionView {
        id: session.id.to_string(),
        grants,
        actions,
        via: session.via.text(),
        purpose: session.purpose.text(),
        since: session.since,
        expires: session.expires,
        idle_expires: session.idle_expires(&services.config.sign_in.sessions),
        stepped_up_until: session.stepped_up_until(services.now()),
        csrf: csrf_of(secret),
        passkeys: access.passkeys_of(&person.id).await?.len(),
        recovery_codes: access.recovery_state(&person.id).await?.left,
        person: PersonView {
            id: person.id,
            name: person.name,
            email: person.email,
        },
    })
}

/// Who is signed in, as what, until when. With `X-Ward-Background` the question is no use of the session.
#[utoipa::path(get, path = "/api/v1/session", tag = "sign-in",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)))]
pub(crate) async fn show(seat: Seat) -> Result<Response, Problem> {
    let view = view(&seat.services, &seat.session, &seat.secret).await?;
    let mut response = Json(view).into_response();
    headers::no_store(response.headers_mut());
    Ok(response)
}

/// Signs out: the cookie is worth nothing from now on, wherever it is.
#[utoipa::path(delete, path = "/api/v1/session", tag = "sign-in",
    responses((status = 204), (status = 401, body = Problem)))]
pub(crate) async fn sign_out(seat: Seat) -> Result<Response, Problem> {
    let (access, id) = (&seat.services.access, &seat.session.id);
    let actor = seat.session.actor();
    access
        .end_session(&actor, id, "signed out", Some(&seat.request_id), seat.now)
        .await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .insert(SET_COOKIE, cookie::no_session());
    Ok(response)
}

/// A session in a list.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ListedSession {
    id: String,
    person: String,
    /// passkey, oidc:NAME, certificate, recovery, invitation.
    via: String,
    /// work or enrol.
    purpose: &'static str,
    /// Unix milliseconds, as all times here.
    since: i64,
    seen: i64,
    expires: i64,
    idle_expires: i64,
    /// The address that it was begun from.
    source: String,
    /// What the browser said it is.
    client: String,
    /// The session that asks.
    current: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListQuery {
    person: Option<String>,
}

/// Live sessions: one's own, or with `recover-sign-in` those of `person`, or of everybody where it is `*`.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sign-in", params(("person" = Option<String>, Query)),
    responses((status = 200, body = [ListedSession]), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Vec<ListedSession>>, Problem> {
    let own = caller.principal.holder().to_owned();
    let wanted = query.person.unwrap_or_else(|| own.clone());
    if wanted != own {
        caller.may_read(Action::RecoverSignIn)?;
    }
    let services = &caller.services;
    let rules = &services.config.sign_in.sessions;
    let current = caller.session.as_ref().map(|session| session.id.clone());
    let mut live = services.access.live_sessions(caller.now).await?;
    live.retain(|session| {
        (wanted == "*" || session.person == wanted) && session.fault(rules, caller.now).is_none()
    });
    let listed = live.into_iter().map(|session| ListedSession {
        current: current.as_ref() == Some(&session.id),
        via: session.via.text(),
        purpose: session.purpose.text(),
        since: session.since,
        seen: session.seen,
        expires: session.expires,
        idle_expires: session.idle_expires(rules),
        id: session.id.to_string(),
        person: session.person,
        source: session.source,
        client: session.client,
    });
    Ok(Json(listed.collect()))
}

/// Ends one's own session, or with `recover-sign-in` somebody else's.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sign-in", params(("id" = String, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn end(caller: Caller, At(id): At<String>) -> Result<StatusCode, Problem> {
    let unknown = || Problem::not_found("there is no such session");
    let access = &caller.services.access;
    let found = match SessionId::parse(&id) {
        Some(id) => access.session_by_id(&id).await?,
        None => None,
    };
    let is_own = |session: &Session| session.person == caller.principal.holder();
    let actor = match &found {
        Some(session) if is_own(session) => caller.principal.actor().clone(),
        // Who may not ask learns nothing about which there are.
        _ => {
            let permit = caller
                .permit(Action::RecoverSignIn, &Target::default())
                .await?;
            permit.actor().clone()
        }
    };
    let session = found.ok_or_else(unknown)?;
    let request_id = Some(caller.request_id.as_str());
    access
        .end_session(
            &actor,
            &session.id,
            "ended from the list",
            request_id,
            caller.now,
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Ended {
    /// How many sessions were ended.
    ended: usize,
}

/// Signs out everywhere else: every session of one's own but this one, or with `recover-sign-in` every session of `person`.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "sign-in", params(("person" = Option<String>, Query)),
    responses((status = 200, body = Ended), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn end_others(
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Ended>, Problem> {
    let own = caller.principal.holder().to_owned();
    let person = query.person.unwrap_or_else(|| own.clone());
    let actor = match person == own {
        true => caller.principal.actor().clone(),
        false => {
            let permit = caller
                .permit(Action::RecoverSignIn, &Target::default())
                .await?;
            permit.actor().clone()
        }
    };
    let keep = caller.session.as_ref().map(|session| &session.id);
    let access = &caller.services.access;
    let ended = access
        .end_sessions_of(&actor, &person, keep, "signed out everywhere", caller.now)
        .await?;
    Ok(Json(Ended { ended }))
}

//! Passkeys over HTTP: signing in, stepping up, registering, removing. JSON goes to and from `navigator.credentials` as the
//! browser's own `parseRequestOptionsFromJSON` and `toJSON` write it (WebAuthn Level 3 §5.1).

use access::{
    Assertion, Attestation, Challenge, NewSession, Passkey, Purpose, Refusal, Via,
    creation_options, request_options,
};
use axum::Json;
use axum::response::Response;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::begun;
use super::{Seat, Visitor};
use crate::api::caller::{At, Sent};
use crate::problem::Problem;

const SIGN_IN: &str = "passkey";
const STEP_UP: &str = "step-up";
const REGISTER: &str = "register";

/// A ceremony that has begun.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Started {
    /// To be sent back with what the authenticator says, within five minutes, once.
    ceremony: String,
    /// For `PublicKeyCredential.parseRequestOptionsFromJSON` or `parseCreationOptionsFromJSON`.
    #[serde(rename = "publicKey")]
    #[schema(value_type = Object)]
    public_key: Value,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishAssertion {
    ceremony: String,
    /// `credential.toJSON()`.
    #[schema(value_type = Object)]
    credential: Assertion,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishRegistration {
    ceremony: String,
    /// `credential.toJSON()`.
    #[schema(value_type = Object)]
    credential: Attestation,
    /// What the person calls it.
    #[serde(default)]
    name: String,
}

/// Begins a sign-in with any passkey of this Ward.
#[utoipa::path(post, path = "/api/v1/sign-in/passkey/start", tag = "sign-in",
    responses((status = 200, body = Started), (status = 403, body = Problem)))]
pub(crate) async fn start(visitor: Visitor) -> Result<Json<Started>, Problem> {
    let sign_in = &visitor.services.sign_in;
    let challenge = Challenge::new(None, None)?;
    Ok(Json(Started {
        ceremony: sign_in.ceremonies.seal(SIGN_IN, &challenge, visitor.now)?,
        public_key: request_options(&sign_in.party, &challenge, &[]),
    }))
}

/// Ends it: with the session come its cookie and what the console needs to know.
#[utoipa::path(post, path = "/api/v1/sign-in/passkey/finish", tag = "sign-in", request_body = FinishAssertion,
    responses((status = 200, body = super::session::SessionView), (status = 403, body = Problem)))]
pub(crate) async fn finish(
    visitor: Visitor,
    Sent(sent): Sent<FinishAssertion>,
) -> Result<Response, Problem> {
    match signed_in(&visitor, sent).await {
        Ok((session, secret)) => visitor.begun(session, secret).await,
        Err(error) => Err(visitor.refused(SIGN_IN, None, error).await),
    }
}

async fn signed_in(
    visitor: &Visitor,
    sent: FinishAssertion,
) -> Result<(access::Session, zeroize::Zeroizing<String>), access::AccessError> {
    let services = &visitor.services;
    let sign_in = &services.sign_in;
    let ceremony = sign_in
        .ceremonies
        .open(SIGN_IN, &sent.ceremony, visitor.now)?;
    let access = &services.access;
    let passkey = access
        .assert_passkey(
            &sign_in.party,
            ceremony,
            None,
            &sent.credential,
            visitor.now,
        )
        .await?;
    let person = access.active_person(&passkey.person).await?;
    let new = NewSession {
        person: person.id,
        via: Via::Passkey,
        purpose: Purpose::Work,
        // A passkey that has just verified its user is what a step-up asks for.
        stepped_up: true,
        source: visitor.source.to_string(),
        client: visitor.client.clone(),
        certificate: None,
        request_id: Some(visitor.request_id.clone()),
    };
    access.throttle().succeeded(visitor.source, SIGN_IN);
    access
        .begin_session(new, &services.config.sign_in.sessions, visitor.now)
        .await
}

/// Begins a step-up with one of the person's passkeys.
#[utoipa::path(post, path = "/api/v1/session/step-up/start", tag = "sign-in",
    responses((status = 200, body = Started), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn step_up_start(seat: Seat) -> Result<Json<Started>, Problem> {
    seat.check_works()?;
    let services = &seat.services;
    let passkeys = services.access.passkeys_of(&seat.person.id).await?;
    let challenge = Challenge::new(Some(&seat.person.id), Some(&seat.session.id))?;
    let sign_in = &services.sign_in;
    Ok(Json(Started {
        ceremony: sign_in.ceremonies.seal(STEP_UP, &challenge, seat.now)?,
        public_key: request_options(&sign_in.party, &challenge, &passkeys),
    }))
}

/// Ends it: the session goes on under another cookie and another `csrf`, and may do what is high-risk for five minutes.
#[utoipa::path(post, path = "/api/v1/session/step-up/finish", tag = "sign-in", request_body = FinishAssertion,
    responses((status = 200, body = super::session::SessionView), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn step_up_finish(
    seat: Seat,
    Sent(sent): Sent<FinishAssertion>,
) -> Result<Response, Problem> {
    seat.check_works()?;
    let services = &seat.services;
    let (sign_in, access) = (&services.sign_in, &services.access);
    let stepped = async {
        let ceremony = sign_in.ceremonies.open(STEP_UP, &sent.ceremony, seat.now)?;
        let session = Some(&seat.session);
        access
            .assert_passkey(
                &sign_in.party,
                ceremony,
                session,
                &sent.credential,
                seat.now,
            )
            .await?;
        access
            .step_up(
                &seat.session,
                &seat.secret,
                Some(&seat.request_id),
                seat.now,
            )
            .await
    };
    match stepped.await {
        Ok((session, secret)) => begun(services, session, secret).await,
        Err(error) => Err(seat.refused(STEP_UP, error).await),
    }
}

/// A passkey, as its person sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PasskeyView {
    id: String,
    name: String,
    /// Unix milliseconds.
    created: i64,
    /// When it was last used, Unix milliseconds.
    used: Option<i64>,
    /// It may be synchronised between devices.
    backup_eligible: bool,
}

impl From<Passkey> for PasskeyView {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            created: passkey.created,
            used: passkey.used,
            backup_eligible: passkey.backup_eligible,
        }
    }
}

/// One's own passkeys.
#[utoipa::path(get, path = "/api/v1/session/passkeys", tag = "sign-in",
    responses((status = 200, body = [PasskeyView]), (status = 401, body = Problem)))]
pub(crate) async fn list(seat: Seat) -> Result<Json<Vec<PasskeyView>>, Problem> {
    let passkeys = seat.services.access.passkeys_of(&seat.person.id).await?;
    Ok(Json(passkeys.into_iter().map(PasskeyView::from).collect()))
}

/// Begins to register a passkey: after a one-time link or a recovery code, after a step-up, or as one's first.
#[utoipa::path(post, path = "/api/v1/session/passkeys/start", tag = "sign-in",
    responses((status = 200, body = Started), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn register_start(seat: Seat) -> Result<Json<Started>, Problem> {
    let services = &seat.services;
    let sign_in = &services.sign_in;
    if !sign_in.has_passkeys {
        return Err(Problem::conflict(
            "this Ward is reached by an address, and passkeys need a name: set listen.url or sign_in.origin",
        ));
    }
    let existing = services.access.passkeys_of(&seat.person.id).await?;
    seat.check_may_register(&existing)?;
    let challenge = services
        .access
        .registration_challenge(&seat.session, &existing)
        .await?;
    let person = &seat.person;
    Ok(Json(Started {
        ceremony: sign_in.ceremonies.seal(REGISTER, &challenge, seat.now)?,
        public_key: creation_options(
            &sign_in.party,
            &challenge,
            &person.id,
            &person.name,
            &existing,
        ),
    }))
}

/// Ends it.
#[utoipa::path(post, path = "/api/v1/session/passkeys/finish", tag = "sign-in", request_body = FinishRegistration,
    responses((status = 201, body = PasskeyView), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn register_finish(
    seat: Seat,
    Sent(sent): Sent<FinishRegistration>,
) -> Result<(StatusCode, Json<PasskeyView>), Problem> {
    let services = &seat.services;
    let (sign_in, access) = (&services.sign_in, &services.access);
    let existing = access.passkeys_of(&seat.person.id).await?;
    seat.check_may_register(&existing)?;
    let registered = async {
        let ceremony = sign_in
            .ceremonies
            .open(REGISTER, &sent.ceremony, seat.now)?;
        access
            .register_passkey(
                &sign_in.party,
                &seat.session,
                ceremony,
                &sent.credential,
                &sent.name,
                seat.now,
            )
            .await
    };
    match registered.await {
        Ok(passkey) => Ok((StatusCode::CREATED, Json(passkey.into()))),
        Err(error) => Err(seat.refused(REGISTER, error).await),
    }
}

/// Removes one of one's own passkeys; the last one too, for whoever has another way in.
#[utoipa::path(delete, path = "/api/v1/session/passkeys/{id}", tag = "sign-in", params(("id" = String, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn remove(seat: Seat, At(id): At<String>) -> Result<StatusCode, Problem> {
    seat.check_works()?;
    seat.check_step_up("remove a passkey")?;
    let actor = seat.session.actor();
    seat.services
        .access
        .remove_passkey(
            &actor,
            &seat.person.id,
            &id,
            "removed by its person",
            seat.now,
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Seat {
    /// A stolen session must not be turned into a passkey that outlasts it.
    fn check_may_register(&self, existing: &[Passkey]) -> Result<(), Problem> {
        let let_in_for_it = match self.session.via {
            // One link, one passkey.
            Via::Invitation => !existing.iter().any(|one| one.created >= self.session.since),
            Via::Recovery => true,
            Via::Oidc(_) | Via::Certificate if existing.is_empty() => {
                return self.check_signed_in_of_late();
            }
            Via::Passkey | Via::Oidc(_) | Via::Certificate => false,
        };
        match let_in_for_it {
            true => Ok(()),
            false => self.check_step_up("register another passkey"),
        }
    }

    /// Whoever has no passkey cannot step up by one: that they are who they are is as fresh as their sign-in.
    fn check_signed_in_of_late(&self) -> Result<(), Problem> {
        if self.now.0 - self.session.since < access::STEP_UP_MS {
            return Ok(());
        }
        let minutes = access::STEP_UP_MS / 60_000;
        let refusal = Refusal::new(
            "session.fresh",
            "R08",
            "a first passkey is made soon after signing in, or a session that was taken could be made to last",
        )
        .accepted(format!(
            "sign out, sign in again, and make the passkey within {minutes} minutes"
        ));
        let mut problem = Problem::refused(StatusCode::FORBIDDEN, &refusal);
        problem.recorded = false;
        Err(problem)
    }

    async fn refused(&self, ceremony: &'static str, error: access::AccessError) -> Problem {
        let attempt = access::Attempt {
            ceremony,
            source: self.source,
            person: Some(&self.person.id),
            request_id: &self.request_id,
        };
        super::seat::turned_away(&self.services, attempt, error, self.now).await
    }
}

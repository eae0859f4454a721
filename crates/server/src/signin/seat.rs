//! Who sends a request: a visitor who wants in, or somebody with a session.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use access::{AccessError, Attempt, Person, Principal, Purpose, Refusal, Session};
use audit::Timestamp;
use axum::extract::FromRequestParts;
use hyper::StatusCode;
use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use zeroize::Zeroizing;

use super::guard::{check_csrf, check_origin, text};
use super::{Credentials, certificate, cookie};
use crate::Services;
use crate::api::answer::Exchange;
use crate::listener::Peer;
use crate::problem::Problem;

/// A page that asks by itself, without anybody at it, says so: that is no use of the session.
pub(crate) const BACKGROUND: &str = "x-ward-background";

/// Somebody who is not signed in yet, on a page of this Ward.
pub(crate) struct Visitor {
    pub(crate) services: Arc<Services>,
    pub(crate) source: IpAddr,
    pub(crate) client: String,
    pub(crate) peer: Option<Peer>,
    /// The session's secret that their browser still has, of before.
    earlier: Option<Zeroizing<String>>,
    pub(crate) request_id: String,
    pub(crate) now: Timestamp,
}

/// Somebody with a session, whatever it is for.
pub(crate) struct Seat {
    pub(crate) services: Arc<Services>,
    pub(crate) session: Session,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) person: Person,
    pub(crate) principal: Arc<Principal>,
    pub(crate) source: IpAddr,
    pub(crate) request_id: String,
    pub(crate) now: Timestamp,
}

impl Visitor {
    pub(crate) fn of(parts: &Parts, services: &Arc<Services>) -> Self {
        let peer = parts.extensions.get::<Peer>();
        let exchange = parts.extensions.get::<Arc<Exchange>>();
        Self {
            services: Arc::clone(services),
            source: source(parts),
            client: text(&parts.headers, USER_AGENT)
                .unwrap_or_default()
                .to_owned(),
            peer: peer.cloned(),
            earlier: match cookie::value(&parts.headers, cookie::SESSION) {
                Ok(Some(secret)) => Some(Zeroizing::new(secret.to_owned())),
                _ => None,
            },
            request_id: exchange.map_or_else(String::new, |exchange| exchange.request_id.clone()),
            now: services.now(),
        }
    }

    /// Ends the session that a browser had before somebody signed in with it anew: nothing goes on behind the new one.
    pub(crate) async fn end_earlier(&self) -> Result<(), Problem> {
        let Some(secret) = &self.earlier else {
            return Ok(());
        };
        let access = &self.services.access;
        let rules = &self.services.config.sign_in.sessions;
        if let Ok(earlier) = access.session(secret, rules, self.now).await {
            let (actor, id) = (earlier.actor(), Some(self.request_id.as_str()));
            access
                .end_session(&actor, &earlier.id, "signed in anew", id, self.now)
                .await?;
        }
        Ok(())
    }

    /// The answer that carries a new session, once the one of before has ended.
    pub(crate) async fn begun(
        &self,
        session: Session,
        secret: Zeroizing<String>,
    ) -> Result<axum::response::Response, Problem> {
        self.end_earlier().await?;
        super::session::begun(&self.services, session, secret).await
    }

    /// Says no, and writes it down.
    pub(crate) async fn refused(
        &self,
        ceremony: &'static str,
        person: Option<&str>,
        error: AccessError,
    ) -> Problem {
        turned_away(
            &self.services,
            self.attempt(ceremony, person),
            error,
            self.now,
        )
        .await
    }

    /// Lets whoever has guessed too often wait.
    pub(crate) fn check_pace(&self, ceremony: &'static str) -> Result<(), Problem> {
        let throttle = self.services.access.throttle();
        match throttle.wait(self.source, ceremony, self.now) {
            None => Ok(()),
            Some(seconds) => Err(Problem::too_many(seconds)),
        }
    }

    pub(crate) fn attempt<'a>(
        &'a self,
        ceremony: &'static str,
        person: Option<&'a str>,
    ) -> Attempt<'a> {
        Attempt {
            ceremony,
            source: self.source,
            person,
            request_id: &self.request_id,
        }
    }
}

/// Says no, and writes it down.
pub(crate) async fn turned_away(
    services: &Services,
    attempt: Attempt<'_>,
    error: AccessError,
    now: Timestamp,
) -> Problem {
    let (refusal, status) = match &error {
        AccessError::Refused(refusal) => (refusal, StatusCode::FORBIDDEN),
        AccessError::Unauthenticated(refusal) => (refusal, StatusCode::UNAUTHORIZED),
        _ => return error.into(),
    };
    match services.access.turned_away(&attempt, refusal, now).await {
        Ok(()) => match status {
            StatusCode::UNAUTHORIZED => {
                let mut problem = Problem::unauthenticated(refusal.message.clone());
                problem.rule = Some(refusal.rule.as_ref().into());
                problem.recorded = true;
                problem
            }
            status => Problem::refused(status, refusal),
        },
        Err(error) => error.into(),
    }
}

impl FromRequestParts<Arc<Services>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Arc<Services>,
    ) -> Result<Self, Problem> {
        let visitor = Self::of(parts, services);
        // A sign-in that another site's page makes would leave its victim in somebody else's session.
        if let Err(problem) = check_origin(parts, &services.config.sign_in_origin()) {
            let refusal = Refusal::new(
                problem.rule_name(),
                "R37: cross-origin requests",
                problem.detail.to_string(),
            );
            return Err(visitor.refused("origin", None, refusal.into()).await);
        }
        Ok(visitor)
    }
}

impl FromRequestParts<Arc<Services>> for Seat {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Arc<Services>,
    ) -> Result<Self, Problem> {
        let secret = match Credentials::of(&parts.headers)? {
            Credentials::Cookie(secret) => Zeroizing::new(secret.to_owned()),
            Credentials::Bearer(_) => {
                let refusal =
                    Refusal::new("session.none", "access", "a bearer token has no session")
                        .accepted("a session's cookie: this is about the session itself");
                let mut problem = Problem::refused(StatusCode::FORBIDDEN, &refusal);
                problem.recorded = false;
                return Err(problem);
            }
            Credentials::None => return Err(nobody()),
        };
        seated(parts, services, secret).await
    }
}

/// What somebody without credentials is told.
pub(crate) fn nobody() -> Problem {
    Problem::unauthenticated("sign in, or send `Authorization: Bearer ward_…`")
}

/// The session behind a cookie, its person as they are now, and the proof that a page of this Ward asks.
pub(crate) async fn seated(
    parts: &Parts,
    services: &Arc<Services>,
    secret: Zeroizing<String>,
) -> Result<Seat, Problem> {
    let visitor = Visitor::of(parts, services);
    let now = visitor.now;
    let rules = &services.config.sign_in.sessions;
    let access = &services.access;
    let session = match access.session(&secret, rules, now).await {
        Ok(session) => session,
        Err(error) => return Err(visitor.refused("session", None, error).await),
    };
    certificate::check_bound(&visitor, &session).await?;
    let person = access.person(&session.person).await?;
    let via = session.via.kind();
    let principal = match access
        .principal_for(&person, via, Some(session.id.as_str()))
        .await
    {
        Ok(principal) => principal,
        Err(error) => {
            let gone = visitor.refused("session", Some(&person.id), error).await;
            return Err(gone);
        }
    };
    if let Some(exchange) = parts.extensions.get::<Arc<Exchange>>() {
        exchange.principal.set(Arc::clone(&principal)).ok();
    }
    check_csrf(parts, &secret, &services.config.sign_in_origin())?;
    let asks_itself = parts.headers.contains_key(BACKGROUND);
    if !asks_itself {
        access.note_use(&session, rules, now).await?;
    }
    Ok(Seat {
        services: Arc::clone(services),
        session,
        secret,
        person,
        principal,
        source: visitor.source,
        request_id: visitor.request_id,
        now,
    })
}

impl Seat {
    /// Refuses a session that may only register a passkey.
    pub(crate) fn check_works(&self) -> Result<(), Problem> {
        match self.session.purpose {
            Purpose::Work => Ok(()),
            Purpose::Enrol => {
                let refusal = Refusal::new(
                    "session.purpose",
                    "R37",
                    "a one-time link lets you register a passkey and nothing else",
                )
                .accepted(
                    "a passkey (POST /api/v1/session/passkeys/start), then a sign-in with it",
                );
                let mut problem = Problem::refused(StatusCode::FORBIDDEN, &refusal);
                problem.recorded = false;
                Err(problem)
            }
        }
    }

    /// Refuses unless they stepped up of late.
    pub(crate) fn check_step_up(&self, what: &str) -> Result<(), Problem> {
        match self.session.stepped_up_until(self.now) {
            Some(_) => Ok(()),
            None => Err(Problem::step_up(&access::step_up_refusal(what))),
        }
    }
}

/// Where a request comes from: the other end of its connection.
fn source(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address)
}

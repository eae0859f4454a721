//! People at the door: cookies, ceremonies and providers turned into `access`'s words, and its answers into HTTP.
//! Nothing is decided here.

pub(crate) mod certificate;
mod cookie;
mod first;
mod guard;
pub(crate) mod headers;
pub(crate) mod oidc;
pub(crate) mod passkeys;
mod seat;
pub(crate) mod session;
pub(crate) mod ways;

use std::sync::Arc;

use access::{Ceremonies, RelyingParty};
use axum::Router;
use axum::routing::{delete, get, post};

use crate::Services;
use crate::config::Config;

pub(crate) use cookie::Credentials;
pub use first::first_administrator;
pub(crate) use seat::{BACKGROUND, Seat, Visitor, nobody, seated};

/// What signing in needs beside the rest.
pub(crate) struct SignIn {
    pub(crate) party: RelyingParty,
    /// Passkeys are bound to a domain name; an address is none (WebAuthn §5.1.2).
    pub(crate) has_passkeys: bool,
    pub(crate) ceremonies: Ceremonies,
    pub(crate) oidc: oidc::Providers,
}

impl SignIn {
    pub(crate) fn open(config: &Config, ca: &ca::Ca) -> Result<Self, ca::CaError> {
        let origin = config.sign_in_origin();
        let authority = origin.trim_start_matches("https://");
        let id = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        let address = id.trim_start_matches('[').trim_end_matches(']');
        let key = ca.keyring().derive("sign-in ceremonies")?;
        Ok(Self {
            has_passkeys: address.parse::<std::net::IpAddr>().is_err(),
            party: RelyingParty {
                id: id.to_owned(),
                name: config.sign_in.name.clone(),
                origins: vec![origin],
            },
            ceremonies: Ceremonies::new(&key),
            oidc: oidc::Providers::new(&config.sign_in.oidc),
        })
    }
}

/// Paths of the API that make, show and end sessions.
pub(crate) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/sign-in", get(ways::show))
        .route("/api/v1/sign-in/passkey/start", post(passkeys::start))
        .route("/api/v1/sign-in/passkey/finish", post(passkeys::finish))
        .route("/api/v1/sign-in/recovery", post(ways::recovery))
        .route("/api/v1/sign-in/invitation", post(ways::invitation))
        .route("/api/v1/sign-in/certificate", post(certificate::sign_in))
        .route(
            "/api/v1/session",
            get(session::show).delete(session::sign_out),
        )
        .route(
            "/api/v1/session/step-up/start",
            post(passkeys::step_up_start),
        )
        .route(
            "/api/v1/session/step-up/finish",
            post(passkeys::step_up_finish),
        )
        .route("/api/v1/session/passkeys", get(passkeys::list))
        .route(
            "/api/v1/session/passkeys/start",
            post(passkeys::register_start),
        )
        .route(
            "/api/v1/session/passkeys/finish",
            post(passkeys::register_finish),
        )
        .route("/api/v1/session/passkeys/{id}", delete(passkeys::remove))
        .route(
            "/api/v1/session/recovery-codes",
            get(ways::recovery_state).post(ways::recovery_codes),
        )
        .route(
            "/api/v1/sessions",
            get(session::list).delete(session::end_others),
        )
        .route("/api/v1/sessions/{id}", delete(session::end))
        .route("/api/v1/invitations", post(ways::invite))
        .route("/auth/oidc/{name}/start", get(oidc::flow::start))
        .route("/auth/oidc/{name}/callback", get(oidc::flow::callback))
}

//! The authorization code flow (OpenID Connect Core §3.1) with PKCE, state and nonce, each bound to the browser that began
//! by a sealed cookie, and good once. The browser carries a code and never a token.

use access::{
    AccessError, Claims, Expected, Flow, NewSession, Provider as Rule, Purpose, Refusal, Untaken,
    Via, verify,
};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use zeroize::Zeroizing;

use super::page::Pages;
use super::{Known, Provider, parsed};
use crate::Services;
use crate::signin::{Visitor, cookie, headers};

const OIDC: &str = "oidc";
/// Longest path to go to afterwards.
const LONGEST_NEXT: usize = 512;

#[derive(Deserialize)]
pub(crate) struct StartQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// RFC 9207: who answers, from providers that say so.
    iss: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
}

/// What ends a sign-in: a rule, or a provider that does not work.
enum Ended {
    Access(AccessError),
    Provider(String),
}

impl From<AccessError> for Ended {
    fn from(error: AccessError) -> Self {
        Ended::Access(error)
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Ended::Access(refusal.into())
    }
}

/// Sends the browser to a provider. `next` is the path to go to afterwards.
#[utoipa::path(get, path = "/auth/oidc/{name}/start", tag = "sign-in", security(()),
    params(("name" = String, Path), ("next" = Option<String>, Query)),
    responses((status = 303, description = "to the provider"), (status = 404, description = "a page"),
        (status = 502, description = "a page: the provider does not answer")))]
pub(crate) async fn start(
    State(services): State<Arc<Services>>,
    Path(name): Path<String>,
    Query(query): Query<StartQuery>,
) -> Response {
    let sign_in = &services.sign_in;
    let pages = Pages::of(&services.config.sign_in);
    let Some(provider) = sign_in.oidc.named(&name) else {
        return pages.told(StatusCode::NOT_FOUND, "There is no such provider.");
    };
    let now = services.now();
    let known = match sign_in.oidc.known(&services.ca, provider, false, now).await {
        Ok(known) => known,
        Err(error) => return unreachable_provider(pages, provider, &error),
    };
    let next = query.next.filter(|next| is_own_path(next));
    let begun = Flow::new(&provider.config.name, next.as_deref().unwrap_or("/"));
    let sealed = begun.and_then(|flow| Ok((sign_in.ceremonies.seal(OIDC, &flow, now)?, flow)));
    let (sealed, flow) = match sealed {
        Ok(sealed) => sealed,
        Err(error) => return pages.failed(&error),
    };
    let redirect = redirect_uri(&services, provider);
    let url = authorization_url(provider, &known, &flow, &redirect);
    match (HeaderValue::from_str(&url), cookie::oidc(&sealed)) {
        (Ok(url), Ok(cookie)) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            response.headers_mut().insert(LOCATION, url);
            response.headers_mut().insert(SET_COOKIE, cookie);
            headers::no_store(response.headers_mut());
            response
        }
        _ => pages.failed(&"the provider's address is none"),
    }
}

/// Where a provider sends the browser back to.
#[utoipa::path(get, path = "/auth/oidc/{name}/callback", tag = "sign-in", security(()),
    params(("name" = String, Path), ("code" = Option<String>, Query), ("state" = Option<String>, Query),
        ("error" = Option<String>, Query), ("iss" = Option<String>, Query)),
    responses((status = 303, description = "signed in; to where it began"),
        (status = 403, description = "a page that says why not"), (status = 404, description = "a page"),
        (status = 502, description = "a page: the provider does not answer")))]
pub(crate) async fn callback(
    State(services): State<Arc<Services>>,
    Path(name): Path<String>,
    Query(query): Query<CallbackQuery>,
    parts: Parts,
) -> Response {
    let pages = Pages::of(&services.config.sign_in);
    let Some(provider) = services.sign_in.oidc.named(&name) else {
        return pages.told(StatusCode::NOT_FOUND, "There is no such provider.");
    };
    let visitor = Visitor::of(&parts, &services);
    let mut response = match signed_in(&visitor, provider, &query, &parts).await {
        Ok((secret, next)) => welcome(pages, &secret, &next),
        Err(Ended::Provider(error)) => {
            let why = Refusal::new("oidc.provider", "OpenID Connect Core §3.1.3", error.clone());
            let refused = visitor.refused(OIDC, None, why.into()).await;
            tracing::warn!(provider = name, %error, rule = refused.rule_name(), "no sign-in");
            unreachable_provider(pages, provider, &error)
        }
        Err(Ended::Access(error)) => pages.refused(&visitor.refused(OIDC, None, error).await),
    };
    // Whatever came of it, this flow is over.
    response.headers_mut().append(SET_COOKIE, cookie::no_oidc());
    headers::no_store(response.headers_mut());
    response
}

fn welcome(pages: Pages<'_>, secret: &str, next: &str) -> Response {
    match (cookie::session(secret), HeaderValue::from_str(next)) {
        (Ok(cookie), Ok(next)) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            response.headers_mut().insert(SET_COOKIE, cookie);
            response.headers_mut().insert(LOCATION, next);
            response
        }
        _ => pages.failed(&"the page to go to has no address"),
    }
}

async fn signed_in(
    visitor: &Visitor,
    provider: &Provider,
    query: &CallbackQuery,
    parts: &Parts,
) -> Result<(Zeroizing<String>, String), Ended> {
    let services = &visitor.services;
    let (sign_in, access) = (&services.sign_in, &services.access);
    let no_flow = || {
        refusal(
            "oidc.state",
            "RFC 6749 §10.12",
            "this sign-in was not begun in this browser",
        )
        .accepted("a sign-in from its beginning; one at a time")
    };
    let sealed = cookie::value(&parts.headers, cookie::OIDC).map_err(|_| no_flow())?;
    let opened = sign_in
        .ceremonies
        .open::<Flow>(OIDC, sealed.ok_or_else(no_flow)?, visitor.now)?;
    let flow = opened.body.clone();
    if flow.provider != provider.config.name || query.state.as_deref() != Some(flow.state.as_str())
    {
        return Err(no_flow().into());
    }
    if query
        .iss
        .as_ref()
        .is_some_and(|from| *from != provider.config.issuer)
    {
        return Err(refusal(
            "oidc.issuer",
            "RFC 9207 §2.4",
            "another provider has answered",
        )
        .into());
    }
    access.claim_ceremony(&opened).await?;
    if let Some(error) = &query.error {
        let error: String = error
            .chars()
            .filter(char::is_ascii_graphic)
            .take(80)
            .collect();
        let text = format!("the provider says {error}");
        return Err(refusal("oidc.denied", "RFC 6749 §4.1.2.1", text).into());
    }
    let code = query.code.as_deref().ok_or_else(|| {
        refusal(
            "oidc.malformed",
            "RFC 6749 §4.1.2",
            "the provider sent no code",
        )
    })?;
    let claims = claims(visitor, provider, &flow, code).await?;
    let rule = Rule {
        name: provider.config.name.clone(),
        links_by_email: provider.config.links_by_email,
        has_groups: provider.config.groups_claim.is_some(),
    };
    let person = access.federated_person(&rule, &claims, visitor.now).await?;
    let new = NewSession {
        person: person.id,
        via: Via::Oidc(provider.config.name.clone()),
        purpose: Purpose::Work,
        stepped_up: false,
        source: visitor.source.to_string(),
        client: visitor.client.clone(),
        certificate: None,
        request_id: Some(visitor.request_id.clone()),
    };
    let rules = &services.config.sign_in.sessions;
    let (_, secret) = access.begin_session(new, rules, visitor.now).await?;
    if let Err(problem) = visitor.end_earlier().await {
        tracing::warn!(
            rule = problem.rule_name(),
            "the session of before goes on to its own end"
        );
    }
    Ok((secret, flow.next))
}

/// What the provider says of whoever has the code.
async fn claims(
    visitor: &Visitor,
    provider: &Provider,
    flow: &Flow,
    code: &str,
) -> Result<Claims, Ended> {
    let services = &visitor.services;
    let oidc = &services.sign_in.oidc;
    let known = oidc
        .known(&services.ca, provider, false, visitor.now)
        .await
        .map_err(Ended::Provider)?;
    let token = exchanged(services, provider, &known, flow, code)
        .await
        .map_err(Ended::Provider)?;
    let config = &provider.config;
    let expected = Expected {
        issuer: &config.issuer,
        client_id: &config.client_id,
        nonce: &flow.nonce,
        groups_claim: config.groups_claim.as_deref(),
    };
    let judged = match verify(&token, &known.keys, &expected, visitor.now) {
        Err(Untaken::UnknownKey) => {
            // The provider may have changed its keys since they were fetched (Core §10.1.1).
            let known = oidc
                .known(&services.ca, provider, true, visitor.now)
                .await
                .map_err(Ended::Provider)?;
            verify(&token, &known.keys, &expected, visitor.now)
        }
        judged => judged,
    };
    judged.map_err(|untaken| match untaken {
        Untaken::Refused(refusal) => refusal.into(),
        Untaken::UnknownKey => refusal(
            "oidc.key",
            "OpenID Connect Core §10.1",
            "the ID token is signed with a key that the provider does not publish",
        )
        .into(),
    })
}

/// The ID token for a code (Core §3.1.3).
async fn exchanged(
    services: &Services,
    provider: &Provider,
    known: &Known,
    flow: &Flow,
    code: &str,
) -> Result<Zeroizing<String>, String> {
    let config = &provider.config;
    let redirect = redirect_uri(services, provider);
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect.as_str()),
        ("code_verifier", flow.verifier.as_str()),
    ];
    let mut request = Request::builder()
        .method(Method::POST)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(hyper::header::ACCEPT, "application/json");
    let secret = match &config.client_secret_file {
        None => None,
        Some(file) => Some(secret(file)?),
    };
    match &secret {
        None => fields.push(("client_id", &config.client_id)),
        Some(secret) if known.posts_secret => {
            fields.push(("client_id", &config.client_id));
            fields.push(("client_secret", secret));
        }
        // RFC 6749 §2.3.1: both are form-encoded before they become a user and a password.
        Some(secret) => {
            let pair = Zeroizing::new(format!(
                "{}:{}",
                encoded(&config.client_id),
                encoded(secret)
            ));
            request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(&*pair)));
        }
    }
    let body = form(&fields);
    let answer = services
        .sign_in
        .oidc
        .ask(
            &services.ca,
            &known.token_endpoint,
            request,
            Bytes::from(body),
        )
        .await?;
    let answer: TokenAnswer = parsed(&answer)?;
    answer
        .id_token
        .map(Zeroizing::new)
        .ok_or_else(|| "the provider sent no ID token".to_owned())
}

fn secret(file: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(line.to_owned()))
}

fn authorization_url(provider: &Provider, known: &Known, flow: &Flow, redirect: &str) -> String {
    let config = &provider.config;
    let challenge = flow.challenge();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &config.client_id),
        ("redirect_uri", redirect),
        ("scope", &config.scopes.join(" ")),
        ("state", &flow.state),
        ("nonce", &flow.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let endpoint = &known.authorization_endpoint;
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{separator}{query}")
}

fn redirect_uri(services: &Services, provider: &Provider) -> String {
    let origin = services.config.sign_in_origin();
    format!("{origin}/auth/oidc/{}/callback", provider.config.name)
}

/// A path of this Ward: a browser takes `//host` and `/\host` for another site.
fn is_own_path(next: &str) -> bool {
    next.len() <= LONGEST_NEXT
        && next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn unreachable_provider(pages: Pages<'_>, provider: &Provider, error: &str) -> Response {
    tracing::warn!(
        provider = provider.config.name,
        error,
        "an OpenID provider does not work"
    );
    pages.told(
        StatusCode::BAD_GATEWAY,
        "The sign-in service of your organisation does not answer as it should. Try again in a moment; Ward's log has the cause.",
    )
}

fn refusal(rule: &'static str, source: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(rule, source, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r37_only_paths_of_this_ward_are_gone_to() {
        for path in ["/", "/inventory?q=a%20b", "/#/certificates/1"] {
            assert!(is_own_path(path), "{path}");
        }
        for path in [
            "",
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/a\nb",
            "a",
            "/é",
        ] {
            assert!(!is_own_path(path), "{path}");
        }
    }
}

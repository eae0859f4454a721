//! `as_of=`: what was, asked of what is kept (R52). What is to come nobody knows, and what was not kept is not guessed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use access::Refusal;
use audit::Timestamp;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, Parameter};

use crate::api::openapi;
use crate::problem::Problem;

const SOURCE: &str = "docs/api.md (as of)";

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AsOf {
    /// An instant in RFC 3339 that has passed: everything as it was then.
    pub(crate) as_of: Option<String>,
}

impl AsOf {
    /// The instant, if one was asked for.
    pub(crate) fn at(&self, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        past("as_of", self.as_of.as_deref(), now)
    }
}

/// An instant of the past in a parameter.
pub(crate) fn past(
    name: &str,
    text: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let time: Result<x509::Time, _> = text.parse();
    let shown: String = text.chars().take(40).collect();
    let time = time.map_err(|_| {
        let shown = x509::describe::escape(&shown);
        Problem::malformed(format!("{name} is `{shown}`; send 2026-11-22T12:00:00Z"))
    })?;
    let at = Timestamp(time.0.saturating_mul(1000));
    if at > now {
        let refusal = Refusal::new("as-of.future", SOURCE, format!("{name} {shown} is to come"))
            .accepted(format!("an instant up to {now}"));
        return Err(unprocessable(&refusal));
    }
    Ok(Some(at))
}

/// Paths whose `GET` takes `as_of`, by the description of the API.
static KNOWING: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let is_it = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => parameter.name == "as_of",
        RefOr::Ref(_) => false,
    };
    let takes = |operation: &Operation| operation.parameters.iter().flatten().any(is_it);
    let paths = openapi::described().paths.paths.into_iter();
    let knowing = paths.filter(|(_, item)| item.get.as_ref().is_some_and(takes));
    knowing.map(|(path, _)| path).collect()
});

/// Refuses `as_of` where nothing would be made of it: the present is not shown as the past.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let asks = request.uri().query().is_some_and(|query| {
        let mut parts = query.split('&');
        parts.any(|part| part.starts_with("as_of="))
    });
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("", MatchedPath::as_str);
    match asks && path.starts_with("/api/v1/") && !KNOWING.contains(path) {
        true => not_kept("this", None).into_response(),
        false => next.run(request).await,
    }
}

/// There is no history of it at that instant.
pub(crate) fn not_kept(what: &str, since: Option<i64>) -> Problem {
    let message = format!("nothing is kept of {what} at that instant");
    let refusal = Refusal::new("as-of.not-kept", SOURCE, message);
    unprocessable(&match since {
        Some(since) => refusal.accepted(format!("an instant from {} on", Timestamp(since))),
        None => refusal.accepted("no `as_of`: the present"),
    })
}

fn unprocessable(refusal: &Refusal) -> Problem {
    Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, refusal)
}

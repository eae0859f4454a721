//! The access review over REST (R37).

use access::{Action, Review};
use audit::Timestamp;
use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;

use crate::api::as_of::past;
use crate::api::caller::{Asked, Caller};
use crate::api::shapes::ScopeShape;
use crate::problem::Problem;

/// How far back use is looked for unless asked: a quarter.
const SPAN_MS: i64 = 90 * 86_400_000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReviewQuery {
    /// Grants as of this instant (RFC 3339); now if absent.
    as_of: Option<String>,
    /// Use from here; 90 days before `until` if absent.
    since: Option<String>,
    /// Use to here; now if absent.
    until: Option<String>,
    /// json (the default) or csv.
    format: Option<String>,
}

/// A grant as of the date.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes access::Review in the document")]
pub(crate) struct ReviewedGrantShape {
    role: String,
    scope: Option<ScopeShape>,
    /// `own`, `group NAME` or `token ID`.
    through: String,
    /// Something was done under this role in the span.
    used: bool,
}

/// Somebody, or a machine.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes access::Review in the document")]
pub(crate) struct ReviewedShape {
    holder: String,
    /// person, machine or local: somebody at the machine's own command line.
    kind: String,
    name: Option<String>,
    state: Option<String>,
    grants: Vec<ReviewedGrantShape>,
    actions: Vec<String>,
    /// How often they did what: verbs of the log.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    done: (),
    refused: u64,
    /// Unix milliseconds.
    last: Option<i64>,
    /// Unix milliseconds; absent: did not sign in.
    last_sign_in: Option<i64>,
}

/// Who could do what on a date, and who did.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes access::Review in the document")]
pub(crate) struct ReviewShape {
    as_of: i64,
    since: i64,
    until: i64,
    /// The whole span was read.
    complete: bool,
    holders: Vec<ReviewedShape>,
}

/// Who could do what on a date, and who did.
#[utoipa::path(get, path = "/api/v1/access-review", tag = "people", params(ReviewQuery),
    responses((status = 200, body = ReviewShape), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    Asked(query): Asked<ReviewQuery>,
) -> Result<Response, Problem> {
    caller.may_read(Action::ReviewAccess)?;
    let instant = |name, text: &Option<String>| past(name, text.as_deref(), caller.now);
    let as_of = instant("as_of", &query.as_of)?.unwrap_or(caller.now);
    let until = instant("until", &query.until)?.unwrap_or(caller.now);
    let since = instant("since", &query.since)?.unwrap_or(Timestamp(until.0 - SPAN_MS));
    let review: Review = caller.services.access.review(as_of, since, until).await?;
    match query.format.as_deref() {
        None | Some("json") => Ok(Json(review).into_response()),
        Some("csv") => {
            let headers = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (
                    CONTENT_DISPOSITION,
                    "attachment; filename=\"access-review.csv\"",
                ),
            ];
            Ok((headers, review.csv()).into_response())
        }
        Some(_) => Err(Problem::malformed("format is json or csv")),
    }
}

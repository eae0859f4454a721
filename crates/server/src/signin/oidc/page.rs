//! The few pages that a browser sees which comes back from a provider to no sign-in: text, and a link to begin anew.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use crate::problem::Problem;

/// A rule said no.
pub(crate) fn refused(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::FORBIDDEN);
    if status.is_server_error() {
        return told(
            status,
            "Ward cannot do this right now. Try again in a moment.",
        );
    }
    let rule = problem.rule.as_deref().unwrap_or_default();
    let mut text = format!("{} [{rule}].", problem.detail);
    if let Some(accepted) = &problem.accepted {
        text.push_str(&format!(" Accepted: {accepted}."));
    }
    told(status, &text)
}

/// Something is broken here.
pub(crate) fn failed(cause: &dyn std::fmt::Display) -> Response {
    let problem = Problem::internal(cause);
    told(StatusCode::INTERNAL_SERVER_ERROR, &problem.detail)
}

/// A page with one paragraph.
pub(crate) fn told(status: StatusCode, text: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Not signed in – Ward</title>\n<h1>Not signed in</h1>\n<p>{}</p>\n<p><a href=\"/\">Back to the sign-in page</a></p>\n</html>\n",
        escaped(text)
    );
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

//! The few pages that a browser sees which comes back from a provider to no sign-in: text, whom to ask,
//! and a link to begin anew.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use crate::config::SignIn;
use crate::problem::Problem;

/// Makes them. Each says whom to ask, where this house has somebody (`sign_in.contact`).
#[derive(Clone, Copy)]
pub(crate) struct Pages<'a> {
    contact: Option<&'a str>,
}

impl<'a> Pages<'a> {
    pub(crate) fn of(config: &'a SignIn) -> Self {
        Self {
            contact: config.contact.as_deref(),
        }
    }

    /// A rule said no.
    pub(crate) fn refused(self, problem: &Problem) -> Response {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::FORBIDDEN);
        if status.is_server_error() {
            return self.told(
                status,
                "Ward cannot do this right now. Try again in a moment.",
            );
        }
        let rule = problem.rule.as_deref().unwrap_or_default();
        let mut text = format!("{} [{rule}].", problem.detail);
        if let Some(accepted) = &problem.accepted {
            text.push_str(&format!(" Accepted: {accepted}."));
        }
        self.told(status, &text)
    }

    /// Something is broken here.
    pub(crate) fn failed(self, cause: &dyn std::fmt::Display) -> Response {
        let problem = Problem::internal(cause);
        self.told(StatusCode::INTERNAL_SERVER_ERROR, &problem.detail)
    }

    /// A page with one paragraph.
    pub(crate) fn told(self, status: StatusCode, text: &str) -> Response {
        let ask = match self.contact {
            Some(contact) => format!("<p>Ask: {}</p>\n", escaped(contact)),
            None => String::new(),
        };
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>Not signed in – Ward</title>\n<h1>Not signed in</h1>\n<p>{}</p>\n{ask}<p><a href=\"/\">Back to the sign-in page</a></p>\n</html>\n",
            escaped(text)
        );
        (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
    }
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

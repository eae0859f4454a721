//! `[alerts]`: the program that is told at once what cannot wait (R25).

use std::path::{Path, PathBuf};

use hyper::Uri;
use serde::Deserialize;

/// Where alerts go.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// `https://…` or `http://…`.
    pub url: String,
    /// Its first line is the secret that alerts are signed with; read for each, so that it can be changed.
    pub secret_file: PathBuf,
    /// It is told of requests that wait, too (R07).
    pub requests: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    url: String,
    secret_file: PathBuf,
    #[serde(default)]
    requests: bool,
}

/// Found and expected, if the URL is none.
pub(super) fn check(data: &Path, raw: Raw) -> Result<Alerts, (String, &'static str)> {
    let uri: Option<Uri> = raw.url.parse().ok();
    let usable = uri.is_some_and(|uri| {
        uri.host().is_some() && matches!(uri.scheme_str(), Some("https" | "http"))
    });
    match usable {
        true => Ok(Alerts {
            url: raw.url,
            secret_file: data.join(raw.secret_file),
            requests: raw.requests,
        }),
        false => Err((raw.url, "expected https://HOST/PATH or http://HOST/PATH")),
    }
}

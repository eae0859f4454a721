//! Trust bundles for whoever fetches them: `/bundles/{name}` says what there is, `/bundles/{name}/anchors.pem` is the
//! version in force and `/bundles/{name}/v3/anchors.pem` the third, which never changes.
//!
//! Plain HTTP as well as HTTPS: a machine that has no anchor yet cannot check a server. It must compare the digest that
//! the document over HTTPS, or a person, tells it.

use std::sync::Arc;

use bytes::Bytes;
use fleet::FleetError;
use fleet::bundle::{Format, Published};
use hyper::header::{self, HeaderMap};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::Services;
use crate::public::{http_date, insert, not_found, typed, unavailable};
use crate::reply::Reply;

/// Before the suffix of every file.
const FILE: &str = "anchors.";

/// Seconds for which the version in force may be cached: a rotation is seen by everybody after an hour.
const CACHE: u32 = 3600;

/// Seconds for which a numbered version may be: it is what it is.
const CACHE_VERSION: u32 = 31_536_000;

/// `rest` is what follows `/bundles/`.
pub(crate) async fn answer(
    services: &Arc<Services>,
    rest: &str,
    headers: &HeaderMap,
) -> Response<Reply> {
    let Some(wanted) = Wanted::read(rest) else {
        return not_found();
    };
    let published = services.bundles.published(wanted.name, wanted.version);
    let published = match published.await {
        Ok(published) => published,
        Err(FleetError::NotFound { .. }) => return not_found(),
        Err(error) => return unavailable(&error),
    };
    let (body, content_type) = match wanted.format {
        None => (Bytes::from(index(&published)), "application/json"),
        Some(format) => match published.file(format) {
            Some(file) => (Bytes::copy_from_slice(file), format.content_type()),
            None => return not_found(),
        },
    };
    let etag = wanted.etag(&published);
    let unchanged = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = match unchanged {
        false => typed(body, content_type),
        true => {
            let mut response = Response::new(Reply::from(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
    };
    let seconds = match wanted.version {
        Some(_) => CACHE_VERSION,
        None => CACHE,
    };
    let headers = response.headers_mut();
    insert(
        headers,
        header::CACHE_CONTROL,
        &format!("max-age={seconds}, public"),
    );
    insert(headers, header::ETAG, &etag);
    let since = published.stored.since / 1000;
    insert(headers, header::LAST_MODIFIED, &http_date(since));
    response
}

/// What a path asks for.
struct Wanted<'a> {
    name: &'a str,
    version: Option<u64>,
    /// `None` is the index.
    format: Option<Format>,
}

impl<'a> Wanted<'a> {
    fn read(rest: &'a str) -> Option<Self> {
        let parts: Vec<&str> = rest.split('/').collect();
        let (name, version, file) = match parts.as_slice() {
            [name] | [name, ""] => (*name, None, None),
            [name, last] => match number(last) {
                Some(version) => (*name, Some(version), None),
                None => (*name, None, Some(*last)),
            },
            [name, version, file] => (*name, Some(number(version)?), Some(*file)),
            _ => return None,
        };
        let format = match file.filter(|file| !file.is_empty()) {
            Some(file) => Some(file.strip_prefix(FILE)?.parse().ok()?),
            None => None,
        };
        Some(Self {
            name,
            version,
            format,
        })
    }

    /// A key store in PKCS #12 has another salt on another node, so the version is what is compared.
    fn etag(&self, published: &Published) -> String {
        let what = self.format.map_or("index", Format::suffix);
        format!("W/\"{what}-v{}\"", published.stored.version)
    }
}

/// `v` and a number.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('v')?;
    digits.parse().ok().filter(|number| *number > 0)
}

fn index(published: &Published) -> Vec<u8> {
    let stored = &published.stored;
    let definition = &stored.bundle.definition;
    let (name, version) = (&definition.name, stored.version);
    let certificates: Vec<_> = stored
        .bundle
        .certificates
        .iter()
        .map(|certificate| {
            json!({
                "subject": certificate.subject().to_string(),
                "sha256": hex::encode(certificate.fingerprint()),
                "not_before": certificate.not_before().to_string(),
                "not_after": certificate.not_after().to_string(),
            })
        })
        .collect();
    let files: Vec<_> = published
        .formats()
        .map(|(format, sha256)| {
            let mut file = json!({
                "format": format,
                "path": format!("/bundles/{name}/v{version}/{FILE}{format}"),
            });
            // The digest of a salted file would be another on another node.
            if format != Format::P12
                && let Some(fields) = file.as_object_mut()
            {
                fields.insert("sha256".into(), json!(hex::encode(sha256)));
            }
            file
        })
        .collect();
    let index = json!({
        "name": name,
        "audience": definition.audience,
        "version": version,
        "since": http_date(stored.since / 1000),
        "certificates": certificates,
        "files": files,
        "store_password": fleet::bundle::STORE_PASSWORD,
    });
    let mut text = serde_json::to_vec_pretty(&index).unwrap_or_default();
    text.push(b'\n');
    text
}

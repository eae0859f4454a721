//! An answer, before HTTP.

use bytes::Bytes;
use serde::Serialize;

/// What goes back to the client. The server turns it into HTTP and adds nothing.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub content_type: Option<&'static str>,
    pub location: Option<String>,
    /// Values of `Link` fields.
    pub links: Vec<String>,
    /// `Replay-Nonce` (RFC 8555 §6.5.1).
    pub nonce: Option<String>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    pub cache_control: Option<&'static str>,
    /// `Allow` of a 405.
    pub allow: Option<&'static str>,
    pub body: Bytes,
}

impl Reply {
    /// Nothing but a status.
    pub(crate) fn empty(status: u16) -> Self {
        Reply {
            status,
            ..Reply::default()
        }
    }

    /// A JSON document.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        Self::typed(status, "application/json", to_json(body))
    }

    /// Bytes of a media type.
    pub(crate) fn typed(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Reply {
            status,
            content_type: Some(content_type),
            body: body.into(),
            ..Reply::default()
        }
    }

    pub(crate) fn location(mut self, url: String) -> Self {
        self.location = Some(url);
        self
    }

    /// Adds a `Link` to `url` with a relation.
    pub(crate) fn link(mut self, url: &str, relation: &str) -> Self {
        self.links.push(format!("<{url}>;rel=\"{relation}\""));
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// What is written here is made of strings, numbers and lists: writing it does not fail.
pub(crate) fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

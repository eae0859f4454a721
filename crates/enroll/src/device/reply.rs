//! An answer, before HTTP.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

/// What goes back to the client. The server turns it into HTTP and adds nothing.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(HeaderName, HeaderValue)>,
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

    /// Bytes of a media type.
    pub(crate) fn typed(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Reply {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
        .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// Adds a field.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After` in seconds.
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }
}

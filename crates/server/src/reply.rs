//! The body of an answer: prepared bytes on the hot paths, axum's body elsewhere.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};

/// Prepared bytes need no boxing; that is worth having where status answers are a third of the cost of HTTP itself.
pub(crate) enum Reply {
    Prepared(Option<Bytes>),
    Routed(axum::body::Body),
}

impl Reply {
    pub(crate) fn routed(response: Response<axum::body::Body>) -> Response<Self> {
        response.map(Self::Routed)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Self::Prepared(Some(bytes))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Prepared(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Routed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Prepared(bytes) => bytes.is_none(),
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Prepared(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Routed(body) => body.size_hint(),
        }
    }
}

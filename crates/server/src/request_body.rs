//! The body of a request that may be answered before it has been read.
//!
//! Access is decided on the head, so a refusal leaves bytes unread. Dropped there, HTTP/2 resets the stream and HTTP/1.1
//! closes the connection, which clients such as curl report as a transport error instead of showing the refusal. So what is left is read and thrown
//! away, within a budget, after the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// A client that sends more than this after a refusal finds the connection closed, and may lose the answer with it
/// (RFC 9112 §9.6): more than is under way on a fast network before a client has read the answer and stops.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(5);

pub(crate) struct RequestBody(Option<Incoming>);

impl RequestBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(Some(body))
    }

    /// All of it, or a little more of it than `limit` bytes: what that means is for the caller to say. `None` where it
    /// does not come in time or breaks off. A body of one frame is not copied.
    pub(crate) async fn read(mut self, limit: usize, patience: Duration) -> Option<Bytes> {
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        let reading = async {
            while let Some(frame) = self.frame().await {
                let Ok(data) = frame?.into_data() else {
                    continue;
                };
                if first.is_empty() && all.is_empty() {
                    first = data;
                } else {
                    if all.is_empty() {
                        all.extend_from_slice(&first);
                    }
                    all.extend_from_slice(&data);
                }
                if first.len().max(all.len()) > limit || self.is_end_stream() {
                    break;
                }
            }
            Ok::<_, hyper::Error>(())
        };
        tokio::time::timeout(patience, reading).await.ok()?.ok()?;
        Some(if all.is_empty() { first } else { all.freeze() })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.get_mut().0 {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) {
            tokio::spawn(tokio::time::timeout(DISCARD_TIME, discard(body)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = DISCARD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

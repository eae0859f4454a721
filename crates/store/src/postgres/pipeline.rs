//! Pipelining: every request is on its way before the first answer is awaited, so that a batch
//! costs one round trip whatever its size.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A request that has not been sent yet: the driver sends at the first poll.
pub(crate) type Request<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends all requests in order, then collects their answers in order. (A general join promises
/// no order of first polls, and the order is the transaction.)
pub(crate) async fn pipeline<T>(mut requests: Vec<Request<'_, T>>) -> Vec<T> {
    let mut early: Vec<Option<T>> = poll_fn(|context| {
        let first_poll = |request: &mut Request<'_, T>| match request.as_mut().poll(context) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        };
        Poll::Ready(requests.iter_mut().map(first_poll).collect())
    })
    .await;
    let mut answers = Vec::with_capacity(requests.len());
    for (request, early) in requests.iter_mut().zip(&mut early) {
        answers.push(match early.take() {
            Some(answer) => answer,
            None => request.await,
        });
    }
    answers
}

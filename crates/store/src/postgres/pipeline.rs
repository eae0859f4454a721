//! Pipelining: every request is on its way before the first answer is awaited, so that a batch
//! costs one round trip whatever its size.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A request that has not been sent yet: the driver sends at the first poll.
pub(crate) type Request<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Sends all requests in order, then collects their answers in order. (A general join promises
/// no order of first polls, and the order is the transaction.)
///
/// A request that fails before it is sent, because it cannot be encoded or nobody listens, keeps
/// those after it from being sent: there are fewer answers than requests, and the last is its
/// error.
pub(crate) async fn pipeline<T, E>(mut requests: Vec<Request<'_, T, E>>) -> Vec<Result<T, E>> {
    let mut early: Vec<Option<Result<T, E>>> = Vec::with_capacity(requests.len());
    poll_fn(|context| {
        for request in &mut requests {
            let answer = match request.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            };
            let unsent = matches!(answer, Some(Err(_)));
            early.push(answer);
            if unsent {
                break;
            }
        }
        Poll::Ready(())
    })
    .await;
    let mut answers = Vec::with_capacity(early.len());
    for (request, early) in requests.into_iter().zip(early) {
        answers.push(match early {
            Some(answer) => answer,
            None => request.await,
        });
    }
    answers
}

//! Work that is finished whether or not somebody still waits for it: between intent and record a
//! certificate must not be left lying because a client has hung up, nor a revocation between its
//! record and the lists that it makes out of date.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that its caller drives for as long as the caller is there, and the runtime afterwards:
/// a task of its own for each would cost more than the rest of the scheduling.
pub(crate) struct Finish<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send> Finish<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Finish(Some(Box::pin(work)))
    }
}

impl<T: Send> Future for Finish<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.0 else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finish<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::Finish;

    #[tokio::test]
    async fn what_is_dropped_half_done_is_finished() {
        let (go_on, gate) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let work = Finish::new(async move {
            gate.await.unwrap();
            done.send(()).unwrap();
        });
        timeout(Duration::from_millis(10), work).await.unwrap_err();
        go_on.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_awaited_gives_its_value() {
        assert_eq!(Finish::new(async { 7 }).await, 7);
    }
}

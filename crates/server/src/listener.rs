//! Sockets: accept, optional TLS, HTTP/1.1 and HTTP/2, limits, and an end that lets requests finish.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::Limits;
use crate::reply::Reply;

/// How long open requests may take once shutdown has begun.
const DRAIN: Duration = Duration::from_secs(10);

/// What answers requests on a listener.
pub(crate) trait Door: Send + Sync + 'static {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Reply>> + Send;
}

/// One listener's fixed parts.
pub(crate) struct Listener<D> {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) door: Arc<D>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) limits: Limits,
}

impl<D: Door> Listener<D> {
    /// Serves until `stop` turns true, then waits for open requests.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let head = Duration::from_secs(self.limits.head_seconds);
        let http = http(head);
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stopped| *stopped) => break,
            };
            let Some(stream) = usable(accepted).await else {
                continue;
            };
            // Past the limit the connection is closed at once: the client sees it and can try another node.
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                metrics::counter!("ward_connections_refused_total").increment(1);
                continue;
            };
            let (http, door, watcher) = (http.clone(), Arc::clone(&self.door), graceful.watcher());
            let tls = self.tls.clone().map(TlsAcceptor::from);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let door = Arc::clone(&door);
                    async move { Ok::<_, Infallible>(door.answer(request).await) }
                });
                let ended = match tls {
                    None => {
                        watcher
                            .watch(
                                http.serve_connection(TokioIo::new(stream), service)
                                    .into_owned(),
                            )
                            .await
                    }
                    Some(tls) => match tokio::time::timeout(head, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            watcher
                                .watch(
                                    http.serve_connection(TokioIo::new(stream), service)
                                        .into_owned(),
                                )
                                .await
                        }
                        Ok(Err(_)) | Err(_) => {
                            metrics::counter!("ward_tls_handshakes_failed_total").increment(1);
                            Ok(())
                        }
                    },
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                drop(slot);
            });
        }
        if tokio::time::timeout(DRAIN, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                "some requests did not end within {} s and were cut",
                DRAIN.as_secs()
            );
        }
    }
}

fn http(head: Duration) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(64)
        .pipeline_flush(true);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .keep_alive_interval(Some(head));
    http
}

/// A failed accept (out of descriptors, peer gone) is no reason to stop, nor to spin.
async fn usable(accepted: std::io::Result<(TcpStream, std::net::SocketAddr)>) -> Option<TcpStream> {
    match accepted {
        Ok((stream, _)) => {
            stream.set_nodelay(true).ok();
            Some(stream)
        }
        Err(error) => {
            tracing::warn!(%error, "accept failed");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

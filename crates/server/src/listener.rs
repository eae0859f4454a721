//! Sockets: accept, optional TLS, HTTP/1.1 and HTTP/2, limits, and an end that lets requests finish.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use enroll::device::Network;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::client_certificate::Session;
use crate::config::Limits;
use crate::old_tls::OldTls;
use crate::prompt::Prompt;
use crate::reply::Reply;

/// How long open requests may take once shutdown has begun.
const DRAIN: Duration = Duration::from_secs(10);

/// Most header fields of a request, and most bytes of its head.
const HEADERS: usize = 64;
const HEAD_BYTES: usize = 32 * 1024;

/// The client's preface of HTTP/2 (RFC 9113 §3.4): 24 octets, and the head of its SETTINGS frame.
const PREFACE: usize = 24 + 9;

/// What answers requests on a listener.
pub(crate) trait Door: Send + Sync + 'static {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<Reply>> + Send;
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// `None` on a plain connection.
    pub(crate) tls: Option<Session>,
}

/// What is below HTTP.
#[derive(Clone)]
pub(crate) enum Transport {
    Plain,
    Tls(Arc<rustls::ServerConfig>),
    /// For devices that know no TLS of today.
    OldTls(Arc<OldTls>),
}

/// One listener's fixed parts.
pub(crate) struct Listener<D> {
    pub(crate) socket: TcpListener,
    pub(crate) transport: Transport,
    /// Whose connections are taken; everybody's if there is none.
    pub(crate) networks: Vec<Network>,
    pub(crate) door: Arc<D>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) limits: Limits,
}

impl<D: Door> Listener<D> {
    /// Serves until `stop` turns true, then waits for open requests.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let head = Duration::from_secs(self.limits.head_seconds);
        let http = Http::new(head);
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stopped| *stopped) => break,
            };
            let Some((stream, address)) = usable(accepted).await else {
                continue;
            };
            let is_inside = |network: &Network| network.contains(address);
            if !self.networks.is_empty() && !self.networks.iter().any(is_inside) {
                metrics::counter!("ward_connections_refused_total").increment(1);
                continue;
            }
            // Past the limit the connection is closed at once: the client sees it and can try another node.
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                metrics::counter!("ward_connections_refused_total").increment(1);
                continue;
            };
            let (http, door, watcher) = (http.clone(), Arc::clone(&self.door), graceful.watcher());
            let transport = self.transport.clone();
            tokio::spawn(async move {
                let service = |tls| {
                    let peer = Peer { address, tls };
                    service_fn(move |request| {
                        let (door, peer) = (Arc::clone(&door), peer.clone());
                        async move { Ok::<_, Infallible>(door.answer(request, peer).await) }
                    })
                };
                let ended = match transport {
                    Transport::Plain => watcher.watch(http.one(stream, service(None))).await,
                    Transport::Tls(tls) => {
                        let accepting = TlsAcceptor::from(tls).accept(stream);
                        match tokio::time::timeout(head, accepting).await {
                            Ok(Ok(stream)) => {
                                let connection = stream.get_ref().1;
                                let is_two = connection.alpn_protocol() == Some(b"h2");
                                let service = service(Some(Session::of(connection)));
                                match is_two {
                                    true => {
                                        let stream = Prompt::new(stream, PREFACE, head);
                                        watcher.watch(http.two(stream, service)).await
                                    }
                                    false => watcher.watch(http.one(stream, service)).await,
                                }
                            }
                            Ok(Err(_)) | Err(_) => handshake_failed(),
                        }
                    }
                    Transport::OldTls(tls) => {
                        match tokio::time::timeout(head, tls.accept(stream, address)).await {
                            Ok(Some((stream, session))) => {
                                let service = service(Some(session));
                                watcher.watch(http.one(stream, service)).await
                            }
                            Ok(None) | Err(_) => handshake_failed(),
                        }
                    }
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

fn handshake_failed() -> hyper::Result<()> {
    metrics::counter!("ward_tls_handshakes_failed_total").increment(1);
    Ok(())
}

/// HTTP in its two versions. TLS says which one it is (ALPN); plain HTTP is version 1.1, since guessing from the first
/// bytes would be waiting without a deadline.
#[derive(Clone)]
struct Http {
    one: http1::Builder,
    two: http2::Builder<TokioExecutor>,
}

impl Http {
    fn new(head: Duration) -> Self {
        let mut one = http1::Builder::new();
        one.timer(TokioTimer::new())
            .header_read_timeout(head)
            .max_headers(HEADERS)
            .max_buf_size(HEAD_BYTES)
            .pipeline_flush(true);
        let mut two = http2::Builder::new(TokioExecutor::new());
        two.timer(TokioTimer::new())
            .max_concurrent_streams(128)
            .max_header_list_size(HEAD_BYTES as u32)
            .keep_alive_interval(Some(head));
        Self { one, two }
    }

    fn one<I, S>(&self, stream: I, service: S) -> http1::Connection<TokioIo<I>, S>
    where
        I: AsyncRead + AsyncWrite + Unpin,
        S: HttpService<Incoming, ResBody = Reply>,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.one.serve_connection(TokioIo::new(stream), service)
    }

    fn two<I, S>(&self, stream: I, service: S) -> http2::Connection<TokioIo<I>, S, TokioExecutor>
    where
        I: AsyncRead + AsyncWrite + Unpin,
        S: HttpService<Incoming, ResBody = Reply, Future: Send + 'static>,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.two.serve_connection(TokioIo::new(stream), service)
    }
}

/// A failed accept (out of descriptors, peer gone) is no reason to stop, nor to spin.
async fn usable(accepted: std::io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, IpAddr)> {
    match accepted {
        Ok((stream, peer)) => {
            stream.set_nodelay(true).ok();
            // An IPv4 client of an IPv6 socket is known by its own address.
            Some((stream, peer.ip().to_canonical()))
        }
        Err(error) => {
            tracing::warn!(%error, "accept failed");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

//! Listeners, REST, status delivery, the loops that keep everything fresh, and their wiring. No decisions are made here.

pub mod config;

mod acme;
mod agents;
mod alerts;
mod api;
mod bundles;
mod client_certificate;
mod clock;
mod console;
mod devices;
mod events;
mod listener;
mod loops;
mod notices;
mod old_tls;
mod own_certificate;
mod problem;
mod prompt;
mod public;
mod reply;
mod request_body;
mod risk;
mod scans;
mod signin;
mod sockets;
mod tls;
mod webhook;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use audit::Timestamp;
use hyper::body::Incoming;
use hyper::{Request, Response};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use config::Config;
use devices::LegacyDoor;
use listener::{Door, Listener, Peer, Transport};
use old_tls::OldTls;
use reply::Reply;
use request_body::RequestBody;

pub use clock::wall_clock;
pub use signin::first_administrator;
pub use sockets::Sockets;

/// Everything that requests and loops share.
pub(crate) struct Services {
    pub(crate) config: Config,
    pub(crate) store: store::Store,
    pub(crate) access: access::Access,
    pub(crate) ca: ca::Ca,
    pub(crate) acme: enroll::Acme,
    pub(crate) fleet: fleet::Fleet,
    pub(crate) devices: enroll::device::Devices,
    pub(crate) bundles: fleet::bundle::Bundles,
    pub(crate) sign_in: signin::SignIn,
    /// What happens, for whoever watches.
    pub(crate) events: events::Hub,
    /// Agents that have asked this server, and what they said of themselves last.
    pub(crate) seen_agents: agents::Seen,
    /// No other server works on this database.
    pub(crate) alone: bool,
    metrics: PrometheusHandle,
}

impl Services {
    /// The one place where a running server reads the clock.
    pub(crate) fn now(&self) -> Timestamp {
        wall_clock()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Ca(#[from] ca::CaError),
    #[error("ACME: {0}")]
    Acme(#[from] enroll::AcmeError),
    #[error("device enrolment: {0}")]
    Devices(#[from] enroll::device::DeviceError),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("TLS for old devices, segment {segment}: {source}")]
    OldTls {
        segment: String,
        source: oldtls::Error,
    },
    #[error("metrics: {0}")]
    Metrics(String),
}

/// What a started server listens on: ports may have been chosen by the system.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub api: SocketAddr,
    pub status: SocketAddr,
    /// One for each `[[listen.legacy]]`, in its order.
    pub legacy: Vec<LegacyAddress>,
}

/// Where old devices are answered.
#[derive(Clone, Copy, Debug)]
pub struct LegacyAddress {
    pub address: SocketAddr,
    /// Otherwise plain HTTP.
    pub tls: bool,
}

/// Runs until `stop` resolves, then lets open requests end. `started` learns the addresses once both listeners answer.
pub async fn serve(
    config: Config,
    mut sockets: Sockets,
    store: store::Store,
    access: access::Access,
    ca: ca::Ca,
    started: impl FnOnce(Addresses),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let lock = store.lock_server()?;
    let metrics = recorder()?;
    let alone = lock.is_exclusive();
    let acme = enroll::Acme::open(ca.clone(), &config.data, alone, acme::validate()).await?;
    let fleet = fleet::Fleet::open(ca.clone()).map_err(enroll::device::DeviceError::from)?;
    let devices =
        enroll::device::Devices::open(ca.clone(), fleet.clone(), webhook::caller(&ca)).await?;
    let bundles = fleet::bundle::Bundles::open(ca.clone());
    let sign_in = signin::SignIn::open(&config, &ca)?;
    let services = Arc::new(Services {
        config,
        store,
        access,
        ca,
        acme,
        fleet,
        devices,
        bundles,
        sign_in,
        events: events::Hub::default(),
        seen_agents: agents::Seen::default(),
        alone,
        metrics,
    });
    if services.alone {
        // A database that cannot be written now keeps them until it can: a loop tries again.
        if let Err(error) = services.ca.void_abandoned(true, services.now()).await {
            tracing::warn!(%error, "what a crash left open is not voided yet");
        }
        let cut_off = services.access.end_cut_off_calls(true, services.now());
        if let Err(error) = cut_off.await {
            tracing::warn!(%error, "calls that a crash cut off are not ended yet");
        }
    }
    if let Err(error) = services.ca.keep_serials(services.now()).await {
        tracing::warn!(%error, "no serial numbers are reserved yet");
    }
    let certificate = tls::CurrentCertificate::none();
    own_certificate::ensure(&services, &certificate).await?;
    // Ready before the first question. Where it fails (a full disk), the loop tries again and the rest is served.
    if let Err(error) = services.ca.ensure_responders(services.now()).await {
        tracing::error!(%error, "OCSP responders are not ready");
    }

    let (stopping, stopped) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(services.config.limits.connections));
    let api_socket = sockets.take_or_bind(services.config.api).await?;
    let status_socket = sockets.take_or_bind(services.config.status).await?;
    let mut addresses = Addresses {
        api: local(&api_socket, services.config.api),
        status: local(&status_socket, services.config.status),
        legacy: Vec::new(),
    };
    let mut legacy = Vec::new();
    let mut old = Vec::new();
    for listener in &services.config.legacy {
        let transport = match &listener.tls {
            None => Transport::Plain,
            Some(tls) => {
                let tls = OldTls::new(&listener.segment, tls);
                old_tls::ensure(&services, &tls).await?;
                old.push(Arc::clone(&tls));
                Transport::OldTls(tls)
            }
        };
        let socket = sockets.take_or_bind(listener.address).await?;
        let address = local(&socket, listener.address);
        addresses.legacy.push(LegacyAddress {
            address,
            tls: listener.tls.is_some(),
        });
        devices::record_opening(&services, listener, address).await?;
        legacy.push(Listener {
            socket,
            transport,
            networks: listener.networks.clone(),
            door: Arc::new(LegacyDoor {
                services: Arc::clone(&services),
                listener: listener.clone(),
            }),
            slots: Arc::clone(&slots),
            limits: services.config.limits.clone(),
        });
    }
    sockets.warn_of_unused();
    let api = Listener {
        socket: api_socket,
        transport: Transport::Tls(tls::server_config(certificate.clone())?),
        networks: Vec::new(),
        door: Arc::new(Front {
            services: Arc::clone(&services),
            secure: true,
            router: api::router(Arc::clone(&services)),
        }),
        slots: Arc::clone(&slots),
        limits: services.config.limits.clone(),
    };
    let public = Listener {
        socket: status_socket,
        transport: Transport::Plain,
        networks: Vec::new(),
        door: Arc::new(Front {
            services: Arc::clone(&services),
            secure: false,
            router: api::public_router(Arc::clone(&services)),
        }),
        slots,
        limits: services.config.limits.clone(),
    };
    let mut listeners = vec![
        tokio::spawn(api.run(stopped.clone())),
        tokio::spawn(public.run(stopped.clone())),
    ];
    let legacy = legacy.into_iter();
    listeners.extend(legacy.map(|listener| tokio::spawn(listener.run(stopped.clone()))));
    let loops = loops::start(&services, &certificate, &old, stopped);
    started(addresses);
    stop.await;
    tracing::info!("stopping: no new connections, open requests may end");
    stopping.send_replace(true);
    for task in listeners.into_iter().chain(loops) {
        if task.await.is_err() {
            tracing::error!("a task ended by panic");
        }
    }
    if let Err(error) = services.ca.release_serials(services.now()).await {
        tracing::warn!(%error, "reserved serial numbers are not given back: the next start voids them");
    }
    Ok(())
}

/// The process has one recorder, however many servers it runs, and however many of them start at once.
fn recorder() -> Result<PrometheusHandle, ServeError> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| ServeError::Metrics(error.to_string()))?;
    Ok(recorder.insert(handle).clone())
}

fn local(socket: &TcpListener, asked: SocketAddr) -> SocketAddr {
    socket.local_addr().unwrap_or(asked)
}

/// Public documents first, on either listener: they are the hot paths. Only HTTPS has ACME, the device protocols and the
/// API, so that credentials never travel in the clear (RFC 8555 §6.1, RFC 7030 §3.3).
struct Front {
    services: Arc<Services>,
    /// HTTPS.
    secure: bool,
    router: axum::Router,
}

impl Door for Front {
    async fn answer(self: &Arc<Self>, request: Request<Incoming>, peer: Peer) -> Response<Reply> {
        let request = match public::answer(&self.services, request).await {
            Ok(response) => return response,
            Err(request) => request,
        };
        if !self.secure {
            return routed(&self.router, request, &peer).await;
        }
        let request = match acme::answer(&self.services, request, peer.address).await {
            Ok(response) => return response,
            Err(request) => request,
        };
        let request = match devices::answer(&self.services, request, &peer).await {
            Ok(response) => return response,
            Err(request) => request,
        };
        let request = match agents::answer(&self.services, request, &peer).await {
            Ok(response) => return response,
            Err(request) => request,
        };
        let mut response = match console::answer(request) {
            Ok(response) => response,
            Err(request) => routed(&self.router, request, &peer).await,
        };
        let is_local = self.services.sign_in.party.id == "localhost";
        signin::headers::secure(response.headers_mut(), is_local);
        response
    }
}

async fn routed(
    router: &axum::Router,
    mut request: Request<Incoming>,
    peer: &Peer,
) -> Response<Reply> {
    request.extensions_mut().insert(peer.clone());
    match router
        .clone()
        .oneshot(request.map(|body| axum::body::Body::new(RequestBody::new(body))))
        .await
    {
        Ok(response) => Reply::routed(response),
        Err(never) => match never {},
    }
}

//! The way to the core: HTTPS with TLS 1.2 or 1.3, the core known by the roots that were pinned at enrolment and nothing
//! else, the agent by its certificate. One connection a question, so that a line that breaks costs one question.

use super::batch::Batch;
use super::core::{Core, CoreError, Poll, Polled, Renewed, Taken};
use super::home::{Home, HomeError, Identity, Ticket};
use super::order::Ceiling;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use parking_lot::RwLock;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Most bytes of an answer: as many orders as an agent takes at a time are never so large.
const ANSWER: usize = 16 << 20;
/// For an answer, beyond what the core was told that it may wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of an enrolment.
pub type Enrolled = Identity;

/// An agent's line to its core.
pub struct Client {
    home: Home,
    line: RwLock<Line>,
}

/// Whom to call, and as whom.
#[derive(Clone)]
struct Line {
    base: Uri,
    tls: Arc<ClientConfig>,
    identity: Option<Identity>,
}

/// Enrols by a ticket. The key is made here and never leaves; `narrower` lowers the ceiling that the ticket gives.
/// If the answer is lost, the same ticket can be used again from the same folder.
pub async fn enrol(
    home: &Home,
    ticket: &Ticket,
    narrower: Option<Ceiling>,
) -> Result<Enrolled, CoreError> {
    let ceiling = match narrower {
        None => ticket.ceiling.clone(),
        Some(own) => {
            let within = own.is_within(&ticket.ceiling);
            within
                .map_err(|what| CoreError::Refused(format!("the ticket does not allow {what}")))?;
            own
        }
    };
    home.prepare().map_err(refused)?;
    let request = home.request(&ticket.agent).map_err(refused)?;
    let line = Line {
        base: uri(&ticket.core)?,
        tls: tls(&ticket.roots, None)?,
        identity: None,
    };
    let asked = Asked {
        agent: Some(&ticket.agent),
        token: Some(&ticket.token),
        csr: pem(&request.csr),
    };
    let given: Renewed = line.ask("/agent/v1/enrol", &asked, PATIENCE).await?;
    home.enrol(ticket, ceiling, &request, &given)
        .map_err(refused)
}

/// What enrolment and renewal ask.
#[derive(Serialize)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    csr: String,
}

impl Client {
    pub fn new(home: Home) -> Result<Self, CoreError> {
        let identity = home.identity().map_err(refused)?;
        let line = Line::of(&home, identity)?;
        Ok(Self {
            home,
            line: RwLock::new(line),
        })
    }

    fn line(&self) -> Line {
        self.line.read().clone()
    }
}

impl Core for Client {
    async fn poll(&self, poll: &Poll) -> Result<Polled, CoreError> {
        let patience = PATIENCE + Duration::from_secs(poll.wait);
        self.line().ask("/agent/v1/orders", poll, patience).await
    }

    async fn hand_over(&self, batch: &Batch) -> Result<Taken, CoreError> {
        let body = batch.body.clone();
        let line = self.line();
        line.send("/agent/v1/results", "application/jsonl", body, PATIENCE)
            .await
    }

    async fn renew(&self, now: i64) -> Result<bool, CoreError> {
        let line = self.line();
        let Some(identity) = line.identity.clone() else {
            return Ok(false);
        };
        let certificate = identity.certificate().map_err(refused)?;
        let (from, until) = (certificate.not_before().0, certificate.not_after().0);
        if now / 1000 < from + (until - from) / 3 * 2 {
            return Ok(false);
        }
        let request = self.home.request(&identity.agent).map_err(refused)?;
        let asked = Asked {
            agent: None,
            token: None,
            csr: pem(&request.csr),
        };
        let given: Renewed = line.ask("/agent/v1/renew", &asked, PATIENCE).await?;
        let renewed = self
            .home
            .certified(identity, &request, &given)
            .map_err(refused)?;
        let line = Line::of(&self.home, renewed)?;
        *self.line.write() = line;
        Ok(true)
    }
}

impl Line {
    fn of(home: &Home, identity: Identity) -> Result<Self, CoreError> {
        let key = home.key(&identity).map_err(refused)?;
        Ok(Self {
            base: uri(&identity.core)?,
            tls: tls(&identity.roots, Some((&identity.chain, &key)))?,
            identity: Some(identity),
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        asked: &impl Serialize,
        patience: Duration,
    ) -> Result<T, CoreError> {
        let body = serde_json::to_vec(asked).map_err(refused)?;
        self.send(path, "application/json", body, patience).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<T, CoreError> {
        match timeout(patience, self.exchange(path, kind, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(CoreError::Away(format!(
                "no answer within {} s",
                patience.as_secs()
            ))),
        }
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<T, CoreError> {
        let host = self.base.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.base.port_u16().unwrap_or(443);
        let tcp = TcpStream::connect((host, port)).await.map_err(away)?;
        tcp.set_nodelay(true).map_err(away)?;
        let name = ServerName::try_from(host.to_owned()).map_err(refused)?;
        // A core whose certificate is not one of ours may be ours again in a minute: it renews its own.
        let tls = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, tcp)
            .await
            .map_err(away)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(away)?;
        let connection = AbortOnDrop(tokio::spawn(async move {
            // What went wrong is told by the answer that does not come.
            connection.await.ok();
        }));
        let authority = self
            .base
            .authority()
            .map_or("", |authority| authority.as_str());
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, authority)
            .header(header::CONTENT_TYPE, kind)
            .header(
                header::USER_AGENT,
                concat!("ward-agent/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(bytes::Bytes::from(body)))
            .map_err(refused)?;
        let response = sender.send_request(request).await.map_err(away)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER)
            .collect()
            .await
            .map_err(away)?;
        drop(connection);
        let body = body.to_bytes();
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| {
                CoreError::Refused(format!("an answer that is not understood: {error}"))
            }),
            StatusCode::UNAUTHORIZED => Err(CoreError::Unknown(said(&body))),
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
                Err(CoreError::Refused(said(&body)))
            }
            status => Err(CoreError::Away(format!(
                "status {}: {}",
                status.as_u16(),
                said(&body)
            ))),
        }
    }
}

/// A question that nobody waits for any more ends with its connection.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a problem document says (RFC 9457), or the beginning of whatever came instead.
pub(super) fn said(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = json.as_ref().and_then(|json| json.get("detail")?.as_str());
    let text = detail.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn uri(base: &str) -> Result<Uri, CoreError> {
    let uri: Uri = base.parse().map_err(refused)?;
    match uri.scheme_str() == Some("https") && uri.host().is_some() {
        true => Ok(uri),
        false => Err(CoreError::Refused(format!(
            "`{base}` is no https:// address"
        ))),
    }
}

/// TLS towards a core with one of `roots` above it; with the agent's own certificate once it has one.
fn tls(roots: &str, own: Option<(&str, &[u8])>) -> Result<Arc<ClientConfig>, CoreError> {
    let mut store = RootCertStore::empty();
    for root in certificates(roots)? {
        store.add(root).map_err(refused)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(refused)?
        .with_root_certificates(store);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
            builder
                .with_client_auth_cert(certificates(chain)?, key)
                .map_err(refused)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CoreError> {
    let blocks = x509::pem::decode_all(pem.as_bytes()).map_err(refused)?;
    Ok(blocks
        .into_iter()
        .map(|block| CertificateDer::from(block.der))
        .collect())
}

fn pem(csr: &[u8]) -> String {
    x509::pem::encode("CERTIFICATE REQUEST", csr)
}

fn away(error: impl std::fmt::Display) -> CoreError {
    CoreError::Away(error.to_string())
}

fn refused(error: impl std::fmt::Display) -> CoreError {
    CoreError::Refused(error.to_string())
}

impl From<HomeError> for CoreError {
    fn from(error: HomeError) -> Self {
        refused(error)
    }
}

//! Asks the programs that decide about enrolments (`enroll::device::Webhook`), and tells others what they must know: one
//! POST over HTTPS or HTTP, signed, within its time. No redirect is followed, nothing is tried twice here: the device asks
//! again, an alert is kept.
//!
//! Over HTTPS the program is known by a certificate from the system's trust store or from one of Ward's own roots.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ca::Ca;
use enroll::device::{Answer, Ask, Call, Unanswered};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::wall_clock;

/// Most bytes of an answer.
const ANSWER: usize = 64 * 1024;
/// Where Debian, and most others, keep the system's trust store.
const SYSTEM_STORE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What a program over HTTPS is known by, as it was at the first question.
pub(crate) type Trust = OnceLock<Arc<ClientConfig>>;

/// A caller of webhooks.
pub(crate) fn caller(ca: &Ca) -> Ask {
    let ca = ca.clone();
    let trust = Arc::new(OnceLock::new());
    Arc::new(move |call| {
        let (ca, trust) = (ca.clone(), Arc::clone(&trust));
        Box::pin(async move {
            match tokio::time::timeout(call.timeout, exchange(&ca, &trust, &call)).await {
                Ok(answer) => answer.map_err(Unanswered),
                Err(_) => Err(Unanswered(format!(
                    "no answer within {} ms",
                    call.timeout.as_millis()
                ))),
            }
        })
    })
}

async fn exchange(ca: &Ca, trust: &Trust, call: &Call) -> Result<Answer, String> {
    answer(send(ca, trust, call).await?)
}

/// Status and body of what came back.
pub(crate) async fn send(ca: &Ca, trust: &Trust, call: &Call) -> Result<(u16, Bytes), String> {
    let uri: Uri = call.url.parse().map_err(|error| text(&error))?;
    ask(ca, trust, &uri, signed(call)?).await
}

/// One request to whoever `uri` names: status and body of the answer.
pub(crate) async fn ask(
    ca: &Ca,
    trust: &Trust,
    uri: &Uri,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), String> {
    let host = uri.host().ok_or("the URL names no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(|error| text(&error))?;
    if !is_tls {
        return over(tcp, uri, request).await;
    }
    let config = Arc::clone(trust.get_or_init(|| config(ca)));
    let name = ServerName::try_from(host.to_owned()).map_err(|error| text(&error))?;
    let tls = TlsConnector::from(config).connect(name, tcp).await;
    over(tls.map_err(|error| text(&error))?, uri, request).await
}

/// What a program is asked.
fn signed(call: &Call) -> Result<Request<Full<Bytes>>, String> {
    let seconds = wall_clock().seconds();
    Request::builder()
        .method(Method::POST)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .header("ward-signature", call.signature(seconds))
        .header("ward-request", call.request_id.as_str())
        .body(Full::new(Bytes::copy_from_slice(&call.body)))
        .map_err(|error| text(&error))
}

/// One request over a connection of its own.
async fn over<S>(
    stream: S,
    uri: &Uri,
    mut request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| text(&error))?;
    let connection = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to another program ended badly");
        }
    });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    *request.uri_mut() = path.parse().map_err(|error| text(&error))?;
    let headers = request.headers_mut();
    let host = HeaderValue::from_str(host).map_err(|error| text(&error))?;
    headers.insert(header::HOST, host);
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Ward"));
    let answered = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| text(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok((status.as_u16(), body))
    };
    let answer = answered.await;
    connection.abort();
    answer
}

fn answer((status, body): (u16, Bytes)) -> Result<Answer, String> {
    match status {
        200 => serde_json::from_slice(&body).map_err(|error| format!("not understood: {error}")),
        other => Err(format!("status {other}")),
    }
}

/// The system's trust store and Ward's own roots, as they are at the first question.
fn config(ca: &Ca) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let system = std::fs::read(SYSTEM_STORE).unwrap_or_default();
    let blocks = x509::pem::decode_all(&system).unwrap_or_default();
    let own = ca.issuers();
    let own = own
        .iter()
        .map(|issuer| issuer.certificate())
        .filter(|certificate| certificate.subject() == certificate.issuer())
        .map(|certificate| CertificateDer::from(certificate.der().to_vec()));
    let system = blocks
        .into_iter()
        .map(|block| CertificateDer::from(block.der));
    roots.add_parsable_certificates(system.chain(own));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    // The provider has the suites of both versions; without them nothing here would serve.
    let builder = match builder.with_safe_default_protocol_versions() {
        Ok(builder) => builder,
        Err(_) => ClientConfig::builder(),
    };
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn text(error: &dyn std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use zeroize::Zeroizing;

    use super::*;

    /// A program that answers one request, and what it was asked.
    async fn program(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/decide?for=ward", socket.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut stream, _) = socket.accept().await.unwrap();
            let mut asked = Vec::new();
            while !String::from_utf8_lossy(&asked).ends_with("{\"serial\":\"SN-1\"}") {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).await.unwrap();
                asked.extend_from_slice(&piece[..read]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            String::from_utf8(asked).unwrap()
        });
        (url, task)
    }

    fn call(url: String) -> Call {
        Call {
            url,
            body: b"{\"serial\":\"SN-1\"}".to_vec(),
            secret: Zeroizing::new(b"secret".to_vec()),
            timeout: Duration::from_secs(5),
            request_id: "q1".to_owned(),
        }
    }

    async fn asked(url: String) -> Result<Answer, String> {
        let uri: Uri = url.parse().unwrap();
        let address = uri.authority().unwrap().as_str().to_owned();
        let stream = TcpStream::connect(address).await.unwrap();
        answer(over(stream, &uri, signed(&call(url))?).await?)
    }

    #[tokio::test]
    async fn r07_a_question_is_signed_and_its_answer_read() {
        let (url, task) = program(
            "HTTP/1.1 200 OK\r\ncontent-length: 51\r\n\r\n{\"decision\":\"deny\",\"reason\":\"not in the inventory\"}\n",
        )
        .await;
        let answer = asked(url).await.unwrap();
        let reason = "not in the inventory".to_owned();
        assert_eq!(answer, Answer::Deny { reason });
        let question = task.await.unwrap().to_ascii_lowercase();
        assert!(
            question.starts_with("post /decide?for=ward http/1.1\r\n"),
            "{question}"
        );
        let line = question
            .lines()
            .find(|line| line.starts_with("ward-signature:"))
            .unwrap();
        let seconds = line.split("t=").nth(1).unwrap().split(',').next().unwrap();
        let expected = call(String::new()).signature(seconds.parse().unwrap());
        assert_eq!(line, format!("ward-signature: {expected}"));
    }

    #[tokio::test]
    async fn r07_what_is_no_answer_is_none() {
        for answer in [
            "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"decision\":\"perhaps\"}",
            "not HTTP\r\n\r\n",
        ] {
            let (url, _task) = program(answer).await;
            assert!(asked(url).await.is_err(), "{answer}");
        }
    }
}

//! http-01 (RFC 8555 §8.3): the server that the name points to has the key authorization at a
//! well-known place.
//!
//! The server may send us on. Each step is a new URL, vetted like the first one; none is fetched twice.

use std::{future::Future, pin::pin, task::Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Check, Failure, FailureKind, Identifier, Rules,
    attempt::Attempt,
    connect, tls,
    url::{Host, Url},
};

/// Octets of a response's head, and header fields in it. A challenge server has no reason for more.
const MAX_HEAD: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;
/// Characters of a wrong answer that the subscriber is shown.
const SHOWN: usize = 60;
const AGENT: &str = concat!(
    "ward/",
    env!("CARGO_PKG_VERSION"),
    " (ACME http-01; RFC 8555)"
);

pub(super) async fn prove(check: &Check, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let rules = &check.rules;
    let mut url = first_url(check);
    loop {
        attempt.proof.urls.push(url.to_string());
        match fetch(&url, rules, attempt).await? {
            Fetched::Body(body) => return judge(&url, &body, check),
            Fetched::Redirect(location) => url = next_url(&url, &location, rules, attempt)?,
        }
    }
}

fn first_url(check: &Check) -> Url {
    Url {
        tls: false,
        host: match &check.identifier {
            Identifier::Dns(name) => Host::Dns(name.clone()),
            Identifier::Ip(address) => Host::Ip(*address),
        },
        port: check.rules.http_port,
        target: format!("/.well-known/acme-challenge/{}", check.token),
    }
}

/// What a server answered.
enum Fetched {
    Body(Bytes),
    Redirect(Vec<u8>),
}

fn next_url(
    url: &Url,
    location: &[u8],
    rules: &Rules,
    attempt: &Attempt<'_>,
) -> Result<Url, Failure> {
    let no = |why: String| {
        let shown = printable(location, SHOWN);
        incorrect(format!(
            "{url} redirects to {shown:?}, which is not followed: {why}"
        ))
    };
    let next = url.join(location).map_err(|e| no(e.to_string()))?;
    if ![80, 443, rules.http_port, rules.tls_port].contains(&next.port) {
        return Err(no(format!("port {} is not one of a web server", next.port)));
    }
    let text = next.to_string();
    if attempt.proof.urls.contains(&text) {
        return Err(no("it was fetched already, so this is a loop".to_owned()));
    }
    if attempt.proof.urls.len() > usize::from(rules.max_redirects) {
        return Err(no(format!("more than {} redirects", rules.max_redirects)));
    }
    Ok(next)
}

/// What may come on one connection: a TLS handshake, heads of interim responses, and a body in the
/// smallest chunks there are (6 octets for one).
fn most_read(rules: &Rules) -> usize {
    let body = usize::try_from(rules.max_body).unwrap_or(usize::MAX);
    body.saturating_mul(6).saturating_add(128 * 1024)
}

async fn fetch(url: &Url, rules: &Rules, attempt: &mut Attempt<'_>) -> Result<Fetched, Failure> {
    let addresses = connect::vetted(&url.host, rules, attempt).await?;
    let stream = connect::connect(&addresses, url.port, most_read(rules), attempt).await?;
    let deadline = attempt.deadline;
    let exchange = async {
        if url.tls {
            let stream = tls::connect_to_web_server(stream, &url.host).await?;
            get(stream, url, rules).await
        } else {
            get(stream, url, rules).await
        }
    };
    match deadline.run(exchange).await {
        Ok(fetched) => fetched,
        Err(late) => Err(Failure::new(
            FailureKind::Connection,
            format!("fetching {url}: {late}"),
        )),
    }
}

/// One request on a connection of its own, driven here so that no task outlives the check.
async fn get<S>(stream: S, url: &Url, rules: &Rules) -> Result<Fetched, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |e: hyper::Error| {
        Failure::new(
            FailureKind::Connection,
            format!("fetching {url}: {}", in_full(&e)),
        )
    };
    let request = Request::get(url.target.as_str())
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| incorrect(format!("{url}: {e}")))?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_FIELDS);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, url, rules).await
    };
    let (mut connection, mut answer) = (pin!(connection), pin!(answer));
    let mut closed = false;
    std::future::poll_fn(|cx| {
        // Twice: the request reaches the connection in the first round, the answer us in the second.
        for _ in 0..2 {
            if let Poll::Ready(done) = answer.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            // Its errors reach us through the answer.
            closed = closed || connection.as_mut().poll(cx).is_ready();
        }
        Poll::Pending
    })
    .await
}

async fn read(response: Response<Incoming>, url: &Url, rules: &Rules) -> Result<Fetched, Failure> {
    let status = response.status();
    if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        let mut locations = response.headers().get_all(LOCATION).iter();
        return match (locations.next(), locations.next()) {
            (Some(location), None) => Ok(Fetched::Redirect(location.as_bytes().to_vec())),
            _ => Err(incorrect(format!(
                "{url} answered {status} without one Location"
            ))),
        };
    }
    if status != StatusCode::OK {
        return Err(Failure::new(
            FailureKind::Unauthorized,
            format!("{url} answered {status}; the key authorization comes with 200 OK"),
        ));
    }
    let most = usize::try_from(rules.max_body).unwrap_or(usize::MAX);
    let too_long = || incorrect(format!("{url} answered with more than {most} octets"));
    let mut body = response.into_body();
    let announced = hyper::body::Body::size_hint(&body).lower();
    if announced > u64::from(rules.max_body) {
        return Err(too_long());
    }
    let mut collected: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| {
            let why = in_full(&e);
            Failure::new(
                FailureKind::Connection,
                format!("reading the answer of {url}: {why}"),
            )
        })?;
        if let Some(data) = frame.data_ref() {
            if collected.len() + data.len() > most {
                return Err(too_long());
            }
            collected.extend_from_slice(data);
        }
    }
    Ok(Fetched::Body(collected.into()))
}

/// "The server SHOULD ignore whitespace characters at the end of the body" (§8.3).
fn judge(url: &Url, body: &[u8], check: &Check) -> Result<(), Failure> {
    if body.trim_ascii_end() == check.key_authorization.as_bytes() {
        return Ok(());
    }
    let expected = &check.key_authorization;
    let own = match (&url.host, &check.identifier) {
        (Host::Dns(a), Identifier::Dns(b)) => a == b,
        (Host::Ip(a), Identifier::Ip(b)) => a == b,
        _ => false,
    };
    // Somebody else's answer is not shown: it would make the validator a way to read it.
    let found = if own {
        format!("{:?}", printable(body, SHOWN))
    } else {
        "something else".to_owned()
    };
    Err(Failure::new(
        FailureKind::Unauthorized,
        format!("{url} answered {found}; the key authorization is {expected:?}"),
    ))
}

fn printable(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes));
    text.chars().filter(|c| !c.is_control()).collect()
}

fn incorrect(detail: String) -> Failure {
    Failure::new(FailureKind::IncorrectResponse, detail)
}

/// An error with its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

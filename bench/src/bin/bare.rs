//! `bare`: a hyper server that answers every request with the same bytes. It does nothing that a
//! certificate status responder could leave out, so it is the ceiling that Ward's is measured against.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use tokio::net::{TcpListener, TcpStream};

/// Size of a P-256 OCSP answer without certificates.
const ANSWER_BYTES: usize = 320;

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse::<u16>().ok());
    let Some(port) = port else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "usage: bare PORT",
        ));
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let answer = Bytes::from(vec![0x30; ANSWER_BYTES]);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, answer.clone()));
    }
}

async fn serve(stream: TcpStream, answer: Bytes) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            // The request must be read, as any responder must.
            let _ = request.into_body().collect().await;
            let mut response = Response::new(Full::new(answer));
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static("application/ocsp-response"),
            );
            Ok::<_, Infallible>(response)
        }
    });
    // A client that goes away is not an error of the yardstick.
    let _ = hyper::server::conn::http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

//! The web server that a CA asks for an http-01 token (RFC 8555 §8.3). One answer a connection, nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request for a token has a short head; more than this is not one.
const MAX_HEAD: usize = 8 * 1024;
const PREFIX: &str = "GET /.well-known/acme-challenge/";

/// Tokens that are out, and the key authorization of each.
#[derive(Clone, Default)]
pub struct Tokens(Rc<RefCell<HashMap<String, String>>>);

impl Tokens {
    pub fn put(&self, token: &str, key_authorization: String) {
        self.0
            .borrow_mut()
            .insert(token.to_owned(), key_authorization);
    }

    pub fn remove(&self, token: &str) {
        self.0.borrow_mut().remove(token);
    }

    fn find(&self, token: &str) -> Option<String> {
        self.0.borrow().get(token).cloned()
    }
}

/// Answers until the task is dropped. Must run in a `LocalSet`.
pub async fn serve(address: SocketAddr, tokens: Tokens) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::task::spawn_local(answer(stream, tokens.clone()));
    }
}

async fn answer(mut stream: TcpStream, tokens: Tokens) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let token = head
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split(' ').next());
    let text = match token.and_then(|token| tokens.find(token)) {
        Some(found) => format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{found}",
            found.len()
        ),
        None => {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        }
    };
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

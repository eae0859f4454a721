//! Peers that do what no proper server does, by a script, and the bytes of TLS to do it with.

use crate::support::{LOCALHOST, free_port};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A listener whose connections are each given to a script, one thread each.
pub(crate) struct Peer {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Peer {
    pub(crate) fn start(script: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::at(LOCALHOST, free_port(), usize::MAX, script)
    }

    /// A peer that stops listening after so many connections.
    pub(crate) fn at(
        address: IpAddr,
        port: u16,
        until: usize,
        script: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, port)).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, counter) = (Arc::new(script), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().take(until) {
                counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(stream.unwrap()));
            }
        });
        Self { port, connections }
    }

    pub(crate) fn count(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one record and gives it with its header.
pub(crate) fn read_record(stream: &mut TcpStream) -> Vec<u8> {
    let mut record = vec![0; 5];
    if stream.read_exact(&mut record).is_err() {
        return Vec::new();
    }
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    let _ = stream.read_exact(&mut record[5..]);
    record
}

/// Reads until the other side closes: a server with manners.
pub(crate) fn drain(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    rest
}

/// Writes without minding whether anybody still reads.
pub(crate) fn say(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // RFC 5246 §6.2.1: fragments of at most 2^14.
    for piece in body.chunks(1 << 14) {
        out.extend([kind, 3, 3]);
        out.extend((piece.len() as u16).to_be_bytes());
        out.extend(piece);
    }
    out
}

pub(crate) fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// ServerHello of TLS 1.2 with a suite (RFC 5246 §7.4.1.3).
pub(crate) fn server_hello(suite: u16) -> Vec<u8> {
    let body = [&[3, 3], &[9; 32][..], &[0], &suite.to_be_bytes(), &[0]].concat();
    handshake(2, &body)
}

/// Certificate of TLS 1.2 (§7.4.2).
pub(crate) fn certificate(chain: &[Vec<u8>]) -> Vec<u8> {
    let vector = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat();
    let list: Vec<u8> = chain.iter().flat_map(|one| vector(one)).collect();
    handshake(11, &vector(&list))
}

/// A whole server flight with RSA key exchange.
pub(crate) fn flight(chain: &[Vec<u8>]) -> Vec<u8> {
    let messages = [server_hello(0x002f), certificate(chain), handshake(14, b"")].concat();
    record(22, &messages)
}

/// A proper server as far as the scanner goes with it.
pub(crate) fn shows(chain: Vec<Vec<u8>>) -> impl Fn(TcpStream) + Send + Sync + 'static {
    move |mut stream| {
        if read_record(&mut stream).is_empty() {
            return;
        }
        say(&mut stream, &flight(&chain));
        drain(&mut stream);
    }
}

/// How long a thing took.
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn took(&self) -> Duration {
        self.0.elapsed()
    }
}

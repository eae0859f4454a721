//! A DNS server that answers whatever a test says, right or wrong. Its bytes are written by hand after
//! RFC 1035 §4, independent of the code they test.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

/// A question as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) id: [u8; 2],
    /// Lower case, dotted.
    pub(crate) name: String,
    pub(crate) kind: u16,
    /// Wire form of the question.
    pub(crate) question: Vec<u8>,
    pub(crate) tcp: bool,
    /// How many questions came before this one.
    pub(crate) before: usize,
}

pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl DnsServer {
    /// `answer` gives all datagrams to be sent back, in order; over TCP the first one.
    pub(crate) fn start(
        answer: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> DnsServer {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let (log, reply) = (asked.clone(), answer.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
                let question = note(&buffer[..length], false, &log);
                for datagram in reply(&question) {
                    let _ = udp.send_to(&datagram, peer);
                }
            }
        });
        let log = asked.clone();
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut length = [0; 2];
                if stream.read_exact(&mut length).is_err() {
                    continue;
                }
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                if stream.read_exact(&mut query).is_err() {
                    continue;
                }
                let question = note(&query, true, &log);
                for message in answer(&question).into_iter().take(1) {
                    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
                    let _ = stream.write_all(&[&length.to_be_bytes()[..], &message].concat());
                }
            }
        });
        DnsServer { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn note(query: &[u8], tcp: bool, log: &Mutex<Vec<Asked>>) -> Asked {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + length]).into_owned());
        at += length + 1;
    }
    let mut log = log.lock().unwrap();
    let asked = Asked {
        id: [query[0], query[1]],
        name: labels.join(".").to_ascii_lowercase(),
        kind: u16::from_be_bytes([query[at + 1], query[at + 2]]),
        question: query[12..at + 5].to_vec(),
        tcp,
        before: log.len(),
    };
    log.push(asked.clone());
    asked
}

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;
pub(crate) const CAA: u16 = 257;

/// Flags of an answer with this code: response, recursion desired and available.
pub(crate) const fn code(rcode: u16) -> u16 {
    0x8180 | rcode
}

/// A message with `records` in its answer section.
pub(crate) fn message(asked: &Asked, flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = asked.id.to_vec();
    out.extend(flags.to_be_bytes());
    out.extend([0, 1]);
    out.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    out.extend([0, 0, 0, 0]);
    out.extend(&asked.question);
    for record in records {
        out.extend(record);
    }
    out
}

pub(crate) fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in text.split('.') {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

pub(crate) fn record(owner: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut out = name(owner);
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

pub(crate) fn a(owner: &str, ttl: u32, address: [u8; 4]) -> Vec<u8> {
    record(owner, A, ttl, &Ipv4Addr::from(address).octets())
}

pub(crate) fn txt(owner: &str, value: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for string in value.as_bytes().chunks(255) {
        data.push(u8::try_from(string.len()).unwrap());
        data.extend(string);
    }
    record(owner, TXT, 0, &data)
}

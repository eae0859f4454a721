//! Servers that do as they are told, well or badly, and checks against them.

pub(crate) mod dns;

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use agent::control::{ChallengeKind, Check, Identifier, Rules, Validator};

pub(crate) const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";
pub(crate) const KEY_AUTHORIZATION: &str =
    "DGyRejmCefe7v4NfDGDKfA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";
pub(crate) const ACCOUNT: &str = "https://example.com/acme/acct/ExampleAccount";

/// A TCP server with one thread a connection; ends with the test process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Server {
        Self::start_on("127.0.0.1:0", answer)
    }

    pub(crate) fn start_on(
        address: &str,
        answer: impl Fn(&mut TcpStream) + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (connections.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                thread::spawn(move || answer(&mut stream));
            }
        });
        Server {
            address,
            connections,
        }
    }

    /// Answers each request with what `respond` makes of its head.
    pub(crate) fn http(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Server {
        Self::http_on("127.0.0.1:0", respond)
    }

    pub(crate) fn http_on(
        address: &str,
        respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Server {
        Self::start_on(address, move |stream| {
            let head = request_head(stream);
            let _ = stream.write_all(&respond(&head));
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads up to the empty line.
pub(crate) fn request_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
        .into_bytes()
}

pub(crate) fn path_of(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// A validator for which names point where this hosts file says.
pub(crate) fn validator(hosts: &[(&str, &str)]) -> Validator {
    let dir = tempfile::tempdir().unwrap().keep();
    let text: String = hosts
        .iter()
        .map(|(name, address)| format!("{address} {name}\n"))
        .collect();
    std::fs::write(dir.join("hosts"), text).unwrap();
    std::fs::write(dir.join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    Validator::with_system(&dir.join("hosts"), &dir.join("resolv.conf"))
}

/// Rules under which loopback may be connected to.
pub(crate) fn local_rules(http_port: u16) -> Rules {
    Rules {
        http_port,
        allow: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        timeout_ms: 3_000,
        step_timeout_ms: 700,
        ..Rules::default()
    }
}

pub(crate) fn check(kind: ChallengeKind, name: &str, rules: Rules) -> Check {
    Check {
        kind,
        identifier: match name.parse::<IpAddr>() {
            Ok(address) => Identifier::Ip(address),
            Err(_) => Identifier::Dns(name.to_owned()),
        },
        wildcard: false,
        token: TOKEN.to_owned(),
        key_authorization: KEY_AUTHORIZATION.to_owned(),
        account_url: ACCOUNT.to_owned(),
        caa: None,
        rules,
    }
}

/// Waits until something listens.
pub(crate) fn wait_for_port(address: SocketAddr) {
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(25));
    }
    panic!("nothing listens on {address}");
}

/// A port that was free a moment ago, for programs that cannot choose one themselves.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

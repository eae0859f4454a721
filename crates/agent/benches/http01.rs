//! What one http-01 check costs the validator: `cargo bench -p agent`.
//!
//! The validator has a thread of its own whose CPU time is read from /proc; the server answers on
//! another one, so its work is not counted. Sockets on loopback are most of the cost: `connect only`
//! says how much of it no validator could save.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::Instant,
};

use agent::control::{ChallengeKind, Check, Identifier, Rules, Validator};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CHECKS: u32 = 5_000;
const KEY_AUTHORIZATION: &str =
    "DGyRejmCefe7v4NfDGDKfA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

fn main() {
    let server = serve();
    let address = server.to_string();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let validator = Validator::new();
    let once = || {
        let (validator, check) = (validator.clone(), check(server));
        async move {
            validator.check(check).await.unwrap();
        }
    };
    measure("http-01 by name in /etc/hosts, one after the other", || {
        runtime().block_on(async {
            for _ in 0..CHECKS {
                once().await;
            }
        });
    });
    measure("http-01 by name in /etc/hosts, 16 at once", || {
        runtime().block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..16 {
                let once = &once;
                let checks: Vec<_> = (0..CHECKS / 16).map(|_| once()).collect();
                tasks.spawn(async move {
                    for check in checks {
                        check.await;
                    }
                });
            }
            while tasks.join_next().await.is_some() {}
        });
    });
    measure("connect only: the same octets over a bare socket", || {
        runtime().block_on(async {
            for _ in 0..CHECKS {
                let mut stream = TcpStream::connect(address.as_str()).await.unwrap();
                stream.write_all(&[b'x'; 180]).await.unwrap();
                stream.write_all(b"\r\n\r\n").await.unwrap();
                let mut answer = Vec::with_capacity(512);
                stream.read_to_end(&mut answer).await.unwrap();
            }
        });
    });
}

fn check(server: SocketAddr) -> Check {
    Check {
        kind: ChallengeKind::Http01,
        identifier: Identifier::Dns("localhost".to_owned()),
        wildcard: false,
        token: "DGyRejmCefe7v4NfDGDKfA".to_owned(),
        key_authorization: KEY_AUTHORIZATION.to_owned(),
        account_url: "https://localhost/acme/servers/account/1".to_owned(),
        caa: None,
        rules: Rules {
            http_port: server.port(),
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            ..Rules::default()
        },
    }
}

fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let length = KEY_AUTHORIZATION.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{KEY_AUTHORIZATION}"
    );
    thread::spawn(move || {
        let mut request = [0; 2048];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = 0;
            while !request[..length].ends_with(b"\r\n\r\n") {
                length += stream.read(&mut request[length..]).unwrap();
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

fn measure(what: &str, work: impl FnOnce()) {
    let (cpu, begun) = (cpu_ticks(), Instant::now());
    work();
    let micros = (cpu_ticks() - cpu) * 10_000 / u64::from(CHECKS);
    let wall = begun.elapsed().as_micros() / u128::from(CHECKS);
    println!("{what}: {micros} µs of CPU, {wall} µs of time each");
}

/// User and system time of this thread in hundredths of a second: fields 14 and 15 of proc(5)'s stat.
fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(|f| f.parse::<u64>().unwrap())
        .sum()
}

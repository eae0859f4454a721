//! STARTTLS for ten protocols: peers that answer by the specification and then hand over to a real TLS
//! server; the same peers declining; and a real PostgreSQL's words.

use crate::peer::{Peer, drain, say};
use crate::support::{LOCALHOST, Pki, Server, config, look_at};
use agent::observation::{Outcome, Place, StartTls};
use agent::scan::Depth;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// Reads up to and with a mark.
fn until(stream: &mut TcpStream, mark: &[u8]) -> Vec<u8> {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(mark) {
        match stream.read(&mut byte) {
            Ok(1) => read.push(byte[0]),
            _ => break,
        }
    }
    read
}

fn exactly(stream: &mut TcpStream, expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, expected);
}

/// The conversation up to TLS, from the server's side; `yes` or its refusal.
fn prologue(protocol: StartTls, stream: &mut TcpStream, yes: bool) {
    match protocol {
        // RFC 3207 §3, §5: greeting of several lines, extensions, consent.
        StartTls::Smtp => {
            say(stream, b"220-mail.example ESMTP\r\n220 ready\r\n");
            assert!(until(stream, b"\r\n").starts_with(b"EHLO "));
            if !yes {
                say(stream, b"250-mail.example\r\n250 SIZE 1000\r\n");
                exactly(stream, b"QUIT\r\n");
                return;
            }
            say(
                stream,
                b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n",
            );
            exactly(stream, b"STARTTLS\r\n");
            say(stream, b"220 2.0.0 Ready to start TLS\r\n");
        }
        // RFC 9051 §6.2.1.
        StartTls::Imap => {
            say(stream, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
            exactly(stream, b"a STARTTLS\r\n");
            say(
                stream,
                if yes {
                    b"* 0 EXISTS\r\na OK Begin\r\n"
                } else {
                    b"a BAD no\r\n"
                },
            );
        }
        // RFC 2595 §4.
        StartTls::Pop3 => {
            say(stream, b"+OK ready\r\n");
            exactly(stream, b"STLS\r\n");
            say(
                stream,
                if yes {
                    b"+OK Begin\r\n"
                } else {
                    b"-ERR no\r\n"
                },
            );
        }
        // RFC 4217 §4.
        StartTls::Ftp => {
            say(stream, b"220-Welcome\r\n this is a server\r\n220 ready\r\n");
            exactly(stream, b"AUTH TLS\r\n");
            say(stream, if yes { b"234 go on\r\n" } else { b"500 no\r\n" });
        }
        // RFC 6120 §5.4.2.
        StartTls::Xmpp => {
            let opening = until(stream, b"version='1.0'>");
            assert!(
                String::from_utf8(opening)
                    .unwrap()
                    .contains("to='127.0.0.1'")
            );
            say(
                stream,
                b"<?xml version='1.0'?><stream:stream id='x' version='1.0'><stream:features>",
            );
            if !yes {
                say(stream, b"<bind/></stream:features>");
                return;
            }
            say(
                stream,
                b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
            );
            until(stream, b"/>");
            say(
                stream,
                b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            );
        }
        // RFC 4511 §4.14: message 1, ExtendedResponse with a result code.
        StartTls::Ldap => {
            until(stream, b"1.3.6.1.4.1.1466.20037");
            let code = if yes { 0 } else { 2 };
            say(
                stream,
                &[0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, code, 4, 0, 4, 0],
            );
        }
        // "Message Formats": SSLRequest, one byte.
        StartTls::Postgres => {
            exactly(stream, &[0, 0, 0, 8, 4, 210, 22, 47]);
            say(stream, if yes { b"S" } else { b"N" });
        }
        // Protocol::HandshakeV10, with CLIENT_SSL or without.
        StartTls::Mysql => {
            let flags: u16 = if yes { 0x8a00 } else { 0x8200 };
            let [low, high] = flags.to_le_bytes();
            let start = [
                b"\x0a8.0.36\0",
                &[1, 0, 0, 0][..],
                b"12345678",
                &[0, low, high, 0x21, 2, 0],
            ];
            let body = [&start.concat(), &[0; 31][..]].concat();
            say(stream, &[&[body.len() as u8, 0, 0, 0], &body[..]].concat());
            if yes {
                let mut request = [0; 36];
                stream.read_exact(&mut request).unwrap();
                assert_eq!(request[..4], [32, 0, 0, 1]);
                let flags = u32::from_le_bytes(request[4..8].try_into().unwrap());
                // CLIENT_SSL and CLIENT_PROTOCOL_41.
                assert_eq!(flags & 0x0a00, 0x0a00);
            }
        }
        // [MS-TDS] §2.2.6.5: VERSION and ENCRYPTION; 2 is "not supported".
        StartTls::Mssql => {
            let mut request = [0; 47];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(request[..4], [0x12, 1, 0, 47]);
            let encryption = if yes { 1 } else { 2 };
            let body = [
                0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, encryption,
            ];
            say(stream, &[&[4, 1, 0, 26, 0, 0, 1, 0], &body[..]].concat());
        }
        // [MS-RDPBCGR] §2.2.1.2: confirm with a selected protocol, or a failure.
        StartTls::Rdp => {
            let mut request = [0; 19];
            stream.read_exact(&mut request).unwrap();
            assert_eq!((request[0], request[5], request[11]), (3, 0xe0, 1));
            let (kind, value) = if yes { (2, 2) } else { (3, 2) };
            let head = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0];
            say(
                stream,
                &[&head[..], &[kind, 0, 8, 0, value, 0, 0, 0]].concat(),
            );
        }
    }
}

/// Carries bytes between the scanner and a TLS server; for TDS in its packets.
fn hand_over(mut stream: TcpStream, port: u16, packets: bool) {
    let mut inner = TcpStream::connect((LOCALHOST, port)).unwrap();
    let (mut out, mut from) = (stream.try_clone().unwrap(), inner.try_clone().unwrap());
    let back = thread::spawn(move || {
        let mut buffer = [0; 1000];
        while let Ok(got @ 1..) = from.read(&mut buffer) {
            if packets {
                let length = (got as u16 + 8).to_be_bytes();
                say(&mut out, &[0x12, 1, length[0], length[1], 0, 0, 0, 0]);
            }
            say(&mut out, &buffer[..got]);
        }
        let _ = out.shutdown(Shutdown::Write);
    });
    if packets {
        let mut header = [0; 8];
        while stream.read_exact(&mut header).is_ok() {
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            assert_eq!(header[0], 0x12);
            let mut body = vec![0; length - 8];
            stream.read_exact(&mut body).unwrap();
            inner.write_all(&body).unwrap();
        }
    } else {
        let _ = std::io::copy(&mut stream, &mut inner);
    }
    let _ = inner.shutdown(Shutdown::Write);
    back.join().unwrap();
}

#[tokio::test]
async fn ten_protocols_change_to_tls_or_say_that_they_do_not() {
    let pki = Pki::new();
    pki.leaf("ec", "ec:prime256v1");
    let server = Server::openssl(&pki.options("ec"), &[], pki.folder());
    let inner = server.port;
    for protocol in StartTls::ALL {
        let willing = Peer::start(move |mut stream| {
            prologue(protocol, &mut stream, true);
            hand_over(stream, inner, protocol == StartTls::Mssql);
        });
        let service = format!("{}/{protocol}", willing.port);
        let seen = look_at(&service, None, config(Depth::Versions)).await;
        assert_eq!(seen.outcome, Outcome::Certificate, "{protocol}");
        assert_eq!(seen.chain, [pki.der("ec"), pki.der("sub")]);
        assert_eq!(seen.tls.unwrap().versions.len(), 2, "{protocol}");
        let Place::Network { starttls, .. } = seen.place else {
            panic!("{:?}", seen.place);
        };
        assert_eq!(starttls, Some(protocol));
        let unwilling = Peer::start(move |mut stream| {
            prologue(protocol, &mut stream, false);
            drain(&mut stream);
        });
        let service = format!("{}/{protocol}", unwilling.port);
        let seen = look_at(&service, None, config(Depth::Versions)).await;
        let Outcome::NoCertificate { why } = &seen.outcome else {
            panic!("{protocol}: {seen:?}");
        };
        assert!(
            why.starts_with(&format!("{protocol} does not change to TLS")),
            "{why}"
        );
        assert_eq!(unwilling.count(), 1, "asked once");
    }
}

#[tokio::test]
async fn who_speaks_something_else_hangs_or_babbles_before_tls_ends_in_one_outcome() {
    for protocol in StartTls::ALL {
        let mut config = config(Depth::Certificate);
        config.timing.answer = std::time::Duration::from_millis(300);
        let other = Peer::start(|mut stream| {
            say(
                &mut stream,
                b"\x15\x03\x01\x00\x02\x02\x28 something else entirely, and a line\r\n\r\n",
            );
            drain(&mut stream);
        });
        let service = format!("{}/{protocol}", other.port);
        let seen = look_at(&service, None, config.clone()).await;
        assert!(
            matches!(seen.outcome, Outcome::NotTls { .. }),
            "{protocol}: {seen:?}"
        );
        let silent = Peer::start(|mut stream| drop(drain(&mut stream)));
        let service = format!("{}/{protocol}", silent.port);
        let seen = look_at(&service, None, config.clone()).await;
        assert_eq!(seen.outcome, Outcome::Hung { after_ms: 300 }, "{protocol}");
        let first: &[u8] = match protocol {
            StartTls::Smtp | StartTls::Ftp => b"220-",
            StartTls::Imap => b"* OK",
            StartTls::Pop3 => b"+OK",
            StartTls::Xmpp => b"<",
            StartTls::Ldap => &[0x30, 0x83, 0, 0xff, 0xff],
            StartTls::Mysql => &[255, 3, 0, 0, 10],
            StartTls::Mssql => &[4, 1, 0xff, 0xff, 0, 0, 0, 0],
            StartTls::Rdp => &[3, 0, 0xff, 0xff],
            StartTls::Postgres => b"S",
        };
        let babbler = Peer::start(move |mut stream| {
            let mut piece = first.to_vec();
            while say(&mut stream, &piece) {
                piece = vec![b'-'; 1000];
            }
        });
        let service = format!("{}/{protocol}", babbler.port);
        let seen = look_at(&service, None, config).await;
        let ended = matches!(
            seen.outcome,
            Outcome::TooLarge { .. }
                | Outcome::Garbage { .. }
                | Outcome::NotTls { .. }
                | Outcome::NoCertificate { .. }
        );
        assert!(ended, "{protocol}: {seen:?}");
    }
}

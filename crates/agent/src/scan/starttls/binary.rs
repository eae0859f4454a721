//! The protocols that are made of packets.

use super::{Talk, declined};
use crate::observation::StartTls;
use crate::scan::line::End;
use crate::tls::Fault;

/// ExtendedRequest of RFC 4511 §4.14.1: message 1, the OID 1.3.6.1.4.1.1466.20037.
pub(super) const LDAP_REQUEST: &[u8] =
    b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

pub(super) async fn ldap(talk: &mut Talk<'_>) -> Result<(), End> {
    talk.say(LDAP_REQUEST).await?;
    let first = talk.peek(1, "an answer").await?.to_vec();
    if first != [0x30] {
        return Err(talk.other(&talk.received));
    }
    let header = talk.take(2, "an LDAP message").await?;
    let length = match header.get(1).copied().unwrap_or_default() {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let bytes = talk
                .take(usize::from(long & 0x7f), "an LDAP message")
                .await?;
            bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte))
        }
        _ => return Err(Fault::garbage("an LDAP message without a length").into()),
    };
    if length > super::TALK_LIMIT {
        return Err(End::Fault(Fault::TooLarge {
            what: "bytes of an LDAP message",
            limit: super::TALK_LIMIT,
        }));
    }
    let body = talk.take(length, "the end of an LDAP message").await?;
    // Message number, ExtendedResponse, and in it the result code first.
    let result = body
        .windows(3)
        .skip_while(|window| window.first() != Some(&0x78))
        .find(|window| window.starts_with(&[0x0a, 0x01]))
        .and_then(|window| window.get(2).copied());
    match result {
        Some(0) => Ok(()),
        Some(code) => {
            // UnbindRequest (§4.3).
            talk.say(b"\x30\x05\x02\x01\x02\x42\x00").await?;
            Err(declined(StartTls::Ldap, &format!("result code {code}")))
        }
        None => Err(Fault::garbage("an LDAP answer without a result").into()),
    }
}

/// SSLRequest: length and the code 80877103 ("Message Formats" in PostgreSQL's documentation).
pub(super) const POSTGRES_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) async fn postgres(talk: &mut Talk<'_>) -> Result<(), End> {
    talk.say(POSTGRES_REQUEST).await?;
    match talk.take(1, "an answer").await?.as_slice() {
        b"S" => Ok(()),
        b"N" => Err(declined(StartTls::Postgres, "N")),
        b"E" => Err(declined(StartTls::Postgres, "an error message")),
        other => {
            let seen = [other, &talk.received].concat();
            Err(talk.other(&seen))
        }
    }
}

/// Client/server protocol, "Connection Phase": greeting, SSLRequest, TLS.
pub(super) async fn mysql(talk: &mut Talk<'_>) -> Result<(), End> {
    const SSL: u16 = 0x0800;
    let header = talk.peek(5, "a greeting").await?.to_vec();
    let &[a, b, c, sequence, kind] = header.as_slice() else {
        return Err(talk.other(&header));
    };
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if sequence != 0 || length > 1024 || !matches!(kind, 9 | 10 | 0xff) {
        return Err(talk.other(&talk.received));
    }
    talk.take(4, "a greeting").await?;
    let greeting = talk.take(length, "the end of its greeting").await?;
    if kind == 0xff {
        let text = greeting.get(3..).unwrap_or_default();
        return Err(declined(StartTls::Mysql, &String::from_utf8_lossy(text)));
    }
    // Version text, its zero, thread (4), challenge (8), a zero, then what the server can.
    let text = greeting
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(length);
    let flags = greeting
        .get(text + 14..)
        .and_then(|rest| rest.first_chunk::<2>());
    if kind == 9 || flags.is_none_or(|flags| u16::from_le_bytes(*flags) & SSL == 0) {
        return Err(declined(StartTls::Mysql, "no TLS among its capabilities"));
    }
    talk.say(&MYSQL_REQUEST).await
}

/// Packet 1: capabilities (protocol 4.1, TLS, authentication by plug-in), 16 MiB packets, UTF-8, 23 zeroes.
const MYSQL_REQUEST: [u8; 36] = {
    let mut packet = [0; 36];
    packet[0] = 32;
    packet[3] = 1;
    packet[4] = 0x05;
    packet[5] = 0xaa;
    packet[6] = 0x08;
    packet[11] = 0x01;
    packet[12] = 0x21;
    packet
};

/// PRELOGIN of [MS-TDS] §2.2.6.5: version 0, encryption on, instance, thread.
pub(super) const MSSQL_PRELOGIN: &[u8] = &[
    0x12, 0x01, 0x00, 0x2f, 0x00, 0x00, 0x01, 0x00, // header
    0x00, 0x00, 0x1a, 0x00, 0x06, // VERSION
    0x01, 0x00, 0x20, 0x00, 0x01, // ENCRYPTION
    0x02, 0x00, 0x21, 0x00, 0x01, // INSTOPT
    0x03, 0x00, 0x22, 0x00, 0x04, // THREADID
    0x04, 0x00, 0x26, 0x00, 0x01, // MARS
    0xff, // end
    0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];

pub(super) async fn mssql(talk: &mut Talk<'_>) -> Result<(), End> {
    talk.say(MSSQL_PRELOGIN).await?;
    let header = talk.peek(8, "an answer").await?.to_vec();
    let &[0x04, _, high, low, ..] = header.as_slice() else {
        return Err(talk.other(&talk.received));
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let packet = talk.take(length.max(8), "the end of its answer").await?;
    let body = packet.get(8..).unwrap_or_default();
    // Options of five bytes (token, offset, length) up to 0xff; §2.2.6.5 gives the values of encryption.
    let option = body
        .chunks_exact(5)
        .take_while(|option| option.first() != Some(&0xff))
        .find(|option| option.first() == Some(&1));
    let value = option.and_then(|option| {
        let offset = u16::from_be_bytes([*option.get(1)?, *option.get(2)?]);
        body.get(usize::from(offset)).copied()
    });
    match value {
        Some(0 | 1 | 3) => Ok(()),
        Some(2) => Err(declined(StartTls::Mssql, "encryption not supported")),
        _ => Err(Fault::garbage("a PRELOGIN answer that does not speak of encryption").into()),
    }
}

/// Connection request of X.224 in TPKT with RDP_NEG_REQ for TLS or CredSSP, which begins with TLS
/// ([MS-RDPBCGR] §2.2.1.1).
pub(super) const RDP_REQUEST: &[u8] = &[
    0x03, 0x00, 0x00, 0x13, 0x0e, 0xe0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x08, 0x00, 0x03,
    0x00, 0x00, 0x00,
];

pub(super) async fn rdp(talk: &mut Talk<'_>) -> Result<(), End> {
    talk.say(RDP_REQUEST).await?;
    let header = talk.peek(4, "an answer").await?.to_vec();
    let &[0x03, 0x00, high, low] = header.as_slice() else {
        return Err(talk.other(&talk.received));
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let answer = talk.take(length.max(4), "the end of its answer").await?;
    // §2.2.1.2: a confirm (0xd0), and at 11 what was negotiated; a server without that part knows no TLS.
    match (answer.get(5), answer.get(11), answer.get(15)) {
        (Some(0xd0), Some(2), Some(1 | 2 | 8)) => Ok(()),
        (Some(0xd0), Some(3), Some(code)) => {
            Err(declined(StartTls::Rdp, &format!("failure code {code}")))
        }
        (Some(0xd0), ..) => Err(declined(StartTls::Rdp, "standard RDP security only")),
        _ => Err(talk.other(&answer)),
    }
}

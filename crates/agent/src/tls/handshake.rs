//! Handshake messages: pieces of records to messages, and what a server's messages say.

use super::bytes::Bytes;
use super::suite::KeyExchange;
use super::{BYTES_LIMIT, CHAIN_LIMIT, Fault};
use crate::observation::{Der, Version};

pub(crate) const HELLO_REQUEST: u8 = 0;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const NEW_SESSION_TICKET: u8 = 4;
pub(crate) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(crate) const CERTIFICATE: u8 = 11;
pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
pub(crate) const SERVER_HELLO_DONE: u8 = 14;
pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
pub(crate) const CERTIFICATE_STATUS: u8 = 22;
pub(crate) const SUPPLEMENTAL_DATA: u8 = 23;

/// Messages of one conversation; a full handshake has ten up to where we leave.
const MESSAGES_LIMIT: usize = 64;

/// The random by which a ServerHello is a HelloRetryRequest: the SHA-256 of that word (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// How the random of a server ends that speaks something newer than what it was offered and took (RFC 8446 §4.1.3).
const NEWER: [([u8; 8], Version); 2] = [
    (*b"DOWNGRD\x01", Version::Tls13),
    (*b"DOWNGRD\x00", Version::Tls12),
];

/// Joins what records carry to messages.
#[derive(Default)]
pub(crate) struct Joiner {
    buffer: Vec<u8>,
    at: usize,
    messages: usize,
}

/// One message with its header, as it goes into the transcript.
pub(crate) struct Message {
    pub(crate) kind: u8,
    whole: Vec<u8>,
}

impl Message {
    pub(crate) fn whole(&self) -> &[u8] {
        &self.whole
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.whole.get(4..).unwrap_or_default()
    }
}

impl Joiner {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    pub(crate) fn next(&mut self) -> Result<Option<Message>, Fault> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let Some(&[kind, a, b, c]) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > BYTES_LIMIT {
            return Err(Fault::TooLarge {
                what: "bytes of a handshake message",
                limit: BYTES_LIMIT,
            });
        }
        let Some(whole) = rest.get(..4 + length) else {
            return Ok(None);
        };
        let whole = whole.to_vec();
        self.at += 4 + length;
        self.messages += 1;
        if self.messages > MESSAGES_LIMIT {
            return Err(Fault::TooLarge {
                what: "handshake messages",
                limit: MESSAGES_LIMIT,
            });
        }
        Ok(Some(Message { kind, whole }))
    }
}

/// ServerHello and HelloRetryRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    /// What is spoken from here on.
    pub(crate) version: Version,
    pub(crate) suite: u16,
    /// What it would speak with who offers it, if it is newer.
    pub(crate) beyond: Option<Version>,
    pub(crate) compression: u8,
    pub(crate) retry: bool,
    /// Group and, except in a retry, the server's key.
    pub(crate) share: Option<(u16, Vec<u8>)>,
    pub(crate) cookie: Option<Vec<u8>>,
    pub(crate) alpn: Option<String>,
    pub(crate) renegotiation_info: bool,
    pub(crate) extended_master_secret: bool,
    pub(crate) session_ticket: bool,
}

impl ServerHello {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut bytes = Bytes::new(body, "ServerHello");
        let legacy = bytes.u16()?;
        let random = bytes.take(32)?;
        bytes.vector(1)?;
        let mut hello = Self {
            version: version(legacy)?,
            suite: bytes.u16()?,
            beyond: None,
            compression: bytes.u8()?,
            retry: random == RETRY,
            share: None,
            cookie: None,
            alpn: None,
            renegotiation_info: false,
            extended_master_secret: false,
            session_ticket: false,
        };
        if !bytes.is_empty() {
            let extensions = bytes.inner(2)?;
            hello.extensions(extensions)?;
        }
        hello.beyond = NEWER
            .iter()
            .find(|(mark, newer)| random.ends_with(mark) && hello.version < *newer)
            .map(|(_, newer)| *newer);
        Ok(hello)
    }

    fn extensions(&mut self, mut extensions: Bytes) -> Result<(), Fault> {
        let mut exact = None;
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let mut body = extensions.inner(2)?;
            match kind {
                16 => self.alpn = Some(protocol(body)?),
                23 => self.extended_master_secret = true,
                35 => self.session_ticket = true,
                43 => exact = Some(version(body.u16()?)?),
                44 => self.cookie = Some(body.vector(2)?.to_vec()),
                51 => {
                    let group = body.u16()?;
                    let key = if self.retry { &[] } else { body.vector(2)? };
                    self.share = Some((group, key.to_vec()));
                }
                0xff01 => self.renegotiation_info = true,
                _ => {}
            }
        }
        self.version = exact.unwrap_or(self.version);
        Ok(())
    }
}

fn version(wire: u16) -> Result<Version, Fault> {
    Version::from_wire(wire)
        .ok_or_else(|| Fault::garbage(format!("a ServerHello of version {wire:#06x}")))
}

/// The one protocol of a server's ALPN extension (RFC 7301 §3.1).
fn protocol(mut body: Bytes) -> Result<String, Fault> {
    let mut list = body.inner(2)?;
    Ok(String::from_utf8_lossy(list.vector(1)?).into_owned())
}

/// The ALPN of EncryptedExtensions; the rest of them is of no interest.
pub(crate) fn encrypted_extensions(body: &[u8]) -> Result<Option<String>, Fault> {
    let mut bytes = Bytes::new(body, "EncryptedExtensions");
    let mut extensions = bytes.inner(2)?;
    let mut alpn = None;
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let body = extensions.inner(2)?;
        if kind == 16 {
            alpn = Some(protocol(body)?);
        }
    }
    Ok(alpn)
}

/// The chain as sent, and the OCSP response that TLS 1.3 puts beside its first certificate.
pub(crate) fn certificates(
    body: &[u8],
    version: Version,
) -> Result<(Vec<Der>, Option<Der>), Fault> {
    let mut bytes = Bytes::new(body, "Certificate");
    let newest = version == Version::Tls13;
    if newest {
        bytes.vector(1)?;
    }
    let mut list = bytes.inner(3)?;
    let mut chain = Vec::new();
    let mut staple = None;
    while !list.is_empty() {
        if chain.len() == CHAIN_LIMIT {
            return Err(Fault::TooLarge {
                what: "certificates in the chain",
                limit: CHAIN_LIMIT,
            });
        }
        chain.push(Der::from(list.vector(3)?));
        if newest {
            let mut extensions = list.inner(2)?;
            while !extensions.is_empty() {
                let kind = extensions.u16()?;
                let body = extensions.vector(2)?;
                if kind == 5 && chain.len() == 1 {
                    staple = status(body)?;
                }
            }
        }
    }
    Ok((chain, staple))
}

/// CertificateStatus (RFC 6066 §8); `None` for a kind that is not OCSP.
pub(crate) fn status(body: &[u8]) -> Result<Option<Der>, Fault> {
    let mut bytes = Bytes::new(body, "CertificateStatus");
    let kind = bytes.u8()?;
    if kind != 1 {
        return Ok(None);
    }
    Ok(Some(Der::from(bytes.vector(3)?)))
}

/// The authorities that a CertificateRequest accepts.
pub(crate) fn authorities(body: &[u8], spoken: Version) -> Result<Vec<Der>, Fault> {
    let mut bytes = Bytes::new(body, "CertificateRequest");
    bytes.vector(1)?;
    if spoken == Version::Tls13 {
        let mut extensions = bytes.inner(2)?;
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let mut body = extensions.inner(2)?;
            if kind == 47 {
                return names(body.inner(2)?);
            }
        }
        return Ok(Vec::new());
    }
    if spoken == Version::Tls12 {
        bytes.vector(2)?;
    }
    names(bytes.inner(2)?)
}

fn names(mut list: Bytes) -> Result<Vec<Der>, Fault> {
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(Der::from(list.vector(2)?));
    }
    Ok(names)
}

/// What a ServerKeyExchange tells: group, size, and by what it is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) group: Option<u16>,
    pub(crate) bits: Option<u16>,
    pub(crate) signature: Option<u16>,
}

impl Exchange {
    pub(crate) fn parse(
        body: &[u8],
        exchange: KeyExchange,
        spoken: Version,
    ) -> Result<Self, Fault> {
        use KeyExchange as K;
        let mut bytes = Bytes::new(body, "ServerKeyExchange");
        let mut told = Self::default();
        if matches!(exchange, K::DhePsk | K::EcdhePsk) {
            bytes.vector(2)?;
        }
        match exchange {
            K::Dhe | K::DhAnon | K::DhePsk => {
                told.bits = Some(bits(bytes.vector(2)?));
                bytes.vector(2)?;
                bytes.vector(2)?;
            }
            K::Ecdhe | K::EcdhAnon | K::EcdhePsk => {
                // 3 is named_curve, the only kind that was ever in use (RFC 8422 §5.4).
                if bytes.u8()? != 3 {
                    return Ok(told);
                }
                let group = bytes.u16()?;
                let key = bytes.vector(1)?;
                told.group = Some(group);
                told.bits = Some(field_bits(group, key));
            }
            _ => return Ok(told),
        }
        if spoken == Version::Tls12 && matches!(exchange, K::Dhe | K::Ecdhe) {
            told.signature = Some(bytes.u16()?);
        }
        Ok(told)
    }
}

/// Significant bits of an unsigned number.
fn bits(number: &[u8]) -> u16 {
    let zeroes = number.iter().take_while(|&&byte| byte == 0).count();
    let rest = number.get(zeroes..).unwrap_or_default();
    let first = rest.first().map_or(0, |byte| byte.leading_zeros() as usize);
    u16::try_from(rest.len() * 8 - first).unwrap_or(u16::MAX)
}

/// Size of a curve's field; of one that is not known by number, from the length of the key.
pub(crate) fn field_bits(group: u16, key: &[u8]) -> u16 {
    match group {
        0x001d => 255,
        0x001e => 448,
        0x0019 => 521,
        0x0017 | 0x001a => 256,
        0x0018 | 0x001b => 384,
        0x001c => 512,
        0x0013 => 192,
        0x0015 => 224,
        0x0016 => 256,
        0x0009 | 0x000a => 283,
        0x000b | 0x000c => 409,
        0x000d | 0x000e => 571,
        _ => u16::try_from(key.len().saturating_sub(1) / 2 * 8).unwrap_or(u16::MAX),
    }
}

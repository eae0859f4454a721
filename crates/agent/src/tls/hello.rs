//! The ClientHello: what is asked for, written by us because no library asks for SSL 3.0 or export suites.
//!
//! Every byte follows from the fields and the seed, so a dry run can show a hello before it is sent.

mod shares;

pub use shares::KeyShares;

use super::record::HANDSHAKE;
use crate::observation::Version;

/// Named groups whose arithmetic is at hand: with these a certificate of TLS 1.3 can be read.
pub const COMPUTABLE: [u16; 4] = [X25519, SECP256R1, SECP384R1, SECP521R1];
pub const SECP256R1: u16 = 0x0017;
pub const SECP384R1: u16 = 0x0018;
pub const SECP521R1: u16 = 0x0019;
pub const X25519: u16 = 0x001d;

/// The computable ones, then every other elliptic curve of the registry and its finite fields (RFC 7919):
/// up to TLS 1.2 the server may use any, nothing is computed.
pub const GROUPS: &[u16] = &[
    X25519, SECP256R1, SECP384R1, SECP521R1, 0x001e, 0x001a, 0x001b, 0x001c, 0x0016, 0x000e,
    0x000d, 0x000b, 0x000c, 0x0009, 0x000a, 0x0015, 0x0013, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104,
];

/// Groups with ML-KEM (draft-ietf-tls-ecdhe-mlkem): with P-256, with X25519, with P-384. Not in an ordinary hello:
/// their keys take a packet of their own.
pub const POST_QUANTUM: [u16; 3] = [0x11eb, 0x11ec, 0x11ed];

/// IANA "TLS SignatureScheme", strong ones first, down to SHA-1 and DSA; no MD5, at which some servers close.
const SIGNATURES: &[u16] = &[
    0x0403, 0x0804, 0x0807, 0x0503, 0x0805, 0x0603, 0x0806, 0x0808, 0x0809, 0x080a, 0x080b, 0x0401,
    0x0501, 0x0601, 0x081a, 0x081b, 0x081c, 0x0904, 0x0905, 0x0906, 0x0303, 0x0301, 0x0203, 0x0201,
    0x0402, 0x0302, 0x0202,
];

/// What one hello asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Versions that are offered; the newest of those before TLS 1.3 stands in the old field. TLS up to 1.2
    /// has no way to leave out a version in the middle.
    pub versions: Vec<Version>,
    pub suites: Vec<u16>,
    /// A host name; addresses are no names (RFC 6066 §3).
    pub sni: Option<String>,
    pub alpn: Vec<String>,
    pub random: [u8; 32],
    /// TLS 1.3's look of a resumption for middleboxes (RFC 8446 §D.4); empty for hellos of old versions.
    pub session_id: Vec<u8>,
    /// None: a hello without extensions, for servers from before there were any.
    pub extensions: Option<Extensions>,
}

/// Which optional parts a hello has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extensions {
    pub groups: Vec<u16>,
    /// Groups for which a key is sent along; a server that wants another asks again.
    pub shares: Vec<u16>,
    /// What a HelloRetryRequest wants back.
    pub cookie: Option<Vec<u8>>,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            groups: GROUPS.to_vec(),
            shares: vec![X25519, SECP256R1],
            cookie: None,
        }
    }
}

impl Hello {
    fn newest(&self) -> Version {
        self.versions
            .iter()
            .copied()
            .max()
            .unwrap_or(Version::Tls12)
    }

    pub fn offers(&self, version: Version) -> bool {
        self.versions.contains(&version)
    }

    /// The handshake message.
    pub fn message(&self, keys: &KeyShares) -> Vec<u8> {
        let mut body = Vec::with_capacity(600);
        put_u16(&mut body, self.newest().min(Version::Tls12).wire());
        body.extend(self.random);
        vector(&mut body, 1, |out| out.extend(&self.session_id));
        vector(&mut body, 2, |out| {
            self.suites.iter().for_each(|&suite| put_u16(out, suite));
            // Secure renegotiation's signal where there are no extensions to say it in (RFC 5746 §3.3).
            if self.extensions.is_none() {
                put_u16(out, 0x00ff);
            }
        });
        vector(&mut body, 1, |out| out.push(0));
        if let Some(extensions) = &self.extensions {
            let length = body.len();
            let mut written = Vec::with_capacity(400);
            self.write_extensions(extensions, keys, &mut written);
            pad(&mut written, length);
            vector(&mut body, 2, |out| out.append(&mut written));
        }
        let mut message = Vec::with_capacity(body.len() + 4);
        message.push(1);
        vector(&mut message, 3, |out| out.append(&mut body));
        message
    }

    /// The message in a record.
    pub fn record(&self, keys: &KeyShares) -> Vec<u8> {
        // RFC 8446 §5.1: 1.0 there, whatever is offered, because old servers insist; unless it is older.
        let version = self.newest().min(Version::Tls10);
        record(version, HANDSHAKE, &self.message(keys))
    }

    fn write_extensions(&self, extensions: &Extensions, keys: &KeyShares, out: &mut Vec<u8>) {
        let newest = self.newest();
        if let Some(name) = &self.sni {
            extension(out, 0, |out| {
                vector(out, 2, |out| {
                    out.push(0);
                    vector(out, 2, |out| out.extend(name.as_bytes()));
                });
            });
        }
        if newest < Version::Tls13 || self.versions.len() > 1 {
            extension(out, 23, |_| {});
            extension(out, 0xff01, |out| out.push(0));
            extension(out, 35, |_| {});
            extension(out, 11, |out| vector(out, 1, |out| out.push(0)));
        }
        extension(out, 10, |out| {
            let groups = &extensions.groups;
            vector(out, 2, |out| {
                groups.iter().for_each(|&group| put_u16(out, group))
            });
        });
        extension(out, 5, |out| out.extend([1, 0, 0, 0, 0]));
        if newest >= Version::Tls12 {
            extension(out, 13, |out| {
                vector(out, 2, |out| {
                    SIGNATURES.iter().for_each(|&one| put_u16(out, one))
                });
            });
        }
        if !self.alpn.is_empty() {
            extension(out, 16, |out| {
                vector(out, 2, |out| {
                    for name in &self.alpn {
                        vector(out, 1, |out| out.extend(name.as_bytes()));
                    }
                });
            });
        }
        if newest == Version::Tls13 {
            self.write_newest(extensions, keys, out);
        }
    }

    /// What only TLS 1.3 has (RFC 8446 §4.2).
    fn write_newest(&self, extensions: &Extensions, keys: &KeyShares, out: &mut Vec<u8>) {
        extension(out, 43, |out| {
            let mut versions = self.versions.clone();
            versions.sort_unstable();
            vector(out, 1, |out| {
                let newest_first = versions.iter().rev();
                newest_first.for_each(|version| put_u16(out, version.wire()));
            });
        });
        extension(out, 45, |out| out.extend([1, 1]));
        if let Some(cookie) = &extensions.cookie {
            extension(out, 44, |out| vector(out, 2, |out| out.extend(cookie)));
        }
        extension(out, 51, |out| {
            vector(out, 2, |out| {
                for &group in &extensions.shares {
                    if let Some(public) = keys.public(group) {
                        put_u16(out, group);
                        vector(out, 2, |out| out.extend(public));
                    }
                }
            });
        });
    }
}

/// Some load balancers hang on a ClientHello of 256 to 511 bytes: RFC 7685 exists to get past them.
fn pad(extensions: &mut Vec<u8>, before: usize) {
    // Message header, the extensions' length, and what is written.
    let length = 4 + before + 2 + extensions.len();
    if (256..512).contains(&length) {
        let missing = 512usize.saturating_sub(length + 4);
        extension(extensions, 21, |out| out.resize(out.len() + missing, 0));
    }
}

/// One record in the clear.
pub(crate) fn record(version: Version, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(kind);
    put_u16(&mut out, version.wire());
    vector(&mut out, 2, |out| out.extend(body));
    out
}

fn extension(out: &mut Vec<u8>, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
    put_u16(out, kind);
    vector(out, 2, body);
}

fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend(number.to_be_bytes());
}

/// Writes a vector with its length in `size` bytes in front. What does not fit is cut off: a name of 64 KiB
/// is refused long before it comes here.
fn vector(out: &mut Vec<u8>, size: usize, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.resize(start + size, 0);
    body(out);
    let length = (out.len() - start - size).min((1 << (8 * size)) - 1);
    out.truncate(start + size + length);
    let bytes = (length as u64).to_be_bytes();
    for (to, from) in out.iter_mut().skip(start).zip(bytes.iter().skip(8 - size)) {
        *to = *from;
    }
}

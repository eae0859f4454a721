//! TLS 1.3's key schedule up to the handshake traffic keys (RFC 8446 §7.1), and records under them (§5.2).
//! That far the server's certificate is readable; no further is gone.

use super::Fault;
use super::record::Record;
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::hkdf::{self, KeyType, Prk, Salt};

/// What a suite of TLS 1.3 stands for.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    hash: &'static digest::Algorithm,
    hkdf: hkdf::Algorithm,
    aead: &'static aead::Algorithm,
}

/// `None` for the suites whose cipher is not at hand (CCM, the national ones).
pub(crate) fn kind(suite: u16) -> Option<Kind> {
    let (hash, hkdf, aead) = match suite {
        0x1301 => (&digest::SHA256, hkdf::HKDF_SHA256, &aead::AES_128_GCM),
        0x1302 => (&digest::SHA384, hkdf::HKDF_SHA384, &aead::AES_256_GCM),
        0x1303 => (&digest::SHA256, hkdf::HKDF_SHA256, &aead::CHACHA20_POLY1305),
        _ => return None,
    };
    Some(Kind { hash, hkdf, aead })
}

impl Kind {
    pub(crate) fn hash(self, bytes: &[u8]) -> Vec<u8> {
        digest(self.hash, bytes).as_ref().to_vec()
    }

    /// The keys of server and client for the rest of the handshake, from the shared secret and the messages
    /// up to and with the ServerHello.
    pub(crate) fn handshake_keys(self, shared: &[u8], transcript: &[u8]) -> Result<Keys, Fault> {
        let zeroes = vec![0; self.hash.output_len()];
        let early = Salt::new(self.hkdf, &zeroes).extract(&zeroes);
        let derived = self.expand(&early, b"derived", &self.hash(&[]), zeroes.len())?;
        let secret = Salt::new(self.hkdf, &derived).extract(shared);
        let hash = self.hash(transcript);
        let traffic = |label| self.expand(&secret, label, &hash, zeroes.len());
        Ok(Keys {
            server: self.cipher(&traffic(b"s hs traffic")?)?,
            client: self.cipher(&traffic(b"c hs traffic")?)?,
        })
    }

    fn cipher(self, secret: &[u8]) -> Result<Cipher, Fault> {
        let secret = Prk::new_less_safe(self.hkdf, secret);
        let key = self.expand(&secret, b"key", &[], self.aead.key_len())?;
        let iv = self.expand(&secret, b"iv", &[], aead::NONCE_LEN)?;
        let key = UnboundKey::new(self.aead, &key).map_err(|_| failed())?;
        Ok(Cipher {
            key: LessSafeKey::new(key),
            iv: iv.try_into().map_err(|_| failed())?,
            sequence: 0,
        })
    }

    /// HKDF-Expand-Label (RFC 8446 §7.1).
    fn expand(
        self,
        secret: &Prk,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, Fault> {
        let length_bytes = (length as u16).to_be_bytes();
        let label_length = [(6 + label.len()) as u8];
        let context_length = [context.len() as u8];
        let info = [
            &length_bytes,
            &label_length[..],
            b"tls13 ",
            label,
            &context_length,
            context,
        ];
        let mut out = vec![0; length];
        secret
            .expand(&info, Length(length))
            .and_then(|okm| okm.fill(&mut out))
            .map_err(|_| failed())?;
        Ok(out)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Both directions.
pub(crate) struct Keys {
    pub(crate) server: Cipher,
    pub(crate) client: Cipher,
}

/// One direction.
pub(crate) struct Cipher {
    key: LessSafeKey,
    iv: [u8; aead::NONCE_LEN],
    sequence: u64,
}

impl Cipher {
    /// Content type and content of a protected record.
    pub(crate) fn open(&mut self, record: Record) -> Result<(u8, Vec<u8>), Fault> {
        let nonce = self.nonce();
        let mut body = record.body;
        let length = self
            .key
            .open_in_place(nonce, Aad::from(record.header), &mut body)
            .map_err(|_| Fault::garbage("a record that does not decrypt"))?
            .len();
        body.truncate(length);
        while body.last() == Some(&0) {
            body.pop();
        }
        let kind = body
            .pop()
            .ok_or_else(|| Fault::garbage("a protected record without a content type"))?;
        Ok((kind, body))
    }

    /// A protected record with `body` of type `kind`.
    pub(crate) fn seal(&mut self, kind: u8, body: &[u8]) -> Option<Vec<u8>> {
        let nonce = self.nonce();
        let length = (body.len() + 1 + self.key.algorithm().tag_len()) as u16;
        let [high, low] = length.to_be_bytes();
        let header = [super::record::APPLICATION_DATA, 3, 3, high, low];
        let mut inner = [body, &[kind]].concat();
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(header), &mut inner)
            .ok()?;
        Some([&header[..], &inner].concat())
    }

    /// RFC 8446 §5.3.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        let sequence = self.sequence.to_be_bytes();
        for (byte, other) in nonce.iter_mut().rev().zip(sequence.iter().rev()) {
            *byte ^= other;
        }
        self.sequence = self.sequence.wrapping_add(1);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn failed() -> Fault {
    Fault::garbage("the key schedule failed")
}

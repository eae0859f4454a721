//! The Certificate Management Protocol's messages (CMP, RFC 9810): read and written, their protection computed.
//!
//! A message is read once within budgets; header and body are kept as they were encoded, since that is what the
//! protection covers (RFC 9810 §5.1.3). Who may say what is decided elsewhere.

use crate::{
    Certificate, Error,
    der::{self, Reader, Tag, Writer},
};

mod body;
mod general;
mod header;
mod protection;
mod status;

pub use body::{
    Body, CertRepMessage, CertResponse, CertStatus, ErrorMessage, PollReply, RevDetails, RevReply,
};
pub use general::{CrlStatus, InfoTypeAndValue, RootUpdate, TemplateAnswer};
pub use header::Header;
pub use protection::{MAX_ITERATIONS, MIN_ITERATIONS, Mac, MacScheme, Pbkdf2, Prf};
pub use status::{FailInfo, Status, StatusInfo};

/// Largest message read. A request with a chain of RSA certificates has under 10 KiB; post-quantum ones under 100 KiB.
pub const MAX_SIZE: usize = 256 * 1024;
/// Certificates sent along.
pub const MAX_CERTIFICATES: usize = 32;
/// Pieces of general information in a header or a general message.
pub const MAX_INFO: usize = 32;
/// Lines of text for people.
pub const MAX_TEXT: usize = 16;
/// Elements of the lists in a body.
pub const MAX_ITEMS: usize = 64;
/// Octets of a transaction identifier, a nonce or a key identifier. Both are 16 in the lightweight profile.
pub const MAX_OCTETS: usize = 128;

/// CMP version 2, what everybody speaks; version 3 adds EnvelopedData and hashAlg (RFC 9810 §7).
pub const CMP2000: u64 = 2;
pub const CMP2021: u64 = 3;

/// PKIMessage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub header: Header,
    pub body: Body,
    /// The octets of the protection's BIT STRING.
    pub protection: Option<Vec<u8>>,
    pub extra_certs: Vec<Certificate>,
    header_der: Vec<u8>,
    body_der: Vec<u8>,
}

/// A message that cannot be read; the header, if that much could be, says whom to answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Unreadable {
    pub header: Option<Box<Header>>,
    pub error: Error,
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        Unreadable {
            header: None,
            error,
        }
    }
}

impl From<der::Error> for Unreadable {
    fn from(error: der::Error) -> Self {
        Error::from(error).into()
    }
}

impl Message {
    pub fn from_der(data: &[u8]) -> Result<Message, Unreadable> {
        if data.len() > MAX_SIZE {
            return Err(der::Error::TooLarge(MAX_SIZE).into());
        }
        let mut outer = Reader::new(data).tolerant();
        let mut message = outer.sequence()?;
        let header_der = message.expect(Tag::SEQUENCE)?.raw;
        let header = Header::from_der(header_der)?;
        let rest = || -> Result<_, Error> {
            outer.finish()?;
            let body_der = message.element()?.raw;
            let body = Body::from_der(body_der)?;
            let protection = match message.optional_nested(Tag::context_constructed(0))? {
                None => None,
                Some(mut wrapped) => {
                    let octets = wrapped.bit_string_octets()?.to_vec();
                    wrapped.finish()?;
                    Some(octets)
                }
            };
            let extra_certs = match message.optional_nested(Tag::context_constructed(1))? {
                None => Vec::new(),
                Some(mut wrapped) => {
                    let certificates = read_certificates(&mut wrapped)?;
                    wrapped.finish()?;
                    certificates
                }
            };
            message.finish()?;
            Ok((body_der, body, protection, extra_certs))
        };
        match { rest }() {
            Ok((body_der, body, protection, extra_certs)) => Ok(Message {
                header,
                body,
                protection,
                extra_certs,
                header_der: header_der.to_vec(),
                body_der: body_der.to_vec(),
            }),
            Err(error) => Err(Unreadable {
                header: Some(Box::new(header)),
                error,
            }),
        }
    }

    /// An unprotected message of these.
    pub fn new(header: Header, body: Body) -> Message {
        Message {
            header_der: header.encode(),
            body_der: body.encode(),
            header,
            body,
            protection: None,
            extra_certs: Vec::new(),
        }
    }

    /// ProtectedPart in DER: what a MAC or signature covers.
    pub fn protected_part(&self) -> Vec<u8> {
        der::sequence(|w| {
            w.raw(&self.header_der).raw(&self.body_der);
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(4096);
        w.sequence(|w| {
            w.raw(&self.header_der).raw(&self.body_der);
            if let Some(protection) = &self.protection {
                w.nested(Tag::context_constructed(0), |w| {
                    w.bit_string_octets(protection);
                });
            }
            if !self.extra_certs.is_empty() {
                w.nested(Tag::context_constructed(1), |w| {
                    write_certificates(w, &self.extra_certs);
                });
            }
        });
        w.finish()
    }
}

/// SEQUENCE OF CMPCertificate.
pub(crate) fn read_certificates(r: &mut Reader<'_>) -> Result<Vec<Certificate>, Error> {
    let mut list = r.sequence()?;
    let mut out = Vec::new();
    while !list.is_empty() {
        if out.len() == MAX_CERTIFICATES {
            return Err(der::Error::TooMany(MAX_CERTIFICATES).into());
        }
        out.push(Certificate::from_der(list.expect(Tag::SEQUENCE)?.raw)?);
    }
    Ok(out)
}

pub(crate) fn write_certificates(w: &mut Writer, certificates: &[Certificate]) {
    w.sequence(|w| {
        for certificate in certificates {
            w.raw(certificate.der());
        }
    });
}

/// PKIFreeText.
fn read_text(r: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    let mut list = r.sequence()?;
    let mut out = Vec::new();
    while !list.is_empty() {
        if out.len() == MAX_TEXT {
            return Err(der::Error::TooMany(MAX_TEXT).into());
        }
        let octets = list.value(Tag::UTF8_STRING)?;
        out.push(String::from_utf8_lossy(octets).into_owned());
    }
    Ok(out)
}

fn write_text(w: &mut Writer, lines: &[String]) {
    w.sequence(|w| {
        for line in lines {
            w.utf8_string(line);
        }
    });
}

//! OCSPRequest (RFC 6960 §4.1).

use super::CertId;
use crate::{
    Error, Extension, Oid,
    der::{Error as DerError, Reader, Tag, Writer},
    oids,
};

/// Largest request read. An honest one has about 100 octets, a signed one with its chain a few thousand.
pub const MAX_REQUEST: usize = 64 << 10;

/// Most certificates asked for at once; RFC 5019 §2.1.1 clients ask for one.
pub const MAX_REQUESTS: usize = 256;

/// Extensions per list; the registry has fewer than ten.
const MAX_EXTENSIONS: usize = 16;

/// id-pkix-ocsp-service-locator, 1.3.6.1.5.5.7.48.1.7
const SERVICE_LOCATOR: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 7]);

/// A request that is to be answered. A signature on it is tolerated and not verified: nothing here depends on who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Never empty after parsing.
    pub cert_ids: Vec<CertId>,
    pub nonce: Option<Nonce>,
    pub signed: bool,
}

/// A nonce as it stands in its extension, which an answer must repeat (RFC 9654).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nonce {
    extension_value: Vec<u8>,
}

impl Nonce {
    /// A nonce of our own making; 32 octets are advised (RFC 9654 §2.1).
    pub fn new(octets: &[u8]) -> Self {
        let mut w = Writer::with_capacity(octets.len() + 4);
        w.octet_string(octets);
        Self {
            extension_value: w.finish(),
        }
    }

    /// The random octets. Clients older than RFC 6960 put them into the extension bare.
    pub fn octets(&self) -> &[u8] {
        let mut r = Reader::new(&self.extension_value);
        match (r.octet_string(), r.is_empty()) {
            (Ok(octets), true) => octets,
            _ => &self.extension_value,
        }
    }

    /// Accepts 1 to 128 octets (RFC 9654 §2.1).
    pub(super) fn read(extension_value: &[u8]) -> Result<Self, Error> {
        let nonce = Self {
            extension_value: extension_value.to_vec(),
        };
        match nonce.octets().len() {
            1..=128 => Ok(nonce),
            _ => Err(Error::invalid(
                "OCSP nonce",
                "its length is not 1 to 128 octets (RFC 9654 §2.1)",
            )),
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.oid(&oids::OCSP_NONCE);
            w.octet_string(&self.extension_value);
        });
    }
}

impl Request {
    pub fn new(cert_ids: Vec<CertId>, nonce: Option<Nonce>) -> Self {
        Self {
            cert_ids,
            nonce,
            signed: false,
        }
    }

    /// Reads a request; every error means `malformedRequest`.
    pub fn parse(input: &[u8]) -> Result<Self, Error> {
        let mut outer = Reader::with_limit(input, MAX_REQUEST)?.tolerant();
        let mut request = outer.sequence()?;
        outer.finish()?;
        let mut tbs = request.sequence()?;
        let signed = request.optional(Tag::context_constructed(0))?.is_some();
        request.finish()?;

        if let Some(mut version) = tbs.optional_nested(Tag::context_constructed(0))? {
            if version.u64()? != 0 {
                return Err(Error::invalid("OCSP request", "the version is not 1"));
            }
            version.finish()?;
        }
        let _requestor_name = tbs.optional(Tag::context_constructed(1))?;
        let cert_ids = read_requests(tbs.sequence()?)?;
        let nonce = match tbs.optional_nested(Tag::context_constructed(2))? {
            Some(extensions) => read_request_extensions(extensions)?,
            None => None,
        };
        tbs.finish()?;
        Ok(Self {
            cert_ids,
            nonce,
            signed,
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(160 * self.cert_ids.len() + 64);
        w.sequence(|w| {
            w.sequence(|w| {
                w.sequence(|w| {
                    for id in &self.cert_ids {
                        w.sequence(|w| {
                            w.raw(id.der());
                        });
                    }
                });
                if let Some(nonce) = &self.nonce {
                    w.nested(Tag::context_constructed(2), |w| {
                        w.sequence(|w| nonce.write(w));
                    });
                }
            });
        });
        w.finish()
    }
}

fn read_requests(mut list: Reader<'_>) -> Result<Vec<CertId>, Error> {
    let mut cert_ids = Vec::with_capacity(1);
    while !list.is_empty() {
        if cert_ids.len() == MAX_REQUESTS {
            return Err(DerError::TooMany(MAX_REQUESTS).into());
        }
        let mut single = list.sequence()?;
        cert_ids.push(CertId::read(&mut single)?);
        if let Some(extensions) = single.optional_nested(Tag::context_constructed(0))? {
            each_extension(extensions, |extension| match extension.oid {
                // Where else the client could be sent (RFC 6960 §4.4.6); this responder answers itself.
                SERVICE_LOCATOR => Ok(()),
                _ => refuse_if_critical(extension),
            })?;
        }
        single.finish()?;
    }
    if cert_ids.is_empty() {
        return Err(Error::invalid("OCSP request", "it asks for no certificate"));
    }
    Ok(cert_ids)
}

fn read_request_extensions(extensions: Reader<'_>) -> Result<Option<Nonce>, Error> {
    let mut nonce = None;
    each_extension(extensions, |extension| match extension.oid {
        oids::OCSP_NONCE if nonce.is_some() => Err(Error::Duplicate {
            what: "extension",
            oid: extension.oid,
        }),
        oids::OCSP_NONCE => {
            nonce = Some(Nonce::read(&extension.value)?);
            Ok(())
        }
        // Which kinds of response and signature the client knows (RFC 6960 §4.4.3, §4.4.7): there is one kind, and
        // the signature is what the issuer's key makes.
        oids::OCSP_RESPONSE | oids::OCSP_PREF_SIG_ALGS => Ok(()),
        _ => refuse_if_critical(extension),
    })?;
    Ok(nonce)
}

fn refuse_if_critical(extension: Extension) -> Result<(), Error> {
    match extension.critical {
        false => Ok(()),
        true => Err(Error::Unsupported {
            what: "critical OCSP request extension",
            oid: extension.oid,
        }),
    }
}

/// Calls `each` for every extension inside an explicit tag.
pub(super) fn each_extension(
    mut wrapper: Reader<'_>,
    mut each: impl FnMut(Extension) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut list = wrapper.sequence()?;
    wrapper.finish()?;
    let mut count = 0;
    while !list.is_empty() {
        count += 1;
        if count > MAX_EXTENSIONS {
            return Err(DerError::TooMany(MAX_EXTENSIONS).into());
        }
        each(Extension::read(&mut list)?)?;
    }
    Ok(())
}

//! PKIHeader (RFC 9810 §5.1.1): who speaks to whom, in which transaction, protected how.

use crate::{
    AlgorithmIdentifier, Error, GeneralName, Name, Time,
    der::{self, Reader, Tag, Writer},
    oids,
};

use super::{CMP2000, InfoTypeAndValue, MAX_OCTETS, general, read_text, write_text};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// As it was written; only 2 and 3 are spoken here.
    pub version: u64,
    pub sender: GeneralName,
    pub recipient: GeneralName,
    pub message_time: Option<Time>,
    pub protection_alg: Option<AlgorithmIdentifier>,
    /// The reference of a shared secret, or the subject key identifier of the certificate that signs.
    pub sender_kid: Option<Vec<u8>>,
    pub recip_kid: Option<Vec<u8>>,
    pub transaction_id: Option<Vec<u8>>,
    pub sender_nonce: Option<Vec<u8>>,
    pub recip_nonce: Option<Vec<u8>>,
    pub free_text: Vec<String>,
    pub general_info: Vec<InfoTypeAndValue>,
}

impl Header {
    pub fn new(sender: GeneralName, recipient: GeneralName) -> Header {
        Header {
            version: CMP2000,
            sender,
            recipient,
            message_time: None,
            protection_alg: None,
            sender_kid: None,
            recip_kid: None,
            transaction_id: None,
            sender_nonce: None,
            recip_nonce: None,
            free_text: Vec::new(),
            general_info: Vec::new(),
        }
    }

    /// The name of somebody who has none to give (RFC 9810 §5.1.1: an empty name).
    pub fn nobody() -> GeneralName {
        GeneralName::DirName(Name::empty())
    }

    /// The requester will not confirm, and asks to be spared it (RFC 9810 §5.1.1.1).
    pub fn implicit_confirm(&self) -> bool {
        self.info(&oids::IT_IMPLICIT_CONFIRM).is_some()
    }

    /// Certificate profiles that are asked for by name (RFC 9810 §5.1.1.4).
    pub fn certificate_profiles(&self) -> Result<Vec<String>, Error> {
        let Some(value) = self.info(&oids::IT_CERT_PROFILE) else {
            return Ok(Vec::new());
        };
        let value = value.value.as_deref().unwrap_or_default();
        let mut r = Reader::new(value).tolerant();
        let profiles = read_text(&mut r)?;
        r.finish()?;
        Ok(profiles)
    }

    pub fn info(&self, oid: &crate::Oid) -> Option<&InfoTypeAndValue> {
        self.general_info.iter().find(|info| info.oid == *oid)
    }

    pub(super) fn from_der(der: &[u8]) -> Result<Header, Error> {
        let mut outer = Reader::new(der).tolerant();
        let mut r = outer.sequence()?;
        outer.finish()?;
        let version = r.u64()?;
        let sender = GeneralName::read(&mut r)?;
        let recipient = GeneralName::read(&mut r)?;
        let mut header = Header::new(sender, recipient);
        header.version = version;
        if let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(0))? {
            let time = wrapped.expect(Tag::GENERALIZED_TIME)?;
            header.message_time = Some(Time::from_element_lenient(time)?);
            wrapped.finish()?;
        }
        if let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(1))? {
            header.protection_alg = Some(AlgorithmIdentifier::read(&mut wrapped)?);
            wrapped.finish()?;
        }
        header.sender_kid = octets(&mut r, 2)?;
        header.recip_kid = octets(&mut r, 3)?;
        header.transaction_id = octets(&mut r, 4)?;
        header.sender_nonce = octets(&mut r, 5)?;
        header.recip_nonce = octets(&mut r, 6)?;
        if let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(7))? {
            header.free_text = read_text(&mut wrapped)?;
            wrapped.finish()?;
        }
        if let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(8))? {
            header.general_info = general::read_all(&mut wrapped)?;
            wrapped.finish()?;
        }
        r.finish()?;
        Ok(header)
    }

    pub fn encode(&self) -> Vec<u8> {
        let explicit = |w: &mut Writer, n: u8, octets: &Option<Vec<u8>>| {
            if let Some(octets) = octets {
                w.nested(Tag::context_constructed(n), |w| {
                    w.octet_string(octets);
                });
            }
        };
        der::sequence(|w| {
            w.u64(self.version);
            self.sender.write(w);
            self.recipient.write(w);
            if let Some(time) = self.message_time {
                w.nested(Tag::context_constructed(0), |w| {
                    w.generalized_time(time);
                });
            }
            if let Some(algorithm) = &self.protection_alg {
                w.nested(Tag::context_constructed(1), |w| algorithm.write(w));
            }
            explicit(w, 2, &self.sender_kid);
            explicit(w, 3, &self.recip_kid);
            explicit(w, 4, &self.transaction_id);
            explicit(w, 5, &self.sender_nonce);
            explicit(w, 6, &self.recip_nonce);
            if !self.free_text.is_empty() {
                w.nested(Tag::context_constructed(7), |w| {
                    write_text(w, &self.free_text);
                });
            }
            if !self.general_info.is_empty() {
                w.nested(Tag::context_constructed(8), |w| {
                    general::write_all(w, &self.general_info);
                });
            }
        })
    }
}

fn octets(r: &mut Reader<'_>, n: u8) -> Result<Option<Vec<u8>>, Error> {
    let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(n))? else {
        return Ok(None);
    };
    let octets = wrapped.octet_string()?;
    wrapped.finish()?;
    match octets.len() > MAX_OCTETS {
        true => Err(der::Error::TooLarge(MAX_OCTETS).into()),
        false => Ok(Some(octets.to_vec())),
    }
}

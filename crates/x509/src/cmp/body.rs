//! PKIBody (RFC 9810 §5.1.2, §5.3): one of 27 choices, of which Ward speaks those of the lightweight profile.

use crate::{
    AlgorithmIdentifier, Certificate, Error, Extension,
    crmf::{CertId, CertReqMsg, CertTemplate, read_small, write_small},
    der::{self, Reader, Tag, Writer},
};

use super::{
    InfoTypeAndValue, MAX_ITEMS, StatusInfo, general, read_certificates, read_text,
    write_certificates, write_text,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Ir(Vec<CertReqMsg>),
    Ip(CertRepMessage),
    Cr(Vec<CertReqMsg>),
    Cp(CertRepMessage),
    /// A PKCS #10 request in DER: its own reader says best what is wrong with it.
    P10cr(Vec<u8>),
    Kur(Vec<CertReqMsg>),
    Kup(CertRepMessage),
    Rr(Vec<RevDetails>),
    Rp(RevReply),
    PkiConf,
    /// Messages inside a message: what registration authorities send each other. Not looked into.
    Nested,
    Genm(Vec<InfoTypeAndValue>),
    Genp(Vec<InfoTypeAndValue>),
    Error(ErrorMessage),
    CertConf(Vec<CertStatus>),
    /// The numbers of the requests that are asked after.
    PollReq(Vec<i64>),
    PollRep(Vec<PollReply>),
    /// A choice that is not spoken here, by its number.
    Other(u8),
}

/// CertRepMessage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertRepMessage {
    pub ca_pubs: Vec<Certificate>,
    pub responses: Vec<CertResponse>,
}

/// CertResponse; the certificate in the clear is the only kind that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertResponse {
    pub cert_req_id: i64,
    pub status: StatusInfo,
    pub certificate: Option<Certificate>,
}

/// RevDetails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevDetails {
    pub template: CertTemplate,
    pub extensions: Vec<Extension>,
}

/// RevRepContent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevReply {
    pub statuses: Vec<StatusInfo>,
    pub certificates: Vec<CertId>,
}

/// ErrorMsgContent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorMessage {
    pub status: StatusInfo,
    pub code: Option<i64>,
    pub details: Vec<String>,
}

/// CertStatus of a certConf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertStatus {
    pub cert_hash: Vec<u8>,
    pub cert_req_id: i64,
    pub status: Option<StatusInfo>,
    /// Only from CMP version 3 on.
    pub hash_alg: Option<AlgorithmIdentifier>,
}

/// One element of PollRepContent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollReply {
    pub cert_req_id: i64,
    /// Seconds.
    pub check_after: u32,
    pub reason: Vec<String>,
}

impl Body {
    /// The name of the choice, as RFC 9810 writes it.
    pub fn name(&self) -> &'static str {
        NAMES
            .get(usize::from(self.number()))
            .copied()
            .unwrap_or("unknown")
    }

    pub fn number(&self) -> u8 {
        match self {
            Body::Ir(_) => 0,
            Body::Ip(_) => 1,
            Body::Cr(_) => 2,
            Body::Cp(_) => 3,
            Body::P10cr(_) => 4,
            Body::Kur(_) => 7,
            Body::Kup(_) => 8,
            Body::Rr(_) => 11,
            Body::Rp(_) => 12,
            Body::PkiConf => 19,
            Body::Nested => 20,
            Body::Genm(_) => 21,
            Body::Genp(_) => 22,
            Body::Error(_) => 23,
            Body::CertConf(_) => 24,
            Body::PollReq(_) => 25,
            Body::PollRep(_) => 26,
            Body::Other(n) => *n,
        }
    }

    pub(super) fn from_der(der: &[u8]) -> Result<Body, Error> {
        let mut outer = Reader::new(der).tolerant();
        let element = outer.element()?;
        outer.finish()?;
        if element.tag.0 & 0xe0 != 0xa0 {
            return Err(Error::invalid("PKIBody", "it has no context-specific tag"));
        }
        let mut r = outer.descend(element.value)?;
        let body = match element.tag.0 & 0x1f {
            0 => Body::Ir(CertReqMsg::read_all(&mut r)?),
            1 => Body::Ip(CertRepMessage::read(&mut r)?),
            2 => Body::Cr(CertReqMsg::read_all(&mut r)?),
            3 => Body::Cp(CertRepMessage::read(&mut r)?),
            4 => Body::P10cr(r.expect(Tag::SEQUENCE)?.raw.to_vec()),
            7 => Body::Kur(CertReqMsg::read_all(&mut r)?),
            8 => Body::Kup(CertRepMessage::read(&mut r)?),
            11 => Body::Rr(list(&mut r, RevDetails::read)?),
            12 => Body::Rp(RevReply::read(&mut r)?),
            19 => {
                r.null()?;
                Body::PkiConf
            }
            20 => return Ok(Body::Nested),
            21 => Body::Genm(general::read_all(&mut r)?),
            22 => Body::Genp(general::read_all(&mut r)?),
            23 => Body::Error(ErrorMessage::read(&mut r)?),
            24 => Body::CertConf(list(&mut r, CertStatus::read)?),
            25 => Body::PollReq(list(&mut r, read_poll_request)?),
            26 => Body::PollRep(list(&mut r, PollReply::read)?),
            n => return Ok(Body::Other(n)),
        };
        r.finish()?;
        Ok(body)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(4096);
        w.nested(Tag::context_constructed(self.number()), |w| match self {
            Body::Ir(requests) | Body::Cr(requests) | Body::Kur(requests) => {
                w.sequence(|w| requests.iter().for_each(|r| r.write(w)));
            }
            Body::Ip(reply) | Body::Cp(reply) | Body::Kup(reply) => reply.write(w),
            Body::P10cr(der) => {
                w.raw(der);
            }
            Body::Rr(details) => {
                w.sequence(|w| details.iter().for_each(|d| d.write(w)));
            }
            Body::Rp(reply) => reply.write(w),
            Body::PkiConf => {
                w.null();
            }
            Body::Genm(items) | Body::Genp(items) => general::write_all(w, items),
            Body::Error(error) => error.write(w),
            Body::CertConf(statuses) => {
                w.sequence(|w| statuses.iter().for_each(|s| s.write(w)));
            }
            Body::PollReq(ids) => {
                w.sequence(|w| {
                    for id in ids {
                        w.sequence(|w| write_small(w, *id));
                    }
                });
            }
            Body::PollRep(replies) => {
                w.sequence(|w| replies.iter().for_each(|r| r.write(w)));
            }
            Body::Nested | Body::Other(_) => {
                w.sequence(|_| {});
            }
        });
        w.finish()
    }
}

const NAMES: [&str; 27] = [
    "ir", "ip", "cr", "cp", "p10cr", "popdecc", "popdecr", "kur", "kup", "krr", "krp", "rr", "rp",
    "ccr", "ccp", "ckuann", "cann", "rann", "crlann", "pkiconf", "nested", "genm", "genp", "error",
    "certConf", "pollReq", "pollRep",
];

impl CertRepMessage {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut reply = r.sequence()?;
        let ca_pubs = match reply.optional_nested(Tag::context_constructed(1))? {
            None => Vec::new(),
            Some(mut wrapped) => {
                let certificates = read_certificates(&mut wrapped)?;
                wrapped.finish()?;
                certificates
            }
        };
        let responses = list(&mut reply, CertResponse::read)?;
        reply.finish()?;
        Ok(CertRepMessage { ca_pubs, responses })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            if !self.ca_pubs.is_empty() {
                w.nested(Tag::context_constructed(1), |w| {
                    write_certificates(w, &self.ca_pubs);
                });
            }
            w.sequence(|w| self.responses.iter().for_each(|r| r.write(w)));
        });
    }
}

impl CertResponse {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut response = r.sequence()?;
        let cert_req_id = read_small(&mut response)?;
        let status = StatusInfo::read(&mut response)?;
        let mut certificate = None;
        if let Some(mut pair) = response.optional_nested(Tag::SEQUENCE)? {
            let mut choice = pair.nested(Tag::context_constructed(0))?;
            certificate = Some(Certificate::from_der(choice.expect(Tag::SEQUENCE)?.raw)?);
            choice.finish()?;
            pair.finish()?;
        }
        response.finish()?;
        Ok(CertResponse {
            cert_req_id,
            status,
            certificate,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            write_small(w, self.cert_req_id);
            self.status.write(w);
            if let Some(certificate) = &self.certificate {
                w.sequence(|w| {
                    w.element(Tag::context_constructed(0), certificate.der());
                });
            }
        });
    }
}

impl RevDetails {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut details = r.sequence()?;
        let template = CertTemplate::read(&mut details)?;
        let mut extensions = Vec::new();
        if let Some(mut entries) = details.optional_nested(Tag::SEQUENCE)? {
            while !entries.is_empty() {
                if extensions.len() == MAX_ITEMS {
                    return Err(der::Error::TooMany(MAX_ITEMS).into());
                }
                extensions.push(Extension::read(&mut entries)?);
            }
        }
        details.finish()?;
        Ok(RevDetails {
            template,
            extensions,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            self.template.write(w);
            if !self.extensions.is_empty() {
                w.sequence(|w| self.extensions.iter().for_each(|e| e.write(w)));
            }
        });
    }
}

impl RevReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut reply = r.sequence()?;
        let statuses = list(&mut reply, StatusInfo::read)?;
        let certificates = match reply.optional_nested(Tag::context_constructed(0))? {
            None => Vec::new(),
            Some(mut wrapped) => {
                let ids = list(&mut wrapped, CertId::read)?;
                wrapped.finish()?;
                ids
            }
        };
        // CRLs may follow; nobody here reads them.
        reply.optional(Tag::context_constructed(1))?;
        reply.finish()?;
        Ok(RevReply {
            statuses,
            certificates,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.sequence(|w| self.statuses.iter().for_each(|s| s.write(w)));
            if !self.certificates.is_empty() {
                w.nested(Tag::context_constructed(0), |w| {
                    w.sequence(|w| self.certificates.iter().for_each(|c| c.write(w)));
                });
            }
        });
    }
}

impl ErrorMessage {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut error = r.sequence()?;
        let status = StatusInfo::read(&mut error)?;
        let code = match error.peek() {
            Some(Tag::INTEGER) => Some(read_small(&mut error)?),
            _ => None,
        };
        let details = match error.is_empty() {
            true => Vec::new(),
            false => read_text(&mut error)?,
        };
        error.finish()?;
        Ok(ErrorMessage {
            status,
            code,
            details,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            self.status.write(w);
            if let Some(code) = self.code {
                write_small(w, code);
            }
            if !self.details.is_empty() {
                write_text(w, &self.details);
            }
        });
    }
}

impl CertStatus {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut status = r.sequence()?;
        let cert_hash = status.octet_string()?.to_vec();
        let cert_req_id = read_small(&mut status)?;
        let info = match status.peek() {
            Some(Tag::SEQUENCE) => Some(StatusInfo::read(&mut status)?),
            _ => None,
        };
        let hash_alg = match status.optional_nested(Tag::context_constructed(0))? {
            None => None,
            Some(mut wrapped) => {
                let algorithm = AlgorithmIdentifier::read(&mut wrapped)?;
                wrapped.finish()?;
                Some(algorithm)
            }
        };
        status.finish()?;
        Ok(CertStatus {
            cert_hash,
            cert_req_id,
            status: info,
            hash_alg,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.octet_string(&self.cert_hash);
            write_small(w, self.cert_req_id);
            if let Some(status) = &self.status {
                status.write(w);
            }
            if let Some(algorithm) = &self.hash_alg {
                w.nested(Tag::context_constructed(0), |w| algorithm.write(w));
            }
        });
    }
}

impl PollReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut reply = r.sequence()?;
        let cert_req_id = read_small(&mut reply)?;
        let check_after = read_small(&mut reply)?;
        let check_after = u32::try_from(check_after).map_err(|_| der::Error::Integer)?;
        let reason = match reply.is_empty() {
            true => Vec::new(),
            false => read_text(&mut reply)?,
        };
        reply.finish()?;
        Ok(PollReply {
            cert_req_id,
            check_after,
            reason,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            write_small(w, self.cert_req_id);
            write_small(w, i64::from(self.check_after));
            if !self.reason.is_empty() {
                write_text(w, &self.reason);
            }
        });
    }
}

fn read_poll_request(r: &mut Reader<'_>) -> Result<i64, Error> {
    let mut request = r.sequence()?;
    let id = read_small(&mut request)?;
    request.finish()?;
    Ok(id)
}

/// SEQUENCE OF, within [`MAX_ITEMS`].
fn list<'a, T>(
    r: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut items = r.sequence()?;
    let mut out = Vec::new();
    while !items.is_empty() {
        if out.len() == MAX_ITEMS {
            return Err(der::Error::TooMany(MAX_ITEMS).into());
        }
        out.push(read(&mut items)?);
    }
    Ok(out)
}

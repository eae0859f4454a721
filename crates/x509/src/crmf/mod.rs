//! Certificate requests of the Certificate Request Message Format (CRMF, RFC 4211), which CMP carries in ir, cr and
//! kur. What a device sends is read within budgets; the bytes that its proof of possession covers are kept as they came.

use crate::{
    AlgorithmIdentifier, Error, GeneralName, Oid, PublicKey,
    der::{self, Reader, Tag, Writer},
    oids,
};

mod possession;
mod template;

pub use possession::{BadPossession, PossessionInput, ProofOfPossession, SigningKeyInput};
pub use template::CertTemplate;

/// Requests in one message. The lightweight profile allows one (RFC 9483 §4.1.1); more are read to be refused by name.
pub const MAX_REQUESTS: usize = 16;
/// Controls of a request, and pieces of registration information. RFC 4211 §6 knows six.
pub const MAX_CONTROLS: usize = 16;

/// CertReqMsg (RFC 4211 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertReqMsg {
    /// 0 in the lightweight profile.
    pub cert_req_id: i64,
    pub template: CertTemplate,
    pub controls: Vec<Attribute>,
    pub popo: Option<ProofOfPossession>,
    pub reg_info: Vec<Attribute>,
    /// CertRequest as it was encoded, which a proof of possession signs.
    request: Vec<u8>,
}

/// AttributeTypeAndValue; the value is one complete element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub oid: Oid,
    pub value: Vec<u8>,
}

/// CertId (RFC 4211 §6.5): names a certificate by its issuer and serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertId {
    pub issuer: GeneralName,
    /// INTEGER content octets.
    pub serial: Vec<u8>,
}

impl CertReqMsg {
    /// A request for this template. Give it a proof with [`CertReqMsg::with_proof`].
    pub fn new(cert_req_id: i64, template: CertTemplate, controls: Vec<Attribute>) -> Self {
        let request = der::sequence(|w| {
            write_small(w, cert_req_id);
            template.write(w);
            write_attributes(w, &controls);
        });
        CertReqMsg {
            cert_req_id,
            template,
            controls,
            popo: None,
            reg_info: Vec::new(),
            request,
        }
    }

    pub fn with_proof(mut self, proof: ProofOfPossession) -> Self {
        self.popo = Some(proof);
        self
    }

    /// CertRequest in DER: what a proof without its own input signs (RFC 4211 §4.1).
    pub fn request_der(&self) -> &[u8] {
        &self.request
    }

    /// The key that is to be certified, if the template names one.
    pub fn public_key(&self) -> Result<Option<PublicKey>, Error> {
        let spki = self.template.spki_der.as_deref();
        spki.map(PublicKey::from_spki_der).transpose()
    }

    /// The certificate that a key update replaces (RFC 4211 §6.5).
    pub fn old_cert_id(&self) -> Result<Option<CertId>, Error> {
        let control = self
            .controls
            .iter()
            .find(|c| c.oid == oids::REG_CTRL_OLD_CERT_ID);
        let Some(control) = control else {
            return Ok(None);
        };
        let mut r = Reader::new(&control.value).tolerant();
        let id = CertId::read(&mut r)?;
        r.finish()?;
        Ok(Some(id))
    }

    /// CertReqMessages.
    pub fn read_all(r: &mut Reader<'_>) -> Result<Vec<CertReqMsg>, Error> {
        let mut list = r.sequence()?;
        let mut out = Vec::new();
        while !list.is_empty() {
            if out.len() == MAX_REQUESTS {
                return Err(der::Error::TooMany(MAX_REQUESTS).into());
            }
            out.push(CertReqMsg::read(&mut list)?);
        }
        Ok(out)
    }

    fn read(r: &mut Reader<'_>) -> Result<CertReqMsg, Error> {
        let mut message = r.sequence()?;
        let whole = message.expect(Tag::SEQUENCE)?;
        let mut request = message.descend(whole.value)?;
        let cert_req_id = read_small(&mut request)?;
        let template = CertTemplate::read(&mut request)?;
        let controls = read_attributes(&mut request)?;
        request.finish()?;
        let popo = match message.peek() {
            None | Some(Tag::SEQUENCE) => None,
            Some(_) => Some(ProofOfPossession::read(&mut message)?),
        };
        let reg_info = read_attributes(&mut message)?;
        message.finish()?;
        Ok(CertReqMsg {
            cert_req_id,
            template,
            controls,
            popo,
            reg_info,
            request: whole.raw.to_vec(),
        })
    }

    pub fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.raw(&self.request);
            if let Some(popo) = &self.popo {
                popo.write(w);
            }
            write_attributes(w, &self.reg_info);
        });
    }

    /// Verifies what can be verified without knowing anybody: a signature made with the key that is asked for.
    pub fn verify_possession(&self, sender: &GeneralName) -> Result<(), BadPossession> {
        possession::verify(self, sender)
    }
}

impl CertId {
    pub fn read(r: &mut Reader<'_>) -> Result<CertId, Error> {
        let mut id = r.sequence()?;
        let issuer = GeneralName::read(&mut id)?;
        let serial = id.integer_lenient()?.to_vec();
        id.finish()?;
        Ok(CertId { issuer, serial })
    }

    pub fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            self.issuer.write(w);
            w.integer(&self.serial);
        });
    }
}

pub(crate) fn read_attributes(r: &mut Reader<'_>) -> Result<Vec<Attribute>, Error> {
    let mut out = Vec::new();
    let Some(mut list) = r.optional_nested(Tag::SEQUENCE)? else {
        return Ok(out);
    };
    while !list.is_empty() {
        if out.len() == MAX_CONTROLS {
            return Err(der::Error::TooMany(MAX_CONTROLS).into());
        }
        let mut attribute = list.sequence()?;
        let oid = attribute.oid()?;
        let value = attribute.element()?.raw.to_vec();
        attribute.finish()?;
        out.push(Attribute { oid, value });
    }
    Ok(out)
}

fn write_attributes(w: &mut Writer, attributes: &[Attribute]) {
    if attributes.is_empty() {
        return;
    }
    w.sequence(|w| {
        for attribute in attributes {
            w.sequence(|w| {
                w.oid(&attribute.oid).raw(&attribute.value);
            });
        }
    });
}

/// An INTEGER that names a request: -1 for PKCS #10 (RFC 9810 §5.3.4), otherwise small.
pub(crate) fn read_small(r: &mut Reader<'_>) -> Result<i64, Error> {
    let content = r.integer()?;
    let [first, rest @ ..] = content else {
        return Err(der::Error::Integer.into());
    };
    if content.len() > 8 {
        return Err(der::Error::Integer.into());
    }
    let start = i64::from(*first as i8);
    Ok(rest.iter().fold(start, |n, b| (n << 8) | i64::from(*b)))
}

pub(crate) fn write_small(w: &mut Writer, value: i64) {
    let octets = value.to_be_bytes();
    let mut content: &[u8] = &octets;
    while content.len() > 1 && !der::is_minimal_integer(content) {
        content = content.get(1..).unwrap_or_default();
    }
    w.integer(content);
}

/// AlgorithmIdentifier under an implicit tag.
pub(crate) fn read_algorithm_content(mut r: Reader<'_>) -> Result<AlgorithmIdentifier, Error> {
    let oid = r.oid()?;
    let params = match r.is_empty() {
        true => None,
        false => Some(r.element()?.raw.to_vec()),
    };
    r.finish()?;
    Ok(AlgorithmIdentifier { oid, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_integers_survive() {
        for n in [0, 1, -1, 127, 128, 255, 256, -128, -129, i64::MAX, i64::MIN] {
            let mut w = Writer::new();
            write_small(&mut w, n);
            let bytes = w.finish();
            let mut r = Reader::new(&bytes);
            assert_eq!(read_small(&mut r).unwrap(), n, "{bytes:02x?}");
        }
    }
}

//! General information and general messages (RFC 9810 §5.3.19, §5.3.20): a type and perhaps a value.

use crate::{
    Certificate, Error, GeneralName, Oid, Time,
    crmf::{self, CertTemplate},
    der::{self, Reader, Tag, Writer},
    oids,
};

use super::{MAX_INFO, write_certificates};

/// InfoTypeAndValue; the value is one complete element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoTypeAndValue {
    pub oid: Oid,
    pub value: Option<Vec<u8>>,
}

/// CRLStatus (RFC 9810 §5.3.19.17): the names of an issuer or a distribution point, and when the CRL that the client
/// holds was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlStatus {
    pub names: Vec<GeneralName>,
    pub this_update: Option<Time>,
}

/// RootCaKeyUpdateContent (RFC 9810 §5.3.19.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootUpdate {
    pub new_with_new: Certificate,
    pub new_with_old: Option<Certificate>,
    pub old_with_new: Option<Certificate>,
}

/// CertReqTemplateContent (RFC 9810 §5.3.19.16).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateAnswer {
    pub template: CertTemplate,
    /// Key types a request may have: RSA sizes and algorithm identifiers in DER.
    pub rsa_bits: Vec<u64>,
    pub key_algorithms: Vec<Vec<u8>>,
}

impl InfoTypeAndValue {
    /// A question, or an answer that there is nothing.
    pub fn bare(oid: Oid) -> Self {
        InfoTypeAndValue { oid, value: None }
    }

    pub fn new(oid: Oid, value: Vec<u8>) -> Self {
        InfoTypeAndValue {
            oid,
            value: Some(value),
        }
    }

    /// The certificate need not be confirmed.
    pub fn implicit_confirm() -> Self {
        InfoTypeAndValue::new(oids::IT_IMPLICIT_CONFIRM, der::encode(Tag::NULL, &[]))
    }

    /// Until when a confirmation is waited for (RFC 9810 §5.1.1.2).
    pub fn confirm_wait_time(until: Time) -> Self {
        let text = until.to_generalized();
        let value = der::encode(Tag::GENERALIZED_TIME, text.as_bytes());
        InfoTypeAndValue::new(oids::IT_CONFIRM_WAIT_TIME, value)
    }

    pub fn ca_certs(certificates: &[Certificate]) -> Self {
        let mut w = Writer::new();
        write_certificates(&mut w, certificates);
        InfoTypeAndValue::new(oids::IT_CA_CERTS, w.finish())
    }

    pub fn root_update(update: &RootUpdate) -> Self {
        let value = der::sequence(|w| {
            w.raw(update.new_with_new.der());
            for (n, certificate) in [(0, &update.new_with_old), (1, &update.old_with_new)] {
                if let Some(certificate) = certificate {
                    w.element(Tag::context_constructed(n), certificate.der());
                }
            }
        });
        InfoTypeAndValue::new(oids::IT_ROOT_CA_KEY_UPDATE, value)
    }

    pub fn template(answer: &TemplateAnswer) -> Self {
        let value = der::sequence(|w| {
            answer.template.write(w);
            if answer.rsa_bits.is_empty() && answer.key_algorithms.is_empty() {
                return;
            }
            w.sequence(|w| {
                for bits in &answer.rsa_bits {
                    w.sequence(|w| {
                        w.oid(&oids::REG_CTRL_RSA_KEY_LEN).u64(*bits);
                    });
                }
                for algorithm in &answer.key_algorithms {
                    w.sequence(|w| {
                        w.oid(&oids::REG_CTRL_ALG_ID).raw(algorithm);
                    });
                }
            });
        });
        InfoTypeAndValue::new(oids::IT_CERT_REQ_TEMPLATE, value)
    }

    pub fn current_crl(crl: &[u8]) -> Self {
        InfoTypeAndValue::new(oids::IT_CURRENT_CRL, crl.to_vec())
    }

    /// CRLs in DER (RFC 9810 §5.3.19.18).
    pub fn crls<L: AsRef<[u8]>>(crls: &[L]) -> Self {
        let value = der::sequence(|w| {
            for crl in crls {
                w.raw(crl.as_ref());
            }
        });
        InfoTypeAndValue::new(oids::IT_CRLS, value)
    }

    /// The root that a question about its successor names (id-it-rootCaCert).
    pub fn root_certificate(&self) -> Result<Option<Certificate>, Error> {
        self.value.as_deref().map(Certificate::from_der).transpose()
    }

    /// What CRLs a client wants (id-it-crlStatusList).
    pub fn crl_statuses(&self) -> Result<Vec<CrlStatus>, Error> {
        let value = self.value.as_deref().unwrap_or_default();
        let mut outer = Reader::new(value).tolerant();
        let mut list = outer.sequence()?;
        outer.finish()?;
        let mut out = Vec::new();
        while !list.is_empty() {
            if out.len() == MAX_INFO {
                return Err(der::Error::TooMany(MAX_INFO).into());
            }
            let mut status = list.sequence()?;
            let names = crl_source(&mut status)?;
            let this_update = match status.is_empty() {
                true => None,
                false => Some(Time::from_element_lenient(status.element()?)?),
            };
            status.finish()?;
            out.push(CrlStatus { names, this_update });
        }
        Ok(out)
    }
}

/// CRLSource ::= CHOICE { dpn [0] DistributionPointName, issuer [1] GeneralNames }.
fn crl_source(status: &mut Reader<'_>) -> Result<Vec<GeneralName>, Error> {
    let source = status.element()?;
    let mut wrapped = status.descend(source.value)?;
    let names = match source.tag {
        Tag(0xa0) => wrapped.optional_nested(Tag::context_constructed(0))?,
        Tag(0xa1) => wrapped.optional_nested(Tag::SEQUENCE)?,
        _ => return Err(Error::invalid("CRLSource", "unknown choice")),
    };
    // A name relative to the issuer's is not looked up.
    names.map_or(Ok(Vec::new()), GeneralName::read_all)
}

/// SEQUENCE OF InfoTypeAndValue.
pub(super) fn read_all(r: &mut Reader<'_>) -> Result<Vec<InfoTypeAndValue>, Error> {
    let mut list = r.sequence()?;
    let mut out = Vec::new();
    while !list.is_empty() {
        if out.len() == MAX_INFO {
            return Err(der::Error::TooMany(MAX_INFO).into());
        }
        let mut item = list.sequence()?;
        let oid = item.oid()?;
        let value = match item.is_empty() {
            true => None,
            false => Some(item.element()?.raw.to_vec()),
        };
        item.finish()?;
        out.push(InfoTypeAndValue { oid, value });
    }
    Ok(out)
}

pub(super) fn write_all(w: &mut Writer, items: &[InfoTypeAndValue]) {
    w.sequence(|w| {
        for item in items {
            w.sequence(|w| {
                w.oid(&item.oid);
                if let Some(value) = &item.value {
                    w.raw(value);
                }
            });
        }
    });
}

impl TemplateAnswer {
    /// From the value of an InfoTypeAndValue, as a client reads it.
    pub fn from_der(value: &[u8]) -> Result<TemplateAnswer, Error> {
        let mut outer = Reader::new(value).tolerant();
        let mut content = outer.sequence()?;
        outer.finish()?;
        let mut out = TemplateAnswer {
            template: CertTemplate::read(&mut content)?,
            ..Default::default()
        };
        for control in crmf::read_attributes(&mut content)? {
            let mut value = Reader::new(&control.value).tolerant();
            match control.oid {
                oids::REG_CTRL_RSA_KEY_LEN => out.rsa_bits.push(value.u64()?),
                oids::REG_CTRL_ALG_ID => out.key_algorithms.push(control.value),
                _ => {}
            }
        }
        content.finish()?;
        Ok(out)
    }
}

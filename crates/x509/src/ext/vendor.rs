//! Extensions from outside RFC 5280: OCSP, TLS and Microsoft.

use super::{ExtensionValue, whole, whole_list};
use crate::{
    Error, GeneralName, Oid,
    der::{self, Tag},
    oids,
};

/// RFC 6960 §4.2.2.2.1: the responder's certificate need not itself be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspNoCheck;

impl ExtensionValue for OcspNoCheck {
    const OID: Oid = oids::OCSP_NO_CHECK;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, |r| Ok(r.null()?)).map(|()| Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::encode(Tag::NULL, &[])
    }
}

/// RFC 7633: TLS extensions the server must offer; 5 is status_request ("must staple").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFeature(pub Vec<u16>);

impl ExtensionValue for TlsFeature {
    const OID: Oid = oids::TLS_FEATURE;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        let features = whole_list(value, |r| {
            let n = r.u64()?;
            u16::try_from(n).map_err(|_| Error::invalid("TLSFeature", "must be below 65536"))
        });
        features.map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            for feature in &self.0 {
                w.u64((*feature).into());
            }
        })
    }
}

/// Microsoft's NTDS_CA_SECURITY_EXT (MS-WCCE §2.2.2.7.7.4): the account's SID in text form, which
/// domain controllers demand before they map a certificate to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsSid(pub String);

impl ExtensionValue for MsSid {
    const OID: Oid = oids::MS_SID_EXTENSION;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        let names = whole_list(value, GeneralName::read)?;
        let sid = names.iter().find_map(|n| match n {
            GeneralName::Other { type_id, value_der } if *type_id == oids::MS_SID_OBJECT => {
                whole(value_der, |r| Ok(r.octet_string()?.to_vec())).ok()
            }
            _ => None,
        });
        sid.and_then(|s| String::from_utf8(s).ok())
            .filter(|s| is_sid(s))
            .map(Self)
            .ok_or(Error::invalid(
                "SID extension",
                "holds no security identifier",
            ))
    }

    fn encode_value(&self) -> Vec<u8> {
        let name = GeneralName::Other {
            type_id: oids::MS_SID_OBJECT,
            value_der: der::encode(Tag::OCTET_STRING, self.0.as_bytes()),
        };
        der::sequence(|w| name.write(w))
    }
}

impl MsSid {
    /// Checks the text form of MS-DTYP §2.4.2.1: `S-1-` and up to 15 sub-authorities.
    pub fn new(sid: &str) -> Result<Self, Error> {
        match is_sid(sid) {
            true => Ok(Self(sid.to_owned())),
            false => Err(Error::invalid("SID", "must read S-1-5-21-…")),
        }
    }
}

fn is_sid(s: &str) -> bool {
    let Some(rest) = s.strip_prefix("S-1-") else {
        return false;
    };
    let parts: Vec<&str> = rest.split('-').collect();
    let numeric = |p: &&str| (1..=14).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
    (2..=16).contains(&parts.len()) && parts.iter().all(numeric)
}

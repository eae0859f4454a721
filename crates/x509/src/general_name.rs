//! GeneralName (RFC 5280 §4.2.1.6): everything a certificate can name a subject by.

use std::net::IpAddr;

use crate::{
    Error, Name, Oid,
    der::{Reader, Writer},
    oids,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GeneralName {
    Dns(String),
    Email(String),
    Uri(String),
    Ip(IpAddr),
    DirName(Name),
    RegisteredId(Oid),
    /// `value_der` is the complete element inside the explicit `[0]`.
    Other {
        type_id: Oid,
        value_der: Vec<u8>,
    },
    /// Complete content of the ORAddress, which nobody uses and nothing here interprets.
    X400(Vec<u8>),
    Ediparty(Vec<u8>),
}

impl GeneralName {
    /// Microsoft user principal name: a UTF8String otherName.
    pub fn upn(upn: &str) -> GeneralName {
        let mut w = Writer::new();
        w.utf8_string(upn);
        GeneralName::Other {
            type_id: oids::ON_UPN,
            value_der: w.finish(),
        }
    }

    /// RFC 4108 §5: names a device by its hardware type and serial number.
    pub fn hardware_module_name(hw_type: Oid, serial: &[u8]) -> GeneralName {
        let mut w = Writer::new();
        w.sequence(|w| {
            w.oid(&hw_type).octet_string(serial);
        });
        GeneralName::Other {
            type_id: oids::ON_HARDWARE_MODULE_NAME,
            value_der: w.finish(),
        }
    }

    /// RFC 4985: `_service.domain` as IA5String.
    pub fn srv(name: &str) -> GeneralName {
        let mut w = Writer::new();
        w.ia5_string(name);
        GeneralName::Other {
            type_id: oids::ON_DNS_SRV,
            value_der: w.finish(),
        }
    }

    pub fn read(_r: &mut Reader<'_>) -> Result<GeneralName, Error> {
        Err(Error::invalid("GeneralName", "not readable yet"))
    }

    pub fn write(&self, _w: &mut Writer) {}

    /// The kind as RFC 5280 names it, such as `dNSName`.
    pub fn kind(&self) -> &'static str {
        match self {
            GeneralName::Dns(_) => "dNSName",
            GeneralName::Email(_) => "rfc822Name",
            GeneralName::Uri(_) => "uniformResourceIdentifier",
            GeneralName::Ip(_) => "iPAddress",
            GeneralName::DirName(_) => "directoryName",
            GeneralName::RegisteredId(_) => "registeredID",
            GeneralName::Other { .. } => "otherName",
            GeneralName::X400(_) => "x400Address",
            GeneralName::Ediparty(_) => "ediPartyName",
        }
    }
}

impl std::fmt::Display for GeneralName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

//! GeneralName (RFC 5280 §4.2.1.6): everything a certificate can name a subject by.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use crate::{
    Error, Name, Oid,
    der::{self, Element, Reader, Tag, Writer},
    name, oids,
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
    /// Content of the ORAddress, which nobody uses and nothing here interprets.
    X400(Vec<u8>),
    Ediparty(Vec<u8>),
}

impl GeneralName {
    /// Microsoft user principal name: a UTF8String otherName.
    pub fn upn(upn: &str) -> GeneralName {
        GeneralName::Other {
            type_id: oids::ON_UPN,
            value_der: der::encode(Tag::UTF8_STRING, upn.as_bytes()),
        }
    }

    /// RFC 4108 §5: names a device by its hardware type and serial number.
    pub fn hardware_module_name(hw_type: Oid, serial: &[u8]) -> GeneralName {
        GeneralName::Other {
            type_id: oids::ON_HARDWARE_MODULE_NAME,
            value_der: der::sequence(|w| {
                w.oid(&hw_type).octet_string(serial);
            }),
        }
    }

    /// RFC 4985 §2: `_service.domain` as IA5String.
    pub fn srv(name: &str) -> GeneralName {
        GeneralName::Other {
            type_id: oids::ON_DNS_SRV,
            value_der: der::encode(Tag::IA5_STRING, name.as_bytes()),
        }
    }

    /// RFC 9598 §3: a mailbox whose local part needs UTF-8.
    pub fn smtp_utf8_mailbox(mailbox: &str) -> GeneralName {
        GeneralName::Other {
            type_id: oids::ON_SMTP_UTF8_MAILBOX,
            value_der: der::encode(Tag::UTF8_STRING, mailbox.as_bytes()),
        }
    }

    pub fn as_upn(&self) -> Option<String> {
        self.other_string(oids::ON_UPN)
    }

    pub fn as_srv(&self) -> Option<String> {
        self.other_string(oids::ON_DNS_SRV)
    }

    /// Hardware type and serial number.
    pub fn as_hardware_module_name(&self) -> Option<(Oid, Vec<u8>)> {
        let GeneralName::Other { type_id, value_der } = self else {
            return None;
        };
        let mut inner = Reader::new(value_der).tolerant().sequence().ok()?;
        let parts = (inner.oid().ok()?, inner.octet_string().ok()?.to_vec());
        (*type_id == oids::ON_HARDWARE_MODULE_NAME && inner.is_empty()).then_some(parts)
    }

    fn other_string(&self, wanted: Oid) -> Option<String> {
        match self {
            GeneralName::Other { type_id, value_der } if *type_id == wanted => {
                let e = Reader::new(value_der).tolerant().element().ok()?;
                name::decode_string(e.tag, e.value).map(|s| s.into_owned())
            }
            _ => None,
        }
    }

    pub fn read(r: &mut Reader<'_>) -> Result<GeneralName, Error> {
        let e = r.element()?;
        let inner = || r.descend(e.value);
        Ok(match e.tag {
            Tag(0xa0) => {
                let (type_id, value) = read_other(inner()?)?;
                GeneralName::Other {
                    type_id,
                    value_der: value.to_vec(),
                }
            }
            Tag(0x81) => GeneralName::Email(text(e)?),
            Tag(0x82) => GeneralName::Dns(text(e)?),
            Tag(0xa3) => GeneralName::X400(e.value.to_vec()),
            Tag(0xa4) => GeneralName::DirName(Name::from_der(e.value)?),
            Tag(0xa5) => GeneralName::Ediparty(e.value.to_vec()),
            Tag(0x86) => GeneralName::Uri(text(e)?),
            Tag(0x87) => GeneralName::Ip(address(e.value)?),
            Tag(0x88) => GeneralName::RegisteredId(Oid::from_content(e.value)?),
            _ => return Err(Error::invalid("GeneralName", "unknown kind")),
        })
    }

    /// `GeneralNames` content: names until the reader is empty.
    pub fn read_all(mut r: Reader<'_>) -> Result<Vec<GeneralName>, Error> {
        let mut names = Vec::new();
        while !r.is_empty() {
            names.push(Self::read(&mut r)?);
        }
        Ok(names)
    }

    pub fn write(&self, w: &mut Writer) {
        match self {
            GeneralName::Other { type_id, value_der } => write_other(w, type_id, value_der),
            GeneralName::Email(s) => primitive(w, 1, s.as_bytes()),
            GeneralName::Dns(s) => primitive(w, 2, s.as_bytes()),
            GeneralName::X400(v) => constructed(w, 3, v),
            GeneralName::DirName(n) => constructed(w, 4, n.der()),
            GeneralName::Ediparty(v) => constructed(w, 5, v),
            GeneralName::Uri(s) => primitive(w, 6, s.as_bytes()),
            GeneralName::Ip(IpAddr::V4(a)) => primitive(w, 7, &a.octets()),
            GeneralName::Ip(IpAddr::V6(a)) => primitive(w, 7, &a.octets()),
            GeneralName::RegisteredId(o) => primitive(w, 8, o.as_bytes()),
        }
    }

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

impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(upn) = self.as_upn() {
            return write!(f, "UPN:{upn}");
        }
        if let Some(srv) = self.as_srv() {
            return write!(f, "SRV:{srv}");
        }
        if let Some((hw_type, serial)) = self.as_hardware_module_name() {
            return write!(f, "HWM:{hw_type}:{}", hex::encode(serial));
        }
        match self {
            GeneralName::Dns(s) => write!(f, "DNS:{s}"),
            GeneralName::Email(s) => write!(f, "email:{s}"),
            GeneralName::Uri(s) => write!(f, "URI:{s}"),
            GeneralName::Ip(a) => write!(f, "IP:{a}"),
            GeneralName::DirName(n) => write!(f, "DirName:{n}"),
            GeneralName::RegisteredId(o) => write!(f, "RID:{o}"),
            GeneralName::Other { type_id, value_der } => {
                write!(f, "otherName:{type_id}:{}", hex::encode(value_der))
            }
            GeneralName::X400(v) => write!(f, "X400:{}", hex::encode(v)),
            GeneralName::Ediparty(v) => write!(f, "EDIParty:{}", hex::encode(v)),
        }
    }
}

/// OtherName content: an identifier and one element under an explicit `[0]`.
pub(crate) fn read_other(mut r: Reader<'_>) -> Result<(Oid, &[u8]), Error> {
    let type_id = r.oid()?;
    let mut wrapped = r.nested(Tag::context_constructed(0))?;
    let value = wrapped.element()?.raw;
    wrapped.finish()?;
    r.finish()?;
    Ok((type_id, value))
}

pub(crate) fn write_other(w: &mut Writer, type_id: &Oid, value_der: &[u8]) {
    w.nested(Tag::context_constructed(0), |w| {
        w.oid(type_id);
        w.element(Tag::context_constructed(0), value_der);
    });
}

pub(crate) fn primitive(w: &mut Writer, n: u8, value: &[u8]) {
    w.element(Tag::context(n), value);
}

pub(crate) fn constructed(w: &mut Writer, n: u8, value: &[u8]) {
    w.element(Tag::context_constructed(n), value);
}

/// IA5String, but UTF-8 is let through so that what a device wrote remains visible; whoever matches
/// or issues names checks for ASCII.
pub(crate) fn text(e: Element<'_>) -> Result<String, Error> {
    let text = std::str::from_utf8(e.value).map_err(|_| der::Error::String)?;
    Ok(text.to_owned())
}

fn address(octets: &[u8]) -> Result<IpAddr, Error> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    <[u8; 16]>::try_from(octets)
        .map(|v6| IpAddr::V6(Ipv6Addr::from(v6)))
        .map_err(|_| Error::invalid("iPAddress", "must be 4 or 16 octets"))
}

/// The text is none of the kinds of name that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no alternative name; expected dns:…, ip:…, email:…, uri:…, upn:…, srv:…, hwm:OID:HEX, dirname:… or rid:…"
)]
pub struct BadGeneralName(String);

impl FromStr for GeneralName {
    type Err = BadGeneralName;

    /// Reads `kind:value`, as `Display` writes it; the kind in any case. Whether the value is good is for whoever
    /// issues to say.
    fn from_str(text: &str) -> Result<Self, BadGeneralName> {
        let bad = || BadGeneralName(text.to_owned());
        let (kind, value) = text.split_once(':').ok_or_else(bad)?;
        Ok(match kind.to_ascii_lowercase().as_str() {
            "dns" => GeneralName::Dns(value.to_owned()),
            "ip" => GeneralName::Ip(value.parse().map_err(|_| bad())?),
            "email" => GeneralName::Email(value.to_owned()),
            "uri" => GeneralName::Uri(value.to_owned()),
            "upn" => GeneralName::upn(value),
            "srv" => GeneralName::srv(value),
            "hwm" => {
                let (hw_type, serial) = value.split_once(':').ok_or_else(bad)?;
                let hw_type = hw_type.parse().map_err(|_| bad())?;
                GeneralName::hardware_module_name(hw_type, &hex::decode(serial).map_err(|_| bad())?)
            }
            "dirname" => GeneralName::DirName(value.parse().map_err(|_| bad())?),
            "rid" => GeneralName::RegisteredId(value.parse().map_err(|_| bad())?),
            _ => return Err(bad()),
        })
    }
}

//! Extensions as JSON: every one this crate has a type for in words, any other in hexadecimal under its identifier.

use serde_json::{Map, Value, json};

use super::{object::hex_colon, text::escape};
use crate::{
    Error, Extension, GeneralName, Oid,
    crl::Reason,
    der::{Reader, Tag},
    ext::{self, ExtensionValue},
    oids,
};

/// Items listed of one extension; a certificate with more says how many it has.
const MAX_LISTED: usize = 1000;

/// `{"oid", "name", "critical", "value"}`, with `"hex"` in place of the value where it cannot be read.
pub(super) fn describe(extension: &Extension) -> Value {
    let mut out = Map::new();
    out.insert("oid".into(), json!(extension.oid));
    out.insert("name".into(), json!(extension.oid.name()));
    out.insert("critical".into(), json!(extension.critical));
    match value(extension) {
        Some(Ok(value)) => {
            out.insert("value".into(), value);
        }
        unread => {
            out.insert("hex".into(), json!(hex::encode(&extension.value)));
            if let Some(Err(error)) = unread {
                out.insert("error".into(), json!(error.to_string()));
            }
        }
    }
    Value::Object(out)
}

pub(super) fn describe_all(extensions: &[Extension]) -> Value {
    extensions.iter().map(describe).collect()
}

/// The typed value; `None` for an extension without a type here.
fn value(extension: &Extension) -> Option<Result<Value, Error>> {
    let v = &extension.value;
    Some(match extension.oid {
        oids::BASIC_CONSTRAINTS => typed(
            v,
            |e: ext::BasicConstraints| json!({"ca": e.ca, "pathLength": e.path_len}),
        ),
        oids::KEY_USAGE => typed(v, key_usage),
        oids::EXT_KEY_USAGE => typed(v, |e: ext::ExtKeyUsage| e.0.iter().map(oid).collect()),
        oids::SUBJECT_ALT_NAME => typed(v, |e: ext::SubjectAltName| names(&e.0)),
        oids::ISSUER_ALT_NAME => typed(v, |e: ext::IssuerAltName| names(&e.0)),
        oids::CERTIFICATE_ISSUER => typed(v, |e: ext::CertificateIssuer| names(&e.0)),
        oids::SUBJECT_KEY_IDENTIFIER => typed(v, |e: ext::SubjectKeyId| json!(hex_colon(&e.0))),
        oids::AUTHORITY_KEY_IDENTIFIER => typed(v, authority_key_id),
        oids::NAME_CONSTRAINTS => typed(
            v,
            |e: ext::NameConstraints| json!({"permitted": subtrees(&e.permitted), "excluded": subtrees(&e.excluded)}),
        ),
        oids::CERTIFICATE_POLICIES => typed(v, |e: ext::CertificatePolicies| {
            e.0.iter().map(policy).collect()
        }),
        oids::POLICY_MAPPINGS => typed(v, |e: ext::PolicyMappings| {
            let pair = |(issuer, subject): &(Oid, Oid)| json!({"issuerPolicy": oid(issuer), "subjectPolicy": oid(subject)});
            e.0.iter().map(pair).collect()
        }),
        oids::POLICY_CONSTRAINTS => typed(
            v,
            |e: ext::PolicyConstraints| json!({"requireExplicitPolicy": e.require_explicit, "inhibitPolicyMapping": e.inhibit_mapping}),
        ),
        oids::INHIBIT_ANY_POLICY => typed(v, |e: ext::InhibitAnyPolicy| json!(e.0)),
        oids::AUTHORITY_INFO_ACCESS => typed(v, |e: ext::AuthorityInfoAccess| access(&e.0)),
        oids::SUBJECT_INFO_ACCESS => typed(v, |e: ext::SubjectInfoAccess| access(&e.0)),
        oids::CRL_DISTRIBUTION_POINTS => typed(v, |e: ext::CrlDistributionPoints| {
            e.0.iter().map(distribution_point).collect()
        }),
        oids::FRESHEST_CRL => typed(v, |e: ext::FreshestCrl| {
            e.0.iter().map(distribution_point).collect()
        }),
        oids::ISSUING_DISTRIBUTION_POINT => typed(v, issuing_distribution_point),
        oids::CRL_NUMBER => typed(v, |e: ext::CrlNumber| json!(hex::encode(e.0))),
        oids::DELTA_CRL_INDICATOR => typed(v, |e: ext::DeltaCrlIndicator| json!(hex::encode(e.0))),
        oids::CRL_REASON => typed(v, |e: ext::CrlReason| json!(Reason::from_code(e.0))),
        oids::INVALIDITY_DATE => typed(v, |e: ext::InvalidityDate| json!(e.0.to_string())),
        oids::OCSP_NO_CHECK => typed(v, |_: ext::OcspNoCheck| json!(true)),
        oids::TLS_FEATURE => typed(v, |e: ext::TlsFeature| json!(e.0)),
        oids::MS_SID_EXTENSION => typed(v, |e: ext::MsSid| json!(escape(&e.0))),
        oids::NETSCAPE_COMMENT => string(v),
        oids::MS_CERTIFICATE_TEMPLATE_NAME => string(v),
        _ => return None,
    })
}

fn typed<T: ExtensionValue>(value: &[u8], show: impl FnOnce(T) -> Value) -> Result<Value, Error> {
    T::parse(value).map(show)
}

/// An extension that is one character string.
fn string(value: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader::new(value).tolerant();
    let element = reader.element()?;
    reader.finish()?;
    text(element.tag, element.value)
        .map(Value::String)
        .ok_or(Error::invalid("extension", "it is no character string"))
}

fn key_usage(usage: ext::KeyUsage) -> Value {
    let bits = [
        (ext::KeyUsage::DIGITAL_SIGNATURE, "digitalSignature"),
        (ext::KeyUsage::NON_REPUDIATION, "nonRepudiation"),
        (ext::KeyUsage::KEY_ENCIPHERMENT, "keyEncipherment"),
        (ext::KeyUsage::DATA_ENCIPHERMENT, "dataEncipherment"),
        (ext::KeyUsage::KEY_AGREEMENT, "keyAgreement"),
        (ext::KeyUsage::KEY_CERT_SIGN, "keyCertSign"),
        (ext::KeyUsage::CRL_SIGN, "cRLSign"),
        (ext::KeyUsage::ENCIPHER_ONLY, "encipherOnly"),
        (ext::KeyUsage::DECIPHER_ONLY, "decipherOnly"),
    ];
    let set = bits.iter().filter(|(bit, _)| usage.contains(*bit));
    set.map(|(_, name)| json!(name)).collect()
}

fn authority_key_id(id: ext::AuthorityKeyId) -> Value {
    json!({
        "keyId": id.key_id.map(|k| hex_colon(&k)),
        "issuer": id.issuer.map(|n| names(&n)),
        "serial": id.serial.map(|s| hex_colon(&s)),
    })
}

fn policy(information: &ext::PolicyInformation) -> Value {
    let qualifier = |qualifier: &ext::PolicyQualifier| match qualifier {
        ext::PolicyQualifier::Cps(uri) => json!({"type": "cps", "value": escape(uri)}),
        ext::PolicyQualifier::UserNotice(notice) => {
            json!({"type": "userNotice", "value": notice.as_deref().map(escape)})
        }
        ext::PolicyQualifier::Other { oid, value_der } => {
            json!({"type": oid, "value": hex::encode(value_der)})
        }
    };
    let qualifiers: Vec<Value> = information.qualifiers.iter().map(qualifier).collect();
    match qualifiers.is_empty() {
        true => oid(&information.policy),
        false => json!({"policy": oid(&information.policy), "qualifiers": qualifiers}),
    }
}

fn subtrees(subtrees: &[ext::GeneralSubtree]) -> Value {
    let shown = subtrees.iter().take(MAX_LISTED);
    shown.map(|subtree| constraint(&subtree.base)).collect()
}

fn constraint(base: &ext::Constraint) -> Value {
    let (kind, value) = match base {
        ext::Constraint::Dns(name) => ("dNSName", escape(name)),
        ext::Constraint::Email(name) => ("rfc822Name", escape(name)),
        ext::Constraint::Uri(name) => ("uniformResourceIdentifier", escape(name)),
        ext::Constraint::Ip(range) => ("iPAddress", ip_range(range)),
        ext::Constraint::DirName(name) => ("directoryName", escape(&name.to_string())),
        ext::Constraint::RegisteredId(id) => ("registeredID", id.to_string()),
        ext::Constraint::Other { type_id, value_der } => {
            ("otherName", other_name(type_id, value_der))
        }
        ext::Constraint::X400(content) => ("x400Address", hex::encode(content)),
        ext::Constraint::Ediparty(content) => ("ediPartyName", hex::encode(content)),
    };
    json!({"type": kind, "value": value})
}

fn ip_range(range: &ext::IpRange) -> String {
    let address = |octets: &[u8]| match <[u8; 4]>::try_from(octets) {
        Ok(v4) => std::net::Ipv4Addr::from(v4).to_string(),
        Err(_) => match <[u8; 16]>::try_from(octets) {
            Ok(v6) => std::net::Ipv6Addr::from(v6).to_string(),
            Err(_) => hex::encode(octets),
        },
    };
    format!("{}/{}", address(&range.address), address(&range.mask))
}

fn access(descriptions: &[ext::AccessDescription]) -> Value {
    let one = |d: &ext::AccessDescription| {
        let method = d
            .method
            .name()
            .map_or_else(|| d.method.to_string(), str::to_owned);
        json!({"method": method, "location": name_text(&d.location)})
    };
    descriptions.iter().take(MAX_LISTED).map(one).collect()
}

fn distribution_point(point: &ext::DistributionPoint) -> Value {
    let mut out = Map::new();
    if let Some(name) = &point.name {
        out.insert("name".into(), distribution_point_name(name));
    }
    if let Some(flags) = point.reasons {
        out.insert("reasons".into(), reasons(flags));
    }
    if !point.crl_issuer.is_empty() {
        out.insert("crlIssuer".into(), names(&point.crl_issuer));
    }
    Value::Object(out)
}

fn distribution_point_name(name: &ext::DistributionPointName) -> Value {
    match name {
        ext::DistributionPointName::Full(full) => {
            full.iter().take(MAX_LISTED).map(name_text).collect()
        }
        ext::DistributionPointName::RelativeToIssuer(attributes) => attributes
            .iter()
            .map(|attribute| json!(format!("relative to issuer: {}", hex::encode(attribute))))
            .collect(),
    }
}

fn issuing_distribution_point(point: ext::IssuingDistributionPoint) -> Value {
    json!({
        "name": point.name.as_ref().map(distribution_point_name),
        "onlyUserCertificates": point.only_user_certs,
        "onlyCaCertificates": point.only_ca_certs,
        "onlySomeReasons": point.only_some_reasons.map(reasons),
        "indirectCrl": point.indirect_crl,
        "onlyAttributeCertificates": point.only_attribute_certs,
    })
}

/// ReasonFlags has its own order of bits, which ends at 8 (RFC 5280 §4.2.1.13).
fn reasons(flags: ext::ReasonFlags) -> Value {
    const NAMES: [&str; 9] = [
        "unused",
        "keyCompromise",
        "caCompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "certificateHold",
        "privilegeWithdrawn",
        "aaCompromise",
    ];
    let set = NAMES
        .iter()
        .enumerate()
        .filter(|(bit, _)| flags.0 & (1 << bit) != 0);
    set.map(|(_, name)| json!(name)).collect()
}

/// `serverAuth` or dotted decimal.
pub(super) fn oid(oid: &Oid) -> Value {
    json!(oid.name().map_or_else(|| oid.to_string(), str::to_owned))
}

/// `[{"type", "value"}]`, and how many more there are.
pub(super) fn names(names: &[GeneralName]) -> Value {
    let mut out: Vec<Value> = names.iter().take(MAX_LISTED).map(name).collect();
    if names.len() > MAX_LISTED {
        out.push(json!({"type": "omitted", "value": names.len() - MAX_LISTED}));
    }
    Value::Array(out)
}

fn name(name: &GeneralName) -> Value {
    json!({"type": name.kind(), "value": name_value(name)})
}

/// A name in a place where its kind is plain, such as the URI of a distribution point.
fn name_text(name: &GeneralName) -> Value {
    match name {
        GeneralName::Uri(uri) => json!(escape(uri)),
        other => json!(format!("{} {}", other.kind(), name_value(other))),
    }
}

fn name_value(name: &GeneralName) -> String {
    match name {
        GeneralName::Dns(text) | GeneralName::Email(text) | GeneralName::Uri(text) => escape(text),
        GeneralName::Ip(address) => address.to_string(),
        GeneralName::DirName(name) => escape(&name.to_string()),
        GeneralName::RegisteredId(id) => id.to_string(),
        GeneralName::Other { type_id, value_der } => other_name(type_id, value_der),
        GeneralName::X400(content) | GeneralName::Ediparty(content) => hex::encode(content),
    }
}

/// `userPrincipalName: nurse@hospital.example`, or hexadecimal where the value is no string.
fn other_name(type_id: &Oid, value_der: &[u8]) -> String {
    let kind = type_id
        .name()
        .map_or_else(|| type_id.to_string(), str::to_owned);
    let mut reader = Reader::new(value_der).tolerant();
    let decoded = match reader.element() {
        Ok(element) if *type_id == oids::ON_HARDWARE_MODULE_NAME => hardware_module(element.value),
        Ok(element) => text(element.tag, element.value),
        Err(_) => None,
    };
    let shown = decoded.unwrap_or_else(|| hex::encode(value_der));
    format!("{kind}: {shown}")
}

/// HardwareModuleName (RFC 4108 §5): type and serial number.
fn hardware_module(content: &[u8]) -> Option<String> {
    let mut fields = Reader::new(content);
    let hardware = fields.oid().ok()?;
    let serial = fields.octet_string().ok()?;
    let shown = match std::str::from_utf8(serial) {
        Ok(text) if !serial.is_empty() => escape(text),
        _ => hex::encode(serial),
    };
    Some(format!("type {hardware}, serial {shown}"))
}

/// A character string as text, escaped.
pub(super) fn text(tag: Tag, value: &[u8]) -> Option<String> {
    match tag {
        Tag::UTF8_STRING
        | Tag::IA5_STRING
        | Tag::PRINTABLE_STRING
        | Tag::NUMERIC_STRING
        | Tag::VISIBLE_STRING => Some(escape(&String::from_utf8_lossy(value))),
        Tag::TELETEX_STRING => Some(escape(
            &value.iter().map(|b| char::from(*b)).collect::<String>(),
        )),
        Tag::BMP_STRING => {
            let units = value
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |u, b| (u << 8) | u16::from(*b)));
            let decoded =
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
            Some(escape(&decoded.collect::<String>()))
        }
        _ => None,
    }
}

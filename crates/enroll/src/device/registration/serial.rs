//! Which serial number a request names, and where (R08).

use x509::ext::SubjectAltName;
use x509::{Certificate, GeneralName, Name, oids};

use crate::device::SerialField;

/// A serial number and the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) field: SerialField,
    pub(super) serial: String,
}

/// Every serial number in a subject and its alternative names.
pub(super) fn named(subject: Option<&Name>, names: &[GeneralName]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut add = |field, serial: &str| {
        let serial = serial.trim();
        if !serial.is_empty() {
            let serial = serial.to_owned();
            found.push(Named { field, serial });
        }
    };
    if let Some(subject) = subject {
        for attribute in subject.attributes() {
            match attribute.oid {
                oids::SERIAL_NUMBER => add(SerialField::SubjectSerialNumber, &attribute.text()),
                oids::COMMON_NAME => add(SerialField::CommonName, &attribute.text()),
                _ => {}
            }
        }
    }
    for name in names {
        if let Some((_, serial)) = name.as_hardware_module_name() {
            add(SerialField::HardwareModule, &text(&serial));
        } else if let GeneralName::Uri(uri) = name
            && let Some(serial) = udi_serial(uri)
        {
            add(SerialField::Udi, &serial);
        }
    }
    found
}

/// The serial number that a certificate names in `field`.
pub(super) fn of_certificate(certificate: &Certificate, field: SerialField) -> Option<String> {
    let names: Option<SubjectAltName> = certificate.ext().unwrap_or_default();
    let found = named(Some(certificate.subject()), &names.unwrap_or_default().0);
    let mut in_field = found.into_iter().filter(|named| named.field == field);
    in_field.next().map(|named| named.serial)
}

/// The serial number of a hardware module is octets (RFC 4108 §5): as a rule text, else they are written in hexadecimal.
fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => hex::encode_upper(octets),
    }
}

/// The serial number in a GS1 Digital Link, `https://id.gs1.org/01/{gtin}/21/{serial}`.
fn udi_serial(uri: &str) -> Option<String> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let product = segments.iter().position(|segment| *segment == "01")?;
    let rest = segments.get(product..)?;
    let at = rest.iter().position(|segment| *segment == "21")?;
    decoded(rest.get(at + 1)?)
}

/// Without percent-encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'%' => {
                let digits = after.get(..2)?;
                bytes.extend(hex::decode(digits).ok()?);
                rest = after.get(2..)?;
            }
            byte => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The GS1 Digital Link of a device; `None` where its UDI is none of GS1's.
pub(super) fn udi_link(gtin: &str, serial: &str) -> Option<String> {
    let digits = gtin.len() == 14 && gtin.bytes().all(|byte| byte.is_ascii_digit());
    let mut link = format!("https://id.gs1.org/01/{gtin}/21/");
    for byte in serial.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                link.push(char::from(byte));
            }
            byte => link.push_str(&format!("%{byte:02X}")),
        }
    }
    digits.then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_found_wherever_devices_put_them() {
        let subject: Name = "CN=pump-7,serialNumber= SN-7 ".parse().unwrap();
        let hwm =
            GeneralName::hardware_module_name("1.3.6.1.4.1.99999.1".parse().unwrap(), b"SN-7");
        let link = udi_link("09506000134352", "SN/7 ü").unwrap();
        assert_eq!(
            link,
            "https://id.gs1.org/01/09506000134352/21/SN%2F7%20%C3%BC"
        );
        let found = named(Some(&subject), &[hwm, GeneralName::Uri(link)]);
        let found: Vec<(SerialField, &str)> = found
            .iter()
            .map(|named| (named.field, named.serial.as_str()))
            .collect();
        let expected = [
            // RFC 4514 §2.1 writes a name from its end.
            (SerialField::SubjectSerialNumber, "SN-7"),
            (SerialField::CommonName, "pump-7"),
            (SerialField::HardwareModule, "SN-7"),
            (SerialField::Udi, "SN/7 ü"),
        ];
        assert_eq!(found, expected);
    }
}

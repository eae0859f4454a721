//! Which device a request names, and where: by its serial number, or by a UDI that holds one (R08).

use fleet::{Asset, Udi, udi::UdiError};
use x509::der::{Reader, Tag};
use x509::ext::SubjectAltName;
use x509::{Certificate, GeneralName, Name, oids};

use crate::device::SerialField;

/// A serial number and the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) field: SerialField,
    pub(super) serial: String,
    /// All that stands there: an asset system may keep a whole UDI as serial number.
    pub(super) text: String,
    /// The device identifier of the UDI that the serial number is part of: which product it is a number of.
    pub(super) di: Option<String>,
}

impl Named {
    fn plain(field: SerialField, text: &str) -> Self {
        Named {
            field,
            serial: text.to_owned(),
            text: text.to_owned(),
            di: None,
        }
    }

    fn of_udi(field: SerialField, text: &str, serial: String, di: String) -> Self {
        Named {
            field,
            serial,
            text: text.to_owned(),
            di: Some(di),
        }
    }

    /// Whether this is that device. An asset whose UDI is not known is known by its serial number alone.
    pub(super) fn is(&self, serial: &str, asset: Option<&Asset>) -> bool {
        self.text == serial || (self.serial == serial && asset.is_none_or(|one| self.fits(one)))
    }

    /// Whether an asset may be the product that is meant.
    pub(super) fn fits(&self, asset: &Asset) -> bool {
        match (&self.di, &asset.udi) {
            (Some(di), Some(udi)) => *di == udi.di,
            _ => true,
        }
    }
}

/// Every serial number in a subject and its alternative names.
pub(super) fn named(subject: Option<&Name>, names: &[GeneralName]) -> Vec<Named> {
    let mut found = Vec::new();
    for (field, text) in texts(subject, names) {
        match (field, Udi::parse(&text)) {
            (
                _,
                Ok(Udi {
                    serial: Some(serial),
                    di,
                    ..
                }),
            ) => {
                // A UDI in the place of a serial number is both.
                if field != SerialField::Udi {
                    found.push(Named::of_udi(field, &text, serial.clone(), di.clone()));
                }
                found.push(Named::of_udi(SerialField::Udi, &text, serial, di));
            }
            (SerialField::Udi, _) => {}
            (field, _) => found.push(Named::plain(field, &text)),
        }
    }
    found
}

/// What is wrong with the first text that was meant as a UDI and is none.
pub(super) fn unread_udi(subject: Option<&Name>, names: &[GeneralName]) -> Option<UdiError> {
    let meant = |field: SerialField, text: &str| {
        let begins = ["(01)", "+", "=/", "=+", "=)", "&,1"];
        let by_form = begins.iter().any(|begin| text.starts_with(begin));
        by_form || (field == SerialField::Udi && text.contains("/01/"))
    };
    texts(subject, names)
        .into_iter()
        .filter(|(field, text)| meant(*field, text))
        .find_map(|(_, text)| Udi::parse(&text).err())
}

/// The texts in which a serial number may stand.
fn texts(subject: Option<&Name>, names: &[GeneralName]) -> Vec<(SerialField, String)> {
    let mut found = Vec::new();
    let mut add = |field, text: &str| {
        let text = text.trim();
        if !text.is_empty() {
            found.push((field, text.to_owned()));
        }
    };
    for attribute in subject.iter().flat_map(|subject| subject.attributes()) {
        match attribute.oid {
            oids::SERIAL_NUMBER => add(SerialField::SubjectSerialNumber, &attribute.text()),
            oids::COMMON_NAME => add(SerialField::CommonName, &attribute.text()),
            _ => {}
        }
    }
    for name in names {
        if let Some((_, serial)) = name.as_hardware_module_name() {
            add(SerialField::HardwareModule, &module(&serial));
            continue;
        }
        match name {
            GeneralName::Uri(uri) => add(SerialField::Udi, &unescaped(uri)),
            GeneralName::Other { value_der, .. } => {
                add(SerialField::Udi, &string(value_der).unwrap_or_default());
            }
            _ => {}
        }
    }
    found
}

/// The serial number that a certificate names in `field`.
pub(super) fn of_certificate(certificate: &Certificate, field: SerialField) -> Option<Named> {
    let names: Option<SubjectAltName> = certificate.ext().unwrap_or_default();
    let found = named(Some(certificate.subject()), &names.unwrap_or_default().0);
    found.into_iter().find(|named| named.field == field)
}

/// The serial number of a hardware module is octets (RFC 4108 §5): as a rule text, else they are written in hexadecimal.
fn module(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => hex::encode_upper(octets),
    }
}

/// The text of a string. No standard says which kind of otherName a UDI is, so any will do.
fn string(der: &[u8]) -> Option<String> {
    let element = Reader::new(der).tolerant().element().ok()?;
    let tags = [Tag::UTF8_STRING, Tag::PRINTABLE_STRING, Tag::IA5_STRING];
    let text = std::str::from_utf8(element.value).ok()?;
    tags.contains(&element.tag).then(|| text.to_owned())
}

/// A link is read as it is; any other UDI in a URI without its percent-encoding (RFC 3986 §2.1).
fn unescaped(uri: &str) -> String {
    if uri.contains("://") || !uri.contains('%') {
        return uri.to_owned();
    }
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *byte == b'%');
        match code.and_then(|code| hex::decode(code).ok()) {
            Some(code) => {
                bytes.extend(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| uri.to_owned())
}

/// The GS1 Digital Link of a device; `None` where its UDI is none of GS1's.
pub(super) fn udi_link(udi: &Udi, serial: &str) -> Option<String> {
    let mut udi = udi.clone();
    udi.serial = Some(serial.to_owned());
    udi.link()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(subject: &str, names: &[GeneralName]) -> Vec<(SerialField, String, Option<String>)> {
        let subject: Option<Name> = (!subject.is_empty()).then(|| subject.parse().unwrap());
        let found = named(subject.as_ref(), names).into_iter();
        found
            .map(|named| (named.field, named.serial, named.di))
            .collect()
    }

    #[test]
    fn serial_numbers_are_found_wherever_devices_put_them() {
        let hwm =
            GeneralName::hardware_module_name("1.3.6.1.4.1.99999.1".parse().unwrap(), b"SN-7");
        let udi = Udi::parse("(01)09506000134352").unwrap();
        let link = udi_link(&udi, "SN/7").unwrap();
        assert_eq!(link, "https://id.gs1.org/01/09506000134352/21/SN%2F7");
        let di = Some("09506000134352".to_owned());
        let expected = [
            // RFC 4514 §2.1 writes a name from its end.
            (SerialField::SubjectSerialNumber, "SN-7".to_owned(), None),
            (SerialField::CommonName, "pump-7".to_owned(), None),
            (SerialField::HardwareModule, "SN-7".to_owned(), None),
            (SerialField::Udi, "SN/7".to_owned(), di),
        ];
        let all = found(
            "CN=pump-7,serialNumber= SN-7 ",
            &[hwm, GeneralName::Uri(link)],
        );
        assert_eq!(all, expected);
    }

    /// The examples of the agencies and of the FDA's list of formats (v1.3), as `fleet` has them too; HIBC's from ANSI/HIBC 2.6,
    /// ICCBBA's from ST-017 §5.
    #[test]
    fn r08_a_udi_of_any_agency_says_product_and_serial_number() {
        let gs1 = ("51022222233336", "1234");
        let hibc = ("X999123ABC0", "5678EDFG");
        let iccbba = ("A9999XYZ100T0476", "000025");
        let table = [
            (
                "(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234",
                gs1,
            ),
            (
                "https://id.gs1.org/01/51022222233336/10/A213B1/21/1234?11=141231&17=150707",
                gs1,
            ),
            ("+X999123ABC0/$$05191234AB/S5678EDFG/16D20151001A", hibc),
            (
                "+X999123ABC0/$1234AB/S5678EDFG/16D20151001/14D20190515.",
                hibc,
            ),
            (
                "=/A9999XYZ100T0476=,000025=A99971712345600=>019032=}017032&,1000000000000XYZ123",
                iccbba,
            ),
            ("=/A9999XYZ100T0476=,000025", iccbba),
        ];
        let module: x509::Oid = "1.3.6.1.4.1.99999.1".parse().unwrap();
        for (text, (di, serial)) in table {
            let expected = |field| (field, serial.to_owned(), Some(di.to_owned()));
            let udi = [expected(SerialField::Udi)];
            let uri = GeneralName::Uri(text.to_owned());
            assert_eq!(found("", &[uri]), udi, "{text}");
            let escaped = text.replace('+', "%2B").replace('=', "%3D");
            if !text.contains("://") {
                assert_eq!(found("", &[GeneralName::Uri(escaped)]), udi, "{text}");
            }
            for tag in [Tag::UTF8_STRING, Tag::PRINTABLE_STRING, Tag::IA5_STRING] {
                let other = GeneralName::Other {
                    type_id: "2.16.840.1.113883.3.3719".parse().unwrap(),
                    value_der: x509::der::encode(tag, text.as_bytes()),
                };
                assert_eq!(found("", &[other]), udi, "{text}");
            }
            let hwm = GeneralName::hardware_module_name(module, text.as_bytes());
            let both = [SerialField::HardwareModule, SerialField::Udi].map(expected);
            assert_eq!(found("", &[hwm]), both, "{text}");
            // X.520: ub-serial-number. Product and serial number come first in all of them.
            if text.len() > 64 {
                continue;
            }
            let subject = Name::builder().push(oids::SERIAL_NUMBER, text, x509::StringKind::Utf8);
            let subject = subject.unwrap();
            let all = named(Some(&subject.build()), &[]);
            let fields: Vec<SerialField> = all.iter().map(|named| named.field).collect();
            assert_eq!(
                fields,
                [SerialField::SubjectSerialNumber, SerialField::Udi],
                "{text}"
            );
            assert!(
                all.iter()
                    .all(|named| named.serial == serial && named.text == text)
            );
        }
    }

    /// One character of each example changed: check digit, check character; for ICCBBA, which has none here, the structure.
    #[test]
    fn r08_a_udi_whose_check_character_is_wrong_names_nobody() {
        let table = [
            ("(01)51022222233337(21)1234", "'6'"),
            ("https://id.gs1.org/01/51022222233337/21/1234", "'6'"),
            ("+X999123ABC0/$$05191234AB/S5678EDFG/16D20151001B", "'A'"),
            ("=/A9999XYZ100T047=,000025", "character"),
        ];
        for (text, what) in table {
            let uri = [GeneralName::Uri(text.to_owned())];
            assert_eq!(found("", &uri), [], "{text}");
            let why = unread_udi(None, &uri).unwrap().to_string();
            let what = what.trim_matches('\'');
            assert!(why.contains(what), "{text}: {why}");
        }
        assert_eq!(
            unread_udi(None, &[GeneralName::Uri("urn:uuid:1".into())]),
            None
        );
        // A number of eight digits is a serial number, though it is a GTIN too.
        let plain = found("serialNumber=96385074", &[]);
        let expected = (
            SerialField::SubjectSerialNumber,
            "96385074".to_owned(),
            None,
        );
        assert_eq!(plain, [expected]);
    }
}

//! Names in text and compared, PEM as people paste it, times and numbers at their edges.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod common;

use common::Lab;
use x509::{
    Certificate, Error, Name, Oid, StringKind, Time,
    der::{self, Reader, Tag, Writer},
    ext::{Constraint, GeneralSubtree, IpRange, MsSid},
    name::NameBuilder,
    oids, pem,
};

#[test]
fn names_are_written_as_openssl_writes_them_under_rfc_2253() {
    let lab = Lab::new();
    lab.key("k.pem", "P-256");
    for (subject, ours) in [
        (
            r"/C=US/O=Mercy, Inc./CN=a\+b",
            r"CN=a\+b,O=Mercy\, Inc.,C=US",
        ),
        ("/O=  padded /CN=#hash", r"CN=\#hash,O=\  padded\ "),
        (
            "/DC=example/DC=hospital/UID=u1",
            "UID=u1,DC=hospital,DC=example",
        ),
        (
            r#"/CN=quote\"back\\slash<>;"#,
            r#"CN=quote\"back\\slash\<\>\;"#,
        ),
        ("/O=Zürich Spital/CN=Ä", "CN=Ä,O=Zürich Spital"),
        ("/O=x/OU=y+CN=z", "OU=y+CN=z,O=x"),
    ] {
        let dn = "[req]\ndistinguished_name = dn\n[dn]\n";
        let der = lab.certificate(
            "k.pem",
            dn,
            &format!("-utf8 -multivalue-rdn -subj '{subject}'"),
        );
        let c = Certificate::from_der(&der).unwrap();
        let shown = lab.openssl(
            "x509 -inform DER -in x509.der -noout -subject -nameopt RFC2253,-esc_msb,utf8",
        );
        let theirs = shown
            .trim_end_matches('\n')
            .strip_prefix("subject=")
            .unwrap();
        // OpenSSL lists the attributes of one set from the last; both orders are the same name.
        match ours.contains('+') && !ours.contains(r"\+") {
            true => assert_eq!(
                theirs.parse::<Name>().unwrap().canonical(),
                c.subject().canonical()
            ),
            false => assert_eq!(c.subject().to_string(), theirs, "{subject}"),
        }
        if !ours.contains('+') {
            assert_eq!(c.subject().to_string(), ours);
        }
        let parsed: Name = c.subject().to_string().parse().unwrap();
        assert!(parsed.canonical_eq(c.subject()), "{parsed} {}", c.subject());
    }
}

fn one(tag: Tag, text: &[u8]) -> Name {
    let value = der::encode(tag, text);
    let builder = NameBuilder::default().push_encoded(oids::COMMON_NAME, &value, false);
    builder.unwrap().build()
}

/// RFC 5280 §7.1.
#[test]
fn names_are_compared_without_regard_to_case_spacing_and_string_type() {
    let equal: &[(Name, Name)] = &[
        (
            one(Tag::PRINTABLE_STRING, b"Mercy Hospital"),
            one(Tag::UTF8_STRING, b"  mercy   HOSPITAL "),
        ),
        (
            one(Tag::UTF8_STRING, "ÄRZTE".as_bytes()),
            one(
                Tag::BMP_STRING,
                &[0, 0xe4, 0, b'r', 0, b'z', 0, b't', 0, b'e'],
            ),
        ),
        (
            one(Tag::UTF8_STRING, "e\u{301}".as_bytes()),
            one(Tag::TELETEX_STRING, &[0xe9]),
        ),
        (
            one(Tag::UNIVERSAL_STRING, &[0, 0, 0, b'x']),
            one(Tag::IA5_STRING, b"X"),
        ),
    ];
    for (a, b) in equal {
        assert!(a.canonical_eq(b), "{a} = {b}");
    }
    let different: &[(&str, &str)] = &[
        ("CN=a,O=b", "CN=a"),
        ("CN=a,O=b", "O=b,CN=a"),
        ("CN=a", "OU=a"),
        ("CN=ab", "CN=a b"),
        ("CN=a+OU=b", "CN=a,OU=b"),
    ];
    for (a, b) in different {
        let (a, b): (Name, Name) = (a.parse().unwrap(), b.parse().unwrap());
        assert!(!a.canonical_eq(&b), "{a} ≠ {b}");
    }
    let (a, b): (Name, Name) = ("CN=a+OU=b".parse().unwrap(), "OU=b+CN=a".parse().unwrap());
    assert!(a.canonical_eq(&b));
}

#[test]
fn a_name_is_within_its_own_beginnings() {
    let name = |s: &str| s.parse::<Name>().unwrap();
    let leaf = name("CN=pump,OU=Biomed,O=Mercy,C=US");
    for base in ["O=mercy,C=us", "C=US", "", "CN=pump,OU=Biomed,O=Mercy,C=US"] {
        assert!(leaf.is_within(&name(base)), "{base}");
    }
    for base in [
        "O=Mercy",
        "OU=Other,O=Mercy,C=US",
        "CN=x,CN=pump,OU=Biomed,O=Mercy,C=US",
    ] {
        assert!(!leaf.is_within(&name(base)), "{base}");
    }
}

#[test]
fn malformed_name_text_and_values_out_of_bounds_are_refused() {
    for text in [
        "CN",
        "=x",
        "NOPE=x",
        r"CN=a\",
        r"CN=a\z1\4",
        "CN=#zz",
        "CN=#0500ff",
        "CN=",
    ] {
        assert!(text.parse::<Name>().is_err(), "{text}");
    }
    let push = |oid, value: &str, kind| Name::builder().push(oid, value, kind).map(drop);
    assert!(push(oids::COUNTRY, "USA", StringKind::Auto).is_err());
    assert!(push(oids::COMMON_NAME, &"x".repeat(65), StringKind::Auto).is_err());
    assert!(push(oids::COMMON_NAME, &"ü".repeat(64), StringKind::Auto).is_ok());
    assert!(push(oids::COMMON_NAME, "a*b", StringKind::Printable).is_err());
    assert!(push(oids::EMAIL_ADDRESS, "ü@x", StringKind::Auto).is_err());
    assert!(push(oids::COMMON_NAME, "a\0", StringKind::Auto).is_err());
}

#[test]
fn control_characters_cannot_forge_a_log_line() {
    let shown = one(Tag::UTF8_STRING, b"a\nb\0").to_string();
    assert_eq!(shown, r"CN=a\0Ab\00");
}

#[test]
fn pem_is_read_as_people_paste_it() {
    let der = [0x30, 3, 2, 1, 5];
    let good = pem::encode(pem::CERTIFICATE, &der);
    assert_eq!(
        good,
        "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n"
    );
    let variants = [
        good.clone(),
        good.replace('\n', "\r\n"),
        good.replace("MAMCAQU=", "MAMCAQU"),
        good.replace("MAMCAQU=", "  MA\n MCA\tQU=\n\n"),
        format!("subject=x\nissuer=y\n{good}trailing words"),
        good.replace("MAMCAQU=", "Proc-Type: 4\nX: y\n\nMAMCAQU="),
        good.replace(
            "-----BEGIN CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----",
        ),
    ];
    for text in variants {
        let blocks = pem::decode_all(text.as_bytes()).unwrap();
        assert_eq!(blocks.len(), 1, "{text}");
        assert_eq!(blocks[0].der, der, "{text}");
    }
    let two = format!("{good}{}", pem::encode(pem::X509_CRL, &der));
    let labels: Vec<String> = pem::decode_all(two.as_bytes())
        .unwrap()
        .into_iter()
        .map(|b| b.label)
        .collect();
    assert_eq!(labels, ["CERTIFICATE", "X509 CRL"]);
    for bad in [
        "-----BEGIN CERTIFICATE-----\nMAMC",
        "-----BEGIN CERTIFICATE-----\nM!MC\n-----END CERTIFICATE-----",
        "-----BEGIN A-----\nMAMC\n-----END B-----",
        "-----BEGIN ",
    ] {
        assert!(pem::decode_all(bad.as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(pem::decode_all(b"no armour").unwrap(), []);
}

#[test]
fn times_follow_rfc_5280_and_its_edges() {
    let element = |tag, text: &'static str| der::Element {
        tag,
        value: text.as_bytes(),
        raw: &[],
    };
    let utc = |t| Time::from_element(element(Tag::UTC_TIME, t));
    let general = |t| Time::from_element(element(Tag::GENERALIZED_TIME, t));
    assert_eq!(utc("700101000000Z"), Ok(Time(0)));
    assert_eq!(utc("500101000000Z"), Ok(Time(-631_152_000)));
    assert_eq!(utc("491231235959Z"), Ok(Time(2_524_607_999)));
    assert_eq!(general("99991231235959Z"), Ok(Time::NO_EXPIRY));
    assert_eq!(general("00000101000000Z"), Ok(Time::EARLIEST));
    assert_eq!(general("20240229120000Z"), Ok(Time(1_709_208_000)));
    for bad in [
        "990230000000Z",
        "991301000000Z",
        "990101240000Z",
        "9901010000Z",
        "990101000060Z",
        "990101000000",
        "990101000000+0000",
        "99010100000aZ",
        "",
    ] {
        assert!(utc(bad).is_err(), "{bad}");
    }
    for bad in ["20230229000000Z", "20230101000000.5Z", "2023010100Z"] {
        assert!(general(bad).is_err(), "{bad}");
    }
    let lenient = |tag, t| Time::from_element_lenient(element(tag, t));
    assert_eq!(lenient(Tag::UTC_TIME, "7001010000Z"), Ok(Time(0)));
    assert_eq!(lenient(Tag::UTC_TIME, "700101010000+0100"), Ok(Time(0)));
    assert_eq!(
        lenient(Tag::GENERALIZED_TIME, "19700101000000.999Z"),
        Ok(Time(0))
    );
    assert_eq!(
        Time(2_524_608_000).to_x509(),
        (Tag::GENERALIZED_TIME, "20500101000000Z".into())
    );
    assert_eq!(
        Time(2_524_607_999).to_x509(),
        (Tag::UTC_TIME, "491231235959Z".into())
    );
    assert_eq!(Time(-631_152_001).to_x509().0, Tag::GENERALIZED_TIME);
    assert_eq!(
        "2026-11-22T02:22:33Z".parse::<Time>().unwrap().to_string(),
        "2026-11-22T02:22:33Z"
    );
    assert!("2026-11-22 02:22:33Z".parse::<Time>().is_err());
}

#[test]
fn named_bit_lists_have_no_trailing_zeros() {
    for (bits, content) in [
        (0u16, vec![0u8]),
        (1, vec![7, 0x80]),
        (0b1000_0000, vec![0, 0x01]),
        (1 << 8, vec![7, 0, 0x80]),
        (0b110_0000, vec![1, 0b0000_0110]),
    ] {
        assert_eq!(der::named_bits_content(bits), content, "{bits:b}");
    }
}

#[test]
fn address_ranges_read_print_and_contain() {
    let range: IpRange = "10.20.0.0/16".parse().unwrap();
    assert_eq!(range.to_octets(), [10, 20, 0, 0, 255, 255, 0, 0]);
    assert_eq!(range.to_string(), "10.20.0.0/16");
    assert!(range.contains(&"10.20.255.1".parse().unwrap()));
    assert!(!range.contains(&"10.21.0.1".parse().unwrap()));
    assert!(!range.contains(&"::ffff:10.20.0.1".parse().unwrap()));
    let v6: IpRange = "2001:db8:8000::/33".parse().unwrap();
    assert_eq!(v6.prefix(), Some(33));
    assert!(v6.contains(&"2001:db8:ffff::1".parse().unwrap()));
    assert!("10.0.0.0/33".parse::<IpRange>().is_err());
    let odd = IpRange::from_octets(&[10, 0, 0, 1, 255, 0, 0, 255]).unwrap();
    assert_eq!(
        (odd.prefix(), odd.to_string().as_str()),
        (None, "10.0.0.1/255.0.0.255")
    );
    assert!(odd.contains(&"10.9.9.1".parse().unwrap()));
    let all: IpRange = "0.0.0.0/0".parse().unwrap();
    assert!(all.contains(&"1.2.3.4".parse().unwrap()));
    assert_eq!(GeneralSubtree::new(Constraint::Ip(all)).minimum, 0);
}

#[test]
fn identifiers_read_print_and_refuse() {
    for text in [
        "2.5.4.3",
        "0.0",
        "1.39",
        "2.999.3",
        "2.25.329800735698586629295641978511506172918",
        "1.3.6.1.4.1.311.21.8.16735922.7437492.10570883.2539024.15756463.212.6481309.8341679",
    ] {
        let oid: Oid = text.parse().unwrap();
        assert_eq!(oid.to_string(), text);
        assert_eq!(Oid::from_content(oid.as_bytes()), Ok(oid));
    }
    for bad in [
        "", "1", "3.1", "1.40", "1.2.", "1..2", "1.02", "1.-2", "a.b", "1.+2",
    ] {
        assert!(bad.parse::<Oid>().is_err(), "{bad}");
    }
    for bad in [
        &[][..],
        &[0x80, 1],
        &[0x55, 0x80, 0x01],
        &[0x55, 0x84],
        &[1; 64],
    ] {
        assert!(Oid::from_content(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn security_identifiers_are_checked() {
    assert!(MsSid::new("S-1-5-21-1-2-3-512").is_ok());
    for bad in [
        "",
        "S-1-",
        "S-1-5",
        "S-2-5-1",
        "S-1-5-21-x",
        "s-1-5-21-1",
        "S-1-5--1",
    ] {
        assert!(MsSid::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_reader_is_bounded_and_typed() {
    use der::Error as E;
    let first = |data: &[u8]| Reader::new(data).element().map(|e| e.value.to_vec());
    assert_eq!(first(&[]), Err(E::Truncated));
    assert_eq!(first(&[0x30]), Err(E::Truncated));
    assert_eq!(first(&[0x30, 2, 0]), Err(E::Truncated));
    assert_eq!(first(&[0x30, 0x80, 0, 0]), Err(E::IndefiniteLength));
    assert_eq!(first(&[0x30, 0x81, 1, 0]), Err(E::NonMinimalLength));
    assert_eq!(first(&[0x1f, 0x81, 1, 0]), Err(E::HighTagNumber));
    assert_eq!(
        first(&[4, 0x88, 255, 255, 255, 255, 255, 255, 255, 255]),
        Err(E::LengthTooLarge)
    );
    assert_eq!(first(&[4, 0x84, 255, 255, 255, 255]), Err(E::Truncated));
    assert_eq!(
        Reader::new(&[0x30, 0x81, 1, 0])
            .tolerant()
            .element()
            .unwrap()
            .value,
        [0]
    );
    let mut nest = vec![];
    for _ in 0..60 {
        nest = der::encode(Tag::SEQUENCE, &nest);
    }
    let mut r = Reader::new(&nest);
    let error = loop {
        match r.sequence() {
            Ok(inner) => r = inner,
            Err(e) => break e,
        }
    };
    assert_eq!(error, E::TooDeep);
    let mut w = Writer::new();
    w.sequence(|w| {
        w.octet_string(&[7; 300]);
    });
    assert_eq!(
        w.finish()[..8],
        [0x30, 0x82, 0x01, 0x30, 0x04, 0x82, 0x01, 0x2c]
    );
    assert_eq!(Reader::with_limit(&[0; 9], 8).unwrap_err(), E::TooLarge(8));
    assert!(matches!(
        Name::from_der(&[0x30, 1]),
        Err(Error::Der(E::Truncated))
    ));
}

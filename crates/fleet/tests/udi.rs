//! UDIs (R08): examples of the agencies and of the FDA's list of formats, what must not pass beside each, and properties.
//! Check characters of HIBC labels that are not from a publication were computed with Python.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

use fleet::Udi;
use fleet::udi::{Agency, UdiError};
use proptest::prelude::*;

/// What was read: text, device identifier, serial, lot, expiry, production.
type Fields<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);

#[test]
fn r08_examples_of_the_three_agencies_are_read() {
    let fda_gs1 = "(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234";
    let gs1 = (
        fda_gs1,
        "51022222233336",
        "1234",
        "A213B1",
        "150707",
        "141231",
    );
    let iccbba = "=/A9999XYZ100T0476=,000025=A99971712345600=>019032=}017032&,1000000000000XYZ123";
    let cells = (
        iccbba,
        "A9999XYZ100T0476",
        "000025",
        "000000000000XYZ123",
        "019032",
        "017032",
    );
    let hibc = |text: &'static str, lot, expires| {
        (text, "X999123ABC0", "5678EDFG", lot, expires, "20151001")
    };
    let table: &[(&str, Agency, Fields<'_>)] = &[
        // FDA, UDI formats v1.3; then the same as scanners send it, with and without what they put in front.
        (fda_gs1, Agency::Gs1, gs1),
        (
            "0151022222233336111412311715070710A213B1\u{1d}211234",
            Agency::Gs1,
            gs1,
        ),
        (
            "]d20151022222233336111412311715070710A213B1\u{1d}211234",
            Agency::Gs1,
            gs1,
        ),
        (
            "]C1\u{1d}0151022222233336111412311715070710A213B1\u{1d}211234\u{1d}",
            Agency::Gs1,
            gs1,
        ),
        (
            " (01) 51022222233336 (21) 7 ",
            Agency::Gs1,
            ("(01)51022222233336(21)7", "51022222233336", "7", "", "", ""),
        ),
        // GS1 Digital Link, by its own resolver and by anybody's.
        (
            "https://id.gs1.org/01/51022222233336/10/A213B1/21/1234?11=141231&17=150707",
            Agency::Gs1,
            (
                "(01)51022222233336(10)A213B1(21)1234(11)141231(17)150707",
                "51022222233336",
                "1234",
                "A213B1",
                "150707",
                "141231",
            ),
        ),
        (
            "http://maker.example/some/path/01/51022222233336/21/12%2F34?linkType=all#x",
            Agency::Gs1,
            (
                "(01)51022222233336(21)12/34",
                "51022222233336",
                "12/34",
                "",
                "",
                "",
            ),
        ),
        // A model alone, as asset systems keep it: GTIN-14, -13 (GS1: 4006381333931), -12, -8.
        (
            "51022222233336",
            Agency::Gs1,
            ("(01)51022222233336", "51022222233336", "", "", "", ""),
        ),
        (
            "4006381333931",
            Agency::Gs1,
            ("(01)04006381333931", "04006381333931", "", "", "", ""),
        ),
        (
            "036000291452",
            Agency::Gs1,
            ("(01)00036000291452", "00036000291452", "", "", "", ""),
        ),
        (
            "96385074",
            Agency::Gs1,
            ("(01)00000096385074", "00000096385074", "", "", "", ""),
        ),
        // Day 00 is the end of the month; parentheses may be part of a serial number.
        (
            "(01)51022222233336(17)150700(21)A(1)B",
            Agency::Gs1,
            (
                "(01)51022222233336(17)150700(21)A(1)B",
                "51022222233336",
                "A(1)B",
                "",
                "150700",
                "",
            ),
        ),
        // ANSI/HIBC 2.6: the seven ways of writing the expiry date.
        (
            "+X999123ABC0/$$05191234AB/S5678EDFG/16D20151001A",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$$05191234AB/S5678EDFG/16D20151001A",
                "1234AB",
                "0519",
            ),
        ),
        (
            "+X999123ABC0/$$20515191234AB/S5678EDFG/16D20151001I",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$$20515191234AB/S5678EDFG/16D20151001I",
                "1234AB",
                "051519",
            ),
        ),
        (
            "+X999123ABC0/$$31905151234AB/S5678EDFG/16D20151001J",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$$31905151234AB/S5678EDFG/16D20151001J",
                "1234AB",
                "190515",
            ),
        ),
        (
            "+X999123ABC0/$$4190515211234AB/S5678EDFG/16D20151001N",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$$4190515211234AB/S5678EDFG/16D20151001N",
                "1234AB",
                "19051521",
            ),
        ),
        (
            "+X999123ABC0/$$5191351234AB/S5678EDFG/16D20151001J",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$$5191351234AB/S5678EDFG/16D20151001J",
                "1234AB",
                "19135",
            ),
        ),
        (
            "+X999123ABC0/$$619135211234AB/S5678EDFG/16D20151001N",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$$619135211234AB/S5678EDFG/16D20151001N",
                "1234AB",
                "1913521",
            ),
        ),
        (
            "+X999123ABC0/$1234AB/S5678EDFG/16D20151001/14D20190515.",
            Agency::Hibcc,
            hibc(
                "+X999123ABC0/$1234AB/S5678EDFG/16D20151001/14D20190515.",
                "1234AB",
                "20190515",
            ),
        ),
        (
            "+A123ABCDEFGHI1234567891E",
            Agency::Hibcc,
            (
                "+A123ABCDEFGHI1234567891E",
                "A123ABCDEFGHI1234567891",
                "",
                "",
                "",
                "",
            ),
        ),
        (
            "*+A123BJC5D6E71G*",
            Agency::Hibcc,
            ("+A123BJC5D6E71G", "A123BJC5D6E71", "", "", "", ""),
        ),
        // ICCBBA ST-017 §5, as printed and as a compound message; a blood bag.
        (iccbba, Agency::Iccbba, cells),
        (
            "=+06000=/A9999XYZ100T0476=,000025=A99971712345600=>019032=}017032&,1000000000000XYZ123",
            Agency::Iccbba,
            cells,
        ),
        (
            "=)1TE123456A&)RZ12345678",
            Agency::Iccbba,
            (
                "=)1TE123456A&)RZ12345678",
                "1TE123456A",
                "",
                "RZ12345678",
                "",
                "",
            ),
        ),
        // Flags 94: the check character Y of the donation number, 34, and 60.
        (
            "=/A9999XYZ100T0476=G12348965432194",
            Agency::Iccbba,
            (
                "=/A9999XYZ100T0476=G12348965432194",
                "A9999XYZ100T0476",
                "",
                "",
                "",
                "",
            ),
        ),
    ];
    for (text, agency, expected) in table {
        let udi = Udi::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let of = |field: &Option<String>| field.clone().unwrap_or_default();
        let (serial, lot) = (of(&udi.serial), of(&udi.lot));
        let (expires, made) = (of(&udi.expires), of(&udi.manufactured));
        let found: Fields<'_> = (&udi.text, &udi.di, &serial, &lot, &expires, &made);
        assert_eq!((udi.agency, found), (*agency, *expected), "{text}");
        assert_eq!(
            Udi::parse(&udi.text).as_ref(),
            Ok(&udi),
            "read again: {text}"
        );
    }
}

#[test]
fn r08_what_is_wrong_with_a_udi_is_said() {
    let check = |field, expected, found| UdiError::Check {
        field,
        expected,
        found,
    };
    let table: &[(&str, UdiError)] = &[
        ("", UdiError::Empty),
        ("  ", UdiError::Empty),
        ("SN-4711", UdiError::Agency),
        ("(01)51022222233337", check("GTIN (01)", '6', '7')),
        ("51022222233337", check("GTIN (01)", '6', '7')),
        (
            "https://id.gs1.org/01/51022222233337",
            check("GTIN (01)", '6', '7'),
        ),
        ("https://id.gs1.org/21/1234", UdiError::NoDevice),
        (
            "https://id.gs1.org/01/51022222233336/21/%zz",
            UdiError::Character("the link"),
        ),
        (
            "https://id.gs1.org/01/51022222233336/21/1/10/A",
            UdiError::Trailing("10".into()),
        ),
        (
            "https://id.gs1.org/01/51022222233336/21",
            UdiError::Length("the link"),
        ),
        ("(21)1234", UdiError::NoDevice),
        ("(01)5102222223333", UdiError::Length("GTIN (01)")),
        ("(01)5102222223333X", UdiError::Character("GTIN (01)")),
        (
            "(01)51022222233336(17)151307",
            UdiError::Date("expiry date (17)"),
        ),
        (
            "(01)51022222233336(17)150230",
            UdiError::Date("expiry date (17)"),
        ),
        (
            "(01)51022222233336(21)",
            UdiError::Length("serial number (21)"),
        ),
        (
            "(01)51022222233336(21)123456789012345678901",
            UdiError::Length("serial number (21)"),
        ),
        (
            "(01)51022222233336(21)12\u{e9}4",
            UdiError::Character("serial number (21)"),
        ),
        (
            "(01)51022222233336(21)1(21)2",
            UdiError::Repeated("serial number (21)"),
        ),
        ("(99)51022222233336", UdiError::Identifier("99".into())),
        ("0151022222233336999", UdiError::Identifier("999".into())),
        (
            "(01)51022222233336\u{1d}(21)1",
            UdiError::Length("GTIN (01)"),
        ),
        // The check character that the FDA prints for its own example is a placeholder.
        (
            "+H123PARTNO1234567890120/$$420020216LOT123456789012345/SXYZ456789012345678/16D20130202C",
            check("the HIBC label", 'H', 'C'),
        ),
        ("+A123BJC5D6E71H", check("the HIBC label", 'G', 'H')),
        ("+A123BJC5D6E7g1G", UdiError::Character("the HIBC label")),
        // A digit where the labeler's letter belongs; no unit of measure; a second lot. Check characters are right.
        (
            "+1A23BJC5D6E71G",
            UdiError::Character("the device identifier"),
        ),
        (
            "+A123BJC5D6E7AP",
            UdiError::Character("the device identifier"),
        ),
        (
            "=/A9999XYZ100T047",
            UdiError::Length("the device identifier"),
        ),
        ("=,000025", UdiError::NoDevice),
        (
            "=/A9999XYZ100T0476=>019400",
            UdiError::Date("the expiry date"),
        ),
        (
            "=/A9999XYZ100T0476=/A9999XYZ100T0476",
            UdiError::Repeated("the device identifier"),
        ),
        (
            "=/A9999XYZ100T0476=G12348965432193",
            check("the donation number", 'Y', 'X'),
        ),
        ("=/A9999XYZ100T0476?", UdiError::Trailing("?".into())),
    ];
    for (text, expected) in table {
        assert_eq!(Udi::parse(text).as_ref(), Err(expected), "{text}");
    }
    let long = "(01)51022222233336(240)".to_owned() + &"x".repeat(600);
    assert_eq!(Udi::parse(&long), Err(UdiError::TooLong(623)));
}

#[test]
fn r08_the_link_of_one_device_is_what_its_certificate_says() {
    let link = |text| Udi::parse(text).unwrap().link();
    let expected = "https://id.gs1.org/01/51022222233336/21/12%2F34";
    assert_eq!(
        link("(01)51022222233336(21)12/34").as_deref(),
        Some(expected)
    );
    assert_eq!(link("(01)51022222233336"), None);
    assert_eq!(link("+A123BJC5D6E71G"), None);
}

fn gtin(digits: &[u8]) -> String {
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(at, digit)| u32::from(*digit) * if at % 2 == 0 { 3 } else { 1 })
        .sum();
    let mut text: String = digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    text.push(char::from(
        b'0' + u8::try_from((10 - sum % 10) % 10).unwrap(),
    ));
    text
}

proptest! {
    #[test]
    fn r08_any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = Udi::parse(&text);
    }

    #[test]
    fn r08_nearly_right_text_is_read_or_refused(text in "[(\\[+=&*\\]]{0,2}[0-9A-Z()$/+=,>}&\u{1d}%-]{0,60}") {
        if let Ok(udi) = Udi::parse(&text) {
            prop_assert_eq!(Udi::parse(&udi.text), Ok(udi));
        }
    }

    #[test]
    fn r08_the_forms_of_gs1_say_the_same(
        digits in prop::collection::vec(0u8..10, 13),
        serial in "[A-Za-z0-9./_-]{1,20}",
        lot in "[A-Za-z0-9.-]{1,20}",
    ) {
        let gtin = gtin(&digits);
        let people = Udi::parse(&format!("(01){gtin}(10){lot}(21){serial}")).unwrap();
        let scanner = Udi::parse(&format!("01{gtin}10{lot}\u{1d}21{serial}")).unwrap();
        prop_assert_eq!(&people, &scanner);
        let link = Udi::parse(&people.link().unwrap()).unwrap();
        prop_assert_eq!((link.di, link.serial), (people.di, people.serial));
    }

    #[test]
    fn r08_one_wrong_digit_never_passes(
        digits in prop::collection::vec(0u8..10, 13),
        at in 0usize..14,
        other in 0u8..10,
    ) {
        let right = gtin(&digits);
        let mut wrong = right.clone().into_bytes();
        wrong[at] = b'0' + other;
        let wrong = String::from_utf8(wrong).unwrap();
        let passes = Udi::parse(&format!("(01){wrong}")).is_ok();
        prop_assert_eq!(passes, wrong == right);
    }
}

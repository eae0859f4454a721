//! Devices that say who they are by their UDI: product and serial number, in the forms of the three agencies (R08). The UDIs
//! are examples of the agencies and of the FDA's list of formats; GTINs are GS1's.

use enroll::device::For;
use fleet::Asset;
use x509::der::{Tag, encode};
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{CsrBuilder, GeneralName, Name, StringKind, oids};

use crate::support::{Asked, House, Key, NOW, endpoint, on_both, outcome, text};

on_both!(
    r08_a_udi_means_one_product_and_one_serial_number,
    r08_whoever_has_a_right_for_one_asset_names_no_other_product,
);

const GS1: &str = "(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234";
const HIBC: &str = "+X999123ABC0/$$05191234AB/S5678EDFG/16D20151001A";
const ICCBBA: &str =
    "=/A9999XYZ100T0476=,000025=A99971712345600=>019032=}017032&,1000000000000XYZ123";
const ELSEWHERE: &str = "https://id.gs1.org/01/00036000291452/21/";

async fn product(house: &House, serial: &str, maker: &str, udi: &str) -> Asset {
    let change = |asset: &mut Asset| {
        asset.manufacturer = maker.to_owned();
        asset.udi = (!udi.is_empty()).then(|| udi.parse().unwrap());
    };
    house.asset(serial, change).await
}

fn uri(text: &str) -> Option<GeneralName> {
    Some(GeneralName::Uri(text.to_owned()))
}

/// Of a type that nobody here knows, as nobody has set one for UDIs.
fn other(text: &str) -> Option<GeneralName> {
    Some(GeneralName::Other {
        type_id: "2.16.840.1.113883.3.3719".parse().unwrap(),
        value_der: encode(Tag::UTF8_STRING, text.as_bytes()),
    })
}

fn request(serial: &str, name: Option<GeneralName>) -> Vec<u8> {
    let mut subject = Name::builder();
    if !serial.is_empty() {
        subject = subject
            .push(oids::SERIAL_NUMBER, serial, StringKind::Utf8)
            .unwrap();
    }
    let key = Key::new();
    let mut builder = CsrBuilder::new(subject.build(), &key.public);
    if let Some(name) = name {
        builder = builder.extension(SubjectAltName(vec![name]).encode());
    }
    key.sign(&builder.tbs())
}

async fn r08_a_udi_means_one_product_and_one_serial_number(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let pump = product(&house, "1234", "One", "(01)51022222233336").await;
    let scanner = product(&house, "1234", "Two", "4006381333931").await;
    let monitor = product(&house, "5678EDFG", "Three", HIBC).await;
    let graft = product(&house, "000025", "Four", ICCBBA).await;
    let old = product(&house, "000025", "Five", "").await;
    let wrong = "https://id.gs1.org/01/51022222233337/21/1234";
    let link = |serial: &str| uri(&format!("{ELSEWHERE}{serial}"));
    let table = [
        (request("", uri(GS1)), Ok(&pump)),
        (request(GS1, None), Ok(&pump)),
        (
            request("", uri("https://id.gs1.org/01/04006381333931/21/1234")),
            Ok(&scanner),
        ),
        (request("", other(HIBC)), Ok(&monitor)),
        (request(HIBC, uri(HIBC)), Ok(&monitor)),
        (request("5678EDFG", other(HIBC)), Ok(&monitor)),
        (request("=/A9999XYZ100T0476=,000025", None), Ok(&graft)),
        (
            request("", uri("%3D/A9999XYZ100T0476%3D,000025")),
            Ok(&graft),
        ),
        // The register does not know the UDI of the one that is left.
        (request("", link("000025")), Ok(&old)),
        (request("", link("1234")), Err("enrolment.serial.other")),
        (request("", link("5678EDFG")), Err("enrolment.serial.other")),
        (request("1234", None), Err("enrolment.serial.ambiguous")),
        // Two UDIs of different devices.
        (request(GS1, other(HIBC)), Err("enrolment.serial.other")),
        (request("", uri(wrong)), Err("enrolment.serial.none")),
        (request("", link("SN-404")), Err("enrolment.unregistered")),
    ];
    for (at, (csr, expected)) in table.iter().enumerate() {
        let (_, password) = house.right(For::Any, |_| {}).await;
        let before = match expected {
            Ok(asset) => house.fleet.holdings(&asset.id).await.unwrap().len(),
            Err(_) => 0,
        };
        let reply = house.ask(&Asked::by_password(csr, &password), NOW).await;
        match expected {
            Ok(asset) => {
                assert_eq!(outcome(&reply), "issued", "{at}: {}", text(&reply));
                let after = house.fleet.holdings(&asset.id).await.unwrap().len();
                assert_eq!(after, before + 1, "{at}: it is {}'s", asset.manufacturer);
            }
            Err(rule) => assert_eq!(outcome(&reply), *rule, "{at}: {}", text(&reply)),
        }
        if at == 13 {
            assert!(
                text(&reply).contains("check digit of GTIN (01)"),
                "{}",
                text(&reply)
            );
        }
    }
}

async fn r08_whoever_has_a_right_for_one_asset_names_no_other_product(postgres: bool) {
    let house = House::new(postgres).await;
    house.put(endpoint("pumps")).await;
    let pump = product(&house, "1234", "One", "(01)51022222233336").await;
    for (name, expected) in [
        (uri(&format!("{ELSEWHERE}1234")), "enrolment.serial.other"),
        (uri(GS1), "issued"),
    ] {
        let (_, password) = house.right(For::Asset(pump.id.clone()), |_| {}).await;
        let csr = request("", name);
        let reply = house.ask(&Asked::by_password(&csr, &password), NOW).await;
        assert_eq!(outcome(&reply), expected, "{}", text(&reply));
    }
}

//! GetCert and GetCRL.

use x509::crl::CertificateList;
use x509::{Certificate, der};

use crate::device::{Device, GET_CERT, GET_CRL};
use crate::support::{House, on_both};

on_both!(
    rfc8894_3_3_4_a_device_finds_its_own_certificate,
    rfc8894_3_3_5_a_device_gets_the_list,
);

fn issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
    der::sequence(|w| {
        w.raw(certificate.issuer().der())
            .integer(certificate.serial());
    })
}

async fn rfc8894_3_3_4_a_device_finds_its_own_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1", "SN-2"]).await;
    let device = Device::new("SN-1", Some(&password));
    let issued = device.enrol(&house, "pumps").await.issued().clone();
    let wanted = issuer_and_serial(&issued);
    let answer = device.ask(&house, "pumps", GET_CERT, &wanted).await;
    assert_eq!(answer.certificates, std::slice::from_ref(&issued));
    // To others it does not exist, enrolled or not.
    let other = Device::new("SN-2", Some(&password));
    let before = other.ask(&house, "pumps", GET_CERT, &wanted).await;
    assert_eq!(before.failed(), "badCertId");
    let theirs = other.enrol(&house, "pumps").await.issued().clone();
    let other = other.holding(&theirs, "lookup");
    let after = other.ask(&house, "pumps", GET_CERT, &wanted).await;
    assert_eq!(after.failed(), "badCertId");
    let none = der::sequence(|w| {
        w.raw(issued.issuer().der()).u64(12345);
    });
    let answer = device.ask(&house, "pumps", GET_CERT, &none).await;
    assert_eq!(answer.failed(), "badCertId");
    let answer = device.ask(&house, "pumps", GET_CERT, b"0\x00").await;
    assert_eq!(answer.failed(), "badMessageCheck");
}

async fn rfc8894_3_3_5_a_device_gets_the_list(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1"]).await;
    let device = Device::new("SN-1", Some(&password));
    let issued = device.enrol(&house, "pumps").await.issued().clone();
    house.revoke(&issued).await;
    house.ca.publish_now("devices", house.now()).await.unwrap();
    let wanted = issuer_and_serial(&issued);
    let answer = device.ask(&house, "pumps", GET_CRL, &wanted).await;
    assert_eq!(answer.status, "0");
    let list = CertificateList::from_der(&answer.crls[0]).unwrap();
    assert!(list.find(issued.serial()).unwrap().is_some());
    let stranger = der::sequence(|w| {
        w.raw(crate::device::subject("Other CA").der()).u64(1);
    });
    let answer = device.ask(&house, "pumps", GET_CRL, &stranger).await;
    assert_eq!(answer.failed(), "badCertId");
}

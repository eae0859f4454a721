//! How much of the chain is in an answer (RFC 8894 §3.3.2.1 has at least the issued certificate in it; R05).

use access::Action;
use enroll::device::{Chain, Endpoint};

use crate::device::{CERT_POLL, Device};
use crate::support::{House, NOW, admin, endpoint, on_both};

on_both!(
    r05_an_answer_has_no_more_of_the_chain_than_there_is_room_for,
    r05_what_was_approved_comes_with_as_much,
);

async fn set(house: &House, name: &str, chain: Chain) {
    let base = endpoint(name);
    house.put(Endpoint { chain, ..base }).await;
}

/// The register says that the device has little memory.
async fn is_small(house: &House, serial: &str) {
    let found = house.fleet.find_serial(serial, None).await.unwrap();
    let stored = house.fleet.asset(&found[0].id).await.unwrap();
    let mut asset = stored.asset;
    asset.small_memory = true;
    let permit = admin(&house.ca, Action::ManageAssets);
    let put = house.fleet.put(permit, asset, stored.version, NOW);
    put.await.unwrap();
}

async fn r05_an_answer_has_no_more_of_the_chain_than_there_is_room_for(postgres: bool) {
    let house = House::new(postgres).await;
    let table = [
        (Chain::Whole, false, 2),
        (Chain::Issuer, false, 2),
        (Chain::Leaf, false, 1),
        (Chain::Whole, true, 1),
        (Chain::Leaf, true, 1),
    ];
    for (at, (chain, small, expected)) in table.into_iter().enumerate() {
        set(&house, "pumps", chain).await;
        let serial = format!("SN-{}", at + 1);
        if small {
            is_small(&house, &serial).await;
        }
        let password = house.password(&[&serial]).await;
        let device = Device::new(&serial, Some(&password));
        let answer = device.enrol(&house, "pumps").await;
        let what = format!("{chain:?}, small memory: {small}");
        assert_eq!(answer.certificates.len(), expected, "{what}");
        let key = device.key.public_key();
        assert_eq!(answer.issued().spki_der(), key.spki_der(), "{what}");
        // A repetition is answered alike, and what is for every device stays as it is (§4.2.1.2).
        let again = device.enrol(&house, "pumps").await;
        assert_eq!(again.certificates, answer.certificates, "{what}");
        assert_eq!(house.certificates("pumps").await.len(), 3, "{what}");
    }
}

async fn r05_what_was_approved_comes_with_as_much(postgres: bool) {
    let house = House::new(postgres).await;
    is_small(&house, "SN-1").await;
    let device = Device::new("SN-1", None);
    assert!(device.enrol(&house, "asked").await.is_pending());
    let waiting = house.ca.access().requests().await.unwrap();
    let permit = crate::support::permit(&house.ca, "boss", Action::ApproveRequests);
    let approved = house.ca.approve(permit, &waiting[0].id, None, NOW);
    approved.await.unwrap();
    let names = x509::der::sequence(|w| {
        w.raw(x509::Name::empty().der());
        w.raw(x509::Name::empty().der());
    });
    let answer = device.ask(&house, "asked", CERT_POLL, &names).await;
    assert_eq!(
        answer.issued().spki_der(),
        device.key.public_key().spki_der()
    );
    assert_eq!(answer.certificates.len(), 1);
}

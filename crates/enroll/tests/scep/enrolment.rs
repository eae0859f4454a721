//! First certificates: by serial number, for whoever has the right, once.

use access::{Action, RequestId};
use http::Method;
use x509::cms::{ContentCipher, DigestAlgorithm};
use x509::oids;

use crate::device::{
    CERT_POLL, Device, PKCS_REQ, UPDATE_REQ, new_key, self_signed, signed_by, subject,
};
use crate::support::{House, on_both, permit};

on_both!(
    r08_a_device_enrols_by_its_serial_number,
    r08_an_unregistered_serial_is_refused,
    r07_a_challenge_is_used_once_and_by_whom_it_is_for,
    r09_a_repeated_request_gets_the_same_certificate,
    r08_a_device_that_lost_its_answer_begins_another_transaction,
    r09_a_transaction_with_another_key_is_refused,
    r07_a_request_waits_for_a_second_person,
    r09_old_algorithms_only_where_policy_says_so,
    r09_the_answer_uses_what_the_request_used,
    r09_signers_of_any_shape,
);

async fn r08_a_device_enrols_by_its_serial_number(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1"]).await;
    let device = Device::new("SN-1", Some(&password));
    let answer = device.enrol(&house, "pumps").await;
    let issued = answer.issued();
    let serial = issued.subject().find(&oids::SERIAL_NUMBER).unwrap();
    assert_eq!(serial, "SN-1");
    assert_eq!(issued.spki_der(), device.key.public_key().spki_der());
    let issuer = house.ca.issuer("devices").unwrap();
    issued
        .verify_signed_by(&issuer.certificate().public_key().unwrap())
        .unwrap();
    assert!(house.is_good(issued).await);
    // The issuer comes along; the root does not.
    assert_eq!(answer.certificates[1..], [issuer.certificate().clone()]);
}

async fn r08_an_unregistered_serial_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-404", "SN-1"]).await;
    let stranger = Device::new("SN-404", Some(&password));
    let answer = stranger.enrol(&house, "pumps").await;
    assert_eq!(
        (answer.failed(), answer.why.as_deref()),
        ("badRequest", None)
    );
    let known = Device::new("SN-1", Some(&password));
    known.enrol(&house, "pumps").await.issued();
}

async fn r07_a_challenge_is_used_once_and_by_whom_it_is_for(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1"]).await;
    let table = [
        ("SN-1", Some("wrong")),
        ("SN-1", None),
        ("SN-2", Some(password.as_str())),
    ];
    for (serial, challenge) in table {
        let device = Device::new(serial, challenge);
        let answer = device.enrol(&house, "pumps").await;
        assert_eq!(answer.failed(), "badRequest", "{serial} {challenge:?}");
        assert_eq!(answer.why, None);
    }
    let first = Device::new("SN-1", Some(&password));
    first.enrol(&house, "pumps").await.issued();
    let second = Device::new("SN-1", Some(&password));
    assert_eq!(second.enrol(&house, "pumps").await.failed(), "badRequest");
}

async fn r09_a_repeated_request_gets_the_same_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1"]).await;
    let device = Device::new("SN-1", Some(&password));
    let first = device.enrol(&house, "pumps").await.issued().clone();
    for _ in 0..2 {
        assert_eq!(*device.enrol(&house, "pumps").await.issued(), first);
    }
    let names = subject("SN-1");
    let poll = x509::der::sequence(|w| {
        w.raw(names.der()).raw(names.der());
    });
    let polled = device.ask(&house, "pumps", CERT_POLL, &poll).await;
    assert_eq!(*polled.issued(), first);
}

async fn r08_a_device_that_lost_its_answer_begins_another_transaction(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1"]).await;
    let mut device = Device::new("SN-1", Some(&password));
    let first = device.enrol(&house, "pumps").await.issued().clone();
    device.transaction = "after the power cut".to_owned();
    assert_eq!(*device.enrol(&house, "pumps").await.issued(), first);
    let other = Device::new("SN-1", Some(&password));
    assert_eq!(other.enrol(&house, "pumps").await.failed(), "badRequest");
}

async fn r09_a_transaction_with_another_key_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1", "SN-2"]).await;
    let device = Device::new("SN-1", Some(&password));
    device.enrol(&house, "pumps").await.issued();
    let other = Device {
        transaction: device.transaction.clone(),
        ..Device::new("SN-2", Some(&password))
    };
    assert_eq!(other.enrol(&house, "pumps").await.failed(), "badRequest");
    // Nor does another key get what the first was given.
    let names = subject("SN-1");
    let poll = x509::der::sequence(|w| {
        w.raw(names.der()).raw(names.der());
    });
    let polled = other.ask(&house, "pumps", CERT_POLL, &poll).await;
    assert_eq!(polled.failed(), "badRequest");
}

async fn r07_a_request_waits_for_a_second_person(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-404"]).await;
    let device = Device::new("SN-404", Some(&password));
    assert!(device.enrol(&house, "asked").await.is_pending());
    let names = subject("SN-404");
    let poll = x509::der::sequence(|w| {
        w.raw(names.der()).raw(names.der());
    });
    assert!(
        device
            .ask(&house, "asked", CERT_POLL, &poll)
            .await
            .is_pending()
    );
    let waiting = house.events("request.create").await;
    let id = RequestId::parse(&waiting[0].object.id).unwrap();
    // Who made the password has asked.
    let own = permit(&house.ca, "root", Action::ApproveRequests);
    house
        .ca
        .approve(own, &id, None, house.now())
        .await
        .unwrap_err();
    let second = permit(&house.ca, "biomed", Action::ApproveRequests);
    house
        .ca
        .approve(second, &id, None, house.now())
        .await
        .unwrap();
    let polled = device.ask(&house, "asked", CERT_POLL, &poll).await;
    let serial = polled.issued().subject().find(&oids::SERIAL_NUMBER);
    assert_eq!(serial.unwrap(), "SN-404");
}

async fn r09_old_algorithms_only_where_policy_says_so(postgres: bool) {
    let house = House::new(postgres).await;
    let table = [
        (ContentCipher::DesEde3Cbc, DigestAlgorithm::Sha256, "3DES"),
        (ContentCipher::DesCbc, DigestAlgorithm::Sha1, "DES"),
        (ContentCipher::Aes128Cbc, DigestAlgorithm::Sha1, "SHA-1"),
        (ContentCipher::DesEde3Cbc, DigestAlgorithm::Md5, "MD5"),
    ];
    for (n, (cipher, digest, name)) in table.into_iter().enumerate() {
        let serial = format!("SN-{}", n + 1);
        let password = house.password(&[serial.as_str()]).await;
        let device = Device {
            cipher,
            digest,
            ..Device::new(&serial, Some(&password))
        };
        let refused = device.enrol(&house, "pumps").await;
        assert_eq!(refused.failed(), "badAlg");
        let why = refused.why.unwrap();
        assert!(why.contains(name) || why.contains(digest.name()), "{why}");
        assert!(!refused.digest.is_legacy());
        let answer = device.enrol(&house, "old").await;
        answer.issued();
        assert_eq!((answer.cipher, answer.digest), (Some(cipher), digest));
        let events = house.events("enrolment.legacy").await;
        assert_eq!(events.len(), n + 1);
        let after = events[n].after.clone().unwrap();
        assert!(after["used"].to_string().contains(name), "{after}");
    }
}

async fn r09_the_answer_uses_what_the_request_used(postgres: bool) {
    let house = House::new(postgres).await;
    let table = [
        (ContentCipher::Aes128Cbc, DigestAlgorithm::Sha256),
        (ContentCipher::Aes192Cbc, DigestAlgorithm::Sha384),
        (ContentCipher::Aes256Cbc, DigestAlgorithm::Sha512),
    ];
    for (n, (cipher, digest)) in table.into_iter().enumerate() {
        let serial = format!("SN-{}", n + 1);
        let password = house.password(&[serial.as_str()]).await;
        let device = Device {
            cipher,
            digest,
            ..Device::new(&serial, Some(&password))
        };
        let answer = device.enrol(&house, "pumps").await;
        answer.issued();
        assert_eq!((answer.cipher, answer.digest), (Some(cipher), digest));
    }
    assert!(house.events("enrolment.legacy").await.is_empty());
}

/// Whose certificate signs the first message hardly matters: its own, with other names, with another key, or one that some
/// foreign CA gave it. What counts is the challenge.
async fn r09_signers_of_any_shape(postgres: bool) {
    let house = House::new(postgres).await;
    let (key, other) = (new_key(), new_key());
    let factory = subject("Factory CA");
    let signers = [
        (key.clone(), self_signed(&key, &subject("scep signer"))),
        (other.clone(), self_signed(&other, &subject("SN-2"))),
        (
            key.clone(),
            signed_by(&key, &subject("SN-3"), &other, &factory),
        ),
    ];
    for (n, (signer_key, certificate)) in signers.into_iter().enumerate() {
        let serial = format!("SN-{}", n + 1);
        let password = house.password(&[serial.as_str()]).await;
        let device = Device {
            key: signer_key,
            certificate,
            transaction: format!("{n}"),
            ..Device::new(&serial, Some(&password))
        };
        let kind = if n == 1 { UPDATE_REQ } else { PKCS_REQ };
        let csr = device.csr(&key);
        // One key has one certificate for one device; each of these is a device of its own.
        let asked = if n == 0 { csr } else { device.csr(&new_key()) };
        let answer = device.ask(&house, "pumps", kind, &asked).await;
        answer.issued();
    }
    // A message whose signer's certificate is missing cannot be verified.
    let chain = house.certificates("pumps").await;
    let device = Device::new("SN-4", Some("x"));
    let message = device.message(PKCS_REQ, &device.csr(&device.key), &chain[0]);
    let der = device.certificate.der();
    let at = message
        .windows(der.len())
        .position(|part| part == der)
        .unwrap();
    let mut bent = message.clone();
    // Another serial number: nobody's certificate matches the signer any more.
    let serial = at + der.windows(3).position(|part| part == [2, 1, 1]).unwrap() + 2;
    bent[serial] = 9;
    let query = Some("operation=PKIOperation");
    let reply = house.send(Method::POST, "/scep/pumps", query, &bent).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        device
            .post(&house, "pumps", &bent, &chain[0])
            .await
            .failed(),
        "badMessageCheck"
    );
}

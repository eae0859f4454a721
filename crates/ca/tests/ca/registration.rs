//! The registration authority in front of an authority (R09): made once, renewed in time, and still able to read what
//! devices encrypt to the certificate that they once fetched.

use access::Action;
use audit::Timestamp;
use ca::revocation::Revocation;
use ca::{CaError, ParentKey, Ra, RaError};
use x509::cms::{CmsError, ContentCipher, EnvelopedData, SealTo, seal};
use x509::crl::Reason;
use x509::ext::{ExtKeyUsage, KeyUsage};
use x509::{Certificate, oids};

use crate::support::{House, NOW, on_both};

on_both!(
    r09_a_registration_authority_is_made_once,
    r09_a_registration_authority_is_renewed_and_still_reads_old_envelopes,
    r09_a_rotated_authority_gets_another_registration_authority,
    r09_a_revoked_registration_authority_opens_nothing,
);

const DAY_MS: i64 = 86_400_000;

fn days(n: i64) -> Timestamp {
    Timestamp(NOW.0 + n * DAY_MS)
}

fn envelope_for(certificate: &Certificate) -> EnvelopedData {
    let to = SealTo::certificate(certificate).unwrap();
    let message = seal(oids::DATA, b"request", ContentCipher::Aes128Cbc, &[to]);
    EnvelopedData::parse(&message.unwrap()).unwrap()
}

async fn reads(ra: &Ra, certificate: &Certificate) -> bool {
    match ra.open(envelope_for(certificate)).await {
        Ok(content) => content.as_slice() == b"request",
        Err(RaError::Cms(CmsError::NotARecipient)) => false,
        Err(other) => panic!("{other}"),
    }
}

async fn r09_a_registration_authority_is_made_once(postgres: bool) {
    let house = House::new(postgres).await;
    let asked = (0..8).map(|_| {
        let ca = house.ca.clone();
        tokio::spawn(async move { ca.registration_authority("devices", NOW).await.unwrap() })
    });
    let mut found = Vec::new();
    for asked in asked.collect::<Vec<_>>() {
        found.push(asked.await.unwrap().certificate.clone());
    }
    // Another node, and the same after a restart.
    let other = house.again(NOW).await;
    let elsewhere = other.registration_authority("devices", NOW).await.unwrap();
    found.push(elsewhere.certificate.clone());
    found.dedup();
    assert_eq!(found.len(), 1);
    assert_eq!(house.events("registration-authority.rotate").await.len(), 1);
    let ra = &found[0];
    let usage = ra.ext::<KeyUsage>().unwrap().unwrap();
    assert_eq!(
        usage,
        KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT
    );
    let extended = ra.ext::<ExtKeyUsage>().unwrap().unwrap();
    assert_eq!(extended.0, [oids::EKU_CMC_RA]);
    let issuer = elsewhere.chain[0].public_key().unwrap();
    ra.verify_signed_by(&issuer).unwrap();
    assert!(reads(&elsewhere, ra).await);

    let people = house
        .ca
        .registration_authority("people", NOW)
        .await
        .unwrap();
    assert!(!reads(&people, ra).await, "an RA reads its own mail only");
    let none = house.ca.registration_authority("nobody", NOW).await;
    assert!(matches!(none, Err(CaError::NotFound { .. })));
}

async fn r09_a_registration_authority_is_renewed_and_still_reads_old_envelopes(postgres: bool) {
    let house = House::new(postgres).await;
    let other = house.again(NOW).await;
    let first = house
        .ca
        .registration_authority("devices", NOW)
        .await
        .unwrap();
    let early = house
        .ca
        .registration_authority("devices", days(181))
        .await
        .unwrap();
    assert_eq!(early.certificate, first.certificate);
    house
        .ca
        .renew_registration_authorities(days(184))
        .await
        .unwrap();
    // The other node has never asked and finds what this one made.
    let second = other
        .registration_authority("devices", days(184))
        .await
        .unwrap();
    assert_ne!(second.certificate, first.certificate);
    assert_ne!(second.signer.id(), first.signer.id());
    for certificate in [&first.certificate, &second.certificate] {
        assert!(reads(&second, certificate).await);
    }
    let third = other
        .registration_authority("devices", days(370))
        .await
        .unwrap();
    assert!(
        !reads(&third, &first.certificate).await,
        "that certificate has ended"
    );
    assert!(reads(&third, &second.certificate).await);
}

async fn r09_a_rotated_authority_gets_another_registration_authority(postgres: bool) {
    let house = House::new(postgres).await;
    let first = house
        .ca
        .registration_authority("devices", NOW)
        .await
        .unwrap();
    let permit = house.admin(Action::ManageAuthorities);
    let parent = ParentKey::Carried(house.carry());
    let rotated = house
        .ca
        .rotate_authority(permit, "devices", parent, None, None, NOW);
    rotated.await.unwrap();
    let second = house
        .ca
        .registration_authority("devices", NOW)
        .await
        .unwrap();
    let issuer = house.ca.issuer("devices-g2").unwrap();
    assert_eq!(&second.chain[0], issuer.certificate());
    let key = issuer.certificate().public_key().unwrap();
    second.certificate.verify_signed_by(&key).unwrap();
    assert!(reads(&second, &first.certificate).await);
}

async fn r09_a_revoked_registration_authority_opens_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let first = house
        .ca
        .registration_authority("devices", NOW)
        .await
        .unwrap();
    let stored = house.ca.certificate(&first.certificate.fingerprint()).await;
    let stored = stored.unwrap().unwrap();
    let permit = house.admin(Action::RevokeCertificate);
    let revocation = Revocation {
        reason: Reason::KeyCompromise,
        invalid_since: None,
        why: None,
        request_id: None,
    };
    let revoked = house.ca.revoke(permit, &stored, revocation, NOW);
    revoked.await.unwrap();
    let soon = Timestamp(NOW.0 + 60_000);
    let second = house
        .ca
        .registration_authority("devices", soon)
        .await
        .unwrap();
    assert_ne!(second.certificate, first.certificate);
    assert!(!reads(&second, &first.certificate).await);
}

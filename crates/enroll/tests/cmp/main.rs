//! CMP through its door, on both databases (R08, R09): RFC 9810 in the profile of RFC 9483.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.
#![recursion_limit = "256"] // From the door to the database in one future.

mod client;
mod holder;
mod information;
mod support;
mod wrong;

use x509::cmp::{Body, CertStatus, Message, Status};
use x509::{CsrBuilder, assemble, der, oids};

use client::{ALGORITHM, Talk, given, ir, new_key, refused, reply, response, subject};
use holder::{
    r05_a_device_in_a_loop_is_told_so, r05_a_key_update_after_the_end_within_grace,
    r05_extra_certs_hold_no_more_than_there_is_room_for, r09_a_device_revokes_its_own,
    r09_a_vendor_certificate_opens_the_door, r09_key_update_by_the_old_certificate,
};
use information::r09_information_for_devices;
use support::{HOUR, House, on_both};
use wrong::{
    r09_guessing_is_stopped, r09_over_http, r09_possession_must_be_proved,
    r09_strangers_learn_nothing, r09_what_is_not_spoken_is_refused_by_name,
};

on_both!(
    r09_a_shared_secret_gives_a_certificate_that_is_confirmed,
    r09_a_repeated_message_gets_the_same_answer,
    r09_implicit_confirmation_ends_the_transaction,
    r09_a_replay_does_nothing,
    r09_guessing_is_stopped,
    r09_what_nobody_confirms_is_revoked,
    r09_a_rejected_certificate_is_revoked,
    r09_a_confirmation_must_fit,
    r09_strangers_learn_nothing,
    r09_a_transaction_belongs_to_its_key_and_sender,
    r09_a_pkcs10_request,
    r08_the_register_decides,
    r09_a_vendor_certificate_opens_the_door,
    r09_key_update_by_the_old_certificate,
    r09_a_device_revokes_its_own,
    r05_extra_certs_hold_no_more_than_there_is_room_for,
    r05_a_device_in_a_loop_is_told_so,
    r05_a_key_update_after_the_end_within_grace,
    r09_polling_through_approval_and_a_restart,
    r09_information_for_devices,
    r09_possession_must_be_proved,
    r09_what_is_not_spoken_is_refused_by_name,
    r09_over_http,
);

async fn r09_a_shared_secret_gives_a_certificate_that_is_confirmed(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], Some(1)).await;
    let mut talk = Talk::new(&house, "pumps", right);
    let key = new_key();
    let answer = talk.say(ir(&key, "SN-1")).await;
    let certificate = given(&answer);
    assert_eq!(answer.body.name(), "ip");
    let serial = certificate.subject().find(&oids::SERIAL_NUMBER);
    assert_eq!(serial.as_deref(), Some("SN-1"));
    assert_eq!(certificate.spki_der(), key.public_key().spki_der());
    // The device learns its trust anchor under the protection of its secret (RFC 9483 §4.1.1), and the chain.
    let root = house.ca.issuer("root").unwrap();
    assert_eq!(reply(&answer).ca_pubs, [root.certificate().clone()]);
    let issuer = house.ca.issuer("devices").unwrap();
    assert!(answer.extra_certs.contains(issuer.certificate()));
    assert!(answer.header.info(&oids::IT_CONFIRM_WAIT_TIME).is_some());
    assert!(!answer.header.implicit_confirm());

    // The right is used up, and still protects the rest of the conversation.
    let answer = talk.confirm(&certificate, true).await;
    assert_eq!(answer.body, Body::PkiConf);
    house.pass(2 * HOUR);
    house.prune().await;
    assert!(house.is_good(&certificate).await);
    assert_eq!(house.events("enrolment.confirm").await.len(), 1);
}

async fn r09_a_repeated_message_gets_the_same_answer(postgres: bool) {
    let mut house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let mut talk = Talk::new(&house, "pumps", right);
    let key = new_key();
    let first = talk.say(ir(&key, "SN-1")).await;
    assert_eq!(talk.post().await, first);
    let request = talk.sent.clone();
    let certificate = given(&first);
    let confirmed = talk.confirm(&certificate, true).await;
    assert_eq!(talk.post().await, confirmed);
    assert_eq!(
        house.events("certificate.issue").await.len(),
        count(&house).await
    );

    // Later, by somebody who listened: nothing happens, and nothing new is told.
    house.pass(10 * HOUR);
    house.restart().await;
    let reply = house.post("/cmp/pumps", &request).await;
    let replayed = Message::from_der(&reply.body).unwrap();
    assert_eq!(refused(&replayed), ["transactionIdInUse"]);
    assert!(house.is_good(&certificate).await);
}

/// Certificates of devices and of the registration authority.
async fn count(house: &House) -> usize {
    let counts = house.ca.certificate_counts().await.unwrap();
    counts.iter().map(|(_, n)| *n as usize).sum()
}

async fn r09_implicit_confirmation_ends_the_transaction(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let mut talk = Talk::new(&house, "pumps", right);
    talk.implicit = true;
    let answer = talk.say(ir(&new_key(), "SN-1")).await;
    assert!(answer.header.implicit_confirm());
    let certificate = given(&answer);
    // Sent again, it is the same certificate.
    assert_eq!(given(&talk.post().await), certificate);
    house.pass(30 * HOUR);
    house.prune().await;
    assert!(house.is_good(&certificate).await);
    let late = talk.confirm(&certificate, true).await;
    assert_eq!(refused(&late), ["badRequest"]);
}

/// A device without a clock: whoever has heard its request sends it again after weeks, and gets what was sent before.
async fn r09_a_replay_does_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], Some(9)).await;
    for implicit in [true, false] {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        talk.implicit = implicit;
        let mut header = talk.header();
        header.message_time = None;
        talk.sent = talk.protected(header, ir(&new_key(), "SN-1"));
        let replayed = talk.sent.clone();
        let answer = talk.post().await;
        let certificate = given(&answer);
        if !implicit {
            talk.recip_nonce.clone_from(&answer.header.sender_nonce);
            assert_eq!(talk.confirm(&certificate, true).await.body, Body::PkiConf);
        }
        let issued = house.events("certificate.issue").await.len();
        house.pass(20 * 24 * HOUR);
        house.prune().await;
        talk.sent = replayed;
        let again = talk.post().await;
        match implicit {
            true => assert_eq!(again, answer),
            false => assert_eq!(refused(&again), ["transactionIdInUse"]),
        }
        assert_eq!(house.events("certificate.issue").await.len(), issued);
        assert!(house.is_good(&certificate).await);
        house.pass(-20 * 24 * HOUR);
    }
}

async fn r09_what_nobody_confirms_is_revoked(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let mut talk = Talk::new(&house, "pumps", right);
    let certificate = given(&talk.say(ir(&new_key(), "SN-1")).await);
    house.pass(HOUR - 1000);
    house.prune().await;
    assert!(house.is_good(&certificate).await);
    house.pass(2000);
    house.prune().await;
    assert!(!house.is_good(&certificate).await);
    assert_eq!(house.events("enrolment.cmp.unconfirmed").await.len(), 1);
    let late = talk.confirm(&certificate, true).await;
    assert_eq!(refused(&late), ["certConfirmed"]);
}

async fn r09_a_rejected_certificate_is_revoked(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1", "SN-2"], None).await;
    let mut talk = Talk::new(&house, "pumps", right.clone());
    let rejected = given(&talk.say(ir(&new_key(), "SN-1")).await);
    assert_eq!(talk.confirm(&rejected, false).await.body, Body::PkiConf);
    assert!(!house.is_good(&rejected).await);

    // No word on any certificate rejects it too (RFC 9810 §5.3.18).
    let mut talk = Talk::new(&house, "pumps", right);
    let rejected = given(&talk.say(ir(&new_key(), "SN-2")).await);
    assert_eq!(talk.say(Body::CertConf(vec![])).await.body, Body::PkiConf);
    assert!(!house.is_good(&rejected).await);
}

async fn r09_a_confirmation_must_fit(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let mut talk = Talk::new(&house, "pumps", right);
    let certificate = given(&talk.say(ir(&new_key(), "SN-1")).await);
    let nonce = talk.recip_nonce.clone();

    let word = |cert_hash, cert_req_id| {
        Body::CertConf(vec![CertStatus {
            cert_hash,
            cert_req_id,
            status: None,
            hash_alg: None,
        }])
    };
    let wrong_hash = talk.say(word(vec![0; 32], 0)).await;
    assert_eq!(refused(&wrong_hash), ["badCertId"]);
    talk.recip_nonce.clone_from(&nonce);
    assert_eq!(
        refused(&talk.say(word(vec![0; 32], 1)).await),
        ["badRequest"]
    );
    talk.recip_nonce = Some(client::random());
    let wrong_nonce = talk.confirm(&certificate, true).await;
    assert_eq!(refused(&wrong_nonce), ["badRecipientNonce"]);
    talk.recip_nonce = None;
    let no_nonce = talk.confirm(&certificate, true).await;
    assert_eq!(refused(&no_nonce), ["badRecipientNonce"]);
    // None of that has hurt.
    talk.recip_nonce = nonce;
    assert_eq!(talk.confirm(&certificate, true).await.body, Body::PkiConf);
    assert!(house.is_good(&certificate).await);
}

async fn r09_a_transaction_belongs_to_its_key_and_sender(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1", "SN-2"], None).await;
    let other = house.secret(&["SN-1", "SN-2"], None).await;
    for implicit in [false, true] {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        talk.implicit = implicit;
        let first = given(&talk.say(ir(&new_key(), "SN-1")).await);
        let mut again = Talk::new(&house, "pumps", right.clone());
        again.transaction.clone_from(&talk.transaction);
        again.implicit = implicit;
        let answer = again.say(ir(&new_key(), "SN-1")).await;
        assert_eq!(refused(&answer), ["transactionIdInUse"]);
        // Another sender cannot confirm, whatever they know.
        let mut theirs = Talk::new(&house, "pumps", other.clone());
        theirs.transaction.clone_from(&talk.transaction);
        theirs.recip_nonce.clone_from(&talk.recip_nonce);
        let answer = theirs.confirm(&first, false).await;
        assert_eq!(refused(&answer), ["badRequest"]);
        assert!(house.is_good(&first).await);
    }
}

async fn r09_a_pkcs10_request(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-3"], None).await;
    let mut talk = Talk::new(&house, "pumps", right);
    let key = new_key();
    let tbs = CsrBuilder::new(subject("SN-3"), key.public_key()).tbs();
    let csr = assemble(&tbs, ALGORITHM, &key.sign(ALGORITHM, &tbs).unwrap());
    let answer = talk.say(Body::P10cr(csr.clone())).await;
    assert_eq!(answer.body.name(), "cp");
    assert_eq!(response(&answer).cert_req_id, -1);
    let certificate = given(&answer);
    // Clients of before RFC 9480 number it 0.
    assert_eq!(talk.confirm(&certificate, true).await.body, Body::PkiConf);

    let forged = assemble(&tbs, ALGORITHM, &new_key().sign(ALGORITHM, &tbs).unwrap());
    let mut talk = Talk::new(&house, "pumps", talk.protect.clone());
    assert_eq!(refused(&talk.say(Body::P10cr(forged)).await), ["badPOP"]);
    talk.recip_nonce = None;
    let cut = der::sequence(|w| {
        w.raw(&csr[4..60]);
    });
    assert_eq!(
        refused(&talk.say(Body::P10cr(cut)).await),
        ["badDataFormat"]
    );
}

async fn r08_the_register_decides(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1", "SN-404"], None).await;
    let table = [
        ("SN-404", "notAuthorized"),
        // Registered, and not the secret's.
        ("SN-2", "notAuthorized"),
    ];
    for (serial, bit) in table {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        let answer = talk.say(ir(&new_key(), serial)).await;
        assert_eq!(refused(&answer), [bit], "{serial}");
        assert_eq!(answer.body.name(), "ip");
    }
    let mut talk = Talk::new(&house, "pumps", right);
    given(&talk.say(ir(&new_key(), "SN-1")).await);
}

async fn r09_polling_through_approval_and_a_restart(postgres: bool) {
    let mut house = House::new(postgres).await;
    let right = house.secret(&["SN-77"], Some(1)).await;
    let key = new_key();
    let mut talk = Talk::new(&house, "asked", right.clone());
    let answer = talk.say(ir(&key, "SN-77")).await;
    assert_eq!(response(&answer).status.status, Status::Waiting);
    // Polled as often as it likes, each answer with a nonce of its own.
    for _ in 0..2 {
        let answer = talk.say(Body::PollReq(vec![0])).await;
        let Body::PollRep(replies) = &answer.body else {
            panic!("{:?}", answer.body)
        };
        assert!(replies[0].check_after > 0);
    }
    let (transaction, nonce) = (talk.transaction.clone(), talk.recip_nonce.clone());
    talk.recip_nonce = Some(client::random());
    let wrong = talk.say(Body::PollReq(vec![0])).await;
    assert_eq!(refused(&wrong), ["badRecipientNonce"]);
    talk.recip_nonce.clone_from(&nonce);
    let wrong = talk.say(Body::PollReq(vec![5])).await;
    assert_eq!(refused(&wrong), ["badRequest"]);
    let early = Talk {
        transaction: transaction.clone(),
        recip_nonce: nonce.clone(),
        ..Talk::new(&house, "asked", right.clone())
    };
    let mut early = early;
    let own = house.ca.issuer("devices").unwrap().certificate().clone();
    assert_eq!(refused(&early.confirm(&own, true).await), ["badRequest"]);

    house.approve().await;
    house.restart().await;
    let mut talk = Talk::new(&house, "asked", right);
    talk.transaction = transaction;
    talk.recip_nonce = nonce;
    let answer = talk.say(Body::PollReq(vec![0])).await;
    assert_eq!(talk.post().await, answer);
    assert_eq!(answer.body.name(), "ip");
    let certificate = given(&answer);
    let serial = certificate.subject().find(&oids::SERIAL_NUMBER);
    assert_eq!(serial.as_deref(), Some("SN-77"));
    assert_eq!(talk.confirm(&certificate, true).await.body, Body::PkiConf);
    assert!(house.is_good(&certificate).await);
}

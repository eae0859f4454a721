//! CMP through its door, on both databases (R08, R09): RFC 9810 in the profile of RFC 9483.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod client;
mod support;

use http::Method;
use x509::cmp::{
    Body, CertStatus, InfoTypeAndValue, Mac, Message, RevDetails, Status, TemplateAnswer,
};
use x509::crmf::{Attribute, CertId, CertReqMsg, CertTemplate, ProofOfPossession};
use x509::der::{self, Reader, Tag};
use x509::ext::{CrlReason, ExtensionValue};
use x509::{Certificate, CsrBuilder, GeneralName, assemble, oids};

use access::Action;
use client::{
    ALGORITHM, Protect, Talk, certificate, given, ir, new_key, refused, reply, request, response,
    subject,
};
use support::{HOUR, House, NOW, admin, header, on_both};
use zeroize::Zeroizing;

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

/// Twenty wrong MACs from one address, and it hears "later" before anything is computed.
async fn r09_guessing_is_stopped(postgres: bool) {
    let house = House::new(postgres).await;
    let (reference, secret) = house.secret(&["SN-1"], None).await;
    let key = new_key();
    for _ in 0..20 {
        let guess = (reference.clone(), "GUESS".to_owned());
        let answer = Talk::new(&house, "pumps", guess)
            .say(ir(&key, "SN-1"))
            .await;
        assert_eq!(refused(&answer), ["badMessageCheck"]);
    }
    let right = (reference, secret);
    let answer = Talk::new(&house, "pumps", right.clone())
        .say(ir(&key, "SN-1"))
        .await;
    assert_eq!(refused(&answer), ["systemUnavail"]);
    house.pass(HOUR);
    given(
        &Talk::new(&house, "pumps", right)
            .say(ir(&key, "SN-1"))
            .await,
    );
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

/// A wrong secret and a reference that nobody has are told apart by nothing; neither is a signer whom nobody trusts told
/// more than that.
async fn r09_strangers_learn_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let (reference, secret) = house.secret(&["SN-1"], None).await;
    let key = new_key();
    let mut told = Vec::new();
    for reference in [reference.as_str(), "v0123456789abcdef", "admin", ""] {
        let guess = (reference.to_owned(), "GUESS".to_owned());
        let answer = Talk::new(&house, "pumps", guess)
            .say(ir(&key, "SN-1"))
            .await;
        assert_eq!(refused(&answer), ["badMessageCheck"]);
        assert_eq!(answer.protection, None);
        told.push(answer.body);
    }
    told.dedup();
    assert_eq!(told.len(), 1);

    let unprotected = Talk::new(&house, "pumps", Protect::Nothing)
        .say(ir(&key, "SN-1"))
        .await;
    assert_eq!(refused(&unprotected), ["badMessageCheck"]);
    for serial in ["SN-1", "SN-404"] {
        let own = certificate(&key, "CN=me,serialNumber=SN-1", &key, "CN=somebody");
        let protect = Protect::Key {
            signer: key.clone(),
            chain: vec![own],
        };
        let mut talk = Talk::new(&house, "pumps", protect);
        let answer = talk.say(ir(&new_key(), serial)).await;
        assert_eq!(refused(&answer), ["notAuthorized"]);
        let text = response(&answer).status.text.join(" ");
        assert!(!text.contains("SN-"), "{text}");
    }
    // The right one opens.
    let mut talk = Talk::new(&house, "pumps", (reference, secret));
    given(&talk.say(ir(&key, "SN-1")).await);
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

async fn r09_a_vendor_certificate_opens_the_door(postgres: bool) {
    let house = House::new(postgres).await;
    let (maker_key, idevid_key) = (new_key(), new_key());
    let maker = certificate(&maker_key, "CN=Pump maker", &maker_key, "CN=Pump maker");
    house.trust_vendor(&maker).await;
    let protect = |subject: &str| Protect::Key {
        signer: idevid_key.clone(),
        chain: vec![certificate(
            &idevid_key,
            subject,
            &maker_key,
            "CN=Pump maker",
        )],
    };
    let mut talk = Talk::new(&house, "pumps", protect("serialNumber=SN-2"));
    let answer = talk.say(ir(&new_key(), "SN-2")).await;
    let ldevid = given(&answer);
    assert_eq!(
        answer.extra_certs[0]
            .ext::<x509::ext::ExtKeyUsage>()
            .unwrap()
            .unwrap()
            .0,
        [oids::EKU_CMC_RA]
    );
    // The certificate need not be sent twice (RFC 9483 §3.3).
    let Protect::Key { chain, .. } = &mut talk.protect else {
        unreachable!()
    };
    let idevid = chain[0].clone();
    let header = talk_header(&talk, &idevid);
    talk.sent = sign_without_chain(header, &ldevid, &idevid_key);
    assert_eq!(talk.post().await.body, Body::PkiConf);

    // One of the same maker that is not in the register, and one who speaks for another pump.
    let mut talk = Talk::new(&house, "pumps", protect("serialNumber=SN-404"));
    assert_eq!(
        refused(&talk.say(ir(&new_key(), "SN-404")).await),
        ["notAuthorized"]
    );
    let mut talk = Talk::new(&house, "pumps", protect("serialNumber=SN-3"));
    let other = talk.say(ir(&new_key(), "SN-2")).await;
    assert_eq!(refused(&other), ["badCertTemplate"]);
}

fn talk_header(talk: &Talk<'_>, leaf: &Certificate) -> x509::cmp::Header {
    let mut header = talk.header();
    header.sender = GeneralName::DirName(leaf.subject().clone());
    header.protection_alg = Some(ALGORITHM.identifier());
    header
}

fn sign_without_chain(
    header: x509::cmp::Header,
    certificate: &Certificate,
    key: &keys::Signer,
) -> Vec<u8> {
    let algorithm = x509::SignatureAlgorithm::from_identifier(&certificate.signature_algorithm());
    let hash = match algorithm {
        Some(x509::SignatureAlgorithm::EcdsaSha384) => &aws_lc_rs::digest::SHA384,
        _ => &aws_lc_rs::digest::SHA256,
    };
    let cert_hash = aws_lc_rs::digest::digest(hash, certificate.der())
        .as_ref()
        .to_vec();
    let body = Body::CertConf(vec![CertStatus {
        cert_hash,
        cert_req_id: 0,
        status: None,
        hash_alg: None,
    }]);
    let mut message = Message::new(header, body);
    message.protection = Some(key.sign(ALGORITHM, &message.protected_part()).unwrap());
    message.encode()
}

/// A device with a certificate.
async fn enrolled(house: &House, serial: &str) -> (keys::Signer, Certificate) {
    let right = house.secret(&[serial], None).await;
    let mut talk = Talk::new(house, "pumps", right);
    talk.implicit = true;
    let key = new_key();
    let certificate = given(&talk.say(ir(&key, serial)).await);
    (key, certificate)
}

fn holder(key: &keys::Signer, certificate: &Certificate) -> Protect {
    Protect::Key {
        signer: key.clone(),
        chain: vec![certificate.clone()],
    }
}

fn old_cert_id(certificate: &Certificate) -> Attribute {
    let id = CertId {
        issuer: GeneralName::DirName(certificate.issuer().clone()),
        serial: certificate.serial().to_vec(),
    };
    let mut w = der::Writer::new();
    id.write(&mut w);
    Attribute {
        oid: oids::REG_CTRL_OLD_CERT_ID,
        value: w.finish(),
    }
}

async fn r09_key_update_by_the_old_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let (key, old) = enrolled(&house, "SN-1").await;
    let (_, others) = enrolled(&house, "SN-2").await;
    let kur = |named: &Certificate, new: &keys::Signer| {
        let subject = named.subject().clone();
        Body::Kur(vec![request(new, subject, vec![old_cert_id(named)])])
    };
    // Named after another certificate, signed with a secret, signed by a stranger.
    let mut talk = Talk::new(&house, "pumps", holder(&key, &old));
    let answer = talk.say(kur(&others, &new_key())).await;
    assert_eq!(refused(&answer), ["badCertId"]);
    let right = house.secret(&["SN-1"], None).await;
    let answer = Talk::new(&house, "pumps", right)
        .say(kur(&old, &new_key()))
        .await;
    assert_eq!(refused(&answer), ["wrongIntegrity"]);
    let stranger = new_key();
    let forged = certificate(
        &stranger,
        &old.subject().to_string(),
        &stranger,
        "CN=forged",
    );
    let answer = Talk::new(&house, "pumps", holder(&stranger, &forged))
        .say(Body::Kur(vec![request(
            &new_key(),
            old.subject().clone(),
            vec![],
        )]))
        .await;
    assert_eq!(refused(&answer), ["notAuthorized"]);

    let mut talk = Talk::new(&house, "pumps", holder(&key, &old));
    let next = new_key();
    let answer = talk.say(kur(&old, &next)).await;
    assert_eq!(answer.body.name(), "kup");
    let renewed = given(&answer);
    assert_eq!(renewed.subject(), old.subject());
    assert_eq!(talk.confirm(&renewed, true).await.body, Body::PkiConf);
    assert!(house.is_good(&renewed).await);

    // A revoked certificate renews nothing.
    revoke(&house, &next, &renewed, &renewed, None).await;
    let answer = Talk::new(&house, "pumps", holder(&next, &renewed))
        .say(kur(&renewed, &new_key()))
        .await;
    assert_eq!(refused(&answer), ["notAuthorized"]);
}

async fn revoke(
    house: &House,
    key: &keys::Signer,
    own: &Certificate,
    named: &Certificate,
    reason: Option<u8>,
) -> Message {
    let template = CertTemplate {
        issuer: Some(named.issuer().clone()),
        serial: Some(named.serial().to_vec()),
        ..CertTemplate::default()
    };
    let details = RevDetails {
        template,
        extensions: reason
            .map(|code| CrlReason(code).encode())
            .into_iter()
            .collect(),
    };
    let mut talk = Talk::new(house, "pumps", holder(key, own));
    talk.say(Body::Rr(vec![details])).await
}

async fn r09_a_device_revokes_its_own(postgres: bool) {
    let house = House::new(postgres).await;
    let (key, own) = enrolled(&house, "SN-1").await;
    let (_, others) = enrolled(&house, "SN-2").await;
    let answer = revoke(&house, &key, &own, &others, None).await;
    assert_eq!(refused(&answer), ["badCertId"]);
    // Neither suspension nor coming back.
    for code in [6, 8] {
        let answer = revoke(&house, &key, &own, &own, Some(code)).await;
        assert_eq!(refused(&answer), ["badRequest"]);
    }
    let right = house.secret(&["SN-1"], None).await;
    let details = RevDetails {
        template: CertTemplate::default(),
        extensions: vec![],
    };
    let answer = Talk::new(&house, "pumps", right)
        .say(Body::Rr(vec![details]))
        .await;
    assert_eq!(refused(&answer), ["wrongIntegrity"]);
    assert!(house.is_good(&own).await && house.is_good(&others).await);

    let answer = revoke(&house, &key, &own, &own, Some(4)).await;
    let Body::Rp(reply) = &answer.body else {
        panic!("{:?}", answer.body)
    };
    assert_eq!(reply.statuses[0].status, Status::Accepted);
    assert_eq!(reply.certificates[0].serial, own.serial());
    assert!(!house.is_good(&own).await);
    // Whose certificate is revoked is nobody any more.
    let answer = revoke(&house, &key, &own, &own, None).await;
    assert_eq!(refused(&answer), ["notAuthorized"]);
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

async fn r09_information_for_devices(postgres: bool) {
    let house = House::new(postgres).await;
    let root = house.ca.issuer("root").unwrap().certificate().clone();
    let issuer = house.ca.issuer("devices").unwrap().certificate().clone();
    let right = house.secret(&["SN-1"], None).await;
    let ask = async |question| {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        let answer = talk.say(Body::Genm(vec![question])).await;
        let Body::Genp(mut items) = answer.body else {
            panic!("{:?}", answer.body)
        };
        items.remove(0)
    };
    let found = ask(InfoTypeAndValue::bare(oids::IT_CA_CERTS)).await;
    let expected = InfoTypeAndValue::ca_certs(&[issuer.clone(), root.clone()]);
    assert_eq!(found, expected);

    let found = ask(InfoTypeAndValue::bare(oids::IT_CERT_REQ_TEMPLATE)).await;
    let template = TemplateAnswer::from_der(&found.value.unwrap()).unwrap();
    assert!(!template.rsa_bits.is_empty() || !template.key_algorithms.is_empty());

    // The client has the newest root; later it has an old one.
    let known = InfoTypeAndValue::new(oids::IT_ROOT_CA_CERT, root.der().to_vec());
    let found = ask(known.clone()).await;
    assert_eq!(found, InfoTypeAndValue::bare(oids::IT_ROOT_CA_KEY_UPDATE));
    let key = ca::ParentKey::Carried(ca::Carry {
        directory: house.directory.path().join("usb"),
        passphrase: Zeroizing::new("correct horse battery".to_owned()),
    });
    let permit = admin(&house.ca, Action::ManageAuthorities);
    let rotated = house
        .ca
        .rotate_authority(permit, "root", key.clone(), None, None, NOW);
    rotated.await.unwrap();
    let cross = ca::CrossSign {
        subject: house.ca.issuer("root-g2").unwrap().certificate().clone(),
        constraints: ca::Constraints::default(),
        path_length: 1,
        validity: ca::profile::Duration::days(730),
    };
    let permit = admin(&house.ca, Action::ManageAuthorities);
    let crossed = house
        .ca
        .cross_sign(permit, "root", key.clone(), &cross, NOW);
    crossed.await.unwrap();
    for name in ["devices"] {
        let permit = admin(&house.ca, Action::ManageAuthorities);
        let rotated = house
            .ca
            .rotate_authority(permit, name, key.clone(), None, None, NOW);
        rotated.await.unwrap();
    }
    let found = ask(known).await;
    assert_eq!(found.oid, oids::IT_ROOT_CA_KEY_UPDATE);
    let value = found.value.unwrap();
    let mut update = Reader::new(&value).sequence().unwrap();
    let new = Certificate::from_der(update.element().unwrap().raw).unwrap();
    assert!(new.is_self_issued() && new != root);
    let mut wrapped = update.nested(Tag::context_constructed(0)).unwrap();
    let new_with_old = Certificate::from_der(wrapped.element().unwrap().raw).unwrap();
    assert_eq!(new_with_old.spki_der(), new.spki_der());
    new_with_old
        .verify_signed_by(&root.public_key().unwrap())
        .unwrap();

    house.ca.publish_due(house.now()).await.unwrap();
    let found = ask(InfoTypeAndValue::bare(oids::IT_CURRENT_CRL)).await;
    let crl = x509::crl::CertificateList::from_der(&found.value.unwrap()).unwrap();
    let newest = house.ca.issuer("devices-g2").unwrap();
    assert!(crl.issuer().canonical_eq(newest.certificate().subject()));
    let wanted = der::sequence(|w| {
        w.sequence(|w| {
            w.nested(Tag::context_constructed(1), |w| {
                w.sequence(|w| GeneralName::DirName(issuer.subject().clone()).write(w));
            });
        });
    });
    let found = ask(InfoTypeAndValue::new(oids::IT_CRL_STATUS_LIST, wanted)).await;
    assert!(found.oid == oids::IT_CRLS && found.value.is_some());

    // What everybody may know, where the endpoint says so; not what a request should look like.
    let public = Body::Genm(vec![InfoTypeAndValue::bare(oids::IT_CA_CERTS)]);
    let answer = Talk::new(&house, "open", Protect::Nothing)
        .say(public.clone())
        .await;
    assert_eq!(answer.body.name(), "genp");
    let answer = Talk::new(&house, "pumps", Protect::Nothing)
        .say(public)
        .await;
    assert_eq!(refused(&answer), ["badMessageCheck"]);
    let template = Body::Genm(vec![InfoTypeAndValue::bare(oids::IT_CERT_REQ_TEMPLATE)]);
    let answer = Talk::new(&house, "open", Protect::Nothing)
        .say(template)
        .await;
    assert_eq!(refused(&answer), ["badMessageCheck"]);
}

async fn r09_possession_must_be_proved(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let key = new_key();
    let good = request(&key, subject("SN-1"), vec![]);
    let with = |proof| good.clone().with_proof(proof);
    let signed_by = |signer: &keys::Signer| ProofOfPossession::Signature {
        input: None,
        algorithm: ALGORITHM.identifier(),
        signature: signer.sign(ALGORITHM, good.request_der()).unwrap(),
    };
    let without = CertReqMsg::new(0, good.template.clone(), vec![]);
    let table = [
        (without, "badPOP"),
        (with(ProofOfPossession::RaVerified), "notAuthorized"),
        (
            with(ProofOfPossession::KeyEncipherment(vec![0x80, 1, 0])),
            "badPOP",
        ),
        (
            with(ProofOfPossession::KeyAgreement(vec![0x80, 1, 0])),
            "badPOP",
        ),
        (with(signed_by(&new_key())), "badPOP"),
        (
            CertReqMsg::new(0, CertTemplate::default(), vec![]),
            "badCertTemplate",
        ),
    ];
    for (request, bit) in table {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        assert_eq!(refused(&talk.say(Body::Ir(vec![request])).await), [bit]);
    }
    let mut talk = Talk::new(&house, "pumps", right);
    given(&talk.say(Body::Ir(vec![with(signed_by(&key))])).await);
}

async fn r09_what_is_not_spoken_is_refused_by_name(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let key = new_key();
    let one = request(&key, subject("SN-1"), vec![]);
    let bodies = [
        (Body::Nested, "badRequest"),
        (Body::Other(13), "badRequest"),
        (Body::PkiConf, "badRequest"),
        (Body::Ir(vec![]), "badRequest"),
        (Body::Ir(vec![one.clone(), one]), "badRequest"),
        (
            Body::Genm(vec![InfoTypeAndValue::bare(oids::IT_ORIG_PKI_MESSAGE)]),
            "badRequest",
        ),
    ];
    for (body, bit) in bodies {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        assert_eq!(refused(&talk.say(body).await), [bit]);
    }
    let bend: [(fn(&mut x509::cmp::Header), &str); 6] = [
        (|header| header.version = 1, "unsupportedVersion"),
        (|header| header.version = 4, "unsupportedVersion"),
        (|header| header.sender_nonce = None, "badSenderNonce"),
        (|header| header.transaction_id = None, "badDataFormat"),
        (
            |header| header.recip_nonce = Some(vec![1; 16]),
            "badRecipientNonce",
        ),
        (
            |header| header.message_time = Some(x509::Time(1_700_000_000)),
            "badTime",
        ),
    ];
    for (bend, bit) in bend {
        let mut talk = Talk::new(&house, "pumps", right.clone());
        let mut header = talk.header();
        bend(&mut header);
        talk.sent = talk.protected(header, ir(&key, "SN-1"));
        assert_eq!(refused(&talk.post().await), [bit]);
    }
    // Work beyond the budget is not begun.
    let mut talk = Talk::new(&house, "pumps", right);
    let mut header = talk.header();
    header.protection_alg = Some(Mac::password_based(vec![0; 16], 10_000_000).identifier());
    let mut message = Message::new(header, ir(&key, "SN-1"));
    message.protection = Some(vec![0; 32]);
    talk.sent = message.encode();
    assert_eq!(refused(&talk.post().await), ["badAlg"]);
}

async fn r09_over_http(postgres: bool) {
    let house = House::new(postgres).await;
    let right = house.secret(&["SN-1"], None).await;
    let cmp = Some("application/pkixcmp");
    let get = house.send(Method::GET, "/cmp/pumps", cmp, b"").await;
    assert_eq!((get.status, header(&get, "allow")), (405, Some("POST")));
    let plain = house
        .send(Method::POST, "/cmp/pumps", Some("text/plain"), b"")
        .await;
    assert_eq!(plain.status, 415);
    let garbage = house.post("/cmp/pumps", b"garbage").await;
    assert_eq!(garbage.status, 400);
    assert_eq!(
        refused(&Message::from_der(&garbage.body).unwrap()),
        ["badDataFormat"]
    );
    let large = house.post("/cmp/pumps", &vec![0x30; 300_000]).await;
    assert_eq!(large.status, 413);
    for path in [
        "/cmp/nobody",
        "/.well-known/cmp",
        "/.well-known/cmp/p/pumps/nothing",
    ] {
        let reply = house.post(path, b"garbage").await;
        assert_eq!((reply.status, reply.body.len()), (404, 0), "{path}");
    }
    // A message that begins well and ends early is answered in its transaction.
    let mut talk = Talk::new(&house, "pumps", right);
    let whole = talk.protected(talk.header(), ir(&new_key(), "SN-1"));
    let header = talk.header().encode();
    talk.sent = der::sequence(|w| {
        w.raw(&header)
            .element(Tag::context_constructed(0), &[0x30, 9, 1]);
    });
    let answer = talk.post().await;
    assert_eq!(refused(&answer), ["badDataFormat"]);
    assert_eq!(
        answer.header.transaction_id.as_ref(),
        Some(&talk.transaction)
    );
    // The URL says what a message is for.
    talk.path = "/.well-known/cmp/p/pumps/revocation".to_owned();
    talk.sent.clone_from(&whole);
    assert_eq!(refused(&talk.post().await), ["badRequest"]);
    talk.path = "/.well-known/cmp/p/pumps/initialization".to_owned();
    talk.sent = whole;
    given(&talk.post().await);
}

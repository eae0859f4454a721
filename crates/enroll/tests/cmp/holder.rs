//! Devices that sign with a certificate: the manufacturer's, or one of Ward.

use enroll::device::{Chain, Endpoint};
use x509::cmp::{Body, CertStatus, Message, RevDetails, Status};
use x509::crmf::{Attribute, CertId, CertTemplate};
use x509::ext::{CrlReason, ExtensionValue};
use x509::{Certificate, GeneralName, der, oids};

use crate::client::{
    ALGORITHM, Protect, Talk, certificate, given, ir, new_key, refused, request, response,
};
use crate::support::{HOUR, House, endpoint};

pub(crate) async fn r09_a_vendor_certificate_opens_the_door(postgres: bool) {
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

/// RFC 9483 §3.3: what protects the message comes first, whatever the endpoint says about chains.
pub(crate) async fn r05_extra_certs_hold_no_more_than_there_is_room_for(postgres: bool) {
    let house = House::new(postgres).await;
    let issuer = house.ca.issuer("devices").unwrap().certificate().clone();
    for (chain, above) in [(Chain::Whole, vec![issuer]), (Chain::Leaf, vec![])] {
        let name = format!("with-{}", above.len());
        let base = endpoint(&name);
        house.put(Endpoint { chain, ..base }).await;
        let serial = format!("SN-{}", above.len() + 1);
        let right = house.secret(&[&serial], None).await;
        let mut talk = Talk::new(&house, &name, right);
        talk.implicit = true;
        let key = new_key();
        let answer = talk.say(ir(&key, &serial)).await;
        assert_eq!(answer.extra_certs, above, "{chain:?}");
        let first = given(&answer);

        let mut talk = Talk::new(&house, &name, holder(&key, &first));
        talk.implicit = true;
        let subject = first.subject().clone();
        let update = request(&new_key(), subject, vec![old_cert_id(&first)]);
        let answer = talk.say(Body::Kur(vec![update])).await;
        given(&answer);
        let (protection, rest) = answer.extra_certs.split_first().unwrap();
        let usage = protection.ext::<x509::ext::ExtKeyUsage>().unwrap();
        assert_eq!(usage.unwrap().0, [oids::EKU_CMC_RA]);
        assert_eq!(rest, above, "{chain:?}");
    }
}

/// A pump that was in storage until after the end of its certificate; and one that was there for too long.
pub(crate) async fn r05_a_key_update_after_the_end_within_grace(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("patient");
    door.renewal.grace = 30 * 86_400;
    house.put(door).await;
    let right = house.secret(&["SN-1"], None).await;
    let mut talk = Talk::new(&house, "patient", right);
    talk.implicit = true;
    let key = new_key();
    let first = given(&talk.say(ir(&key, "SN-1")).await);
    let subject = first.subject().clone();
    let update = || {
        let body = request(&new_key(), subject.clone(), vec![old_cert_id(&first)]);
        (Talk::new(&house, "patient", holder(&key, &first)), body)
    };
    let end = first.not_after().0 - house.now().seconds();
    house.pass((end + 29 * 86_400) * 1000);
    let (mut talk, body) = update();
    let second = given(&talk.say(Body::Kur(vec![body])).await);
    assert!(second.not_after() > first.not_after());
    house.pass(2 * 24 * HOUR);
    let (mut talk, body) = update();
    assert!(!refused(&talk.say(Body::Kur(vec![body])).await).is_empty());
}

/// RFC 9810 §5.2.3: a rejection, whose words say from when on another request is heard.
pub(crate) async fn r05_a_device_in_a_loop_is_told_so(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("narrow");
    door.limits.per_asset_per_day = 1;
    house.put(door).await;
    let right = house.secret(&["SN-1"], None).await;
    let mut talk = Talk::new(&house, "narrow", right);
    talk.implicit = true;
    let key = new_key();
    let first = given(&talk.say(ir(&key, "SN-1")).await);
    for _ in 0..2 {
        let mut talk = Talk::new(&house, "narrow", holder(&key, &first));
        let subject = first.subject().clone();
        let update = request(&new_key(), subject, vec![old_cert_id(&first)]);
        let answer = talk.say(Body::Kur(vec![update])).await;
        assert_eq!(answer.body.name(), "kup");
        assert_eq!(refused(&answer), ["systemUnavail"]);
        let words = response(&answer).status.text.join(" ");
        assert!(words.contains("enrolment.limit.asset"), "{words}");
    }
    assert_eq!(house.events("enrolment.refuse").await.len(), 1);
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

pub(crate) async fn r09_key_update_by_the_old_certificate(postgres: bool) {
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

pub(crate) async fn r09_a_device_revokes_its_own(postgres: bool) {
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

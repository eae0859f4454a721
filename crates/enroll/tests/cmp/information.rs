//! genm: CA certificates, the root's successor, what to ask for, CRLs.

use access::Action;
use x509::cmp::{Body, InfoTypeAndValue, TemplateAnswer};
use x509::der::{self, Reader, Tag};
use x509::{Certificate, GeneralName, oids};

use crate::client::{Protect, Talk, refused};
use crate::support::{House, NOW, admin};

pub(crate) async fn r09_information_for_devices(postgres: bool) {
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
    let key = house.site.root_key();
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

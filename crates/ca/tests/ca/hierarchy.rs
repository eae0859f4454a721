//! `ward init` and what can be done to authorities afterwards (R01, R02, R29).

use std::fs;

use access::Action;
use audit::Timestamp;
use ca::revocation::Revocation;
use ca::{
    AuthorityAnswers, AuthorityState, CaError, Constraints, CrossSign, Issued, IssuerState,
    KeyState, ParentKey, RootKey, StoredCertificate,
};
use keys::{Backend, Signer};
use x509::KeyAlgorithm;
use x509::crl::Reason;
use x509::ext::{BasicConstraints, KeyUsage, NameConstraints};

use crate::support::{House, NOW, PASSPHRASE, answers, on_both, rule, run, server};

on_both!(
    r01_init_carries_the_root_away,
    r01_a_rotated_authority_lives_beside_its_past,
    r52_the_hierarchy_is_as_it_was_then,
    r13_every_generation_has_its_own_responder,
    r01_a_root_rotates_and_is_cross_signed,
    r01_authorities_are_created_with_the_carried_key_only,
    r01_a_retired_authority_issues_nothing,
    r11_a_revoked_authority_issues_nothing_until_it_is_rotated,
    r11_an_authority_on_hold_issues_again_once_it_is_released,
    r11_to_revoke_an_authority_takes_more_than_to_revoke_a_certificate,
    r02_keys_live_retire_and_end,
    r29_a_constrained_authority_issues_within_its_constraints,
    r29_a_foreign_ca_is_cross_signed_under_constraints,
);

const LATER: Timestamp = Timestamp(NOW.0 + 60_000);

async fn r01_init_carries_the_root_away(postgres: bool) {
    let house = House::bare(postgres).await;
    let report = house.init(&answers()).await;
    assert_eq!(report.issuers.len(), 4);
    assert!(
        report.log_key.starts_with("pki.example.org/log+"),
        "{}",
        report.log_key
    );

    // The root: offline, its key nowhere in the database, its files complete and sound.
    let root = house.ca.issuer("root").unwrap();
    assert_eq!(root.record().state, IssuerState::Offline);
    assert!(root.record().key.is_none() && root.signer().is_none());
    let keys = house.ca.keys().await.unwrap();
    let purposes: Vec<&str> = keys.iter().map(|key| key.purpose.as_str()).collect();
    assert_eq!(keys.len(), 4, "{purposes:?}");
    let stick = house.carry().directory;
    let pem = fs::read_to_string(stick.join("root-key.pem")).unwrap();
    let signer = Signer::from_encrypted_pem(&pem, PASSPHRASE).unwrap();
    assert_eq!(
        signer.public_key().spki_der(),
        root.certificate().spki_der()
    );
    let show = |name: &str| stick.join(name).display().to_string();
    let password = format!("pass:{PASSPHRASE}");
    let (good, said) = run(
        "openssl",
        &[
            "pkey",
            "-in",
            &show("root-key.pem"),
            "-passin",
            &password,
            "-noout",
        ],
    );
    assert!(good, "{said}");
    let (good, said) = run(
        "openssl",
        &[
            "crl",
            "-in",
            &show("root.crl"),
            "-inform",
            "DER",
            "-CAfile",
            &show("root.pem"),
            "-noout",
        ],
    );
    assert!(good && said.contains("verify OK"), "{said}");

    // The issuing CAs: least privilege, and a chain of one.
    for name in ["servers", "devices", "people"] {
        let issuer = house.ca.issuer(name).unwrap();
        let certificate = issuer.certificate();
        let constraints: BasicConstraints = certificate.ext().unwrap().unwrap();
        assert_eq!(
            (constraints.ca, constraints.path_len),
            (true, Some(0)),
            "{name}"
        );
        let usage: KeyUsage = certificate.ext().unwrap().unwrap();
        assert_eq!(
            usage,
            KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            "{name}"
        );
        assert_eq!(issuer.chain().len(), 1);
        assert!(issuer.signer().is_some());
    }
    // The same in another process; a second hierarchy is refused.
    let again = house.again(LATER).await;
    assert_eq!(again.authorities().len(), 4);
    let refused = again
        .init(
            house.admin(Action::ManageAuthorities),
            &answers(),
            RootKey::Carry(house.carry()),
            LATER,
        )
        .await
        .unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "init.twice");
    assert_eq!(house.events("certificate.issue").await.len(), 4);
}

async fn r01_a_rotated_authority_lives_beside_its_past(postgres: bool) {
    let house = House::new(postgres).await;
    let before = house.issue(server("a.example.org")).await.unwrap();
    let permit = house.admin(Action::ManageAuthorities);
    let key = ParentKey::Carried(house.carry());
    let made = house
        .ca
        .rotate_authority(
            permit,
            "servers",
            key,
            Some(KeyAlgorithm::EcdsaP384),
            None,
            LATER,
        )
        .await
        .unwrap();
    assert_eq!((made.id.as_str(), made.generation), ("servers-g2", 2));
    let authority = house.ca.authority("servers").unwrap();
    assert_eq!(authority.issuer, "servers-g2");
    assert_eq!(authority.generations, ["servers", "servers-g2"]);
    let old = house.ca.issuer("servers").unwrap();
    assert_eq!(old.record().state, IssuerState::Superseded);
    assert!(
        old.signer().is_some(),
        "the old generation keeps its status services"
    );
    let after = house.issue(server("b.example.org")).await.unwrap();
    assert_eq!(
        (before.issuer.as_str(), after.issuer.as_str()),
        ("servers", "servers-g2")
    );
    // Nothing was signed again.
    let stored = house.ca.certificate(&before.sha256).await.unwrap().unwrap();
    assert_eq!(stored.der, before.der);
}

async fn r52_the_hierarchy_is_as_it_was_then(postgres: bool) {
    let house = House::new(postgres).await;
    let manage = || house.admin(Action::ManageAuthorities);
    let key = ParentKey::Carried(house.carry());
    let rotated = house
        .ca
        .rotate_authority(manage(), "servers", key, None, None, LATER);
    rotated.await.unwrap();
    let retired = house
        .ca
        .retire_authority(manage(), "people", "merged", LATER);
    retired.await.unwrap();

    let then = house.ca.authorities_as_of(NOW).await.unwrap();
    let of = |name: &str| then.iter().find(|each| each.name == name).unwrap();
    assert_eq!(of("people").state, AuthorityState::Active);
    assert_eq!(of("servers").generations, ["servers"]);
    let issuers = house.ca.issuers_as_of(NOW).await.unwrap();
    let shown: Vec<_> = issuers
        .iter()
        .map(|(issuer, had)| (issuer.id.as_str(), issuer.state, *had))
        .collect();
    let expected = [
        ("devices", IssuerState::Active, true),
        ("people", IssuerState::Active, true),
        ("root", IssuerState::Offline, false),
        ("servers", IssuerState::Active, true),
    ];
    assert_eq!(shown, expected);
    let before = Timestamp(NOW.0 - 1);
    assert!(house.ca.authorities_as_of(before).await.unwrap().is_empty());
    assert!(house.ca.issuers_as_of(before).await.unwrap().is_empty());
    // What was last is what is.
    let last = house.ca.authorities_as_of(LATER).await.unwrap();
    assert_eq!(last, house.ca.authorities());
    let last = house.ca.issuers_as_of(LATER).await.unwrap();
    let states = last
        .iter()
        .map(|(issuer, had)| (issuer.id.clone(), issuer.state, *had));
    let is = house.ca.issuers();
    let is = is.iter().map(|issuer| {
        let record = issuer.record();
        (record.id.clone(), record.state, issuer.key().is_some())
    });
    assert_eq!(states.collect::<Vec<_>>(), is.collect::<Vec<_>>());
}

/// RFC 6960 §4.2.2.2: a delegated responder is certified by the key it answers for, also after that
/// key was superseded or its authority retired.
async fn r13_every_generation_has_its_own_responder(postgres: bool) {
    let house = House::new(postgres).await;
    let manage = || house.admin(Action::ManageAuthorities);
    let key = ParentKey::Carried(house.carry());
    let rotated = house
        .ca
        .rotate_authority(manage(), "servers", key, None, None, NOW);
    rotated.await.unwrap();
    house
        .ca
        .retire_authority(manage(), "people", "merged", NOW)
        .await
        .unwrap();
    house.ca.ensure_responders(NOW).await.unwrap();
    let all = ca::CertificateFilter {
        profile: Some("ocsp-responder".to_owned()),
        ..ca::CertificateFilter::default()
    };
    let mut found = Vec::new();
    for row in house.ca.certificates(&all).await.unwrap().certificates {
        let stored = house.ca.certificate(&row.sha256).await.unwrap().unwrap();
        let certificate = x509::Certificate::from_der(&stored.der).unwrap();
        let issuer = house.ca.issuer(&row.issuer).unwrap();
        let key = issuer.certificate().public_key().unwrap();
        certificate.verify_signed_by(&key).unwrap();
        found.push(row.issuer);
    }
    found.sort();
    assert_eq!(found, ["devices", "people", "servers", "servers-g2"]);
    // Anything else comes from the generation that issues now, by either name.
    for name in ["servers", "servers-g2"] {
        let mut request = server("a.example.org");
        request.authority = Some(name.to_owned());
        assert_eq!(house.issue(request).await.unwrap().issuer, "servers-g2");
    }
}

async fn r01_a_root_rotates_and_is_cross_signed(postgres: bool) {
    let house = House::new(postgres).await;
    let permit = house.admin(Action::ManageAuthorities);
    let key = || ParentKey::Carried(house.carry());
    let new = house
        .ca
        .rotate_authority(permit, "root", key(), None, None, LATER)
        .await
        .unwrap();
    assert_eq!(new.id, "root-g2");
    assert!(house.carry().directory.join("root-g2-key.pem").exists());
    // Issuing CAs still hang on the first root, until they rotate.
    assert_eq!(
        house
            .ca
            .issuer("servers")
            .unwrap()
            .record()
            .parent
            .as_deref(),
        Some("root")
    );
    house.issue(server("a.example.org")).await.unwrap();
    let permit = house.admin(Action::ManageAuthorities);
    let made = house
        .ca
        .rotate_authority(permit, "servers", key(), None, None, LATER)
        .await
        .unwrap();
    assert_eq!(made.parent.as_deref(), Some("root-g2"));
    // The old root vouches for the new one, so that clients with the old root alone can follow.
    let cross = CrossSign {
        subject: new.certificate.clone(),
        constraints: Constraints::default(),
        path_length: 1,
        validity: ca::profile::Duration::days(730),
    };
    let permit = house.admin(Action::ManageAuthorities);
    let crossed = house
        .ca
        .cross_sign(permit, "root", key(), &cross, LATER)
        .await
        .unwrap();
    assert_eq!(crossed.spki_der(), new.certificate.spki_der());
    let issued = house.issue(server("b.example.org")).await.unwrap();
    assert_eq!(
        issued.chain.len(),
        2,
        "the issuing CA and the cross-certificate"
    );
    for root in ["root.pem", "root-g2.pem"] {
        openssl_accepts(&house, &issued, root, LATER);
    }
    // Both roots' CRLs are signed anew while their keys are here.
    let before = house.events("crl.publish").await.len();
    let permit = house.admin(Action::ManageAuthorities);
    house
        .ca
        .sign_root_crl(permit, "root", key(), LATER)
        .await
        .unwrap();
    assert_eq!(house.events("crl.publish").await.len(), before + 2);
    // The first root has nothing before it.
    let first = house.ca.issuer("root").unwrap().certificate().clone();
    let permit = house.admin(Action::ManageAuthorities);
    let cross = CrossSign {
        subject: first,
        ..cross
    };
    let refused = house
        .ca
        .cross_sign(permit, "root", key(), &cross, LATER)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "authority.cross-self");
}

async fn r01_authorities_are_created_with_the_carried_key_only(postgres: bool) {
    let house = House::new(postgres).await;
    let wanted = AuthorityAnswers::new("radiology");
    let create = |key: ParentKey| {
        let permit = house.admin(Action::ManageAuthorities);
        house
            .ca
            .create_authority(permit, "root", key, &wanted, LATER)
    };
    let refused = create(ParentKey::Online).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "authority.offline");
    let mut wrong = house.carry();
    *wrong.passphrase = "not the passphrase".to_owned();
    assert!(matches!(
        create(ParentKey::Carried(wrong)).await.unwrap_err(),
        CaError::Key(_)
    ));
    let made = create(ParentKey::Carried(house.carry())).await.unwrap();
    assert_eq!(made.id, "radiology");
    let refused = create(ParentKey::Carried(house.carry())).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "authority.name");
    // The database holds no root key before or after.
    let keys = house.ca.keys().await.unwrap();
    assert!(keys.iter().all(|key| !key.purpose.contains("root")));
    let refusals: Vec<audit::Event> = house
        .events("authority.create")
        .await
        .into_iter()
        .filter(|event| event.outcome == audit::Outcome::Refused)
        .collect();
    assert_eq!(refusals.len(), 2);
    assert_eq!(
        house.ca.void_abandoned(true, LATER).await.unwrap(),
        0,
        "no intent is open"
    );
}

async fn r01_a_retired_authority_issues_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let permit = house.admin(Action::ManageAuthorities);
    house
        .ca
        .retire_authority(permit, "servers", "merged", LATER)
        .await
        .unwrap();
    assert_eq!(
        house.ca.authority("servers").unwrap().state,
        AuthorityState::Retired
    );
    assert_eq!(
        rule(house.issue(server("a.example.org")).await),
        "authority.none"
    );
    let mut named = server("a.example.org");
    named.authority = Some("servers".to_owned());
    assert_eq!(rule(house.issue(named).await), "authority.retired");
    assert!(
        house.ca.issuer("servers").unwrap().signer().is_some(),
        "status goes on"
    );
}

/// The certificate of an authority, as it is stored.
async fn own_certificate(house: &House, authority: &str) -> StoredCertificate {
    let issuer = house.ca.issuer(authority).unwrap();
    let fingerprint = issuer.certificate().fingerprint();
    house.ca.certificate(&fingerprint).await.unwrap().unwrap()
}

async fn taken_away(house: &House, authority: &str, reason: Reason) {
    let permit = house.admin(Action::ManageAuthorities);
    let certificate = own_certificate(house, authority).await;
    let revocation = revocation(reason);
    let revoked = house.ca.revoke(permit, &certificate, revocation, LATER);
    revoked.await.unwrap();
}

fn revocation(reason: Reason) -> Revocation {
    Revocation {
        reason,
        invalid_since: None,
        why: None,
        request_id: None,
    }
}

async fn r11_a_revoked_authority_issues_nothing_until_it_is_rotated(postgres: bool) {
    let house = House::new(postgres).await;
    house.issue(server("a.example.org")).await.unwrap();
    let other = house.again(NOW).await;
    taken_away(&house, "servers", Reason::CaCompromise).await;
    let state = |ca: &ca::Ca| ca.authority("servers").unwrap().state;
    assert_eq!(state(&house.ca), AuthorityState::Revoked);
    // Another process learns it as it learns of every change.
    assert!(other.refresh_if_changed().await.unwrap());
    assert_eq!(state(&other), AuthorityState::Revoked);
    let mut named = server("a.example.org");
    named.authority = Some("servers".to_owned());
    assert_eq!(rule(house.issue(named).await), "authority.revoked");
    assert_eq!(
        rule(house.issue(server("a.example.org")).await),
        "authority.none"
    );
    assert!(
        house.ca.issuer("servers").unwrap().signer().is_some(),
        "status goes on"
    );

    let key = ParentKey::Carried(house.carry());
    let permit = house.admin(Action::ManageAuthorities);
    let rotated = house
        .ca
        .rotate_authority(permit, "servers", key, None, None, LATER);
    rotated.await.unwrap();
    assert_eq!(state(&house.ca), AuthorityState::Active);
    let issued = house.issue(server("a.example.org")).await.unwrap();
    assert_eq!(issued.issuer, "servers-g2");
}

async fn r11_an_authority_on_hold_issues_again_once_it_is_released(postgres: bool) {
    let house = House::new(postgres).await;
    taken_away(&house, "servers", Reason::CertificateHold).await;
    let mut named = server("a.example.org");
    named.authority = Some("servers".to_owned());
    assert_eq!(rule(house.issue(named).await), "authority.revoked");
    let certificate = own_certificate(&house, "servers").await;
    let permit = house.admin(Action::ManageAuthorities);
    let released = house.ca.release(permit, &certificate, None, None, LATER);
    released.await.unwrap();
    house.issue(server("a.example.org")).await.unwrap();
}

async fn r11_to_revoke_an_authority_takes_more_than_to_revoke_a_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let refused = |result: Result<_, CaError>| match result {
        Err(CaError::Refused(refusal)) => refusal.rule.to_string(),
        other => panic!("{other:?}"),
    };
    let certificate = own_certificate(&house, "devices").await;
    for reason in [Reason::CaCompromise, Reason::CertificateHold] {
        let permit = house.admin(Action::RevokeCertificate);
        let revoked = house
            .ca
            .revoke(permit, &certificate, revocation(reason), LATER);
        assert_eq!(refused(revoked.await), "permit.action");
    }
    assert_eq!(
        house.ca.authority("devices").unwrap().state,
        AuthorityState::Active
    );
    // No list can revoke a root (RFC 5280 §6.1.1 (d): a trust anchor is an input).
    let root = own_certificate(&house, "root").await;
    let permit = house.admin(Action::ManageAuthorities);
    let revoked = house
        .ca
        .revoke(permit, &root, revocation(Reason::CaCompromise), LATER);
    assert_eq!(refused(revoked.await), "revocation.root");
}

async fn r02_keys_live_retire_and_end(postgres: bool) {
    let house = House::new(postgres).await;
    let id = house
        .ca
        .issuer("servers")
        .unwrap()
        .record()
        .key
        .clone()
        .unwrap();
    let log = house.ca.settings().unwrap().log_key;
    let manage = || house.admin(Action::ManageKeys);
    for key in [&id, &log] {
        let refused = house
            .ca
            .retire_key(manage(), key, "no", LATER)
            .await
            .unwrap_err();
        assert_eq!(refused.refusal().unwrap().rule, "key.in-use");
    }
    // A key that nothing uses: made, retired, destroyed; each step is an event.
    let record = house
        .ca
        .generate_key(KeyAlgorithm::EcdsaP256, &Backend::Software, "spare", LATER)
        .await
        .unwrap();
    let stored = ca::StoredKey::new(record, "spare");
    let actor = audit::Actor::system("test");
    let event = audit::Event::new(
        LATER,
        actor.clone(),
        "test",
        audit::Object::new("key", "spare"),
    );
    let write = stored
        .put_new(store::Write::new(event).unwrap(), actor, LATER)
        .unwrap();
    house.ca.store().commit(write).await.unwrap();
    let id = stored.record.id;
    let refused = house
        .ca
        .destroy_key(manage(), &id, "early", LATER)
        .await
        .unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "key.active");
    house
        .ca
        .retire_key(manage(), &id, "done", LATER)
        .await
        .unwrap();
    house
        .ca
        .destroy_key(manage(), &id, "done", LATER)
        .await
        .unwrap();
    let keys = house.ca.keys().await.unwrap();
    let ended = keys.iter().find(|key| key.record.id == id).unwrap();
    assert_eq!(ended.state, KeyState::Destroyed);
    assert!(ended.record.sealed.is_none());
    assert!(house.ca.signer(&id).await.is_err());
    assert_eq!(house.events("key.destroy").await.len(), 2);
}

async fn r29_a_foreign_ca_is_cross_signed_under_constraints(postgres: bool) {
    let house = House::new(postgres).await;
    let foreign = House::bare(false).await;
    let mut theirs = answers();
    theirs.organization = "Other Hospital".to_owned();
    foreign.init(&theirs).await;
    let subject = foreign.ca.issuer("root").unwrap().certificate().clone();
    let cross = |constraints: Constraints| CrossSign {
        subject: subject.clone(),
        constraints,
        path_length: 1,
        validity: ca::profile::Duration::days(365),
    };
    let sign = async |wanted: CrossSign| {
        let permit = house.admin(Action::ManageAuthorities);
        let key = ParentKey::Carried(house.carry());
        house
            .ca
            .cross_sign(permit, "root", key, &wanted, LATER)
            .await
    };
    let refused = sign(cross(Constraints::default())).await.unwrap_err();
    assert_eq!(
        refused.refusal().unwrap().rule,
        "authority.cross-unconstrained"
    );
    let limits = Constraints {
        permitted_dns: vec!["other.example.net".to_owned()],
        ..Constraints::default()
    };
    let made = sign(cross(limits)).await.unwrap();
    let constraints: NameConstraints = made.ext().unwrap().unwrap();
    assert_eq!(constraints.permitted.len(), 1);
    assert_eq!(made.spki_der(), subject.spki_der());
    let stored = house
        .ca
        .certificate(&made.fingerprint())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.issuer, "root");
    // The stick has a fresh CRL, and the certificate is accounted for.
    assert_eq!(house.events("crl.publish").await.len(), 2);
}

async fn r29_a_constrained_authority_issues_within_its_constraints(postgres: bool) {
    let house = House::new(postgres).await;
    let mut wanted = AuthorityAnswers::new("clinic");
    wanted.purpose = Some("servers".to_owned());
    wanted.constraints = Constraints {
        permitted_dns: vec!["clinic.example.org".to_owned()],
        excluded_dns: vec!["hr.clinic.example.org".to_owned()],
        permitted_ip: vec!["10.99.0.0/16".to_owned()],
        ..Constraints::default()
    };
    let permit = house.admin(Action::ManageAuthorities);
    let key = ParentKey::Carried(house.carry());
    house
        .ca
        .create_authority(permit, "root", key, &wanted, NOW)
        .await
        .unwrap();
    let ask = |name: &str, ip: &str| {
        let names = vec![
            crate::support::dns(name),
            x509::GeneralName::Ip(ip.parse().unwrap()),
        ];
        let csr = crate::support::csr(KeyAlgorithm::EcdsaP256, "", names);
        let mut request = ca::IssueRequest::from_csr("server-tls", csr);
        request.authority = Some("clinic".to_owned());
        house.issue(request)
    };
    let issued = ask("a.clinic.example.org", "10.99.1.1").await.unwrap();
    for (name, ip) in [
        ("a.example.org", "10.99.1.1"),
        ("a.hr.clinic.example.org", "10.99.1.1"),
        ("a.clinic.example.org", "10.98.1.1"),
        ("evilclinic.example.org", "10.99.1.1"),
    ] {
        assert_eq!(
            rule(ask(name, ip).await),
            "authority.constraints",
            "{name} {ip}"
        );
    }
    // OpenSSL reads the constraints as we do.
    openssl_accepts(&house, &issued, "root.pem", NOW);
}

/// Holds OpenSSL to a certificate with its chain under a root that was carried away.
fn openssl_accepts(house: &House, issued: &Issued, root: &str, at: Timestamp) {
    let file = |name: &str, text: &str| {
        let path = house.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let leaf = x509::pem::encode(x509::pem::CERTIFICATE, &issued.der);
    let leaf = file("leaf.pem", &leaf);
    let chain: String = issued.chain.iter().map(x509::Certificate::to_pem).collect();
    let chain = file("chain.pem", &chain);
    let root = house.carry().directory.join(root).display().to_string();
    let at = (at.0 / 1000).to_string();
    let (good, said) = run(
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-attime",
            &at,
            "-CAfile",
            &root,
            "-untrusted",
            &chain,
            &leaf,
        ],
    );
    assert!(good, "{root}: {said}");
}

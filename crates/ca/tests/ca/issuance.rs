//! Issuance when it goes well: what the certificate says, what is recorded, what is handed out once.

use access::{Action, Role, Scope};
use audit::Timestamp;
use ca::profile::Duration;
use ca::{Exception, GeneratedKey, IssueRequest, KeyPackage, Outcome, PARTITION_SIZE};
use x509::ext::{
    AuthorityInfoAccess, BasicConstraints, CrlDistributionPoints, ExtKeyUsage, MsSid,
    SubjectAltName, TlsFeature,
};
use x509::{Certificate, GeneralName, KeyAlgorithm, Time, oids};
use zeroize::Zeroizing;

use crate::support::{House, NOW, csr, dns, on_both, rule, run, server};

on_both!(
    a_certificate_says_what_its_profile_says,
    every_certificate_is_recorded_with_its_digest,
    a_retry_with_the_same_key_gets_the_same_certificate,
    r05_validity_follows_the_profile_the_issuer_and_the_asset,
    a_request_may_say_from_when_and_until_when,
    many_at_once_have_different_serials,
    a_generated_key_is_given_once,
    r05_a_key_is_made_here_only_where_the_profile_says_so,
    r05_small_devices_get_small_certificates,
    names_keep_their_form,
);

async fn a_certificate_says_what_its_profile_says(postgres: bool) {
    let house = House::new(postgres).await;
    let mut request = server("EHR.example.org");
    request.must_staple = true;
    let issued = house.issue(request).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    assert_eq!(
        certificate.subject().to_string(),
        "CN=ehr.example.org,O=Example Hospital"
    );
    let names: SubjectAltName = certificate.ext().unwrap().unwrap();
    assert_eq!(names.0, [dns("ehr.example.org")]);
    let purposes: ExtKeyUsage = certificate.ext().unwrap().unwrap();
    assert_eq!(purposes.0, [oids::EKU_SERVER_AUTH]);
    let constraints: BasicConstraints = certificate.ext().unwrap().unwrap();
    assert!(!constraints.ca);
    let points: CrlDistributionPoints = certificate.ext().unwrap().unwrap();
    let points: Vec<&str> = points.uris().collect();
    assert_eq!(points, ["http://pki.example.org/crl/servers/0.crl"]);
    let access: AuthorityInfoAccess = certificate.ext().unwrap().unwrap();
    let issuers: Vec<&str> = access.uris(oids::AD_CA_ISSUERS).collect();
    assert_eq!(issuers, ["http://pki.example.org/aia/servers.cer"]);
    let responders: Vec<&str> = access.uris(oids::AD_OCSP).collect();
    assert_eq!(responders, ["http://pki.example.org/ocsp"]);
    let feature: TlsFeature = certificate.ext().unwrap().unwrap();
    assert_eq!(feature.0, [5]);
    let issuer = house.ca.issuer("servers").unwrap();
    let key = issuer.certificate().public_key().unwrap();
    certificate.verify_signed_by(&key).unwrap();
    assert!((1..=20).contains(&issued.serial.len()) && issued.serial[0] < 0x80);
    assert_eq!(issued.chain.len(), 1);
    assert_eq!(issued.not_before.0, NOW.0 / 1000 - 300);
    assert_eq!(issued.not_after.0 - issued.not_before.0 + 1, 90 * 86_400);
}

async fn every_certificate_is_recorded_with_its_digest(postgres: bool) {
    let house = House::new(postgres).await;
    let mut request = server("ehr.example.org");
    request.request_id = Some("req-7".to_owned());
    let issued = house.issue(request).await.unwrap();
    let event = house.events("certificate.issue").await.pop().unwrap();
    assert_eq!(event.digest, Some(issued.sha256));
    assert_eq!(event.object.id, hex::encode(&issued.serial));
    assert_eq!(event.request_id.as_deref(), Some("req-7"));
    assert_eq!(event.actor.id, "root");
    let intent = house.events("certificate.intend").await.pop().unwrap();
    assert_eq!(intent.object, event.object);
    let stored = house.ca.certificate(&issued.sha256).await.unwrap().unwrap();
    assert_eq!(stored.der, issued.der);
    assert_eq!(stored.names, ["dns:ehr.example.org"]);
    assert_eq!(house.ca.void_abandoned(true, NOW).await.unwrap(), 0);
    // The verifier of the audit room is content with the whole of it.
    let mut verifier = audit::verify::Verifier::new();
    for entry in house.ca.store().events(0, 10_000).await.unwrap() {
        verifier.event(entry.seq, &entry.body, Some(&entry.leaf));
    }
    let rows = house
        .ca
        .store()
        .query("SELECT der, sha256 FROM certificates", vec![])
        .await
        .unwrap();
    for row in &rows {
        let digest: [u8; 32] = row.blob(1).unwrap().try_into().unwrap();
        verifier.certificate("row", row.blob(0).unwrap(), Some(&digest));
    }
    let report = verifier.finish(None);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

async fn a_retry_with_the_same_key_gets_the_same_certificate(postgres: bool) {
    let house = House::new(postgres).await;
    let request = csr(
        KeyAlgorithm::EcdsaP256,
        "CN=a.example.org",
        vec![dns("a.example.org")],
    );
    let ask = |key: &str| {
        let mut ask = IssueRequest::from_csr("server-tls", request.clone());
        ask.idempotency_key = Some(key.to_owned());
        ask
    };
    let first = house.issue(ask("job-1")).await.unwrap();
    let again = house.issue(ask("job-1")).await.unwrap();
    assert_eq!((first.sha256, again.repeated), (again.sha256, true));
    let other = house.issue(ask("job-2")).await.unwrap();
    assert_ne!(first.sha256, other.sha256);
    let mut reused = server("b.example.org");
    reused.idempotency_key = Some("job-1".to_owned());
    assert_eq!(rule(house.issue(reused).await), "idempotency.reused");
    let mut bad = server("b.example.org");
    bad.idempotency_key = Some("two words".to_owned());
    assert_eq!(rule(house.issue(bad).await), "idempotency.key");
    // Many at once: one certificate.
    let work: Vec<_> = (0..8)
        .map(|_| {
            let (ca, ask, permit) = (
                house.ca.clone(),
                ask("job-3"),
                house.admin(Action::IssueCertificate),
            );
            tokio::spawn(async move { ca.issue(permit, ask, NOW).await })
        })
        .collect();
    let mut seen = Vec::new();
    for done in work {
        match done.await.unwrap() {
            Ok(Outcome::Issued(issued)) => seen.push(issued.sha256),
            Ok(Outcome::Pending(_)) => panic!("pending"),
            Err(error) => assert_eq!(error.refusal().unwrap().rule, "idempotency.in-progress"),
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
}

async fn a_request_may_say_from_when_and_until_when(postgres: bool) {
    let house = House::new(postgres).await;
    let today = NOW.0 / 1000;
    let asked = |begin: Option<i64>, end: Option<i64>| {
        let mut request = server("a.example.org");
        request.not_before = begin.map(|offset| Time(today + offset));
        request.not_after = end.map(|offset| Time(today + offset));
        request
    };
    for (begin, end) in [(-60, 86_400), (0, 86_400 * 397), (86_400, 86_400 * 2)] {
        let issued = house.issue(asked(Some(begin), Some(end))).await.unwrap();
        assert_eq!(issued.not_before.0 - today, begin);
        assert_eq!(issued.not_after.0 - today, end);
    }
    let issued = house.issue(asked(None, Some(3600))).await.unwrap();
    assert_eq!(issued.not_after.0 - today, 3600);
    let issued = house.issue(asked(Some(60), None)).await.unwrap();
    assert_eq!(issued.not_after.0 - issued.not_before.0 + 1, 90 * 86_400);
    let refused = [
        (Some(-86_400), None, "validity.begin"),
        (Some(86_400 * 31), None, "validity.begin"),
        (None, Some(-3600), "validity"),
        (None, Some(300_000_000_000), "validity"),
        (Some(86_400), Some(3600), "validity"),
        (Some(0), Some(86_400 * 398), "validity"),
    ];
    for (begin, end, expected) in refused {
        let found = rule(house.issue(asked(begin, end)).await);
        assert_eq!(found, expected, "{begin:?} {end:?}");
    }
}

async fn r05_validity_follows_the_profile_the_issuer_and_the_asset(postgres: bool) {
    let house = House::new(postgres).await;
    let node = || {
        IssueRequest::from_csr(
            "dicom-node",
            csr(
                KeyAlgorithm::EcdsaP256,
                "CN=ct1",
                vec![dns("ct1.example.org")],
            ),
        )
    };
    let mut long = node();
    long.validity = Some(Duration::days(1000));
    assert_eq!(rule(house.issue(long).await), "validity");
    let exception = Exception {
        owner: "J. Doe, clinical engineering".to_owned(),
        reason: "vendor visit every three years".to_owned(),
        until: NOW.0 / 1000 + 1000 * 86_400,
    };
    let mut excepted = node();
    excepted.validity = Some(Duration::days(1000));
    excepted.exception = Some(exception.clone());
    let issued = house.issue(excepted).await.unwrap();
    assert_eq!(issued.not_after.0 - issued.not_before.0 + 1, 1000 * 86_400);
    let kept = house.ca.store().records("exception").await.unwrap();
    assert_eq!(kept[0].parse::<Exception>().unwrap(), exception);
    // Beyond five years there is no exception, and servers have none at all.
    let mut beyond = node();
    beyond.validity = Some(Duration::days(2000));
    beyond.exception = Some(exception.clone());
    assert_eq!(rule(house.issue(beyond).await), "validity");
    let mut none = server("a.example.org");
    none.exception = Some(exception);
    assert_eq!(rule(house.issue(none).await), "validity.exception");
    // Never beyond the asset's service life, nor the issuer's.
    let mut dying = node();
    let end = Time(NOW.0 / 1000 + 40 * 86_400);
    dying.service_life_ends = Some(end);
    assert_eq!(house.issue(dying).await.unwrap().not_after, end);
    let mut dead = node();
    dead.service_life_ends = Some(Time(NOW.0 / 1000 - 1));
    assert_eq!(rule(house.issue(dead).await), "validity.over");
    let late = Timestamp(NOW.0 + 3640 * 86_400_000);
    let permit = house.admin(Action::IssueCertificate);
    let Outcome::Issued(capped) = house.ca.issue(permit, node(), late).await.unwrap() else {
        panic!("pending");
    };
    assert_eq!(
        capped.not_after,
        house
            .ca
            .issuer("devices")
            .unwrap()
            .certificate()
            .not_after()
    );
}

async fn many_at_once_have_different_serials(postgres: bool) {
    let house = House::new(postgres).await;
    let request = csr(
        KeyAlgorithm::EcdsaP256,
        "CN=a.example.org",
        vec![dns("a.example.org")],
    );
    let work: Vec<_> = (0..64)
        .map(|_| {
            let ask = IssueRequest::from_csr("server-tls", request.clone());
            let (ca, permit) = (house.ca.clone(), house.admin(Action::IssueCertificate));
            tokio::spawn(async move { ca.issue(permit, ask, NOW).await.unwrap() })
        })
        .collect();
    let mut serials = Vec::new();
    for done in work {
        let Outcome::Issued(issued) = done.await.unwrap() else {
            panic!("pending")
        };
        serials.push(issued.serial);
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 64);
    let issuer = house.ca.issuer("servers").unwrap();
    assert_eq!(house.ca.newest_partition(&issuer).await.unwrap(), 0);
    assert_eq!(PARTITION_SIZE, 100_000);
}

async fn a_generated_key_is_given_once(postgres: bool) {
    let house = House::new(postgres).await;
    let ask = |package: KeyPackage| {
        IssueRequest::generate(
            "server-tls",
            None,
            package,
            "CN=a.example.org".parse().unwrap(),
            vec![dns("a.example.org")],
        )
    };
    let issued = house.issue(ask(KeyPackage::Pem)).await.unwrap();
    let certificate = house.path("a.pem");
    std::fs::write(&certificate, issued.chain_pem()).unwrap();
    let Some(GeneratedKey::Pem(pem)) = &issued.key else {
        panic!("no key")
    };
    let key = house.path("a.key");
    std::fs::write(&key, pem.as_bytes()).unwrap();
    let public = |arguments: &[&str]| run("openssl", arguments).1;
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    assert_eq!(
        public(&["x509", "-in", &certificate, "-noout", "-pubkey"]),
        public(&["pkey", "-in", &key, "-pubout"]),
    );
    let password = Zeroizing::new("tinfoil".to_owned());
    let issued = house
        .issue(ask(KeyPackage::Pkcs12 { password }))
        .await
        .unwrap();
    let Some(GeneratedKey::Pkcs12(der)) = &issued.key else {
        panic!("no key")
    };
    let file = house.path("a.p12");
    std::fs::write(&file, der.as_slice()).unwrap();
    let file = file.display().to_string();
    let (good, said) = run(
        "openssl",
        &[
            "pkcs12",
            "-in",
            &file,
            "-passin",
            "pass:tinfoil",
            "-nodes",
            "-info",
        ],
    );
    assert!(good && said.contains("PRIVATE KEY"), "{said}");
    assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 2, "{said}");
    // The database has neither key.
    let dump = house
        .ca
        .store()
        .query("SELECT body FROM records", vec![])
        .await
        .unwrap();
    assert!(
        dump.iter()
            .all(|row| !row.text(0).unwrap().contains("PRIVATE KEY"))
    );
}

/// For each built-in profile that needs no second person (a profile that does takes CSRs only, for another reason): with
/// `server-keys` a generated key is certified, without it is refused and the refusal says where it would not be.
async fn r05_a_key_is_made_here_only_where_the_profile_says_so(postgres: bool) {
    let house = House::new(postgres).await;
    let mut refused = Vec::new();
    for (name, _) in ca::profile::BUILT_IN {
        let profile = &house.ca.profile(name).unwrap().profile;
        if profile.approvals() > 0 || profile.is_authority() {
            continue;
        }
        let like = crate::tools::request_for(name, profile.algorithms()[0]);
        let ca::Source::Csr(csr) = &like.source else {
            panic!("a CSR")
        };
        let names = csr.ext::<x509::ext::SubjectAltName>().unwrap();
        let mut request = IssueRequest::generate(
            *name,
            None,
            KeyPackage::Pem,
            csr.subject().clone(),
            names.unwrap_or_default().0,
        );
        request.evidence.clone_from(&like.evidence);
        request.workstation = like.workstation;
        request.authority.clone_from(&like.authority);
        match (profile.server_keys(), house.issue(request).await) {
            (true, issued) => assert!(issued.unwrap().key.is_some(), "{name}"),
            (false, Ok(_)) => panic!("{name}"),
            (false, Err(error)) => {
                let refusal = error.refusal().unwrap();
                assert_eq!(refusal.rule, "key.on-server", "{name}");
                assert_eq!(refusal.source, format!("profile {name} v1"));
                let accepted = refusal.accepted.as_deref().unwrap();
                assert!(accepted.contains("device-rsa, device-small"), "{accepted}");
                refused.push(*name);
            }
        }
        // The same names with a key of the subscriber's own.
        house.issue(like).await.unwrap();
    }
    // People who are at their machine, and what signs on Ward's behalf.
    for name in ["workstation-session", "ocsp-responder", "sdc-provider"] {
        assert!(refused.contains(&name), "{name}: {refused:?}");
    }
    let events = house.events("certificate.refuse").await;
    assert_eq!(events.len(), refused.len());
}

/// RFC 6066 §4: 1,024 octets are the second smallest fragment that a client may ask for. RFC 5246 §7.4.2: before the one
/// certificate of a Certificate message stand a type, and three lengths of three octets each.
async fn r05_small_devices_get_small_certificates(postgres: bool) {
    let house = House::new(postgres).await;
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
        let request = crate::tools::request_for("device-small", algorithm);
        let issued = house.issue(request).await.unwrap();
        let message = 1 + 3 + 3 + 3 + issued.der.len();
        assert!(message <= 1024, "{algorithm}: {message} octets");
        let usual = crate::tools::request_for("device-ldevid", algorithm);
        let usual = house.issue(usual).await.unwrap();
        assert!(issued.der.len() + 100 < usual.der.len());
    }
}

async fn names_keep_their_form(postgres: bool) {
    let house = House::new(postgres).await;
    // UDAP compares URIs byte for byte: nothing is normalised.
    let uri = "https://FHIR.Example.org:443/R4/%7Eapp/../x";
    let udap = csr(
        KeyAlgorithm::Rsa2048,
        "CN=App",
        vec![GeneralName::Uri(uri.to_owned())],
    );
    let mut request = IssueRequest::from_csr("udap-client", udap);
    request.evidence = crate::approvals::evidence();
    let issued = house.issue_approved(request).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    let names: SubjectAltName = certificate.ext().unwrap().unwrap();
    assert_eq!(names.0, [GeneralName::Uri(uri.to_owned())]);
    // A logon certificate has UPN and SID.
    let logon = csr(
        KeyAlgorithm::EcdsaP256,
        "CN=Ada",
        vec![GeneralName::upn("ada@example.org")],
    );
    let mut request = IssueRequest::from_csr("clinician-logon", logon);
    request.sid = Some("S-1-5-21-1-2-3-1104".to_owned());
    request.evidence = crate::approvals::evidence();
    let issued = house.issue_approved(request).await.unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    let sid: MsSid = certificate.ext().unwrap().unwrap();
    assert_eq!(sid.0, "S-1-5-21-1-2-3-1104");
    // What old equipment sends: a host name in the common name, no alternative name.
    let old = csr(KeyAlgorithm::Rsa2048, "CN=CT1.example.org", vec![]);
    let issued = house
        .issue(IssueRequest::from_csr("dicom-node", old))
        .await
        .unwrap();
    let stored = house.ca.certificate(&issued.sha256).await.unwrap().unwrap();
    assert_eq!(stored.names, ["dns:ct1.example.org"]);
}

/// A scoped token issues within its scope and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn r37_a_token_issues_within_its_scope() {
    let house = House::new(false).await;
    let scope = Scope {
        profiles: vec!["server-*".to_owned()],
        authorities: vec!["servers".to_owned()],
        names: vec!["*.icu.example.org".to_owned().try_into().unwrap()],
        ..Scope::default()
    };
    let principal = house.person("ci", &[Role::Issuer], scope).await;
    let ask = |request: IssueRequest| {
        let permit = house.permit(&principal, Action::IssueCertificate);
        let ca = house.ca.clone();
        async move {
            match ca.issue(permit, request, NOW).await {
                Ok(Outcome::Issued(issued)) => Ok(*issued),
                Ok(Outcome::Pending(_)) => panic!("pending"),
                Err(error) => Err(error),
            }
        }
    };
    let issued = ask(server("pump1.icu.example.org")).await.unwrap();
    let stored = house.ca.certificate(&issued.sha256).await.unwrap().unwrap();
    assert!(stored.requester.starts_with("ci/t"), "{}", stored.requester);
    assert_eq!(rule(ask(server("ehr.example.org")).await), "scope.name");
    let fhir = csr(KeyAlgorithm::EcdsaP256, "", vec![dns("a.icu.example.org")]);
    assert_eq!(
        rule(ask(IssueRequest::from_csr("fhir-mtls", fhir)).await),
        "scope.profile"
    );
    let refused = house.events("certificate.refuse").await;
    assert_eq!(refused.len(), 2);
    assert!(
        refused[0]
            .why
            .as_deref()
            .unwrap()
            .contains("ehr.example.org")
    );
}

/// Databases and brokers take the common name for a user: a scope binds it too.
#[tokio::test(flavor = "multi_thread")]
async fn r37_a_scope_binds_the_subject_too() {
    let house = House::new(false).await;
    let ask = async |patterns: &[&str], profile: &str, subject: &str| {
        let names = patterns
            .iter()
            .map(|text| access::NamePattern::parse(text).unwrap())
            .collect();
        let scope = Scope {
            names,
            ..Scope::default()
        };
        let principal = house.person("ci", &[Role::Issuer], scope).await;
        let csr = csr(
            KeyAlgorithm::EcdsaP256,
            subject,
            vec![dns("a.icu.example.org")],
        );
        let permit = house.permit(&principal, Action::IssueCertificate);
        let request = IssueRequest::from_csr(profile, csr);
        match house.ca.issue(permit, request, NOW).await {
            Ok(_) => "issued".to_owned(),
            Err(error) => error.refusal().unwrap().rule.to_string(),
        }
    };
    let icu = "*.icu.example.org";
    let table: &[(&[&str], &str, &str, &str)] = &[
        (&[icu], "client-tls", "CN=A.icu.example.org", "issued"),
        (&[icu], "client-tls", "CN=postgres", "scope.name"),
        (&[icu, "cn:engine-*"], "client-tls", "CN=engine-7", "issued"),
        (
            &[icu, "cn:engine-*"],
            "client-tls",
            "CN=postgres",
            "scope.name",
        ),
        (&[icu], "dicom-node", "serialNumber=1", "scope.name"),
        (
            &[icu, "dn:serialNumber=*"],
            "dicom-node",
            "serialNumber=1",
            "issued",
        ),
        (&[], "client-tls", "CN=postgres", "issued"),
    ];
    for (patterns, profile, subject, expected) in table {
        let became = ask(patterns, profile, subject).await;
        assert_eq!(became, *expected, "{patterns:?} {subject}");
    }
}

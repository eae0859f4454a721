//! Bad input: each is refused by a named rule, leaves an event and nothing else.

use access::Action;
use audit::Timestamp;
use ca::{IssueRequest, KeyPackage};
use keys::Signer;
use x509::ext::{BasicConstraints, ExtensionValue, SubjectAltName};
use x509::{CertificationRequest, CsrBuilder, GeneralName, KeyAlgorithm, Name};

use crate::support::{House, NOW, csr, dns, on_both, rule, server, signed};

on_both!(
    a_request_that_breaks_a_rule_is_refused_by_its_name,
    a_key_of_our_own_authorities_is_refused,
    a_clock_that_runs_back_issues_nothing,
    a_request_for_nothing_that_exists_is_refused,
    a_refusal_leaves_an_event_and_nothing_else,
);

fn named(profile: &str, names: Vec<GeneralName>) -> IssueRequest {
    IssueRequest::from_csr(profile, csr(KeyAlgorithm::EcdsaP256, "", names))
}

async fn a_request_that_breaks_a_rule_is_refused_by_its_name(postgres: bool) {
    let house = House::new(postgres).await;
    let uri = |text: &str| GeneralName::Uri(text.to_owned());
    let email = |text: &str| GeneralName::Email(text.to_owned());
    let with_subject = |subject: &str| {
        IssueRequest::from_csr(
            "client-tls",
            csr(KeyAlgorithm::EcdsaP256, subject, vec![dns("a.example.org")]),
        )
    };
    let many = (0..200)
        .map(|n| dns(&format!("h{n}.example.org")))
        .collect();
    let table: Vec<(&str, IssueRequest)> = vec![
        (
            "key.algorithm",
            IssueRequest::from_csr(
                "server-tls",
                csr(KeyAlgorithm::Ed25519, "", vec![dns("a.example.org")]),
            ),
        ),
        ("names.count", named("server-tls", vec![])),
        ("names.count", named("server-tls", many)),
        ("names.count", named("fhir-mtls", vec![])),
        (
            "names.kind",
            named("server-tls", vec![email("a@example.org")]),
        ),
        (
            "names.kind",
            named(
                "fhir-mtls",
                vec![dns("a.example.org"), uri("https://a.example.org")],
            ),
        ),
        (
            "names.kind",
            named(
                "server-tls",
                vec![GeneralName::RegisteredId("1.2.3".parse().unwrap())],
            ),
        ),
        (
            "names.wildcard",
            named("fhir-mtls", vec![dns("*.example.org")]),
        ),
        (
            "names.pattern",
            named(
                "api-tls",
                vec![dns("a.example.org"), uri("https://a.example.org")],
            ),
        ),
        (
            "names.ip",
            named(
                "server-tls",
                vec![GeneralName::Ip("0.0.0.0".parse().unwrap())],
            ),
        ),
        (
            "names.ip",
            named(
                "server-tls",
                vec![GeneralName::Ip("ff02::1".parse().unwrap())],
            ),
        ),
        (
            "subject.not-a-name",
            IssueRequest::from_csr(
                "server-tls",
                csr(
                    KeyAlgorithm::EcdsaP256,
                    "CN=evil.example.net",
                    vec![dns("a.example.org")],
                ),
            ),
        ),
        ("subject.required", named("device-ldevid", vec![])),
        ("subject.repeated", with_subject("CN=a,CN=b")),
        ("text.confusable", with_subject("CN=\u{0430}dmin")),
        ("text.invisible", with_subject("CN=ad\u{200b}min")),
        ("usage.must-staple", {
            let mut request = with_subject("CN=a");
            request.must_staple = true;
            request
        }),
        ("names.sid", {
            let mut request = named("eap-tls-client", vec![dns("a.example.org")]);
            request.sid = Some("S-1-nonsense".to_owned());
            request
        }),
        ("names.kind", {
            let mut request = server("a.example.org");
            request.sid = Some("S-1-5-21-1-2-3-4".to_owned());
            request
        }),
        (
            "evidence",
            IssueRequest::from_csr(
                "smime",
                csr(
                    KeyAlgorithm::EcdsaP256,
                    "CN=Ada",
                    vec![email("ada@example.org")],
                ),
            ),
        ),
    ];
    for (expected, request) in table {
        let shown = format!("{request:?}");
        let refused = rule(house.issue(request).await);
        assert_eq!(
            refused,
            expected,
            "{}",
            shown.chars().take(120).collect::<String>()
        );
    }
    // DNS syntax has rules of its own, named by x509.
    for name in [
        "-a.example.org",
        "a..example.org",
        "a_b!.example.org",
        "пример.рф",
        "a.example.org\0.evil",
        "*.*.example.org",
        "",
    ] {
        let refused = house
            .issue(named_directly("server-tls", vec![dns(name)]))
            .await;
        let error = refused
            .err()
            .unwrap_or_else(|| panic!("issued for {name:?}"));
        assert!(error.refusal().is_some(), "{name:?}: {error}");
    }
    for mail in [
        "ada",
        "@example.org",
        "a b@example.org",
        "ada@",
        "ada@-x",
        "a@b@example.org.",
        "\u{0430}da@example.org",
    ] {
        let mut request = named_directly("smime", vec![email(mail)]);
        request.subject = Some("CN=Ada".parse().unwrap());
        request.evidence = crate::approvals::evidence();
        let error = house
            .issue(request)
            .await
            .err()
            .unwrap_or_else(|| panic!("issued for {mail:?}"));
        assert!(error.refusal().is_some(), "{mail:?}: {error}");
    }
}

/// Names that a CSR could not even carry: the REST interface gives them beside it.
fn named_directly(profile: &str, names: Vec<GeneralName>) -> IssueRequest {
    let mut request = IssueRequest::from_csr(profile, csr(KeyAlgorithm::EcdsaP256, "", vec![]));
    request.names = Some(names);
    request
}

async fn a_key_of_our_own_authorities_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let issuer = house.ca.issuer("devices").unwrap();
    let signer = issuer.signer().unwrap();
    let builder = CsrBuilder::new(Name::empty(), signer.public_key())
        .extension(SubjectAltName(vec![dns("a.example.org")]).encode());
    let request = IssueRequest::from_csr("server-tls", signed(&builder, signer));
    assert_eq!(rule(house.issue(request).await), "key.of-authority");
}

/// The signature must be by the key in the request, and the request must not ask to be a CA.
#[tokio::test(flavor = "multi_thread")]
async fn requests_without_possession_or_with_ca_true_are_refused() {
    let house = House::new(false).await;
    let (_, claimed) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let thief = Signer::from_pkcs8(&pkcs8).unwrap();
    let names = || SubjectAltName(vec![dns("a.example.org")]).encode();
    let stolen = CsrBuilder::new(Name::empty(), &claimed).extension(names());
    let request = IssueRequest::from_csr("server-tls", signed(&stolen, &thief));
    let refused = rule(house.issue(request).await);
    assert!(
        refused.contains("signature") || refused.contains("possession"),
        "{refused}"
    );
    let constraints = BasicConstraints {
        ca: true,
        path_len: None,
    };
    let grasping = CsrBuilder::new(Name::empty(), thief.public_key())
        .extension(names())
        .extension(constraints.encode());
    // The parser refuses it, or the CA does.
    let tbs = grasping.tbs();
    let algorithm = thief.algorithm().default_signature();
    let der = x509::assemble(&tbs, algorithm, &thief.sign(algorithm, &tbs).unwrap());
    if let Ok(csr) = CertificationRequest::from_der(&der) {
        let refused = rule(house.issue(IssueRequest::from_csr("server-tls", csr)).await);
        assert_eq!(refused, "csr.ca");
    }
}

async fn a_clock_that_runs_back_issues_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    house.issue(server("a.example.org")).await.unwrap();
    let issue = async |ca: &ca::Ca, ms: i64| {
        let permit = house.admin(Action::IssueCertificate);
        let now = Timestamp(NOW.0 + ms);
        let issued = ca.issue(permit, server("b.example.org"), now).await;
        issued.map_err(|error| error.refusal().unwrap().rule.to_string())
    };
    let clock = Err("clock".to_owned());
    let ok = |issued: Result<ca::Outcome, String>| issued.map(|_| ());
    assert_eq!(ok(issue(&house.ca, -299_000).await), Ok(()));
    assert_eq!(ok(issue(&house.ca, -301_000).await), clock);
    // Another process learns the time from the database, whatever has been logged since.
    let day = 86_400_000;
    let again = house.again(Timestamp(NOW.0 - day)).await;
    assert_eq!(ok(issue(&again, -day).await), clock);
    let again = house.again(Timestamp(NOW.0 - day)).await;
    assert_eq!(ok(issue(&again, -day).await), clock);
    // The clock had jumped ahead and is right now: somebody says so, here and for the others.
    assert_eq!(ok(issue(&house.ca, 30 * day).await), Ok(()));
    assert_eq!(ok(issue(&house.ca, day).await), clock);
    let permit = house.admin(Action::ManageAuthorities);
    let right = Timestamp(NOW.0 + day);
    again
        .accept_clock(permit, "NTP was wrong", right)
        .await
        .unwrap();
    assert_eq!(ok(issue(&again, day).await), Ok(()));
    let event = house.events("clock.accept").await.pop().unwrap();
    house.ca.observe(&event).await.unwrap();
    assert_eq!(ok(issue(&house.ca, day + 1).await), Ok(()));
    let third = house.again(right).await;
    assert_eq!(ok(issue(&third, day + 2).await), Ok(()));
    assert_eq!(ok(issue(&third, 0).await), clock);
}

async fn a_request_for_nothing_that_exists_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let mut unknown = server("a.example.org");
    unknown.profile = "server-tsl".to_owned();
    assert_eq!(rule(house.issue(unknown).await), "profile.unknown");
    let mut nowhere = server("a.example.org");
    nowhere.authority = Some("radiology".to_owned());
    assert_eq!(rule(house.issue(nowhere).await), "authority.unknown");
    let mut wrong = server("a.example.org");
    wrong.authority = Some("people".to_owned());
    assert_eq!(rule(house.issue(wrong).await), "authority.purpose");
    let mut offline = crate::tools::request_for("sub-ca", KeyAlgorithm::EcdsaP256);
    offline.authority = Some("root".to_owned());
    let permit = house.admin(Action::IssueCertificate);
    let refused = house.ca.issue(permit, offline, NOW).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "authority.offline");
    let mut below = crate::tools::request_for("sub-ca", KeyAlgorithm::EcdsaP256);
    below.authority = Some("servers".to_owned());
    let permit = house.admin(Action::IssueCertificate);
    let refused = house.ca.issue(permit, below, NOW).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "authority.path-length");
    let weak = IssueRequest::generate(
        "hie-gateway",
        Some(KeyAlgorithm::Ed25519),
        KeyPackage::Pem,
        Name::empty(),
        vec![dns("a.example.org")],
    );
    let permit = house.admin(Action::IssueCertificate);
    assert!(house.ca.issue(permit, weak, NOW).await.is_err());
    let bare = House::bare(false).await;
    assert_eq!(rule(bare.issue(server("a.example.org")).await), "hierarchy");
}

async fn a_refusal_leaves_an_event_and_nothing_else(postgres: bool) {
    let house = House::new(postgres).await;
    let before = house.ca.store().log_size().await.unwrap();
    assert_eq!(
        rule(
            house
                .issue(named("fhir-mtls", vec![dns("*.example.org")]))
                .await
        ),
        "names.wildcard"
    );
    let after = house.ca.store().log_size().await.unwrap();
    assert_eq!(after, before + 1);
    let event = house.events("certificate.refuse").await.pop().unwrap();
    assert_eq!(event.outcome, audit::Outcome::Refused);
    let why = event.why.unwrap();
    assert!(
        why.contains("profile fhir-mtls v1") && why.contains("names.wildcard"),
        "{why}"
    );
    let open = house
        .ca
        .store()
        .query("SELECT serial FROM intents", vec![])
        .await
        .unwrap();
    assert!(open.is_empty());
    let revoked = house
        .ca
        .store()
        .query("SELECT serial FROM revocations", vec![])
        .await
        .unwrap();
    assert!(revoked.is_empty());
}

//! What operators do: directories, external account keys, accounts, recalls; and what it changes for clients.

use access::{NamePattern, Scope};
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca::revocation::Revocation;
use ca::{IssueRequest, KeyPackage, Outcome, StoredCertificate};
use enroll::AcmeError;
use enroll::acme::{AccountFilter, Directory, NewEab, NewRecall, Offer, Rate, Recalled};
use http::Method;
use serde_json::{Value, json};
use x509::crl::Reason;
use x509::{GeneralName, Name, Time};

use crate::client::{Answer, BASE, Client, binding};
use crate::support::{House, NOW, admin, on_both};
use access::Action;

on_both!(
    a_directory_is_checked_versioned_and_removed_unused,
    an_eab_key_is_shown_once_sealed_and_ended,
    a_key_scoped_wrongly_is_refused,
    renewal_information_follows_revocation_and_recall,
    a_looping_client_is_held_back,
);

const LATER: Timestamp = Timestamp(NOW.0 + 60_000);

impl House {
    /// The server learns what was done beside it, as the loop that follows the log tells it.
    async fn tell(&self) {
        for event in self.events("").await {
            self.acme.observe(&event).await;
        }
    }

    async fn put(&self, directory: Directory, expected: u64) -> Result<u64, AcmeError> {
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let stored = self
            .desk
            .put_directory(permit, directory, expected, NOW)
            .await?;
        Ok(stored.version)
    }

    async fn certificate(&self, name: &str) -> StoredCertificate {
        let names = vec![GeneralName::Dns(name.to_owned())];
        let request =
            IssueRequest::generate("server-tls", None, KeyPackage::Pem, Name::empty(), names);
        let permit = admin(&self.ca, Action::IssueCertificate);
        let Outcome::Issued(issued) = self.ca.issue(permit, request, NOW).await.unwrap() else {
            panic!("it waits");
        };
        self.ca.certificate(&issued.sha256).await.unwrap().unwrap()
    }
}

fn rule<T: std::fmt::Debug>(result: Result<T, AcmeError>) -> String {
    match result {
        Err(AcmeError::Refused(refusal)) => refusal.rule.into_owned(),
        other => panic!("{other:?}"),
    }
}

fn lab() -> Directory {
    Directory {
        name: "lab".to_owned(),
        profiles: vec![Offer {
            profile: "server-tls".to_owned(),
            description: String::new(),
        }],
        ..Directory::default()
    }
}

async fn a_directory_is_checked_versioned_and_removed_unused(postgres: bool) {
    let house = House::new(postgres).await;
    let profile = |name: &str| {
        vec![Offer {
            profile: name.to_owned(),
            description: String::new(),
        }]
    };
    let table: Vec<(&str, Directory)> = vec![
        (
            "name",
            Directory {
                name: "Lab".into(),
                ..lab()
            },
        ),
        (
            "name",
            Directory {
                name: String::new(),
                ..lab()
            },
        ),
        (
            "name",
            Directory {
                name: "a/b".into(),
                ..lab()
            },
        ),
        (
            "profiles",
            Directory {
                profiles: Vec::new(),
                ..lab()
            },
        ),
        (
            "profiles",
            Directory {
                profiles: profile("nothing"),
                ..lab()
            },
        ),
        (
            "profiles",
            Directory {
                profiles: [profile("server-tls"), profile("server-tls")].concat(),
                ..lab()
            },
        ),
        // Needs a second person; has no name that ACME proves; demands one that it cannot; makes authorities.
        (
            "profiles",
            Directory {
                profiles: profile("code-signing"),
                ..lab()
            },
        ),
        (
            "profiles",
            Directory {
                profiles: profile("clinician-logon"),
                ..lab()
            },
        ),
        (
            "profiles",
            Directory {
                profiles: profile("device-ldevid"),
                ..lab()
            },
        ),
        (
            "profiles",
            Directory {
                profiles: profile("sub-ca"),
                ..lab()
            },
        ),
        (
            "authority",
            Directory {
                authority: Some("nothing".into()),
                ..lab()
            },
        ),
        (
            "authority",
            Directory {
                authority: Some("devices".into()),
                ..lab()
            },
        ),
        (
            "authority",
            Directory {
                authority: Some("root".into()),
                ..lab()
            },
        ),
        (
            "challenges",
            Directory {
                challenges: Vec::new(),
                ..lab()
            },
        ),
        (
            "website",
            Directory {
                website: Some("javascript:alert(1)".into()),
                ..lab()
            },
        ),
        (
            "terms_of_service",
            Directory {
                terms_of_service: Some("https://a b".into()),
                ..lab()
            },
        ),
        (
            "caa_identities",
            Directory {
                caa_identities: vec!["*.example".into()],
                ..lab()
            },
        ),
        (
            "order_lifetime",
            Directory {
                order_lifetime: 10,
                ..lab()
            },
        ),
        (
            "authorization_lifetime",
            Directory {
                authorization_lifetime: 10,
                ..lab()
            },
        ),
        (
            "reuse",
            Directory {
                reuse: 31 * 86_400,
                ..lab()
            },
        ),
    ];
    for (field, directory) in table {
        let shown = format!("{directory:?}");
        assert_eq!(
            rule(house.put(directory, 0).await),
            format!("acme.directory.{field}"),
            "{shown}"
        );
    }
    let mut hurried = lab();
    hurried.renewal.poll = 1;
    assert_eq!(rule(house.put(hurried, 0).await), "acme.directory.renewal");
    let mut greedy = lab();
    greedy.validation.timeout_ms = 3_600_000;
    assert_eq!(
        rule(house.put(greedy, 0).await),
        "acme.directory.validation"
    );
    assert_eq!(
        house.events("acme.directory.create").await.len(),
        2 + 22,
        "refusals are recorded"
    );

    assert_eq!(house.put(lab(), 0).await.unwrap(), 1);
    assert!(house.put(lab(), 0).await.is_err(), "it is there already");
    let client = Client::new(&house.acme, "lab", "ES256");
    let index = || async { client.send(Method::GET, "directory", None, "").await };
    assert_eq!(index().await.status, 404, "nobody has told the server");
    house.tell().await;
    let shown = index().await;
    assert_eq!(
        shown.body["meta"]["profiles"],
        json!({ "server-tls": "" }),
        "draft-ietf-acme-profiles §3"
    );
    assert_eq!(shown.body["meta"]["externalAccountRequired"], true);

    let closed = || Directory {
        enabled: false,
        ..lab()
    };
    assert_eq!(house.put(closed(), 1).await.unwrap(), 2);
    assert!(
        house.put(closed(), 1).await.is_err(),
        "another version is in force"
    );
    house.tell().await;
    assert_eq!(index().await.status, 404);

    house.eab("lab", None).await;
    let remove = |name: &'static str| {
        let permit = admin(&house.ca, Action::ManageEnrolment);
        house.desk.remove_directory(permit, name, "over", LATER)
    };
    assert_eq!(rule(remove("lab").await), "acme.directory.used");
    let key = house
        .desk
        .eab_keys(Some("lab"))
        .await
        .unwrap()
        .remove(0)
        .key
        .id;
    let permit = admin(&house.ca, Action::ManageEnrolment);
    house
        .desk
        .revoke_eab(permit, &key, "", false, LATER)
        .await
        .unwrap();
    remove("lab").await.unwrap();
    assert!(matches!(
        remove("lab").await,
        Err(AcmeError::NotFound { .. })
    ));
    assert_eq!(house.put(lab(), 0).await.unwrap(), 3, "its history goes on");
}

async fn an_eab_key_is_shown_once_sealed_and_ended(postgres: bool) {
    let house = House::new(postgres).await;
    let (kid, secret) = house.eab("bound", None).await;
    assert!(secret.len() >= 64, "RFC 7518 §3.2: HS512 takes 512 bits");
    let bind = async |kid: &str, secret: &[u8]| -> Answer {
        let mut client = Client::new(&house.acme, "bound", "ES256");
        let url = format!("{BASE}/acme/bound/new-account");
        let bound = binding(kid, secret, &url, &client.key.jwk());
        let wish = json!({ "termsOfServiceAgreed": true, "externalAccountBinding": bound });
        let answer = client.post("new-account", Some(wish)).await;
        client.kid = answer.location.clone();
        answer
    };
    assert_eq!(bind(&kid, &secret).await.status, 201);
    assert_eq!(house.desk.eab_key(&kid).await.unwrap().used, 1);

    // The secret stands in no event and in no record but its sealed one, and moves when the sealing key does.
    let text = URL_SAFE_NO_PAD.encode(&secret);
    for entry in house.ca.store().events(0, 1_000_000).await.unwrap() {
        assert!(!String::from_utf8_lossy(&entry.body).contains(&text));
    }
    let label = format!("acme-eab/{kid}");
    let sealed = async || {
        house
            .ca
            .store()
            .record(ca::SECRET_RECORDS, &label)
            .await
            .unwrap()
    };
    let before = sealed().await.unwrap().body;
    assert!(!before.contains(&text));
    let permit = admin(&house.ca, Action::ManageKeys);
    house
        .ca
        .rewrap_keys(permit, &keys::KekSource::GeneratedFile, NOW)
        .await
        .unwrap();
    assert_ne!(sealed().await.unwrap().body, before, "R02");
    assert_eq!(bind(&kid, &secret).await.status, 201);

    // Ended: no further account, and those that it has bound end with it if that is said.
    let accounts = house.desk.bound_accounts(&kid).await.unwrap();
    assert_eq!(accounts.len(), 2);
    let revoke = async |accounts| {
        let permit = admin(&house.ca, Action::ManageEnrolment);
        house
            .desk
            .revoke_eab(permit, &kid, "contract ended", accounts, LATER)
            .await
            .unwrap()
    };
    assert_eq!(revoke(false).await, 0);
    assert!(sealed().await.is_none(), "what nobody can use is not kept");
    let refused = bind(&kid, &secret).await;
    assert_eq!((refused.status, refused.problem()), (403, "unauthorized"));
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("has been revoked")
    );
    assert_eq!(house.desk.bound_accounts(&kid).await.unwrap().len(), 2);
    assert_eq!(revoke(true).await, 2);
    assert_eq!(house.desk.bound_accounts(&kid).await.unwrap().len(), 0);
    let filter = AccountFilter {
        eab: Some(kid.clone()),
        ..AccountFilter::default()
    };
    let page = house.desk.accounts(&filter).await.unwrap();
    assert!(
        page.accounts
            .iter()
            .all(|account| account.status == "revoked")
    );
    let permit = admin(&house.ca, Action::ManageEnrolment);
    assert!(matches!(
        house
            .desk
            .revoke_eab(permit, "e0000000000000000", "", false, LATER)
            .await,
        Err(AcmeError::NotFound { .. })
    ));

    // An account that an operator ended is told so at its next request (RFC 8555 §7.3.6).
    let client = Client::registered(&house.acme, "ES256").await;
    let id = client.account().split_once('/').unwrap().1.to_owned();
    let permit = admin(&house.ca, Action::ManageEnrolment);
    house
        .desk
        .deactivate_account(permit, &id, "server is gone", LATER)
        .await
        .unwrap();
    house.tell().await;
    let told = client.post(&client.account(), None).await;
    assert_eq!((told.status, told.problem()), (401, "unauthorized"));
    assert_eq!(house.desk.account(&id).await.unwrap().status, "revoked");
}

async fn a_key_scoped_wrongly_is_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let names = |texts: &[&str]| Scope {
        names: texts
            .iter()
            .map(|text| NamePattern::parse(text).unwrap())
            .collect(),
        ..Scope::default()
    };
    let new = || NewEab {
        directory: "bound".to_owned(),
        uses: Some(1),
        owner: "radiology".to_owned(),
        ..NewEab::default()
    };
    let table = [
        (
            "directory",
            NewEab {
                directory: "open".into(),
                ..new()
            },
        ),
        (
            "owner",
            NewEab {
                owner: " ".into(),
                ..new()
            },
        ),
        (
            "uses",
            NewEab {
                uses: Some(0),
                ..new()
            },
        ),
        (
            "expires",
            NewEab {
                expires: Some(NOW.0),
                ..new()
            },
        ),
        (
            "profile",
            NewEab {
                scope: Scope {
                    profiles: vec!["dev*".into()],
                    ..Scope::default()
                },
                ..new()
            },
        ),
        (
            "preauthorised",
            NewEab {
                preauthorised: true,
                ..new()
            },
        ),
        (
            "preauthorised",
            NewEab {
                preauthorised: true,
                scope: names(&["*"]),
                ..new()
            },
        ),
        (
            "preauthorised",
            NewEab {
                preauthorised: true,
                scope: names(&["a.example", "email:*@a.example"]),
                ..new()
            },
        ),
    ];
    let create = async |new| {
        let permit = admin(&house.ca, Action::ManageEnrolment);
        house
            .desk
            .create_eab(permit, new, NOW)
            .await
            .map(|(key, _)| key)
    };
    for (field, new) in table {
        assert_eq!(rule(create(new).await), format!("acme.eab.{field}"));
    }
    let good = NewEab {
        preauthorised: true,
        scope: names(&["*.pacs.example", ".icu.example", "ip:10.20.0.0/16"]),
        ..new()
    };
    create(good).await.unwrap();
    let lost = NewEab {
        directory: "nothing".into(),
        ..new()
    };
    assert!(matches!(
        create(lost).await,
        Err(AcmeError::NotFound { .. })
    ));

    // Doors lead everywhere: a limited administrator opens none.
    let limited = access::NewToken {
        name: "limited".into(),
        person: true,
        roles: vec![access::Role::Admin],
        scope: names(&["*.icu.example"]),
        expires: None,
    };
    let access = house.ca.access();
    let (_, bearer) = access
        .create_token(admin(&house.ca, Action::ManageTokens), limited, NOW)
        .await
        .unwrap();
    let principal = access.authenticate(&bearer, NOW).await.unwrap();
    let permit = access
        .decide(
            &principal,
            Action::ManageEnrolment,
            &access::Target::default(),
        )
        .unwrap();
    assert_eq!(
        rule(
            house
                .desk
                .create_eab(permit, new(), NOW)
                .await
                .map(|(key, _)| key)
        ),
        "acme.scope"
    );
    let wrong = admin(&house.ca, Action::IssueCertificate);
    assert_eq!(
        rule(
            house
                .desk
                .create_eab(wrong, new(), NOW)
                .await
                .map(|(key, _)| key)
        ),
        "permit.action"
    );
}

fn window(answer: &Answer) -> (i64, i64) {
    let at = |field: &str| {
        let text = answer.body["suggestedWindow"][field].as_str().unwrap();
        text.parse::<Time>().unwrap().0
    };
    (at("start"), at("end"))
}

async fn renewal_information_follows_revocation_and_recall(postgres: bool) {
    let house = House::new(postgres).await;
    let client = Client::new(&house.acme, "open", "ES256");
    let ask = async |id: &str| {
        client
            .send(Method::GET, &format!("renewal-info/{id}"), None, "")
            .await
    };
    let issuer = house.ca.issuer("servers").unwrap();
    let id_of = |certificate: &StoredCertificate| {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!(
            "{}.{}",
            encode(issuer.key_id()),
            encode(&certificate.serial)
        )
    };
    let one = house.certificate("one.example.org").await;
    let other = house.certificate("other.example.org").await;

    let told = ask(&id_of(&one)).await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(told.reply.retry_after, Some(21_600), "RFC 9773 §4.3");
    assert_eq!(told.reply.content_type, Some("application/json"));
    let (start, end) = window(&told);
    let life = one.not_after.0 - one.not_before.0;
    let share = |percent: i64| one.not_before.0 + life * percent / 100;
    assert!((share(64)..=share(70)).contains(&start) && end > start && end <= share(80) + 1);
    assert_eq!(
        window(&ask(&id_of(&one)).await),
        (start, end),
        "it does not wander"
    );
    assert_ne!(
        window(&ask(&id_of(&other)).await).0,
        start,
        "a fleet spreads"
    );

    for (id, status) in [
        (id_of(&one).replace('.', ".AA"), 404),
        (
            format!(
                "aYhba4dGQEHhs3uEe6CuLN4ByNQ.{}",
                URL_SAFE_NO_PAD.encode(&one.serial)
            ),
            404,
        ),
        ("nonsense".to_owned(), 400),
        (format!("{}=", id_of(&one)), 400),
    ] {
        let refused = ask(&id).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (status, "malformed"),
            "{id}"
        );
    }

    // A hold may end: the window stays. A revocation moves it into the past.
    let revoke = async |certificate: &StoredCertificate, reason| {
        let revocation = Revocation {
            reason,
            invalid_since: None,
            why: None,
            request_id: None,
        };
        let permit = admin(&house.ca, Action::RevokeCertificate);
        house
            .ca
            .revoke(permit, certificate, revocation, NOW)
            .await
            .unwrap();
    };
    revoke(&other, Reason::CertificateHold).await;
    assert!(window(&ask(&id_of(&other)).await).0 > NOW.seconds());
    revoke(&other, Reason::KeyCompromise).await;
    let (start, end) = window(&ask(&id_of(&other)).await);
    assert!(start < end && end < NOW.seconds(), "RFC 9773 §4.2");

    // A recall does the same to what it names and was issued before it, says why, and can be ended.
    let recall = async |which: Recalled, everything: bool| {
        let permit = admin(&house.ca, Action::ManageEnrolment);
        let new = NewRecall {
            which,
            everything,
            why: "wrong policy".to_owned(),
            explanation: Some("https://intranet.example/7".to_owned()),
        };
        house.desk.recall(permit, new, LATER).await
    };
    let named = Recalled {
        names: vec![NamePattern::parse("one.example.org").unwrap()],
        ..Recalled::default()
    };
    assert_eq!(
        rule(recall(Recalled::default(), false).await),
        "acme.recall.everything"
    );
    let nobody = Recalled {
        issuer: Some("nobody".into()),
        ..Recalled::default()
    };
    assert_eq!(rule(recall(nobody, false).await), "acme.recall.issuer");
    let serial = Recalled {
        serials: vec!["XYZ".into()],
        ..Recalled::default()
    };
    assert_eq!(rule(recall(serial, false).await), "acme.recall.serial");
    let affected = house.desk.affected(&named, LATER).await.unwrap();
    assert_eq!(affected.certificates, 1, "{affected:?}");
    let third = house.certificate("third.example.org").await;
    let made = recall(named, false).await.unwrap();
    house.tell().await;
    // NOW is before the recall in this test's clock: the window ends before either.
    let told = ask(&id_of(&one)).await;
    assert!(window(&told).1 < NOW.seconds());
    assert_eq!(told.body["explanationURL"], "https://intranet.example/7");
    let untouched = ask(&id_of(&third)).await;
    assert!(window(&untouched).0 > NOW.seconds());
    assert_eq!(untouched.body["explanationURL"], Value::Null);
    let permit = admin(&house.ca, Action::ManageEnrolment);
    house
        .desk
        .end_recall(permit, &made.id, "done", LATER)
        .await
        .unwrap();
    house.tell().await;
    assert!(window(&ask(&id_of(&one)).await).0 > NOW.seconds());
    assert!(
        house
            .desk
            .recalls()
            .await
            .unwrap()
            .iter()
            .all(|recall| recall.ended.is_some())
    );
    let permit = admin(&house.ca, Action::ManageEnrolment);
    let nothing = house
        .desk
        .end_recall(permit, "recall-00000000", "", LATER)
        .await;
    assert!(matches!(nothing, Err(AcmeError::NotFound { .. })));
}

async fn a_looping_client_is_held_back(postgres: bool) {
    let house = House::new(postgres).await;
    let (mut directory, version) = {
        let stored = house.desk.directory("open").await.unwrap();
        (stored.directory, stored.version)
    };
    directory.limits.requests_per_account = Rate::new(3, 600);
    house.put(directory, version).await.unwrap();
    house.tell().await;
    let looping = Client::registered(&house.acme, "ES256").await;
    let patient = Client::registered(&house.acme, "ES256").await;
    for _ in 0..3 {
        assert_eq!(looping.post(&looping.account(), None).await.status, 200);
    }
    let held = looping.post(&looping.account(), None).await;
    assert_eq!(
        (held.status, held.problem()),
        (429, "rateLimited"),
        "RFC 8555 §6.6"
    );
    assert_eq!(held.reply.retry_after, Some(200));
    assert!(held.nonce.is_some(), "the next try needs one");
    let detail = held.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("requests_per_account")
            && detail.contains("3/10m")
            && detail.contains("200 s"),
        "{detail}"
    );
    assert_eq!(
        patient.post(&patient.account(), None).await.status,
        200,
        "nobody else is"
    );
}

//! A program that is asked before a certificate is issued: allow, deny, amend, silence (R07).

use enroll::device::{Answer, For, OnFailure, Webhook};
use x509::GeneralName;
use x509::ext::SubjectAltName;

use crate::support::{Asked, House, Key, NOW, certificate, endpoint, on_both, outcome, text};

on_both!(
    r07_a_program_is_asked_and_its_answer_counts,
    r07_a_program_has_a_budget
);

fn webhook() -> Webhook {
    Webhook {
        url: "https://mdm.example.org/ward".to_owned(),
        timeout_ms: 1000,
        per_minute: 600,
        on_failure: OnFailure::Deny,
    }
}

fn amend(names: &[&str], profile: Option<&str>, validity_days: Option<u32>) -> Option<Answer> {
    Some(Answer::Amend {
        names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        profile: profile.map(str::to_owned),
        validity_days,
    })
}

async fn r07_a_program_is_asked_and_its_answer_counts(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("pumps");
    door.webhook = Some(webhook());
    assert_eq!(
        house.put(door.clone()).await.unwrap().len(),
        64,
        "its secret is shown once"
    );
    assert!(house.put(door.clone()).await.is_none());
    house
        .asset("SN-1", |asset| {
            asset.host_names = vec!["a.example.org".into()]
        })
        .await;
    let deny = Some(Answer::Deny {
        reason: "quarantined".into(),
    });
    let table = [
        (Some(Answer::Allow), OnFailure::Deny, "issued"),
        (deny, OnFailure::Deny, "enrolment.webhook.deny"),
        (None, OnFailure::Deny, "enrolment.webhook.unanswered"),
        (None, OnFailure::Wait, "pending"),
        (
            amend(&["dns:b.example.org"], None, Some(30)),
            OnFailure::Deny,
            "issued",
        ),
        (
            amend(&["dns:b.example.org"], None, Some(4000)),
            OnFailure::Deny,
            "validity",
        ),
        (
            amend(&["email:a@example.org"], None, None),
            OnFailure::Deny,
            "names.kind",
        ),
        (
            amend(&["nonsense"], None, None),
            OnFailure::Deny,
            "enrolment.webhook.names",
        ),
        (
            amend(&[], Some("sub-ca"), None),
            OnFailure::Deny,
            "enrolment.endpoint.profile",
        ),
        (
            amend(&["dns:b.example.org"], Some("eap-tls-client"), None),
            OnFailure::Deny,
            "issued",
        ),
    ];
    for (answer, on_failure, expected) in table {
        door.webhook = Some(Webhook {
            on_failure,
            ..webhook()
        });
        house.put(door.clone()).await;
        *house.program.answer.lock() = answer.clone();
        let (right, password) = house.right(For::Any, |_| {}).await;
        let csr = Key::new().request("serialNumber=SN-1");
        let reply = house.ask(&Asked::by_password(&csr, &password), NOW).await;
        assert_eq!(outcome(&reply), expected, "{answer:?}: {}", text(&reply));
        let question = house.program.asked.lock().pop().unwrap();
        assert_eq!(question["serial"], "SN-1");
        assert_eq!(question["endpoint"], "pumps");
        assert_eq!(question["kind"], "enrol");
        assert_eq!(question["right"]["id"], right.id.as_str());
        assert_eq!(question["names"][0], "DNS:a.example.org");
        if let (
            Some(Answer::Amend {
                validity_days: Some(30),
                ..
            }),
            "issued",
        ) = (&answer, expected)
        {
            let issued = certificate(&reply);
            let names = issued.ext::<SubjectAltName>().unwrap().unwrap().0;
            assert_eq!(names, [GeneralName::Dns("b.example.org".into())]);
            let life = issued.not_after().0 - issued.not_before().0;
            assert!(life <= 30 * 86_400, "{life}");
            let serial = issued.subject().find(&x509::oids::SERIAL_NUMBER);
            assert_eq!(
                serial.as_deref(),
                Some("SN-1"),
                "the device stays who it is"
            );
        }
    }
}

async fn r07_a_program_has_a_budget(postgres: bool) {
    let house = House::new(postgres).await;
    let mut door = endpoint("pumps");
    door.webhook = Some(Webhook {
        per_minute: 2,
        ..webhook()
    });
    house.put(door).await;
    house.asset("SN-1", |_| {}).await;
    *house.program.answer.lock() = Some(Answer::Allow);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let (_, password) = house.right(For::Any, |_| {}).await;
        let csr = Key::new().request("serialNumber=SN-1");
        outcomes.push(outcome(
            &house.ask(&Asked::by_password(&csr, &password), NOW).await,
        ));
    }
    assert_eq!(
        outcomes,
        ["issued", "issued", "enrolment.webhook.unanswered"]
    );
    assert_eq!(house.program.asked.lock().len(), 2);
}

//! Sessions, links and codes in the store, the same on SQLite and PostgreSQL (R37).

use access::{
    AccessError, Action, Ceremonies, Challenge, Grant, NewSession, Purpose, Role, Session,
    SessionRules, Via, welcome_url,
};
use audit::{Actor, ActorKind, Timestamp};
use zeroize::Zeroizing;

use crate::people::profile;
use crate::support::{Door, NOW, on_both};

on_both!(
    a_session_is_as_long_as_the_rules_say,
    one_person_has_so_many_sessions_and_no_more,
    a_step_up_changes_the_secret,
    a_link_and_a_code_are_used_once,
    a_ceremony_is_for_one_thing_and_one_time,
    the_first_administrator_is_invited_until_somebody_can_sign_in,
);

const RULES: SessionRules = SessionRules {
    absolute_ms: 3_600_000,
    idle_ms: 600_000,
    most: 2,
};

fn at(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

async fn begin(door: &Door, now: Timestamp) -> (Session, Zeroizing<String>) {
    let new = NewSession {
        person: "ada".to_owned(),
        via: Via::Oidc("idp".to_owned()),
        purpose: Purpose::Work,
        stepped_up: false,
        source: "10.0.0.9".to_owned(),
        client: "a browser\nwith a second line".to_owned(),
        certificate: Some([7; 32]),
        request_id: None,
    };
    door.access.begin_session(new, &RULES, now).await.unwrap()
}

async fn is_good(door: &Door, secret: &str, now: Timestamp) -> bool {
    match door.access.session(secret, &RULES, now).await {
        Ok(_) => true,
        Err(AccessError::Unauthenticated(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn a_session_is_as_long_as_the_rules_say(postgres: bool) {
    let door = Door::new(postgres).await;
    let (session, secret) = begin(&door, NOW).await;
    let read = door.access.session(&secret, &RULES, NOW).await.unwrap();
    assert_eq!(read, session);
    assert_eq!(read.via, Via::Oidc("idp".to_owned()));
    assert_eq!(read.client, "a browserwith a second line");
    assert!(is_good(&door, &secret, at(599_999)).await);
    assert!(!is_good(&door, &secret, at(600_000)).await, "idle");
    // Used often, it still ends when its time is over.
    for minute in 1..60 {
        let now = at(minute * 60_000);
        let session = door.access.session(&secret, &RULES, now).await.unwrap();
        door.access.note_use(&session, &RULES, now).await.unwrap();
    }
    assert!(is_good(&door, &secret, at(3_599_999)).await);
    assert!(!is_good(&door, &secret, at(3_600_000)).await, "its end");
    let actor = session.actor();
    let end = |why| door.access.end_session(&actor, &session.id, why, None, NOW);
    assert!(end("signed out").await.unwrap());
    assert!(!end("signed out").await.unwrap());
    assert!(!is_good(&door, &secret, NOW).await);
    assert_eq!(door.events("session.end").await.len(), 1);
    assert!(!is_good(&door, "", NOW).await);
}

async fn one_person_has_so_many_sessions_and_no_more(postgres: bool) {
    let door = Door::new(postgres).await;
    let (first, first_secret) = begin(&door, NOW).await;
    let (_, second_secret) = begin(&door, at(1)).await;
    let (_, third_secret) = begin(&door, at(2)).await;
    assert!(!is_good(&door, &first_secret, at(3)).await);
    assert!(is_good(&door, &second_secret, at(3)).await);
    assert!(is_good(&door, &third_secret, at(3)).await);
    let begun = door.events("session.begin").await;
    assert_eq!(
        begun[2].after.as_ref().unwrap()["ends"][0],
        first.id.as_str()
    );
    let actor = Actor::new(ActorKind::Local, "root");
    let access = &door.access;
    let ended = access
        .end_sessions_of(&actor, "ada", None, "left", at(4))
        .await;
    assert_eq!(ended.unwrap(), 2);
    assert!(access.live_sessions(at(4)).await.unwrap().is_empty());
}

async fn a_step_up_changes_the_secret(postgres: bool) {
    let door = Door::new(postgres).await;
    let (session, secret) = begin(&door, NOW).await;
    assert!(session.check_step_up(Action::ManageTokens, NOW).is_err());
    assert!(session.check_step_up(Action::ReadTokens, NOW).is_ok());
    let (stepped, next) = door
        .access
        .step_up(&session, &secret, None, at(5))
        .await
        .unwrap();
    assert_ne!(*secret, *next);
    assert!(!is_good(&door, &secret, at(6)).await);
    let read = door.access.session(&next, &RULES, at(6)).await.unwrap();
    assert_eq!(read.stepped_up, stepped.stepped_up);
    assert!(
        read.check_step_up(Action::ManageTokens, at(300_004))
            .is_ok()
    );
    assert!(
        read.check_step_up(Action::ManageTokens, at(300_005))
            .is_err()
    );
    // With the secret of before nobody steps up a second time.
    assert!(
        door.access
            .step_up(&session, &secret, None, at(7))
            .await
            .is_err()
    );
}

async fn a_link_and_a_code_are_used_once(postgres: bool) {
    let door = Door::new(postgres).await;
    let may = door.admin(Action::ManagePeople);
    let ada = profile(&[Grant::everywhere(Role::Auditor)], &[]);
    door.access
        .create_person(&may, "ada", ada, NOW)
        .await
        .unwrap();
    let may = door.admin(Action::RecoverSignIn);
    let (_, token) = door.access.invite(&may, "ada", 1000, NOW).await.unwrap();
    let url = welcome_url("https://ward.example.org", &token);
    assert_eq!(url.split_once('#').unwrap().0, "https://ward.example.org/");
    // Two at the same time: one of them.
    let (one, other) = tokio::join!(
        door.access.accept_invitation(&token, at(1)),
        door.access.accept_invitation(&token, at(1))
    );
    assert!(one.is_ok() != other.is_ok());
    assert!(door.access.accept_invitation(&token, at(2)).await.is_err());
    let actor = Actor::new(ActorKind::Local, "root");
    let codes = door
        .access
        .make_recovery_codes(&actor, "ada", None, NOW)
        .await
        .unwrap();
    let used = door
        .access
        .use_recovery_code("ada", &codes[3].to_uppercase(), at(3))
        .await;
    assert_eq!(used.unwrap().id, "ada");
    for (person, code) in [("ada", &codes[3]), ("bob", &codes[4]), ("", &codes[4])] {
        let used = door.access.use_recovery_code(person, code, at(4)).await;
        assert!(matches!(used, Err(AccessError::Refused(_))), "{person}");
    }
    assert_eq!(door.access.recovery_state("ada").await.unwrap().left, 9);
}

async fn a_ceremony_is_for_one_thing_and_one_time(postgres: bool) {
    let door = Door::new(postgres).await;
    let ceremonies = Ceremonies::new(&[1; 32]);
    let challenge = Challenge::new(Some("ada"), None).unwrap();
    let sealed = ceremonies.seal("passkey", &challenge, NOW).unwrap();
    let open = |kind, text: &str, now| ceremonies.open::<Challenge>(kind, text, now);
    let opened = open("passkey", &sealed, at(299_999)).unwrap();
    assert_eq!(opened.body.challenge, challenge.challenge);
    assert!(open("step-up", &sealed, NOW).is_err());
    assert!(open("passkey", &sealed, at(300_000)).is_err());
    let other = Ceremonies::new(&[2; 32]).open::<Challenge>("passkey", &sealed, NOW);
    assert!(other.is_err());
    let mut forged = sealed.clone().into_bytes();
    forged[0] ^= 1;
    assert!(open("passkey", &String::from_utf8_lossy(&forged), NOW).is_err());
    door.access.claim_ceremony(&opened).await.unwrap();
    let again = open("passkey", &sealed, at(5)).unwrap();
    assert!(door.access.claim_ceremony(&again).await.is_err());
    door.access.drop_ceremonies(at(86_400_000)).await.unwrap();
}

async fn the_first_administrator_is_invited_until_somebody_can_sign_in(postgres: bool) {
    let door = Door::new(postgres).await;
    let by = door.access.local_principal("root");
    let first = door
        .access
        .invite_first_administrator(&by, 1000, NOW)
        .await
        .unwrap()
        .unwrap();
    let second = door
        .access
        .invite_first_administrator(&by, 1000, at(1))
        .await
        .unwrap()
        .unwrap();
    assert!(door.access.accept_invitation(&first, at(2)).await.is_err());
    let person = door.access.accept_invitation(&second, at(2)).await.unwrap();
    assert_eq!(person.grants, [Grant::everywhere(Role::Admin)]);
    assert_eq!(door.events("person.create").await.len(), 1);
    let may = door.admin(Action::ManagePeople);
    let link = access::Link {
        provider: "idp".to_owned(),
        subject: "1".to_owned(),
    };
    door.access
        .link_person(&may, &person.id, link, at(3))
        .await
        .unwrap();
    let none = door
        .access
        .invite_first_administrator(&by, 1000, at(4))
        .await
        .unwrap();
    assert!(none.is_none());
}

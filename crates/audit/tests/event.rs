//! The bytes of events: their form is a promise to every verifier that will ever read them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

use audit::{Actor, ActorKind, Event, MAX_BODY, Object, Outcome, Timestamp, merkle};
use serde_json::{Value, json};

fn full() -> Event {
    Event::new(
        Timestamp(1_795_314_146_123),
        Actor::new(ActorKind::Machine, "token-7").with_role("issuer"),
        "certificate.issue",
        Object::new("certificate", "01ab"),
    )
    .outcome(Outcome::Refused)
    .why("says \"no\"\n")
    .request_id("r-1")
    .digest([0xA5; 32])
    .before(json!({"b": 1, "a": [null, true]}))
    .after(json!("ü"))
}

#[test]
fn r36_the_bytes_of_an_event_are_fixed() {
    let expected = concat!(
        r#"{"v":1,"time":"2026-11-22T02:22:26.123Z","#,
        r#""actor":{"kind":"machine","id":"token-7","role":"issuer"},"#,
        r#""action":"certificate.issue","object":{"kind":"certificate","id":"01ab"},"#,
        r#""outcome":"refused","why":"says \"no\"\n","request":"r-1","#,
        r#""digest":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","#,
        r#""before":{"a":[null,true],"b":1},"after":"ü"}"#,
    );
    let sealed = full().seal().unwrap();
    assert_eq!(String::from_utf8(sealed.body.clone()).unwrap(), expected);
    let entry = [&[0], sealed.body.as_slice()].concat();
    assert_eq!(sealed.leaf, merkle::sha256(&entry), "RFC 6962 §2.1");
    assert_eq!(Event::parse(&sealed.body).unwrap(), full());
}

#[test]
fn what_is_not_said_is_not_written() {
    let event = Event::new(
        Timestamp(0),
        Actor::system("start-up"),
        "server.start",
        Object::new("server", "a"),
    );
    let sealed = event.seal().unwrap();
    let expected = concat!(
        r#"{"v":1,"time":"1970-01-01T00:00:00.000Z","actor":{"kind":"system","id":"start-up"},"#,
        r#""action":"server.start","object":{"kind":"server","id":"a"},"outcome":"done"}"#,
    );
    assert_eq!(String::from_utf8(sealed.body.clone()).unwrap(), expected);
    assert_eq!(Event::parse(&sealed.body).unwrap(), event);
}

#[test]
fn events_of_a_later_version_are_read() {
    let later = full().seal().unwrap().body;
    let later = String::from_utf8(later).unwrap();
    let later = later.replace(r#""v":1"#, r#""v":9,"new":{"x":[1]}"#);
    let later = later.replace(r#""kind":"machine""#, r#""kind":"machine","node":"b""#);
    assert_eq!(Event::parse(later.as_bytes()).unwrap(), full());
    for bad in ["", "{}", "[]", r#"{"v":1}"#, "\u{0}"] {
        assert!(Event::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn r36_no_event_is_lost_for_its_size() {
    let large = Value::String("x".repeat(MAX_BODY));
    let sealed = full().before(json!(1)).after(large.clone()).seal().unwrap();
    assert!(sealed.body.len() < MAX_BODY);
    let read = Event::parse(&sealed.body).unwrap();
    let json = serde_json::to_vec(&large).unwrap();
    let omitted = &read.after.unwrap()["omitted"];
    assert_eq!(omitted["bytes"], json.len());
    assert_eq!(omitted["sha256"], hex::encode(merkle::sha256(&json)));

    // The worst case: every text is huge and every one of its bytes needs six when escaped.
    let huge = "\u{1}".repeat(100_000);
    let event = Event::new(
        Timestamp(0),
        Actor::new(ActorKind::Person, huge.clone()).with_role(huge.clone()),
        huge.clone(),
        Object::new(huge.clone(), huge.clone()),
    )
    .why(huge.clone())
    .request_id(huge)
    .before(large.clone())
    .after(large);
    let sealed = event.seal().unwrap();
    assert!(sealed.body.len() <= MAX_BODY, "{}", sealed.body.len());
    let read = Event::parse(&sealed.body).unwrap();
    assert!(read.why.unwrap().ends_with("… [100000 bytes]"));
}

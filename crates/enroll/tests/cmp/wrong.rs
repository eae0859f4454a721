//! What is refused, and how little is said about it.

use http::Method;
use x509::cmp::{Body, InfoTypeAndValue, Mac, Message};
use x509::crmf::{CertReqMsg, CertTemplate, ProofOfPossession};
use x509::der::{self, Tag};
use x509::oids;

use crate::client::{
    ALGORITHM, Protect, Talk, certificate, given, ir, new_key, refused, request, response, subject,
};
use crate::support::{HOUR, House, header};

/// Twenty wrong MACs from one address, and it hears "later" before anything is computed.
pub(crate) async fn r09_guessing_is_stopped(postgres: bool) {
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

/// A wrong secret and a reference that nobody has are told apart by nothing; neither is a signer whom nobody trusts told
/// more than that.
pub(crate) async fn r09_strangers_learn_nothing(postgres: bool) {
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

pub(crate) async fn r09_possession_must_be_proved(postgres: bool) {
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

pub(crate) async fn r09_what_is_not_spoken_is_refused_by_name(postgres: bool) {
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
    type Bend = fn(&mut x509::cmp::Header);
    let bend: [(Bend, &str); 6] = [
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

pub(crate) async fn r09_over_http(postgres: bool) {
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

//! RFC 5280 §5.3.1: a key that was compromised is never certified again, by whatever way it comes.

use access::Action;
use audit::{Actor, Event, Object, Timestamp};
use ca::revocation::Revocation;
use ca::{Ca, CertificateFilter, IssueRequest, Outcome};
use keys::Signer;
use store::{Store, Write, params};
use x509::crl::Reason;
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{CsrBuilder, KeyAlgorithm, Name};

use crate::approvals::evidence;
use crate::support::{House, NOW, answers, dns, new_database, on_both, open, rule, server, signed};
use crate::tamper::change;

on_both!(
    r11_a_compromised_key_is_never_certified_again,
    r11_a_compromise_elsewhere_is_heard_of,
    r11_a_request_that_waits_does_not_outlive_its_key,
    r11_more_compromised_keys_than_memory_holds_are_refused,
    r11_keys_that_were_compromised_before_the_upgrade_are_refused,
);

/// A subscriber who keeps a key.
struct Holder(Signer);

impl Holder {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let (pkcs8, _) = keys::generate_for_subscriber(algorithm).unwrap();
        Holder(Signer::from_pkcs8(&pkcs8).unwrap())
    }

    fn request(&self, profile: &str, name: &str) -> IssueRequest {
        let builder = CsrBuilder::new(Name::empty(), self.0.public_key());
        let builder = builder.extension(SubjectAltName(vec![dns(name)]).encode());
        IssueRequest::from_csr(profile, signed(&builder, &self.0))
    }

    async fn certify(&self, house: &House) -> [u8; 32] {
        let request = self.request("server-tls", "a.example.org");
        house.issue(request).await.unwrap().sha256
    }
}

async fn asks(ca: &Ca, house: &House, request: IssueRequest) -> Result<ca::Issued, ca::CaError> {
    let permit = house.admin(Action::IssueCertificate);
    match ca.issue(permit, request, house.now).await? {
        Outcome::Issued(issued) => Ok(*issued),
        Outcome::Pending(id) => panic!("request {id} waits for approval"),
    }
}

async fn is_refused(ca: &Ca, house: &House, holder: &Holder) -> bool {
    let request = holder.request("server-tls", "b.example.org");
    match asks(ca, house, request).await {
        Ok(_) => false,
        refused => {
            assert_eq!(rule(refused), "key.compromised");
            true
        }
    }
}

async fn count(ca: &Ca, sql: &'static str) -> i64 {
    let rows = ca.store().query(sql, vec![]).await.unwrap();
    rows[0].int(0).unwrap()
}

const KEYS: &str = "SELECT COUNT(*) FROM compromised_keys";

async fn r11_a_compromised_key_is_never_certified_again(postgres: bool) {
    let house = House::new(postgres).await;
    // Whatever was said of the certificate before, and whatever kind of key it is.
    let table: [(KeyAlgorithm, &[Reason]); 4] = [
        (KeyAlgorithm::EcdsaP256, &[]),
        (KeyAlgorithm::Rsa2048, &[]),
        (KeyAlgorithm::EcdsaP384, &[Reason::CertificateHold]),
        (
            KeyAlgorithm::EcdsaP256,
            &[Reason::CertificateHold, Reason::Superseded],
        ),
    ];
    for (algorithm, before) in table {
        let holder = Holder::new(algorithm);
        let (first, second) = (holder.certify(&house).await, holder.certify(&house).await);
        for reason in before {
            change(&house, &first, *reason).await;
            assert!(!is_refused(&house.ca, &house, &holder).await, "{reason:?}");
        }
        change(&house, &first, Reason::KeyCompromise).await;
        assert!(is_refused(&house.ca, &house, &holder).await, "{before:?}");
        // The other certificate of the same key.
        change(&house, &second, Reason::KeyCompromise).await;
        assert!(is_refused(&house.ca, &house, &holder).await);
        let elsewhere = holder.request("client-tls", "c.example.org");
        assert_eq!(rule(house.issue(elsewhere).await), "key.compromised");
    }
    assert_eq!(count(&house.ca, KEYS).await, 4);

    // From a list, where the certificate's bytes are not.
    let holder = Holder::new(KeyAlgorithm::EcdsaP256);
    holder.certify(&house).await;
    let page = house.ca.certificates(&CertificateFilter::default()).await;
    let listed = page.unwrap().certificates.remove(0);
    assert!(listed.der.is_empty());
    let revocation = Revocation {
        reason: Reason::KeyCompromise,
        invalid_since: None,
        why: None,
        request_id: None,
    };
    let permit = house.admin(Action::RevokeCertificate);
    let revoked = house.ca.revoke(permit, &listed, revocation, NOW).await;
    revoked.unwrap();

    // What it says, and that it leaves an event and nothing else.
    let all = count(&house.ca, "SELECT COUNT(*) FROM certificates").await;
    let intents = house.events("certificate.intend").await.len();
    let refused = house.issue(holder.request("server-tls", "b.example.org"));
    let refused = refused.await.unwrap_err();
    let refusal = refused.refusal().unwrap();
    assert_eq!(refusal.source, "RFC 5280 §5.3.1");
    assert_eq!(refusal.accepted.as_deref(), Some("a new key"));
    let serial = hex::encode(&listed.serial);
    assert!(refusal.message.contains(&serial), "{}", refusal.message);
    assert_eq!(
        count(&house.ca, "SELECT COUNT(*) FROM certificates").await,
        all
    );
    assert_eq!(house.events("certificate.intend").await.len(), intents);
    let event = house.events("certificate.refuse").await.pop().unwrap();
    assert!(event.why.unwrap().contains("key.compromised"));

    // A start later it is still so, and another key is as good as ever.
    let later = house.again(Timestamp(NOW.0 + 1000)).await;
    assert!(is_refused(&later, &house, &holder).await);
    house.issue(server("b.example.org")).await.unwrap();
}

async fn r11_a_compromise_elsewhere_is_heard_of(postgres: bool) {
    let house = House::new(postgres).await;
    let compromise = async |listener: &Ca| {
        let holder = Holder::new(KeyAlgorithm::EcdsaP256);
        let sha256 = holder.certify(&house).await;
        assert!(!is_refused(listener, &house, &holder).await);
        change(&house, &sha256, Reason::KeyCompromise).await;
        holder
    };
    let other = house.again(NOW).await;

    let holder = compromise(&other).await;
    let event = house.events("certificate.revoke").await.pop().unwrap();
    other.observe(&event).await.unwrap();
    assert!(is_refused(&other, &house, &holder).await, "by the event");

    let holder = compromise(&other).await;
    let mut event = house.events("certificate.revoke").await.pop().unwrap();
    let named = event.after.as_mut().unwrap().as_object_mut().unwrap();
    named.remove("spki_sha256").unwrap();
    other.observe(&event).await.unwrap();
    assert!(is_refused(&other, &house, &holder).await, "by the table");

    let holder = compromise(&other).await;
    other.mark_overtaken().await.unwrap();
    assert!(
        is_refused(&other, &house, &holder).await,
        "as it begins to listen"
    );

    let holder = compromise(&other).await;
    other.refresh().await.unwrap();
    assert!(is_refused(&other, &house, &holder).await, "by a refresh");
}

async fn r11_a_request_that_waits_does_not_outlive_its_key(postgres: bool) {
    let house = House::new(postgres).await;
    let holder = Holder::new(KeyAlgorithm::EcdsaP256);
    let sha256 = holder.certify(&house).await;
    let gateway = || {
        let mut request = holder.request("hie-gateway", "hie.example.org");
        request.evidence = evidence();
        request
    };
    let permit = house.admin(Action::IssueCertificate);
    let Outcome::Pending(id) = house.ca.issue(permit, gateway(), NOW).await.unwrap() else {
        panic!("issued without approval");
    };
    change(&house, &sha256, Reason::KeyCompromise).await;
    let second = house.ca.access().local_principal("second");
    let permit = house.permit(&second, Action::ApproveRequests);
    let approved = house.ca.approve(permit, &id, Some("seen"), NOW).await;
    let refused = approved.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "key.compromised");
    // Nobody is asked about the next one.
    let waiting = house.ca.access().requests().await.unwrap().len();
    let permit = house.admin(Action::IssueCertificate);
    let refused = house.ca.issue(permit, gateway(), NOW).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "key.compromised");
    assert_eq!(house.ca.access().requests().await.unwrap().len(), waiting);
}

async fn r11_more_compromised_keys_than_memory_holds_are_refused(postgres: bool) {
    let house = House::new(postgres).await;
    let mut holders = Vec::new();
    for _ in 0..3 {
        let holder = Holder::new(KeyAlgorithm::EcdsaP256);
        let sha256 = holder.certify(&house).await;
        change(&house, &sha256, Reason::KeyCompromise).await;
        holders.push(holder);
    }
    for most in [0, 1, 2, 3, 4] {
        house.ca.hold_compromised_keys(most).await.unwrap();
        for holder in &holders {
            assert!(is_refused(&house.ca, &house, holder).await, "{most}");
        }
        house.issue(server("b.example.org")).await.unwrap();
    }
}

const CERTIFICATE: &str = "INSERT INTO certificates\
    (issuer, serial, sha256, profile, profile_version, subject, names, not_before, not_after, issued_at, \
    partition, requester, der) VALUES('servers', $1, $2, 'server-tls', 1, '', '', 0, 0, 0, 0, '', $3)";
const REVOCATION: &str = "INSERT INTO revocations\
    (issuer, serial, partition, reason, revoked_at, changed_at, expires) VALUES('servers', $1, 0, $2, 7, 7, 7)";

async fn r11_keys_that_were_compromised_before_the_upgrade_are_refused(postgres: bool) {
    let donor = House::new(false).await;
    let directory = tempfile::tempdir().unwrap();
    let url = match postgres {
        true => new_database().await,
        false => format!("sqlite:{}/ward.db", directory.path().display()),
    };
    let old = Store::open(&url, &ca::MIGRATIONS[..2]).await.unwrap();
    let event = |action: &'static str| {
        Event::new(
            NOW,
            Actor::system("test"),
            action,
            Object::new("test", "old"),
        )
    };
    let (stolen, superseded) = (
        Holder::new(KeyAlgorithm::EcdsaP256),
        Holder::new(KeyAlgorithm::EcdsaP256),
    );
    // More than are read at a time; some twice for one key, and some revocations of what is not there.
    for n in 0..150_u8 {
        let (holder, reason) = match n {
            0 => (&superseded, Reason::Superseded),
            _ => (&stolen, Reason::KeyCompromise),
        };
        let mut write = Write::new(event("test.old")).unwrap();
        let serial = vec![1, n];
        if n < 4 {
            let request = holder.request("server-tls", "a.example.org");
            let issued = donor.issue(request).await.unwrap();
            write = write.run(CERTIFICATE, params![&serial, issued.sha256, issued.der]);
        }
        let write = write.run(REVOCATION, params![&serial, i64::from(reason.code())]);
        old.commit(write).await.unwrap();
    }
    drop(old);

    let house = House {
        ca: open(&url, directory.path(), NOW).await,
        url,
        directory,
        now: NOW,
    };
    house.init(&answers()).await;
    assert!(is_refused(&house.ca, &house, &stolen).await);
    assert!(!is_refused(&house.ca, &house, &superseded).await);
    assert_eq!(count(&house.ca, KEYS).await, 1);
    let unread = "SELECT COUNT(*) FROM compromised_unread";
    assert_eq!(count(&house.ca, unread).await, 0);
    let noted = house.events("key.compromised").await.len();
    let later = house.again(NOW).await;
    assert!(is_refused(&later, &house, &stolen).await);
    assert_eq!(house.events("key.compromised").await.len(), noted);
}

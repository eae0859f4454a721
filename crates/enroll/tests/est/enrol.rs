//! Certificates over EST: by password, by the certificate before, by the manufacturer's; and who gets none (R07, R08, R09).

use access::{Action, Target};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ca::CertificateState;
use enroll::device::{Approval, Endpoint, EstPolicy, For, NewCredential, Reply, Unregistered};
use fleet::Asset;
use keys::Signer;
use x509::{Certificate, CsrBuilder, Extension, KeyAlgorithm, Name, Oid, PublicKey};

use crate::certificates;
use crate::support::{House, NOW, Sent, endpoint, header, on_both, text};

on_both!(
    r09_a_registered_device_enrols_and_renews,
    r09_bodies_are_taken_as_devices_send_them,
    r09_the_same_request_gets_the_same_certificate,
    r09_only_known_devices_with_known_credentials,
    r07_a_person_lets_an_unregistered_device_in,
    r09_a_key_made_here_is_handed_out_once,
    r09_a_manufacturers_certificate_opens_the_door_once,
    r09_a_certificate_of_somebody_else_opens_nothing,
);

/// A device's key.
struct Key {
    pkcs8: Vec<u8>,
    public: PublicKey,
}

impl Key {
    fn new() -> Self {
        let (pkcs8, public) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
        Key {
            pkcs8: pkcs8.to_vec(),
            public,
        }
    }

    fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let signer = Signer::from_pkcs8(&self.pkcs8).unwrap();
        let algorithm = KeyAlgorithm::EcdsaP256.default_signature();
        x509::assemble(tbs, algorithm, &signer.sign(algorithm, tbs).unwrap())
    }

    /// A request that says which device it is for.
    fn request(&self, subject: &str) -> Vec<u8> {
        let subject: Name = subject.parse().unwrap();
        self.sign(&CsrBuilder::new(subject, &self.public).tbs())
    }
}

fn one(reply: &Reply) -> Certificate {
    let mut all = certificates(reply);
    assert_eq!(
        all.len(),
        1,
        "RFC 7030 §4.2.3: the issued certificate and no other"
    );
    all.remove(0)
}

fn basic((user, password): &(String, String)) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

async fn enrol(house: &House, path: &str, body: &[u8], credential: &(String, String)) -> Reply {
    let authorization = basic(credential);
    let sent = Sent {
        post: Some(body),
        authorization: Some(&authorization),
        ..Sent::default()
    };
    house.send(path, sent).await
}

async fn show(house: &House, path: &str, body: &[u8], certificate: &Certificate) -> Reply {
    let sent = Sent {
        post: Some(body),
        chain: vec![certificate.der().to_vec()],
        ..Sent::default()
    };
    house.send(path, sent).await
}

const ENROLL: &str = "/.well-known/est/pumps/simpleenroll";
const REENROLL: &str = "/.well-known/est/pumps/simplereenroll";

/// A pump in the register, and a password for it.
async fn pump(house: &House, serial: &str) -> (Asset, (String, String)) {
    let asset = house.register(serial).await;
    let right = house.right(For::Asset(asset.id.clone()), password()).await;
    (asset, right)
}

fn password() -> NewCredential {
    NewCredential::HttpPassword { user: None }
}

async fn r09_a_registered_device_enrols_and_renews(postgres: bool) {
    let house = House::bare(postgres).await;
    let mut open = endpoint("pumps");
    open.renewal.from = 0;
    house.put(open).await;
    let (asset, credential) = pump(&house, "SN-1").await;
    let first_key = Key::new();
    let body = STANDARD.encode(first_key.request("CN=anything,serialNumber=SN-1"));
    let first = one(&enrol(&house, ENROLL, body.as_bytes(), &credential).await);
    assert_eq!(
        first.public_key().unwrap().spki_der(),
        first_key.public.spki_der()
    );
    let serial = first.subject().find(&x509::oids::SERIAL_NUMBER);
    assert_eq!(serial.as_deref(), Some("SN-1"));

    let next_key = Key::new();
    let body = STANDARD.encode(next_key.request("serialNumber=SN-1"));
    let second = one(&show(&house, REENROLL, body.as_bytes(), &first).await);
    assert_eq!(second.subject(), first.subject(), "RFC 7030 §4.2.2");
    assert_ne!(second.serial(), first.serial());
    assert_eq!(
        second.public_key().unwrap().spki_der(),
        next_key.public.spki_der()
    );

    let held = house.fleet.holdings(&asset.id).await.unwrap();
    assert_eq!(held.len(), 2);
    let live = held
        .iter()
        .filter(|holding| holding.superseded_at.is_none());
    assert_eq!(live.count(), 1);
}

async fn r09_bodies_are_taken_as_devices_send_them(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    let (_, credential) = pump(&house, "SN-1").await;
    let der = Key::new().request("serialNumber=SN-1");
    let plain = STANDARD.encode(&der);
    let folded = |width: usize, end: &str| -> String {
        let lines = plain.as_bytes().chunks(width).map(String::from_utf8_lossy);
        lines.map(|line| format!("{line}{end}")).collect()
    };
    let pem = x509::pem::encode("NEW CERTIFICATE REQUEST", &der);
    let bodies = [
        plain.clone().into_bytes(),
        folded(64, "\n").into_bytes(),
        folded(76, "\r\n").into_bytes(),
        folded(5, " \t").into_bytes(),
        pem.into_bytes(),
        der,
    ];
    let mut serials = Vec::new();
    for body in bodies {
        let issued = one(&enrol(&house, ENROLL, &body, &credential).await);
        serials.push(issued.serial().to_vec());
    }
    serials.dedup();
    assert_eq!(serials.len(), 1, "the same request, however it is written");
}

async fn r09_the_same_request_gets_the_same_certificate(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    let (_, credential) = pump(&house, "SN-1").await;
    let key = Key::new();
    let body = key.request("serialNumber=SN-1");
    let both = tokio::join!(
        enrol(&house, ENROLL, &body, &credential),
        enrol(&house, ENROLL, &body, &credential)
    );
    assert_eq!(one(&both.0), one(&both.1));
    assert_eq!(
        one(&both.0),
        one(&enrol(&house, ENROLL, &body, &credential).await)
    );
    // The right was for one certificate.
    let another = Key::new().request("serialNumber=SN-1");
    assert_eq!(
        enrol(&house, ENROLL, &another, &credential).await.status,
        401
    );
}

async fn r09_only_known_devices_with_known_credentials(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    let (_, credential) = pump(&house, "SN-1").await;
    house.register("SN-2").await;
    let key = Key::new();
    let any = house.right(For::Any, password()).await;
    let wrong = (credential.0.clone(), "wrong".to_owned());
    let nobody = ("nobody".to_owned(), credential.1.clone());
    let mut tampered = key.request("serialNumber=SN-1");
    *tampered.last_mut().unwrap() ^= 1;
    let table = [
        (
            "a wrong password",
            key.request("serialNumber=SN-1"),
            &wrong,
            401,
            "",
        ),
        (
            "a wrong name",
            key.request("serialNumber=SN-1"),
            &nobody,
            401,
            "",
        ),
        (
            "another device",
            key.request("serialNumber=SN-2"),
            &credential,
            403,
            "enrolment.serial.other",
        ),
        (
            "an unregistered one",
            key.request("serialNumber=SN-3"),
            &any,
            403,
            "enrolment.unregistered",
        ),
        (
            "no device",
            key.request("O=Mercy"),
            &any,
            403,
            "enrolment.serial.none",
        ),
        (
            "a broken signature",
            tampered,
            &credential,
            400,
            "csr-proof-of-possession",
        ),
        ("no request", b"MIIB".to_vec(), &credential, 400, "csr-"),
    ];
    for (what, body, credential, status, rule) in table {
        let reply = enrol(&house, ENROLL, &body, credential).await;
        assert_eq!(reply.status, status, "{what}: {}", text(&reply));
        assert_eq!(
            header(&reply, "www-authenticate").is_some(),
            status == 401,
            "{what}"
        );
        assert!(text(&reply).contains(rule), "{what}: {}", text(&reply));
        assert_eq!(
            header(&reply, "content-type"),
            Some("text/plain; charset=utf-8"),
            "{what}"
        );
    }
    let good = enrol(
        &house,
        ENROLL,
        &key.request("serialNumber=SN-1"),
        &credential,
    )
    .await;
    assert_eq!(good.status, 200, "{}", text(&good));
}

/// 202 and Retry-After until a second person has looked (RFC 7030 §4.2.3).
async fn r07_a_person_lets_an_unregistered_device_in(postgres: bool) {
    let house = House::bare(postgres).await;
    house
        .put(Endpoint {
            unregistered: Unregistered::Wait,
            approval: Approval::Never,
            ..endpoint("pumps")
        })
        .await;
    let credential = house.right(For::Any, password()).await;
    let body = Key::new().request("serialNumber=SN-NEW");
    for _ in 0..2 {
        let reply = enrol(&house, ENROLL, &body, &credential).await;
        assert_eq!(reply.status, 202, "{}", text(&reply));
        let seconds: u32 = header(&reply, "retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&seconds));
    }
    let waiting = house.ca.access().requests().await.unwrap();
    assert_eq!(waiting.len(), 1);
    let boss = house.ca.access().local_principal("boss");
    let target = Target::default();
    let permit = house
        .ca
        .access()
        .decide(&boss, Action::ApproveRequests, &target)
        .unwrap();
    house
        .ca
        .approve(permit, &waiting[0].id, Some("seen it"), NOW)
        .await
        .unwrap();
    let issued = one(&enrol(&house, ENROLL, &body, &credential).await);
    let serial = issued.subject().find(&x509::oids::SERIAL_NUMBER);
    assert_eq!(serial.as_deref(), Some("SN-NEW"));
}

async fn r09_a_key_made_here_is_handed_out_once(postgres: bool) {
    let house = House::bare(postgres).await;
    house
        .put(Endpoint {
            est: EstPolicy {
                server_keygen: true,
                ..EstPolicy::default()
            },
            ..endpoint("pumps")
        })
        .await;
    let (_, credential) = pump(&house, "SN-1").await;
    let path = "/.well-known/est/pumps/serverkeygen";
    let throwaway = Key::new();
    // id-aa-decryptKeyID (RFC 7030 §4.4.1.1): Ward knows no key of the device's to encrypt for.
    let encrypted = with_attribute(&throwaway, "1.2.840.113549.1.9.16.2.37");
    let refused = enrol(&house, path, &encrypted, &credential).await;
    assert_eq!(refused.status, 400);
    assert!(
        text(&refused).contains("DecryptKeyIdentifier"),
        "{}",
        text(&refused)
    );

    let body = throwaway.request("serialNumber=SN-1");
    let reply = enrol(&house, path, &body, &credential).await;
    assert_eq!(reply.status, 200, "{}", text(&reply));
    assert_eq!(header(&reply, "cache-control"), Some("no-store"));
    let content_type = header(&reply, "content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/mixed; boundary=\"")
        .unwrap();
    let boundary = format!("--{}", boundary.trim_end_matches('"'));
    let parts: Vec<&str> = text(&reply).split(&boundary).collect();
    assert_eq!(parts.len(), 4, "{}", text(&reply));
    assert_eq!((parts[0], parts[3]), ("", "--\r\n"));
    let content = |part: &str, content_type: &str| {
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Type: {content_type}")),
            "{head}"
        );
        assert!(head.contains("Content-Transfer-Encoding: base64"), "{head}");
        STANDARD.decode(body.replace("\r\n", "")).unwrap()
    };
    let pkcs8 = content(parts[1], "application/pkcs8");
    let bundle = content(parts[2], "application/pkcs7-mime; smime-type=certs-only");
    let certificate = x509::pkcs7::parse(&bundle).unwrap().certificates.remove(0);
    let key = Signer::from_pkcs8(&pkcs8).unwrap();
    assert_eq!(
        certificate.public_key().unwrap().spki_der(),
        key.public_key().spki_der()
    );
    assert_ne!(key.public_key().spki_der(), throwaway.public.spki_der());

    let again = enrol(&house, path, &body, &credential).await;
    assert!(
        (400..500).contains(&again.status),
        "{} {}",
        again.status,
        text(&again)
    );
}

fn with_attribute(key: &Key, oid: &str) -> Vec<u8> {
    let oid: Oid = oid.parse().unwrap();
    let plain = key.request("serialNumber=SN-1");
    let mut outer = x509::der::Reader::new(&plain).sequence().unwrap();
    let mut info = outer.sequence().unwrap();
    let (version, subject) = (info.element().unwrap().raw, info.element().unwrap().raw);
    let spki = info.element().unwrap().raw;
    let tbs = x509::der::sequence(|w| {
        w.raw(version).raw(subject).raw(spki);
        w.nested(x509::der::Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.oid(&oid);
                w.set(|w| {
                    w.octet_string(b"\x01");
                });
            });
        });
    });
    key.sign(&tbs)
}

/// A certificate of a made-up manufacturer for a device, and the manufacturer's own.
fn manufactured(serial: &str, key: &Key) -> (Certificate, Certificate) {
    let maker = Key::new();
    let tbs = |subject: &str, spki: &[u8], extensions: Vec<Extension>| {
        x509::TbsCertificate {
            serial: vec![1],
            signature: KeyAlgorithm::EcdsaP256.default_signature(),
            issuer: "CN=Acme Medical IDevID CA".parse().unwrap(),
            not_before: x509::Time(NOW.seconds() - 86_400),
            not_after: x509::Time(253_402_300_799),
            subject: subject.parse().unwrap(),
            spki_der: spki.to_vec(),
            extensions,
        }
        .encode()
    };
    use x509::ext::{BasicConstraints, ExtensionValue, KeyUsage};
    let ca = BasicConstraints {
        ca: true,
        path_len: None,
    };
    let usage = KeyUsage::KEY_CERT_SIGN;
    let root = tbs(
        "CN=Acme Medical IDevID CA",
        maker.public.spki_der(),
        vec![
            ca.encode().with_critical(true),
            usage.encode().with_critical(true),
        ],
    );
    let leaf = tbs(
        &format!("CN=pump,serialNumber={serial}"),
        key.public.spki_der(),
        Vec::new(),
    );
    let read = |tbs: &[u8]| Certificate::from_der(&maker.sign(tbs)).unwrap();
    (read(&leaf), read(&root))
}

async fn r09_a_manufacturers_certificate_opens_the_door_once(postgres: bool) {
    let house = House::bare(postgres).await;
    house.put(endpoint("pumps")).await;
    house.register("SN-1").await;
    house.register("SN-2").await;
    let key = Key::new();
    let (idevid, maker) = manufactured("SN-1", &key);
    let credential = NewCredential::Vendor {
        anchors: vec![maker.to_pem()],
        serial_field: enroll::device::SerialField::SubjectSerialNumber,
    };
    house.right(For::Any, credential).await;
    let wanted = Key::new();
    let issued = one(&show(
        &house,
        ENROLL,
        &wanted.request("serialNumber=SN-1"),
        &idevid,
    )
    .await);
    let serial = issued.subject().find(&x509::oids::SERIAL_NUMBER);
    assert_eq!(serial.as_deref(), Some("SN-1"));
    let other = show(
        &house,
        ENROLL,
        &wanted.request("serialNumber=SN-2"),
        &idevid,
    )
    .await;
    assert_eq!(other.status, 403, "{}", text(&other));
}

/// Of another house, of the right name but signed by nobody we know, and revoked.
async fn r09_a_certificate_of_somebody_else_opens_nothing(postgres: bool) {
    let house = House::bare(postgres).await;
    let mut open = endpoint("pumps");
    open.renewal.from = 0;
    house.put(open).await;
    let (_, credential) = pump(&house, "SN-1").await;
    let key = Key::new();
    let body = key.request("serialNumber=SN-1");
    let (foreign, _) = manufactured("SN-1", &key);
    let own = one(&enrol(&house, ENROLL, &body, &credential).await);
    let forged = x509::TbsCertificate {
        serial: own.serial().to_vec(),
        signature: KeyAlgorithm::EcdsaP256.default_signature(),
        issuer: own.issuer().clone(),
        not_before: own.not_before(),
        not_after: own.not_after(),
        subject: own.subject().clone(),
        spki_der: key.public.spki_der().to_vec(),
        extensions: own.extensions().to_vec(),
    };
    let forged = Certificate::from_der(&key.sign(&forged.encode())).unwrap();
    let next = Key::new().request("serialNumber=SN-1");
    for (what, certificate) in [("foreign", &foreign), ("forged", &forged)] {
        for path in [ENROLL, REENROLL] {
            let reply = show(&house, path, &next, certificate).await;
            assert_eq!(reply.status, 401, "{what}: {}", text(&reply));
        }
    }
    house.revoke(&own).await;
    let stored = house
        .ca
        .find_certificate(&hex::encode(own.fingerprint()))
        .await
        .unwrap();
    assert_eq!(stored.state, CertificateState::Revoked);
    let reply = show(&house, REENROLL, &next, &own).await;
    assert!(matches!(reply.status, 401 | 403), "{}", text(&reply));
}

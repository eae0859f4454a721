//! A hospital with an asset register and endpoints, and its database. Devices come in over EST, because its answers say
//! which rule refused them.

#[path = "../house/mod.rs"]
mod house;

use std::sync::Arc;

use access::Action;
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ca::Ca;
use ca::revocation::Revocation;
use enroll::device::{
    Answer, Ask, Credential, Desk, Devices, Endpoint, For, NewCredential, NewRight, Protocols,
    Reply, Request, Right, Tls, Unanswered,
};
use fleet::{Asset, Fleet};
use http::Method;
use keys::Signer;
use parking_lot::Mutex;
use tempfile::TempDir;
use x509::crl::Reason;
use x509::{Certificate, CsrBuilder, Extension, KeyAlgorithm, Name, PublicKey};
use zeroize::Zeroizing;

use house::Site;
pub(crate) use house::devices::text;
use house::devices::{new_right, request};
pub(crate) use house::{DAY, NOW, on_both, permit};

/// What the webhook says, and what it was asked.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) answer: Mutex<Option<Answer>>,
    pub(crate) asked: Mutex<Vec<serde_json::Value>>,
}

#[derive(Clone)]
pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) fleet: Fleet,
    pub(crate) desk: Desk,
    pub(crate) devices: Devices,
    pub(crate) program: Arc<Program>,
    pub(crate) _directory: Arc<TempDir>,
}

impl House {
    pub(crate) async fn new(postgres: bool) -> Self {
        let Site { ca, directory, .. } = Site::found(postgres).await;
        let program = Arc::new(Program::default());
        let fleet = Fleet::open(ca.clone()).unwrap();
        let devices = Devices::open(ca.clone(), fleet.clone(), ask(&program))
            .await
            .unwrap();
        House {
            desk: Desk::new(ca.clone(), fleet.clone()),
            ca,
            fleet,
            devices,
            program,
            _directory: Arc::new(directory),
        }
    }

    /// Another server on the same database.
    pub(crate) async fn second_server(&self) -> Devices {
        let (ca, fleet) = (self.ca.clone(), self.fleet.clone());
        Devices::open(ca, fleet, ask(&self.program)).await.unwrap()
    }

    /// Opens an endpoint, or changes one.
    pub(crate) async fn put(&self, endpoint: Endpoint) -> Option<Zeroizing<String>> {
        let stored = self.desk.endpoint(&endpoint.name).await;
        let version = stored.map_or(0, |stored| stored.version);
        let permit = permit(&self.ca, "root", Action::ManageEnrolment);
        let put = self.desk.put_endpoint(permit, endpoint, version, NOW).await;
        self.devices.refresh().await.unwrap();
        put.unwrap().1
    }

    pub(crate) async fn asset(&self, serial: &str, change: impl FnOnce(&mut Asset)) -> Asset {
        let mut asset = Asset {
            serial: serial.to_owned(),
            manufacturer: "B. Braun".to_owned(),
            model: "Space".to_owned(),
            ..Asset::default()
        };
        change(&mut asset);
        let permit = permit(&self.ca, "root", Action::ManageAssets);
        self.fleet.put(permit, asset, 0, NOW).await.unwrap().asset
    }

    /// A right and its password.
    pub(crate) async fn right(
        &self,
        whose: For,
        change: impl FnOnce(&mut NewRight),
    ) -> (Right, String) {
        let mut new = new_right(whose, NewCredential::OneTimePassword);
        change(&mut new);
        let permit = permit(&self.ca, "root", Action::ManageEnrolment);
        let (right, secret) = self.desk.create_right(permit, new, NOW).await.unwrap();
        self.devices.refresh().await.unwrap();
        (
            right,
            secret.map(|secret| secret.to_string()).unwrap_or_default(),
        )
    }

    /// Asks over EST, with a password or a client certificate.
    pub(crate) async fn ask(&self, asked: &Asked<'_>, at: Timestamp) -> Reply {
        let path = format!("/.well-known/est/{}/{}", asked.endpoint, asked.operation);
        let user = asked.user;
        let authorization = asked
            .password
            .map(|password| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        let chain: Vec<Vec<u8>> = asked.chain.iter().map(|c| c.der().to_vec()).collect();
        let request = Request {
            content_type: Some("application/pkcs10"),
            authorization: authorization.as_deref(),
            body: Bytes::from(STANDARD.encode(asked.csr)),
            tls: Some(Tls {
                peer: &chain,
                version: "TLSv1.3",
                suite: None,
            }),
            peer: asked.peer.parse().unwrap(),
            ..request(Method::POST, &path)
        };
        self.devices.handle(request, at).await
    }

    pub(crate) async fn revoke(&self, certificate: &Certificate) {
        let stored = self.ca.certificate(&certificate.fingerprint()).await;
        let stored = stored.unwrap().unwrap();
        let by = permit(&self.ca, "root", Action::RevokeCertificate);
        let revocation = Revocation {
            reason: Reason::KeyCompromise,
            invalid_since: None,
            why: None,
            request_id: None,
        };
        let revoked = self.ca.revoke(by, &stored, revocation, NOW).await;
        revoked.unwrap();
    }

    /// What is live for an asset: neither superseded nor revoked.
    pub(crate) async fn live(&self, asset: &Asset) -> usize {
        let holdings = self.fleet.holdings(&asset.id).await.unwrap();
        let live =
            |holding: &&fleet::Holding| holding.superseded_at.is_none() && holding.ended.is_none();
        holdings.iter().filter(live).count()
    }

    /// Every certificate that devices have.
    pub(crate) async fn issued(&self) -> usize {
        let filter = ca::CertificateFilter {
            profile: Some("device-ldevid".to_owned()),
            limit: Some(1000),
            ..ca::CertificateFilter::default()
        };
        self.ca
            .certificates(&filter)
            .await
            .unwrap()
            .certificates
            .len()
    }
}

/// A request.
#[derive(Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: Option<&'a str>,
    pub(crate) chain: Vec<Certificate>,
    pub(crate) csr: &'a [u8],
    pub(crate) peer: &'a str,
}

impl<'a> Asked<'a> {
    pub(crate) fn by_password(csr: &'a [u8], password: &'a str) -> Self {
        Asked {
            endpoint: "pumps",
            operation: "simpleenroll",
            user: "pump",
            password: Some(password),
            chain: Vec::new(),
            csr,
            peer: "192.0.2.7",
        }
    }

    pub(crate) fn by_certificate(csr: &'a [u8], certificate: &Certificate) -> Self {
        Asked {
            operation: "simplereenroll",
            password: None,
            chain: vec![certificate.clone()],
            ..Asked::by_password(csr, "")
        }
    }
}

/// A device's key.
pub(crate) struct Key {
    pkcs8: Vec<u8>,
    pub(crate) public: PublicKey,
}

impl Key {
    pub(crate) fn new() -> Self {
        let (pkcs8, public) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
        Key {
            pkcs8: pkcs8.to_vec(),
            public,
        }
    }

    pub(crate) fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let signer = Signer::from_pkcs8(&self.pkcs8).unwrap();
        let algorithm = KeyAlgorithm::EcdsaP256.default_signature();
        x509::assemble(tbs, algorithm, &signer.sign(algorithm, tbs).unwrap())
    }

    pub(crate) fn request(&self, subject: &str) -> Vec<u8> {
        self.request_with(subject, [])
    }

    pub(crate) fn request_with<const N: usize>(
        &self,
        subject: &str,
        extensions: [Extension; N],
    ) -> Vec<u8> {
        let subject: Name = match subject {
            "" => Name::empty(),
            subject => subject.parse().unwrap(),
        };
        let builder = extensions.into_iter().fold(
            CsrBuilder::new(subject, &self.public),
            CsrBuilder::extension,
        );
        self.sign(&builder.tbs())
    }
}

/// The certificate in an answer.
pub(crate) fn certificate(reply: &Reply) -> Certificate {
    assert_eq!(reply.status, 200, "{}", text(reply));
    let der = STANDARD.decode(text(reply).replace('\n', "")).unwrap();
    x509::pkcs7::parse(&der).unwrap().certificates.remove(0)
}

/// `issued`, `pending`, `unknown`, or the rule that refused.
pub(crate) fn outcome(reply: &Reply) -> String {
    match reply.status {
        200 => "issued".to_owned(),
        202 => "pending".to_owned(),
        401 => "unknown".to_owned(),
        429 => "limit".to_owned(),
        _ => {
            let rule = text(reply)
                .split('[')
                .nth(1)
                .and_then(|rest| rest.split(';').next());
            rule.unwrap_or_else(|| text(reply)).to_owned()
        }
    }
}

pub(crate) fn endpoint(name: &str) -> Endpoint {
    let protocols = Protocols {
        est: true,
        ..Protocols::default()
    };
    house::devices::endpoint(name, protocols)
}

/// Whether a right keeps no password.
pub(crate) fn is_hashed(right: &Right, password: &str) -> bool {
    match &right.credential {
        Credential::OneTimePassword { sha256 } => {
            *sha256 == hex::encode(audit::merkle::sha256(password.as_bytes()))
        }
        _ => false,
    }
}

fn ask(program: &Arc<Program>) -> Ask {
    let program = Arc::clone(program);
    Arc::new(move |call| {
        let question = serde_json::from_slice(&call.body).unwrap();
        program.asked.lock().push(question);
        let answer = program.answer.lock().clone();
        Box::pin(async move { answer.ok_or_else(|| Unanswered("nobody".into())) })
    })
}

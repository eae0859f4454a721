//! A hospital to test with: a fresh database, a hierarchy, people and requests.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use access::{Access, Action, NewToken, Permit, Principal, Role, Scope, Target};
use audit::Timestamp;
use ca::{Answers, Ca, Carry, InitReport, IssueRequest, Issued, Outcome, RootKey};
use keys::{Keyring, KeyringConfig, Signer};
use store::Store;
use tempfile::TempDir;
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{CertificationRequest, CsrBuilder, GeneralName, KeyAlgorithm, Name};
use zeroize::Zeroizing;

pub(crate) use databases::{new_database, on_both};

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A CA with its database, and the directory that goes away with it.
pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) url: String,
    pub(crate) directory: TempDir,
    pub(crate) now: Timestamp,
}

impl House {
    /// Before `ward init`.
    pub(crate) async fn bare(postgres: bool) -> Self {
        House::bare_at(postgres, NOW).await
    }

    pub(crate) async fn bare_at(postgres: bool, now: Timestamp) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = if postgres {
            new_database().await
        } else {
            format!("sqlite:{}/ward.db", directory.path().display())
        };
        let ca = open(&url, directory.path(), now).await;
        House {
            ca,
            url,
            directory,
            now,
        }
    }

    /// With the default hierarchy and the root carried away.
    pub(crate) async fn new(postgres: bool) -> Self {
        let house = House::bare(postgres).await;
        house.init(&answers()).await;
        house
    }

    pub(crate) async fn init(&self, answers: &Answers) -> InitReport {
        let permit = self.admin(Action::ManageAuthorities);
        let root = RootKey::Carry(self.carry());
        self.ca.init(permit, answers, root, self.now).await.unwrap()
    }

    pub(crate) fn carry(&self) -> Carry {
        Carry {
            directory: self.directory.path().join("stick"),
            passphrase: Zeroizing::new(PASSPHRASE.to_owned()),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same database in another process, as far as the CA can tell.
    pub(crate) async fn again(&self, now: Timestamp) -> Ca {
        open(&self.url, self.directory.path(), now).await
    }

    pub(crate) fn admin(&self, action: Action) -> Permit {
        let principal = self.ca.access().local_principal("root");
        self.permit(&principal, action)
    }

    pub(crate) fn permit(&self, principal: &Arc<Principal>, action: Action) -> Permit {
        self.ca
            .access()
            .decide(principal, action, &Target::default())
            .unwrap()
    }

    /// Somebody with a token.
    pub(crate) async fn person(&self, name: &str, roles: &[Role], scope: Scope) -> Arc<Principal> {
        let new = NewToken {
            name: name.to_owned(),
            person: true,
            roles: roles.to_vec(),
            scope,
            expires: None,
        };
        let permit = self.admin(Action::ManageTokens);
        let access = self.ca.access();
        let (_, bearer) = access.create_token(permit, new, NOW).await.unwrap();
        access.authenticate(&bearer, NOW).await.unwrap()
    }

    pub(crate) async fn issue(&self, request: IssueRequest) -> Result<Issued, ca::CaError> {
        let permit = self.admin(Action::IssueCertificate);
        match self.ca.issue(permit, request, self.now).await? {
            Outcome::Issued(issued) => Ok(*issued),
            Outcome::Pending(id) => panic!("request {id} waits for approval"),
        }
    }

    /// Issues, approving by a second person where that is needed.
    pub(crate) async fn issue_approved(
        &self,
        request: IssueRequest,
    ) -> Result<Issued, ca::CaError> {
        let permit = self.admin(Action::IssueCertificate);
        match self.ca.issue(permit, request, self.now).await? {
            Outcome::Issued(issued) => Ok(*issued),
            Outcome::Pending(id) => {
                let second = self.ca.access().local_principal("second");
                let permit = self.permit(&second, Action::ApproveRequests);
                match self.ca.approve(permit, &id, Some("seen"), self.now).await? {
                    Outcome::Issued(issued) => Ok(*issued),
                    Outcome::Pending(id) => panic!("request {id} still waits"),
                }
            }
        }
    }

    /// The events of an action, the oldest first.
    pub(crate) async fn events(&self, action: &str) -> Vec<audit::Event> {
        let entries = self.ca.store().events(0, 1_000_000).await.unwrap();
        entries
            .iter()
            .map(|entry| audit::Event::parse(&entry.body).unwrap())
            .filter(|event| event.action == action)
            .collect()
    }
}

pub(crate) async fn open(url: &str, directory: &Path, now: Timestamp) -> Ca {
    let migrations = [access::MIGRATIONS, ca::MIGRATIONS].concat();
    let store = Store::open(url, &migrations).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory)).unwrap();
    let access = Access::open(store.clone());
    Ca::open(store, keyring, access, now).await.unwrap()
}

pub(crate) fn answers() -> Answers {
    let mut answers = Answers::new("Example Hospital");
    answers.country = Some("US".to_owned());
    answers.base_url = "http://pki.example.org".to_owned();
    answers
}

/// A key and a CSR for it.
pub(crate) fn csr(
    algorithm: KeyAlgorithm,
    subject: &str,
    names: Vec<GeneralName>,
) -> CertificationRequest {
    let (pkcs8, key) = keys::generate_for_subscriber(algorithm).unwrap();
    let subject: Name = if subject.is_empty() {
        Name::empty()
    } else {
        subject.parse().unwrap()
    };
    let mut builder = CsrBuilder::new(subject, &key);
    if !names.is_empty() {
        builder = builder.extension(SubjectAltName(names).encode());
    }
    signed(&builder, &Signer::from_pkcs8(&pkcs8).unwrap())
}

pub(crate) fn signed(builder: &CsrBuilder, signer: &Signer) -> CertificationRequest {
    let tbs = builder.tbs();
    let algorithm = signer.algorithm().default_signature();
    let signature = signer.sign(algorithm, &tbs).unwrap();
    CertificationRequest::from_der(&x509::assemble(&tbs, algorithm, &signature)).unwrap()
}

pub(crate) fn dns(name: &str) -> GeneralName {
    GeneralName::Dns(name.to_owned())
}

/// A request that every server profile accepts.
pub(crate) fn server(name: &str) -> IssueRequest {
    IssueRequest::from_csr(
        "server-tls",
        csr(
            KeyAlgorithm::EcdsaP256,
            &format!("CN={name}"),
            vec![dns(name)],
        ),
    )
}

/// The rule that refused.
pub(crate) fn rule(result: Result<Issued, ca::CaError>) -> String {
    match result {
        Ok(issued) => panic!("issued {}", hex::encode(issued.serial)),
        Err(error) => match error.refusal() {
            Some(refusal) => refusal.rule.to_string(),
            None => panic!("not refused: {error}"),
        },
    }
}

/// Runs a program; a missing program is a failure, not a reason to skip.
pub(crate) fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let ran = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let mut said = String::from_utf8_lossy(&ran.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&ran.stderr));
    (ran.status.success(), said)
}

//! A hospital with a register: a fresh database, a hierarchy, people, pumps.

#[path = "../../../store/tests/databases/mod.rs"]
mod databases;

use std::sync::Arc;

use access::{Access, Action, NewToken, Permit, Principal, Role, Scope, Target};
use audit::Timestamp;
use ca::{Along, Answers, Ca, Carry, IssueRequest, Issued, KeyPackage, Outcome, RootKey};
use fleet::{Asset, Fleet, FleetError, NewHolding, Previous, StoredAsset};
use keys::{Keyring, KeyringConfig};
use store::Store;
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) use databases::{new_database, on_both};

/// 22 November 2026, 12:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_348_800_000);
pub(crate) const DAY: i64 = 86_400_000;

pub(crate) struct House {
    pub(crate) ca: Ca,
    pub(crate) fleet: Fleet,
    pub(crate) url: String,
    pub(crate) directory: TempDir,
}

impl House {
    pub(crate) async fn new(postgres: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = match postgres {
            true => new_database().await,
            false => format!("sqlite:{}/ward.db", directory.path().display()),
        };
        let ca = open(&url, &directory).await;
        let house = House {
            fleet: Fleet::open(ca.clone()).unwrap(),
            ca,
            url,
            directory,
        };
        let mut answers = Answers::new("Example Hospital");
        answers.base_url = "http://pki.example.org".to_owned();
        let root = RootKey::Carry(Carry {
            directory: house.directory.path().join("stick"),
            passphrase: Zeroizing::new("correct horse battery staple".to_owned()),
        });
        let permit = house.permit(Action::ManageAuthorities);
        house.ca.init(permit, &answers, root, NOW).await.unwrap();
        house
    }

    /// The same database in another process, as far as the register can tell.
    pub(crate) async fn elsewhere(&self) -> Fleet {
        Fleet::open(open(&self.url, &self.directory).await).unwrap()
    }

    pub(crate) fn permit(&self, action: Action) -> Permit {
        self.permit_of(&self.ca.access().local_principal("biomed"), action)
    }

    pub(crate) fn permit_of(&self, principal: &Arc<Principal>, action: Action) -> Permit {
        let access = self.ca.access();
        access
            .decide(principal, action, &Target::default())
            .unwrap()
    }

    pub(crate) async fn person(&self, name: &str, role: Role, scope: Scope) -> Arc<Principal> {
        let new = NewToken {
            name: name.to_owned(),
            person: true,
            roles: vec![role],
            scope,
            expires: None,
        };
        let access = self.ca.access();
        let permit = self.permit(Action::ManageTokens);
        let (_, bearer) = access.create_token(permit, new, NOW).await.unwrap();
        access.authenticate(&bearer, NOW).await.unwrap()
    }

    pub(crate) async fn put(&self, asset: Asset) -> Result<StoredAsset, FleetError> {
        let permit = self.permit(Action::ManageAssets);
        self.fleet.put(permit, asset, 0, NOW).await
    }

    pub(crate) async fn pump(&self, serial: &str) -> Asset {
        self.put(pump(serial)).await.unwrap().asset
    }

    /// A certificate for an asset, as a protocol would have it issued.
    pub(crate) async fn enrol(
        &self,
        asset: &Asset,
        endpoint: &str,
        previous: Previous,
        now: Timestamp,
    ) -> Result<Issued, ca::CaError> {
        let permit = self.permit(Action::IssueCertificate);
        let request = self.request(asset, endpoint, previous, now);
        match self.ca.issue(permit, request, now).await? {
            Outcome::Issued(issued) => Ok(*issued),
            Outcome::Pending(id) => panic!("request {id} waits for approval"),
        }
    }

    pub(crate) fn request(
        &self,
        asset: &Asset,
        endpoint: &str,
        previous: Previous,
        now: Timestamp,
    ) -> IssueRequest {
        let profile = self.ca.profile("device-ldevid").unwrap();
        let subject = asset.subject(&profile.profile).unwrap();
        let names = asset.names(&profile.profile);
        let mut request =
            IssueRequest::generate("device-ldevid", None, KeyPackage::Pem, subject, names);
        asset.date(&mut request);
        let holding = NewHolding {
            asset: asset.id.clone(),
            endpoint: endpoint.to_owned(),
            protocol: "est".to_owned(),
            held_at: now,
            previous,
        };
        request.along = Along::new(Ok, move |write, sha256| {
            Fleet::hold(write, &holding, sha256)
        });
        request
    }

    pub(crate) async fn events(&self, action: &str) -> Vec<audit::Event> {
        let entries = self.ca.store().events(0, 1_000_000).await.unwrap();
        let events = entries
            .iter()
            .map(|entry| audit::Event::parse(&entry.body).unwrap());
        events.filter(|event| event.action == action).collect()
    }

    /// The states of an asset's certificates, the newest first: `issued`, `revoked for superseded`.
    pub(crate) async fn states(&self, asset: &Asset) -> Vec<String> {
        let mut states = Vec::new();
        for holding in self.fleet.holdings(&asset.id).await.unwrap() {
            let sha256: [u8; 32] = hex::decode(&holding.sha256).unwrap().try_into().unwrap();
            let certificate = self.ca.certificate(&sha256).await.unwrap().unwrap();
            states.push(match self.ca.status(&certificate).await.unwrap() {
                ca::revocation::Status::Good => "good".to_owned(),
                ca::revocation::Status::Revoked { reason, .. } => reason.name().to_owned(),
            });
        }
        states
    }
}

async fn open(url: &str, directory: &TempDir) -> Ca {
    let migrations = [access::MIGRATIONS, ca::MIGRATIONS, fleet::MIGRATIONS].concat();
    let store = Store::open(url, &migrations).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory.path())).unwrap();
    let access = Access::open(store.clone());
    Ca::open(store, keyring, access, NOW).await.unwrap()
}

pub(crate) fn pump(serial: &str) -> Asset {
    Asset {
        serial: serial.to_owned(),
        manufacturer: "Fluidic".to_owned(),
        model: "Drip 3".to_owned(),
        ..Asset::default()
    }
}

/// The rule that refused.
pub(crate) fn rule<T: std::fmt::Debug>(result: Result<T, FleetError>) -> String {
    match result {
        Ok(done) => panic!("done: {done:?}"),
        Err(error) => match error.refusal() {
            Some(refusal) => refusal.rule.to_string(),
            None => format!("not refused: {error}"),
        },
    }
}

//! A hospital with an ACME server, and no network: requests are handed over as values.

#[path = "../house/mod.rs"]
mod house;

use std::sync::Arc;

use access::Action;
use ca::Ca;
use enroll::Acme;
use enroll::acme::{Desk, Directory, ExternalAccount, NewEab, Offer};

use house::Site;
pub(crate) use house::{NOW, admin, on_both};

pub(crate) struct House {
    pub(crate) acme: Acme,
    pub(crate) ca: Ca,
    pub(crate) desk: Desk,
    site: Site,
}

impl House {
    /// With one open directory, `open`, and one that wants external accounts and agreement, `bound`.
    pub(crate) async fn new(postgres: bool) -> Self {
        let site = Site::found(postgres).await;
        let ca = site.ca.clone();
        let desk = Desk::new(ca.clone());
        for directory in [
            door("open", ExternalAccount::Off),
            Directory {
                terms_of_service: Some("https://mercy.example/terms".to_owned()),
                ..door("bound", ExternalAccount::Required)
            },
        ] {
            let permit = admin(&ca, Action::ManageEnrolment);
            desk.put_directory(permit, directory, 0, NOW).await.unwrap();
        }
        House {
            acme: serve(&ca, &site).await,
            ca,
            desk,
            site,
        }
    }

    /// The ACME server of another process: on PostgreSQL another node, on SQLite the one after a restart.
    pub(crate) async fn another(&self) -> Acme {
        serve(&self.site.open_again(NOW).await, &self.site).await
    }

    /// An external account key: kid and secret.
    pub(crate) async fn eab(&self, directory: &str, uses: Option<u32>) -> (String, Vec<u8>) {
        use base64::Engine;
        let permit = admin(&self.ca, Action::ManageEnrolment);
        let new = NewEab {
            directory: directory.to_owned(),
            uses,
            owner: "cardiology".to_owned(),
            ..NewEab::default()
        };
        let (key, secret) = self.desk.create_eab(permit, new, NOW).await.unwrap();
        let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(secret.as_bytes())
            .unwrap();
        (key.id, secret)
    }

    /// The events of an action, the oldest first.
    pub(crate) async fn events(&self, action: &str) -> Vec<audit::Event> {
        house::events(&self.ca, action).await
    }
}

fn door(name: &str, external_account: ExternalAccount) -> Directory {
    Directory {
        name: name.to_owned(),
        profiles: vec![Offer {
            profile: "server-tls".to_owned(),
            description: "web servers".to_owned(),
        }],
        external_account,
        ..Directory::default()
    }
}

async fn serve(ca: &Ca, site: &Site) -> Acme {
    let validate: enroll::Validate = Arc::new(|_| Box::pin(async { panic!("nobody asked") }));
    let (data, alone) = (site.directory.path(), !site.postgres);
    Acme::open(ca.clone(), data, alone, validate).await.unwrap()
}

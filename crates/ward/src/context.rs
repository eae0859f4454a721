//! The Ward that a command works on: its data directory, opened, and the person at the terminal.
//!
//! Commands act in this process, beside a running server or without one; the log is what tells the server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::ca::Ca;
use access::{Access, Action, Permit, Principal, Target};
use keys::Keyring;
use server::config::Config;
use store::{Migration, Store};

use crate::args::Place;
use crate::clock;
use crate::output::{Failure, failed};

/// Where packages keep it.
const SYSTEM_DATA: &str = "/var/lib/ward";
/// Where `ward init` makes it unless told otherwise.
const LOCAL_DATA: &str = "./ward-data";

/// `/proc/self/loginuid` of a session that nobody logged in to.
const NO_LOGIN: u32 = u32::MAX;

pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) access: Access,
    pub(crate) keyring: Keyring,
    pub(crate) ca: Ca,
    pub(crate) principal: Arc<Principal>,
}

impl Context {
    /// Opens a Ward that has been initialised.
    pub(crate) async fn open(place: &Place) -> Result<Self, Failure> {
        let data = data_directory(place);
        let config = existing(place, &data)?;
        let context = Self::on(config).await?;
        match context.ca.settings() {
            Some(_) => Ok(context),
            None => Err(no_ward(&data)),
        }
    }

    /// Opens whatever is at the place that a configuration names, a hierarchy or none.
    pub(crate) async fn on(config: Config) -> Result<Self, Failure> {
        let store = Store::open(&config.database, &migrations()).await?;
        let access = Access::open(store.clone());
        let keyring = Keyring::open(config.keys.clone())?;
        let ca = Ca::open(store.clone(), keyring.clone(), access.clone(), clock::now()).await?;
        let principal = access.local_principal(&operating_system_user());
        Ok(Self {
            config,
            store,
            access,
            keyring,
            ca,
            principal,
        })
    }

    /// Asks the door; a no is in the log.
    pub(crate) async fn permit(&self, action: Action) -> Result<Permit, Failure> {
        self.permit_on(action, &Target::default()).await
    }

    pub(crate) async fn permit_on(
        &self,
        action: Action,
        target: &Target<'_>,
    ) -> Result<Permit, Failure> {
        Ok(self
            .access
            .permit(&self.principal, action, target, None, clock::now())
            .await?)
    }

    /// The HTTPS address of this Ward, as far as this machine knows how it is called outside.
    pub(crate) fn url(&self) -> String {
        self.config.public_url()
    }
}

/// The schema of every room.
pub(crate) fn migrations() -> Vec<Migration> {
    [
        access::MIGRATIONS,
        ::ca::MIGRATIONS,
        fleet::MIGRATIONS,
        enroll::MIGRATIONS,
    ]
    .concat()
}

/// `--data`, or the first of the usual places where there is a Ward.
pub(crate) fn data_directory(place: &Place) -> PathBuf {
    if let Some(data) = &place.data {
        return data.clone();
    }
    let is_ward = |directory: &&str| Path::new(directory).join("ward.toml").exists();
    let found = [LOCAL_DATA, SYSTEM_DATA].into_iter().find(is_ward);
    PathBuf::from(found.unwrap_or(LOCAL_DATA))
}

/// The configuration of a Ward that is there.
pub(crate) fn existing(place: &Place, data: &Path) -> Result<Config, Failure> {
    if !data.join("ward.toml").exists() {
        return Err(no_ward(data));
    }
    let config = configuration(place, data)?;
    match sqlite_file(&config.database) {
        // Opening would make an empty one.
        Some(file) if !file.exists() => Err(no_ward(data)),
        _ => Ok(config),
    }
}

/// What ward.toml and the command line say.
pub(crate) fn configuration(place: &Place, data: &Path) -> Result<Config, Failure> {
    let mut config = Config::load(data).map_err(failed)?;
    if let Some(url) = &place.database {
        config.database = url.clone();
    }
    Ok(config)
}

/// The file behind a database URL; `None` for PostgreSQL.
pub(crate) fn sqlite_file(url: &str) -> Option<&Path> {
    url.strip_prefix("sqlite:").map(Path::new)
}

fn no_ward(data: &Path) -> Failure {
    let data = data.display();
    Failure::NotFound(format!(
        "there is no Ward in {data}: run `ward init --data {data}`, or say with --data where it is"
    ))
}

/// Who is at the terminal, as the kernel knows it: who logged in, even behind `sudo`; else whom the process runs as.
pub(crate) fn operating_system_user() -> String {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let login = login
        .and_then(|text| text.trim().parse().ok())
        .filter(|uid| *uid != NO_LOGIN);
    match login.or_else(process_owner) {
        Some(uid) => user_name(uid).unwrap_or_else(|| format!("uid-{uid}")),
        None => "unknown".to_owned(),
    }
}

fn process_owner() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self")
        .ok()
        .map(|metadata| metadata.uid())
}

fn user_name(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let has_uid =
        |line: &&str| line.split(':').nth(2).and_then(|field| field.parse().ok()) == Some(uid);
    users
        .lines()
        .find(has_uid)?
        .split(':')
        .next()
        .map(str::to_owned)
}

//! A SoftHSM2 token for one test.
//!
//! SoftHSM2 reads its configuration from the environment when it is loaded, and a process loads it
//! once. So each test starts its program again with its own configuration, token and directory, and
//! the body runs there.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use keys::{Backend, Keyring, KeyringConfig, Pkcs11Config};
use tempfile::TempDir;

pub(crate) const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const LABEL: &str = "ward-test";
pub(crate) const PIN: &str = "cardiology-7311";
pub(crate) const HOME: &str = "WARD_TEST_TOKEN_HOME";

/// A directory with one initialised token in it.
pub(crate) struct Home(pub(crate) PathBuf);

/// Runs `body` in a fresh process with a token of its own.
pub(crate) fn with_token(body: fn(&Home)) {
    with_configured_token("", body);
}

/// As [`with_token`], with more lines for the token's configuration.
pub(crate) fn with_configured_token(more: &str, body: fn(&Home)) {
    if let Some(home) = std::env::var_os(HOME) {
        return body(&Home(PathBuf::from(home)));
    }
    let thread = std::thread::current();
    let test = thread
        .name()
        .expect("tests run in threads named after them");
    let dir = TempDir::new().unwrap();
    let home = Home(dir.path().to_owned());
    fs::create_dir(home.tokens()).unwrap();
    let configuration = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n{more}\n",
        home.tokens().display()
    );
    fs::write(home.configuration(), configuration).unwrap();
    home.write_pin(PIN);
    home.init_token();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(HOME, dir.path())
        .env("SOFTHSM2_CONF", home.configuration())
        .status()
        .unwrap();
    assert!(
        status.success(),
        "{test} failed in its own process, see above"
    );
}

impl Home {
    pub(crate) fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.0.join("softhsm2.conf")
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.0.join("pin")
    }

    pub(crate) fn write_pin(&self, pin: &str) {
        fs::write(self.pin_file(), format!("{pin}\n")).unwrap();
        fs::set_permissions(self.pin_file(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn init_token(&self) {
        let output = Command::new("softhsm2-util")
            .args([
                "--init-token",
                "--free",
                "--label",
                LABEL,
                "--so-pin",
                "5678-so",
                "--pin",
                PIN,
            ])
            .env("SOFTHSM2_CONF", self.configuration())
            .output()
            .expect("softhsm2-util not found: apt-get install softhsm2");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The token's directory, taken out of the slot and put back.
    pub(crate) fn pull_out(&self) {
        fs::rename(self.tokens(), self.0.join("pulled")).unwrap();
        fs::create_dir(self.tokens()).unwrap();
    }

    pub(crate) fn put_back(&self) {
        fs::remove_dir_all(self.tokens()).unwrap();
        fs::rename(self.0.join("pulled"), self.tokens()).unwrap();
    }

    pub(crate) fn config(&self) -> Pkcs11Config {
        Pkcs11Config::new(MODULE, LABEL, self.pin_file())
    }

    pub(crate) fn ring(&self) -> Keyring {
        self.ring_with(self.config())
    }

    pub(crate) fn ring_with(&self, token: Pkcs11Config) -> Keyring {
        Keyring::open(KeyringConfig {
            pkcs11: vec![token],
            ..KeyringConfig::new(&self.0)
        })
        .unwrap()
    }
}

pub(crate) fn backend() -> Backend {
    Backend::Pkcs11 {
        token: LABEL.to_owned(),
    }
}

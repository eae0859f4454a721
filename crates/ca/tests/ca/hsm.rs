//! Issuance with the issuing key in a PKCS#11 token (SoftHSM2): the key never leaves it, a token that
//! is away refuses without harm, and issuance goes on when it is back (R02).
//!
//! SoftHSM2 reads its configuration when it is loaded, once per process: the test starts this program
//! again with a token of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use access::{Access, Action};
use audit::Timestamp;
use ca::{AuthorityAnswers, Ca, CaError, Outcome, ParentKey, RootKey};
use keys::{Backend, Keyring, KeyringConfig, Pkcs11Config};
use store::Store;
use x509::{Certificate, KeyAlgorithm};

use crate::support::{House, NOW, answers, server};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const HOME: &str = "WARD_TEST_CA_TOKEN";
const PIN: &str = "cardiology-7311";

#[test]
fn r02_a_token_issues_goes_away_and_comes_back() {
    if let Some(home) = std::env::var_os(HOME) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        return runtime.block_on(with_token(Path::new(&home)));
    }
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let tokens = home.join("tokens");
    fs::create_dir(&tokens).unwrap();
    let configuration = home.join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(&configuration, text).unwrap();
    let pin = home.join("pin");
    fs::write(&pin, PIN).unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "ward",
            "--so-pin",
            "5678-so",
            "--pin",
            PIN,
        ])
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .expect("softhsm2-util not found: apt-get install softhsm2");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "hsm::r02_a_token_issues_goes_away_and_comes_back",
            "--nocapture",
        ])
        .env(HOME, home)
        .env("SOFTHSM2_CONF", &configuration)
        .status()
        .unwrap();
    assert!(status.success(), "failed in its own process, see above");
}

async fn with_token(home: &Path) {
    let house = House::bare(false).await;
    let keyring = Keyring::open(KeyringConfig {
        pkcs11: vec![Pkcs11Config::new(MODULE, "ward", home.join("pin"))],
        ..KeyringConfig::new(house.directory.path())
    })
    .unwrap();
    let migrations = [access::MIGRATIONS, ca::MIGRATIONS].concat();
    let store = Store::open(&house.url, &migrations).await.unwrap();
    let access = Access::open(store.clone());
    let ca = Ca::open(store, keyring, access, NOW).await.unwrap();
    let backend = Backend::Pkcs11 {
        token: "ward".to_owned(),
    };
    let mut answers = answers();
    for authority in &mut answers.authorities {
        authority.backend = backend.clone();
    }
    answers.authorities[1].algorithm = KeyAlgorithm::Rsa2048;
    let root = RootKey::KeepOnline(backend.clone());
    let permit = house.admin(Action::ManageAuthorities);
    ca.init(permit, &answers, root, NOW).await.unwrap();
    assert!(ca.settings().unwrap().root_online);

    let issue = async |ca: &Ca, ms: i64| {
        let permit = house.admin(Action::IssueCertificate);
        let now = Timestamp(NOW.0 + ms);
        match ca.issue(permit, server("a.example.org"), now).await? {
            Outcome::Issued(issued) => Ok::<_, CaError>(*issued),
            Outcome::Pending(_) => panic!("pending"),
        }
    };
    for issuer in ["root", "servers", "devices", "people"] {
        let issuer = ca.issuer(issuer).unwrap();
        assert!(issuer.signer().unwrap().is_blocking());
        assert!(issuer.key().unwrap().sealed.is_none());
    }
    let issued = issue(&ca, 1).await.unwrap();
    let key = ca
        .issuer("servers")
        .unwrap()
        .certificate()
        .public_key()
        .unwrap();
    let certificate = Certificate::from_der(&issued.der).unwrap();
    certificate.verify_signed_by(&key).unwrap();

    // An authority below the online root, and a new generation, both in the token.
    let mut below = AuthorityAnswers::new("radiology");
    below.backend = backend;
    let permit = house.admin(Action::ManageAuthorities);
    ca.create_authority(permit, "root", ParentKey::Online, &below, NOW)
        .await
        .unwrap();
    let permit = house.admin(Action::ManageAuthorities);
    let rotated = ca
        .rotate_authority(permit, "servers", ParentKey::Online, None, None, NOW)
        .await
        .unwrap();
    assert_eq!(rotated.id, "servers-g2");
    assert!(
        ca.issuer("servers-g2")
            .unwrap()
            .signer()
            .unwrap()
            .is_blocking()
    );

    // The token is pulled out: refused or failed, nothing half-done.
    fs::rename(home.join("tokens"), home.join("pulled")).unwrap();
    fs::create_dir(home.join("tokens")).unwrap();
    let away = issue(&ca, 2).await;
    fs::remove_dir_all(home.join("tokens")).unwrap();
    fs::rename(home.join("pulled"), home.join("tokens")).unwrap();
    if let Err(error) = away {
        assert!(
            matches!(error, CaError::Key(_) | CaError::Offline(_)),
            "{error}"
        );
    }
    let open = ca
        .store()
        .query("SELECT serial FROM intents", vec![])
        .await
        .unwrap();
    assert!(
        open.is_empty(),
        "what could not be signed was voided at once"
    );
    // The keyring looks for a lost token again after a short while.
    let mut back = Err(CaError::Interrupted("not tried"));
    for attempt in 0..100 {
        back = issue(&ca, 3 + attempt).await;
        if back.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    back.unwrap();
}

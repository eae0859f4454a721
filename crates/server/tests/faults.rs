//! What happens to machines: the disk fills up or turns read-only, a second server is started, the clock jumps, the
//! file is damaged. Always a typed error that says what it is, never a panic, and nothing that was acknowledged is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::{Action, Role, Scope};
use audit::Timestamp;
use ca::{Ca, CaError, IssueRequest, Outcome};
use serde_json::{Value, json};
use store::{Store, StoreError};
use support::{Ward, open, output, permit};
use tempfile::TempDir;
use x509::CertificationRequest;

/// A Ward that has issued `certificates` and revoked the first, stopped.
async fn house(certificates: usize) -> TempDir {
    let ward = Ward::start().await;
    for n in 0..certificates {
        let der = issue(
            &ward.ca,
            &ward.csr(&format!("h{n}.example.org")).await,
            server::wall_clock(),
        )
        .await
        .unwrap();
        if n == 0 {
            let row = ward.ca.find_certificate(&der).await.unwrap();
            let may = permit(&ward.access, Action::RevokeCertificate);
            let revocation = ca::revocation::Revocation {
                reason: x509::crl::Reason::KeyCompromise,
                invalid_since: None,
                why: None,
                request_id: None,
            };
            let now = server::wall_clock();
            ward.ca.revoke(may, &row, revocation, now).await.unwrap();
        }
    }
    ward.stop().await
}

/// Issues, and gives the SHA-256 that was acknowledged.
async fn issue(ca: &Ca, csr: &str, now: Timestamp) -> Result<String, CaError> {
    let csr = CertificationRequest::from_pem(csr.as_bytes()).unwrap();
    let request = IssueRequest::from_csr("server-tls", csr);
    match ca
        .issue(permit(ca.access(), Action::IssueCertificate), request, now)
        .await?
    {
        Outcome::Issued(issued) => Ok(hex::encode(issued.sha256)),
        Outcome::Pending(id) => panic!("{id} waits"),
    }
}

/// Everything beside the database: what opens the keys.
fn copy_beside(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let ours = ["ward.db", "copy.db"].map(|ours| name.to_string_lossy().starts_with(ours));
        if entry.file_type().unwrap().is_file() && ours == [false, false] {
            std::fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

async fn assert_whole(ca: &Ca) {
    // Responders' certificates are issued in the background: an intent of theirs may stand for a moment.
    for attempt in 0.. {
        let intents = ca.store().query("SELECT COUNT(*) FROM intents", Vec::new());
        if intents.await.unwrap()[0].int(0).unwrap() == 0 {
            break;
        }
        assert!(attempt < 100, "an intent stays open");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let notary = ca.notary().await.unwrap();
    let report = notary.verify(None, server::wall_clock(), |_, _| ()).await;
    let report = report.unwrap();
    assert!(report.is_ok(), "{report:?}");
}

/// A full disk is a 503 that says so; what was acknowledged before is there afterwards, and Ward goes on when there is
/// room again.
#[tokio::test(flavor = "multi_thread")]
async fn r36_a_full_disk_refuses_and_loses_nothing() {
    let dir = house(2).await;
    let (store, ca) = open(dir.path(), "").await.unwrap();
    let pages = store.query("PRAGMA page_count", Vec::new()).await.unwrap()[0]
        .int(0)
        .unwrap();
    drop((store, ca));
    let ward = Ward::serve(dir, &format!("?max_pages={}", pages + 120), |_| ()).await;
    let token = ward.token("ci", &[Role::Issuer], Scope::default()).await;
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for n in 0..400 {
        let body = json!({ "profile": "server-tls", "csr": ward.csr(&format!("full{n}.example.org")).await });
        let (status, said) = ward
            .curl("POST", "/api/v1/certificates", Some(&token), Some(&body))
            .await;
        match status {
            201 => acknowledged.push(said["sha256"].as_str().unwrap().to_owned()),
            _ => {
                assert_eq!(status, 503, "{said}");
                assert_eq!(said["type"], "urn:ward:problem:unavailable", "{said}");
                assert!(said["detail"].as_str().unwrap().contains("full"), "{said}");
                refused += 1;
            }
        }
        if refused == 5 {
            break;
        }
    }
    assert!(
        refused == 5 && acknowledged.len() >= 5,
        "{} issued, {refused} refused",
        acknowledged.len()
    );
    // Status is still answered, and liveness with it.
    for path in ["/healthz", "/readyz", "/crl/servers.crl"] {
        let url = format!("http://{}{path}", ward.addresses.status);
        let mut command = Command::new("curl");
        command.args(["-sSf", "-o", "/dev/null", &url]);
        support::run(command).await;
    }
    let dir = ward.stop().await;

    let ward = Ward::serve(dir, "", |_| ()).await;
    for sha256 in &acknowledged {
        ward.ca.find_certificate(sha256).await.unwrap();
    }
    let body = json!({ "profile": "server-tls", "csr": ward.csr("room.example.org").await });
    let (status, said) = ward
        .curl("POST", "/api/v1/certificates", Some(&token), Some(&body))
        .await;
    assert_eq!(status, 201, "{said}");
    assert_whole(&ward.ca).await;
    ward.stop().await;
}

/// Root can write anywhere, so the attempt is made by somebody else: this test, run again as nobody.
#[tokio::test(flavor = "multi_thread")]
async fn r36_a_read_only_database_is_refused_by_name() {
    if let Some(dir) = std::env::var_os("WARD_TEST_READ_ONLY") {
        match open(Path::new(&dir), "").await {
            Ok(_) => println!("opened"),
            Err(error) => println!("{error:?}: {error}"),
        }
        return;
    }
    let dir = house(1).await;
    let (_, ca) = open(dir.path(), "").await.unwrap();
    let copy = TempDir::new().unwrap();
    ca.store()
        .backup(&copy.path().join("ward.db"))
        .await
        .unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
    };
    copy_beside(dir.path(), copy.path());
    let program = copy.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(&copy.path().join("ward.db"), 0o444);
    mode(copy.path(), 0o755);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program);
    command.args([
        "--exact",
        "--nocapture",
        "r36_a_read_only_database_is_refused_by_name",
    ]);
    command.env("WARD_TEST_READ_ONLY", copy.path());
    let ran = output(command).await;
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(
        told.contains("ReadOnly(") && told.contains("read-only"),
        "{told}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Two servers on one SQLite file would run every schedule twice.
#[tokio::test(flavor = "multi_thread")]
async fn r52_a_second_server_on_one_file_is_refused() {
    let ward = Ward::start().await;
    let (store, ca) = open(ward.dir.path(), "").await.unwrap();
    let mut config = server::config::Config::load(ward.dir.path()).unwrap();
    config.api = "127.0.0.1:0".parse().unwrap();
    config.status = "127.0.0.1:0".parse().unwrap();
    let access = ca.access().clone();
    let started = |_| panic!("it started");
    let refused = server::serve(
        config,
        server::Sockets::default(),
        store,
        access,
        ca,
        started,
        std::future::pending(),
    )
    .await;
    match refused {
        Err(server::ServeError::Store(StoreError::Busy(why))) => {
            assert!(why.contains("another server"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    issue(
        &ward.ca,
        &ward.csr("first.example.org").await,
        server::wall_clock(),
    )
    .await
    .unwrap();
    assert_whole(&ward.ca).await;
    ward.stop().await;
}

/// R36: behind the last recorded event nothing is issued; what NTP corrects is tolerated, a jump forward is time.
#[tokio::test(flavor = "multi_thread")]
async fn r36_a_clock_that_jumps() {
    let ward = Ward::start().await;
    let csr = ward.csr("clock.example.org").await;
    let now = server::wall_clock();
    issue(&ward.ca, &csr, now).await.unwrap();
    let size = ward.ca.store().log_size().await.unwrap();
    for back in [3_600_000, 86_400_000, now.0, now.0 + 1_000_000_000_000] {
        match issue(&ward.ca, &csr, Timestamp(now.0 - back)).await {
            Err(CaError::Refused(refusal)) => {
                assert_eq!(refusal.rule, "clock", "{refusal}");
                assert!(refusal.accepted.is_some());
            }
            other => panic!("{back} ms back: {other:?}"),
        }
    }
    let events = ward.ca.store().events(size, 100).await.unwrap();
    let refused = events.iter().filter(|entry| {
        let event: Value = serde_json::from_slice(&entry.body).unwrap();
        event["outcome"] == "refused" && event["why"].as_str().unwrap().contains("[clock;")
    });
    assert_eq!(refused.count(), 4);
    issue(&ward.ca, &csr, Timestamp(now.0 - 200_000))
        .await
        .unwrap();
    issue(&ward.ca, &csr, server::wall_clock()).await.unwrap();
    assert_whole(&ward.ca).await;

    // Years ahead the issuer's own certificate ends; far ahead there is no such date (RFC 5280 §4.1.2.5).
    for ahead in [50 * 365, 3_000_000] {
        let then = Timestamp(now.0 + ahead * 86_400_000);
        match issue(&ward.ca, &csr, then).await {
            Err(CaError::Refused(refusal)) => {
                assert_eq!(refusal.rule, "validity.over", "{refusal}")
            }
            other => panic!("{ahead} days ahead: {other:?}"),
        }
    }
    ward.stop().await;
}

/// Everything that was acknowledged: events by number, certificates by fingerprint.
async fn contents(store: &Store) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let mut all = BTreeMap::new();
    for entry in store.events(0, 100_000).await? {
        all.insert(format!("event {}", entry.seq), entry.body);
    }
    let sql = "SELECT hex(sha256), der FROM certificates";
    for row in store.query(sql, Vec::new()).await? {
        all.insert(
            format!("certificate {}", row.text(0)?),
            row.blob(1)?.to_vec(),
        );
    }
    Ok(all)
}

#[derive(Debug, PartialEq)]
enum Found {
    /// Ward does not open it, or says that it is damaged when it reads.
    Refused,
    /// `ward audit verify` says where.
    ByVerification,
    /// Nothing wrong is seen.
    Nothing,
}

/// Opens a database file beside the keys of `house` and uses it as a server would.
async fn examine(house: &Path, file: &[u8], sound: &BTreeMap<String, Vec<u8>>) -> (Found, bool) {
    let dir = TempDir::new().unwrap();
    copy_beside(house, dir.path());
    std::fs::write(dir.path().join("ward.db"), file).unwrap();
    let Ok((store, ca)) = open(dir.path(), "").await else {
        return (Found::Refused, true);
    };
    let Ok(notary) = ca.notary().await else {
        return (Found::Refused, true);
    };
    let report = notary.verify(None, server::wall_clock(), |_, _| ()).await;
    let found = match report {
        Err(_) => Found::Refused,
        Ok(report) if report.is_ok() => Found::Nothing,
        Ok(_) => Found::ByVerification,
    };
    let read = contents(&store).await;
    let complete = read.is_ok_and(|now| sound.iter().all(|(key, body)| now.get(key) == Some(body)));
    (found, complete)
}

fn flipped(file: &[u8], at: usize) -> Vec<u8> {
    let mut damaged = file.to_vec();
    damaged[at] ^= 0x20;
    damaged
}

/// R36: a byte that changes is found when the log is verified, or Ward refuses the file; where neither happens, no
/// event and no certificate has changed (free space, an index, a cached answer).
#[tokio::test(flavor = "multi_thread")]
async fn r36_flipped_and_cut_off_databases_are_noticed() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let house = house(30).await;
    let (store, ca) = open(house.path(), "").await.unwrap();
    let copy = house.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    let sound = contents(&store).await.unwrap();
    drop((store, ca));
    let file = std::fs::read(&copy).unwrap();
    assert_eq!(
        examine(house.path(), &file, &sound).await,
        (Found::Nothing, true)
    );
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));

    // Wherever it falls: how much of the file is of no consequence depends on how many tables are empty.
    for at in (0..file.len()).step_by(file.len() / 96) {
        let (found, complete) = examine(house.path(), &flipped(&file, at), &sound).await;
        assert!(
            found != Found::Nothing || complete,
            "octet {at}: a loss that nobody noticed"
        );
    }
    // In what was acknowledged: always found.
    for (what, body) in sound.iter().step_by(sound.len() / 32) {
        let middle = body.len() / 2;
        let part = &body[middle - 12..middle + 12];
        let places = file.windows(part.len()).enumerate();
        let places: Vec<usize> = places
            .filter_map(|(at, window)| (window == part).then_some(at))
            .collect();
        assert!(!places.is_empty(), "{what} is not in the file");
        let mut damaged = file.clone();
        for at in places {
            damaged[at] ^= 0x20;
        }
        let (found, _) = examine(house.path(), &damaged, &sound).await;
        assert_ne!(found, Found::Nothing, "{what}");
    }

    for part in [
        0,
        1,
        99,
        100,
        4096,
        file.len() / 4,
        file.len() / 2,
        file.len() - 4096,
        file.len() - 1,
    ] {
        let (found, complete) = examine(house.path(), &file[..part], &sound).await;
        assert!(
            found != Found::Nothing || complete,
            "{part} octets left: {found:?}"
        );
    }
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

//! What can happen to a file: it fills up, cannot be written to, is damaged, is held by another.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::time::Duration;

use store::{Store, StoreError, Write, params};

use crate::killed::this_test;
use crate::support::{MIGRATED, Place, ROOM, admin, check_log, event, names, thing};

fn heavy(name: &str) -> Write {
    let add = "INSERT INTO things(name, body) VALUES($1, $2)";
    Write::new(event(name))
        .unwrap()
        .run(add, params![name, vec![7u8; 20_000]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_refuses_what_does_not_fit_and_loses_nothing() {
    let place = Place::sqlite();
    let limited = format!("{}?max_pages=100", place.url);
    let store = Store::open(&limited, ROOM).await.unwrap();
    let writers = (0..40).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(heavy(&n.to_string())).await })
    });
    let mut kept = 0;
    let mut refused = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(_) => kept += 1,
            Err(StoreError::Full(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(kept >= 5 && refused >= 20, "{kept} kept, {refused} refused");
    assert_eq!(names(&store).await.len(), kept);
    assert_eq!(check_log(&store).await, MIGRATED + kept as u64);
    drop(store);

    let store = place.open().await;
    store.commit(heavy("room again")).await.unwrap();
    assert_eq!(check_log(&store).await, MIGRATED + kept as u64 + 1);
}

/// As root nothing is read-only, so the attempt is made by somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_refused_by_name() {
    if let Ok(url) = std::env::var("WARD_TEST_READ_ONLY") {
        let refused = Store::open(&url, ROOM).await.err();
        println!("{refused:?}");
        return;
    }
    let place = Place::sqlite();
    drop(place.open().await);
    admin(&place.url, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let everybody = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(place.directory.path(), everybody(0o755)).unwrap();
    fs::set_permissions(place.file(), everybody(0o444)).unwrap();
    let program = place.directory.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = this_test("sqlite::a_read_only_database_is_refused_by_name");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        child = Command::new("setpriv");
        child
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program);
        child.args([
            "--exact",
            "--nocapture",
            "sqlite::a_read_only_database_is_refused_by_name",
        ]);
    }
    let ran = child
        .env("WARD_TEST_READ_ONLY", &place.url)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(
        told.contains("Some(ReadOnly("),
        "{told}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_flips_is_an_error_or_a_matter_for_the_log() {
    let place = Place::sqlite();
    let store = place.open().await;
    for n in 0..300 {
        store.commit(thing(&format!("{n:05}"))).await.unwrap();
    }
    let copy = place.directory.path().join("copy");
    store.backup(&copy).await.unwrap();
    let sound = fs::read(&copy).unwrap();

    let mut noticed = 0;
    for at in (0..sound.len()).step_by(sound.len() / 64) {
        let target = Place::sqlite();
        let mut damaged = sound.clone();
        damaged[at] ^= 0x55;
        fs::write(target.file(), &damaged).unwrap();
        match use_everything(&target).await {
            // The bytes of an event or of a row: what the log is verified for.
            Ok(()) => {}
            // The text of the schema, a version number, the head of the log, a page's structure.
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed >= 5, "only {noticed} of 64");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_off_or_is_none_is_corrupt() {
    let place = Place::sqlite();
    let store = place.open().await;
    for n in 0..100 {
        store.commit(heavy(&n.to_string())).await.unwrap();
    }
    let copy = place.directory.path().join("copy");
    store.backup(&copy).await.unwrap();
    let sound = fs::read(&copy).unwrap();
    let cases = [
        ("cut in the header", sound[..50].to_vec()),
        ("cut in the middle", sound[..sound.len() / 2].to_vec()),
        ("another file", vec![b'x'; 8192]),
        (
            "a changed header",
            [&[0x53, 0x51, 0x4d], &sound[3..]].concat(),
        ),
    ];
    for (what, bytes) in cases {
        let target = Place::sqlite();
        fs::write(target.file(), bytes).unwrap();
        let outcome = use_everything(&target).await;
        assert!(
            matches!(outcome, Err(StoreError::Corrupt(_))),
            "{what}: {outcome:?}"
        );
    }
}

/// Opens, reads, writes and backs up.
async fn use_everything(place: &Place) -> Result<(), StoreError> {
    let store = Store::open(&place.url, ROOM).await?;
    store
        .query(
            "SELECT id, name, weight, body FROM things ORDER BY name",
            vec![],
        )
        .await?;
    store.events(0, 100_000).await?;
    store.commit(thing("new")).await?;
    store.backup(&place.directory.path().join("backup")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_refused() {
    let place = Place::sqlite();
    let (one, two) = (place.open().await, place.open().await);
    let held = one.lock_server().unwrap();
    let refused = two.lock_server();
    assert!(matches!(refused, Err(StoreError::Busy(_))), "{refused:?}");
    assert!(place.directory.path().join("ward.db.lock").exists());
    two.commit(thing("a command beside it")).await.unwrap();
    drop(held);
    two.lock_server().unwrap();
}

/// On a runtime with one thread: if that thread waited, nothing else would happen.
#[tokio::test]
async fn a_commit_waits_for_another_process_to_finish_and_its_thread_does_not() {
    let place = Place::sqlite();
    let store = place.open().await;
    let other = rusqlite::Connection::open(place.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.commit(thing("a")).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    other.execute_batch("COMMIT").unwrap();
    waiting.await.unwrap().unwrap();
}

/// Now one alone, now several at once: whoever writes, nobody is left waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn writers_that_come_and_go_are_all_answered() {
    const EACH: u64 = 300;
    let place = Place::sqlite();
    let store = place.open().await;
    let writers = (0..3).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                let one = store.commit(thing(&format!("{writer}-{number}")));
                let answered = tokio::time::timeout(Duration::from_secs(30), one).await;
                answered.unwrap().unwrap();
                if number % 50 == writer {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(check_log(&store).await, MIGRATED + 3 * EACH);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_for_its_owner_only_and_the_log_beside_it_stays_bounded() {
    let place = Place::sqlite();
    let store = place.open().await;
    let mode = fs::metadata(place.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for round in 0..100 {
        let writers = (0..40).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(heavy(&format!("{round}-{n}"))).await.unwrap() })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    }
    let wal = fs::metadata(place.directory.path().join("ward.db-wal"))
        .unwrap()
        .len();
    assert!(
        wal < 64 << 20,
        "80 MB were written and the write-ahead log has {wal} bytes"
    );
    assert_eq!(check_log(&store).await, MIGRATED + 4000);
}

#[tokio::test]
async fn urls_that_name_no_file_are_refused() {
    for url in [
        "sqlite:",
        "sqlite::memory:",
        "sqlite:/tmp/x?mode=ro",
        "mysql://x",
        "/tmp/x",
    ] {
        let refused = Store::open(url, ROOM).await.err();
        assert!(
            matches!(refused, Some(StoreError::Url(_))),
            "{url}: {refused:?}"
        );
    }
}

/// What a power failure leaves of the write-ahead log is some beginning of it. Whichever that is, a write is not there
/// without those before it, and the log's head fits its events.
#[tokio::test(flavor = "multi_thread")]
async fn no_power_failure_keeps_a_write_and_loses_one_before_it() {
    let place = Place::sqlite();
    let store = place.open().await;
    let order = ["a", "b", "c", "d", "e", "f"];
    for name in order {
        store.commit(thing(name)).await.unwrap();
    }
    let database = fs::read(place.file()).unwrap();
    let wal = fs::read(place.file().with_extension("db-wal")).unwrap();
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let mut lengths = Vec::new();
    for end in (HEADER..=wal.len()).step_by(FRAME) {
        let after = Place::sqlite();
        fs::write(after.file(), &database).unwrap();
        fs::write(after.file().with_extension("db-wal"), &wal[..end]).unwrap();
        let restarted = after.open().await;
        let kept = names(&restarted).await;
        assert_eq!(kept, order[..kept.len()], "{end} bytes of the log");
        let events = check_log(&restarted).await;
        assert_eq!(events, MIGRATED + kept.len() as u64, "{end} bytes");
        lengths.push(kept.len());
    }
    lengths.dedup();
    assert_eq!(lengths, [0, 1, 2, 3, 4, 5, 6]);
}

//! What can happen between Ward and a server: connections that break, answers that are lost, a
//! server that goes and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use store::{Store, StoreError, Write, params};

use crate::proxy::{Proxy, Trick};
use crate::support::{
    MIGRATED, Place, ROOM, admin, check_log, cluster, event, names, script, start_cluster, thing,
};

/// Commits five writes at once while the proxy plays its trick on their COMMIT; all must be
/// acknowledged, and stand once.
async fn stands_once(trick: Trick) {
    let place = Place::postgres().await;
    let database = place.url.rsplit_once('/').unwrap().1;
    let proxy = Proxy::before(cluster(), database, trick).await;
    let store = Store::open(&proxy.url, ROOM).await.unwrap();
    store.commit(thing("before")).await.unwrap();
    proxy.arm();
    let writers = (0..5).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(thing(&n.to_string())).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    assert!(proxy.has_struck());
    assert_eq!(names(&store).await, ["0", "1", "2", "3", "4", "before"]);
    assert_eq!(check_log(&store).await, MIGRATED + 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_applied_and_whose_answer_was_lost_is_acknowledged_once() {
    stands_once(Trick::SwallowReply).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_made_again() {
    stands_once(Trick::CutBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_a_cut_cable_left_open_is_waited_out() {
    stands_once(Trick::Strand).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_killed_again_and_again_lose_and_double_nothing() {
    let place = Place::postgres().await;
    let store = place.open().await;
    let done = Arc::new(AtomicBool::new(false));
    let killer = tokio::spawn({
        let (done, url) = (done.clone(), place.url.clone());
        async move {
            let mut kills = 0;
            while !done.load(SeqCst) {
                let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'ward'";
                admin(&url, kill).await;
                kills += 1;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            kills
        }
    });
    let started = Instant::now();
    let writers = (0..16).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let (mut kept, mut refused) = (0, 0);
            while started.elapsed() < Duration::from_secs(4) {
                match store
                    .commit(thing(&format!("{writer}-{}", kept + refused)))
                    .await
                {
                    Ok(_) => kept += 1,
                    Err(StoreError::Unavailable(_)) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
            (kept, refused)
        })
    });
    let (mut kept, mut refused) = (0, 0);
    for writer in writers.collect::<Vec<_>>() {
        let (more_kept, more_refused) = writer.await.unwrap();
        kept += more_kept;
        refused += more_refused;
    }
    done.store(true, SeqCst);
    let kills = killer.await.unwrap();
    assert!(
        kills > 10 && kept > 100,
        "{kills} kills, {kept} kept, {refused} refused"
    );
    assert_eq!(names(&store).await.len(), kept);
    assert_eq!(check_log(&store).await, MIGRATED + kept as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_and_comes_back_is_used_again() {
    let directory = format!("/tmp/ward-pgc-{}", std::process::id());
    let url = start_cluster(&directory);
    let store = Store::open(&url, ROOM).await.unwrap();
    let back = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|writer| {
        let (store, back) = (store.clone(), back.clone());
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for n in 0.. {
                if back.load(SeqCst) {
                    break; // the crash met a COMMIT, whose fate was looked up afterwards
                }
                let name = format!("{writer}-{n}");
                match store.commit(thing(&name)).await {
                    Ok(_) => kept.push(name),
                    Err(StoreError::Unavailable(_)) => return (kept, false),
                    Err(StoreError::Uncertain(_)) => return (kept, true),
                    Err(other) => panic!("{other:?}"),
                }
            }
            (kept, false)
        })
    });
    let writers: Vec<_> = writers.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let crashed = directory.clone();
    tokio::task::spawn_blocking(move || script(&["crash", &crashed]))
        .await
        .unwrap();
    let reading = store.query("SELECT 1", vec![]).await;
    assert!(
        matches!(reading, Err(StoreError::Unavailable(_))),
        "{reading:?}"
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    let again = directory.clone();
    tokio::task::spawn_blocking(move || script(&["again", &again]))
        .await
        .unwrap();
    back.store(true, SeqCst);
    let (mut acknowledged, mut uncertain) = (Vec::new(), 0);
    for writer in writers {
        let (kept, unknown) = writer.await.unwrap();
        acknowledged.extend(kept);
        uncertain += usize::from(unknown);
    }
    store.commit(thing("after")).await.unwrap();
    let stored = names(&store).await;
    assert!(acknowledged.iter().all(|name| stored.contains(name)));
    let extra = stored.len() - acknowledged.len() - 1;
    assert!(
        extra <= uncertain,
        "{extra} stand though they were reported failed"
    );
    assert_eq!(check_log(&store).await, MIGRATED + stored.len() as u64);
    drop(store);
    tokio::task::spawn_blocking(move || script(&["stop", &directory]))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn numerics_are_read_when_they_are_whole() {
    let store = Place::postgres().await.open().await;
    let read = async |sql: &'static str| store.query(sql, vec![]).await.map(|rows| rows[0].int(0));
    let whole: [(&'static str, i64); 7] = [
        ("SELECT 0::numeric", 0),
        ("SELECT 1.000::numeric", 1),
        ("SELECT -123456::numeric", -123_456),
        ("SELECT 12340000::numeric", 12_340_000),
        ("SELECT 9223372036854775807::numeric", i64::MAX),
        ("SELECT -9223372036854775808::numeric", i64::MIN),
        ("SELECT true", 1),
    ];
    for (sql, value) in whole {
        assert_eq!(read(sql).await, Ok(Ok(value)), "{sql}");
    }
    for sql in [
        "SELECT 0.5::numeric",
        "SELECT 10.25",
        "SELECT 9223372036854775808::numeric",
        "SELECT 'NaN'::numeric",
    ] {
        assert!(read(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_that_is_checked_at_commit_fails_its_write_alone() {
    let place = Place::postgres().await;
    let store = place.open().await;
    admin(
        &place.url,
        "CREATE TABLE late(id BIGINT, UNIQUE(id) DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let late = |n: i64| {
        let add = "INSERT INTO late(id) VALUES($1)";
        Write::new(event("late"))
            .unwrap()
            .run(add, params![n])
            .run(add, params![n / 2 * 2])
    };
    let writers = (0..10).map(|n| {
        let store = store.clone();
        let write = if n % 2 == 0 {
            late(n * 10)
        } else {
            thing(&n.to_string())
        };
        tokio::spawn(async move { store.commit(write).await })
    });
    for (n, writer) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        let outcome = writer.await.unwrap();
        match n % 2 {
            0 => assert!(
                matches!(outcome, Err(StoreError::Duplicate(_))),
                "{outcome:?}"
            ),
            _ => assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
    assert_eq!(check_log(&store).await, MIGRATED + 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn unverified_encryption_is_refused() {
    for url in [
        "postgres://ward@127.0.0.1/x?sslmode=require",
        "postgres://w@h/x?sslrootcert=/nowhere",
    ] {
        let refused = Store::open(url, ROOM).await.err();
        assert!(matches!(refused, Some(StoreError::Url(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_verified_name_and_issuer() {
    let directory = format!("/tmp/ward-pgt-{}", std::process::id());
    start_cluster(&directory);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    script(&["tls", &directory, &port.to_string()]);

    let verified =
        format!("postgres://ward@localhost:{port}/postgres?sslrootcert={directory}/ca.crt");
    let store = Store::open(&verified, ROOM).await.unwrap();
    let used = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(store.query(used, vec![]).await.unwrap()[0].int(0), Ok(1));
    store.commit(thing("a")).await.unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    let another = elsewhere.path().join("other.crt");
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=other",
            "-keyout",
        ])
        .args([
            another.with_extension("key"),
            "-out".into(),
            another.clone(),
        ])
        .output()
        .unwrap();
    assert!(made.status.success());
    let misnamed = verified.replace("localhost", "127.0.0.1");
    let foreign = format!(
        "postgres://ward@localhost:{port}/postgres?sslrootcert={}",
        another.display()
    );
    for url in [misnamed, foreign] {
        let refused = Store::open(&url, ROOM).await.err();
        assert!(
            matches!(refused, Some(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
    drop(store);
    script(&["stop", &directory]);
}

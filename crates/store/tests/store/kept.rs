//! What outlives a program: the schema's way forward, and backups, on either database.

use std::time::Duration;

use store::{Migration, Store, StoreError, Write, params};

use crate::support::{MIGRATED, Place, ROOM, admin, check_log, event, names, on_both, put, thing};

on_both!(
    opening_again_migrates_nothing,
    migrations_go_forward_and_are_audited,
    a_newer_database_is_refused,
    a_changed_migration_is_refused,
    a_failed_migration_leaves_nothing,
    gaps_between_migrations_are_refused,
    stores_that_open_at_once_migrate_once,
    a_backup_restores_to_either_database,
    a_backup_overwrites_nothing,
    a_restore_overwrites_nothing,
    a_backup_beside_writers_is_consistent,
);

async fn opening_again_migrates_nothing(place: Place) {
    let store = place.open().await;
    store.commit(thing("a")).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(names(&store).await, ["a"]);
    assert_eq!(check_log(&store).await, MIGRATED + 1);
}

/// A second version of the room.
const LATER: &[Migration] = &[
    ROOM[0],
    Migration {
        room: "shelf",
        version: 2,
        sql: "ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';",
        postgres: None,
    },
];

async fn migrations_go_forward_and_are_audited(place: Place) {
    let store = place.open().await;
    store.commit(thing("a")).await.unwrap();
    drop(store);
    let store = Store::open(&place.url, LATER).await.unwrap();
    let rows = store
        .query("SELECT colour FROM things", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "grey");
    assert_eq!(check_log(&store).await, MIGRATED + 2);
    let entry = store.events(MIGRATED + 1, 1).await.unwrap().remove(0);
    let event = audit::Event::parse(&entry.body).unwrap();
    assert_eq!(
        (&*event.action, event.object.id.as_str()),
        ("schema.migrate", "shelf/2")
    );
    assert!(event.time.0 > 1_700_000_000_000, "the database's clock");
}

async fn a_newer_database_is_refused(place: Place) {
    drop(Store::open(&place.url, LATER).await.unwrap());
    let refused = Store::open(&place.url, ROOM).await.err();
    let newer = StoreError::Newer {
        room: "shelf".into(),
        found: 2,
        known: 1,
    };
    assert_eq!(refused, Some(newer));
    let refused = Store::open(&place.url, &[]).await.err();
    assert!(
        matches!(refused, Some(StoreError::Newer { known: 0, .. })),
        "{refused:?}"
    );
}

async fn a_changed_migration_is_refused(place: Place) {
    drop(place.open().await);
    let changed = [Migration {
        sql: "CREATE TABLE things(id INTEGER PRIMARY KEY);",
        ..ROOM[0]
    }];
    let refused = Store::open(&place.url, &changed).await.err();
    let expected = StoreError::MigrationChanged {
        room: "shelf".into(),
        version: 1,
    };
    assert_eq!(refused, Some(expected));
}

async fn a_failed_migration_leaves_nothing(place: Place) {
    drop(place.open().await);
    let broken = [
        LATER[0],
        LATER[1],
        Migration {
            room: "shelf",
            version: 3,
            sql: "CREATE TABLE more(id INTEGER PRIMARY KEY); CREATE TABLE things(id INTEGER PRIMARY KEY);",
            postgres: None,
        },
    ];
    assert!(Store::open(&place.url, &broken).await.is_err());
    let store = place.open().await;
    assert_eq!(check_log(&store).await, MIGRATED);
    assert!(
        store
            .query("SELECT colour FROM things", vec![])
            .await
            .is_err()
    );
}

async fn gaps_between_migrations_are_refused(place: Place) {
    let gap = [Migration {
        version: 2,
        ..ROOM[0]
    }];
    let refused = Store::open(&place.url, &gap).await.err();
    assert_eq!(refused, Some(StoreError::MigrationOrder("shelf")));
}

async fn stores_that_open_at_once_migrate_once(place: Place) {
    let opening = (0..6).map(|_| {
        let url = place.url.clone();
        tokio::spawn(async move { Store::open(&url, ROOM).await.unwrap() })
    });
    for open in opening.collect::<Vec<_>>() {
        assert_eq!(open.await.unwrap().log_size().await.unwrap(), MIGRATED);
    }
}

async fn a_backup_restores_to_either_database(place: Place) {
    let store = place.open().await;
    for n in 0..300 {
        store.commit(thing(&format!("{n:03}"))).await.unwrap();
    }
    store.commit(put(0, "kept", 5)).await.unwrap();
    let whole = Write::new(event("p")).unwrap().run(
        "INSERT INTO parts(thing, name) SELECT id, 'wheel' FROM things WHERE name = $1",
        params!["007"],
    );
    store.commit(whole).await.unwrap();
    let head = store.log_head().await.unwrap();
    let backup = place.directory.path().join("backup");
    store.backup(&backup).await.unwrap();

    let same = place.another().await;
    let other = match place.is_sqlite() {
        true => Place::postgres().await,
        false => Place::sqlite(),
    };
    for target in [same, other] {
        store::restore(&backup, &target.url, ROOM).await.unwrap();
        let restored = target.open().await;
        assert_eq!(restored.log_head().await.unwrap(), head);
        check_log(&restored).await;
        assert_eq!(names(&restored).await, names(&store).await);
        assert_eq!(
            restored.record("profile", "tls").await.unwrap(),
            store.record("profile", "tls").await.unwrap()
        );
        restored.commit(thing("after")).await.unwrap();
        let rows = restored
            .query("SELECT id FROM things WHERE name = 'after'", vec![])
            .await
            .unwrap();
        assert_eq!(rows[0].int(0).unwrap(), 301, "numbering goes on");
    }
}

async fn a_backup_overwrites_nothing(place: Place) {
    let store = place.open().await;
    let there = place.directory.path().join("there");
    std::fs::write(&there, "precious").unwrap();
    let refused = store.backup(&there).await;
    assert!(matches!(refused, Err(StoreError::Backup(_))), "{refused:?}");
    assert_eq!(std::fs::read(&there).unwrap(), b"precious");
    let nowhere = place.directory.path().join("no/such/place");
    let refused = store.backup(&nowhere).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let left: Vec<_> = std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains("partial")),
        "{left:?}"
    );
}

async fn a_restore_overwrites_nothing(place: Place) {
    let store = place.open().await;
    store.commit(thing("mine")).await.unwrap();
    let backup = place.directory.path().join("backup");
    store.backup(&backup).await.unwrap();
    store.commit(thing("later")).await.unwrap();
    let refused = store::restore(&backup, &place.url, ROOM).await;
    assert!(matches!(refused, Err(StoreError::Backup(_))), "{refused:?}");
    assert_eq!(names(&store).await, ["later", "mine"]);
    let junk = place.directory.path().join("junk");
    std::fs::write(&junk, "this is not a database, whatever else it may be").unwrap();
    let refused = store::restore(&junk, &place.another().await.url, ROOM).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt(_))),
        "{refused:?}"
    );
}

async fn a_backup_beside_writers_is_consistent(place: Place) {
    let store = place.open().await;
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..40 {
                store.commit(thing(&format!("{writer}-{n}"))).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let writing = async {
        while store.log_size().await.unwrap() <= MIGRATED + 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), writing)
        .await
        .unwrap();
    let backup = place.directory.path().join("backup");
    store.backup(&backup).await.unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    let target = Place::sqlite();
    store::restore(&backup, &target.url, ROOM).await.unwrap();
    let restored = target.open().await;
    let size = check_log(&restored).await;
    assert_eq!(names(&restored).await.len() as u64, size - MIGRATED);
    admin(&target.url, "PRAGMA integrity_check").await;
}

//! What the store promises, whatever the database.

use std::time::Duration;

use audit::Timestamp;
use store::{StoreError, Write, params};

use crate::support::{MIGRATED, Place, check_log, event, names, on_both, put, thing};

on_both!(
    a_write_and_its_event_stand_together,
    values_come_back_as_they_went_in,
    texts_sort_by_bytes,
    a_failed_write_leaves_nothing_and_hurts_nobody,
    an_unmet_expectation_is_a_conflict,
    writes_that_are_alike_succeed_and_fail_each_for_itself,
    what_one_write_changes_is_not_counted_for_another,
    a_broken_reference_is_refused,
    reading_cannot_write,
    many_writers_make_one_gapless_log,
    a_dropped_commit_still_stands,
    two_stores_share_one_log,
    growth_is_seen_across_stores,
    a_statement_with_a_mistake_fails_alone,
    a_search_ends_with_its_budget,
    records_keep_every_version,
    records_survive_a_clock_that_runs_back,
    a_lease_has_one_holder,
    a_claim_has_one_winner,
    checkpoints_are_kept,
);

async fn a_write_and_its_event_stand_together(place: Place) {
    let store = place.open().await;
    let committed = store.commit(thing("a")).await.unwrap();
    assert_eq!(
        (committed.first_seq, committed.size),
        (MIGRATED, MIGRATED + 1)
    );
    assert_eq!(names(&store).await, ["a"]);
    let entry = store.events(MIGRATED, 10).await.unwrap().remove(0);
    assert_eq!(entry.body, event("a").seal().unwrap().body);

    let twice = thing("b").event(event("more")).unwrap();
    let committed = store.commit(twice).await.unwrap();
    assert_eq!(
        (committed.first_seq, committed.size),
        (MIGRATED + 1, MIGRATED + 3)
    );
    assert_eq!(
        store.leaves(0, 100).await.unwrap().len() as u64,
        MIGRATED + 3
    );
    check_log(&store).await;
}

async fn values_come_back_as_they_went_in(place: Place) {
    let store = place.open().await;
    let add = "INSERT INTO things(body, id, name, weight) VALUES($4, $1, $2, $3)";
    let write = Write::new(event("x"))
        .unwrap()
        .run(
            add,
            params![i64::MAX, "ü ' \" $1 ?1", i64::MIN, vec![0u8, 255]],
        )
        .run(add, params![1, "none", None::<i64>, None::<Vec<u8>>]);
    store.commit(write).await.unwrap();
    let all =
        "SELECT id, name, weight, body, weight IS NULL FROM things WHERE id >= $1 ORDER BY id DESC";
    let rows = store.query(all, params![0]).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), i64::MAX);
    assert_eq!(rows[0].text(1).unwrap(), "ü ' \" $1 ?1");
    assert_eq!(rows[0].opt_int(2).unwrap(), Some(i64::MIN));
    assert_eq!(rows[0].blob(3).unwrap(), [0, 255]);
    assert_eq!(rows[0].int(4).unwrap(), 0);
    assert_eq!(
        (rows[1].opt_int(2).unwrap(), rows[1].opt_blob(3).unwrap()),
        (None, None)
    );
    assert_eq!(rows[1].opt_text(1).unwrap(), Some("none"));
    assert!(matches!(rows[1].int(2), Err(StoreError::Value(_))));
    assert!(matches!(rows[1].int(1), Err(StoreError::Value(_))));
    assert!(matches!(rows[1].int(9), Err(StoreError::Value(_))));
    let sums = "SELECT COUNT(*), SUM(id - id + 7), MAX(id), COALESCE(SUM(weight), 0) FROM things WHERE id = 1";
    let rows = store.query(sums, vec![]).await.unwrap();
    let sums: Vec<i64> = (0..4).map(|at| rows[0].int(at).unwrap()).collect();
    assert_eq!(sums, [1, 7, 1, 0]);
}

async fn texts_sort_by_bytes(place: Place) {
    let store = place.open().await;
    for name in ["b", "B", "a", "_", "ä", "Z"] {
        store.commit(thing(name)).await.unwrap();
    }
    assert_eq!(names(&store).await, ["B", "Z", "_", "a", "b", "ä"]);
}

async fn a_failed_write_leaves_nothing_and_hurts_nobody(place: Place) {
    let store = place.open().await;
    store.commit(thing("taken")).await.unwrap();
    let attempts = (0..200).map(|n| {
        let store = store.clone();
        let write = match n % 10 {
            0 => thing(&format!("lost-{n}"))
                .run("INSERT INTO things(name) VALUES($1)", params!["taken"]),
            _ => thing(&format!("kept-{n}")),
        };
        tokio::spawn(async move { (n, store.commit(write).await) })
    });
    for attempt in attempts.collect::<Vec<_>>() {
        let (n, outcome) = attempt.await.unwrap();
        match n % 10 {
            0 => assert!(
                matches!(outcome, Err(StoreError::Duplicate(_))),
                "{outcome:?}"
            ),
            _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
    let names = names(&store).await;
    assert_eq!(names.len(), 181);
    assert!(!names.iter().any(|name| name.starts_with("lost")));
    assert_eq!(check_log(&store).await, MIGRATED + 181);
}

async fn an_unmet_expectation_is_a_conflict(place: Place) {
    let store = place.open().await;
    store.commit(thing("a")).await.unwrap();
    let change = "UPDATE things SET weight = weight + 1 WHERE name = $1";
    let write = |name: &str| {
        thing(&format!("with-{name}")).run_expecting(1, change, params![name], "it is gone")
    };
    store.commit(write("a")).await.unwrap();
    let refused = store.commit(write("b")).await;
    assert_eq!(refused, Err(StoreError::Conflict("it is gone")));
    assert_eq!(names(&store).await, ["a", "with-a"]);
    assert_eq!(check_log(&store).await, MIGRATED + 2);
}

/// Takes a thing away by name, which must be there, and puts another.
async fn writes_that_are_alike_succeed_and_fail_each_for_itself(place: Place) {
    let store = place.open().await;
    store.commit(thing("whole")).await.unwrap();
    for n in 0..50 {
        store.commit(thing(&format!("old-{n}"))).await.unwrap();
    }
    let part = "INSERT INTO parts(thing, name) VALUES($1, $2)";
    let attempts = (0..60).map(|n| {
        let store = store.clone();
        // The first ten want the same one; the last ten want one that was never there.
        let taken = if n < 10 { 5 } else { n };
        let write = Write::new(event(&n.to_string()))
            .unwrap()
            .run_expecting(
                1,
                "DELETE FROM things WHERE name = $1",
                params![format!("old-{taken}")],
                "it is gone",
            )
            .run(part, params![1, format!("new-{n}")]);
        tokio::spawn(async move { store.commit(write).await })
    });
    let mut outcomes = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        outcomes.push(attempt.await.unwrap());
    }
    let conflict = Err(StoreError::Conflict("it is gone"));
    let same_name = &outcomes[..10];
    assert_eq!(same_name.iter().filter(|one| one.is_ok()).count(), 1);
    let late = same_name.iter().filter(|one| **one == conflict).count();
    assert_eq!(late, 9);
    assert!(outcomes[10..50].iter().all(Result::is_ok));
    assert!(outcomes[50..].iter().all(|one| *one == conflict));
    let parts = store.query("SELECT name FROM parts", vec![]).await.unwrap();
    assert_eq!(parts.len(), 41);
    assert_eq!(check_log(&store).await, MIGRATED + 51 + 41);
}

async fn what_one_write_changes_is_not_counted_for_another(place: Place) {
    let store = place.open().await;
    let add = "INSERT INTO things(name, weight) VALUES($1, $2)";
    for (name, weight) in [("a", 7), ("b", 7), ("c", 9)] {
        let write = Write::new(event(name)).unwrap();
        let write = write.run(add, params![name, weight]);
        store.commit(write).await.unwrap();
    }
    // Two rows of weight 7 and none of weight 8: each is wrong, though together it is two.
    let attempts = [7, 8, 7, 8, 9].map(|weight| {
        let store = store.clone();
        let write = Write::new(event("w")).unwrap().run_expecting(
            1,
            "DELETE FROM things WHERE weight = $1",
            params![weight],
            "not one",
        );
        tokio::spawn(async move { store.commit(write).await })
    });
    let mut outcomes = Vec::new();
    for attempt in attempts {
        outcomes.push(attempt.await.unwrap());
    }
    let (last, others) = outcomes.split_last().unwrap();
    let conflict = Err(StoreError::Conflict("not one"));
    assert!(last.is_ok() && others.iter().all(|one| *one == conflict));
    assert_eq!(names(&store).await, ["a", "b"]);
}

async fn a_broken_reference_is_refused(place: Place) {
    let store = place.open().await;
    let add = "INSERT INTO parts(thing, name) VALUES($1, $2)";
    let write = Write::new(event("p"))
        .unwrap()
        .run(add, params![99, "wheel"]);
    let refused = store.commit(write).await;
    assert!(
        matches!(refused, Err(StoreError::Constraint(_))),
        "{refused:?}"
    );
    assert_eq!(check_log(&store).await, MIGRATED);
}

async fn reading_cannot_write(place: Place) {
    let store = place.open().await;
    let tried = store
        .query("INSERT INTO things(name) VALUES('x')", vec![])
        .await;
    assert!(matches!(tried, Err(StoreError::ReadOnly(_))), "{tried:?}");
    assert!(names(&store).await.is_empty());
}

async fn many_writers_make_one_gapless_log(place: Place) {
    let store = place.open().await;
    let writers = (0..64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut seqs = Vec::new();
            for n in 0..8 {
                let committed = store.commit(thing(&format!("{writer}-{n}"))).await.unwrap();
                seqs.push(committed.first_seq);
            }
            seqs
        })
    });
    let mut seqs = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        seqs.extend(writer.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (MIGRATED..MIGRATED + 512).collect::<Vec<_>>());
    assert_eq!(check_log(&store).await, MIGRATED + 512);
}

async fn a_dropped_commit_still_stands(place: Place) {
    let store = place.open().await;
    let commit = store.commit(thing("a"));
    let _ = tokio::time::timeout(Duration::from_micros(1), commit).await;
    store.commit(thing("b")).await.unwrap();
    let names = names(&store).await;
    assert!(names.contains(&"b".to_owned()));
    assert_eq!(check_log(&store).await, MIGRATED + names.len() as u64);
}

async fn two_stores_share_one_log(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let writers = (0..100).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { store.commit(thing(&n.to_string())).await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(names(&one).await.len(), 100);
    assert_eq!(check_log(&two).await, MIGRATED + 100);
}

async fn growth_is_seen_across_stores(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let long = Duration::from_secs(20);
    for (waits, writes) in [(one.clone(), one.clone()), (one.clone(), two.clone())] {
        let size = waits.log_size().await.unwrap();
        let waiting = tokio::spawn(async move { waits.follow(size, long).await });
        writes.commit(thing(&size.to_string())).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), size..size + 1);
    }
    let size = one.log_size().await.unwrap();
    let unchanged = one.follow(size, Duration::from_millis(50)).await;
    assert_eq!(unchanged.unwrap(), size..size);
    assert_eq!(one.unread(size).await.unwrap(), size..size);
    assert_eq!(one.unread(0).await.unwrap(), 0..size);
    // What this process wrote as routine is passed over by itself and read by the other.
    one.commit(thing("routine").routine()).await.unwrap();
    assert_eq!(
        one.follow(size, long).await.unwrap(),
        size + 1..size + 1,
        "its own"
    );
    assert_eq!(
        two.follow(size, long).await.unwrap(),
        size..size + 1,
        "another's"
    );
    let own = one.unread(size).await.unwrap();
    assert_eq!(own, size + 1..size + 1, "whoever looks now and then, too");
    assert_eq!(two.unread(size).await.unwrap(), size..size + 1);
    two.commit(thing("foreign").routine()).await.unwrap();
    one.commit(thing("own").routine()).await.unwrap();
    assert_eq!(
        one.follow(size + 1, long).await.unwrap(),
        size + 1..size + 2,
        "another's before its own"
    );
    assert_eq!(one.unread(size + 1).await.unwrap(), size + 1..size + 2);
    assert_eq!(one.unread(size + 2).await.unwrap(), size + 3..size + 3);
}

async fn a_statement_with_a_mistake_fails_alone(place: Place) {
    let store = place.open().await;
    let attempts = (0..20).map(|n| {
        let store = store.clone();
        let write = match n {
            7 => thing("bad").run("INSERT INTO nowhere VALUES($1)", params![1]),
            9 => thing("worse").run("UPDATE things SET weight = $1 WHERE name = 'x'", params![]),
            _ => thing(&n.to_string()),
        };
        tokio::spawn(async move { store.commit(write).await })
    });
    let mut failed = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        failed += usize::from(attempt.await.unwrap().is_err());
    }
    assert_eq!(failed, 2);
    assert_eq!(names(&store).await.len(), 18);
    assert_eq!(check_log(&store).await, MIGRATED + 18);
}

/// R52
async fn records_keep_every_version(place: Place) {
    let store = place.open().await;
    store.commit(put(0, "one", 100)).await.unwrap();
    assert!(matches!(
        store.commit(put(0, "again", 150)).await,
        Err(StoreError::Conflict(_))
    ));
    store.commit(put(1, "two", 200)).await.unwrap();
    assert!(matches!(
        store.commit(put(1, "late", 250)).await,
        Err(StoreError::Conflict(_))
    ));
    let remove = Write::new(event("tls")).unwrap();
    store
        .commit(remove.remove_record("profile", "tls", 2, Timestamp(300)))
        .await
        .unwrap();
    assert_eq!(store.record("profile", "tls").await.unwrap(), None);
    store.commit(put(0, "three", 400)).await.unwrap();
    let other = Write::new(event("ssh")).unwrap();
    store
        .commit(
            other
                .put_record("profile", "ssh", 0, &7, Timestamp(250))
                .unwrap(),
        )
        .await
        .unwrap();

    let current = store.record("profile", "tls").await.unwrap().unwrap();
    assert_eq!(
        (current.version, current.parse::<String>().unwrap().as_str()),
        (3, "three")
    );
    assert_eq!(current.valid_to, None);
    let cases = [
        (99, None),
        (100, Some("one")),
        (199, Some("one")),
        (200, Some("two")),
        (299, Some("two")),
        (300, None),
        (399, None),
        (400, Some("three")),
    ];
    for (at, body) in cases {
        let then = store
            .record_as_of("profile", "tls", Timestamp(at))
            .await
            .unwrap();
        let then = then.map(|record| record.parse::<String>().unwrap());
        assert_eq!(then.as_deref(), body, "at {at}");
    }
    let ids = |records: Vec<store::Record>| {
        records
            .into_iter()
            .map(|record| record.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(store.records("profile").await.unwrap()), ["ssh", "tls"]);
    assert_eq!(
        ids(store
            .records_as_of("profile", Timestamp(249))
            .await
            .unwrap()),
        ["tls"]
    );
    assert_eq!(
        ids(store
            .records_as_of("profile", Timestamp(350))
            .await
            .unwrap()),
        ["ssh"]
    );
    assert_eq!(
        store.record_versions("profile", "tls").await.unwrap().len(),
        3
    );
    assert!(current.parse::<i64>().is_err());
}

async fn records_survive_a_clock_that_runs_back(place: Place) {
    let store = place.open().await;
    store.commit(put(0, "one", 1000)).await.unwrap();
    store.commit(put(1, "two", 500)).await.unwrap();
    let remove = Write::new(event("tls")).unwrap();
    store
        .commit(remove.remove_record("profile", "tls", 2, Timestamp(400)))
        .await
        .unwrap();
    store.commit(put(0, "three", 300)).await.unwrap();
    let versions = store.record_versions("profile", "tls").await.unwrap();
    let spans: Vec<_> = versions
        .iter()
        .map(|v| (v.valid_from.0, v.valid_to.map(|to| to.0)))
        .collect();
    assert_eq!(
        spans,
        [(1000, Some(1000)), (1000, Some(1000)), (1000, None)]
    );
}

async fn a_lease_has_one_holder(place: Place) {
    let store = place.open().await;
    let ttl = Duration::from_millis(100);
    let lease = |holder: &'static str, now: i64| {
        let store = store.clone();
        async move {
            store
                .lease("crl", holder, ttl, Timestamp(now))
                .await
                .unwrap()
        }
    };
    assert!(lease("a", 0).await);
    assert!(!lease("b", 50).await);
    assert!(lease("a", 90).await);
    assert!(!lease("b", 189).await);
    assert!(lease("b", 190).await);
    assert!(!lease("a", 200).await);
    store.end_lease("crl", "a").await.unwrap();
    assert!(!lease("a", 210).await);
    store.end_lease("crl", "b").await.unwrap();
    assert!(lease("a", 220).await);
    assert_eq!(check_log(&store).await, MIGRATED);

    let contenders = (0..20).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .lease("ocsp", &n.to_string(), ttl, Timestamp(0))
                .await
                .unwrap()
        })
    });
    let mut holders = 0;
    for contender in contenders.collect::<Vec<_>>() {
        holders += usize::from(contender.await.unwrap());
    }
    assert_eq!(holders, 1);
}

/// What may be used once is used once, whichever node asks, until it is forgotten.
async fn a_claim_has_one_winner(place: Place) {
    let store = place.open().await;
    let other = place.open().await;
    let until = Timestamp(5_000);
    assert!(store.claim("nonce", b"a".to_vec(), until).await.unwrap());
    for store in [&store, &other] {
        assert!(!store.claim("nonce", b"a".to_vec(), until).await.unwrap());
    }
    assert!(other.claim("other", b"a".to_vec(), until).await.unwrap());
    for at in 0u8..50 {
        let both = tokio::join!(
            store.claim("nonce", vec![at], Timestamp(9_000)),
            other.claim("nonce", vec![at], Timestamp(9_000)),
        );
        assert_ne!(both.0.unwrap(), both.1.unwrap());
    }
    let drop = |now| store.drop_claims("nonce", Timestamp(now));
    assert_eq!(drop(4_999).await.unwrap(), 0);
    assert_eq!(drop(5_000).await.unwrap(), 1);
    assert!(store.claim("nonce", b"a".to_vec(), until).await.unwrap());
    assert!(!other.claim("other", b"a".to_vec(), until).await.unwrap());
    assert_eq!(drop(9_000).await.unwrap(), 51);
    assert_eq!(check_log(&store).await, MIGRATED);
}

async fn checkpoints_are_kept(place: Place) {
    let store = place.open().await;
    assert_eq!(store.newest_checkpoint().await.unwrap(), None);
    for (size, note) in [(2, "two"), (5, "five"), (5, "five again")] {
        store
            .save_checkpoint(size, note, Timestamp(9))
            .await
            .unwrap();
    }
    let newest = store.newest_checkpoint().await.unwrap().unwrap();
    assert_eq!((newest.size, newest.note.as_str()), (5, "five again"));
    let all = store.checkpoints(0, 10).await.unwrap();
    assert_eq!(
        all.iter()
            .map(|checkpoint| checkpoint.size)
            .collect::<Vec<_>>(),
        [2, 5]
    );
    assert_eq!(check_log(&store).await, MIGRATED);
}

async fn a_search_ends_with_its_budget(place: Place) {
    let store = place.open().await;
    store.commit(thing("a")).await.unwrap();
    let second = Duration::from_secs(1);
    let by_name = |name: &str| {
        let sql = format!("SELECT name FROM things WHERE name {name} $1");
        let store = store.clone();
        async move { store.search(&sql, params!["a"], second * 20).await }
    };
    assert_eq!(by_name("=").await.unwrap()[0].text(0).unwrap(), "a");
    assert!(by_name("<>").await.unwrap().is_empty());

    let endless = "WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 4000000000) \
        SELECT COUNT(*) FROM n";
    // As many as there are connections for it, twice: what was given up leaves its connection to the next.
    for _ in 0..4 {
        let found = store.search(endless, params![1], second / 5).await;
        assert!(matches!(found, Err(StoreError::GaveUp(_))), "{found:?}");
    }
    assert_eq!(by_name("=").await.unwrap().len(), 1);

    let writes = "DELETE FROM things RETURNING name";
    assert!(store.search(writes, params![], second * 20).await.is_err());
    assert_eq!(names(&store).await, ["a"]);
}

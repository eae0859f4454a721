//! What one write does with one text again and again, which PostgreSQL does in one statement: it is as if every statement
//! had come by itself, on both databases.

use store::{StoreError, Write, params};

use crate::support::{Place, check_log, event, on_both};

on_both!(
    alike_statements_of_one_write_come_one_after_the_other,
    a_run_that_fails_leaves_nothing,
    a_long_run_is_whole,
);

const ADD: &str = "INSERT INTO things(id, name, weight, body) VALUES($1, $2, $3, $4)";
const PART: &str = "INSERT INTO parts(thing, name) VALUES($1, $2) ON CONFLICT DO NOTHING";
const WEIGH: &str = "UPDATE things SET weight = $2, body = $3 WHERE id = $1";
const WEIGH_UNKNOWN: &str = "UPDATE things SET weight = $2 WHERE id = $1 AND weight IS NULL";
const REMOVE: &str = "DELETE FROM parts WHERE thing = $1 AND name = $2";

async fn rows(store: &store::Store, sql: &'static str) -> Vec<Vec<store::Value>> {
    let rows = store.query(sql, vec![]).await.unwrap();
    rows.into_iter().map(store::Row::into_values).collect()
}

async fn alike_statements_of_one_write_come_one_after_the_other(place: Place) {
    let store = place.open().await;
    let mut write = Write::new(event("all")).unwrap();
    for (id, weight) in [(1, Some(10)), (2, None), (3, Some(30)), (4, None)] {
        write = write.run(
            ADD,
            params![id, format!("thing {id}"), weight, None::<Vec<u8>>],
        );
    }
    for (thing, name) in [(1, "a"), (1, "b"), (1, "a"), (2, "a"), (3, "c"), (3, "c")] {
        write = write.run(PART, params![thing, name]);
    }
    // The same row twice and a third time: the last word counts.
    for (id, weight) in [(1, 11), (3, 31), (1, 12), (9, 90), (1, 13), (3, 32)] {
        write = write.run(WEIGH, params![id, weight, vec![7_u8, 0]]);
    }
    for (id, weight) in [(1, 1), (2, 22), (2, 23), (4, 44)] {
        write = write.run(WEIGH_UNKNOWN, params![id, weight]);
    }
    for (thing, name) in [(1, "a"), (3, "nothing"), (3, "c"), (3, "c")] {
        write = write.run(REMOVE, params![thing, name]);
    }
    store.commit(write).await.unwrap();
    let things = rows(&store, "SELECT id, weight, body FROM things ORDER BY id").await;
    let body = Some(vec![7_u8, 0]);
    assert_eq!(
        things,
        [
            params![1, 13, body.clone()],
            params![2, 22, None::<Vec<u8>>],
            params![3, 32, body],
            params![4, 44, None::<Vec<u8>>],
        ]
    );
    let parts = rows(&store, "SELECT thing, name FROM parts ORDER BY thing, name").await;
    assert_eq!(parts, [params![1, "b"], params![2, "a"]]);
    check_log(&store).await;
}

async fn a_run_that_fails_leaves_nothing(place: Place) {
    let store = place.open().await;
    let add = |mut write: Write, names: [&str; 3]| {
        for (id, name) in (1..).zip(names) {
            write = write.run(ADD, params![id, name, None::<i64>, None::<Vec<u8>>]);
        }
        write
    };
    let twice = add(Write::new(event("twice")).unwrap(), ["a", "b", "a"]);
    let refused = store.commit(twice).await;
    assert!(
        matches!(refused, Err(StoreError::Duplicate(_))),
        "{refused:?}"
    );
    let unmet = add(Write::new(event("unmet")).unwrap(), ["a", "b", "c"]).run_expecting(
        1,
        "UPDATE things SET name = $2 WHERE id = $1",
        params![9, "d"],
        "there is no ninth",
    );
    let refused = store.commit(unmet).await;
    assert_eq!(refused, Err(StoreError::Conflict("there is no ninth")));
    assert!(rows(&store, "SELECT id FROM things").await.is_empty());
    let right = add(Write::new(event("right")).unwrap(), ["a", "b", "c"]);
    store.commit(right).await.unwrap();
    assert_eq!(rows(&store, "SELECT id FROM things").await.len(), 3);
    check_log(&store).await;
}

async fn a_long_run_is_whole(place: Place) {
    let store = place.open().await;
    let mut write = Write::new(event("many")).unwrap();
    for id in 1..=2_500 {
        write = write.run(ADD, params![id, format!("thing {id}"), id, None::<Vec<u8>>]);
    }
    for id in 1..=2_500 {
        write = write.run(WEIGH, params![id, 2 * id, vec![1_u8]]);
    }
    store.commit(write).await.unwrap();
    let sums = rows(
        &store,
        "SELECT COUNT(*), CAST(SUM(weight) AS BIGINT), COUNT(body) FROM things",
    )
    .await;
    assert_eq!(sums, [params![2_500, 2_500 * 2_501, 2_500]]);
}

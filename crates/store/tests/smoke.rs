use audit::{Actor, Event, Object, Timestamp};
use store::{Migration, Store, StoreError, Write, params};

const ROOM: &[Migration] = &[Migration {
    room: "t",
    version: 1,
    sql: "CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body BLOB) STRICT;",
    postgres: None,
}];

fn event() -> Event {
    Event::new(
        Timestamp(1),
        Actor::system("test"),
        "thing.make",
        Object::new("thing", "1"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/ward.db", dir.path().display());
    let store = Store::open(&url, ROOM).await.unwrap();
    let w = Write::new(event()).unwrap().run(
        "INSERT INTO things(body, name) VALUES($2, $1)",
        params!["a", vec![1u8]],
    );
    let c = store.commit(w.clone()).await.unwrap();
    assert_eq!(c.first_seq, 2);
    assert!(matches!(
        store.commit(w).await,
        Err(StoreError::Duplicate(_))
    ));
    let rows = store
        .query("SELECT id, name, body FROM things", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text(1).unwrap(), "a");
    let w = Write::new(event())
        .unwrap()
        .put_record("p", "x", 0, &1, Timestamp(5))
        .unwrap();
    store.commit(w).await.unwrap();
    let w = Write::new(event())
        .unwrap()
        .put_record("p", "x", 1, &2, Timestamp(7))
        .unwrap();
    store.commit(w).await.unwrap();
    assert_eq!(store.record("p", "x").await.unwrap().unwrap().body, "2");
    assert_eq!(
        store
            .record_as_of("p", "x", Timestamp(6))
            .await
            .unwrap()
            .unwrap()
            .body,
        "1"
    );
    let b = dir.path().join("b.db");
    store.backup(&b).await.unwrap();
    store::restore(&b, &format!("sqlite:{}/r.db", dir.path().display()), ROOM)
        .await
        .unwrap();
}

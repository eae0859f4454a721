//! A process that writes is killed at any moment: everything that it was told is durable is
//! there, and nothing is half there.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use store::Store;

use crate::support::{MIGRATED, Place, ROOM, check_log, names, thing};

const KILLS: u64 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_of_sqlite_loses_nothing_acknowledged() {
    kill_again_and_again(Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_of_postgres_loses_nothing_acknowledged() {
    kill_again_and_again(Place::postgres().await).await;
}

async fn kill_again_and_again(place: Place) {
    drop(place.open().await);
    let mut acknowledged = HashSet::new();
    for round in 0..KILLS {
        let mut child = this_test("killed::child")
            .env("WARD_TEST_URL", &place.url)
            .env("WARD_TEST_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begun = lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| line.starts_with("begun"));
        assert!(begun);
        std::thread::sleep(Duration::from_millis(round * 37 % 120));
        child.kill().unwrap();
        child.wait().unwrap();
        let lines = lines.map_while(Result::ok);
        acknowledged
            .extend(lines.filter_map(|line| line.strip_prefix("acked ").map(str::to_owned)));
    }
    let store = place.open().await;
    let stored: HashSet<String> = names(&store).await.into_iter().collect();
    let missing: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    assert!(
        acknowledged.len() > 100,
        "only {} writes",
        acknowledged.len()
    );
    assert_eq!(check_log(&store).await, MIGRATED + stored.len() as u64);
}

/// Writes until it is killed, and says what was acknowledged. Does nothing when run as a test.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(url), Ok(round)) = (
        std::env::var("WARD_TEST_URL"),
        std::env::var("WARD_TEST_ROUND"),
    ) else {
        return;
    };
    let store = Store::open(&url, ROOM).await.unwrap();
    println!("\nbegun");
    let writers = (0..16).map(|writer| {
        let (store, round) = (store.clone(), round.clone());
        tokio::spawn(async move {
            for n in 0.. {
                let name = format!("{round}-{writer}-{n}");
                store.commit(thing(&name)).await.unwrap();
                println!("\nacked {name}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// This program, to run one of its tests as a child.
pub(crate) fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", name]);
    command
}

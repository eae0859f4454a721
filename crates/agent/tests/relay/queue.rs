//! The queue: what was taken is there after any crash, what the core has is gone, and nobody changes anything unseen.

use crate::made::{draft, observation};
use agent::relay::{BadBatch, Batch, LEAST_LIMIT, Queue, QueueError};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

const KEY: [u8; 32] = [9; 32];

/// What an agent's folder holds: names and bytes.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn open(folder: &Path) -> Result<Queue, QueueError> {
    Queue::open(folder, "icu-1", &KEY, 0)
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn put_back(folder: &Path, files: &Files) {
    fs::remove_dir_all(folder).unwrap();
    fs::create_dir(folder).unwrap();
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

/// Hands everything over, and says what it was.
fn drain(queue: &mut Queue) -> Vec<i64> {
    let mut seen = Vec::new();
    while let Some(batch) = queue.oldest().unwrap() {
        seen.extend(batch.observations().unwrap().iter().map(|one| one.at));
        queue.handed_over(batch.head.sequence).unwrap();
    }
    seen
}

fn at(numbers: &[u32]) -> Vec<i64> {
    numbers
        .iter()
        .map(|number| observation(*number).at)
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    Push(Vec<u32>),
    HandOver,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => proptest::collection::vec(0_u32..400, 0..5).prop_map(Step::Push),
        2 => Just(Step::HandOver),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is pushed comes out once, in order, and the numbers never begin anew.
    #[test]
    fn r17_a_queue_is_a_queue_across_every_restart(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = open(folder.path()).unwrap();
        let mut waiting = VecDeque::new();
        let mut newest = 0;
        for step in steps {
            match step {
                Step::Push(numbers) => {
                    newest += 1;
                    prop_assert_eq!(queue.push(&draft(&numbers)).unwrap(), newest);
                    waiting.push_back((newest, numbers));
                }
                Step::HandOver => {
                    let oldest = queue.oldest().unwrap();
                    let expected = waiting.pop_front();
                    prop_assert_eq!(oldest.is_some(), expected.is_some());
                    if let (Some(batch), Some((sequence, numbers))) = (oldest, expected) {
                        prop_assert_eq!(batch.head.sequence, sequence);
                        let seen = batch.observations().unwrap();
                        prop_assert_eq!(seen.iter().map(|one| one.at).collect::<Vec<_>>(), at(&numbers));
                        queue.handed_over(sequence).unwrap();
                    }
                }
                Step::Reopen => queue = open(folder.path()).unwrap(),
            }
            prop_assert_eq!(queue.waiting().0, waiting.len());
            prop_assert_eq!(queue.newest(), newest);
        }
        let rest: Vec<u32> = waiting.into_iter().flat_map(|(_, numbers)| numbers).collect();
        prop_assert_eq!(drain(&mut open(folder.path()).unwrap()), at(&rest));
    }

    /// A batch of anybody's is read or refused.
    #[test]
    fn arbitrary_bytes_are_no_batch(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(batch) = Batch::read(bytes) {
            batch.observations().ok();
        }
    }
}

/// Each step of a write happens in one order on the disk; a crash leaves some of them undone.
#[test]
fn r17_a_crash_between_any_two_steps_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("queue");
    let mut queue = open(&folder).unwrap();
    queue.push(&draft(&[1, 2])).unwrap();
    queue.push(&draft(&[3])).unwrap();

    // The batch is there and its mark is not: it was not acknowledged, and may come out.
    let before = files(&folder);
    queue.push(&draft(&[4])).unwrap();
    let mut crashed = files(&folder);
    let marks = folder.join("marks");
    crashed.insert(marks.clone(), before[&marks].clone());
    put_back(&folder, &crashed);
    let mut queue = open(&folder).unwrap();
    assert_eq!((queue.newest(), queue.waiting().0), (3, 3));

    // Written in part, under the name of what is unfinished.
    fs::write(folder.join("00000000000000000004.tmp"), "{\"v\":1,").unwrap();
    assert_eq!(open(&folder).unwrap().newest(), 3);
    assert!(!folder.join("00000000000000000004.tmp").exists());

    // Marked as taken and not removed.
    let before = files(&folder);
    queue.handed_over(2).unwrap();
    let mut crashed = before;
    crashed.insert(marks.clone(), fs::read(&marks).unwrap());
    put_back(&folder, &crashed);
    let mut queue = open(&folder).unwrap();
    assert_eq!(drain(&mut queue), at(&[4]));
    // The newest stays, for the next to name it.
    assert_eq!(files(&folder).len(), 2);

    // Taken, and the next one written: the one before has done its duty, or not yet been removed.
    let before = files(&folder);
    queue.push(&draft(&[5])).unwrap();
    assert_eq!(files(&folder).len(), 2);
    let mut crashed = before;
    crashed.extend(files(&folder));
    put_back(&folder, &crashed);
    let mut queue = open(&folder).unwrap();
    assert_eq!(drain(&mut queue), at(&[5]));
    assert_eq!(drain(&mut open(&folder).unwrap()), at(&[]));
}

#[test]
fn r17_whatever_is_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("queue");
    let mut queue = open(&folder).unwrap();
    for number in 1..=4 {
        queue.push(&draft(&[number])).unwrap();
    }
    queue.handed_over(1).unwrap();
    drop(queue);
    let good = files(&folder);
    let name = |number: u64| folder.join(format!("{number:020}.batch"));
    let is_told = |what: &str| match open(&folder) {
        Err(QueueError::Tampered { .. }) => {}
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: nothing was noticed"),
    };
    // A twin of every refusal below.
    put_back(&folder, &good);
    assert_eq!(drain(&mut open(&folder).unwrap()), at(&[2, 3, 4]));

    let change = |what: &str, change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        put_back(&folder, &files);
        is_told(what);
    };
    for path in good.keys() {
        let bytes = good[path].len();
        for byte in (0..bytes).step_by(1 + bytes / 40) {
            change(&format!("{} byte {byte}", path.display()), &|files| {
                files.get_mut(path).unwrap()[byte] ^= 1;
            });
        }
        change("cut off", &|files| {
            files.get_mut(path).unwrap().truncate(bytes - 1)
        });
        change("taken out", &|files| drop(files.remove(path)));
    }
    change("swapped", &|files| {
        let two = files[&name(2)].clone();
        let three = files.insert(name(3), two).unwrap();
        files.insert(name(2), three);
    });
    change("put in at the end", &|files| {
        let four = files[&name(4)].clone();
        files.insert(name(5), four);
    });
    change("marks of before", &|files| {
        // Taken back to when nothing was taken: the first batch is not there any more.
        files.remove(&folder.join("marks"));
    });
    change("another name", &|files| {
        let two = files.remove(&name(2)).unwrap();
        files.insert(folder.join("2.batch"), two);
    });
    put_back(&folder, &good);
    assert!(matches!(
        Queue::open(&folder, "icu-1", &[8; 32], 0),
        Err(QueueError::Tampered { .. })
    ));
    assert!(matches!(
        Queue::open(&folder, "icu-2", &KEY, 0),
        Err(QueueError::Tampered { .. })
    ));
}

/// Full is full, and nothing that waits makes room.
#[test]
fn r17_a_full_queue_takes_nothing_until_the_core_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path()).unwrap();
    let mut large = draft(&[]);
    let mut observation = observation(1);
    observation.from = "x".repeat(3 << 20);
    large.lines.push(observation.line().unwrap());
    let mut pushed = 0;
    let full = loop {
        match queue.push(&large) {
            Ok(_) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            full,
            QueueError::Full {
                limit: LEAST_LIMIT,
                ..
            }
        ),
        "{full}"
    );
    assert_eq!(queue.waiting().0, pushed);
    assert!(pushed as u64 >= LEAST_LIMIT / (4 << 20));
    let oldest = queue.oldest().unwrap().unwrap();
    queue.handed_over(oldest.head.sequence).unwrap();
    queue.push(&large).unwrap();
    assert_eq!(queue.waiting().0, pushed);
}

#[test]
fn r17_batches_say_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path()).unwrap();
    queue.push(&draft(&[1, 2, 3])).unwrap();
    let good = queue.oldest().unwrap().unwrap();
    assert_eq!(Batch::read(good.body.clone()).unwrap(), good);
    let text = String::from_utf8(good.body.clone()).unwrap();
    let cut = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    for (wrong, why) in [
        (cut, "Count"),
        (text.trim_end().to_owned(), "NotText"),
        (text.replacen("\"v\":1", "\"v\":2", 1), "Head"),
        (
            text.replacen("\"observations\":3", "\"observations\":4", 1),
            "Count",
        ),
        (String::new(), "NotText"),
    ] {
        let error: BadBatch = Batch::read(wrong.into_bytes()).unwrap_err();
        assert!(format!("{error:?}").starts_with(why), "{error:?}");
    }
}

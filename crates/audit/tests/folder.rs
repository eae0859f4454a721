//! R36: an exported folder verifies with Ward's code and with `interop/verify_log.py`, which
//! shares none of it; and both find every change of it.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

mod sample;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use audit::export::{Exporter, verify_folder};
use audit::verify::Kind;
use sample::Log;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Brings `folder` to the first `size` entries of `log`.
fn export(folder: &Path, log: &Log, size: u64) {
    let mut exporter = Exporter::open(folder, &log.key).unwrap();
    for (body, certificate) in &log.entries[exporter.size() as usize..size as usize] {
        let wanted = exporter.event(body).unwrap();
        assert_eq!(wanted.is_some(), certificate.is_some());
        if let Some(der) = certificate {
            exporter.certificate(der).unwrap();
        }
    }
    exporter.finish(&log.checkpoint(size)).unwrap();
}

fn python(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("python3")
        .arg(repository().join("interop/verify_log.py"))
        .arg(folder)
        .args(arguments)
        .output()
        .expect("python3 is needed for this test")
}

/// Both verdicts on `folder`: they must be the same.
fn both_accept(folder: &Path, log: &Log, earlier: Option<&str>) -> bool {
    let rust = verify_folder(folder, &log.key, earlier).unwrap();
    let vkey = log.key.to_string();
    let mut arguments = vec!["--vkey", &vkey];
    let kept = tempfile::NamedTempFile::new().unwrap();
    if let Some(earlier) = earlier {
        fs::write(kept.path(), earlier).unwrap();
        arguments.extend(["--since", kept.path().to_str().unwrap()]);
    }
    let output = python(folder, &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let accepted = output.status.code() == Some(0);
    assert_eq!(rust.is_ok(), accepted, "{:?}\n{text}", rust.findings);
    assert!(accepted || output.status.code() == Some(1), "{output:?}");
    assert!(!accepted || text.contains(&rust.root), "{text}");
    accepted
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => all.push(path),
            }
        }
    }
    all.sort();
    all
}

#[test]
fn r36_a_folder_grows_by_resumed_exports_and_verifies_each_time() {
    let log = Log::new(1100);
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, 7, 255, 256, 257, 512, 900, 900, 1100] {
        export(folder.path(), &log, size);
        assert!(both_accept(folder.path(), &log, None), "{size}");
        assert!(both_accept(
            folder.path(),
            &log,
            Some(&log.checkpoint(size / 2))
        ));
        let whole = tempfile::tempdir().unwrap();
        export(whole.path(), &log, size);
        let names = |root: &Path| -> Vec<PathBuf> {
            files(root)
                .iter()
                .map(|f| f.strip_prefix(root).unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(folder.path()), names(whole.path()), "{size}");
    }
}

#[test]
fn r36_an_interrupted_export_is_completed_by_the_next() {
    let log = Log::new(900);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 300);
    let mut cut_off = Exporter::open(folder.path(), &log.key).unwrap();
    for (body, _) in &log.entries[300..800] {
        cut_off.event(body).unwrap();
    }
    drop(cut_off);
    let leftover = folder.path().join("tile/0/003.p/32");
    fs::create_dir_all(leftover.parent().unwrap()).unwrap();
    fs::write(leftover, [0; 32]).unwrap();
    export(folder.path(), &log, 900);
    assert!(both_accept(folder.path(), &log, Some(&log.checkpoint(300))));
}

#[test]
fn r36_a_tree_of_three_levels_verifies() {
    let log = Log::new(66_000);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 65_000);
    export(folder.path(), &log, 66_000);
    assert!(folder.path().join("tile/2/000.p/1").exists());
    assert!(both_accept(
        folder.path(),
        &log,
        Some(&log.checkpoint(65_536))
    ));
}

#[test]
fn r36_a_rewritten_log_is_found_against_an_earlier_checkpoint() {
    let log = Log::new(40);
    let earlier = log.checkpoint(30);
    // The same key signs another past: only what was kept elsewhere can tell.
    let mut rewritten = Log::new(40);
    rewritten.entries[3] = rewritten.entries[4].clone();
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &rewritten, 40);
    assert!(both_accept(folder.path(), &log, None));
    assert!(!both_accept(folder.path(), &log, Some(&earlier)));
    let shorter = tempfile::tempdir().unwrap();
    export(shorter.path(), &log, 22);
    assert!(both_accept(shorter.path(), &log, None));
    assert!(!both_accept(shorter.path(), &log, Some(&earlier)));
}

#[test]
fn r36_every_changed_byte_of_a_folder_is_found_by_both_verifiers() {
    let log = Log::new(22);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 22);
    assert!(both_accept(folder.path(), &log, None));
    let ok = || {
        verify_folder(folder.path(), &log.key, None)
            .unwrap()
            .is_ok()
    };
    let mut changes = 0;
    for file in files(folder.path()) {
        if file.ends_with("README.txt") {
            // Text for people. No verifier reads it.
            continue;
        }
        let mut bytes = fs::read(&file).unwrap();
        for place in 0..bytes.len() {
            bytes[place] ^= 1 << (place % 8);
            fs::write(&file, &bytes).unwrap();
            assert!(!ok(), "byte {place} of {}", file.display());
            bytes[place] ^= 1 << (place % 8);
            changes += 1;
        }
        for cut in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), &[]] {
            fs::write(&file, cut).unwrap();
            assert!(!ok(), "{} with {} bytes", file.display(), cut.len());
            changes += 1;
        }
        fs::remove_file(&file).unwrap();
        assert!(!ok(), "{} removed", file.display());
        changes += 1;
        fs::write(&file, &bytes).unwrap();
    }
    assert!(changes > 5000, "{changes}");

    let output = Command::new("python3")
        .arg(repository().join("crates/audit/tests/every_byte.py"))
        .arg(repository().join("interop/verify_log.py"))
        .arg(folder.path())
        .arg(log.key.to_string())
        .output()
        .expect("python3 is needed for this test");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{output:?}");
    assert_eq!(
        text.trim(),
        changes.to_string(),
        "both made the same changes"
    );
}

#[test]
fn r36_swapped_and_foreign_files_are_found() {
    let log = Log::new(600);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 600);
    let at = |name: &str| folder.path().join(name);
    let swap = |one: &str, two: &str| {
        let (first, second) = (fs::read(at(one)).unwrap(), fs::read(at(two)).unwrap());
        fs::write(at(one), second).unwrap();
        fs::write(at(two), first).unwrap();
    };
    for (one, two) in [
        ("tile/entries/000", "tile/entries/001"),
        ("tile/0/000", "tile/0/001"),
        ("certificates/000", "certificates/001"),
    ] {
        swap(one, two);
        assert!(!both_accept(folder.path(), &log, None), "{one}");
        swap(one, two);
    }
    // Two entries, two certificates of one bundle.
    for (name, prefix) in [("tile/entries/000", 2), ("certificates/000", 4)] {
        let bytes = fs::read(at(name)).unwrap();
        let length = |from: usize| {
            let prefix_bytes = &bytes[from..from + prefix];
            prefix
                + prefix_bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let first = length(0);
        let second = first + length(first);
        let swapped = [&bytes[first..second], &bytes[..first], &bytes[second..]].concat();
        fs::write(at(name), swapped).unwrap();
        assert!(!both_accept(folder.path(), &log, None), "{name}");
        fs::write(at(name), bytes).unwrap();
    }
    fs::write(at("tile/0/notes"), "").unwrap();
    let report = verify_folder(folder.path(), &log.key, None).unwrap();
    assert_eq!(report.findings[0].kind, Kind::UnexpectedFile);
    assert!(!both_accept(folder.path(), &log, None));
    fs::remove_file(at("tile/0/notes")).unwrap();
    assert!(both_accept(folder.path(), &log, None));
}

#[test]
fn r36_an_abandoned_intent_is_found_and_one_at_the_end_is_not() {
    let mut log = Log::new(22);
    log.entries.remove(16);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 21);
    assert!(
        both_accept(folder.path(), &log, None),
        "it may still be at work"
    );
    // The same five minutes and a millisecond later.
    let later = Log::entry_at(22, 5 * 60 * 1000 + 1);
    log.entries.push(later);
    export(folder.path(), &log, 22);
    assert!(!both_accept(folder.path(), &log, None));
}

#[test]
fn r36_an_export_is_not_finished_with_a_checkpoint_of_something_else() {
    let log = Log::new(10);
    let folder = tempfile::tempdir().unwrap();
    for note in [log.checkpoint(9), log.sign(10, [0; 32])] {
        let mut exporter = Exporter::open(folder.path(), &log.key).unwrap();
        for (body, _) in &log.entries {
            exporter.event(body).unwrap();
        }
        assert!(exporter.finish(&note).is_err());
        assert!(!folder.path().join("checkpoint").exists());
    }
    export(folder.path(), &log, 10);
    fs::write(folder.path().join("tile/0/000.p/10"), [0; 320]).unwrap();
    let resumed = Exporter::open(folder.path(), &log.key);
    assert!(
        resumed.is_err(),
        "nothing is added to a folder that does not verify"
    );
}

#[test]
fn r36_the_outside_verifier_refuses_wrong_usage_and_says_whose_key_it_used() {
    let log = Log::new(3);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 3);
    let own = python(folder.path(), &[]);
    assert!(own.status.success());
    assert!(String::from_utf8_lossy(&own.stdout).contains("the key came with the log"));
    assert_eq!(
        python(folder.path(), &["--vkey", "nonsense"]).status.code(),
        Some(2)
    );
    assert_eq!(
        python(&folder.path().join("none"), &[]).status.code(),
        Some(2)
    );
}

/// Serves `folder` under /log/ to whoever shows the token, until the test ends.
fn serve(folder: PathBuf, token: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/log", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &folder, token).unwrap();
        }
    });
    url
}

fn answer(mut stream: TcpStream, folder: &Path, token: &str) -> std::io::Result<()> {
    let lines = BufReader::new(stream.try_clone()?).lines();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|l| !l.is_empty())
        .collect();
    let path = head[0]
        .split(' ')
        .nth(1)
        .unwrap()
        .trim_start_matches("/log/");
    let allowed = head.contains(&format!("Authorization: Bearer {token}"));
    let (status, body) = match fs::read(folder.join(path)) {
        _ if !allowed => ("401 Unauthorized", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)
}

#[test]
fn r36_a_served_log_verifies_from_its_address() {
    let log = Log::new(600);
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), &log, 600);
    let url = serve(folder.path().to_owned(), "ward_t_secret");
    let vkey = log.key.to_string();
    let verify = |more: &[&str]| {
        let arguments = [&["--vkey", &vkey], more].concat();
        python(Path::new(&url), &arguments).status.code()
    };
    assert_eq!(verify(&["--token", "ward_t_secret"]), Some(0));
    assert_eq!(verify(&["--token", "wrong"]), Some(2));
    fs::remove_dir_all(folder.path().join("certificates")).unwrap();
    assert_eq!(verify(&["--token", "ward_t_secret"]), Some(1));
    assert_eq!(
        verify(&["--token", "ward_t_secret", "--no-certificates"]),
        Some(0)
    );
    fs::write(folder.path().join("tile/1/000.p/2"), [0; 64]).unwrap();
    assert_eq!(
        verify(&["--token", "ward_t_secret", "--no-certificates"]),
        Some(1)
    );
}

use std::{os::unix::fs::symlink, process::Command};

use agent::{
    files::{Limits, Look},
    observation::Outcome,
};

use crate::made::*;

#[test]
fn links_are_followed_to_files_once_and_to_folders_never() {
    let folder = Folder::new();
    folder.certificate("archive/pump1");
    std::fs::create_dir_all(folder.path("live/deep")).unwrap();
    symlink(
        folder.path("archive/pump1.crt"),
        folder.path("live/pump.pem"),
    )
    .unwrap();
    symlink(folder.path("live"), folder.path("live/deep/loop")).unwrap();
    symlink(folder.path("nowhere"), folder.path("live/dangling")).unwrap();
    symlink("self", folder.path("live/self")).unwrap();
    let (found, summary) = folder.look();
    assert_eq!(found.len(), 1);
    assert!(is_at(&found[0], &folder.path("archive/pump1.crt")));
    assert_eq!(
        (summary.files, summary.links_passed, summary.folders),
        (2, 4, 4)
    );
    // A link to what lies outside is a way to it.
    let outside = Folder::new();
    outside.certificate("far");
    symlink(outside.path("far.crt"), folder.path("live/far.pem")).unwrap();
    let (found, _) = folder.look();
    assert!(found.iter().any(|o| is_at(o, &outside.path("far.crt"))));
}

#[test]
fn pipes_are_not_waited_for() {
    let folder = Folder::new();
    let made = Command::new("mkfifo")
        .arg(folder.path("pipe.pem"))
        .status()
        .unwrap();
    assert!(made.success());
    folder.certificate("a");
    let (found, summary) = folder.look();
    assert_eq!((found.len(), summary.files), (1, 2));
}

#[test]
fn every_limit_is_kept_and_said() {
    let folder = Folder::new();
    folder.certificate("a");
    let pem = folder.read("a.crt");
    for n in 0..20 {
        folder.write(&format!("many/{n}.pem"), &pem);
    }
    folder.write("1/2/3/4/deep.pem", &pem);
    let mut large = pem.clone();
    large.resize(100_000, b'\n');
    folder.write("large.pem", &large);
    let within = |limits: Limits| {
        let mut look = Look::new("pacs-1", 7);
        look.limits = limits;
        folder.look_with(&look)
    };
    let (_, all) = within(Limits::default());
    assert_eq!((all.certificates, all.stopped), (23, None));
    let (_, shallow) = within(Limits {
        depth: 3,
        ..Limits::default()
    });
    assert_eq!((shallow.certificates, shallow.too_deep), (22, 1));
    let (_, few) = within(Limits {
        entries: 10,
        ..Limits::default()
    });
    assert!(
        few.stopped == Some("files and folders") && few.files <= 10,
        "{few:?}"
    );
    let (_, short) = within(Limits {
        bytes: 3_000,
        ..Limits::default()
    });
    assert!(
        short.stopped == Some("bytes") && short.certificates < 10,
        "{short:?}"
    );
    let (found, small) = within(Limits {
        file_bytes: 50_000,
        ..Limits::default()
    });
    let limit = 50_000;
    let what = "file".to_owned();
    let too_large = found
        .iter()
        .find(|o| is_at(o, &folder.path("large.pem")))
        .unwrap();
    assert_eq!(too_large.outcome, Outcome::TooLarge { what, limit });
    assert_eq!(small.ended.too_large, 1);
}

//! Which files there are: folders within limits, symbolic links to files followed once, links to folders never. So no
//! loop of links is walked, and what has several names is read under its own.

use std::{
    collections::{HashSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use super::{Limits, Summary};

pub(super) struct Walked {
    /// Canonical paths, in the order of the walk.
    pub(super) files: Vec<PathBuf>,
}

pub(super) fn walk(roots: &[PathBuf], limits: &Limits, summary: &mut Summary) -> Walked {
    let mut walk = Walk {
        limits,
        summary,
        files: Vec::new(),
        seen: HashSet::new(),
        entries: 0,
    };
    for root in roots {
        // A root may be a link: somebody asked for it by name.
        match root.canonicalize() {
            Ok(root) => walk.root(root),
            Err(_) => walk.summary.unreadable += 1,
        }
    }
    Walked { files: walk.files }
}

struct Walk<'a> {
    limits: &'a Limits,
    summary: &'a mut Summary,
    files: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
    entries: u64,
}

impl Walk<'_> {
    fn root(&mut self, root: PathBuf) {
        if root.is_file() {
            self.file(root);
            return;
        }
        let mut folders = VecDeque::from([(root, 0)]);
        while let Some((folder, depth)) = folders.pop_front() {
            if !self.seen.insert(folder.clone()) {
                continue;
            }
            let Ok(entries) = fs::read_dir(&folder) else {
                self.summary.unreadable += 1;
                continue;
            };
            self.summary.folders += 1;
            let mut paths: Vec<PathBuf> = Vec::new();
            for entry in entries {
                self.entries += 1;
                if self.entries > self.limits.entries {
                    self.summary.stopped = Some("files and folders");
                    break;
                }
                match entry {
                    Ok(entry) => paths.push(entry.path()),
                    Err(_) => self.summary.unreadable += 1,
                }
            }
            // The same result whatever the file system's order.
            paths.sort_unstable();
            for path in paths {
                self.entry(path, depth, &mut folders);
            }
            if self.summary.stopped.is_some() {
                return;
            }
        }
    }

    fn entry(&mut self, path: PathBuf, depth: usize, folders: &mut VecDeque<(PathBuf, usize)>) {
        let Ok(kind) = fs::symlink_metadata(&path).map(|m| m.file_type()) else {
            self.summary.unreadable += 1;
            return;
        };
        if kind.is_dir() {
            match depth < self.limits.depth {
                true => folders.push_back((path, depth + 1)),
                false => self.summary.too_deep += 1,
            }
        } else if kind.is_symlink() {
            match path.canonicalize() {
                Ok(target) if is_file(&target) && !self.seen.contains(&target) => self.file(target),
                _ => self.summary.links_passed += 1,
            }
        } else if kind.is_file() {
            self.file(path);
        }
        // Sockets, pipes and devices are no files, and reading them may wait for ever.
    }

    fn file(&mut self, path: PathBuf) {
        if self.seen.insert(path.clone()) {
            self.files.push(path);
        }
    }
}

/// A regular file; links are followed.
pub(super) fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file())
}

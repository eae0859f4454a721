//! Configuration of web servers and proxies: which certificate is shown for which name, at which address and port
//! (R16). Only what names certificates is understood; the rest is passed over, so that a file that the server itself
//! would refuse still tells what it can.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::Read,
    path::{Component, Path, PathBuf},
};

use super::{Look, Summary, walk};
use crate::observation::{Serves, Use};

mod apache;
mod haproxy;
mod nginx;

/// A configuration is written by people, or by people's scripts.
const MAX_FILE: u64 = 2 << 20;
/// Files that all configurations include, one counted each time, and how deeply.
const MAX_FILES: usize = 5_000;
const MAX_DEPTH: usize = 12;
/// Certificates named altogether.
const MAX_BOUND: usize = 200_000;

/// A certificate file as a configuration names it.
pub(super) struct Bound {
    pub(super) serves: Serves,
    /// The file of its key.
    pub(super) key: Option<PathBuf>,
}

/// What is gathered while configurations are read.
pub(super) struct Gathered<'a> {
    summary: &'a mut Summary,
    bound: HashMap<PathBuf, Vec<Bound>>,
    count: usize,
    /// Files read by an include: they are not read again on their own.
    read: HashSet<PathBuf>,
    includes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Software {
    Nginx,
    Apache,
    Haproxy,
}

/// Every certificate file that the configurations among the walked files name, by its canonical path.
pub(super) fn served(
    walked: &walk::Walked,
    look: &Look,
    summary: &mut Summary,
) -> HashMap<PathBuf, Vec<Bound>> {
    let mut gathered = Gathered::new(summary);
    let mut candidates: Vec<&PathBuf> = walked.files.iter().filter(|p| is_candidate(p)).collect();
    // The main files first, as what they include has their context.
    candidates.sort_by_key(|path| !is_main(path));
    for path in candidates {
        if gathered.summary.bytes >= look.limits.bytes {
            gathered.summary.stopped = Some("bytes");
            break;
        }
        let Some(text) = gathered.text(path) else {
            continue;
        };
        match software(path, &text) {
            Some(Software::Nginx) => nginx::read(path, &text, &mut gathered),
            Some(Software::Apache) => apache::read(path, &text, &mut gathered),
            Some(Software::Haproxy) => haproxy::read(path, &text, &mut gathered),
            None => continue,
        }
        gathered.summary.configurations += 1;
    }
    gathered.bound
}

fn is_main(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    ["nginx.conf", "apache2.conf", "httpd.conf", "haproxy.cfg"]
        .iter()
        .any(|n| name == *n)
}

/// Files that may be configuration, by name; what is in them decides. Sites that are available are not served.
fn is_candidate(path: &Path) -> bool {
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    let extension = path.extension().unwrap_or_default();
    let named = ["conf", "cfg", "vhost"].iter().any(|e| extension == *e);
    (named || folder.ends_with("-enabled") || folder == "conf.d") && !folder.ends_with("-available")
}

/// Whose configuration it is, by the words that name certificates.
fn software(path: &Path, text: &str) -> Option<Software> {
    let is_named = |names: &[&str]| {
        names
            .iter()
            .any(|n| path.file_name().unwrap_or_default() == *n)
    };
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if is_named(&["nginx.conf"]) || has(&["ssl_certificate", "ssl_client_certificate"]) {
        return Some(Software::Nginx);
    }
    if is_named(&["apache2.conf", "httpd.conf"]) || has(&["SSLCertificateFile", "<VirtualHost"]) {
        return Some(Software::Apache);
    }
    let binds = text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("bind ") && line.contains(" crt")
    });
    (is_named(&["haproxy.cfg"]) || binds).then_some(Software::Haproxy)
}

/// As the configuration of each, for [`super::exercise`].
pub(super) fn read_all(path: &Path, text: &str, gathered: &mut Gathered<'_>) {
    nginx::read(path, text, gathered);
    apache::read(path, text, gathered);
    haproxy::read(path, text, gathered);
}

impl<'a> Gathered<'a> {
    pub(super) fn new(summary: &'a mut Summary) -> Self {
        Self {
            summary,
            bound: HashMap::new(),
            count: 0,
            read: HashSet::new(),
            includes: 0,
        }
    }

    /// Files that were named.
    pub(super) fn named(&self) -> usize {
        self.bound.len()
    }

    /// A configuration that was not read before.
    fn text(&mut self, path: &Path) -> Option<String> {
        let path = path.canonicalize().ok()?;
        if self.read.contains(&path) {
            return None;
        }
        let text = read(&path)?;
        self.summary.bytes += text.len() as u64;
        Some(text)
    }

    /// Notes that an include has read this file, and returns its text.
    fn include(&mut self, path: &Path) -> Option<String> {
        let path = path.canonicalize().ok()?;
        if self.includes >= MAX_FILES {
            self.summary.stopped = Some("included configuration files");
            return None;
        }
        self.includes += 1;
        // A snippet is included by many; it is read for each of them.
        let text = read(&path)?;
        self.read.insert(path);
        self.summary.bytes += text.len() as u64;
        Some(text)
    }

    /// Notes a certificate, or a folder of them.
    fn bind(&mut self, file: &Path, serves: Serves, key: Option<PathBuf>) {
        let unresolved = file.to_string_lossy().contains(['$', '%']) || file.starts_with("data:");
        if unresolved || self.count >= MAX_BOUND {
            self.summary.unresolved += 1;
            return;
        }
        // What is not there keeps the name that it was given.
        let path = file.canonicalize().unwrap_or_else(|_| plain(file));
        if path.is_dir() {
            for file in listing(&path, "*") {
                if walk::is_file(&file) {
                    self.count += 1;
                    let file = file.canonicalize().unwrap_or(file);
                    let bound = Bound {
                        serves: serves.clone(),
                        key: None,
                    };
                    self.bound.entry(file).or_default().push(bound);
                }
            }
            return;
        }
        self.count += 1;
        let key = key.map(|key| key.canonicalize().unwrap_or_else(|_| plain(&key)));
        self.bound
            .entry(path)
            .or_default()
            .push(Bound { serves, key });
    }
}

fn read(path: &Path) -> Option<String> {
    if !walk::is_file(path) {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(MAX_FILE)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Without `.` and `..`, as far as that can be told without the disk.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// Files that an include means, in order: `*` and `?` in any part of the path.
fn expand(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let whole = base.join(pattern);
    let mut paths = vec![PathBuf::new()];
    for part in whole.components() {
        let text = part.as_os_str().to_string_lossy();
        paths = match text.contains(['*', '?', '[']) {
            false => paths.into_iter().map(|p| p.join(part)).collect(),
            true => paths.iter().flat_map(|p| listing(p, &text)).collect(),
        };
        paths.truncate(MAX_FILES);
    }
    paths
}

fn listing(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let hidden = pattern.starts_with('.');
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|e| {
            let name = e.file_name().to_string_lossy().into_owned();
            (hidden || !name.starts_with('.')) && matches(pattern, &name)
        })
        .map(|e| e.path())
        .take(MAX_FILES)
        .collect();
    paths.sort_unstable();
    paths
}

/// Shell patterns with `*` and `?`; a set in brackets matches any one character.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = simple_sets(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // The star takes one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|c| *c == '*')
}

fn simple_sets(pattern: &str) -> Vec<char> {
    let mut out = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '[' => {
                rest.by_ref().find(|c| *c == ']');
                out.push('?');
            }
            c => out.push(c),
        }
    }
    out
}

/// An address as configurations write it, with a port, `*` for any address.
fn address(text: &str, default_port: u16) -> String {
    let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if all_digits {
        return format!("*:{text}");
    }
    if text.starts_with("unix:") || text.starts_with('/') {
        return text.to_owned();
    }
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without port ends in a bracket.
        Some((host, port)) if !port.ends_with(']') => (host, port.to_owned()),
        _ => (text, default_port.to_string()),
    };
    match host {
        "" | "*" | "0.0.0.0" | "_default_" => format!("*:{port}"),
        "[::]" | "::" | "[" => format!("[::]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// A place in a configuration.
fn serves(by: &str, config: &Path, line: u32, purpose: Use) -> Serves {
    Serves {
        by: by.to_owned(),
        config: config.to_string_lossy().into_owned(),
        line,
        purpose,
        names: Vec::new(),
        addresses: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("*", "", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("a?c", "abc", true),
            ("[0-9]*.conf", "10-tls.conf", true),
            (
                "***************************a",
                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                false,
            ),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn addresses_are_written_one_way() {
        for (text, expected) in [
            ("443", "*:443"),
            ("*:443", "*:443"),
            ("0.0.0.0:8443", "*:8443"),
            ("10.0.0.1", "10.0.0.1:80"),
            ("[::]:443", "[::]:443"),
            ("[2001:db8::1]", "[2001:db8::1]:80"),
            (":443", "*:443"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("_default_:443", "*:443"),
        ] {
            assert_eq!(address(text, 80), expected);
        }
    }
}

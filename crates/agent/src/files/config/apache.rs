//! Apache httpd: directives a line, virtual hosts in sections (mod_ssl, mod_proxy).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{Gathered, MAX_DEPTH, address, expand, serves};
use crate::observation::Use;

/// Variables (`Define`) of one configuration.
const MAX_VARIABLES: usize = 1_000;
/// Certificates of one virtual host.
const MAX_NAMED: usize = 64;

#[derive(Default)]
struct Host {
    addresses: Vec<String>,
    names: Vec<String>,
    named: Vec<Named>,
}

struct Named {
    file: String,
    key: Option<String>,
    purpose: Use,
    config: PathBuf,
    line: u32,
}

struct Reading<'a, 'b> {
    gathered: &'a mut Gathered<'b>,
    root: PathBuf,
    variables: HashMap<String, String>,
    /// The server itself, and the virtual host that is open.
    server: Host,
    host: Option<Host>,
}

pub(super) fn read(path: &Path, text: &str, gathered: &mut Gathered<'_>) {
    let mut reading = Reading {
        gathered,
        root: path.parent().unwrap_or(path).to_owned(),
        variables: HashMap::new(),
        server: Host::default(),
        host: None,
    };
    reading.text(path, text, 0);
    let (server, host) = (std::mem::take(&mut reading.server), reading.host.take());
    for host in [Some(server), host].into_iter().flatten() {
        reading.close(host);
    }
}

impl Reading<'_, '_> {
    fn text(&mut self, path: &Path, text: &str, depth: usize) {
        let mut continued = String::new();
        for (number, line) in text.lines().enumerate() {
            // A backslash at the end joins lines.
            if let Some(part) = line.strip_suffix('\\') {
                continued.push_str(part);
                continue;
            }
            let whole = std::mem::take(&mut continued) + line;
            let words = words(&whole);
            if let Some((name, arguments)) = words.split_first() {
                let arguments: Vec<String> = arguments.iter().map(|a| self.expanded(a)).collect();
                self.directive(
                    path,
                    number as u32 + 1,
                    &name.to_ascii_lowercase(),
                    &arguments,
                    depth,
                );
            }
        }
    }

    fn directive(
        &mut self,
        path: &Path,
        line: u32,
        name: &str,
        arguments: &[String],
        depth: usize,
    ) {
        let first = arguments.first().cloned().unwrap_or_default();
        match name {
            "<virtualhost" => {
                let addresses = arguments.iter().map(|a| address(a, 80)).collect();
                self.host = Some(Host {
                    addresses,
                    ..Host::default()
                });
            }
            "</virtualhost" => {
                if let Some(host) = self.host.take() {
                    self.close(host);
                }
            }
            "serverroot" => self.root = PathBuf::from(first),
            "define" if self.variables.len() < MAX_VARIABLES => {
                let value = arguments.get(1).cloned().unwrap_or_default();
                self.variables.insert(first, value);
            }
            "include" | "includeoptional" if depth < MAX_DEPTH => {
                for file in expand(&self.root.clone(), &first) {
                    // A folder means everything in it.
                    let files = if file.is_dir() {
                        expand(&file, "*")
                    } else {
                        vec![file]
                    };
                    for file in files {
                        if let Some(text) = self.gathered.include(&file) {
                            self.text(&file, &text, depth + 1);
                        }
                    }
                }
            }
            "listen" if self.host.is_none() => self.server.addresses.push(address(&first, 80)),
            "servername" | "serveralias" => {
                let host = self.host.as_mut().unwrap_or(&mut self.server);
                // A scheme and a port may stand around it.
                let bare = |n: &String| {
                    let n = n.rsplit("://").next().unwrap_or_default();
                    n.split(':').next().unwrap_or_default().to_owned()
                };
                host.names.extend(arguments.iter().map(bare));
            }
            _ => self.certificate(path, line, name, first),
        }
    }

    fn certificate(&mut self, path: &Path, line: u32, name: &str, file: String) {
        let purpose = match name {
            "sslcertificatefile" | "sslcertificatechainfile" => Use::Server,
            "sslcacertificatefile"
            | "sslcacertificatepath"
            | "sslproxycacertificatefile"
            | "sslproxycacertificatepath" => Use::Trust,
            "sslproxymachinecertificatefile" => Use::Client,
            "sslcertificatekeyfile" => {
                let host = self.host.as_mut().unwrap_or(&mut self.server);
                let last = host
                    .named
                    .iter_mut()
                    .rev()
                    .find(|n| n.purpose == Use::Server && n.key.is_none());
                if let Some(last) = last {
                    last.key = Some(file);
                }
                return;
            }
            _ => return,
        };
        let host = self.host.as_mut().unwrap_or(&mut self.server);
        if host.named.len() >= MAX_NAMED {
            self.gathered.summary.unresolved += 1;
            return;
        }
        host.named.push(Named {
            file,
            key: None,
            purpose,
            config: path.to_owned(),
            line,
        });
    }

    fn close(&mut self, host: Host) {
        for named in host.named {
            let mut place = serves("apache", &named.config, named.line, named.purpose);
            place.names.clone_from(&host.names);
            place.addresses.clone_from(&host.addresses);
            let key = named.key.map(|key| self.root.join(key));
            self.gathered.bind(&self.root.join(named.file), place, key);
        }
    }

    /// `${NAME}` replaced where it is known; what is not, stays and is counted as unresolved.
    fn expanded(&self, word: &str) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                out.push_str("${");
                rest = after;
                continue;
            };
            match self.variables.get(name) {
                Some(value) if out.len() < 4096 => out.push_str(value),
                _ => out.extend(["${", name, "}"]),
            }
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

/// Words of a line; quotes hold them together, a section's closing bracket is dropped.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Vec::new();
    }
    let line = if line.starts_with('<') {
        line.trim_end_matches('>')
    } else {
        line
    };
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => {
                quote = None;
                out.push(std::mem::take(&mut word));
            }
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) if word.is_empty() => quote = Some(c),
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
            }
            (c, None) => word.push(c),
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

//! HAProxy: `bind` lines show certificates to clients, `server` lines to what stands behind; `crt` names a file, a
//! folder, or with `crt-list` a list with server names.

use std::path::{Path, PathBuf};

use super::{Gathered, address, serves};
use crate::observation::Use;

/// Lines of one certificate list.
const MAX_LIST: usize = 50_000;

#[derive(Default)]
struct Bases {
    certificates: PathBuf,
    authorities: PathBuf,
}

pub(super) fn read(path: &Path, text: &str, gathered: &mut Gathered<'_>) {
    let folder = path.parent().unwrap_or(path);
    let mut bases = Bases {
        certificates: folder.to_owned(),
        authorities: folder.to_owned(),
    };
    for (number, line) in text.lines().enumerate() {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let line = Line {
            config: path,
            number: number as u32 + 1,
            bases: &bases,
        };
        match words.as_slice() {
            ["crt-base", base, ..] => bases.certificates = folder.join(base),
            ["ca-base", base, ..] => bases.authorities = folder.join(base),
            ["bind", at, options @ ..] => {
                let addresses: Vec<String> = at.split(',').map(|a| address(a, 443)).collect();
                line.options(options, Use::Server, &addresses, gathered);
            }
            ["server" | "default-server", options @ ..] => {
                line.options(options, Use::Client, &[], gathered);
            }
            _ => {}
        }
    }
}

struct Line<'a> {
    config: &'a Path,
    number: u32,
    bases: &'a Bases,
}

impl Line<'_> {
    fn options(
        &self,
        options: &[&str],
        purpose: Use,
        addresses: &[String],
        gathered: &mut Gathered<'_>,
    ) {
        for pair in options.windows(2) {
            let [option, value] = pair else {
                continue;
            };
            match *option {
                "crt" => {
                    let file = self.bases.certificates.join(value);
                    self.bind(&file, purpose, addresses, Vec::new(), gathered);
                }
                "ca-file" | "ca-verify-file" => {
                    let file = self.bases.authorities.join(value);
                    self.bind(&file, Use::Trust, addresses, Vec::new(), gathered);
                }
                "crt-list" => self.list(Path::new(value), addresses, gathered),
                _ => {}
            }
        }
    }

    /// `file [options] name name`; a `!name` is an exception.
    fn list(&self, path: &Path, addresses: &[String], gathered: &mut Gathered<'_>) {
        let folder = self.config.parent().unwrap_or(self.config);
        let Some(text) = gathered.include(&folder.join(path)) else {
            return;
        };
        for line in text.lines().take(MAX_LIST) {
            let line = match (line.find('['), line.rfind(']')) {
                (Some(from), Some(to)) if from < to => {
                    format!("{}{}", &line[..from], &line[to + 1..])
                }
                _ => line.to_owned(),
            };
            let words = words(&line);
            if let Some((file, names)) = words.split_first() {
                let names = names
                    .iter()
                    .filter(|n| !n.starts_with('!'))
                    .cloned()
                    .collect();
                let file = self.bases.certificates.join(file);
                self.bind(&file, Use::Server, addresses, names, gathered);
            }
        }
    }

    fn bind(
        &self,
        file: &Path,
        purpose: Use,
        addresses: &[String],
        names: Vec<String>,
        gathered: &mut Gathered<'_>,
    ) {
        // Authorities of the system, by a name that is no file.
        if file.ends_with("@system-ca") {
            gathered.summary.unresolved += 1;
            return;
        }
        let mut place = serves("haproxy", self.config, self.number, purpose);
        place.names = names;
        place.addresses = addresses.to_vec();
        // The key stands in the same file, or beside it.
        let beside = file.with_file_name(format!(
            "{}.key",
            file.file_name().unwrap_or_default().to_string_lossy()
        ));
        let key = beside.is_file().then_some(beside);
        gathered.bind(file, place, key);
    }
}

/// Words of a line: quotes, backslashes, comments.
fn words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.extend(rest.next()),
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => quote = Some(c),
            ('#', None) => break,
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

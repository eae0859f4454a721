//! One file after the other: what it holds, whose keys lie beside, who serves it.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use x509::Certificate;
use zeroize::Zeroizing;

use super::{
    Look, Summary,
    config::Bound,
    group,
    key::Key,
    log,
    store::{self, Held, Store},
};
use crate::observation::{Der, FileFormat, FileSeen, How, KeySeen, Observation, Outcome, Place};

/// What is looked at to tell what a file is.
const HEAD: usize = 64 << 10;

/// Observations of one folder that wait for its keys.
const MAX_WAITING: usize = 10_000;

pub(super) struct Reader<'a> {
    look: &'a Look,
    served: HashMap<PathBuf, Vec<Bound>>,
    summary: &'a mut Summary,
    found: &'a mut dyn FnMut(Observation),
    /// Paths are those of this machine, and not names that somebody gave to bytes.
    on_disk: bool,
    folder: PathBuf,
    waiting: Vec<Waiting>,
    keys: Vec<Lying>,
}

/// An observation that may still learn where its key is.
struct Waiting {
    observation: Observation,
    path: PathBuf,
    spki: Option<Vec<u8>>,
}

/// The kind of a file, by how it begins, and its bytes.
type Content = (FileFormat, Zeroizing<Vec<u8>>);

/// A key in a file of the folder.
struct Lying {
    path: PathBuf,
    key: Key,
    used: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        look: &'a Look,
        served: HashMap<PathBuf, Vec<Bound>>,
        summary: &'a mut Summary,
        found: &'a mut dyn FnMut(Observation),
    ) -> Self {
        Self {
            look,
            served,
            summary,
            found,
            on_disk: true,
            folder: PathBuf::new(),
            waiting: Vec::new(),
            keys: Vec::new(),
        }
    }

    pub(super) fn file(&mut self, path: &Path) {
        let folder = path.parent().unwrap_or(path);
        if folder != self.folder || self.waiting.len() >= MAX_WAITING {
            self.settle();
            self.folder = folder.to_owned();
        }
        if self.summary.bytes >= self.look.limits.bytes {
            self.summary.stopped = Some("bytes");
            return;
        }
        self.summary.files += 1;
        match self.bytes(path) {
            Ok(Some((kind, bytes))) => self.content(path, kind, &bytes),
            Ok(None) => self.held(path, Held::Nothing),
            Err(Refused::TooLarge(kind)) => self.too_large(path, kind),
            Err(Refused::Unreadable(error)) => {
                // Named by a configuration, it is missed; otherwise it is one of many.
                if self.served.contains_key(path) {
                    let why = error.to_string();
                    self.outcome(path, FileFormat::Unknown, None, Outcome::Failed { why });
                }
                self.summary.ended.unreadable += 1;
            }
        }
    }

    /// Reads bytes under a name, and nothing of this machine's disks.
    pub(super) fn given(mut self, name: &Path, bytes: &[u8]) {
        self.on_disk = false;
        self.summary.files += 1;
        self.summary.bytes += bytes.len() as u64;
        match store::kind(bytes.get(..HEAD).unwrap_or(bytes)) {
            Some(kind) if bytes.len() as u64 > self.look.limits.file_bytes => {
                self.too_large(name, kind);
            }
            Some(kind) => self.content(name, kind, bytes),
            None => self.held(name, Held::Nothing),
        }
        self.settle();
    }

    fn content(&mut self, path: &Path, kind: FileFormat, bytes: &[u8]) {
        match kind {
            FileFormat::CtEntries => self.log(path, bytes),
            kind => self.held(path, store::read(bytes, kind, self.look)),
        }
    }

    fn too_large(&mut self, path: &Path, kind: FileFormat) {
        let limit = self.look.limits.file_bytes;
        let what = "file".to_owned();
        self.outcome(path, kind, None, Outcome::TooLarge { what, limit });
        self.summary.ended.too_large += 1;
    }

    /// Ends the walk: what is left of the last folder, then what configurations name and the walk did not meet.
    pub(super) fn finish(mut self) {
        self.settle();
        let mut rest: Vec<PathBuf> = self.served.keys().cloned().collect();
        rest.sort_unstable();
        for path in rest {
            self.file(&path);
        }
        self.settle();
    }

    /// What a file of a known kind holds.
    fn bytes(&mut self, path: &Path) -> Result<Option<Content>, Refused> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD.min(length as usize + 1)));
        (&mut file).take(HEAD as u64).read_to_end(&mut bytes)?;
        self.summary.bytes += bytes.len() as u64;
        let Some(kind) = store::kind(&bytes) else {
            return Ok(None);
        };
        let limit = self.look.limits.file_bytes;
        if length > limit {
            return Err(Refused::TooLarge(kind));
        }
        // At once, so that no copy of a key is left behind by a growing vector.
        let head = bytes.len();
        let mut whole = Zeroizing::new(Vec::with_capacity(length as usize + 1));
        whole.extend_from_slice(&bytes);
        file.take(limit - head as u64).read_to_end(&mut whole)?;
        self.summary.bytes += (whole.len() - head) as u64;
        Ok(Some((kind, whole)))
    }

    fn held(&mut self, path: &Path, held: Held) {
        match held {
            Held::Nothing => {
                self.summary.ended.others += 1;
                if self.served.contains_key(path) {
                    let why = "a configuration names it, and there is no certificate in it";
                    let outcome = Outcome::NoCertificate {
                        why: why.to_owned(),
                    };
                    self.outcome(path, FileFormat::Unknown, None, outcome);
                }
            }
            Held::Locked(format, tried) => {
                self.summary.ended.locked += 1;
                let why = format!("locked: none of {tried} passwords opens it");
                self.outcome(path, format, None, Outcome::Failed { why });
            }
            Held::Damaged(format, what) => {
                self.summary.ended.damaged += 1;
                self.outcome(path, format, None, Outcome::Garbage { what });
            }
            Held::Store(format, store) => {
                self.summary.ended.stores += 1;
                self.store(path, format, store);
            }
        }
    }

    fn store(&mut self, path: &Path, format: FileFormat, store: Store) {
        let mut aliases = HashSet::new();
        let mut number = 0;
        for entry in store.entries {
            let own = entry.key;
            let chains = match entry.is_chain {
                true => vec![(0, entry.certificates)],
                false => group::chains(entry.certificates),
            };
            let mut own = own.map(|key| (key, path.to_owned()));
            for (at, chain) in chains {
                number += 1;
                let alias = match &entry.alias {
                    Some(alias) => Some(alias.clone()),
                    None if at == 0 && number == 1 => None,
                    None => Some(format!("#{}", number.max(at + 1))),
                };
                // Two entries may have one name.
                let alias = match alias {
                    Some(alias) if !aliases.insert(alias.clone()) => {
                        Some(format!("{alias}#{number}"))
                    }
                    alias => alias,
                };
                self.chain(path, format, alias, chain, own.take());
            }
        }
        for key in store.keys {
            let path = path.to_owned();
            self.keys.push(Lying {
                path,
                key,
                used: false,
            });
        }
        if let Some(what) = store.damage {
            let alias = Some("(what is damaged)".to_owned());
            self.outcome(path, format, alias, Outcome::Garbage { what });
        }
    }

    fn chain(
        &mut self,
        path: &Path,
        format: FileFormat,
        alias: Option<String>,
        chain: Vec<Certificate>,
        own: Option<(Key, PathBuf)>,
    ) {
        let leaf = chain.first();
        let spki = leaf.map(|leaf| leaf.spki_der().to_vec());
        let outcome = match leaf {
            Some(_) => Outcome::Certificate,
            None => Outcome::NoCertificate {
                why: "an entry without certificates".to_owned(),
            },
        };
        let first = alias.is_none();
        let mut observation = self.observation(path, format, alias, outcome);
        if let (Some(file), Some((key, at))) = (observation.file.as_mut(), &own) {
            let matches = spki.as_ref().and_then(|spki| key.matches(spki));
            file.key = Some(seen(at, key, matches, self.on_disk));
        }
        // A configuration that names a file means its first chain; a trust store, all of them.
        if !first && let Some(file) = &mut observation.file {
            file.serves
                .retain(|s| s.purpose == crate::observation::Use::Trust);
        }
        self.summary.certificates += chain.len() as u64;
        observation.chain = chain.iter().map(|c| Der::from(c.der())).collect();
        self.waiting.push(Waiting {
            observation,
            path: path.to_owned(),
            spki: spki.filter(|_| own.is_none()),
        });
    }

    fn outcome(
        &mut self,
        path: &Path,
        format: FileFormat,
        alias: Option<String>,
        outcome: Outcome,
    ) {
        let observation = self.observation(path, format, alias, outcome);
        self.waiting.push(Waiting {
            observation,
            path: path.to_owned(),
            spki: None,
        });
    }

    fn observation(
        &mut self,
        path: &Path,
        format: FileFormat,
        alias: Option<String>,
        outcome: Outcome,
    ) -> Observation {
        let place = Place::File {
            host: self.look.host.clone(),
            path: path.to_string_lossy().into_owned(),
            alias,
        };
        let mut observation =
            Observation::new(self.look.at, &self.look.host, How::File, place, outcome);
        let bound = self.served.get(path).map_or(&[][..], Vec::as_slice);
        observation.file = Some(FileSeen {
            format,
            key: None,
            serves: bound.iter().map(|b| b.serves.clone()).collect(),
        });
        observation
    }

    fn log(&mut self, path: &Path, bytes: &[u8]) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        match log::entries(bytes, &stem, log::start(&stem), self.look.at) {
            Ok(entries) => {
                self.summary.ended.stores += 1;
                for observation in entries {
                    self.summary.certificates += observation.chain.len() as u64;
                    self.summary.observations += 1;
                    (self.found)(observation);
                }
            }
            Err(what) => {
                self.summary.ended.damaged += 1;
                self.outcome(path, FileFormat::CtEntries, None, Outcome::Garbage { what });
            }
        }
    }

    /// The folder is complete: certificates learn of the keys beside them, and keys without certificates are said.
    fn settle(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut keys = std::mem::take(&mut self.keys);
        for one in &mut waiting {
            let Some(spki) = &one.spki else {
                continue;
            };
            let own = |lying: &Lying| lying.key.matches(spki) == Some(true);
            let paired = |lying: &Lying| lying.key.encrypted && pair(&lying.path, &one.path);
            let at = keys
                .iter()
                .position(own)
                .or_else(|| keys.iter().position(paired));
            let configured = || {
                self.served
                    .get(&one.path)?
                    .iter()
                    .find_map(|b| b.key.as_deref())
            };
            let key = match at.and_then(|at| keys.get_mut(at)) {
                Some(lying) => {
                    lying.used = true;
                    Some(seen(
                        &lying.path,
                        &lying.key,
                        lying.key.matches(spki),
                        self.on_disk,
                    ))
                }
                None => configured().and_then(|path| elsewhere(path, spki, self.look)),
            };
            if let Some(file) = &mut one.observation.file {
                file.key = key;
            }
        }
        for one in waiting {
            self.say(one.observation);
        }
        for lying in keys.into_iter().filter(|k| !k.used) {
            let why = "a private key, and no certificate of it beside it".to_owned();
            let alias = Some("(key)".to_owned());
            let outcome = Outcome::NoCertificate { why };
            let mut observation = self.observation(&lying.path, FileFormat::Pem, alias, outcome);
            if let Some(file) = &mut observation.file {
                file.key = Some(seen(&lying.path, &lying.key, None, self.on_disk));
            }
            self.say(observation);
        }
    }

    fn say(&mut self, observation: Observation) {
        if let Place::File { path, .. } = &observation.place {
            self.served.remove(Path::new(path));
        }
        self.summary.observations += 1;
        (self.found)(observation);
    }
}

/// Why a file was not read.
enum Refused {
    TooLarge(FileFormat),
    Unreadable(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// `pump.key` or `pump.key.pem` beside `pump.crt` or `pump.pem`; the same file, too.
fn pair(key: &Path, certificate: &Path) -> bool {
    let stem = |path: &Path| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.split('.').next().unwrap_or_default().to_owned()
    };
    key == certificate || stem(key) == stem(certificate)
}

/// The key that a configuration names beside the certificate.
fn elsewhere(path: &Path, spki: &[u8], look: &Look) -> Option<KeySeen> {
    let length = fs::metadata(path).ok()?.len();
    if length > look.limits.file_bytes {
        return None;
    }
    let bytes = Zeroizing::new(fs::read(path).ok()?);
    let keys = match store::read(&bytes, store::kind(&bytes)?, look) {
        Held::Store(_, store) => store.keys,
        _ => return None,
    };
    let key = keys.first()?;
    Some(seen(path, key, key.matches(spki), true))
}

fn seen(path: &Path, key: &Key, matches: Option<bool>, on_disk: bool) -> KeySeen {
    KeySeen {
        path: path.to_string_lossy().into_owned(),
        matches,
        encrypted: key.encrypted,
        mode: if on_disk { mode(path) } else { None },
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).ok()?;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

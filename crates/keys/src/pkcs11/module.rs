//! One loaded PKCS#11 library per process, shared by all its tokens (PKCS #11 v3.1 §5.4: an
//! application initialises a library once).
//!
//! A library must not be used across a fork (§5.4.1 leaves the child undefined), so the process
//! that loaded it is remembered. Finalising it while a call is running is undefined as well, hence
//! the lock: calls share it, a restart takes it alone.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::fault::describe;
use crate::KeyError;

static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A restart disturbs every token of the library, so a token that stays away may not cause one
/// for every signature that is asked of it.
const BETWEEN_RESTARTS: Duration = Duration::from_secs(1);
/// How long to wait for a restart to end, or for calls to end before one.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Module {
    path: PathBuf,
    process: u32,
    context: RwLock<Context>,
    restarted: Mutex<Option<Instant>>,
}

pub(super) struct Context {
    pub(super) pkcs11: Pkcs11,
    /// Counts restarts: sessions and handles of an earlier generation mean nothing.
    pub(super) generation: u64,
}

impl Module {
    /// The library at this path, loaded now or before.
    pub(super) fn open(path: &Path) -> Result<Arc<Self>, KeyError> {
        let path = vetted(path)?;
        let mut loaded = LOADED.lock();
        if let Some(module) = loaded.get(&path) {
            module.check_process(std::process::id())?;
            return Ok(Arc::clone(module));
        }
        let pkcs11 = Pkcs11::new(&path).map_err(|error| problem(&path, describe(&error)))?;
        initialize(&pkcs11).map_err(|error| problem(&path, describe(&error)))?;
        let module = Arc::new(Self {
            path: path.clone(),
            process: std::process::id(),
            context: RwLock::new(Context {
                pkcs11,
                generation: 0,
            }),
            restarted: Mutex::new(None),
        });
        loaded.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// Entry for calls into the library; restarts wait while it is held.
    pub(super) fn enter(&self) -> Result<RwLockReadGuard<'_, Context>, KeyError> {
        self.check_process(std::process::id())?;
        self.context
            .try_read_for(PATIENCE)
            .ok_or_else(|| problem(&self.path, "a restart of the library hangs".to_owned()))
    }

    /// Finalises and initialises the library, which is what many need to notice a token that came
    /// back. `false`: somebody just did, or it is too soon.
    pub(super) fn restart(&self, seen: u64) -> Result<bool, KeyError> {
        let mut restarted = self.restarted.lock();
        if restarted.is_some_and(|at| at.elapsed() < BETWEEN_RESTARTS) {
            return Ok(self.enter()?.generation != seen);
        }
        let Some(mut context) = self.context.try_write_for(PATIENCE) else {
            return Err(problem(
                &self.path,
                "a call into the library does not return".to_owned(),
            ));
        };
        if context.generation != seen {
            return Ok(true);
        }
        tracing::warn!(module = %self.path.display(), "restarting the PKCS#11 library");
        *restarted = Some(Instant::now());
        context.generation += 1;
        if let Err(error) = context.pkcs11.clone().finalize() {
            tracing::debug!(error = describe(&error), "finalising the PKCS#11 library");
        }
        initialize(&context.pkcs11).map_err(|error| problem(&self.path, describe(&error)))?;
        Ok(true)
    }

    fn check_process(&self, process: u32) -> Result<(), KeyError> {
        if process == self.process {
            Ok(())
        } else {
            Err(KeyError::Forked)
        }
    }
}

/// Loading a library runs its code with the keys of the CA in reach: it must be named exactly, and
/// nobody but its owner may be able to change it.
fn vetted(path: &Path) -> Result<PathBuf, KeyError> {
    if !path.is_absolute() {
        return Err(problem(path, "the path must be absolute".to_owned()));
    }
    let path = path
        .canonicalize()
        .map_err(|error| problem(path, error.to_string()))?;
    let metadata = std::fs::metadata(&path).map_err(|error| problem(&path, error.to_string()))?;
    if metadata.mode() & 0o022 != 0 {
        return Err(problem(&path, "others may write to it".to_owned()));
    }
    Ok(path)
}

fn initialize(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

fn problem(path: &Path, problem: String) -> KeyError {
    KeyError::Module {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_loaded_before_a_fork_is_refused_after_it() {
        let path = Path::new("/usr/lib/softhsm/libsofthsm2.so");
        assert!(path.exists(), "apt-get install softhsm2");
        let module = Module::open(path).unwrap();
        assert!(module.check_process(std::process::id()).is_ok());
        let child = std::process::id() + 1;
        assert!(matches!(module.check_process(child), Err(KeyError::Forked)));
    }
}

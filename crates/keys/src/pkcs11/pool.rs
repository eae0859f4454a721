//! A bounded pool of logged-in sessions with one token: one session signs for one thread at a time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::config::Pkcs11Config;
use super::fault::{Fault, describe};
use super::module::Context;
use crate::KeyError;
use crate::secret_file::{self, Readers};

pub(super) struct Pool {
    config: Pkcs11Config,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    /// Changes whenever sessions and handles from before became worthless.
    epoch: u64,
    generation: u64,
    slot: Option<Slot>,
    idle: Vec<Session>,
    open: usize,
    /// The token's own limit may be lower than ours.
    limit: usize,
    refused_pin: Option<PinStamp>,
}

/// Tells whether the PIN file changed, without keeping the PIN.
#[derive(Clone, PartialEq, Eq)]
struct PinStamp {
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

/// A session on loan. It goes back through [`Pool::give_back`].
pub(super) struct Lease {
    pub(super) session: Session,
    pub(super) epoch: u64,
    pub(super) generation: u64,
}

impl Pool {
    pub(super) fn new(config: Pkcs11Config) -> Self {
        let limit = config.sessions.max(1);
        Self {
            config,
            state: Mutex::new(State {
                epoch: 0,
                generation: 0,
                slot: None,
                idle: Vec::new(),
                open: 0,
                limit,
                refused_pin: None,
            }),
            freed: Condvar::new(),
        }
    }

    pub(super) fn config(&self) -> &Pkcs11Config {
        &self.config
    }

    pub(super) fn epoch(&self) -> u64 {
        self.state.lock().epoch
    }

    /// A session that is logged in; waits while all are on loan.
    pub(super) fn lend(&self, context: &Context) -> Result<Lease, Fault> {
        let wait = Duration::from_millis(self.config.wait_ms);
        let deadline = Instant::now() + wait;
        let mut state = self
            .state
            .try_lock_until(deadline)
            .ok_or_else(|| self.busy(self.config.sessions))?;
        loop {
            if state.generation != context.generation {
                state.generation = context.generation;
                self.forget_sessions(&mut state);
            }
            if let Some(session) = state.idle.pop() {
                return Ok(self.lease(&state, session));
            }
            if state.open < state.limit {
                match self.open_session(&mut state, &context.pkcs11)? {
                    Some(session) => {
                        state.open += 1;
                        return Ok(self.lease(&state, session));
                    }
                    None if state.open == 0 => return Err(self.busy(0)),
                    None => state.limit = state.open,
                }
            }
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                return Err(self.busy(state.limit));
            }
        }
    }

    /// Takes a session back. One that failed may be stuck in an operation and is closed.
    pub(super) fn give_back(&self, lease: Lease, healthy: bool) {
        let mut state = self.state.lock();
        let current = lease.epoch == state.epoch;
        if current && healthy {
            state.idle.push(lease.session);
        } else {
            if current {
                state.open -= 1;
            }
            close(lease.session);
        }
        drop(state);
        self.freed.notify_one();
    }

    /// Drops every session of an epoch in which the token was lost.
    pub(super) fn abandon(&self, epoch: u64) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            for session in state.idle.drain(..) {
                close(session);
            }
            self.forget_sessions(&mut state);
        }
        drop(state);
        self.freed.notify_all();
    }

    /// Closes idle sessions, if they are of this generation.
    pub(super) fn close_idle(&self, context: &Context) {
        let mut state = self.state.lock();
        if state.generation == context.generation {
            state.idle.drain(..).for_each(close);
        }
    }

    /// Without closing: after a restart of the library old handles may name new sessions.
    fn forget_sessions(&self, state: &mut State) {
        state.epoch += 1;
        state.slot = None;
        state.idle.clear();
        state.open = 0;
        state.limit = self.config.sessions.max(1);
    }

    fn lease(&self, state: &State, session: Session) -> Lease {
        Lease {
            session,
            epoch: state.epoch,
            generation: state.generation,
        }
    }

    /// `None`: the token has no more sessions to give.
    fn open_session(
        &self,
        state: &mut MutexGuard<'_, State>,
        pkcs11: &Pkcs11,
    ) -> Result<Option<Session>, Fault> {
        let lost = |error: Error| self.fault("opening a session", &error);
        let slot = match state.slot {
            Some(slot) => slot,
            None => self.find_slot(pkcs11)?,
        };
        // Sessions are closed by hand: their handles may have gone stale by the time they drop.
        let session = match pkcs11.open_rw_session_no_drop(slot) {
            Err(Error::Pkcs11(RvError::SessionCount, _)) => return Ok(None),
            other => other.map_err(lost)?,
        };
        let logged_in = session
            .get_session_info()
            .map(|info| info.session_state())
            .map_err(lost)
            .and_then(|session_state| match session_state {
                SessionState::RwUser | SessionState::RoUser => Ok(()),
                _ => self.log_in(state, &session),
            });
        if let Err(fault) = logged_in {
            close(session);
            return Err(fault);
        }
        state.slot = Some(slot);
        Ok(Some(session))
    }

    fn find_slot(&self, pkcs11: &Pkcs11) -> Result<Slot, Fault> {
        let slots = pkcs11
            .get_slots_with_token()
            .map_err(|error| self.fault("listing tokens", &error))?;
        let mut found = None;
        for slot in slots {
            // A neighbour that cannot be read is not ours to complain about.
            let Ok(info) = pkcs11.get_token_info(slot) else {
                continue;
            };
            if info.label().trim_end() != self.config.token_label {
                continue;
            }
            if found.replace(slot).is_some() {
                return Err(Fault::Final(KeyError::Unavailable {
                    token: self.config.token_label.clone(),
                    problem: "two tokens carry this label".to_owned(),
                }));
            }
        }
        found.ok_or_else(|| Fault::Lost("no token carries this label".to_owned()))
    }

    /// A refused PIN is not tried again until its file changes: tokens lock after a few mistakes.
    fn log_in(&self, state: &mut MutexGuard<'_, State>, session: &Session) -> Result<(), Fault> {
        let stamp = PinStamp::of(&self.config)?;
        if state.refused_pin.as_ref() == Some(&stamp) {
            return Err(Fault::Final(self.pin_refused()));
        }
        let pin = read_pin(&self.config)?;
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                state.refused_pin = None;
                Ok(())
            }
            Err(Error::Pkcs11(
                RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired,
                _,
            )) => {
                state.refused_pin = Some(stamp);
                Err(Fault::Final(self.pin_refused()))
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => {
                state.refused_pin = Some(stamp);
                Err(Fault::Final(KeyError::PinLocked {
                    token: self.config.token_label.clone(),
                }))
            }
            Err(error) => Err(self.fault("logging in", &error)),
        }
    }

    fn pin_refused(&self) -> KeyError {
        KeyError::PinRefused {
            token: self.config.token_label.clone(),
            file: self.config.pin_file.clone(),
        }
    }

    fn busy(&self, sessions: usize) -> Fault {
        Fault::Final(KeyError::Busy {
            token: self.config.token_label.clone(),
            sessions,
            waited_ms: self.config.wait_ms,
        })
    }

    fn fault(&self, what: &str, error: &Error) -> Fault {
        Fault::from_token(&self.config.token_label, what, error)
    }
}

impl PinStamp {
    fn of(config: &Pkcs11Config) -> Result<Self, KeyError> {
        let metadata = fs::metadata(&config.pin_file)
            .map_err(crate::error::io_error("cannot read", &config.pin_file))?;
        Ok(Self {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            length: metadata.len(),
        })
    }
}

fn read_pin(config: &Pkcs11Config) -> Result<AuthPin, KeyError> {
    let bytes = secret_file::read(&config.pin_file, Readers::Owner)?;
    let text = std::str::from_utf8(bytes.trim_ascii_end()).map_err(|_| KeyError::SecretFile {
        path: config.pin_file.clone(),
        problem: "the PIN is not UTF-8",
    })?;
    if text.is_empty() {
        return Err(KeyError::SecretFile {
            path: config.pin_file.clone(),
            problem: "holds no PIN",
        });
    }
    // A boxed string of exact size is moved, not copied, into the wiping container.
    let pin: Box<str> = text.into();
    Ok(AuthPin::new(pin))
}

fn close(session: Session) {
    if let Err(error) = session.close() {
        tracing::debug!(error = describe(&error), "closing a PKCS#11 session");
    }
}

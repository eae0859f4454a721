//! The network as the validator would find it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::control::{Check, Failure, FailureKind, Proof};
use enroll::Validate;

/// What a name does when it is asked. Names that nobody speaks of prove control at once.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Proves,
    /// Answers so every time; whether it is worth another try.
    Fails(FailureKind, bool),
    /// Proves control after so long.
    ProvesAfter(Duration),
    /// Fails so often before it proves control.
    FailsFirst(usize),
    /// Never answers.
    Hangs,
}

#[derive(Default)]
pub(crate) struct World {
    names: Mutex<HashMap<String, Does>>,
    asked: Mutex<Vec<Check>>,
    failed: AtomicUsize,
}

impl World {
    pub(crate) fn says(&self, name: &str, does: Does) {
        self.names.lock().unwrap().insert(name.to_owned(), does);
    }

    /// How often somebody asked.
    pub(crate) fn asked(&self) -> Vec<Check> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn validator(self: &Arc<Self>) -> Validate {
        let world = Arc::clone(self);
        Arc::new(move |check| {
            let world = Arc::clone(&world);
            Box::pin(async move { world.answer(check).await })
        })
    }

    async fn answer(&self, check: Check) -> Result<Proof, Failure> {
        let name = check.identifier.to_string();
        let does = self.names.lock().unwrap().get(&name).cloned();
        let kind = check.kind;
        self.asked.lock().unwrap().push(check);
        let proof = Proof {
            kind,
            addresses: Vec::new(),
            urls: Vec::new(),
            names: Vec::new(),
            resolver: None,
            caa: None,
            elapsed_ms: 1,
        };
        let failure = |kind, retry| Failure {
            kind,
            detail: format!("{name} does not answer as it should"),
            retry,
        };
        match does.unwrap_or(Does::Proves) {
            Does::Proves => Ok(proof),
            Does::Fails(kind, retry) => Err(failure(kind, retry)),
            Does::ProvesAfter(time) => {
                tokio::time::sleep(time).await;
                Ok(proof)
            }
            Does::FailsFirst(times) if self.failed.fetch_add(1, Relaxed) < times => {
                Err(failure(FailureKind::Connection, true))
            }
            Does::FailsFirst(_) => Ok(proof),
            Does::Hangs => std::future::pending().await,
        }
    }
}

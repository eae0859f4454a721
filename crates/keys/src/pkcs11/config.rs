//! What an operator writes about a token, and what `ward status` says about it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One token: which module reaches it, how it is found, where its PIN is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Config {
    /// Absolute path of the vendor's library.
    pub module: PathBuf,
    pub token_label: String,
    /// Holds the user PIN; mode 0600.
    pub pin_file: PathBuf,
    /// At most this many signatures at a time.
    #[serde(default = "default_sessions")]
    pub sessions: usize,
    /// How long a signature waits for a free session.
    #[serde(default = "default_wait_ms")]
    pub wait_ms: u64,
}

fn default_sessions() -> usize {
    8
}

fn default_wait_ms() -> u64 {
    10_000
}

impl Pkcs11Config {
    /// A token with the usual pool of eight sessions.
    pub fn new(
        module: impl Into<PathBuf>,
        token_label: impl Into<String>,
        pin_file: impl Into<PathBuf>,
    ) -> Self {
        Self {
            module: module.into(),
            token_label: token_label.into(),
            pin_file: pin_file.into(),
            sessions: default_sessions(),
            wait_ms: default_wait_ms(),
        }
    }
}

/// Whether a token can be used now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenStatus {
    pub label: String,
    pub module: PathBuf,
    pub available: bool,
    /// Why it is not available.
    pub problem: Option<String>,
}

//! Keys in PKCS#11 tokens (HSMs, smart cards, SoftHSM2): generated there, never let out.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

use crate::KeyError;
use crate::record::KeyId;

/// One token: which module reaches it, how it is found, where its PIN is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pkcs11Config {
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

/// What `ward status` says about a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenStatus {
    pub label: String,
    pub module: PathBuf,
    pub available: bool,
    /// Why it is not available.
    pub problem: Option<String>,
}

pub(crate) struct Token(Pkcs11Config);

impl Token {
    pub(crate) fn new(config: Pkcs11Config) -> Self {
        Self(config)
    }
    pub(crate) fn label(&self) -> &str {
        &self.0.token_label
    }
    pub(crate) fn status(&self) -> TokenStatus {
        TokenStatus {
            label: self.0.token_label.clone(),
            module: self.0.module.clone(),
            available: false,
            problem: Some("not contacted".to_owned()),
        }
    }
    pub(crate) fn generate(
        &self,
        _algorithm: KeyAlgorithm,
        _id: &KeyId,
        _label: &str,
    ) -> Result<PublicKey, KeyError> {
        Err(self.unavailable())
    }
    pub(crate) fn destroy(&self, _id: &KeyId) -> Result<(), KeyError> {
        Err(self.unavailable())
    }
    fn unavailable(&self) -> KeyError {
        KeyError::Unavailable {
            token: self.0.token_label.clone(),
            problem: "not contacted".to_owned(),
        }
    }
}

pub(crate) struct TokenKey(Arc<Token>);

impl TokenKey {
    pub(crate) fn new(token: Arc<Token>, _id: KeyId) -> Self {
        Self(token)
    }
    pub(crate) fn sign(&self, _: SignatureAlgorithm, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(self.0.unavailable())
    }
    pub(crate) fn probe(&self) -> Result<(), KeyError> {
        Err(self.0.unavailable())
    }
    pub(crate) fn misbehaved(&self, problem: &'static str) -> KeyError {
        KeyError::Misbehaved {
            token: self.0.label().to_owned(),
            problem,
        }
    }
}

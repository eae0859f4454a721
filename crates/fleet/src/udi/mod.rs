//! Unique device identifiers (UDI) as the three agencies write them: GS1, HIBCC, ICCBBA.

use serde::{Deserialize, Serialize};

/// A UDI whose check characters were right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Udi {
    /// As people read it.
    pub text: String,
    /// The device identifier: the model and its packaging.
    pub di: String,
    /// The serial number, where it has one.
    #[serde(default)]
    pub serial: Option<String>,
}

//! Settings of the hierarchy as a whole: made by `init`, kept as a record.

use keys::KeyId;
use serde::{Deserialize, Serialize};

/// The record kind; the only id is `hierarchy`.
pub const SETTINGS_RECORDS: &str = "settings";

/// What belongs to no single authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The hospital's name, as it stands in certificates.
    pub organization: String,
    /// Its country, two letters.
    pub country: Option<String>,
    /// Where CA certificates, CRLs and OCSP are published, without a slash at the end.
    pub base_url: String,
    /// The key that signs the audit log's checkpoints.
    pub log_key: KeyId,
    /// The log's origin line and key name.
    pub log_origin: String,
    /// Whether the root key was kept online on purpose.
    pub root_online: bool,
}

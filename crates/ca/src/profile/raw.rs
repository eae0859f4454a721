//! A profile as it is written: TOML into plain fields that know their line. Unknown keys are errors.
//! What the fields mean together is decided in `check`.

use serde::Deserialize;
use toml::Spanned;

use super::{AttributeRule, Class, Renewal};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    pub(super) name: Spanned<String>,
    pub(super) title: String,
    pub(super) class: Spanned<Class>,
    pub(super) issued_by: Spanned<Vec<String>>,
    #[serde(default)]
    pub(super) citations: Vec<String>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<String>>,
    pub(super) keys: RawKeys,
    pub(super) subject: Spanned<RawSubject>,
    pub(super) names: Spanned<RawNames>,
    pub(super) usage: RawUsage,
    pub(super) validity: RawValidity,
    pub(super) permission: RawPermission,
    #[serde(default)]
    pub(super) extensions: Vec<RawExtension>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawKeys {
    pub(super) algorithms: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) server_keys: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(non_snake_case)]
pub(super) struct RawSubject {
    pub(super) C: Option<AttributeRule>,
    pub(super) ST: Option<AttributeRule>,
    pub(super) L: Option<AttributeRule>,
    pub(super) O: Option<AttributeRule>,
    pub(super) OU: Option<AttributeRule>,
    pub(super) CN: Option<AttributeRule>,
    pub(super) serialNumber: Option<AttributeRule>,
    pub(super) UID: Option<AttributeRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNames {
    #[serde(default)]
    pub(super) min: u16,
    pub(super) dns: Option<Spanned<RawNameRule>>,
    pub(super) ip: Option<Spanned<RawNameRule>>,
    pub(super) email: Option<Spanned<RawNameRule>>,
    pub(super) uri: Option<Spanned<RawNameRule>>,
    pub(super) upn: Option<Spanned<RawNameRule>>,
    pub(super) hardware_module: Option<Spanned<RawNameRule>>,
    pub(super) sid: Option<Spanned<RawNameRule>>,
    pub(super) workstation: Option<Spanned<RawNameRule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNameRule {
    #[serde(default)]
    pub(super) min: u16,
    pub(super) max: u16,
    #[serde(default)]
    pub(super) patterns: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) wildcard: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawUsage {
    #[serde(default)]
    pub(super) authority: bool,
    pub(super) path_length: Option<u32>,
    pub(super) key: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) key_rsa: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) key_ec: Vec<Spanned<String>>,
    pub(super) extended: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) extended_critical: bool,
    pub(super) extended_absent_because: Option<String>,
    #[serde(default)]
    pub(super) ocsp_no_check: bool,
    #[serde(default)]
    pub(super) on_request: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawValidity {
    pub(super) default: Spanned<String>,
    pub(super) max: Spanned<String>,
    pub(super) exception_max: Option<Spanned<String>>,
    pub(super) backdate: Option<Spanned<String>>,
    pub(super) renewal: Renewal,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPermission {
    pub(super) roles: Spanned<Vec<access::Role>>,
    #[serde(default)]
    pub(super) approvals: u8,
    #[serde(default)]
    pub(super) evidence: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawExtension {
    pub(super) oid: Spanned<String>,
    #[serde(default)]
    pub(super) critical: bool,
    /// DER of extnValue's content, hex.
    pub(super) value: Spanned<String>,
}

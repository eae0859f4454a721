//! What a certificate of an asset says about it: names out of the register, as far as the profile has a place for them,
//! and the dates that its clock and its remaining life allow (R05, R08).

use ca::profile::{Attribute, AttributeSource, NameKind};
use ca::{Backdate, IssueRequest, Profile};

use x509::{GeneralName, KeyAlgorithm, Name, StringKind, Time};

use crate::asset::{Asset, ClockQuality};
use crate::{FleetError, Result};

impl Asset {
    /// The subject, as far as the profile takes one from the request.
    pub fn subject(&self, profile: &Profile) -> Result<Name> {
        let mut name = Name::builder();
        for (attribute, rule) in profile.subject() {
            if rule.from != AttributeSource::Request {
                continue;
            }
            let value = match attribute {
                Attribute::CN => self.common_name(),
                Attribute::SerialNumber => &self.serial,
                Attribute::OU => self.department.as_deref().unwrap_or_default(),
                _ => "",
            };
            if value.is_empty() {
                continue;
            }
            let value: String = value.chars().take(attribute.max_chars()).collect();
            let pushed = name.push(attribute.oid(), &value, StringKind::Utf8);
            name = pushed.map_err(|error| FleetError::Ca(error.into()))?;
        }
        Ok(name.build())
    }

    /// Its alternative names: host names, and the UDI of this one device as a GS1 Digital Link.
    pub fn names(&self, profile: &Profile) -> Vec<GeneralName> {
        let mut names = Vec::new();
        if let Some(rule) = profile.name_rule(NameKind::Dns) {
            let allowed = self
                .host_names
                .iter()
                .filter(|name| rule.matches(&format!("dns:{name}")));
            let most = usize::from(rule.max);
            names.extend(allowed.take(most).cloned().map(GeneralName::Dns));
        }
        let link = self.udi.as_ref().and_then(|udi| udi.link());
        if let (Some(rule), Some(link)) = (profile.name_rule(NameKind::Uri), link)
            && rule.matches(&format!("uri:{link}"))
        {
            names.push(GeneralName::Uri(link));
        }
        names
    }

    /// Dates a request as the asset's life and clock allow.
    pub fn date(&self, request: &mut IssueRequest) {
        request.service_life_ends = self.service_life_ends.map(Time);
        request.backdate = match self.clock {
            ClockQuality::Good => Backdate::Usual,
            ClockQuality::Poor => Backdate::Day,
            ClockQuality::None => Backdate::Issuer,
        };
    }

    /// The first kind of key that both the asset and the profile can work with; `None` leaves it to the profile.
    pub fn key_type(&self, profile: &Profile) -> Option<KeyAlgorithm> {
        let allowed = |kind: &&KeyAlgorithm| profile.algorithms().contains(kind);
        self.key_types.iter().find(allowed).copied()
    }

    fn common_name(&self) -> &str {
        match self.host_names.first() {
            Some(name) => name,
            None => &self.serial,
        }
    }
}

//! The hierarchy as it was at an instant (R52), out of the kept versions of its records.

use std::collections::BTreeSet;

use audit::Timestamp;

use super::{AUTHORITY_RECORDS, Authority, ISSUER_RECORDS, IssuerRecord};
use crate::keyrecords::{KEY_RECORDS, StoredKey};
use crate::{Ca, Result};

impl Ca {
    /// Every authority that there was, by name.
    pub async fn authorities_as_of(&self, at: Timestamp) -> Result<Vec<Authority>> {
        let records = self.store().records_as_of(AUTHORITY_RECORDS, at).await?;
        let read = records.iter().map(store::Record::parse);
        Ok(read.collect::<std::result::Result<_, _>>()?)
    }

    /// Every issuer that there was, by id, and whether this Ward had its key.
    pub async fn issuers_as_of(&self, at: Timestamp) -> Result<Vec<(IssuerRecord, bool)>> {
        let mut keys = BTreeSet::new();
        for record in self.store().records_as_of(KEY_RECORDS, at).await? {
            if record.parse::<StoredKey>()?.is_usable() {
                keys.insert(record.id);
            }
        }
        let mut issuers = Vec::new();
        for record in self.store().records_as_of(ISSUER_RECORDS, at).await? {
            let issuer: IssuerRecord = record.parse()?;
            let had = issuer
                .key
                .as_ref()
                .is_some_and(|id| keys.contains(id.as_str()));
            issuers.push((issuer, had));
        }
        Ok(issuers)
    }
}

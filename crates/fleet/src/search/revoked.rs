//! When certificates were revoked. The inventory keeps that they are; since when stands in the CA's own record.

use std::collections::HashMap;

use audit::Timestamp;

use super::page::{Listed, PATIENCE};
use crate::{Fleet, Result};

impl Fleet {
    /// Says of those that are revoked since when. Of an instant `then` (R52), what was revoked later was in force.
    pub(super) async fn tell_revoked(
        &self,
        certificates: &mut [Listed],
        then: Option<Timestamp>,
    ) -> Result<()> {
        let revoked = certificates.iter().filter(|one| one.revoked.is_some());
        let ids: Vec<String> = revoked.map(|one| one.id.to_string()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT i.id, r.revoked_at FROM inventory i JOIN certificates c ON c.sha256 = i.sha256 \
            JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial WHERE i.id IN ({})",
            ids.join(", ")
        );
        let mut since = HashMap::new();
        for row in &self.asked(&sql, vec![], PATIENCE).await? {
            since.insert(row.int(0)?, row.int(1)?);
        }
        for one in certificates {
            one.revoked_at = since.get(&one.id).copied();
            let later = then.zip(one.revoked_at);
            if later.is_some_and(|(then, since)| since > then.0.div_euclid(1000)) {
                (one.revoked, one.revoked_at) = (None, None);
            }
        }
        Ok(())
    }
}

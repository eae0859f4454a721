//! From plan to register: what changes is written many rows at a time, each with its own event; what cannot be written is
//! a bad row like any other.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Permit, Refusal};
use audit::{Event, Object, Timestamp};
use futures_util::{StreamExt, stream};
use serde_json::json;
use store::{StoreError, Write};

use super::known::Known;
use super::{Import, Imported, MOST_TOLD, Missing, Plan, Wanted, plan};
use crate::register::may_manage;
use crate::{Fleet, FleetError, Result, Retire, StoredAsset, refused};

/// Rows that share transactions.
const AT_ONCE: usize = 128;

const HELD: &str = "SELECT h.asset, COUNT(*) FROM holdings h JOIN certificates c ON c.sha256 = h.sha256 \
    WHERE h.ended IS NULL AND c.not_after >= $1 GROUP BY h.asset";

impl Fleet {
    /// Imports a table, or says what importing it would do.
    pub async fn import(
        &self,
        permit: Permit,
        table: Vec<u8>,
        import: Import,
        now: Timestamp,
    ) -> Result<Imported> {
        let object = Object::new("register", "assets");
        let action = match import.reconcile {
            true => "asset.reconcile",
            false => "asset.import",
        };
        let sha256 = audit::merkle::sha256(&table);
        let checked = may_manage(&permit).and_then(|()| combination(&import));
        self.checked(&permit, action, &object, checked, now).await?;
        let known = Known::load(self).await?;
        let asked = import.clone();
        let planned = tokio::task::spawn_blocking(move || plan(table, &asked, &known)).await;
        let planned = planned.map_err(|_| FleetError::Damaged("import"))?;
        let mut planned = match planned {
            Ok(planned) => planned,
            Err(refusal) => {
                return Err(refused(self.access(), &permit, action, &object, refusal, now).await);
            }
        };
        planned.report.dry_run = import.dry_run;
        self.tell_missing(&mut planned, now).await?;
        let guarded = guard(&import, &planned.report);
        if import.dry_run {
            planned.report.revoked = match import.retire_missing && guarded.is_ok() {
                true => self.certificates_of(&planned.missing, now).await?,
                false => 0,
            };
            return Ok(planned.report);
        }
        self.checked(&permit, action, &object, guarded, now).await?;
        let permit = Arc::new(permit);
        let mut report = planned.report;
        self.write(&permit, planned.wanted, &mut report, now)
            .await?;
        if import.retire_missing {
            self.retire_missing(&permit, &planned.missing, &import, &mut report, now)
                .await;
        }
        let event = Event::new(now, permit.actor().clone(), action, object).after(json!({
            "table_sha256": hex::encode(sha256), "rows": report.rows, "added": report.added, "changed": report.changed,
            "unchanged": report.unchanged, "bad": report.bad, "missing": report.missing, "retired": report.retired,
        }));
        self.store()
            .commit(Write::new(permit.joined(event))?)
            .await?;
        Ok(report)
    }

    async fn write(
        &self,
        permit: &Arc<Permit>,
        wanted: Vec<Wanted>,
        report: &mut Imported,
        now: Timestamp,
    ) -> Result<()> {
        let mut written = stream::iter(wanted)
            .map(|wanted| async move {
                let (row, version) = (wanted.row, wanted.version);
                let done = self.put_if(permit, wanted.asset, version, now).await;
                (row, version, done)
            })
            .buffer_unordered(AT_ONCE);
        let mut ids = HashMap::new();
        while let Some((row, version, done)) = written.next().await {
            let error = match done {
                Ok(stored) => {
                    ids.insert(row, stored.asset.id);
                    continue;
                }
                Err(error) => error,
            };
            // Somebody else was faster with this asset; everything else ends the import, which can be repeated.
            let conflict = matches!(error, FleetError::Store(StoreError::Conflict(_)));
            if error.refusal().is_none() && !conflict {
                return Err(error);
            }
            match version {
                0 => report.added -= 1,
                _ => report.changed -= 1,
            }
            let rule = error.refusal().map(|refusal| refusal.rule.to_string());
            let rule = rule.unwrap_or_else(|| "row.conflict".to_owned());
            report.note(row, rule, error.to_string());
        }
        report
            .changes
            .retain_mut(|change| match ids.remove(&change.row) {
                Some(id) => {
                    change.id = id;
                    true
                }
                // Told as a bad row.
                None => false,
            });
        Ok(())
    }

    async fn retire_missing(
        &self,
        permit: &Permit,
        missing: &[StoredAsset],
        import: &Import,
        report: &mut Imported,
        now: Timestamp,
    ) {
        for stored in missing {
            let retire = Retire {
                reason: import.reason.clone(),
                dry_run: false,
            };
            match self
                .retire_under(permit, &stored.asset.id, retire, now)
                .await
            {
                Ok(retired) => {
                    report.retired += 1;
                    report.revoked += retired.certificates.len() as u64;
                }
                Err(error) => {
                    let rule = error.refusal().map(|refusal| refusal.rule.to_string());
                    let message = format!("asset {}: {error}", stored.asset.id);
                    report.note(
                        0,
                        rule.unwrap_or_else(|| "asset.retire".to_owned()),
                        message,
                    );
                }
            }
        }
    }

    async fn tell_missing(&self, planned: &mut Plan, now: Timestamp) -> Result<()> {
        if planned.missing.is_empty() {
            return Ok(());
        }
        let held = self.held(now).await?;
        let told = planned
            .missing
            .iter()
            .take(MOST_TOLD)
            .map(|stored| Missing {
                id: stored.asset.id.clone(),
                serial: stored.asset.serial.clone(),
                source: stored.asset.source.clone(),
                certificates: held.get(&stored.asset.id).copied().unwrap_or_default(),
            });
        planned.report.missing_assets = told.collect();
        Ok(())
    }

    async fn certificates_of(&self, assets: &[StoredAsset], now: Timestamp) -> Result<u64> {
        let held = self.held(now).await?;
        let of = |stored: &StoredAsset| held.get(&stored.asset.id).copied().unwrap_or_default();
        Ok(assets.iter().map(of).sum())
    }

    /// How many certificates each asset holds.
    async fn held(&self, now: Timestamp) -> Result<HashMap<String, u64>> {
        let rows = self
            .store()
            .query(HELD, store::params![now.seconds()])
            .await?;
        let read = |row: &store::Row| Ok((row.text(0)?.to_owned(), row.int(1)?.unsigned_abs()));
        rows.iter().map(read).collect()
    }
}

fn combination(import: &Import) -> Result<(), Refusal> {
    match import.retire_missing && !import.reconcile {
        true => Err(Refusal::new(
            "reconcile.only",
            "docs/assets.md",
            "what a part of the assets lacks is not missing",
        )
        .accepted("a reconciliation with everything that the asset system has")),
        false => Ok(()),
    }
}

/// Retiring is for good, so a table that is not what it should be retires nothing.
fn guard(import: &Import, report: &Imported) -> Result<(), Refusal> {
    if !import.retire_missing || report.missing == 0 {
        return Ok(());
    }
    if report.bad > 0 {
        let message = format!(
            "{} rows cannot be read: they may be what is missing",
            report.bad
        );
        return Err(
            Refusal::new("reconcile.bad-rows", "docs/assets.md", message)
                .accepted("a table without bad rows, or a reconciliation that retires nothing"),
        );
    }
    match report.missing > import.retire_limit {
        true => Err(Refusal::new(
            "reconcile.limit",
            "docs/assets.md",
            format!("{} assets are missing; nothing was changed", report.missing),
        )
        .accepted(format!(
            "at most {}, or a higher limit if they are really gone",
            import.retire_limit
        ))),
        false => Ok(()),
    }
}

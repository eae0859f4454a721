//! Accounts as operators see them.

use access::{Permit, Scope};
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Row, Write, params};

use super::{Desk, check_text};
use crate::acme::AcmeError;

/// An account, without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountView {
    pub id: String,
    pub directory: String,
    /// `valid`, `deactivated` (by the client) or `revoked` (by an operator).
    pub status: String,
    pub contacts: Vec<String>,
    /// The external account key that it is bound by.
    pub eab: Option<String>,
    pub scope: Scope,
    pub preauthorised: bool,
    /// RFC 7638, hex.
    pub thumbprint: String,
    /// Unix milliseconds.
    pub created: i64,
}

/// Which accounts. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountFilter {
    pub directory: Option<String>,
    pub status: Option<String>,
    pub eab: Option<String>,
    /// Those after this id: the `next` of the page before.
    pub after: Option<String>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
}

/// A page of accounts, by id.
#[derive(Clone, Debug, Serialize)]
pub struct AccountPage {
    pub accounts: Vec<AccountView>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

const PAGE: &str = "SELECT id, directory, status, contacts, eab, scope, preauthorised, thumbprint, created \
    FROM acme_accounts WHERE id > $1 AND ($2 = '' OR directory = $2) AND ($3 = '' OR status = $3) \
    AND ($4 = '' OR eab = $4) ORDER BY id LIMIT $5";
const ONE: &str = "SELECT id, directory, status, contacts, eab, scope, preauthorised, thumbprint, created \
    FROM acme_accounts WHERE id = $1";
const REVOKE: &str =
    "UPDATE acme_accounts SET status = 'revoked' WHERE id = $1 AND status = 'valid'";

impl Desk {
    /// A page of accounts.
    pub async fn accounts(&self, filter: &AccountFilter) -> Result<AccountPage, AcmeError> {
        let limit = filter.limit.unwrap_or(100).clamp(1, 1000);
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let params = params![
            text(&filter.after),
            text(&filter.directory),
            text(&filter.status),
            text(&filter.eab),
            i64::from(limit),
        ];
        let rows = self.store().query(PAGE, params).await?;
        let accounts = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let full = accounts.len() == limit as usize;
        let next = accounts.last().filter(|_| full).map(|last| last.id.clone());
        Ok(AccountPage { accounts, next })
    }

    /// One account.
    pub async fn account(&self, id: &str) -> Result<AccountView, AcmeError> {
        let rows = self.store().query(ONE, params![id]).await?;
        rows.first()
            .map(read)
            .transpose()?
            .ok_or_else(|| AcmeError::NotFound {
                kind: "account",
                id: id.chars().take(64).collect(),
            })
    }

    /// Ends an account: its key signs nothing any more. Certificates stay as they are.
    pub async fn deactivate_account(
        &self,
        permit: Permit,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), AcmeError> {
        let account = self.account(id).await?;
        let object = Object::new("acme-account", id);
        let action = "acme.account.revoke";
        self.checked(&permit, action, &object, now, || check_text("why", why))
            .await?;
        if account.status != "valid" {
            return Ok(());
        }
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(why)
            .before(json!({ "status": account.status }))
            .after(json!({ "status": "revoked" }));
        let conflict = "the account has changed since it was read";
        let write =
            Write::new(permit.joined(event))?.run_expecting(1, REVOKE, params![id], conflict);
        self.store().commit(write).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<AccountView, AcmeError> {
    let id = row.text(0)?.to_owned();
    let json = |column: usize| -> Result<_, AcmeError> { Ok(row.text(column)?.to_owned()) };
    let stored = |why: serde_json::Error| AcmeError::Stored {
        kind: "account",
        id: id.clone(),
        why: why.to_string(),
    };
    Ok(AccountView {
        directory: row.text(1)?.to_owned(),
        status: row.text(2)?.to_owned(),
        contacts: serde_json::from_str(&json(3)?).map_err(stored)?,
        eab: row.opt_text(4)?.map(str::to_owned),
        scope: serde_json::from_str(&json(5)?).map_err(stored)?,
        preauthorised: row.int(6)? != 0,
        thumbprint: hex::encode(row.blob(7)?),
        created: row.int(8)?,
        id,
    })
}

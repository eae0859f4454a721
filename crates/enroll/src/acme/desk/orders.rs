//! Orders as operators see them: what was asked for, how it was proved, what came of it.

use audit::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::params;

use super::Desk;
use crate::acme::AcmeError;
use crate::acme::orders::{self, Order};

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    pub id: String,
    pub directory: String,
    pub account: String,
    pub profile: String,
    /// `pending`, `ready`, `processing`, `valid` or `invalid` (RFC 8555 §7.1.6).
    pub status: &'static str,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds.
    pub expires: i64,
    pub names: Vec<NameView>,
    /// The certificate that it replaces (RFC 9773 §4.1).
    pub replaces: Option<String>,
    /// SHA-256 of what was issued, hex.
    pub certificate: Option<String>,
    /// A problem document.
    pub error: Option<Value>,
}

/// A name of an order and what stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameView {
    pub name: String,
    /// Of its authorization: `pending`, `processing`, `valid`, `invalid` or `deactivated`.
    pub status: &'static str,
    /// The challenge that was tried.
    pub challenge: Option<&'static str>,
    /// What stands in for a proof of its own.
    pub origin: Option<String>,
    /// Why it was not proved.
    pub error: Option<Value>,
}

/// Which orders. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderFilter {
    pub directory: Option<String>,
    pub account: Option<String>,
    /// `pending` and `ready` find both: whether an order is ready follows from its names.
    pub status: Option<String>,
    /// Those older than this id: the `next` of the page before.
    pub after: Option<String>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
}

/// A page of orders, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct OrderPage {
    pub orders: Vec<OrderView>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

const PAGE: &str = "SELECT id FROM acme_orders WHERE ($1 = '' OR id < $1) AND ($2 = '' OR directory = $2) \
    AND ($3 = '' OR account = $3) AND ($4 = '' OR status = $4) ORDER BY id DESC LIMIT $5";

impl Desk {
    /// A page of orders.
    pub async fn orders(
        &self,
        filter: &OrderFilter,
        now: Timestamp,
    ) -> Result<OrderPage, AcmeError> {
        let limit = filter.limit.unwrap_or(100).clamp(1, 1000);
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let status = match filter.status.as_deref() {
            Some("pending" | "ready") => "open".to_owned(),
            other => other.unwrap_or_default().to_owned(),
        };
        let params = params![
            text(&filter.after),
            text(&filter.directory),
            text(&filter.account),
            status,
            i64::from(limit),
        ];
        let mut orders = Vec::new();
        let rows = self.store().query(PAGE, params).await?;
        for row in &rows {
            if let Some(order) = orders::order(self.store(), row.text(0)?).await? {
                orders.push(view(&order, now));
            }
        }
        let full = rows.len() == limit as usize;
        let next = rows.last().filter(|_| full);
        let next = next.map(|row| row.text(0).map(str::to_owned)).transpose()?;
        Ok(OrderPage { orders, next })
    }

    /// One order, with why its names were not proved.
    pub async fn order(&self, id: &str, now: Timestamp) -> Result<OrderView, AcmeError> {
        let not_found = || AcmeError::NotFound {
            kind: "order",
            id: id.chars().take(64).collect(),
        };
        let order = orders::order(self.store(), id)
            .await?
            .ok_or_else(not_found)?;
        let mut shown = view(&order, now);
        for (position, name) in shown.names.iter_mut().enumerate() {
            let id = orders::authorization_id(id, i64::try_from(position).unwrap_or_default());
            let authorization = orders::authorization(self.store(), &id).await?;
            name.error = authorization.and_then(|held| document(held.error));
        }
        Ok(shown)
    }
}

fn view(order: &Order, now: Timestamp) -> OrderView {
    let names = order.authorizations.iter().map(|held| NameView {
        name: held.name.text(),
        status: held.status.as_str(),
        challenge: held.challenge.map(|kind| kind.as_str()),
        origin: held.origin.clone(),
        error: None,
    });
    OrderView {
        id: order.id.clone(),
        directory: order.directory.clone(),
        account: order.account.clone(),
        profile: order.profile.clone(),
        status: order.state(now).as_str(),
        created: order.created.0,
        expires: order.expires.0,
        names: names.collect(),
        replaces: order.replaces.clone(),
        certificate: order.certificate.map(hex::encode),
        error: document(order.error.clone()),
    }
}

fn document(text: Option<String>) -> Option<Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

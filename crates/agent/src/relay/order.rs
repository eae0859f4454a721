//! An order: what to look at, within which limits, until when; signed by the core.
//!
//! The agent believes none of it: the signature has to be by the key that was pinned at enrolment, the order for this agent
//! and alive, and all of it within the ceiling that was pinned beside the key. The scanner then keeps to the limits.

use crate::observation::Form;
use crate::scan::{Cursor, Depth, Limits, Range, Service, TargetError, Targets};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// Most bytes of an order: limits with the models of ten thousand addresses.
pub const ORDER_LIMIT: usize = 4 << 20;

/// What keeps a signature over an order from being one over anything else that the same key signs: checkpoints of the
/// log begin with its origin, carried limits with a line of their own.
const PURPOSE: &str = "ward order v1";

/// The text that is signed for an order: that of a signed note (C2SP), whose signature is an order's.
pub fn signed_text(order: &str) -> String {
    format!("{PURPOSE}\n{order}\n")
}

/// A scan to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub v: Form,
    pub id: String,
    pub agent: String,
    pub segment: String,
    /// Unix milliseconds by the core's clock.
    pub issued: i64,
    /// No new target is begun after it.
    pub expires: i64,
    pub ranges: Vec<Range>,
    /// `443`, `2525/smtp`, `8000-8010`.
    pub services: String,
    /// Server names to ask every address for, beside none.
    #[serde(default)]
    pub names: Vec<String>,
    pub depth: Depth,
    pub concurrency: usize,
    /// Rest between two connections to one device, in milliseconds.
    pub pause_ms: u32,
    pub limits: Limits,
    /// 32 bytes in hex.
    pub seed: String,
    /// Where to go on, if an order before this one was not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// An order as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The order's JSON, as it was signed.
    pub order: String,
    /// Ed25519 over [`signed_text`], in base64.
    pub signature: String,
}

/// The most that this agent ever does, whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ceiling {
    /// Where it may look; nowhere if there is none.
    pub ranges: Vec<Range>,
    /// Ports, first and last; any if there is none.
    pub ports: Vec<(u16, u16)>,
    /// Connections a second; any number if there is none.
    pub rate: Option<f64>,
    pub raw_print: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    #[error("an order of {0} bytes; they have at most {ORDER_LIMIT}")]
    TooLarge(usize),
    #[error("the order's signature is not by the key that was pinned at enrolment")]
    Signature,
    #[error("not an order: {0}")]
    Form(String),
    #[error("the order is for agent {0}")]
    Other(String),
    #[error("the order expired at {expires} ms, and by the core's clock it is {now} ms")]
    Expired { expires: i64, now: i64 },
    #[error("the order goes beyond what this agent was enrolled for: {0}")]
    Beyond(String),
    #[error("the order: {0}")]
    Targets(#[from] TargetError),
}

impl Signed {
    /// The order, if it is signed by `key`.
    pub fn open(&self, key: &[u8; 32]) -> Result<Order, OrderError> {
        if self.order.len() > ORDER_LIMIT {
            return Err(OrderError::TooLarge(self.order.len()));
        }
        let signature = STANDARD
            .decode(&self.signature)
            .map_err(|_| OrderError::Signature)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(signed_text(&self.order).as_bytes(), &signature)
            .map_err(|_| OrderError::Signature)?;
        serde_json::from_str(&self.order).map_err(|error| OrderError::Form(error.to_string()))
    }
}

impl Order {
    /// What it asks to look at, if this agent may.
    pub fn check(&self, agent: &str, ceiling: &Ceiling, now: i64) -> Result<Targets, OrderError> {
        if self.agent != agent {
            return Err(OrderError::Other(self.agent.chars().take(64).collect()));
        }
        if now >= self.expires {
            return Err(OrderError::Expired {
                expires: self.expires,
                now,
            });
        }
        let services = Service::list(&self.services)?;
        ceiling.check(self, &services)?;
        let targets = Targets::new(&self.ranges, &[], services, self.names.clone())?;
        let seed = self.seed()?;
        if let Some(cursor) = &self.cursor {
            let check = cursor.check(&targets, &seed);
            check.map_err(|error| OrderError::Form(error.to_string()))?;
        }
        Ok(targets)
    }

    pub(super) fn seed(&self) -> Result<[u8; 32], OrderError> {
        let seed = super::batch::unhex(&self.seed);
        seed.ok_or_else(|| OrderError::Form("the seed is not 32 bytes in hex".to_owned()))
    }

    /// The limits with what is left of the order's life at `now`.
    pub(super) fn limits(&self, now: i64) -> Limits {
        let left = u64::try_from(self.expires.saturating_sub(now)).unwrap_or_default();
        let left = Duration::from_millis(left);
        let mut limits = self.limits.clone();
        limits.window = Some(limits.window.map_or(left, |window| window.min(left)));
        limits
    }
}

impl Ceiling {
    /// Whether one ceiling is nowhere above another.
    pub fn is_within(&self, other: &Ceiling) -> Result<(), String> {
        if self.ports.is_empty() && !other.ports.is_empty() {
            return Err("every port".to_owned());
        }
        other.holds_ranges(&self.ranges)?;
        other.holds_ports(&self.ports)?;
        other.holds_rate(self.rate)?;
        other.holds_print(self.raw_print)
    }

    fn check(&self, order: &Order, services: &[Service]) -> Result<(), OrderError> {
        let ports: Vec<(u16, u16)> = services.iter().map(|it| (it.port, it.port)).collect();
        let limits = &order.limits;
        self.holds_ranges(&order.ranges)
            .and_then(|()| match limits.ranges.is_empty() {
                true => Err("limits without ranges".to_owned()),
                false => self.holds_ranges(&limits.ranges),
            })
            .and_then(|()| self.holds_ports(&ports))
            .and_then(|()| self.holds_rate(limits.rate))
            .and_then(|()| self.holds_print(limits.raw_print))
            .map_err(OrderError::Beyond)
    }

    fn holds_ranges(&self, ranges: &[Range]) -> Result<(), String> {
        let is_in = |range: &Range| {
            let holds = |own: &Range| own.contains(range.first()) && own.contains(range.last());
            self.ranges.iter().any(holds)
        };
        match ranges.iter().find(|range| !is_in(range)) {
            Some(range) => Err(format!("addresses {range}")),
            None => Ok(()),
        }
    }

    fn holds_ports(&self, ports: &[(u16, u16)]) -> Result<(), String> {
        let is_in = |(first, last): &(u16, u16)| {
            let holds = |own: &(u16, u16)| own.0 <= *first && *last <= own.1;
            self.ports.is_empty() || self.ports.iter().any(holds)
        };
        match ports.iter().find(|range| !is_in(range)) {
            Some((first, last)) => Err(format!("ports {first} to {last}")),
            None => Ok(()),
        }
    }

    fn holds_rate(&self, rate: Option<f64>) -> Result<(), String> {
        match (self.rate, rate) {
            (None, _) => Ok(()),
            (Some(most), Some(rate)) if rate <= most => Ok(()),
            (Some(most), Some(rate)) => {
                Err(format!("{rate} connections a second, and at most {most}"))
            }
            (Some(most), None) => Err(format!(
                "any number of connections a second, and at most {most}"
            )),
        }
    }

    fn holds_print(&self, raw_print: bool) -> Result<(), String> {
        match raw_print && !self.raw_print {
            true => Err("ports 9100-9107, which print what they receive".to_owned()),
            false => Ok(()),
        }
    }
}

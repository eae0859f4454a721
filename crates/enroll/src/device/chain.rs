//! How much of its chain goes along with a certificate. Many embedded stacks hold one message, and send to every peer
//! whatever they were given (R05).

use std::sync::Arc;

use fleet::Asset;
use serde::{Deserialize, Serialize};
use x509::Certificate;

use super::Endpoint;

/// How much of the chain goes along. The root never does: it comes as a trust anchor, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// The certificate alone.
    Leaf,
    /// The authority that has issued it.
    Issuer,
    /// All below the root.
    #[default]
    Whole,
}

impl Chain {
    /// What this asset gets at this endpoint: no more than the endpoint says, and nothing where the register knows that
    /// there is no room.
    pub(super) fn of(endpoint: &Endpoint, asset: &Asset) -> Self {
        match asset.small_memory {
            true => Chain::Leaf,
            false => endpoint.chain,
        }
    }

    /// The part of a chain, issuer first, that goes along.
    pub(super) fn part(self, chain: &[Certificate]) -> &[Certificate] {
        let length = match self {
            Chain::Leaf => 0,
            Chain::Issuer => 1,
            Chain::Whole => chain.len(),
        };
        chain.get(..length).unwrap_or(chain)
    }

    /// As [`Chain::part`], without a copy of what is left whole.
    pub(super) fn shared(self, chain: &Arc<[Certificate]>) -> Arc<[Certificate]> {
        match self.part(chain) {
            whole if whole.len() == chain.len() => Arc::clone(chain),
            part => Arc::from(part),
        }
    }
}

//! Why one certificate has its risk, asked by its name.

use audit::Timestamp;
use serde::Serialize;

use super::{Assessment, assess};
use crate::flow::Protects;
use crate::{Fleet, Result};

/// A certificate's risk with everything that it follows from.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    pub sha256: String,
    /// As people read it: "Critical because: PHI via EHR interface, 12 days left, renewal manual".
    pub text: String,
    #[serde(flatten)]
    pub assessment: Assessment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Flows and systems that it protects.
    pub protects: Vec<Protects>,
}

impl Fleet {
    /// Works out the risk of one certificate from everything that is known of it now.
    pub async fn explain_risk(&self, sha256: &[u8; 32], now: Timestamp) -> Result<Explained> {
        let facts = self.facts(sha256).await?;
        let assessment = assess(&facts, now);
        Ok(Explained {
            sha256: hex::encode(sha256),
            text: assessment.to_string(),
            assessment,
            owner: facts.assigned.owner,
            protects: facts.flows,
        })
    }
}

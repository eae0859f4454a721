//! The first administrator: nobody can sign in yet, so nobody could let them in but the machine itself.

use std::sync::Arc;

use access::{Access, AccessError, Principal};
use audit::Timestamp;

use crate::config::Config;

/// The one-time link of the first administrator, while nobody can sign in. Who asks again makes the one before worthless.
pub async fn first_administrator(
    config: &Config,
    access: &Access,
    by: &Arc<Principal>,
    now: Timestamp,
) -> Result<Option<String>, AccessError> {
    let lasts = config.sign_in.invitation_ms;
    let token = access.invite_first_administrator(by, lasts, now).await?;
    Ok(token.map(|token| access::welcome_url(&config.sign_in_origin(), &token)))
}

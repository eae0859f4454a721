//! Challenges (RFC 8555 §7.5.1, §8): shown, and answered by the client, which starts the validation.

use agent::control::{CaaQuery, ChallengeKind, Check};
use audit::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::front::Verified;
use super::limits::Spend;
use super::orders::{Authorization, Proven};
use super::problem::Problem;
use super::validation::{self, Validation};
use super::{Account, Acme, Directory, Reply, authorization};

/// RFC 8555 §7.5.1: an object; members that no challenge asks for are ignored.
#[derive(Deserialize)]
struct Response {}

/// POST challenge/{authorization}/{kind}: shows it, or asks for validation.
pub(crate) async fn post(
    acme: &Acme,
    call: &Verified<'_>,
    id: &str,
    kind: ChallengeKind,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let found = authorization::own(acme, call, id).await?;
    if !found.challenges.contains(&kind) {
        return Err(Problem::not_found("there is no such challenge"));
    }
    if call.is_post_as_get() {
        return Ok(view(call, &found, kind));
    }
    let Response {} = call.parse()?;
    // One attempt (§7.1.6): whatever has begun or ended is shown as it is.
    if found.status != Proven::Pending {
        return Ok(view(call, &found, kind));
    }
    if found.expires <= now {
        return Err(Problem::malformed(
            "the authorization has expired (RFC 8555 §7.1.6)",
        ));
    }
    let account = call.account()?;
    let peer = call.request.peer;
    acme.inner
        .limits
        .spend(&call.directory, Some(account), peer, Spend::Challenge, now)?;
    let account_url = call.account_url(&account.id);
    let validation = Validation {
        directory: call.directory.clone(),
        check: check(&call.directory, account, &found, kind, &account_url),
        authorization: found,
        request_id: call.request.request_id.to_owned(),
    };
    let after = validation::start(acme, validation, now).await?;
    Ok(view(call, &after, kind))
}

fn view(call: &Verified<'_>, authorization: &Authorization, kind: ChallengeKind) -> Reply {
    let up = call.url(&format!("authz/{}", authorization.id()));
    let shown = authorization::challenge_view(call, authorization, kind);
    let reply = Reply::json(200, &shown).link(&up, "up");
    match authorization.status {
        Proven::Processing => reply.retry_after(1),
        _ => reply,
    }
}

/// What the validator is to look for (RFC 8555 §8.1).
pub(crate) fn check(
    directory: &Directory,
    account: &Account,
    authorization: &Authorization,
    kind: ChallengeKind,
    account_url: &str,
) -> Check {
    let (token, name) = (&authorization.token, &authorization.name);
    let thumbprint = URL_SAFE_NO_PAD.encode(account.key.thumbprint);
    let caa = (!directory.caa_identities.is_empty()).then(|| CaaQuery {
        identities: directory.caa_identities.clone(),
        wildcard: name.wildcard,
        validation_method: kind.as_str().to_owned(),
        account_url: account_url.to_owned(),
    });
    Check {
        kind,
        identifier: name.identifier.clone(),
        wildcard: name.wildcard,
        token: token.clone(),
        key_authorization: format!("{token}.{thumbprint}"),
        account_url: account_url.to_owned(),
        caa,
        rules: directory.validation.clone(),
    }
}

//! External account keys: made, shown once, listed, revoked.

use access::{NamePattern, Permit, Refusal, Scope};
use audit::{Event, Object, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Write, params};
use zeroize::Zeroizing;

use super::{Desk, check_text};
use crate::acme::{AcmeError, Directory, EAB_RECORDS, EabKey, ExternalAccount};
use crate::random::random;
use crate::secret;

/// What a new key shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEab {
    pub directory: String,
    /// How many accounts it may bind; `None` is any number.
    #[serde(default = "once")]
    pub uses: Option<u32>,
    /// Unix milliseconds.
    #[serde(default)]
    pub expires: Option<i64>,
    #[serde(default)]
    pub scope: Scope,
    /// Names inside the scope need no challenge.
    #[serde(default)]
    pub preauthorised: bool,
    pub owner: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub asset: Option<String>,
    #[serde(default)]
    pub segment: Option<String>,
}

fn once() -> Option<u32> {
    Some(1)
}

/// A key and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct EabView {
    #[serde(flatten)]
    pub key: EabKey,
    /// How many accounts it has bound.
    pub used: u64,
}

impl EabView {
    /// `active`, `used up`, `expired` or `revoked`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        let used_up = self
            .key
            .uses
            .is_some_and(|most| self.used >= u64::from(most));
        match (self.key.revoked, self.key.fault(now)) {
            (Some(_), _) => "revoked",
            (None, Some(_)) => "expired",
            (None, None) if used_up => "used up",
            (None, None) => "active",
        }
    }
}

/// HS512 asks for a key as long as its hash (RFC 7518 §3.2); the shorter ones take it as well.
const SECRET_BYTES: usize = 64;
const MOST_PATTERNS: usize = 1000;

const COUNT: &str = "INSERT INTO acme_eab_uses(kid, used, revoked) VALUES($1, 0, 0)";
const COUNTS: &str = "SELECT kid, used FROM acme_eab_uses";
const STOP: &str = "UPDATE acme_eab_uses SET revoked = 1 WHERE kid = $1";
const BOUND: &str = "SELECT id FROM acme_accounts WHERE eab = $1 AND status = 'valid' ORDER BY id";
const REVOKE_BOUND: &str =
    "UPDATE acme_accounts SET status = 'revoked' WHERE eab = $1 AND status = 'valid'";

impl Desk {
    /// Makes a key. Its secret is returned once, in base64url as clients take it; only its sealed form is kept.
    pub async fn create_eab(
        &self,
        permit: Permit,
        new: NewEab,
        now: Timestamp,
    ) -> Result<(EabKey, Zeroizing<String>), AcmeError> {
        let directory = self.directory(&new.directory).await?.directory;
        let object = Object::new("acme-directory", directory.name.as_str());
        self.checked(&permit, "acme.eab.create", &object, now, || {
            check(&new, &directory, now)
        })
        .await?;
        let secret = new_secret()?;
        let key = EabKey {
            id: format!("e{}", hex::encode(random::<8>()?)),
            directory: new.directory,
            uses: new.uses,
            expires: new.expires,
            scope: new.scope,
            preauthorised: new.preauthorised,
            owner: new.owner,
            note: new.note,
            asset: new.asset,
            segment: new.segment,
            revoked: None,
            created: now.0,
            created_by: permit.actor().id.clone(),
        };
        let label = key.secret_label();
        let sealed = self.ca.keyring().seal_secret(&label, secret.as_slice())?;
        let object = Object::new("acme-eab", key.id.as_str());
        let event =
            Event::new(now, permit.actor().clone(), "acme.eab.create", object).after(json!(key));
        let write = Write::new(permit.joined(event))?
            .put_record(EAB_RECORDS, &key.id, 0, &key, now)?
            .put_record(ca::SECRET_RECORDS, &label, 0, &sealed, now)?
            .run_expecting(
                1,
                COUNT,
                params![key.id.as_str()],
                "a key with this id is there already",
            );
        self.store().commit(write).await?;
        Ok((
            key,
            Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice())),
        ))
    }

    /// Keys, revoked ones included, the oldest first.
    pub async fn eab_keys(&self, directory: Option<&str>) -> Result<Vec<EabView>, AcmeError> {
        let mut used = std::collections::HashMap::new();
        for row in self.store().query(COUNTS, params![]).await? {
            used.insert(row.text(0)?.to_owned(), row.int(1)?.unsigned_abs());
        }
        let mut views = Vec::new();
        for record in self.store().records(EAB_RECORDS).await? {
            let key: EabKey = record.parse()?;
            if directory.is_none_or(|wanted| wanted == key.directory) {
                let used = used.get(&key.id).copied().unwrap_or_default();
                views.push(EabView { key, used });
            }
        }
        views.sort_by(|a, b| (a.key.created, &a.key.id).cmp(&(b.key.created, &b.key.id)));
        Ok(views)
    }

    /// One key.
    pub async fn eab_key(&self, id: &str) -> Result<EabView, AcmeError> {
        let views = self.eab_keys(None).await?;
        views
            .into_iter()
            .find(|view| view.key.id == id)
            .ok_or_else(|| not_found(id))
    }

    /// The accounts that a key has bound and that are in use.
    pub async fn bound_accounts(&self, id: &str) -> Result<Vec<String>, AcmeError> {
        let rows = self.store().query(BOUND, params![id]).await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    /// Ends a key: it binds no further account. With `accounts`, those that it has bound end too. Says how many did.
    pub async fn revoke_eab(
        &self,
        permit: Permit,
        id: &str,
        why: &str,
        accounts: bool,
        now: Timestamp,
    ) -> Result<usize, AcmeError> {
        let object = Object::new("acme-eab", id.chars().take(64).collect::<String>());
        let action = "acme.eab.revoke";
        self.checked(&permit, action, &object, now, || check_text("why", why))
            .await?;
        let record = self
            .store()
            .record(EAB_RECORDS, id)
            .await?
            .ok_or_else(|| not_found(id))?;
        let mut key: EabKey = record.parse()?;
        let bound = match accounts {
            true => self.bound_accounts(id).await?,
            false => Vec::new(),
        };
        if key.revoked.is_some() && bound.is_empty() {
            return Ok(0);
        }
        let revoked = *key.revoked.get_or_insert(now.0);
        let event = Event::new(now, permit.actor().clone(), action, object)
            .why(why)
            .after(json!({ "revoked": revoked, "accounts": bound }));
        let mut write = Write::new(permit.joined(event))?
            .put_record(EAB_RECORDS, id, record.version, &key, now)?
            .run(STOP, params![id]);
        // What nobody can use any more is not kept.
        write = secret::forget(self.store(), write, &key.secret_label(), now).await?;
        if accounts {
            write = write.run(REVOKE_BOUND, params![id]);
        }
        self.store().commit(write).await?;
        Ok(bound.len())
    }
}

fn check(new: &NewEab, directory: &Directory, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |rule: &'static str, message: String| Refusal::new(rule, "docs/acme.md", message);
    if directory.external_account == ExternalAccount::Off {
        return Err(refuse(
            "acme.eab.directory",
            format!(
                "directory {} takes no external account keys",
                directory.name
            ),
        )
        .accepted("a directory with external_account = required or optional"));
    }
    for (field, text) in [
        ("owner", Some(&new.owner)),
        ("note", Some(&new.note)),
        ("asset", new.asset.as_ref()),
        ("segment", new.segment.as_ref()),
    ] {
        text.map_or(Ok(()), |text| check_text(field, text))?;
    }
    if new.owner.trim().is_empty() {
        return Err(refuse(
            "acme.eab.owner",
            "somebody has to answer for what this key lets in".to_owned(),
        )
        .accepted("a person, a team or a service: 1 to 200 characters"));
    }
    if new.uses == Some(0) {
        return Err(refuse("acme.eab.uses", "a key for no account".to_owned())
            .accepted("at least one use, or no limit"));
    }
    if new.expires.is_some_and(|end| end <= now.0) {
        return Err(refuse(
            "acme.eab.expires",
            "the key would be expired already".to_owned(),
        ));
    }
    if new.scope.names.len() > MOST_PATTERNS {
        return Err(refuse("acme.eab.scope", "too many patterns".to_owned())
            .accepted(format!("at most {MOST_PATTERNS}")));
    }
    let offered = |glob: &String| {
        directory
            .profiles
            .iter()
            .any(|offer| access::glob(glob, &offer.profile))
    };
    if let Some(glob) = new.scope.profiles.iter().find(|glob| !offered(glob)) {
        let known: Vec<&str> = directory
            .profiles
            .iter()
            .map(|offer| offer.profile.as_str())
            .collect();
        return Err(refuse(
            "acme.eab.profile",
            format!("directory {} offers no profile {glob}", directory.name),
        )
        .accepted(known.join(", ")));
    }
    if new.preauthorised {
        check_preauthorised(&new.scope)?;
    }
    Ok(())
}

/// Names that need no proof are written down one by one or by zone, never "any".
fn check_preauthorised(scope: &Scope) -> Result<(), Refusal> {
    let refuse = |message: String| {
        Refusal::new("acme.eab.preauthorised", "docs/acme.md", message)
            .accepted("DNS names, zones (`*.zone`, `.zone`) and address ranges")
    };
    let provable = |pattern: &NamePattern| {
        let text = pattern.as_str();
        let kind = text.split_once(':').map(|(kind, _)| kind);
        let other_kind = kind.is_some_and(|kind| {
            access::NAME_KINDS.contains(&kind) && kind != "dns" && kind != "ip"
        });
        text != "*" && !other_kind
    };
    if scope.names.is_empty() {
        return Err(refuse(
            "a key without names cannot be pre-authorised".to_owned(),
        ));
    }
    match scope.names.iter().find(|pattern| !provable(pattern)) {
        None => Ok(()),
        Some(pattern) => Err(refuse(format!("{pattern} cannot be pre-authorised"))),
    }
}

/// A secret whose base64url does not begin with `-`: certbot and others would take it for an option.
fn new_secret() -> Result<Zeroizing<[u8; SECRET_BYTES]>, AcmeError> {
    /// The six bits that base64url writes as `-` (RFC 4648 §5).
    const HYPHEN: u8 = 62;
    loop {
        let secret = Zeroizing::new(random::<SECRET_BYTES>()?);
        if secret.first().is_none_or(|first| first >> 2 != HYPHEN) {
            return Ok(secret);
        }
    }
}

fn not_found(id: &str) -> AcmeError {
    AcmeError::NotFound {
        kind: "external account key",
        id: id.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_looks_like_an_option() {
        for _ in 0..1000 {
            let text = URL_SAFE_NO_PAD.encode(new_secret().unwrap().as_slice());
            assert!(!text.starts_with('-'), "{text}");
        }
    }
}

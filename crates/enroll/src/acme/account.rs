//! The resources of accounts (RFC 8555 §7.3): made, found, updated, deactivated.

use audit::{Actor, ActorKind, Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use store::{StoreError, Write, params};

use super::accounts::{self, Account, AccountStatus};
use super::directory::ExternalAccount;
use super::front::Verified;
use super::limits::Spend;
use super::problem::{ErrorType, Problem};
use super::{Acme, AcmeError, Directory, Reply, binding, json, jws};
use crate::random::random;

/// Addresses of one account.
const CONTACTS: usize = 10;
/// RFC 5321 §4.5.3.1.3: the longest address, with `mailto:`.
const CONTACT: usize = 7 + 254;

/// RFC 8555 §7.3.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount {
    #[serde(default)]
    contact: Option<Vec<String>>,
    #[serde(default)]
    terms_of_service_agreed: Option<bool>,
    #[serde(default)]
    only_return_existing: Option<bool>,
    #[serde(default)]
    external_account_binding: Option<Box<RawValue>>,
}

/// RFC 8555 §7.3.2, §7.3.6. Other members are ignored, as §7.3.2 says.
#[derive(Deserialize)]
struct Update {
    #[serde(default)]
    contact: Option<Vec<String>>,
    #[serde(default)]
    status: Option<String>,
}

/// RFC 8555 §7.1.2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    contact: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service_agreed: Option<bool>,
    orders: String,
}

pub(crate) fn view(call: &Verified<'_>, account: &Account, status: u16) -> Reply {
    let url = call.account_url(&account.id);
    let view = View {
        status: account.status.as_str(),
        contact: &account.contacts,
        terms_of_service_agreed: account.terms_agreed.map(|_| true),
        orders: format!("{url}/orders"),
    };
    Reply::json(status, &view).location(url)
}

/// POST new-account.
pub(crate) async fn create(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let wish: NewAccount = call.parse()?;
    let directory = &call.directory;
    if let Some(reply) = existing(acme, call).await? {
        return Ok(reply);
    }
    if wish.only_return_existing == Some(true) {
        return Err(Problem::new(
            ErrorType::AccountDoesNotExist,
            "there is no account with this key (RFC 8555 §7.3.1)",
        ));
    }
    call.key.require_strong()?;
    require_terms(directory, &wish)?;
    let contacts = wish.contact.unwrap_or_default();
    check_contacts(&contacts)?;
    let inner = &acme.inner;
    inner
        .limits
        .spend(directory, None, call.request.peer, Spend::NewAccount, now)?;
    let binding = match (directory.external_account, &wish.external_account_binding) {
        (ExternalAccount::Off, _) | (ExternalAccount::Optional, None) => None,
        (ExternalAccount::Required, None) => {
            return Err(Problem::new(
                ErrorType::ExternalAccountRequired,
                "accounts of this directory are bound to an external account: ask whoever runs the authority for a key \
                 (RFC 8555 §7.3.4)",
            ));
        }
        (_, Some(binding)) => Some(binding::verify(acme, call, binding.get(), now).await?),
    };
    let account = Account {
        id: new_id().map_err(|error| Problem::internal(&error))?,
        directory: directory.name.clone(),
        key: call.key.clone(),
        contacts,
        status: AccountStatus::Valid,
        eab: binding.as_ref().map(|bound| bound.key.id.clone()),
        scope: binding
            .as_ref()
            .map(|bound| bound.key.scope.clone())
            .unwrap_or_default(),
        preauthorised: binding
            .as_ref()
            .is_some_and(|bound| bound.key.preauthorised),
        terms_agreed: (wish.terms_of_service_agreed == Some(true)).then_some(now),
        created: now,
    };
    let event = event(call, &account, "acme.account.create", now).after(json!({
        "directory": account.directory,
        "thumbprint": call.key.thumbprint_text(),
        "contacts": account.contacts,
        "eab": account.eab,
        "scope": account.scope,
        "preauthorised": account.preauthorised,
        "terms_agreed": account.terms_agreed.is_some(),
    }));
    let mut write = account.insert(Write::new(event)?)?;
    if let Some(bound) = &binding {
        write = bound.spend(write);
    }
    match inner.store.commit(write).await {
        Ok(_) => Ok(view(call, &account, 201)),
        // The same client asked twice at once.
        Err(error) if accounts::is_key_taken(&error) => match existing(acme, call).await? {
            Some(reply) => Ok(reply),
            None => Err(error.into()),
        },
        // The external account key was used by another in between.
        Err(StoreError::Conflict(why)) => {
            Err(Problem::unauthorized(format!("{why} (RFC 8555 §7.3.4)")))
        }
        Err(error) => Err(error.into()),
    }
}

/// RFC 8555 §7.3.1: a key that has an account gets that one.
async fn existing(acme: &Acme, call: &Verified<'_>) -> Result<Option<Reply>, Problem> {
    let store = &acme.inner.store;
    let found = accounts::by_key(store, &call.directory.name, &call.key.thumbprint).await?;
    let Some(account) = found else {
        return Ok(None);
    };
    jws::require_valid(&account)?;
    Ok(Some(view(call, &account, 200)))
}

/// RFC 8555 §7.3.
fn require_terms(directory: &Directory, wish: &NewAccount) -> Result<(), Problem> {
    let Some(terms) = &directory.terms_of_service else {
        return Ok(());
    };
    if wish.terms_of_service_agreed == Some(true) {
        return Ok(());
    }
    let mut problem = Problem::new(
        ErrorType::UserActionRequired,
        format!("agree to the terms of service at {terms} (RFC 8555 §7.3)"),
    );
    problem.instance = Some(terms.clone());
    problem.link = Some((terms.clone(), "terms-of-service"));
    Err(problem)
}

/// POST account/{id}: shows, updates or deactivates it. `front` has made sure that it is the caller's own.
pub(crate) async fn update(
    acme: &Acme,
    call: &Verified<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let account = call.account()?;
    if call.is_post_as_get() {
        return Ok(view(call, account, 200));
    }
    let wish: Update = call.parse()?;
    let mut changed = Account::clone(account);
    let action = match wish.status.as_deref() {
        Some("deactivated") => {
            changed.status = AccountStatus::Deactivated;
            "acme.account.deactivate"
        }
        None | Some("valid") => "acme.account.update",
        Some(_) => {
            return Err(Problem::malformed(
                "the only status that an account can be given is \"deactivated\" (RFC 8555 §7.3.6)",
            ));
        }
    };
    if let Some(contacts) = wish.contact {
        check_contacts(&contacts)?;
        changed.contacts = contacts;
    }
    if changed.contacts == account.contacts && changed.status == account.status {
        return Ok(view(call, account, 200));
    }
    let event = event(call, account, action, now)
        .before(json!({ "contacts": account.contacts, "status": account.status.as_str() }))
        .after(json!({ "contacts": changed.contacts, "status": changed.status.as_str() }));
    let contacts =
        serde_json::to_string(&changed.contacts).map_err(|error| Problem::internal(&error))?;
    let write = Write::new(event)?.run_expecting(
        1,
        UPDATE,
        params![contacts, changed.status.as_str(), account.id.as_str()],
        NO_LONGER_VALID,
    );
    let committed = acme.inner.store.commit(write).await;
    acme.inner.accounts.forget(&account.object());
    match committed {
        Ok(_) => Ok(view(call, &changed, 200)),
        Err(StoreError::Conflict(NO_LONGER_VALID)) => Err(Problem::unauthorized(
            "the account is not valid any more (RFC 8555 §7.3.6)",
        )
        .status(401)),
        Err(error) => Err(error.into()),
    }
}

const UPDATE: &str =
    "UPDATE acme_accounts SET contacts = $1, status = $2 WHERE id = $3 AND status = 'valid'";
const NO_LONGER_VALID: &str = "the account is not valid any more";

/// An act of the account itself.
pub(crate) fn event(
    call: &Verified<'_>,
    account: &Account,
    action: &'static str,
    now: Timestamp,
) -> Event {
    let actor = Actor::new(ActorKind::Machine, accounts::actor_id(&account.id));
    Event::new(now, actor, action, account.object()).request_id(call.request.request_id)
}

/// 80 random bits.
fn new_id() -> Result<String, AcmeError> {
    Ok(hex::encode(random::<10>()?))
}

/// RFC 8555 §7.3: `mailto` with exactly one address and no header fields.
fn check_contacts(contacts: &[String]) -> Result<(), Problem> {
    if contacts.len() > CONTACTS {
        return Err(invalid(format!("at most {CONTACTS} contacts are kept")));
    }
    contacts
        .iter()
        .try_for_each(|contact| check_contact(contact))
}

fn check_contact(contact: &str) -> Result<(), Problem> {
    if contact.len() > CONTACT {
        return Err(invalid(format!("a contact is longer than {CONTACT} bytes")));
    }
    let Some((scheme, address)) = contact.split_once(':') else {
        return Err(invalid(format!(
            "the contact {contact:?} is no URL such as mailto:admin@example.org"
        )));
    };
    if !scheme.eq_ignore_ascii_case("mailto") {
        return Err(Problem::new(
            ErrorType::UnsupportedContact,
            format!("the contact {contact:?}: only mailto is kept (RFC 8555 §7.3)"),
        ));
    }
    if address.contains(['?', ',']) {
        return Err(invalid(format!(
            "the contact {contact:?} must be one address without header fields"
        )));
    }
    match is_address(address) {
        true => Ok(()),
        false => Err(invalid(format!(
            "the contact {contact:?} is no e-mail address"
        ))),
    }
}

fn invalid(detail: String) -> Problem {
    Problem::new(
        ErrorType::InvalidContact,
        format!("{detail} (RFC 8555 §7.3)"),
    )
}

/// RFC 6068 §2 with a dot-atom and a DNS name: quoted local parts and address literals reach nobody in a hospital.
fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let atom = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=^_`{|}~".contains(&byte))
    };
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    local.len() <= 64 && local.split('.').all(atom) && domain.split('.').all(label)
}

/// See [`super::exercise`].
pub(crate) fn exercise(data: &[u8]) {
    if let Ok(wish) = json::parse::<NewAccount>(data, "payload") {
        let _ = check_contacts(&wish.contact.unwrap_or_default());
        if let Some(binding) = wish.external_account_binding {
            let _ = jws::Message::read(binding.get().as_bytes(), "binding");
        }
    }
    let _ = json::parse::<Update>(data, "payload");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8555 §7.3, RFC 6068.
    #[test]
    fn contacts_are_single_mail_addresses() {
        let table: &[(&str, Option<ErrorType>)] = &[
            ("mailto:admin@example.org", None),
            ("MAILTO:admin@example.org", None),
            ("mailto:icu+pumps@mercy.example", None),
            ("mailto:root@localhost", None),
            (
                "mailto:a@b.example,c@d.example",
                Some(ErrorType::InvalidContact),
            ),
            (
                "mailto:a@b.example?subject=x",
                Some(ErrorType::InvalidContact),
            ),
            ("mailto:", Some(ErrorType::InvalidContact)),
            ("mailto:nobody", Some(ErrorType::InvalidContact)),
            ("mailto:a@", Some(ErrorType::InvalidContact)),
            ("mailto:@b.example", Some(ErrorType::InvalidContact)),
            ("mailto:a..b@c.example", Some(ErrorType::InvalidContact)),
            ("mailto:a@-c.example", Some(ErrorType::InvalidContact)),
            ("mailto:ä@c.example", Some(ErrorType::InvalidContact)),
            ("mailto:a b@c.example", Some(ErrorType::InvalidContact)),
            ("admin@example.org", Some(ErrorType::InvalidContact)),
            ("", Some(ErrorType::InvalidContact)),
            ("tel:+12025551212", Some(ErrorType::UnsupportedContact)),
            ("https://example.org/", Some(ErrorType::UnsupportedContact)),
        ];
        for (contact, expected) in table {
            let found = check_contact(contact).err().map(|problem| problem.kind);
            assert_eq!(found, *expected, "{contact}");
        }
        let many = vec!["mailto:a@b.example".to_owned(); CONTACTS + 1];
        assert!(check_contacts(&many).is_err());
        assert!(check_contacts(&many[1..]).is_ok());
    }
}

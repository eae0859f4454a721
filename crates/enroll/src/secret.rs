//! Secrets that have to be read again: of external account keys, of rights, of webhooks. Each is sealed and stored under a
//! label of its own.

use audit::Timestamp;
use ca::{Ca, SECRET_RECORDS};
use keys::{KeyError, SealedSecret};
use store::{Store, StoreError, Write};
use zeroize::Zeroizing;

/// The secret behind a label, if it is still there.
pub(crate) async fn open<E>(ca: &Ca, label: &str) -> Result<Option<Zeroizing<Vec<u8>>>, E>
where
    E: From<StoreError> + From<KeyError>,
{
    let Some(record) = ca.store().record(SECRET_RECORDS, label).await? else {
        return Ok(None);
    };
    let sealed: SealedSecret = record.parse()?;
    Ok(Some(ca.keyring().open_secret(label, &sealed)?))
}

/// Adds to a write that the secret behind a label is kept no more.
pub(crate) async fn forget(
    store: &Store,
    write: Write,
    label: &str,
    now: Timestamp,
) -> Result<Write, StoreError> {
    let there = store.record(SECRET_RECORDS, label).await?;
    Ok(match there {
        Some(secret) => write.remove_record(SECRET_RECORDS, label, secret.version, now),
        None => write,
    })
}

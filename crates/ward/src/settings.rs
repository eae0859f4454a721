//! Things that are kept as settings and shown as TOML, ACME's directories and devices' endpoints: read from a file, changed
//! by `KEY=VALUE`.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output::{Failure, failed, read_text};

/// What a thing begins as: what a file says, or else `usual`.
pub(crate) fn begun<T: DeserializeOwned>(file: Option<&Path>, usual: T) -> Result<T, Failure> {
    let Some(file) = file else {
        return Ok(usual);
    };
    toml::from_str(&read_text(file)?).map_err(|error| {
        Failure::Usage(format!(
            "{}: {}",
            file.display(),
            error.to_string().trim_end()
        ))
    })
}

/// As `begun`, for a thing that is there and is to be changed by a file, by settings or by both.
pub(crate) fn begun_anew<T: DeserializeOwned>(
    file: Option<&Path>,
    settings: &[String],
    stored: T,
) -> Result<T, Failure> {
    if file.is_none() && settings.is_empty() {
        return Err(Failure::Usage(
            "say what to change: KEY=VALUE, or --file FILE".into(),
        ));
    }
    begun(file, stored)
}

/// A thing with `KEY=VALUE` applied. A value is TOML; a word that is not is taken as text.
pub(crate) fn changed<T>(thing: &T, settings: &[String]) -> Result<T, Failure>
where
    T: Clone + Serialize + DeserializeOwned,
{
    if settings.is_empty() {
        return Ok(thing.clone());
    }
    let mut toml = toml::Value::try_from(thing).map_err(failed)?;
    let mut changed = thing.clone();
    for setting in settings {
        let (path, value) = setting
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("`{setting}` is not KEY=VALUE")))?;
        let mut keys: Vec<&str> = path.trim().split('.').collect();
        let last = keys.pop().unwrap_or_default();
        let mut at = Some(&mut toml);
        for key in keys {
            at = at.and_then(|value| value.get_mut(key));
        }
        let table = at
            .and_then(toml::Value::as_table_mut)
            .ok_or_else(|| Failure::Usage(format!("there is no `{path}`")))?;
        match value.trim() {
            "" => drop(table.remove(last)),
            value => drop(table.insert(last.to_owned(), toml_value(value))),
        }
        // Read after each, so that an error names what caused it.
        changed = toml.clone().try_into().map_err(|error: toml::de::Error| {
            Failure::Usage(format!("{setting}: {}", error.message()))
        })?;
    }
    Ok(changed)
}

fn toml_value(text: &str) -> toml::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}"));
    let value = parsed.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

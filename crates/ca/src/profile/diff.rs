//! What changed between two versions of a profile, field by field, for the person who has to agree.

use serde::Serialize;
use serde_json::Value;

use super::Profile;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field: `validity.max`, `names.dns.patterns`.
    pub field: String,
    /// Its value before; `null` if it was not there.
    pub before: Value,
    /// Its value after; `null` if it is not there.
    pub after: Value,
}

/// The fields in which `after` differs from `before`.
pub fn diff(before: &Profile, after: &Profile) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", before.to_json(), after.to_json(), &mut changes);
    changes
}

fn compare(field: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let name = if field.is_empty() {
                    key.clone()
                } else {
                    format!("{field}.{key}")
                };
                let of = |map: &'_ serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                compare(&name, &of(old), &of(new), changes);
            }
        }
        _ if before == after => {}
        _ => changes.push(Change {
            field: field.to_owned(),
            before: before.clone(),
            after: after.clone(),
        }),
    }
}

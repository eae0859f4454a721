//! Descriptions as text: one indented line a fact, and nothing in it that could steer a terminal.

use serde_json::{Map, Value};

/// Text with control, bidirectional and other invisible characters written as escapes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if deceives(c) {
            out.push_str(&format!("\\u{{{:04X}}}", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that act instead of showing: C0 and C1 controls, line separators, bidirectional controls (UAX #9),
/// zero-width and variation characters, tags and the byte order mark.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00ad}'
                | '\u{034f}'
                | '\u{061c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The lines a person reads. `value` is what [`super::describe`] made.
pub fn render_text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(object) => render_object(object, 0, &mut out),
        other => line(0, &scalar(other), &mut out),
    }
    out
}

fn render_object(object: &Map<String, Value>, depth: usize, out: &mut String) {
    if let Some(kind) = object.get("kind").and_then(Value::as_str) {
        line(depth, &format!("{}:", title(kind)), out);
        return render_fields(object, depth + 1, out);
    }
    render_fields(object, depth, out);
}

fn render_fields(object: &Map<String, Value>, depth: usize, out: &mut String) {
    for (key, value) in ordered(object) {
        render_field(&title(key), value, depth, out);
    }
}

/// What is looked for first stands first; sizes and fingerprints close.
const FIRST: [&str; 21] = [
    "version",
    "status",
    "serial",
    "subject",
    "issuer",
    "notBefore",
    "notAfter",
    "thisUpdate",
    "nextUpdate",
    "producedAt",
    "responder",
    "certificate",
    "type",
    "algorithm",
    "bits",
    "publicKey",
    "ca",
    "extensions",
    "date",
    "revokedAt",
    "reason",
];
const LAST: [&str; 3] = ["encodingIssues", "sha256", "size"];

fn ordered(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = object.iter().filter(|(key, _)| *key != "kind").collect();
    fields.sort_by_key(|(key, _)| {
        let first = FIRST.iter().position(|known| known == key);
        let last = LAST.iter().position(|known| known == key);
        match (first, last) {
            (Some(at), _) => at,
            (None, None) => FIRST.len(),
            (None, Some(at)) => FIRST.len() + 1 + at,
        }
    });
    fields
}

fn render_field(label: &str, value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Object(object) if object.is_empty() => line(depth, &format!("{label}: none"), out),
        Value::Object(object) => {
            line(depth, &format!("{label}:"), out);
            render_object(object, depth + 1, out);
        }
        Value::Array(items) if items.is_empty() => line(depth, &format!("{label}: none"), out),
        Value::Array(items) if items.iter().all(is_scalar) => {
            let joined: Vec<String> = items.iter().map(scalar).collect();
            line(depth, &format!("{label}: {}", joined.join(", ")), out);
        }
        Value::Array(items) => {
            line(depth, &format!("{label}:"), out);
            for item in items {
                render_item(item, depth + 1, out);
            }
        }
        scalar_value => line(depth, &format!("{label}: {}", scalar(scalar_value)), out),
    }
}

fn render_item(item: &Value, depth: usize, out: &mut String) {
    let Value::Object(object) = item else {
        return line(depth, &format!("- {}", scalar(item)), out);
    };
    if let Some(head) = extension_head(object) {
        let value = object.get("value").or(object.get("hex"));
        render_field(&head, value.unwrap_or(&Value::Null), depth, out);
        if let Some(error) = object.get("error") {
            render_field("Malformed", error, depth + 1, out);
        }
        return;
    }
    if let (Some(kind), Some(value), 2) =
        (text_of(object, "type"), object.get("value"), object.len())
    {
        return render_field(kind, value, depth, out);
    }
    if object.contains_key("kind") {
        return render_object(object, depth, out);
    }
    let scalars = object.iter().all(|(_, value)| is_scalar(value));
    if scalars {
        let pairs: Vec<String> = ordered(object)
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| format!("{} {}", title(key).to_lowercase(), scalar(value)))
            .collect();
        return line(depth, &format!("- {}", pairs.join(", ")), out);
    }
    line(depth, "-", out);
    render_fields(object, depth + 1, out);
}

/// `keyUsage (critical)` for an object that describes an extension.
fn extension_head(object: &Map<String, Value>) -> Option<String> {
    let critical = object.get("critical")?.as_bool()?;
    let name = text_of(object, "name").or(text_of(object, "oid"))?;
    let mark = if critical { " (critical)" } else { "" };
    Some(format!("{name}{mark}"))
}

fn text_of<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Null => "none".into(),
        other => other.to_string(),
    }
}

/// `notBefore` as `Not before`; names with a sign or a space in them stay as they are.
fn title(key: &str) -> String {
    let known = match key {
        "crl" => "CRL",
        "ocspRequest" => "OCSP request",
        "ocspResponse" => "OCSP response",
        "pkcs7" => "PKCS #7",
        "pkcs12" => "PKCS #12",
        "sha256" => "SHA-256",
        "mac" => "MAC",
        "ca" => "CA",
        "oid" => "OID",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let mut out = String::with_capacity(key.len() + 4);
    for (i, c) in key.chars().enumerate() {
        match (i, c.is_ascii_uppercase()) {
            (0, _) => out.extend(c.to_uppercase()),
            (_, true) => {
                out.push(' ');
                out.push(c.to_ascii_lowercase());
            }
            _ => out.push(c),
        }
    }
    out
}

fn line(depth: usize, text: &str, out: &mut String) {
    out.push_str(&"    ".repeat(depth));
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn escapes_what_deceives() {
        let table = [
            ("Krankenhaus Sankt Jürgen", "Krankenhaus Sankt Jürgen"),
            ("a\u{202e}b", "a\\u{202E}b"),
            ("a\nb\u{1b}[2J", "a\\u{000A}b\\u{001B}[2J"),
            ("pump\u{200b}1\0", "pump\\u{200B}1\\u{0000}"),
        ];
        for (raw, escaped) in table {
            assert_eq!(escape(raw), escaped);
        }
    }

    #[test]
    fn renders_facts_as_lines() {
        let value = json!({
            "kind": "certificate",
            "notBefore": "2026-01-01T00:00:00Z",
            "extensions": [
                {"oid": "2.5.29.15", "name": "keyUsage", "critical": true, "value": ["digitalSignature", "cRLSign"]},
                {"oid": "1.2.3", "name": null, "critical": false, "hex": "0500"},
            ],
        });
        assert_eq!(
            render_text(&value),
            "Certificate:\n    Not before: 2026-01-01T00:00:00Z\n    Extensions:\n        \
             keyUsage (critical): digitalSignature, cRLSign\n        1.2.3: 0500\n"
        );
    }
}

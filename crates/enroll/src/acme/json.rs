//! JSON from outside: within a depth, and without members that stand twice.
//!
//! RFC 8259 §4 leaves open what a name that stands twice means; two programs that read it differently can be played
//! against each other, so it is refused (RFC 7515 §4 asks for that in JWS headers).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess,
    Visitor,
};

use super::problem::Problem;

/// Deepest nesting: an order's identifiers are at 3.
const DEPTH: usize = 16;

/// Reads `bytes` as a `T`; `what` names them in the problem.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Problem> {
    let unreadable = |error: serde_json::Error| {
        Problem::malformed(format!("the {what} cannot be read: {error}"))
    };
    check(bytes).map_err(unreadable)?;
    let Object(value) = serde_json::from_slice(bytes).map_err(unreadable)?;
    Ok(value)
}

/// An object and nothing else: derived readers of structs also take a list of their members.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        d.deserialize_map(Members(PhantomData))
    }
}

/// One complete JSON object that keeps the rules. serde reads a structure from an array by position as well, which no
/// message means: neither the whole nor an element of a list may be an array.
pub(crate) fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde_json::Error::custom("it is no JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Strict::new(DEPTH).deserialize(&mut reader)?;
    reader.end()
}

/// Walks a value.
struct Strict {
    /// How much deeper it may go.
    left: usize,
    /// The value is an element of a list.
    listed: bool,
}

impl Strict {
    const fn new(left: usize) -> Self {
        Strict {
            left,
            listed: false,
        }
    }

    fn deeper<E: Error>(&self, listed: bool) -> Result<Strict, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Strict { left, listed }),
            None => Err(E::custom(format_args!("nested deeper than {DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.listed {
            return Err(A::Error::custom("a list within a list"));
        }
        while seq.next_element_seed(self.deeper(true)?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(Name(name)) = map.next_key()? {
            if seen.has(&name) {
                let shown: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format_args!(
                    "the member {shown:?} stands twice"
                )));
            }
            seen.add(name);
            map.next_value_seed(self.deeper(false)?)?;
        }
        Ok(())
    }
}

/// A member's name: copied only where it is written with escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Names of an object: a list while it is short, as nearly all are.
#[derive(Default)]
struct Seen<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Seen<'a> {
    fn has(&self, name: &str) -> bool {
        self.few.iter().any(|known| known == name) || self.many.contains(name)
    }

    fn add(&mut self, name: Cow<'a, str>) {
        if self.many.is_empty() && self.few.len() < 16 {
            self.few.push(name);
            return;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_objects_without_repetition_and_lists_of_lists_are_read() {
        let accepted = [
            "{}",
            " {\"a\": [1, \"x\", {\"b\": [true, null]}]} ",
            r#"{"a": {"b": {}}, "c": -1.5}"#,
        ];
        for text in accepted {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
        let many = |last: &str| {
            let first: String = (0..40).map(|name| format!("\"m{name}\": 1, ")).collect();
            format!("{{{first}\"{last}\": 1}}")
        };
        assert!(check(many("m40").as_bytes()).is_ok());
        let many = many("m3");
        let refused = [
            "",
            "[]",
            r#"[{"type":"dns","value":"a.test"}]"#,
            "7",
            "null",
            r#""{}""#,
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "\u0061": 1}"#,
            many.as_str(),
            r#"{"a": {"b": 1, "b": 2}}"#,
            r#"{"identifiers": [["dns", "a.test"]]}"#,
            "{} {}",
            "{",
            deep.as_str(),
        ];
        for text in refused {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }
}

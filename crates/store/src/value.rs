//! Values that go into statements and rows that come out: the four types that SQLite and
//! PostgreSQL hold alike. Everything else (times, booleans, JSON) is one of the four.

use crate::{Result, StoreError};

/// A parameter or a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// INTEGER, BIGINT; a boolean is 0 or 1; an instant is Unix milliseconds or seconds.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BLOB, BYTEA.
    Blob(Vec<u8>),
}

impl Value {
    /// How many bytes it takes, more or less.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Value::Null | Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Int(_) => "an integer",
            Value::Text(_) => "text",
            Value::Blob(_) => "a blob",
        }
    }
}

macro_rules! from {
    ($($from:ty => |$value:ident| $into:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

from! {
    i64 => |value| Value::Int(value);
    i32 => |value| Value::Int(value.into());
    u32 => |value| Value::Int(value.into());
    u16 => |value| Value::Int(value.into());
    u8 => |value| Value::Int(value.into());
    bool => |value| Value::Int(value.into());
    &str => |value| Value::Text(value.to_owned());
    String => |value| Value::Text(value);
    &String => |value| Value::Text(value.clone());
    Vec<u8> => |value| Value::Blob(value);
    &Vec<u8> => |value| Value::Blob(value.clone());
    &[u8] => |value| Value::Blob(value.to_vec());
    audit::Timestamp => |value| Value::Int(value.0);
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Value::Blob(value.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Value::Blob(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// The parameters of a statement: `params![serial, "text", 7, None::<i64>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Value::from($value)),*]
    };
}

/// One row of an answer; columns are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// The integer in column `index`.
    pub fn int(&self, index: usize) -> Result<i64> {
        match self.column(index)? {
            Value::Int(value) => Ok(*value),
            other => Err(mismatch(index, "an integer", other)),
        }
    }

    /// The text in column `index`.
    pub fn text(&self, index: usize) -> Result<&str> {
        match self.column(index)? {
            Value::Text(value) => Ok(value),
            other => Err(mismatch(index, "text", other)),
        }
    }

    /// The bytes in column `index`.
    pub fn blob(&self, index: usize) -> Result<&[u8]> {
        match self.column(index)? {
            Value::Blob(value) => Ok(value),
            other => Err(mismatch(index, "a blob", other)),
        }
    }

    /// The integer in column `index`, or `None` for NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>> {
        self.unless_null(index, Row::int)
    }

    /// The text in column `index`, or `None` for NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>> {
        self.unless_null(index, Row::text)
    }

    /// The bytes in column `index`, or `None` for NULL.
    pub fn opt_blob(&self, index: usize) -> Result<Option<&[u8]>> {
        self.unless_null(index, Row::blob)
    }

    /// The columns, in order.
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }

    /// The bytes in column `index`, which must be a SHA-256.
    pub(crate) fn hash(&self, index: usize) -> Result<audit::Hash> {
        let bytes = self.blob(index)?;
        bytes.try_into().map_err(|_| {
            let have = bytes.len();
            StoreError::Value(format!(
                "column {index} has {have} bytes and should have 32"
            ))
        })
    }

    /// The count in column `index`.
    pub(crate) fn count(&self, index: usize) -> Result<u64> {
        let value = self.int(index)?;
        u64::try_from(value)
            .map_err(|_| StoreError::Value(format!("column {index} is negative: {value}")))
    }

    fn unless_null<'a, T>(
        &'a self,
        index: usize,
        read: impl Fn(&'a Row, usize) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.column(index)? {
            Value::Null => Ok(None),
            _ => read(self, index).map(Some),
        }
    }

    fn column(&self, index: usize) -> Result<&Value> {
        self.0.get(index).ok_or_else(|| {
            let columns = self.0.len();
            StoreError::Value(format!("column {index} of {columns}"))
        })
    }
}

fn mismatch(index: usize, wanted: &str, found: &Value) -> StoreError {
    let found = found.kind();
    StoreError::Value(format!("column {index} is {found}, not {wanted}"))
}

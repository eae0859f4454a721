//! The store's four types on PostgreSQL's wire.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Value;

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, to: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match (self, to) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(value), &Type::INT8) => value.to_sql(to, out),
            (Value::Int(value), &Type::INT4) => i32::try_from(*value)?.to_sql(to, out),
            (Value::Int(value), &Type::INT2) => i16::try_from(*value)?.to_sql(to, out),
            (Value::Text(value), &(Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME)) => {
                value.to_sql(to, out)
            }
            (Value::Blob(value), &Type::BYTEA) => value.to_sql(to, out),
            (value, to) => Err(format!("{} where PostgreSQL wants {to}", value.kind()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(from: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(match *from {
            Type::INT8 => Value::Int(i64::from_sql(from, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(from, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(from, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(from, raw)?.into()),
            Type::NUMERIC => Value::Int(whole_numeric(raw).ok_or("a numeric that is no i64")?),
            Type::BYTEA => Value::Blob(raw.to_vec()),
            _ => Value::Text(String::from_sql(from, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Value::Null)
    }

    fn accepts(of: &Type) -> bool {
        let numbers = [
            Type::INT8,
            Type::INT4,
            Type::INT2,
            Type::BOOL,
            Type::NUMERIC,
        ];
        numbers.contains(of) || *of == Type::BYTEA || <String as FromSql>::accepts(of)
    }
}

/// A NUMERIC that is a whole number; `sum()` over BIGINT makes them. Four 16-bit fields (digits,
/// weight, sign, scale), then digits to the base 10,000 (`numeric_send` in PostgreSQL's source).
fn whole_numeric(raw: &[u8]) -> Option<i64> {
    let (fields, []) = raw.as_chunks::<2>() else {
        return None;
    };
    let mut fields = fields.iter().map(|field| i16::from_be_bytes(*field));
    let (count, weight) = (fields.next()?, fields.next()?);
    let (sign, _scale) = (fields.next()?, fields.next()?);
    let negative = match sign.cast_unsigned() {
        0 => false,
        0x4000 => true,
        _ => return None, // not a number, or infinite
    };
    let mut value: i64 = 0;
    for place in 0..=weight.max(count - 1) {
        let digit = fields.next().unwrap_or(0);
        if place > weight {
            if digit != 0 {
                return None;
            }
            continue;
        }
        let digit = i64::from(if negative { -digit } else { digit });
        value = value.checked_mul(10_000)?.checked_add(digit)?;
    }
    Some(value)
}

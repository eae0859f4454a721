//! One statement instead of many: what a batch does to a table row by row with one text, done to
//! all rows at once. Parameters become arrays; so a batch of any size has a handful of statements.
//!
//! Few shapes are understood, those that there are many of: an INSERT of its parameters, the same
//! on condition that another table has a row, a DELETE by columns and an UPDATE by one. Everything
//! else is sent as it is.

use tokio_postgres::types::Type;

/// A statement that can be done for many rows at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Many<'a> {
    /// The only table it changes.
    pub(crate) table: &'a str,
    /// Another that it looks into.
    pub(crate) looks_into: Option<&'a str>,
    shape: Shape<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape<'a> {
    /// `head` is all before `VALUES($1, …, $n)`, which ends the statement.
    Insert { head: &'a str },
    /// The same with `ON CONFLICT DO NOTHING` behind it.
    InsertNew { head: &'a str },
    /// `head` is all before `SELECT $1, …, $n-1 WHERE EXISTS(`, and `condition` what follows up to
    /// ` = $n)`, which ends the statement.
    InsertIf { head: &'a str, condition: &'a str },
    /// `head` is all before the last `= $1`, and `column` stands before that.
    Delete { head: &'a str, column: &'a str },
    /// `condition` is `a = $1 AND b = $2` and so on.
    DeleteExactly { condition: &'a str },
    /// `set` is all between `SET` and `WHERE column = $1`, and `rest` what follows that.
    Update {
        set: &'a str,
        column: &'a str,
        rest: &'a str,
    },
}

impl<'a> Many<'a> {
    /// Understands a statement, or does not.
    pub(crate) fn of(sql: &'a str) -> Option<Self> {
        Many::insert(sql)
            .or_else(|| Many::insert_if(sql))
            .or_else(|| Many::delete(sql))
            .or_else(|| Many::delete_exactly(sql))
            .or_else(|| Many::update(sql))
    }

    /// Whether one write's statement may stand together with another's: whatever their values are,
    /// it is as if they had come one after the other. The other shapes are for the statements of
    /// one write, whose values are looked at ([`Many::keeps_apart`]).
    pub(crate) fn is_for_any_values(&self) -> bool {
        matches!(
            self.shape,
            Shape::Insert { .. } | Shape::InsertIf { .. } | Shape::Delete { .. }
        )
    }

    /// Whether no two of the statements may be about the same first value: an UPDATE changes a row
    /// once, and nobody says to which of two values.
    pub(crate) fn keeps_apart(&self) -> bool {
        matches!(self.shape, Shape::Update { .. })
    }

    fn insert(sql: &'a str) -> Option<Self> {
        let (head, values) = sql.split_once("VALUES(")?;
        let (table, columns) = target(head)?;
        let (values, shape) = match values.strip_suffix(") ON CONFLICT DO NOTHING") {
            Some(values) => (values, Shape::InsertNew { head }),
            None => (values.strip_suffix(')')?, Shape::Insert { head }),
        };
        (in_order(values)? == columns).then_some(Many {
            table,
            looks_into: None,
            shape,
        })
    }

    fn insert_if(sql: &'a str) -> Option<Self> {
        let (insert, condition) = sql.split_once(" WHERE EXISTS(")?;
        let (head, values) = insert.split_once("SELECT ")?;
        let (table, columns) = target(head)?;
        let (condition, last) = condition.strip_suffix(')')?.split_once(" = $")?;
        let (other, column) = condition
            .strip_prefix("SELECT 1 FROM ")?
            .split_once(" WHERE ")?;
        name(column)?;
        let complete = in_order(values)? == columns && last.parse() == Ok(columns + 1);
        complete.then_some(Many {
            table,
            looks_into: Some(name(other)?),
            shape: Shape::InsertIf { head, condition },
        })
    }

    fn delete(sql: &'a str) -> Option<Self> {
        let head = sql.strip_suffix(" = $1")?;
        let (table, column) = head.strip_prefix("DELETE FROM ")?.split_once(" WHERE ")?;
        Some(Many {
            table: name(table)?,
            looks_into: None,
            shape: Shape::Delete {
                head,
                column: name(column)?,
            },
        })
    }

    fn delete_exactly(sql: &'a str) -> Option<Self> {
        let (table, condition) = sql.strip_prefix("DELETE FROM ")?.split_once(" WHERE ")?;
        let mut columns = 0;
        for one in condition.split(" AND ") {
            columns += 1;
            let (column, value) = one.split_once(" = $")?;
            (name(column)? == column && value.parse() == Ok(columns)).then_some(())?;
        }
        Some(Many {
            table: name(table)?,
            looks_into: None,
            shape: Shape::DeleteExactly { condition },
        })
    }

    fn update(sql: &'a str) -> Option<Self> {
        let (table, rest) = sql.strip_prefix("UPDATE ")?.split_once(" SET ")?;
        let (set, condition) = rest.split_once(" WHERE ")?;
        let (key, rest) = condition.split_once(" = $1")?;
        // Further conditions are of the row alone, and what is set is a value for each column: no
        // subquery, in which a name could mean something else.
        let plain = rest.is_empty() || rest.starts_with(" AND ") && !rest.contains(['$', '(']);
        let (mut values, mut last) = (set.split(", "), 1);
        let in_order = values.all(|one| {
            last += 1;
            let value = one.split_once(" = $");
            value.is_some_and(|(column, number)| {
                name(column) == Some(column) && column != key && number.parse() == Ok(last)
            })
        });
        (plain && in_order).then_some(Many {
            table: name(table)?,
            looks_into: None,
            shape: Shape::Update {
                set,
                column: name(key)?,
                rest,
            },
        })
    }

    /// The statement for many rows, given the types of the parameters of one.
    fn text(&self, types: &[Type]) -> String {
        let array = |(at, of): (usize, &Type)| format!("${}::{}[]", at + 1, of.name());
        let arrays: Vec<String> = types.iter().enumerate().map(array).collect();
        let arrays = arrays.join(", ");
        let names: Vec<String> = (1..=types.len()).map(|at| format!("v{at}")).collect();
        let all = names.join(", ");
        match self.shape {
            Shape::Insert { head } => format!("{head}SELECT * FROM unnest({arrays})"),
            Shape::InsertNew { head } => {
                format!("{head}SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING")
            }
            Shape::InsertIf { head, condition } => {
                let inserted = names[..types.len() - 1].join(", ");
                let last = types.len();
                format!(
                    "{head}SELECT {inserted} FROM unnest({arrays}) AS many({all}) \
                    WHERE EXISTS({condition} = v{last})"
                )
            }
            Shape::Delete { head, .. } => format!("{head} = ANY({arrays})"),
            Shape::DeleteExactly { condition } => {
                let (table, condition) = (self.table, condition.replace('$', "v"));
                format!(
                    "DELETE FROM {table} USING unnest({arrays}) AS many({all}) WHERE {condition}"
                )
            }
            Shape::Update { set, column, rest } => {
                let (table, set) = (self.table, set.replace('$', "v"));
                format!(
                    "UPDATE {table} SET {set} FROM unnest({arrays}) AS many({all}) WHERE {column} = v1{rest}"
                )
            }
        }
    }

    /// The column that tells apart the rows changed for one write from those of another.
    fn key(&self) -> Option<&'a str> {
        match self.shape {
            Shape::Insert { .. }
            | Shape::InsertNew { .. }
            | Shape::InsertIf { .. }
            | Shape::DeleteExactly { .. } => None,
            Shape::Delete { column, .. } | Shape::Update { column, .. } => Some(column),
        }
    }
}

/// How a statement of a write is put to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) sql: &'static str,
    /// For many rows at once ([`Many`]): each parameter is an array.
    pub(crate) many: bool,
    /// As a statement that fails unless it changes as many rows as a further parameter says, so
    /// that nobody has to look at the answer before COMMIT is sent.
    pub(crate) expecting: bool,
}

impl Form {
    /// The statement as it stands.
    pub(crate) fn plain(sql: &'static str) -> Self {
        Form {
            sql,
            many: false,
            expecting: false,
        }
    }

    /// The text, given the types of the parameters of the plain statement.
    pub(crate) fn text(&self, types: &[Type]) -> String {
        let many = Many::of(self.sql).filter(|_| self.many);
        let sql = many.map_or_else(|| self.sql.to_owned(), |many| many.text(types));
        match self.expecting {
            true => expecting(&sql, types.len() + 1, many.and_then(|many| many.key())),
            false => sql,
        }
    }
}

/// Parameter number `count` says how many rows must change. With a `key`, each of them for another
/// value of it: then none was changed in the place of another.
fn expecting(sql: &str, count: usize, key: Option<&str>) -> String {
    let (returned, distinct) = match key {
        Some(column) => (column, format!(" AND count(DISTINCT {column}) = ${count}")),
        None => ("1", String::new()),
    };
    format!(
        "WITH changed AS ({sql} RETURNING {returned}) \
        SELECT 1 / CAST(count(*) = ${count}{distinct} AS int) FROM changed"
    )
}

/// The table of `INSERT INTO table(columns) `, and how many columns there are.
fn target(head: &str) -> Option<(&str, usize)> {
    let columns = head.strip_prefix("INSERT INTO ")?.trim_end();
    let (table, columns) = columns.strip_suffix(')')?.split_once('(')?;
    Some((name(table)?, columns.split(',').count()))
}

/// How many parameters these are, if they are `$1, $2, …` in order.
fn in_order(values: &str) -> Option<usize> {
    let values = values.split(',').map(str::trim);
    let numbers = values.map(|value| value.strip_prefix('$')?.parse().ok());
    let mut count = 0;
    for number in numbers {
        count += 1;
        if number != Some(count) {
            return None;
        }
    }
    Some(count)
}

/// A bare name, without the space around it.
fn name(text: &str) -> Option<&str> {
    let text = text.trim();
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!text.is_empty() && text.chars().all(bare)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood_becomes_a_statement_over_arrays() {
        let cases = [
            (
                "INSERT INTO t(a, b) VALUES($1, $2)",
                "INSERT INTO t(a, b) SELECT * FROM unnest($1::int8[], $2::bytea[])",
            ),
            (
                "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE id = $2)",
                "INSERT INTO t(a) SELECT v1 FROM unnest($1::int8[], $2::bytea[]) AS many(v1, v2) \
                WHERE EXISTS(SELECT 1 FROM u WHERE id = v2)",
            ),
            (
                "DELETE FROM t WHERE a = $1",
                "DELETE FROM t WHERE a = ANY($1::int8[])",
            ),
        ];
        for (one, many) in cases {
            assert!(told(one, many).is_for_any_values(), "{one}");
        }
    }

    fn told(one: &'static str, many: &str) -> Many<'static> {
        let types = &[Type::INT8, Type::BYTEA, Type::TEXT][..one.matches('$').count()];
        let understood = Many::of(one).unwrap();
        assert_eq!((understood.table, &*understood.text(types)), ("t", many));
        understood
    }

    #[test]
    fn what_depends_on_its_values_is_for_one_write_alone() {
        let cases = [
            (
                "INSERT INTO t(a, b) VALUES($1, $2) ON CONFLICT DO NOTHING",
                "INSERT INTO t(a, b) SELECT * FROM unnest($1::int8[], $2::bytea[]) ON CONFLICT DO NOTHING",
                false,
            ),
            (
                "DELETE FROM t WHERE a = $1 AND b = $2",
                "DELETE FROM t USING unnest($1::int8[], $2::bytea[]) AS many(v1, v2) WHERE a = v1 AND b = v2",
                false,
            ),
            (
                "UPDATE t SET b = $2, c = $3 WHERE a = $1",
                "UPDATE t SET b = v2, c = v3 FROM unnest($1::int8[], $2::bytea[], $3::text[]) \
                AS many(v1, v2, v3) WHERE a = v1",
                true,
            ),
            (
                "UPDATE t SET b = $2 WHERE a = $1 AND c IS NULL",
                "UPDATE t SET b = v2 FROM unnest($1::int8[], $2::bytea[]) \
                AS many(v1, v2) WHERE a = v1 AND c IS NULL",
                true,
            ),
        ];
        for (one, many, apart) in cases {
            let understood = told(one, many);
            assert!(!understood.is_for_any_values(), "{one}");
            assert_eq!(understood.keeps_apart(), apart, "{one}");
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let cases = [
            "INSERT INTO t(a, b) VALUES($2, $1)",
            "INSERT INTO t(a, b) VALUES($1, 0)",
            "INSERT INTO t(a, b) VALUES($1, $2 + 1)",
            "INSERT INTO t(a) VALUES($1), ($2)",
            "INSERT INTO t(a) VALUES($1) ON CONFLICT(a) DO UPDATE SET a = excluded.a",
            "INSERT INTO t VALUES($1)",
            "INSERT INTO t(a) SELECT $1",
            "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE id = $1)",
            "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE id = $2 AND b = $3)",
            "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE b > 1 AND id = $2)",
            "INSERT INTO t(a) SELECT $2 WHERE EXISTS(SELECT 1 FROM u WHERE id = $3)",
            "INSERT INTO t(a) SELECT $1 WHERE NOT EXISTS(SELECT 1 FROM u WHERE id = $2)",
            "DELETE FROM t",
            "DELETE FROM t WHERE a = $2 AND b = $1",
            "DELETE FROM t WHERE b > 1 AND a = $1",
            "UPDATE t SET b = 1 WHERE a = $1",
            "UPDATE t SET b = $1 WHERE a = $2",
            "UPDATE t SET a = $2 WHERE a = $1",
            "UPDATE t SET b = $2 WHERE a = $1 AND c = $3",
            "UPDATE t SET b = $2 WHERE a = $1 AND c IN (SELECT 1)",
            "UPDATE t SET b = (SELECT c FROM u WHERE id = $2) WHERE a = $1",
            "UPDATE t SET b = b + $2 WHERE a = $1",
            "UPDATE t SET b = $2 WHERE c > 1 AND a = $1",
        ];
        for sql in cases {
            assert_eq!(Many::of(sql), None, "{sql}");
        }
    }
}

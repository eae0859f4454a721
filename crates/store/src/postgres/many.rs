//! One statement instead of many: what a batch does to a table row by row with one text, done to
//! all rows at once. Parameters become arrays; so a batch of any size has a handful of statements.
//!
//! Only three shapes are understood, those of the hot path: an INSERT of its parameters, the same
//! on condition that another table has a row, and a DELETE by one column. Everything else is sent
//! as it is, once for each write.

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
    /// `head` is all before `SELECT $1, …, $n-1 WHERE EXISTS(`, and `condition` what follows up to
    /// ` = $n)`, which ends the statement.
    InsertIf { head: &'a str, condition: &'a str },
    /// `head` is all before the last `= $1`, and `column` stands before that.
    Delete { head: &'a str, column: &'a str },
}

impl<'a> Many<'a> {
    /// Understands a statement, or does not.
    pub(crate) fn of(sql: &'a str) -> Option<Self> {
        Many::insert(sql)
            .or_else(|| Many::insert_if(sql))
            .or_else(|| Many::delete(sql))
    }

    fn insert(sql: &'a str) -> Option<Self> {
        let (head, values) = sql.split_once("VALUES(")?;
        let (table, columns) = target(head)?;
        (in_order(values.strip_suffix(')')?)? == columns).then_some(Many {
            table,
            looks_into: None,
            shape: Shape::Insert { head },
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

    /// The statement for many rows, given the types of the parameters of one.
    fn text(&self, types: &[Type]) -> String {
        let array = |(at, of): (usize, &Type)| format!("${}::{}[]", at + 1, of.name());
        let arrays: Vec<String> = types.iter().enumerate().map(array).collect();
        let arrays = arrays.join(", ");
        match self.shape {
            Shape::Insert { head } => format!("{head}SELECT * FROM unnest({arrays})"),
            Shape::InsertIf { head, condition } => {
                let names: Vec<String> = (1..=types.len()).map(|at| format!("v{at}")).collect();
                let (all, inserted) = (names.join(", "), names[..types.len() - 1].join(", "));
                let last = types.len();
                format!(
                    "{head}SELECT {inserted} FROM unnest({arrays}) AS many({all}) \
                    WHERE EXISTS({condition} = v{last})"
                )
            }
            Shape::Delete { head, .. } => format!("{head} = ANY({arrays})"),
        }
    }

    /// The column that tells apart the rows changed for one write from those of another.
    fn key(&self) -> Option<&'a str> {
        match self.shape {
            Shape::Insert { .. } | Shape::InsertIf { .. } => None,
            Shape::Delete { column, .. } => Some(column),
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
            let types = &[Type::INT8, Type::BYTEA][..one.matches('$').count()];
            let understood = Many::of(one).unwrap();
            assert_eq!((understood.table, &*understood.text(types)), ("t", many));
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let cases = [
            "INSERT INTO t(a, b) VALUES($2, $1)",
            "INSERT INTO t(a, b) VALUES($1, 0)",
            "INSERT INTO t(a, b) VALUES($1, $2 + 1)",
            "INSERT INTO t(a) VALUES($1), ($2)",
            "INSERT INTO t(a) VALUES($1) ON CONFLICT DO NOTHING",
            "INSERT INTO t VALUES($1)",
            "INSERT INTO t(a) SELECT $1",
            "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE id = $1)",
            "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE id = $2 AND b = $3)",
            "INSERT INTO t(a) SELECT $1 WHERE EXISTS(SELECT 1 FROM u WHERE b > 1 AND id = $2)",
            "INSERT INTO t(a) SELECT $2 WHERE EXISTS(SELECT 1 FROM u WHERE id = $3)",
            "INSERT INTO t(a) SELECT $1 WHERE NOT EXISTS(SELECT 1 FROM u WHERE id = $2)",
            "DELETE FROM t",
            "DELETE FROM t WHERE a = $1 AND b = $2",
            "DELETE FROM t WHERE b > 1 AND a = $1",
            "UPDATE t SET b = 1 WHERE a = $1",
        ];
        for sql in cases {
            assert_eq!(Many::of(sql), None, "{sql}");
        }
    }
}

//! Which few certificates a search can find at all, where an index knows it: a name, what is said of a place or a finding.
//! Then those few are asked instead of everything. What is found out is only ever left away: each of them is still held
//! against the whole condition.

use std::time::Duration;

use audit::Timestamp;
use store::StoreError;

use super::compile::{Compiler, NAME_KINDS, Rows, escaped, has_kind};
use super::field::{About, Kind};
use super::language::{Condition, How, Operator, Query, Test};
use super::literal::Literal;
use crate::{Fleet, Result};

/// So many are few: they are read and sorted within some ten milliseconds. Where there are more, a walk in the order of
/// the page meets enough of them soon.
const FEW: usize = 2000;

/// How long it may take to find out. Names are a narrow table, which is faster looked through than certificates are.
const NAMES_PATIENCE: Duration = Duration::from_secs(2);
const PART_PATIENCE: Duration = Duration::from_millis(40);
/// Places are looked through for their assets, which have no index there.
const REACH_PATIENCE: Duration = Duration::from_secs(1);

impl Fleet {
    /// The certificates among which everything is that `query` finds; `None` if they are many, or nobody knows.
    pub(super) async fn few(
        &self,
        query: &Query,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Option<Vec<i64>>> {
        let found = match &query.condition {
            Some(condition) => self.few_asked(query, condition, patience, now).await?,
            None => None,
        };
        match (&query.reach, found) {
            (Some(reach), None) => {
                let mut compiler = Compiler::new(self.target(query, Rows::Certificates, true, now));
                let sql = compiler.those_within(reach);
                self.few_of(&sql, compiler, patience.min(REACH_PATIENCE))
                    .await
            }
            (_, found) => Ok(found),
        }
    }

    async fn few_asked(
        &self,
        query: &Query,
        condition: &Condition,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Option<Vec<i64>>> {
        for part in parts(condition) {
            if let Condition::Test(test) = part {
                let mut compiler = Compiler::new(self.target(query, Rows::Certificates, true, now));
                if let Some(sql) = named(&mut compiler, test) {
                    let found = self
                        .few_of(&sql, compiler, patience.min(NAMES_PATIENCE))
                        .await?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
        // What was at a place, or wrong, at another time is history.
        if query.as_of.is_some() {
            return Ok(None);
        }
        for about in [About::Place, About::Finding] {
            let mut compiler = Compiler::new(self.target(query, Rows::Certificates, true, now));
            if let Some(asked) = compiler.part(condition, about) {
                let sql = match about {
                    About::Place => format!(
                        "SELECT p.certificate FROM places p WHERE p.certificate IS NOT NULL AND p.gone IS NULL AND {asked}"
                    ),
                    _ => format!(
                        "SELECT f.certificate FROM findings f WHERE f.certificate IS NOT NULL AND f.closed IS NULL AND {asked}"
                    ),
                };
                let found = self
                    .few_of(&sql, compiler, patience.min(PART_PATIENCE))
                    .await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// What a statement finds, each certificate once; `None` if it is much or takes long.
    async fn few_of(
        &self,
        sql: &str,
        compiler: Compiler,
        patience: Duration,
    ) -> Result<Option<Vec<i64>>> {
        let sql = format!("{sql} LIMIT {}", FEW + 1);
        let rows = match self.store().search(&sql, compiler.params, patience).await {
            Ok(rows) if rows.len() <= FEW => rows,
            Ok(_) | Err(StoreError::GaveUp(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let ids: std::result::Result<Vec<i64>, _> = rows.iter().map(|row| row.int(0)).collect();
        let mut ids = ids?;
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(ids))
    }
}

/// All of which have to be so.
fn parts(condition: &Condition) -> &[Condition] {
    match condition {
        Condition::All(inside) => inside,
        other => std::slice::from_ref(other),
    }
}

/// Who has such a name, if the test is about one.
fn named(compiler: &mut Compiler, test: &Test) -> Option<String> {
    if test.field.kind != Kind::Names {
        return None;
    }
    const FROM: &str = "SELECT n.certificate FROM inventory_names n WHERE n.name";
    match &test.how {
        How::Compare(Operator::Equal, Literal::Text(text)) => {
            let name = compiler.param(bare(text));
            Some(format!("{FROM} = {name}"))
        }
        How::In(literals) => {
            let mut names = Vec::with_capacity(literals.len());
            for literal in literals {
                let Literal::Text(text) = literal else {
                    return None;
                };
                names.push(compiler.param(bare(text)));
            }
            Some(format!("{FROM} IN ({})", names.join(", ")))
        }
        How::Compare(Operator::Contains, Literal::Text(text)) => {
            let text = text.to_lowercase();
            is_inside(&text).then(|| {
                let pattern = compiler.param(format!("%{}%", escaped(&text)));
                format!("{FROM} LIKE {pattern} ESCAPE '!'")
            })
        }
        _ => None,
    }
}

/// A name without its kind, as the table has it.
fn bare(text: &str) -> String {
    let lower = text.to_lowercase();
    match (has_kind(&lower), lower.split_once(':')) {
        (true, Some((_, name))) => name.to_owned(),
        _ => lower,
    }
}

/// Whether a piece of `kind:name` can only be a piece of the name. Kinds are words of letters; those that are not in the
/// list (`dirname`, `othername`, …) are, too.
fn is_inside(text: &str) -> bool {
    let begin = text.split(':').next().unwrap_or_default();
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match text.contains(':') {
        true => !is_word(begin),
        false => {
            !text.contains('\n')
                && !NAME_KINDS
                    .iter()
                    .chain(&OTHER_KINDS)
                    .any(|kind| kind.contains(text))
        }
    }
}

/// Kinds that a name of nobody's interest has (x509's `GeneralName`).
const OTHER_KINDS: [&str; 5] = ["hwm", "dirname", "othername", "x400", "ediparty"];

#[cfg(test)]
mod tests {
    use super::{bare, is_inside};

    #[test]
    fn a_name_is_looked_for_without_its_kind() {
        for (text, name) in [
            ("dns:WWW.example.org", "www.example.org"),
            ("www.example.org", "www.example.org"),
            ("2001:db8::5", "2001:db8::5"),
            ("ip:2001:db8::5", "2001:db8::5"),
            ("other:thing", "other:thing"),
        ] {
            assert_eq!(bare(text), name);
        }
    }

    #[test]
    fn what_may_be_a_piece_of_a_kind_is_not_looked_for_in_names() {
        for text in ["dns", "n", "ns:www", ":www", "othername", "2001:db8", ""] {
            assert!(!is_inside(text), "{text}");
        }
        for text in ["mercy.example", "pump 7", "_", "%", "a-b:c", "dns."] {
            assert!(is_inside(text), "{text}");
        }
    }
}

//! A condition as SQL for either database.
//!
//! Texts and bytes go in as parameters, numbers as digits; nothing that somebody typed is ever part of the statement. Every
//! test is true or false and never NULL, so that `not` means what it says. Tests about places that stand together in one
//! `and` or `or` are about one place: they share one subquery. So do those about an asset and about a finding.

use agent::observation::Version;
use agent::tls::suite;
use audit::Timestamp;
use store::Value;

use super::field::{About, Field, Kind};
use super::language::{Condition, How, Operator, Query, Test};
use super::literal::{Literal, bounds, octets, version_in_json};

/// What rows a statement is about: `i` is a certificate, `p` a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Certificates,
    Places,
}

/// For whom it is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) postgres: bool,
    pub(crate) rows: Rows,
    /// A few rows are picked out first and each is asked, rather than the answer drawn from every row.
    pub(crate) each: bool,
    pub(crate) now: Timestamp,
    /// Everything as it was then.
    pub(crate) as_of: Option<Timestamp>,
}

/// Puts conditions into one statement.
pub(crate) struct Compiler {
    pub(super) target: Target,
    pub(crate) params: Vec<Value>,
}

/// Neither database takes a bare truth value everywhere.
pub(super) const NEVER: &str = "(1 = 0)";
pub(super) const ALWAYS: &str = "(1 = 1)";

impl Target {
    /// Unix seconds of the instant that everything is told from.
    fn seconds(self) -> i64 {
        self.as_of.unwrap_or(self.now).0.div_euclid(1000)
    }
}

impl Compiler {
    pub(crate) fn new(target: Target) -> Self {
        Compiler {
            target,
            params: Vec::new(),
        }
    }

    /// What is asked for, within what the asker may see, and that the row was there at the instant that is asked for.
    pub(crate) fn whole(&mut self, query: &Query) -> String {
        let condition = query.condition.as_ref();
        let mut asked = condition.map_or_else(|| ALWAYS.to_owned(), |one| self.condition(one));
        if let Some(reach) = &query.reach {
            asked = format!("({} AND {asked})", self.within(reach));
        }
        let seen = match self.target.rows {
            Rows::Certificates => "i.first_seen",
            Rows::Places => "p.first_seen",
        };
        match self.target.as_of {
            Some(then) => format!("({seen} <= {} AND {asked})", then.0),
            None => asked,
        }
    }

    pub(crate) fn param(&mut self, value: impl Into<Value>) -> String {
        self.params.push(value.into());
        format!("${}", self.params.len())
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Not(inside) => format!("(NOT {})", self.condition(inside)),
            Condition::Test(test) => self.group(test.field.about, condition),
            Condition::All(inside) => self.list(inside, " AND ", Condition::All),
            Condition::Any(inside) => self.list(inside, " OR ", Condition::Any),
        }
    }

    /// What asks for rows of `about` alone, in the `and` that a condition is: there is one of which it holds.
    pub(crate) fn part(&mut self, condition: &Condition, about: About) -> Option<String> {
        let parts = match condition {
            Condition::All(inside) => &inside[..],
            other => std::slice::from_ref(other),
        };
        let same = parts.iter().filter(|one| subject(one) == Some(about));
        let same: Vec<Condition> = same.cloned().collect();
        (!same.is_empty()).then(|| self.tests(&Condition::All(same)))
    }

    /// Those about one thing together, the others each for itself.
    fn list(
        &mut self,
        inside: &[Condition],
        word: &str,
        together: fn(Vec<Condition>) -> Condition,
    ) -> String {
        let mut parts = Vec::new();
        for about in [
            About::Certificate,
            About::Place,
            About::Asset,
            About::Finding,
        ] {
            let same = inside.iter().filter(|one| subject(one) == Some(about));
            let same: Vec<Condition> = same.cloned().collect();
            if !same.is_empty() {
                parts.push(self.group(about, &together(same)));
            }
        }
        let mixed = inside.iter().filter(|one| subject(one).is_none());
        parts.extend(mixed.map(|one| self.condition(one)).collect::<Vec<_>>());
        format!("({})", parts.join(word))
    }

    /// A condition about one thing alone: there is one of which it holds.
    fn group(&mut self, about: About, condition: &Condition) -> String {
        let asked = self.tests(condition);
        let (now, places) = (self.target.now.0, self.target.rows == Rows::Places);
        match (about, self.target.as_of) {
            (About::Certificate, _) if places => format!("(i.id IS NOT NULL AND {asked})"),
            (About::Certificate, _) => asked,
            (About::Place, _) if places => asked,
            (About::Place, None) => self.there_is(
                "places p",
                ("i.id", "p.certificate"),
                &format!("p.gone IS NULL AND {asked}"),
            ),
            (About::Place, Some(then)) => self.there_is(
                "place_history h JOIN places p ON p.id = h.place",
                ("i.id", "h.certificate"),
                &format!(
                    "h.first_seen <= {0} AND (h.replaced_at IS NULL OR h.replaced_at > {0}) \
                     AND (p.gone IS NULL OR p.gone > {0}) AND {asked}",
                    then.0
                ),
            ),
            (About::Asset, _) => self.there_is("assets a", ("i.asset", "a.id"), &asked),
            (About::Finding, None) => self.there_is(
                "findings f",
                ("i.id", "f.certificate"),
                &format!(
                    "f.closed IS NULL AND (f.waived_until IS NULL OR f.waived_until <= {now}) AND {asked}"
                ),
            ),
            (About::Finding, Some(then)) => self.there_is(
                "findings f",
                ("i.id", "f.certificate"),
                &format!(
                    "f.opened <= {0} AND (f.closed IS NULL OR f.closed > {0}) AND {asked}",
                    then.0
                ),
            ),
        }
    }

    /// PostgreSQL plans EXISTS either way; SQLite asks it for each row, which is right for few rows and wrong for a million.
    pub(super) fn there_is(&self, from: &str, (own, theirs): (&str, &str), asked: &str) -> String {
        match self.target.postgres || self.target.each {
            true => format!("EXISTS(SELECT 1 FROM {from} WHERE {theirs} = {own} AND {asked})"),
            false => format!(
                "({own} IS NOT NULL AND {own} IN (SELECT {theirs} FROM {from} WHERE {theirs} IS NOT NULL AND {asked}))"
            ),
        }
    }

    /// Inside of a group: only tests of one thing, with `and`, `or` and perhaps `not`.
    fn tests(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Not(inside) => format!("(NOT {})", self.tests(inside)),
            Condition::Test(test) => self.test(test),
            Condition::All(inside) => {
                let parts: Vec<String> = inside.iter().map(|one| self.tests(one)).collect();
                format!("({})", parts.join(" AND "))
            }
            Condition::Any(inside) => {
                let parts: Vec<String> = inside.iter().map(|one| self.tests(one)).collect();
                format!("({})", parts.join(" OR "))
            }
        }
    }

    fn test(&mut self, test: &Test) -> String {
        let field = test.field;
        let asked = match &test.how {
            How::Is => self.is(field),
            // Not this one, or none at all: the opposite of `=`.
            How::Compare(Operator::Unequal, literal) => {
                let equal = self.compare(field, Operator::Equal, literal);
                return format!("(NOT {})", present(field, &equal));
            }
            How::Compare(operator, literal) => self.compare(field, *operator, literal),
            How::In(literals) => {
                let each = literals.iter();
                let each: Vec<String> = each
                    .map(|literal| self.compare(field, Operator::Equal, literal))
                    .collect();
                format!("({})", each.join(" OR "))
            }
        };
        present(field, &asked)
    }

    fn is(&self, field: &Field) -> String {
        match field.kind {
            Kind::Flag => {
                let now = self.target.seconds().to_string();
                format!("({})", field.sql.replace("{now}", &now))
            }
            Kind::Number => format!("({} <> 0)", field.sql),
            Kind::Lines | Kind::Names => format!("({} <> '')", field.sql),
            _ => ALWAYS.to_owned(),
        }
    }

    fn compare(&mut self, field: &Field, operator: Operator, literal: &Literal) -> String {
        let sql = field.sql;
        let sign = match operator {
            Operator::Unequal => "<>",
            other => other.text(),
        };
        match (field.kind, literal) {
            (Kind::Suite, literal) => self.suites(field, operator, literal),
            (_, Literal::Text(text)) => self.text(field, operator, text),
            (Kind::Scale(first, words), Literal::Word(word)) => {
                let at = words.iter().position(|one| one == word).unwrap_or_default();
                let level = first + i64::try_from(at).unwrap_or_default();
                format!("({sql} {sign} {level})")
            }
            (_, Literal::Word(word)) => format!("({sql} = '{word}')"),
            (_, Literal::Number(number) | Literal::Span(number)) => {
                format!("({sql} {sign} {number})")
            }
            (Kind::Time { per_second, .. }, Literal::Moment(moment)) => {
                let at = moment.seconds(self.target.seconds());
                format!("({sql} {sign} {})", at.saturating_mul(per_second))
            }
            (_, Literal::Hex(digits)) => self.begins(sql, digits),
            (_, Literal::Network(address, prefix)) => match bounds(*address, *prefix) {
                Some((first, last)) => self.between(sql, first, last),
                None => NEVER.to_owned(),
            },
            (_, Literal::Range(first, last)) => self.between(sql, octets(*first), octets(*last)),
            (_, Literal::Version(version)) => {
                versions(sql, operator, *version, self.target.postgres)
            }
            (_, Literal::Moment(_) | Literal::Suite(_)) => NEVER.to_owned(),
        }
    }

    fn text(&mut self, field: &Field, operator: Operator, text: &str) -> String {
        let sql = field.sql;
        // LOWER of either database knows ASCII alone; names are stored in lower case.
        let lower = match field.kind {
            Kind::Names => text.to_lowercase(),
            _ => text.to_ascii_lowercase(),
        };
        let contains = operator == Operator::Contains;
        match field.kind {
            Kind::Lines | Kind::Names if !contains => {
                // Of names without a kind, whatever kind it is.
                let patterns = match (field.kind, has_kind(&lower)) {
                    (Kind::Names, false) => NAME_KINDS
                        .iter()
                        .map(|kind| format!("%\n{kind}:{}\n%", escaped(&lower)))
                        .collect(),
                    _ => vec![format!("%\n{}\n%", escaped(&lower))],
                };
                // One look whether it is there at all, which settles nearly every row, before one for each kind.
                let somewhere = self.param(format!("%{}%", escaped(&lower)));
                let each: Vec<String> = patterns
                    .into_iter()
                    .map(|pattern| {
                        let pattern = self.param(pattern);
                        format!("('\n' || LOWER({sql}) || '\n') LIKE {pattern} ESCAPE '!'")
                    })
                    .collect();
                format!(
                    "(LOWER({sql}) LIKE {somewhere} ESCAPE '!' AND ({}))",
                    each.join(" OR ")
                )
            }
            _ if contains => {
                let pattern = self.param(format!("%{}%", escaped(&lower)));
                format!("(LOWER({sql}) LIKE {pattern} ESCAPE '!')")
            }
            _ => {
                let value = self.param(lower);
                format!("(LOWER({sql}) = {value})")
            }
        }
    }

    /// Bytes that begin so: a range, which an index can answer.
    fn begins(&mut self, sql: &str, digits: &str) -> String {
        let half = |digit: &str| format!("{digits}{digit}");
        let odd = digits.len() % 2 == 1;
        let first = if odd { half("0") } else { digits.to_owned() };
        let mut last = if odd { half("f") } else { digits.to_owned() };
        // No value is longer than 40 octets: what begins so ends here at the latest.
        last.push_str(&"f".repeat(80));
        match (hex::decode(&first), hex::decode(&last)) {
            (Ok(first), Ok(last)) => {
                let (first, last) = (self.param(first), self.param(last));
                format!("({sql} >= {first} AND {sql} <= {last})")
            }
            _ => NEVER.to_owned(),
        }
    }

    fn between(&mut self, sql: &str, first: [u8; 16], last: [u8; 16]) -> String {
        let first = self.param(first);
        let last = self.param(last);
        format!("({sql} >= {first} AND {sql} <= {last})")
    }

    /// Suites are numbers in the JSON of what the handshake told.
    fn suites(&self, field: &Field, operator: Operator, literal: &Literal) -> String {
        let codes: Vec<String> = match literal {
            Literal::Suite(code) => vec![code.to_string()],
            Literal::Text(part) if operator == Operator::Contains => {
                let part = part.to_ascii_uppercase();
                let named =
                    suite::all().filter(|suite| suite.name.to_ascii_uppercase().contains(&part));
                named.map(|suite| suite.code.to_string()).collect()
            }
            _ => Vec::new(),
        };
        if codes.is_empty() {
            return NEVER.to_owned();
        }
        let (sql, codes) = (field.sql, codes.join(", "));
        match self.target.postgres {
            true => format!(
                "EXISTS(SELECT 1 FROM jsonb_path_query(CAST({sql} AS jsonb), '$.versions[*].suites[*]') s \
                 WHERE CAST(s AS bigint) IN ({codes}))"
            ),
            false => format!(
                "EXISTS(SELECT 1 FROM json_each({sql}, '$.versions') v, json_each(v.value, '$.suites') s \
                 WHERE s.value IN ({codes}))"
            ),
        }
    }
}

/// What a condition is about, if it is one thing and can be asked of one.
fn subject(condition: &Condition) -> Option<About> {
    match condition {
        Condition::Test(test) => Some(test.field.about),
        // That there is none is not that there is one which is not.
        Condition::Not(inside) => subject(inside).filter(|about| *about == About::Certificate),
        Condition::All(inside) | Condition::Any(inside) => {
            let mut subjects = inside.iter().map(subject);
            let first = subjects.next()??;
            subjects.all(|other| other == Some(first)).then_some(first)
        }
    }
}

fn present(field: &Field, asked: &str) -> String {
    match field.optional {
        true => format!("({} IS NOT NULL AND {asked})", field.sql),
        false => asked.to_owned(),
    }
}

/// As `inventory.names` has them in front.
pub(super) const NAME_KINDS: [&str; 8] = ["cn", "dns", "ip", "email", "uri", "upn", "srv", "rid"];

pub(super) fn has_kind(name: &str) -> bool {
    name.split_once(':')
        .is_some_and(|(kind, _)| NAME_KINDS.contains(&kind))
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

/// Any of the versions for which it is true stands in the JSON. The words are as `TlsSeen` writes them and nothing else
/// does. Where none of them is as new as TLS 1.2, the index `places_old_tls` knows them all.
fn versions(sql: &str, operator: Operator, wanted: Version, postgres: bool) -> String {
    let fits = |version: &Version| match operator {
        Operator::Less => *version < wanted,
        Operator::AtMost => *version <= wanted,
        Operator::More => *version > wanted,
        Operator::AtLeast => *version >= wanted,
        _ => *version == wanted,
    };
    let fitting: Vec<Version> = Version::ALL.into_iter().filter(fits).collect();
    let each: Vec<String> = fitting
        .iter()
        .map(|version| format!("{sql} LIKE '%\"{}\"%'", version_in_json(*version)))
        .collect();
    let each = match each.is_empty() {
        true => return NEVER.to_owned(),
        false => format!("({})", each.join(" OR ")),
    };
    match fitting.iter().all(|version| *version < Version::Tls12) {
        true => format!("({} = 1 AND {each})", old_tls(sql, postgres)),
        false => each,
    }
}

/// As the index has it, word for word (schema/v4.sql).
fn old_tls(sql: &str, postgres: bool) -> String {
    let find = if postgres { "strpos" } else { "instr" };
    let old = [Version::Ssl3, Version::Tls10, Version::Tls11];
    let each = old.map(|version| format!("{find}({sql}, '\"{}\"')", version_in_json(version)));
    format!("(CASE WHEN {} > 0 THEN 1 ELSE 0 END)", each.join(" + "))
}

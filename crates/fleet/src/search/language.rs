//! The search language: `expires < 30d and phi and segment = icu`. Text in, a value out that prints as the same text again;
//! what is wrong is told with its column and with what would be right (docs/search-language.md).
//!
//! ```text
//! search    = [ either ] [ "as" "of" instant ]
//! either    = both *( "or" both )
//! both      = unary *( "and" unary )
//! unary     = "not" unary | "(" either ")" | test
//! test      = field [ operator value | "in" ( value | "(" value *( "," value ) ")" ) ] | quoted
//! ```

use access::Refusal;

use super::field::{FIELDS, Field, Kind, field};
use super::literal::{Literal, Moment, moment};
use super::reach::Reach;
use super::token::{Token, described, is_keyword, shown, tokens, wrong};

/// Longest search that is read, in bytes: far more than anybody types, and little enough to work through at once.
pub const LONGEST: usize = 4096;
/// How deep parentheses and `not` may stand in each other: the parser and the compiler call themselves.
const DEEPEST: usize = 32;
/// Most tests in a search, and most values in a list: what a database plans in milliseconds.
const MOST_TESTS: usize = 64;
const MOST_VALUES: usize = 256;

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Without one, everything.
    pub condition: Option<Condition>,
    /// The inventory as it was then (R52).
    pub as_of: Option<Moment>,
    /// Within this alone, whatever the condition says; a search as text has none.
    pub reach: Option<Reach>,
}

/// What has to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Two or more, none of them `All`.
    All(Vec<Condition>),
    /// Two or more, none of them `Any`.
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
}

/// A question about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    pub field: &'static Field,
    pub how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It is so, or there is one.
    Is,
    Compare(Operator, Literal),
    In(Vec<Literal>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Contains,
}

impl Operator {
    pub const ALL: [Operator; 7] = [
        Operator::Equal,
        Operator::Unequal,
        Operator::Less,
        Operator::AtMost,
        Operator::More,
        Operator::AtLeast,
        Operator::Contains,
    ];

    pub fn text(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::More => ">",
            Operator::AtLeast => ">=",
            Operator::Contains => "~",
        }
    }

    /// Those that can be asked of a kind.
    pub fn of(kind: Kind) -> &'static [Operator] {
        use Operator::{AtLeast, AtMost, Contains, Equal, Less, More, Unequal};
        match kind {
            Kind::Text | Kind::Lines | Kind::Names | Kind::Suite => &[Equal, Unequal, Contains],
            Kind::Prose => &[Contains],
            Kind::Words(_) | Kind::Flag | Kind::Hex | Kind::Address => &[Equal, Unequal],
            Kind::Scale(..) | Kind::Number | Kind::Span | Kind::Version => {
                &[Equal, Unequal, Less, AtMost, More, AtLeast]
            }
            Kind::Time { .. } => &[Less, AtMost, More, AtLeast],
        }
    }
}

/// What is wrong with a search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct SearchError {
    /// Of the character where it stops making sense, counted from 1.
    pub column: usize,
    pub message: String,
    pub accepted: String,
}

impl From<SearchError> for Refusal {
    fn from(error: SearchError) -> Self {
        Refusal::new(
            "search.language",
            "docs/search-language.md",
            error.to_string(),
        )
        .accepted(error.accepted)
    }
}

pub(super) type Result<T> = std::result::Result<T, SearchError>;

impl std::str::FromStr for Query {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Query> {
        let tokens = tokens(text)?;
        let mut parser = Parser {
            end: text.chars().count() + 1,
            tokens,
            at: 0,
            tests: Vec::new(),
        };
        parser.query()
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    /// Column behind the last character.
    end: usize,
    /// Which fields were asked for, and where.
    tests: Vec<(usize, &'static Field)>,
}

impl Parser {
    fn query(&mut self) -> Result<Query> {
        let begins = self.peek().is_some() && !self.is_word("as");
        let condition = match begins {
            true => Some(self.either(0)?),
            false => None,
        };
        let as_of = match self.take_word("as") {
            true => Some(self.instant()?),
            false => None,
        };
        if let Some((column, token)) = self.tokens.get(self.at) {
            let message = format!("{} is left over", described(token));
            return wrong(*column, message, "and, or, as of, or the end");
        }
        let lost = self.tests.iter().find(|(_, field)| !field.kept);
        if let (Some(_), Some((column, field))) = (as_of, lost) {
            let kept = FIELDS.iter().filter(|field| field.kept);
            let kept: Vec<&str> = kept.map(|field| field.name).collect();
            let message = format!("`{}` is known as it is now, not as it was", field.name);
            return wrong(*column, message, kept.join(", "));
        }
        Ok(Query {
            condition,
            as_of,
            reach: None,
        })
    }

    fn instant(&mut self) -> Result<Moment> {
        let column = self.column();
        let accepted =
            "as of an instant that has passed: 2026-06-30, 2026-06-30T12:00:00Z, 30d ago";
        if !self.take_word("of") {
            return wrong(column, "`as` without `of`", accepted);
        }
        let (column, text) = self.value()?;
        let Some(read) = moment(&text) else {
            return wrong(
                column,
                format!("`{}` is no instant", shown(&text)),
                accepted,
            );
        };
        match self.ago(read)? {
            Moment::FromNow(seconds) if seconds > 0 => {
                wrong(column, "this is in the future", accepted)
            }
            read => Ok(read),
        }
    }

    fn either(&mut self, depth: usize) -> Result<Condition> {
        let mut all = vec![self.both(depth)?];
        while self.take_word("or") {
            all.push(self.both(depth)?);
        }
        Ok(Condition::any(all))
    }

    fn both(&mut self, depth: usize) -> Result<Condition> {
        let mut all = vec![self.unary(depth)?];
        while self.take_word("and") {
            all.push(self.unary(depth)?);
        }
        Ok(Condition::all(all))
    }

    fn unary(&mut self, depth: usize) -> Result<Condition> {
        if depth >= DEEPEST {
            let message = "parentheses and `not` stand too deep in each other";
            return wrong(self.column(), message, format!("at most {DEEPEST} levels"));
        }
        if self.take_word("not") {
            return Ok(Condition::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inside = self.either(depth + 1)?;
            if !self.take(&Token::Close) {
                return wrong(self.column(), "a parenthesis stays open", "and, or, `)`");
            }
            return Ok(inside);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Condition> {
        let column = self.column();
        if self.tests.len() >= MOST_TESTS {
            return wrong(column, "too many tests", format!("at most {MOST_TESTS}"));
        }
        let accepted = "a field, a \"quoted text\", not, or `(`";
        match self.next() {
            Some(Token::Quoted(text)) => self.anywhere(column, text),
            Some(Token::Word(word)) if !is_keyword(&word) => {
                let Some(found) = field(&word) else {
                    return wrong(
                        column,
                        format!("there is no field `{}`", shown(&word)),
                        nearest(&word),
                    );
                };
                self.tests.push((column, found));
                self.asked(column, found)
            }
            Some(token) => wrong(
                column,
                format!("{} where a test begins", described(&token)),
                accepted,
            ),
            None => wrong(column, "the search ends where a test begins", accepted),
        }
    }

    /// A text alone.
    fn anywhere(&mut self, column: usize, text: String) -> Result<Condition> {
        let Some(everything) = field("text") else {
            return wrong(column, "a text alone", "a field");
        };
        self.tests.push((column, everything));
        Ok(Condition::Test(Test {
            field: everything,
            how: How::Compare(Operator::Contains, Literal::Text(text)),
        }))
    }

    fn asked(&mut self, column: usize, field: &'static Field) -> Result<Condition> {
        if self.take_word("in") {
            return self.list(field);
        }
        let operator_column = self.column();
        let Some(Token::Operator(operator)) = self.peek().cloned() else {
            return match bare(field) {
                true => Ok(Condition::Test(Test {
                    field,
                    how: How::Is,
                })),
                false => {
                    let message = format!("`{}` says nothing alone", field.name);
                    wrong(column, message, with_operators(field))
                }
            };
        };
        self.at += 1;
        if !Operator::of(field.kind).contains(&operator) {
            let message = format!("`{}` cannot be asked with {}", field.name, operator.text());
            return wrong(operator_column, message, with_operators(field));
        }
        if field.kind == Kind::Flag {
            return self.flag(field, operator);
        }
        let literal = match operator {
            // What contains a text is asked by a text, whatever the field is.
            Operator::Contains => Literal::Text(self.value()?.1),
            _ => self.literal(field)?,
        };
        Ok(Condition::Test(Test {
            field,
            how: How::Compare(operator, literal),
        }))
    }

    fn flag(&mut self, field: &'static Field, operator: Operator) -> Result<Condition> {
        let (column, text) = self.value()?;
        let yes = match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => true,
            "no" | "false" => false,
            _ => {
                let message = format!("`{}` is neither yes nor no", shown(&text));
                return wrong(column, message, "yes, no");
            }
        };
        let is = Condition::Test(Test {
            field,
            how: How::Is,
        });
        Ok(match yes == (operator == Operator::Equal) {
            true => is,
            false => Condition::Not(Box::new(is)),
        })
    }

    fn list(&mut self, field: &'static Field) -> Result<Condition> {
        let column = self.column();
        if matches!(field.kind, Kind::Flag | Kind::Prose | Kind::Time { .. }) {
            let message = format!("`{}` cannot be asked with in", field.name);
            return wrong(column, message, with_operators(field));
        }
        let mut values = Vec::new();
        if !self.take(&Token::Open) {
            values.push(self.literal(field)?);
        } else {
            loop {
                values.push(self.literal(field)?);
                if values.len() > MOST_VALUES {
                    let accepted = format!("at most {MOST_VALUES} values in a list");
                    return wrong(column, "the list is too long", accepted);
                }
                if self.take(&Token::Comma) {
                    continue;
                }
                if self.take(&Token::Close) {
                    break;
                }
                return wrong(self.column(), "the list stays open", "`,` or `)`");
            }
        }
        Ok(Condition::Test(Test {
            field,
            how: How::In(values),
        }))
    }

    fn literal(&mut self, field: &'static Field) -> Result<Literal> {
        let (column, text) = self.value()?;
        let literal = match Literal::read(field.kind, &text) {
            Ok(literal) => literal,
            Err(accepted) => {
                let message = format!("`{}` is no value of `{}`", shown(&text), field.name);
                return wrong(column, message, accepted);
            }
        };
        let Literal::Moment(read) = literal else {
            return Ok(literal);
        };
        match (self.ago(read)?, field.kind) {
            (Moment::FromNow(seconds), Kind::Time { past: true, .. }) if seconds > 0 => {
                let message = format!(
                    "`{}` has passed, and {text} from now is yet to come",
                    field.name
                );
                wrong(column, message, format!("{text} ago, or -{text}"))
            }
            (read, _) => Ok(Literal::Moment(read)),
        }
    }

    /// `30d ago` is `-30d`.
    fn ago(&mut self, read: Moment) -> Result<Moment> {
        let column = self.column();
        match (self.take_word("ago"), read) {
            (false, read) => Ok(read),
            (true, Moment::FromNow(seconds)) if seconds > 0 => Ok(Moment::FromNow(-seconds)),
            (true, _) => wrong(column, "`ago` after something else", "30d ago"),
        }
    }

    fn value(&mut self) -> Result<(usize, String)> {
        let column = self.column();
        let accepted = "a value; in \"quotes\" if it has spaces or is a word of the language";
        match self.next() {
            Some(Token::Word(word)) if !is_keyword(&word) => Ok((column, word)),
            Some(Token::Quoted(text)) => Ok((column, text)),
            Some(token) => wrong(
                column,
                format!("{} where a value belongs", described(&token)),
                accepted,
            ),
            None => wrong(column, "the search ends where a value belongs", accepted),
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted))
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let found = self.is_word(wanted);
        self.at += usize::from(found);
        found
    }

    fn column(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.end, |(column, _)| *column)
    }
}

/// Whether a field can stand alone.
pub(super) fn bare(field: &Field) -> bool {
    match field.kind {
        Kind::Flag | Kind::Number | Kind::Lines | Kind::Names => true,
        Kind::Text | Kind::Address | Kind::Version | Kind::Hex => {
            field.optional || field.name == "finding"
        }
        _ => false,
    }
}

fn with_operators(field: &Field) -> String {
    let name = field.name;
    let mut ways: Vec<String> = Operator::of(field.kind)
        .iter()
        .map(|operator| format!("{name} {} …", operator.text()))
        .collect();
    if !matches!(field.kind, Kind::Flag | Kind::Prose | Kind::Time { .. }) {
        ways.push(format!("{name} in (…)"));
    }
    if bare(field) {
        ways.push(format!("{name} alone"));
    }
    ways.join(", ")
}

/// Those that are spelt nearly so; else all.
fn nearest(word: &str) -> String {
    let word: String = word.to_ascii_lowercase().chars().take(40).collect();
    let near = |field: &&Field| {
        let away = distance(&word, field.name);
        away <= 2 && away < field.name.len() || (word.len() > 2 && field.name.contains(&word))
    };
    let names = FIELDS.iter().filter(near).map(|field| field.name);
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        false => names.join(", "),
        true => {
            let all: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
            all.join(", ")
        }
    }
}

/// How many letters have to be put in, left out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, theirs) in row.iter_mut().skip(1).zip(&other) {
            let best = (diagonal + usize::from(letter != *theirs)).min(left.min(*cell) + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

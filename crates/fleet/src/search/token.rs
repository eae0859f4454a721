//! A search's words: what the parser reads, each with the column where it begins.

use super::language::{LONGEST, Operator, Result, SearchError};

/// Characters of a word; everything else separates.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "-._:/*@+%&#;?$".contains(c)
}

/// Words that mean something by themselves.
pub(super) fn is_keyword(text: &str) -> bool {
    ["and", "or", "not", "in", "as", "of", "ago"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Quoted(String),
    Operator(Operator),
    Open,
    Close,
    Comma,
}

pub(super) fn wrong<T>(
    column: usize,
    message: impl Into<String>,
    accepted: impl Into<String>,
) -> Result<T> {
    Err(SearchError {
        column,
        message: message.into(),
        accepted: accepted.into(),
    })
}

/// What stands there, shortened for a message and with nothing that acts on a terminal.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    x509::describe::escape(&short)
}

pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    if text.len() > LONGEST {
        let message = format!("the search has {} bytes", text.len());
        return wrong(1, message, format!("at most {LONGEST}"));
    }
    let mut tokens = Vec::new();
    let mut rest = text.chars().enumerate().peekable();
    while let Some((at, first)) = rest.next() {
        let column = at + 1;
        let token = match first {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '=' => Token::Operator(Operator::Equal),
            '~' => Token::Operator(Operator::Contains),
            '<' | '>' | '!' => {
                let equal = rest.next_if(|(_, c)| *c == '=').is_some();
                Token::Operator(match (first, equal) {
                    ('<', false) => Operator::Less,
                    ('<', true) => Operator::AtMost,
                    ('>', false) => Operator::More,
                    ('>', true) => Operator::AtLeast,
                    (_, true) => Operator::Unequal,
                    (_, false) => return wrong(column, "`!` stands alone", "`!=`, or `not`"),
                })
            }
            '"' => Token::Quoted(quoted(&mut rest, column)?),
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some((_, c)) = rest.next_if(|(_, c)| is_word(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            c => {
                let message = format!("`{}` means nothing here", shown(&c.to_string()));
                let accepted = "words, values, = != < <= > >= ~ ( ) , and texts in \"quotes\"";
                return wrong(column, message, accepted);
            }
        };
        tokens.push((column, token));
    }
    Ok(tokens)
}

fn quoted(rest: &mut impl Iterator<Item = (usize, char)>, column: usize) -> Result<String> {
    let mut text = String::new();
    while let Some((_, c)) = rest.next() {
        match c {
            '"' => return Ok(text),
            '\\' => match rest.next() {
                Some((_, c @ ('"' | '\\'))) => text.push(c),
                Some((at, _)) => {
                    return wrong(
                        at + 1,
                        "a backslash before something else",
                        r#"\" or \\ inside quotes"#,
                    );
                }
                None => break,
            },
            c => text.push(c),
        }
    }
    wrong(column, "this quote does not end", "a closing \"")
}

pub(super) fn described(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{}`", shown(word)),
        Token::Quoted(text) => format!("\"{}\"", shown(text)),
        Token::Operator(operator) => format!("`{}`", operator.text()),
        Token::Open => "`(`".to_owned(),
        Token::Close => "`)`".to_owned(),
        Token::Comma => "`,`".to_owned(),
    }
}

//! Conditions put together and printed: parentheses only where they are needed, so that what prints reads back as the same.

use std::fmt;

use super::language::{Condition, How, Query, Test};

impl Condition {
    /// All of them; those that are `All` themselves dissolve in it.
    pub fn all(conditions: Vec<Condition>) -> Condition {
        let flat = conditions.into_iter().flat_map(|one| match one {
            Condition::All(inside) => inside,
            other => vec![other],
        });
        let mut flat: Vec<Condition> = flat.collect();
        match (flat.len(), flat.pop()) {
            (1, Some(only)) => only,
            (_, last) => Condition::All(flat.into_iter().chain(last).collect()),
        }
    }

    /// Any of them, likewise.
    pub fn any(conditions: Vec<Condition>) -> Condition {
        let flat = conditions.into_iter().flat_map(|one| match one {
            Condition::Any(inside) => inside,
            other => vec![other],
        });
        let mut flat: Vec<Condition> = flat.collect();
        match (flat.len(), flat.pop()) {
            (1, Some(only)) => only,
            (_, last) => Condition::Any(flat.into_iter().chain(last).collect()),
        }
    }

    /// Every test in it.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Condition::All(inside) | Condition::Any(inside) => {
                inside.iter().flat_map(Condition::tests).collect()
            }
            Condition::Not(inside) => inside.tests(),
            Condition::Test(test) => vec![test],
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(condition) = &self.condition {
            condition.fmt(f)?;
        }
        match (&self.condition, self.as_of) {
            (_, None) => Ok(()),
            (Some(_), Some(moment)) => write!(f, " as of {moment}"),
            (None, Some(moment)) => write!(f, "as of {moment}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::All(inside) => joined(f, inside, " and ", |one| {
                matches!(one, Condition::Any(_) | Condition::All(_))
            }),
            Condition::Any(inside) => {
                joined(f, inside, " or ", |one| matches!(one, Condition::Any(_)))
            }
            Condition::Not(inside) => match **inside {
                Condition::All(_) | Condition::Any(_) => write!(f, "not ({inside})"),
                _ => write!(f, "not {inside}"),
            },
            Condition::Test(test) => test.fmt(f),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    conditions: &[Condition],
    word: &str,
    enclosed: impl Fn(&Condition) -> bool,
) -> fmt::Result {
    for (at, one) in conditions.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        match enclosed(one) {
            true => write!(f, "({one})")?,
            false => write!(f, "{one}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name)?;
        match &self.how {
            How::Is => Ok(()),
            How::Compare(operator, literal) => write!(f, " {} {literal}", operator.text()),
            How::In(literals) => {
                f.write_str(" in (")?;
                for (at, literal) in literals.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{literal}")?;
                }
                f.write_str(")")
            }
        }
    }
}

//! Looking into the inventory: a language for people, compiled to SQL for both databases; views kept ready; pages; exports
//! (R16).

mod compile;
mod condition;
mod export;
mod field;
mod language;
mod literal;
mod narrow;
mod page;
mod reach;
mod reconcile;
mod revoked;
mod show;
mod token;
mod view;
mod xlsx;

pub use export::{Export, Format, Source, source};
pub use field::{About, FIELDS, Field, Kind, field};
pub use language::{Condition, How, LONGEST, Operator, Query, SearchError, Test};
pub use literal::{Literal, Moment};
pub use page::{Ask, LARGEST_PAGE, Listed, PATIENCE, Page, Sort};
pub use reach::Reach;
pub use show::{Issuer, KeyPage, ListedFinding, ListedPlace, PlacePage, SharedKey, Shown, Stay};
pub use view::{StoredView, VIEW_RECORDS, View};

/// Whatever can be read prints as the same and compiles, with as many parameters as the statement names.
pub(crate) fn exercise(text: &str) {
    let Ok(query) = text.parse::<Query>() else {
        return;
    };
    let printed = query.to_string();
    assert!(
        printed.len() > LONGEST || printed.parse().as_ref() == Ok(&query),
        "{text:?} prints as {printed:?}"
    );
    for (postgres, rows, each) in [
        (false, compile::Rows::Certificates, false),
        (true, compile::Rows::Certificates, false),
        (false, compile::Rows::Places, true),
    ] {
        let now = audit::Timestamp(1_795_348_800_000);
        let as_of = query.as_of.map(|_| now);
        let mut compiler = compile::Compiler::new(compile::Target {
            postgres,
            rows,
            each,
            now,
            as_of,
        });
        let sql = compiler.whole(&query);
        let last = format!("${}", compiler.params.len());
        assert!(compiler.params.is_empty() || sql.contains(&last), "{sql}");
    }
}

//! Fields by their names, as a person types them: the same words, dates and checks as in a table's row.

use access::Refusal;

use super::columns;
use super::row::Cells;
use crate::asset::{Asset, Kind};

/// The asset that these fields make of another, or of nothing. A field that is not named stays; `-` clears.
pub fn edited(
    before: Option<&Asset>,
    kind: Kind,
    fields: &[(&'static str, String)],
) -> Result<Asset, Refusal> {
    let header: Vec<String> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
    let cells: Vec<String> = fields.iter().map(|(_, text)| text.clone()).collect();
    let columns = columns::of_names(&header)?;
    let cells = Cells {
        columns: &columns,
        cells: &cells,
    };
    cells
        .apply(before, kind)
        .map_err(|bad| Refusal::new(bad.rule, "docs/assets.md", bad.message))
}

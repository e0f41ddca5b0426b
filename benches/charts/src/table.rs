//! What stands in a file of figures: comments, a header, rows?

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::Outcome;

pub struct Table {
    header: StringRecord,
    rows: Vec<StringRecord>,
}

pub struct Row<'t> {
    header: &'t StringRecord,
    cells: &'t StringRecord,
}

impl Table {
    pub fn read(path: &Path) -> Outcome<Self> {
        let mut reader = ReaderBuilder::new().comment(Some(b'#')).from_path(path)?;
        Ok(Self { header: reader.headers()?.clone(), rows: reader.records().collect::<Result<_, _>>()? })
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { header: &self.header, cells })
    }
}

impl Row<'_> {
    /// The cell under a heading; empty if there is none.
    pub fn text(&self, heading: &str) -> &str {
        let column = self.header.iter().position(|name| name == heading);
        column.and_then(|column| self.cells.get(column)).unwrap_or_default()
    }

    /// The same as a number, zero if it is none.
    pub fn number(&self, heading: &str) -> f64 {
        self.text(heading).parse().unwrap_or_default()
    }
}

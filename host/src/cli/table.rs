//! Text in aligned columns, for people who read it in a terminal.

use std::fmt;

/// Rows below a header. An empty cell is shown as a dash, so that each row has as many words as the header.
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub fn new(head: [&str; COLUMNS]) -> Table<COLUMNS> {
        Table { rows: vec![head.map(str::to_owned)] }
    }

    /// Adds a row. Untrusted text is escaped: it stays on its line and cannot control the terminal.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        let shown = |cell: String| {
            if cell.is_empty() { "-".to_owned() } else { pointsman_rules::text::printable(&cell, usize::MAX).0 }
        };
        self.rows.push(cells.map(shown));
    }
}

/// Each column is as wide as its widest cell, with two spaces between columns and none after the last.
impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[[&str; 3]], expected: &str) {
        let mut table = Table::new(["NAME", "LIVE", "MODULES"]);
        for row in rows {
            table.row(row.map(str::to_owned));
        }
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        check(&[], "NAME  LIVE  MODULES\n");
        check(
            &[["shop", "12", "a"], ["a-long-name", "3", "b"]],
            concat!("NAME         LIVE  MODULES\n", "shop         12    a\n", "a-long-name  3     b\n",),
        );
    }

    #[test]
    fn width_is_counted_in_characters() {
        check(&[["bücher", "1", "a"]], "NAME    LIVE  MODULES\nbücher  1     a\n");
    }

    #[test]
    fn empty_cell_is_a_dash() {
        check(&[["", "1", ""]], "NAME  LIVE  MODULES\n-     1     -\n");
    }

    #[test]
    fn untrusted_text_stays_on_one_line() {
        check(&[["a\nb", "1", "\u{1b}[2J"]], "NAME  LIVE  MODULES\na\\nb  1     \\u{1b}[2J\n");
    }
}

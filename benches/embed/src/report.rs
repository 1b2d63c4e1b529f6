//! Figures of all contenders as one grid, and the tables of ratios that follow from it.

use std::fmt::Write;

use selkie_benches::table::{Bar, Row, Table};

use crate::contest::{Contender, Figure, Side};

/// One row of a benchmark with what each contender needed, in their order; none for those that
/// have no such thing.
pub struct Line {
    /// The row's name.
    pub name: &'static str,
    /// Its group; groups have means of their own.
    pub group: &'static str,
    /// Names, sides and figures of all contenders.
    pub figures: Vec<(Side, String, Figure)>,
}

impl Line {
    /// Names with figures.
    #[must_use]
    pub fn new(
        name: &'static str,
        group: &'static str,
        contenders: &[Contender],
        figures: &[Figure],
    ) -> Line {
        let figures = contenders.iter().zip(figures).map(|(c, f)| (c.side, c.name(), *f));
        Line { name, group, figures: figures.collect() }
    }

    /// The contender of a side with the least median.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(&str, Figure)> {
        self.figures
            .iter()
            .filter(|(of, ..)| *of == side)
            .map(|(_, name, figure)| (name.as_str(), *figure))
            .min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median))
    }
}

/// All figures, divided by `nanoseconds` of the unit.
#[must_use]
pub fn grid(title: &str, lines: &[Line], nanoseconds: f64) -> String {
    let mut text = format!("\n{title}: median, (least), time on a processor\n");
    for line in lines {
        let _ = writeln!(text, "{}", line.name);
        for (side, name, figure) in &line.figures {
            let [median, least, processor] = [figure.median, figure.minimum, figure.processor]
                .map(|figure| figure / nanoseconds);
            let least = format!("({least:.2})");
            let mark = match line.best(*side) {
                Some((best, _)) if *side == Side::Wasmtime && best == name => "  best of its own",
                _ => "",
            };
            let _ =
                writeln!(text, "  {name:<36} {median:>10.2} {least:>12} {processor:>10.2}{mark}");
        }
    }
    text
}

/// Ours against a side's best.
#[must_use]
pub fn against(
    side: Side,
    title: &'static str,
    unit: &'static str,
    bar: Option<Bar>,
    lines: &[Line],
    nanoseconds: f64,
) -> Table {
    let mut table = Table::new(title, unit, bar).against(side.name());
    for line in lines {
        let (Some((_, ours)), Some((_, peer))) = (line.best(Side::Ours), line.best(side)) else {
            continue;
        };
        table.rows.push(Row {
            name: line.name.to_owned(),
            group: line.group,
            ours: ours.median / nanoseconds,
            peer: peer.median / nanoseconds,
            native: None,
            node: None,
        });
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_compared_with_the_fastest_configuration_of_that_row() {
        let entry = |side, name: &str, median: f64| {
            (side, name.to_owned(), Figure { median, minimum: median, processor: median })
        };
        let line = |name, slow: f64, fast: f64| Line {
            name,
            group: "all",
            figures: vec![
                entry(Side::Ours, "selkie", 1.0),
                entry(Side::Wasmtime, "wasmtime a", slow),
                entry(Side::Wasmtime, "wasmtime b", fast),
            ],
        };
        let lines = [line("one", 8.0, 2.0), line("two", 4.0, 16.0)];
        let table = against(Side::Wasmtime, "title", "ns", None, &lines, 1.0);
        let peers: Vec<f64> = table.rows.iter().map(|row| row.peer).collect();
        assert_eq!(peers, [2.0, 4.0]);
        let text = grid("title", &lines[..1], 1.0);
        let best = text.lines().find(|line| line.ends_with("best of its own"));
        assert!(best.is_some_and(|line| line.contains("wasmtime b")), "{text}");
        assert!(against(Side::Wasmi, "title", "ns", None, &lines, 1.0).rows.is_empty());
    }
}

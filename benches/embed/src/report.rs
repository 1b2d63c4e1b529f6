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

/// All figures, with the least in brackets, divided by `nanoseconds` of the unit.
#[must_use]
pub fn grid(title: &str, lines: &[Line], nanoseconds: f64) -> String {
    let mut text = format!("\n{title}: median (least)\n");
    for line in lines {
        let _ = writeln!(text, "{}", line.name);
        for (side, name, figure) in &line.figures {
            let (median, least) = (figure.median / nanoseconds, figure.minimum / nanoseconds);
            let mark = match line.best(*side) {
                Some((best, _)) if *side == Side::Wasmtime && best == name => "  best of its own",
                _ => "",
            };
            let _ = writeln!(text, "  {name:<38} {median:>10.2}  ({least:.2}){mark}");
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

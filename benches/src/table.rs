//! Figures side by side, their geometric means, and the verdict against a bar.
//!
//! Invariant: a ratio is ours divided by the peer's, so below one is better for us. A table
//! without rows reaches nothing.

use std::fmt::Write;

/// What must be reached.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// The largest geometric mean of the ratios.
    pub mean: f64,
    /// The largest ratio of a single row.
    pub single: Option<f64>,
}

/// The figures of one program.
#[derive(Debug, Clone)]
pub struct Row {
    /// The program.
    pub name: String,
    /// Rows of one group get a mean of their own.
    pub group: &'static str,
    /// Our figure.
    pub ours: f64,
    /// The peer's figure.
    pub peer: f64,
    /// The figure of the native build.
    pub native: Option<f64>,
    /// Node's figure.
    pub node: Option<f64>,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours / self.peer
    }

    fn to_native(&self) -> Option<f64> {
        self.native.map(|native| self.ours / native)
    }
}

/// One figure over many programs.
#[derive(Debug, Clone)]
pub struct Table {
    /// What is measured.
    pub title: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Whom ours is compared with, as the head of that column.
    pub peer: &'static str,
    /// What must be reached; none for tables that only inform.
    pub bar: Option<Bar>,
    /// The programs.
    pub rows: Vec<Row>,
}

/// Whether a table reaches its bar, and why not.
#[derive(Debug)]
pub struct Verdict {
    /// Whether nothing is missing.
    pub is_reached: bool,
    /// The sentence to print; empty without a bar.
    pub text: String,
}

/// The geometric mean; NaN of nothing.
#[must_use]
pub fn geometric_mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = ratios.fold((0.0, 0u32), |(sum, n), ratio| (sum + ratio.ln(), n + 1));
    (sum / f64::from(count)).exp()
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(title: &'static str, unit: &'static str, bar: Option<Bar>) -> Self {
        Self { title, unit, peer: "peer", bar, rows: Vec::new() }
    }

    /// The same table, compared with somebody who has a name.
    #[must_use]
    pub fn against(self, peer: &'static str) -> Self {
        Self { peer, ..self }
    }

    /// The geometric mean over all rows.
    #[must_use]
    pub fn mean(&self) -> f64 {
        geometric_mean(self.rows.iter().map(Row::ratio))
    }

    fn worst(&self) -> Option<&Row> {
        self.rows.iter().max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
    }

    /// Judges the rows against the bar.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let Some(bar) = self.bar else {
            return Verdict { is_reached: true, text: String::new() };
        };
        let mean = self.mean();
        // NaN, the mean of no rows, must not pass.
        let mut is_reached = mean <= bar.mean;
        let mut text = format!("bar: geometric mean ≤ {:.2}", bar.mean);
        if let Some(single) = bar.single {
            let _ = write!(text, ", no row above {single:.2}");
            is_reached &= self.rows.iter().all(|row| row.ratio() <= single);
        }
        let above = self.rows.iter().filter(|r| bar.single.is_some_and(|s| r.ratio() > s));
        let above: Vec<&str> = above.map(|row| row.name.as_str()).collect();
        text.push_str(if is_reached { ": PASS" } else { ": FALLS SHORT" });
        if !above.is_empty() {
            let _ = write!(text, " (above: {})", above.join(", "));
        }
        Verdict { is_reached, text }
    }

    /// The table as text.
    #[must_use]
    pub fn render(&self) -> String {
        let has_native = self.rows.iter().any(|row| row.native.is_some());
        let has_node = self.rows.iter().any(|row| row.node.is_some());
        let title = format!("{} ({})", self.title, self.unit);
        let mut text = format!("\n{title:<28} {:>10} {:>10} {:>7}", "ours", self.peer, "ratio");
        if has_native {
            let _ = write!(text, " {:>10} {:>9} {:>9}", "native", "to native", "peer's");
        }
        if has_node {
            let _ = write!(text, " {:>10}", "node");
        }
        text.push('\n');
        for row in &self.rows {
            let (ours, peer) = (figure(Some(row.ours)), figure(Some(row.peer)));
            let _ = write!(text, "{:<28} {ours:>10} {peer:>10} {:>7.3}", row.name, row.ratio());
            if has_native {
                let peers = row.native.map(|native| row.peer / native);
                let (native, ratio) = (figure(row.native), short(row.to_native()));
                let _ = write!(text, " {native:>10} {ratio:>9} {:>9}", short(peers));
            }
            if has_node {
                let _ = write!(text, " {:>10}", figure(row.node));
            }
            text.push('\n');
        }
        self.render_means(&mut text);
        text
    }

    fn render_means(&self, text: &mut String) {
        let mut groups: Vec<&str> = self.rows.iter().map(|row| row.group).collect();
        groups.dedup();
        if groups.len() > 1 {
            for group in groups {
                let rows = self.rows.iter().filter(|row| row.group == group);
                let mean = geometric_mean(rows.map(Row::ratio));
                let label = format!("geometric mean, {group}");
                let _ = writeln!(text, "{label:<50} {mean:>7.3}");
            }
        }
        let _ = write!(text, "{:<50} {:>7.3}", "geometric mean", self.mean());
        if self.rows.iter().any(|row| row.native.is_some()) {
            let ours = geometric_mean(self.rows.iter().filter_map(Row::to_native));
            let peers =
                geometric_mean(self.rows.iter().filter_map(|r| r.native.map(|n| r.peer / n)));
            let _ = write!(text, " {:>10} {ours:>9.2} {peers:>9.2}", "");
        }
        text.push('\n');
        if let Some(worst) = self.worst() {
            let _ = writeln!(text, "worst row: {} {:.3}", worst.name, worst.ratio());
        }
        let verdict = self.verdict();
        if !verdict.text.is_empty() {
            let _ = writeln!(text, "{}", verdict.text);
        }
    }
}

fn figure(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value >= 1e5 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}

fn short(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

/// All tables of a run as one JSON object.
#[must_use]
pub fn to_json(name: &str, rounds: usize, tables: &[Table], errors: &[String]) -> String {
    let tables: Vec<String> = tables.iter().map(table_json).collect();
    let errors: Vec<String> = errors.iter().map(|error| quoted(error)).collect();
    format!(
        "{{\"benchmark\":{},\"rounds\":{rounds},\"tables\":[{}],\"errors\":[{}]}}\n",
        quoted(name),
        tables.join(","),
        errors.join(",")
    )
}

fn table_json(table: &Table) -> String {
    let rows: Vec<String> = table
        .rows
        .iter()
        .map(|row| {
            format!(
                "{{\"name\":{},\"group\":{},\"ours\":{},\"peer\":{},\"ratio\":{},\
                 \"native\":{},\"node\":{}}}",
                quoted(&row.name),
                quoted(row.group),
                number(Some(row.ours)),
                number(Some(row.peer)),
                number(Some(row.ratio())),
                number(row.native),
                number(row.node)
            )
        })
        .collect();
    format!(
        "{{\"title\":{},\"unit\":{},\"peer\":{},\"bar\":{},\"single_bar\":{},\"geometric_mean\":{},\
         \"is_reached\":{},\"rows\":[{}]}}",
        quoted(table.title),
        quoted(table.unit),
        quoted(table.peer),
        number(table.bar.map(|bar| bar.mean)),
        number(table.bar.and_then(|bar| bar.single)),
        number(Some(table.mean())),
        table.verdict().is_reached,
        rows.join(",")
    )
}

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "null".to_owned(), |v| v.to_string())
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ratios: &[f64]) -> Table {
        let mut table = Table::new("time", "ms", Some(Bar { mean: 1.0, single: Some(1.15) }));
        table.rows = ratios
            .iter()
            .map(|&ours| Row {
                name: format!("row{ours}"),
                group: "all",
                ours,
                peer: 1.0,
                native: None,
                node: None,
            })
            .collect();
        table
    }

    #[test]
    fn the_mean_of_a_half_and_a_double_is_one() {
        assert!((table(&[0.5, 2.0]).mean() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_row_above_the_single_bar_falls_short_and_is_named() {
        let verdict = table(&[0.5, 1.2]).verdict();
        assert!(!verdict.is_reached && verdict.text.contains("row1.2"), "{}", verdict.text);
        assert!(table(&[0.9, 1.1]).verdict().is_reached);
    }

    #[test]
    fn a_table_without_rows_does_not_pass() {
        assert!(!table(&[]).verdict().is_reached);
    }

    #[test]
    fn json_escapes_quotes_and_control_characters() {
        assert_eq!(quoted("a\"b\\\n"), "\"a\\\"b\\\\\\u000a\"");
    }
}

//! Text for people: names of unknown origin made harmless, words that resemble another, lists.
//!
//! Invariant: what [`shown`] and [`harmless`] return never steers a terminal. Names come from
//! guests, files and command lines; all of them pass through here before they are printed.

use std::fmt::Write;
use std::time::Duration;

/// A name in quotes that cannot steer a terminal.
pub(crate) fn shown(name: &str) -> String {
    format!("`{}`", escaped(name, false))
}

/// A text, perhaps of several lines, that cannot steer a terminal.
pub(crate) fn harmless(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if keep_lines => out.push(c),
            c if c.is_control() || turns_text(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Invisible characters that change the order in which others are shown, or end lines.
fn turns_text(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// The word that resembles `given` most, if one does.
pub(crate) fn nearest<'w>(
    given: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    let limit = (given.chars().count() * 2 / 5).clamp(1, 4);
    let with_distance = words.into_iter().map(|word| (distance(given, word, limit), word));
    with_distance.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, word)| word)
}

/// Edits between two words; anything above `limit` when there are more, or one is long.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(65).collect(), b.chars().collect());
    if a.len() > 64 || a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The first few of a list, and how many more there are.
pub(crate) fn some_of(items: &[String], limit: usize) -> String {
    let mut text = items[..items.len().min(limit)].join(", ");
    if items.len() > limit {
        let _ = write!(text, " and {} more", items.len() - limit);
    }
    text
}

/// A number with the words that fit it.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A size as people write it: `64K`, `8MiB`, `2G`, `4096`.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A span of time as people write it: `2s`, `500ms`, `1.5m`, `1h`, and seconds without a unit. It is
/// not nothing.
pub(crate) fn parse_time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    let time = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
    (!time.is_zero()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(shown("a\x1b[31m\n"), "`a\\u{1b}[31m\\u{a}`");
        assert_eq!(shown("\u{202e}evil\u{9b}"), "`\\u{202e}evil\\u{9b}`");
        assert_eq!(harmless("one\ntwo\r"), "one\ntwo\\u{d}");
    }

    #[test]
    fn the_nearest_word_is_found_or_none() {
        assert_eq!(nearest("simdd", ["simd", "gc"]), Some("simd"));
        assert_eq!(nearest("fd_wrote", ["fd_read", "fd_write"]), Some("fd_write"));
        assert_eq!(nearest("unheard-of", ["simd", "gc"]), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), ["simd"]), None);
    }

    #[test]
    fn times_have_units_and_are_seconds_without() {
        for (text, ms) in
            [("2s", 2000), ("500ms", 500), ("1.5m", 90_000), ("1h", 3_600_000), ("3", 3000)]
        {
            assert_eq!(parse_time(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "0", "0s", "-1s", "2x", "1e3", ".", "1.2.3s", "99999999999999999999h"]
        {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_units_and_do_not_overflow() {
        assert_eq!(parse_size("64K"), Some(65536));
        assert_eq!(parse_size("8MiB"), Some(8 << 20));
        assert_eq!(parse_size("7"), Some(7));
        assert_eq!(parse_size("99999999T"), None);
        assert_eq!(parse_size("K"), None);
        assert_eq!(parse_size("5x"), None);
    }
}

//! Rules about the text of Rust files.
//!
//! They look at code without comments and literals, so that a rule may be spoken about.

use super::Complaint;
use super::files::File;

/// Where unsafe code may stand: whole folders end in `/`.
const UNSAFE_PLACES: &[&str] = &[
    // The machine floor: pages, stacks, signals, jumps.
    "crates/vm/",
    // What the engine's structures look like to machine code.
    "crates/engine/src/raw.rs",
    // Where machine code calls the engine.
    "crates/engine/src/entry.rs",
    "crates/engine/src/entry/direct.rs",
    "crates/engine/src/entry/host_futures.rs",
    // Where the engine jumps into machine code.
    "crates/engine/src/func/enter.rs",
    "crates/engine/src/func/pending.rs",
    // Who loads machine code vouches for it: the two functions that say so, and who calls them.
    "crates/engine/src/trusted.rs",
    "crates/cli/src/trusted.rs",
    "tests/groups/artifacts.rs",
    "tests/groups/fuel.rs",
    // Installs a process's own signal handlers, as an embedder would.
    "tests/embed/process_signals.rs",
    // Asks the system what a finished process used.
    "benches/src/child.rs",
    // Loads machine code that it compiled before.
    "benches/embed/src/artifact.rs",
    // Counts allocations.
    "benches/embed/src/allocations.rs",
];

/// Longest file, in lines.
const LONGEST: usize = 1000;

/// Files that are one table and may be longer.
const TABLES: &[&str] = &[];

pub(crate) fn unsafe_has_its_places(files: &[File]) -> Vec<Complaint> {
    let may = |path: &str| {
        UNSAFE_PLACES.iter().any(|place| {
            if place.ends_with('/') { path.starts_with(place) } else { path == *place }
        })
    };
    let elsewhere = files.iter().filter(|file| file.is_rust() && !may(&file.path));
    let word = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
    };
    elsewhere
        .flat_map(|file| {
            let code = Parts::of(file.text()).code;
            let lines: Vec<usize> =
                code.lines().enumerate().filter(|(_, l)| word(l)).map(|(at, _)| at + 1).collect();
            lines.into_iter().map(|line| Complaint::at_line(file, line, "unsafe code"))
        })
        .collect()
}

pub(crate) fn files_have_heads(files: &[File]) -> Vec<Complaint> {
    let headless = files.iter().filter(|file| file.is_rust() && !file.text().starts_with("//! "));
    headless.map(|file| Complaint::new(file, "does not begin with `//!`")).collect()
}

pub(crate) fn files_are_short(files: &[File]) -> Vec<Complaint> {
    let long = files.iter().filter(|file| {
        file.is_rust() && file.text().lines().count() > LONGEST && !TABLES.contains(&&*file.path)
    });
    long.map(|file| {
        let lines = file.text().lines().count();
        Complaint::new(file, format!("has {lines} lines; split it by idea"))
    })
    .collect()
}

pub(crate) fn nothing_is_unfinished(files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let parts = Parts::of(file.text());
        for (text, words) in [
            (&parts.code, &["todo!", "unimplemented!", "dbg!", "#[ignore"][..]),
            (&parts.comments, &["TODO", "FIXME", "XXX"][..]),
        ] {
            for (at, line) in text.lines().enumerate() {
                if let Some(word) = words.iter().find(|word| contains_word(line, word)) {
                    complaints.push(Complaint::at_line(file, at + 1, format!("`{word}`")));
                }
            }
        }
    }
    complaints
}

/// Whether a line has a word that is not merely the end of a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !line[at + word.len()..].starts_with(|c: char| c.is_alphanumeric())
    })
}

/// A file taken apart; both parts have the lines of the whole, so that places agree.
struct Parts {
    code: String,
    comments: String,
}

impl Parts {
    fn of(text: &str) -> Parts {
        let mut parts = Parts { code: String::new(), comments: String::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let (len, is_code, is_comment) = next_piece(rest);
            let (piece, after) = rest.split_at(len);
            parts.code.extend(piece.chars().filter(|&c| is_code || c == '\n'));
            parts.comments.extend(piece.chars().filter(|&c| is_comment || c == '\n'));
            rest = after;
        }
        parts
    }
}

/// Length of the next piece of a file, and whether it is code or comment; literals are neither.
fn next_piece(rest: &str) -> (usize, bool, bool) {
    let first_char = rest.chars().next().map_or(1, char::len_utf8);
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false, true);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |at| at + 2), false, true);
    }
    if let Some(len) = raw_string(rest) {
        return (len, false, false);
    }
    if let Some(body) = rest.strip_prefix('"') {
        return (1 + escaped_until(body, '"'), false, false);
    }
    if let Some(body) = rest.strip_prefix('\'') {
        // A character, not a lifetime: one (perhaps escaped) character and the closing mark.
        let is_char = body.starts_with('\\')
            || body.char_indices().nth(1).is_some_and(|(at, c)| c == '\'' && at > 0);
        if is_char {
            return (1 + escaped_until(body, '\''), false, false);
        }
    }
    // A name that ends in `r` is no raw string: names are taken whole.
    let name: usize =
        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    (name.max(first_char), true, false)
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or(rest.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let before = rest.len() - body.len();
    Some(before + body.find(&close).map_or(body.len(), |at| at + close.len()))
}

/// Length up to and with the closing mark.
fn escaped_until(body: &str, close: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == close => return at + c.len_utf8(),
            _ => {}
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(complaints: Vec<Complaint>) -> Vec<String> {
        complaints.into_iter().map(|complaint| complaint.place).collect()
    }

    #[test]
    fn unsafe_code_is_found_outside_its_places() {
        let code = "//! Head.\nfn f() { unsafe { g() } }\n";
        let found = unsafe_has_its_places(&[
            File::with("crates/vm/src/a.rs", code),
            File::with("crates/engine/src/raw.rs", code),
            File::with("crates/engine/src/store.rs", code),
        ]);
        assert_eq!(places(found), ["crates/engine/src/store.rs:2"]);
    }

    #[test]
    fn words_in_comments_literals_and_longer_words_are_not_code() {
        let text = "//! unsafe\nlet a = \"unsafe \\\" unsafe\"; let b = r#\"unsafe\"#;\n\
                    #![forbid(unsafe_code)] /* unsafe */ let c = '\"'; let d: &'a str = \"unsafe\";";
        assert_eq!(unsafe_has_its_places(&[File::with("a.rs", text)]), []);
    }

    #[test]
    fn unfinished_code_is_found_with_its_line() {
        let text = "//! Head.\nfn f() {\n    todo!()\n}\n// TODO later\nlet s = \"todo!\";\n";
        let found = nothing_is_unfinished(&[File::with("a.rs", text)]);
        assert_eq!(places(found), ["a.rs:3", "a.rs:5"]);
    }

    #[test]
    fn a_file_without_a_head_and_a_long_one_are_found() {
        let long = format!("//! Head.\n{}", "\n".repeat(LONGEST));
        let files = [File::with("a.rs", "fn f() {}\n"), File::with("b.rs", &long)];
        assert_eq!(places(files_have_heads(&files)), ["a.rs"]);
        assert_eq!(places(files_are_short(&files)), ["b.rs"]);
    }
}

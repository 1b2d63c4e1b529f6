//! `cargo xtask tidy`: the rules of the house that a compiler does not know.
//!
//! Invariant: a rule is a function from the project's files to complaints, each with a place and
//! a sentence; a new rule is one function and one line in [`RULES`]. What rustc, clippy and
//! rustfmt already check is not repeated here.

mod files;
mod floors;
mod names;
mod source;

use files::File;
use std::path::Path;
use std::process::ExitCode;

/// Something against a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// File, and line where there is one.
    place: String,
    what: String,
}

impl Complaint {
    fn new(file: &File, what: impl Into<String>) -> Complaint {
        Complaint { place: file.path.clone(), what: what.into() }
    }

    fn at_line(file: &File, line: usize, what: impl Into<String>) -> Complaint {
        Complaint { place: format!("{}:{line}", file.path), what: what.into() }
    }
}

type Rule = fn(&[File]) -> Vec<Complaint>;

/// Every rule, with the sentence that states it.
const RULES: &[(&str, Rule)] = &[
    ("only the machine floor and its borders use unsafe code", source::unsafe_has_its_places),
    ("each source file begins with what it is for", source::files_have_heads),
    ("no source file is longer than a thousand lines", source::files_are_short),
    ("nothing is left for later", source::nothing_is_unfinished),
    ("a name says what is inside", names::names_say_what_is_inside),
    ("documents name only files that exist", names::documents_name_existing_files),
    ("crates import from lower floors only", floors::imports_go_down),
    ("no file is large", names::no_file_is_large),
];

/// Checks all rules and prints what is against them.
pub(crate) fn run(root: &Path) -> ExitCode {
    let files = match files::read_all(root) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("tidy: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut passed = 0;
    let mut failed = 0;
    for (sentence, rule) in RULES {
        let complaints = rule(&files);
        if complaints.is_empty() {
            passed += 1;
            continue;
        }
        failed += 1;
        println!("{sentence}:");
        for Complaint { place, what } in complaints {
            println!("  {place}: {what}");
        }
    }
    println!("tidy: {} files, {passed} rules kept, {failed} broken", files.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_keeps_all_rules() {
        let root = crate::project_root();
        let files = files::read_all(&root).unwrap();
        assert!(files.iter().any(|file| file.path == "xtask/src/tidy.rs"));
        for (sentence, rule) in RULES {
            assert_eq!(rule(&files), [], "{sentence}");
        }
    }
}

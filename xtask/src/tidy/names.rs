//! Rules about names of files, files named in documents, and sizes of files.

use super::Complaint;
use super::files::File;

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["mod", "util", "utils", "helper", "helpers", "common", "misc"];

/// Largest file, in bytes.
const LARGEST: u64 = 100_000;

/// Files that tools write and that may be larger.
const MAY_BE_LARGE: &[&str] = &["Cargo.lock"];

/// Endings of names that documents give to files of the project.
const NAMED: &[&str] = &[".rs", ".toml", ".md", ".sh"];

pub(crate) fn names_say_what_is_inside(files: &[File]) -> Vec<Complaint> {
    let empty = |file: &&File| {
        let without_ending = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        file.is_rust() && without_ending.split('/').any(|part| EMPTY_NAMES.contains(&part))
    };
    files
        .iter()
        .filter(empty)
        .map(|file| Complaint::new(file, "a name that says nothing"))
        .collect()
}

pub(crate) fn no_file_is_large(files: &[File]) -> Vec<Complaint> {
    let may = |file: &File| MAY_BE_LARGE.iter().any(|name| file.path.ends_with(name));
    let large = files.iter().filter(|file| file.bytes > LARGEST && !may(file));
    large.map(|file| Complaint::new(file, format!("has {} bytes", file.bytes))).collect()
}

pub(crate) fn documents_name_existing_files(files: &[File]) -> Vec<Complaint> {
    let exists = |name: &str| {
        files.iter().any(|file| match file.path.strip_suffix(name) {
            Some(before) => before.is_empty() || before.ends_with('/'),
            None => name.ends_with('/') && format!("/{}", file.path).contains(&format!("/{name}")),
        })
    };
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, name) in file_names(file.text()) {
            if !exists(name.trim_start_matches("./").trim_start_matches("../")) {
                complaints.push(Complaint::at_line(file, line, format!("no file `{name}`")));
            }
        }
    }
    complaints
}

/// The words in backticks, outside code blocks, that are names of files or (with a `/` at the
/// end) folders of the project, with their lines.
fn file_names(text: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut in_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            continue;
        }
        let words = line.split('`').skip(1).step_by(2);
        let is_name = |word: &&str| {
            let plain = word.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
            let of_project = NAMED.iter().any(|ending| word.ends_with(ending))
                || (word.ends_with('/') && word.contains("crates/"));
            plain && of_project && !word.starts_with(['/', '.']) && !NAMED.contains(word)
        };
        names.extend(words.filter(is_name).map(|word| (at + 1, word)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_in_files_and_folders() {
        let files = [
            File::with("crates/a/src/utils.rs", ""),
            File::with("crates/a/src/common/x.rs", ""),
            File::with("crates/a/src/commons.rs", ""),
            File::with("crates/a/src/model.rs", ""),
        ];
        assert_eq!(names_say_what_is_inside(&files).len(), 2);
    }

    #[test]
    fn a_named_file_that_does_not_exist_is_found() {
        let text =
            "`src/a.rs` `b.rs` `crates/x/` `crates/y/`\n```text\n`c.rs`\n```\n`<d>.rs` `.rs`";
        let files = [File::with("R.md", text), File::with("crates/x/src/a.rs", "")];
        let found: Vec<_> =
            documents_name_existing_files(&files).into_iter().map(|c| c.what).collect();
        assert_eq!(found, ["no file `b.rs`", "no file `crates/y/`"]);
    }

    #[test]
    fn a_large_file_is_found() {
        let large = "x".repeat(LARGEST as usize + 1);
        let files = [File::with("a.wasm", &large), File::with("tests/Cargo.lock", &large)];
        assert_eq!(no_file_is_large(&files).len(), 1);
    }
}

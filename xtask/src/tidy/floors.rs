//! The rule of the floors: a crate imports only from floors below its own.
//!
//! The table is the one of the architecture document. Tests of a crate may import what they like
//! (`dev-dependencies`); nobody imports what stands beside the floors.

use super::Complaint;
use super::files::File;

/// Per crate (folder under `crates/`), what it may import, as crate folders.
const FLOORS: &[(&str, &[&str])] = &[
    ("module", &[]),
    ("compile", &["module"]),
    ("vm", &["module"]),
    ("optimizing", &["module", "compile"]),
    ("engine", &["module", "compile", "vm", "optimizing"]),
    ("wasi", &["engine"]),
    ("preinit", &["engine"]),
    ("selkie", &["module", "compile", "vm", "optimizing", "engine", "wasi", "preinit"]),
    ("cli", &["module", "compile", "vm", "optimizing", "engine", "wasi", "preinit", "selkie"]),
];

pub(crate) fn imports_go_down(files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in files {
        let folder = file.path.strip_prefix("crates/").and_then(|p| p.strip_suffix("/Cargo.toml"));
        let Some(folder) = folder else { continue };
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == folder) else {
            complaints.push(Complaint::new(file, "a crate without a floor"));
            continue;
        };
        for (line, import) in imports(file.text()) {
            if !allowed.contains(&import) {
                let what = format!("`{folder}` may not import `{import}`");
                complaints.push(Complaint::at_line(file, line, what));
            }
        }
    }
    complaints
}

/// The crates of ours in the tables of dependencies, with their lines.
fn imports(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    for (at, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
            continue;
        }
        let name: &str = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if in_dependencies && (name == "selkie" || name.starts_with("selkie-")) {
            found.push((at + 1, name.strip_prefix("selkie-").unwrap_or(name)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_from_above_is_found() {
        let manifest = "[dependencies]\nselkie-module.workspace = true\n\
                        selkie-engine = { path = \"../engine\" }\n\
                        [dev-dependencies]\nselkie.workspace = true\n";
        let found = imports_go_down(&[File::with("crates/vm/Cargo.toml", manifest)]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "`vm` may not import `engine`");
        assert_eq!(found[0].place, "crates/vm/Cargo.toml:3");
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_found() {
        let found = imports_go_down(&[File::with("crates/new/Cargo.toml", "")]);
        assert_eq!(found.len(), 1);
    }
}

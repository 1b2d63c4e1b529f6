//! The configuration file: TOML, a section for each group and one for the cache.
//!
//! ```toml
//! [wasm]
//! threads = false
//! max-stack = "64M"
//! [optimize]
//! inlining = true
//! [wasi]
//! stdin = false
//! [cache]
//! enabled = true
//! folder = "/var/cache/me/selkie"
//! max-size = "4G"
//! ```
//!
//! It holds no grants: what a program is given stands on the command line alone.

use crate::knobs::Group;
use crate::report::Failure;
use crate::settings::{CacheSettings, Settings};
use crate::text::{parse_size, shown};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Reads the file that is named, or the user's own where there is one.
pub(crate) fn read(named: Option<&Path>, settings: &mut Settings) -> Result<(), Failure> {
    let Some(path) = named.map(PathBuf::from).or_else(default_path) else { return Ok(()) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && is_absent(&error) => return Ok(()),
        Err(error) => {
            let path = shown(&path.to_string_lossy());
            return Err(Failure::error(format!("cannot read the configuration {path}: {error}")));
        }
    };
    apply(&text, settings).map_err(|why| located(&path, &why))
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn located(path: &Path, why: &str) -> Failure {
    Failure::error(format!("in the configuration {}: {why}", shown(&path.to_string_lossy())))
}

fn default_path() -> Option<PathBuf> {
    Some(home_folder("XDG_CONFIG_HOME", ".config")?.join("selkie/config.toml"))
}

/// A folder of the XDG base directory specification; relative ones are to be ignored.
pub(crate) fn home_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let own = std::env::var_os(variable).map(PathBuf::from).filter(absolute);
    own.or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(absolute)?;
        Some(home.join(below_home))
    })
}

fn apply(text: &str, settings: &mut Settings) -> Result<(), String> {
    let table: Table = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_string())?;
    for (section, values) in &table {
        let Value::Table(values) = values else {
            return Err(format!("{} stands outside of a section", shown(section)));
        };
        let group = Group::ALL.iter().find(|group| group.section == section);
        if group.is_none() && section != "cache" {
            let known = "it has [wasm], [optimize], [wasi] and [cache]";
            return Err(format!("no section {} is known; {known}", shown(section)));
        }
        for (name, value) in values {
            let entry = |why| format!("[{}] {}: {why}", section, shown(name));
            let Some(group) = group else {
                cache(name, value, &mut settings.cache).map_err(entry)?;
                continue;
            };
            let value = simple(value).ok_or_else(|| entry("not a simple value".into()))?;
            group.apply_from_file(name, &value, settings).map_err(entry)?;
        }
    }
    Ok(())
}

fn simple(value: &Value) -> Option<String> {
    match value {
        Value::Boolean(on) => Some(on.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn cache(name: &str, value: &Value, cache: &mut CacheSettings) -> Result<(), String> {
    match (name, value) {
        ("enabled", Value::Boolean(on)) => cache.enabled = *on,
        ("folder", Value::String(path)) if Path::new(path).is_absolute() => {
            cache.folder = Some(path.into());
        }
        ("folder", _) => return Err("it must be an absolute path".into()),
        ("max-size", value) => {
            let bytes = simple(value).and_then(|text| parse_size(&text));
            cache.limit_bytes = bytes.ok_or("it must be a size, such as \"2G\"")?;
        }
        ("enabled", _) => return Err("it must be true or false".into()),
        _ => return Err("the cache has `enabled`, `folder` and `max-size`".into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use selkie::Feature;

    #[test]
    fn sections_set_what_the_flags_set() {
        let mut settings = Settings::default();
        let text = "[wasm]\nthreads = false\nmax-memory = \"64M\"\n[cache]\nmax-size = 4096\n";
        apply(text, &mut settings).unwrap();
        assert!(!settings.config.features().has(Feature::threads));
        assert_eq!(settings.limits.memory_bytes, 64 << 20);
        assert_eq!(settings.cache.limit_bytes, 4096);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text| apply(text, &mut Settings::default()).unwrap_err();
        assert!(error("[wasm]\nsimdd = true").contains("did you mean `simd`?"));
        assert!(error("[nothing]\nx = 1").contains("[optimize]"));
        assert!(error("[nothing]").contains("`nothing`"));
        assert!(error("[wasi]\ninherit-env = true").contains("grant"));
        assert!(error("x = 1").contains("section"));
        assert!(error("[cache]\nfolder = \"here\"").contains("absolute"));
        assert!(error("[wasm").contains('1'));
    }
}

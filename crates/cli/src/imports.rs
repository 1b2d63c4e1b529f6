//! What imports tell about a program: which grants it may need, and why nobody provides one.

use crate::text::{nearest, shown, some_of};
use selkie::wasi::{PREVIEW1, UNSTABLE};

/// Module names of WASI preview 1 and its predecessor.
pub(crate) const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// Whether an import is one of WASI's.
pub(crate) fn is_wasi(module: &str) -> bool {
    WASI_MODULES.contains(&module)
}

/// Something a program can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// What it is.
    pub(crate) what: &'static str,
    /// The flag that gives it; empty for what every program has.
    pub(crate) flag: &'static str,
    /// The functions that ask for it begin so.
    prefixes: &'static [&'static str],
}

/// Grants, and the functions of WASI by which a program shows that it may want them.
const NEEDS: &[Need] = &[
    Need { what: "arguments", flag: "", prefixes: &["args_"] },
    Need { what: "standard streams and files", flag: "", prefixes: &["fd_read", "fd_write"] },
    Need { what: "clocks", flag: "", prefixes: &["clock_", "poll_oneoff"] },
    Need { what: "random numbers", flag: "", prefixes: &["random_get"] },
    Need { what: "environment", flag: "--env NAME[=VALUE]", prefixes: &["environ_"] },
    Need { what: "directories", flag: "--dir HOST[::GUEST][:ro]", prefixes: &["path_"] },
    Need { what: "sockets", flag: "-S tcp-listen=ADDRESS:PORT", prefixes: &["sock_"] },
];

/// What the imported names say a program may need.
pub(crate) fn needs<'a>(imports: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<Need> {
    let asks = |need: &&Need| {
        imports.clone().any(|(module, name)| {
            is_wasi(module) && need.prefixes.iter().any(|prefix| name.starts_with(prefix))
        })
    };
    NEEDS.iter().filter(asks).copied().collect()
}

/// An import that nobody provides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown<'a> {
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
    pub(crate) is_func: bool,
}

/// Says why imports that nobody provides are missing, and what can be done.
pub(crate) fn explain_unknown(unknown: &[Unknown<'_>]) -> String {
    let names: Vec<String> = unknown
        .iter()
        .map(|import| format!("{} {}", shown(import.module), shown(import.name)))
        .collect();
    let (plural, advice) = (if names.len() == 1 { "" } else { "s" }, advice(unknown));
    format!("nobody provides the import{plural} {}; {advice}", some_of(&names, 3))
}

/// How the name of a missing import's module or item shows where a program comes from.
enum Sign {
    Module(&'static str),
    ModuleStart(&'static str),
    Item(&'static str),
    ItemStart(&'static str),
}

const SIGNS: &[(Sign, &str)] = &[
    (Sign::Item("__linear_memory"), "this is an object file: link it into a module first"),
    (
        Sign::Item("__stack_pointer"),
        "this is an object file or a shared library: link it into a module first",
    ),
    (Sign::Item("__memory_base"), "this is a shared library: link it into a program"),
    (Sign::ModuleStart("wasi:"), "it was built for WASI 0.2 or later: build it for wasm32-wasip1"),
    (
        Sign::Module("wasi"),
        "it was built for threads of WASI, which are not supported: build it without them",
    ),
    (
        Sign::ModuleStart("__wbindgen"),
        "it was built for JavaScript by wasm-bindgen: build it for wasm32-wasip1",
    ),
    (
        Sign::Module("wbg"),
        "it was built for JavaScript by wasm-bindgen: build it for wasm32-wasip1",
    ),
    (Sign::Module("gojs"), "it was built for JavaScript: build it with GOOS=wasip1 GOARCH=wasm"),
    (Sign::Module("go"), "it was built for JavaScript: build it with GOOS=wasip1 GOARCH=wasm"),
    (
        Sign::ItemStart("emscripten_"),
        "it was built for JavaScript by Emscripten: link it with -sSTANDALONE_WASM",
    ),
    (
        Sign::ItemStart("_emscripten_"),
        "it was built for JavaScript by Emscripten: link it with -sSTANDALONE_WASM",
    ),
    (
        Sign::Module("a"),
        "it was built for JavaScript by Emscripten: link it with -sSTANDALONE_WASM",
    ),
    (Sign::Module("spectest"), "it belongs to a script: run that with `selkie wast`"),
];

fn advice(unknown: &[Unknown<'_>]) -> String {
    for &Unknown { module, name, .. } in unknown {
        if is_wasi(module) {
            let functions = if module == WASI_MODULES[0] { PREVIEW1 } else { UNSTABLE };
            let near = nearest(name, functions.iter().map(|function| function.name));
            let near = near.map_or(String::new(), |near| format!(", but has `{near}`"));
            return format!("WASI preview 1 has no {}{near}", shown(name));
        }
        let fits = |sign: &Sign| match sign {
            Sign::Module(word) => module == *word,
            Sign::ModuleStart(word) => module.starts_with(word),
            Sign::Item(word) => name == *word,
            Sign::ItemStart(word) => name.starts_with(word),
        };
        if let Some((_, advice)) = SIGNS.iter().find(|(sign, _)| fits(sign)) {
            return (*advice).to_string();
        }
    }
    let (them, called) = match unknown {
        [_] => ("it", "it is called"),
        _ => ("them", "one of them is called"),
    };
    let without = if unknown.iter().all(|import| import.is_func) {
        format!("-W unknown-imports-trap runs it without, until {called}")
    } else {
        "it can run without functions, but not without memories, tables and globals".to_string()
    };
    format!("it needs a host program that defines {them}; {without}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_wasi_but_the_plain_ones_shows_a_need() {
        let without: Vec<_> = PREVIEW1
            .iter()
            .map(|function| function.name)
            .filter(|name| !name.starts_with("fd_"))
            .filter(|name| needs([(WASI_MODULES[0], *name)].into_iter()).is_empty())
            .collect();
        assert_eq!(without, ["proc_exit", "proc_raise", "sched_yield"]);
    }

    #[test]
    fn missing_imports_are_explained_by_where_they_come_from() {
        let why = |module, name| explain_unknown(&[Unknown { module, name, is_func: true }]);
        assert!(why("wasi_unstable", "fd_wrote").contains("but has `fd_write`"));
        assert!(why("wbg", "__wbg_x").contains("wasm32-wasip1"));
        assert!(why("env", "emscripten_get_now").contains("STANDALONE_WASM"));
        assert!(why("env", "thing").contains("unknown-imports-trap"));
        assert!(why("\x1b[2J", "x").contains("\\u{1b}"));
    }

    #[test]
    fn advice_fits_the_number_and_the_kind_of_imports() {
        let import = |name, is_func| Unknown { module: "env", name, is_func };
        let one = explain_unknown(&[import("f", true)]);
        assert!(one.contains("that defines it; ") && one.ends_with("until it is called"), "{one}");
        let two = explain_unknown(&[import("f", true), import("g", true)]);
        assert!(two.contains("defines them; ") && two.ends_with("one of them is called"), "{two}");
        let other = explain_unknown(&[import("f", true), import("memory", false)]);
        assert!(!other.contains("unknown-imports-trap"), "{other}");
    }
}

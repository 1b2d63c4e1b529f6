//! Names that people know from other engines, each with what to say here instead.
//!
//! Nothing in these tables works: they only turn a refusal into an answer.

/// Group, name, what to do.
const CHOICES: &[(char, &str, &str)] = &[
    ('W', "max-memory-size", "here it is `max-memory`"),
    ('W', "max-wasm-stack", "here it is `max-stack`"),
    ('W', "max-table-elements", "here it is `max-table`"),
    ('W', "all-proposals", "here it is `all`"),
    ('W', "nan-canonicalization", "here it is `canonical-nans`"),
    ('W', "unknown-imports-default", "the nearest is `unknown-imports-trap`"),
    ('W', "component-model", "components do not run here yet"),
    ('W', "epoch", TIMEOUT),
    ('W', "epoch-interruption", TIMEOUT),
    ('O', "opt-level", "code is always optimized; leave it out"),
    ('O', "memory-guard-size", "here it is `memory-guard`"),
    ('O', "static-memory-guard-size", "here it is `memory-guard`"),
    ('O', "dynamic-memory-guard-size", "here it is `memory-guard`"),
    ('O', "signals-based-traps", "the nearest is `guard-pages`"),
    ('O', "parallel-compilation", "the nearest is `threads=1`"),
    ('O', "pooling-allocator", "there is no counterpart; leave it out"),
    ('S', "cli", PREVIEW_1),
    ('S', "common", PREVIEW_1),
    ('S', "preview2", "only WASI preview 1 is here, and always; leave it out"),
    ('S', "http", "only WASI preview 1 is here, which has no HTTP"),
    ('S', "threads", "threads of WASI are not supported"),
    ('S', "nn", "WASI has no neural networks here"),
    ('S', "inherit-network", SOCKETS),
    ('S', "tcp", SOCKETS),
    ('S', "udp", SOCKETS),
    ('S', "allow-ip-name-lookup", SOCKETS),
    ('S', "tcplisten", "here it is `tcp-listen=ADDRESS:PORT`"),
    ('S', "listenfd", "the nearest is `tcp-listen=ADDRESS:PORT`"),
];

const TIMEOUT: &str = "the nearest is `timeout=TIME`";
const PREVIEW_1: &str = "every program has WASI preview 1 already; leave it out";
const SOCKETS: &str = "sockets are granted one by one, with `tcp-listen=ADDRESS:PORT`";

/// Option, what to do.
const OPTIONS: &[(&str, &str)] = &[
    ("--mapdir", "directories are granted with --dir HOST::GUEST"),
    ("--preload", "modules cannot be linked at the start; link them into one before"),
    ("--fuel", "here it is -W fuel=NUMBER"),
    ("--timeout", "here it is -W timeout=TIME"),
    ("--wasm-timeout", "here it is -W timeout=TIME"),
    ("--disable-cache", "here it is --no-cache"),
    ("--tcplisten", "here it is -S tcp-listen=ADDRESS:PORT"),
    ("--listenfd", "the nearest is -S tcp-listen=ADDRESS:PORT"),
    ("--wasm-features", "proposals are switched with -W; `-W help` lists them"),
    ("--wasi-modules", PREVIEW_1),
    ("--opt-level", "code is always optimized; leave it out"),
    ("--codegen", CODEGEN),
    ("-C", CODEGEN),
    ("-D", "DWARF is switched with -O debug-info"),
    ("-g", "DWARF is kept unless it is switched off with -O debug-info=off"),
];

const CODEGEN: &str = "how code is made stands behind -O; `cache=n` is --no-cache here";

/// What to do instead of a choice that is not there.
pub(crate) fn choice(letter: char, name: &str) -> Option<&'static str> {
    let found = CHOICES.iter().find(|(group, known, _)| (*group, *known) == (letter, name));
    found.map(|(_, _, sentence)| *sentence)
}

/// What to do instead of an option that is not there.
pub(crate) fn option(name: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, sentence)| *sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knobs::Group;
    use crate::options;

    #[test]
    fn what_is_known_elsewhere_is_not_here() {
        for (letter, name, _) in CHOICES {
            let group = Group::ALL.iter().find(|group| group.letter == *letter);
            let is_here = group.is_none_or(|group| group.names().any(|known| known == *name));
            assert!(!is_here, "-{letter} {name}");
        }
        for (name, _) in OPTIONS {
            let error = options::parse(&[(*name).into()]).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::UnknownArgument, "{name}");
        }
    }
}

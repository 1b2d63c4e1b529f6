//! Kinds of file, told by their first bytes: the two we run, and those people give by mistake,
//! each with what to do instead.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A core module in the binary format.
    Module,
    /// Compiled code of ours.
    Artifact,
    /// Text that may be a module in the text format.
    Text,
    /// Something else: what it is, and what to do.
    Other(&'static str, &'static str),
}

/// Bytes that [`kind`] wants to see.
pub(crate) const HEAD_BYTES: usize = 4096;

const COMPRESSED: &str = "unpack it first";
const NATIVE: &str = "compile the program for wasm32-wasip1 instead";
const PICTURE: &str = "name a WebAssembly file";

/// First bytes, what it is, what to do.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "is compressed with gzip", COMPRESSED),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", COMPRESSED),
    (b"\xfd7zXZ\0", "is compressed with xz", COMPRESSED),
    (b"BZh", "is compressed with bzip2", COMPRESSED),
    (b"PK\x03\x04", "is a zip archive", COMPRESSED),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", COMPRESSED),
    (b"!<arch>\n", "is an archive of object files", "link it into a module first"),
    (b"!<thin>\n", "is an archive of object files", "link it into a module first"),
    (b"BC\xc0\xde", "is LLVM bitcode", "compile and link it for wasm32-wasip1"),
    (b"MZ", "is a Windows program", NATIVE),
    (b"\xcf\xfa\xed\xfe", "is a macOS program or object file", NATIVE),
    (b"\xca\xfe\xba\xbe", "is a Java class or a macOS program", NATIVE),
    (b"#!", "is a script", "run it with its interpreter"),
    (b"%PDF", "is a PDF document", PICTURE),
    (b"\x89PNG", "is a picture", PICTURE),
    (b"\xff\xd8\xff", "is a picture", PICTURE),
    (b"GIF8", "is a picture", PICTURE),
    (b"\xff\xfe", "is UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16 text", "save it as UTF-8"),
];

/// The kind of a file that begins with these bytes.
pub(crate) fn kind(head: &[u8]) -> Kind {
    if head.is_empty() {
        return Kind::Other("is empty", "was it built or downloaded completely?");
    }
    by_magic(head).unwrap_or_else(|| text(head))
}

/// Why a file that begins so is no script, and what to do; other commands read it, or none.
pub(crate) fn no_script(head: &[u8]) -> Option<(&'static str, &'static str)> {
    match by_magic(head) {
        Some(Kind::Module) => Some(("is a module, not a script", "run it with `selkie run`")),
        Some(Kind::Artifact) => Some(("is an artifact, not a script", "run it with `selkie run`")),
        Some(Kind::Other(what, todo)) => Some((what, todo)),
        _ if head.starts_with(b"\0") => Some(("is no text", "name a script (.wast)")),
        _ => None,
    }
}

/// The kind of what is no text.
fn by_magic(head: &[u8]) -> Option<Kind> {
    if let Some(version) = head.strip_prefix(b"\0asm") {
        return Some(binary(version));
    }
    if selkie::Module::is_artifact(head) {
        return Some(Kind::Artifact);
    }
    if head.starts_with(b"\x7fELF") {
        return Some(elf(head));
    }
    let known = KNOWN.iter().find(|(magic, ..)| head.starts_with(magic));
    known.map(|(_, what, todo)| Kind::Other(what, todo))
}

/// Version and layer follow the first four bytes (spec: binary/modules; component model: binary).
fn binary(version: &[u8]) -> Kind {
    match version.get(..4) {
        Some([1, 0, 0, 0]) => Kind::Module,
        Some([_, _, 1, 0]) => Kind::Other(
            "is a component",
            "components do not run here yet: build the program for wasm32-wasip1, which makes a core module",
        ),
        Some(_) => Kind::Other(
            "has a version of the binary format that is not known",
            "it should be version 1",
        ),
        None => Kind::Other("ends in its first bytes", "was it downloaded completely?"),
    }
}

/// ELF is also what another engine's compiled modules look like.
fn elf(head: &[u8]) -> Kind {
    const OTHER_ENGINE: u8 = 200;
    if head.get(7) == Some(&OTHER_ENGINE) {
        return Kind::Other(
            "is compiled code of another engine",
            "compile the module it was made from with `selkie compile`",
        );
    }
    match head.get(16) {
        Some(1) => Kind::Other("is a native object file", NATIVE),
        _ => Kind::Other("is a native program or library", NATIVE),
    }
}

fn text(head: &[u8]) -> Kind {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let start = skip_blanks(head);
    let lower = start.get(..14).unwrap_or(start).to_ascii_lowercase();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        return Kind::Other("is a web page", "was the right address downloaded?");
    }
    if start.is_empty() || start.starts_with(b"(") {
        let is_letter = |byte: &&u8| byte.is_ascii_alphabetic() || **byte == b'_';
        let word: Vec<u8> = start.iter().skip(1).take_while(is_letter).copied().collect();
        if word.starts_with(b"assert_") || word == b"register" || word == b"invoke" {
            return Kind::Other("is a script", "run it with `selkie wast`");
        }
        if word == b"component" {
            return Kind::Other(
                "is the text of a component",
                "components do not run here yet: write a core module",
            );
        }
        return Kind::Text;
    }
    // The text format may also begin with the fields of a module, or with an error worth its own
    // message; anything printable goes to its parser only if it could be that.
    Kind::Other(
        "is neither a WebAssembly module nor its text",
        "modules begin with the bytes 00 61 73 6d, text with `(module`",
    )
}

/// Without white space and comments (spec: text/lexical) at its start.
fn skip_blanks(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        if text.starts_with(b";;") {
            let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
            text = &text[end..];
        } else if text.starts_with(b"(;") {
            text = after_comment(text);
        } else {
            return text;
        }
    }
}

/// Block comments nest.
fn after_comment(text: &[u8]) -> &[u8] {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match &text[at..] {
            [b'(', b';', ..] => (depth, at) = (depth + 1, at + 2),
            [b';', b')', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    &text[at.min(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_text_and_artifacts_are_told_apart() {
        assert_eq!(kind(b"\0asm\x01\0\0\0"), Kind::Module);
        assert_eq!(kind(b"\0selkie\0...."), Kind::Artifact);
        assert_eq!(kind(b"\n;; hello\n(; a (; b ;) ;) (module)"), Kind::Text);
        assert_eq!(kind(b"(;"), Kind::Text);
    }

    #[test]
    fn nothing_in_a_file_panics() {
        for text in
            [&b"(; ;"[..], b";;", b"(;(;(;", b"\x7fELF", b"\0asm\x0d", b"(", b"\xef\xbb\xbf"]
        {
            kind(text);
        }
    }

    #[test]
    fn mistakes_have_a_name_and_a_remedy() {
        let other = |bytes: &[u8]| match kind(bytes) {
            Kind::Other(what, todo) => (what, todo),
            kind => panic!("{kind:?}"),
        };
        assert_eq!(other(b"\0asm\x0d\0\x01\0").0, "is a component");
        assert_eq!(other(b"").0, "is empty");
        assert_eq!(other(b"\x1f\x8b\x08").1, "unpack it first");
        assert_eq!(other(b"(assert_return)").1, "run it with `selkie wast`");
        assert!(other(b"hello").0.contains("neither"));
    }
}

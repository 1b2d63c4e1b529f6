//! The earlier exception instructions in scripts: the text parser no longer knows their form, so
//! modules that use it are put into scripts as bytes.
//!
//! A module is first written with instructions of the same shape, each marked by a constant that
//! is dropped in front of it, and assembled; then the marked ones are given their true opcodes.
//! Only the folded form is understood: `(try (do …) (catch $tag …) (delegate $label))`.

use std::fmt::Write;
use wasm_encoder::{CodeSection, Module, RawSection};
use wasmparser::{FunctionBody, Operator, Parser, Payload};

/// What stands for an instruction until it is assembled.
struct StandIn {
    /// The constant in front of it.
    mark: i64,
    /// What is written.
    word: &'static str,
    /// What is meant.
    opcode: u8,
}

const TRY: StandIn = StandIn { mark: 0x5e1c_1e00, word: "block", opcode: 0x06 };
const CATCH: StandIn = StandIn { mark: 0x5e1c_1e01, word: "throw", opcode: 0x07 };
const CATCH_ALL: StandIn = StandIn { mark: 0x5e1c_1e02, word: "nop", opcode: 0x19 };
/// Stands behind the `end` that it replaces, so that labels count as they should.
const DELEGATE: StandIn = StandIn { mark: 0x5e1c_1e03, word: "br", opcode: 0x18 };
const RETHROW: StandIn = StandIn { mark: 0x5e1c_1e04, word: "br", opcode: 0x09 };
const STAND_INS: [StandIn; 5] = [TRY, CATCH, CATCH_ALL, DELEGATE, RETHROW];

/// A script in which modules with such instructions are bytes. Lines stay where they are.
///
/// # Errors
/// The text is no script, or a module cannot be assembled, in words.
pub fn assembled(text: &str) -> Result<String, String> {
    let nodes = Reader { text, at: 0 }.nodes()?;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut modules = Vec::new();
    nodes.iter().for_each(|node| find_modules(node, &mut modules));
    for module in modules {
        let Node::List(items, range) = module else { continue };
        out.push_str(&text[copied..range.start]);
        copied = range.end;
        let name = items.get(1).and_then(Node::atom).filter(|atom| atom.starts_with('$'));
        let bytes = assemble(module)?;
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = write!(out, "(module {} binary \"{escaped}\"", name.unwrap_or_default());
        out.extend(text[range.clone()].matches('\n'));
        out.push(')');
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

/// A piece of a script, and where it stands.
enum Node<'t> {
    Atom(&'t str),
    List(Vec<Node<'t>>, std::ops::Range<usize>),
}

impl<'t> Node<'t> {
    fn atom(&self) -> Option<&'t str> {
        if let Node::Atom(atom) = self { Some(atom) } else { None }
    }

    /// The word that a list begins with.
    fn head(&self) -> Option<&'t str> {
        if let Node::List(items, _) = self { items.first()?.atom() } else { None }
    }

    fn mentions(&self, words: &[&str]) -> bool {
        match self {
            Node::Atom(atom) => words.contains(atom),
            Node::List(items, _) => items.iter().any(|item| item.mentions(words)),
        }
    }
}

fn find_modules<'n, 't>(node: &'n Node<'t>, modules: &mut Vec<&'n Node<'t>>) {
    if node.head() == Some("module") {
        if node.mentions(&["try", "rethrow"]) {
            modules.push(node);
        }
    } else if let Node::List(items, _) = node {
        items.iter().for_each(|item| find_modules(item, modules));
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Everything up to the end of the text or of the list.
    fn nodes(&mut self) -> Result<Vec<Node<'t>>, String> {
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            let start = self.at;
            if rest.is_empty() || rest.starts_with(')') {
                return Ok(nodes);
            } else if rest.starts_with(";;") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("(;") {
                self.at += rest.find(";)").ok_or("a comment without end")? + 2;
            } else if rest.starts_with(char::is_whitespace) {
                self.at += rest.len() - rest.trim_start().len();
            } else if rest.starts_with('(') {
                self.at += 1;
                let items = self.nodes()?;
                if !self.rest().starts_with(')') {
                    return Err("a list without end".to_string());
                }
                self.at += 1;
                nodes.push(Node::List(items, start..self.at));
            } else {
                self.at += word_bytes(rest)?;
                nodes.push(Node::Atom(&self.text[start..self.at]));
            }
        }
    }
}

/// Length of the string or word at the text's start.
fn word_bytes(text: &str) -> Result<usize, String> {
    if !text.starts_with('"') {
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ';');
        return Ok(text.find(ends).unwrap_or(text.len()).max(1));
    }
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    Ok(end.ok_or("a string without end")? + 2)
}

fn assemble(module: &Node<'_>) -> Result<Vec<u8>, String> {
    let mut text = String::new();
    write_node(module, &mut text)?;
    let bytes = wat::parse_str(&text).map_err(|e| e.to_string())?;
    with_true_opcodes(&bytes).map_err(|e| e.to_string())
}

fn write_node(node: &Node<'_>, out: &mut String) -> Result<(), String> {
    match (node, node.head()) {
        (Node::Atom(atom), _) => {
            out.push_str(atom);
            out.push(' ');
        }
        (Node::List(items, _), Some("try")) => write_try(&items[1..], out)?,
        (Node::List(items, _), Some("rethrow")) => {
            write_all(&items[2..], out)?;
            write_stand_in(&RETHROW, out);
            write_all(&items[1..2], out)?;
        }
        (Node::List(items, _), _) => {
            out.push('(');
            write_all(items, out)?;
            out.push(')');
        }
    }
    Ok(())
}

fn write_all(nodes: &[Node<'_>], out: &mut String) -> Result<(), String> {
    nodes.iter().try_for_each(|node| write_node(node, out))
}

fn write_stand_in(stand_in: &StandIn, out: &mut String) {
    let _ = write!(out, " i64.const {} drop {} ", stand_in.mark, stand_in.word);
}

/// What follows `try`: label, type, body, clauses.
fn write_try(items: &[Node<'_>], out: &mut String) -> Result<(), String> {
    let body = items.iter().position(|item| item.head() == Some("do")).ok_or("try without do")?;
    write_stand_in(&TRY, out);
    write_all(&items[..body], out)?;
    let mut is_closed = false;
    for item in &items[body..] {
        let Node::List(parts, _) = item else { return Err("a word between clauses".to_string()) };
        let rest = match item.head() {
            Some("do") => 1,
            Some("catch") => {
                write_stand_in(&CATCH, out);
                write_all(&parts[1..2], out)?;
                2
            }
            Some("catch_all") => {
                write_stand_in(&CATCH_ALL, out);
                1
            }
            Some("delegate") => {
                is_closed = true;
                out.push_str(" end ");
                write_stand_in(&DELEGATE, out);
                1
            }
            other => return Err(format!("{other:?} among the clauses of a try")),
        };
        write_all(&parts[rest..], out)?;
    }
    if !is_closed {
        out.push_str(" end ");
    }
    Ok(())
}

fn with_true_opcodes(bytes: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut module = Module::new();
    let mut code = CodeSection::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::CodeSectionStart { count: 0, .. } => {
                module.section(&code);
            }
            Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => {
                code.raw(&true_body(&body, bytes)?);
            }
            other => {
                let Some((id, range)) = other.as_section() else { continue };
                if !code.is_empty() {
                    module.section(&std::mem::take(&mut code));
                }
                let data = &bytes[range.start as usize..range.end as usize];
                module.section(&RawSection { id, data });
            }
        }
    }
    if !code.is_empty() {
        module.section(&code);
    }
    Ok(module.finish())
}

fn true_body(body: &FunctionBody<'_>, bytes: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let piece = |from: u64, to: u64| &bytes[from as usize..to as usize];
    let operators = body.get_operators_reader()?;
    let mut out = piece(body.range().start, operators.original_position()).to_vec();
    let mut operators = operators.into_iter_with_offsets().peekable();
    // The constant, and its `drop`, that stand before the instruction at hand.
    let mut mark: Option<&StandIn> = None;
    while let Some(next) = operators.next() {
        let (operator, start) = next?;
        let end = match operators.peek() {
            Some(Ok((_, offset))) => *offset,
            _ => body.range().end,
        };
        match (operator, mark) {
            (Operator::I64Const { value }, None) => {
                mark = STAND_INS.iter().find(|stand_in| stand_in.mark == value);
                if mark.is_none() {
                    out.extend_from_slice(piece(start, end));
                }
            }
            (Operator::Drop, Some(_)) => {}
            (_, Some(stand_in)) => {
                if stand_in.opcode == DELEGATE.opcode {
                    out.pop();
                }
                out.push(stand_in.opcode);
                out.extend_from_slice(piece(start + 1, end));
                mark = None;
            }
            (_, None) => out.extend_from_slice(piece(start, end)),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opcodes(module: &str) -> Vec<String> {
        let nodes = Reader { text: module, at: 0 }.nodes().unwrap();
        let bytes = assemble(&nodes[0]).unwrap();
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(&bytes) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                for operator in body.get_operators_reader().unwrap() {
                    names.push(format!("{:?}", operator.unwrap()));
                }
            }
        }
        names
    }

    #[test]
    fn a_try_with_clauses_becomes_its_instructions() {
        let module = "(module (tag $e) (func (try $l (do (throw $e)) (catch $e (rethrow $l)) \
                      (catch_all nop))))";
        assert_eq!(
            opcodes(module),
            [
                "Try { blockty: Empty }",
                "Throw { tag_index: 0 }",
                "Catch { tag_index: 0 }",
                "Rethrow { relative_depth: 0 }",
                "CatchAll",
                "Nop",
                "End",
                "End"
            ]
        );
    }

    #[test]
    fn delegate_closes_its_try_and_counts_labels_from_outside() {
        let module = "(module (func (block $b (try (do (nop)) (delegate $b)))))";
        let wanted = [
            "Block { blockty: Empty }",
            "Try { blockty: Empty }",
            "Nop",
            "Delegate { relative_depth: 0 }",
            "End",
            "End",
        ];
        assert_eq!(opcodes(module), wanted);
    }

    #[test]
    fn modules_without_such_instructions_and_lines_stay_as_they_are() {
        let script = "(module $m (func (try\n(do))) )\n;; (try\n(module (func \"(try\"))\n";
        let assembled = assembled(script).unwrap();
        assert!(assembled.starts_with("(module $m binary \"\\00\\61"), "{assembled}");
        assert!(assembled.ends_with("\n)\n;; (try\n(module (func \"(try\"))\n"), "{assembled}");
    }
}

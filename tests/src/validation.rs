//! Reads a script as far as decoding and validation go: what it says is valid, invalid or
//! malformed must be so. Nothing is compiled or executed.
//!
//! Invariant: every directive that speaks of a module is judged; those that speak of execution
//! are counted as passed over. Features are those of the script's own command line.

use crate::proposals::{WASM_1, WASM_2_ADDED, WASM_3_ADDED, exactly};
use selkie_module::Features;
use selkie_module::features::Feature;
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};
use wast::{QuoteWat, Wast, WastDirective};

/// How a script asks to be read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The script to read instead of the one with the command, from the crate's folder.
    pub file: Option<String>,
    /// The enabled proposals.
    pub features: Features,
    /// Whether errors must contain the script's words.
    pub messages: bool,
    /// Whether the command as a whole must fail.
    pub must_fail: bool,
}

impl Options {
    /// Reads the `;; RUN: wast …` line at the top of a script of `wasm-tools`.
    ///
    /// # Errors
    /// The line asks for a proposal that there is no switch for. `None` is a script for another
    /// command.
    pub fn of_script(text: &str) -> Result<Option<Options>, String> {
        let Some((command, must_fail)) = command_line(text) else { return Ok(None) };
        let mut features = Features::default();
        features.set(Feature::custom_page_sizes, false);
        let mut messages = true;
        let mut file = None;
        let mut words = command.split_whitespace().skip_while(|word| word.contains('='));
        if words.next() != Some("wast") {
            return Ok(None);
        }
        while let Some(word) = words.next() {
            let list = match word {
                "--ignore-error-messages" => {
                    messages = false;
                    continue;
                }
                "--assert" | "--snapshot" => {
                    words.next();
                    continue;
                }
                "-f" | "--features" => words.next().unwrap_or_default(),
                _ => match word.strip_prefix("-f=").or(word.strip_prefix("--features=")) {
                    Some(list) => list,
                    None => {
                        file = (word != "%").then(|| word.to_string());
                        continue;
                    }
                },
            };
            for name in list.split(',').filter(|name| !name.is_empty()) {
                apply(name, &mut features)?;
            }
        }
        Ok(Some(Options { file, features, messages, must_fail }))
    }
}

/// The first command at the top of a script, joined where lines end in a backslash.
fn command_line(text: &str) -> Option<(String, bool)> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(";; "));
    let (first, must_fail) = lines.by_ref().find_map(|line| {
        let command = |rest: &str| rest.split_once(':').map(|(_, command)| command.to_string());
        match (line.strip_prefix("RUN"), line.strip_prefix("FAIL")) {
            (Some(rest), _) => command(rest).map(|c| (c, false)),
            (_, Some(rest)) => command(rest).map(|c| (c, true)),
            _ => None,
        }
    })?;
    let mut command = first;
    while let Some(start) = command.strip_suffix('\\').map(str::len) {
        command.truncate(start);
        command.push_str(lines.next().unwrap_or_default());
    }
    Some((command, must_fail))
}

fn apply(name: &str, features: &mut Features) -> Result<(), String> {
    let (name, on) = match name.strip_prefix('-') {
        Some(name) => (name, false),
        None => (name, true),
    };
    match name {
        "mvp" => *features = exactly(&[]),
        "wasm1" => *features = exactly(&[WASM_1]),
        "wasm2" => *features = exactly(&[WASM_1, WASM_2_ADDED]),
        "wasm3" => *features = exactly(&[WASM_1, WASM_2_ADDED, WASM_3_ADDED]),
        "all" => Feature::ALL.iter().for_each(|&feature| features.set(feature, on)),
        // Components are a layer above; a script that has one is refused when it is met.
        name if name == "component-model" || name.starts_with("cm") => {}
        _ => match Feature::ALL.iter().find(|feature| feature.flag() == name) {
            Some(&feature) => features.set(feature, on),
            None => return Err(format!("no switch for `{name}`")),
        },
    }
    Ok(())
}

/// Judges all modules of a script; the error lists what is wrong, line by line.
///
/// # Errors
/// At least one directive is not as it should be.
pub fn check(text: &str, options: &Options) -> Result<usize, String> {
    match (check_directives(text, options), options.must_fail) {
        (result, false) => result,
        (Ok(_), true) => Err("passes, but the script says it must not".into()),
        (Err(_), true) => Ok(1),
    }
}

fn check_directives(text: &str, options: &Options) -> Result<usize, String> {
    let mut lexer = Lexer::new(text);
    // The wast files of suites test such characters on purpose.
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|e| located(e, text))?;
    let script = parse::<Wast<'_>>(&buffer).map_err(|e| located(e, text))?;
    let mut problems = Vec::new();
    let mut judged = 0;
    check_all(script.directives, text, options, &mut problems, &mut judged);
    if problems.is_empty() { Ok(judged) } else { Err(problems.join("\n")) }
}

fn located(mut error: wast::Error, text: &str) -> String {
    error.set_text(text);
    error.to_string()
}

fn check_all(
    directives: Vec<WastDirective<'_>>,
    text: &str,
    options: &Options,
    problems: &mut Vec<String>,
    judged: &mut usize,
) {
    for directive in directives {
        let line = directive.span().linecol_in(text).0 + 1;
        let outcome = match directive {
            WastDirective::Module(module) | WastDirective::ModuleDefinition(module) => {
                must_be_valid(module, options.features)
            }
            WastDirective::AssertUnlinkable { module, .. } => {
                must_be_valid(QuoteWat::Wat(module), options.features)
            }
            WastDirective::AssertInvalid { module, message, .. } => {
                must_be_refused(module, message, options.messages, options.features)
            }
            // Decoding and validating are one pass: where a module is both invalid and, later,
            // malformed, the words are those of the earlier place.
            WastDirective::AssertMalformed { module, message, .. } => {
                must_be_refused(module, message, false, options.features)
            }
            // Custom sections never make a module invalid (spec: appendix, custom sections).
            WastDirective::AssertInvalidCustom { mut module, .. }
            | WastDirective::AssertMalformedCustom { mut module, .. } => match module.encode() {
                Ok(bytes) => validate(&bytes, options.features),
                Err(_) => Ok(()),
            },
            WastDirective::Thread(thread) => {
                check_all(thread.directives, text, options, problems, judged);
                continue;
            }
            _ => continue,
        };
        *judged += 1;
        if let Err(problem) = outcome {
            problems.push(format!("line {line}: {problem}"));
        }
    }
}

fn must_be_valid(mut module: QuoteWat<'_>, features: Features) -> Result<(), String> {
    let bytes = module.encode().map_err(|e| format!("cannot be encoded: {e}"))?;
    validate(&bytes, features).map_err(|e| format!("should be valid: {e}"))
}

fn must_be_refused(
    mut module: QuoteWat<'_>,
    message: &str,
    compare_words: bool,
    features: Features,
) -> Result<(), String> {
    let error = match module.encode() {
        Err(error) => error.to_string(),
        Ok(bytes) if wasmparser::Parser::is_component(&bytes) => return Err(COMPONENT.into()),
        Ok(bytes) => match validate(&bytes, features) {
            Ok(()) => return Err(format!("accepted, but should be refused with: {message}")),
            Err(error) => error,
        },
    };
    if compare_words && !error.contains(message) {
        return Err(format!("refused with: {error}\n    but should be with: {message}"));
    }
    Ok(())
}

const COMPONENT: &str = "a component";

/// Decodes and validates a binary module.
///
/// # Errors
/// It is not valid, in the validator's words.
pub fn validate(bytes: &[u8], features: Features) -> Result<(), String> {
    let module = selkie_module::decode::decode(bytes, features).map_err(|e| e.to_string())?;
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for function in module.functions {
        let mut validator = function.to_validate.into_validator(allocations);
        validator.validate(&function.body).map_err(|e| e.to_string())?;
        allocations = validator.into_allocations();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_be_split_over_lines() {
        let text = ";; RUN: wast \\\n;;   --assert default \\\n;;   %\n(module)";
        let (command, must_fail) = command_line(text).unwrap();
        assert_eq!(
            command.split_whitespace().collect::<Vec<_>>(),
            ["wast", "--assert", "default", "%"]
        );
        assert!(!must_fail);
    }

    #[test]
    fn an_accepted_module_that_should_be_refused_is_a_problem() {
        let options = Options::of_script(";; RUN: wast %").unwrap().unwrap();
        let text = "(assert_invalid (module) \"anything\")";
        let error = check(text, &options).unwrap_err();
        assert!(error.starts_with("line 1: accepted"), "{error}");
    }
}

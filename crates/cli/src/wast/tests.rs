//! What the interpreter itself must get right: that it notices when a script is wrong.

use super::{Summary, WastError, WastRunner};

fn run(text: &str) -> Result<Summary, WastError> {
    let config = selkie::Config::new();
    WastRunner::new(&config).expect("the default configuration").run_file("test.wast", text)
}

const ADD: &str = r#"(module (func (export "add") (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add))"#;

#[test]
fn a_wrong_result_is_reported_with_its_line() {
    let text = format!(
        "{ADD}\n\n(assert_return (invoke \"add\" (i32.const 1) (i32.const 1)) (i32.const 3))"
    );
    let error = run(&text).unwrap_err();
    assert_eq!(error.line, 4);
    assert_eq!(error.message, "result 0 is `i32.const 2`, but `i32.const 3` was expected");
}

#[test]
fn a_script_runs_within_the_limits_it_is_given() {
    let text = r#"(module (memory 1)
        (func (export "grow") (result i32) (memory.grow (i32.const 1))))
        (assert_return (invoke "grow") (i32.const -1))"#;
    assert!(run(text).is_err());
    let runner = WastRunner::new(&selkie::Config::new()).expect("the default configuration");
    // A page is what the host's own memory needs too.
    let limits = selkie::StoreLimits { memory_bytes: 1 << 16, ..Default::default() };
    let summary = runner.with_limits(limits).run_file("test.wast", text).expect("it holds");
    assert_eq!(summary.assertions, 1);
}

#[test]
fn a_trap_with_other_words_is_an_error() {
    let text = r#"(module (func (export "f") unreachable))
        (assert_trap (invoke "f") "integer overflow")"#;
    assert!(run(text).unwrap_err().message.contains("unreachable"));
}

#[test]
fn a_return_where_a_trap_should_be_is_an_error() {
    let text = r#"(module (func (export "f"))) (assert_trap (invoke "f") "unreachable")"#;
    assert!(run(text).is_err());
}

#[test]
fn an_accepted_module_that_should_be_refused_is_an_error() {
    assert!(run("(assert_invalid (module) \"anything\")").is_err());
    assert!(run("(assert_malformed (module quote \"(func)\") \"anything\")").is_err());
    assert!(run("(assert_unlinkable (module) \"anything\")").is_err());
}

#[test]
fn refused_modules_count_as_assertions() {
    let text = r#"(assert_invalid (module (func (result i32))) "type mismatch")
        (assert_malformed (module quote "(func") "unexpected end")
        (assert_unlinkable (module (import "no" "thing" (func))) "unknown import")"#;
    assert_eq!(run(text).unwrap().assertions, 3);
}

#[test]
fn definitions_are_instantiated_as_often_as_asked() {
    let text = r#"(module definition $M (global (export "g") (mut i32) (i32.const 0))
          (func (export "next") (result i32)
            (global.set 0 (i32.add (global.get 0) (i32.const 1))) (global.get 0)))
        (module instance $A $M) (module instance $B $M)
        (assert_return (invoke $A "next") (i32.const 1))
        (assert_return (invoke $A "next") (i32.const 2))
        (assert_return (invoke $B "next") (i32.const 1))"#;
    assert_eq!(run(text).unwrap(), Summary { assertions: 3, commands: 3, passed_over: 0 });
}

#[test]
fn instances_are_imported_under_the_name_they_are_registered_with() {
    let text = r#"(module $A (global (export "g") i32 (i32.const 7)))
        (register "a" $A)
        (module (import "a" "g" (global i32)) (export "again" (global 0)))
        (assert_return (get "again") (i32.const 7))"#;
    assert_eq!(run(text).unwrap().assertions, 1);
}

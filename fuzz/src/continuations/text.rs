//! A program as a module in the text format.

use super::{Action, Clauses, Event, SLOTS, Step};
use std::fmt::Write;

const HEAD: &str = "(module
  (import \"host\" \"call\" (func $host (param i32 i64) (result i64)))
  (rec
    (type $f (func (param i64 (ref null $c)) (result i64)))
    (type $c (cont $f)))
  (type $object (struct (field i64) (field (ref null $object))))
  (type $bytes (array i8))
  (type $g (func (param (ref null $object) i64 i64 (ref null $c)) (result i64)))
  (type $cg (cont $g))
  (tag $both (param i64 (ref null $object)) (result i64 (ref null $c)))
  (tag $number (param i64) (result i64 (ref null $c)))
  (tag $switch (result i64))
  (tag $e (export \"e\") (param i64))
  (global $trace (export \"trace\") (mut i64) (i64.const 0))

  (func $mix (param $x i64) (param $value i64) (param $kind i64) (result i64)
    (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 31))
      (i64.rotl (local.get $value) (local.get $kind))))
    (global.set $trace
      (i64.add (i64.mul (global.get $trace) (i64.const 37)) (local.get $x)))
    (local.get $x))

  (func $number_of (param $o (ref null $object)) (result i64)
    (if (ref.is_null (local.get $o)) (then (return (i64.const 9))))
    (struct.get $object 0 (local.get $o)))

  (func $look (param $o (ref null $object)) (result i64)
    (local $next (ref null $object))
    (block $none
      (local.set $next (struct.get $object 1 (br_on_null $none (local.get $o)))))
    (i64.add (call $number_of (local.get $o)) (call $number_of (local.get $next))))

  (func $deep (param $depth i64) (param $f (ref $f)) (param $x i64) (result i64)
    (local $o (ref $object))
    (if (i64.eqz (local.get $depth))
      (then (return (call_ref $f (local.get $x) (ref.null $c) (local.get $f)))))
    (local.set $o (struct.new $object (local.get $depth) (ref.null $object)))
    (i64.add
      (call $deep (i64.sub (local.get $depth) (i64.const 1)) (local.get $f) (local.get $x))
      (struct.get $object 0 (local.get $o))))
";

pub(super) fn module(functions: &[Vec<Step>]) -> String {
    let mut text = HEAD.to_owned();
    let _ = writeln!(text, "  (table $slots {SLOTS} (ref null $c))");
    for (place, steps) in functions.iter().enumerate() {
        let slot = place as u64 % SLOTS;
        let mut body = Body { text: String::new(), labels: 0, slot };
        body.keep();
        steps.iter().for_each(|step| body.step(step));
        let _ = write!(
            text,
            "
  (func $f{place} (type $f) (call $body{place} (ref.null $object) (local.get 0) (local.get 1)))
  (func $g{place} (type $g)
    (call $body{place} (local.get 0) (i64.xor (local.get 1) (local.get 2)) (local.get 3)))
  (func (export \"h{place}\") (param i64) (result i64)
    (call $f{place} (local.get 0) (ref.null $c)))
  (elem declare func $f{place} $g{place})
  (func $body{place} (param $o (ref null $object)) (param $x i64) (param $k (ref null $c)) (result i64)
    (local $r i64) (local $v i64)
{}    (local.get $x))
",
            body.text
        );
    }
    text.push_str(
        "  (func (export \"run\") (result i64) (call $f0 (i64.const 1) (ref.null $c))))\n",
    );
    text
}

struct Body {
    text: String,
    labels: u32,
    /// Where continuations go that are brought by a switch.
    slot: u64,
}

impl Body {
    fn line(&mut self, line: &str) {
        self.text.push_str("    ");
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn label(&mut self) -> u32 {
        self.labels += 1;
        self.labels
    }

    fn mix(&mut self, value: &str, kind: u32) {
        self.line(&format!("(local.set $x (call $mix (local.get $x) {value} (i64.const {kind})))"));
    }

    fn step(&mut self, step: &Step) {
        if !step.is_guarded {
            return self.action(&step.action);
        }
        let label = self.label();
        self.line(&format!("(block $after{label} (block $caught{label} (result i64)"));
        self.line(&format!("(try_table (catch $e $caught{label})"));
        self.action(&step.action);
        self.line(&format!(") (br $after{label}))"));
        self.line("(local.set $r)");
        self.mix("(local.get $r)", 7);
        self.line(")");
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Mix { number } => self.mix(&format!("(i64.const {})", *number as i64), 1),
            Action::Make => {
                self.line("(local.set $o (struct.new $object (local.get $x) (local.get $o)))");
            }
            Action::Look => self.mix("(call $look (local.get $o))", 2),
            Action::Waste => self.line("(drop (array.new_default $bytes (i32.const 3000)))"),
            Action::New { slot, function, bound: false } => self.line(&format!(
                "(table.set $slots (i32.const {slot}) (cont.new $c (ref.func $f{function})))"
            )),
            Action::New { slot, function, bound: true } => self.line(&format!(
                "(table.set $slots (i32.const {slot}) (cont.bind $cg $c \
                 (local.get $o) (local.get $x) (cont.new $cg (ref.func $g{function}))))"
            )),
            Action::Call { function, depth } => {
                self.line(&format!(
                    "(local.set $r (call $deep (i64.const {depth}) (ref.func $f{function}) \
                     (local.get $x)))"
                ));
                self.mix("(local.get $r)", 4);
            }
            Action::Host { function } => {
                self.line(&format!(
                    "(local.set $r (call $host (i32.const {function}) (local.get $x)))"
                ));
                self.mix("(local.get $r)", 5);
            }
            Action::Resume { slot, clauses } => {
                self.resume(*slot, clauses, "resume $c", "(local.get $x) (ref.null $c)");
            }
            Action::ResumeThrow { slot, clauses } => {
                self.resume(*slot, clauses, "resume_throw $c $e", "(local.get $x)");
            }
            Action::Suspend { event: Event::Both } => {
                self.suspend("(suspend $both (local.get $x) (local.get $o))");
            }
            Action::Suspend { .. } => self.suspend("(suspend $number (local.get $x))"),
            Action::Switch { slot } => {
                let label = self.take(*slot);
                self.suspend("(switch $c $switch (local.get $x) (local.get $k))");
                self.line(&format!(") ;; $empty{label}"));
            }
            Action::Throw => self.line("(throw $e (local.get $x))"),
        }
    }

    /// Takes a continuation out of a slot; begins a block that is left where there is none.
    fn take(&mut self, slot: u64) -> u32 {
        let label = self.label();
        self.line(&format!("(block $empty{label}"));
        self.line(&format!("(local.set $k (table.get $slots (i32.const {slot})))"));
        self.line(&format!("(br_if $empty{label} (ref.is_null (local.get $k)))"));
        self.line(&format!("(table.set $slots (i32.const {slot}) (ref.null $c))"));
        label
    }

    /// Puts the continuation that was brought, if any, into its slot.
    fn keep(&mut self) {
        let label = self.label();
        self.line(&format!(
            "(block $none{label} (br_if $none{label} (ref.is_null (local.get $k)))"
        ));
        self.line(&format!("(table.set $slots (i32.const {}) (local.get $k)))", self.slot));
    }

    /// Waits, and takes what is brought.
    fn suspend(&mut self, how: &str) {
        self.line(&format!("{how} (local.set $k) (local.set $v)"));
        self.mix("(local.get $v)", 3);
        self.keep();
    }

    fn resume(&mut self, slot: u64, Clauses { events, to }: &Clauses, how: &str, arguments: &str) {
        let empty = self.take(slot);
        let done = self.label();
        let has = |event| events.contains(&event);
        self.line(&format!("(block $done{done}"));
        let results = [
            (Event::Number, "number", "(result i64 (ref $c))"),
            (Event::Both, "both", "(result i64 (ref null $object) (ref $c))"),
        ];
        for (event, name, result) in results {
            if has(event) {
                self.line(&format!("(block $on_{name}{done} {result}"));
            }
        }
        let clauses: String = events
            .iter()
            .map(|event| match event {
                Event::Both => format!("(on $both $on_both{done}) "),
                Event::Number => format!("(on $number $on_number{done}) "),
                Event::Switch => "(on $switch switch) ".to_owned(),
            })
            .collect();
        self.line(&format!("(local.set $r ({how} {clauses} {arguments} (local.get $k)))"));
        self.mix("(local.get $r)", 6);
        self.line(&format!("(br $done{done})"));
        let given = format!("(table.set $slots (i32.const {to}) (local.get $k))");
        if has(Event::Both) {
            self.line(")");
            self.line("(local.set $k) (local.set $o) (local.set $r)");
            self.line(&given);
            self.mix("(local.get $r)", 8);
            self.line(&format!("(br $done{done})"));
        }
        if has(Event::Number) {
            self.line(")");
            self.line("(local.set $k) (local.set $r)");
            self.line(&given);
            self.mix("(local.get $r)", 9);
        }
        self.line(&format!(") ) ;; $done{done} $empty{empty}"));
    }
}

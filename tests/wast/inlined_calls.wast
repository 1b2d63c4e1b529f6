;; Small functions put in place of their calls: values, locals, traps and control stay as if they
;; had been called.

(module
  (memory 1)
  (global $order (mut i32) (i32.const 0))
  (table 1 funcref) (elem (i32.const 0) $square)

  (func $square (param i32) (result i32) local.get 0 local.get 0 i32.mul)
  (func $fresh_local (param i32) (result i32) (local i32)
    ;; Its local is zero at each call, also in a loop.
    local.get 0 local.get 1 i32.add local.tee 1)
  (func $early (param i32) (result i32)
    local.get 0 if i32.const 1 return end i32.const 2)
  (func $never unreachable)
  (func $divide (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s)
  (func $two (param i32) (result i32 i32) local.get 0 i32.const 1 i32.add local.get 0)
  (func $note (param i32) (result i32)
    global.get $order i32.const 10 i32.mul local.get 0 i32.add global.set $order local.get 0)
  (func $change (param i32) (result i32) i32.const 99 local.set 0 local.get 0)
  (func $outer_block (param i32) (result i32)
    block (result i32) local.get 0 local.get 0 br_if 0 drop i32.const 7 end)

  (func (export "nested") (param i32) (result i32)
    local.get 0 call $square call $square)
  (func (export "locals in a loop") (param i32) (result i32) (local i32)
    loop
      local.get 1 i32.const 1 call $fresh_local i32.add local.set 1
      local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0
    end
    local.get 1)
  (func (export "return inside") (param i32) (result i32)
    local.get 0 call $early i32.const 10 i32.mul)
  (func (export "trap inside") (param i32) (result i32)
    i32.const 0 i32.const 1 i32.store
    local.get 0 if call $never end
    i32.const 0 i32.load)
  (func (export "stored before") (result i32) i32.const 0 i32.load)
  (func (export "division") (param i32 i32) (result i32)
    local.get 0 local.get 1 call $divide)
  (func (export "several results") (param i32) (result i32)
    local.get 0 call $two i32.mul)
  (func (export "order") (result i32)
    i32.const 1 call $note i32.const 2 call $note i32.const 3 call $note drop drop drop
    global.get $order)
  (func (export "argument stays") (param i32) (result i32)
    local.get 0 call $change local.get 0 i32.sub)
  (func (export "branch inside") (param i32) (result i32)
    block (result i32) local.get 0 call $outer_block br 0 end)
  (func (export "tail") (param i32) (result i32) local.get 0 return_call $square)
  (func (export "indirect") (param i32) (result i32)
    local.get 0 i32.const 0 call_indirect (param i32) (result i32))
  (func $even (export "even") (param i32) (result i32)
    local.get 0 i32.eqz if i32.const 1 return end
    local.get 0 i32.const 1 i32.sub call $odd)
  (func $odd (param i32) (result i32)
    local.get 0 i32.eqz if i32.const 0 return end
    local.get 0 i32.const 1 i32.sub call $even))

(assert_return (invoke "nested" (i32.const 3)) (i32.const 81))
(assert_return (invoke "locals in a loop" (i32.const 5)) (i32.const 5))
(assert_return (invoke "return inside" (i32.const 0)) (i32.const 20))
(assert_return (invoke "return inside" (i32.const 4)) (i32.const 10))
(assert_return (invoke "trap inside" (i32.const 0)) (i32.const 1))
(assert_trap (invoke "trap inside" (i32.const 1)) "unreachable")
(assert_return (invoke "stored before") (i32.const 1))
(assert_return (invoke "division" (i32.const -7) (i32.const 2)) (i32.const -3))
(assert_trap (invoke "division" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "division" (i32.const 0x80000000) (i32.const -1)) "integer overflow")
(assert_return (invoke "several results" (i32.const 6)) (i32.const 42))
(assert_return (invoke "order") (i32.const 123))
(assert_return (invoke "argument stays" (i32.const 90)) (i32.const 9))
(assert_return (invoke "branch inside" (i32.const 0)) (i32.const 7))
(assert_return (invoke "branch inside" (i32.const 5)) (i32.const 5))
(assert_return (invoke "tail" (i32.const 12)) (i32.const 144))
(assert_return (invoke "indirect" (i32.const 12)) (i32.const 144))
(assert_return (invoke "even" (i32.const 101)) (i32.const 0))
(assert_return (invoke "even" (i32.const 100)) (i32.const 1))

;; Thrown through frames whose handlers are for something else, or put something right and throw the
;; exception on, as `finally` does.
;; rounds: 400
(module
  (tag $wanted (param i32))
  (tag $other (param i64))
  (global $left_open (mut i32) (i32.const 0))

  (func $thrower (param $value i32) (result i32)
    (throw $wanted (local.get $value)))

  ;; A handler for another tag.
  (func $unrelated (param $depth i32) (param $value i32) (result i32)
    (block $caught (result i64)
      (try_table (catch $other $caught)
        (return (call $cleaning (i32.sub (local.get $depth) (i32.const 1)) (local.get $value))))
      (unreachable))
    (i32.wrap_i64))

  ;; A handler for everything, which throws on.
  (func $cleaning (param $depth i32) (param $value i32) (result i32)
    (local $result i32)
    (if (i32.eqz (local.get $depth))
      (then (return (call $thrower (local.get $value)))))
    (global.set $left_open (i32.add (global.get $left_open) (i32.const 1)))
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught)
        (local.set $result
          (call $unrelated (local.get $depth) (i32.add (local.get $value) (local.get $depth)))))
      (global.set $left_open (i32.sub (global.get $left_open) (i32.const 1)))
      (return (local.get $result)))
    (global.set $left_open (i32.sub (global.get $left_open) (i32.const 1)))
    (throw_ref))

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $wanted $caught)
          (call $cleaning (i32.const 4) (local.get $i))))
      (local.set $sum (i32.xor (local.get $sum)))
      (local.set $sum (i32.rotl (i32.add (local.get $sum) (global.get $left_open)) (i32.const 1)))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 1000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))

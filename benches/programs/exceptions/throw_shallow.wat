;; A callee throws, its caller catches, again and again; a table of functions keeps the callee from
;; being known.
;; rounds: 400
(module
  (type $step (func (param i32) (result i32)))
  (tag $failed (param i32))
  (table $steps 2 2 funcref)
  (elem (table $steps) (i32.const 0) func $odd $even)

  (func $odd (type $step) (param $i i32) (result i32)
    (throw $failed (i32.mul (local.get $i) (i32.const 3))))
  (func $even (type $step) (param $i i32) (result i32)
    (throw $failed (i32.add (local.get $i) (i32.const 5))))

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $failed $caught)
          (call_indirect $steps (type $step) (local.get $i)
            (i32.and (local.get $i) (i32.const 1)))))
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 17))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 10000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
